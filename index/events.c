/* SPDX-License-Identifier: Apache-2.0 */
/* Events of a universe in order, and cursors into them. */
#include "base/check.h"
#include "index/sections.h"
#include "index/universe_rows.h"

#include <inttypes.h>

/* --- cursors -------------------------------------------------------------------------------- */

enum { CURSOR_BYTES = 24, BITS_PER_CHAR = 5 };
/* RFC 4648 §7: sorts like the bytes. 39 characters have 195 bits, the last three being 0. */
static const char alphabet[] = "0123456789abcdefghijklmnopqrstuv";

static unsigned bit_at(const uint8_t *b, size_t i) {
    return i < (size_t)CURSOR_BYTES * 8 ? (unsigned)b[i / 8] >> (7 - i % 8) & 1U : 0;
}

void index_cursor_text(char out[INDEX_CURSOR_CHARS + 1], const struct index_cursor *c) {
    uint8_t b[CURSOR_BYTES];
    be64_store(b, c->epoch);
    be64_store(b + 8, c->block);
    be32_store(b + 16, c->tx_idx);
    be32_store(b + 20, c->log_idx);
    for (size_t i = 0; i < INDEX_CURSOR_CHARS; i++) {
        unsigned v = 0;
        for (size_t k = 0; k < BITS_PER_CHAR; k++)
            v = v << 1 | bit_at(b, i * BITS_PER_CHAR + k);
        out[i] = alphabet[v];
    }
    out[INDEX_CURSOR_CHARS] = '\0';
}

enum err index_cursor_parse(struct index_cursor *out, const char *text) {
    uint8_t b[CURSOR_BYTES + 1] = {0};
    if (strlen(text) != INDEX_CURSOR_CHARS)
        return ERR_INVALID;
    for (size_t i = 0; i < INDEX_CURSOR_CHARS; i++) {
        const char *p = strchr(alphabet, text[i]);
        if (p == NULL)
            return ERR_INVALID;
        size_t v = (size_t)(p - alphabet);
        for (size_t k = 0; k < BITS_PER_CHAR; k++) {
            size_t bit = i * BITS_PER_CHAR + k;
            if ((v >> (BITS_PER_CHAR - 1 - k) & 1) != 0)
                b[bit / 8] |= (uint8_t)(1U << (7 - bit % 8));
        }
    }
    if (b[CURSOR_BYTES] != 0)
        return ERR_INVALID;
    *out = (struct index_cursor){.epoch = be64_load(b),
                                 .block = be64_load(b + 8),
                                 .tx_idx = be32_load(b + 16),
                                 .log_idx = be32_load(b + 20)};
    return ERR_OK;
}

void index_put_fork(struct store *s, uint64_t epoch, uint64_t block) {
    uint8_t key[8], value[8];
    be64_store(key, epoch);
    be64_store(value, block);
    store_put(s, TABLE_FORK, bytes_of(key, sizeof(key)), bytes_of(value, sizeof(value)));
}

uint64_t index_epoch(struct store_view *v) {
    uint8_t last[8];
    bytes key, value;
    be64_store(last, UINT64_MAX);
    struct store_cursor *c = store_cursor_open(v, TABLE_FORK);
    uint64_t epoch = 1;
    if (store_cursor_seek_le(c, bytes_of(last, 8), &key, &value) && key.len == 8)
        epoch = be64_load(key.ptr);
    store_cursor_close(c);
    return epoch;
}

bool index_cursor_forked(uint64_t *out_block, struct store_view *v, const struct index_cursor *c) {
    uint64_t stands = store_view_block(v);
    if (c->epoch < UINT64_MAX) {
        uint8_t first[8];
        bytes key, value;
        be64_store(first, c->epoch + 1);
        struct store_cursor *forks = store_cursor_open(v, TABLE_FORK);
        for (bool more = store_cursor_seek(forks, bytes_of(first, 8), &key, &value); more;
             more = store_cursor_next(forks, &key, &value))
            if (value.len == 8 && be64_load(value.ptr) < stands)
                stands = be64_load(value.ptr);
        store_cursor_close(forks);
    }
    *out_block = stands;
    return c->block > stands;
}

/* --- events --------------------------------------------------------------------------------- */

enum { ROWS_PER_LOOK = 64 }; /* between two looks at the clock */

struct search {
    const struct index_event_query *q;
    struct arena *arena;
    struct store_cursor *cursor;
    bytes key, value;
    struct index_cursor at; /* of the row under the cursor */
    size_t rows_left, events_left;
    /* What `at` is in, as far as it is read. */
    bool stamped, loaded;
    struct index_stamp block;
    struct record_receipt receipt;
    struct arena_mark mark;
};

/* Whether the row under the cursor is one of the query's range. */
static bool row_fits(struct search *s) {
    if (s->key.len != ROW_EVENT_KEY_BYTES || be64_load(s->key.ptr) != s->q->universe)
        return false;
    uint64_t block = be64_load(s->key.ptr + 8);
    uint32_t tx_idx = be32_load(s->key.ptr + 16);
    if (block > s->q->to_block)
        return false;
    if (block != s->at.block)
        s->stamped = false;
    if (block != s->at.block || tx_idx != s->at.tx_idx) {
        s->loaded = false;
        arena_reset_to(s->arena, s->mark);
    }
    s->at.block = block;
    s->at.tx_idx = tx_idx;
    s->at.log_idx = be32_load(s->key.ptr + 20);
    return true;
}

