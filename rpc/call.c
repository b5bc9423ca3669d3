/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/call.h"

#include "base/hex.h"
#include "base/limits.h"
#include "rpc/api.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

enum {
    ERROR_TEXT_MAX = 4096,
    ERROR_DATA_MAX = 2 << 20,            /* hex of the longest revert data that is passed on */
    ENVELOPE_MAX = LIMIT_RPC_BODY_BYTES, /* the node has a lower limit of its own and says so */
};

void rpc_call_init(struct rpc_call *c, const struct rpc_context *cx) {
    memset(c, 0, sizeof(*c));
    c->cx = cx;
    c->dev_account = -1;
    c->origin = &api_nobody;
    buf_init(&c->result, cx->reply_bytes_max);
    buf_init(&c->text, ERROR_TEXT_MAX);
    buf_init(&c->data, ERROR_DATA_MAX);
    buf_init(&c->envelope, ENVELOPE_MAX);
}

void rpc_call_clear(struct rpc_call *c) {
    buf_clear(&c->result);
    buf_clear(&c->text);
    buf_clear(&c->data);
    buf_clear(&c->envelope);
    json_decref(c->args);
    if (c->state_free != NULL)
        c->state_free(c->state);
}

void rpc_call_reset(struct rpc_call *c) {
    c->phase = RPC_PHASE_NEW;
    c->code = 0;
    c->over_budget = false;
    c->try_later = false;
    buf_reset(&c->result);
    buf_reset(&c->text);
    buf_reset(&c->data);
    buf_reset(&c->envelope);
}

static void fail_text(struct rpc_call *c, int code, const char *text) {
    if (c->code != 0)
        return;
    c->code = code;
    buf_append_str(&c->text, text);
}

void rpc_fail(struct rpc_call *c, int code, const char *fmt, ...) {
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fail_text(c, code, text);
}

void rpc_fail_arg(struct rpc_call *c, size_t idx, const char *fmt, ...) {
    char text[1024];
    int n = snprintf(text, sizeof(text), "invalid argument %zu: ", idx);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
    va_end(ap);
    fail_text(c, RPC_INVALID_PARAMS, text);
}

void rpc_fail_err(struct rpc_call *c, enum err e, const struct err_ctx *ec) {
    if (e == ERR_PRUNED) {
        fail_text(c, RPC_PRUNED, "pruned history unavailable");
        return;
    }
    const char *text = ec != NULL && ec->err == e && ec->text[0] != '\0' ? ec->text : err_text(e);
    fail_text(c, err_rpc_code(e), text);
}

void rpc_fail_data(struct rpc_call *c, bytes data) {
    buf_append_byte(&c->data, '"');
    hex_put(&c->data, data.ptr, data.len);
    buf_append_byte(&c->data, '"');
    if (c->data.overflow)
        buf_reset(&c->data);
}

uint64_t rpc_now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
