/* SPDX-License-Identifier: Apache-2.0 */
#include "state/store_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const enum table_id changes[] = {TABLE_CSA, TABLE_CSS};

/* The key of ACCT or STOR, or a transaction's hash: what stands before the block. */
static size_t row_len(const struct backlog_key *k) {
    return k->table == TABLE_HIS ? 8 + 32 : 32;
}

/* By the first digit of the hash, so that a slice is a sixteenth of HIA and TXL, and of each
 * contract in HIS. */
static size_t slice_of(const struct backlog_key *k) {
    return k->key[k->table == TABLE_HIS ? 8 : 0] >> 4;
}

static uint64_t block_of(const struct backlog_key *k) {
    return be64_load(k->key + row_len(k));
}

bytes backlog_key_bytes(const struct backlog_key *k) {
    return bytes_of(k->key, k->table == TABLE_TXL ? TXL_KEY_BYTES : row_len(k) + 8);
}

bytes backlog_value_bytes(const struct backlog_key *k) {
    return bytes_of(k->key + TXL_KEY_BYTES, k->table == TABLE_TXL ? TXL_VALUE_BYTES : 0);
}

uint64_t backlog_tick(const struct backlog_key *k) {
    return tick_of_block(block_of(k));
}

static bool same_row(const struct backlog_key *a, const struct backlog_key *b) {
    return a->table == b->table && memcmp(a->key, b->key, row_len(a)) == 0;
}

static int order(const void *a, const void *b) {
    return memcmp(a, b, sizeof(struct backlog_key));
}

void backlog_key_of(struct backlog_key *out, enum table_id table, bytes change) {
    *out = (struct backlog_key){.table = table == TABLE_CSA ? TABLE_HIA : TABLE_HIS};
    CHECK(change.len == row_len(out) + 8);
    memcpy(out->key, change.ptr + 8, change.len - 8);
    memcpy(out->key + change.len - 8, change.ptr, 8);
}

bool backlog_takes(enum table_id table, bytes key, bytes value, uint64_t tick) {
    return table == TABLE_TXL && key.len == TXL_KEY_BYTES && value.len == TXL_VALUE_BYTES &&
           tick > 1 && tick_of_block(be64_load(value.ptr)) == tick;
}

void backlog_key_of_lookup(struct backlog_key *out, bytes key, bytes value) {
    *out = (struct backlog_key){.table = TABLE_TXL};
    memcpy(out->key, key.ptr, TXL_KEY_BYTES);
    memcpy(out->key + TXL_KEY_BYTES, value.ptr, TXL_VALUE_BYTES);
}

/* --- runs ----------------------------------------------------------------------------------- */

static struct backlog_run *run_new(size_t count) {
    struct backlog_run *r = malloc(sizeof *r + count * sizeof r->keys[0]);
    if (r == NULL)
        return NULL;
    atomic_init(&r->refs, 1);
    r->count = count;
    r->lookups = 0;
    return r;
}

void backlog_run_drop(struct backlog_run *r) {
    if (r != NULL && atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) == 1)
        free(r);
}

static struct backlog_run *run_merge(const struct backlog_run *a, const struct backlog_run *b) {
    struct backlog_run *out = run_new(a->count + b->count);
    if (out == NULL)
        return NULL;
    out->lookups = a->lookups + b->lookups;
    for (size_t i = 0, j = 0, n = 0; n < out->count; n++) {
        bool first = j == b->count || (i < a->count && order(&a->keys[i], &b->keys[j]) < 0);
        out->keys[n] = first ? a->keys[i++] : b->keys[j++];
    }
    return out;
}

/* Takes `r` over, also when it fails. Each run is more than twice as long as the next, so that
 * there are few. */
static int slice_add(struct backlog_slice *s, struct backlog_run *r) {
    while (s->count > 0 && s->runs[s->count - 1]->count <= 2 * r->count) {
        struct backlog_run *last = s->runs[--s->count], *merged = run_merge(last, r);
        backlog_run_drop(last);
        backlog_run_drop(r);
        if (merged == NULL)
            return ENOMEM;
        r = merged;
    }
    CHECK(s->count < BACKLOG_RUNS_MAX);
    s->runs[s->count++] = r;
    return 0;
}

static size_t slice_rows(const struct backlog_slice *s) {
    size_t rows = 0;
    for (size_t i = 0; i < s->count; i++)
        rows += s->runs[i]->count;
    return rows;
}

