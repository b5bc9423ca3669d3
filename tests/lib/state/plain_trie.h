/* SPDX-License-Identifier: Apache-2.0 */
/* The Merkle-Patricia trie straight from the Yellow Paper's appendix D, slow and obvious, sharing
 * no code with state/: the oracle of the trie tests. And a verifier of proofs that knows nothing
 * but the root. */
#ifndef TESTS_LIB_STATE_PLAIN_TRIE_H
#define TESTS_LIB_STATE_PLAIN_TRIE_H

#include "state/trie.h"

/* Pairs sorted by key, distinct. Recurses by key length. */
void plain_root(hash32 *out, const struct mpt_pair *pairs, size_t count);

/* What a proof says about the key: false if it proves nothing under this root. Value empty: proves
 * absence. */
bool plain_verify(const hash32 *root, bytes key, const bytes *nodes, size_t count,
                  bytes *out_value);

#endif
