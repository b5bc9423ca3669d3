/* SPDX-License-Identifier: Apache-2.0 */
/* Filters that clients poll (eth_newFilter and its siblings). A filter keeps what
 * is looked for and how far its client has come, so a poll is a query from there to the head. Of
 * results it keeps the logs that were given last (rpc/given.h): when their blocks become void the
 * next poll gives them once more, the newest first, with `removed`: true.
 *
 * Limits: RPC_FILTERS_MAX on the node, RPC_FILTERS_PER_CONNECTION made over one connection (of
 * whatever transport; proxies that share one among their clients come to this bound first), and
 * rpc/criteria.h's. A filter that nobody polls for RPC_FILTER_IDLE_MS is gone. Thread-safe. */
#ifndef RPC_FILTERS_H
#define RPC_FILTERS_H

#include "rpc/criteria.h"
#include "rpc/given.h"
#include "rpc/pending.h"

enum {
    RPC_FILTERS_MAX = 4096,
    RPC_FILTERS_PER_CONNECTION = 256,
    RPC_FILTER_IDLE_MS = 300000,
    RPC_FILTER_ID_BYTES = 16,
};

enum rpc_filter_kind { RPC_FILTER_LOGS, RPC_FILTER_BLOCKS, RPC_FILTER_PENDING };

struct rpc_filter_id {
    uint8_t b[RPC_FILTER_ID_BYTES]; /* random: who knows it may poll */
};

struct rpc_filter {
    /* Constant: */
    struct rpc_filter_id id;
    enum rpc_filter_kind kind;
    bool full;                     /* PENDING: whole transactions */
    struct rpc_criteria *criteria; /* LOGS; owned */
    uint64_t owner;                /* connection that made it */
    /* Of whoever polls: */
    uint64_t cursor;     /* next block, or next number of rpc/pending.h */
    uint64_t void_above; /* blocks above it have become void and were not told; UINT64_MAX: none */
    struct rpc_given given;
    /* Of rpc/filters.c: */
    uint64_t fork; /* lowest block that stood in re-orgs since the last poll; UINT64_MAX: none */
    uint64_t used_ms;
    unsigned pins;
    bool polled; /* somebody polls it now */
    bool dead;
};

struct rpc_filters;
struct rpc_filters *rpc_filters_new(struct rpc_pending *pending) MUST_USE;
void rpc_filters_free(struct rpc_filters *t);

/* Adds a filter as `f` describes it (kind, full, criteria, owner, cursor); takes the criteria, also
 * when it fails. ERR_BUSY with a sentence for a limit, ERR_NOMEM. */
enum err rpc_filters_add(struct rpc_filters *t, struct rpc_filter_id *out,
                         const struct rpc_filter *f, uint64_t now_ms, struct err_ctx *ec) MUST_USE;
/* Whether it was there. */
bool rpc_filters_remove(struct rpc_filters *t, const struct rpc_filter_id *id, uint64_t now_ms);
/* The filter, held until rpc_filters_release; NULL: not found. *out_poll: this caller alone may
 * move the cursor; false while another one polls. */
struct rpc_filter *rpc_filters_hold(struct rpc_filters *t, const struct rpc_filter_id *id,
                                    bool *out_poll, uint64_t now_ms) MUST_USE;
void rpc_filters_release(struct rpc_filters *t, struct rpc_filter *f, bool poll);
/* Blocks above `block` are gone: the next poll of each filter begins behind it. */
void rpc_filters_reorg(struct rpc_filters *t, uint64_t block);
size_t rpc_filters_count(struct rpc_filters *t);

#endif
