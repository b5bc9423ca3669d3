/* SPDX-License-Identifier: Apache-2.0 */
/* From the deltas to LMDB: all keys in order, of each the newest version up to a tick, in one
 * synced transaction. LMDB keeps the memory of the pages that a transaction changes for the next
 * one: so their number is bounded, and a transaction that would pass the bound is given up and made
 * again with fewer blocks. */
#include "state/store.h"

#include "state/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    ROW_HEAD_BYTES = 10,    /* LMDB's, its place in the page included */
    HALF_PAGE_BYTES = 2048, /* what a page holds at least when LMDB has split it */
    SHORT_ROW_BYTES = 1024, /* of such ones appended a page holds three quarters or more */
    REST_ROWS = 16,         /* after as many `rest` is called */
    FIT_MARGIN = 8,         /* an eighth of the pages is left free when blocks are chosen */
};

/* Pages that the rows put so far change at most: the leaves that they lie on, each with a branch
 * above it, as many as the tables have, and what is new in half-full pages. */
struct move_pages {
    uint64_t max;      /* 0: any number */
    uint64_t before;   /* of tables that are done */
    uint64_t branches; /* of the current table when it was entered */
    uint64_t leaves;   /* of it that were as in the file until a row came there */
    uint64_t bytes;    /* that its rows take beyond what they had */
};

struct move {
    struct store *store;
    MDB_txn *txn;
    uint64_t from, to; /* ticks (from, to] */
    const struct delta_node *nodes[STORE_DELTAS_MAX + 1];
    size_t count;
    int table; /* of `cursor`; -1: none yet */
    MDB_cursor *cursor;
    bool append; /* the next key is above all of the table */
    uint64_t rows;
    struct buf changed; /* struct backlog_key of what is to wait */
    struct move_pages pages;
    bool too_much; /* more than `pages` allows */
};

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t pages_changed(const struct move_pages *p) {
    return p->before + p->leaves + least(p->leaves, p->branches) + p->bytes / HALF_PAGE_BYTES;
}

static int pages_enter(struct move *m, enum table_id table) {
    MDB_stat st;
    m->pages.before = pages_changed(&m->pages) + 2; /* a new leaf and the branch above */
    m->pages.leaves = m->pages.bytes = 0;
    int rc = mdb_stat(m->txn, m->store->dbi[table], &st);
    if (rc == 0)
        m->pages.branches = st.ms_branch_pages;
    return rc;
}

static bool pages_too_many(const struct move_pages *p) {
    return p->max != 0 && pages_changed(p) > p->max;
}

/* Counts the leaf that has this row unless it is changed already: LMDB gives rows of changed pages
 * out of its copies, all others out of the file. Where a key that is new would lie behind the last
 * of a leaf, that is the first row of the next leaf: then one too many may be counted. */
static void pages_count_leaf(struct move *m, const MDB_val *row) {
    const struct store *s = m->store;
    uintptr_t at = (uintptr_t)row->mv_data, map = (uintptr_t)s->map;
    if (s->map == NULL || (at >= map && at - map < s->map_len))
        m->pages.leaves++;
}

/* Before a row of `len` bytes, head included, goes there. *held: the table has this very key, and
 * the cursor is at it. */
static int pages_count_put(struct move *m, const MDB_val *key, size_t len, bool *held) {
    MDB_val k = *key, v;
    int rc = mdb_cursor_get(m->cursor, &k, &v, MDB_SET_RANGE);
    *held = rc == 0 && bytes_cmp(bytes_of_mdb(k), bytes_of_mdb(*key)) == 0;
    if (rc == MDB_NOTFOUND)
        m->pages.leaves++;
    else if (rc == 0)
        pages_count_leaf(m, &k);
    else
        return rc;
    size_t had = *held ? ROW_HEAD_BYTES + k.mv_size + v.mv_size : 0;
    m->pages.bytes += len > had ? len - had : 0;
    return 0;
}

/* A cursor for the table; RANGE tables grow at their end, where LMDB fills pages wholly if told so.
 */
static int enter_table(struct move *m, enum table_id table) {
    if (m->cursor != NULL)
        mdb_cursor_close(m->cursor);
    m->cursor = NULL;
    m->table = (int)table;
    m->append = false;
    int rc = pages_enter(m, table);
    return rc != 0 ? rc : mdb_cursor_open(m->txn, m->store->dbi[table], &m->cursor);
}

