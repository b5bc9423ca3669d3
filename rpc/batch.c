/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/batch.h"

#include "base/keccak.h"
#include "rpc/api.h"
#include "rpc/json_writer.h"

void rpc_batch_init(struct rpc_batch *b, const struct rpc_context *cx, bool limited) {
    *b = (struct rpc_batch){.limited = limited, .left = cx->reply_bytes_max};
}

bool rpc_may_send(const struct rpc_call *c) {
    return c->method != NULL && (c->method->dev_only || api_route_of(c->method) != NULL);
}

void rpc_batch_cut(struct rpc_call *c) {
    bool was_sent = c->envelope.len > 0 || !hash32_is_zero(&c->tx_hash);
    buf_clear(&c->result);
    c->phase = RPC_PHASE_DONE;
    if (was_sent && !rpc_failed(c)) {
        struct json_writer w;
        hash32 hash = c->envelope.len > 0 ? keccak256_bytes(buf_bytes(&c->envelope)) : c->tx_hash;
        jw_init(&w, &c->result);
        jw_hash(&w, &hash);
        return;
    }
    c->code = 0;
    buf_clear(&c->text);
    buf_clear(&c->data);
    rpc_fail(c, RPC_LIMIT_EXCEEDED, "response too large");
}

bool rpc_batch_admits(struct rpc_call *c) {
    struct rpc_batch *b = c->batch;
    if (b == NULL || rpc_failed(c) || c->state != NULL)
        return true;
    if (b->limited && b->full) {
        rpc_batch_cut(c);
        return false;
    }
    if (c->phase == RPC_PHASE_RECEIPT)
        return true;
    if (b->limited && b->spent_us > RPC_BATCH_TIMES * 1000 * (uint64_t)c->cx->call_time_ms)
        rpc_fail(c, RPC_TIMED_OUT, "request timed out");
    else if (b->gone && !rpc_may_send(c))
        rpc_fail(c, RPC_TIMED_OUT, "the client has gone");
    if (rpc_failed(c))
        c->phase = RPC_PHASE_DONE;
    return !rpc_failed(c);
}

bool rpc_batch_fit(struct rpc_call *c, size_t *left) {
    size_t len = rpc_failed(c) ? c->text.len + c->data.len : c->result.len;
    if (len <= RPC_ANSWER_BRIEF || c->state != NULL)
        return true;
    if (len > *left) {
        rpc_batch_cut(c);
        return false;
    }
    *left -= len;
    return true;
}

void rpc_batch_took(struct rpc_call *c, uint64_t us) {
    struct rpc_batch *b = c->batch;
    if (b == NULL || !b->limited)
        return;
    b->spent_us += us;
    if (c->phase != RPC_PHASE_DONE)
        return;
    if (c->notification || rpc_failed(c))
        buf_clear(&c->result); /* nobody is told */
    if (!rpc_batch_fit(c, &b->left))
        b->full = true;
}
