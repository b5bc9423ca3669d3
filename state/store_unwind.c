/* SPDX-License-Identifier: Apache-2.0 */
/* Backwards: undoing blocks, and dropping what would be needed to undo the oldest. */
#include "state/store.h"

#include "state/store_internal.h"

#include <stdlib.h>

/* --- LMDB ----------------------------------------------------------------------------------- */

static int set_row(struct store *s, MDB_txn *txn, enum table_id table, bytes key, bool absent,
                   bytes value) {
    MDB_val k = mdb_of(key), v = mdb_of(value);
    if (!absent)
        return mdb_put(txn, s->dbi[table], &k, &v, 0);
    int rc = mdb_del(txn, s->dbi[table], &k, NULL);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The history row that belongs to a change set row, if it is there already. */
static int del_history(struct store *s, MDB_txn *txn, enum table_id changes, bytes change_key) {
    struct backlog_key h;
    backlog_key_of(&h, changes, change_key);
    return set_row(s, txn, (enum table_id)h.table, bytes_of(h.key, change_key.len), true,
                   bytes_of(NULL, 0));
}

/* Newest first: what stands is what stood after the undo row's block. */
static int restore_undo(struct store *s, MDB_txn *txn, bytes undo_key, bytes undo) {
    struct undo_scratch scratch;
    enum table_id of = (enum table_id)undo_key.ptr[8];
    CHECK(of < TABLE_COUNT);
    bytes key = bytes_of(undo_key.ptr + UNDO_KEY_PREFIX, undo_key.len - UNDO_KEY_PREFIX);
    struct undo_side row = {.absent = true};
    if (undo_has_runs(of)) {
        MDB_val k = mdb_of(key), v;
        int rc = mdb_get(txn, s->dbi[of], &k, &v);
        if (rc != 0 && rc != MDB_NOTFOUND)
            return rc;
        if (rc == 0)
            row = (struct undo_side){.row = bytes_of_mdb(v)};
    }
    struct undo_side old = undo_decode(&scratch, undo, row);
    return set_row(s, txn, of, key, old.absent, old.row);
}

/* Gives back what a row of CSA, CSS or UNDO has kept. */
static int restore(struct store *s, MDB_txn *txn, enum table_id table, bytes key, bytes value) {
    if (table == TABLE_UNDO)
        return restore_undo(s, txn, key, value);
    int rc = del_history(s, txn, table, key);
    if (rc != 0)
        return rc;
    return set_row(s, txn, table == TABLE_CSA ? TABLE_ACCT : TABLE_STOR,
                   bytes_of(key.ptr + 8, key.len - 8), value.len == 0, value);
}

/* Removes rows of a RANGE table above `tick`, newest first, giving back what they kept. */
static int unwind_range(struct store *s, MDB_txn *txn, enum table_id table, uint64_t tick) {
    bool keeps = table == TABLE_CSA || table == TABLE_CSS || table == TABLE_UNDO;
    MDB_cursor *c;
    int rc = mdb_cursor_open(txn, s->dbi[table], &c);
    if (rc != 0)
        return rc;
    for (;;) {
        MDB_val k, v;
        rc = mdb_cursor_get(c, &k, &v, MDB_LAST);
        if (rc != 0)
            break;
        CHECK(k.mv_size >= 8);
        if (be64_load(k.mv_data) < tick) /* the block of the tick above has this number */
            break;
        if (keeps) {
            /* Copies: the pages they lie on may be rewritten by the change. */
            struct raw_key key;
            uint8_t value[STORE_VALUE_MAX_BYTES + 1];
            CHECK(k.mv_size <= sizeof key.b && v.mv_size <= sizeof value);
            memcpy(key.b, k.mv_data, k.mv_size);
            if (v.mv_size > 0)
                memcpy(value, v.mv_data, v.mv_size);
            rc = restore(s, txn, table, bytes_of(key.b, k.mv_size), bytes_of(value, v.mv_size));
            if (rc == 0)
                rc = mdb_cursor_get(c, &k, &v, MDB_LAST);
            if (rc != 0)
                break;
        }
        rc = mdb_cursor_del(c, 0);
        if (rc != 0)
            break;
    }
    mdb_cursor_close(c);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Rows of a NONE table that only the deltas have: LMDB is about to say that it has the effect of
 * every record before the unwind's. */
static int keep_rows(struct store *s, MDB_txn *txn, const struct store_set *set,
                     enum table_id table) {
    struct raw_key first;
    bytes from = raw_key(&first, table, bytes_of(NULL, 0));
    for (size_t i = 0; i < set->count; i++)
        for (const struct delta_node *n = delta_seek(set->deltas[i], from);
             n != NULL && delta_key(n).ptr[0] == (uint8_t)table; n = delta_next(n)) {
            const struct delta_version *v = delta_at(n, UINT64_MAX);
            if (v == NULL)
                continue;
            int rc = set_row(s, txn, table, raw_key_strip(delta_key(n)), v->absent,
                             bytes_of(v->data, v->len));
            if (rc != 0)
                return rc;
        }
    return 0;
}

static int keep_none_tables(struct store *s, MDB_txn *txn) {
    uint64_t seq;
    struct store_set *set = store_set_get(s, &seq);
    int rc = 0;
    for (int t = 0; t < TABLE_COUNT && rc == 0; t++)
        if (table_info[t].unwind == TABLE_UNWIND_NONE)
            rc = keep_rows(s, txn, set, (enum table_id)t);
    store_set_drop(set);
    return rc;
}

static int unwind_lmdb(struct store *s, uint64_t tick, const struct store_applied *at,
                       struct backlog **out) {
    MDB_txn *txn;
    struct backlog *backlog = NULL;
    int rc = mdb_txn_begin(s->env, NULL, 0, &txn);
    if (rc != 0)
        return rc;
    for (int t = 0; t < TABLE_COUNT && rc == 0; t++)
        if (table_info[t].unwind == TABLE_UNWIND_RANGE)
            rc = unwind_range(s, txn, (enum table_id)t, tick);
    if (rc == 0)
        rc = keep_none_tables(s, txn);
    if (rc == 0)
        rc = backlog_load(&backlog, s, txn, tick);
    if (rc == 0)
        rc = backlog_save(s, txn, backlog);
    if (rc == 0)
        rc = store_applied_save(s, txn, at);
    if (rc == 0)
        rc = mdb_txn_commit(txn);
    else
        mdb_txn_abort(txn);
    if (rc != 0) {
        backlog_drop(backlog);
        return rc;
    }
    *out = backlog;
    return 0;
}

/* --- deltas --------------------------------------------------------------------------------- */

/* Rows of NONE tables outlive the blocks that wrote them: those above `tick` become rows of `tick`
 * in `to`. */
static void carry_over(struct delta *to, const struct store_set *set, uint64_t tick,
                       enum table_id table) {
    struct raw_key first;
    bytes from = raw_key(&first, table, bytes_of(NULL, 0));
    for (size_t i = 0; i < set->count; i++)
        for (const struct delta_node *n = delta_seek(set->deltas[i], from);
             n != NULL && delta_key(n).ptr[0] == (uint8_t)table; n = delta_next(n)) {
            const struct delta_version *v = delta_at(n, UINT64_MAX);
            if (v != NULL && v->tick > tick)
                delta_put(to, delta_key(n), true, tick, v->absent, bytes_of(v->data, v->len));
        }
}

static void move_rows(struct delta *to, const struct delta *from, uint64_t tick) {
    static const uint8_t first; /* the lowest key: table 0's */
    for (const struct delta_node *n = delta_seek(from, bytes_of(&first, 1)); n != NULL;
         n = delta_next(n)) {
        const struct delta_version *v = delta_at(n, UINT64_MAX);
        if (v != NULL)
            delta_put(to, delta_key(n), true, tick, v->absent, bytes_of(v->data, v->len));
    }
}

/* The set after an unwind: the deltas cut back to `tick`, or none of them when LMDB itself went
 * back, and an active one. Unwinds may follow each other without a checkpoint between: when the set
 * is full the active one goes on. */
static void unwind_deltas(struct store *s, uint64_t tick, bool lmdb_too) {
    uint64_t seq;
    struct store_set *old = store_set_get(s, &seq), *set = store_set_new();
    struct delta *carried = delta_new(s->seed, &s->pool);
    for (int t = 0; t < TABLE_COUNT; t++)
        if (table_info[t].unwind == TABLE_UNWIND_NONE)
            carry_over(carried, old, tick, (enum table_id)t);
    for (size_t i = 0; i < old->count; i++) {
        delta_cut(old->deltas[i], tick);
        if (!lmdb_too)
            store_set_add(set, old->deltas[i], old->rows_before[i]);
    }
    if (set->count > STORE_DELTAS_MAX) {
        CHECK(set->deltas[set->count - 1] == s->active);
        move_rows(s->active, carried, tick);
    } else {
        store_set_add(set, carried, store_set_rows(old));
        s->active = carried;
    }
    delta_unref(carried);
    s->freeze_wanted = false;
    store_set_publish(s, set);
    store_set_drop(old);
}

static enum err unwind(struct store *s, uint64_t tick, const struct store_applied *at,
                       struct err_ctx *ec) {
    if (tick < atomic_load_explicit(&s->pruned_tick, memory_order_acquire))
        FAIL(ec, ERR_PRUNED, "cannot go back to block %llu: undo data is kept from block %llu on",
             (unsigned long long)block_of_tick(tick), (unsigned long long)store_first_block(s));
    bool lmdb_too = tick < tick_of_block(store_applied(s).block);
    /* First nobody may open a view of what goes, then those that have one are told. */
    if (tick < atomic_load_explicit(&s->durable_tick, memory_order_relaxed))
        atomic_store_explicit(&s->durable_tick, tick, memory_order_release);
    store_views_cut(s, tick);
    if (lmdb_too) {
        store_views_rest(s);
        struct backlog *backlog;
        int rc = unwind_lmdb(s, tick, at, &backlog);
        if (rc != 0)
            FAIL(ec, store_lmdb_err(rc), "going back to block %llu failed: %s",
                 (unsigned long long)block_of_tick(tick), mdb_strerror(rc));
        store_backlog_publish(s, backlog);
    }
    pthread_mutex_lock(&s->commit_lock);
    atomic_store_explicit(&s->head_tick, tick, memory_order_release);
    store_blocks_cut(s, tick);
    if (lmdb_too) {
        pthread_mutex_lock(&s->set_lock);
        s->applied = *at;
        pthread_mutex_unlock(&s->set_lock);
    } else if (s->blocks_count > 0) {
        store_blocks_at(s, tick)->at = *at;
    }
    unwind_deltas(s, tick, lmdb_too);
    pthread_mutex_unlock(&s->commit_lock);
    return ERR_OK;
}

enum err store_unwind(struct store *s, uint64_t to_block, const struct store_applied *at,
                      struct err_ctx *ec) {
    uint64_t tick = tick_of_block(to_block),
             head = atomic_load_explicit(&s->head_tick, memory_order_relaxed);
    CHECK(s->open_tick == 0);
    CHECK(at->block == to_block);
    CHECK(tick > 0);
    CHECK(tick <= head);
    if (tick == head)
        return ERR_OK;
    pthread_mutex_lock(&s->lmdb_lock);
    enum err e = unwind(s, tick, at, ec);
    pthread_mutex_unlock(&s->lmdb_lock);
    return e;
}

/* --- pruning -------------------------------------------------------------------------------- */

/* Removes up to *left rows of ticks up to `tick`, oldest first. */
static int prune_range(struct store *s, MDB_txn *txn, enum table_id table, uint64_t tick,
                       size_t *left) {
    MDB_cursor *c;
    int rc = mdb_cursor_open(txn, s->dbi[table], &c);
    if (rc != 0)
        return rc;
    MDB_val k, v;
    while (*left > 0 && (rc = mdb_cursor_get(c, &k, &v, MDB_FIRST)) == 0 &&
           tick_of_block(be64_load(k.mv_data)) <= tick) {
        if (table != TABLE_UNDO) {
            struct raw_key key;
            CHECK(k.mv_size <= sizeof key.b);
            memcpy(key.b, k.mv_data, k.mv_size);
            rc = del_history(s, txn, table, bytes_of(key.b, k.mv_size));
            if (rc == 0)
                rc = mdb_cursor_get(c, &k, &v, MDB_FIRST);
        }
        if (rc == 0)
            rc = mdb_cursor_del(c, 0);
        if (rc != 0)
            break;
        (*left)--;
    }
    mdb_cursor_close(c);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static bool prune(struct store *s, uint64_t tick, size_t max_rows) {
    uint64_t applied = tick_of_block(store_applied(s).block), pruned = atomic_load(&s->pruned_tick);
    if (tick > applied)
        tick = applied;
    if (tick > pruned) {
        struct err_ctx ignored;
        if (store_backlog_write(s, tick, &ignored) != ERR_OK)
            return false;
        atomic_store_explicit(&s->pruned_tick, tick,
                              memory_order_release); /* before the first row goes */
    } else {
        tick = pruned;
    }
    store_views_rest(s);
    MDB_txn *txn;
    if (mdb_txn_begin(s->env, NULL, 0, &txn) != 0)
        return false;
    size_t left = max_rows;
    int rc = store_pruned_save(s, txn, tick);
    static const enum table_id tables[] = {TABLE_CSA, TABLE_CSS, TABLE_UNDO};
    for (size_t i = 0; i < ARRAY_LEN(tables) && rc == 0; i++)
        rc = prune_range(s, txn, tables[i], tick, &left);
    if (rc != 0 || (left == max_rows && tick == pruned)) {
        mdb_txn_abort(txn); /* failed, or nothing to do */
        return false;
    }
    return mdb_txn_commit(txn) == 0 && left == 0;
}

bool store_prune(struct store *s, uint64_t block_num, size_t max_rows) {
    CHECK(max_rows > 0);
    pthread_mutex_lock(&s->lmdb_lock);
    bool more = prune(s, tick_of_block(block_num), max_rows);
    pthread_mutex_unlock(&s->lmdb_lock);
    return more;
}

/* --- rows of dropped segments --------------------------------------------------------------- */

static int drop_row(struct store *s, MDB_txn *txn, const struct store_drop_row *r) {
    CHECK(r->table == TABLE_TXL || r->table == TABLE_LOGA || r->table == TABLE_UEVT ||
          r->table == TABLE_BODY || r->table == TABLE_RCPT);
    if (!r->put && r->value.ptr != NULL) {
        MDB_val k = mdb_of(r->key), v;
        int rc = mdb_get(txn, s->dbi[r->table], &k, &v);
        if (rc != 0 || bytes_cmp(bytes_of_mdb(v), r->value) != 0)
            return rc == MDB_NOTFOUND ? 0 : rc;
    }
    return set_row(s, txn, r->table, r->key, !r->put, r->value);
}

static int drop(struct store *s, const struct store_drop_row *rows, size_t count) {
    MDB_txn *txn;
    store_views_rest(s);
    int rc = mdb_txn_begin(s->env, NULL, 0, &txn);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = drop_row(s, txn, &rows[i]);
    if (rc != 0) {
        mdb_txn_abort(txn);
        return rc;
    }
    return mdb_txn_commit(txn);
}

enum err store_drop(struct store *s, const struct store_drop_row *rows, size_t count,
                    struct err_ctx *ec) {
    pthread_mutex_lock(&s->lmdb_lock);
    int rc = drop(s, rows, count);
    pthread_mutex_unlock(&s->lmdb_lock);
    if (rc != 0)
        FAIL(ec, store_lmdb_err(rc), "%zu rows of old blocks cannot be dropped: %s", count,
             mdb_strerror(rc));
    return ERR_OK;
}

bool store_get_applied(struct store *s, enum table_id table, bytes key, void *out, size_t cap,
                       size_t *out_len) {
    MDB_txn *txn;
    MDB_val k = mdb_of(key), v;
    if (mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn) != 0)
        return false;
    bool found = mdb_get(txn, s->dbi[table], &k, &v) == 0;
    if (found) {
        *out_len = v.mv_size;
        memcpy(out, v.mv_data, v.mv_size < cap ? v.mv_size : cap);
    }
    mdb_txn_abort(txn);
    return found;
}
