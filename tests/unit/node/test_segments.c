/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: segments go when nothing wants them any more, never before, and a node whose first segments
 * are gone starts, goes on and says what it cannot do. */
#include "node/segments.h"
#include "index/index.h"
#include "index/record.h"
#include "node/prune.h"
#include "node/replay.h"
#include "tests/lib/node/chain.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SEGMENT = 4096,
    BLOCKS = 80,
    WINDOW_S = 10,
    FIRST_TIME = 1700000000 /* of block 1: node_chain_block's, a second apart */
};

static void add_blocks(struct node_chain *c, uint64_t first_nonce, uint64_t count) {
    for (uint64_t n = first_nonce; n < first_nonce + count; n++) {
        struct tx *tx = node_chain_transfer(c, 0, 1, n, 10);
        node_chain_block(c, &tx, 1);
    }
}

static void make(struct node_chain *c) {
    struct err_ctx ec = {.text = ""};
    node_chain_init_segments(c, SEGMENT);
    c->ledger.window_s = WINDOW_S;
    atomic_store(&c->ledger.may_drop, true);
    add_blocks(c, 0, BLOCKS);
    cr_assert_eq(ledger_checkpoint(&c->ledger, UINT64_MAX, &ec), ERR_OK);
}

static void prune_all(struct node_chain *c, uint64_t block) {
    for (int i = 0; prune_step(&c->ledger, FIRST_TIME + block - 1); i++)
        cr_assert_lt(i, 1000);
}

/* Lowest block that can be read whole; all above it can. */
static uint64_t first_whole(struct node_chain *c) {
    struct store_view *v;
    struct arena a;
    struct err_ctx ec;
    uint64_t head = c->ledger.head.number, first = head + 1;
    struct index_source src = {.log = c->ledger.log, .receipts = c->ledger.receipts};
    arena_init(&a, 1 << 16, 1 << 28);
    cr_assert_eq(store_view_open(&v, c->ledger.store, head), ERR_OK);
    for (uint64_t n = head; n > 0; n--) {
        struct index_block b;
        enum err e = index_load_block(&b, &a, &src, v, n, &ec);
        cr_assert(e == ERR_PRUNED || (e == ERR_OK && n == first - 1), "block %zu", (size_t)n);
        if (e == ERR_OK)
            first = n;
    }
    store_view_close(v);
    arena_clear(&a);
    return first;
}

