/* SPDX-License-Identifier: Apache-2.0 */
/* The accounts that the node signs with: the operator's, and one for each universe, derived from
 * one seed that lies encrypted in the keystore:
 *
 *   key = HMAC-SHA256(seed, "callipter universe signer 1" | chain id u64 | slug | counter u8)
 *
 * with the first counter from 0 on that gives a valid key. Who has the keystore has them all, on
 * whatever machine. */
#ifndef NODE_SIGNERS_H
#define NODE_SIGNERS_H

#include "base/err.h"
#include "base/types.h"

struct signers {
    uint64_t chain_id;
    uint8_t seed[32];
    bool has_operator;
    uint8_t operator_key[32];
};
/* The key of a universe, or of the operator for "". False: there is no operator. */
bool signers_key(const struct signers *s, const char *slug, uint8_t out[32]) MUST_USE;
bool signers_address(const struct signers *s, const char *slug, addr20 *out) MUST_USE;
void signers_wipe(struct signers *s);

#endif
