/* SPDX-License-Identifier: Apache-2.0 */
#include "state/store.h"

#include "state/store_internal.h"

#include <stdlib.h>

/* --- pinning -------------------------------------------------------------------------------- */

/* LMDB errors while reading mean a damaged file or exhausted memory: state must not be guessed. */
static void must(int rc) {
    CHECK(rc == 0);
}

static void unpin(struct store_view *v) {
    if (!v->pinned)
        return;
    mdb_txn_reset(v->txn);
    store_set_drop(v->set);
    v->set = NULL;
    v->pinned = false;
}

/* ERR_BUSY when LMDB has no reader slot left, which can happen only at the first pin of a view. */
static enum err pin(struct store_view *v) {
    struct store *s = v->store;
    /* First the set, then the transaction: LMDB may be ahead of the set, which then has more than
     * is needed. It has never less, as it is still the newest when the transaction is there. */
    struct store_set *set = NULL;
    for (bool again = true; again;) {
        store_set_drop(set);
        set = store_set_get(s, &v->set_seq);
        int rc = v->txn == NULL ? mdb_txn_begin(s->env, NULL, MDB_RDONLY, &v->txn)
                                : mdb_txn_renew(v->txn);
        if (rc != 0) {
            store_set_drop(set);
            return rc == MDB_READERS_FULL ? ERR_BUSY : store_lmdb_err(rc);
        }
        again = v->set_seq != atomic_load_explicit(&s->set_seq, memory_order_acquire);
        if (again)
            mdb_txn_reset(v->txn);
    }
    v->set = set;
    v->pinned = true;
    v->pin_count++;
    struct store_applied at;
    CHECK(store_applied_load(&at, s, v->txn) == ERR_OK);
    v->lmdb_tick = tick_of_block(at.block);
    if (v->tick < atomic_load_explicit(&s->pruned_tick, memory_order_acquire))
        atomic_store_explicit(&v->stale, true, memory_order_release);
    if (v->overlay != NULL && (v->overlay_tick != v->lmdb_tick || v->tick == UINT64_MAX)) {
        /* Another checkpoint has passed: more rows have changed since the view's block. Or blocks
         * were unwound, which the newest state outlives. */
        delta_unref(v->overlay);
        v->overlay = NULL;
        v->overlay_tables = 0;
        v->overlay_rows = 0;
    }
    return ERR_OK;
}

void view_pin(struct store_view *v) {
    if (v->pinned && v->set_seq == atomic_load_explicit(&v->store->set_seq, memory_order_acquire))
        return;
    unpin(v);
    CHECK(pin(v) == ERR_OK);
}

void store_views_rest(struct store *s) {
    pthread_mutex_lock(&s->views_lock);
    for (struct store_view *v = s->views; v != NULL; v = v->next) {
        /* Who holds the lock is in a call and pins anew at the next. */
        if (pthread_mutex_trylock(&v->lock) != 0)
            continue;
        unpin(v);
        pthread_mutex_unlock(&v->lock);
    }
    pthread_mutex_unlock(&s->views_lock);
}

void store_views_cut(struct store *s, uint64_t tick) {
    pthread_mutex_lock(&s->views_lock);
    for (struct store_view *v = s->views; v != NULL; v = v->next)
        if (v->tick > tick && v->tick != UINT64_MAX)
            atomic_store_explicit(&v->stale, true, memory_order_release);
    pthread_mutex_unlock(&s->views_lock);
}

/* --- opening -------------------------------------------------------------------------------- */

static struct store_view *view_take(struct store *s, uint64_t tick) {
    pthread_mutex_lock(&s->views_lock);
    struct store_view *v = NULL;
    if (s->view_count < STORE_VIEWS_MAX) {
        v = s->idle;
        if (v != NULL) {
            s->idle = v->next;
            s->idle_count--;
        } else {
            v = calloc(1, sizeof *v);
            CHECK(v != NULL);
            v->store = s;
            pthread_mutex_init(&v->lock, NULL);
            buf_init(&v->row, STORE_CODE_MAX_BYTES);
            buf_init(&v->row2, STORE_CODE_MAX_BYTES);
        }
        v->tick = tick;
        atomic_store(&v->stale, false);
        v->prev = NULL;
        v->next = s->views;
        if (s->views != NULL)
            s->views->prev = v;
        s->views = v;
        s->view_count++;
    }
    pthread_mutex_unlock(&s->views_lock);
    return v;
}

