/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "base/secp_ifma.h"

/* --- modulo the order, in Montgomery's form: mont(a, b) = a b / 2^256 --------------------------
 */
static const uint64_t n_inverse = 0x4b0dff665588b13f; /* -1/n modulo 2^64 */
static const u256 r_squared = {
    {0x896cf21467d7d140, 0x741496c20e7cf878, 0xe697f5e45bcd07c6, 0x9d671cd581c69bc5}};
static const u256 r_one = {{0x402da1732fc9bebf, 0x4551231950b75fc4, 0x0000000000000001, 0}};

/* *acc + a * b + carry; returns the upper half. */
static inline uint64_t mul_add(uint64_t *acc, uint64_t a, uint64_t b, uint64_t carry) {
    unsigned __int128 v = (unsigned __int128)a * b + *acc + carry;
    *acc = (uint64_t)v;
    return (uint64_t)(v >> 64);
}

static inline u256 reduce_once(const u256 *a, uint64_t top) {
    return top != 0 || !u256_lt(a, &SECP_N) ? u256_sub(a, &SECP_N) : *a;
}

static u256 mont(const u256 *a, const u256 *b) {
    uint64_t t[6] = {0};
    for (int i = 0; i < 4; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < 4; j++)
            carry = mul_add(&t[j], a->w[i], b->w[j], carry);
        t[5] = __builtin_add_overflow(t[4], carry, &t[4]);
        uint64_t m = t[0] * n_inverse;
        carry = 0;
        for (int j = 0; j < 4; j++)
            carry = mul_add(&t[j], m, SECP_N.w[j], carry);
        t[5] += __builtin_add_overflow(t[4], carry, &t[4]);
        for (int j = 0; j < 5; j++)
            t[j] = t[j + 1];
        t[5] = 0;
    }
    u256 r = {{t[0], t[1], t[2], t[3]}};
    return reduce_once(&r, t[4]);
}

/* a^(n - 2) by windows of four bits; in and out in Montgomery's form. */
static u256 mont_invert(const u256 *a) {
    u256 power[16], two = u256_from_u64(2), e = u256_sub(&SECP_N, &two), r = r_one;
    power[0] = r_one;
    for (int i = 1; i < 16; i++)
        power[i] = mont(&power[i - 1], a);
    for (int i = 63; i >= 0; i--) {
        for (int k = 0; k < 4; k++)
            r = mont(&r, &r);
        r = mont(&r, &power[e.w[i / 16] >> (i % 16 * 4) & 15]);
    }
    return r;
}

/* --- the split of u2 ----------------------------------------------------------------------------
 */
/* Three limbs, modulo 2^192, read as signed: all values stay below 2^131 in size. */
struct wide {
    uint64_t w[3];
};

static inline struct wide wide_add(struct wide a, struct wide b) {
    unsigned long long w[3];
    unsigned char c = u256_limb_add(0, a.w[0], b.w[0], &w[0]);
    c = u256_limb_add(c, a.w[1], b.w[1], &w[1]);
    (void)u256_limb_add(c, a.w[2], b.w[2], &w[2]);
    return (struct wide){{w[0], w[1], w[2]}};
}

static inline struct wide wide_sub(struct wide a, struct wide b) {
    unsigned long long w[3];
    unsigned char c = u256_limb_sub(0, a.w[0], b.w[0], &w[0]);
    c = u256_limb_sub(c, a.w[1], b.w[1], &w[1]);
    (void)u256_limb_sub(c, a.w[2], b.w[2], &w[2]);
    return (struct wide){{w[0], w[1], w[2]}};
}

static inline struct wide wide_mul(struct wide a, struct wide b) {
    struct wide r = {{0, 0, 0}};
    uint64_t c = mul_add(&r.w[0], a.w[0], b.w[0], 0);
    c = mul_add(&r.w[1], a.w[0], b.w[1], c);
    r.w[2] = c + a.w[0] * b.w[2];
    c = mul_add(&r.w[1], a.w[1], b.w[0], 0);
    r.w[2] += c + a.w[1] * b.w[1] + a.w[2] * b.w[0];
    return r;
}

/* (a b + 2^383) / 2^384 */
static struct wide mul_shift_384(const u256 *a, const u256 *b) {
    uint64_t t[8] = {0};
    for (int i = 0; i < 4; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < 4; j++)
            carry = mul_add(&t[i + j], a->w[i], b->w[j], carry);
        t[i + 4] = carry;
    }
    struct wide high = {{t[6], t[7], 0}}, round = {{t[5] >> 63, 0, 0}};
    return wide_add(high, round);
}

/* The lattice of pairs (a, b) with a + b lambda = 0 modulo n has the short basis (a1, b1), (a2, b2)
 * with b2 = a1. c1 and c2 are the coordinates of (k, 0) in it, rounded; g1 = 2^384 b2 / n and g2 =
 * 2^384 (-b1) / n, rounded. a1, b1 and b2 are odd, a2 is even, so that one of v1, v2 and v1 - v2
 * makes both halves odd. */
static const u256 g1 = {
    {0xe893209a45dbb031, 0x3daa8a1471e8ca7f, 0xe86c90e49284eb15, 0x3086d221a7d46bcd}};
static const u256 g2 = {
    {0x1571b4ae8ac47f71, 0x221208ac9df506c6, 0x6f547fa90abfe4c4, 0xe4437ed6010e8828}};
static const struct wide a1 = {{0xe86c90e49284eb15, 0x3086d221a7d46bcd, 0}};
static const struct wide minus_b1 = {{0x6f547fa90abfe4c3, 0xe4437ed6010e8828, 0}};
static const struct wide a2 = {{0x57c1108d9d44cfd8, 0x14ca50f7a8e2f3f6, 1}};

