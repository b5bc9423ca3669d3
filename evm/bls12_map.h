/* SPDX-License-Identifier: Apache-2.0 */
/* Field elements to points of BLS12-381's subgroups: map_to_curve and clear_cofactor of RFC 9380
 * (suites BLS12381G1_XMD:SHA-256_SSWU_RO_ and BLS12381G2_XMD:SHA-256_SSWU_RO_, §8.8), without the
 * hashing that precedes them. The simplified SWU map (§6.6.3) lands on a curve that is 11-isogenous
 * (G1) or 3-isogenous (G2) to the real one; an isogeny (§E.2, §E.3) and the effective cofactor do
 * the rest. */
#ifndef EVM_BLS12_MAP_H
#define EVM_BLS12_MAP_H

#include "evm/bls12.h"

/* A point of the subgroup for any u. */
void bls12_map_to_g1(struct bls12_g1_affine *r, const struct bls12_fp *u);
void bls12_map_to_g2(struct bls12_g2_affine *r, const struct bls12_fp2 *u);

/* The steps, for tests: a point on the isogenous curve y^2 = x^3 + A x + B, and its image on the
 * curve itself (infinity where the isogeny has a pole). */
void bls12_sswu_g1(struct bls12_fp *x, struct bls12_fp *y, const struct bls12_fp *u);
void bls12_sswu_g2(struct bls12_fp2 *x, struct bls12_fp2 *y, const struct bls12_fp2 *u);
void bls12_isogeny_g1(struct bls12_g1 *r, const struct bls12_fp *x, const struct bls12_fp *y);
void bls12_isogeny_g2(struct bls12_g2 *r, const struct bls12_fp2 *x, const struct bls12_fp2 *y);

extern const struct bls12_fp BLS12_SSWU_G1_A, BLS12_SSWU_G1_B;
extern const struct bls12_fp2 BLS12_SSWU_G2_A, BLS12_SSWU_G2_B;

#endif
