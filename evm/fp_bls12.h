/* SPDX-License-Identifier: Apache-2.0 */
/* The base field of BLS12-381 (EIP-2537), 381 bits, and its tower with xi = 1 + i: p = (x - 1)^2
 * (x^4 - x^2 + 1) / 3 + x for x = -0xd201000000010000. Types bls12_fp, bls12_fp2, bls12_fp6,
 * bls12_fp12; evm/field_mont.inc documents the functions. */
#ifndef EVM_FP_BLS12_H
#define EVM_FP_BLS12_H

#include "base/types.h"
#include "evm/limb.h"
#include "evm/template.h"

#define FIELD bls12
#define FIELD_LIMBS 6
#define FIELD_MODULUS                                                                              \
    0xb9feffffffffaaab, 0x1eabfffeb153ffff, 0x6730d2a0f6b0f624, 0x64774b84f38512bf,                \
        0x4b1ba7b6434bacd7, 0x1a0111ea397fe69a
#define FIELD_N0 0x89f3fffcfffcfffd
#define FIELD_R                                                                                    \
    0x760900000002fffd, 0xebf4000bc40c0002, 0x5f48985753c758ba, 0x77ce585370525745,                \
        0x5c071a97a256ec6d, 0x15f65ec3fa80e493
#define FIELD_R2                                                                                   \
    0xf4df1f341c341746, 0x0a76e6a609d104f1, 0x8de5476c4c95b6d5, 0x67eb88a9939d83c0,                \
        0x9a793e85b519952d, 0x11988fe592cae3aa
#include "evm/field_mont.inc"
#ifndef FIELD_KEEP /* evm/fp_bls12.c goes on using them */
#undef FIELD
#undef FIELD_LIMBS
#undef FIELD_MODULUS
#undef FIELD_N0
#undef FIELD_R
#undef FIELD_R2
#endif

#endif
