/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "base/hex.h"
#include "bridge/parent_internal.h"

/* A call of parent_logs on its way through the endpoints. */
struct log_query {
    const struct parent_log_filter *filter;
    struct arena *arena;
    struct arena_mark mark; /* where an attempt begins anew */
    struct parent_log *logs;
    size_t count, cap;
};

static bool push(struct log_query *q, const struct parent_log *l) {
    if (q->count == q->cap) {
        size_t cap = q->cap == 0 ? 64 : q->cap * 2;
        struct parent_log *more = arena_try_alloc(q->arena, cap * sizeof *more);
        if (more == NULL)
            return false;
        if (q->count > 0)
            memcpy(more, q->logs, q->count * sizeof *more);
        q->logs = more;
        q->cap = cap;
    }
    q->logs[q->count++] = *l;
    return true;
}

/* --- one log ------------------------------------------------------------------------------ */

static enum err read_log(struct parent_log *out, struct arena *a, const json_t *v) {
    struct parent_log l = {.topic_count = 0};
    const json_t *topics = json_object_get(v, "topics");
    if (!json_is_array(topics) || json_array_size(topics) > PARENT_LOG_TOPICS_MAX ||
        json_is_true(json_object_get(v, "removed")))
        return ERR_PARSE;
    TRY(json_get_addr(&l.address, v, "address"));
    for (; l.topic_count < json_array_size(topics); l.topic_count++) {
        const char *s = json_string_value(json_array_get(topics, l.topic_count));
        if (s == NULL || strlen(s) != 66 ||
            hex_decode_fixed(l.topics[l.topic_count].b, 32, s) != ERR_OK)
            return ERR_PARSE;
    }
    TRY(json_get_u64(&l.block_num, v, "blockNumber"));
    TRY(json_get_hash(&l.block_hash, v, "blockHash"));
    TRY(json_get_hash(&l.tx_hash, v, "transactionHash"));
    TRY(json_get_u64(&l.log_idx, v, "logIndex"));
    TRY(json_get_bytes(&l.data, a, v, "data"));
    *out = l;
    return ERR_OK;
}

/* Whether the log is one that was asked for, and comes after the one before it. */
static bool belongs(const struct log_query *q, const struct parent_log *l, uint64_t from,
                    uint64_t to) {
    const struct parent_log_filter *f = q->filter;
    bool address = false, event = false;
    for (size_t i = 0; i < f->address_count; i++)
        address |= addr20_eq(&f->addresses[i], &l->address);
    for (size_t i = 0; i < f->event_count; i++)
        event |= parent_log_is(l, f->events[i], l->topic_count);
    if (!address || !event || l->block_num < from || l->block_num > to)
        return false;
    if (q->count == 0)
        return true;
    const struct parent_log *last = &q->logs[q->count - 1];
    return last->block_num < l->block_num ||
           (last->block_num == l->block_num && last->log_idx < l->log_idx);
}

/* --- one range ---------------------------------------------------------------------------- */

static void put_filter(struct buf *b, const struct parent_log_filter *f, uint64_t from,
                       uint64_t to) {
    buf_printf(b, "[{\"fromBlock\":\"0x%llx\",\"toBlock\":\"0x%llx\",\"address\":[",
               (unsigned long long)from, (unsigned long long)to);
    for (size_t i = 0; i < f->address_count; i++) {
        buf_append_str(b, i == 0 ? "\"" : ",\"");
        hex_put(b, f->addresses[i].b, sizeof f->addresses[i].b);
        buf_append_byte(b, '"');
    }
    buf_append_str(b, "],\"topics\":[[");
    for (size_t i = 0; i < f->event_count; i++) {
        hash32 topic = abi_topic(f->events[i]);
        buf_append_str(b, i == 0 ? "\"" : ",\"");
        hex_put(b, topic.b, sizeof topic.b);
        buf_append_byte(b, '"');
    }
    buf_append_str(b, "]]}]");
    buf_append_byte(b, '\0');
}

