/* SPDX-License-Identifier: Apache-2.0 */
#include "index/index.h"

#include "base/check.h"
#include "index/rows.h"

/* A criterion is a set of alternatives (addresses, or topics of one position): a block fits when
 * LOGA has a row for any of them. Each alternative remembers the next block it has, so that a seek
 * happens only when the search passed it. */
struct criterion {
    const uint8_t *items; /* count times item_len bytes */
    size_t item_len, count;
    uint64_t *next; /* next block >= the search position, per alternative; UINT64_MAX: none */
};

enum {
    CRITERIA_MAX = 1 + INDEX_FILTER_TOPICS_MAX,
    SEEKS_PER_LOOK = 64, /* about 100 us between two looks at the clock */
};

struct search {
    struct store_cursor *cursor;
    struct criterion criteria[CRITERIA_MAX];
    size_t count;
    uint64_t to;
    const struct index_query *query;
    size_t seeks;
    uint64_t reached; /* no block from the search's begin up to here fits */
    bool expired;
};

bool index_log_matches(const struct index_filter *f, const struct log_entry *log) {
    bool hit = f->address_count == 0;
    for (size_t i = 0; i < f->address_count && !hit; i++)
        hit = addr20_eq(&f->addresses[i], &log->address);
    if (!hit || f->topic_count > log->topic_count)
        return false;
    for (size_t t = 0; t < f->topic_count; t++) {
        const struct index_alternatives *alt = &f->topics[t];
        hit = alt->count == 0;
        for (size_t i = 0; i < alt->count && !hit; i++)
            hit = hash32_eq(&alt->values[i], &log->topics[t]);
        if (!hit)
            return false;
    }
    return true;
}

/* First block >= `from` that LOGA has for the item, UINT64_MAX if none up to `to`. */
static uint64_t seek_item(struct store_cursor *c, bytes item, uint64_t from, uint64_t to) {
    uint8_t key[ROW_LOGA_KEY_MAX_BYTES];
    size_t len = row_loga_key(key, item, from);
    bytes k, value;
    bool found = store_cursor_seek(c, bytes_of(key, len), &k, &value);
    /* A 32-byte topic may begin with the bytes of an address: such keys lie between and are stepped
     * over. */
    while (found && k.len != len && k.len >= item.len && memcmp(k.ptr, item.ptr, item.len) == 0)
        found = store_cursor_next(c, &k, &value);
    if (!found || k.len != len || memcmp(k.ptr, item.ptr, item.len) != 0)
        return UINT64_MAX;
    uint64_t block = be64_load(k.ptr + item.len);
    return block <= to ? block : UINT64_MAX;
}

/* Criteria that never meet in a block make a long search that opens none. */
static bool search_expired(struct search *s) {
    const struct index_query *q = s->query;
    if (!s->expired && ++s->seeks % SEEKS_PER_LOOK == 0 && q->expired != NULL)
        s->expired = q->expired(q->ctx);
    return s->expired;
}

/* First block >= `from` in which any alternative occurs; unknown once s->expired. */
static uint64_t criterion_next(struct search *s, struct criterion *c, uint64_t from) {
    uint64_t best = UINT64_MAX;
    for (size_t i = 0; i < c->count; i++) {
        if (c->next[i] < from && search_expired(s))
            return UINT64_MAX;
        if (c->next[i] < from)
            c->next[i] = seek_item(s->cursor, bytes_of(c->items + i * c->item_len, c->item_len),
                                   from, s->to);
        if (c->next[i] < best)
            best = c->next[i];
    }
    return best;
}

/* First block >= `from` that fits all criteria, UINT64_MAX if none, or if s->expired. Each round
 * moves `from` up or ends. */
static uint64_t search_next(struct search *s, uint64_t from) {
    size_t agreed = 0;
    for (size_t i = 0; agreed < s->count; i = (i + 1) % s->count) {
        s->reached = from;
        uint64_t block = criterion_next(s, &s->criteria[i], from);
        if (block == UINT64_MAX)
            return UINT64_MAX;
        agreed = block == from ? agreed + 1 : 1;
        from = block;
    }
    return from;
}

/* Without criteria: the next block whose bloom is not empty. */
static uint64_t bloom_next(struct store_view *v, uint64_t from, uint64_t to) {
    static const uint8_t empty[HEADER_BLOOM_BYTES];
    for (uint64_t n = from; n <= to; n++) {
        struct index_head h;
        if (index_head(&h, v, n) != ERR_OK)
            continue;
        if (memcmp(h.header.bloom, empty, sizeof(empty)) != 0)
            return n;
    }
    return UINT64_MAX;
}

