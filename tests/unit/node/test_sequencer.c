/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every submission gets exactly one answer, durable ones are in the store when it comes,
 * order and nonces hold, and a stop leaves nothing behind that was acknowledged. Covers:
 * sequencer.c intake.c submit.c durable.c checkpoint.c */
#include "index/index.h"
#include "node/datadir.h"
#include "node/readmit.h"
#include "node/sequencer_internal.h"
#include "tests/lib/node/chain.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { ANSWERS_MAX = 4096 };

struct fixture {
    struct node_chain chain;
    struct pool pool;
    struct sequencer *sequencer;
    struct node_commands commands;
    pthread_mutex_t lock;
    pthread_cond_t answered;
    struct submit_result answers[ANSWERS_MAX];
    bool has_answer[ANSWERS_MAX];
    bool early[ANSWERS_MAX]; /* answered as durable before readers could see it */
    size_t count;
    uint64_t tx_fee_cap_milli; /* of the next start */
    bool may_fail;
};

static void on_failed(void *ctx) {
    const struct fixture *f = ctx;
    cr_assert(f->may_fail, "the sequencer failed");
}

static void start(struct fixture *f) {
    struct err_ctx ec = {.text = ""};
    struct sequencer_options o = {
        .ledger = &f->chain.ledger,
        .pool = &f->pool,
        .clock = clock_posix(),
        .policy = {.block_gap_ms = 1, .tx_fee_cap_milli = f->tx_fee_cap_milli},
        .failed = on_failed,
        .failed_ctx = f};
    cr_assert_eq(sequencer_start(&f->sequencer, &o, &ec), ERR_OK, "%s", ec.text);
    sequencer_commands(f->sequencer, &f->commands);
}

static struct fixture *fixture_new(void) {
    struct fixture *f = calloc(1, sizeof(*f));
    cr_assert_not_null(f);
    node_chain_init(&f->chain);
    pool_init(&f->pool, (struct pool_limits){.gapped_max = 100, .gapped_per_sender = 50});
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->answered, NULL);
    start(f);
    return f;
}

static void stop(struct fixture *f) {
    cr_assert(sequencer_stop(f->sequencer));
    sequencer_free(f->sequencer);
}

static void fixture_free(struct fixture *f) {
    pool_clear(&f->pool);
    node_chain_clear(&f->chain);
    free(f);
}

static void on_done(void *ctx, uint64_t token, const struct submit_result *r) {
    struct fixture *f = ctx;
    pthread_mutex_lock(&f->lock);
    cr_assert_not(f->has_answer[token], "a second answer to %llu", (unsigned long long)token);
    f->has_answer[token] = true;
    f->answers[token] = *r;
    f->early[token] =
        r->status == SUBMIT_DURABLE && store_durable(f->chain.ledger.store) < r->block;
    f->count++;
    pthread_cond_broadcast(&f->answered);
    pthread_mutex_unlock(&f->lock);
}

static void submit(struct fixture *f, const struct tx *tx, unsigned flags, uint64_t token) {
    f->commands.submit(f->commands.ctx, tx->raw, flags, on_done, f, token);
}

static const struct submit_result *answer(struct fixture *f, uint64_t token) {
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 20;
    pthread_mutex_lock(&f->lock);
    while (!f->has_answer[token])
        cr_assert_eq(pthread_cond_timedwait(&f->answered, &f->lock, &end), 0, "no answer to %llu",
                     (unsigned long long)token);
    pthread_mutex_unlock(&f->lock);
    return &f->answers[token];
}

static void expect_refused(struct fixture *f, uint64_t token, const char *text) {
    const struct submit_result *r = answer(f, token);
    cr_expect_eq(r->status, SUBMIT_REFUSED);
    cr_expect_eq(strncmp(r->text, text, strlen(text)), 0, "%s", r->text);
}

