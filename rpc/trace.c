/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/trace_internal.h"

#include "rpc/call.h"

#include <stdlib.h>

enum { ARENA_CHUNK_BYTES = 64 << 10 };

static const struct trace_ops *const ops_by_kind[] = {
    [TRACE_STRUCT_LOG] = &trace_struct_ops, [TRACE_CALL] = &trace_call_ops,
    [TRACE_PRESTATE] = &trace_prestate_ops, [TRACE_FOUR_BYTE] = &trace_four_byte_ops,
    [TRACE_NOOP] = &trace_noop_ops,
};

struct trace *trace_new(const struct trace_options *o, size_t json_max) {
    struct trace *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->opt = *o;
    t->ops = ops_by_kind[o->kind];
    arena_init(&t->arena, ARENA_CHUNK_BYTES, TRACE_MEMORY_MAX_BYTES);
    buf_init(&t->text, json_max);
    map_init(&t->by_key, TRACE_KEY_BYTES, sizeof(void *), TRACE_MEMORY_MAX_BYTES / 64,
             map_seed_random());
    return t;
}

void trace_free(struct trace *t) {
    if (t == NULL)
        return;
    arena_clear(&t->arena);
    buf_clear(&t->text);
    map_clear(&t->by_key);
    free(t);
}

bool trace_live(struct trace *t) {
    if (t->full || t->expired)
        return false;
    if (t->deadline_ms == 0 || t->countdown-- > 0)
        return true;
    t->countdown = TRACE_CLOCK_EVENTS;
    t->expired = rpc_now_ms() > t->deadline_ms;
    return !t->expired;
}

void *trace_alloc(struct trace *t, size_t len) {
    void *p = arena_try_alloc(&t->arena, len);
    if (p == NULL)
        t->full = true;
    return p;
}

void *trace_find(const struct trace *t, const struct trace_key *k) {
    void **p = map_get(&t->by_key, k->b);
    return p == NULL ? NULL : *p;
}

void trace_put(struct trace *t, const struct trace_key *k, void *p) {
    if (map_put(&t->by_key, k->b, &p) != ERR_OK)
        t->full = true;
}

bytes trace_copy(struct trace *t, bytes b) {
    uint8_t *p = b.len == 0 ? NULL : trace_alloc(t, b.len);
    if (p == NULL)
        return bytes_of(NULL, 0);
    memcpy(p, b.ptr, b.len);
    return bytes_of(p, b.len);
}

const struct evm_tracer *trace_begin(struct trace *t, struct exec *x, const struct tx *tx,
                                     uint64_t first_log, uint64_t deadline_ms) {
    arena_reset(&t->arena);
    buf_reset(&t->text);
    map_reset(&t->by_key);
    memset(&t->state, 0, sizeof(t->state));
    t->hooks = (struct evm_tracer){.ctx = t};
    t->x = x;
    t->first_log = first_log;
    t->deadline_ms = deadline_ms;
    t->countdown = 0;
    t->full = t->expired = false;
    t->ops->begin(t, tx);
    return &t->hooks;
}

void trace_end(struct trace *t, struct exec *x, const struct tx *tx, const struct tx_result *r) {
    t->x = x;
    t->ops->end(t, tx, r);
    t->x = NULL;
}

enum trace_outcome trace_outcome(const struct trace *t) {
    if (t->expired)
        return TRACE_TIMED_OUT;
    return t->full || t->text.overflow ? TRACE_TOO_LARGE : TRACE_OK;
}

const char *trace_outcome_text(enum trace_outcome o) {
    switch (o) {
    case TRACE_OK:
        return "";
    case TRACE_TOO_LARGE:
        return "response too large";
    case TRACE_TIMED_OUT:
        return "execution timeout";
    }
    return "";
}

void trace_write(struct trace *t, struct json_writer *w) {
    t->ops->write(t, w);
}

/* --- noopTracer ---------------------------------------------------------------------------- */
static void noop_begin(struct trace *t, const struct tx *tx) {
    (void)t;
    (void)tx;
}

static void noop_end(struct trace *t, const struct tx *tx, const struct tx_result *r) {
    (void)t;
    (void)tx;
    (void)r;
}

static void noop_write(struct trace *t, struct json_writer *w) {
    (void)t;
    jw_object(w);
    jw_object_end(w);
}

const struct trace_ops trace_noop_ops = {noop_begin, noop_end, noop_write};
