/* SPDX-License-Identifier: Apache-2.0 */
/* The Merkle tree of messages to the parent chain, whose root and size stand in every header
 * (extraData, mixHash) and whose proofs the parent's Outbox checks. State keeps the size and one
 * partial per level: the root of a full subtree of 2^level leaves that has no right sibling yet. A
 * missing sibling counts as 32 zero bytes, not as a hashed empty subtree. */
#ifndef CHAIN_SEND_TREE_H
#define CHAIN_SEND_TREE_H

#include "base/types.h"

enum { SEND_TREE_LEVELS_MAX = 64 };

/* Root of a tree of `size` leaves; partials[l] is read where bit l of size is set. Zero when
 * empty. */
hash32 send_tree_root(uint64_t size, const hash32 partials[SEND_TREE_LEVELS_MAX]);

/* A node that an append completes: position = (level, index of the newest leaf below it). */
struct send_tree_update {
    uint8_t level; /* >= 1; the leaf itself is level 0 */
    hash32 hash;
};
/* Appends keccak(item), the item being the message's own hash. Changes partials of the levels it
 * carries through (those become zero) and sets one; *out_top is the level that was set. Gives the
 * completed nodes from low to high in out, which has room for SEND_TREE_LEVELS_MAX, and returns
 * their count. */
size_t send_tree_append(hash32 partials[SEND_TREE_LEVELS_MAX], uint64_t size, const hash32 *item,
                        struct send_tree_update out[SEND_TREE_LEVELS_MAX], unsigned *out_top);

/* Topics of ArbSys' logs, from which the tree's nodes can be stored outside of state: a completed
 * node (hash, level << 192 | newest leaf), and a message (hash of the item, leaf). */
extern const hash32 SEND_MERKLE_UPDATE, SEND_L2_TO_L1_TX;

#endif
