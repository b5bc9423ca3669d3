/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: recovery tells which blocks a REWIND undid, wherever the store stood when the process died;
 * tombstones come back from their records. Covers: rerun.c tombs.c recover.c */
#include "node/rerun.h"

#include "index/record.h"
#include "node/tombs.h"
#include "tests/lib/node/chain.h"

#include <criterion/criterion.h>

static void add_blocks(struct node_chain *c, size_t count, uint64_t nonce) {
    for (size_t i = 0; i < count; i++) {
        struct tx *tx = node_chain_transfer(c, 0, 1, nonce + i, 10);
        node_chain_block(c, &tx, 1);
    }
}

/* As the sequencer does it. */
static void go_back(struct node_chain *c, struct rerun *r, uint64_t to_block) {
    struct err_ctx ec = {.text = ""};
    struct log_record rec;
    struct record_rewind w = {
        .epoch = c->ledger.epoch + 1, .to_block = to_block, .reason = REWIND_PARENT_REORG};
    cr_assert_eq(rerun_collect(r, &c->ledger, to_block, &ec), ERR_OK, "%s", ec.text);
    buf_reset(&c->ledger.record);
    record_pack_rewind(&c->ledger.record, &w);
    cr_assert_eq(ledger_append_record(&c->ledger, LOG_REWIND, &rec, &ec), ERR_OK);
    cr_assert_eq(wal_sync(c->ledger.log, NULL, &ec), ERR_OK);
    cr_assert_eq(ledger_rewind(&c->ledger, to_block, w.epoch, rec.seq, &ec), ERR_OK, "%s", ec.text);
}

static uint64_t number_at(struct node_chain *c, struct log_pos pos) {
    struct buf b;
    struct log_record rec;
    struct record_block in;
    struct err_ctx ec;
    buf_init(&b, 1 << 20);
    cr_assert_eq(wal_read(c->ledger.log, &b, pos, &rec, &ec), ERR_OK);
    cr_assert_eq(record_unpack_block(&in, rec.payload), ERR_OK);
    buf_clear(&b);
    return in.number;
}

/* After a crash, `want` are the blocks that recovery hands to settling. */
static void expect_again(struct node_chain *c, const uint64_t *want, size_t count) {
    struct err_ctx ec = {.text = ""};
    struct rerun r;
    rerun_init(&r);
    cr_assert_eq(node_chain_reopen(c, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(node_chain_recover(c, NULL, NULL, &ec), ERR_OK, "%s", ec.text);
    rerun_adopt(&r, &c->ledger);
    cr_assert_eq(r.len, count);
    for (size_t i = 0; i < count; i++)
        cr_expect_eq(number_at(c, r.blocks[i]), want[i], "entry %zu", i);
    cr_expect_eq(c->ledger.again_count, 0);
    rerun_clear(&r);
}

Test(rerun, after_a_rewind_that_is_replayed) {
    struct node_chain c;
    struct rerun r;
    node_chain_init(&c);
    rerun_init(&r);
    add_blocks(&c, 6, 0);
    go_back(&c, &r, 3);
    cr_expect_eq(r.len, 3);
    cr_expect_neq(c.ledger.again_floor, 0);
    expect_again(&c, (uint64_t[]){4, 5, 6}, 3);
    rerun_clear(&r);
    node_chain_clear(&c);
}

Test(rerun, after_a_rewind_that_is_in_the_store) {
    struct node_chain c;
    struct rerun r;
    struct err_ctx ec;
    node_chain_init(&c);
    rerun_init(&r);
    add_blocks(&c, 6, 0);
    cr_assert_eq(ledger_checkpoint(&c.ledger, &ec), ERR_OK);
    go_back(&c, &r, 3); /* LMDB itself goes back: its place is the REWIND */
    expect_again(&c, (uint64_t[]){4, 5, 6}, 3);
    rerun_clear(&r);
    node_chain_clear(&c);
}

Test(rerun, after_a_checkpoint_in_the_middle_of_it) {
    struct node_chain c;
    struct rerun r;
    struct err_ctx ec;
    node_chain_init(&c);
    rerun_init(&r);
    add_blocks(&c, 6, 0);
    go_back(&c, &r, 3);
    add_blocks(&c, 1, 3); /* the first of them, made again */
    cr_assert_eq(ledger_checkpoint(&c.ledger, &ec), ERR_OK);
    expect_again(&c, (uint64_t[]){4, 5, 6}, 3);
    cr_expect_eq(c.ledger.head.number, 4);

    c.ledger.again_floor = 0; /* all were tried, and a block has said so */
    add_blocks(&c, 1, 4);
    cr_assert_eq(ledger_checkpoint(&c.ledger, &ec), ERR_OK);
    expect_again(&c, NULL, 0);
    rerun_clear(&r);
    node_chain_clear(&c);
}

Test(rerun, one_upon_the_other) {
    struct node_chain c;
    struct rerun r;
    node_chain_init(&c);
    rerun_init(&r);
    add_blocks(&c, 6, 0);
    go_back(&c, &r, 3);
    add_blocks(&c, 1, 3); /* block 4 again */
    r.at = 1;
    go_back(&c, &r, 2);
    cr_expect_eq(r.len, 4, "blocks 3 and 4 of now, then 5 and 6 of before");
    cr_expect_eq(number_at(&c, r.blocks[0]), 3);
    cr_expect_eq(number_at(&c, r.blocks[1]), 4);
    cr_expect_eq(number_at(&c, r.blocks[2]), 5);
    /* Recovery does not know that 4 was made again: trying it twice does no harm. */
    expect_again(&c, (uint64_t[]){3, 4, 4, 5, 6}, 5);
    rerun_clear(&r);
    node_chain_clear(&c);
}

Test(rerun, tombstones_come_back) {
    struct node_chain c;
    struct err_ctx ec = {.text = ""};
    hash32 tx = {.b = {1, 2, 3}}, other = {.b = {9}};
    uint64_t epoch;
    enum tx_verdict v = TX_OK;
    node_chain_init(&c);
    tombs_add(&c.ledger, &tx, TX_INSUFFICIENT_FUNDS);
    cr_expect_not(tombs_find(c.ledger.newest, &tx, &epoch, &v), "with the next block");
    cr_assert_eq(node_chain_reopen(&c, &ec), ERR_OK);
    cr_assert_eq(node_chain_recover(&c, NULL, NULL, &ec), ERR_OK, "%s", ec.text);
    add_blocks(&c, 1, 0);
    cr_assert(tombs_find(c.ledger.newest, &tx, &epoch, &v));
    cr_expect_eq(v, TX_INSUFFICIENT_FUNDS);
    cr_expect_eq(epoch, 1);
    cr_expect_not(tombs_find(c.ledger.newest, &other, &epoch, &v));
    cr_expect_eq(tombs_replay(&c.ledger, bytes_of("\1short", 6)), ERR_CORRUPT);
    cr_expect_eq(tombs_replay(&c.ledger, bytes_of("\2", 1)), ERR_VERSION);
    node_chain_clear(&c);
}
