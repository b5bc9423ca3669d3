/* SPDX-License-Identifier: Apache-2.0 */
#include "base/keccak_variants.h"

#if KECCAK_HAS_X86
#define KECCAK_SCALAR keccak_f1600_bmi2
#include "base/keccak_scalar.inc"
#endif
