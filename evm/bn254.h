/* SPDX-License-Identifier: Apache-2.0 */
/* The pairing-friendly curve alt_bn128 of EIP-196 and EIP-197 (a Barreto-Naehrig curve):
 *   G1: y^2 = x^3 + 3 over Fp, all of it of the prime order n;
 *   G2: the n-torsion of y^2 = x^3 + 3 / (9 + i) over Fp2, a small part of that curve.
 * Types bn254_g1, bn254_g1_affine, bn254_g2, bn254_g2_affine; evm/curve.inc documents their
 * functions. */
#ifndef EVM_BN254_H
#define EVM_BN254_H

#include "base/arena.h"
#include "base/u256.h"
#include "evm/fp_bn254.h"

#define CURVE bn254_g1
#define COORD bn254_fp
#include "evm/curve.inc"
#undef CURVE
#undef COORD

#define CURVE bn254_g2
#define COORD bn254_fp2
#include "evm/curve.inc"
#undef CURVE
#undef COORD

/* The order n of both groups. */
extern const u256 BN254_ORDER;

/* k a for any 256-bit k, about a third faster than bn254_g1_mul: k is split in two halves with the
 * endomorphism (x, y) -> (beta x, y) (Gallant, Lambert, Vanstone). */
void bn254_g1_mul_fast(struct bn254_g1 *r, const struct bn254_g1_affine *a, const u256 *k);

/* The untwist-Frobenius-twist endomorphism of G2's curve; on G2 it is multiplication by p. */
void bn254_g2_psi(struct bn254_g2 *r, const struct bn254_g2 *a);

/* Whether a point on G2's curve is of order n (or infinity). */
bool bn254_g2_in_subgroup(const struct bn254_g2_affine *a);

struct bn254_pair {
    struct bn254_g1_affine p;
    struct bn254_g2_affine q; /* in the subgroup */
    struct bn254_g2 t;        /* scratch of the pairing functions */
};

/* Product over the pairs of e(p, q), the optimal ate pairing raised to a fixed power prime to n.
 * One for no pairs. A pair with infinity in it counts as one. */
void bn254_pairing(struct bn254_fp12 *r, struct bn254_pair *pairs, size_t n);

#endif
