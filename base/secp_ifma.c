/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secp_ifma.h"

#if SECP_HAS_IFMA
#include "base/check.h"
#include "base/secp_field_ifma.inc"

#include <stdlib.h>

/* Points are Jacobian: (x / z^2, y / z^3). Doubling and addition give the negative of the result,
 * which saves negations; whose sign a point has at a step is the same in all lanes. A point with
 * z = 0 stays one: both operations multiply z. Addition makes z = 0 of equal and of opposite
 * points, which its formulas do not cover, so one test at the end finds every exception of the way.
 */
struct point {
    struct fe x, y, z;
};

/* x and y of a point of each multiple, as limbs of 64 bits, one row of 64 bytes for one point. */
static __m512i g_table[SECP_G_WINDOWS][SECP_G_MULTIPLES];

/* p = -2 p: 3 multiplications and 4 squarings, Y3 of which shares a reduction. */
static inline void double_neg(struct point *p) {
    struct fe e = fe_sqr_times(&p->x, 3);
    struct fe b = fe_sqr_times(&p->y, 2);
    struct fe d = fe_mul_times(&p->x, &b, 2); /* 4 x y^2 */
    p->z = fe_mul_times(&p->y, &p->z, 2);
    struct fe_wide w, w2;
    struct fe loose = fe_loose_neg(&d);
    fe_columns_sqr(&w, &e, 0);
    fe_add_loose(&w, &loose);
    fe_add_loose(&w, &loose);
    p->x = fe_reduce(&w, 1); /* e^2 - 2 d */
    struct fe t = fe_sub(&p->x, &d);
    fe_columns(&w, &e, &t);
    fe_columns_sqr(&w2, &b, 1); /* 8 y^4 */
    fe_add_columns(&w, &w2);
    p->y = fe_reduce(&w, 1); /* e (x3 - d) + 8 y^4 */
}

/* p = -(p + (x, y)); returns the ratio of the new z to the old. */
static inline struct fe add_neg(struct point *p, const struct fe *x, const struct fe *y) {
    struct fe zz = fe_sqr(&p->z);
    struct fe loose = fe_loose_neg(&p->x);
    struct fe h = fe_mul_add(x, &zz, &loose);
    struct fe zzz = fe_mul(&p->z, &zz);
    loose = fe_loose_neg(&p->y);
    struct fe r = fe_mul_add(y, &zzz, &loose);
    p->z = fe_mul(&p->z, &h);
    struct fe hh = fe_sqr(&h);
    struct fe hhh = fe_mul(&h, &hh);
    struct fe v = fe_mul(&p->x, &hh);
    struct fe_wide w, w2;
    fe_columns_sqr(&w, &r, 0);
    loose = fe_loose_neg(&hhh);
    fe_add_loose(&w, &loose);
    loose = fe_loose_neg(&v);
    fe_add_loose(&w, &loose);
    fe_add_loose(&w, &loose);
    p->x = fe_reduce(&w, 1); /* r^2 - h^3 - 2 v */
    struct fe t = fe_sub(&p->x, &v);
    fe_columns(&w, &r, &t);
    fe_columns(&w2, &p->y, &hhh);
    fe_add_columns(&w, &w2);
    p->y = fe_reduce(&w, 1); /* r (x3 - v) + y h^3 */
    return h;
}

/* --- powers -------------------------------------------------------------------------------------
 */
static struct fe sqr_many(struct fe a, int times) {
    for (int i = 0; i < times; i++)
        a = fe_sqr(&a);
    return a;
}

/* a^(2^223 - 1), and on the way a^(2^2 - 1) and a^(2^22 - 1): with them end the exponents of the
 * inverse and of the square root. */
static struct fe pow_x223(const struct fe *a, struct fe *x2, struct fe *x22) {
    struct fe t = fe_sqr(a);
    *x2 = fe_mul(&t, a);
    t = fe_sqr(x2);
    struct fe x3 = fe_mul(&t, a);
    t = sqr_many(x3, 3);
    struct fe x6 = fe_mul(&t, &x3);
    t = sqr_many(x6, 3);
    struct fe x9 = fe_mul(&t, &x3);
    t = sqr_many(x9, 2);
    struct fe x11 = fe_mul(&t, x2);
    t = sqr_many(x11, 11);
    *x22 = fe_mul(&t, &x11);
    t = sqr_many(*x22, 22);
    struct fe x44 = fe_mul(&t, x22);
    t = sqr_many(x44, 44);
    struct fe x88 = fe_mul(&t, &x44);
    t = sqr_many(x88, 88);
    struct fe x176 = fe_mul(&t, &x88);
    t = sqr_many(x176, 44);
    struct fe x220 = fe_mul(&t, &x44);
    t = sqr_many(x220, 3);
    return fe_mul(&t, &x3);
}

