/* SPDX-License-Identifier: Apache-2.0 */
#include "evm/bls12.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>

static struct rng rng;
static const u256 *const group_order = &BLS12_ORDER;

enum { FP_SIZE = sizeof(struct bls12_fp) };

#define CURVE bls12_g1
#define COORD bls12_fp
#include "tests/unit/evm/curve_tests.inc"
#undef CURVE
#undef COORD

#define CURVE bls12_g2
#define COORD bls12_fp2
#include "tests/unit/evm/curve_tests.inc"
#undef CURVE
#undef COORD

static const struct bls12_g1_affine *const g1 = &BLS12_G1_GENERATOR;
static const struct bls12_g2_affine *const g2 = &BLS12_G2_GENERATOR;

static void init(void) {
    rng.state = rng_seed(1);
}

TestSuite(bls12, .init = init);

Test(bls12, generators) {
    cr_expect(bls12_g1_on_curve(g1));
    cr_expect(bls12_g2_on_curve(g2));
    cr_expect(bls12_g1_in_subgroup(g1));
    cr_expect(bls12_g2_in_subgroup(g2));
}

Test(bls12, g1_laws) {
    bls12_g1_check_laws(g1);
}
Test(bls12, g2_laws) {
    bls12_g2_check_laws(g2);
}
Test(bls12, g1_multiples) {
    bls12_g1_check_multiples(g1);
}
Test(bls12, g2_multiples) {
    bls12_g2_check_multiples(g2);
}
Test(bls12, g1_sums) {
    bls12_g1_check_all_sums(g1);
}
Test(bls12, g2_sums) {
    bls12_g2_check_all_sums(g2);
}
Test(bls12, sums_without_memory) {
    bls12_g1_check_sum_memory(g1);
    bls12_g2_check_sum_memory(g2);
}

/* The endomorphism tests must agree with multiplication by the order, also for points whose order
 * is a small factor of the cofactor. */
Test(bls12, g1_subgroup_test_against_the_order) {
    static const uint64_t primes[] = {3, 11, 10177, 859267, 52437899};
    int inside = 0, outside = 0;
    for (size_t i = 0; i < 80; i++) {
        struct bls12_g1 p, t;
        struct bls12_g1_affine a;
        bls12_g1_random(&p, g1);
        if (i % 4 == 0)
            bls12_g1_clear_cofactor(&p, &p);
        if (i % 4 == 1) /* of an order that divides the cofactor */
            bls12_g1_mul(&p, &p, BLS12_ORDER.w, 4);
        if (i % 4 == 2) { /* off by a component of small order only */
            bls12_g1_clear_cofactor(&t, &p);
            bls12_g1_mul(&p, &p, BLS12_ORDER.w, 4);
            for (size_t j = 0; j < ARRAY_LEN(primes); j++)
                if (j != i / 4 % ARRAY_LEN(primes))
                    bls12_g1_mul(&p, &p, &primes[j], 1);
            bls12_g1_add(&p, &p, &t);
        }
        bls12_g1_to_affine(&a, &p);
        bls12_g1_mul(&t, &p, BLS12_ORDER.w, 4);
        bool want = bls12_g1_is_inf(&t);
        cr_assert(bls12_g1_in_subgroup(&a) == want, "round %zu", i);
        inside += want;
        outside += !want;
    }
    cr_expect(inside >= 20);
    cr_expect(outside >= 40);
    struct bls12_g1_affine inf = {.inf = true};
    cr_expect(bls12_g1_in_subgroup(&inf));
}

Test(bls12, g2_subgroup_test_against_the_order) {
    static const uint64_t primes[] = {13, 23, 2713, 11953, 262069};
    int inside = 0, outside = 0;
    for (size_t i = 0; i < 80; i++) {
        struct bls12_g2 p, t;
        struct bls12_g2_affine a;
        bls12_g2_random(&p, g2);
        if (i % 4 == 0)
            bls12_g2_clear_cofactor(&p, &p);
        if (i % 4 == 1)
            bls12_g2_mul(&p, &p, BLS12_ORDER.w, 4);
        if (i % 4 == 2) {
            bls12_g2_clear_cofactor(&t, &p);
            for (size_t j = 0; j < ARRAY_LEN(primes); j++)
                if (j != i / 4 % ARRAY_LEN(primes))
                    bls12_g2_mul(&p, &p, &primes[j], 1);
            bls12_g2_add(&p, &p, &t);
        }
        bls12_g2_to_affine(&a, &p);
        bls12_g2_mul(&t, &p, BLS12_ORDER.w, 4);
        bool want = bls12_g2_is_inf(&t);
        cr_assert(bls12_g2_in_subgroup(&a) == want, "round %zu", i);
        inside += want;
        outside += !want;
    }
    cr_expect(inside >= 20);
    cr_expect(outside >= 40);
    struct bls12_g2_affine inf = {.inf = true};
    cr_expect(bls12_g2_in_subgroup(&inf));
}

