/* SPDX-License-Identifier: Apache-2.0 */
/* The writer: rows of the open block go into the active delta at the block's tick, where nobody but
 * the writer sees them before the block is durable. */
#include "state/store.h"

#include "state/store_internal.h"

void store_block_begin(struct store *s, uint64_t block_num) {
    CHECK(s->open_tick == 0);
    CHECK(tick_of_block(block_num) ==
          atomic_load_explicit(&s->head_tick, memory_order_relaxed) + 1);
    pthread_mutex_lock(&s->commit_lock);
    if (s->freeze_wanted)
        store_freeze(s);
    s->block_open = true;
    pthread_mutex_unlock(&s->commit_lock);
    s->open_tick = tick_of_block(block_num);
    s->diff_put = false;
}

/* The active delta has as many rows as a checkpoint moves in one transaction. More and more deltas
 * would make reading slow: while a checkpoint does not keep up the active one grows on. */
static bool piece_full(const struct store *s) {
    uint64_t fit = atomic_load_explicit(&s->rows_fit, memory_order_relaxed);
    return s->set->count <= STORE_PIECES && delta_nodes(s->active) >= fit - fit / 8;
}

void store_block_commit(struct store *s, const struct store_applied *at) {
    CHECK(s->open_tick != 0);
    CHECK(tick_of_block(at->block) == s->open_tick);
    pthread_mutex_lock(&s->commit_lock);
    store_blocks_push(s, at);
    atomic_store_explicit(&s->head_tick, s->open_tick, memory_order_release);
    s->block_open = false;
    if (s->freeze_wanted || piece_full(s))
        store_freeze(s);
    s->open_tick = 0;
    pthread_mutex_unlock(&s->commit_lock);
}

void store_set_durable(struct store *s, uint64_t block_num) {
    uint64_t tick = tick_of_block(block_num);
    CHECK(tick <= atomic_load_explicit(&s->head_tick, memory_order_acquire));
    if (tick > atomic_load_explicit(&s->durable_tick, memory_order_relaxed))
        atomic_store_explicit(&s->durable_tick, tick, memory_order_release);
}

/* --- rows ----------------------------------------------------------------------------------- */

static void put(struct store *s, enum table_id table, bytes key, bool absent, bytes value) {
    struct raw_key k;
    delta_put(s->active, raw_key(&k, table, key), table_indexed(table), s->open_tick, absent,
              value);
}

static bytes undo_key(struct raw_key *k, const struct store *s, enum table_id table, bytes key) {
    uint8_t b[UNDO_KEY_PREFIX + STORE_KEY_MAX_BYTES];
    CHECK(key.len <= STORE_KEY_MAX_BYTES);
    be64_store(b, block_of_tick(s->open_tick));
    b[8] = (uint8_t)table;
    memcpy(b + UNDO_KEY_PREFIX, key.ptr, key.len);
    return raw_key(k, TABLE_UNDO, bytes_of(b, UNDO_KEY_PREFIX + key.len));
}

static void put_undo_row(struct store *s, enum table_id table, bytes key, struct undo_side old,
                         struct undo_side row) {
    struct raw_key uk;
    undo_encode(&s->undo, table, old, row);
    CHECK(!s->undo.overflow);
    delta_put(s->active, undo_key(&uk, s, table, key), false, s->open_tick, false,
              buf_bytes(&s->undo));
}

/* The row was changed in this block before, to `now`. When it is to be as it was before the block,
 * both the change and its undo row go. */
static bool put_back(struct store *s, enum table_id table, bytes key, struct undo_side now,
                     struct undo_side row) {
    struct raw_key k, uk;
    struct undo_scratch scratch;
    bytes undo_raw = undo_key(&uk, s, table, key);
    const struct delta_node *n = delta_find(s->active, undo_raw, false);
    CHECK(n != NULL);
    const struct delta_version *kept = delta_at(n, s->open_tick);
    CHECK(kept != NULL && kept->tick == s->open_tick && kept->len > 0);
    struct undo_side old = undo_decode(&scratch, bytes_of(kept->data, kept->len), now);
    if (old.absent != row.absent || (!row.absent && bytes_cmp(old.row, row.row) != 0)) {
        if (undo_has_new(table))
            put_undo_row(s, table, key, old, row);
        return false;
    }
    delta_pop(s->active, undo_raw, false, s->open_tick);
    delta_pop(s->active, raw_key(&k, table, key), true, s->open_tick);
    return true;
}

static const struct delta_version *newest_at(struct delta_spot at) {
    return at.node == NULL ? NULL : delta_at(at.node, UINT64_MAX);
}

/* What waits on its way to LMDB would come after what a later block makes of it. */
static bool is_lookup_of_before(const struct store *s, enum table_id table, bytes key, bytes row) {
    uint64_t tick = row.len < 8 ? 0 : tick_of_block(be64_load(row.ptr));
    return tick != s->open_tick && backlog_takes(table, key, row, tick);
}

/* A row of a table whose old rows are kept (or of one that needs no undo): dropped if nothing
 * changes. */