static bool row_matches(const struct index_event_query *q, bytes value) {
    bool hit = q->contract_count == 0;
    for (size_t i = 0; i < q->contract_count && !hit; i++)
        hit = memcmp(q->contracts[i].b, value.ptr, 20) == 0;
    if (!hit || q->topic_count == 0)
        return hit;
    hit = false;
    for (size_t i = 0; i < q->topic_count && !hit && value.len == 20 + 32; i++)
        hit = memcmp(q->topics[i].b, value.ptr + 20, 32) == 0;
    return hit;
}

static bool out_of_time(const struct search *s) {
    return s->q->expired != NULL && s->q->expired(s->q->ctx);
}

/* A row that stands for events that are gone, of any contract. */
static bool is_mark(bytes value) {
    return value.len == 0;
}

/* Gives the log under the cursor to fn. ERR_BUSY: out of time; ERR_PRUNED: it is gone. */
static enum err give(struct search *s, struct err_ctx *ec) {
    const struct index_event_query *q = s->q;
    if (is_mark(s->value))
        return ERR_PRUNED;
    if (!s->stamped) {
        if (out_of_time(s))
            return ERR_BUSY;
        TRY(index_stamp(&s->block, q->view, s->at.block));
        s->stamped = true;
    }
    if (!s->loaded)
        TRY(section_read(&s->receipt, s->arena, q->source, q->view, s->at.block, s->at.tx_idx, ec));
    s->loaded = true;
    const struct record_receipt *r = &s->receipt;
    if (s->at.log_idx < r->first_log || s->at.log_idx - r->first_log >= r->receipt.log_count)
        return ERR_CORRUPT;
    struct index_log l = {.block = &s->block,
                          .tx_hash = &r->hash,
                          .tx_idx = r->tx_idx,
                          .log_idx = s->at.log_idx,
                          .log = &r->receipt.logs[s->at.log_idx - r->first_log]};
    return q->fn(q->ctx, &l);
}

/* Looks at rows until a limit or the end. *more: a limit. */
static enum err walk(struct search *s, struct index_cursor *last, bool *more, struct err_ctx *ec) {
    bool found = true;
    while (found && row_fits(s)) {
        bool hit = is_mark(s->value) || (s->value.len >= 20 && row_matches(s->q, s->value));
        if (s->rows_left == 0 || (hit && s->events_left == 0) ||
            (s->rows_left % ROWS_PER_LOOK == 0 && out_of_time(s))) {
            *more = true;
            return ERR_OK;
        }
        s->rows_left--;
        enum err e = hit ? give(s, ec) : ERR_OK;
        if (e == ERR_BUSY)
            *more = true;
        if (e != ERR_OK)
            return e == ERR_BUSY ? ERR_OK : e;
        if (hit)
            s->events_left--;
        uint64_t epoch = last->epoch;
        *last = s->at;
        last->epoch = epoch;
        found = store_cursor_next(s->cursor, &s->key, &s->value);
    }
    return ERR_OK;
}

/* Says where the events that are left begin. */
static enum err fail_pruned(struct store_view *v, uint64_t epoch, struct err_ctx *ec) {
    char text[INDEX_CURSOR_CHARS + 1];
    uint64_t first = index_first_body(v);
    const struct index_cursor c = {
        .epoch = epoch, .block = first - (first > 0), .tx_idx = UINT32_MAX, .log_idx = UINT32_MAX};
    index_cursor_text(text, &c);
    FAIL(ec, ERR_PRUNED,
         "events before block %" PRIu64 " are gone; those left begin after cursor %s", first, text);
}

enum err index_events(struct index_cursor *out_last, bool *out_more, struct arena *a,
                      const struct index_event_query *q, struct err_ctx *ec) {
    uint8_t key[ROW_EVENT_KEY_BYTES];
    struct search s = {.q = q,
                       .arena = a,
                       .rows_left = q->rows_max,
                       .events_left = q->events_max,
                       .mark = arena_mark(a)};
    enum err e = ERR_OK;
    *out_more = false;
    *out_last = q->after;
    out_last->epoch = index_epoch(q->view);
    row_event_key(key, q->universe, &q->after);
    s.cursor = store_cursor_open(q->view, TABLE_UEVT);
    if (s.cursor == NULL)
        return ERR_NOMEM;
    bool found = store_cursor_seek(s.cursor, bytes_of(key, sizeof(key)), &s.key, &s.value);
    /* Block 0 has no logs, so that all zeros are before the first. */
    if (found && s.key.len == sizeof(key) && memcmp(s.key.ptr, key, sizeof(key)) == 0)
        found = store_cursor_next(s.cursor, &s.key, &s.value);
    if (found)
        e = walk(&s, out_last, out_more, ec);
    if (e == ERR_PRUNED)
        e = fail_pruned(q->view, out_last->epoch, ec);
    store_cursor_close(s.cursor);
    arena_reset_to(a, s.mark);
    return e;
}

uint64_t index_last_event(struct store_view *v, uint64_t universe) {
    static const struct index_cursor end = {
        .block = UINT64_MAX, .tx_idx = UINT32_MAX, .log_idx = UINT32_MAX};
    uint8_t last[ROW_EVENT_KEY_BYTES];
    bytes key, value;
    row_event_key(last, universe, &end);
    struct store_cursor *c = store_cursor_open(v, TABLE_UEVT);
    bool found = c != NULL && store_cursor_seek_le(c, bytes_of(last, sizeof(last)), &key, &value) &&
                 key.len == sizeof(last) && be64_load(key.ptr) == universe;
    uint64_t block = found ? be64_load(key.ptr + 8) : 0;
    store_cursor_close(c);
    return block;
}