static int put_anywhere(struct move *m, MDB_val *k, MDB_val *v, size_t len) {
    bool held;
    int rc = pages_count_put(m, k, len, &held);
    return rc != 0 ? rc : mdb_cursor_put(m->cursor, k, v, held ? MDB_CURRENT : 0);
}

static int put_row(struct move *m, enum table_id table, bytes key, bytes value) {
    MDB_val k = mdb_of(key), v = mdb_of(value);
    size_t len = ROW_HEAD_BYTES + key.len + value.len;
    if (table_info[table].unwind != TABLE_UNWIND_RANGE)
        return put_anywhere(m, &k, &v, len);
    if (!m->append) {
        MDB_val last, ignored;
        int rc = mdb_cursor_get(m->cursor, &last, &ignored, MDB_LAST);
        if (rc != 0 && rc != MDB_NOTFOUND)
            return rc;
        m->append = rc == MDB_NOTFOUND || bytes_cmp(bytes_of_mdb(last), key) < 0;
        if (!m->append)
            return put_anywhere(m, &k, &v, len);
        m->pages.leaves++;
    }
    m->pages.bytes += len <= SHORT_ROW_BYTES ? len - len / 3 : len;
    return mdb_cursor_put(m->cursor, &k, &v, MDB_APPEND);
}

static int del_row(struct move *m, bytes key) {
    MDB_val k = mdb_of(key), v;
    int rc = mdb_cursor_get(m->cursor, &k, &v, MDB_SET_KEY);
    if (rc != 0)
        return rc == MDB_NOTFOUND ? 0 : rc;
    pages_count_leaf(m, &k);
    return mdb_cursor_del(m->cursor, 0);
}

/* The smallest key of all deltas; every delta that stands there moves on. *out: its newest version
 * up to `to`. */
static bytes next_key(struct move *m, const struct delta_version **out) {
    bytes key = {NULL, 0};
    for (size_t i = 0; i < m->count; i++)
        if (m->nodes[i] != NULL && (key.ptr == NULL || bytes_cmp(delta_key(m->nodes[i]), key) < 0))
            key = delta_key(m->nodes[i]);
    *out = NULL;
    if (key.ptr == NULL)
        return key;
    for (size_t i = m->count; i-- > 0;) {
        if (m->nodes[i] == NULL || bytes_cmp(delta_key(m->nodes[i]), key) != 0)
            continue;
        if (*out == NULL)
            *out = delta_at(m->nodes[i], m->to);
        m->nodes[i] = delta_next(m->nodes[i]);
    }
    return key;
}

static void row_done(struct move *m) {
    m->rows++;
    if (m->store->rest != NULL && m->rows % REST_ROWS == 0)
        m->store->rest(m->store->rest_ctx);
}

static int move_rows(struct move *m, const struct store_set *set) {
    for (size_t i = 0; i < set->count; i++) {
        uint64_t first = delta_first_tick(set->deltas[i]);
        if (first != 0 && first <= m->to)
            m->nodes[m->count++] = delta_seek(set->deltas[i], bytes_of(NULL, 0));
    }
    for (;;) {
        const struct delta_version *v;
        bytes raw = next_key(m, &v);
        if (raw.ptr == NULL)
            return 0;
        if (v == NULL)
            continue;
        enum table_id table = (enum table_id)raw.ptr[0];
        /* Rows of NONE tables that outlived an unwind stand at the very block that LMDB is at. */
        if (v->tick <= m->from && table_info[table].unwind != TABLE_UNWIND_NONE)
            continue;
        bytes key = raw_key_strip(raw), value = bytes_of(v->data, v->len);
        if (!v->absent && backlog_takes(table, key, value, v->tick)) {
            struct backlog_key h;
            backlog_key_of_lookup(&h, key, value);
            buf_append(&m->changed, &h, sizeof h);
            row_done(m);
            continue;
        }
        int rc = m->table == (int)table ? 0 : enter_table(m, table);
        if (rc == 0)
            rc = v->absent ? del_row(m, key) : put_row(m, table, key, value);
        if (rc != 0)
            return rc;
        m->too_much = m->to > m->from + 1 && pages_too_many(&m->pages);
        if (m->too_much)
            return ECANCELED;
        if (table == TABLE_CSA || table == TABLE_CSS) {
            struct backlog_key h;
            backlog_key_of(&h, table, key);
            buf_append(&m->changed, &h, sizeof h);
        }
        row_done(m);
    }
}