static void put_tracked(struct store *s, enum table_id table, bytes key, bool absent, bytes value) {
    bool undo = table_info[table].unwind == TABLE_UNWIND_UNDO && s->open_tick > 1;
    struct undo_side old = {.absent = false}, row = {.absent = absent, .row = value};
    struct raw_key k;
    bytes raw = raw_key(&k, table, key);
    struct delta_spot at = delta_spot(s->active, raw);
    const struct delta_version *newest = newest_at(at);
    pthread_mutex_lock(&s->self->lock);
    view_pin(s->self);
    CHECK(s->self->set->deltas[s->self->set->count - 1] == s->active);
    if (newest != NULL)
        old = (struct undo_side){newest->absent, bytes_of(newest->data, newest->len)};
    else
        old.absent = !view_lookup_older(s->self, table, raw, &old.row);
    bool same = old.absent == absent && (absent || bytes_cmp(old.row, value) == 0);
    CHECK(same || old.absent || !is_lookup_of_before(s, table, key, old.row));
    bool again = !same && undo && newest != NULL && newest->tick == s->open_tick;
    if (!same && undo && !again)
        put_undo_row(s, table, key, old, row);
    bool back = again && put_back(s, table, key, old, row);
    pthread_mutex_unlock(&s->self->lock);
    if (!same && !back)
        delta_put_at(s->active, at, raw, s->open_tick, absent, value);
}

static void put_checked(struct store *s, enum table_id table, bytes key, bool absent, bytes value) {
    CHECK(s->open_tick != 0);
    CHECK(key.len > 0);
    CHECK(key.len <= STORE_KEY_MAX_BYTES);
    CHECK(value.len <=
          (table == TABLE_CODE ? (size_t)STORE_CODE_MAX_BYTES : (size_t)STORE_VALUE_MAX_BYTES));
    switch (table_info[table].unwind) {
    case TABLE_UNWIND_UNDO:
    case TABLE_UNWIND_NONE:
        put_tracked(s, table, key, absent, value);
        break;
    case TABLE_UNWIND_RANGE:
        /* An unwind drops such rows by their block: one of another block would be lost or stay. */
        CHECK(table != TABLE_CSA && table != TABLE_CSS && table != TABLE_UNDO);
        CHECK(key.len >= 8);
        CHECK(be64_load(key.ptr) == block_of_tick(s->open_tick));
        put(s, table, key, absent, value);
        break;
    case TABLE_UNWIND_CHANGESET:
    case TABLE_UNWIND_HISTORY:
        CHECK(table == TABLE_COUNT); /* never: such rows come from store_put_diff alone */
    }
}

void store_put(struct store *s, enum table_id table, bytes key, bytes value) {
    put_checked(s, table, key, false, value);
}

void store_put_new(struct store *s, enum table_id table, bytes key, bytes value) {
    struct raw_key k;
    CHECK(table_info[table].unwind == TABLE_UNWIND_UNDO);
    CHECK(s->open_tick != 0);
    CHECK(key.len > 0 && value.len <= STORE_VALUE_MAX_BYTES);
    bytes raw = raw_key(&k, table, key);
    struct delta_spot at = delta_spot(s->active, raw);
    const struct delta_version *newest = newest_at(at);
    if (newest != NULL && newest->tick == s->open_tick) {
        store_put(s, table, key, value);
        return;
    }
    if (s->open_tick > 1)
        put_undo_row(s, table, key, (struct undo_side){.absent = true},
                     (struct undo_side){.row = value});
    delta_put_at(s->active, at, raw, s->open_tick, false, value);
}

void store_del(struct store *s, enum table_id table, bytes key) {
    put_checked(s, table, key, true, bytes_of(NULL, 0));
}

void store_expect(struct store *s, enum table_id table, size_t i, size_t count, store_key_fn key,
                  const void *ctx) {
    struct raw_key raw[STORE_EXPECT_KEYS];
    bytes keys[STORE_EXPECT_KEYS];
    if (i % STORE_EXPECT_KEYS != 0)
        return;
    size_t n = count - i < STORE_EXPECT_KEYS ? count - i : STORE_EXPECT_KEYS;
    for (size_t j = 0; j < n; j++) {
        raw[j].b[0] = (uint8_t)table;
        keys[j] = bytes_of(raw[j].b, 1 + key(raw[j].b + 1, ctx, i + j));
    }
    delta_expect(s->active, keys, n, table_indexed(table));
}

bool store_own_get(struct store *s, enum table_id table, bytes key, bytes *out_value) {
    CHECK(s->open_tick != 0);
    return store_get(s->self, table, key, out_value);
}

void store_put_trie_row(void *ctx, uint64_t store_id, bytes path, bytes record) {
    struct store *s = ctx;
    uint8_t key[8 + 64];
    CHECK(path.len <= 64);
    size_t n = 1; /* LMDB has no empty keys, and the root's path is empty */
    key[0] = 0;
    if (store_id != 0) {
        be64_store(key, store_id);
        n = 8;
    }
    if (path.len > 0)
        memcpy(key + n, path.ptr, path.len);
    put_checked(s, store_id == 0 ? TABLE_TRI_A : TABLE_TRI_S, bytes_of(key, n + path.len),
                record.len == 0, record);
}