static void view_free(struct store_view *v) {
    if (v->txn != NULL)
        mdb_txn_abort(v->txn);
    buf_clear(&v->row);
    buf_clear(&v->row2);
    pthread_mutex_destroy(&v->lock);
    free(v);
}

void store_views_free_idle(struct store *s) {
    while (s->idle != NULL) {
        struct store_view *v = s->idle;
        s->idle = v->next;
        view_free(v);
    }
}

enum err store_view_open(struct store_view **out, struct store *s, uint64_t block_num) {
    uint64_t tick = block_num == UINT64_MAX ? UINT64_MAX : tick_of_block(block_num);
    /* In the list before the test: an unwind lowers the durable tick first and then walks the list,
     * so that either it finds the view or the test finds the lower tick. */
    struct store_view *v = view_take(s, tick);
    if (v == NULL)
        return ERR_BUSY;
    enum err e = ERR_OK;
    if (tick != UINT64_MAX && tick > atomic_load_explicit(&s->durable_tick, memory_order_acquire))
        e = ERR_NOT_FOUND;
    else if (tick < atomic_load_explicit(&s->pruned_tick, memory_order_acquire))
        e = ERR_PRUNED;
    if (e == ERR_OK) {
        pthread_mutex_lock(&v->lock);
        e = pin(v);
        pthread_mutex_unlock(&v->lock);
    }
    if (e != ERR_OK) {
        store_view_close(v);
        return e;
    }
    *out = v;
    return ERR_OK;
}

void store_view_close(struct store_view *v) {
    if (v == NULL)
        return;
    struct store *s = v->store;
    for (int t = 0; t < TABLE_COUNT; t++) {
        store_cursor_close(v->source[t]);
        v->source[t] = NULL;
    }
    pthread_mutex_lock(&s->views_lock);
    pthread_mutex_lock(&v->lock);
    unpin(v);
    delta_unref(v->overlay);
    v->overlay = NULL;
    v->overlay_tables = 0;
    v->overlay_rows = 0;
    pthread_mutex_unlock(&v->lock);
    if (v->prev != NULL)
        v->prev->next = v->next;
    else
        s->views = v->next;
    if (v->next != NULL)
        v->next->prev = v->prev;
    s->view_count--;
    bool keep = s->idle_count < STORE_IDLE_VIEWS;
    if (keep) {
        v->next = s->idle;
        s->idle = v;
        s->idle_count++;
    }
    pthread_mutex_unlock(&s->views_lock);
    if (!keep)
        view_free(v);
}

uint64_t store_view_block(const struct store_view *v) {
    return v->tick == UINT64_MAX ? store_head(v->store) : block_of_tick(v->tick);
}

bool store_view_stale(const struct store_view *v) {
    return atomic_load_explicit(&v->stale, memory_order_acquire);
}

/* --- reading below the checkpoint ----------------------------------------------------------- */

static bool lmdb_get(struct store_view *v, enum table_id table, bytes key, bytes *out) {
    MDB_val k = mdb_of(key), value;
    int rc = mdb_get(v->txn, v->store->dbi[table], &k, &value);
    if (rc == MDB_NOTFOUND)
        return false;
    must(rc);
    *out = bytes_of_mdb(value);
    return true;
}

static enum table_id history_of(enum table_id table) {
    return table == TABLE_ACCT ? TABLE_HIA : TABLE_HIS;
}
static enum table_id changes_of(enum table_id table) {
    return table == TABLE_ACCT ? TABLE_CSA : TABLE_CSS;
}

/* The row of ACCT or STOR before the first change above the view's block that is in LMDB; false: no
 * such change. *out is empty where the row was absent. */
