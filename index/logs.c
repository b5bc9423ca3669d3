/* SPDX-License-Identifier: Apache-2.0 */
#include "index/index.h"

#include "base/check.h"
#include "index/log_cache.h"
#include "index/rows.h"
#include "index/sections.h"

/* A criterion is a set of alternatives (addresses, or topics of one position): a block fits when
 * LOGA has a row for any of them. Each alternative remembers the next block it has, so that a seek
 * happens only when the search passed it. */
struct alternative {
    const uint8_t *item;
    /* Stands at `next`; NULL: the shared one is sought anew each time. */
    struct store_cursor *cursor;
    uint64_t next;       /* block >= the search position; UINT64_MAX: none */
    uint8_t place_count; /* of `next`; 0: any */
    uint32_t places[ROW_LOGA_PLACES_MAX];
};
struct criterion {
    struct alternative *alternatives;
    size_t item_len, count;
    size_t agreed; /* times in a row that it had what the others had */
};

enum {
    CRITERIA_MAX = 1 + INDEX_FILTER_TOPICS_MAX,
    CURSORS_MAX = 8,    /* of one search, but for the shared one */
    SEEKS_PER_LOOK = 8, /* about 10 us between two looks at the clock */
    AGREED_ENOUGH = 4,
    PLACES_MAX = 64, /* looked at one by one; with more the block is read whole */
};