static void slice_clear(struct backlog_slice *s) {
    while (s->count > 0)
        backlog_run_drop(s->runs[--s->count]);
}

/* --- what waits ----------------------------------------------------------------------------- */

struct backlog *backlog_ref(struct backlog *h) {
    atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
    return h;
}

void backlog_drop(struct backlog *h) {
    if (h == NULL || atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < BACKLOG_SLICES; i++)
        slice_clear(&h->slices[i]);
    free(h);
}

static struct backlog *backlog_copy(const struct backlog *from) {
    struct backlog *h = malloc(sizeof *h);
    if (h == NULL)
        return NULL;
    memcpy(h->slices, from->slices, sizeof h->slices);
    atomic_init(&h->refs, 1);
    for (size_t i = 0; i < BACKLOG_SLICES; i++)
        for (size_t k = 0; k < h->slices[i].count; k++)
            atomic_fetch_add_explicit(&h->slices[i].runs[k]->refs, 1, memory_order_relaxed);
    return h;
}

size_t backlog_rows(const struct backlog *h) {
    size_t rows = 0;
    for (size_t i = 0; i < BACKLOG_SLICES; i++)
        rows += slice_rows(&h->slices[i]);
    return rows;
}

size_t backlog_lookups(const struct backlog *h) {
    size_t rows = 0;
    for (size_t i = 0; i < BACKLOG_SLICES; i++)
        for (size_t k = 0; k < h->slices[i].count; k++)
            rows += h->slices[i].runs[k]->lookups;
    return rows;
}

/* The keys, in any order, into their slices. */
static int add_keys(struct backlog *h, struct backlog_key *keys, size_t count) {
    size_t counts[BACKLOG_SLICES] = {0};
    struct backlog_run *runs[BACKLOG_SLICES] = {NULL};
    int rc = 0;
    if (count > 1)
        qsort(keys, count, sizeof *keys, order);
    for (size_t i = 0; i < count; i++)
        counts[slice_of(&keys[i])]++;
    for (size_t i = 0; i < BACKLOG_SLICES && rc == 0; i++) {
        runs[i] = counts[i] > 0 ? run_new(counts[i]) : NULL;
        rc = counts[i] > 0 && runs[i] == NULL ? ENOMEM : 0;
        counts[i] = 0;
    }
    for (size_t i = 0; i < count && rc == 0; i++) {
        size_t slice = slice_of(&keys[i]);
        runs[slice]->keys[counts[slice]++] = keys[i];
        runs[slice]->lookups += keys[i].table == TABLE_TXL;
    }
    for (size_t i = 0; i < BACKLOG_SLICES; i++) {
        if (runs[i] == NULL)
            continue;
        if (rc == 0)
            rc = slice_add(&h->slices[i], runs[i]);
        else
            backlog_run_drop(runs[i]);
    }
    return rc;
}

int backlog_add(struct backlog **out, const struct backlog *from, struct backlog_key *keys,
                size_t count) {
    struct backlog *h = backlog_copy(from);
    int rc = h == NULL ? ENOMEM : add_keys(h, keys, count);
    if (rc != 0) {
        backlog_drop(h);
        return rc;
    }
    *out = h;
    return 0;
}

