/* SPDX-License-Identifier: Apache-2.0 */
#include "evm/bls12.h"

#include "base/check.h"

const u256 BLS12_ORDER = {
    {0xffffffff00000001, 0x53bda402fffe5bfe, 0x3339d80809a1d805, 0x73eda753299d7d48}};

const struct bls12_g1_affine BLS12_G1_GENERATOR = {
    .x = {{0x5cb38790fd530c16, 0x7817fc679976fff5, 0x154f95c7143ba1c1, 0xf0ae6acdf3d0e747,
           0xedce6ecc21dbf440, 0x120177419e0bfb75}},
    .y = {{0xbaac93d50ce72271, 0x8c22631a7918fd8e, 0xdd595f13570725ce, 0x51ac582950405194,
           0x0e1c8c3fad0059c0, 0x0bbc3efc5008a26a}},
};
const struct bls12_g2_affine BLS12_G2_GENERATOR = {
    .x = {{{0xf5f28fa202940a10, 0xb3f5fb2687b4961a, 0xa1a893b53e2ae580, 0x9894999d1a3caee9,
            0x6f67b7631863366b, 0x058191924350bcd7}},
          {{0xa5a9c0759e23f606, 0xaaa0c59dbccd60c3, 0x3bb17e18e2867806, 0x1b1ab6cc8541b367,
            0xc2b6ed0ef2158547, 0x11922a097360edf3}}},
    .y = {{{0x4c730af860494c4a, 0x597cfa1f5e369c5a, 0xe7e6856caa0a635a, 0xbbefb5e96e0d495f,
            0x07d3a975f0ef25a2, 0x0083fd8e7e80dae5}},
          {{0xadc0fc92df64b05d, 0x18aa270a2b1461dc, 0x86adac6a3be4eba0, 0x79495c4ec93da33a,
            0xe7175850a43ccaed, 0x0b2bc2a163de1bf2}}},
};

static const struct bls12_fp bls12_g1_b = {{0xaa270000000cfff3, 0x53cc0032fc34000a,
                                            0x478fe97a6b0a807f, 0xb1d37ebee6ba24d7,
                                            0x8ec9733bbf78ab2f, 0x09d645513d83de7e}}; /* 4 */
static const struct bls12_fp2 bls12_g2_b = {
    {{0xaa270000000cfff3, 0x53cc0032fc34000a, 0x478fe97a6b0a807f, 0xb1d37ebee6ba24d7,
      0x8ec9733bbf78ab2f, 0x09d645513d83de7e}},
    {{0xaa270000000cfff3, 0x53cc0032fc34000a, 0x478fe97a6b0a807f, 0xb1d37ebee6ba24d7,
      0x8ec9733bbf78ab2f, 0x09d645513d83de7e}}}; /* 4 (1 + i) */

#define CURVE bls12_g1
#define COORD bls12_fp
#include "evm/curve_impl.inc"
#undef CURVE
#undef COORD

#define CURVE bls12_g2
#define COORD bls12_fp2
#include "evm/curve_impl.inc"
#undef CURVE
#undef COORD

/* |x|, the size of the curve's parameter; x is negative. Its six set bits make plain doubling and
 * adding the cheapest way to multiply by it. */
static const uint64_t PARAM = 0xd201000000010000;

/* r = |x| a */
static void g1_mul_param(struct bls12_g1 *r, const struct bls12_g1 *a) {
    struct bls12_g1 acc = *a;
    for (int i = 62; i >= 0; i--) {
        bls12_g1_dbl(&acc, &acc);
        if (PARAM >> i & 1)
            bls12_g1_add(&acc, &acc, a);
    }
    *r = acc;
}

static void g2_mul_param(struct bls12_g2 *r, const struct bls12_g2 *a) {
    struct bls12_g2 acc = *a;
    for (int i = 62; i >= 0; i--) {
        bls12_g2_dbl(&acc, &acc);
        if (PARAM >> i & 1)
            bls12_g2_add(&acc, &acc, a);
    }
    *r = acc;
}

/* The cube root of one in Fp for which (beta x, y) is -x^2 (x, y) on G1. */
static const struct bls12_fp beta = {{0x30f1361b798a64e8, 0xf3b8ddab7ece5a2a, 0x16a8ca3ac61577f7,
                                      0xc26a2ff874fd029b, 0x3636b76660701c6e, 0x051ba4ab241b6160}};

