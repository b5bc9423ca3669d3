/* SPDX-License-Identifier: Apache-2.0 */
#include "node/segments.h"

#include "base/log.h"
#include "index/index.h"
#include "index/rows.h"
#include "node/metrics.h"
#include "node/prune.h"

#include <stdlib.h>

enum { ARENA_CHUNK = 1 << 20, ARENA_MAX = 1 << 30 };

struct step {
    struct ledger *l;
    struct store_view *view;
    struct arena arena;
    struct store_drop_row *rows;
    size_t count, cap;
    /* Segments below these hold nothing that has to stay. */
    uint32_t log, receipts;
    uint64_t next; /* first block that is not dropped yet */
};

static bool body_segment(struct store_view *v, uint64_t block, uint32_t *out) {
    uint8_t key[8];
    bytes value;
    struct log_pos pos;
    be64_store(key, block);
    if (!store_get(v, TABLE_BODY, bytes_of(key, sizeof(key)), &value) ||
        row_position_decode(&pos, value) != ERR_OK)
        return false;
    *out = pos.segment;
    return true;
}

/* Segment of the first receipts of this block or a later one; without any, the one that the next
 * will be in, or the one before it. */
static uint32_t receipts_segment(const struct step *s, uint64_t block) {
    uint8_t from[8];
    bytes key, value;
    struct log_pos pos;
    be64_store(from, block);
    struct store_cursor *c = store_cursor_open(s->view, TABLE_RCPT);
    bool found = store_cursor_seek(c, bytes_of(from, sizeof(from)), &key, &value) &&
                 row_position_decode(&pos, value) == ERR_OK;
    store_cursor_close(c);
    return found ? pos.segment : wal_segment_of(s->l->receipts, UINT64_MAX);
}

static bool bounds(struct step *s, uint64_t keep) {
    uint32_t restart = wal_segment_of(s->l->log, ledger_log_floor(s->l->store));
    if (!body_segment(s->view, keep, &s->log))
        return false;
    if (s->log > restart)
        s->log = restart;
    s->receipts = receipts_segment(s, keep);
    if (s->l->dropped_to == 0) {
        s->l->dropped_to = index_first_body(s->view);
        metric_set(&node_prune_first_body, (int64_t)s->l->dropped_to);
    }
    s->next = s->l->dropped_to;
    return s->next != 0;
}

static bool goes(const struct step *s, uint64_t block) {
    uint32_t segment;
    return !body_segment(s->view, block, &segment) || segment < s->log ||
           receipts_segment(s, block) < s->receipts;
}

static enum err take_block(struct step *s, struct err_ctx *ec) {
    struct index_source src = {.log = s->l->log, .receipts = s->l->receipts};
    struct store_drop_row *rows;
    size_t count;
    TRY(index_drop_rows(&rows, &count, &s->arena, &src, s->view, s->next, ec));
    if (s->count + count > s->cap) {
        size_t cap = 2 * (s->count + count);
        struct store_drop_row *grown = realloc(s->rows, cap * sizeof(*grown));
        if (grown == NULL)
            return ERR_NOMEM;
        s->rows = grown;
        s->cap = cap;
    }
    memcpy(s->rows + s->count, rows, count * sizeof(*rows));
    s->count += count;
    s->next++;
    return ERR_OK;
}

/* Rows first: a crash between leaves segments that nobody looks into, which go after it. */
static enum err drop(struct step *s, uint64_t keep, bool *out_more, struct err_ctx *ec) {
    while (s->next < keep && s->count < PRUNE_STEP_ROWS && goes(s, s->next))
        TRY(take_block(s, ec));
    if (s->count > 0) {
        TRY(store_drop(s->l->store, s->rows, s->count, ec));
        s->l->dropped_to = s->next;
        metric_set(&node_prune_first_body, (int64_t)s->next);
    }
    *out_more = s->count >= PRUNE_STEP_ROWS;
    if (*out_more)
        return ERR_OK;
    TRY(wal_prune(s->l->log, wal_segment_seq(s->l->log, s->log), ec));
    return wal_prune(s->l->receipts, wal_segment_seq(s->l->receipts, s->receipts), ec);
}

bool segments_step(struct ledger *l, uint64_t keep) {
    struct step s = {.l = l};
    struct err_ctx ec = {.text = ""};
    bool more = false;
    if (keep == 0 || !atomic_load(&l->may_drop) ||
        store_view_open(&s.view, l->store, store_durable(l->store)) != ERR_OK)
        return false;
    arena_init(&s.arena, ARENA_CHUNK, ARENA_MAX);
    /* A clock that jumped back keeps what is there. */
    enum err e = bounds(&s, keep) && s.next <= keep ? drop(&s, keep, &more, &ec) : ERR_OK;
    if (e != ERR_OK)
        log_warn("prune", "segments stay", log_str("why", ec.text[0] != 0 ? ec.text : err_text(e)));
    store_view_close(s.view);
    arena_clear(&s.arena);
    free(s.rows);
    return e == ERR_OK && more;
}
