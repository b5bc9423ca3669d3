/* SPDX-License-Identifier: Apache-2.0 */
/* 256-bit unsigned integers modulo 2^256: the arithmetic of the EVM (Yellow Paper, appendix H).
 * Four 64-bit limbs, least significant first. Division by zero gives zero, as the EVM has it. */
#ifndef BASE_U256_H
#define BASE_U256_H

#include "base/types.h"

typedef struct {
    uint64_t w[4];
} u256;

#define U256_ZERO ((u256){{0, 0, 0, 0}})
#define U256_ONE ((u256){{1, 0, 0, 0}})
#define U256_MAX ((u256){{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}})

static inline u256 u256_from_u64(uint64_t v) {
    return (u256){{v, 0, 0, 0}};
}
static inline bool u256_is_zero(const u256 *a) {
    return (a->w[0] | a->w[1] | a->w[2] | a->w[3]) == 0;
}
static inline bool u256_eq(const u256 *a, const u256 *b) {
    return ((a->w[0] ^ b->w[0]) | (a->w[1] ^ b->w[1]) | (a->w[2] ^ b->w[2]) |
            (a->w[3] ^ b->w[3])) == 0;
}
static inline bool u256_fits_u64(const u256 *a) {
    return (a->w[1] | a->w[2] | a->w[3]) == 0;
}
/* The value, or UINT64_MAX if it does not fit. */
static inline uint64_t u256_sat_u64(const u256 *a) {
    return u256_fits_u64(a) ? a->w[0] : UINT64_MAX;
}

/* -1, 0 or 1; unsigned and two's-complement order. */
int u256_cmp(const u256 *a, const u256 *b);
int u256_scmp(const u256 *a, const u256 *b);

/* One limb of a sum or difference: *out = a + b + carry (or a - b - borrow), returns the new carry.
 * Both compilers turn a chain of these into adc and sbb; they do not with plain C or __int128. The
 * builtins are those behind _addcarry_u64, without the cost of <immintrin.h> in every file.
 * U256_PORTABLE, for a test build, selects what other machines get. */
static inline unsigned char u256_limb_add(unsigned char carry, uint64_t a, uint64_t b,
                                          unsigned long long *out) {
#if defined(__x86_64__) && !defined(U256_PORTABLE)
    return __builtin_ia32_addcarryx_u64(carry, a, b, out);
#else
    unsigned __int128 t = (unsigned __int128)a + b + carry;
    *out = (unsigned long long)t;
    return (unsigned char)(t >> 64);
#endif
}
static inline unsigned char u256_limb_sub(unsigned char borrow, uint64_t a, uint64_t b,
                                          unsigned long long *out) {
#if defined(__x86_64__) && defined(__clang__) && !defined(U256_PORTABLE)
    return __builtin_ia32_subborrow_u64(borrow, a, b, out);
#elif defined(__x86_64__) && !defined(U256_PORTABLE)
    return __builtin_ia32_sbb_u64(borrow, a, b, out);
#else
    unsigned __int128 t = (unsigned __int128)a - b - borrow;
    *out = (unsigned long long)t;
    return (unsigned char)(t >> 64) & 1;
#endif
}

static inline u256 u256_add(const u256 *a, const u256 *b) {
    unsigned long long t0, t1, t2, t3;
    unsigned char c = u256_limb_add(0, a->w[0], b->w[0], &t0);
    c = u256_limb_add(c, a->w[1], b->w[1], &t1);
    c = u256_limb_add(c, a->w[2], b->w[2], &t2);
    (void)u256_limb_add(c, a->w[3], b->w[3], &t3);
    return (u256){{t0, t1, t2, t3}};
}
static inline u256 u256_sub(const u256 *a, const u256 *b) {
    unsigned long long t0, t1, t2, t3;
    unsigned char c = u256_limb_sub(0, a->w[0], b->w[0], &t0);
    c = u256_limb_sub(c, a->w[1], b->w[1], &t1);
    c = u256_limb_sub(c, a->w[2], b->w[2], &t2);
    (void)u256_limb_sub(c, a->w[3], b->w[3], &t3);
    return (u256){{t0, t1, t2, t3}};
}
static inline bool u256_lt(const u256 *a, const u256 *b) {
    unsigned long long t;
    unsigned char c = u256_limb_sub(0, a->w[0], b->w[0], &t);
    c = u256_limb_sub(c, a->w[1], b->w[1], &t);
    c = u256_limb_sub(c, a->w[2], b->w[2], &t);
    return u256_limb_sub(c, a->w[3], b->w[3], &t) != 0;
}
/* True if the sum or product exceeds 256 bits; *out then holds it modulo 2^256. */
bool u256_add_overflow(u256 *out, const u256 *a, const u256 *b);
bool u256_mul_overflow(u256 *out, const u256 *a, const u256 *b);

