/* SPDX-License-Identifier: Apache-2.0 */
#include "evm/bn254.h"

#include "base/check.h"

const u256 BN254_ORDER = {
    {0x43e1f593f0000001, 0x2833e84879b97091, 0xb85045b68181585d, 0x30644e72e131a029}};

static const struct bn254_fp bn254_g1_b = {
    {0x7a17caa950ad28d7, 0x1f6ac17ae15521b9, 0x334bea4e696bd284, 0x2a1f6744ce179d8e}}; /* 3 */
static const struct bn254_fp2 bn254_g2_b = {
    {{0x3bf938e377b802a8, 0x020b1b273633535d, 0x26b7edf049755260, 0x2514c6324384a86d}},
    {{0x38e7ecccd1dcff67, 0x65f0b37d93ce0d3e, 0xd749d0dd22ac00aa,
      0x0141b9ce4a688d4d}}}; /* 3 / (9 + i) */

#define CURVE bn254_g1
#define COORD bn254_fp
#include "evm/curve_impl.inc"
#undef CURVE
#undef COORD

#define CURVE bn254_g2
#define COORD bn254_fp2
#include "evm/curve_impl.inc"
#undef CURVE
#undef COORD

/* A cube root of one in Fp: (beta x, y) = lambda (x, y) on G1, lambda a cube root of one modulo n.
 */
static const struct bn254_fp beta = {
    {0x3350c88e13e80b9c, 0x7dce557cdb5e56b9, 0x6001b4b8b615564a, 0x2682e617020217e0}};

/* (a1, b1) and (a2, b2) are a short basis of the (a, b) with a + b lambda = 0 mod n; b1 is
 * negative. To write k = k1 + k2 lambda with short k1, k2, the lattice point nearest to (k, 0) is
 * taken off; its coordinates in the basis are b2 k / n and -b1 k / n, computed as products with
 * 2^256 b2 / n and -2^256 b1 / n. Both k1 and k2 come out below 2^127 in size. */
static const u256 glv_a1 = {
    {0x8211bbeb7d4f1128, 0x6f4d8248eeb859fc, 0x0000000000000000, 0x0000000000000000}};
static const u256 glv_minus_b1 = {
    {0x89d3256894d213e3, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}};
static const u256 glv_a2 = {
    {0x89d3256894d213e3, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000}};
static const u256 glv_b2 = {
    {0x0be4e1541221250b, 0x6f4d8248eeb859fd, 0x0000000000000000, 0x0000000000000000}};
static const u256 glv_g1 = {
    {0x5398fd0300ff6565, 0x4ccef014a773d2d2, 0x0000000000000002, 0x0000000000000000}};
static const u256 glv_g2 = {
    {0xd91d232ec7e0b3d7, 0x0000000000000002, 0x0000000000000000, 0x0000000000000000}};

/* (k * g + 2^255) / 2^256 */
static u256 mul_shift(const u256 *k, const u256 *g) {
    uint64_t t[8];
    u256_mul_wide(t, k, g);
    u256 r = {{t[4], t[5], t[6], t[7]}}, round = u256_from_u64(t[3] >> 63);
    return u256_add(&r, &round);
}

/* A two's-complement number as sign and size of two limbs. */
static bool split_sign(uint64_t size[2], u256 v) {
    bool negative = v.w[3] >> 63;
    if (negative) {
        u256 zero = U256_ZERO;
        v = u256_sub(&zero, &v);
    }
    CHECK((v.w[2] | v.w[3]) == 0);
    size[0] = v.w[0];
    size[1] = v.w[1];
    return negative;
}

void bn254_g1_mul_fast(struct bn254_g1 *r, const struct bn254_g1_affine *a, const u256 *k) {
    u256 s = u256_mod(k, &BN254_ORDER);
    u256 c1 = mul_shift(&s, &glv_g1), c2 = mul_shift(&s, &glv_g2);
    u256 t1 = u256_mul(&c1, &glv_a1), t2 = u256_mul(&c2, &glv_a2);
    u256 k1 = u256_sub(&s, &t1);
    k1 = u256_sub(&k1, &t2);
    t1 = u256_mul(&c1, &glv_minus_b1);
    t2 = u256_mul(&c2, &glv_b2);
    u256 k2 = u256_sub(&t1, &t2);

    uint64_t half[4];
    struct bn254_g1_affine points[2] = {*a, *a};
    bn254_fp_mul(&points[1].x, &points[1].x, &beta);
    if (split_sign(half, k1))
        bn254_fp_neg(&points[0].y, &points[0].y);
    if (split_sign(half + 2, k2))
        bn254_fp_neg(&points[1].y, &points[1].y);
    bn254_g1_sum_of_multiples(r, points, half, 2, 2);
}

