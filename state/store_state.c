/* SPDX-License-Identifier: Apache-2.0 */
/* Flat state for the world, rows for the trie, and the checks over whole tables. */
#include "base/keccak.h"
#include "base/rlp.h"
#include "state/store.h"
#include "state/store_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* --- reader --------------------------------------------------------------------------------- */

static bool read_account(void *ctx, struct account *out, const hash32 *addr_hash) {
    bytes row;
    if (!store_get(ctx, TABLE_ACCT, bytes_of(addr_hash->b, 32), &row))
        return false;
    CHECK(account_unpack(out, row) == ERR_OK);
    return true;
}

static void read_storage(void *ctx, u256 *out, uint64_t store_id, const hash32 *slot_hash) {
    uint8_t key[40], be[32] = {0};
    bytes row;
    *out = U256_ZERO;
    if (store_id == 0)
        return;
    be64_store(key, store_id);
    memcpy(key + 8, slot_hash->b, 32);
    if (!store_get(ctx, TABLE_STOR, bytes_of(key, sizeof key), &row))
        return;
    CHECK(row.len > 0 && row.len <= 32);
    memcpy(be + 32 - row.len, row.ptr, row.len);
    *out = u256_from_be32(be);
}

static bool read_code(void *ctx, bytes *out, const hash32 *code_hash) {
    return store_get(ctx, TABLE_CODE, bytes_of(code_hash->b, 32), out);
}

static const struct state_reader_ops reader_ops = {
    .account = read_account, .storage = read_storage, .code = read_code};

struct state_reader store_state_reader(struct store_view *v) {
    return (struct state_reader){.ops = &reader_ops, .ctx = v};
}

/* --- trie's source -------------------------------------------------------------------------- */

/* A cursor of the view's own, opened at the first use and closed with the view. */
static struct store_cursor *source_cursor(struct store_view *v, enum table_id table) {
    if (v->source[table] == NULL)
        v->source[table] = store_cursor_open(v, table);
    return v->source[table];
}

/* What a storage trie's keys begin with; 1 byte for branch records of the account trie, as LMDB has
 * no empty keys. */
static size_t put_store_id(uint8_t *out, uint64_t store_id, bool branch) {
    if (store_id == 0) {
        out[0] = 0;
        return branch ? 1 : 0;
    }
    be64_store(out, store_id);
    return 8;
}

static bool source_branch(void *ctx, uint64_t store_id, bytes prefix, bytes *out_path,
                          bytes *out_record) {
    uint8_t from[8 + 64];
    size_t n = put_store_id(from, store_id, true);
    CHECK(prefix.len <= 64);
    if (prefix.len > 0)
        memcpy(from + n, prefix.ptr, prefix.len);
    bytes key, record;
    struct store_cursor *c = source_cursor(ctx, store_id == 0 ? TABLE_TRI_A : TABLE_TRI_S);
    if (!store_cursor_seek(c, bytes_of(from, n + prefix.len), &key, &record))
        return false;
    if (key.len < n + prefix.len || memcmp(key.ptr, from, n + prefix.len) != 0)
        return false;
    *out_path = bytes_of(key.ptr + n, key.len - n);
    *out_record = record;
    return true;
}

/* RLP of a row as the trie has it: the account's body, the slot's integer. */
static bytes leaf_value(struct store_view *v, uint64_t store_id, bytes row) {
    buf_reset(&v->row2);
    if (store_id == 0) {
        struct account a;
        CHECK(account_unpack(&a, row) == ERR_OK);
        account_rlp(&v->row2, &a);
    } else {
        rlp_put_bytes(&v->row2, row.ptr, row.len);
    }
    return buf_bytes(&v->row2);
}

/* Keys are packed two nibbles to a byte: an odd prefix ends in a high nibble, with the least low
 * one behind it. Returns the length of the store id. */
static size_t put_leaf_prefix(uint8_t from[8 + 32], uint64_t store_id, bytes prefix) {
    memset(from, 0, 8 + 32);
    size_t n = put_store_id(from, store_id, false);
    CHECK(prefix.len <= 64);
    for (size_t i = 0; i < prefix.len; i++)
        from[n + i / 2] |= (uint8_t)(prefix.ptr[i] << (i % 2 == 0 ? 4 : 0));
    return n;
}

static bool source_any_leaf(struct store_view *v, uint64_t store_id, bytes prefix, bool next,
                            hash32 *out_key, bytes *out_value) {
    uint8_t from[8 + 32];
    bytes key, row;
    size_t n = put_leaf_prefix(from, store_id, prefix);
    struct store_cursor *c = source_cursor(v, store_id == 0 ? TABLE_ACCT : TABLE_STOR);
    if (!(next ? store_cursor_next(c, &key, &row)
               : store_cursor_seek(c, bytes_of(from, n + (prefix.len + 1) / 2), &key, &row)))
        return false;
    CHECK(key.len == (store_id == 0 ? 32 : 40));
    size_t whole = n + prefix.len / 2;
    if (memcmp(key.ptr, from, whole) != 0 ||
        (prefix.len % 2 != 0 && key.ptr[whole] >> 4 != from[whole] >> 4))
        return false;
    memcpy(out_key->b, key.ptr + n, 32);
    *out_value = leaf_value(v, store_id, row);
    return true;
}

static bool source_leaf(void *ctx, uint64_t store_id, bytes prefix, hash32 *out_key,
                        bytes *out_value) {
    return source_any_leaf(ctx, store_id, prefix, false, out_key, out_value);
}

static bool source_next_leaf(void *ctx, uint64_t store_id, bytes prefix, hash32 *out_key,
                             bytes *out_value) {
    return source_any_leaf(ctx, store_id, prefix, true, out_key, out_value);
}

