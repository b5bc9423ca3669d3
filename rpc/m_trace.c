/* SPDX-License-Identifier: Apache-2.0 */
/* debug_trace*: executes again what has happened, or what might, and tells how.
 *
 * Limits: --call-ms bounds the recording of each transaction and the replay of a block between its
 * transactions; --http-reply-mib bounds the answer; rpc/trace.h has the memory. */
#include "rpc/handlers.h"

#include "base/hex.h"
#include "rpc/simulate.h"
#include "rpc/trace.h"

#include <inttypes.h>

#define EVERY_TX SIZE_MAX

struct tracing {
    struct rpc_call *c;
    struct trace *trace;
    struct json_writer w;
    const hash32 *hash; /* of the transaction that is wanted; NULL: all, or the call */
    size_t idx, wanted; /* within the block */
    uint64_t logs;      /* of the block so far */
    uint64_t time_ms;   /* for each transaction */
    bool as_list;       /* entries {txHash, result} */
    bool written;
};

static bool is_wanted(const struct tracing *t) {
    return t->wanted == EVERY_TX || t->wanted == t->idx;
}

static const struct evm_tracer *begin(void *ctx, struct exec *x, const struct tx *tx) {
    struct tracing *t = ctx;
    if (!is_wanted(t))
        return NULL;
    return trace_begin(t->trace, x, tx, t->logs, rpc_now_ms() + t->time_ms);
}

static void write_entry(struct tracing *t, const struct tx *tx) {
    enum trace_outcome o = trace_outcome(t->trace);
    jw_object(&t->w);
    jw_m_hash(&t->w, "txHash", &tx->hash);
    if (o == TRACE_OK) {
        jw_key(&t->w, "result");
        trace_write(t->trace, &t->w);
    } else {
        jw_m_text(&t->w, "error", trace_outcome_text(o));
    }
    jw_object_end(&t->w);
}

static void write_one(struct tracing *t) {
    enum trace_outcome o = trace_outcome(t->trace);
    if (o == TRACE_OK)
        trace_write(t->trace, &t->w);
    else
        rpc_fail(t->c, o == TRACE_TOO_LARGE ? RPC_LIMIT_EXCEEDED : RPC_SERVER_ERROR, "%s",
                 trace_outcome_text(o));
}

static bool end(void *ctx, struct exec *x, const struct tx *tx, enum tx_verdict v,
                const struct tx_result *r) {
    struct tracing *t = ctx;
    if (v != TX_OK)
        return true; /* not in the block, or the call's error, which the caller tells */
    bool wanted = is_wanted(t) && (t->hash == NULL || hash32_eq(t->hash, &tx->hash));
    if (wanted) {
        trace_end(t->trace, x, tx, r);
        if (t->as_list)
            write_entry(t, tx);
        else
            write_one(t);
        t->written = true;
    }
    size_t logs = 0;
    (void)world_logs(x->world, &logs);
    t->logs += logs;
    t->idx++;
    if (!t->as_list && wanted)
        return false;
    if (rpc_time_up(t->c)) {
        rpc_fail_timeout(t->c);
        return false;
    }
    return !t->w.buf->overflow;
}

/* --- options ------------------------------------------------------------------------------- */
/* Reads argument `idx` and makes the trace; to be ended by tracing_end. False with the error set.
 */
static bool tracing_begin(struct tracing *t, struct rpc_call *c, size_t idx) {
    struct trace_options o;
    char why[TRACE_TEXT_MAX];
    *t = (struct tracing){.c = c, .wanted = EVERY_TX, .time_ms = c->cx->call_time_ms};
    jw_init(&t->w, &c->result);
    if (!trace_options_parse(&o, param_at(c, idx), why)) {
        rpc_fail(c, RPC_SERVER_ERROR, "%s", why);
        return false;
    }
    if (o.timeout_ms != 0 && o.timeout_ms < t->time_ms)
        t->time_ms = o.timeout_ms;
    t->trace = trace_new(&o, c->cx->reply_bytes_max);
    if (t->trace == NULL)
        rpc_fail_err(c, ERR_NOMEM, NULL);
    return t->trace != NULL;
}

static void tracing_end(struct tracing *t) {
    trace_free(t->trace);
}