/* xi^((p - 1) / 3) and xi^((p - 1) / 2): Frobenius seen through the twist (x w^2, y w^3). */
static const struct bn254_fp2 psi_x = {
    {{0xb5773b104563ab30, 0x347f91c8a9aa6454, 0x7a007127242e0991, 0x1956bcd8118214ec}},
    {{0x6e849f1ea0aa4757, 0xaa1c7b6d89f89141, 0xb6e713cdfae0ca3a, 0x26694fbb4e82ebc3}}};
static const struct bn254_fp2 psi_y = {
    {{0xe4bbdd0c2936b629, 0xbb30f162e133bacb, 0x31a9d1b6f9645366, 0x253570bea500f8dd}},
    {{0xa1d77ce45ffe77c7, 0x07affd117826d1db, 0x6d16bd27bb7edc6b, 0x2c87200285defecc}}};

void bn254_g2_psi(struct bn254_g2 *r, const struct bn254_g2 *a) {
    bn254_fp2_conj(&r->x, &a->x);
    bn254_fp2_conj(&r->y, &a->y);
    bn254_fp2_conj(&r->z, &a->z);
    bn254_fp2_mul(&r->x, &r->x, &psi_x);
    bn254_fp2_mul(&r->y, &r->y, &psi_y);
}

/* The curve's parameter x. */
static const uint64_t param[1] = {4965661367192848881};

/* (x + 1) Q + psi(x Q) + psi^2(x Q) = psi^3(2 x Q). On G2, where psi is p, both sides agree; the
 * norm of the endomorphism (x + 1) + x psi + x psi^2 - 2 x psi^3 is prime to the cofactor, so
 * nothing else is in its kernel (Dai, Lin, Zhao, Zhou, eprint 2022/348, §5.1). */
bool bn254_g2_in_subgroup(const struct bn254_g2_affine *a) {
    struct bn254_g2 q, xq, s, t;
    bn254_g2_from_affine(&q, a);
    bn254_g2_mul(&xq, &q, param, 1);
    bn254_g2_add(&s, &xq, &q);
    bn254_g2_psi(&t, &xq);
    bn254_g2_add(&s, &s, &t);
    bn254_g2_psi(&t, &t);
    bn254_g2_add(&s, &s, &t);
    bn254_g2_psi(&t, &t);
    bn254_g2_dbl(&t, &t);
    return bn254_g2_eq(&s, &t);
}

/* --- Optimal ate pairing: f_{6x+2,Q}(P) and two line functions (Vercauteren 2010), then a final
 * exponentiation for all pairs. Running points are homogeneous, (x / z, y / z); the line through T
 * with slope s is taken at P as yP - s xP w + (s xT - yT) w^3, up to factors that the final
 * exponentiation removes (Aranha et al., "Faster explicit formulas for computing pairings over
 * ordinary curves"). --- */

struct line {
    struct bn254_fp2 l0, l3, l4; /* of yP, of xP w, of w^3 */
};

static void apply_line(struct bn254_fp12 *f, struct line *l, const struct bn254_g1_affine *p) {
    bn254_fp2_mul_fp(&l->l0, &l->l0, &p->y);
    bn254_fp2_mul_fp(&l->l3, &l->l3, &p->x);
    bn254_fp12_mul_034(f, &l->l0, &l->l3, &l->l4);
}

