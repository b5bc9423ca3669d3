/* SPDX-License-Identifier: Apache-2.0 */
#include "evm/bn254.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>

static struct rng rng;
static const u256 *const group_order = &BN254_ORDER;

enum { FP_SIZE = sizeof(struct bn254_fp) };

#define CURVE bn254_g1
#define COORD bn254_fp
#include "tests/unit/evm/curve_tests.inc"
#undef CURVE
#undef COORD

#define CURVE bn254_g2
#define COORD bn254_fp2
#include "tests/unit/evm/curve_tests.inc"
#undef CURVE
#undef COORD

static struct bn254_g1_affine g1;
static struct bn254_g2_affine g2;

static void parse(struct bn254_fp *r, const char *decimal) {
    struct bn254_fp ten, d;
    bn254_fp_from_u64(&ten, 10);
    memset(r, 0, sizeof *r);
    for (; *decimal != 0; decimal++) {
        bn254_fp_from_u64(&d, (uint64_t)(*decimal - '0'));
        bn254_fp_mul(r, r, &ten);
        bn254_fp_add(r, r, &d);
    }
}

/* The generators of EIP-196 and EIP-197. */
static void init(void) {
    rng.state = rng_seed(1);
    parse(&g1.x, "1");
    parse(&g1.y, "2");
    parse(&g2.x.c0,
          "10857046999023057135944570762232829481370756359578518086990519993285655852781");
    parse(&g2.x.c1,
          "11559732032986387107991004021392285783925812861821192530917403151452391805634");
    parse(&g2.y.c0, "8495653923123431417604973247489272438418190587263600148770280649306958101930");
    parse(&g2.y.c1, "4082367875863433681332203403145435568316851327593401208105741076214120093531");
}

TestSuite(bn254, .init = init);

Test(bn254, generators) {
    cr_expect(bn254_g1_on_curve(&g1));
    cr_expect(bn254_g2_on_curve(&g2));
    cr_expect(bn254_g2_in_subgroup(&g2));
}

Test(bn254, g1_laws) {
    bn254_g1_check_laws(&g1);
}
Test(bn254, g2_laws) {
    bn254_g2_check_laws(&g2);
}
Test(bn254, g1_multiples) {
    bn254_g1_check_multiples(&g1);
}
Test(bn254, g2_multiples) {
    bn254_g2_check_multiples(&g2);
}
Test(bn254, g1_sums) {
    bn254_g1_check_all_sums(&g1);
}
Test(bn254, g2_sums) {
    bn254_g2_check_all_sums(&g2);
}
Test(bn254, sums_without_memory) {
    bn254_g1_check_sum_memory(&g1);
    bn254_g2_check_sum_memory(&g2);
}

Test(bn254, fast_multiples) {
    for (int i = 0; i < 400; i++) {
        struct bn254_g1 p, r, s;
        struct bn254_g1_affine a;
        bn254_g1_random(&p, &g1);
        bn254_g1_to_affine(&a, &p);
        u256 k;
        rng_fill(&rng, &k, sizeof k);
        if (i < 40) /* around the order, around zero, around 2^256 */
            k = i < 20 ? BN254_ORDER : U256_ZERO;
        if (i < 40)
            k.w[0] += (uint64_t)(i % 20) - 10;
        if (i >= 20 && i < 30)
            k = (u256){{k.w[0], UINT64_MAX, UINT64_MAX, UINT64_MAX}};
        bn254_g1_mul(&r, &p, k.w, 4);
        bn254_g1_mul_fast(&s, &a, &k);
        cr_assert(bn254_g1_eq(&r, &s), "round %d", i);
    }
    struct bn254_g1_affine inf = {.inf = true};
    struct bn254_g1 r;
    bn254_g1_mul_fast(&r, &inf, &U256_MAX);
    cr_expect(bn254_g1_is_inf(&r));
}