/* a^(p - 2) */
static struct fe invert(const struct fe *a) {
    struct fe x2, x22, t = pow_x223(a, &x2, &x22);
    t = sqr_many(t, 23);
    t = fe_mul(&t, &x22);
    t = sqr_many(t, 5);
    t = fe_mul(&t, a);
    t = sqr_many(t, 3);
    t = fe_mul(&t, &x2);
    t = sqr_many(t, 2);
    return fe_mul(&t, a);
}

/* a^((p + 1) / 4), a root of a if it has one. */
static struct fe root(const struct fe *a) {
    struct fe x2, x22, t = pow_x223(a, &x2, &x22);
    t = sqr_many(t, 23);
    t = fe_mul(&t, &x22);
    t = sqr_many(t, 6);
    t = fe_mul(&t, &x2);
    return sqr_many(t, 2);
}

/* --- tables -------------------------------------------------------------------------------------
 */
struct multiple {
    struct fe x, y, ratio;
};

/* The points P, 3P, 5P ... of (x, y), `count` of them, with one common z, which is returned: taken
 * as affine they lie on the isomorphic curve y^2 = x^3 + 7 z^6, whose addition has the same
 * formulas. So no inversion is needed. The results are tight. */
static struct fe make_multiples(struct multiple *m, size_t count, const struct fe *x,
                                const struct fe *y) {
    struct point d = {*x, *y, fe_small(1)};
    double_neg(&d); /* -2P; affine on the curve that is isomorphic by its z */
    struct fe plus = fe_neg_where(&d.y, 0xff), zz = fe_sqr(&d.z), zzz = fe_mul(&zz, &d.z);
    struct point p = {fe_mul(x, &zz), fe_mul(y, &zzz), fe_small(1)};
    m[0] = (struct multiple){p.x, p.y, fe_small(1)};
    for (size_t i = 1; i < count; i++) {
        struct fe ratio = add_neg(&p, &d.x, i % 2 == 1 ? &plus : &d.y);
        m[i] = (struct multiple){p.x, p.y, ratio};
    }
    struct fe scale = m[count - 1].ratio;
    for (size_t i = count - 1; i-- > 0;) {
        zz = fe_sqr(&scale);
        zzz = fe_mul(&zz, &scale);
        m[i].x = fe_mul(&m[i].x, &zz);
        m[i].y = fe_mul(&m[i].y, &zzz);
        if (i > 0)
            scale = fe_mul(&scale, &m[i].ratio);
    }
    const struct fe one = fe_small(1);
    for (size_t i = 1; i < count; i += 2) { /* 3P, 7P ... came out negative */
        struct fe negative = fe_neg_where(&m[i].y, 0xff);
        m[i].y = fe_mul(&negative, &one);
    }
    return fe_mul(&scale, &d.z);
}

/* One row of each lane: x and y below 2^256. */
static inline void to_rows(__m512i rows[SECP_LANES], const struct fe *x, const struct fe *y) {
    struct fe a = *x, b = *y;
    fe_fit(&a);
    fe_fit(&b);
    fe_pack(rows, &a);
    fe_pack(rows + 4, &b);
    fe_transpose(rows);
}

/* Of each lane the point at rows[idx * row_stride + lane * lane_stride], negated where neg says. */
static inline void look_up(struct fe *x, struct fe *y, const __m512i *rows, size_t row_stride,
                           size_t lane_stride, const uint8_t idx[SECP_LANES], unsigned neg) {
    __m512i v[SECP_LANES];
    for (size_t l = 0; l < SECP_LANES; l++)
        v[l] = rows[idx[l] * row_stride + l * lane_stride];
    fe_transpose(v);
    *x = fe_unpack(v);
    struct fe plain = fe_unpack(v + 4);
    *y = fe_neg_where(&plain, (__mmask8)neg);
}

static __m512i row_of_be(const uint8_t *x, const uint8_t *y) {
    u256 a = u256_from_be32(x), b = u256_from_be32(y);
    uint64_t row[8] = {a.w[0], a.w[1], a.w[2], a.w[3], b.w[0], b.w[1], b.w[2], b.w[3]};
    return _mm512_loadu_si512(row);
}

