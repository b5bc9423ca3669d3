/* SPDX-License-Identifier: Apache-2.0 */
#include "base/u256.h"

#include "base/check.h"

typedef unsigned __int128 u128;

/* Division is Knuth's algorithm D (TAOCP volume 2, §4.3.1) with quotient digits from precomputed
 * reciprocals, after Möller and Granlund, "Improved division by invariant integers" (2011): two
 * multiplications a digit in place of a hardware division of 128 by 64 bits. */

int u256_cmp(const u256 *a, const u256 *b) {
    for (int i = 3; i > 0; i--) {
        if (a->w[i] != b->w[i])
            return a->w[i] < b->w[i] ? -1 : 1;
    }
    return (a->w[0] > b->w[0]) - (a->w[0] < b->w[0]);
}

static bool is_negative(const u256 *a) {
    return a->w[3] >> 63 != 0;
}

int u256_scmp(const u256 *a, const u256 *b) {
    if (is_negative(a) != is_negative(b))
        return is_negative(a) ? -1 : 1;
    return u256_cmp(a, b);
}

static u256 negate(const u256 *a) {
    u256 zero = U256_ZERO;
    return u256_sub(&zero, a);
}

bool u256_add_overflow(u256 *out, const u256 *a, const u256 *b) {
    unsigned long long t0, t1, t2, t3;
    unsigned char c = u256_limb_add(0, a->w[0], b->w[0], &t0);
    c = u256_limb_add(c, a->w[1], b->w[1], &t1);
    c = u256_limb_add(c, a->w[2], b->w[2], &t2);
    c = u256_limb_add(c, a->w[3], b->w[3], &t3);
    *out = (u256){{t0, t1, t2, t3}};
    return c != 0;
}

/* lo:carry = a * b + c + d; never overflows 128 bits. */
static inline uint64_t mul_add2(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t *carry) {
    u128 t = (u128)a * b + c + d;
    *carry = (uint64_t)(t >> 64);
    return (uint64_t)t;
}

u256 u256_mul(const u256 *a, const u256 *b) {
    uint64_t r0, r1, r2, r3, c;
    r0 = mul_add2(a->w[0], b->w[0], 0, 0, &c);
    r1 = mul_add2(a->w[0], b->w[1], c, 0, &c);
    r2 = mul_add2(a->w[0], b->w[2], c, 0, &c);
    r3 = a->w[0] * b->w[3] + c;

    r1 = mul_add2(a->w[1], b->w[0], r1, 0, &c);
    r2 = mul_add2(a->w[1], b->w[1], r2, c, &c);
    r3 += a->w[1] * b->w[2] + c;

    r2 = mul_add2(a->w[2], b->w[0], r2, 0, &c);
    r3 += a->w[2] * b->w[1] + c;

    r3 += a->w[3] * b->w[0];
    return (u256){{r0, r1, r2, r3}};
}

void u256_mul_wide(uint64_t out[8], const u256 *a, const u256 *b) {
    uint64_t r[8];
    uint64_t c;
    r[0] = mul_add2(a->w[0], b->w[0], 0, 0, &c);
    r[1] = mul_add2(a->w[0], b->w[1], c, 0, &c);
    r[2] = mul_add2(a->w[0], b->w[2], c, 0, &c);
    r[3] = mul_add2(a->w[0], b->w[3], c, 0, &r[4]);
    for (int i = 1; i < 4; i++) {
        r[i] = mul_add2(a->w[i], b->w[0], r[i], 0, &c);
        r[i + 1] = mul_add2(a->w[i], b->w[1], r[i + 1], c, &c);
        r[i + 2] = mul_add2(a->w[i], b->w[2], r[i + 2], c, &c);
        r[i + 3] = mul_add2(a->w[i], b->w[3], r[i + 3], c, &r[i + 4]);
    }
    memcpy(out, r, sizeof(r));
}

