/* SPDX-License-Identifier: Apache-2.0 */
#include "evm/bls12_map.h"

#include "base/check.h"
#include "evm/bls12_map_const.inc"

const struct bls12_fp BLS12_SSWU_G1_A = {{0x2f65aa0e9af5aa51, 0x86464c2d1e8416c3,
                                          0xb85ce591b7bd31e2, 0x27e11c91b5f24e7c,
                                          0x28376eda6bfc1835, 0x155455c3e5071d85}};
const struct bls12_fp BLS12_SSWU_G1_B = {{0xfb996971fe22a1e0, 0x9aa93eb35b742d6f,
                                          0x8c476013de99c5c4, 0x873e27c3a221e571,
                                          0xca72b5e45a52d888, 0x06824061418a386b}};
const struct bls12_fp2 BLS12_SSWU_G2_A = {
    {{0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000,
      0x0000000000000000, 0x0000000000000000}},
    {{0xe53a000003135242, 0x01080c0fdef80285, 0xe7889edbe340f6bd, 0x0b51375126310601,
      0x02d6985717c744ab, 0x1220b4e979ea5467}}}; /* 240 i */
const struct bls12_fp2 BLS12_SSWU_G2_B = {
    {{0x22ea00000cf89db2, 0x6ec832df71380aa4, 0x6e1b94403db5a66e, 0x75bf3c53a79473ba,
      0x3dd3a569412c0a34, 0x125cdb5e74dc4fd1}},
    {{0x22ea00000cf89db2, 0x6ec832df71380aa4, 0x6e1b94403db5a66e, 0x75bf3c53a79473ba,
      0x3dd3a569412c0a34, 0x125cdb5e74dc4fd1}}}; /* 1012 (1 + i) */

/* Z, -B / A and B / (Z A) of the maps; for G1 also a root of -Z^3. */
static const struct bls12_fp g1_z = {{0x886c00000023ffdc, 0x0f70008d3090001d, 0x77672417ed5828c3,
                                      0x9dac23e943dc1740, 0x50553f1b9c131521,
                                      0x078c712fbe0ab6e8}}; /* 11 */
static const struct bls12_fp g1_minus_b_over_a = {{0x052583c93555a7fe, 0x3b40d72430f93c82,
                                                   0x1b75faa0105ec983, 0x2527e7dc63851767,
                                                   0x99fffd1f34fc181d, 0x097cab54770ca0d3}};
static const struct bls12_fp g1_b_over_za = {{0xaefbc579583dc22f, 0x70cca69e8ca26edc,
                                              0xaf05f2a3b113ce57, 0x4ed257417860c764,
                                              0xbb16a0c0d526ff96, 0x1469e7cf3b7ec553}};
static const struct bls12_fp g1_root = {{0x43b571cad3215f1f, 0xccb460ef1c702dc2, 0x742d884f4f97100b,
                                         0xdb2c3e3238a3382b, 0xe40f3fa13fce8f88,
                                         0x0073a2af9892a2ff}};
static const struct bls12_fp2 g2_z = {
    {{0x87ebfffffff9555c, 0x656fffe5da8ffffa, 0x0fd0749345d33ad2, 0xd951e663066576f4,
      0xde291a3d41e980d3, 0x0815664c7dfe040d}},
    {{0x43f5fffffffcaaae, 0x32b7fff2ed47fffd, 0x07e83a49a2e99d69, 0xeca8f3318332bb7a,
      0xef148d1ea0f4c069, 0x040ab3263eff0206}}}; /* -(2 + i) */
static const struct bls12_fp2 g2_minus_b_over_a = {
    {{0x903c555555474fb3, 0x5f98cc95ce451105, 0x9f8e582eefe0fade, 0xc68946b6aebbd062,
      0x467a4ad10ee6de53, 0x0e7146f483e23a05}},
    {{0x29c2aaaaaab85af8, 0xbf133368e30eeefa, 0xc7a27a7206cffb45, 0x9dee04ce44c9425c,
      0x04a15ce53464ce83, 0x0b8fcaf5b59dac95}}};