void secp_ifma_init(const uint8_t powers[SECP_G_WINDOWS][64]) {
    struct multiple *m = aligned_alloc(64, SECP_G_MULTIPLES * sizeof(*m));
    CHECK(m != NULL);
    for (size_t w = 0; w < SECP_G_WINDOWS; w += SECP_LANES) {
        __m512i rows[SECP_LANES];
        for (size_t l = 0; l < SECP_LANES; l++)
            rows[l] = row_of_be(powers[w + l], powers[w + l] + 32);
        fe_transpose(rows);
        struct fe x = fe_unpack(rows), y = fe_unpack(rows + 4);
        struct fe z = make_multiples(m, SECP_G_MULTIPLES, &x, &y);
        struct fe zi = invert(&z), zi2 = fe_sqr(&zi), zi3 = fe_mul(&zi2, &zi);
        for (size_t i = 0; i < SECP_G_MULTIPLES; i++) {
            x = fe_mul(&m[i].x, &zi2);
            y = fe_mul(&m[i].y, &zi3);
            to_rows(rows, &x, &y);
            for (size_t l = 0; l < SECP_LANES; l++)
                g_table[w + l][i] = rows[l];
        }
    }
    free(m);
}

/* --- recovery -----------------------------------------------------------------------------------
 */
/* y of the points with the given x, odd where the mask says; lanes that have none get G. Returns
 * the lanes that have one. */
static __mmask8 lift(struct fe *x, struct fe *y, __mmask8 odd) {
    const struct fe seven = fe_small(7);
    struct fe xx = fe_sqr(x), yy = fe_mul_add(&xx, x, &seven);
    struct fe r = root(&yy), check = fe_sqr(&r);
    check = fe_sub(&check, &yy);
    fe_canonical(&check);
    __mmask8 good = fe_zero_lanes(&check);
    fe_canonical(&r);
    __mmask8 is_odd = _mm512_test_epi64_mask(r.v[0], fe_const(1));
    r = fe_neg_where(&r, (__mmask8)(is_odd ^ odd));
    const struct fe gx = {{fe_const(0x2815b16f81798), fe_const(0xdb2dce28d959f),
                           fe_const(0xe870b07029bfc), fe_const(0xbbac55a06295c),
                           fe_const(0x079be667ef9dc)}};
    const struct fe gy = {{fe_const(0x7d08ffb10d4b8), fe_const(0x48a68554199c4),
                           fe_const(0xe1108a8fd17b4), fe_const(0xc4655da4fbfc0),
                           fe_const(0x0483ada7726a3)}};
    *x = fe_select(good, x, &gx);
    *y = fe_select(good, &r, &gy);
    return good;
}

/* u1 G + u2 R in eight lanes, or its negative: the return value tells by a full mask. */
static __mmask8 multiply(struct point *p, const struct fe *x, const struct fe *y,
                         const struct secp_digits *d) {
    struct multiple m[SECP_MULTIPLES];
    __m512i table[SECP_MULTIPLES][SECP_LANES];
    const struct fe beta = {{fe_const(0x96c28719501ee), fe_const(0x7512f58995c13),
                             fe_const(0xc3434e99cf049), fe_const(0x07106e64479ea),
                             fe_const(0x07ae96a2b657c)}};
    struct fe common_z = make_multiples(m, SECP_MULTIPLES, x, y), qx, qy;
    for (size_t i = 0; i < SECP_MULTIPLES; i++)
        to_rows(table[i], &m[i].x, &m[i].y);
    unsigned sign = 0; /* 0xff: p is the negative of what was added up */
    int top = SECP_WINDOWS - 1;
    look_up(&qx, &qy, table[0], SECP_LANES, 1, d->idx[0][top], d->neg[0][top]);
    const struct fe one = fe_small(1);
    *p = (struct point){qx, fe_mul(&qy, &one), one};
    for (int i = top; i >= 0; i--) {
        if (i < top) {
            for (int k = 0; k < SECP_WINDOW; k++)
                double_neg(p);
            sign ^= SECP_WINDOW % 2 * 0xff;
            look_up(&qx, &qy, table[0], SECP_LANES, 1, d->idx[0][i], d->neg[0][i] ^ sign);
            add_neg(p, &qx, &qy);
            sign ^= 0xff;
        }
        look_up(&qx, &qy, table[0], SECP_LANES, 1, d->idx[1][i], d->neg[1][i] ^ sign);
        qx = fe_mul(&qx, &beta);
        add_neg(p, &qx, &qy);
        sign ^= 0xff;
    }
    p->z = fe_mul(&p->z, &common_z); /* back on the curve itself */
    for (size_t i = 0; i < SECP_G_WINDOWS; i++) {
        look_up(&qx, &qy, g_table[i], 1, 0, d->g_idx[i], d->g_neg[i] ^ sign);
        add_neg(p, &qx, &qy);
        sign ^= 0xff;
    }
    return (__mmask8)sign;
}