/* The first key of the run at or above `want`, by its place. */
static size_t run_seek(const struct backlog_run *r, const struct backlog_key *want) {
    size_t low = 0, high = r->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (order(&r->keys[mid], want) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bool backlog_find(uint64_t *out, const struct backlog *h, enum table_id table, bytes key,
                  uint64_t from, uint64_t end) {
    struct backlog_key want = {.table = table == TABLE_ACCT ? TABLE_HIA : TABLE_HIS};
    CHECK(key.len == row_len(&want));
    memcpy(want.key, key.ptr, key.len);
    be64_store(want.key + key.len, from);
    const struct backlog_slice *s = &h->slices[slice_of(&want)];
    bool found = false;
    for (size_t i = 0; i < s->count; i++) {
        const struct backlog_run *r = s->runs[i];
        size_t low = run_seek(r, &want);
        if (low == r->count || memcmp(&r->keys[low], &want, 1 + key.len) != 0)
            continue;
        uint64_t block = block_of(&r->keys[low]);
        if (block < end && (!found || block < *out))
            *out = block;
        found = found || block < end;
    }
    return found;
}

bool backlog_find_lookup(bytes *out, const struct backlog *h, bytes key, uint64_t tick) {
    struct backlog_key want = {.table = TABLE_TXL};
    if (key.len != TXL_KEY_BYTES)
        return false;
    memcpy(want.key, key.ptr, TXL_KEY_BYTES);
    const struct backlog_slice *s = &h->slices[slice_of(&want)];
    const struct backlog_key *newest = NULL;
    for (size_t i = 0; i < s->count; i++) {
        const struct backlog_run *r = s->runs[i];
        for (size_t n = run_seek(r, &want);
             n < r->count && same_row(&r->keys[n], &want) && backlog_tick(&r->keys[n]) <= tick; n++)
            if (newest == NULL || block_of(&r->keys[n]) > block_of(newest))
                newest = &r->keys[n];
    }
    if (newest != NULL)
        *out = backlog_value_bytes(newest);
    return newest != NULL;
}

void backlog_each(const struct backlog *h, enum table_id table, uint64_t end,
                  void (*take)(void *ctx, const struct backlog_key *k), void *ctx) {
    for (size_t i = 0; i < BACKLOG_SLICES; i++)
        for (size_t k = 0; k < h->slices[i].count; k++) {
            const struct backlog_run *r = h->slices[i].runs[k];
            for (size_t n = 0; n < r->count; n++)
                if (r->keys[n].table == table && block_of(&r->keys[n]) < end)
                    take(ctx, &r->keys[n]);
        }
}

bool backlog_reaches(const struct backlog *h, uint64_t tick) {
    bool reaches = false;
    for (size_t i = 0; i < BACKLOG_SLICES; i++)
        reaches = reaches || (h->slices[i].count > 0 && h->slices[i].tick < tick);
    return reaches;
}

/* --- META ----------------------------------------------------------------------------------- */

static const char meta_history[] = "history";

int backlog_save(struct store *s, MDB_txn *txn, const struct backlog *h) {
    uint8_t b[BACKLOG_SLICES * 8];
    for (size_t i = 0; i < BACKLOG_SLICES; i++)
        be64_store(b + 8 * i, h == NULL ? 0 : h->slices[i].tick);
    MDB_val k = {.mv_size = sizeof meta_history - 1, .mv_data = (void *)meta_history},
            v = {.mv_size = sizeof b, .mv_data = b};
    return mdb_put(txn, s->dbi[TABLE_META], &k, &v, 0);
}

static int load_ticks(struct store *s, MDB_txn *txn, struct backlog *h) {
    MDB_val k = {.mv_size = sizeof meta_history - 1, .mv_data = (void *)meta_history}, v;
    int rc = mdb_get(txn, s->dbi[TABLE_META], &k, &v);
    if (rc != 0 || v.mv_size != BACKLOG_SLICES * 8)
        return rc == 0 || rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
    for (size_t i = 0; i < BACKLOG_SLICES; i++)
        h->slices[i].tick = be64_load((const uint8_t *)v.mv_data + 8 * i);
    return 0;
}

static uint64_t lowest_tick(const struct backlog *h) {
    uint64_t tick = UINT64_MAX;
    for (size_t i = 0; i < BACKLOG_SLICES; i++)
        tick = h->slices[i].tick < tick ? h->slices[i].tick : tick;
    return tick;
}

static void load_key(const struct backlog *h, const struct backlog_key *key, struct buf *out) {
    if (tick_of_block(block_of(key)) > h->slices[slice_of(key)].tick)
        buf_append(out, key, sizeof *key);
}

/* Changes in LMDB behind what the slices have. */
static int load_changes(struct store *s, MDB_txn *txn, const struct backlog *h, enum table_id table,
                        struct buf *out) {
    MDB_cursor *c;
    int rc = mdb_cursor_open(txn, s->dbi[table], &c);
    if (rc != 0)
        return rc;
    uint8_t from[8];
    be64_store(from, lowest_tick(h)); /* the block of the tick above has this number */
    MDB_val k = {.mv_size = sizeof from, .mv_data = from}, v;
    for (rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE); rc == 0;
         rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
        struct backlog_key key;
        backlog_key_of(&key, table, bytes_of_mdb(k));
        load_key(h, &key, out);
    }
    mdb_cursor_close(c);
    if (rc == MDB_NOTFOUND)
        rc = out->overflow ? ENOMEM : 0;
    return rc;
}

/* Rows of TXL, from the undo rows that say what they became. Those of a block lie together: from
 * others the walk goes to the next that may have some. */
static int load_lookups(struct store *s, MDB_txn *txn, const struct backlog *h, struct buf *out) {
    MDB_cursor *c;
    int rc = mdb_cursor_open(txn, s->dbi[TABLE_UNDO], &c);
    if (rc != 0)
        return rc;
    uint8_t from[9];
    be64_store(from, lowest_tick(h));
    from[8] = TABLE_TXL;
    MDB_val k = {.mv_size = sizeof from, .mv_data = from}, v;
    for (rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE); rc == 0;) {
        bytes raw = bytes_of_mdb(k), undo = bytes_of_mdb(v);
        CHECK(raw.len > UNDO_KEY_PREFIX && undo.len > 0);
        if (raw.ptr[8] == TABLE_TXL) {
            bytes key = bytes_of(raw.ptr + UNDO_KEY_PREFIX, raw.len - UNDO_KEY_PREFIX),
                  row = bytes_of(undo.ptr + 1, undo.len - 1);
            struct backlog_key waits;
            if (undo.ptr[0] == UNDO_ABSENT &&
                backlog_takes(TABLE_TXL, key, row, tick_of_block(be64_load(raw.ptr)))) {
                backlog_key_of_lookup(&waits, key, row);
                load_key(h, &waits, out);
            }
            rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
            continue;
        }
        be64_store(from, be64_load(raw.ptr) + (raw.ptr[8] > TABLE_TXL));
        k = (MDB_val){.mv_size = sizeof from, .mv_data = from};
        rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
    }
    mdb_cursor_close(c);
    if (rc == MDB_NOTFOUND)
        rc = out->overflow ? ENOMEM : 0;
    return rc;
}