void bls12_g1_phi(struct bls12_g1 *r, const struct bls12_g1 *a) {
    *r = *a;
    bls12_fp_mul(&r->x, &r->x, &beta);
}

/* xi^(-(p - 1) / 3) and xi^(-(p - 1) / 2): Frobenius seen through the twist (x / w^2, y / w^3). */
static const struct bls12_fp2 psi_x = {
    {{0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000,
      0x0000000000000000, 0x0000000000000000}},
    {{0x890dc9e4867545c3, 0x2af322533285a5d5, 0x50880866309b7e2c, 0xa20d1b8c7e881024,
      0x14e4f04fe2db9068, 0x14e56d3f1564853a}}};
static const struct bls12_fp2 psi_y = {
    {{0x3e2f585da55c9ad1, 0x4294213d86c18183, 0x382844c88b623732, 0x92ad2afd19103e18,
      0x1d794e4fac7cf0b9, 0x0bd592fc7d825ec8}},
    {{0x7bcfa7a25aa30fda, 0xdc17dec12a927e7c, 0x2f088dd86b4ebef1, 0xd1ca2087da74d4a7,
      0x2da2596696cebc1d, 0x0e2b7eedbbfd87d2}}};

void bls12_g2_psi(struct bls12_g2 *r, const struct bls12_g2 *a) {
    bls12_fp2_conj(&r->x, &a->x);
    bls12_fp2_conj(&r->y, &a->y);
    bls12_fp2_conj(&r->z, &a->z);
    bls12_fp2_mul(&r->x, &r->x, &psi_x);
    bls12_fp2_mul(&r->y, &r->y, &psi_y);
}

/* phi(P) = -x^2 P. The norm of phi + x^2 is x^4 - x^2 + 1 = r, so exactly G1 is its kernel. */
bool bls12_g1_in_subgroup(const struct bls12_g1_affine *a) {
    struct bls12_g1 p, t;
    bls12_g1_from_affine(&p, a);
    g1_mul_param(&t, &p);
    g1_mul_param(&t, &t);
    bls12_g1_phi(&p, &p);
    bls12_g1_neg(&p, &p);
    return bls12_g1_eq(&p, &t);
}

/* psi(P) = x P. The norm of psi - x is p - x = r (x - 1)^2 / 3, prime to the cofactor of G2 (Scott,
 * eprint 2021/1130). */
bool bls12_g2_in_subgroup(const struct bls12_g2_affine *a) {
    struct bls12_g2 p, t;
    bls12_g2_from_affine(&p, a);
    g2_mul_param(&t, &p);
    bls12_g2_neg(&t, &t);
    bls12_g2_psi(&p, &p);
    return bls12_g2_eq(&p, &t);
}

void bls12_g1_clear_cofactor(struct bls12_g1 *r, const struct bls12_g1 *a) {
    struct bls12_g1 t; /* (1 - x) a */
    g1_mul_param(&t, a);
    bls12_g1_add(r, &t, a);
}

/* (x^2 - x - 1) a + (x - 1) psi(a) + psi^2(2 a), with x negative (RFC 9380 §G.3; Budroni, Pintore).
 */
void bls12_g2_clear_cofactor(struct bls12_g2 *r, const struct bls12_g2 *a) {
    struct bls12_g2 xa, pa, t, u;
    g2_mul_param(&xa, a);
    bls12_g2_neg(&xa, &xa);
    bls12_g2_psi(&pa, a);
    bls12_g2_dbl(&t, a);
    bls12_g2_psi(&t, &t);
    bls12_g2_psi(&t, &t);
    bls12_g2_add(&u, &xa, &pa);
    g2_mul_param(&u, &u); /* -(x^2 a + x psi(a)) */
    bls12_g2_add(&u, &u, &pa);
    bls12_g2_add(&u, &u, &xa);
    bls12_g2_add(&u, &u, a);
    bls12_g2_neg(&u, &u);
    bls12_g2_add(r, &t, &u);
}

/* --- Sums of multiples in the subgroups: k is written in base x^2 (G1) or |x| (G2), whose
 * multiples the endomorphisms give. --- */

