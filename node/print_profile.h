/* SPDX-License-Identifier: Apache-2.0 */
/* The print-out of evm/profile.h: `callipter evm run --profile`, `callipter run --replay
 * --profile`. */
#ifndef NODE_PRINT_PROFILE_H
#define NODE_PRINT_PROFILE_H

#include "evm/profile.h"

enum { PROFILE_ROWS_MAX = 10000 };
/* Prints to stdout the `rows` (at most PROFILE_ROWS_MAX) most frequent slots, pairs and triples:
 * count, share of all slots, names; by tabs. */
void print_profile(const struct evm_profile *p, size_t rows);

#endif