bool u256_mul_overflow(u256 *out, const u256 *a, const u256 *b) {
    uint64_t wide[8];
    u256_mul_wide(wide, a, b);
    memcpy(out->w, wide, sizeof(out->w));
    return (wide[4] | wide[5] | wide[6] | wide[7]) != 0;
}

/* hi:lo / d for hi < d. */
static inline uint64_t div_128_by_64(uint64_t hi, uint64_t lo, uint64_t d, uint64_t *rem) {
    DCHECK(hi < d);
#if defined(__x86_64__) && !defined(U256_PORTABLE)
    /* Neither compiler proves that the quotient fits 64 bits; both would call a slow library
     * routine. */
    uint64_t q, r;
    __asm__("divq %4" : "=a"(q), "=d"(r) : "a"(lo), "d"(hi), "rm"(d) : "cc");
    *rem = r;
    return q;
#else
    u128 n = (u128)hi << 64 | lo;
    *rem = (uint64_t)(n % d);
    return (uint64_t)(n / d);
#endif
}

/* floor((2^128 - 1) / d) - 2^64 for d with its top bit set. */
static inline uint64_t reciprocal_64(uint64_t d) {
    uint64_t rem;
    return div_128_by_64(~d, UINT64_MAX, d, &rem);
}

/* floor((2^192 - 1) / d1:d0) - 2^64 for d1 with its top bit set. */
static inline uint64_t reciprocal_128(uint64_t d1, uint64_t d0) {
    uint64_t v = reciprocal_64(d1);
    uint64_t p = d1 * v + d0;
    if (p < d0) {
        v--;
        if (p >= d1) {
            v--;
            p -= d1;
        }
        p -= d1;
    }
    u128 t = (u128)v * d0;
    uint64_t t1 = (uint64_t)(t >> 64), t0 = (uint64_t)t;
    p += t1;
    if (p < t1) {
        v--;
        if (p >= d1 && (p > d1 || t0 >= d0))
            v--;
    }
    return v;
}

/* u1:u0 / d, u1 < d, d normalised, v its reciprocal. */
static inline uint64_t div_2by1(uint64_t u1, uint64_t u0, uint64_t d, uint64_t v, uint64_t *rem) {
    u128 q = (u128)v * u1 + ((u128)u1 << 64 | u0);
    uint64_t q1 = (uint64_t)(q >> 64) + 1;
    uint64_t r = u0 - q1 * d;
    if (r > (uint64_t)q) {
        q1--;
        r += d;
    }
    if (__builtin_expect(r >= d, 0)) {
        q1++;
        r -= d;
    }
    *rem = r;
    return q1;
}

/* u2:u1:u0 / d, u2:u1 < d, d normalised, v its reciprocal. */
static inline uint64_t div_3by2(uint64_t u2, uint64_t u1, uint64_t u0, u128 d, uint64_t v,
                                u128 *rem) {
    uint64_t d1 = (uint64_t)(d >> 64), d0 = (uint64_t)d;
    u128 q = (u128)v * u2 + ((u128)u2 << 64 | u1);
    uint64_t q1 = (uint64_t)(q >> 64);
    uint64_t r1 = u1 - q1 * d1;
    u128 r = ((u128)r1 << 64 | u0) - (u128)q1 * d0 - d;
    q1++;
    if ((uint64_t)(r >> 64) >= (uint64_t)q) {
        q1--;
        r += d;
    }
    if (__builtin_expect(r >= d, 0)) {
        q1++;
        r -= d;
    }
    *rem = r;
    return q1;
}

/* The steps of algorithm D for a divisor of dn >= 3 limbs. u has un + 1 limbs, holds the normalised
 * dividend and keeps the remainder; q gets un - dn + 1 digits. */