/* Bytes that this thread has passed to the kernel so far; 0 where that is not counted. */
static uint64_t thread_written(void) {
    char text[512];
    int fd = open("/proc/thread-self/io", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    if (n <= 0)
        return 0;
    text[n] = 0;
    const char *p = strstr(text, "wchar: ");
    return p == NULL ? 0 : strtoull(p + 7, NULL, 10);
}

static int commit(struct store *s, MDB_txn *txn) {
    /* What this process has of the file in its page tables counts as its memory, and while pages
     * are written as memory that cannot be given up. Whoever still reads takes them in again. */
    if (s->map != NULL)
        (void)madvise(s->map, s->map_len, MADV_DONTNEED);
    return mdb_txn_commit(txn);
}

/* The rows of TXL, and those of HIA and HIS for the changes, wait with those before them: sets get
 * them before the transaction is there, and lose them again when it is not. */
static int commit_changes(struct move *m) {
    struct store *s = m->store;
    struct backlog *with, *before;
    int rc = m->changed.overflow
                 ? ENOMEM
                 : backlog_add(&with, s->backlog, (struct backlog_key *)m->changed.ptr,
                               m->changed.len / sizeof(struct backlog_key));
    if (rc != 0) {
        mdb_txn_abort(m->txn);
        return rc;
    }
    before = backlog_ref(s->backlog);
    store_backlog_publish(s, with);
    rc = commit(s, m->txn);
    if (rc != 0)
        store_backlog_publish(s, before);
    else
        backlog_drop(before);
    return rc;
}

static int transact(struct move *m, const struct store_set *set, const struct store_applied *at) {
    /* A process that was killed while it copied the store would keep old pages in use for ever. */
    int dead;
    (void)mdb_reader_check(m->store->env, &dead);
    int rc = mdb_txn_begin(m->store->env, NULL, 0, &m->txn);
    if (rc != 0)
        return rc;
    rc = move_rows(m, set);
    if (m->cursor != NULL)
        mdb_cursor_close(m->cursor);
    if (rc == 0)
        rc = store_applied_save(m->store, m->txn, at);
    if (rc != 0) {
        mdb_txn_abort(m->txn);
        return rc;
    }
    return commit_changes(m);
}

/* --- rows that wait -------------------------------------------------------------------------- */

/* Rows from *at on, as many as the pages allow, but at least one. */
static int put_history(struct move *m, const struct backlog_run *run, size_t *at) {
    uint64_t pruned = atomic_load_explicit(&m->store->pruned_tick, memory_order_acquire);
    bool room = true;
    for (; *at < run->count && room; (*at)++) {
        const struct backlog_key *key = &run->keys[*at];
        if (key->table != TABLE_TXL && backlog_tick(key) <= pruned)
            continue;
        int rc = m->table == key->table ? 0 : enter_table(m, (enum table_id)key->table);
        if (rc == 0)
            rc = put_row(m, (enum table_id)key->table, backlog_key_bytes(key),
                         backlog_value_bytes(key));
        if (rc != 0)
            return rc;
        room = !pages_too_many(&m->pages);
        row_done(m);
    }
    return 0;
}

/* One transaction; the last one says in META that the slice is there. */
static int transact_history(struct move *m, const struct backlog_run *run, size_t *at,
                            const struct backlog *left) {
    int rc = mdb_txn_begin(m->store->env, NULL, 0, &m->txn);
    if (rc != 0)
        return rc;
    rc = put_history(m, run, at);
    if (m->cursor != NULL)
        mdb_cursor_close(m->cursor);
    if (rc == 0 && *at == run->count)
        rc = backlog_save(m->store, m->txn, left);
    if (rc == 0)
        return commit(m->store, m->txn);
    mdb_txn_abort(m->txn);
    return rc;
}

static void note_pages(struct store *s, uint64_t pages) {
    pthread_mutex_lock(&s->set_lock);
    if (pages > s->checkpoint_pages)
        s->checkpoint_pages = pages;
    pthread_mutex_unlock(&s->set_lock);
}

/* The slice that waited longest. Rows that are in LMDB and in a set are the same, so that sets need
 * not change before the last transaction, nor is anything lost when one fails. */
static enum err move_history(struct store *s, struct err_ctx *ec) {
    uint64_t tick = tick_of_block(store_applied(s).block), written = thread_written(), rows = 0;
    struct backlog *left;
    struct backlog_run *run;
    int rc = backlog_take_oldest(&left, &run, s->backlog, tick);
    if (rc != 0)
        FAIL(ec, store_lmdb_err(rc), "history rows cannot be put in order: %s", mdb_strerror(rc));
    for (size_t at = 0; rc == 0 && at < run->count;) {
        struct move m = {.store = s, .table = -1, .pages = {.max = s->pages_max}};
        store_views_rest(s);
        rc = transact_history(&m, run, &at, left);
        note_pages(s, pages_changed(&m.pages));
        rows += m.rows;
    }
    backlog_run_drop(run);
    pthread_mutex_lock(&s->set_lock);
    s->checkpoint_rows += rows;
    s->checkpoint_bytes += thread_written() - written;
    pthread_mutex_unlock(&s->set_lock);
    if (rc != 0) {
        backlog_drop(left);
        FAIL(ec, store_lmdb_err(rc), "writing history rows failed: %s", mdb_strerror(rc));
    }
    store_backlog_publish(s, left);
    return ERR_OK;
}

enum err store_backlog_write(struct store *s, uint64_t tick, struct err_ctx *ec) {
    while (backlog_reaches(s->backlog, tick))
        TRY(move_history(s, ec));
    return ERR_OK;
}

/* --- a checkpoint ---------------------------------------------------------------------------- */

/* The set without deltas that hold nothing above `tick`; the active one stays. commit_lock is held.
 */
static void shed(struct store *s, uint64_t tick) {
    uint64_t seq;
    struct store_set *old = store_set_get(s, &seq), *set = store_set_new();
    for (size_t i = 0; i < old->count; i++)
        if (i + 1 == old->count || delta_last_tick(old->deltas[i]) > tick)
            store_set_add(set, old->deltas[i], old->rows_before[i]);
    store_set_publish(s, set);
    store_set_drop(old);
}

/* The last tick up to `to` of one delta, but at least the first, whose rows are expected to fit. */
static uint64_t choose_end(struct store *s, const struct store_set *set, uint64_t from,
                           uint64_t to) {
    uint64_t fit = s->rows_fit, rows;
    size_t i = 0;
    while (i < set->count && delta_last_tick(set->deltas[i]) <= from)
        i++;
    if (i < set->count && s->pages_max != 0)
        to = least(to, delta_last_tick(set->deltas[i]));
    /* A delta that is little more than fits goes as a whole: a transaction for what is left of it
     * would change many pages for few rows. */
    rows = store_blocks_at(s, to)->rows;
    if (rows - s->applied_rows <= least(fit, UINT64_MAX / 2) / 8 * 9)
        return to;
    rows = s->applied_rows + fit;
    while (to > from + 1 && store_blocks_at(s, to)->rows > rows)
        to--;
    return to;
}

/* What a transaction of that many rows teaches about how many fit. Of few rows each costs more
 * pages than of many: such a transaction says only how many fit at least. */
static void learn_rows_fit(struct store *s, uint64_t rows, uint64_t pages) {
    if (s->pages_max == 0 || rows == 0)
        return;
    uint64_t fit = rows * (s->pages_max - s->pages_max / FIT_MARGIN) / pages;
    if (pages >= s->pages_max / 2 || fit > s->rows_fit)
        s->rows_fit = fit;
}

/* Up to `to`, or as far as the pages go. `set`: all deltas with these blocks. */
static int transact_some(struct move *m, const struct store_set *set, uint64_t to,
                         struct store_block *out_end) {
    struct store *s = m->store;
    for (uint64_t from = m->from;; to = from + (m->to - from) / 2) {
        *m = (struct move){.store = s, .from = from, .table = -1, .pages = {.max = s->pages_max}};
        pthread_mutex_lock(&s->commit_lock);
        m->to = choose_end(s, set, from, to);
        *out_end = *store_blocks_at(s, m->to);
        pthread_mutex_unlock(&s->commit_lock);
        buf_init(&m->changed, SIZE_MAX / 2);
        int rc = transact(m, set, &out_end->at);
        buf_clear(&m->changed);
        note_pages(s, pages_changed(&m->pages));
        if (!m->too_much)
            return rc;
    }
}

/* One transaction. */
static enum err move_some(struct store *s, uint64_t to, struct err_ctx *ec) {
    /* Snapshots of views that rest would keep the pages freed by the checkpoint before from being
     * used again. */
    store_views_rest(s);
    struct move m = {.store = s, .from = tick_of_block(store_applied(s).block)};
    struct store_block end;
    uint64_t seq, written = thread_written();
    struct store_set *set = store_set_get(s, &seq);
    int rc = transact_some(&m, set, to, &end);
    store_set_drop(set);
    if (rc != 0)
        FAIL(ec, store_lmdb_err(rc), "the checkpoint of block %llu failed: %s",
             (unsigned long long)end.at.block, mdb_strerror(rc));
    learn_rows_fit(s, end.rows - s->applied_rows, pages_changed(&m.pages));
    pthread_mutex_lock(&s->commit_lock);
    pthread_mutex_lock(&s->set_lock);
    s->applied = end.at;
    s->applied_rows = end.rows;
    s->checkpoint_count++;
    s->checkpoint_rows += m.rows;
    s->checkpoint_bytes += thread_written() - written;
    pthread_mutex_unlock(&s->set_lock);
    shed(s, m.to);
    store_blocks_trim(s, m.to);
    pthread_mutex_unlock(&s->commit_lock);
    return ERR_OK;
}

static enum err checkpoint(struct store *s, uint64_t limit, struct err_ctx *ec) {
    uint64_t to = least(atomic_load_explicit(&s->durable_tick, memory_order_acquire), limit);
    if (to <= tick_of_block(store_applied(s).block))
        return ERR_OK;
    pthread_mutex_lock(&s->commit_lock);
    uint64_t first = delta_first_tick(s->active);
    s->freeze_wanted = s->freeze_wanted || (first != 0 && first <= to);
    if (s->freeze_wanted && !s->block_open)
        store_freeze(s);
    pthread_mutex_unlock(&s->commit_lock);
    while (tick_of_block(store_applied(s).block) < to) {
        TRY(move_some(s, to, ec));
        while (backlog_rows(s->backlog) > s->backlog_max)
            TRY(move_history(s, ec));
    }
    return ERR_OK;
}

static enum err checkpoint_locked(struct store *s, uint64_t limit, struct err_ctx *ec) {
    pthread_mutex_lock(&s->lmdb_lock);
    enum err e = checkpoint(s, limit, ec);
    pthread_mutex_unlock(&s->lmdb_lock);
    return e;
}

enum err store_checkpoint(struct store *s, struct err_ctx *ec) {
    return checkpoint_locked(s, UINT64_MAX, ec);
}

enum err store_checkpoint_to(struct store *s, uint64_t block_num, struct err_ctx *ec) {
    return checkpoint_locked(s, tick_of_block(block_num), ec);
}

void store_set_rest(struct store *s, void (*rest)(void *ctx), void *ctx) {
    pthread_mutex_lock(&s->lmdb_lock);
    s->rest = rest;
    s->rest_ctx = ctx;
    pthread_mutex_unlock(&s->lmdb_lock);
}

enum err store_stat(struct store *s, struct store_stats *out) {
    struct store_stats stats = {0};
    MDB_envinfo info;
    MDB_stat st;
    MDB_txn *txn;
    TRY(store_lmdb_err(mdb_env_info(s->env, &info)));
    TRY(store_lmdb_err(mdb_env_stat(s->env, &st)));
    stats.lmdb_bytes_used = ((uint64_t)info.me_last_pgno + 1) * st.ms_psize;
    TRY(store_lmdb_err(mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn)));
    int rc = 0;
    for (int t = 0; t < TABLE_COUNT && rc == 0; t++) {
        rc = mdb_stat(txn, s->dbi[t], &st);
        stats.rows[t] = st.ms_entries;
        stats.lmdb_bytes_live +=
            (st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages) * st.ms_psize;
    }
    mdb_txn_abort(txn);
    TRY(store_lmdb_err(rc));
    pthread_mutex_lock(&s->set_lock);
    stats.lookups_waiting = backlog_lookups(s->backlog);
    stats.history_waiting = backlog_rows(s->backlog) - stats.lookups_waiting;
    stats.checkpoint_count = s->checkpoint_count;
    stats.checkpoint_rows = s->checkpoint_rows;
    stats.checkpoint_pages_most = s->checkpoint_pages;
    stats.checkpoint_pages_written = s->checkpoint_bytes / 4096;
    pthread_mutex_unlock(&s->set_lock);
    stats.spare_bytes = slab_pool_bytes(&s->pool);
    *out = stats;
    return ERR_OK;
}
