/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a log gives the same blocks on an empty ledger, in both tiers, rewinds included; what
 * differs is named, and what cannot be replayed is refused. */
#include "node/replay.h"

#include "index/record.h"
#include "node/datadir.h"
#include "tests/lib/node/chain.h"

#include <criterion/criterion.h>
#include <string.h>

static void add_blocks(struct node_chain *c, size_t count, uint64_t *nonce) {
    for (size_t i = 0; i < count; i++) {
        struct tx *txs[2];
        for (size_t k = 0; k < 2; k++)
            txs[k] = node_chain_transfer(c, 0, k + 1, (*nonce)++, 10);
        node_chain_block(c, txs, 2);
    }
}

static void finish(struct node_chain *c) {
    struct err_ctx ec = {.text = ""};
    cr_assert_eq(ledger_seal(&c->ledger, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(wal_sync(c->ledger.log, NULL, &ec), ERR_OK);
}

Test(replay, gives_the_same_blocks) {
    struct node_chain source, target;
    struct replay_stats stats;
    struct err_ctx ec = {.text = ""};
    uint64_t nonce = 0;
    node_chain_init(&source);
    add_blocks(&source, 12, &nonce);
    finish(&source);
    for (int tier = 0; tier < 2; tier++) {
        node_chain_init(&target);
        ledger_close(&target.ledger);
        struct ledger_options o = {.disk = disk_posix(),
                                   .dir = target.dir,
                                   .genesis = &target.genesis,
                                   .cache_bytes = 64 << 20,
                                   .tier = tier == 0 ? EVM_TIER_FAST : EVM_TIER_REFERENCE};
        cr_assert_eq(ledger_open(&target.ledger, &o, &ec), ERR_OK, "%s", ec.text);
        cr_assert_eq(replay_log(&target.ledger, source.dir, &stats, &ec), ERR_OK, "%s", ec.text);
        cr_expect_eq(stats.blocks, 12);
        cr_expect_eq(stats.txs, 24);
        cr_expect_eq(stats.gas, 24 * 21000);
        cr_expect_not(stats.unsealed);
        cr_expect(hash32_eq(&target.ledger.head_hash, &source.ledger.head_hash));
        /* What it wrote is a log like any other. */
        hash32 head = target.ledger.head_hash;
        struct recover_stats again;
        cr_assert_eq(node_chain_reopen(&target, &ec), ERR_OK, "%s", ec.text);
        cr_assert_eq(node_chain_recover(&target, &again, NULL, &ec), ERR_OK, "%s", ec.text);
        cr_expect(hash32_eq(&target.ledger.head_hash, &head));
        cr_expect_eq(replay_log(&target.ledger, source.dir, &stats, &ec), ERR_EXISTS);
        node_chain_clear(&target);
    }
    node_chain_clear(&source);
}

Test(replay, follows_rewinds) {
    struct node_chain source, target;
    struct replay_stats stats;
    struct err_ctx ec = {.text = ""};
    uint64_t nonce = 0;
    node_chain_init(&source);
    add_blocks(&source, 4, &nonce);
    struct record_rewind w = {.epoch = 2, .to_block = 2, .reason = REWIND_RESTAMP};
    struct log_record rec;
    buf_reset(&source.ledger.record);
    record_pack_rewind(&source.ledger.record, &w);
    cr_assert_eq(ledger_append_record(&source.ledger, LOG_REWIND, &rec, &ec), ERR_OK);
    cr_assert_eq(ledger_rewind(&source.ledger, 2, 2, rec.seq, &ec), ERR_OK, "%s", ec.text);
    nonce = 4;
    add_blocks(&source, 3, &nonce);
    finish(&source);

    node_chain_init(&target);
    cr_assert_eq(replay_log(&target.ledger, source.dir, &stats, &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(stats.rewinds, 1);
    cr_expect_eq(stats.blocks, 7);
    cr_expect_eq(target.ledger.head.number, 5);
    cr_expect_eq(target.ledger.epoch, 2);
    cr_expect(hash32_eq(&target.ledger.head_hash, &source.ledger.head_hash));
    node_chain_clear(&target);
    node_chain_clear(&source);
}

/* A block whose record chains to another hash than it has. */
Test(replay, names_the_block_that_differs) {
    struct node_chain source, target;
    struct replay_stats stats;
    struct err_ctx ec = {.text = ""};
    uint64_t nonce = 0;
    node_chain_init(&source);
    add_blocks(&source, 3, &nonce);
    source.ledger.head_hash.b[0] ^= 1;
    finish(&source);
    node_chain_init(&target);
    cr_assert_eq(replay_log(&target.ledger, source.dir, &stats, &ec), ERR_MISMATCH);
    cr_expect_not_null(strstr(ec.text, "block 3 differs in hash: its hash comes out as 0x"), "%s",
                       ec.text);
    cr_expect_eq(stats.blocks, 3);
    node_chain_clear(&target);
    node_chain_clear(&source);
}

Test(replay, refuses_what_is_no_log) {
    struct node_chain target;
    struct replay_stats stats;
    struct err_ctx ec = {.text = ""};
    node_chain_init(&target);
    cr_expect_neq(replay_log(&target.ledger, "/nonexistent", &stats, &ec), ERR_OK);
    node_chain_clear(&target);
}

Test(replay, first_difference) {
    static struct header a, b;
    cr_expect_null(replay_first_difference(&a, &b));
    b.base_fee = u256_from_u64(1);
    cr_expect_str_eq(replay_first_difference(&a, &b), "baseFeePerGas");
    b.timestamp = 1;
    cr_expect_str_eq(replay_first_difference(&a, &b), "timestamp");
    b.extra_len = 1;
    b.gas_used = 1;
    cr_expect_str_eq(replay_first_difference(&a, &b), "gasUsed");
    b.bloom[255] = 1;
    cr_expect_str_eq(replay_first_difference(&a, &b), "logsBloom");
    b.state_root.b[31] = 1;
    cr_expect_str_eq(replay_first_difference(&a, &b), "stateRoot");
}
