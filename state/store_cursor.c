/* SPDX-License-Identifier: Apache-2.0 */
/* One cursor over the deltas, the overlay and LMDB. Each is a sorted source; a step takes the
 * nearest key of all, asks the sources in order of age what is there at the view's block, and goes
 * on where that is nothing. */
#include "state/store.h"

#include "state/store_internal.h"

#include <stdlib.h>

enum { SOURCES_MAX = STORE_DELTAS_MAX + 2 };

struct store_cursor {
    struct store_view *view;
    enum table_id table;
    struct buf key, value; /* raw key (with the table's byte) and value of the row handed out */
    bool placed;           /* key holds a row */

    /* Position of the sources, valid for one pin of the view and one direction. */
    uint64_t pin_count;
    size_t own_nodes; /* of the active delta then, when the view sees what is added to it */
    bool forward, ready;
    const struct delta *deltas[SOURCES_MAX];     /* newest first, the overlay last */
    const struct delta_node *nodes[SOURCES_MAX]; /* NULL: at the end */
    size_t delta_count;
    MDB_cursor *lmdb;
    MDB_val lmdb_key, lmdb_value;
    bool lmdb_end;
};

struct store_cursor *store_cursor_open(struct store_view *v, enum table_id table) {
    CHECK(table < TABLE_COUNT);
    struct store_cursor *c = calloc(1, sizeof *c);
    CHECK(c != NULL);
    c->view = v;
    c->table = table;
    buf_init(&c->key, STORE_RAW_KEY_MAX);
    buf_init(&c->value, STORE_CODE_MAX_BYTES);
    return c;
}

void store_cursor_close(struct store_cursor *c) {
    if (c == NULL)
        return;
    pthread_mutex_lock(&c->view->lock);
    if (c->lmdb != NULL)
        mdb_cursor_close(c->lmdb);
    pthread_mutex_unlock(&c->view->lock);
    buf_clear(&c->key);
    buf_clear(&c->value);
    free(c);
}

/* --- sources -------------------------------------------------------------------------------- */

static bool in_table(const struct store_cursor *c, const struct delta_node *n) {
    return n != NULL && delta_key(n).ptr[0] == (uint8_t)c->table;
}

/* LMDB's result of a move. */
static void lmdb_moved(struct store_cursor *c, int rc) {
    CHECK(rc == 0 || rc == MDB_NOTFOUND);
    c->lmdb_end = rc != 0;
}

static void lmdb_seek(struct store_cursor *c, bytes key) {
    /* An empty key stands before all others, which LMDB does not take as an argument. */
    c->lmdb_key = mdb_of(key);
    lmdb_moved(c, mdb_cursor_get(c->lmdb, &c->lmdb_key, &c->lmdb_value,
                                 key.len == 0 ? MDB_FIRST : MDB_SET_RANGE));
}

static void lmdb_seek_le(struct store_cursor *c, bytes key) {
    c->lmdb_key = mdb_of(key);
    int rc = mdb_cursor_get(c->lmdb, &c->lmdb_key, &c->lmdb_value, MDB_SET_RANGE);
    if (rc == MDB_NOTFOUND)
        rc = mdb_cursor_get(c->lmdb, &c->lmdb_key, &c->lmdb_value, MDB_LAST);
    else if (rc == 0 && bytes_cmp(bytes_of_mdb(c->lmdb_key), key) > 0)
        rc = mdb_cursor_get(c->lmdb, &c->lmdb_key, &c->lmdb_value, MDB_PREV);
    lmdb_moved(c, rc);
}

/* The writer's own additions may lie before where its sources stand; nobody else sees any. */
static size_t own_nodes(const struct store_view *v) {
    return v->tick == UINT64_MAX ? delta_nodes(v->set->deltas[v->set->count - 1]) : 0;
}

static void sources_begin(struct store_cursor *c) {
    struct store_view *v = c->view;
    c->delta_count = 0;
    for (size_t i = v->set->count; i-- > 0;)
        c->deltas[c->delta_count++] = v->set->deltas[i];
    if (v->overlay != NULL)
        c->deltas[c->delta_count++] = v->overlay;
    int rc = c->lmdb == NULL ? mdb_cursor_open(v->txn, v->store->dbi[c->table], &c->lmdb)
                             : mdb_cursor_renew(v->txn, c->lmdb);
    CHECK(rc == 0);
    c->pin_count = v->pin_count;
    c->own_nodes = own_nodes(v);
    c->ready = true;
}

/* Places every source at its first key >= raw, or its last <= raw. */
static void sources_seek(struct store_cursor *c, bytes raw, bool forward) {
    sources_begin(c);
    c->forward = forward;
    for (size_t i = 0; i < c->delta_count; i++) {
        const struct delta_node *n;
        if (forward) {
            n = delta_seek(c->deltas[i], raw);
        } else {
            n = delta_seek(c->deltas[i], raw);
            if (n == NULL || bytes_cmp(delta_key(n), raw) != 0)
                n = delta_seek_lt(c->deltas[i], raw);
        }
        c->nodes[i] = in_table(c, n) ? n : NULL;
    }
    if (forward)
        lmdb_seek(c, raw_key_strip(raw));
    else
        lmdb_seek_le(c, raw_key_strip(raw));
}

static void source_step(struct store_cursor *c, size_t i) {
    const struct delta_node *n = c->nodes[i];
    n = c->forward ? delta_next(n) : delta_seek_lt(c->deltas[i], delta_key(n));
    c->nodes[i] = in_table(c, n) ? n : NULL;
}

