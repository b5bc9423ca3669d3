/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: recovery tells which blocks a REWIND undid, wherever the store stood when the process died;
 * tombstones come back from their records. Covers: rerun.c tombs.c recover.c */
#include "node/rerun.h"

#include "index/record.h"
#include "node/tombs.h"
#include "tests/lib/node/chain.h"

#include <criterion/criterion.h>

static struct node_chain c;
static struct rerun r;

static void setup(void) {
    node_chain_init(&c);
    rerun_init(&r);
}

static void teardown(void) {
    rerun_clear(&r);
    node_chain_clear(&c);
}

TestSuite(rerun, .init = setup, .fini = teardown);

static void add_blocks(size_t count, uint64_t nonce) {
    for (size_t i = 0; i < count; i++) {
        struct tx *tx = node_chain_transfer(&c, 0, 1, nonce + i, 10);
        node_chain_block(&c, &tx, 1);
    }
}

static void checkpoint(void) {
    struct err_ctx ec;
    cr_assert_eq(ledger_checkpoint(&c.ledger, UINT64_MAX, &ec), ERR_OK);
}

/* As the sequencer does it. */
static void go_back_for(uint64_t to_block, enum rewind_reason reason) {
    struct err_ctx ec = {.text = ""};
    struct log_record rec;
    struct record_rewind w = {
        .epoch = c.ledger.epoch + 1, .to_block = to_block, .reason = (uint8_t)reason};
    cr_assert_eq(rerun_collect(&r, &c.ledger, to_block, &ec), ERR_OK, "%s", ec.text);
    buf_reset(&c.ledger.record);
    record_pack_rewind(&c.ledger.record, &w);
    cr_assert_eq(ledger_append_record(&c.ledger, LOG_REWIND, &rec, &ec), ERR_OK);
    cr_assert_eq(wal_sync(c.ledger.log, NULL, &ec), ERR_OK);
    cr_assert_eq(ledger_rewind(&c.ledger, to_block, w.epoch, rec.seq, &ec), ERR_OK, "%s", ec.text);
}

static void go_back(uint64_t to_block) {
    go_back_for(to_block, REWIND_PARENT_REORG);
}

static uint64_t number_at(struct log_pos pos) {
    struct buf b;
    struct log_record rec;
    struct record_block in;
    struct err_ctx ec;
    buf_init(&b, 1 << 20);
    cr_assert_eq(wal_read(c.ledger.log, &b, pos, &rec, &ec), ERR_OK);
    cr_assert_eq(record_unpack_block(&in, rec.payload), ERR_OK);
    buf_clear(&b);
    return in.number;
}

static void crash(void) {
    struct err_ctx ec = {.text = ""};
    cr_assert_eq(node_chain_reopen(&c, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(node_chain_recover(&c, NULL, NULL, &ec), ERR_OK, "%s", ec.text);
}

/* After a crash, `want` are the blocks that recovery hands to settling. */
static void expect_again(const uint64_t *want, size_t count) {
    struct rerun again;
    rerun_init(&again);
    crash();
    rerun_adopt(&again, &c.ledger);
    cr_assert_eq(again.len, count);
    for (size_t i = 0; i < count; i++)
        cr_expect_eq(number_at(again.blocks[i]), want[i], "entry %zu", i);
    cr_expect_eq(c.ledger.again_count, 0);
    rerun_clear(&again);
}

Test(rerun, after_a_rewind_that_is_replayed) {
    add_blocks(6, 0);
    go_back(3);
    cr_expect_eq(r.len, 3);
    cr_expect_neq(c.ledger.again_floor, 0);
    expect_again((uint64_t[]){4, 5, 6}, 3);
}

Test(rerun, after_a_rewind_that_is_in_the_store) {
    add_blocks(6, 0);
    checkpoint();
    go_back(3); /* LMDB itself goes back: its place is the REWIND */
    expect_again((uint64_t[]){4, 5, 6}, 3);
}

Test(rerun, after_a_checkpoint_in_the_middle_of_it) {
    add_blocks(6, 0);
    go_back(3);
    add_blocks(1, 3); /* the first of them, made again */
    checkpoint();
    expect_again((uint64_t[]){4, 5, 6}, 3);
    cr_expect_eq(c.ledger.head.number, 4);

    c.ledger.again_floor = 0; /* all were tried, and a block has said so */
    add_blocks(1, 4);
    checkpoint();
    expect_again(NULL, 0);
}

Test(rerun, one_upon_the_other) {
    add_blocks(6, 0);
    go_back(3);
    add_blocks(1, 3); /* block 4 again */
    r.at = 1;
    go_back(2);
    cr_expect_eq(r.len, 4, "blocks 3 and 4 of now, then 5 and 6 of before");
    cr_expect_eq(number_at(r.blocks[0]), 3);
    cr_expect_eq(number_at(r.blocks[1]), 4);
    cr_expect_eq(number_at(r.blocks[2]), 5);
    /* Recovery does not know that 4 was made again: trying it twice does no harm. */
    expect_again((uint64_t[]){3, 4, 4, 5, 6}, 5);
}

/* After a crash, blocks are handed over, with stamps of now or their own. */
static void expect_stamps(bool of_now) {
    struct rerun again;
    rerun_init(&again);
    crash();
    rerun_adopt(&again, &c.ledger);
    cr_expect_gt(again.len, 0);
    cr_expect_eq(again.restamp, of_now);
    rerun_clear(&again);
}

Test(rerun, stamps_of_now_when_the_rewind_was_for_them) {
    add_blocks(6, 0);
    go_back_for(3, REWIND_RESTAMP);
    expect_stamps(true);
}

Test(rerun, stamps_after_a_rewind_that_is_in_the_store) {
    add_blocks(6, 0);
    checkpoint();
    go_back_for(3, REWIND_RESTAMP);
    expect_stamps(true);
    add_blocks(1, 3);
    checkpoint(); /* in the middle of it */
    expect_stamps(true);

    c.ledger.again_floor = 0; /* all were tried: what comes now has nothing to do with it */
    add_blocks(2, 4);
    checkpoint();
    go_back(5);
    expect_stamps(false);
}

Test(rerun, own_stamps_when_the_parent_has_changed) {
    add_blocks(6, 0);
    go_back(3);
    expect_stamps(false);
}

Test(rerun, tombstones_come_back) {
    hash32 tx = {.b = {1, 2, 3}}, other = {.b = {9}};
    uint64_t epoch;
    enum tx_verdict v = TX_OK;
    tombs_add(&c.ledger, &tx, TX_INSUFFICIENT_FUNDS);
    cr_expect_not(tombs_find(c.ledger.newest, &tx, &epoch, &v), "with the next block");
    crash();
    add_blocks(1, 0);
    cr_assert(tombs_find(c.ledger.newest, &tx, &epoch, &v));
    cr_expect_eq(v, TX_INSUFFICIENT_FUNDS);
    cr_expect_eq(epoch, 1);
    cr_expect_not(tombs_find(c.ledger.newest, &other, &epoch, &v));
    cr_expect_eq(tombs_replay(&c.ledger, bytes_of("\1short", 6)), ERR_CORRUPT);
    cr_expect_eq(tombs_replay(&c.ledger, bytes_of("\2", 1)), ERR_VERSION);
}