/* k = k0 + k1 x^2; both below 2^128 since r < x^4. */
static void split_in_two(uint64_t out[4], const u256 *k) {
    static const u256 square = {
        {0x0000000100000000, 0xac45a4010001a402, 0x0000000000000000, 0x0000000000000000}};
    u256 s = u256_mod(k, &BLS12_ORDER), high, low;
    u256_divmod(&high, &low, &s, &square);
    out[0] = low.w[0];
    out[1] = low.w[1];
    out[2] = high.w[0];
    out[3] = high.w[1];
}

bool bls12_g1_msm_subgroup(struct bls12_g1 *r, struct arena *tmp, const struct bls12_g1_affine *a,
                           const u256 *k, size_t n) {
    struct arena_mark mark = arena_mark(tmp);
    struct bls12_g1_affine *points = arena_try_alloc(tmp, (2 * n + 1) * sizeof *points);
    uint64_t *parts = arena_try_alloc(tmp, (n + 1) * 4 * sizeof *parts);
    bool ok = points != NULL && parts != NULL;
    if (ok) {
        for (size_t i = 0; i < n; i++) {
            split_in_two(parts + 4 * i, &k[i]);
            points[2 * i] = a[i];
            points[2 * i + 1] = a[i]; /* -phi(a) = x^2 a */
            bls12_fp_mul(&points[2 * i + 1].x, &a[i].x, &beta);
            bls12_fp_neg(&points[2 * i + 1].y, &a[i].y);
        }
        ok = bls12_g1_msm(r, tmp, points, parts, 2, 2 * n);
    }
    arena_reset_to(tmp, mark);
    return ok;
}

/* The four digits of k in base |x|. */
static void split_in_four(uint64_t out[4], const u256 *k) {
    const u256 base = u256_from_u64(PARAM);
    u256 s = u256_mod(k, &BLS12_ORDER), digit;
    for (int i = 0; i < 3; i++) {
        u256_divmod(&s, &digit, &s, &base);
        out[i] = digit.w[0];
    }
    CHECK(u256_fits_u64(&s));
    out[3] = s.w[0];
}

bool bls12_g2_msm_subgroup(struct bls12_g2 *r, struct arena *tmp, const struct bls12_g2_affine *a,
                           const u256 *k, size_t n) {
    struct arena_mark mark = arena_mark(tmp);
    struct bls12_g2_affine *points = arena_try_alloc(tmp, (4 * n + 1) * sizeof *points);
    uint64_t *parts = arena_try_alloc(tmp, (n + 1) * 4 * sizeof *parts);
    bool ok = points != NULL && parts != NULL;
    if (ok) {
        for (size_t i = 0; i < n; i++) {
            struct bls12_g2_affine *p = points + 4 * i;
            split_in_four(parts + 4 * i, &k[i]);
            p[0] = a[i];
            for (int j = 1; j < 4; j++) { /* p[j] = -psi(p[j - 1]) = |x| p[j - 1] */
                p[j].inf = a[i].inf;
                bls12_fp2_conj(&p[j].x, &p[j - 1].x);
                bls12_fp2_mul(&p[j].x, &p[j].x, &psi_x);
                bls12_fp2_conj(&p[j].y, &p[j - 1].y);
                bls12_fp2_mul(&p[j].y, &p[j].y, &psi_y);
                bls12_fp2_neg(&p[j].y, &p[j].y);
            }
        }
        ok = bls12_g2_msm(r, tmp, points, parts, 1, 4 * n);
    }
    arena_reset_to(tmp, mark);
    return ok;
}

/* y > -y as numbers */
static bool is_larger_root(const struct bls12_fp *y) {
    struct bls12_fp minus;
    uint64_t a[bls12_fp_limbs], b[bls12_fp_limbs];
    bls12_fp_neg(&minus, y);
    bls12_fp_to_limbs(a, y);
    bls12_fp_to_limbs(b, &minus);
    for (int i = bls12_fp_limbs - 1; i >= 0; i--)
        if (a[i] != b[i])
            return a[i] > b[i];
    return false;
}