static void source_expect_leaves(void *ctx, uint64_t store_id, const uint8_t *const *keys,
                                 size_t count) {
    struct store_view *v = ctx;
    enum table_id table = store_id == 0 ? TABLE_ACCT : TABLE_STOR;
    uint8_t b[TRIE_EXPECT][1 + 8 + 32];
    bytes raw[TRIE_EXPECT];
    CHECK(count <= TRIE_EXPECT);
    for (size_t i = 0; i < count; i++) {
        b[i][0] = (uint8_t)table;
        size_t n = 1 + put_store_id(b[i] + 1, store_id, false);
        memcpy(b[i] + n, keys[i], 32);
        raw[i] = bytes_of(b[i], n + 32);
    }
    pthread_mutex_lock(&v->lock);
    view_pin(v);
    for (size_t i = 0; i < v->set->count; i++)
        delta_expect(v->set->deltas[i], raw, count, false);
    pthread_mutex_unlock(&v->lock);
}

static void source_expect_rows(void *ctx, const struct trie_branch *branches, size_t count) {
    struct store_view *v = ctx;
    uint8_t b[TRIE_EXPECT][1 + 8 + 64];
    bytes raw[TRIE_EXPECT];
    CHECK(count <= TRIE_EXPECT);
    for (size_t i = 0; i < count; i++) {
        const struct trie_branch *x = &branches[i];
        b[i][0] = (uint8_t)(x->store_id == 0 ? TABLE_TRI_A : TABLE_TRI_S);
        size_t n = 1 + put_store_id(b[i] + 1, x->store_id, true);
        CHECK(x->path.len <= 64);
        if (x->path.len > 0)
            memcpy(b[i] + n, x->path.ptr, x->path.len);
        raw[i] = bytes_of(b[i], n + x->path.len);
    }
    pthread_mutex_lock(&v->lock);
    view_pin(v);
    delta_expect(v->set->deltas[v->set->count - 1], raw, count, true);
    pthread_mutex_unlock(&v->lock);
}

static const struct trie_source_ops source_ops = {.branch = source_branch,
                                                  .leaf = source_leaf,
                                                  .next_leaf = source_next_leaf,
                                                  .expect_leaves = source_expect_leaves,
                                                  .expect_rows = source_expect_rows};

struct trie_source store_trie_source(struct store_view *v) {
    return (struct trie_source){.ops = &source_ops, .ctx = v};
}

/* --- rebuild -------------------------------------------------------------------------------- */

struct rebuild {
    struct store_view *view;
    struct store_cursor *slots;
    struct mpt_builder *accounts, *storage;
    struct buf rlp;
};

static void storage_root(struct rebuild *r, uint64_t store_id, hash32 *out) {
    uint8_t prefix[8];
    be64_store(prefix, store_id);
    bytes key, row;
    mpt_builder_begin(r->storage);
    for (bool more = store_cursor_seek(r->slots, bytes_of(prefix, 8), &key, &row);
         more && key.len == 40 && memcmp(key.ptr, prefix, 8) == 0;
         more = store_cursor_next(r->slots, &key, &row)) {
        buf_reset(&r->rlp);
        rlp_put_bytes(&r->rlp, row.ptr, row.len);
        mpt_builder_add(r->storage, bytes_of(key.ptr + 8, 32), buf_bytes(&r->rlp));
    }
    mpt_builder_end(r->storage, out);
}

static enum err add_account(struct rebuild *r, bytes key, bytes row, struct err_ctx *ec) {
    char hex[17];
    for (int i = 0; i < 8; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", key.ptr[i]);
    struct account a;
    hash32 root = KECCAK_EMPTY_TRIE;
    if (key.len != 32 || account_unpack(&a, row) != ERR_OK)
        FAIL(ec, ERR_CORRUPT, "the row of the account whose hash begins with 0x%s is malformed",
             hex);
    if (a.store_id != 0)
        storage_root(r, a.store_id, &root);
    if (!hash32_eq(&root, &a.storage_root))
        FAIL(ec, ERR_CORRUPT,
             "the slots of the account whose hash begins with 0x%s give another storage root than "
             "its row",
             hex);
    buf_reset(&r->rlp);
    account_rlp(&r->rlp, &a);
    mpt_builder_add(r->accounts, key, buf_bytes(&r->rlp));
    return ERR_OK;
}

enum err store_rebuild_root(struct store_view *v, hash32 *out_root, struct err_ctx *ec) {
    struct rebuild *r = calloc(1, sizeof *r);
    if (r == NULL)
        FAIL(ec, ERR_NOMEM, "no memory to rebuild the state root");
    r->view = v;
    r->slots = store_cursor_open(v, TABLE_STOR);
    r->accounts = mpt_builder_new();
    r->storage = mpt_builder_new();
    buf_init(&r->rlp, 256);
    struct store_cursor *c = store_cursor_open(v, TABLE_ACCT);
    bytes key, row;
    enum err e = ERR_OK;
    mpt_builder_begin(r->accounts);
    for (bool more = store_cursor_seek(c, bytes_of(NULL, 0), &key, &row); more && e == ERR_OK;
         more = store_cursor_next(c, &key, &row))
        e = add_account(r, key, row, ec);
    hash32 root;
    mpt_builder_end(r->accounts, &root);
    if (e == ERR_OK && store_view_stale(v))
        e = err_set(ec, ERR_PRUNED, __FILE__, __LINE__,
                    "the block was unwound or pruned while its state was read");
    if (e == ERR_OK)
        *out_root = root;
    store_cursor_close(c);
    store_cursor_close(r->slots);
    mpt_builder_free(r->accounts);
    mpt_builder_free(r->storage);
    buf_clear(&r->rlp);
    free(r);
    return e;
}
