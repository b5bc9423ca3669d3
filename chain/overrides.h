/* SPDX-License-Identifier: Apache-2.0 */
/* What a call may pretend about state and block: geth's state and block overrides, already parsed.
 * How many there are is bounded by what carried them here (a request's size); each costs one write
 * to the world per call. */
#ifndef CHAIN_OVERRIDES_H
#define CHAIN_OVERRIDES_H

#include "base/types.h"
#include "base/u256.h"

struct world;

struct slot_override {
    u256 slot, value;
};
enum storage_override {
    STORAGE_AS_IS,
    STORAGE_REPLACED, /* the slots given are all there is */
    STORAGE_PATCHED,  /* the slots given, over what is there */
};
struct account_override {
    addr20 addr;
    bool has_balance, has_nonce, has_code;
    u256 balance;
    uint64_t nonce;
    bytes code; /* any length and first byte; borrowed */
    enum storage_override storage;
    const struct slot_override *slots;
    size_t slot_count;
};
struct block_override {
    bool has_number, has_time, has_gas_limit, has_coinbase, has_prevrandao, has_base_fee,
        has_blob_base_fee;
    uint64_t number; /* what NUMBER pushes, and what BLOCKHASH and ArbSys count from */
    uint64_t time;
    uint64_t gas_limit; /* what GASLIMIT pushes; a call's own gas is not bound by it */
    addr20 coinbase;
    hash32 prevrandao;
    u256 base_fee; /* also what a fee cap must reach; 0 for a call without one all the same */
    u256 blob_base_fee;
};
struct call_overrides {
    const struct account_override *accounts;
    size_t account_count;
    struct block_override block;
};

/* The override of an account; NULL: none. O(count). */
const struct account_override *overrides_find(const struct call_overrides *o, const addr20 *a);
/* Writes the accounts' part into a world with an open block, as a transaction of its own, so that
 * what is overridden counts as the value before the call's transaction. */
void overrides_apply(const struct call_overrides *o, struct world *w);

#endif