int backlog_load(struct backlog **out, struct store *s, MDB_txn *txn, uint64_t tick) {
    struct backlog *h = calloc(1, sizeof *h);
    if (h == NULL)
        return ENOMEM;
    atomic_init(&h->refs, 1);
    struct buf keys;
    buf_init(&keys, SIZE_MAX / 2);
    int rc = load_ticks(s, txn, h);
    for (size_t i = 0; i < BACKLOG_SLICES; i++)
        h->slices[i].tick = h->slices[i].tick < tick ? h->slices[i].tick : tick;
    for (size_t i = 0; i < ARRAY_LEN(changes) && rc == 0; i++)
        rc = load_changes(s, txn, h, changes[i], &keys);
    if (rc == 0)
        rc = load_lookups(s, txn, h, &keys);
    if (rc == 0)
        rc = add_keys(h, (struct backlog_key *)keys.ptr, keys.len / sizeof(struct backlog_key));
    buf_clear(&keys);
    if (rc != 0) {
        backlog_drop(h);
        return rc;
    }
    *out = h;
    return 0;
}

/* --- to LMDB -------------------------------------------------------------------------------- */

/* All of the slice in order, as one run. */
static int slice_gather(struct backlog_slice *s) {
    while (s->count > 1) {
        struct backlog_run *b = s->runs[--s->count], *a = s->runs[--s->count];
        struct backlog_run *merged = run_merge(a, b);
        backlog_run_drop(a);
        backlog_run_drop(b);
        if (merged == NULL)
            return ENOMEM;
        s->runs[s->count++] = merged;
    }
    return 0;
}

int backlog_take_oldest(struct backlog **out, struct backlog_run **run, const struct backlog *from,
                        uint64_t tick) {
    struct backlog *h = backlog_copy(from);
    struct backlog_slice *oldest = NULL;
    if (h == NULL)
        return ENOMEM;
    for (size_t i = 0; i < BACKLOG_SLICES; i++) {
        struct backlog_slice *s = &h->slices[i];
        if (s->count == 0)
            s->tick = tick; /* else opening would look for its rows for ever */
        else if (oldest == NULL || s->tick < oldest->tick)
            oldest = s;
    }
    CHECK(oldest != NULL);
    int rc = slice_gather(oldest);
    if (rc != 0) {
        backlog_drop(h);
        return rc;
    }
    *run = oldest->runs[--oldest->count];
    oldest->tick = tick;
    *out = h;
    return 0;
}
