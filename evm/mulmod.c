/* SPDX-License-Identifier: Apache-2.0 */
#include "evm/mulmod.h"

typedef unsigned __int128 u128;

#define UNROLL _Pragma("GCC unroll 8")

static void mul_4x4(uint64_t out[8], const uint64_t a[4], const uint64_t b[4]) {
    memset(out, 0, 8 * sizeof(uint64_t));
    UNROLL
    for (int i = 0; i < 4; i++) {
        uint64_t carry = 0;
        UNROLL
        for (int j = 0; j < 4; j++) {
            u128 t = (u128)a[i] * b[j] + out[i + j] + carry;
            out[i + j] = (uint64_t)t;
            carry = (uint64_t)(t >> 64);
        }
        out[i + 4] = carry;
    }
}

/* Limbs 5 to 9 of a * b, or one less: columns 0 to 2 are left out, and together are less than one
 * of limb 5. */
static void mul_5x5_high(uint64_t out[5], const uint64_t a[5], const uint64_t b[5]) {
    uint64_t t[10] = {0};
    UNROLL
    for (int i = 0; i < 5; i++) {
        uint64_t carry = 0;
        UNROLL
        for (int j = 0; j < 5; j++) {
            if (i + j < 3)
                continue;
            u128 p = (u128)a[i] * b[j] + t[i + j] + carry;
            t[i + j] = (uint64_t)p;
            carry = (uint64_t)(p >> 64);
        }
        t[i + 5] = carry;
    }
    memcpy(out, t + 5, 5 * sizeof(uint64_t));
}

/* Limbs 0 to 4 of q * m. */
static void mul_5x4_low(uint64_t out[5], const uint64_t q[5], const uint64_t m[4]) {
    memset(out, 0, 5 * sizeof(uint64_t));
    UNROLL
    for (int i = 0; i < 5; i++) {
        uint64_t carry = 0;
        UNROLL
        for (int j = 0; j < 4; j++) {
            if (i + j > 4)
                continue;
            u128 p = (u128)q[i] * m[j] + out[i + j] + carry;
            out[i + j] = (uint64_t)p;
            carry = (uint64_t)(p >> 64);
        }
        if (i == 0)
            out[4] = carry;
    }
}

/* a -= b over n limbs; returns the borrow. */
static inline uint64_t sub_limbs(uint64_t *a, const uint64_t *b, int n) {
    uint64_t borrow = 0;
    UNROLL
    for (int i = 0; i < n; i++) {
        u128 t = (u128)a[i] - b[i] - borrow;
        a[i] = (uint64_t)t;
        borrow = (uint64_t)(t >> 64) & 1;
    }
    return borrow;
}

/* x mod m for x < 2^512. The quotient from mu is at most three too small. */
static void barrett(u256 *r, const uint64_t x[8], const struct modulus *mod) {
    uint64_t q[5], low[5], rest[5];
    mul_5x5_high(q, x + 3, mod->mu);
    mul_5x4_low(low, q, mod->m.w);
    memcpy(rest, x, sizeof rest);
    (void)sub_limbs(rest, low, 5);
    for (;;) {
        u256 v = {{rest[0], rest[1], rest[2], rest[3]}};
        if (rest[4] == 0 && u256_lt(&v, &mod->m)) {
            *r = v;
            return;
        }
        rest[4] -= sub_limbs(rest, mod->m.w, 4);
    }
}

/* floor(2^512 / m) bit by bit, for 2^192 < m: the quotient has 320 bits. */
static void reciprocal(uint64_t mu[5], const u256 *m) {
    u256 rest = {{0, 0, UINT64_C(1) << 63, 0}}; /* what 2^191 leaves */
    memset(mu, 0, 5 * sizeof(uint64_t));
    for (int bit = 320; bit >= 0; bit--) {
        bool high = rest.w[3] >> 63 != 0;
        rest = u256_add(&rest, &rest);
        if (high || !u256_lt(&rest, m)) {
            rest = u256_sub(&rest, m);
            mu[bit / 64] |= UINT64_C(1) << (bit % 64);
        }
    }
}

/* A modulus that Barrett's method takes here: four limbs, and more than 2^192, whose reciprocal
 * would have one bit too many. */
static bool suits(const u256 *m) {
    return m->w[3] > 1 || (m->w[3] == 1 && (m->w[0] | m->w[1] | m->w[2]) != 0);
}

void mulmod(struct mulmod_memory *mem, u256 *r, const u256 *a, const u256 *b, const u256 *m) {
    if (!suits(m)) {
        *r = u256_mulmod(a, b, m);
        return;
    }
    struct modulus *mod = &mem->places[(m->w[0] ^ m->w[0] >> 5) % MULMOD_PLACES];
    if (!u256_eq(&mod->m, m)) {
        mod->m = *m;
        mod->seen = 0;
    }
    if (mod->seen < MULMOD_SEEN_MIN) {
        if (++mod->seen == MULMOD_SEEN_MIN)
            reciprocal(mod->mu, m);
        *r = u256_mulmod(a, b, m);
        return;
    }
    uint64_t x[8];
    mul_4x4(x, a->w, b->w);
    barrett(r, x, mod);
}
