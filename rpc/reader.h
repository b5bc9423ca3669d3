/* SPDX-License-Identifier: Apache-2.0 */
/* What a reader thread keeps between calls: views of the store, an executor for eth_call, memory
 * for one call; and the threads themselves. */
#ifndef RPC_READER_H
#define RPC_READER_H

#include "base/arena.h"
#include "rpc/call.h"
#include "rpc/params.h"

enum {
    RPC_REQUEST_ARENA_MAX =
        256 << 20 /* one call's memory: the largest block with its receipts fits many times */
};

/* What all readers keep together: logs of blocks that were searched (index/log_cache.h), the event
 * loop's reader as many as all others; and state and decoded code, of which one has at most
 * RPC_READER_BYTES_MAX. */
#define RPC_READERS_BYTES ((size_t)64 << 20)
#define RPC_READERS_LOG_BYTES ((size_t)8 << 20)
#define RPC_READERS_CODE_BYTES (RPC_READERS_BYTES - 2 * RPC_READERS_LOG_BYTES / 4 * 5)
#define RPC_READER_BYTES_MAX ((size_t)16 << 20)

struct rpc_reader;
struct rpc_reader *rpc_reader_new(const struct rpc_context *cx, size_t log_bytes) MUST_USE;
void rpc_reader_free(struct rpc_reader *r);

/* Runs the calls of `calls` whose phase is RUN or RECEIPT, in order, each against the newest
 * durable block at its start. */
void rpc_reader_run(struct rpc_reader *r, struct rpc_call *calls, size_t count);
/* One of them, by the caller's clock (clock_monotonic_ns). */
void rpc_reader_run_one(struct rpc_reader *r, struct rpc_call *c, uint64_t now_ns);

/* --- for handlers -------------------------------------------------------------------------- */
/* Memory of the call; reset when it ends. */
struct arena *rpc_arena(struct rpc_call *c);
/* The newest durable block's view, pinned for the call. */
struct store_view *rpc_head_view(struct rpc_call *c);
/* For log searches over that view. */
struct index_cache *rpc_log_cache(struct rpc_call *c);
uint64_t rpc_head_number(struct rpc_call *c);
/* Pins the newest durable block anew: for who has asked the pool for something that may have become
 * durable meanwhile. False with the error set. */
bool rpc_renew_head(struct rpc_call *c);
/* The nonce of the account's next transaction, counting the pool. False with the error set. */
bool rpc_pending_nonce(struct rpc_call *c, const addr20 *a, uint64_t *out);
/* Resolves a reference to a block. False without an error: there is no such block. */
bool rpc_resolve(struct rpc_call *c, const struct block_ref *ref, uint64_t *out_number);
/* As above for methods that need the block: its header too; the error is set when there is none. */
bool rpc_need_block(struct rpc_call *c, const struct block_ref *ref, struct index_head *out);
/* A view of the state at the end of a block; NULL with the error set when it is gone. Ends with the
 * next call of this. */
struct store_view *rpc_state_view(struct rpc_call *c, uint64_t number);
/* Flat state at the end of a block. False with the error set. */
bool rpc_account(struct rpc_call *c, uint64_t number, const addr20 *a, struct account *out);
/* The executor over the state at the end of a block; NULL with the error set. */
struct chain *rpc_executor(struct rpc_call *c, uint64_t number);
/* A block with its transactions; false without an error when unknown. Lives in the call's arena. */
bool rpc_load_block(struct rpc_call *c, uint64_t number, struct index_block *out);
/* One transaction, out->txs[*out_at], from the block or from what outlives it; likewise. */
bool rpc_load_tx(struct rpc_call *c, uint64_t number, uint64_t tx_idx, struct index_block *out,
                 size_t *out_at);
/* Microseconds since the call was begun. */
uint64_t rpc_spent_us(const struct rpc_call *c);
/* Whether the call has used up its time. */
bool rpc_time_up(struct rpc_call *c);

/* --- threads ------------------------------------------------------------------------------- */
/* A batch of calls of one job; returned to `done` on the reader's thread. */
struct rpc_work {
    struct rpc_work *next;
    struct rpc_call *calls;
    size_t count;
    bool heavy;
    bool begun; /* goes on with what was taken up before: always has room, and takes none */
    void (*done)(struct rpc_work *w);
    void *ctx;
};
struct rpc_readers;
/* `threads` >= 1. With two and more the first takes no heavy work, so that short reads never wait
 * behind it. */
struct rpc_readers *rpc_readers_new(const struct rpc_context *cx, size_t threads, size_t queue_max,
                                    struct err_ctx *ec) MUST_USE;
/* False: the queue is full. What has begun is bounded by whoever let it begin; refusing it would be
 * telling a client to do again what may have been done. */
bool rpc_readers_push(struct rpc_readers *p, struct rpc_work *w) MUST_USE;
/* Lets queued work finish, then ends the threads. */
void rpc_readers_free(struct rpc_readers *p);

#endif