Test(sequencer, many_at_once, .timeout = 60) {
    struct fixture *f = fixture_new();
    enum { EACH = 100 };
    for (uint64_t n = 0; n < EACH; n++)
        for (size_t who = 0; who < GENESIS_DEV_ACCOUNTS; who++)
            submit(f, node_chain_transfer(&f->chain, who, 0, n, 10), 0,
                   n * GENESIS_DEV_ACCOUNTS + who);
    for (uint64_t i = 0; i < (uint64_t)EACH * GENESIS_DEV_ACCOUNTS; i++) {
        const struct submit_result *r = answer(f, i);
        cr_assert_eq(r->status, SUBMIT_DURABLE, "%s", r->text);
        cr_assert_not(f->early[i]);
        if (i >= GENESIS_DEV_ACCOUNTS) /* of the same sender, one nonce before */
            cr_assert_geq(r->block, f->answers[i - GENESIS_DEV_ACCOUNTS].block);
    }
    stop(f);
    cr_expect_eq(store_durable(f->chain.ledger.store), f->chain.ledger.head.number);
    struct store_view *v = NULL;
    cr_assert_eq(store_view_open(&v, f->chain.ledger.store, f->chain.ledger.head.number), ERR_OK);
    for (uint64_t i = 0; i < (uint64_t)EACH * GENESIS_DEV_ACCOUNTS; i++) {
        uint64_t block = 0;
        uint32_t idx = 0;
        cr_assert_eq(index_find_tx(&block, &idx, v, &f->answers[i].hash), ERR_OK);
        cr_assert_eq(block, f->answers[i].block);
    }
    store_view_close(v);
    fixture_free(f);
}

Test(sequencer, refusals, .timeout = 60) {
    struct fixture *f = fixture_new();
    struct node_chain *c = &f->chain;
    submit(f, node_chain_transfer(c, 0, 1, 0, 10), 0, 0);
    cr_assert_eq(answer(f, 0)->status, SUBMIT_DURABLE);
    submit(f, node_chain_transfer(c, 0, 1, 0, 10), 0, 1);
    expect_refused(f, 1, "nonce too low: next nonce 1, tx nonce 0");
    submit(f, node_chain_transfer(c, 0, 1, 1, 0), 0, 2);
    expect_refused(f, 2, "max fee per gas less than block base fee: address 0x");
    submit(f, node_chain_transfer(c, 0, 1, 3, 10), SUBMIT_NO_QUEUE, 3);
    expect_refused(f, 3, "nonce too high: next nonce 1, tx nonce 3");
    cr_expect(answer(f, 3)->has_expected_nonce);
    cr_expect_eq(answer(f, 3)->expected_nonce, 1);
    submit(f, node_chain_transfer(c, 0, 1, 1, UINT64_C(10000000000)), 0, 4);
    expect_refused(f, 4, "insufficient funds for gas * price + value: address 0x");

    struct tx other = *node_chain_transfer(c, 0, 1, 1, 10);
    other.chain_id = 5;
    cr_assert_eq(tx_sign(&other, &c->arena, c->keys[0]), ERR_OK);
    submit(f, &other, 0, 5);
    expect_refused(f, 5, "invalid chain id for signer: have 5 want 41337");
    other = (struct tx){.raw = bytes_of("\xc0", 1)};
    submit(f, &other, 0, 6);
    expect_refused(f, 6, "rlp: ");
    other.raw = bytes_of("\x03\xc0", 2);
    submit(f, &other, 0, 7);
    expect_refused(f, 7, "transaction type not supported");
    struct tx large = *node_chain_transfer(c, 0, 1, 1, 10);
    large.gas_limit = (UINT64_C(1) << 26) + 1;
    cr_assert_eq(tx_sign(&large, &c->arena, c->keys[0]), ERR_OK);
    submit(f, &large, 0, 8);
    expect_refused(f, 8, "exceeds block gas limit");
    stop(f);
    cr_expect_eq(c->ledger.head.number, 1);
    fixture_free(f);
}

