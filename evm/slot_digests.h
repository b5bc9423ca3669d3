/* SPDX-License-Identifier: Apache-2.0 */
/* Keccak-256 of 64 bytes with a memory: Solidity derives the slot of each entry of a mapping so, a
 * token's `balances[player]` at each transfer again. A table of fixed size with one place for each
 * input; the newest takes it. Inputs made to collide only lose what the memory saves. */
#ifndef EVM_SLOT_DIGESTS_H
#define EVM_SLOT_DIGESTS_H

#include "base/types.h"

enum { SLOT_DIGESTS = 2048, SLOT_DIGEST_INPUT = 64 };

/* All zero: nothing is remembered. 208 KiB, touched as it fills. */
struct slot_digests {
    struct slot_digest {
        uint64_t tag; /* 0: free */
        uint64_t input[SLOT_DIGEST_INPUT / 8];
        hash32 digest;
    } at[SLOT_DIGESTS];
};

/* The digest of SLOT_DIGEST_INPUT bytes, which need not be aligned. Borrowed until the next one. */
const hash32 *slot_digest(struct slot_digests *s, const uint8_t *input);

#endif
