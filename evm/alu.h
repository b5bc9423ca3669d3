/* SPDX-License-Identifier: Apache-2.0 */
/* 256-bit arithmetic for the interpreter's loops: the same results as base/u256.h, inline and
 * written so that gcc 12 keeps the four limbs in registers. Outputs may alias inputs. */
#ifndef EVM_ALU_H
#define EVM_ALU_H

#include "base/u256.h"

#if defined(__x86_64__) && !defined(__clang__)
/* gcc 12 turns the carry builtins into setc/movzx chains; four additions in a row are what is
 * wanted. clang makes these by itself, and must not be given such assembly: clang 14 copies the end
 * of a slot's body behind each of its branches, and there loses operands that are both read and
 * written, or tied to each other by a digit. */
static inline void alu_add(u256 *r, const u256 *a, const u256 *b) {
    uint64_t w0 = a->w[0], w1 = a->w[1], w2 = a->w[2], w3 = a->w[3];
    __asm__("addq %4, %0\n\tadcq %5, %1\n\tadcq %6, %2\n\tadcq %7, %3"
            : "+&r"(w0), "+&r"(w1), "+&r"(w2), "+&r"(w3)
            : "m"(b->w[0]), "m"(b->w[1]), "m"(b->w[2]), "m"(b->w[3])
            : "cc");
    *r = (u256){{w0, w1, w2, w3}};
}
static inline void alu_sub(u256 *r, const u256 *a, const u256 *b) {
    uint64_t w0 = a->w[0], w1 = a->w[1], w2 = a->w[2], w3 = a->w[3];
    __asm__("subq %4, %0\n\tsbbq %5, %1\n\tsbbq %6, %2\n\tsbbq %7, %3"
            : "+&r"(w0), "+&r"(w1), "+&r"(w2), "+&r"(w3)
            : "m"(b->w[0]), "m"(b->w[1]), "m"(b->w[2]), "m"(b->w[3])
            : "cc");
    *r = (u256){{w0, w1, w2, w3}};
}
static inline void alu_add64(u256 *r, const u256 *a, uint64_t v) {
    uint64_t w0 = a->w[0], w1 = a->w[1], w2 = a->w[2], w3 = a->w[3];
    __asm__("addq %4, %0\n\tadcq $0, %1\n\tadcq $0, %2\n\tadcq $0, %3"
            : "+&r"(w0), "+&r"(w1), "+&r"(w2), "+&r"(w3)
            : "r"(v)
            : "cc");
    *r = (u256){{w0, w1, w2, w3}};
}
/* a < b, unsigned: the borrow of a - b. */
static inline bool alu_lt(const u256 *a, const u256 *b) {
    uint64_t t = a->w[0];
    bool lt;
    __asm__("cmpq %2, %1\n\t"
            "movq %3, %1\n\tsbbq %4, %1\n\t"
            "movq %5, %1\n\tsbbq %6, %1\n\t"
            "movq %7, %1\n\tsbbq %8, %1"
            : "=@ccc"(lt), "+&r"(t)
            : "m"(b->w[0]), "m"(a->w[1]), "m"(b->w[1]), "m"(a->w[2]), "m"(b->w[2]), "m"(a->w[3]),
              "m"(b->w[3])
            : "cc");
    return lt;
}
#else
static inline void alu_add(u256 *r, const u256 *a, const u256 *b) {
    *r = u256_add(a, b);
}
static inline void alu_sub(u256 *r, const u256 *a, const u256 *b) {
    *r = u256_sub(a, b);
}
static inline void alu_add64(u256 *r, const u256 *a, uint64_t v) {
    u256 t = u256_from_u64(v);
    *r = u256_add(a, &t);
}
static inline bool alu_lt(const u256 *a, const u256 *b) {
    return u256_lt(a, b);
}
#endif

/* Two's-complement order. */
static inline bool alu_slt(const u256 *a, const u256 *b) {
    uint64_t sa = a->w[3] >> 63, sb = b->w[3] >> 63;
    return sa != sb ? sa != 0 : alu_lt(a, b);
}

/* Whether a & b is zero. */
static inline bool alu_disjoint(const u256 *a, const u256 *b) {
    return ((a->w[0] & b->w[0]) | (a->w[1] & b->w[1]) | (a->w[2] & b->w[2]) |
            (a->w[3] & b->w[3])) == 0;
}

static inline void alu_set_bool(u256 *r, bool v) {
    *r = (u256){{v, 0, 0, 0}};
}

