/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: blocks come back after a crash, with and without a checkpoint, and out of the log alone;
 * what does not fit is refused with a reason. Covers: ledger.c recover.c walk.c datadir.c */
#include "index/index.h"
#include "index/record.h"
#include "index/universe.h"
#include "node/datadir.h"
#include "node/tombs.h"
#include "tests/lib/node/chain.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void add_blocks(struct node_chain *c, size_t count, uint64_t *nonce) {
    for (size_t i = 0; i < count; i++) {
        struct tx *txs[3];
        for (size_t k = 0; k < 3; k++)
            txs[k] = node_chain_transfer(c, 0, k + 1, (*nonce)++, 10);
        node_chain_block(c, txs, 1 + i % 3);
        *nonce -= 2 - i % 3;
    }
}

static void expect_head(struct node_chain *c, uint64_t number, const hash32 *hash) {
    cr_assert_eq(c->ledger.head.number, number);
    cr_assert(hash32_eq(&c->ledger.head_hash, hash));
    cr_assert_eq(store_durable(c->ledger.store), number);
    hash32 h = index_hash_of(c->ledger.newest, number);
    cr_expect(hash32_eq(&h, hash));
}

Test(ledger, comes_back) {
    struct node_chain c;
    struct recover_stats stats;
    struct err_ctx ec = {.text = ""};
    uint64_t nonce = 0;
    node_chain_init(&c);
    add_blocks(&c, 20, &nonce);
    hash32 hash = c.ledger.head_hash;
    cr_assert_eq(node_chain_reopen(&c, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(c.ledger.head.number, 0);
    cr_assert_eq(node_chain_recover(&c, &stats, NULL, &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(stats.blocks, 20);
    expect_head(&c, 20, &hash);

    cr_assert_eq(ledger_checkpoint(&c.ledger, UINT64_MAX, &ec), ERR_OK);
    add_blocks(&c, 5, &nonce);
    cr_assert_eq(ledger_seal(&c.ledger, &ec), ERR_OK);
    hash = c.ledger.head_hash;
    cr_assert_eq(node_chain_reopen(&c, &ec), ERR_OK);
    cr_assert_eq(c.ledger.head.number, 20);
    cr_assert_eq(node_chain_recover(&c, &stats, NULL, &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(stats.blocks, 5);
    expect_head(&c, 25, &hash);
    node_chain_clear(&c);
}

static void remove_store(struct node_chain *c) {
    char command[256];
    ledger_close(&c->ledger);
    snprintf(command, sizeof(command), "rm -r '%s/%s'", c->dir, DATADIR_STORE);
    cr_assert_eq(system(command), 0);
}

Test(ledger, the_log_alone_is_enough) {
    struct node_chain c;
    struct recover_stats stats;
    struct err_ctx ec = {.text = ""};
    uint64_t nonce = 0;
    node_chain_init(&c);
    add_blocks(&c, 10, &nonce);
    cr_assert_eq(ledger_checkpoint(&c.ledger, UINT64_MAX, &ec), ERR_OK);
    hash32 hash = c.ledger.head_hash;
    remove_store(&c);
    cr_assert_eq(node_chain_reopen(&c, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(node_chain_recover(&c, &stats, NULL, &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(stats.blocks, 10);
    expect_head(&c, 10, &hash);
    node_chain_clear(&c);
}

Test(ledger, a_lost_log_is_refused) {
    struct node_chain c;
    struct err_ctx ec = {.text = ""};
    uint64_t nonce = 0;
    char command[256];
    node_chain_init(&c);
    add_blocks(&c, 10, &nonce);
    cr_assert_eq(ledger_checkpoint(&c.ledger, UINT64_MAX, &ec), ERR_OK);
    ledger_close(&c.ledger);
    snprintf(command, sizeof(command), "rm -r '%s/%s'", c.dir, DATADIR_LOG);
    cr_assert_eq(system(command), 0);
    cr_assert_eq(node_chain_reopen(&c, &ec), ERR_CORRUPT);
    cr_expect_not_null(strstr(ec.text, "the log ends at record 0"), "%s", ec.text);
    node_chain_clear(&c);
}

Test(ledger, another_genesis_is_refused) {
    struct node_chain c;
    struct err_ctx ec = {.text = ""};
    node_chain_init(&c);
    c.genesis.timestamp = 99;
    cr_assert_eq(node_chain_reopen(&c, &ec), ERR_MISMATCH);
    cr_expect_not_null(strstr(ec.text, "the store begins with block"), "%s", ec.text);
    c.genesis.timestamp = 0;
    cr_assert_eq(node_chain_reopen(&c, &ec), ERR_OK, "%s", ec.text);
    remove_store(&c);
    c.genesis.timestamp = 99;
    cr_assert_eq(node_chain_reopen(&c, &ec), ERR_MISMATCH);
    cr_expect_not_null(strstr(ec.text, "the log begins with block"), "%s", ec.text);
    node_chain_clear(&c);
}

Test(ledger, a_seal_that_differs_is_refused) {
    struct node_chain c;
    struct err_ctx ec = {.text = ""};
    uint64_t nonce = 0;
    node_chain_init(&c);
    add_blocks(&c, 3, &nonce);
    struct record_seal s = {
        .number = 3, .hash = c.ledger.head_hash, .receipt_root = c.ledger.head.receipt_root};
    s.hash.b[0] ^= 1;
    buf_reset(&c.ledger.record);
    record_pack_seal(&c.ledger.record, &s);
    cr_assert_eq(ledger_append_record(&c.ledger, LOG_SEAL, NULL, &ec), ERR_OK);
    cr_assert_eq(node_chain_reopen(&c, &ec), ERR_OK);
    cr_assert_eq(node_chain_recover(&c, NULL, NULL, &ec), ERR_MISMATCH);
    cr_expect_not_null(strstr(ec.text, "block 3 comes out as"), "%s", ec.text);
    node_chain_clear(&c);
}

static void append_pool(struct node_chain *c, uint64_t nonce) {
    struct err_ctx ec;
    struct tx *tx = node_chain_transfer(c, 1, 2, nonce, 10);
    struct record_pool p = {.sender = c->addrs[1], .envelope = tx->raw};
    buf_reset(&c->ledger.record);
    record_pack_pool(&c->ledger.record, &p);
    cr_assert_eq(ledger_append_record(&c->ledger, LOG_POOL, NULL, &ec), ERR_OK);
}

Test(ledger, waiting_transactions_survive_a_checkpoint) {
    struct node_chain c;
    struct err_ctx ec = {.text = ""};
    size_t pool = 0;
    uint64_t nonce = 0;
    node_chain_init(&c);
    add_blocks(&c, 2, &nonce);
    append_pool(&c, 5);
    append_pool(&c, 6);
    c.ledger.pool_floor = wal_last_seq(c.ledger.log) - 1;
    add_blocks(&c, 2, &nonce);
    cr_assert_eq(ledger_checkpoint(&c.ledger, UINT64_MAX, &ec), ERR_OK);
    cr_assert_eq(node_chain_reopen(&c, &ec), ERR_OK);
    cr_assert_eq(node_chain_recover(&c, NULL, &pool, &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(pool, 2);
    cr_expect_eq(c.ledger.head.number, 4);
    c.ledger.pool_floor = 0; /* they are all in blocks now */
    add_blocks(&c, 1, &nonce);
    cr_assert_eq(ledger_checkpoint(&c.ledger, UINT64_MAX, &ec), ERR_OK);
    pool = 0;
    cr_assert_eq(node_chain_reopen(&c, &ec), ERR_OK);
    cr_assert_eq(node_chain_recover(&c, NULL, &pool, &ec), ERR_OK);
    cr_expect_eq(pool, 0);
    node_chain_clear(&c);
}

/* Goal: waiting rows make a checkpoint due, then press, then are full, at a half, three quarters
 * and the whole of what may wait; a checkpoint ends that. */
Test(ledger, rows_fill_up) {
    struct node_chain c;
    struct err_ctx ec = {.text = ""};
    uint64_t nonce = 0;
    size_t due = 0, press = 0, rows;
    node_chain_init(&c);
    c.ledger.checkpoint_rows = 400;
    while (!ledger_rows_full(&c.ledger)) {
        add_blocks(&c, 1, &nonce);
        rows = store_dirty_rows(c.ledger.store);
        cr_assert(rows < 2000);
        cr_assert_eq(ledger_checkpoint_due(&c.ledger), rows >= 400, "%zu", rows);
        cr_assert_eq(ledger_rows_press(&c.ledger), rows >= 600, "%zu", rows);
        cr_assert_eq(ledger_rows_full(&c.ledger), rows >= 800, "%zu", rows);
        due += rows >= 400 && rows < 600;
        press += rows >= 600 && rows < 800;
    }
    cr_assert(due > 0 && press > 0, "blocks have too many rows to see it");
    cr_assert_eq(ledger_checkpoint(&c.ledger, UINT64_MAX, &ec), ERR_OK);
    cr_assert_not(ledger_checkpoint_due(&c.ledger));
    cr_assert_not(ledger_rows_press(&c.ledger));
    cr_assert_not(ledger_rows_full(&c.ledger));
    node_chain_clear(&c);
}

static void append_rewind(struct node_chain *c, uint64_t to_block) {
    struct err_ctx ec = {.text = ""};
    struct record_rewind w = {
        .epoch = c->ledger.epoch + 1, .to_block = to_block, .reason = REWIND_RESTAMP};
    struct log_record r;
    buf_reset(&c->ledger.record);
    record_pack_rewind(&c->ledger.record, &w);
    cr_assert_eq(ledger_append_record(&c->ledger, LOG_REWIND, &r, &ec), ERR_OK);
    cr_assert_eq(ledger_rewind(&c->ledger, to_block, w.epoch, r.seq, &ec), ERR_OK, "%s", ec.text);
}

Test(ledger, a_rewind_is_honoured) {
    struct node_chain c;
    struct err_ctx ec = {.text = ""};
    uint64_t nonce = 0;
    node_chain_init(&c);
    add_blocks(&c, 8, &nonce);
    hash32 dropped = index_hash_of(c.ledger.newest, 7);
    append_rewind(&c, 5);
    cr_expect_eq(c.ledger.head.number, 5);
    struct tx *tx = node_chain_transfer(&c, 3, 4, 0, 10);
    node_chain_block(&c, &tx, 1);
    hash32 hash = c.ledger.head_hash;
    cr_assert_eq(node_chain_reopen(&c, &ec), ERR_OK);
    cr_assert_eq(node_chain_recover(&c, NULL, NULL, &ec), ERR_OK, "%s", ec.text);
    expect_head(&c, 6, &hash);
    cr_expect_eq(c.ledger.epoch, 2);
    uint64_t n = 0;
    cr_expect_eq(index_number_of(&n, c.ledger.newest, &dropped), ERR_NOT_FOUND);
    cr_expect_eq(index_find_tx(&n, &(uint32_t){0}, c.ledger.newest, &tx->hash), ERR_OK);
    node_chain_clear(&c);
}

static struct log_pos note_intent(struct node_chain *c) {
    struct err_ctx ec = {.text = ""};
    struct log_record r;
    buf_reset(&c->ledger.record);
    buf_append(&c->ledger.record, "an intent", 9);
    cr_assert_eq(ledger_append_record(&c->ledger, LOG_INTENT, &r, &ec), ERR_OK, "%s", ec.text);
    ledger_note_intent(&c->ledger, &r);
    return r.pos;
}

/* Goal: rows that waited for a block when a rewind came are in the store after a restart, also when
 * the tables themselves went back, and say that they have all before the REWIND. */
Test(ledger, rows_that_wait_outlast_a_rewind) {
    static const hash32 tx = {.b = {1, 2, 3}};
    for (int checkpoint = 0; checkpoint < 2; checkpoint++) {
        struct node_chain c;
        struct err_ctx ec = {.text = ""};
        uint64_t nonce = 0, epoch;
        enum tx_verdict v = TX_OK;
        node_chain_init(&c);
        add_blocks(&c, 8, &nonce);
        store_set_durable(c.ledger.store, 8);
        if (checkpoint)
            cr_assert_eq(ledger_checkpoint(&c.ledger, UINT64_MAX, &ec), ERR_OK);
        struct log_pos intent = note_intent(&c);
        tombs_add(&c.ledger, &tx, TX_INSUFFICIENT_FUNDS);
        append_rewind(&c, 5);
        cr_assert_eq(node_chain_reopen(&c, &ec), ERR_OK);
        cr_assert_eq(node_chain_recover(&c, NULL, NULL, &ec), ERR_OK, "%s", ec.text);
        cr_expect_eq(c.ledger.head.number, 5);
        cr_assert(c.ledger.has_intent, "checkpoint %d", checkpoint);
        cr_expect_eq(c.ledger.intent.segment, intent.segment);
        cr_expect_eq(c.ledger.intent.offset, intent.offset);
        cr_assert(tombs_find(c.ledger.newest, &tx, &epoch, &v), "checkpoint %d", checkpoint);
        cr_expect_eq(v, TX_INSUFFICIENT_FUNDS);
        node_chain_clear(&c);
    }
}

static void expect_fork(struct ledger *l, uint64_t epoch, uint64_t block, uint64_t stands,
                        bool forked) {
    struct store_view *v;
    uint64_t out;
    const struct index_cursor c = {.epoch = epoch, .block = block};
    cr_assert_eq(store_view_open(&v, l->store, store_durable(l->store)), ERR_OK);
    cr_expect_eq(index_cursor_forked(&out, v, &c), forked, "epoch %d block %d", (int)epoch,
                 (int)block);
    cr_expect_eq(out, stands, "epoch %d block %d", (int)epoch, (int)block);
    store_view_close(v);
}

/* Goal: cursors that a rewind cut off are told so: at once, after more blocks, and after a restart
 * at any of these points, with and without the rewound blocks in the tables. */
Test(ledger, forks_are_remembered) {
    for (int checkpoint = 0; checkpoint < 2; checkpoint++) {
        struct node_chain c;
        struct err_ctx ec = {.text = ""};
        uint64_t nonce = 0;
        node_chain_init(&c);
        add_blocks(&c, 8, &nonce);
        store_set_durable(c.ledger.store, 8);
        if (checkpoint)
            cr_assert_eq(ledger_checkpoint(&c.ledger, UINT64_MAX, &ec), ERR_OK);
        expect_fork(&c.ledger, 1, 8, 8, false);
        append_rewind(&c, 5);
        store_set_durable(c.ledger.store, 5);
        expect_fork(&c.ledger, 1, 6, 5, true);
        for (int again = 0; again < 3; again++) {
            expect_fork(&c.ledger, 1, 5, 5, false);
            expect_fork(&c.ledger, 1, 8, 5, true);
            if (again == 1) {
                struct tx *tx = node_chain_transfer(&c, 3, 4, 0, 10);
                node_chain_block(&c, &tx, 1);
                store_set_durable(c.ledger.store, 6);
                expect_fork(&c.ledger, 1, 6, 5, true);
                expect_fork(&c.ledger, 2, 6, 6, false);
            }
            cr_assert_eq(node_chain_reopen(&c, &ec), ERR_OK);
            cr_assert_eq(node_chain_recover(&c, NULL, NULL, &ec), ERR_OK, "%s", ec.text);
        }
        append_rewind(&c, 3); /* a second one, below */
        store_set_durable(c.ledger.store, 3);
        expect_fork(&c.ledger, 1, 4, 3, true);
        expect_fork(&c.ledger, 2, 4, 3, true);
        expect_fork(&c.ledger, 3, 4, 3, true); /* no such block yet */
        expect_fork(&c.ledger, 3, 3, 3, false);
        expect_fork(&c.ledger, UINT64_MAX, 3, 3, false);
        cr_expect_eq(index_epoch(c.ledger.newest), 3);
        node_chain_clear(&c);
    }
}

Test(datadir, temporary_folders) {
    char dir[DATADIR_PATH_MAX], path[DATADIR_PATH_MAX];
    cr_assert_eq(datadir_make_temp(dir, NULL), ERR_OK);
    cr_assert_eq(access(dir, W_OK), 0);
    cr_assert_eq(datadir_path(path, dir, "file", NULL), ERR_OK);
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    fclose(f);
    datadir_remove_temp(dir);
    cr_expect_neq(access(dir, F_OK), 0);
}
