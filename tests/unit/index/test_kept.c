/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what outlives the segments of its block is found and read as before, every row of the rest
 * goes, and no question that the rest would have answered is answered without it. */
#include "chain/retryable.h"
#include "chain/send_tree.h"
#include "chain/system_state.h"
#include "tests/lib/index/blocks.h"

#include <criterion/criterion.h>

enum { BLOCKS = 400, DROPPED_TO = 300, SEGMENT = 16384 };

static bool same_bytes(bytes a, bytes b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static void same_tx(const struct index_block *got, size_t at, const struct derived_block *want,
                    size_t idx) {
    const struct derived_tx *w = &want->txs[idx];
    size_t first = 0;
    for (size_t i = 0; i < idx; i++)
        first += want->txs[i].receipt.log_count;
    cr_assert_eq(index_tx_idx(got, at), idx);
    cr_assert_eq(index_first_log(got, at), first);
    cr_assert(hash32_eq(&got->txs[at].hash, &w->tx.hash));
    cr_assert(addr20_eq(&got->txs[at].sender, &w->tx.sender));
    cr_assert(same_bytes(got->txs[at].raw, w->tx.raw));
    const struct receipt *g = &got->receipts[at], *r = &w->receipt;
    cr_assert(g->success == r->success && g->gas_used == r->gas_used &&
              g->cumulative_gas_used == r->cumulative_gas_used && g->log_count == r->log_count);
    for (size_t i = 0; i < r->log_count; i++) {
        cr_assert(addr20_eq(&g->logs[i].address, &r->logs[i].address));
        cr_assert_eq(g->logs[i].topic_count, r->logs[i].topic_count);
        cr_assert_eq(
            memcmp(g->logs[i].topics, r->logs[i].topics, 32 * (size_t)r->logs[i].topic_count), 0);
        cr_assert(same_bytes(g->logs[i].data, r->logs[i].data));
    }
}

static bool outlives(const struct derived_tx *d) {
    return index_outlives(&d->tx, &d->receipt);
}

/* Returns how many outlive. */
static size_t check_block(struct blocks *b, uint64_t number, bool dropped) {
    struct arena a;
    struct err_ctx ec = {.text = ""};
    struct index_block got;
    const struct derived_block *want = &b->made[number];
    size_t kept = 0;
    arena_init(&a, 1 << 16, 1 << 28);
    for (size_t i = 0; i < want->tx_count; i++) {
        const hash32 *hash = &want->txs[i].tx.hash;
        bool there = !dropped || outlives(&want->txs[i]);
        uint64_t block = 0;
        uint32_t idx = 0;
        size_t at = 99;
        enum err e = index_find_tx(&block, &idx, b->view, hash);
        cr_assert_eq(e, there ? ERR_OK : ERR_NOT_FOUND, "block %zu", (size_t)number);
        e = index_load_tx(&got, &at, &a, &b->source, b->view, number, (uint32_t)i, &ec);
        cr_assert_eq(e, there ? ERR_OK : ERR_PRUNED, "block %zu: %s", (size_t)number, ec.text);
        if (there) {
            cr_assert(block == number && idx == i);
            same_tx(&got, at, want, i);
        }
        kept += outlives(&want->txs[i]);
    }
    size_t at;
    cr_assert_eq(
        index_load_tx(&got, &at, &a, &b->source, b->view, number, (uint32_t)want->tx_count, &ec),
        ERR_NOT_FOUND);
    cr_assert_eq(index_load_kept(&got, &a, b->view, number, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(got.tx_count, kept);
    for (size_t i = 0, k = 0; i < want->tx_count; i++)
        if (outlives(&want->txs[i]))
            same_tx(&got, k++, want, i);
    cr_assert_eq(index_load_block(&got, &a, &b->source, b->view, number, &ec),
                 dropped && want->tx_count > 0 ? ERR_PRUNED : ERR_OK);
    arena_clear(&a);
    return kept;
}

static void open_made(struct blocks *b) {
    blocks_open_outliving(b, 77, SEGMENT);
    blocks_add(b, BLOCKS);
    blocks_checkpoint(b);
}

/* Segments wholly below block DROPPED_TO go too. */
static void drop_blocks(struct blocks *b) {
    struct err_ctx ec = {.text = ""};
    blocks_drop(b, DROPPED_TO);
    cr_assert_eq(wal_prune(b->source.log, DROPPED_TO, &ec), ERR_OK);
    cr_assert_gt(wal_first_seq(b->source.log), 1);
}

Test(kept, reads_as_before) {
    struct blocks b;
    size_t kept = 0;
    blocks_open_outliving(&b, 77, SEGMENT);
    blocks_add(&b, BLOCKS);
    for (uint64_t n = 0; n < BLOCKS; n++)
        kept += check_block(&b, n, false);
    cr_assert_gt(kept, BLOCKS / 4);
    blocks_close(&b);
}

/* Rows that LOGA has for the transactions of a block that are wanted. */
static size_t count_items(const struct derived_block *d, bool only_outliving) {
    static uint8_t items[BLOCKS_TXS_MAX * (BLOCKS_LOGS_MAX + 1) * 5][32];
    size_t count = 0;
    for (size_t i = 0; i < d->tx_count; i++)
        for (size_t j = 0; j < d->txs[i].receipt.log_count; j++) {
            const struct log_entry *l = &d->txs[i].receipt.logs[j];
            if (only_outliving && !outlives(&d->txs[i]))
                continue;
            for (size_t t = 0; t < 1 + (size_t)l->topic_count; t++) {
                uint8_t item[32] = {0};
                if (t == 0)
                    memcpy(item, l->address.b, 20);
                else
                    memcpy(item, l->topics[t - 1].b, 32);
                size_t k = 0;
                while (k < count && memcmp(items[k], item, 32) != 0)
                    k++;
                if (k == count)
                    memcpy(items[count++], item, 32);
            }
        }
    return count;
}

Test(kept, everything_else_goes) {
    struct blocks b;
    open_made(&b);
    drop_blocks(&b);
    cr_expect_eq(index_first_body(b.view), DROPPED_TO);
    for (uint64_t n = 1; n < BLOCKS; n++)
        check_block(&b, n, n < DROPPED_TO);
    struct store_stats st;
    size_t txl = 0, loga = 0, body = BLOCKS - DROPPED_TO, rcpt = 0;
    for (uint64_t n = 1; n < BLOCKS; n++) {
        for (size_t i = 0; i < b.made[n].tx_count; i++)
            txl += n >= DROPPED_TO || outlives(&b.made[n].txs[i]);
        loga += count_items(&b.made[n], n < DROPPED_TO);
        rcpt += n >= DROPPED_TO && b.made[n].tx_count > 0;
    }
    cr_assert_eq(store_stat(b.store, &st), ERR_OK);
    cr_expect_eq(st.rows[TABLE_TXL] + st.lookups_waiting, txl);
    cr_expect_eq(st.rows[TABLE_LOGA], loga);
    cr_expect_eq(st.rows[TABLE_BODY], body);
    cr_expect_eq(st.rows[TABLE_RCPT], rcpt);
    /* A later checkpoint brings nothing back. */
    struct err_ctx ec;
    blocks_add(&b, 3);
    cr_assert_eq(store_checkpoint(b.store, &ec), ERR_OK);
    for (uint64_t n = 1; n < BLOCKS; n++)
        check_block(&b, n, n < DROPPED_TO);
    blocks_close(&b);
}

struct seen {
    struct blocks *b;
    size_t count;
};
static enum err count_log(void *ctx, const struct index_log *l) {
    struct seen *s = ctx;
    const struct derived_block *want = &s->b->made[l->block->number];
    const struct derived_tx *d = &want->txs[l->tx_idx];
    cr_assert(hash32_eq(&d->tx.hash, l->tx_hash));
    cr_assert(hash32_eq(&want->hash, &l->block->hash));
    cr_assert_eq(want->header.timestamp, l->block->timestamp);
    uint32_t before = 0;
    for (size_t i = 0; i < l->tx_idx; i++)
        before += (uint32_t)want->txs[i].receipt.log_count;
    cr_assert(l->log_idx >= before && l->log_idx < before + d->receipt.log_count);
    cr_assert(addr20_eq(&d->receipt.logs[l->log_idx - before].address, &l->log->address));
    s->count++;
    return ERR_OK;
}

static enum err search(struct blocks *b, const addr20 *address, const hash32 *topic, uint64_t from,
                       size_t *out) {
    struct err_ctx ec = {.text = ""};
    struct seen s = {.b = b};
    struct arena a;
    uint64_t last;
    struct index_query q = {.source = &b->source,
                            .view = b->view,
                            .filter = {.from = from,
                                       .to = BLOCKS - 1,
                                       .addresses = address,
                                       .address_count = address != NULL,
                                       .topics[0] = {.values = topic, .count = topic != NULL},
                                       .topic_count = topic != NULL},
                            .logs_max = 100000,
                            .blocks_max = 100000,
                            .fn = count_log,
                            .ctx = &s};
    arena_init(&a, 1 << 16, 1 << 28);
    enum err e = index_logs(&last, &a, &q, &ec);
    arena_clear(&a);
    *out = s.count;
    return e;
}

Test(kept, logs_of_dropped_blocks) {
    struct blocks b;
    const addr20 arbsys = system_address(SYSTEM_ARBSYS),
                 retryable = system_address(SYSTEM_RETRYABLE), other = blocks_address(0);
    const struct {
        const addr20 *address;
        const hash32 *topic;
        bool answered;
    } cases[] = {{&arbsys, NULL, true},
                 {&arbsys, &SEND_L2_TO_L1_TX, true},
                 {&retryable, &RETRYABLE_REDEEM_SCHEDULED, true},
                 {&retryable, NULL, false}, /* it logs other things too */
                 {&other, NULL, false},
                 {&other, &SEND_L2_TO_L1_TX, false},
                 {NULL, &SEND_L2_TO_L1_TX, false}, /* anybody may log that */
                 {NULL, NULL, false}};
    size_t before[ARRAY_LEN(cases)], after = 0, late[ARRAY_LEN(cases)];
    open_made(&b);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_assert_eq(search(&b, cases[i].address, cases[i].topic, 0, &before[i]), ERR_OK);
        cr_assert_eq(search(&b, cases[i].address, cases[i].topic, DROPPED_TO, &late[i]), ERR_OK);
    }
    cr_assert(before[0] > 10 && before[2] > 10 && before[0] > late[0]);
    drop_blocks(&b);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum err e = search(&b, cases[i].address, cases[i].topic, 0, &after);
        cr_expect_eq(e, cases[i].answered ? ERR_OK : ERR_PRUNED, "case %zu", i);
        cr_expect_eq(after, cases[i].answered ? before[i] : 0, "case %zu", i);
        e = search(&b, cases[i].address, cases[i].topic, DROPPED_TO - 1, &after);
        cr_expect_eq(e, cases[i].answered ? ERR_OK : ERR_PRUNED, "case %zu", i);
        cr_expect_eq(search(&b, cases[i].address, cases[i].topic, DROPPED_TO, &after), ERR_OK);
        cr_expect_eq(after, late[i], "case %zu", i);
    }
    blocks_close(&b);
}

/* What is put with a block goes with it when it is undone. */
Test(kept, goes_with_an_unwind) {
    struct blocks b;
    struct store_stats st;
    struct err_ctx ec = {.text = ""};
    open_made(&b);
    struct store_applied at = {.epoch = 1, .seq = 9999, .block = 0, .block_hash = b.made[0].hash};
    store_view_close(b.view);
    b.view = NULL;
    cr_assert_eq(store_unwind(b.store, 0, &at, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(store_stat(b.store, &st), ERR_OK);
    cr_expect_eq(st.rows[TABLE_KEPT], 0);
    blocks_close(&b);
}
