/* SPDX-License-Identifier: Apache-2.0 */
/* The base field of alt_bn128 (EIP-196), 254 bits, and its tower with xi = 9 + i: p = 36 x^4 + 36
 * x^3 + 24 x^2 + 6 x + 1 for x = 4965661367192848881. Types bn254_fp, bn254_fp2, bn254_fp6,
 * bn254_fp12; evm/field_mont.inc documents the functions. */
#ifndef EVM_FP_BN254_H
#define EVM_FP_BN254_H

#include "base/types.h"
#include "evm/limb.h"
#include "evm/template.h"

#define FIELD bn254
#define FIELD_LIMBS 4
#define FIELD_MODULUS 0x3c208c16d87cfd47, 0x97816a916871ca8d, 0xb85045b68181585d, 0x30644e72e131a029
#define FIELD_N0 0x87d20782e4866389
#define FIELD_R 0xd35d438dc58f0d9d, 0x0a78eb28f5c70b3d, 0x666ea36f7879462c, 0x0e0a77c19a07df2f
#define FIELD_R2 0xf32cfc5b538afa89, 0xb5e71911d44501fb, 0x47ab1eff0a417ff6, 0x06d89f71cab8351f
#include "evm/field_mont.inc"
#ifndef FIELD_KEEP /* evm/fp_bn254.c goes on using them */
#undef FIELD
#undef FIELD_LIMBS
#undef FIELD_MODULUS
#undef FIELD_N0
#undef FIELD_R
#undef FIELD_R2
#endif

#endif