static bool change_after(struct store_view *v, enum table_id table, bytes key, bytes *out) {
    uint8_t at[STORE_RAW_KEY_MAX];
    CHECK(key.len + 8 <= sizeof at);
    memcpy(at, key.ptr, key.len);
    be64_store(at + key.len,
               v->tick); /* the block after the view's has the view's tick as its number */
    MDB_cursor *c;
    must(mdb_cursor_open(v->txn, v->store->dbi[history_of(table)], &c));
    MDB_val k = {.mv_size = key.len + 8, .mv_data = at}, value;
    int rc = mdb_cursor_get(c, &k, &value, MDB_SET_RANGE);
    uint64_t block = 0;
    bool found = rc == 0 && k.mv_size == key.len + 8 && memcmp(k.mv_data, key.ptr, key.len) == 0;
    if (found)
        block = be64_load((const uint8_t *)k.mv_data + key.len);
    mdb_cursor_close(c);
    CHECK(rc == 0 || rc == MDB_NOTFOUND);
    /* What waits may be of blocks whose change sets were pruned; then the view is stale. */
    uint64_t from = atomic_load_explicit(&v->store->pruned_tick, memory_order_acquire);
    from = from > v->tick ? from : v->tick;
    if (!found && !backlog_find(&block, v->set->backlog, table, key, from, v->lmdb_tick))
        return false;
    uint8_t change[STORE_RAW_KEY_MAX];
    be64_store(change, block);
    memcpy(change + 8, key.ptr, key.len);
    CHECK(lmdb_get(v, changes_of(table), bytes_of(change, key.len + 8), out));
    return true;
}

/* --- overlays: the rows at the view's block of what changed up to the checkpoint ------------ */

static bool overlay_fits(const struct store_view *v) {
    return v->overlay_rows <= STORE_OVERLAY_ROWS_MAX &&
           delta_bytes(v->overlay) <= STORE_OVERLAY_BYTES_MAX;
}

static void overlay_add(struct store_view *v, enum table_id table, bytes key, bool absent,
                        bytes value) {
    struct raw_key k;
    bytes raw = raw_key(&k, table, key);
    if (delta_find(v->overlay, raw, true) != NULL)
        return; /* an older change of the row has given what stood at the view's block */
    delta_put(v->overlay, raw, true, v->tick, absent, value);
    v->overlay_rows++;
}

/* Walks rows of CSA or CSS in blocks above the view's, oldest first. */
static void overlay_changes(struct store_view *v, enum table_id changes, enum table_id of) {
    MDB_cursor *c;
    must(mdb_cursor_open(v->txn, v->store->dbi[changes], &c));
    uint8_t from[8];
    be64_store(from, v->tick);
    MDB_val k = {.mv_size = sizeof from, .mv_data = from}, value;
    int rc = mdb_cursor_get(c, &k, &value, MDB_SET_RANGE);
    while (rc == 0 && overlay_fits(v)) {
        bytes key = bytes_of_mdb(k);
        CHECK(key.len > 8);
        overlay_add(v, of, bytes_of(key.ptr + 8, key.len - 8), value.mv_size == 0,
                    bytes_of_mdb(value));
        rc = mdb_cursor_get(c, &k, &value, MDB_NEXT);
    }
    mdb_cursor_close(c);
    CHECK(rc == 0 || rc == MDB_NOTFOUND);
}

/* One step back: the row as it was before the undo row's block. */
static void overlay_undo(struct store_view *v, enum table_id of, bytes key, bytes undo) {
    struct undo_scratch scratch;
    struct raw_key k;
    bytes raw = raw_key(&k, of, key);
    struct undo_side row = {.absent = true};
    const struct delta_node *n = delta_find(v->overlay, raw, true);
    const struct delta_version *later = n == NULL ? NULL : delta_at(n, v->tick);
    if (later != NULL)
        row = (struct undo_side){later->absent, bytes_of(later->data, later->len)};
    else if (undo.ptr[0] == UNDO_RUNS)
        row.absent = !lmdb_get(v, of, key, &row.row);
    struct undo_side old = undo_decode(&scratch, undo, row);
    if (later != NULL && old.row.len <= later->len)
        delta_rewrite(later, old.absent, old.row);
    else
        delta_put(v->overlay, raw, true, v->tick, old.absent, old.row);
    v->overlay_rows += later == NULL;
}

