/* SPDX-License-Identifier: Apache-2.0 */
/* Filters that are polled. An id that is unknown or has expired is "filter not found", upon which
 * clients make theirs anew. */
#include "base/hex.h"
#include "rpc/format.h"
#include "rpc/handlers.h"
#include "rpc/json_writer.h"
#include "rpc/live.h"
#include "rpc/logs.h"
#include "rpc/tag.h"

enum {
    BLOCKS_PER_POLL = 10000, /* the rest comes with the next poll */
    HASHES_PER_POLL = 10000,
    FULL_TXS_PER_POLL = 500,
};

static void add_filter(struct rpc_call *c, struct rpc_filter *f) {
    struct err_ctx ec = {.err = ERR_OK};
    struct rpc_filter_id id;
    struct json_writer w;
    f->owner = rpc_tag_connection(c->tag);
    enum err e = rpc_filters_add(c->cx->live->filters, &id, f, rpc_now_ms(), &ec);
    if (e != ERR_OK) {
        rpc_fail_err(c, e, &ec);
        return;
    }
    jw_init(&w, &c->result);
    jw_data(&w, id.b, sizeof(id.b));
}

/* False with the error set: pending logs, or a range that is empty whatever the head. */
static bool range_ok(struct rpc_call *c, const struct filter_args *a) {
    if (a->from.kind == BLOCK_REF_PENDING || a->to.kind == BLOCK_REF_PENDING) {
        rpc_fail(c, RPC_INVALID_PARAMS, "pending logs are not supported");
        return false;
    }
    if (a->from.kind == BLOCK_REF_NUMBER && a->to.kind == BLOCK_REF_NUMBER &&
        a->from.number > a->to.number) {
        rpc_fail(c, RPC_INVALID_PARAMS, "invalid block range params");
        return false;
    }
    return true;
}

void rpc_eth_new_filter(struct rpc_call *c) {
    struct filter_args a;
    struct rpc_filter f = {.kind = RPC_FILTER_LOGS, .cursor = rpc_head_number(c) + 1};
    if (!param_filter(c, 0, &a, rpc_arena(c)) || !range_ok(c, &a))
        return;
    f.criteria = rpc_criteria_new(&a, &c->cx->live->criteria_used);
    if (f.criteria == NULL)
        rpc_fail(c, RPC_LIMIT_EXCEEDED, "too many filter criteria on this node");
    else
        add_filter(c, &f);
}

void rpc_eth_new_block_filter(struct rpc_call *c) {
    struct rpc_filter f = {.kind = RPC_FILTER_BLOCKS, .cursor = rpc_head_number(c) + 1};
    add_filter(c, &f);
}

void rpc_eth_new_pending_filter(struct rpc_call *c) {
    struct rpc_filter f = {.kind = RPC_FILTER_PENDING,
                           .cursor = rpc_pending_next(&c->cx->live->pending)};
    if (param_bool(c, 0, &f.full))
        add_filter(c, &f);
}

/* --- polling ------------------------------------------------------------------------------- */
/* Any text may be an id that once was; only ours can be found. False with the error set. */
static bool filter_id(struct rpc_call *c, struct rpc_filter_id *out) {
    json_t *v = param_at(c, 0);
    if (!json_is_string(v)) {
        rpc_fail_arg(c, 0, "json: cannot unmarshal non-string into Go value of type rpc.ID");
        return false;
    }
    struct buf raw;
    buf_init(&raw, RPC_FILTER_ID_BYTES);
    bool ok = hex_decode_buf(&raw, json_string_value(v), json_string_length(v)) == ERR_OK &&
              raw.len == RPC_FILTER_ID_BYTES;
    memset(out, 0, sizeof(*out));
    if (ok)
        memcpy(out->b, raw.ptr, RPC_FILTER_ID_BYTES);
    buf_clear(&raw);
    return true; /* zeros are nobody's id */
}

static void not_found(struct rpc_call *c) {
    rpc_fail(c, RPC_SERVER_ERROR, "filter not found");
}

static void empty_list(struct rpc_call *c) {
    struct json_writer w;
    jw_init(&w, &c->result);
    jw_array(&w);
    jw_array_end(&w);
}

/* The part of [cursor, head] that the filter's own bounds leave. False: nothing. */
static bool changes_range(struct rpc_call *c, const struct rpc_filter *f, struct index_filter *q) {
    const struct filter_args *a = &f->criteria->args;
    q->from = f->cursor;
    q->to = rpc_head_number(c);
    if (a->has_block_hash)
        return false; /* a block that is there already does not change */
    if (a->from.kind == BLOCK_REF_NUMBER && a->from.number > q->from)
        q->from = a->from.number;
    if (a->to.kind == BLOCK_REF_NUMBER && a->to.number < q->to)
        q->to = a->to.number;
    if (rpc_logs_bare(q) && q->to >= q->from && q->to - q->from >= INDEX_FILTER_BARE_RANGE_MAX)
        q->to = q->from + INDEX_FILTER_BARE_RANGE_MAX - 1;
    return q->from <= q->to;
}

