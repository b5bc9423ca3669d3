/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/evm/precompile_tests.h"

#include <pthread.h>

/* A signature of EIP-7951's test vectors' kind: digest, r, s, x, y. */
static const char VALID[] = "4cee90eb86eaa050036147a12d49004b6b9c72bd725d39d4785011fe190f0b4d"
                            "a73bd4903f0ce3b639bbbf6e8e80d16931ff4bcf5993d58468e8fb19086e8cac"
                            "36dbcd03009df8c59286b162af3bd7fcc0450c9aa81be5d10d312af6c66b1d60"
                            "4aebd3099c618202fcfe16ae7770b0c49ab5eadf74b754204a3bb6060e44eff3"
                            "7618b065f9832de4ca6ca971a7a1adc826d0f7c00181a5fb2ddf79ae00b4e10e";
static const char ORDER[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
static const char PRIME[] = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";

static struct answer verify(const uint8_t in[160], size_t len) {
    return run_bytes(EVM_OSAKA, PRECOMPILE_P256VERIFY, in, len);
}

static bool refused(const uint8_t in[160]) {
    struct answer r = verify(in, 160);
    return r.status == EVM_SUCCESS && r.len == 0;
}

Test(precompile_p256, one_bit_decides) {
    uint8_t in[161] = {0};
    from_hex(in, sizeof in, VALID);
    struct answer r = verify(in, 160);
    cr_expect(answer_is_word(&r, 1));
    for (size_t bit = 0; bit < 160 * 8; bit += 3) {
        in[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_assert(refused(in), "bit %zu", bit);
        in[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    r = verify(in, 159);
    cr_expect(r.status == EVM_SUCCESS && r.len == 0);
    r = verify(in, 161);
    cr_expect(r.status == EVM_SUCCESS && r.len == 0);
    r = verify(in, 160);
    cr_expect(answer_is_word(&r, 1), "the state kept between calls does no harm");
}

Test(precompile_p256, ranges) {
    uint8_t good[160], in[160];
    from_hex(good, sizeof good, VALID);
    for (size_t field = 32; field <= 128; field += 32) {
        memcpy(in, good, sizeof in);
        memset(in + field, 0, 32);
        cr_expect(refused(in), "zero at %zu", field);
        from_hex(in + field, 32, field <= 64 ? ORDER : PRIME);
        cr_expect(refused(in), "limit at %zu", field);
        memset(in + field, 0xff, 32);
        cr_expect(refused(in), "2^256 - 1 at %zu", field);
    }
    memcpy(in, good, sizeof in);
    memset(in + 96, 0, 64);
    cr_expect(refused(in), "infinity as key");
}

static void *verify_many(void *arg) {
    uint8_t in[160];
    from_hex(in, sizeof in, VALID);
    size_t *held = arg;
    for (int i = 0; i < 20; i++) {
        struct answer r = verify(in, sizeof in);
        *held += answer_is_word(&r, 1);
    }
    return NULL;
}

Test(precompile_p256, threads) {
    pthread_t threads[4];
    size_t held[4] = {0};
    for (int i = 0; i < 4; i++)
        cr_assert(pthread_create(&threads[i], NULL, verify_many, &held[i]) == 0);
    for (int i = 0; i < 4; i++) {
        cr_assert(pthread_join(threads[i], NULL) == 0);
        cr_expect(held[i] == 20);
    }
}
