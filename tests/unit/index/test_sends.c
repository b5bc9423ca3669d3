/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: proofs out of the table SEND are those that the parent's real Outbox accepted; for any size
 * and leaf they fold to the root of a plain tree; an unwind takes messages back. */
#include "base/hex.h"
#include "base/keccak.h"
#include "chain/send_tree.h"
#include "chain/system_state.h"
#include "index/rows.h"
#include "tests/lib/index/blocks.h"

#include <criterion/criterion.h>
#include <jansson.h>

enum { SENDS = 70, PER_BLOCK = 3 };

static hash32 item_at(const json_t *doc, size_t i) {
    hash32 h = {{(uint8_t)i, 0x5e}};
    const json_t *s = json_array_get(json_object_get(doc, "sends"), i);
    if (s != NULL)
        cr_assert_eq(hex_decode_fixed(h.b, 32, json_string_value(json_object_get(s, "item"))),
                     ERR_OK);
    return h;
}

struct logs {
    struct log_entry entries[PER_BLOCK * (SEND_TREE_LEVELS_MAX + 1)];
    size_t count;
};

static void add_log(struct logs *l, const hash32 *topic, const hash32 *hash, unsigned level,
                    uint64_t leaf) {
    struct log_entry *e = &l->entries[l->count++];
    *e = (struct log_entry){.address = system_address(SYSTEM_ARBSYS), .topic_count = 4};
    e->topics[0] = *topic;
    e->topics[2] = *hash;
    be64_store(e->topics[3].b, level);
    be64_store(e->topics[3].b + 24, leaf);
}

static void add_send(struct logs *l, hash32 partials[SEND_TREE_LEVELS_MAX], uint64_t leaf,
                     const hash32 *item) {
    struct send_tree_update up[SEND_TREE_LEVELS_MAX];
    unsigned top;
    size_t n = send_tree_append(partials, leaf, item, up, &top);
    for (size_t i = 0; i < n; i++)
        add_log(l, &SEND_MERKLE_UPDATE, &up[i].hash, up[i].level, leaf);
    add_log(l, &SEND_L2_TO_L1_TX, item, 0, leaf);
}

/* A block with messages [first, first + PER_BLOCK); roots[n] becomes the root of n messages. */
static void put_block(struct blocks *b, const json_t *doc, uint64_t number, hash32 *partials,
                      hash32 *roots) {
    static struct logs l;
    l.count = 0;
    for (size_t i = 0; i < PER_BLOCK; i++) {
        uint64_t leaf = (number - 1) * PER_BLOCK + i;
        hash32 item = item_at(doc, leaf);
        add_send(&l, partials, leaf, &item);
        roots[leaf + 1] = send_tree_root(leaf + 1, partials);
    }
    struct derived_tx tx = {.tx = {.raw = bytes_of("\xc0", 1)},
                            .receipt = {.logs = l.entries, .log_count = l.count}};
    struct derived_block d = {.txs = &tx, .tx_count = 1};
    d.header.number = number;
    d.header.field_count = 16;
    d.header.extra_len = 32;
    be64_store(d.hash.b, number);
    be64_store(tx.tx.hash.b, number);
    const struct index_positions none = {.has_body = false};
    const struct store_applied at = {.epoch = 1, .seq = number, .block = number};
    store_block_begin(b->store, number);
    index_put_block(b->store, &d, &none);
    store_block_commit(b->store, &at);
    store_set_durable(b->store, number);
}

static struct store_view *view_at(struct blocks *b, uint64_t number) {
    struct store_view *v;
    cr_assert_eq(store_view_open(&v, b->store, number), ERR_OK);
    return v;
}

static hash32 fold(const struct index_send_proof *p, uint64_t leaf) {
    hash32 h;
    keccak256(&h, p->send.b, 32);
    for (size_t i = 0; i < p->count; i++, leaf >>= 1) {
        uint8_t both[64];
        memcpy(both + (leaf & 1 ? 32 : 0), h.b, 32);
        memcpy(both + (leaf & 1 ? 0 : 32), p->proof[i].b, 32);
        keccak256(&h, both, sizeof(both));
    }
    cr_expect_eq(leaf, 0);
    return h;
}

