/* SPDX-License-Identifier: Apache-2.0 */
/* A small L3 chain in RAM for tests: block 0 with four funded accounts, transactions signed by
 * them, blocks made from a list of transactions or from a message. Every block is derived again
 * from its packed message on a twin chain in the machine's other tier, and its hash must be the
 * same. */
#ifndef TESTS_LIB_CHAIN_L3_FIXTURE_H
#define TESTS_LIB_CHAIN_L3_FIXTURE_H

#include "chain/derive.h"
#include "chain/fees.h"

enum { FIXTURE_ACCOUNTS = 4, FIXTURE_TXS_MAX = 512 };
#define FIXTURE_CHAIN_ID UINT64_C(41337)
#define FIXTURE_GAS_LIMIT (UINT64_C(1) << 26)
#define FIXTURE_START_S UINT64_C(1700000000)
extern const addr20 FIXTURE_FEE_ACCOUNT;

struct fixture_options {
    uint64_t chain_id; /* 0: FIXTURE_CHAIN_ID */
    bool evm_number_parent;
    enum evm_tier tier;
    struct fee_params fees;         /* all zero: 0.01 gwei and room for everything */
    void (*setup)(struct world *w); /* adds to block 0; NULL */
};

struct fixture_half {
    struct chain *chain;
    struct state_trie *trie;
};
struct fixture {
    struct fixture_half main, twin;
    struct arena arena;
    struct header head; /* newest block */
    hash32 head_hash;
    uint8_t keys[FIXTURE_ACCOUNTS][32];
    addr20 addrs[FIXTURE_ACCOUNTS];
    uint64_t nonces[FIXTURE_ACCOUNTS]; /* next to sign */
};
void fixture_init(struct fixture *f, const struct fixture_options *o);
void fixture_clear(struct fixture *f);

/* A signed type-2 transaction with a fee cap of 1,000 gwei; `to` NULL creates. Raises nonces[from].
 * In f's arena. */
struct tx *fixture_tx(struct fixture *f, int from, const addr20 *to, uint64_t value, bytes data,
                      uint64_t gas);
/* Signs a transaction of which all but chain id and signature is filled in. */
void fixture_sign(struct fixture *f, struct tx *tx, int from);

/* Sequences a block of these (those that get a bad verdict are left out, verdicts in out_verdicts
 * if not NULL), dt_s seconds after the head; seals it, derives it on the twin, and makes it the
 * head. ERR_NOT_FOUND when none is in. */
enum err fixture_block(struct fixture *f, struct derived_block *out, struct tx *const *txs,
                       size_t count, uint64_t dt_s, enum tx_verdict *out_verdicts);
/* Derives and seals a message on both halves and makes it the head. */
enum err fixture_message(struct fixture *f, struct derived_block *out, const struct message *m,
                         struct err_ctx *ec);
/* A kind-3 message of the sequencer at the head's time. */
struct message fixture_l2_message(const struct fixture *f, bytes data);
/* A message from the parent, `data` as given. */
struct message fixture_delayed_message(const struct fixture *f, uint8_t kind, bytes data);

/* A ticket as the parent's Inbox asks for one (kind 9), at a parent base fee of
 * FIXTURE_L1_BASE_FEE. */
enum { FIXTURE_L1_BASE_FEE = 10 };
struct fixture_ticket {
    addr20 to; /* zero: the retry creates */
    u256 value, deposit, max_submission, max_fee;
    uint64_t gas;
    addr20 refund_to, beneficiary;
    bytes data;
};
struct message fixture_submit_message(struct fixture *f, const struct fixture_ticket *t);
/* Sender of such messages. */
extern const addr20 FIXTURE_PARENT_SENDER;

u256 fixture_balance(struct fixture *f, const addr20 *a);
/* One transaction in a block of its own, which must be in it. */
struct derived_tx fixture_run(struct fixture *f, struct tx *tx);

#endif
