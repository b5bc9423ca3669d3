/* SPDX-License-Identifier: Apache-2.0 */
/* JSON-RPC 2.0 without the transport: a body goes in, a reply comes out. Calls of a batch run in
 * order; calls that submit run side by side, and what follows them waits until all have answered.
 * Everything here runs on the event loop's thread; readers and the sequencer answer through an
 * inbox that wakes the loop.
 *
 * Handing a call over costs several times what a point read does, so FLAT and BRIEF methods
 * (rpc/call.h) run on the loop, with a reader of its own. That may not hold up the others: a call
 * has RPC_LOOP_GAS, or as a log search RPC_LOOP_LOGS_LOOKS, and what calls take beyond
 * RPC_LOOP_FREE_US each comes out of a purse that fills at a tenth of the time; while it is empty,
 * calls go to the reader threads. An answer of many bytes takes the loop long whoever makes it, so
 * a call has a microsecond more for each KiB.
 *
 * Limits: RPC_BATCH_MAX calls in a batch, RPC_JSON_DEPTH_MAX (rpc/jsonrpc.h) nested levels,
 * jobs_max bodies in work, and the total size of a reply; what a batch may take: rpc/batch.h. REST
 * calls that wait for events give their place among those bodies up, and the pages of streams take
 * none: rpc/api_wait.h and the connections bound them. Repeated keys in an object make a request
 * invalid, since readers differ on which one counts. */
#ifndef RPC_ENGINE_H
#define RPC_ENGINE_H

#include "base/buf.h"
#include "base/err.h"
#include "rpc/api.h"
#include "rpc/api_quota.h"
#include "rpc/call.h"
#include "rpc/scan.h"

#include <event2/event.h>

enum {
    RPC_BATCH_MAX = 1000,
    RPC_LOOP_GAS = 100000,
    RPC_LOOP_LOGS_LOOKS =
        64,                  /* of a log search: blocks, and groups of 8 rows on the way to them; */
    RPC_LOOP_LOGS_US = 1000, /* if a disk is slow; the time alone says little, since the thread may
                                be interrupted */
    RPC_LOOP_LOGS_BYTES = 256 << 10, /* of its answer */
    RPC_LOOP_BARE_BLOCKS = 16,       /* it may go through without address and topic */
    RPC_LOOP_FREE_US = 40,    /* about what reading, handing over and answering a request costs */
    RPC_LOOP_PURSE_US = 2000, /* at most in the purse */
    RPC_LOOP_RECEIPTS = 8,    /* of one body that are read on the loop */
    RPC_LOOP_CHARGE_US = 400, /* at most for one call: the thread may just have been interrupted */
};

struct rpc_engine_options {
    struct event_base *base;
    const struct rpc_context *context; /* borrowed */
    size_t readers;                    /* threads, >= 1 */
    size_t read_queue_max;             /* batches of calls that wait for a reader */
    size_t jobs_max;                   /* at most 65536 */
};
struct rpc_reply {
    struct buf body; /* handed over; empty when there is nothing to say (notifications) */
    bool busy;       /* the only call, or the whole request, met a full queue: HTTP 429 */
    int status;      /* HTTP's, of a REST call; 0: JSON-RPC */
    bool replayed;   /* a REST call that had been done before */
    bool in_flight;  /* a REST call that is being done: ask again */
    struct api_quota_state quota; /* of a REST call */
};
/* Called exactly once per body, on the loop's thread, possibly before rpc_engine_run returns. */
typedef void (*rpc_reply_fn)(void *ctx, uint64_t tag, struct rpc_reply *reply);

struct rpc_engine;
struct rpc_engine *rpc_engine_new(const struct rpc_engine_options *o, rpc_reply_fn reply, void *ctx,
                                  struct err_ctx *ec) MUST_USE;
/* A first look at a body, by rpc_engine_answer for rpc_engine_run. */
struct rpc_look {
    uint64_t clock_ns; /* in: what clock_monotonic_ns says now, 0 where nobody knows; out: later */
    bytes id, result;  /* out, answered: until the next call */
    /* out, not answered: */
    bool tried;           /* the loop's budget did not suffice: for a reader */
    bool is_submission;   /* one submission of the usual shape, */
    struct rpc_scan scan; /* as scanned, */
    const uint8_t *text;  /* where the body was then */
};
/* Answers a request of the usual shape (rpc/scan.h) for a method that runs on the loop, from nobody
 * in particular, and without an error. False: nothing has happened, and rpc_engine_run is to be
 * asked about the same body. */
bool rpc_engine_answer(struct rpc_engine *e, struct rpc_look *look, bytes body);
/* Takes the body's storage; `from` is copied, NULL: nobody. `look`: at the same bytes before, NULL:
 * none. A body of nothing but submissions of the usual shape is scanned, and kept until its reply;
 * others are parsed. */
void rpc_engine_run(struct rpc_engine *e, struct buf *body, uint64_t tag,
                    const struct api_origin *from, const struct rpc_look *look);
/* A REST call: `path` are the parameters of the path, taken over; the query or the body's storage
 * has the others. */
void rpc_engine_rest(struct rpc_engine *e, const struct api_route *r, json_t *path, bytes query,
                     struct buf *body, uint64_t tag, const struct api_origin *from);
/* The next page of a stream that was begun by one of those: asked for by the server itself, when
 * the client has taken the last, so it is neither refused for want of room nor comes out of the
 * universe's share. `args` is taken over. */
void rpc_engine_page(struct rpc_engine *e, const struct api_route *r, json_t *args, uint64_t tag,
                     const struct api_origin *from);
/* The client of a connection (that of `tag`, rpc/tag.h) has gone: reads that are not begun will not
 * be. What sends goes on, and every body still has its reply. */
void rpc_engine_gone(struct rpc_engine *e, uint64_t tag);
/* Bodies that have not been answered. */
size_t rpc_engine_pending(const struct rpc_engine *e);
/* Ends the readers. Submissions must have been answered or be answered never: late answers would
 * find no engine. */
void rpc_engine_free(struct rpc_engine *e);

#endif
