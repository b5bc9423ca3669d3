/* SPDX-License-Identifier: Apache-2.0 */
/* An account as the flat table keeps it, and the reader through which the world sees flat state. */
#ifndef STATE_ACCOUNT_H
#define STATE_ACCOUNT_H

#include "base/types.h"
#include "base/u256.h"

struct account {
    uint64_t nonce;
    u256 balance;
    hash32 code_hash;    /* KECCAK_EMPTY without code */
    hash32 storage_root; /* KECCAK_EMPTY_TRIE without storage */
    /* Names the account's rows in the storage table; 0 = never had any. Given at the end of the
     * block in which an account first has a slot, or has one again after its storage was wiped:
     * block number << 20 | place among such accounts of the block in the order of their hashes,
     * from 1. So wiping a contract is dropping its id, and ids are a function of the blocks' net
     * effects: every node has the same rows. */
    uint64_t store_id;
};

/* Flat state at one block. Keys are Keccak-256 of address and of the 32-byte slot. Reads do not
 * fail: a damaged store aborts. Returned code is valid until the next call on the reader. */
struct state_reader_ops {
    bool (*account)(void *ctx, struct account *out, const hash32 *addr_hash); /* false: absent */
    void (*storage)(void *ctx, u256 *out, uint64_t store_id,
                    const hash32 *slot_hash); /* zero if absent */
    bool (*code)(void *ctx, bytes *out, const hash32 *code_hash);
};
struct state_reader {
    const struct state_reader_ops *ops;
    void *ctx;
};

#endif
