/* SPDX-License-Identifier: Apache-2.0 */
/* Executes transactions of one block over a world. What differs between the Ethereum and the L3
 * profile - who pays, which price, who earns, which extra checks and system addresses - is a
 * `struct tx_rules`; nothing here asks which one it is. */
#ifndef CHAIN_EXEC_H
#define CHAIN_EXEC_H

#include "base/arena.h"
#include "chain/receipt.h"
#include "chain/tx.h"
#include "evm/evm.h"
#include "state/world.h"

enum tx_verdict {
#define VERDICT(name, text) TX_##name,
#include "chain/verdicts.def"
#undef VERDICT
    TX_VERDICT_COUNT
};
const char *tx_verdict_text(enum tx_verdict v); /* geth's message */
const char *tx_verdict_name(enum tx_verdict v); /* "NONCE_TOO_LOW" */

/* What a transaction will be charged, decided before execution. */
struct tx_charge {
    u256 price;          /* effective gas price: GASPRICE and effectiveGasPrice */
    u256 tip;            /* part of price that goes to the coinbase (Ethereum profile) */
    u256 surcharge;      /* part of price that goes to a universe (L3 profile) */
    u256 blob_fee;       /* total, burnt (Ethereum profile) */
    bool sponsored;      /* a universe's gas account pays; price is 0 then */
    uint64_t universe;   /* 0 = none */
    u256 sponsor_price;  /* P, what the universe pays per gas */
    bool skip_nonce;     /* a type without nonce: not compared, but raised like any other */
    bool skip_eoa_check; /* a sender with code is allowed (aliased parent-chain contracts) */
};

struct exec;
struct tx_rules {
    const char *name;
    /* The profile's own checks, before those of form, nonce and balance; fills *out. */
    enum tx_verdict (*charge)(struct exec *x, const struct tx *tx, struct tx_charge *out);
    /* Takes gas_limit x price before, and gives back and distributes after the execution. The
     * sender's balance was checked by apply_tx unless charge->sponsored. */
    void (*buy_gas)(struct exec *x, const struct tx *tx, const struct tx_charge *c);
    void (*settle)(struct exec *x, const struct tx *tx, const struct tx_charge *c,
                   uint64_t gas_used);
    /* As evm_host_ops; NULL without system addresses. */
    bool (*system_call)(struct exec *x, struct evm_result *out, const struct evm_message *msg,
                        const addr20 *code_addr, bool is_static, uint32_t depth);
    /* A contract was created by `creator` (attribution to universes); NULL if nothing hangs on it.
     */
    void (*on_create)(struct exec *x, const addr20 *created, const addr20 *creator);
    /* Part of the running transaction's gas that a later one uses and counts for (L3 profile:
     * redeems); it counts neither for the block's limit nor as cumulative gas here, neither for the
     * floor of calldata nor for what may be refunded. It leaves room for the floor. NULL: none. */
    uint64_t (*donated_gas)(struct exec *x);
    /* SELFDESTRUCT to itself just destroyed a balance (not 0); NULL if nobody counts. */
    void (*on_burn)(struct exec *x, const u256 *amount);
    /* Balances may be made up (calls with overrides) and add up to more than 256 bits hold: they
     * wrap around then, as in geth, instead of being a bug. */
    bool made_up_balances;
};

/* One block in the making. Filled by the profile's block code; also used for calls (chain_call). */
struct exec {
    struct world *world;
    struct evm *vm;
    struct evm_code_cache *code_cache;
    const struct tx_rules *rules;
    void *rules_ctx; /* the profile's own state for this block */
    enum evm_revision revision;
    enum evm_tier tier;
    const struct evm_tracer *tracer;
    struct evm_block_ctx block;
    addr20 fee_account; /* who earns what is paid for gas: the coinbase on Ethereum */
    uint64_t chain_id;
    uint64_t tx_gas_cap; /* EIP-7825; UINT64_MAX where it does not apply */
    uint64_t gas_left;   /* of the block */
    uint64_t gas_used;   /* cumulative */
    uint64_t blob_gas_left, blob_gas_used;
    uint64_t blob_max_per_tx; /* blobs; EIP-7594. 0: blob transactions are not supported */
    /* As struct evm_config has it: of calls and simulations, NULL in blocks. */
    bool (*expired)(void *ctx);
    void *expired_ctx;
    int64_t budget; /* likewise */
    /* BLOCKHASH: zero for unknown. */
    hash32 (*block_hash)(void *ctx, uint64_t number);
    void *block_hash_ctx;
    struct evm_result last; /* result of the last run, output borrowed from vm */
    /* The transaction in execution and its charge; NULL outside of one. */
    const struct tx *tx;
    const struct tx_charge *charge;
    uint64_t floor_gas; /* what that transaction pays at least (EIP-7623) */
};

struct tx_result {
    enum evm_status status;
    uint64_t gas_used;   /* after refunds and the floor */
    uint64_t gas_refund; /* what was applied */
    bytes output;        /* borrowed from the evm until its next run */
    struct tx_charge charge;
    addr20 created;
    bool has_created;
};

/* All checks, nothing touched: type, then the profile's (fee caps), form and gas, nonce, balance,
 * sender. Conformance tests that violate several rules at once name the first in this order. Gas
 * limits of 2^63 and more never fit a block. */
enum tx_verdict tx_check(struct exec *x, const struct tx *tx, struct tx_charge *out) MUST_USE;
/* tx_check, then executes between world_tx_begin and world_tx_end, adds to gas_used, and gives the
 * receipt (arrays live in `a`). On a verdict other than OK nothing changed. tx->sender must be
 * known. */
enum tx_verdict apply_tx(struct exec *x, const struct tx *tx, struct arena *a,
                         struct tx_result *out, struct receipt *out_receipt) MUST_USE;

/* The second half of apply_tx: executes a transaction whose charge is settled, without any check.
 * For the L3 profile's transactions from the parent, whose conditions are their own. The gas limit
 * covers the intrinsic gas. */
void tx_execute(struct exec *x, const struct tx *tx, const struct tx_charge *charge,
                struct arena *a, struct tx_result *out, struct receipt *out_receipt);
/* A receipt with the logs of the running world transaction; x->gas_used already counts it. */
void exec_fill_receipt(const struct exec *x, const struct tx *tx, const struct tx_result *r,
                       struct arena *a, struct receipt *out);
/* Marks warm what is so before the first instruction: sender, target and what it delegates to,
 * coinbase (EIP-3651), access list (EIP-2929, 2930, 7702); precompiles are so by themselves
 * (exec_access_account). In an open world transaction. */
void exec_warm(struct exec *x, const struct tx *tx);

/* A message by `sender` outside any transaction's accounting: system calls of
 * EIP-4788/2935/7002/7251, and (with world_revert around it) eth_call. Gas is taken from msg->gas
 * only. In an open world transaction, which the caller ends. */
void exec_call(struct exec *x, const struct evm_message *msg, const u256 *gas_price,
               struct evm_result *out);

/* EIP-2929: marks the address warm; true if it was cold. Precompiles are warm always, and nothing
 * of them is looked up for that. */
bool exec_access_account(struct exec *x, const addr20 *a);

/* The EVM host over x->world: for callers that drive evm_run themselves. */
struct evm_host exec_host(struct exec *x);

#endif
