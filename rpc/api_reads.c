/* SPDX-License-Identifier: Apache-2.0 */
/* What read models tell: who has what, classes, events. */
#include "rpc/api_handlers.h"

#include "base/check.h"
#include "base/hex.h"
#include "rpc/abi_json.h"
#include "rpc/api_contracts.h"
#include "rpc/api_reads.h"
#include "rpc/api_wait.h"
#include "rpc/json_writer.h"

#include <stdlib.h>
#include <string.h>

enum {
    PAGE_DEFAULT = 100,
    EVENT_ROWS_MAX = 100000,
    EVENT_PAGE_BYTES = 1 << 20,  /* a page ends before the event that would pass this, */
    EVENT_PAGE_END_BYTES = 1024, /* which leaves so much of the longest reply for what is around */
    ABIS_MAX = 16
};

/* --- pages --------------------------------------------------------------------------------- */
size_t api_page_limit(const struct rpc_call *c) {
    uint64_t n = PAGE_DEFAULT;
    if (api_arg(c, "limit") != NULL)
        CHECK(api_u64(api_arg(c, "limit"), &n));
    return n == 0 ? 1 : n < INDEX_PAGE_MAX ? (size_t)n : (size_t)INDEX_PAGE_MAX;
}

bool api_page_place(struct rpc_call *c, struct index_page *out) {
    const char *text = api_arg_text(c, "after");
    size_t len = 0;
    *out = (struct index_page){0};
    if (text[0] == '\0')
        return true;
    if (hex_decode(out->b, sizeof(out->b), &len, text, strlen(text)) != ERR_OK) {
        api_fail(c, API_INVALID, "after: not a place that this list has given");
        return false;
    }
    out->len = (uint8_t)len;
    return true;
}

bool api_page_ok(struct rpc_call *c, enum err e) {
    if (e == ERR_INVALID)
        api_fail(c, API_INVALID, "after: not a place that this list has given");
    else if (e == ERR_NOT_FOUND)
        api_fail(c, API_NOT_FOUND, "nothing is known of this contract");
    else if (e != ERR_OK)
        rpc_fail_err(c, e, NULL);
    return e == ERR_OK;
}

void api_page_begin(struct json_writer *w, struct rpc_call *c) {
    jw_init(w, &c->result);
    jw_object(w);
    jw_key(w, "items");
    jw_array(w);
}

void api_page_end(struct json_writer *w, const struct index_page *at) {
    char text[2 * INDEX_PAGE_AT_MAX_BYTES + 1] = {0};
    jw_array_end(w);
    if (at->len > 0) {
        hex_encode(text, at->b, at->len);
        jw_m_text(w, "next", text);
    }
    jw_object_end(w);
}

static void print_dec(struct json_writer *w, const char *name, const u256 *v) {
    char text[79];
    jw_m_text(w, name, u256_to_dec(text, v));
}

static void print_holding(struct json_writer *w, const u256 *id, const u256 *amount) {
    print_dec(w, "id", id);
    print_dec(w, "amount", amount);
    jw_object_end(w);
}

/* --- who has what -------------------------------------------------------------------------- */
void api_inventory(struct rpc_call *c) {
    struct api_universe u;
    struct index_page at;
    struct json_writer w;
    addr20 player, contract;
    size_t n = 0, limit = api_page_limit(c);
    bool one = api_arg(c, "contract") != NULL;
    if (!api_universe_load(c, &u) || !api_page_place(c, &at))
        return;
    CHECK(api_address(api_arg(c, "player"), &player));
    if (one)
        CHECK(api_address(api_arg(c, "contract"), &contract));
    struct index_holding *list = arena_alloc(rpc_arena(c), limit * sizeof(*list));
    if (!api_page_ok(c, index_inventory(list, &n, &at, rpc_head_view(c), u.id, &player,
                                        one ? &contract : NULL, limit)))
        return;
    api_page_begin(&w, c);
    for (size_t i = 0; i < n; i++) {
        jw_object(&w);
        jw_m_addr(&w, "contract", &list[i].contract);
        jw_m_text(&w, "standard", index_standard_name(list[i].standard));
        print_holding(&w, &list[i].id, &list[i].amount);
    }
    api_page_end(&w, &at);
}

void api_holders(struct rpc_call *c) {
    struct api_universe u;
    struct index_page at;
    struct json_writer w;
    addr20 contract;
    u256 id;
    size_t n = 0, limit = api_page_limit(c);
    bool one = api_arg(c, "id") != NULL;
    if (!api_universe_load(c, &u) || !api_contract(c, &u, &contract) || !api_page_place(c, &at))
        return;
    if (one)
        CHECK(api_uint(api_arg(c, "id"), &id));
    struct index_holding *list = arena_alloc(rpc_arena(c), limit * sizeof(*list));
    if (!api_page_ok(
            c, index_holders(list, &n, &at, rpc_head_view(c), &contract, one ? &id : NULL, limit)))
        return;
    api_page_begin(&w, c);
    for (size_t i = 0; i < n; i++) {
        jw_object(&w);
        jw_m_addr(&w, "holder", &list[i].holder);
        print_holding(&w, &list[i].id, &list[i].amount);
    }
    api_page_end(&w, &at);
}

