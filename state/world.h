/* SPDX-License-Identifier: Apache-2.0 */
/* The world during execution: accounts, storage, transient storage, access lists, logs of the
 * running transaction, and a journal that undoes any suffix of it. Reads fall through to a
 * state_reader and are cached. One writer thread.
 *
 * Life: world_block_begin, then per transaction {changes, world_tx_end}, then world_block_end gives
 * the block's net changes. Cached clean values survive blocks until world_trim or world_reset.
 * Source: Yellow Paper §4.1, §6; EIP-158/161, 1153, 2200, 2929, 6780, 7610. */
#ifndef STATE_WORLD_H
#define STATE_WORLD_H

#include "base/arena.h"
#include "base/types.h"
#include "base/u256.h"
#include "state/account.h"

struct world;

struct world *world_new(struct state_reader reader) MUST_USE;
void world_free(struct world *w);
/* Forgets all cached state and uses `reader` from now on (another block, after an unwind). */
void world_reset(struct world *w, struct state_reader reader);
/* Drops cached entries, those not used lately first, when they exceed `budget_bytes` (about 270
 * bytes per account, 240 per slot, and code, one copy per hash). Only between blocks, once the
 * reader shows the last block's rows. Code and code slots of dropped entries end. What a block adds
 * over the budget is bounded by its gas alone; memory once taken stays, and for what is taken over
 * the budget as much less is cached. */
void world_trim(struct world *w, size_t budget_bytes);
/* Memory of the cache now. */
size_t world_bytes(const struct world *w);

/* --- reads ---------------------------------------------------------------------------------- */
/* Exists in the sense of the trie (after EIP-161 an existing account is never empty at a block's
 * end). */
bool world_exists(struct world *w, const addr20 *a);
bool world_is_empty(struct world *w, const addr20 *a);
u256 world_balance(struct world *w, const addr20 *a);
uint64_t world_nonce(struct world *w, const addr20 *a);
hash32 world_code_hash(struct world *w, const addr20 *a); /* KECCAK_EMPTY for absent accounts */
bytes world_code(struct world *w, const addr20 *a);       /* valid until world_trim/reset */
/* A 16-byte slot beside the cached code for the caller's own use (evm_code_handle), zeroed at
 * first. Lives as long as the cached account's code; NULL when the account has no code. */
void *world_code_slot(struct world *w, const addr20 *a);
u256 world_storage(struct world *w, const addr20 *a, const u256 *slot);
/* Whether any slot is non-zero (EIP-7610). */
bool world_has_storage(struct world *w, const addr20 *a);
u256 world_transient(struct world *w, const addr20 *a, const u256 *slot);
bool world_created_in_tx(struct world *w, const addr20 *a);

/* --- warm marks (EIP-2929), journaled; true if it was cold ---------------------------------- */
bool world_warm_account(struct world *w, const addr20 *a);
bool world_warm_storage(struct world *w, const addr20 *a, const u256 *slot);
/* Combined look-ups for SLOAD and SSTORE: also mark warm. The original is the value at the start of
 * the transaction. */
bool world_sload(struct world *w, u256 *out, const addr20 *a, const u256 *slot);
bool world_sstore_peek(struct world *w, u256 *out_original, u256 *out_current, const addr20 *a,
                       const u256 *slot);

/* --- changes, all journaled ----------------------------------------------------------------- */
/* touch, add, sub (of more than 0) and create mark the account as touched: if it is empty at the
 * transaction's end, it is deleted (EIP-161). The others make an account exist without touching it,
 * so that genesis and test states may hold empty accounts. */
void world_touch(struct world *w, const addr20 *a);
void world_set_balance(struct world *w, const addr20 *a, const u256 *v);
/* Stops at 2^256 - 1, which only the balances that a call pretends can reach: a chain bounds its
 * supply. */
void world_add_balance(struct world *w, const addr20 *a, const u256 *v);
/* False, and nothing is changed, when the balance is too small. */
bool world_sub_balance(struct world *w, const addr20 *a, const u256 *v) MUST_USE;
void world_set_nonce(struct world *w, const addr20 *a, uint64_t v);
void world_set_code(struct world *w, const addr20 *a, bytes code); /* copied */
void world_set_storage(struct world *w, const addr20 *a, const u256 *slot, const u256 *v);
void world_set_transient(struct world *w, const addr20 *a, const u256 *slot, const u256 *v);
/* A contract account with nonce 1, empty storage and no code that keeps the balance. The caller has
 * checked for collisions. */
void world_create(struct world *w, const addr20 *a);
/* Marks for deletion at tx end (storage, code, nonce, and any balance it has then). */
void world_destroy(struct world *w, const addr20 *a);

uint32_t world_snapshot(struct world *w);
void world_revert(struct world *w, uint32_t snapshot);

/* --- logs ----------------------------------------------------------------------------------- */
struct world_log {
    addr20 address;
    uint8_t topic_count;
    hash32 topics[4];
    bytes data; /* lives until world_tx_begin of the next transaction */
};
void world_add_log(struct world *w, const addr20 *a, const hash32 *topics, uint8_t topic_count,
                   bytes data);
const struct world_log *world_logs(const struct world *w, size_t *out_count);

/* --- transactions and blocks ---------------------------------------------------------------- */
void world_block_begin(struct world *w, uint64_t block_num);
/* Starts a transaction: warm marks, transient storage, logs and originals are fresh. */
void world_tx_begin(struct world *w);
/* Ends it: destroyed and empty touched accounts go (EIP-161), the journal is dropped. */
void world_tx_end(struct world *w);

struct world_slot_change {
    u256 slot;
    hash32 slot_hash;
    u256 old_value, new_value; /* differ */
};
struct world_account_change {
    addr20 addr;
    hash32 addr_hash;
    bool existed, exists;  /* before and after the block */
    bool wiped;            /* storage of before is gone; store_id of `after` is new or 0 */
    struct account before; /* valid if existed */
    struct account after; /* valid if exists; storage_root is NOT yet updated: the trie does that */
    bytes new_code;       /* non-empty when code was set in this block */
    struct world_slot_change *slots; /* sorted by slot_hash; old_value is 0 for all when wiped */
    size_t slot_count;
};
struct world_diff {
    struct world_account_change *accounts; /* sorted by addr_hash; only those that differ */
    size_t count;
};
/* Net changes of the block; the diff lives in `a` (new_code points into the world until trim). The
 * world then holds the block's end as its clean state. The trie fills in after.storage_root;
 * world_set_storage_roots then tells the world. */
void world_block_end(struct world *w, struct arena *a, struct world_diff *out);
void world_set_storage_roots(struct world *w, const struct world_diff *diff);
/* Sum of the balances that world_tx_end would delete with the accounts destroyed so far in the
 * running transaction. */
u256 world_doomed_balance(const struct world *w);
/* Those accounts, in the order of their destruction. */
size_t world_doomed_count(const struct world *w);
addr20 world_doomed_at(const struct world *w, size_t idx);
/* Drops the block's changes: back to the state at world_block_begin. */
void world_block_abandon(struct world *w);

#endif
