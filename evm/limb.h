/* SPDX-License-Identifier: Apache-2.0 */
/* Carry chains over uint64_t limbs of any number, on base/u256.h's single step. */
#ifndef EVM_LIMB_H
#define EVM_LIMB_H

#include "base/u256.h"

/* For loops over the limbs of one number: short, of constant count, and several times faster
 * without the counter, which gcc keeps at -O2. */
#define LIMB_UNROLL _Pragma("GCC unroll 16")

/* *out = a + b + carry modulo 2^64; returns the carry. `carry` is 0 or 1. */
static inline unsigned char limb_addc(uint64_t *out, uint64_t a, uint64_t b, unsigned char carry) {
    unsigned long long v;
    carry = u256_limb_add(carry, a, b, &v);
    *out = v;
    return carry;
}

/* *out = a - b - borrow modulo 2^64; returns the borrow. `borrow` is 0 or 1. */
static inline unsigned char limb_subb(uint64_t *out, uint64_t a, uint64_t b, unsigned char borrow) {
    unsigned long long v;
    borrow = u256_limb_sub(borrow, a, b, &v);
    *out = v;
    return borrow;
}

#endif