static void split(struct wide half[2], const u256 *k) {
    struct wide c1 = mul_shift_384(k, &g1), c2 = mul_shift_384(k, &g2);
    struct wide k1 = {{k->w[0], k->w[1], k->w[2]}};
    k1 = wide_sub(wide_sub(k1, wide_mul(c1, a1)), wide_mul(c2, a2));
    struct wide k2 = wide_sub(wide_mul(c1, minus_b1), wide_mul(c2, a1));
    bool odd1 = k1.w[0] & 1, odd2 = k2.w[0] & 1;
    if (!odd2 && !odd1) {
        k1 = wide_add(k1, a1);
        k2 = wide_sub(k2, minus_b1);
    } else if (!odd2) {
        k1 = wide_add(k1, a2);
        k2 = wide_add(k2, a1);
    } else if (!odd1) {
        k1 = wide_add(k1, wide_sub(a1, a2));
        k2 = wide_sub(k2, wide_add(minus_b1, a1));
    }
    half[0] = k1;
    half[1] = k2;
}

/* --- digits -------------------------------------------------------------------------------------
 */
static void put_half(struct secp_digits *d, int half, size_t lane, struct wide k) {
    /* t = (k + 2^130 - 1) / 2 fits in 130 bits. */
    struct wide bias = {{UINT64_MAX, UINT64_MAX, 3}}, t = wide_add(k, bias);
    t.w[0] = t.w[0] >> 1 | t.w[1] << 63;
    t.w[1] = t.w[1] >> 1 | t.w[2] << 63;
    t.w[2] >>= 1;
    DCHECK(t.w[2] < 4);
    for (int i = 0; i < SECP_WINDOWS; i++) {
        unsigned value = (unsigned)t.w[0] & ((1 << SECP_WINDOW) - 1);
        bool negative = value < SECP_MULTIPLES;
        unsigned idx = (negative ? ~value : value) & (SECP_MULTIPLES - 1);
        d->idx[half][i][lane] = (uint8_t)idx;
        d->neg[half][i] = (uint8_t)(d->neg[half][i] | (unsigned)negative << lane);
        t.w[0] = t.w[0] >> SECP_WINDOW | t.w[1] << (64 - SECP_WINDOW);
        t.w[1] = t.w[1] >> SECP_WINDOW | t.w[2] << (64 - SECP_WINDOW);
        t.w[2] >>= SECP_WINDOW;
    }
}

/* k below n. The odd one of k and n - k is recoded: t of an odd number v is v / 2 + 2^255, and that
 * of -v its complement. Zero becomes n, whose multiple of G is zero as well. */
static void put_g(struct secp_digits *d, size_t lane, const u256 *k) {
    bool flip = !(k->w[0] & 1);
    u256 v = flip ? u256_sub(&SECP_N, k) : *k;
    uint64_t invert = flip ? UINT64_MAX : 0;
    uint64_t t[4];
    for (int i = 0; i < 4; i++) {
        uint64_t above = i < 3 ? v.w[i + 1] << 63 : (uint64_t)1 << 63;
        t[i] = (v.w[i] >> 1 | above) ^ invert;
    }
    for (int i = 0; i < SECP_G_WINDOWS; i++) {
        unsigned value = t[i / 8] >> (i % 8 * 8) & 0xff;
        bool negative = value < SECP_G_MULTIPLES;
        unsigned idx = (negative ? ~value : value) & (SECP_G_MULTIPLES - 1);
        d->g_idx[i][lane] = (uint8_t)idx;
        d->g_neg[i] = (uint8_t)(d->g_neg[i] | (unsigned)negative << lane);
    }
}

static bool in_group_order(const u256 *v) {
    return !u256_is_zero(v) && u256_lt(v, &SECP_N);
}

void secp_scalars(struct secp_digits *groups, bool *usable, const hash32 *digests,
                  const struct secp_sig *sigs, size_t n) {
    enum { MAX = SECP_LANES * SECP_GROUPS_MAX };
    u256 r[MAX], product[MAX];
    size_t padded = (n + SECP_LANES - 1) / SECP_LANES * SECP_LANES;
    CHECK(n > 0 && padded <= MAX);
    u256 all = r_one;
    for (size_t i = 0; i < padded; i++) {
        usable[i] =
            i < n && sigs[i].recid <= 1 && in_group_order(&sigs[i].r) && in_group_order(&sigs[i].s);
        r[i] = usable[i] ? mont(&sigs[i].r, &r_squared) : r_one;
        product[i] = all;
        all = mont(&all, &r[i]);
    }
    memset(groups, 0, padded / SECP_LANES * sizeof(*groups));
    u256 inverse = mont_invert(&all);
    for (size_t i = padded; i-- > 0;) {
        const u256 one = U256_ONE;
        u256 z = one, s = one;
        if (usable[i]) {
            z = u256_from_be32(digests[i].b);
            z = reduce_once(&z, 0);
            s = sigs[i].s;
        }
        u256 r_inverse = mont(&inverse, &product[i]);
        inverse = mont(&inverse, &r[i]);
        u256 u1 = mont(&z, &r_inverse), u2 = mont(&s, &r_inverse);
        if (!u256_is_zero(&u1))
            u1 = u256_sub(&SECP_N, &u1);
        struct secp_digits *d = &groups[i / SECP_LANES];
        struct wide half[2];
        split(half, &u2);
        put_half(d, 0, i % SECP_LANES, half[0]);
        put_half(d, 1, i % SECP_LANES, half[1]);
        put_g(d, i % SECP_LANES, &u1);
    }
}