/* --- a world's diff ------------------------------------------------------------------------- */

/* One changed row of ACCT or STOR with its change set; an empty value is an absent row. The history
 * row, which says the same with the key first, is made when a checkpoint moves the change set: in
 * the deltas it would be the most expensive of all, and nobody reads it there. */
static void put_change(struct store *s, enum table_id table, bytes key, bytes before, bytes after) {
    CHECK(bytes_cmp(before, after) != 0);
    put(s, table, key, after.len == 0, after);
    if (s->open_tick == 1)
        return; /* nothing is before block 0 */
    uint8_t b[8 + 40];
    CHECK(key.len <= 40);
    be64_store(b, block_of_tick(s->open_tick));
    memcpy(b + 8, key.ptr, key.len);
    put(s, table == TABLE_ACCT ? TABLE_CSA : TABLE_CSS, bytes_of(b, 8 + key.len), false, before);
}

/* Big-endian without leading zeros; empty for zero. `be` is storage. */
static bytes trimmed(uint8_t be[32], const u256 *v) {
    u256_to_be32(be, v);
    size_t skip = 0;
    while (skip < 32 && be[skip] == 0)
        skip++;
    return bytes_of(be + skip, 32 - skip);
}

static void slot_key(uint8_t out[40], uint64_t store_id, const struct world_slot_change *c) {
    be64_store(out, store_id);
    memcpy(out + 8, c->slot_hash.b, 32);
}

static size_t nth_slot_key(uint8_t out[STORE_KEY_MAX_BYTES], const void *account, size_t i) {
    const struct world_account_change *c = account;
    slot_key(out, c->after.store_id, &c->slots[i]);
    return 40;
}

static void put_slot(struct store *s, uint64_t store_id, const struct world_slot_change *c) {
    uint8_t key[40], before[32], after[32];
    slot_key(key, store_id, c);
    put_change(s, TABLE_STOR, bytes_of(key, sizeof key), trimmed(before, &c->old_value),
               trimmed(after, &c->new_value));
}

/* Deletes every row of STOR and TRI_S under the id. */
static void wipe(struct store *s, uint64_t store_id) {
    uint8_t prefix[8];
    be64_store(prefix, store_id);
    bytes from = bytes_of(prefix, sizeof prefix), key, value;
    struct store_cursor *c = store_cursor_open(s->self, TABLE_STOR);
    for (bool more = store_cursor_seek(c, from, &key, &value);
         more && key.len == 40 && memcmp(key.ptr, prefix, 8) == 0;
         more = store_cursor_next(c, &key, &value)) {
        CHECK(s->allow_wipe);
        put_change(s, TABLE_STOR, key, value, bytes_of(NULL, 0));
    }
    store_cursor_close(c);
    c = store_cursor_open(s->self, TABLE_TRI_S);
    for (bool more = store_cursor_seek(c, from, &key, &value);
         more && key.len >= 8 && memcmp(key.ptr, prefix, 8) == 0;
         more = store_cursor_next(c, &key, &value))
        put_checked(s, TABLE_TRI_S, key, true, bytes_of(NULL, 0));
    store_cursor_close(c);
}

static void put_account(struct store *s, const struct world_account_change *c) {
    uint8_t before[ACCOUNT_PACKED_MAX], after[ACCOUNT_PACKED_MAX];
    size_t before_len = c->existed ? account_pack(before, &c->before) : 0;
    size_t after_len = c->exists ? account_pack(after, &c->after) : 0;
    bytes b = bytes_of(before, before_len), a = bytes_of(after, after_len);
    if (c->existed && c->before.store_id != 0 && (c->wiped || !c->exists))
        wipe(s, c->before.store_id);
    if (bytes_cmp(b, a) != 0)
        put_change(s, TABLE_ACCT, bytes_of(c->addr_hash.b, 32), b, a);
    if (c->exists && c->new_code.len > 0)
        put_checked(s, TABLE_CODE, bytes_of(c->after.code_hash.b, 32), false, c->new_code);
    if (c->slot_count > 0) {
        CHECK(c->exists);
        CHECK(c->after.store_id != 0);
    }
    for (size_t i = 0; i < c->slot_count; i++) {
        store_expect(s, TABLE_STOR, i, c->slot_count, nth_slot_key, c);
        put_slot(s, c->after.store_id, &c->slots[i]);
    }
}

static size_t nth_account_key(uint8_t out[STORE_KEY_MAX_BYTES], const void *diff, size_t i) {
    const struct world_diff *d = diff;
    memcpy(out, d->accounts[i].addr_hash.b, 32);
    return 32;
}

void store_put_diff(struct store *s, const struct world_diff *diff) {
    CHECK(s->open_tick != 0);
    CHECK(!s->diff_put); /* old values in the diff are those before the block */
    s->diff_put = true;
    for (size_t i = 0; i < diff->count; i++) {
        store_expect(s, TABLE_ACCT, i, diff->count, nth_account_key, diff);
        put_account(s, &diff->accounts[i]);
    }
}