/* t = 2 t, and the tangent. */
static void line_dbl(struct line *l, struct bn254_g2 *t) {
    struct bn254_fp2 a, b, c, e, f, g, h, j;
    bn254_fp2_mul(&a, &t->x, &t->y);
    bn254_fp2_half(&a, &a);
    bn254_fp2_sqr(&b, &t->y);
    bn254_fp2_sqr(&c, &t->z);
    bn254_fp2_dbl(&e, &c);
    bn254_fp2_add(&e, &e, &c);
    bn254_fp2_mul(&e, &e, &bn254_g2_b); /* 3 b z^2 */
    bn254_fp2_dbl(&f, &e);
    bn254_fp2_add(&f, &f, &e);
    bn254_fp2_add(&g, &b, &f);
    bn254_fp2_half(&g, &g);
    bn254_fp2_add(&h, &t->y, &t->z);
    bn254_fp2_sqr(&h, &h);
    bn254_fp2_sub(&h, &h, &b);
    bn254_fp2_sub(&h, &h, &c); /* 2 y z */
    bn254_fp2_sqr(&j, &t->x);
    bn254_fp2_sub(&f, &b, &f);
    bn254_fp2_mul(&t->x, &a, &f);
    bn254_fp2_sqr(&g, &g);
    bn254_fp2_sqr(&f, &e);
    bn254_fp2_dbl(&a, &f);
    bn254_fp2_add(&f, &f, &a);
    bn254_fp2_sub(&t->y, &g, &f);
    bn254_fp2_mul(&t->z, &b, &h);
    l->l0 = h;
    bn254_fp2_dbl(&l->l3, &j);
    bn254_fp2_add(&l->l3, &l->l3, &j);
    bn254_fp2_neg(&l->l3, &l->l3);
    bn254_fp2_sub(&l->l4, &b, &e);
}

/* t = t + q, and the chord. */
static void line_add(struct line *l, struct bn254_g2 *t, const struct bn254_g2_affine *q) {
    struct bn254_fp2 theta, lambda, c, d, e, f, g, h;
    bn254_fp2_mul(&theta, &q->y, &t->z);
    bn254_fp2_sub(&theta, &t->y, &theta);
    bn254_fp2_mul(&lambda, &q->x, &t->z);
    bn254_fp2_sub(&lambda, &t->x, &lambda);
    bn254_fp2_sqr(&c, &theta);
    bn254_fp2_sqr(&d, &lambda);
    bn254_fp2_mul(&e, &lambda, &d);
    bn254_fp2_mul(&f, &t->z, &c);
    bn254_fp2_mul(&g, &t->x, &d);
    bn254_fp2_add(&h, &e, &f);
    bn254_fp2_sub(&h, &h, &g);
    bn254_fp2_sub(&h, &h, &g);
    bn254_fp2_mul(&t->x, &lambda, &h);
    bn254_fp2_sub(&g, &g, &h);
    bn254_fp2_mul(&g, &g, &theta);
    bn254_fp2_mul(&h, &e, &t->y);
    bn254_fp2_sub(&t->y, &g, &h);
    bn254_fp2_mul(&t->z, &t->z, &e);
    bn254_fp2_mul(&g, &theta, &q->x);
    bn254_fp2_mul(&h, &lambda, &q->y);
    bn254_fp2_sub(&l->l4, &g, &h);
    l->l0 = lambda;
    bn254_fp2_neg(&l->l3, &theta);
}

/* Signed binary digits of 6 x + 2 and of x below the leading one, highest first. */
static const int8_t LOOP_DIGITS[] = {0,  -1, 0, 1,  0, 0,  0,  -1, 0, -1, 0, 0,  0,  -1, 0, 1, 0,
                                     -1, 0,  0, -1, 0, 0,  0,  0,  0, 1,  0, 0,  -1, 0,  1, 0, 0,
                                     -1, 0,  0, 0,  0, -1, 0,  1,  0, 0,  0, -1, 0,  -1, 0, 0, 1,
                                     0,  0,  0, -1, 0, 0,  -1, 0,  1, 0,  1, 0,  0,  0};
static const int8_t PARAM_DIGITS[] = {0, 0, 0, 1, 0, 1,  0, 0,  -1, 0,  1, 0, 1, 0, -1, 0,
                                      0, 1, 0, 1, 0, -1, 0, -1, 0,  -1, 0, 1, 0, 0, 0,  1,
                                      0, 0, 1, 0, 1, 0,  1, 0,  -1, 0,  1, 0, 0, 1, 0,  0,
                                      0, 0, 1, 0, 1, 0,  0, 0,  0,  -1, 0, 0, 0, 1};

static bool is_trivial(const struct bn254_pair *pair) {
    return pair->p.inf || pair->q.inf;
}

static void add_step(struct bn254_fp12 *f, struct bn254_pair *pair,
                     const struct bn254_g2_affine *q) {
    struct line l;
    line_add(&l, &pair->t, q);
    apply_line(f, &l, &pair->p);
}

/* The two additions at the end: psi(Q), and -psi^2(Q). */
static void frobenius_steps(struct bn254_fp12 *f, struct bn254_pair *pair) {
    struct bn254_g2 j;
    struct bn254_g2_affine q = pair->q;
    bn254_g2_from_affine(&j, &pair->q);
    for (int i = 0; i < 2; i++) {
        bn254_g2_psi(&j, &j); /* z stays one */
        q.x = j.x;
        q.y = j.y;
        if (i == 1)
            bn254_fp2_neg(&q.y, &q.y);
        add_step(f, pair, &q);
    }
}

