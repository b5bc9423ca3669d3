/* SPDX-License-Identifier: Apache-2.0 */
/* MULMOD for code that uses one modulus over and over, as curve arithmetic does: Barrett reduction
 * (Menezes, van Oorschot, Vanstone: Handbook of Applied Cryptography, algorithm 14.42) with the
 * reciprocals of the last few moduli.
 *
 * A reciprocal costs about as much as 60 products, so a modulus gets one after it has been met
 * MULMOD_SEEN_MIN times in a row in its place; until then, and for moduli of three limbs and
 * fewer, the product is divided. Results do not depend on what was remembered. */
#ifndef EVM_MULMOD_H
#define EVM_MULMOD_H

#include "base/u256.h"

enum { MULMOD_PLACES = 4, MULMOD_SEEN_MIN = 64 };

struct modulus {
    u256 m;         /* 0: none yet */
    uint64_t mu[5]; /* floor(2^512 / m), once seen == MULMOD_SEEN_MIN */
    uint32_t seen;
};

/* Zeroed to begin with. One per machine: not thread-safe. */
struct mulmod_memory {
    struct modulus places[MULMOD_PLACES];
};

/* *r = a * b mod m over the full product, zero when m is zero. r may be any of the operands. */
void mulmod(struct mulmod_memory *mem, u256 *r, const u256 *a, const u256 *b, const u256 *m);

#endif