static void div_knuth(uint64_t *q, uint64_t *u, size_t un, const uint64_t *d, size_t dn) {
    u128 top = (u128)d[dn - 1] << 64 | d[dn - 2];
    uint64_t v = reciprocal_128(d[dn - 1], d[dn - 2]);
    for (size_t j = un - dn + 1; j-- > 0;) {
        uint64_t u2 = u[j + dn], u1 = u[j + dn - 1], u0 = u[j + dn - 2];
        uint64_t digit = UINT64_MAX;
        if (((u128)u2 << 64 | u1) < top) {
            u128 rem;
            digit = div_3by2(u2, u1, u0, top, v, &rem);
        }
        uint64_t carry = 0;
        unsigned char borrow = 0;
        for (size_t i = 0; i < dn; i++) {
            unsigned long long t;
            uint64_t prod = mul_add2(digit, d[i], carry, 0, &carry);
            borrow = u256_limb_sub(borrow, u[i + j], prod, &t);
            u[i + j] = t;
        }
        unsigned long long t;
        borrow = u256_limb_sub(borrow, u[j + dn], carry, &t);
        u[j + dn] = t;
        while (borrow != 0) { /* the digit was one too large (twice at most, when clipped) */
            digit--;
            unsigned char c = 0;
            for (size_t i = 0; i < dn; i++) {
                c = u256_limb_add(c, u[i + j], d[i], &t);
                u[i + j] = t;
            }
            unsigned char over = u256_limb_add(c, u[j + dn], 0, &t);
            u[j + dn] = t;
            borrow = (unsigned char)(borrow - over);
        }
        q[j] = digit;
    }
}

/* Divides un <= 8 limbs by the dn <= 4 limbs of d, whose highest limb is not zero, un >= dn.
 * q gets un - dn + 1 digits; r gets dn limbs. */
static void div_limbs(uint64_t *q, uint64_t *r, const uint64_t *num, size_t un, const uint64_t *den,
                      size_t dn) {
    uint64_t u[9];
    uint64_t d[4] = {0};
    unsigned s = (unsigned)__builtin_clzll(den[dn - 1]);
    /* (x >> 1) >> (63 - s) is x >> (64 - s), defined for s = 0 too. */
    u[un] = num[un - 1] >> 1 >> (63 - s);
    for (size_t i = un - 1; i > 0; i--)
        u[i] = num[i] << s | num[i - 1] >> 1 >> (63 - s);
    u[0] = num[0] << s;
    for (size_t i = dn - 1; i > 0; i--)
        d[i] = den[i] << s | den[i - 1] >> 1 >> (63 - s);
    d[0] = den[0] << s;

    if (dn == 1) {
        uint64_t v = reciprocal_64(d[0]);
        uint64_t rem = u[un];
        for (size_t j = un; j-- > 0;)
            q[j] = div_2by1(rem, u[j], d[0], v, &rem);
        r[0] = rem >> s;
        return;
    }
    if (dn == 2) {
        u128 dd = (u128)d[1] << 64 | d[0];
        uint64_t v = reciprocal_128(d[1], d[0]);
        u128 rem = (u128)u[un] << 64 | u[un - 1];
        for (size_t j = un - 1; j-- > 0;)
            q[j] = div_3by2((uint64_t)(rem >> 64), (uint64_t)rem, u[j], dd, v, &rem);
        rem >>= s;
        r[0] = (uint64_t)rem;
        r[1] = (uint64_t)(rem >> 64);
        return;
    }
    div_knuth(q, u, un, d, dn);
    for (size_t i = 0; i < dn; i++)
        r[i] = u[i] >> s | u[i + 1] << 1 << (63 - s);
}

static inline size_t limb_count(const uint64_t *w, size_t n) {
    while (n > 0 && w[n - 1] == 0)
        n--;
    return n;
}

void u256_divmod(u256 *quot, u256 *rem, const u256 *a, const u256 *b) {
    u256 q = U256_ZERO, r = U256_ZERO;
    size_t dn = limb_count(b->w, 4);
    size_t un = limb_count(a->w, 4);
    if (dn == 0) {
        /* both stay zero */
    } else if (un < dn || (un == dn && u256_lt(a, b))) {
        r = *a;
    } else if (un == 1) {
        q.w[0] = a->w[0] / b->w[0];
        r.w[0] = a->w[0] % b->w[0];
    } else {
        div_limbs(q.w, r.w, a->w, un, b->w, dn);
    }
    if (quot != NULL)
        *quot = q;
    if (rem != NULL)
        *rem = r;
}