static void miller_loop(struct bn254_fp12 *f, struct bn254_pair *pairs, size_t n) {
    *f = bn254_fp12_one;
    for (size_t i = 0; i < n; i++)
        bn254_g2_from_affine(&pairs[i].t, &pairs[i].q);
    for (size_t d = 0; d < ARRAY_LEN(LOOP_DIGITS); d++) {
        bn254_fp12_sqr(f, f);
        for (size_t i = 0; i < n; i++) {
            if (is_trivial(&pairs[i]))
                continue;
            struct line l;
            line_dbl(&l, &pairs[i].t);
            apply_line(f, &l, &pairs[i].p);
            if (LOOP_DIGITS[d] != 0) {
                struct bn254_g2_affine q = pairs[i].q;
                if (LOOP_DIGITS[d] < 0)
                    bn254_fp2_neg(&q.y, &q.y);
                add_step(f, &pairs[i], &q);
            }
        }
    }
    for (size_t i = 0; i < n; i++)
        if (!is_trivial(&pairs[i]))
            frobenius_steps(f, &pairs[i]);
}

/* a^x in the cyclotomic subgroup. */
static void pow_param(struct bn254_fp12 *r, const struct bn254_fp12 *a) {
    struct bn254_fp12 acc = *a, inverse;
    bn254_fp12_conj(&inverse, a);
    for (size_t d = 0; d < ARRAY_LEN(PARAM_DIGITS); d++) {
        bn254_fp12_cyclo_sqr(&acc, &acc);
        if (PARAM_DIGITS[d] != 0)
            bn254_fp12_mul(&acc, &acc, PARAM_DIGITS[d] > 0 ? a : &inverse);
    }
    *r = acc;
}

/* f^((p^12 - 1) / n * m) for an m prime to n. The easy part is (p^6 - 1)(p^2 + 1); the hard part is
 *   (12 x^3 + 12 x^2 + 6 x + 1) + (12 x^3 + 6 x^2 + 4 x) p + (12 x^3 + 6 x^2 + 6 x) p^2
 *   + (12 x^3 + 6 x^2 + 4 x - 1) p^3,
 * a multiple of (p^4 - p^2 + 1) / n (Fuentes-Castaneda, Knapp, Rodriguez-Henriquez 2011). */
static void final_exponentiation(struct bn254_fp12 *f) {
    struct bn254_fp12 t, u, x2, x6sq, a, b;
    bn254_fp12_conj(&t, f);
    bn254_fp12_inv(&u, f);
    bn254_fp12_mul(&t, &t, &u);
    bn254_fp12_frobenius(&u, &t, 2);
    bn254_fp12_mul(&t, &t, &u); /* t = f^((p^6 - 1)(p^2 + 1)) */

    pow_param(&x2, &t);
    bn254_fp12_cyclo_sqr(&x2, &x2); /* t^(2x) */
    bn254_fp12_cyclo_sqr(&a, &x2);
    bn254_fp12_mul(&a, &a, &x2); /* t^(6x) */
    pow_param(&x6sq, &a);        /* t^(6x^2) */
    bn254_fp12_cyclo_sqr(&u, &x6sq);
    pow_param(&u, &u); /* t^(12x^3) */
    bn254_fp12_mul(&a, &a, &u);
    bn254_fp12_mul(&a, &a, &x6sq); /* 12 x^3 + 6 x^2 + 6 x */
    bn254_fp12_conj(&u, &x2);
    bn254_fp12_mul(&b, &a, &u); /* 12 x^3 + 6 x^2 + 4 x */

    bn254_fp12_mul(f, &a, &x6sq);
    bn254_fp12_mul(f, f, &t);
    bn254_fp12_frobenius(&u, &b, 1);
    bn254_fp12_mul(f, f, &u);
    bn254_fp12_frobenius(&u, &a, 2);
    bn254_fp12_mul(f, f, &u);
    bn254_fp12_conj(&u, &t);
    bn254_fp12_mul(&u, &u, &b);
    bn254_fp12_frobenius(&u, &u, 3);
    bn254_fp12_mul(f, f, &u);
}

void bn254_pairing(struct bn254_fp12 *r, struct bn254_pair *pairs, size_t n) {
    miller_loop(r, pairs, n);
    final_exponentiation(r);
}