/* The short test must agree with multiplication by the order. */
Test(bn254, subgroup_test_against_the_order) {
    int outside = 0;
    for (int i = 0; i < 60; i++) {
        struct bn254_g2 p, t;
        struct bn254_g2_affine a;
        bn254_g2_random(&p, &g2);
        if (i % 3 == 0) { /* into the subgroup: times the cofactor 2 p - n */
            uint64_t cofactor[5] = {0};
            unsigned char borrow = 0, carry = 0;
            for (int j = 0; j < 4; j++)
                carry =
                    limb_addc(&cofactor[j], bn254_fp_modulus.w[j], bn254_fp_modulus.w[j], carry);
            for (int j = 0; j < 4; j++)
                borrow = limb_subb(&cofactor[j], cofactor[j], BN254_ORDER.w[j], borrow);
            bn254_g2_mul(&p, &p, cofactor, 5);
        }
        bn254_g2_to_affine(&a, &p);
        bn254_g2_mul(&t, &p, BN254_ORDER.w, 4);
        bool inside = bn254_g2_is_inf(&t);
        cr_assert(bn254_g2_in_subgroup(&a) == inside, "round %d", i);
        cr_assert(i % 3 != 0 || inside);
        outside += !inside;
    }
    cr_expect(outside > 30);
    struct bn254_g2_affine inf = {.inf = true};
    cr_expect(bn254_g2_in_subgroup(&inf));
}

Test(bn254, psi_is_multiplication_by_p) {
    struct bn254_g2 q, r, s;
    bn254_g2_from_affine(&q, &g2);
    bn254_g2_dbl(&q, &q);
    bn254_g2_psi(&r, &q);
    bn254_g2_mul(&s, &q, bn254_fp_modulus.w, 4);
    cr_expect(bn254_g2_eq(&r, &s));
}

static void random_pair(struct bn254_pair *pair, u256 *k, u256 *l) {
    struct bn254_g1 p;
    struct bn254_g2 q;
    rng_fill(&rng, k, sizeof *k);
    rng_fill(&rng, l, sizeof *l);
    bn254_g1_mul_fast(&p, &g1, k);
    bn254_g1_to_affine(&pair->p, &p);
    bn254_g2_from_affine(&q, &g2);
    bn254_g2_mul(&q, &q, l->w, 4);
    bn254_g2_to_affine(&pair->q, &q);
}

static void pow_u256(struct bn254_fp12 *r, const struct bn254_fp12 *a, const u256 *e) {
    struct bn254_fp12 acc = bn254_fp12_one;
    for (int i = 256; i-- > 0;) {
        bn254_fp12_sqr(&acc, &acc);
        if (e->w[i / 64] >> (i % 64) & 1)
            bn254_fp12_mul(&acc, &acc, a);
    }
    *r = acc;
}

/* e(k P, l Q) = e(P, Q)^(k l), and e(P, Q) has the order n. */
Test(bn254, pairing_is_bilinear) {
    struct bn254_fp12 base, r, s;
    struct bn254_pair pair = {.p = g1, .q = g2};
    bn254_pairing(&base, &pair, 1);
    cr_expect(!bn254_fp12_eq(&base, &bn254_fp12_one), "not degenerate");
    pow_u256(&r, &base, &BN254_ORDER);
    cr_expect(bn254_fp12_eq(&r, &bn254_fp12_one));
    for (int i = 0; i < 10; i++) {
        u256 k, l;
        random_pair(&pair, &k, &l);
        bn254_pairing(&r, &pair, 1);
        pow_u256(&s, &base, &k);
        pow_u256(&s, &s, &l);
        cr_assert(bn254_fp12_eq(&r, &s), "round %d", i);
    }
}

Test(bn254, product_of_pairings) {
    struct bn254_pair pairs[5], one;
    struct bn254_fp12 want = bn254_fp12_one, r;
    bn254_pairing(&r, pairs, 0);
    cr_expect(bn254_fp12_eq(&r, &want), "the empty product");
    for (int i = 0; i < 5; i++) {
        u256 k, l;
        random_pair(&pairs[i], &k, &l);
        if (i == 2)
            pairs[i].p = (struct bn254_g1_affine){.inf = true};
        if (i == 3)
            pairs[i].q = (struct bn254_g2_affine){.inf = true};
        one = pairs[i];
        bn254_pairing(&r, &one, 1);
        cr_expect((i == 2 || i == 3) == bn254_fp12_eq(&r, &bn254_fp12_one));
        bn254_fp12_mul(&want, &want, &r);
    }
    bn254_pairing(&r, pairs, 5);
    cr_expect(bn254_fp12_eq(&r, &want));
    /* e(P, Q) e(-P, Q) = 1 */
    pairs[1] = pairs[0];
    bn254_fp_neg(&pairs[1].p.y, &pairs[0].p.y);
    bn254_pairing(&r, pairs, 2);
    cr_expect(bn254_fp12_eq(&r, &bn254_fp12_one));
}
