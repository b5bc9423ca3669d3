/* SPDX-License-Identifier: Apache-2.0 */
/* What the RPC server asks of the node: the few things that are not reads of a view. The node fills
 * in the table; this floor never includes it. */
#ifndef RPC_COMMANDS_H
#define RPC_COMMANDS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/types.h"
#include "base/u256.h"
#include "rpc/kv.h"

enum submit_status {
    SUBMIT_DURABLE,   /* in a block that no crash undoes */
    SUBMIT_QUEUED,    /* its nonce is ahead; kept, and its POOL record is synced */
    SUBMIT_REFUSED,   /* code and text say why */
    SUBMIT_FORWARDED, /* the node that it was handed on to has answered: `reply` */
};
enum {
    SUBMIT_TEXT_MAX = 512,
    SUBMIT_DATA_MAX = 128,
    NODE_REASON_MAX = 768,
    SUBMIT_NO_QUEUE = 1, /* flag: refuse a nonce that is ahead instead of queueing it */
};
struct submit_result {
    enum submit_status status;
    hash32 hash; /* of the transaction; valid unless it could not be decoded */
    uint64_t block;
    int code;                /* JSON-RPC error code when refused */
    bool has_expected_nonce; /* refused because of SUBMIT_NO_QUEUE */
    uint64_t expected_nonce;
    char text[SUBMIT_TEXT_MAX]; /* geth's message when refused */
    /* Refused for want of money: the rule by which no universe paid (static); NULL: not so. */
    const char *sponsor_rule;
    char data[SUBMIT_DATA_MAX]; /* JSON with details of the refusal; empty for none */
    /* FORWARDED: a JSON-RPC reply, with "result" or with "error" whose code is not 0 and whose
     * message is a string; who is told owns it. */
    struct json_t *reply;
};
/* Called exactly once per submission, on any thread, possibly before submit returns; must not
 * block. */
typedef void (*submit_done_fn)(void *ctx, uint64_t token, const struct submit_result *r);

/* Transactions of one body that follow each other, of a node that hands them on: they stay
 * together and in order. */
struct forward_tx {
    bytes envelope;
    bool wants_receipt;  /* eth_sendRawTransactionSync, */
    uint32_t timeout_ms; /* whose limit this is */
    uint64_t token;
};
struct forward_txs {
    const struct forward_tx *txs;
    size_t count;
    const char *slug; /* of the universe by whose URL they came; "": none */
    bool forwarded;   /* a node has handed them on already (RPC_FORWARDED_HEADER) */
};
#define RPC_FORWARDED_HEADER "x-callipter-forwarded"

struct dev_account {
    addr20 address;
    uint8_t key[32];
};

/* Who is told what happens; called on the node's own threads, must not block. */
struct node_watcher {
    void *ctx;
    /* A block has become durable, in order; views of the store show it already. */
    void (*durable)(void *ctx, uint64_t block);
    /* A transaction has its place in the block that is being made. It is found by `pooled`, and
     * once durable in the store. */
    void (*pending)(void *ctx, const hash32 *tx_hash);
    /* Blocks above `block` are gone: the parent made them void. Those that follow come through
     * `durable` again. NULL: not told. */
    void (*reorg)(void *ctx, uint64_t block);
};

/* What is known of the parent chain, if the node follows one. Thread-safe. */
struct node_parent {
    void *ctx;
    /* Newest blocks whose batches are on safe and on finalized blocks of the parent; neither
     * falls. */
    void (*tags)(void *ctx, uint64_t *out_safe, uint64_t *out_finalized);
    /* The batch that holds a block. False: none yet. */
    bool (*batch_of)(void *ctx, uint64_t block, uint64_t *out_batch);
    /* By how many L1 blocks (the parent's NUMBER) the parent is above the one with the batch of
     * `block`; 0 without a batch. */
    uint64_t (*confirmations)(void *ctx, uint64_t block);
    /* Signs the assertion that the chain stands at `block_hash` with `send_root` after
     * `batch_count` batches, if this node is a member of the committee and computed the same. False
     * with a sentence (NODE_REASON_MAX). */
    bool (*sign)(void *ctx, uint64_t batch_count, const hash32 *block_hash, const hash32 *send_root,
                 const hash32 *expected, addr20 *out_signer, uint8_t out_sig[65], char *out_reason);
    /* Whether this node must not be relied on: its chain differs from another's. Writes a
     * sentence. */
    bool (*differs)(void *ctx, char *out_reason);
    /* Why a transaction that had a receipt is in no block any more. False: there is no such. */
    bool (*tombstone)(void *ctx, const hash32 *tx_hash, const char **out_reason);
};

/* --- transactions that the node signs itself ------------------------------------------------ */
/* A call by one of the node's own accounts: each universe has one, the operator has one. Nonces are
 * the node's business. */
