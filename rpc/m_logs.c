/* SPDX-License-Identifier: Apache-2.0 */
/* eth_getLogs. Limits: index/index.h; of a search that is begun on the event loop rpc/engine.h. */
#include "rpc/logs.h"

#include "rpc/engine.h"
#include "rpc/format.h"
#include "rpc/handlers.h"

#include <inttypes.h>

struct collect {
    struct rpc_call *call;
    struct json_writer w;
    uint64_t block;          /* of the newest log */
    size_t mark;             /* where the result was before that block */
    size_t looks;            /* at the budget */
    struct rpc_given *given; /* NULL: not kept */
};

static bool expired(void *ctx) {
    struct collect *s = ctx;
    if (s->call->budget_gas == 0)
        return rpc_time_up(s->call);
    return ++s->looks > RPC_LOOP_LOGS_LOOKS || rpc_spent_us(s->call) > RPC_LOOP_LOGS_US;
}

static enum err on_log(void *ctx, const struct index_log *l) {
    struct collect *s = ctx;
    uint64_t block = l->block->number;
    if (block != s->block)
        s->mark = s->w.buf->len;
    s->block = block;
    size_t from = s->w.buf->len;
    format_log(&s->w, l);
    if (s->given != NULL && !s->w.buf->overflow) {
        from += s->w.buf->ptr[from] == ',';
        rpc_given_add(s->given, block, bytes_of(s->w.buf->ptr + from, s->w.buf->len - from));
    }
    bool long_here = s->call->budget_gas > 0 && s->w.buf->len > RPC_LOOP_LOGS_BYTES;
    return s->w.buf->overflow || long_here ? ERR_BUSY : ERR_OK;
}

/* One end of the range as a block number. */
static bool range_end(struct rpc_call *c, const struct block_ref *ref, uint64_t *out) {
    if (ref->kind == BLOCK_REF_PENDING) {
        rpc_fail(c, RPC_INVALID_PARAMS, "pending logs are not supported");
        return false;
    }
    if (ref->kind == BLOCK_REF_NUMBER) { /* may lie above the head: judged with the other end */
        *out = ref->number;
        return true;
    }
    return rpc_resolve(c, ref, out);
}

bool rpc_logs_range(struct rpc_call *c, const struct filter_args *f, uint64_t *from, uint64_t *to) {
    if (f->has_block_hash) {
        struct block_ref ref = {.kind = BLOCK_REF_HASH, .hash = f->block_hash};
        if (!rpc_resolve(c, &ref, from)) {
            if (!rpc_failed(c))
                rpc_fail(c, RPC_SERVER_ERROR, "unknown block");
            return false;
        }
        *to = *from;
        return true;
    }
    if (!range_end(c, &f->from, from) || !range_end(c, &f->to, to))
        return false;
    if (*from > *to) {
        rpc_fail(c, RPC_INVALID_PARAMS, "invalid block range params");
        return false;
    }
    if (*to > rpc_head_number(c)) {
        rpc_fail(c, RPC_INVALID_PARAMS, "block range extends beyond current head block");
        return false;
    }
    return true;
}

bool rpc_logs_bare(const struct index_filter *f) {
    bool bare = f->address_count == 0;
    for (size_t t = 0; t < f->topic_count; t++)
        bare = bare && f->topics[t].count == 0;
    return bare;
}

/* Indexers halve their range on these words. */
static void fail_range(struct rpc_call *c, const char *why, uint64_t from, uint64_t last) {
    buf_clear(&c->result);
    if (last < from || last == UINT64_MAX)
        last = from;
    rpc_fail(c, RPC_LIMIT_EXCEEDED, "%s. Try with this block range [0x%" PRIx64 ", 0x%" PRIx64 "].",
             why, from, last);
}

/* Drops what was written of the block that the query broke off in. */
static void cut_to_whole_blocks(struct collect *s, uint64_t last) {
    struct buf *b = s->w.buf;
    if (s->block != UINT64_MAX && s->block > last)
        b->len = s->mark;
    b->overflow = false;
}

enum err rpc_logs_query(struct rpc_call *c, const struct index_filter *f,
                        const struct rpc_logs_told *told, uint64_t *out_last, struct err_ctx *ec) {
    struct collect s = {.call = c, .block = UINT64_MAX, .given = told != NULL ? told->now : NULL};
    struct index_query q = {
        .source = &c->cx->source,
        .cache = rpc_log_cache(c),
        .view = rpc_head_view(c),
        .filter = *f,
        .logs_max = INDEX_FILTER_LOGS_MAX,
        .blocks_max = INDEX_FILTER_BLOCKS_MAX,
        .expired = expired,
        .fn = on_log,
        .ctx = &s,
    };
    *out_last = f->to;
    jw_init(&s.w, &c->result);
    jw_array(&s.w);
    if (told != NULL)
        rpc_given_write_removed(told->before, &s.w, told->void_above);
    enum err e = index_logs(out_last, rpc_arena(c), &q, ec);
    if (e == ERR_BUSY)
        cut_to_whole_blocks(&s, *out_last);
    if (e == ERR_BUSY && told != NULL)
        rpc_given_cut(told->now, *out_last);
    jw_array_end(&s.w);
    return e;
}

void rpc_logs_answer(struct rpc_call *c, const struct filter_args *args) {
    struct index_filter f = args->filter;
    struct err_ctx ec = {.err = ERR_OK};
    uint64_t last = 0;
    if (!rpc_logs_range(c, args, &f.from, &f.to))
        return;
    if (rpc_logs_bare(&f) && f.to - f.from >= INDEX_FILTER_BARE_RANGE_MAX) {
        fail_range(c, "block range too large for a query without address and topics", f.from,
                   f.from + INDEX_FILTER_BARE_RANGE_MAX - 1);
        return;
    }
    bool on_loop = c->budget_gas > 0;
    if (on_loop && rpc_logs_bare(&f) && f.to - f.from >= RPC_LOOP_BARE_BLOCKS) {
        rpc_over_budget(c);
        return;
    }
    enum err e = rpc_logs_query(c, &f, NULL, &last, &ec);
    if (e == ERR_BUSY && on_loop)
        rpc_over_budget(c);
    else if (e == ERR_BUSY)
        fail_range(c, rpc_time_up(c) ? "query timed out" : "query returned more than 10000 results",
                   f.from, last);
    else if (e != ERR_OK)
        rpc_fail_err(c, e, &ec);
}

void rpc_eth_get_logs(struct rpc_call *c) {
    struct filter_args f;
    if (param_filter(c, 0, &f, rpc_arena(c)))
        rpc_logs_answer(c, &f);
}
