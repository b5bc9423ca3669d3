/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the digest of a block is the same however its tables came to be, and another one for
 * another history; local tables and what pruning takes do not enter it. Covers: digest.c */
#include "index/digest.h"

#include "index/universe.h"
#include "tests/lib/index/blocks.h"

#include <criterion/criterion.h>

enum { BLOCKS = 40, FORK_AT = 25 };

static struct index_digest digest_at(struct blocks *b, uint64_t block, uint64_t from) {
    struct index_digest d;
    struct store_view *v;
    struct err_ctx ec = {.text = ""};
    cr_assert_eq(store_view_open(&v, b->store, block), ERR_OK);
    cr_assert_eq(index_digest(&d, v, from, NULL, NULL, &ec), ERR_OK, "%s", ec.text);
    store_view_close(v);
    return d;
}

static void expect_same(const struct index_digest *a, const struct index_digest *b, bool same) {
    cr_expect_eq(hash32_eq(&a->all, &b->all), same);
    for (int t = 0; t < TABLE_COUNT && same; t++)
        cr_expect(hash32_eq(&a->tables[t], &b->tables[t]), "%s", table_info[t].name);
}

Test(digest, the_way_does_not_matter) {
    struct blocks plain, other;
    blocks_open(&plain, 7);
    blocks_open(&other, 7);
    blocks_add(&plain, BLOCKS);
    /* The same blocks, with checkpoints between, and after some others that went again. */
    blocks_add(&other, FORK_AT);
    cr_assert_eq(store_checkpoint(other.store, NULL), ERR_OK);
    uint64_t seed = other.seed;
    other.seed = 99;
    blocks_add(&other, 6);
    struct index_digest lost = digest_at(&other, FORK_AT + 2, 0);
    cr_assert_eq(store_checkpoint(other.store, NULL), ERR_OK);
    blocks_unwind(&other, FORK_AT - 1);
    other.seed = seed;
    blocks_add(&other, BLOCKS - FORK_AT - 5);
    cr_assert_eq(store_checkpoint(other.store, NULL), ERR_OK);
    blocks_add(&other, 5);
    for (uint64_t n = 0; n < BLOCKS; n += 3) {
        struct index_digest a = digest_at(&plain, n, 0), b = digest_at(&other, n, 0);
        expect_same(&a, &b, true);
        cr_expect_eq(a.block, n);
        cr_expect(hash32_eq(&a.block_hash, &plain.made[n].hash));
        if (n == FORK_AT + 2)
            expect_same(&a, &lost, false);
    }
    struct index_digest before = digest_at(&other, BLOCKS - 1, 0);
    while (store_prune(other.store, BLOCKS - 6, 1000))
        continue;
    struct index_digest after = digest_at(&other, BLOCKS - 1, 0);
    expect_same(&before, &after, true);
    blocks_close(&plain);
    blocks_close(&other);
}

Test(digest, every_row_counts) {
    struct blocks a, b;
    blocks_open(&a, 7);
    blocks_open(&b, 7);
    blocks_add(&a, 4);
    blocks_add(&b, 4);
    for (int t = 0; t < TABLE_COUNT; t++) {
        bool by_hand =
            table_info[t].unwind == TABLE_UNWIND_UNDO || table_info[t].unwind == TABLE_UNWIND_NONE;
        if (!by_hand)
            continue;
        const struct store_applied at = {.epoch = 1, .seq = 99, .block = 4};
        store_block_begin(b.store, 4);
        store_put(b.store, (enum table_id)t, bytes_of("a key of 12.", 12), bytes_of("value", 5));
        store_block_commit(b.store, &at);
        store_set_durable(b.store, 4);
        store_block_begin(a.store, 4);
        store_block_commit(a.store, &at);
        store_set_durable(a.store, 4);
        struct index_digest x = digest_at(&a, 4, 0), y = digest_at(&b, 4, 0);
        cr_expect_eq(hash32_eq(&x.all, &y.all), table_info[t].cls == TABLE_LOCAL, "%s",
                     table_info[t].name);
        cr_expect_eq(y.rows[t], x.rows[t] + (table_info[t].cls == TABLE_DERIVED), "%s",
                     table_info[t].name);
        blocks_unwind(&a, 3);
        blocks_unwind(&b, 3);
    }
    blocks_close(&a);
    blocks_close(&b);
}

static bool always(void *ctx) {
    (void)ctx;
    return true;
}

Test(digest, parts_and_time) {
    struct blocks b;
    struct index_digest d;
    struct err_ctx ec = {.text = ""};
    blocks_open(&b, 3);
    blocks_add(&b, 10);
    struct index_digest whole = digest_at(&b, 9, 0), part = digest_at(&b, 9, 5);
    size_t txs = 0, all = 0;
    for (size_t n = 0; n < 10; n++) {
        all += b.made[n].tx_count;
        txs += n >= 5 ? b.made[n].tx_count : 0;
    }
    cr_expect_eq(whole.rows[TABLE_TXL], all);
    cr_expect_eq(part.rows[TABLE_TXL], txs);
    cr_expect_lt(part.rows[TABLE_LOGA], whole.rows[TABLE_LOGA]);
    cr_expect(hash32_eq(&part.tables[TABLE_HDR], &whole.tables[TABLE_HDR]));
    blocks_add(&b, 300);
    cr_expect_eq(index_digest(&d, b.view, 0, always, NULL, &ec), ERR_BUSY);
    cr_expect_gt(strlen(ec.text), 0);
    blocks_close(&b);
}
