/* SPDX-License-Identifier: Apache-2.0 */
/* MODEXP: base^exponent mod modulus of any size (EIP-198), by GMP. Input: three lengths of 32 bytes
 * each, then the three numbers; all of it reads as if followed by zeros.
 *
 * GMP aborts the process when it cannot allocate, so lengths are bounded before it sees anything:
 * by EIP-7823 from Osaka on, by LEGACY_LEN_MAX and LEGACY_EXP_MAX before. */
#include "evm/precompile_internal.h"

#include "base/saturate.h"

#include <gmp.h>

enum {
    LEN_MAX = 1024, /* EIP-7823 */
    /* Not consensus: with a modulus or base of 1 MiB the price is above 5 * 10^9 gas, which no
     * block has. Past it the run reports that the node cannot do it, instead of taking the memory.
     */
    LEGACY_LEN_MAX = 1 << 20,
    /* Of the exponent, whose price grows with its length alone: above 3.5 * 10^8 gas. */
    LEGACY_EXP_MAX = 1 << 27,
};

struct lengths {
    uint64_t base, exp, mod; /* bytes; UINT64_MAX for anything larger */
};

static struct lengths read_lengths(bytes input) {
    uint8_t head[96];
    precompile_read(head, input, 0, sizeof head);
    u256 b = u256_from_be32(head), e = u256_from_be32(head + 32), m = u256_from_be32(head + 64);
    return (struct lengths){u256_sat_u64(&b), u256_sat_u64(&e), u256_sat_u64(&m)};
}

/* Position of the highest set bit of the exponent's first 32 bytes (or all, if it is shorter); 0
 * for zero. */
static uint64_t exponent_head_bits(bytes input, const struct lengths *l) {
    uint8_t head[32] = {0};
    uint64_t len = l->exp < 32 ? l->exp : 32;
    uint64_t off = u64_add_sat(96, l->base);
    if (off < input.len)
        precompile_read(head + 32 - len, input, (size_t)off, (size_t)len);
    for (unsigned i = 0; i < 32; i++)
        if (head[i] != 0)
            return 8 * (31 - i) + (31 - (uint64_t)__builtin_clz(head[i]));
    return 0;
}

uint64_t precompile_modexp_gas(enum evm_revision rev, bytes input) {
    bool osaka = rev >= EVM_OSAKA;
    struct lengths l = read_lengths(input);
    uint64_t longest = l.base > l.mod ? l.base : l.mod;
    uint64_t words = longest / 8 + (longest % 8 != 0);
    uint64_t work = u64_mul_sat(words, words);
    if (osaka)
        work = longest <= 32 ? 16 : u64_mul_sat(work, 2);

    uint64_t rounds = exponent_head_bits(input, &l);
    if (l.exp > 32)
        rounds = u64_add_sat(rounds, u64_mul_sat(l.exp - 32, osaka ? 16 : 8));
    if (rounds == 0)
        rounds = 1;

    if (osaka) {
        uint64_t gas = u64_mul_sat(work, rounds);
        return gas < 500 ? 500 : gas;
    }
    unsigned __int128 total = (unsigned __int128)work * rounds / 3;
    if (total > UINT64_MAX)
        return UINT64_MAX;
    return total < 200 ? 200 : (uint64_t)total;
}

/* The number of `len` bytes at offset `off`. Only what the input holds is imported, the zeros
 * behind it are a shift. */
static void import_number(mpz_t out, bytes input, uint64_t off, uint64_t len) {
    size_t have = off < input.len ? input.len - (size_t)off : 0;
    if (have > len)
        have = (size_t)len;
    if (have == 0) {
        mpz_set_ui(out, 0);
        return;
    }
    mpz_import(out, have, 1, 1, 1, 0, input.ptr + off);
    mpz_mul_2exp(out, out, (mp_bitcnt_t)(8 * (len - have)));
}

static void power(uint8_t *out, bytes input, const struct lengths *l) {
    mpz_t base, exp, mod;
    mpz_inits(base, exp, mod, NULL);
    import_number(mod, input, 96 + l->base + l->exp, l->mod);
    if (mpz_sgn(mod) != 0) {
        import_number(base, input, 96, l->base);
        import_number(exp, input, 96 + l->base, l->exp);
        mpz_powm(base, base, exp, mod); /* 0^0 is 1, reduced: 0 for a modulus of 1 */
        size_t len = (mpz_sizeinbase(base, 2) + 7) / 8;
        if (mpz_sgn(base) != 0)
            mpz_export(out + l->mod - len, NULL, 1, 1, 1, 0, base);
    }
    mpz_clears(base, exp, mod, NULL);
}

enum evm_status precompile_modexp(enum evm_revision rev, struct arena *a, bytes input, bytes *out) {
    struct lengths l = read_lengths(input);
    if (rev >= EVM_OSAKA && (l.base > LEN_MAX || l.exp > LEN_MAX || l.mod > LEN_MAX))
        return EVM_PRECOMPILE_FAILURE;
    if (l.mod == 0) { /* before Osaka the other two may be anything here: nothing is computed */
        *out = bytes_of(NULL, 0);
        return EVM_SUCCESS;
    }
    if (l.base > LEGACY_LEN_MAX || l.exp > LEGACY_EXP_MAX || l.mod > LEGACY_LEN_MAX)
        return EVM_INTERNAL_ERROR;
    bytes result;
    uint8_t *p = precompile_output(a, &result, (size_t)l.mod);
    if (p == NULL)
        return EVM_INTERNAL_ERROR;
    memset(p, 0, (size_t)l.mod);
    power(p, input, &l);
    *out = result;
    return EVM_SUCCESS;
}