/* --- classes ------------------------------------------------------------------------------- */
static void print_about(struct json_writer *w, bytes metadata) {
    json_t *about = json_loadb((const char *)metadata.ptr, metadata.len, 0, NULL);
    char *text = json_is_object(about) ? json_dumps(about, JSON_COMPACT) : NULL;
    jw_key(w, "about");
    if (text != NULL)
        jw_raw(w, bytes_of(text, strlen(text)));
    else
        jw_null(w);
    free(text);
    json_decref(about);
}

void api_class_list(struct rpc_call *c) {
    struct api_universe u;
    struct index_page at;
    struct json_writer w;
    addr20 contract;
    size_t n = 0, limit = api_page_limit(c);
    if (!api_universe_load(c, &u) || !api_contract(c, &u, &contract) || !api_page_place(c, &at))
        return;
    struct index_class *list = arena_alloc(rpc_arena(c), limit * sizeof(*list));
    if (!api_page_ok(
            c, index_classes(list, &n, &at, rpc_arena(c), rpc_head_view(c), &contract, limit)))
        return;
    api_page_begin(&w, c);
    for (size_t i = 0; i < n; i++) {
        struct index_supply s = index_supply(rpc_head_view(c), &contract, &list[i].id);
        jw_object(&w);
        print_dec(&w, "id", &list[i].id);
        print_dec(&w, "maxSupply", &list[i].max_supply);
        print_dec(&w, "supply", &s.supply);
        print_dec(&w, "minted", &s.minted);
        jw_key(&w, "holders");
        jw_int(&w, (int64_t)s.holders);
        jw_key(&w, "block");
        jw_int(&w, (int64_t)list[i].block);
        print_about(&w, list[i].metadata);
        jw_object_end(&w);
    }
    api_page_end(&w, &at);
}

/* --- events -------------------------------------------------------------------------------- */
struct event_print {
    struct rpc_call *c;
    struct api_universe u;
    struct json_writer w;
    uint64_t epoch, safe, finalized;
    size_t count;
    struct {
        addr20 contract;
        json_t *abi;
    } abis[ABIS_MAX]; /* of contracts met last */
    size_t abi_count;
};

static json_t *abi_of(struct event_print *p, const addr20 *contract) {
    for (size_t i = 0; i < p->abi_count && i < ABIS_MAX; i++)
        if (addr20_eq(&p->abis[i].contract, contract))
            return p->abis[i].abi;
    size_t at = p->abi_count++ % ABIS_MAX;
    json_decref(p->abis[at].abi);
    p->abis[at].contract = *contract;
    p->abis[at].abi = api_contract_abi(p->c, &p->u, contract, false);
    return p->abis[at].abi;
}

static void print_decoded(struct event_print *p, const struct log_entry *log) {
    json_t *abi = abi_of(p, &log->address), *args = NULL;
    struct arena_mark mark = arena_mark(rpc_arena(p->c));
    struct abi_entry e;
    if (abi != NULL && log->topic_count > 0 &&
        abi_find_event(&e, rpc_arena(p->c), abi, &log->topics[0]) == ERR_OK &&
        abi_decode_log(&args, &e, log->topics, log->topic_count, log->data) == ERR_OK) {
        char *text = json_dumps(args, JSON_COMPACT);
        jw_m_text(&p->w, "name", e.name);
        jw_key(&p->w, "args");
        jw_raw(&p->w, bytes_of(text, strlen(text)));
        free(text);
        json_decref(args);
    }
    arena_reset_to(rpc_arena(p->c), mark);
}

static void print_cursor(struct event_print *p, const char *name, const struct index_cursor *at) {
    char text[INDEX_CURSOR_CHARS + 1];
    index_cursor_text(text, at);
    jw_m_text(&p->w, name, text);
}

static const char *finality_of(const struct event_print *p, uint64_t block) {
    return block <= p->finalized ? "finalized" : block <= p->safe ? "safe" : "durable";
}

static void print_event(struct event_print *p, const struct index_log *l) {
    struct index_cursor at = {
        .epoch = p->epoch, .block = l->block->number, .tx_idx = l->tx_idx, .log_idx = l->log_idx};
    jw_object(&p->w);
    print_cursor(p, "cursor", &at);
    jw_m_text(&p->w, "universe", p->u.slug);
    jw_key(&p->w, "block");
    jw_int(&p->w, (int64_t)l->block->number);
    jw_m_hash(&p->w, "blockHash", &l->block->hash);
    jw_m_hash(&p->w, "tx", l->tx_hash);
    jw_key(&p->w, "txIndex");
    jw_int(&p->w, l->tx_idx);
    jw_key(&p->w, "logIndex");
    jw_int(&p->w, l->log_idx);
    jw_key(&p->w, "ts");
    jw_int(&p->w, (int64_t)l->block->timestamp * 1000);
    jw_m_text(&p->w, "finality", finality_of(p, l->block->number));
    jw_m_text(&p->w, "kind", "log");
    jw_m_addr(&p->w, "contract", &l->log->address);
    print_decoded(p, l->log);
    jw_key(&p->w, "raw");
    jw_object(&p->w);
    jw_key(&p->w, "topics");
    jw_array(&p->w);
    for (size_t i = 0; i < l->log->topic_count; i++)
        jw_hash(&p->w, &l->log->topics[i]);
    jw_array_end(&p->w);
    jw_m_data(&p->w, "data", l->log->data);
    jw_object_end(&p->w);
    jw_object_end(&p->w);
}

