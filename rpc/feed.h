/* SPDX-License-Identifier: Apache-2.0 */
/* From what the node announces to what subscribers are sent: a thread reads each durable block once
 * and writes its JSON once for all of them, then hands it to the event loop. Blocks come in order
 * and none is left out while somebody wants them; when nobody does they are not even read.
 *
 * When the parent makes blocks void, subscribers get the logs of those that they were sent once
 * more, the last first, with `removed`: true, and then the blocks that came instead.
 *
 * Limits: RPC_FEED_AHEAD_BYTES of JSON that the loop has not taken yet; past it the thread waits,
 * the blocks stay in the store. RPC_FEED_KEPT_BYTES of logs that can still be taken back: older
 * ones are not told as removed. Pending transactions: rpc/pending.h. */
#ifndef RPC_FEED_H
#define RPC_FEED_H

#include "rpc/call.h"
#include "rpc/pending.h"

enum {
    RPC_FEED_KEPT_BYTES = 16 << 20,
    RPC_FEED_AHEAD_BYTES = 64 << 20,
    RPC_FEED_PENDING_BATCH = 128
};

/* JSON that many are sent. Counted on the loop's thread alone. */
struct rpc_payload {
    size_t refs, len;
    uint8_t json[];
};
struct rpc_payload *rpc_payload_new(bytes json) MUST_USE; /* one reference; NULL: no memory */
void rpc_payload_drop(struct rpc_payload *p);             /* NULL is fine */

enum rpc_feed_want {
    RPC_FEED_HEADS,
    RPC_FEED_LOGS,
    RPC_FEED_RECEIPTS,
    RPC_FEED_PENDING,
    RPC_FEED_PENDING_FULL,
    RPC_FEED_WANTS
};

struct rpc_feed_log {
    struct log_entry entry; /* without data */
    uint64_t block;
    struct rpc_payload *json;
};
struct rpc_feed_receipt {
    hash32 tx_hash;
    size_t at, len; /* in the array of all */
};
struct rpc_feed_pending {
    struct rpc_payload *hash;
    struct rpc_payload *full; /* NULL: not wanted, or gone already */
};
/* A block, or some pending transactions. What nobody wanted when it was made is not there. */
struct rpc_feed_item {
    struct rpc_feed_item *next;
    uint64_t block;
    bool is_block, failed; /* the block could not be read */
    bool is_reorg;         /* blocks above `block` are gone; their logs come again as removed */
    uint64_t reorgs;       /* how many there were when the item was begun */
    uint8_t bloom[256];    /* of the block */
    struct rpc_payload *head;
    struct rpc_feed_log *logs;
    size_t log_count;
    struct rpc_payload *receipts; /* array of all */
    struct rpc_feed_receipt *receipt_spans;
    size_t receipt_count;
    struct rpc_feed_pending *pending;
    size_t pending_count;
    size_t bytes;
};

/* Called on the loop's thread; the item ends with the call, payloads live by their references. */
typedef void (*rpc_feed_fn)(void *ctx, const struct rpc_feed_item *item);

struct event_base;
struct rpc_feed;
struct rpc_feed *rpc_feed_new(const struct rpc_context *cx, struct event_base *base,
                              struct rpc_pending *pending, rpc_feed_fn fn, void *ctx,
                              struct err_ctx *ec) MUST_USE;
/* Ends the thread. The node announces nothing any more. */
void rpc_feed_free(struct rpc_feed *f);

/* One more (or less) subscriber wants this. Gives the newest durable block: those after it are made
 * with what is wanted. Loop's thread. `feed`: a struct rpc_feed. */
uint64_t rpc_feed_want(void *feed, enum rpc_feed_want what, bool more);
/* Announcements; any thread. */
void rpc_feed_reorg(struct rpc_feed *f, uint64_t block);
void rpc_feed_durable(struct rpc_feed *f, uint64_t block);
void rpc_feed_pending(struct rpc_feed *f);

#endif