/* 21,000 gas at a price whose fee is a little over 1.23 ether, and one at the very cap. */
Test(sequencer, fee_cap, .timeout = 60) {
    struct fixture *f = fixture_new();
    struct node_chain *c = &f->chain;
    stop(f);
    f->tx_fee_cap_milli = 1000;
    start(f);
    struct tx tx = *node_chain_transfer(c, 0, 1, 0, 10);
    cr_assert_eq(tx.gas_limit, 21000);
    tx.gas_limit = 25000;
    tx.max_fee = u256_from_u64(UINT64_C(49240000000000));
    cr_assert_eq(tx_sign(&tx, &c->arena, c->keys[0]), ERR_OK);
    submit(f, &tx, 0, 0);
    expect_refused(f, 0, "tx fee (1.23 ether) exceeds the configured cap (1.00 ether)");
    tx.max_fee = u256_from_u64(UINT64_C(40000000000000) + 1);
    cr_assert_eq(tx_sign(&tx, &c->arena, c->keys[0]), ERR_OK);
    submit(f, &tx, 0, 1);
    expect_refused(f, 1, "tx fee (1.00 ether) exceeds the configured cap (1.00 ether)");
    tx.max_fee = U256_MAX;
    cr_assert_eq(tx_sign(&tx, &c->arena, c->keys[0]), ERR_OK);
    submit(f, &tx, 0, 2);
    expect_refused(f, 2,
                   "tx fee (115792089237316195423570985008687907853269984665640564039457.58 ether) "
                   "exceeds the configured cap (1.00 ether)");
    tx.max_fee = u256_from_u64(UINT64_C(40000000000000));
    cr_assert_eq(tx_sign(&tx, &c->arena, c->keys[0]), ERR_OK);
    submit(f, &tx, 0, 3);
    cr_assert_neq(answer(f, 3)->status, SUBMIT_REFUSED, "%s", answer(f, 3)->text);
    /* The cap moves while it runs. */
    const struct sequencer_policy lower = {.block_gap_ms = 1, .tx_fee_cap_milli = 500},
                                  none = {.block_gap_ms = 1};
    tx.nonce++;
    cr_assert_eq(tx_sign(&tx, &c->arena, c->keys[0]), ERR_OK);
    sequencer_set_policy(f->sequencer, &lower);
    submit(f, &tx, 0, 4);
    expect_refused(f, 4, "tx fee (1.00 ether) exceeds the configured cap (0.50 ether)");
    sequencer_set_policy(f->sequencer, &none);
    submit(f, &tx, 0, 5);
    cr_assert_neq(answer(f, 5)->status, SUBMIT_REFUSED, "%s", answer(f, 5)->text);
    stop(f);
    fixture_free(f);
}

/* What a start does, the log replayed and the pool filled from it. */
static void restart(struct fixture *f) {
    struct err_ctx ec = {.text = ""};
    struct recover_stats stats;
    struct readmission r = {.pool = &f->pool, .ledger = &f->chain.ledger};
    pool_clear(&f->pool);
    pool_init(&f->pool, (struct pool_limits){.gapped_max = 100, .gapped_per_sender = 50});
    cr_assert_eq(node_chain_reopen(&f->chain, &ec), ERR_OK);
    cr_assert_eq(recover_run(&f->chain.ledger, &stats, readmit_record, &r, &ec), ERR_OK, "%s",
                 ec.text);
    cr_assert_eq(readmit_end(&r), ERR_OK);
    start(f);
}

