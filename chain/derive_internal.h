/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of chain_derive_block:
 *
 *   derive.c        the executor, opening and closing a block, sealing
 *   derive_start.c  what happens before the first transaction (PROTOCOL §3)
 *   derive_txs.c    from a message, or a feed, to executed transactions
 *   derive_parent.c transactions of the parent chain that run no code: 0x64, 0x69, 0x6a
 *   derive_retry.c  retries of tickets (0x68)
 *   derive_call.c   eth_call
 *   derive_replay.c a block that exists, once more under a watch's eyes */
#ifndef CHAIN_DERIVE_INTERNAL_H
#define CHAIN_DERIVE_INTERNAL_H

#include "chain/derive.h"
#include "chain/fees.h"
#include "chain/l3_rules.h"
#include "chain/parent_tx.h"

/* Sums that the supply check compares before and after a block, modulo 2^256. */
struct supply {
    u256 minted, withdrawn, burnt;
};

struct chain {
    struct chain_options opt;
    struct world *world;
    struct evm_code_cache *code_cache;
    struct evm *vm;
    struct exec x;
    struct l3_block l3;
    struct buf frame;             /* data of the message in the making */
    struct buf call_output;       /* of system calls */
    struct buf attributed;        /* struct attribution of the open block */
    const uint8_t *known_senders; /* of the next message's signed transactions; NULL */
    size_t known_sender_count;
    /* The open block: */
    bool is_open;
    struct arena *arena;
    size_t tx_cap;                  /* of derived_block.txs */
    struct supply supply;           /* at the parent's end */
    const struct exec_watch *watch; /* of a replay; NULL */
    bool watch_stopped;             /* it has seen enough */
};

/* What a message says about its block. */
struct block_stamps {
    uint64_t timestamp, l1_block, delayed_read;
    addr20 coinbase;
};

struct block_stamps block_stamps_of(const struct message *m);

/* Opens a block on top of `parent`: header, block start, struct exec ready. ERR_VERSION: nothing is
 * open. */
enum err block_open(struct derived_block *out, struct chain *c, struct arena *a,
                    const struct header *parent, const struct block_stamps *s,
                    struct err_ctx *ec) MUST_USE;
/* After the last transaction: backlogs, gas used, send root. out->message is final. */
void block_close(struct derived_block *b, struct chain *c);
void block_abandon(struct chain *c);

/* The start of a block in PROTOCOL's order; fills c->l3 but for `number` and `l1_block`. In no open
 * world transaction. */
enum err block_start(struct chain *c, const struct header *parent, const struct header *h,
                     struct err_ctx *ec) MUST_USE;
/* The pricing parameters in state. */
struct fee_params fee_params_read(struct world *w);

/* Executes the transactions of b->message (its data is in the arena). */
enum err block_run_message(struct derived_block *b, struct chain *c) MUST_USE;
/* Executes what the feed gives and leaves the message's data in c->frame; returns how many
 * transactions of the feed are in it. */
size_t block_run_feed(struct derived_block *b, struct chain *c, const struct tx_feed *feed);

/* Room for one more transaction, zeroed, at the end of b->txs; counted by the caller once it is in
 * the block. It may move the others. */
struct derived_tx *tx_slot(struct derived_block *b, struct chain *c);
/* Adds and executes a transaction of type 0x64, 0x69 or 0x6a: always in the block, with status 0
 * where its own rules fail. `report` is 0x6a's. */
void block_run_deposit(struct derived_block *b, struct chain *c, const struct tx *tx);
void block_run_submit(struct derived_block *b, struct chain *c, const struct tx *tx);
void block_run_report(struct derived_block *b, struct chain *c, const struct tx *tx,
                      const struct batch_report *report);
/* Runs the retries that the block's transactions from index `first` on have scheduled, and those
 * that these schedule, first in first out; appends them to the block. */
void block_run_redeems(struct derived_block *b, struct chain *c, size_t first);

/* call_request.run_redeems: of a call that succeeded with receipt `r`. No block is open. */
void call_run_redeems(struct chain *c, struct arena *a, const struct receipt *r,
                      struct call_result *res);

/* Brings the caches under their budgets. Between blocks. */
void caches_trim(struct chain *c);
/* The context that the machine sees, for block `h`. */
void exec_prepare(struct chain *c, const struct header *h, const struct tx_rules *rules);

#endif