struct search {
    struct store_cursor *shared;
    struct criterion criteria[CRITERIA_MAX];
    size_t count;
    size_t leader; /* the criterion that last ruled blocks out: the rarest, mostly */
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

static void take_row(struct alternative *alt, uint64_t block, bytes value) {
    alt->next = block;
    alt->place_count = (uint8_t)(value.len / 4 <= ROW_LOGA_PLACES_MAX ? value.len / 4 : 0);
    for (size_t i = 0; i < alt->place_count; i++)
        alt->places[i] = be32_load(value.ptr + 4 * i);
}

/* Criteria that never meet in a block make a long search that opens none. */
static bool search_expired(struct search *s) {
    const struct index_query *q = s->query;
    if (!s->expired && ++s->seeks % SEEKS_PER_LOOK == 0 && q->expired != NULL)
        s->expired = q->expired(q->ctx);
    return s->expired;
}

/* Moves the alternative to its first block >= `from`, UINT64_MAX if there is none up to `to`;
 * nowhere once s->expired. The next row is tried before a seek: rare items have few to pass. A
 * 32-byte topic may begin with the bytes of an address: such keys lie between and are stepped over.
 */
static void alternative_move(struct search *s, struct alternative *alt, size_t item_len,
                             uint64_t from) {
    uint8_t key[ROW_LOGA_KEY_MAX_BYTES];
    bytes k, value;
    struct store_cursor *c = alt->cursor != NULL ? alt->cursor : s->shared;
    size_t len = row_loga_key(key, bytes_of(alt->item, item_len), from);
    bool found = alt->cursor != NULL && alt->next != 0
                     ? store_cursor_next(c, &k, &value)
                     : store_cursor_seek(c, bytes_of(key, len), &k, &value);
    while (found && k.len >= item_len && memcmp(k.ptr, key, item_len) == 0) {
        uint64_t block = k.len == len ? be64_load(k.ptr + item_len) : 0;
        if (k.len == len && block >= from) {
            if (block > s->to)
                break;
            take_row(alt, block, value);
            return;
        }
        if (search_expired(s))
            return;
        found = k.len == len ? store_cursor_seek(c, bytes_of(key, len), &k, &value)
                             : store_cursor_next(c, &k, &value);
    }
    alt->next = UINT64_MAX;
}

/* First block >= `from` in which any alternative occurs; unknown once s->expired. */
static uint64_t criterion_next(struct search *s, struct criterion *c, uint64_t from) {
    uint64_t best = UINT64_MAX;
    for (size_t i = 0; i < c->count; i++) {
        struct alternative *alt = &c->alternatives[i];
        if (alt->next < from && search_expired(s))
            return UINT64_MAX;
        if (alt->next < from)
            alternative_move(s, alt, c->item_len, from);
        if (s->expired)
            return UINT64_MAX;
        if (alt->next < best)
            best = alt->next;
    }
    return best;
}

/* First block >= `from` that fits all criteria that are asked, UINT64_MAX if none, or if
 * s->expired. Each round moves `from` up or ends. */
static uint64_t search_next(struct search *s, uint64_t from) {
    size_t agreed = 0;
    for (size_t i = s->leader; agreed < s->count; i = (i + 1) % s->count) {
        struct criterion *c = &s->criteria[i];
        if (i != s->leader && c->agreed >= AGREED_ENOUGH) {
            agreed++;
            continue;
        }
        s->reached = from;
        uint64_t block = criterion_next(s, c, from);
        if (block == UINT64_MAX)
            return UINT64_MAX;
        if (block == from) {
            agreed++;
            c->agreed++;
            continue;
        }
        agreed = 1;
        s->leader = i;
        c->agreed = 0;
        from = block;
    }
    return from;
}

/* A block was opened in vain: all criteria are asked again. */
static void ask_all(struct search *s) {
    for (size_t i = 0; i < s->count; i++)
        s->criteria[i].agreed = 0;
}

/* --- places within a block ------------------------------------------------------------------ */
struct places {
    bool any;                /* LOGA does not say */
    uint32_t at[PLACES_MAX]; /* rising */
    size_t count;
};

/* Those of the alternatives of one criterion that are at the block. */
static void places_of(struct places *out, const struct criterion *c, uint64_t block) {
    out->count = 0;
    out->any = true;
    for (size_t i = 0; i < c->count; i++) {
        const struct alternative *alt = &c->alternatives[i];
        if (alt->next > block)
            continue;
        /* Behind the block: the criterion was not asked. */
        if (alt->next < block || alt->place_count == 0 ||
            out->count + alt->place_count > PLACES_MAX) {
            out->any = true;
            return;
        }
        out->any = false;
        for (size_t k = 0; k < alt->place_count; k++) {
            size_t at = out->count;
            while (at > 0 && out->at[at - 1] > alt->places[k])
                at--;
            if (at > 0 && out->at[at - 1] == alt->places[k])
                continue;
            memmove(out->at + at + 1, out->at + at, (out->count - at) * sizeof(out->at[0]));
            out->at[at] = alt->places[k];
            out->count++;
        }
    }
}

static void places_meet(struct places *all, const struct places *more) {
    size_t count = 0;
    if (more->any)
        return;
    if (all->any) {
        *all = *more;
        return;
    }
    for (size_t i = 0, k = 0; i < all->count && k < more->count;) {
        if (all->at[i] == more->at[k])
            all->at[count++] = all->at[i];
        if (all->at[i] <= more->at[k])
            i++;
        else
            k++;
    }
    all->count = count;
}

static void search_places(struct places *out, const struct search *s, uint64_t block) {
    struct places one;
    out->count = 0;
    out->any = true;
    for (size_t i = 0; i < s->count; i++) {
        places_of(&one, &s->criteria[i], block);
        places_meet(out, &one);
    }
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
    struct criterion *c = &s->criteria[s->count];
    *c = (struct criterion){.item_len = item_len, .count = count};
    c->alternatives = arena_try_alloc(a, count * sizeof(c->alternatives[0]));
    if (c->alternatives == NULL)
        return ERR_NOMEM;
    /* next is below any position but block 0, which has no logs */
    for (size_t i = 0; i < count; i++)
        c->alternatives[i] = (struct alternative){.item = (const uint8_t *)items + i * item_len};
    s->count++;
    return ERR_OK;
}

static enum err search_init(struct search *s, struct arena *a, const struct index_query *q) {
    const struct index_filter *f = &q->filter;
    size_t cursors = 0;
    *s = (struct search){.to = f->to, .query = q};
    TRY(add_criterion(s, a, f->addresses, sizeof(addr20), f->address_count));
    for (size_t t = 0; t < f->topic_count; t++)
        TRY(add_criterion(s, a, f->topics[t].values, sizeof(hash32), f->topics[t].count));
    for (size_t i = 0; i < s->count; i++) {
        struct criterion *c = &s->criteria[i];
        if (c->count > CURSORS_MAX - cursors)
            continue;
        cursors += c->count;
        for (size_t k = 0; k < c->count; k++)
            c->alternatives[k].cursor = store_cursor_open(q->view, TABLE_LOGA);
    }
    if (s->count > 0)
        s->shared = store_cursor_open(q->view, TABLE_LOGA);
    return ERR_OK;
}

static void search_clear(struct search *s) {
    for (size_t i = 0; i < s->count; i++)
        for (size_t k = 0; k < s->criteria[i].count; k++)
            store_cursor_close(s->criteria[i].alternatives[k].cursor);
    store_cursor_close(s->shared);
}

/* --- looking at logs ------------------------------------------------------------------------- */
struct visit {
    const struct index_query *query;
    struct arena *arena;
    size_t logs_left; /* that the query may still give */
    size_t hits;      /* of the block */
    struct index_stamp stamp;
};

/* Gives the matching logs of one transaction to fn. */
static enum err scan_group(struct visit *v, const struct log_group *g) {
    for (size_t j = 0; j < g->log_count; j++) {
        if (!index_log_matches(&v->query->filter, &g->logs[j]))
            continue;
        if (v->logs_left == 0)
            return ERR_BUSY;
        v->logs_left--;
        v->hits++;
        struct index_log l = {.block = &v->stamp,
                              .tx_hash = &g->tx_hash,
                              .tx_idx = g->tx_idx,
                              .log_idx = g->first_log + (uint32_t)j,
                              .log = &g->logs[j]};
        TRY(v->query->fn(v->query->ctx, &l));
    }
    return ERR_OK;
}

static enum err scan_groups(struct visit *v, struct log_groups g) {
    for (size_t i = 0; i < g.count; i++)
        TRY(scan_group(v, &g.at[i]));
    return ERR_OK;
}

static struct log_group group_of(const struct record_receipt *r) {
    return (struct log_group){.tx_hash = r->hash,
                              .tx_idx = r->tx_idx,
                              .first_log = r->first_log,
                              .logs = r->receipt.logs,
                              .log_count = r->receipt.log_count};
}

static enum err scan_kept(struct visit *v, struct err_ctx *ec) {
    struct index_block b;
    TRY(index_load_kept(&b, v->arena, v->query->view, v->stamp.number, ec));
    for (size_t i = 0; i < b.tx_count; i++) {
        struct log_group g = {.tx_hash = b.txs[i].hash,
                              .tx_idx = index_tx_idx(&b, i),
                              .first_log = index_first_log(&b, i),
                              .logs = b.receipts[i].logs,
                              .log_count = b.receipts[i].log_count};
        TRY(scan_group(v, &g));
    }
    return ERR_OK;
}

static enum err scan_all(struct visit *v, struct err_ctx *ec) {
    const struct index_query *q = v->query;
    struct record_receipt *rr = NULL;
    struct log_groups all;
    if (log_cache_get(&all, q->cache, v->stamp.number, LOG_CACHE_WHOLE))
        return scan_groups(v, all);
    TRY(section_read_all(&rr, &all.count, v->arena, q->source, q->view, v->stamp.number, ec));
    struct log_group *groups = arena_try_alloc(v->arena, all.count * sizeof(*groups) + 1);
    if (groups == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < all.count; i++)
        groups[i] = group_of(&rr[i]);
    all.at = groups;
    enum err e = scan_groups(v, all);
    log_cache_put(q->cache, v->stamp.number, LOG_CACHE_WHOLE, all);
    return e;
}

/* All are read before any is given: segments may go meanwhile. Nothing is put into the cache before
 * all were given, since that ends what was got from it. */
static enum err scan_places(struct visit *v, const struct places *places, struct err_ctx *ec) {
    const struct index_query *q = v->query;
    struct log_pos pos = {0};
    uint64_t number = v->stamp.number, fresh = 0;
    bool has_pos = false;
    struct log_groups got[PLACES_MAX];
    _Static_assert(PLACES_MAX <= 64, "a bit of `fresh` each");
    for (size_t i = 0; i < places->count; i++) {
        if (log_cache_get(&got[i], q->cache, number, places->at[i]))
            continue;
        struct record_receipt r;
        struct log_group *g = arena_try_alloc(v->arena, sizeof(*g));
        if (g == NULL)
            return ERR_NOMEM;
        if (!has_pos)
            TRY(section_find(&pos, q->view, TABLE_RCPT, number));
        has_pos = true;
        TRY(section_read_at(&r, v->arena, q->source, pos, places->at[i], number, ec));
        *g = group_of(&r);
        got[i] = (struct log_groups){.at = g, .count = 1};
        fresh |= UINT64_C(1) << i;
    }
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < places->count; i++)
        e = scan_groups(v, got[i]);
    for (size_t i = 0; i < places->count; i++)
        if (fresh >> i & 1)
            log_cache_put(q->cache, number, places->at[i], got[i]);
    return e;
}

