/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cpu.h"

#include "base/hex.h"
#include "base/keccak.h"
#include "base/keccak_variants.h"
#include "base/secp.h"
#include "base/u256.h"

#include <stdio.h>
#include <stdlib.h>

static const char *keccak_text = "keccak=portable,portable";

#if KECCAK_HAS_X86
/* __builtin_cpu_supports also asks xgetbv whether the operating system saves the wide registers. */
static void choose_x86(enum cpu_level level) {
    static const char *const texts[2][3] = {
        {"keccak=portable,portable", "keccak=portable,avx2x4", "keccak=portable,avx512x8"},
        {"keccak=bmi2,bmi2", "keccak=bmi2,avx2x4", "keccak=bmi2,avx512x8"},
    };
    __builtin_cpu_init();
    bool bmi = __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    int wide = __builtin_cpu_supports("avx2") ? 1 : 0;
    if (level == CPU_BEST && wide == 1 && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512vl"))
        wide = 2;
    if (bmi)
        keccak_variant.f1600 = keccak_f1600_bmi2;
    /* Four AVX2 digests cost as much as two scalar ones, four AVX-512VL ones as one. Eight cost
     * less than four and one more. */
    if (wide == 1) {
        keccak_variant.x4 = keccak256_x4_avx2;
        keccak_variant.x4_from = 3;
    } else if (wide == 2) {
        keccak_variant.x4 = keccak256_x4_avx512;
        keccak_variant.x4_from = 2;
        keccak_variant.x8 = keccak256_x8_avx512;
        keccak_variant.x8_from = 5;
    }
    keccak_text = texts[bmi][wide];
}
#endif

void cpu_choose(enum cpu_level level) {
    keccak_variant = (struct keccak_variant){.f1600 = keccak_f1600};
    keccak_text = "keccak=portable,portable";
#if KECCAK_HAS_X86
    if (level != CPU_PORTABLE)
        choose_x86(level);
#else
    (void)level;
#endif
    secp_recover_use(level == CPU_BEST ? SECP_RECOVERY_VECTORISED : SECP_RECOVERY_LIBRARY);
}

/* Before main and so before any thread, and ahead of other constructors (priorities up to 100 are
 * the compiler's). Until then the initial, portable choice is in force. */
__attribute__((constructor(101))) static void choose_at_start(void) {
    const char *forced = getenv("CALLIPTER_CPU");
    enum cpu_level level = CPU_BEST;
    if (forced != NULL && strcmp(forced, "portable") == 0)
        level = CPU_PORTABLE;
    else if (forced != NULL && strcmp(forced, "avx2") == 0)
        level = CPU_AVX2;
    cpu_choose(level);
    const char *recover = getenv("CALLIPTER_RECOVER");
    if (recover != NULL && strcmp(recover, "libsecp256k1") == 0)
        secp_recover_use(SECP_RECOVERY_LIBRARY);
}

const char *cpu_describe(void) {
    static _Thread_local char text[96];
    snprintf(text, sizeof(text), "%s recover=%s", keccak_text,
             secp_recovery_in_use() == SECP_RECOVERY_VECTORISED ? "ifma8" : "libsecp256k1");
    return text;
}

/* Known answers as hexadecimal text; the texts are constants, so a failure to read one is a failure
 * of the code under test. */
static bool equals_hex(const void *ptr, size_t len, const char *text) {
    char digits[64];
    if (len > sizeof(digits) / 2 || strlen(text) != 2 * len)
        return false;
    hex_encode(digits, ptr, len);
    return memcmp(digits, text, 2 * len) == 0;
}

static enum err test_keccak(struct err_ctx *ec, const char *variant) {
    static const char abc[] = "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45";
    uint8_t data[300];
    hash32 h, batch[19];
    bytes in[19];
    keccak256(&h, "abc", 3);
    if (!equals_hex(h.b, 32, abc))
        FAIL(ec, ERR_MISMATCH, "self-test: Keccak-256 (%s) gives a wrong digest", variant);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < ARRAY_LEN(in); i++)
        in[i] = bytes_of(data + i, 126 + i); /* crosses a block's end within the batch */
    keccak256_batch(batch, in, ARRAY_LEN(in));
    for (size_t i = 0; i < ARRAY_LEN(in); i++) {
        struct keccak_ctx k;
        keccak256_begin(&k);
        keccak256_update(&k, in[i].ptr, 100);
        keccak256_update(&k, in[i].ptr + 100, in[i].len - 100);
        keccak256_end(&k, &h);
        if (!hash32_eq(&h, &batch[i]))
            FAIL(ec, ERR_MISMATCH, "self-test: Keccak-256 (%s) differs between one and many",
                 variant);
    }
    return ERR_OK;
}