/* --- blocks -------------------------------------------------------------------------------- */
/* Derives the block again on its parent's state. False with the error set. */
static bool replay(struct rpc_call *c, struct tracing *t, uint64_t number) {
    struct err_ctx ec = {.text = ""};
    struct message m;
    struct index_head parent;
    const struct exec_watch w = {.ctx = t, .begin = begin, .end = end};
    if (number == 0) {
        rpc_fail(c, RPC_SERVER_ERROR, "genesis is not traceable");
        return false;
    }
    enum err e =
        index_load_message(&m, rpc_arena(c), &c->cx->source, rpc_head_view(c), number, &ec);
    if (e == ERR_OK)
        e = index_head(&parent, rpc_head_view(c), number - 1);
    struct chain *chain = e == ERR_OK ? rpc_executor(c, number - 1) : NULL;
    if (chain != NULL)
        e = chain_replay_block(chain, rpc_arena(c), &parent.header, &m, &w, &ec);
    if (e != ERR_OK)
        rpc_fail_err(c, e, &ec);
    return !rpc_failed(c);
}

void rpc_debug_trace_tx(struct rpc_call *c) {
    hash32 hash;
    uint64_t number = 0;
    uint32_t idx = 0;
    struct tracing t;
    if (!param_hash(c, 0, &hash))
        return;
    enum err e = index_find_tx(&number, &idx, rpc_head_view(c), &hash);
    if (e == ERR_NOT_FOUND) {
        rpc_fail(c, RPC_SERVER_ERROR, "transaction not found");
        return;
    }
    if (e != ERR_OK) {
        rpc_fail_err(c, e, NULL);
        return;
    }
    if (!tracing_begin(&t, c, 1))
        return;
    t.wanted = idx;
    t.hash = &hash;
    /* What happened once happens again: anything else is damage. */
    if (replay(c, &t, number) && !t.written)
        rpc_fail_err(c, ERR_MISMATCH, NULL);
    tracing_end(&t);
}

static void trace_block(struct rpc_call *c, uint64_t number) {
    struct tracing t;
    if (!tracing_begin(&t, c, 1))
        return;
    t.as_list = true;
    jw_array(&t.w);
    (void)replay(c, &t, number);
    jw_array_end(&t.w);
    tracing_end(&t);
}

void rpc_debug_trace_block_by_number(struct rpc_call *c) {
    struct block_ref ref;
    uint64_t number = 0;
    if (!param_block(c, 0, &ref, false))
        return;
    if (rpc_resolve(c, &ref, &number))
        trace_block(c, number);
    else
        rpc_fail(c, RPC_SERVER_ERROR, "block #%" PRIu64 " not found", ref.number);
}

void rpc_debug_trace_block_by_hash(struct rpc_call *c) {
    struct block_ref ref = {.kind = BLOCK_REF_HASH};
    uint64_t number = 0;
    if (!param_hash(c, 0, &ref.hash))
        return;
    if (rpc_resolve(c, &ref, &number)) {
        trace_block(c, number);
        return;
    }
    char text[65] = {0};
    hex_encode(text, ref.hash.b, 32);
    rpc_fail(c, RPC_SERVER_ERROR, "block 0x%s not found", text);
}

/* --- calls --------------------------------------------------------------------------------- */
void rpc_debug_trace_call(struct rpc_call *c) {
    struct tx_args args;
    struct block_ref ref;
    struct index_head head;
    struct call_overrides o;
    struct call_result r;
    struct tracing t;
    json_t *config = param_at(c, 2), *idx = json_object_get(config, "txIndex");
    if (idx != NULL && !json_is_null(idx)) {
        rpc_fail(c, RPC_SERVER_ERROR, "txIndex is not supported: calls run at the block's end");
        return;
    }
    if (!param_tx(c, 0, &args, rpc_arena(c)) || !param_block(c, 1, &ref, true) ||
        !overrides_parse(c, 2, json_object_get(config, "stateOverrides"), 2,
                         json_object_get(config, "blockOverrides"), &o, rpc_arena(c)) ||
        !rpc_need_block(c, &ref, &head) || !tracing_begin(&t, c, 2))
        return;
    rpc_cap_gas(c, &args);
    const struct exec_watch w = {.ctx = &t, .begin = begin, .end = end};
    struct simulation s = {
        .tx = &args.tx, .head = &head, .ref = &ref, .overrides = &o, .watch = &w};
    if (rpc_simulate(c, &s, &r) && r.verdict != TX_OK) {
        char text[SIMULATION_TEXT_MAX];
        rpc_verdict_text(text, c, &s, &r);
        rpc_fail(c, RPC_SERVER_ERROR, "tracing failed: %s", text);
    }
    tracing_end(&t);
}