/* Low 256 bits of the product: ten partial products, or one when both factors fit 64 bits. */
static inline void alu_mul(u256 *r, const u256 *a, const u256 *b) {
    typedef unsigned __int128 u128;
    uint64_t a0 = a->w[0], a1 = a->w[1], a2 = a->w[2], a3 = a->w[3];
    uint64_t b0 = b->w[0], b1 = b->w[1], b2 = b->w[2], b3 = b->w[3];
    u128 p = (u128)a0 * b0;
    if ((a1 | a2 | a3 | b1 | b2 | b3) == 0) {
        *r = (u256){{(uint64_t)p, (uint64_t)(p >> 64), 0, 0}};
        return;
    }
    u128 t1 = (u128)a0 * b1 + (uint64_t)(p >> 64);
    u128 t2 = (u128)a1 * b0 + (uint64_t)t1;
    /* From the third limb on, what overflows 128 bits is beyond the result. */
    u128 s = (t1 >> 64) + (t2 >> 64) + (u128)a0 * b2;
    s += (u128)a1 * b1;
    s += (u128)a2 * b0;
    uint64_t r3 = (uint64_t)(s >> 64) + a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0;
    *r = (u256){{(uint64_t)p, (uint64_t)t2, (uint64_t)s, r3}};
}

static inline void alu_mul64(u256 *r, const u256 *a, uint64_t v) {
    typedef unsigned __int128 u128;
    u128 t0 = (u128)a->w[0] * v;
    u128 t1 = (u128)a->w[1] * v + (uint64_t)(t0 >> 64);
    u128 t2 = (u128)a->w[2] * v + (uint64_t)(t1 >> 64);
    uint64_t t3 = a->w[3] * v + (uint64_t)(t2 >> 64);
    *r = (u256){{(uint64_t)t0, (uint64_t)t1, (uint64_t)t2, t3}};
}

/* Shifts by n bits: whole limbs by a switch, the rest by double-width shifts. n >= 256 gives zero.
 */
static inline void alu_shl_n(u256 *r, const u256 *a, uint64_t n) {
    uint64_t a0 = a->w[0], a1 = a->w[1], a2 = a->w[2], a3 = a->w[3];
    unsigned s = (unsigned)n & 63;
    /* (x >> 1) >> (63 - s) is x >> (64 - s), and right for s == 0 too. */
#define ALU_SHLD(hi, lo) (((hi) << s) | (((lo) >> 1) >> (63 - s)))
    switch (n >> 6) {
    case 0:
        *r = (u256){{a0 << s, ALU_SHLD(a1, a0), ALU_SHLD(a2, a1), ALU_SHLD(a3, a2)}};
        return;
    case 1:
        *r = (u256){{0, a0 << s, ALU_SHLD(a1, a0), ALU_SHLD(a2, a1)}};
        return;
    case 2:
        *r = (u256){{0, 0, a0 << s, ALU_SHLD(a1, a0)}};
        return;
    case 3:
        *r = (u256){{0, 0, 0, a0 << s}};
        return;
    default:
        *r = U256_ZERO;
        return;
    }
#undef ALU_SHLD
}
static inline void alu_shr_n(u256 *r, const u256 *a, uint64_t n) {
    uint64_t a0 = a->w[0], a1 = a->w[1], a2 = a->w[2], a3 = a->w[3];
    unsigned s = (unsigned)n & 63;
#define ALU_SHRD(hi, lo) (((lo) >> s) | (((hi) << 1) << (63 - s)))
    switch (n >> 6) {
    case 0:
        *r = (u256){{ALU_SHRD(a1, a0), ALU_SHRD(a2, a1), ALU_SHRD(a3, a2), a3 >> s}};
        return;
    case 1:
        *r = (u256){{ALU_SHRD(a2, a1), ALU_SHRD(a3, a2), a3 >> s, 0}};
        return;
    case 2:
        *r = (u256){{ALU_SHRD(a3, a2), a3 >> s, 0, 0}};
        return;
    case 3:
        *r = (u256){{a3 >> s, 0, 0, 0}};
        return;
    default:
        *r = U256_ZERO;
        return;
    }
#undef ALU_SHRD
}
static inline void alu_shl(u256 *r, const u256 *count, const u256 *a) {
    alu_shl_n(r, a, u256_sat_u64(count));
}
static inline void alu_shr(u256 *r, const u256 *count, const u256 *a) {
    alu_shr_n(r, a, u256_sat_u64(count));
}
static inline void alu_sar(u256 *r, const u256 *count, const u256 *a) {
    if ((a->w[3] >> 63) == 0) {
        alu_shr(r, count, a);
        return;
    }
    /* ~(~a >> n) keeps the sign. */
    u256 t = u256_not(a);
    alu_shr(&t, count, &t);
    *r = u256_not(&t);
}

#if defined(__x86_64__) && !defined(__clang__) /* as above */
/* (*rem * 2^64 + low) / d; *rem, below d, becomes the remainder. */
static inline uint64_t alu_div_2by1(uint64_t *rem, uint64_t low, uint64_t d) {
    uint64_t digit;
    __asm__("divq %4" : "=a"(digit), "=d"(*rem) : "0"(low), "1"(*rem), "rm"(d) : "cc");
    return digit;
}
/* Quotient of a by one limb, not zero: the processor's own 128-by-64 division, limb by limb from
 * the top. Returns the remainder. */
