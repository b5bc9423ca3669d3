/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/evm/precompile_tests.h"

#include "tests/lib/rng.h"

static void put_len(uint8_t *p, uint64_t v) {
    memset(p, 0, 24);
    be64_store(p + 24, v);
}

/* base^exp mod mod on the given numbers of bytes each; in holds them one after the other. */
static struct answer modexp(enum evm_revision rev, const uint8_t *in, uint64_t base, uint64_t exp,
                            uint64_t mod, size_t have) {
    uint8_t buf[96 + 4096];
    put_len(buf, base);
    put_len(buf + 32, exp);
    put_len(buf + 64, mod);
    if (have > 0)
        memcpy(buf + 96, in, have);
    return run_bytes(rev, PRECOMPILE_MODEXP, buf, 96 + have);
}

static uint64_t gas(enum evm_revision rev, const uint8_t *in, uint64_t base, uint64_t exp,
                    uint64_t mod, size_t have) {
    uint8_t buf[96 + 4096];
    put_len(buf, base);
    put_len(buf + 32, exp);
    put_len(buf + 64, mod);
    if (have > 0)
        memcpy(buf + 96, in, have);
    return precompile_gas(rev, PRECOMPILE_MODEXP, bytes_of(buf, 96 + have));
}

/* Against square-and-multiply on u256, odd and even moduli. */
Test(precompile_modexp, against_u256) {
    struct rng rng = {rng_seed(1)};
    for (int i = 0; i < 500; i++) {
        uint8_t in[96];
        rng_fill(&rng, in, sizeof in);
        if (i % 3 == 0)
            memset(in + 64, 0, rng_below(&rng, 32));
        if (i % 5 == 0)
            memset(in + 32, 0, rng_below(&rng, 33));
        if (i % 7 == 0)
            in[95] &= 0xf0;
        u256 b = u256_from_be32(in), e = u256_from_be32(in + 32), m = u256_from_be32(in + 64);
        u256 r = u256_mod(&U256_ONE, &m);
        for (int bit = 256; bit-- > 0;) {
            r = u256_mulmod(&r, &r, &m);
            if (e.w[bit / 64] >> (bit % 64) & 1)
                r = u256_mulmod(&r, &b, &m);
        }
        uint8_t want[32];
        u256_to_be32(want, &r);
        struct answer got = modexp(EVM_OSAKA, in, 32, 32, 32, 96);
        cr_assert(got.len == 32 && memcmp(got.out, want, 32) == 0, "round %d", i);
    }
}

Test(precompile_modexp, degenerate_sizes) {
    const uint8_t n[] = {3, 4, 5, 0, 0, 0};
    struct answer r = modexp(EVM_OSAKA, n, 1, 1, 1, 3);
    cr_expect(r.len == 1 && r.out[0] == 1);
    r = modexp(EVM_OSAKA, n, 0, 0, 0, 0);
    cr_expect(r.status == EVM_SUCCESS && r.len == 0);
    r = modexp(EVM_OSAKA, n, 1, 1, 0, 3);
    cr_expect(r.status == EVM_SUCCESS && r.len == 0);
    r = modexp(EVM_OSAKA, n, 0, 0, 1, 1);
    cr_expect(r.len == 1 && r.out[0] == 1, "0^0 mod 3");
    r = modexp(EVM_OSAKA, n + 3, 1, 1, 1, 3);
    cr_expect(r.len == 1 && r.out[0] == 0, "modulus zero");
    r = modexp(EVM_OSAKA, n, 1, 1, 2, 3);
    cr_expect(r.len == 2 && r.out[0] == 0 && r.out[1] == 81,
              "the modulus goes on with zeros: 0x0500");
    r = modexp(EVM_OSAKA, n, 1, 1, 1024, 3);
    cr_expect(r.status == EVM_SUCCESS && r.len == 1024 && r.out[1023] == 81);
    r = run_bytes(EVM_OSAKA, PRECOMPILE_MODEXP, NULL, 0);
    cr_expect(r.status == EVM_SUCCESS && r.len == 0);
}