static const struct bls12_fp2 g2_b_over_za = {
    {{0xf2d8444444414324, 0x2585c28393a69d00, 0x5dd35cd05d972c42, 0xfd963b744ea89b53,
      0x07f5d9fd91c1fa91, 0x127db28a3ce062c4}},
    {{0x55743333333b3695, 0xeb72b871590828fc, 0x1c186171cb4d5da5, 0x34a33031ee956644,
      0xc971692a149d16d0, 0x168a1e1ff5de8b82}}};

/* Parity of the number; of the first part that is not zero in Fp2 (RFC 9380 §4.1). */
static bool fp_sgn0(const struct bls12_fp *a) {
    uint64_t w[bls12_fp_limbs];
    bls12_fp_to_limbs(w, a);
    return w[0] & 1;
}

static bool fp2_sgn0(const struct bls12_fp2 *a) {
    return fp_sgn0(bls12_fp_is_zero(&a->c0) ? &a->c1 : &a->c0);
}

/* x^3 + A x + B */
static void g1_equation(struct bls12_fp *r, const struct bls12_fp *x) {
    struct bls12_fp t;
    bls12_fp_sqr(&t, x);
    bls12_fp_add(&t, &t, &BLS12_SSWU_G1_A);
    bls12_fp_mul(&t, &t, x);
    bls12_fp_add(r, &t, &BLS12_SSWU_G1_B);
}

static void g2_equation(struct bls12_fp2 *r, const struct bls12_fp2 *x) {
    struct bls12_fp2 t;
    bls12_fp2_sqr(&t, x);
    bls12_fp2_add(&t, &t, &BLS12_SSWU_G2_A);
    bls12_fp2_mul(&t, &t, x);
    bls12_fp2_add(r, &t, &BLS12_SSWU_G2_B);
}

/* x1 = -B/A (1 + 1 / (Z^2 u^4 + Z u^2)), or B / (Z A) where that divides by zero. If the equation's
 * right side is no square there, it is one at x2 = Z u^2 x1. The power that would be its root is
 * then one of minus it, and g(x2) = Z^3 u^6 g(x1): times u^3 and a root of -Z^3 it becomes the root
 * at x2. */
void bls12_sswu_g1(struct bls12_fp *x, struct bls12_fp *y, const struct bls12_fp *u) {
    struct bls12_fp zu2, t, g;
    bls12_fp_sqr(&zu2, u);
    bls12_fp_mul(&zu2, &zu2, &g1_z);
    bls12_fp_sqr(&t, &zu2);
    bls12_fp_add(&t, &t, &zu2);
    if (bls12_fp_is_zero(&t)) {
        *x = g1_b_over_za;
    } else {
        bls12_fp_inv(&t, &t);
        bls12_fp_add(&t, &t, &bls12_fp_one);
        bls12_fp_mul(x, &t, &g1_minus_b_over_a);
    }
    g1_equation(&g, x);
    if (!bls12_fp_sqrt(y, &g)) {
        bls12_fp_mul(x, x, &zu2);
        bls12_fp_sqr(&t, u);
        bls12_fp_mul(&t, &t, u);
        bls12_fp_mul(&t, &t, &g1_root);
        bls12_fp_mul(y, y, &t);
    }
    if (fp_sgn0(y) != fp_sgn0(u))
        bls12_fp_neg(y, y);
}

void bls12_sswu_g2(struct bls12_fp2 *x, struct bls12_fp2 *y, const struct bls12_fp2 *u) {
    struct bls12_fp2 zu2, t, g;
    bls12_fp2_sqr(&zu2, u);
    bls12_fp2_mul(&zu2, &zu2, &g2_z);
    bls12_fp2_sqr(&t, &zu2);
    bls12_fp2_add(&t, &t, &zu2);
    if (bls12_fp2_is_zero(&t)) {
        *x = g2_b_over_za;
    } else {
        bls12_fp2_inv(&t, &t);
        bls12_fp2_add(&t, &t, &bls12_fp2_one);
        bls12_fp2_mul(x, &t, &g2_minus_b_over_a);
    }
    g2_equation(&g, x);
    if (!bls12_fp2_sqrt(y, &g)) {
        bls12_fp2_mul(x, x, &zu2);
        g2_equation(&g, x);
        bool square = bls12_fp2_sqrt(y, &g);
        CHECK(square); /* Z is no square, so one of the two right sides is */
    }
    if (fp2_sgn0(y) != fp2_sgn0(u))
        bls12_fp2_neg(y, y);
}