/* A page ends before an event that makes it too long, unless that is its first: then the next page
 * begins with it. */
static enum err on_event(void *ctx, const struct index_log *l) {
    struct event_print *p = ctx;
    struct buf *out = &p->c->result;
    struct json_writer before = p->w;
    size_t len = out->len;
    print_event(p, l);
    bool first = p->count == 0,
         fits = !out->overflow && out->len <= out->max - EVENT_PAGE_END_BYTES;
    if (fits && (first || out->len <= EVENT_PAGE_BYTES)) {
        p->count++;
        return ERR_OK;
    }
    if (first)
        return ERR_TOO_LARGE;
    out->len = len;
    out->overflow = false;
    p->w = before;
    return ERR_BUSY;
}

/* What the holder of an undone cursor gets first; it goes on after the last block that stands. */
static void print_reorg(struct event_print *p, struct index_cursor *after) {
    uint64_t block = 0;
    if (after->block == 0 || !index_cursor_forked(&block, rpc_head_view(p->c), after))
        return;
    *after = (struct index_cursor){
        .epoch = p->epoch, .block = block, .tx_idx = UINT32_MAX, .log_idx = UINT32_MAX};
    p->count++;
    jw_object(&p->w);
    print_cursor(p, "cursor", after);
    jw_m_text(&p->w, "universe", p->u.slug);
    jw_key(&p->w, "block");
    jw_int(&p->w, (int64_t)block);
    jw_m_text(&p->w, "kind", "reorg");
    jw_object_end(&p->w);
}

static bool expired(void *ctx) {
    struct event_print *p = ctx;
    return rpc_time_up(p->c);
}

static bool begin_events(struct rpc_call *c, struct event_print *p, struct index_cursor *after) {
    const struct node_parent *parent = c->cx->node->parent;
    *p = (struct event_print){.c = c};
    if (!api_universe_load(c, &p->u))
        return false;
    if (api_arg_text(c, "after")[0] != '\0' &&
        index_cursor_parse(after, api_arg_text(c, "after")) != ERR_OK) {
        api_fail(c, API_INVALID, "after: not a cursor");
        return false;
    }
    p->epoch = index_epoch(rpc_head_view(c));
    if (parent != NULL)
        parent->tags(parent->ctx, &p->safe, &p->finalized);
    return true;
}

static void list_events(struct rpc_call *c, struct event_print *p, struct index_cursor *after,
                        bool *out_more) {
    addr20 contract;
    struct err_ctx ec = {.text = ""};
    struct index_cursor last = *after;
    bool one = api_arg(c, "contract") != NULL;
    if (one)
        CHECK(api_address(api_arg(c, "contract"), &contract));
    api_page_begin(&p->w, c);
    print_reorg(p, after);
    struct index_event_query q = {.source = &c->cx->source,
                                  .view = rpc_head_view(c),
                                  .universe = p->u.id,
                                  .after = *after,
                                  .to_block = UINT64_MAX,
                                  .contracts = &contract,
                                  .contract_count = one ? 1 : 0,
                                  .events_max = api_page_limit(c),
                                  .rows_max = EVENT_ROWS_MAX,
                                  .expired = expired,
                                  .fn = on_event,
                                  .ctx = p};
    enum err e = index_events(&last, out_more, rpc_arena(c), &q, &ec);
    if (e != ERR_OK)
        rpc_fail_err(c, e, &ec);
    jw_array_end(&p->w);
    last.epoch = p->epoch;
    print_cursor(p, "next", &last);
    jw_key(&p->w, "more");
    jw_bool(&p->w, *out_more);
    jw_object_end(&p->w);
}

void api_events(struct rpc_call *c) {
    struct event_print p;
    struct index_cursor after = {0};
    bool more = false;
    uint64_t wait_ms = 0;
    if (!begin_events(c, &p, &after))
        return;
    list_events(c, &p, &after, &more);
    for (size_t i = 0; i < ABIS_MAX; i++)
        json_decref(p.abis[i].abi);
    if (api_arg(c, "waitMs") != NULL)
        CHECK(api_u64(api_arg(c, "waitMs"), &wait_ms));
    uint64_t now = rpc_now_ms();
    uint64_t until = c->wait_until_ms != 0
                         ? c->wait_until_ms
                         : now + (wait_ms < API_WAIT_MAX_MS ? wait_ms : API_WAIT_MAX_MS);
    if (p.count > 0 || more || rpc_failed(c) || until <= now || c->cx->waiters == NULL ||
        api_waiters_closed(c->cx->waiters))
        return;
    buf_reset(&c->result);
    api_wait_ask(c, p.u.id, rpc_head_number(c), until);
}