struct own_call {
    addr20 to;
    bytes data;
    u256 value;
    uint64_t gas;
    u256 max_fee; /* wei per gas; 0: a universe must pay */
    bytes meta;   /* kept with the transaction's hash (KV_SENT): what this part of the request is */
};
struct node_sent {
    enum submit_status status; /* DURABLE or REFUSED */
    hash32 hash;
    uint64_t nonce;
    addr20 sender;
    /* As in struct submit_result, but RPC_LIMIT_EXCEEDED too for what says nothing of the call: its
     * nonce came to be another's. */
    int code;
    const char *sponsor_rule;
    char text[SUBMIT_TEXT_MAX];
    char data[SUBMIT_DATA_MAX];
};
/* Calls that are sent together, in order. All of it stays the caller's and where it is until
 * `done`, which is called once, on any thread.
 *
 * With an id the request is remembered before anything is sent: KV_REQUEST gets `request`, KV_SENT
 * a row for each call, and after a crash what is not in the chain is sent again. A call that is
 * refused leaves no row, and a request of which nothing was done none either. */
struct node_send {
    const char *slug;     /* the universe whose account signs; "": the operator's */
    const char *universe; /* whose request it is: who has too many remembered is refused */
    const struct own_call *calls;
    size_t count;
    bool has_id;
    hash32 id;
    uint16_t first_part;       /* of the calls; parts follow each other */
    uint64_t created_ms;       /* of the request, in its first round; 0: it is remembered already */
    bytes request;             /* value of KV_REQUEST */
    struct node_sent *results; /* as many as calls */
    void (*done)(void *ctx);
    void *done_ctx;
};
/* Value of KV_SENT: version u8 | transaction hash 32 | nonce u64 | sender 20 | meta. */
enum { NODE_SENT_VERSION = 1, NODE_SENT_FIXED_BYTES = 61, NODE_SEND_CALLS_MAX = 256 };

struct node_commands {
    void *ctx;
    /* NULL: no parent is followed. */
    const struct node_parent *parent;
    /* Takes a transaction's envelope (copied). Thread-safe. */
    void (*submit)(void *ctx, bytes envelope, unsigned flags, submit_done_fn done, void *done_ctx,
                   uint64_t token);
    /* NULL: this node takes transactions itself. Else it hands them on to who does, and `submit` is
     * not asked; `forwarder` is the functions' first argument. All of `t` is copied; `done` is
     * called once for each of them, with FORWARDED or REFUSED. Thread-safe. */
    void *forwarder;
    void (*forward)(void *forwarder, const struct forward_txs *t, submit_done_fn done,
                    void *done_ctx);
    /* What was handed on, was taken, and may not be in a block here yet: as `pooled`; and the first
     * nonce from `nonce` on that none of the account's has. Thread-safe. */
    bool (*forwarded)(void *forwarder, const hash32 *hash, struct buf *out_envelope,
                      addr20 *out_sender);
    uint64_t (*forwarded_nonce)(void *forwarder, const addr20 *a, uint64_t nonce);
    /* The nonce after the last of the account's transactions that are next in turn, or in a block
     * that is not durable yet; 0 without any. They leave the pool once the store has them: who asks
     * here first and reads the account then takes the larger nonce, and never sees it step back.
     * Thread-safe. */
    uint64_t (*pending_nonce)(void *ctx, const addr20 *a);
    /* A transaction that waits in the pool: appends its envelope. False: not there, or durable
     * since: look into the store after this. Thread-safe. */
    bool (*pooled)(void *ctx, const hash32 *hash, struct buf *out_envelope, addr20 *out_sender);
    /* The node's own values. A write (copied) is atomic and durable when `done` says so; writes
     * take effect in the order in which they were asked for, and before what is submitted after
     * them. Reads see it at once. Thread-safe. NULL: this node keeps none. */
    void (*kv_write)(void *ctx, const struct kv_op *ops, size_t count, kv_done_fn done,
                     void *done_ctx, uint64_t token);
    /* Appends the value (out may be NULL); false: there is none. */
    bool (*kv_get)(void *ctx, enum kv_space space, bytes key, struct buf *out);
    /* Every key of the space from `from` (of the space's length) on, in order. */
    void (*kv_each)(void *ctx, enum kv_space space, bytes from, kv_each_fn fn, void *fn_ctx);
    /* From now on tells `w`, which stays where it is until the node has stopped. At most once. */
    void (*watch)(void *ctx, const struct node_watcher *w);
    /* Appends all metrics in Prometheus' text format. Thread-safe. NULL: there are none. */
    void (*metrics)(void *ctx, struct buf *out);
    /* Wall clock, seconds since 1970. Thread-safe. */
    uint64_t (*now)(void *ctx);
    /* Signing for universes; `outbox` is the functions' first argument. NULL: this node does not.
     */
    void *outbox;
    void (*send)(void *outbox, struct node_send *s);
    /* A request that is being done, by whomever: false, and 409 is the answer. Thread-safe. */
    bool (*claim)(void *outbox, const hash32 *id);
    void (*release)(void *outbox, const hash32 *id);
    /* The account of a universe; of the operator for "". False: there is none. Thread-safe. */
    bool (*signer)(void *outbox, const char *slug, addr20 *out);
    /* Secrets of the universes' API; static. Pepper: 32 bytes; admin key: its text. NULL: the API
     * is not served. */
    const uint8_t *api_pepper;
    const char *admin_key;
    const char *public_url; /* where clients reach this node, without a slash at the end; static */
    /* Keys that the node signs with on request (development only); static. */
    const struct dev_account *dev_accounts;
    size_t dev_account_count;
};

#endif