static inline uint64_t alu_div_limb(u256 *q, const u256 *a, uint64_t d) {
    uint64_t rem = 0, q1 = 0, q2 = 0, q3 = 0;
    if ((a->w[1] | a->w[2] | a->w[3]) == 0) {
        uint64_t n = a->w[0];
        *q = u256_from_u64(n / d);
        return n % d;
    }
    if ((a->w[2] | a->w[3]) != 0) {
        q3 = alu_div_2by1(&rem, a->w[3], d);
        q2 = alu_div_2by1(&rem, a->w[2], d);
    }
    q1 = alu_div_2by1(&rem, a->w[1], d);
    uint64_t q0 = alu_div_2by1(&rem, a->w[0], d);
    *q = (u256){{q0, q1, q2, q3}};
    return rem;
}
#else
static inline uint64_t alu_div_limb(u256 *q, const u256 *a, uint64_t d) {
    u256 rem, divisor = u256_from_u64(d);
    u256_divmod(q, &rem, a, &divisor);
    return rem.w[0];
}
#endif

/* Quotient and remainder, zero when b is; most divisors of real programs fit 64 bits. */
static inline void alu_div(u256 *r, const u256 *a, const u256 *b) {
    if (u256_fits_u64(b) && b->w[0] != 0)
        alu_div_limb(r, a, b->w[0]);
    else
        *r = u256_div(a, b);
}
static inline void alu_mod(u256 *r, const u256 *a, const u256 *b) {
    u256 q;
    if (u256_fits_u64(b) && b->w[0] != 0)
        *r = u256_from_u64(alu_div_limb(&q, a, b->w[0]));
    else
        *r = u256_mod(a, b);
}
static inline u256 alu_magnitude(const u256 *a, bool negative) {
    const u256 zero = U256_ZERO;
    u256 r = *a;
    if (negative)
        alu_sub(&r, &zero, a);
    return r;
}
static inline void alu_sdiv(u256 *r, const u256 *a, const u256 *b) {
    bool na = a->w[3] >> 63, nb = b->w[3] >> 63;
    u256 x = alu_magnitude(a, na), y = alu_magnitude(b, nb), q;
    alu_div(&q, &x, &y);
    *r = alu_magnitude(&q, na != nb);
}
/* The remainder has the sign of a. */
static inline void alu_smod(u256 *r, const u256 *a, const u256 *b) {
    bool na = a->w[3] >> 63;
    u256 x = alu_magnitude(a, na), y = alu_magnitude(b, b->w[3] >> 63), rem;
    alu_mod(&rem, &x, &y);
    *r = alu_magnitude(&rem, na);
}

/* (a + b) mod m. Operands below the modulus, as modular code has them, need no division. */
static inline void alu_addmod(u256 *r, const u256 *a, const u256 *b, const u256 *m) {
    if (!alu_lt(a, m) || !alu_lt(b, m)) {
        *r = u256_addmod(a, b, m);
        return;
    }
    u256 sum, less;
    alu_add(&sum, a, b);
    alu_sub(&less, &sum, m);
    /* sum < a: the addition has wrapped, which makes the true sum larger than m. */
    bool below = !alu_lt(&sum, a) && alu_lt(&sum, m);
    *r = below ? sum : less;
}

/* The EVM's BYTE: index 0 is the most significant. */
static inline void alu_byte(u256 *r, const u256 *idx, const u256 *a) {
    uint64_t i = u256_sat_u64(idx);
    *r = u256_from_u64(i >= 32 ? 0 : (a->w[3 - (i >> 3)] >> (56 - 8 * (i & 7))) & 0xff);
}

/* Extends the sign of byte `idx`, counted from the lowest; 31 and above change nothing. */
static inline void alu_signextend(u256 *r, const u256 *idx, const u256 *a) {
    uint64_t i = u256_sat_u64(idx);
    unsigned up = 56 - 8 * ((unsigned)i & 7);
#define ALU_SIGNED(limb) ((uint64_t)((int64_t)((limb) << up) >> up))
    uint64_t v, fill;
    switch (i >> 3) {
    case 0:
        v = ALU_SIGNED(a->w[0]);
        fill = (uint64_t)((int64_t)v >> 63);
        *r = (u256){{v, fill, fill, fill}};
        return;
    case 1:
        v = ALU_SIGNED(a->w[1]);
        fill = (uint64_t)((int64_t)v >> 63);
        *r = (u256){{a->w[0], v, fill, fill}};
        return;
    case 2:
        v = ALU_SIGNED(a->w[2]);
        fill = (uint64_t)((int64_t)v >> 63);
        *r = (u256){{a->w[0], a->w[1], v, fill}};
        return;
    case 3:
        *r = (u256){{a->w[0], a->w[1], a->w[2], ALU_SIGNED(a->w[3])}};
        return;
    default:
        *r = *a;
        return;
    }
#undef ALU_SIGNED
}

#endif