/* Value at x of the polynomial with `n` coefficients, constant term first. */
static void fp_horner(struct bls12_fp *r, const struct bls12_fp *c, size_t n,
                      const struct bls12_fp *x) {
    struct bls12_fp t = c[n - 1];
    for (size_t i = n - 1; i-- > 0;) {
        bls12_fp_mul(&t, &t, x);
        bls12_fp_add(&t, &t, &c[i]);
    }
    *r = t;
}

static void fp2_horner(struct bls12_fp2 *r, const struct bls12_fp2 *c, size_t n,
                       const struct bls12_fp2 *x) {
    struct bls12_fp2 t = c[n - 1];
    for (size_t i = n - 1; i-- > 0;) {
        bls12_fp2_mul(&t, &t, x);
        bls12_fp2_add(&t, &t, &c[i]);
    }
    *r = t;
}

/* (xn / xd, y yn / yd) with z = xd yd: no division, and infinity where a denominator is zero. */
void bls12_isogeny_g1(struct bls12_g1 *r, const struct bls12_fp *x, const struct bls12_fp *y) {
    struct bls12_fp xn, xd, yn, yd, t;
    fp_horner(&xn, g1_xnum, ARRAY_LEN(g1_xnum), x);
    fp_horner(&xd, g1_xden, ARRAY_LEN(g1_xden), x);
    fp_horner(&yn, g1_ynum, ARRAY_LEN(g1_ynum), x);
    fp_horner(&yd, g1_yden, ARRAY_LEN(g1_yden), x);
    bls12_fp_mul(&yn, &yn, y);
    bls12_fp_mul(&r->z, &xd, &yd);
    bls12_fp_mul(&t, &xn, &yd);
    bls12_fp_mul(&r->x, &t, &r->z);
    bls12_fp_mul(&t, &yn, &xd);
    bls12_fp_mul(&t, &t, &r->z);
    bls12_fp_mul(&r->y, &t, &r->z);
}

void bls12_isogeny_g2(struct bls12_g2 *r, const struct bls12_fp2 *x, const struct bls12_fp2 *y) {
    struct bls12_fp2 xn, xd, yn, yd, t;
    fp2_horner(&xn, g2_xnum, ARRAY_LEN(g2_xnum), x);
    fp2_horner(&xd, g2_xden, ARRAY_LEN(g2_xden), x);
    fp2_horner(&yn, g2_ynum, ARRAY_LEN(g2_ynum), x);
    fp2_horner(&yd, g2_yden, ARRAY_LEN(g2_yden), x);
    bls12_fp2_mul(&yn, &yn, y);
    bls12_fp2_mul(&r->z, &xd, &yd);
    bls12_fp2_mul(&t, &xn, &yd);
    bls12_fp2_mul(&r->x, &t, &r->z);
    bls12_fp2_mul(&t, &yn, &xd);
    bls12_fp2_mul(&t, &t, &r->z);
    bls12_fp2_mul(&r->y, &t, &r->z);
}

void bls12_map_to_g1(struct bls12_g1_affine *r, const struct bls12_fp *u) {
    struct bls12_fp x, y;
    struct bls12_g1 p;
    bls12_sswu_g1(&x, &y, u);
    bls12_isogeny_g1(&p, &x, &y);
    bls12_g1_clear_cofactor(&p, &p);
    bls12_g1_to_affine(r, &p);
}

void bls12_map_to_g2(struct bls12_g2_affine *r, const struct bls12_fp2 *u) {
    struct bls12_fp2 x, y;
    struct bls12_g2 p;
    bls12_sswu_g2(&x, &y, u);
    bls12_isogeny_g2(&p, &x, &y);
    bls12_g2_clear_cofactor(&p, &p);
    bls12_g2_to_affine(r, &p);
}