bool bls12_g1_decompress(struct bls12_g1_affine *r, const uint8_t in[48]) {
    enum { COMPRESSED = 0x80, INFINITE = 0x40, LARGER = 0x20 };
    uint8_t x[48];
    memcpy(x, in, 48);
    uint8_t flags = x[0] & (COMPRESSED | INFINITE | LARGER);
    x[0] ^= flags;
    struct bls12_g1_affine p = {0};
    if (!(flags & COMPRESSED) || !bls12_fp_from_be(&p.x, x))
        return false;
    if (flags & INFINITE) {
        p.inf = true;
        *r = p;
        return !(flags & LARGER) && bls12_fp_is_zero(&p.x);
    }
    struct bls12_fp t;
    bls12_fp_sqr(&t, &p.x);
    bls12_fp_mul(&t, &t, &p.x);
    bls12_fp_add(&t, &t, &bls12_g1_b);
    if (!bls12_fp_sqrt(&p.y, &t))
        return false;
    if (is_larger_root(&p.y) != ((flags & LARGER) != 0))
        bls12_fp_neg(&p.y, &p.y);
    *r = p;
    return true;
}

/* --- Optimal ate pairing: f_{|x|,Q}(P), conjugated since x is negative, then a final
 * exponentiation for all pairs. Running points are homogeneous, (x / z, y / z); the line through T
 * with slope s is taken at P as (s xT - yT) - s xP w^2 + yP w^3, up to factors that the final
 * exponentiation removes (Aranha et al., "Faster explicit formulas for computing pairings over
 * ordinary curves"). --- */

struct line {
    struct bls12_fp2 l0, l1, l4; /* constant, of xP w^2, of yP w^3 */
};

static void apply_line(struct bls12_fp12 *f, struct line *l, const struct bls12_g1_affine *p) {
    bls12_fp2_mul_fp(&l->l1, &l->l1, &p->x);
    bls12_fp2_mul_fp(&l->l4, &l->l4, &p->y);
    bls12_fp12_mul_014(f, &l->l0, &l->l1, &l->l4);
}

/* t = 2 t, and the tangent. */
static void line_dbl(struct line *l, struct bls12_g2 *t) {
    struct bls12_fp2 a, b, c, e, f, g, h, j;
    bls12_fp2_mul(&a, &t->x, &t->y);
    bls12_fp2_half(&a, &a);
    bls12_fp2_sqr(&b, &t->y);
    bls12_fp2_sqr(&c, &t->z);
    bls12_fp2_dbl(&e, &c);
    bls12_fp2_add(&e, &e, &c);
    bls12_fp2_dbl(&e, &e);
    bls12_fp2_dbl(&e, &e);
    bls12_fp2_mul_xi(&e, &e); /* 3 b z^2 */
    bls12_fp2_dbl(&f, &e);
    bls12_fp2_add(&f, &f, &e);
    bls12_fp2_add(&g, &b, &f);
    bls12_fp2_half(&g, &g);
    bls12_fp2_add(&h, &t->y, &t->z);
    bls12_fp2_sqr(&h, &h);
    bls12_fp2_sub(&h, &h, &b);
    bls12_fp2_sub(&h, &h, &c); /* 2 y z */
    bls12_fp2_sqr(&j, &t->x);
    bls12_fp2_sub(&f, &b, &f);
    bls12_fp2_mul(&t->x, &a, &f);
    bls12_fp2_sqr(&g, &g);
    bls12_fp2_sqr(&f, &e);
    bls12_fp2_dbl(&a, &f);
    bls12_fp2_add(&f, &f, &a);
    bls12_fp2_sub(&t->y, &g, &f);
    bls12_fp2_mul(&t->z, &b, &h);
    bls12_fp2_sub(&l->l0, &e, &b);
    bls12_fp2_dbl(&l->l1, &j);
    bls12_fp2_add(&l->l1, &l->l1, &j);
    bls12_fp2_neg(&l->l4, &h);
}

