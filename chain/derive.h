/* SPDX-License-Identifier: Apache-2.0 */
/* chain_derive_block: the only producer of blocks of the L3 profile (PROTOCOL §1-§3). The sequencer
 * feeds it through a next-transaction callback and gets the message back; replay, followers and
 * validators feed it messages. Both ways give the same block, which a test proves for every block
 * made.
 *
 * What a message gives: kind 3 its signed transactions and unsigned items (message_each_l2; what
 * does not decode, is of another type or gets a bad verdict is left out, alone), kind 7 a deposit
 * and what it pays for, kind 9 a ticket, kind 12 a deposit, kind 13 a batch report, others nothing.
 * Retries that a transaction schedules run right after it.
 */
#ifndef CHAIN_DERIVE_H
#define CHAIN_DERIVE_H

#include "base/arena.h"
#include "base/err.h"
#include "chain/exec.h"
#include "chain/header.h"
#include "chain/message.h"
#include "chain/overrides.h"
#include "chain/universe.h"
#include "chain/watch.h"
#include "state/trie.h"

enum {
    CHAIN_VERSION_MAX = 1,       /* highest state-transition version this binary executes */
    L3_SECONDS_PER_L1_BLOCK = 12 /* l1_block of a chain without a parent: timestamp / this */
};

/* What of the genesis file is not in state. All consensus parameters lie in system storage
 * (chain/system_slots.def). */
struct chain_config {
    uint64_t chain_id;
    bool evm_number_parent; /* genesis option evmNumber: parent */
    bool has_parent;        /* an L3 with a parent chain; else l1_block = timestamp / 12 */
};

struct derived_tx {
    struct tx tx;
    struct receipt receipt;
    struct tx_result result; /* output is not kept */
};
struct derived_block {
    struct header header; /* complete after chain_seal_block */
    hash32 hash;
    struct derived_tx *txs;
    size_t tx_count;
    struct message message; /* the message that makes this block; data lives in the arena */
    /* Contracts that came to belong to a universe, in order; they are there at the end of their
     * transaction. */
    struct attribution *attributions;
    size_t attribution_count;
    struct world_diff diff;
};

/* Source of transactions for a sequenced block. */
struct tx_feed {
    void *ctx;
    /* Next candidate with known sender, or NULL to close the block. `gas_left` is what the block
     * still has and `bytes_left` what the message's data still holds: a candidate beyond either
     * must not be given. */
    const struct tx *(*next)(void *ctx, uint64_t gas_left, size_t bytes_left);
    /* Told right after each: verdict, and if OK the result and receipt. */
    void (*done)(void *ctx, const struct tx *tx, enum tx_verdict v, const struct derived_tx *d);
};

/* One chain executor: world, machine, scratch. One thread. */
struct chain;
struct chain_options {
    struct chain_config config;
    struct state_reader reader; /* state at the parent block, always the newest */
    enum evm_tier tier;
    size_t code_cache_bytes;
    size_t world_cache_bytes;
    struct evm_profile *profile; /* evm/profile.h; NULL: nothing is counted */
    /* Hash of one of the last 256 blocks; zero if unknown. NULL: read from the EIP-2935 ring, which
     * is in state. */
    hash32 (*block_hash)(void *ctx, uint64_t number);
    void *block_hash_ctx;
};
struct chain *chain_new(const struct chain_options *o) MUST_USE;
void chain_free(struct chain *c);
/* After an unwind: forget everything cached. */
void chain_reset(struct chain *c, struct state_reader reader);
struct world *chain_world(struct chain *c);
size_t chain_code_bytes(const struct chain *c); /* of decoded code */

/* Derives the block of message `m` on top of `parent`. Everything in *out lives in `a`.
 * Transactions that get a bad verdict are left out; an undecodable message is an empty block.
 * Errors: ERR_VERSION (a state-transition version this binary lacks); then nothing changed. */
