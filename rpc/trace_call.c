/* SPDX-License-Identifier: Apache-2.0 */
/* callTracer. Frames are nodes of a tree in the trace's arena; nothing recurses, for calls nest
 * 1,024 deep. */
#include "rpc/trace_internal.h"

#include "base/check.h"
#include "rpc/tx_errors.h"

static const char *kind_text(enum evm_call_kind kind) {
    switch (kind) {
    case EVM_CALL:
        return "CALL";
    case EVM_CALLCODE:
        return "CALLCODE";
    case EVM_DELEGATECALL:
        return "DELEGATECALL";
    case EVM_STATICCALL:
        return "STATICCALL";
    case EVM_CREATE:
        return "CREATE";
    case EVM_CREATE2:
        return "CREATE2";
    case EVM_SELFDESTRUCT:
        return "SELFDESTRUCT";
    }
    return "";
}

static bool left_out(const struct trace *t, uint32_t depth) {
    return t->opt.only_top_call && depth > 0;
}

/* --- events -------------------------------------------------------------------------------- */
static void on_step(void *ctx, const struct evm_step *s) {
    struct trace *t = ctx;
    fault_note(&t->state.call.last, s);
}

static void on_enter(void *ctx, enum evm_call_kind kind, const addr20 *from, const addr20 *to,
                     bytes input, int64_t gas, const u256 *value, uint32_t depth) {
    struct trace *t = ctx;
    struct call_trace *c = &t->state.call;
    if (!trace_live(t))
        return;
    CHECK(depth <= EVM_CALL_DEPTH_MAX + 1); /* a call beyond the limit is told, and fails */
    c->logs_at[depth] = c->logs_alive;
    if (left_out(t, depth))
        return;
    struct call_frame *f = trace_alloc(t, sizeof(*f)), *parent = c->current;
    if (f == NULL)
        return;
    *f = (struct call_frame){.parent = parent,
                             .kind = kind,
                             .from = *from,
                             .to = *to,
                             .value = *value,
                             .gas = parent == NULL ? c->root->gas : (uint64_t)gas,
                             .input = trace_copy(t, input)};
    c->current = f;
    if (parent == NULL) {
        c->root = f;
        return;
    }
    if (parent->last == NULL)
        parent->first = f;
    else
        parent->last->next = f;
    parent->last = f;
    parent->child_count++;
}

static void set_error(struct trace *t, struct call_frame *f, enum evm_status status) {
    char *text = trace_alloc(t, FAULT_TEXT_MAX);
    if (text == NULL)
        return;
    fault_text(text, status, &t->state.call.last);
    f->error = text;
    f->failed = true;
    f->reverted = status == EVM_REVERT;
}

static void on_exit_frame(void *ctx, enum evm_status status, bytes output, int64_t gas_used,
                          uint32_t depth) {
    struct trace *t = ctx;
    struct call_trace *c = &t->state.call;
    if (!trace_live(t))
        return;
    if (status != EVM_SUCCESS)
        c->logs_alive = c->logs_at[depth];
    if (left_out(t, depth))
        return;
    struct call_frame *f = c->current;
    CHECK(f != NULL);
    f->gas_used = (uint64_t)gas_used;
    if (status != EVM_SUCCESS)
        set_error(t, f, status);
    if (status == EVM_SUCCESS || status == EVM_REVERT)
        f->output = trace_copy(t, output);
    c->current = f->parent;
}

static void on_log(void *ctx, const struct evm_log *log, uint32_t depth) {
    struct trace *t = ctx;
    struct call_trace *c = &t->state.call;
    uint64_t index = c->logs_alive++;
    if (!trace_live(t) || left_out(t, depth))
        return;
    struct call_log *l = trace_alloc(t, sizeof(*l));
    if (l == NULL)
        return;
    struct call_frame *f = c->current;
    *l = (struct call_log){.log = *log, .index = index, .position = f->child_count};
    l->log.data = trace_copy(t, log->data);
    if (f->last_log == NULL)
        f->first_log = l;
    else
        f->last_log->next = l;
    f->last_log = l;
}