static enum err add_criterion(struct search *s, struct arena *a, const void *items, size_t item_len,
                              size_t count) {
    if (count == 0)
        return ERR_OK;
    struct criterion *c = &s->criteria[s->count++];
    *c = (struct criterion){.items = items, .item_len = item_len, .count = count};
    c->next = arena_try_alloc(a, count * sizeof(uint64_t));
    if (c->next == NULL)
        return ERR_NOMEM;
    memset(c->next, 0,
           count * sizeof(uint64_t)); /* 0 is below any position but block 0, which has no logs */
    return ERR_OK;
}

static enum err search_init(struct search *s, struct arena *a, struct store_view *v,
                            const struct index_query *q) {
    const struct index_filter *f = &q->filter;
    *s = (struct search){.to = f->to, .query = q};
    TRY(add_criterion(s, a, f->addresses, sizeof(addr20), f->address_count));
    for (size_t t = 0; t < f->topic_count; t++)
        TRY(add_criterion(s, a, f->topics[t].values, sizeof(hash32), f->topics[t].count));
    if (s->count > 0) {
        s->cursor = store_cursor_open(v, TABLE_LOGA);
        if (s->cursor == NULL)
            return ERR_NOMEM;
    }
    return ERR_OK;
}

/* Gives the matching logs of one block to fn. *left is the number of logs the query may still give.
 */
static enum err scan_block(const struct index_block *b, const struct index_filter *f, size_t *left,
                           index_log_fn fn, void *ctx) {
    uint32_t log_idx = 0;
    for (size_t i = 0; i < b->tx_count; i++) {
        if (b->places != NULL)
            log_idx = b->places[i].first_log;
        for (size_t j = 0; j < b->receipts[i].log_count; j++, log_idx++) {
            const struct log_entry *log = &b->receipts[i].logs[j];
            if (!index_log_matches(f, log))
                continue;
            if (*left == 0)
                return ERR_BUSY;
            --*left;
            struct index_log l = {.block = b, .log = log, .at = i, .log_idx = log_idx};
            TRY(fn(ctx, &l));
        }
    }
    return ERR_OK;
}

static enum err visit(struct arena *a, const struct index_query *q, uint64_t block, size_t *left,
                      struct err_ctx *ec) {
    struct arena_mark m = arena_mark(a);
    struct index_block b;
    enum err e = index_load_block(&b, a, q->source, q->view, block, ec);
    if (e == ERR_PRUNED && index_filter_outlives(&q->filter))
        e = index_load_kept(&b, a, q->view, block, ec);
    if (e == ERR_OK)
        e = scan_block(&b, &q->filter, left, q->fn, q->ctx);
    arena_reset_to(a, m);
    return e;
}

/* LOGA has only what outlives of the blocks below the first that is whole: who asks for more would
 * take silence for an answer. */
static bool reaches_dropped(const struct index_query *q) {
    if (index_filter_outlives(&q->filter))
        return false;
    uint64_t first = index_first_body(q->view);
    return first > 1 && q->filter.from < first;
}

enum err index_logs(uint64_t *out_last, struct arena *a, const struct index_query *q,
                    struct err_ctx *ec) {
    const struct index_filter *f = &q->filter;
    CHECK(f->topic_count <= INDEX_FILTER_TOPICS_MAX);
    struct search s;
    size_t logs_left = q->logs_max, blocks_left = q->blocks_max;
    uint64_t last = f->from - 1;
    uint64_t pos = f->from > 0 ? f->from : 1; /* block 0 has no transactions */
    *out_last = last;
    if (reaches_dropped(q))
        return ERR_PRUNED;
    enum err e = search_init(&s, a, q->view, q);
    while (e == ERR_OK && pos <= f->to) {
        uint64_t block = s.count > 0 ? search_next(&s, pos) : bloom_next(q->view, pos, f->to);
        if (s.expired) {
            last = s.reached - 1;
            e = ERR_BUSY;
            break;
        }
        if (block > f->to)
            break;
        last = block - 1;
        if (blocks_left == 0 || (q->expired != NULL && q->expired(q->ctx))) {
            e = ERR_BUSY;
            break;
        }
        blocks_left--;
        e = visit(a, q, block, &logs_left, ec);
        pos = block + 1;
    }
    if (s.cursor != NULL)
        store_cursor_close(s.cursor);
    *out_last = e == ERR_OK ? f->to : last;
    return e;
}