/* phi = -x^2 on G1, psi = p on G2, and p = x modulo r. */
Test(bls12, endomorphisms) {
    static const uint64_t x[1] = {0xd201000000010000};
    struct bls12_g1 p, r, s;
    bls12_g1_from_affine(&p, g1);
    bls12_g1_dbl(&p, &p);
    bls12_g1_phi(&r, &p);
    bls12_g1_mul(&s, &p, x, 1);
    bls12_g1_mul(&s, &s, x, 1);
    bls12_g1_neg(&s, &s);
    cr_expect(bls12_g1_eq(&r, &s));

    struct bls12_g2 q, t, u;
    bls12_g2_from_affine(&q, g2);
    bls12_g2_dbl(&q, &q);
    bls12_g2_psi(&t, &q);
    bls12_g2_mul(&u, &q, bls12_fp_modulus.w, 6);
    cr_expect(bls12_g2_eq(&t, &u));
    bls12_g2_mul(&u, &q, x, 1);
    bls12_g2_neg(&u, &u);
    cr_expect(bls12_g2_eq(&t, &u));
}

/* RFC 9380 §8.8.1 and §8.8.2 give the effective cofactors as numbers. */
Test(bls12, cofactors_of_the_rfc) {
    static const uint64_t h1[1] = {0xd201000000010001};
    static const uint64_t h2[10] = {
        0xe8020005aaa95551, 0x59894c0adebbf6b4, 0xe954cbc06689f6a3, 0x2ec0ec69d7477c1a,
        0x6d82bf015d1212b0, 0x329c2f178731db95, 0x9986ff031508ffe1, 0x88e2a8e9145ad768,
        0x584c6a0ea91b3528, 0x0bc69f08f2ee75b3,
    };
    for (int i = 0; i < 10; i++) {
        struct bls12_g1 p, r, s;
        bls12_g1_random(&p, g1);
        bls12_g1_clear_cofactor(&r, &p);
        bls12_g1_mul(&s, &p, h1, 1);
        cr_assert(bls12_g1_eq(&r, &s));

        struct bls12_g2 q, t, u;
        bls12_g2_random(&q, g2);
        bls12_g2_clear_cofactor(&t, &q);
        bls12_g2_naive_mul(&u, &q, h2, 10);
        cr_assert(bls12_g2_eq(&t, &u));
    }
}

Test(bls12, sums_in_the_subgroups) {
    static const size_t counts[] = {0, 1, 2, 5, 8, 9, 16, 17, 40, 130};
    struct arena arena;
    arena_init(&arena, 1 << 20, 16 << 20);
    for (size_t c = 0; c < ARRAY_LEN(counts); c++) {
        size_t n = counts[c];
        struct bls12_g1_affine a1[130];
        struct bls12_g2_affine a2[130];
        u256 k[130];
        struct bls12_g1 want1 = {0}, got1, p;
        struct bls12_g2 want2 = {0}, got2, q;
        rng_fill(&rng, k, sizeof k);
        k[0] = BLS12_ORDER;
        k[1] = U256_MAX;
        k[2] = U256_ONE;
        for (size_t i = 0; i < n; i++) {
            bls12_g1_random(&p, g1);
            bls12_g1_clear_cofactor(&p, &p);
            if (i % 9 == 4)
                memset(&p, 0, sizeof p);
            bls12_g1_to_affine(&a1[i], &p);
            bls12_g1_mul(&p, &p, k[i].w, 4);
            bls12_g1_add(&want1, &want1, &p);
            bls12_g2_random(&q, g2);
            bls12_g2_clear_cofactor(&q, &q);
            if (i % 9 == 5)
                memset(&q, 0, sizeof q);
            bls12_g2_to_affine(&a2[i], &q);
            bls12_g2_mul(&q, &q, k[i].w, 4);
            bls12_g2_add(&want2, &want2, &q);
        }
        cr_assert(bls12_g1_msm_subgroup(&got1, &arena, a1, k, n));
        cr_assert(bls12_g1_eq(&got1, &want1), "G1, n = %zu", n);
        cr_assert(bls12_g2_msm_subgroup(&got2, &arena, a2, k, n));
        cr_assert(bls12_g2_eq(&got2, &want2), "G2, n = %zu", n);
    }
    arena_clear(&arena);
}