Test(sequencer, gaps_wait_over_a_restart, .timeout = 60) {
    struct fixture *f = fixture_new();
    struct node_chain *c = &f->chain;
    submit(f, node_chain_transfer(c, 0, 1, 2, 10), 0, 0);
    submit(f, node_chain_transfer(c, 0, 1, 1, 10), 0, 1);
    cr_assert_eq(answer(f, 0)->status, SUBMIT_QUEUED);
    cr_assert_eq(answer(f, 1)->status, SUBMIT_QUEUED);
    cr_expect_eq(f->commands.pending_nonce(f->commands.ctx, &c->addrs[0]), 0);
    struct tx *again = node_chain_transfer(c, 0, 1, 2, 10);
    submit(f, again, 0, 2);
    expect_refused(f, 2, "already known");
    submit(f, node_chain_transfer(c, 0, 2, 2, 10), 0, 3);
    expect_refused(f, 3, "replacement transaction underpriced");
    stop(f);
    restart(f);
    cr_expect_eq(f->pool.gapped_count, 2);
    submit(f, node_chain_transfer(c, 0, 1, 0, 10), 0, 4);
    cr_assert_eq(answer(f, 4)->status, SUBMIT_DURABLE);
    stop(f);
    struct index_head h;
    cr_assert_eq(index_head(&h, c->ledger.newest, c->ledger.head.number), ERR_OK);
    cr_expect_eq(world_nonce(chain_world(c->ledger.chain), &c->addrs[0]), 3);
    fixture_free(f);
}

/* One that was told that it waits is refused at its turn, before a restart and, since its record
 * is still in the log, after it: what waits behind it stays. */
Test(sequencer, what_was_refused_takes_nobody_along, .timeout = 60) {
    struct fixture *f = fixture_new();
    struct node_chain *c = &f->chain;
    /* Together they want more than there is. */
    struct tx all = *node_chain_transfer(c, 0, 1, 0, 10),
              rich = *node_chain_transfer(c, 0, 1, 1, 30);
    u256 balance = world_balance(chain_world(c->ledger.chain), &c->addrs[0]),
         two = u256_from_u64(2), hundred = u256_from_u64(100);
    u256 half = u256_div(&balance, &two), part = u256_div(&balance, &hundred);
    rich.value = half;
    all.value = u256_add(&half, &part);
    cr_assert_eq(tx_sign(&all, &c->arena, c->keys[0]), ERR_OK);
    cr_assert_eq(tx_sign(&rich, &c->arena, c->keys[0]), ERR_OK);
    submit(f, &rich, 0, 0);
    cr_assert_eq(answer(f, 0)->status, SUBMIT_QUEUED);
    submit(f, &all, 0, 1);
    cr_assert_eq(answer(f, 1)->status, SUBMIT_DURABLE, "%s", answer(f, 1)->text);
    /* Nonce 1 is refused now: a gap before nonce 2, which is filled only after the restart. */
    const struct tx *behind = node_chain_transfer(c, 0, 2, 2, 10);
    submit(f, behind, 0, 2);
    cr_assert_eq(answer(f, 2)->status, SUBMIT_QUEUED);
    stop(f);
    cr_expect_not(pool_has(&f->pool, &rich.hash));
    restart(f);
    for (int i = 0; i < 2; i++) { /* it has had its turn again */
        submit(f, node_chain_transfer(c, 1, 1, (uint64_t)i, 10), 0, 3 + (uint64_t)i);
        cr_assert_eq(answer(f, 3 + (uint64_t)i)->status, SUBMIT_DURABLE);
    }
    cr_expect_not(pool_has(&f->pool, &rich.hash));
    cr_expect(pool_has(&f->pool, &behind->hash));
    submit(f, node_chain_transfer(c, 0, 2, 1, 10), 0, 5);
    cr_assert_eq(answer(f, 5)->status, SUBMIT_DURABLE, "%s", answer(f, 5)->text);
    stop(f);
    cr_expect_eq(world_nonce(chain_world(c->ledger.chain), &c->addrs[0]), 3);
    fixture_free(f);
}

/* A transaction that waits is in the log below the checkpoints that come after a restart; the
 * restart after those must still find it, whether a block came between or not. */
