/* SPDX-License-Identifier: Apache-2.0 */
/* 4byteTracer: how often which selector was called with how many bytes of arguments. */
#include "rpc/trace_internal.h"

#include "evm/precompile.h"

#include <stdio.h>

enum { SELECTOR_BYTES = 4 };

static void on_enter(void *ctx, enum evm_call_kind kind, const addr20 *from, const addr20 *to,
                     bytes input, int64_t gas, const u256 *value, uint32_t depth) {
    struct trace *t = ctx;
    (void)from;
    (void)gas;
    (void)value;
    (void)depth;
    if (!trace_live(t) || input.len < SELECTOR_BYTES || kind >= EVM_CREATE ||
        precompile_find(t->x->revision, to) >= 0)
        return;
    struct trace_key key = {{0}};
    memcpy(key.b, input.ptr, SELECTOR_BYTES);
    be64_store(key.b + SELECTOR_BYTES, input.len);
    struct four_byte *f = trace_find(t, &key);
    if (f != NULL) {
        f->count++;
        return;
    }
    f = trace_alloc(t, sizeof(*f));
    if (f == NULL)
        return;
    *f = (struct four_byte){
        .next = t->state.four.list, .args_len = input.len - SELECTOR_BYTES, .count = 1};
    memcpy(f->selector, input.ptr, SELECTOR_BYTES);
    t->state.four.list = f;
    trace_put(t, &key, f);
}

static void begin(struct trace *t, const struct tx *tx) {
    (void)tx;
    t->hooks.on_enter = on_enter;
}

static void end(struct trace *t, const struct tx *tx, const struct tx_result *r) {
    (void)t;
    (void)tx;
    (void)r;
}

static void write(struct trace *t, struct json_writer *w) {
    jw_object(w);
    for (const struct four_byte *f = t->state.four.list; f != NULL; f = f->next) {
        char key[48];
        snprintf(key, sizeof(key), "0x%02x%02x%02x%02x-%zu", f->selector[0], f->selector[1],
                 f->selector[2], f->selector[3], f->args_len);
        jw_key(w, key);
        jw_int(w, (int64_t)f->count);
    }
    jw_object_end(w);
}

const struct trace_ops trace_four_byte_ops = {begin, end, write};
