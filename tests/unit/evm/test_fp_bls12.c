/* SPDX-License-Identifier: Apache-2.0 */
#include "evm/fp_bls12.h"

#define FIELD bls12
#define SUITE fp_bls12
#include "tests/unit/evm/field_tests.inc"
