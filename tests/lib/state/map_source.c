/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/state/map_source.h"

#include "base/check.h"
#include "base/rlp.h"

static bytes row_key(uint8_t out[8 + 64], uint64_t id, bytes tail) {
    CHECK(tail.len <= 64);
    be64_store(out, id);
    if (tail.len > 0)
        memcpy(out + 8, tail.ptr, tail.len);
    return bytes_of(out, 8 + tail.len);
}

static bool source_branch(void *ctx, uint64_t id, bytes prefix, bytes *out_path,
                          bytes *out_record) {
    struct map_source *s = ctx;
    uint8_t k[8 + 64];
    bytes key = row_key(k, id, prefix);
    const struct omap_node *n = omap_seek(&s->rows, key);
    s->branch_reads++;
    if (n == NULL || omap_key(n).len < key.len || memcmp(omap_key(n).ptr, k, key.len) != 0)
        return false;
    *out_path = bytes_of(omap_key(n).ptr + 8, omap_key(n).len - 8);
    *out_record = omap_value(n);
    return true;
}

static bool any_leaf(struct map_source *s, uint64_t id, bytes prefix, bool next, hash32 *out_key,
                     bytes *out_value) {
    uint8_t k[8 + 32] = {0};
    CHECK(prefix.len <= 64);
    be64_store(k, id);
    for (size_t i = 0; i < prefix.len; i++)
        k[8 + i / 2] = (uint8_t)(k[8 + i / 2] | prefix.ptr[i] << (i % 2 == 0 ? 4 : 0));
    s->leaf_reads++;
    const struct omap_node *n =
        next ? omap_next(s->last) : omap_seek(&s->leaves, bytes_of(k, sizeof k));
    s->last = n;
    if (n == NULL || memcmp(omap_key(n).ptr, k, 8) != 0)
        return false;
    const uint8_t *key = omap_key(n).ptr + 8;
    for (size_t i = 0; i < prefix.len; i++)
        if ((i % 2 == 0 ? key[i / 2] >> 4 : key[i / 2] & 15) != prefix.ptr[i])
            return false;
    memcpy(out_key->b, key, 32);
    *out_value = omap_value(n);
    return true;
}

static bool source_leaf(void *ctx, uint64_t id, bytes prefix, hash32 *out_key, bytes *out_value) {
    return any_leaf(ctx, id, prefix, false, out_key, out_value);
}

static bool source_next_leaf(void *ctx, uint64_t id, bytes prefix, hash32 *out_key,
                             bytes *out_value) {
    return any_leaf(ctx, id, prefix, true, out_key, out_value);
}

void map_source_init(struct map_source *s) {
    *s = (struct map_source){.branch_reads = 0};
    omap_init(&s->rows);
    omap_init(&s->leaves);
}

void map_source_clear(struct map_source *s) {
    omap_clear(&s->rows);
    omap_clear(&s->leaves);
}

struct trie_source map_source_source(struct map_source *s) {
    static const struct trie_source_ops ops = {
        .branch = source_branch, .leaf = source_leaf, .next_leaf = source_next_leaf};
    return (struct trie_source){&ops, s};
}

void map_source_row(void *ctx, uint64_t store_id, bytes path, bytes record) {
    struct map_source *s = ctx;
    uint8_t k[8 + 64];
    if (record.len == 0)
        omap_del(&s->rows, row_key(k, store_id, path));
    else
        omap_put(&s->rows, row_key(k, store_id, path), record);
}

static void put_leaf(struct map_source *s, uint64_t id, const hash32 *key,
                     const struct buf *value) {
    uint8_t k[8 + 64];
    if (value == NULL)
        omap_del(&s->leaves, row_key(k, id, bytes_of(key->b, 32)));
    else
        omap_put(&s->leaves, row_key(k, id, bytes_of(key->b, 32)), buf_bytes(value));
}

static void drop_store(struct map_source *s, uint64_t id) {
    uint8_t k[8];
    be64_store(k, id);
    for (;;) {
        const struct omap_node *n = omap_seek(&s->leaves, bytes_of(k, 8));
        if (n == NULL || memcmp(omap_key(n).ptr, k, 8) != 0)
            return;
        uint8_t key[40];
        memcpy(key, omap_key(n).ptr, 40);
        omap_del(&s->leaves, bytes_of(key, 40));
    }
}

void map_source_put_diff(struct map_source *s, const struct world_diff *diff) {
    struct buf b;
    buf_init(&b, 1 << 10);
    for (size_t i = 0; i < diff->count; i++) {
        const struct world_account_change *c = &diff->accounts[i];
        if (c->wiped)
            drop_store(s, c->before.store_id);
        for (size_t k = 0; k < c->slot_count; k++) {
            buf_reset(&b);
            rlp_put_u256(&b, &c->slots[k].new_value);
            put_leaf(s, c->after.store_id, &c->slots[k].slot_hash,
                     u256_is_zero(&c->slots[k].new_value) ? NULL : &b);
        }
        buf_reset(&b);
        account_rlp(&b, &c->after);
        put_leaf(s, 0, &c->addr_hash, c->exists ? &b : NULL);
    }
    buf_clear(&b);
}

void map_source_root(const struct map_source *s, uint64_t store_id, hash32 *out) {
    uint8_t k[8];
    be64_store(k, store_id);
    struct mpt_builder *b = mpt_builder_new();
    mpt_builder_begin(b);
    for (const struct omap_node *n = omap_seek(&s->leaves, bytes_of(k, 8));
         n != NULL && memcmp(omap_key(n).ptr, k, 8) == 0; n = omap_next(n))
        mpt_builder_add(b, bytes_of(omap_key(n).ptr + 8, 32), omap_value(n));
    mpt_builder_end(b, out);
    mpt_builder_free(b);
}