/* Walks undo rows of `of` in blocks above the view's, newest first. */
static void overlay_undos(struct store_view *v, enum table_id of) {
    MDB_cursor *c;
    must(mdb_cursor_open(v->txn, v->store->dbi[TABLE_UNDO], &c));
    MDB_val k, value;
    int rc = mdb_cursor_get(c, &k, &value, MDB_LAST);
    while (rc == 0 && overlay_fits(v)) {
        bytes key = bytes_of_mdb(k);
        CHECK(key.len > UNDO_KEY_PREFIX);
        if (be64_load(key.ptr) < v->tick)
            break;
        if (key.ptr[8] == of) {
            overlay_undo(v, of, bytes_of(key.ptr + UNDO_KEY_PREFIX, key.len - UNDO_KEY_PREFIX),
                         bytes_of_mdb(value));
        } else {
            /* To the first row of a later table in this block, or of this block, and back by one
             * from there. */
            uint8_t at[9];
            memcpy(at, key.ptr, 8);
            at[8] = key.ptr[8] > of ? (uint8_t)(of + 1) : 0;
            k = (MDB_val){.mv_size = sizeof at, .mv_data = at};
            must(mdb_cursor_get(c, &k, &value, MDB_SET_RANGE));
        }
        rc = mdb_cursor_get(c, &k, &value, MDB_PREV);
    }
    mdb_cursor_close(c);
    CHECK(rc == 0 || rc == MDB_NOTFOUND);
}

_Static_assert(TABLE_COUNT < 32, "a bit for each table in overlay_tables, and one for what waits");

struct waiting {
    struct store_view *view;
    enum table_id table;
};

static void overlay_waiting(void *ctx, const struct backlog_key *k) {
    struct waiting *w = ctx;
    uint64_t pruned = atomic_load_explicit(&w->view->store->pruned_tick, memory_order_acquire);
    if (w->table == TABLE_TXL || backlog_tick(k) > pruned) /* its change set is there */
        overlay_add(w->view, w->table, backlog_key_bytes(k), false, backlog_value_bytes(k));
}

/* History rows that are not in LMDB yet: of blocks that are there, and of those that are still in
 * the deltas, which have only the change sets. */
static void overlay_history(struct store_view *v, enum table_id table) {
    enum table_id changes = table == TABLE_HIA ? TABLE_CSA : TABLE_CSS;
    struct raw_key first;
    bytes from = raw_key(&first, changes, bytes_of(NULL, 0));
    struct waiting waiting = {v, table};
    backlog_each(v->set->backlog, table, v->lmdb_tick, overlay_waiting, &waiting);
    for (size_t i = 0; i < v->set->count; i++)
        for (const struct delta_node *n = delta_seek(v->set->deltas[i], from);
             n != NULL && delta_key(n).ptr[0] == (uint8_t)changes; n = delta_next(n)) {
            if (delta_at(n, v->tick) == NULL)
                continue;
            bytes change = raw_key_strip(delta_key(n));
            uint8_t key[STORE_RAW_KEY_MAX];
            memcpy(key, change.ptr + 8, change.len - 8);
            memcpy(key + change.len - 8, change.ptr, 8);
            overlay_add(v, table, bytes_of(key, change.len), false, bytes_of(NULL, 0));
        }
}

size_t store_view_bytes(struct store_view *v) {
    pthread_mutex_lock(&v->lock);
    size_t len = v->overlay != NULL ? delta_bytes(v->overlay) : 0;
    pthread_mutex_unlock(&v->lock);
    return len;
}

bool view_overlay(struct store_view *v, enum table_id table) {
    enum table_unwind rule = table_info[table].unwind;
    bool history = rule == TABLE_UNWIND_HISTORY;
    if (!history &&
        (v->tick >= v->lmdb_tick || (rule != TABLE_UNWIND_UNDO && rule != TABLE_UNWIND_CHANGESET)))
        return true;
    CHECK(!history || v->tick != UINT64_MAX); /* the overlay of a block is for good, that of the
                                                 newest state would not be */
    uint32_t bit = (uint32_t)1 << table;
    if ((v->overlay_tables & bit) != 0)
        return overlay_fits(v);
    if (v->overlay == NULL) {
        v->overlay = delta_new(v->store->seed, NULL);
        v->overlay_tick = v->lmdb_tick;
    }
    if (history)
        overlay_history(v, table);
    else if (rule == TABLE_UNWIND_UNDO)
        overlay_undos(v, table);
    else
        overlay_changes(v, changes_of(table), table);
    v->overlay_tables |= bit;
    if (overlay_fits(v))
        return true;
    atomic_store_explicit(&v->stale, true, memory_order_release);
    return false;
}