static void begin(struct trace *t, const struct tx *tx) {
    struct call_trace *c = &t->state.call;
    t->hooks.on_step = on_step;
    t->hooks.on_enter = on_enter;
    t->hooks.on_exit = on_exit_frame;
    t->hooks.on_log = t->opt.with_log ? on_log : NULL;
    c->logs_alive = t->first_log;
    c->logs_at = trace_alloc(t, (EVM_CALL_DEPTH_MAX + 2) * sizeof(*c->logs_at));
    c->root = trace_alloc(t, sizeof(*c->root));
    CHECK(c->logs_at != NULL && c->root != NULL); /* the arena is fresh */
    /* Until the first frame begins: what the whole transaction was given. */
    *c->root = (struct call_frame){.gas = tx->gas_limit};
}

static void end(struct trace *t, const struct tx *tx, const struct tx_result *r) {
    (void)tx;
    t->state.call.root->gas_used = r->gas_used;
}

/* --- JSON ---------------------------------------------------------------------------------- */
static bool is_create(enum evm_call_kind kind) {
    return kind == EVM_CREATE || kind == EVM_CREATE2;
}

/* Members up to the calls. */
static void write_head(struct json_writer *w, const struct call_frame *f) {
    jw_object(w);
    jw_m_addr(w, "from", &f->from);
    jw_m_u64(w, "gas", f->gas);
    jw_m_u64(w, "gasUsed", f->gas_used);
    if (f->error == NULL || !is_create(f->kind))
        jw_m_addr(w, "to", &f->to);
    jw_m_data(w, "input", f->input);
    if (f->output.len != 0)
        jw_m_data(w, "output", f->output);
    if (f->error != NULL)
        jw_m_text(w, "error", f->error);
    if (!f->reverted || f->output.len == 0)
        return;
    struct buf reason;
    buf_init(&reason, f->output.len + FAULT_TEXT_MAX);
    if (tx_revert_reason(&reason, f->output)) {
        jw_key(w, "revertReason");
        jw_str(w, (const char *)reason.ptr, reason.len);
    }
    buf_clear(&reason);
}

static void write_logs(struct json_writer *w, const struct call_frame *f) {
    if (f->failed || f->first_log == NULL)
        return;
    jw_key(w, "logs");
    jw_array(w);
    for (const struct call_log *l = f->first_log; l != NULL; l = l->next) {
        jw_object(w);
        jw_m_addr(w, "address", &l->log.address);
        jw_key(w, "topics");
        jw_array(w);
        for (size_t i = 0; i < l->log.topic_count; i++)
            jw_hash(w, &l->log.topics[i]);
        jw_array_end(w);
        jw_m_data(w, "data", l->log.data);
        jw_m_u64(w, "index", l->index);
        jw_m_u64(w, "position", l->position);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void write_tail(struct json_writer *w, const struct call_frame *f) {
    write_logs(w, f);
    if (f->kind != EVM_STATICCALL)
        jw_m_u256(w, "value", &f->value);
    jw_m_text(w, "type", kind_text(f->kind));
    jw_object_end(w);
}

static void write(struct trace *t, struct json_writer *w) {
    struct call_frame *root = t->state.call.root, *f = root;
    for (;;) {
        write_head(w, f);
        if (f->first != NULL) {
            jw_key(w, "calls");
            jw_array(w);
            f->first->failed |= f->failed;
            f = f->first;
            continue;
        }
        write_tail(w, f);
        while (f != root && f->next == NULL) {
            f = f->parent;
            jw_array_end(w);
            write_tail(w, f);
        }
        if (f == root)
            return;
        f = f->next;
        f->failed |= f->parent->failed;
    }
}

const struct trace_ops trace_call_ops = {begin, end, write};