enum err chain_derive_block(struct derived_block *out, struct chain *c, struct arena *a,
                            const struct header *parent, const struct message *m,
                            struct err_ctx *ec) MUST_USE;
/* For the next chain_derive_block, which borrows them: the senders of the message's signed
 * transactions, 20 bytes each, in their order. Who reads a log of its own has them as side data and
 * saves the recovery; wrong ones make another block. Their number must be that of the signed
 * transactions, else they are not looked at. */
void chain_know_senders(struct chain *c, const uint8_t *senders, size_t count);
/* The same with transactions from a feed; stamps are given, out->message is the finished message. A
 * block without any transaction is ERR_NOT_FOUND and nothing changed: no empty blocks are
 * sequenced. */
enum err chain_sequence_block(struct derived_block *out, struct chain *c, struct arena *a,
                              const struct header *parent, uint64_t timestamp, uint64_t l1_block,
                              const struct tx_feed *feed, struct err_ctx *ec) MUST_USE;
/* State root through the trie, then roots, header and hash. Ends the world's block. To be called
 * once after each derived or sequenced block, before the next; b->diff lives in the arena that
 * derived it, new code included. */
void chain_seal_block(struct derived_block *b, struct chain *c, struct state_trie *t);
/* Instead of sealing: drops the block that was derived last. */
void chain_drop_block(struct chain *c);

/* Executes the block of message `m` on top of `parent` once more, each of its transactions
 * (deposits included) under `w`'s eyes, and drops it: the world is at the parent's end before and
 * afterwards. Candidates with a bad verdict, which are not in the block, are shown too. Ends early
 * when the watch asks. `a` holds one transaction at a time. Errors as chain_derive_block. */
enum err chain_replay_block(struct chain *c, struct arena *a, const struct header *parent,
                            const struct message *m, const struct exec_watch *w,
                            struct err_ctx *ec) MUST_USE;

/* P of a block on top of `parent` at `timestamp`, from the state at the parent's end (eth_gasPrice,
 * pool admission). */
u256 chain_next_price(struct chain *c, const struct header *parent, uint64_t timestamp);

/* A call or simulation at the end of `header`'s block (eth_call, estimateGas): no fee is charged.
 * The world of `c` is left unchanged. */
struct call_request {
    /* sender, to, value, data, access, auths, gas_limit; no signature. With a fee cap of 0,
     * GASPRICE and BASEFEE are 0; else the cap must be at least P and the balance must cover it. */
    struct tx tx;
    const struct exec_watch *watch;         /* NULL, or sees the call as a transaction */
    const struct call_overrides *overrides; /* NULL: state and block as they are */
    /* Also runs the retries that the transaction schedules, as its block would: the first that
     * fails makes the call fail, and what they use takes the place of what was donated to them. */
    bool run_redeems;
    bool pending; /* block context of the next block instead of header's own */
    /* Now, of the pending block. Not 0 without `pending`: a fee cap need only reach the lower one
     * of this block's P and the next one's. */
    uint64_t timestamp;
    /* Whether the call has used up its time (struct evm_config has when it is asked); the result is
     * void once it was true. NULL: it never has. */
    bool (*expired)(void *ctx);
    void *expired_ctx;
    /* Most gas that the code may use, as struct evm_config has it; 0: no such limit. Not with a
     * watch that traces, nor with run_redeems. */
    int64_t budget;
};
struct call_result {
    enum evm_status status;
    /* Of the checks that a call still makes: type, intrinsic gas, fee cap, value covered. If it is
     * not TX_OK the rest is unset. */
    enum tx_verdict verdict;
    uint64_t gas_used;
    uint64_t gas_refund;
    bytes output;     /* lives in `a` */
    bool over_budget; /* the call needs more than its budget: the rest says nothing */
};
enum err chain_call(struct call_result *out, struct chain *c, struct arena *a,
                    const struct header *header, const struct call_request *req,
                    struct err_ctx *ec) MUST_USE;

#endif
