/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/evm/precompile_tests.h"

#include "evm/bls12.h"

static void put_fp(uint8_t out[64], const struct bls12_fp *a) {
    memset(out, 0, 16);
    bls12_fp_to_be(out + 16, a);
}

static void put_g1(uint8_t out[128], const struct bls12_g1_affine *p) {
    put_fp(out, &p->x);
    put_fp(out + 64, &p->y);
}

static void put_g2(uint8_t out[256], const struct bls12_g2_affine *p) {
    put_fp(out, &p->x.c0);
    put_fp(out + 64, &p->x.c1);
    put_fp(out + 128, &p->y.c0);
    put_fp(out + 192, &p->y.c1);
}

/* A point of order 3 on y^2 = x^3 + 4: x = 0, y = 2; on the curve, outside the subgroup. */
static void put_outsider(uint8_t out[128]) {
    memset(out, 0, 128);
    out[127] = 2;
}

Test(precompile_bls12, addition_takes_any_point_of_the_curve) {
    uint8_t in[256], want[128];
    put_outsider(in);
    put_outsider(in + 128);
    struct answer r = run_bytes(EVM_PRAGUE, PRECOMPILE_BLS12_G1ADD, in, 256);
    put_outsider(want); /* order 3: 2 P = -P */
    struct bls12_fp two;
    bls12_fp_from_u64(&two, 2);
    bls12_fp_neg(&two, &two);
    put_fp(want + 64, &two);
    cr_expect(r.len == 128 && memcmp(r.out, want, 128) == 0);
    memcpy(in + 128, want, 128);
    r = run_bytes(EVM_PRAGUE, PRECOMPILE_BLS12_G1ADD, in, 256);
    memset(want, 0, 128);
    cr_expect(r.len == 128 && memcmp(r.out, want, 128) == 0);
    in[0] = 1;
    r = run_bytes(EVM_PRAGUE, PRECOMPILE_BLS12_G1ADD, in, 256);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE, "the padding counts");
}

Test(precompile_bls12, sums_take_the_subgroup_only) {
    uint8_t in[320] = {0};
    put_g1(in, &BLS12_G1_GENERATOR);
    in[159] = 3;
    put_outsider(in + 160);
    struct answer r = run_bytes(EVM_PRAGUE, PRECOMPILE_BLS12_G1MSM, in, 160);
    cr_expect(r.status == EVM_SUCCESS && r.len == 128);
    r = run_bytes(EVM_PRAGUE, PRECOMPILE_BLS12_G1MSM, in, 320);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE, "even with the scalar 0");
    r = run_bytes(EVM_PRAGUE, PRECOMPILE_BLS12_G1MSM, in, 159);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE);
    r = run_bytes(EVM_PRAGUE, PRECOMPILE_BLS12_G1MSM, in, 0);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE);
    r = run_bytes(EVM_PRAGUE, PRECOMPILE_BLS12_G2MSM, in, 0);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE);
}

/* The sum of n times the generator with scalars 1, 2, .. n is n (n + 1) / 2 times it, by all
 * methods. */
Test(precompile_bls12, triangular_sums) {
    static uint8_t in1[200 * 160], in2[200 * 288];
    for (size_t n = 1; n <= 200; n += n < 20 ? 3 : 60) {
        for (size_t i = 0; i < n; i++) {
            put_g1(in1 + i * 160, &BLS12_G1_GENERATOR);
            be64_store(in1 + i * 160 + 152, i + 1);
            put_g2(in2 + i * 288, &BLS12_G2_GENERATOR);
            be64_store(in2 + i * 288 + 280, i + 1);
        }
        struct answer a1 = run_bytes(EVM_PRAGUE, PRECOMPILE_BLS12_G1MSM, in1, n * 160);
        struct answer a2 = run_bytes(EVM_PRAGUE, PRECOMPILE_BLS12_G2MSM, in2, n * 288);
        be64_store(in1 + 152, n * (n + 1) / 2);
        be64_store(in2 + 280, n * (n + 1) / 2);
        struct answer b1 = run_bytes(EVM_PRAGUE, PRECOMPILE_BLS12_G1MSM, in1, 160);
        struct answer b2 = run_bytes(EVM_PRAGUE, PRECOMPILE_BLS12_G2MSM, in2, 288);
        cr_assert(a1.len == 128 && memcmp(a1.out, b1.out, 128) == 0, "G1, n = %zu", n);
        cr_assert(a2.len == 256 && memcmp(a2.out, b2.out, 256) == 0, "G2, n = %zu", n);
    }
}

Test(precompile_bls12, pairing) {
    uint8_t in[768];
    struct bls12_g1_affine minus = BLS12_G1_GENERATOR;
    bls12_fp_neg(&minus.y, &minus.y);
    put_g1(in, &BLS12_G1_GENERATOR);
    put_g2(in + 128, &BLS12_G2_GENERATOR);
    put_g1(in + 384, &minus);
    put_g2(in + 512, &BLS12_G2_GENERATOR);
    struct answer r = run_bytes(EVM_PRAGUE, PRECOMPILE_BLS12_PAIRING, in, 768);
    cr_expect(answer_is_word(&r, 1));
    r = run_bytes(EVM_PRAGUE, PRECOMPILE_BLS12_PAIRING, in, 384);
    cr_expect(answer_is_word(&r, 0));
    r = run_bytes(EVM_PRAGUE, PRECOMPILE_BLS12_PAIRING, in, 0);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE, "unlike EIP-197, no pairs are refused");
    put_outsider(in + 384);
    r = run_bytes(EVM_PRAGUE, PRECOMPILE_BLS12_PAIRING, in, 768);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE);
    memset(in + 512, 0, 256);
    r = run_bytes(EVM_PRAGUE, PRECOMPILE_BLS12_PAIRING, in, 768);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE, "also beside infinity");
}

Test(precompile_bls12, maps_take_canonical_elements) {
    uint8_t in[129] = {0};
    struct answer r = run_bytes(EVM_PRAGUE, PRECOMPILE_BLS12_MAP_FP_TO_G1, in, 64);
    cr_expect(r.status == EVM_SUCCESS && r.len == 128);
    r = run_bytes(EVM_PRAGUE, PRECOMPILE_BLS12_MAP_FP2_TO_G2, in, 128);
    cr_expect(r.status == EVM_SUCCESS && r.len == 256);
    r = run_bytes(EVM_PRAGUE, PRECOMPILE_BLS12_MAP_FP_TO_G1, in, 65);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE);
    r = run_bytes(EVM_PRAGUE, PRECOMPILE_BLS12_MAP_FP2_TO_G2, in, 129);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE);
    for (int i = 0; i < 6; i++)
        be64_store(in + 64 + 16 + 8 * (5 - i), bls12_fp_modulus.w[i]);
    r = run_bytes(EVM_PRAGUE, PRECOMPILE_BLS12_MAP_FP2_TO_G2, in, 128);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE, "p in the imaginary part");
}