/* EIP-7823 */
Test(precompile_modexp, osaka_bounds_lengths) {
    const uint8_t n[] = {3, 4, 5};
    for (int i = 0; i < 3; i++) {
        uint64_t len[3] = {1, 1, 1};
        len[i] = 1025;
        struct answer r = modexp(EVM_OSAKA, n, len[0], len[1], len[2], 3);
        cr_expect(r.status == EVM_PRECOMPILE_FAILURE);
        r = modexp(EVM_PRAGUE, n, len[0], len[1], len[2], 3);
        cr_expect(r.status == EVM_SUCCESS);
        len[i] = 1024;
        r = modexp(EVM_OSAKA, n, len[0], len[1], len[2], 3);
        cr_expect(r.status == EVM_SUCCESS);
    }
    struct answer r = modexp(EVM_OSAKA, n, 0, UINT64_MAX, 0, 0);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE);
}

/* Lengths that no machine could hold: refused or answered, never allocated. */
Test(precompile_modexp, huge_lengths_before_osaka) {
    struct answer r = modexp(EVM_CANCUN, NULL, UINT64_MAX, UINT64_MAX, 0, 0);
    cr_expect(r.status == EVM_SUCCESS && r.len == 0);
    r = modexp(EVM_CANCUN, NULL, 0, 0, UINT64_MAX, 0);
    cr_expect(r.status == EVM_INTERNAL_ERROR);
    r = modexp(EVM_CANCUN, NULL, UINT64_MAX, 1, 1, 0);
    cr_expect(r.status == EVM_INTERNAL_ERROR);
    r = modexp(EVM_CANCUN, NULL, 1, UINT64_MAX, 1, 0);
    cr_expect(r.status == EVM_INTERNAL_ERROR);
    uint8_t in[96];
    memset(in, 0xff, sizeof in);
    r = run_bytes(EVM_CANCUN, PRECOMPILE_MODEXP, in, sizeof in);
    cr_expect(r.status == EVM_INTERNAL_ERROR);
    cr_expect(precompile_gas(EVM_CANCUN, PRECOMPILE_MODEXP, bytes_of(in, 96)) == UINT64_MAX);
    cr_expect(precompile_gas(EVM_OSAKA, PRECOMPILE_MODEXP, bytes_of(in, 96)) == UINT64_MAX);
    cr_expect(gas(EVM_CANCUN, NULL, 0, UINT64_MAX, 0, 0) == 200, "nothing to multiply");
    cr_expect(gas(EVM_OSAKA, NULL, 0, UINT64_MAX, 0, 0) == UINT64_MAX);
}

/* EIP-2565 prices a long exponent so low that a block of then could hold it. */
Test(precompile_modexp, long_exponent_before_osaka) {
    enum { LEN = (1 << 20) + 1 };
    cr_expect(gas(EVM_PRAGUE, NULL, 0, LEN, 1, 0) == 8 * (LEN - 32) / 3);
    struct answer r = modexp(EVM_PRAGUE, NULL, 0, LEN, 1, 0);
    cr_expect(r.status == EVM_SUCCESS && r.len == 1 && r.out[0] == 0);
    r = modexp(EVM_PRAGUE, NULL, 0, (1 << 27) + 1, 1, 0);
    cr_expect(r.status == EVM_INTERNAL_ERROR);
}

Test(precompile_modexp, prices) {
    uint8_t in[200];
    memset(in, 0xff, sizeof in);
    /* EIP-2565: words^2 * rounds / 3, at least 200 */
    cr_expect(gas(EVM_CANCUN, in, 1, 1, 1, 3) == 200);
    cr_expect(gas(EVM_CANCUN, in, 32, 32, 32, 96) == 16 * 255 / 3);
    cr_expect(gas(EVM_CANCUN, in, 33, 32, 32, 97) == 25 * 255 / 3);
    cr_expect(gas(EVM_CANCUN, in, 32, 40, 32, 104) == 16 * (255 + 64) / 3);
    /* EIP-7883: 16 up to 32 bytes, then 2 words^2; long exponents count twice; at least 500 */
    cr_expect(gas(EVM_OSAKA, in, 1, 1, 1, 3) == 500);
    cr_expect(gas(EVM_OSAKA, in, 32, 32, 32, 96) == 16 * 255);
    cr_expect(gas(EVM_OSAKA, in, 33, 32, 32, 97) == 50 * 255);
    cr_expect(gas(EVM_OSAKA, in, 32, 40, 32, 104) == 16 * (255 + 128));
    /* the exponent's head is what the input holds of it */
    cr_expect(gas(EVM_OSAKA, in, 32, 32, 32, 33) == 16 * 255);
    cr_expect(gas(EVM_OSAKA, in, 32, 32, 32, 32) == 500);
    cr_expect(gas(EVM_OSAKA, in, 32, 5, 32, 37) == 16 * 39);
}
