/* SPDX-License-Identifier: Apache-2.0 */
/* What clients follow as it happens: filters that they poll, subscriptions that are sent to them.
 * The parts exist for as long as the server. */
#ifndef RPC_LIVE_H
#define RPC_LIVE_H

#include "rpc/call.h"
#include "rpc/filters.h"
#include "rpc/pending.h"
#include "rpc/subs.h"

struct rpc_ws;
struct rpc_live {
    struct rpc_pending pending;
    struct rpc_filters *filters;
    struct rpc_subs *subs;
    struct rpc_feed *feed;
    struct rpc_ws *ws; /* borrowed: the server's */
    atomic_size_t criteria_used;
    struct api_waiters *waiters; /* borrowed; NULL: nobody polls */
    struct node_watcher watcher;
};

/* ERR_NOMEM, ERR_IO. `l` is zeroed before; rpc_live_clear takes it as it is after a failure too.
 * `cx` is borrowed. */
enum err rpc_live_init(struct rpc_live *l, const struct rpc_context *cx, struct event_base *base,
                       struct err_ctx *ec) MUST_USE;
/* Begins to follow the node. */
void rpc_live_start(struct rpc_live *l, const struct node_commands *node);
/* The node has stopped, or was never followed; the connections are gone. */
void rpc_live_clear(struct rpc_live *l);

#endif
