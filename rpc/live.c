/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/live.h"

#include "rpc/api_wait.h"
#include "rpc/ws.h"

static void on_durable(void *ctx, uint64_t block) {
    struct rpc_live *l = ctx;
    rpc_feed_durable(l->feed, block);
    if (l->waiters != NULL)
        api_waiters_block(l->waiters, block);
}

static void on_reorg(void *ctx, uint64_t block) {
    struct rpc_live *l = ctx;
    rpc_filters_reorg(l->filters, block);
    rpc_feed_reorg(l->feed, block);
    if (l->waiters != NULL)
        api_waiters_reorg(l->waiters, block);
}

static void on_pending(void *ctx, const hash32 *tx_hash) {
    struct rpc_live *l = ctx;
    rpc_pending_add(&l->pending, tx_hash);
    rpc_feed_pending(l->feed);
}

enum err rpc_live_init(struct rpc_live *l, const struct rpc_context *cx, struct event_base *base,
                       struct err_ctx *ec) {
    if (!rpc_pending_init(&l->pending) || (l->filters = rpc_filters_new(&l->pending)) == NULL ||
        (l->subs = rpc_subs_new(base, &rpc_ws_transport)) == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory for filters and subscriptions");
    l->feed = rpc_feed_new(cx, base, &l->pending, rpc_subs_on_item, l->subs, ec);
    if (l->feed == NULL)
        return ERR_NOMEM;
    rpc_subs_set_source(l->subs, (struct rpc_sub_source){.ctx = l->feed, .want = rpc_feed_want});
    return ERR_OK;
}

void rpc_live_start(struct rpc_live *l, const struct node_commands *node) {
    l->watcher = (struct node_watcher){
        .ctx = l, .durable = on_durable, .pending = on_pending, .reorg = on_reorg};
    node->watch(node->ctx, &l->watcher);
}

void rpc_live_clear(struct rpc_live *l) {
    rpc_feed_free(l->feed);
    l->feed = NULL;
    rpc_subs_free(l->subs);
    l->subs = NULL;
    rpc_filters_free(l->filters);
    l->filters = NULL;
    rpc_pending_clear(&l->pending);
}