static enum err test_secp(struct err_ctx *ec) {
    /* The address of private key 1, and a round trip through a signature with it. */
    uint8_t key[32] = {0};
    key[31] = 1;
    hash32 digest;
    addr20 addr, recovered;
    struct secp_sig sig;
    keccak256(&digest, "callipter", 9);
    if (secp_address_of_key(&addr, key) != ERR_OK ||
        !equals_hex(addr.b, 20, "7e5f4552091a69125d5dfcb7b8c2659029395bdf"))
        FAIL(ec, ERR_MISMATCH, "self-test: secp256k1 derives a wrong address");
    if (secp_sign(&sig, &digest, key) != ERR_OK ||
        secp_recover(&recovered, &digest, &sig) != ERR_OK || !addr20_eq(&addr, &recovered))
        FAIL(ec, ERR_MISMATCH, "self-test: secp256k1 does not recover its own signer");
    digest.b[0] ^= 1;
    if (secp_recover(&recovered, &digest, &sig) == ERR_OK && addr20_eq(&addr, &recovered))
        FAIL(ec, ERR_MISMATCH, "self-test: secp256k1 recovers the signer of another digest");
    return ERR_OK;
}

/* Good and bad signatures in a batch that does not fill its last group, against one by one. */
static enum err test_recovery(struct err_ctx *ec) {
    enum { COUNT = 11 };
    hash32 digests[COUNT];
    struct secp_sig sigs[COUNT];
    addr20 out[COUNT];
    bool ok[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        hash32 key;
        keccak256(&key, &i, sizeof(i));
        keccak256(&digests[i], key.b, sizeof(key.b));
        if (secp_sign(&sigs[i], &digests[i], key.b) != ERR_OK)
            FAIL(ec, ERR_MISMATCH, "self-test: secp256k1 does not sign");
        if (i % 4 == 3)
            sigs[i].r.w[0] ^= i;
    }
    secp_recover_batch(out, ok, digests, sigs, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        addr20 one;
        bool one_ok = secp_recover(&one, &digests[i], &sigs[i]) == ERR_OK;
        if (ok[i] != one_ok || (one_ok && !addr20_eq(&out[i], &one)))
            FAIL(ec, ERR_MISMATCH, "self-test: vectorised recovery differs from libsecp256k1's");
    }
    return ERR_OK;
}

static enum err test_u256(struct err_ctx *ec) {
    /* (q d + r) / d for divisors of one to four limbs. */
    const u256 one = U256_ONE, q = u256_from_u64(0xfedcba9876543210);
    u256 d = u256_from_u64(0x8000000000000001);
    for (int limbs = 1; limbs <= 3; limbs++) {
        u256 r = u256_sub(&d, &one), a = u256_mul(&q, &d), got_q, got_r;
        a = u256_add(&a, &r);
        u256_divmod(&got_q, &got_r, &a, &d);
        if (!u256_eq(&got_q, &q) || !u256_eq(&got_r, &r))
            FAIL(ec, ERR_MISMATCH, "self-test: u256 division by %d limbs is wrong", limbs);
        u256 shift = u256_from_u64(63);
        d = u256_shl(&shift, &d);
        d = u256_add(&d, &one);
    }
    u256 max = U256_MAX, m = u256_mulmod(&max, &max, &SECP_N);
    u256 x = u256_mod(&max, &SECP_N), y = u256_mulmod(&x, &x, &SECP_N);
    if (!u256_eq(&m, &y))
        FAIL(ec, ERR_MISMATCH, "self-test: u256 multiplication modulo a prime is wrong");
    return ERR_OK;
}

enum err cpu_self_test(struct err_ctx *ec) {
    struct keccak_variant chosen = keccak_variant;
    const char *chosen_text = keccak_text;
    enum secp_recovery chosen_recovery = secp_recovery_in_use();
    static const enum cpu_level levels[] = {CPU_PORTABLE, CPU_AVX2, CPU_BEST};
    enum err e = ERR_OK;
    for (size_t i = 0; i < ARRAY_LEN(levels) && e == ERR_OK; i++) {
        cpu_choose(levels[i]);
        e = test_keccak(ec, keccak_text);
    }
    keccak_variant = chosen;
    keccak_text = chosen_text;
    secp_recover_use(chosen_recovery);
    TRY(e);
    TRY(test_secp(ec));
    TRY(test_recovery(ec));
    return test_u256(ec);
}