static void reopen(struct node_chain *c, size_t *out_pool) {
    struct err_ctx ec = {.text = ""};
    cr_assert_eq(node_chain_reopen(c, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(node_chain_recover(c, NULL, out_pool, &ec), ERR_OK, "%s", ec.text);
    c->ledger.window_s = WINDOW_S;
    atomic_store(&c->ledger.may_drop, true);
}

Test(segments, go_with_the_window) {
    struct node_chain c;
    make(&c);
    uint64_t bytes_before = wal_bytes(c.ledger.log) + wal_bytes(c.ledger.receipts);
    cr_assert_eq(first_whole(&c), 1);
    prune_all(&c, BLOCKS);
    uint64_t first = first_whole(&c);
    cr_expect(first > BLOCKS - WINDOW_S - 20 && first <= BLOCKS - WINDOW_S - 1, "%zu",
              (size_t)first);
    cr_expect_gt(wal_first_seq(c.ledger.log), BLOCKS / 2);
    cr_expect_gt(wal_first_seq(c.ledger.receipts), 1);
    cr_expect_lt(wal_bytes(c.ledger.log) + wal_bytes(c.ledger.receipts), bytes_before / 2);
    struct store_stats st;
    cr_assert_eq(store_stat(c.ledger.store, &st), ERR_OK);
    cr_expect_eq(st.rows[TABLE_BODY], BLOCKS + 1 - first);
    cr_expect_eq(st.rows[TABLE_HDR], BLOCKS + 1);
    /* It starts, twice, and goes on. */
    hash32 head = c.ledger.head_hash;
    reopen(&c, NULL);
    cr_expect(hash32_eq(&head, &c.ledger.head_hash));
    add_blocks(&c, BLOCKS, BLOCKS);
    head = c.ledger.head_hash;
    reopen(&c, NULL);
    cr_expect(hash32_eq(&head, &c.ledger.head_hash));
    struct err_ctx ec;
    cr_assert_eq(ledger_checkpoint(&c.ledger, UINT64_MAX, &ec), ERR_OK);
    prune_all(&c, 2 * BLOCKS);
    cr_expect_gt(first_whole(&c), 2 * BLOCKS - WINDOW_S - 20);
    node_chain_clear(&c);
}

Test(segments, stay_until_they_may_go) {
    struct node_chain c;
    make(&c);
    atomic_store(&c.ledger.may_drop, false);
    prune_all(&c, BLOCKS);
    cr_expect_eq(first_whole(&c), 1);
    atomic_store(&c.ledger.may_drop, true);
    c.ledger.window_s = PRUNE_NOTHING;
    prune_all(&c, BLOCKS + 1000);
    cr_expect_eq(first_whole(&c), 1);
    cr_expect_eq(wal_first_seq(c.ledger.log), 1);
    c.ledger.window_s = WINDOW_S;
    atomic_store(&c.ledger.final_block, 40);
    prune_all(&c, BLOCKS + 1000);
    uint64_t first = first_whole(&c);
    cr_expect(first > 20 && first <= 40);
    prune_all(&c, 5); /* the clock jumps back */
    cr_expect_eq(first_whole(&c), first);
    ledger_set_final(&c.ledger, BLOCKS);
    prune_all(&c, BLOCKS);
    cr_expect_gt(first_whole(&c), 40);
    node_chain_clear(&c);
}

/* Records after the checkpoint are where a restart begins, however old they are. */
Test(segments, stay_after_the_checkpoint) {
    struct node_chain c;
    make(&c);
    add_blocks(&c, BLOCKS, BLOCKS);
    hash32 head = c.ledger.head_hash;
    prune_all(&c, 2 * BLOCKS + 1000);
    cr_expect_leq(first_whole(&c), BLOCKS);
    reopen(&c, NULL);
    cr_expect(hash32_eq(&head, &c.ledger.head_hash));
    cr_expect_eq(c.ledger.head.number, 2 * BLOCKS);
    node_chain_clear(&c);
}

static uint64_t put_pool_record(struct node_chain *c) {
    struct err_ctx ec;
    struct log_record rec;
    struct tx *tx = node_chain_transfer(c, 3, 1, 7, 10);
    struct record_pool p = {.sender = tx->sender, .envelope = tx->raw};
    buf_reset(&c->ledger.record);
    record_pack_pool(&c->ledger.record, &p);
    cr_assert_eq(ledger_append_record(&c->ledger, LOG_POOL, &rec, &ec), ERR_OK);
    return rec.seq;
}

/* The floor counts as the last checkpoint has it: the newer one would be lost by a crash. */
Test(segments, what_waits_in_the_pool_keeps_them) {
    struct node_chain c;
    struct err_ctx ec = {.text = ""};
    size_t pool = 0;
    make(&c);
    uint64_t floor = put_pool_record(&c);
    c.ledger.pool_floor = floor;
    add_blocks(&c, BLOCKS, BLOCKS);
    cr_assert_eq(ledger_checkpoint(&c.ledger, UINT64_MAX, &ec), ERR_OK);
    c.ledger.pool_floor = 0;
    add_blocks(&c, 2 * BLOCKS, 1); /* says so, but not in LMDB */
    prune_all(&c, 2 * BLOCKS);
    cr_expect_leq(wal_first_seq(c.ledger.log), floor);
    cr_expect_gt(wal_first_seq(c.ledger.log), 1);
    reopen(&c, &pool);
    cr_expect_eq(pool, 1);
    c.ledger.pool_floor = 0; /* as the pool would say */
    add_blocks(&c, 2 * BLOCKS + 1, 1);
    cr_assert_eq(ledger_checkpoint(&c.ledger, UINT64_MAX, &ec), ERR_OK);
    prune_all(&c, 2 * BLOCKS);
    cr_expect_gt(wal_first_seq(c.ledger.log), floor);
    pool = 0;
    reopen(&c, &pool);
    cr_expect_eq(pool, 0);
    node_chain_clear(&c);
}

Test(segments, the_rest_cannot_be_replayed) {
    struct node_chain c, other;
    struct replay_stats st;
    struct err_ctx ec = {.text = ""};
    make(&c);
    prune_all(&c, BLOCKS);
    cr_assert_gt(wal_first_seq(c.ledger.log), 1);
    node_chain_init(&other);
    cr_expect_eq(replay_log(&other.ledger, c.dir, &st, &ec), ERR_PRUNED);
    cr_expect(strstr(ec.text, "was pruned") != NULL, "%s", ec.text);
    cr_expect_eq(st.blocks, 0);
    node_chain_clear(&other);
    node_chain_clear(&c);
}

/* Blocks, checkpoints, steps and crashes in any order: nothing of the chain is lost. */
Test(segments, any_order) {
    struct node_chain c;
    struct err_ctx ec = {.text = ""};
    uint64_t seed = 12345, nonce = 0;
    node_chain_init_segments(&c, SEGMENT);
    c.ledger.window_s = WINDOW_S;
    atomic_store(&c.ledger.may_drop, true);
    for (int i = 0; i < 400; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint64_t r = seed >> 40;
        if (r % 10 < 6) {
            uint64_t n = 1 + r / 16 % 5;
            add_blocks(&c, nonce, n);
            nonce += n;
        } else if (r % 10 == 6) {
            cr_assert_eq(ledger_checkpoint(&c.ledger, UINT64_MAX, &ec), ERR_OK);
        } else if (r % 10 < 9) {
            (void)prune_step(&c.ledger, FIRST_TIME + c.ledger.head.number);
        } else {
            hash32 head = c.ledger.head_hash;
            reopen(&c, NULL);
            cr_assert(hash32_eq(&head, &c.ledger.head_hash), "round %d", i);
        }
    }
    cr_expect_gt(wal_first_seq(c.ledger.log), nonce / 2);
    cr_expect_leq(first_whole(&c), nonce - WINDOW_S);
    node_chain_clear(&c);
}