Test(sequencer, gaps_wait_over_restarts_and_checkpoints, .timeout = 60) {
    struct fixture *f = fixture_new();
    struct node_chain *c = &f->chain;
    struct err_ctx ec = {.text = ""};
    submit(f, node_chain_transfer(c, 0, 1, 1, 10), 0, 0);
    cr_assert_eq(answer(f, 0)->status, SUBMIT_QUEUED);
    for (uint64_t i = 0; i < 3; i++) {
        stop(f);
        if (i > 0)
            cr_assert_eq(ledger_checkpoint(&c->ledger, UINT64_MAX, &ec), ERR_OK);
        restart(f);
        cr_assert_eq(f->pool.gapped_count, 1, "forgotten at restart %d", (int)i);
        submit(f, node_chain_transfer(c, 1, 1, i, 10), 0, 1 + i);
        cr_assert_eq(answer(f, 1 + i)->status, SUBMIT_DURABLE);
    }
    submit(f, node_chain_transfer(c, 0, 1, 0, 10), 0, 9);
    cr_assert_eq(answer(f, 9)->status, SUBMIT_DURABLE);
    stop(f);
    cr_expect_eq(world_nonce(chain_world(c->ledger.chain), &c->addrs[0]), 2);
    fixture_free(f);
}

/* A start reads the log from the oldest record of a transaction that waits: that one is written
 * anew once it is far behind. */
Test(sequencer, old_records_are_written_anew, .timeout = 60) {
    struct fixture *f = fixture_new();
    struct node_chain *c = &f->chain;
    struct err_ctx ec = {.text = ""};
    submit(f, node_chain_transfer(c, 0, 1, 1, 10), 0, 0);
    cr_assert_eq(answer(f, 0)->status, SUBMIT_QUEUED);
    submit(f, node_chain_transfer(c, 1, 1, 0, 10), 0, 1);
    cr_assert_eq(answer(f, 1)->status, SUBMIT_DURABLE);
    stop(f);
    uint64_t before = c->ledger.pool_floor;
    cr_expect(before > 0 && before < 10);
    for (int i = 0; i < SEQUENCER_POOL_RECORD_AGE; i++)
        cr_assert_eq(ledger_seal(&c->ledger, &ec), ERR_OK);
    start(f);
    for (uint64_t i = 0; c->ledger.pool_floor == before && i < 1000; i++) {
        submit(f, node_chain_transfer(c, 1, 1, 1 + i, 10), 0, 2 + i);
        cr_assert_eq(answer(f, 2 + i)->status, SUBMIT_DURABLE);
    }
    cr_expect_gt(c->ledger.pool_floor, SEQUENCER_POOL_RECORD_AGE);
    stop(f);
    restart(f);
    cr_expect_eq(f->pool.gapped_count, 1);
    stop(f);
    fixture_free(f);
}

/* A transaction in the middle fails; those behind it wait, as if it had never come. */
Test(sequencer, a_refused_one_leaves_a_gap, .timeout = 60) {
    struct fixture *f = fixture_new();
    struct node_chain *c = &f->chain;
    submit(f, node_chain_transfer(c, 0, 1, 0, 10), 0, 0);
    submit(f, node_chain_transfer(c, 0, 1, 1, 0), 0, 1); /* too low a fee cap */
    submit(f, node_chain_transfer(c, 0, 1, 2, 10), 0, 2);
    submit(f, node_chain_transfer(c, 0, 1, 3, 10), SUBMIT_NO_QUEUE, 3);
    cr_expect_eq(answer(f, 0)->status, SUBMIT_DURABLE);
    cr_expect_eq(answer(f, 1)->status, SUBMIT_REFUSED);
    cr_expect_eq(answer(f, 2)->status, SUBMIT_QUEUED);
    cr_expect_eq(answer(f, 3)->status, SUBMIT_REFUSED);
    submit(f, node_chain_transfer(c, 0, 1, 1, 10), 0, 4);
    cr_expect_eq(answer(f, 4)->status, SUBMIT_DURABLE);
    stop(f);
    cr_expect_eq(world_nonce(chain_world(c->ledger.chain), &c->addrs[0]), 3);
    fixture_free(f);
}

/* --- who must not hold up others ------------------------------------------------------------ */
struct flood {
    struct fixture *f;
    struct tx *txs[GENESIS_DEV_ACCOUNTS];
    atomic_bool over;
    atomic_size_t answers, refused;
};