/* The nearest key of all sources, without the table's byte; false: all are at their end. */
static bool nearest(const struct store_cursor *c, bytes *out) {
    bool any = false;
    for (size_t i = 0; i <= c->delta_count; i++) {
        bool is_lmdb = i == c->delta_count;
        if (is_lmdb ? c->lmdb_end : c->nodes[i] == NULL)
            continue;
        bytes key = is_lmdb ? bytes_of_mdb(c->lmdb_key) : raw_key_strip(delta_key(c->nodes[i]));
        int order = any ? bytes_cmp(key, *out) : 0;
        if (!any || (c->forward ? order < 0 : order > 0))
            *out = key;
        any = true;
    }
    return any;
}

/* What is at `key`, the nearest; every source that stands there moves on. */
static bool take(struct store_cursor *c, bytes key) {
    bool found = false, decided = false;
    buf_reset(&c->value);
    for (size_t i = 0; i < c->delta_count; i++) {
        if (c->nodes[i] == NULL || bytes_cmp(raw_key_strip(delta_key(c->nodes[i])), key) != 0)
            continue;
        const struct delta_version *version = delta_at(c->nodes[i], c->view->tick);
        if (!decided && version != NULL) {
            decided = true;
            found = !version->absent;
            buf_append(&c->value, version->data, version->len);
        }
        source_step(c, i);
    }
    if (!c->lmdb_end && bytes_cmp(bytes_of_mdb(c->lmdb_key), key) == 0) {
        if (!decided) {
            found = true;
            buf_append(&c->value, c->lmdb_value.mv_data, c->lmdb_value.mv_size);
        }
        lmdb_moved(c, mdb_cursor_get(c->lmdb, &c->lmdb_key, &c->lmdb_value,
                                     c->forward ? MDB_NEXT : MDB_PREV));
    }
    CHECK(!c->value.overflow);
    return found;
}

/* Walks on to a row that the view sees. */
static bool walk(struct store_cursor *c) {
    bytes key;
    while (nearest(c, &key)) {
        struct raw_key k;
        bytes raw = raw_key(&k, c->table, key); /* a copy: `key` may be LMDB's, which moves */
        bool seen = view_sees_key(c->view, c->table, raw_key_strip(raw));
        /* Keys of RANGE tables are in order of blocks: the rest is above the view too. */
        if (!seen && c->forward && table_info[c->table].unwind == TABLE_UNWIND_RANGE)
            break;
        if (take(c, raw_key_strip(raw)) && seen) {
            buf_reset(&c->key);
            buf_append(&c->key, raw.ptr, raw.len);
            CHECK(!c->key.overflow);
            c->placed = true;
            return true;
        }
    }
    c->placed = false;
    return false;
}

static bool hand_out(struct store_cursor *c, bool found, bytes *out_key, bytes *out_value) {
    pthread_mutex_unlock(&c->view->lock);
    if (found) {
        *out_key = raw_key_strip(buf_bytes(&c->key));
        *out_value = buf_bytes(&c->value);
    }
    return found;
}

/* Locks the view; false if the table cannot be walked at the view's block. */
static bool enter(struct store_cursor *c) {
    pthread_mutex_lock(&c->view->lock);
    view_pin(c->view);
    return view_overlay_all(c->view, c->table);
}

static bool seek(struct store_cursor *c, bytes key, bool forward, bytes *out_key,
                 bytes *out_value) {
    c->placed = false;
    if (key.len > STORE_KEY_MAX_BYTES + UNDO_KEY_PREFIX)
        return false;
    bool found = false;
    uint8_t limit[8];
    be64_store(limit, c->view->tick);
    /* Backwards from above the view's block: everything down to it is hidden. */
    if (!forward && table_info[c->table].unwind == TABLE_UNWIND_RANGE &&
        bytes_cmp(key, bytes_of(limit, 8)) > 0)
        key = bytes_of(limit, 8);
    if (enter(c) && (forward || key.len > 0)) {
        struct raw_key k;
        sources_seek(c, raw_key(&k, c->table, key), forward);
        found = walk(c);
    }
    return hand_out(c, found, out_key, out_value);
}

bool store_cursor_seek(struct store_cursor *c, bytes key, bytes *out_key, bytes *out_value) {
    return seek(c, key, true, out_key, out_value);
}

bool store_cursor_seek_le(struct store_cursor *c, bytes key, bytes *out_key, bytes *out_value) {
    return seek(c, key, false, out_key, out_value);
}

static bool step(struct store_cursor *c, bool forward, bytes *out_key, bytes *out_value) {
    if (!c->placed)
        return false;
    bool found = false;
    if (enter(c)) {
        bool placed = c->ready && c->pin_count == c->view->pin_count && c->forward == forward &&
                      c->own_nodes == own_nodes(c->view);
        if (!placed) {
            struct raw_key k;
            bytes raw = raw_key(&k, c->table, raw_key_strip(buf_bytes(&c->key)));
            sources_seek(c, raw, forward);
            bytes nearest_key;
            if (nearest(c, &nearest_key) && bytes_cmp(nearest_key, raw_key_strip(raw)) == 0)
                (void)take(c, raw_key_strip(raw));
        }
        found = walk(c);
    }
    return hand_out(c, found, out_key, out_value);
}

bool store_cursor_next(struct store_cursor *c, bytes *out_key, bytes *out_value) {
    return step(c, true, out_key, out_value);
}

bool store_cursor_prev(struct store_cursor *c, bytes *out_key, bytes *out_value) {
    return step(c, false, out_key, out_value);
}