u256 u256_div(const u256 *a, const u256 *b) {
    u256 q;
    u256_divmod(&q, NULL, a, b);
    return q;
}

u256 u256_mod(const u256 *a, const u256 *b) {
    u256 r;
    u256_divmod(NULL, &r, a, b);
    return r;
}

u256 u256_sdiv(const u256 *a, const u256 *b) {
    u256 x = is_negative(a) ? negate(a) : *a;
    u256 y = is_negative(b) ? negate(b) : *b;
    u256 q = u256_div(&x, &y);
    return is_negative(a) != is_negative(b) ? negate(&q) : q;
}

u256 u256_smod(const u256 *a, const u256 *b) {
    u256 x = is_negative(a) ? negate(a) : *a;
    u256 y = is_negative(b) ? negate(b) : *b;
    u256 r = u256_mod(&x, &y);
    return is_negative(a) ? negate(&r) : r;
}

/* n limbs modulo m. */
static u256 reduce(const uint64_t *num, size_t n, const u256 *m) {
    u256 r = U256_ZERO;
    size_t dn = limb_count(m->w, 4);
    size_t un = limb_count(num, n);
    if (dn == 0)
        return r;
    if (un < dn) {
        memcpy(r.w, num, un * sizeof(uint64_t));
        return r;
    }
    uint64_t q[8];
    div_limbs(q, r.w, num, un, m->w, dn);
    return r;
}

u256 u256_addmod(const u256 *a, const u256 *b, const u256 *m) {
    uint64_t sum[5];
    u256 low;
    sum[4] = u256_add_overflow(&low, a, b);
    /* Field elements of a curve, the usual operands: below the modulus, whose top limb is full. */
    if (m->w[3] != 0 && u256_lt(a, m) && u256_lt(b, m)) {
        u256 less = u256_sub(&low, m);
        return sum[4] != 0 || !u256_lt(&low, m) ? less : low;
    }
    memcpy(sum, low.w, sizeof(low.w));
    return reduce(sum, 5, m);
}

u256 u256_mulmod(const u256 *a, const u256 *b, const u256 *m) {
    uint64_t wide[8];
    u256_mul_wide(wide, a, b);
    return reduce(wide, 8, m);
}

u256 u256_exp(const u256 *base, const u256 *exponent) {
    unsigned bits = u256_bit_len(exponent);
    if (bits == 0)
        return U256_ONE;
    if (u256_fits_u64(base) && base->w[0] == 2) {
        u256 one = U256_ONE;
        return u256_shl(exponent, &one);
    }
    u256 r = *base;
    for (unsigned i = bits - 1; i-- > 0;) {
        r = u256_mul(&r, &r);
        if (exponent->w[i / 64] >> (i % 64) & 1)
            r = u256_mul(&r, base);
    }
    return r;
}

u256 u256_signextend(const u256 *idx, const u256 *a) {
    if (!u256_fits_u64(idx) || idx->w[0] >= 31)
        return *a;
    unsigned sign_bit = (unsigned)idx->w[0] * 8 + 7;
    unsigned limb = sign_bit / 64;
    unsigned up = 63 - sign_bit % 64;
    u256 r = *a;
    r.w[limb] = (uint64_t)((int64_t)(r.w[limb] << up) >> up);
    uint64_t fill = (uint64_t)((int64_t)r.w[limb] >> 63);
    for (unsigned i = limb + 1; i < 4; i++)
        r.w[i] = fill;
    return r;
}

u256 u256_byte(const u256 *idx, const u256 *a) {
    if (!u256_fits_u64(idx) || idx->w[0] >= 32)
        return U256_ZERO;
    unsigned from_low = 31 - (unsigned)idx->w[0];
    return u256_from_u64(a->w[from_low / 8] >> (from_low % 8 * 8) & 0xff);
}

