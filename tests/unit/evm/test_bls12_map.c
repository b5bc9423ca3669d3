/* SPDX-License-Identifier: Apache-2.0 */
#include "evm/bls12_map.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>

static struct rng rng;

static void init(void) {
    rng.state = rng_seed(1);
}

TestSuite(bls12_map, .init = init);

static void random_fp(struct bls12_fp *r) {
    uint8_t be[48];
    do {
        rng_fill(&rng, be, sizeof be);
        be[0] &= 0x1f;
    } while (!bls12_fp_from_be(r, be));
}

static bool parity(const struct bls12_fp *a) {
    uint64_t w[bls12_fp_limbs];
    bls12_fp_to_limbs(w, a);
    return w[0] & 1;
}

/* The map lands on y^2 = x^3 + A x + B, with the sign of u; u = 0 is its exceptional case. */
Test(bls12_map, sswu_is_on_the_isogenous_curves) {
    for (int i = 0; i < 300; i++) {
        struct bls12_fp u, x, y, l, r;
        random_fp(&u);
        if (i == 0)
            memset(&u, 0, sizeof u);
        bls12_sswu_g1(&x, &y, &u);
        bls12_fp_sqr(&l, &y);
        bls12_fp_sqr(&r, &x);
        bls12_fp_add(&r, &r, &BLS12_SSWU_G1_A);
        bls12_fp_mul(&r, &r, &x);
        bls12_fp_add(&r, &r, &BLS12_SSWU_G1_B);
        cr_assert(bls12_fp_eq(&l, &r), "G1, round %d", i);
        cr_assert(parity(&y) == parity(&u));

        struct bls12_fp2 u2, x2, y2, l2, r2;
        random_fp(&u2.c0), random_fp(&u2.c1);
        if (i % 5 == 0)
            memset(&u2.c0, 0, sizeof u2.c0);
        if (i % 10 == 0)
            memset(&u2.c1, 0, sizeof u2.c1);
        bls12_sswu_g2(&x2, &y2, &u2);
        bls12_fp2_sqr(&l2, &y2);
        bls12_fp2_sqr(&r2, &x2);
        bls12_fp2_add(&r2, &r2, &BLS12_SSWU_G2_A);
        bls12_fp2_mul(&r2, &r2, &x2);
        bls12_fp2_add(&r2, &r2, &BLS12_SSWU_G2_B);
        cr_assert(bls12_fp2_eq(&l2, &r2), "G2, round %d", i);
        cr_assert(parity(bls12_fp_is_zero(&y2.c0) ? &y2.c1 : &y2.c0) ==
                  parity(bls12_fp_is_zero(&u2.c0) ? &u2.c1 : &u2.c0));
    }
}

/* Chord addition on y^2 = x^3 + A x + B (A does not occur in it), for points with different x. */
static void chord_g1(struct bls12_fp *x, struct bls12_fp *y, const struct bls12_fp p[2],
                     const struct bls12_fp q[2]) {
    struct bls12_fp s, t;
    bls12_fp_sub(&s, &q[1], &p[1]);
    bls12_fp_sub(&t, &q[0], &p[0]);
    bls12_fp_inv(&t, &t);
    bls12_fp_mul(&s, &s, &t);
    bls12_fp_sqr(x, &s);
    bls12_fp_sub(x, x, &p[0]);
    bls12_fp_sub(x, x, &q[0]);
    bls12_fp_sub(&t, &p[0], x);
    bls12_fp_mul(y, &s, &t);
    bls12_fp_sub(y, y, &p[1]);
}

static void chord_g2(struct bls12_fp2 *x, struct bls12_fp2 *y, const struct bls12_fp2 p[2],
                     const struct bls12_fp2 q[2]) {
    struct bls12_fp2 s, t;
    bls12_fp2_sub(&s, &q[1], &p[1]);
    bls12_fp2_sub(&t, &q[0], &p[0]);
    bls12_fp2_inv(&t, &t);
    bls12_fp2_mul(&s, &s, &t);
    bls12_fp2_sqr(x, &s);
    bls12_fp2_sub(x, x, &p[0]);
    bls12_fp2_sub(x, x, &q[0]);
    bls12_fp2_sub(&t, &p[0], x);
    bls12_fp2_mul(y, &s, &t);
    bls12_fp2_sub(y, y, &p[1]);
}

/* A wrong coefficient in the tables makes this fail: the image is on the curve, and the image of a
 * sum is the sum of the images. */
Test(bls12_map, isogenies_are_homomorphisms) {
    for (int i = 0; i < 50; i++) {
        struct bls12_fp u, p[2], q[2], s[2];
        struct bls12_g1 ip, iq, is, sum;
        struct bls12_g1_affine a;
        random_fp(&u);
        bls12_sswu_g1(&p[0], &p[1], &u);
        random_fp(&u);
        bls12_sswu_g1(&q[0], &q[1], &u);
        chord_g1(&s[0], &s[1], p, q);
        bls12_isogeny_g1(&ip, &p[0], &p[1]);
        bls12_isogeny_g1(&iq, &q[0], &q[1]);
        bls12_isogeny_g1(&is, &s[0], &s[1]);
        bls12_g1_to_affine(&a, &ip);
        cr_assert(bls12_g1_on_curve(&a));
        bls12_g1_add(&sum, &ip, &iq);
        cr_assert(bls12_g1_eq(&sum, &is), "G1, round %d", i);

        struct bls12_fp2 u2, p2[2], q2[2], s2[2];
        struct bls12_g2 jp, jq, js, sum2;
        struct bls12_g2_affine b;
        random_fp(&u2.c0), random_fp(&u2.c1);
        bls12_sswu_g2(&p2[0], &p2[1], &u2);
        random_fp(&u2.c0), random_fp(&u2.c1);
        bls12_sswu_g2(&q2[0], &q2[1], &u2);
        chord_g2(&s2[0], &s2[1], p2, q2);
        bls12_isogeny_g2(&jp, &p2[0], &p2[1]);
        bls12_isogeny_g2(&jq, &q2[0], &q2[1]);
        bls12_isogeny_g2(&js, &s2[0], &s2[1]);
        bls12_g2_to_affine(&b, &jp);
        cr_assert(bls12_g2_on_curve(&b));
        bls12_g2_add(&sum2, &jp, &jq);
        cr_assert(bls12_g2_eq(&sum2, &js), "G2, round %d", i);
    }
}

Test(bls12_map, results_are_in_the_subgroups) {
    for (int i = 0; i < 50; i++) {
        struct bls12_fp2 u = {0};
        struct bls12_g1_affine p;
        struct bls12_g2_affine q;
        if (i > 0)
            random_fp(&u.c0), random_fp(&u.c1);
        bls12_map_to_g1(&p, &u.c0);
        cr_assert(!p.inf && bls12_g1_on_curve(&p) && bls12_g1_in_subgroup(&p));
        bls12_map_to_g2(&q, &u);
        cr_assert(!q.inf && bls12_g2_on_curve(&q) && bls12_g2_in_subgroup(&q));
    }
}