Test(bls12, decompression) {
    uint8_t in[48];
    struct bls12_g1_affine r;
    for (int i = 0; i < 40; i++) {
        struct bls12_g1 p;
        struct bls12_g1_affine a, minus;
        bls12_g1_random(&p, g1);
        bls12_g1_to_affine(&a, &p);
        minus = a;
        bls12_fp_neg(&minus.y, &a.y);
        bls12_fp_to_be(in, &a.x);
        in[0] |= 0x80;
        cr_assert(bls12_g1_decompress(&r, in));
        uint8_t small[48], other[48];
        bls12_fp_to_be(small, &r.y);
        cr_assert(bls12_fp_eq(&r.y, &a.y) || bls12_fp_eq(&r.y, &minus.y));
        in[0] |= 0x20;
        cr_assert(bls12_g1_decompress(&r, in));
        bls12_fp_to_be(other, &r.y);
        cr_assert(memcmp(small, other, 48) < 0, "the flag asks for the larger root");
        cr_assert(bls12_fp_eq(&r.x, &a.x) && !r.inf);
        in[0] &= 0x7f;
        cr_assert(!bls12_g1_decompress(&r, in), "not marked as compressed");
    }
    memset(in, 0, sizeof in);
    in[0] = 0xc0;
    cr_expect(bls12_g1_decompress(&r, in) && r.inf);
    in[0] = 0xe0;
    cr_expect(!bls12_g1_decompress(&r, in), "infinity has no sign");
    in[0] = 0xc0;
    in[47] = 1;
    cr_expect(!bls12_g1_decompress(&r, in), "nor an x");
    in[0] = 0x40;
    in[47] = 0;
    cr_expect(!bls12_g1_decompress(&r, in));
    for (int i = 0; i < 6; i++)
        be64_store(in + 8 * (5 - i), bls12_fp_modulus.w[i]);
    in[0] |= 0x80;
    cr_expect(!bls12_g1_decompress(&r, in), "x = p");
    memset(in, 0, sizeof in);
    in[0] = 0x80;
    in[47] = 1; /* 1 + 4 = 5 is no square */
    cr_expect(!bls12_g1_decompress(&r, in), "not on the curve");
}

static void random_pair(struct bls12_pair *pair, u256 *k, u256 *l) {
    struct bls12_g1 p;
    struct bls12_g2 q;
    rng_fill(&rng, k, sizeof *k);
    rng_fill(&rng, l, sizeof *l);
    bls12_g1_from_affine(&p, g1);
    bls12_g1_mul(&p, &p, k->w, 4);
    bls12_g1_to_affine(&pair->p, &p);
    bls12_g2_from_affine(&q, g2);
    bls12_g2_mul(&q, &q, l->w, 4);
    bls12_g2_to_affine(&pair->q, &q);
}

static void pow_u256(struct bls12_fp12 *r, const struct bls12_fp12 *a, const u256 *e) {
    struct bls12_fp12 acc = bls12_fp12_one;
    for (int i = 256; i-- > 0;) {
        bls12_fp12_sqr(&acc, &acc);
        if (e->w[i / 64] >> (i % 64) & 1)
            bls12_fp12_mul(&acc, &acc, a);
    }
    *r = acc;
}

/* e(k P, l Q) = e(P, Q)^(k l), and e(P, Q) has the order r. */
Test(bls12, pairing_is_bilinear) {
    struct bls12_fp12 base, r, s;
    struct bls12_pair pair = {.p = *g1, .q = *g2};
    bls12_pairing(&base, &pair, 1);
    cr_expect(!bls12_fp12_eq(&base, &bls12_fp12_one), "not degenerate");
    pow_u256(&r, &base, &BLS12_ORDER);
    cr_expect(bls12_fp12_eq(&r, &bls12_fp12_one));
    for (int i = 0; i < 10; i++) {
        u256 k, l;
        random_pair(&pair, &k, &l);
        bls12_pairing(&r, &pair, 1);
        pow_u256(&s, &base, &k);
        pow_u256(&s, &s, &l);
        cr_assert(bls12_fp12_eq(&r, &s), "round %d", i);
    }
}

Test(bls12, product_of_pairings) {
    struct bls12_pair pairs[5], one;
    struct bls12_fp12 want = bls12_fp12_one, r;
    bls12_pairing(&r, pairs, 0);
    cr_expect(bls12_fp12_eq(&r, &want), "the empty product");
    for (int i = 0; i < 5; i++) {
        u256 k, l;
        random_pair(&pairs[i], &k, &l);
        if (i == 2)
            pairs[i].p = (struct bls12_g1_affine){.inf = true};
        if (i == 3)
            pairs[i].q = (struct bls12_g2_affine){.inf = true};
        one = pairs[i];
        bls12_pairing(&r, &one, 1);
        cr_expect((i == 2 || i == 3) == bls12_fp12_eq(&r, &bls12_fp12_one));
        bls12_fp12_mul(&want, &want, &r);
    }
    bls12_pairing(&r, pairs, 5);
    cr_expect(bls12_fp12_eq(&r, &want));
    /* e(P, Q) e(-P, Q) = 1 */
    pairs[1] = pairs[0];
    bls12_fp_neg(&pairs[1].p.y, &pairs[0].p.y);
    bls12_pairing(&r, pairs, 2);
    cr_expect(bls12_fp12_eq(&r, &bls12_fp12_one));
}