static enum err take_logs(struct log_query *q, const json_t *list, uint64_t from, uint64_t to,
                          struct err_ctx *ec) {
    if (!json_is_array(list))
        FAIL(ec, ERR_IO, "logs of the parent chain are no list");
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct parent_log l;
        enum err e = read_log(&l, q->arena, json_array_get(list, i));
        if (e == ERR_NOMEM)
            FAIL(ec, ERR_TOO_LARGE, "logs of the parent chain are over the memory given");
        if (e != ERR_OK || !belongs(q, &l, from, to))
            FAIL(ec, ERR_IO, "log %zu of parent blocks %llu to %llu is not what was asked for", i,
                 (unsigned long long)from, (unsigned long long)to);
        if (q->count == PARENT_LOGS_MAX || !push(q, &l))
            FAIL(ec, ERR_TOO_LARGE, "over %d logs in one question", PARENT_LOGS_MAX);
    }
    return ERR_OK;
}

/* The logs of [from, to]; *out_split: the endpoint finds that too much, ask for less. */
static enum err ask_range(struct parent *p, struct endpoint *ep, struct log_query *q, uint64_t from,
                          uint64_t to, bool *out_split, struct err_ctx *ec) {
    struct buf params;
    struct answer a;
    buf_init(&params, 1 << 12);
    put_filter(&params, q->filter, from, to);
    CHECK(!params.overflow);
    struct request r = {.method = "eth_getLogs",
                        .params = (const char *)params.ptr,
                        .too_large_is_answer = from < to,
                        .busy_is_answer = from < to};
    *out_split = false;
    enum err e = parent_ask(p, ep, &a, &r, ec);
    buf_clear(&params);
    if (e == ERR_TOO_LARGE && from < to) {
        *out_split = true;
        return ERR_OK;
    }
    TRY(e);
    if (a.result == NULL && from < to) {
        *out_split = true;
    } else if (a.result == NULL) {
        /* One block is never too much: it does not have it, or does not serve logs. */
        e = err_set(ec, ERR_IO, __FILE__, __LINE__, "logs of parent block %llu: %s",
                    (unsigned long long)from, a.message);
    } else {
        e = take_logs(q, a.result, from, to, ec);
    }
    answer_clear(&a);
    return e;
}

/* --- one endpoint ------------------------------------------------------------------------- */

static enum err check_end(struct parent *p, struct endpoint *ep, const struct parent_log_filter *f,
                          struct err_ctx *ec) {
    char params[64];
    struct answer a;
    struct parent_block b;
    snprintf(params, sizeof params, "[\"0x%llx\",false]", (unsigned long long)f->to);
    struct request r = {.method = "eth_getBlockByNumber", .params = params};
    TRY(parent_ask(p, ep, &a, &r, ec));
    enum err e = a.result != NULL ? json_as_block(&b, a.result) : ERR_PARSE;
    answer_clear(&a);
    if (e != ERR_OK || b.number != f->to || !hash32_eq(&b.hash, f->to_hash))
        FAIL(ec, ERR_MISMATCH, "the parent's block %llu is another one, or not there yet",
             (unsigned long long)f->to);
    return ERR_OK;
}

static enum err attempt_logs(struct parent *p, struct endpoint *ep, void *ctx, struct err_ctx *ec) {
    struct log_query *q = ctx;
    const struct parent_log_filter *f = q->filter;
    uint64_t span = p->config.logs_range_max, from = f->from;
    arena_reset_to(q->arena, q->mark);
    q->logs = NULL;
    q->count = q->cap = 0;
    for (bool done = false; !done;) {
        uint64_t to = f->to - from < span ? f->to : from + span - 1;
        bool split;
        TRY(ask_range(p, ep, q, from, to, &split, ec));
        if (split) {
            span = (to - from + 1) / 2;
            continue;
        }
        if (span < p->config.logs_range_max)
            span *= 2; /* what was too much may have been one crowded block */
        done = to == f->to;
        from = to + 1;
    }
    return f->to_hash != NULL ? check_end(p, ep, f, ec) : ERR_OK;
}

enum err parent_logs(struct parent *p, struct arena *a, struct parent_log **out, size_t *out_count,
                     const struct parent_log_filter *f, struct err_ctx *ec) {
    CHECK(f->from <= f->to);
    CHECK(f->address_count > 0 && f->address_count <= PARENT_LOG_ADDRESSES_MAX);
    CHECK(f->event_count > 0 && f->event_count <= PARENT_LOG_EVENTS_MAX);
    struct log_query q = {.filter = f, .arena = a, .mark = arena_mark(a)};
    TRY(parent_attempt(p, attempt_logs, &q, ec));
    *out = q.logs;
    *out_count = q.count;
    return ERR_OK;
}
