/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a start brings back all that was told that it waits, whatever the limits; the newest of a
 * nonce stands, and what is in the chain stays away. */
#include "node/readmit.h"
#include "tests/lib/node/chain.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { MOST = 64 };

struct fixture {
    struct node_chain chain;
    struct pool pool;
    struct readmission r;
    uint64_t seq;
};

static struct fixture *fixture_new(struct pool_limits limits) {
    struct fixture *f = calloc(1, sizeof(*f));
    cr_assert_not_null(f);
    node_chain_init(&f->chain);
    pool_init(&f->pool, limits);
    f->r = (struct readmission){.pool = &f->pool, .ledger = &f->chain.ledger, .now_ms = 7};
    return f;
}

static void fixture_free(struct fixture *f) {
    pool_clear(&f->pool);
    node_chain_clear(&f->chain);
    free(f);
}

static struct tx *record(struct fixture *f, size_t who, uint64_t nonce, uint64_t fee) {
    struct tx *tx = node_chain_transfer(&f->chain, who, 1, nonce, fee);
    cr_assert_eq(readmit_record(&f->r, tx->raw, &f->chain.addrs[who], ++f->seq), ERR_OK);
    return tx;
}

static bool has(struct fixture *f, const struct tx *tx) {
    return pool_has(&f->pool, &tx->hash);
}

/* Far beyond every limit: all are there, what is next in turn is READY, and nobody new gets in. */
Test(readmit, limits_do_not_hold, .timeout = 60) {
    struct fixture *f =
        fixture_new((struct pool_limits){.ready_max = 5, .gapped_max = 3, .gapped_per_sender = 2});
    struct tx *txs[2 * MOST];
    for (uint64_t i = 0; i < MOST; i++) {
        txs[2 * i] = record(f, 0, MOST - 1 - i, 10);
        txs[2 * i + 1] = record(f, 2, 1 + i, 10); /* behind a gap */
    }
    cr_assert_eq(readmit_end(&f->r), ERR_OK);
    for (size_t i = 0; i < 2 * MOST; i++)
        cr_assert(has(f, txs[i]), "%zu is lost", i);
    cr_expect_eq(f->pool.ready.count, MOST);
    cr_expect_eq(f->pool.gapped_count, MOST);
    cr_expect_eq(pool_floor(&f->pool), 1);
    cr_expect_eq(pool_pending_nonce(&f->pool, &f->chain.addrs[0]), MOST);
    cr_expect_eq(pool_first_ready(&f->pool)->tx.nonce, 0);
    cr_expect_eq(f->r.forgotten, 0);
    for (size_t who = 2; who < 4; who++) {
        struct pool_tx *t = NULL, *replaced;
        uint64_t expected;
        cr_assert_eq(pool_tx_new(&t, node_chain_transfer(&f->chain, who, 1, 0, 10)->raw, NULL),
                     ERR_OK);
        t->tx.sender = f->chain.addrs[who];
        t->tx.has_sender = true;
        cr_expect_eq(pool_add(&f->pool, t, 0, &expected, &replaced), POOL_FULL);
        pool_tx_free(t);
    }
    fixture_free(f);
}

/* More waits than the pool may hold: who is next in turn comes in, who would wait does not. */
Test(readmit, what_waits_keeps_nobody_out, .timeout = 120) {
    struct fixture *f =
        fixture_new((struct pool_limits){.gapped_max = 1 << 20, .gapped_per_sender = 1 << 20});
    for (uint64_t i = 0; pool_bytes(&f->pool) <= POOL_MEMORY_MAX + (1 << 20); i++)
        (void)record(f, 0, 1 + i, 10);
    cr_assert_eq(readmit_end(&f->r), ERR_OK);
    cr_expect_eq(f->pool.gapped_memory, pool_bytes(&f->pool));
    cr_expect_eq(f->pool.gapped_count, f->seq);
    for (uint64_t nonce = 0; nonce < 3; nonce += 2) {
        struct pool_tx *t = NULL, *replaced;
        uint64_t expected;
        bytes raw = node_chain_transfer(&f->chain, 2, 1, nonce, 10)->raw;
        cr_assert_eq(pool_tx_new(&t, raw, NULL), ERR_OK);
        t->tx.sender = f->chain.addrs[2];
        t->tx.has_sender = true;
        enum pool_verdict v = pool_add(&f->pool, t, 0, &expected, &replaced);
        cr_expect_eq(v, nonce == 0 ? POOL_ADDED_READY : POOL_GAPPED_FULL);
        if (v != POOL_ADDED_READY)
            pool_tx_free(t);
    }
    fixture_free(f);
}