static enum err visit(struct visit *v, struct search *s, uint64_t block, struct err_ctx *ec) {
    struct arena_mark m = arena_mark(v->arena);
    struct places places;
    search_places(&places, s, block);
    v->hits = 0;
    enum err e = log_cache_stamp(&v->stamp, v->query->cache, v->query->view, block);
    if (e == ERR_OK)
        e = places.any ? scan_all(v, ec) : scan_places(v, &places, ec);
    if (e == ERR_PRUNED && index_filter_outlives(&v->query->filter))
        e = scan_kept(v, ec);
    if (v->hits == 0)
        ask_all(s);
    arena_reset_to(v->arena, m);
    return e;
}

/* LOGA has only what outlives of the blocks below the first that is whole: who asks for more would
 * take silence for an answer. */
static bool reaches_dropped(const struct index_query *q) {
    if (index_filter_outlives(&q->filter))
        return false;
    uint8_t key[8];
    bytes row;
    be64_store(key, q->filter.from);
    if (q->filter.from > 0 && store_get(q->view, TABLE_BODY, bytes_of(key, 8), &row))
        return false; /* what is dropped is all that is below some block */
    uint64_t first = index_first_body(q->view);
    return first > 1 && q->filter.from < first;
}

enum err index_logs(uint64_t *out_last, struct arena *a, const struct index_query *q,
                    struct err_ctx *ec) {
    const struct index_filter *f = &q->filter;
    CHECK(f->topic_count <= INDEX_FILTER_TOPICS_MAX);
    struct search s;
    struct visit v = {.query = q, .arena = a, .logs_left = q->logs_max};
    size_t blocks_left = q->blocks_max;
    uint64_t last = f->from - 1;
    uint64_t pos = f->from > 0 ? f->from : 1; /* block 0 has no transactions */
    *out_last = last;
    if (reaches_dropped(q))
        return ERR_PRUNED;
    enum err e = search_init(&s, a, q);
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
        e = visit(&v, &s, block, ec);
        pos = block + 1;
    }
    search_clear(&s);
    *out_last = e == ERR_OK ? f->to : last;
    return e;
}