u256 u256_shl(const u256 *shift, const u256 *a) {
    if (!u256_fits_u64(shift) || shift->w[0] >= 256)
        return U256_ZERO;
    unsigned limbs = (unsigned)shift->w[0] / 64;
    unsigned bits = (unsigned)shift->w[0] % 64;
    /* Zero limbs below the value, so that one window of it is the answer for any count. */
    uint64_t t[8] = {0, 0, 0, 0, a->w[0], a->w[1], a->w[2], a->w[3]};
    const uint64_t *w = t + 4 - limbs;
    u256 r;
    r.w[3] = w[3] << bits | w[2] >> 1 >> (63 - bits);
    r.w[2] = w[2] << bits | w[1] >> 1 >> (63 - bits);
    r.w[1] = w[1] << bits | w[0] >> 1 >> (63 - bits);
    r.w[0] = w[0] << bits;
    return r;
}

/* The value shifted right by count < 256, `fill` coming in from above. */
static inline u256 shift_right(const u256 *a, unsigned count, uint64_t fill) {
    unsigned limbs = count / 64;
    unsigned bits = count % 64;
    uint64_t t[8] = {a->w[0], a->w[1], a->w[2], a->w[3], fill, fill, fill, fill};
    const uint64_t *w = t + limbs;
    u256 r;
    r.w[0] = w[0] >> bits | w[1] << 1 << (63 - bits);
    r.w[1] = w[1] >> bits | w[2] << 1 << (63 - bits);
    r.w[2] = w[2] >> bits | w[3] << 1 << (63 - bits);
    r.w[3] = w[3] >> bits | w[4] << 1 << (63 - bits);
    return r;
}

u256 u256_shr(const u256 *shift, const u256 *a) {
    if (!u256_fits_u64(shift) || shift->w[0] >= 256)
        return U256_ZERO;
    return shift_right(a, (unsigned)shift->w[0], 0);
}

u256 u256_sar(const u256 *shift, const u256 *a) {
    uint64_t fill = is_negative(a) ? UINT64_MAX : 0;
    if (!u256_fits_u64(shift) || shift->w[0] >= 256)
        return (u256){{fill, fill, fill, fill}};
    return shift_right(a, (unsigned)shift->w[0], fill);
}

unsigned u256_bit_len(const u256 *a) {
    for (unsigned i = 4; i-- > 0;) {
        if (a->w[i] != 0)
            return 64 * i + 64 - (unsigned)__builtin_clzll(a->w[i]);
    }
    return 0;
}

u256 u256_from_be(const uint8_t *in, size_t len) {
    CHECK(len <= 32);
    uint8_t word[32] = {0};
    if (len > 0)
        memcpy(word + 32 - len, in, len);
    return u256_from_be32(word);
}

size_t u256_to_be_min(uint8_t out[32], const u256 *a) {
    uint8_t word[32];
    u256_to_be32(word, a);
    size_t len = u256_byte_len(a);
    memcpy(out, word + 32 - len, len);
    return len;
}

char *u256_to_dec(char out[79], const u256 *a) {
    const u256 ten_to_19 =
        u256_from_u64(10000000000000000000ull); /* 10^19, the largest in 64 bits */
    char text[80];
    size_t at = sizeof(text);
    text[--at] = '\0';
    u256 left = *a;
    do {
        u256 part;
        u256_divmod(&left, &part, &left, &ten_to_19);
        uint64_t v = part.w[0];
        bool last = u256_is_zero(&left);
        for (int i = 0; last ? v != 0 : i < 19; i++) {
            text[--at] = (char)('0' + v % 10);
            v /= 10;
        }
    } while (!u256_is_zero(&left));
    if (at == sizeof(text) - 1)
        text[--at] = '0';
    memcpy(out, text + at, sizeof(text) - at);
    return out;
}