static void expect_vectors(const json_t *doc, struct store_view *v) {
    json_t *row, *sibling;
    size_t n, k;
    json_array_foreach(json_object_get(doc, "proofs"), n, row) {
        struct index_send_proof p;
        uint64_t size = (uint64_t)json_integer_value(json_object_get(row, "size")),
                 leaf = (uint64_t)json_integer_value(json_object_get(row, "leaf"));
        cr_assert_eq(index_send_proof(&p, v, size, leaf), ERR_OK);
        hash32 want;
        cr_assert_eq(hex_decode_fixed(want.b, 32, json_string_value(json_object_get(row, "root"))),
                     ERR_OK);
        cr_expect(hash32_eq(&p.root, &want), "size %d leaf %d", (int)size, (int)leaf);
        json_t *list = json_object_get(row, "proof");
        cr_assert_eq(p.count, json_array_size(list));
        json_array_foreach(list, k, sibling) {
            cr_assert_eq(hex_decode_fixed(want.b, 32, json_string_value(sibling)), ERR_OK);
            cr_expect(hash32_eq(&p.proof[k], &want));
        }
    }
    cr_assert_eq(n, 16);
}

Test(sends, proofs) {
    json_t *doc = json_load_file("tests/vectors/orbit/vectors.json", 0, NULL);
    struct blocks b;
    blocks_open(&b, 1);
    static hash32 partials[SEND_TREE_LEVELS_MAX], roots[SENDS + PER_BLOCK];
    const struct store_applied at = {.epoch = 1};
    store_block_begin(b.store, 0);
    store_block_commit(b.store, &at);
    uint64_t number = 0;
    while (number * PER_BLOCK < SENDS)
        put_block(&b, doc, ++number, partials, roots);
    cr_assert_eq(store_checkpoint_to(b.store, number / 2, NULL), ERR_OK);
    struct store_view *v = view_at(&b, number);
    expect_vectors(doc, v);
    for (uint64_t size = 1; size <= SENDS; size++) {
        for (uint64_t leaf = 0; leaf < size; leaf++) {
            struct index_send_proof p;
            cr_assert_eq(index_send_proof(&p, v, size, leaf), ERR_OK);
            hash32 folded = fold(&p, leaf), item = item_at(doc, leaf);
            cr_expect(hash32_eq(&folded, &roots[size]) && hash32_eq(&p.root, &roots[size]) &&
                          hash32_eq(&p.send, &item),
                      "size %d leaf %d", (int)size, (int)leaf);
        }
    }
    struct index_send_proof p;
    cr_expect_eq(index_send_proof(&p, v, 3, 3), ERR_NOT_FOUND);
    cr_expect_eq(index_send_proof(&p, v, 0, 0), ERR_NOT_FOUND);
    cr_expect_eq(index_send_proof(&p, v, UINT64_MAX, 0), ERR_NOT_FOUND);
    cr_expect_eq(index_send_proof(&p, v, number * PER_BLOCK + 1, 0), ERR_NOT_FOUND);
    store_view_close(v);

    /* Back to block 2, which has six messages; then the chain goes on otherwise. */
    const struct store_applied back = {.epoch = 2, .seq = 100, .block = 2};
    cr_assert_eq(store_unwind(b.store, 2, &back, NULL), ERR_OK);
    store_set_durable(b.store, 2);
    v = view_at(&b, 2);
    cr_expect_eq(index_send_proof(&p, v, 6, 5), ERR_OK);
    cr_expect_eq(index_send_proof(&p, v, 7, 0), ERR_NOT_FOUND);
    hash32 root = fold(&p, 5);
    cr_expect(hash32_eq(&root, &roots[6]));
    store_view_close(v);
    json_decref(doc);
    blocks_close(&b);
}
