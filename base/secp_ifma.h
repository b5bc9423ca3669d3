/* SPDX-License-Identifier: Apache-2.0 */
/* Recovery of eight signatures at a time with AVX-512 IFMA, for base/secp.c. It answers only where
 * it is certain: whatever is exceptional is left to libsecp256k1.
 *
 * Q = u1 G + u2 R with R the point that r names, u1 = -z/r and u2 = s/r modulo the order n. u2 is
 * split by the curve's endomorphism (x, y) -> (beta x, y), which multiplies by lambda, into two odd
 * numbers of 130 bits. An odd number below 2^m in size has the form sum (2 t_j - 1) 2^j, j < m,
 * with t = (k + 2^m - 1) / 2: a window of w bits of t with the value T stands for the odd digit 2 T
 * - (2^w - 1). So no digit is zero and no addition is skipped. */
#ifndef BASE_SECP_IFMA_H
#define BASE_SECP_IFMA_H

#include "base/secp.h"

#if defined(__x86_64__)
#define SECP_HAS_IFMA 1
#else
#define SECP_HAS_IFMA 0
#endif

enum {
    SECP_LANES = 8,
    SECP_GROUPS_MAX = 8, /* vectors that share an inversion */
    SECP_WINDOW = 5,     /* bits per digit of the halves of u2 */
    SECP_WINDOWS = 26,
    SECP_MULTIPLES = 1 << (SECP_WINDOW - 1), /* 1, 3, ... 31 */
    SECP_G_WINDOW = 8,                       /* bits per digit of u1 */
    SECP_G_WINDOWS = 32,
    SECP_G_MULTIPLES = 1 << (SECP_G_WINDOW - 1),
};

/* Digits of eight lanes: digit +-(2 idx + 1); bit l of neg is set when that of lane l is negative.
 */
struct secp_digits {
    uint8_t idx[2][SECP_WINDOWS][SECP_LANES];
    uint8_t neg[2][SECP_WINDOWS];
    uint8_t g_idx[SECP_G_WINDOWS][SECP_LANES];
    uint8_t g_neg[SECP_G_WINDOWS];
};

/* Scalars of n <= SECP_LANES * SECP_GROUPS_MAX signatures, in groups of eight. usable[i] is false,
 * and the digits are those of some valid signature, when r or s is outside [1, order) or recid
 * above 1 (no more than one signature in 2^127 needs that); likewise for the lanes beyond n. usable
 * has room for the last group's lanes. Plain C. */
void secp_scalars(struct secp_digits *groups, bool *usable, const hash32 *digests,
                  const struct secp_sig *sigs, size_t n);

#if SECP_HAS_IFMA
/* Public keys (x | y, big-endian) of n <= SECP_LANES * SECP_GROUPS_MAX signatures. done[i] tells
 * which keys are right; the others are to be asked of libsecp256k1, and their key is not written.
 * Needs AVX-512 F, DQ, BW, VL, IFMA, VBMI2 and BMI2, and secp_ifma_init. No allocation. */
void secp_ifma_recover(uint8_t (*keys)[64], bool *done, const hash32 *digests,
                       const struct secp_sig *sigs, size_t n);

/* Makes the table of multiples of G (256 KiB). Once, before the first recovery; `powers` holds
 * 2^(8i) G, x and y big-endian. */
void secp_ifma_init(const uint8_t powers[SECP_G_WINDOWS][64]);
#endif

#endif