/* What is answered comes again at once: the ring is never empty. */
static void come_again(void *ctx, uint64_t token, const struct submit_result *r) {
    struct flood *w = ctx;
    struct node_commands *c = &w->f->commands;
    atomic_fetch_add(&w->answers, 1);
    if (strncmp(r->text, "insufficient funds", 18) == 0)
        atomic_fetch_add(&w->refused, 1);
    if (!atomic_load(&w->over))
        c->submit(c->ctx, w->txs[token % GENESIS_DEV_ACCOUNTS]->raw, 0, come_again, w, token);
}

/* Transactions that are refused at their turn make no block, however many come: what is between
 * blocks, as the records of who posts batches, still gets its turn, and so does who pays. */
Test(sequencer, refused_ones_hold_nobody_up, .timeout = 60) {
    struct fixture *f = fixture_new();
    struct flood w = {.f = f};
    for (size_t who = 1; who < GENESIS_DEV_ACCOUNTS; who++)
        w.txs[who] = node_chain_transfer(&f->chain, who, 1, 0, UINT64_C(10000000000));
    w.txs[0] = w.txs[1];
    for (uint64_t i = 0; i < 50 * GENESIS_DEV_ACCOUNTS; i++)
        f->commands.submit(f->commands.ctx, w.txs[i % GENESIS_DEV_ACCOUNTS]->raw, 0, come_again, &w,
                           i);
    while (atomic_load(&w.refused) < 1000)
        sched_yield();
    for (int i = 0; i < 3; i++)
        cr_assert_eq(sequencer_write_intent(f->sequencer, bytes_of("x", 1)), ERR_OK);
    cr_expect_eq(store_head(f->chain.ledger.store), 0, "a block without a transaction");
    submit(f, node_chain_transfer(&f->chain, 0, 1, 0, 10), 0, 0);
    cr_assert_eq(answer(f, 0)->status, SUBMIT_DURABLE, "%s", answer(f, 0)->text);
    cr_expect_eq(answer(f, 0)->block, 1);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(sequencer_write_intent(f->sequencer, bytes_of("x", 1)), ERR_OK);
    atomic_store(&w.over, true);
    stop(f);
    cr_expect_eq(f->chain.ledger.head.number, 1);
    fixture_free(f);
}

struct held {
    struct fixture *f;
    atomic_bool holds, released;
    size_t given,
        emptied_at; /* transactions that were executed; when nothing was left in the ring */
};

static void hold_first(void *ctx, const hash32 *hash) {
    struct held *h = ctx;
    (void)hash;
    atomic_store(&h->holds, true);
    while (!atomic_load(&h->released))
        sched_yield();
    h->given++;
    if (h->emptied_at == 0 && ring_len(&h->f->sequencer->ingress) == 0)
        h->emptied_at = h->given;
}

static void no_block(void *ctx, uint64_t block) {
    (void)ctx;
    (void)block;
}

enum { BACKLOG = 2000 };

/* After how many transactions the ring has been emptied into the pool, when so many stand in it
 * that are for one lane, the last `fresh` of them for addresses whose lane is not known, or which
 * is `told` to be of another universe. */
static size_t emptied_after(size_t fresh, uint64_t told) {
    struct fixture *f = fixture_new();
    struct node_chain *c = &f->chain;
    struct held h = {.f = f};
    const struct node_watcher w = {.ctx = &h, .pending = hold_first, .durable = no_block};
    f->commands.watch(f->commands.ctx, &w);
    submit(f, node_chain_transfer(c, 0, 1, 0, 10), 0, 0);
    while (!atomic_load(&h.holds))
        sched_yield();
    for (uint64_t i = 1; i <= BACKLOG; i++) {
        size_t who = i % GENESIS_DEV_ACCOUNTS;
        struct tx tx = *node_chain_transfer(c, who, 1, i / GENESIS_DEV_ACCOUNTS, 10);
        if (i > BACKLOG - fresh) {
            tx.to = (addr20){{0xaa, (uint8_t)i, (uint8_t)(i >> 8)}};
            cr_assert_eq(tx_sign(&tx, &c->arena, c->keys[who]), ERR_OK);
            if (told != 0)
                lane_map_put(&f->sequencer->universes, &tx.to, told);
        }
        submit(f, &tx, 0, i);
    }
    atomic_store(&h.released, true);
    for (uint64_t i = 0; i <= BACKLOG; i++)
        cr_assert_eq(answer(f, i)->status, SUBMIT_DURABLE, "%s", answer(f, i)->text);
    stop(f);
    cr_expect_eq(h.given, BACKLOG + 1);
    fixture_free(f);
    return h.emptied_at;
}