/* The eight signatures from `sigs` on, of which `count` are there; the others, and those not
 * usable, are calculated for R = G. Returns the lanes whose point is right or has z = 0. */
static __mmask8 recover_group(struct point *p, const struct secp_digits *d, const bool *usable,
                              const struct secp_sig *sigs) {
    __m512i rows[SECP_LANES];
    unsigned odd = 0, wanted = 0;
    for (size_t l = 0; l < SECP_LANES; l++) {
        rows[l] = _mm512_setzero_si512(); /* x = 0 is on no point: lift makes it G */
        if (!usable[l])
            continue;
        rows[l] = _mm512_zextsi256_si512(_mm256_loadu_si256((const void *)sigs[l].r.w));
        odd |= (sigs[l].recid & 1u) << l;
        wanted |= 1u << l;
    }
    fe_transpose(rows);
    struct fe x = fe_unpack(rows), y;
    __mmask8 good = lift(&x, &y, (__mmask8)odd);
    __mmask8 negative = multiply(p, &x, &y, d);
    p->y = fe_neg_where(&p->y, negative);
    return (__mmask8)(good & wanted);
}

static void store_keys(uint8_t (*keys)[64], bool *done, const struct point *p, const struct fe *zi,
                       __mmask8 good, size_t count) {
    struct fe zi2 = fe_sqr(zi), zi3 = fe_mul(&zi2, zi);
    struct fe x = fe_mul(&p->x, &zi2), y = fe_mul(&p->y, &zi3);
    fe_canonical(&x);
    fe_canonical(&y);
    __m512i rows[SECP_LANES];
    fe_pack(rows, &x);
    fe_pack(rows + 4, &y);
    fe_transpose(rows);
    for (size_t l = 0; l < count; l++) {
        done[l] = good >> l & 1;
        if (!done[l])
            continue;
        uint64_t w[8];
        _mm512_storeu_si512(w, rows[l]);
        for (size_t i = 0; i < 4; i++) {
            be64_store(keys[l] + 8 * i, w[3 - i]);
            be64_store(keys[l] + 32 + 8 * i, w[7 - i]);
        }
    }
}

void secp_ifma_recover(uint8_t (*keys)[64], bool *done, const hash32 *digests,
                       const struct secp_sig *sigs, size_t n) {
    struct secp_digits digits[SECP_GROUPS_MAX];
    bool usable[SECP_GROUPS_MAX * SECP_LANES];
    struct point p[SECP_GROUPS_MAX];
    struct fe before[SECP_GROUPS_MAX]; /* product of the z of the groups ahead */
    __mmask8 good[SECP_GROUPS_MAX];
    if (n == 0)
        return;
    secp_scalars(digits, usable, digests, sigs, n);
    size_t groups = (n + SECP_LANES - 1) / SECP_LANES;
    const struct fe one = fe_small(1);
    struct fe all = one;
    for (size_t g = 0; g < groups; g++) {
        good[g] = recover_group(&p[g], &digits[g], usable + g * SECP_LANES, sigs + g * SECP_LANES);
        struct fe z = p[g].z;
        fe_canonical(&z);
        __mmask8 zero = fe_zero_lanes(&z);
        good[g] = (__mmask8)(good[g] & ~zero);
        p[g].z = fe_select(zero, &one, &z);
        before[g] = all;
        all = fe_mul(&all, &p[g].z);
    }
    struct fe inverse = invert(&all);
    for (size_t g = groups; g-- > 0;) {
        struct fe zi = fe_mul(&inverse, &before[g]);
        inverse = fe_mul(&inverse, &p[g].z);
        size_t at = g * SECP_LANES, count = n - at < SECP_LANES ? n - at : SECP_LANES;
        store_keys(keys + at, done + at, &p[g], &zi, good[g], count);
    }
}
#endif
