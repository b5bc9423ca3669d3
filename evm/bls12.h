/* SPDX-License-Identifier: Apache-2.0 */
/* The pairing-friendly curve BLS12-381 of EIP-2537 and EIP-4844:
 *   G1: the r-torsion of y^2 = x^3 + 4 over Fp;
 *   G2: the r-torsion of y^2 = x^3 + 4 (1 + i) over Fp2;
 * r = x^4 - x^2 + 1 for the curve's parameter x = -0xd201000000010000.
 * Types bls12_g1, bls12_g1_affine, bls12_g2, bls12_g2_affine; evm/curve.inc documents their
 * functions. */
#ifndef EVM_BLS12_H
#define EVM_BLS12_H

#include "base/arena.h"
#include "base/u256.h"
#include "evm/fp_bls12.h"

#define CURVE bls12_g1
#define COORD bls12_fp
#include "evm/curve.inc"
#undef CURVE
#undef COORD

#define CURVE bls12_g2
#define COORD bls12_fp2
#include "evm/curve.inc"
#undef CURVE
#undef COORD

/* The order r of both groups, and the generators that EIP-2537 names. */
extern const u256 BLS12_ORDER;
extern const struct bls12_g1_affine BLS12_G1_GENERATOR;
extern const struct bls12_g2_affine BLS12_G2_GENERATOR;

/* Endomorphisms. On G1 phi is multiplication by -x^2, on G2 psi is multiplication by x (and by p).
 */
void bls12_g1_phi(struct bls12_g1 *r, const struct bls12_g1 *a);
void bls12_g2_psi(struct bls12_g2 *r, const struct bls12_g2 *a);

/* Whether a point on the curve is in the subgroup of order r (infinity is). */
bool bls12_g1_in_subgroup(const struct bls12_g1_affine *a);
bool bls12_g2_in_subgroup(const struct bls12_g2_affine *a);

/* Sum of k_i a_i for points of the subgroup and any 256-bit k_i; scratch memory from `tmp`, given
 * back: about 4 KiB a point for few, 1 KiB a point for many. The endomorphism splits each k into 2
 * (G1) or 4 (G2) short numbers. False when memory does not suffice. */
bool bls12_g1_msm_subgroup(struct bls12_g1 *r, struct arena *tmp, const struct bls12_g1_affine *a,
                           const u256 *k, size_t n) MUST_USE;
bool bls12_g2_msm_subgroup(struct bls12_g2 *r, struct arena *tmp, const struct bls12_g2_affine *a,
                           const u256 *k, size_t n) MUST_USE;

/* Multiplication by the effective cofactor of RFC 9380 §8.8, which takes any point on the curve
 * into the subgroup. */
void bls12_g1_clear_cofactor(struct bls12_g1 *r, const struct bls12_g1 *a);
void bls12_g2_clear_cofactor(struct bls12_g2 *r, const struct bls12_g2 *a);

/* 48 bytes: x big-endian, with the flags compressed, infinity and "y is the larger root" in the
 * three top bits (the encoding of the consensus layer). False unless it is canonical and on the
 * curve; the subgroup is not tested. */
bool bls12_g1_decompress(struct bls12_g1_affine *r, const uint8_t in[48]);

struct bls12_pair {
    struct bls12_g1_affine p; /* both in the subgroups */
    struct bls12_g2_affine q;
    struct bls12_g2 t; /* scratch of the pairing functions */
};

/* Product over the pairs of e(p, q), the optimal ate pairing raised to a fixed power prime to r.
 * One for no pairs. A pair with infinity in it counts as one. */
void bls12_pairing(struct bls12_fp12 *r, struct bls12_pair *pairs, size_t n);

#endif