/* Only what is void now: there is nothing new. */
static void removed_alone(struct rpc_call *c, const struct rpc_filter *f) {
    struct json_writer w;
    jw_init(&w, &c->result);
    jw_array(&w);
    rpc_given_write_removed(&f->given, &w, f->void_above);
    jw_array_end(&w);
}

/* What was void has been told, and `now` was given. */
static void note_given(struct rpc_filter *f, const struct rpc_given *now) {
    rpc_given_cut(&f->given, f->void_above);
    f->void_above = UINT64_MAX;
    rpc_given_append(&f->given, now);
}

static void log_changes(struct rpc_call *c, struct rpc_filter *f) {
    struct index_filter q = f->criteria->args.filter;
    struct err_ctx ec = {.err = ERR_OK};
    struct rpc_given now;
    struct rpc_logs_told told = {.before = &f->given, .void_above = f->void_above, .now = &now};
    uint64_t last = 0;
    rpc_given_init(&now, f->given.used);
    if (!changes_range(c, f, &q)) {
        removed_alone(c, f);
        note_given(f, &now);
        return;
    }
    enum err e = rpc_logs_query(c, &q, &told, &last, &ec);
    if (e != ERR_OK && (e != ERR_BUSY || last + 1 <= q.from)) {
        buf_reset(&c->result);
        if (e == ERR_BUSY)
            rpc_fail(c, RPC_LIMIT_EXCEEDED, "query returned more than 10000 results");
        else
            rpc_fail_err(c, e, &ec);
    } else {
        f->cursor = last + 1; /* what a limit cut off comes with the next poll */
        note_given(f, &now);
    }
    rpc_given_clear(&now);
}

static void block_changes(struct rpc_call *c, struct rpc_filter *f) {
    uint64_t head = rpc_head_number(c), cursor = f->cursor;
    struct json_writer w;
    jw_init(&w, &c->result);
    jw_array(&w);
    for (size_t n = 0; n < BLOCKS_PER_POLL && cursor <= head; n++, cursor++) {
        hash32 h = index_hash_of(rpc_head_view(c), cursor);
        jw_hash(&w, &h);
    }
    jw_array_end(&w);
    f->cursor = cursor;
}

static void pending_changes(struct rpc_call *c, struct rpc_filter *f) {
    size_t max = f->full ? FULL_TXS_PER_POLL : HASHES_PER_POLL;
    hash32 *hashes = arena_alloc(rpc_arena(c), max * sizeof(*hashes));
    uint64_t cursor = f->cursor;
    size_t n = rpc_pending_read(&c->cx->live->pending, &cursor, hashes, max);
    struct json_writer w;
    jw_init(&w, &c->result);
    jw_array(&w);
    for (size_t i = 0; i < n && !rpc_failed(c); i++) {
        struct arena_mark m = arena_mark(rpc_arena(c));
        if (f->full)
            format_tx_of(c, &w, &hashes[i]);
        else
            jw_hash(&w, &hashes[i]);
        arena_reset_to(rpc_arena(c), m);
    }
    jw_array_end(&w);
    if (!rpc_failed(c))
        f->cursor = cursor;
}

void rpc_eth_get_filter_changes(struct rpc_call *c) {
    struct rpc_filters *t = c->cx->live->filters;
    struct rpc_filter_id id;
    bool poll = false;
    if (!filter_id(c, &id))
        return;
    struct rpc_filter *f = rpc_filters_hold(t, &id, &poll, rpc_now_ms());
    if (f == NULL) {
        not_found(c);
        return;
    }
    if (!poll)
        empty_list(c); /* another poll of it is under way and gets what is new */
    else if (f->kind == RPC_FILTER_LOGS)
        log_changes(c, f);
    else if (f->kind == RPC_FILTER_BLOCKS)
        block_changes(c, f);
    else
        pending_changes(c, f);
    rpc_filters_release(t, f, poll);
}

void rpc_eth_get_filter_logs(struct rpc_call *c) {
    struct rpc_filters *t = c->cx->live->filters;
    struct rpc_filter_id id;
    bool poll = false;
    if (!filter_id(c, &id))
        return;
    struct rpc_filter *f = rpc_filters_hold(t, &id, &poll, rpc_now_ms());
    if (f != NULL && f->kind == RPC_FILTER_LOGS)
        rpc_logs_answer(c, &f->criteria->args);
    else
        not_found(c);
    if (f != NULL)
        rpc_filters_release(t, f, poll);
}

void rpc_eth_uninstall_filter(struct rpc_call *c) {
    struct rpc_filter_id id;
    struct json_writer w;
    if (!filter_id(c, &id))
        return;
    jw_init(&w, &c->result);
    jw_bool(&w, rpc_filters_remove(c->cx->live->filters, &id, rpc_now_ms()));
}
