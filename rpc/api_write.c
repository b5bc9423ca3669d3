/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/api_write.h"

#include "base/check.h"

static void on_done(void *ctx, uint64_t token, enum err e) {
    struct api_write *w = ctx;
    (void)token;
    w->result = e;
    w->done = true;
    rpc_wake_up(w->wake);
}

void api_write_start(struct api_write *w, struct rpc_wake wake) {
    w->wake = wake;
    w->node->kv_write(w->node->ctx, w->ops, w->count, on_done, w, 0);
}

static void ask_write(struct rpc_call *c, struct rpc_wake wake) {
    api_write_start(c->ask_ctx, wake);
}

void api_write_ask(struct rpc_call *c, struct api_write *w) {
    CHECK(w->count > 0 && w->count <= API_WRITE_OPS_MAX);
    w->node = c->cx->node;
    w->done = false;
    c->ask_ctx = w;
    c->ask = ask_write;
}

bool api_write_done(struct rpc_call *c, const struct api_write *w) {
    if (w->done && w->result != ERR_OK)
        api_fail(c, API_UNAVAILABLE, "the change was not written: %s", err_text(w->result));
    return w->done && w->result == ERR_OK;
}
