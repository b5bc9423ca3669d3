/* SPDX-License-Identifier: Apache-2.0 */
/* From the deltas to LMDB: all keys in order, of each the newest version up to the durable tick, in
 * one synced transaction. */
#include "state/store.h"

#include "state/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    struct buf history; /* history rows to be put: struct history_key */
};

/* A row of HIA or HIS; such tables follow CSA and CSS in order. */
struct history_key {
    uint8_t table;
    uint8_t len;
    uint8_t key[8 + 32 + 8];
};

/* A cursor for the table; RANGE tables grow at their end, where LMDB fills pages wholly if told so.
 */
static int enter_table(struct move *m, enum table_id table) {
    if (m->cursor != NULL)
        mdb_cursor_close(m->cursor);
    m->cursor = NULL;
    m->table = (int)table;
    m->append = false;
    return mdb_cursor_open(m->txn, m->store->dbi[table], &m->cursor);
}

static int put_row(struct move *m, enum table_id table, bytes key, bytes value) {
    MDB_val k = mdb_of(key), v = mdb_of(value);
    if (table_info[table].unwind != TABLE_UNWIND_RANGE)
        return mdb_cursor_put(m->cursor, &k, &v, 0);
    if (!m->append) {
        MDB_val last, ignored;
        int rc = mdb_cursor_get(m->cursor, &last, &ignored, MDB_LAST);
        if (rc != 0 && rc != MDB_NOTFOUND)
            return rc;
        m->append = rc == MDB_NOTFOUND || bytes_cmp(bytes_of_mdb(last), key) < 0;
    }
    return mdb_cursor_put(m->cursor, &k, &v, m->append ? MDB_APPEND : 0);
}

static int del_row(struct move *m, bytes key) {
    MDB_val k = mdb_of(key), v;
    int rc = mdb_cursor_get(m->cursor, &k, &v, MDB_SET);
    if (rc == 0)
        rc = mdb_cursor_del(m->cursor, 0);
    return rc == MDB_NOTFOUND ? 0 : rc;
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

/* The row that finds this row of CSA or CSS by its key. */
static void note_history(struct move *m, enum table_id changes, bytes change) {
    struct history_key h = {.table = changes == TABLE_CSA ? TABLE_HIA : TABLE_HIS,
                            .len = (uint8_t)change.len};
    CHECK(change.len <= sizeof h.key);
    memcpy(h.key, change.ptr + 8, change.len - 8);
    memcpy(h.key + change.len - 8, change.ptr, 8);
    buf_append(&m->history, &h, sizeof h);
}

static int history_order(const void *a, const void *b) {
    const struct history_key *x = a, *y = b;
    if (x->table != y->table)
        return x->table < y->table ? -1 : 1;
    return memcmp(x->key, y->key, x->len); /* of one length in a table */
}

static int move_history(struct move *m) {
    if (m->history.overflow)
        return ENOMEM;
    size_t count = m->history.len / sizeof(struct history_key);
    struct history_key *keys = (struct history_key *)m->history.ptr;
    if (count > 0)
        qsort(keys, count, sizeof *keys, history_order);
    for (size_t i = 0; i < count; i++) {
        int rc = m->table == keys[i].table ? 0 : enter_table(m, (enum table_id)keys[i].table);
        if (rc == 0)
            rc = put_row(m, (enum table_id)keys[i].table, bytes_of(keys[i].key, keys[i].len),
                         bytes_of(NULL, 0));
        if (rc != 0)
            return rc;
    }
    m->rows += count;
    return 0;
}

static int move_rows(struct move *m, const struct store_set *set) {
    for (size_t i = 0; i < set->count; i++)
        m->nodes[m->count++] = delta_seek(set->deltas[i], bytes_of(NULL, 0));
    for (;;) {
        const struct delta_version *v;
        bytes raw = next_key(m, &v);
        if (raw.ptr == NULL)
            return move_history(m);
        if (v == NULL)
            continue;
        enum table_id table = (enum table_id)raw.ptr[0];
        /* Rows of NONE tables that outlived an unwind stand at the very block that LMDB is at. */
        if (v->tick <= m->from && table_info[table].unwind != TABLE_UNWIND_NONE)
            continue;
        bytes key = raw_key_strip(raw);
        int rc = m->table == (int)table ? 0 : enter_table(m, table);
        if (rc == 0)
            rc = v->absent ? del_row(m, key) : put_row(m, table, key, bytes_of(v->data, v->len));
        if (rc != 0)
            return rc;
        if (table == TABLE_CSA || table == TABLE_CSS)
            note_history(m, table, key);
        m->rows++;
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
    return mdb_txn_commit(m->txn);
}

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

static enum err checkpoint(struct store *s, uint64_t limit, struct err_ctx *ec) {
    struct move m = {.store = s, .table = -1, .from = tick_of_block(store_applied(s).block)};
    m.to = atomic_load_explicit(&s->durable_tick, memory_order_acquire);
    if (m.to > limit)
        m.to = limit;
    if (m.to <= m.from)
        return ERR_OK;
    pthread_mutex_lock(&s->commit_lock);
    struct store_block block = *store_blocks_at(s, m.to);
    s->freeze_wanted = true;
    if (!s->block_open)
        store_freeze(s);
    pthread_mutex_unlock(&s->commit_lock);
    /* Snapshots of views that rest would keep the pages freed by the checkpoint before from being
     * used again. */
    store_views_rest(s);
    uint64_t seq, written = thread_written();
    struct store_set *set = store_set_get(s, &seq);
    buf_init(&m.history, SIZE_MAX / 2);
    int rc = transact(&m, set, &block.at);
    store_set_drop(set);
    buf_clear(&m.history);
    if (rc != 0)
        FAIL(ec, store_lmdb_err(rc), "the checkpoint of block %llu failed: %s",
             (unsigned long long)block.at.block, mdb_strerror(rc));
    pthread_mutex_lock(&s->commit_lock);
    pthread_mutex_lock(&s->set_lock);
    s->applied = block.at;
    s->applied_rows = block.rows;
    s->checkpoint_count++;
    s->checkpoint_rows += m.rows;
    s->checkpoint_bytes += thread_written() - written;
    pthread_mutex_unlock(&s->set_lock);
    shed(s, m.to);
    store_blocks_trim(s, m.to);
    pthread_mutex_unlock(&s->commit_lock);
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
    }
    mdb_txn_abort(txn);
    TRY(store_lmdb_err(rc));
    pthread_mutex_lock(&s->set_lock);
    stats.checkpoint_count = s->checkpoint_count;
    stats.checkpoint_rows = s->checkpoint_rows;
    stats.checkpoint_pages_written = s->checkpoint_bytes / 4096;
    pthread_mutex_unlock(&s->set_lock);
    *out = stats;
    return ERR_OK;
}
