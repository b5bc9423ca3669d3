/* SPDX-License-Identifier: Apache-2.0 */
/* A state for tests of proofs: many accounts, and one contract with many slots. One key in eight is
 * ground: it shares 8 to 12 nibbles with another (some up to 62), which makes extensions, and
 * embedded nodes where values are short. */
#ifndef TESTS_LIB_STATE_PROOF_SET_H
#define TESTS_LIB_STATE_PROOF_SET_H

#include "base/arena.h"
#include "tests/lib/state/map_source.h"

struct proof_key {
    hash32 key;
    bool ground;
};

struct proof_set {
    struct proof_key *accounts, *slots; /* sorted */
    size_t account_count, slot_count;
    uint64_t store_id; /* of the contract, which is accounts[0] */
    hash32 state_root, storage_root;
    struct map_source source;
    struct state_trie *trie;
};

/* Made in blocks of a tenth each; the trie then holds at most budget_bytes in RAM. */
void proof_set_init(struct proof_set *p, size_t accounts, size_t slots, size_t budget_bytes,
                    uint64_t seed);
void proof_set_clear(struct proof_set *p);
/* The stored leaf value; false if the key is not there. */
bool proof_set_value(const struct proof_set *p, uint64_t store_id, const hash32 *key, bytes *out);
/* A key that is not there: another last nibble, or, without `near`, any. */
hash32 proof_set_absent(const struct proof_set *p, uint64_t store_id, const hash32 *key, bool near);

#endif