u256 u256_mul(const u256 *a, const u256 *b);
/* The full product, eight limbs, least significant first. */
void u256_mul_wide(uint64_t out[8], const u256 *a, const u256 *b);
/* Quotient and remainder; both zero when b is zero (the EVM's DIV and MOD). Either output may be
 * NULL. */
void u256_divmod(u256 *quot, u256 *rem, const u256 *a, const u256 *b);
u256 u256_div(const u256 *a, const u256 *b);
u256 u256_mod(const u256 *a, const u256 *b);
u256 u256_sdiv(const u256 *a, const u256 *b);
u256 u256_smod(const u256 *a, const u256 *b);
/* (a + b) mod m and (a * b) mod m over the full 257- and 512-bit intermediate; zero for m = 0. */
u256 u256_addmod(const u256 *a, const u256 *b, const u256 *m);
u256 u256_mulmod(const u256 *a, const u256 *b, const u256 *m);
u256 u256_exp(const u256 *base, const u256 *exponent);
/* SIGNEXTEND: extends the sign of byte `idx` (0 = lowest); idx >= 31 changes nothing. */
u256 u256_signextend(const u256 *idx, const u256 *a);
/* BYTE: byte `idx` counted from the most significant; zero when idx >= 32. */
u256 u256_byte(const u256 *idx, const u256 *a);
/* Shifts by any 256-bit count (EIP-145). */
u256 u256_shl(const u256 *shift, const u256 *a);
u256 u256_shr(const u256 *shift, const u256 *a);
u256 u256_sar(const u256 *shift, const u256 *a);
static inline u256 u256_and(const u256 *a, const u256 *b) {
    return (u256){{a->w[0] & b->w[0], a->w[1] & b->w[1], a->w[2] & b->w[2], a->w[3] & b->w[3]}};
}
static inline u256 u256_or(const u256 *a, const u256 *b) {
    return (u256){{a->w[0] | b->w[0], a->w[1] | b->w[1], a->w[2] | b->w[2], a->w[3] | b->w[3]}};
}
static inline u256 u256_xor(const u256 *a, const u256 *b) {
    return (u256){{a->w[0] ^ b->w[0], a->w[1] ^ b->w[1], a->w[2] ^ b->w[2], a->w[3] ^ b->w[3]}};
}
static inline u256 u256_not(const u256 *a) {
    return (u256){{~a->w[0], ~a->w[1], ~a->w[2], ~a->w[3]}};
}
/* Number of bits up to the highest set one, 0 for zero; and CLZ of EIP-7939 (256 for zero). */
unsigned u256_bit_len(const u256 *a);
static inline unsigned u256_byte_len(const u256 *a) {
    return (u256_bit_len(a) + 7) / 8;
}
static inline unsigned u256_clz(const u256 *a) {
    return 256 - u256_bit_len(a);
}

/* Big-endian words of 32 bytes, as the EVM's memory and storage have them. */
static inline u256 u256_from_be32(const uint8_t in[32]) {
    return (u256){{be64_load(in + 24), be64_load(in + 16), be64_load(in + 8), be64_load(in)}};
}
static inline void u256_to_be32(uint8_t out[32], const u256 *a) {
    be64_store(out, a->w[3]);
    be64_store(out + 8, a->w[2]);
    be64_store(out + 16, a->w[1]);
    be64_store(out + 24, a->w[0]);
}
/* Big-endian of `len` <= 32 bytes; leading bytes are zero. */
u256 u256_from_be(const uint8_t *in, size_t len);
/* Writes the minimal big-endian form (no leading zero; nothing for zero); its length, 0..32. */
size_t u256_to_be_min(uint8_t out[32], const u256 *a);

static inline u256 u256_from_addr(const addr20 *a) {
    return (u256){{be64_load(a->b + 12), be64_load(a->b + 4), (uint64_t)be32_load(a->b), 0}};
}
static inline addr20 u256_to_addr(const u256 *a) {
    addr20 r;
    be32_store(r.b, (uint32_t)a->w[2]);
    be64_store(r.b + 4, a->w[1]);
    be64_store(r.b + 12, a->w[0]);
    return r;
}

/* Decimal text, NUL-terminated; out holds at least 79 bytes. */
char *u256_to_dec(char out[79], const u256 *a);

#endif