/* One was replaced; one was refused, and a cheaper one came after it; more replaced each other than
 * may. */
Test(readmit, the_newest_of_a_nonce_stands, .timeout = 60) {
    struct fixture *f = fixture_new((struct pool_limits){.gapped_max = 3, .gapped_per_sender = 2});
    struct tx *low = record(f, 0, 3, 10), *high = record(f, 0, 3, 20), *late = record(f, 0, 3, 15);
    struct tx *last = NULL;
    for (uint64_t i = 0; i < 3 * POOL_REPLACEMENTS_MAX; i++)
        last = record(f, 2, 4, 10 + i);
    cr_assert_eq(readmit_end(&f->r), ERR_OK);
    cr_expect_not(has(f, low));
    cr_expect_not(has(f, high));
    cr_expect(has(f, late));
    cr_expect(has(f, last));
    cr_expect_eq(f->pool.gapped_count, 2);
    cr_expect_eq(pool_floor(&f->pool), 3);
    struct pool_tx *t = pool_oldest_record(&f->pool);
    cr_assert_not_null(t);
    cr_expect_eq(t->replacements, 2);
    cr_expect_eq(t->added_ms, 7);
    pool_remove(&f->pool, t);
    pool_tx_free(t);
    t = pool_oldest_record(&f->pool);
    cr_expect_eq(t->replacements, POOL_REPLACEMENTS_MAX);
    fixture_free(f);
}

/* A record that was written anew, one that no program can read, and what is in the chain. */
Test(readmit, stale_ones_stay_away, .timeout = 60) {
    struct fixture *f = fixture_new((struct pool_limits){.gapped_max = 9, .gapped_per_sender = 9});
    struct node_chain *c = &f->chain;
    struct tx *in_chain[] = {node_chain_transfer(c, 0, 1, 0, 10),
                             node_chain_transfer(c, 0, 1, 1, 10)};
    (void)record(f, 0, 1, 10);
    struct tx *next = record(f, 0, 2, 10), *far = record(f, 0, 4, 10);
    node_chain_block(c, in_chain, ARRAY_LEN(in_chain));
    (void)record(f, 0, 4, 10);
    cr_assert_eq(readmit_record(&f->r, bytes_of("\x03\xc0", 2), &c->addrs[0], ++f->seq), ERR_OK);
    cr_expect_eq(f->pool.gapped_count, 3);
    cr_assert_eq(readmit_end(&f->r), ERR_OK);
    cr_expect(has(f, next));
    cr_expect(has(f, far));
    cr_expect_not(has(f, in_chain[1]));
    cr_expect_eq(f->pool.gapped_count, 1);
    cr_expect_eq(f->pool.ready.count, 1);
    struct pool_tx *t = pool_first_ready(&f->pool);
    cr_assert_eq(t->record_seq, 2);
    pool_remove(&f->pool, t);
    pool_tx_free(t);
    cr_expect_eq(pool_floor(&f->pool), 4, "the record that was written anew counts");
    fixture_free(f);
}

/* What is in the chain is dropped while the log is read, when it is much: the rest stays. */
Test(readmit, sorts_while_it_reads, .timeout = 60) {
    struct fixture *f = fixture_new((struct pool_limits){.gapped_max = 9, .gapped_per_sender = 9});
    struct node_chain *c = &f->chain;
    enum { COUNT = 8 };
    struct tx *in_chain[COUNT];
    for (uint64_t i = 0; i < COUNT; i++) {
        in_chain[i] = record(f, 0, i, 10);
        (void)record(f, 2, 1 + i, 10);
    }
    node_chain_block(c, in_chain, COUNT);
    size_t before = pool_bytes(&f->pool);
    f->r.sort_at = before;
    struct tx *more = record(f, 0, COUNT, 10);
    cr_expect_lt(pool_bytes(&f->pool), before);
    cr_expect_eq(f->r.sort_at, POOL_MEMORY_MAX);
    cr_assert_eq(readmit_end(&f->r), ERR_OK);
    cr_expect_eq(f->pool.ready.count, 1);
    cr_expect(has(f, more));
    cr_expect_eq(f->pool.gapped_count, COUNT);
    fixture_free(f);
}