/* t = t + q, and the chord. */
static void line_add(struct line *l, struct bls12_g2 *t, const struct bls12_g2_affine *q) {
    struct bls12_fp2 theta, lambda, c, d, e, f, g, h;
    bls12_fp2_mul(&theta, &q->y, &t->z);
    bls12_fp2_sub(&theta, &t->y, &theta);
    bls12_fp2_mul(&lambda, &q->x, &t->z);
    bls12_fp2_sub(&lambda, &t->x, &lambda);
    bls12_fp2_sqr(&c, &theta);
    bls12_fp2_sqr(&d, &lambda);
    bls12_fp2_mul(&e, &lambda, &d);
    bls12_fp2_mul(&f, &t->z, &c);
    bls12_fp2_mul(&g, &t->x, &d);
    bls12_fp2_add(&h, &e, &f);
    bls12_fp2_sub(&h, &h, &g);
    bls12_fp2_sub(&h, &h, &g);
    bls12_fp2_mul(&t->x, &lambda, &h);
    bls12_fp2_sub(&g, &g, &h);
    bls12_fp2_mul(&g, &g, &theta);
    bls12_fp2_mul(&h, &e, &t->y);
    bls12_fp2_sub(&t->y, &g, &h);
    bls12_fp2_mul(&t->z, &t->z, &e);
    bls12_fp2_mul(&g, &theta, &q->x);
    bls12_fp2_mul(&h, &lambda, &q->y);
    bls12_fp2_sub(&l->l0, &g, &h);
    bls12_fp2_neg(&l->l1, &theta);
    l->l4 = lambda;
}

static void miller_loop(struct bls12_fp12 *f, struct bls12_pair *pairs, size_t n) {
    *f = bls12_fp12_one;
    for (size_t i = 0; i < n; i++)
        bls12_g2_from_affine(&pairs[i].t, &pairs[i].q);
    for (int bit = 62; bit >= 0; bit--) {
        bls12_fp12_sqr(f, f);
        for (size_t i = 0; i < n; i++) {
            if (pairs[i].p.inf || pairs[i].q.inf)
                continue;
            struct line l;
            line_dbl(&l, &pairs[i].t);
            apply_line(f, &l, &pairs[i].p);
            if (PARAM >> bit & 1) {
                line_add(&l, &pairs[i].t, &pairs[i].q);
                apply_line(f, &l, &pairs[i].p);
            }
        }
    }
    bls12_fp12_conj(f, f);
}

/* a^x in the cyclotomic subgroup. */
static void pow_param(struct bls12_fp12 *r, const struct bls12_fp12 *a) {
    struct bls12_fp12 acc = *a;
    for (int bit = 62; bit >= 0; bit--) {
        bls12_fp12_cyclo_sqr(&acc, &acc);
        if (PARAM >> bit & 1)
            bls12_fp12_mul(&acc, &acc, a);
    }
    bls12_fp12_conj(r, &acc);
}

/* f^(3 (p^12 - 1) / r). The easy part is (p^6 - 1)(p^2 + 1); the hard part
 * 3 (p^4 - p^2 + 1) / r = (x - 1)^2 (x + p)(x^2 + p^2 - 1) + 3 (Hayashida, Hayasaka, Teruya, eprint
 * 2020/875). */
static void final_exponentiation(struct bls12_fp12 *f) {
    struct bls12_fp12 t, u, v;
    bls12_fp12_conj(&t, f);
    bls12_fp12_inv(&u, f);
    bls12_fp12_mul(&t, &t, &u);
    bls12_fp12_frobenius(&u, &t, 2);
    bls12_fp12_mul(&t, &t, &u); /* f^((p^6 - 1)(p^2 + 1)) */

    v = t;
    for (int i = 0; i < 2; i++) { /* v = t^((x - 1)^2) */
        pow_param(&u, &v);
        bls12_fp12_conj(&v, &v);
        bls12_fp12_mul(&v, &v, &u);
    }
    pow_param(&u, &v);
    bls12_fp12_frobenius(&v, &v, 1);
    bls12_fp12_mul(&v, &v, &u); /* ^(x + p) */
    pow_param(&u, &v);
    pow_param(&u, &u);
    bls12_fp12_frobenius(f, &v, 2);
    bls12_fp12_mul(&u, &u, f);
    bls12_fp12_conj(&v, &v);
    bls12_fp12_mul(&v, &v, &u); /* ^(x^2 + p^2 - 1) */
    bls12_fp12_cyclo_sqr(&u, &t);
    bls12_fp12_mul(&u, &u, &t);
    bls12_fp12_mul(f, &v, &u);
}

void bls12_pairing(struct bls12_fp12 *r, struct bls12_pair *pairs, size_t n) {
    miller_loop(r, pairs, n);
    final_exponentiation(r);
}
