/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/live.h"

static void on_durable(void *ctx, uint64_t block) {
    (void)ctx;
    (void)block;
}

static void on_pending(void *ctx, const hash32 *tx_hash) {
    struct rpc_live *l = ctx;
    rpc_pending_add(&l->pending, tx_hash);
}

enum err rpc_live_init(struct rpc_live *l, struct err_ctx *ec) {
    if (!rpc_pending_init(&l->pending) || (l->filters = rpc_filters_new(&l->pending)) == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory for filters");
    return ERR_OK;
}

void rpc_live_start(struct rpc_live *l, const struct node_commands *node) {
    l->watcher = (struct node_watcher){.ctx = l, .durable = on_durable, .pending = on_pending};
    node->watch(node->ctx, &l->watcher);
}

void rpc_live_clear(struct rpc_live *l) {
    rpc_filters_free(l->filters);
    l->filters = NULL;
    rpc_pending_clear(&l->pending);
}
