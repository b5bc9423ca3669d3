/* SPDX-License-Identifier: Apache-2.0 */
#include "evm/fp_bn254.h"

#define FIELD bn254
#define SUITE fp_bn254
#include "tests/unit/evm/field_tests.inc"