/* A backlog of one lane in front of somebody of another costs a look at each, not their execution:
 * also where it is not known yet which lane that is. */
Test(sequencer, the_ring_is_emptied_before_turns, .timeout = 60) {
    cr_expect_gt(emptied_after(0, 0), BACKLOG - 512);
    cr_expect_lt(emptied_after(1, 0), 512);
    cr_expect_lt(emptied_after(1, 7), 512);
}

Test(sequencer, after_the_stop_nothing_is_taken, .timeout = 60) {
    struct fixture *f = fixture_new();
    cr_assert(sequencer_stop(f->sequencer));
    submit(f, node_chain_transfer(&f->chain, 0, 1, 0, 10), 0, 0);
    expect_refused(f, 0, "the node is shutting down");
    sequencer_free(f->sequencer);
    fixture_free(f);
}

/* --- a disk whose log cannot be synced ------------------------------------------------------ */
static struct {
    struct disk disk;
    struct disk_file *logs[16]; /* files of the log that were opened so far */
    atomic_size_t log_count;
    atomic_bool stuck; /* syncs of the log wait, and then fail */
    atomic_bool failing;
} bad;

static enum err bad_open(struct disk *d, struct disk_file **out, const char *path, bool create,
                         struct err_ctx *ec) {
    (void)d;
    TRY(disk_posix()->open(disk_posix(), out, path, create, ec));
    if (strstr(path, "/" DATADIR_LOG_PREFIX "-") != NULL) {
        size_t at = atomic_load(&bad.log_count);
        cr_assert_lt(at, ARRAY_LEN(bad.logs));
        bad.logs[at] = *out;
        atomic_store(&bad.log_count, at + 1);
    }
    return ERR_OK;
}

static enum err bad_sync(struct disk *d, struct disk_file *f) {
    (void)d;
    bool is_log = false;
    for (size_t i = 0; i < atomic_load(&bad.log_count); i++)
        is_log = is_log || bad.logs[i] == f;
    while (is_log && atomic_load(&bad.stuck) && !atomic_load(&bad.failing))
        sched_yield();
    return is_log && atomic_load(&bad.failing) ? ERR_IO : disk_posix()->sync(disk_posix(), f);
}

/* With more rows in memory than may be, none of which can become durable any more, the sequencer
 * does not wait for the checkpoint that would move them. */
Test(sequencer, a_failed_sync_ends_the_wait_for_the_checkpoint, .timeout = 60) {
    struct fixture *f = fixture_new();
    struct err_ctx ec = {.text = ""};
    stop(f);
    bad.disk = *disk_posix();
    bad.disk.open = bad_open;
    bad.disk.sync = bad_sync;
    f->chain.disk = &bad.disk;
    f->chain.checkpoint_rows = 1;
    cr_assert_eq(node_chain_reopen(&f->chain, &ec), ERR_OK, "%s", ec.text);
    f->may_fail = true;
    start(f);
    atomic_store(&bad.stuck, true);
    submit(f, node_chain_transfer(&f->chain, 0, 1, 0, 10), 0, 0);
    while (store_head(f->chain.ledger.store) == 0)
        sched_yield();
    cr_expect(ledger_rows_full(&f->chain.ledger));
    atomic_store(&bad.failing, true);
    cr_expect_not(sequencer_stop(f->sequencer));
    sequencer_free(f->sequencer);
    cr_expect_not(f->has_answer[0]);
    fixture_free(f);
}
