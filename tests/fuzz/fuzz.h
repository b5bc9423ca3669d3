/* SPDX-License-Identifier: Apache-2.0 */
/* What a fuzz target is: one function of the input's bytes that aborts (CHECK) when a property of
 * the code under test does not hold. See README.md. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's name for it. Returns 0; keeps no state that later inputs could see. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