bool view_overlay_all(struct store_view *v, enum table_id table) {
    const uint32_t bit = (uint32_t)1 << TABLE_COUNT;
    if (!view_overlay(v, table))
        return false;
    if (table != TABLE_TXL || (v->overlay_tables & bit) != 0)
        return true;
    if (v->overlay == NULL) {
        v->overlay = delta_new(v->store->seed, NULL);
        v->overlay_tick = v->lmdb_tick;
    }
    struct waiting waiting = {v, table};
    backlog_each(v->set->backlog, table, v->tick, overlay_waiting, &waiting);
    v->overlay_tables |= bit;
    if (overlay_fits(v))
        return true;
    atomic_store_explicit(&v->stale, true, memory_order_release);
    return false;
}

/* --- reading -------------------------------------------------------------------------------- */

bool view_sees_key(const struct store_view *v, enum table_id table, bytes key) {
    enum table_unwind rule = table_info[table].unwind;
    if (key.len < 8)
        return true;
    if (rule == TABLE_UNWIND_RANGE)
        return be64_load(key.ptr) < v->tick;
    if (rule == TABLE_UNWIND_HISTORY)
        return be64_load(key.ptr + key.len - 8) < v->tick;
    return true;
}

static bool lookup(struct store_view *v, enum table_id table, bytes raw, size_t deltas,
                   bytes *out) {
    bytes key = raw_key_strip(raw);
    for (size_t i = deltas; i-- > 0;) {
        const struct delta_node *n = delta_find(v->set->deltas[i], raw, table_indexed(table));
        const struct delta_version *version = n == NULL ? NULL : delta_at(n, v->tick);
        if (version != NULL) {
            *out = bytes_of(version->data, version->len);
            return !version->absent;
        }
    }
    enum table_unwind rule = table_info[table].unwind;
    bool behind = v->tick < v->lmdb_tick;
    if (behind && rule == TABLE_UNWIND_CHANGESET && change_after(v, table, key, out))
        return out->len > 0;
    if ((behind && rule == TABLE_UNWIND_UNDO) || rule == TABLE_UNWIND_HISTORY) {
        if (!view_overlay(v, table))
            return false;
        const struct delta_node *n = delta_find(v->overlay, raw, true);
        const struct delta_version *version = n == NULL ? NULL : delta_at(n, v->tick);
        if (version != NULL) {
            *out = bytes_of(version->data, version->len);
            return !version->absent;
        }
    }
    if (table == TABLE_TXL && backlog_find_lookup(out, v->set->backlog, key, v->tick))
        return true;
    return lmdb_get(v, table, key, out);
}

bool view_lookup_older(struct store_view *v, enum table_id table, bytes raw, bytes *out) {
    return lookup(v, table, raw, v->set->count - 1, out);
}

bool store_get(struct store_view *v, enum table_id table, bytes key, bytes *out_value) {
    CHECK(table < TABLE_COUNT);
    if (key.len == 0 || key.len > STORE_KEY_MAX_BYTES + UNDO_KEY_PREFIX)
        return false;
    pthread_mutex_lock(&v->lock);
    view_pin(v);
    struct raw_key k;
    bytes value;
    bool found = view_sees_key(v, table, key) &&
                 lookup(v, table, raw_key(&k, table, key), v->set->count, &value);
    if (found) {
        /* A copy, as the transaction may be given back before the caller is done with it. */
        buf_reset(&v->row);
        buf_append(&v->row, value.ptr, value.len);
        CHECK(!v->row.overflow);
        *out_value = buf_bytes(&v->row);
    }
    pthread_mutex_unlock(&v->lock);
    return found;
}
