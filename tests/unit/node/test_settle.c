/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a delayed message waits until it is final on the parent, or until headroom ends, whichever
 * comes first, without another word from the parent in either case. Covers: settle.c
 * sequencer_settle.c */
#include "node/settle.h"

#include "node/headroom.h"
#include "node/sequencer.h"
#include "tests/lib/node/chain.h"

#include <criterion/criterion.h>
#include <time.h>

enum { DELAY_BLOCKS = 100, L1_BLOCK = 1000, PARENT_BLOCK = 50 };

struct world {
    struct node_chain chain;
    struct pool pool;
    struct mirror mirror;
    struct batches batches;
    struct settle *settle;
    struct sequencer *sequencer;
};
static struct world w;

static void nothing(void *ctx) {
    (void)ctx;
}

static void on_failed(void *ctx) {
    (void)ctx;
    cr_assert_fail("the sequencer failed");
}

/* The chain's message 0 is on the parent, in batch 0. */
static const struct batch_row FIRST = {.delayed_read = 1};

/* A parent at L1_BLOCK; delayed messages up to parent block `settled` are final enough. */
static void heads(uint64_t settled) {
    struct mirror_heads h = {
        .latest = {.number = PARENT_BLOCK, .l1_block = L1_BLOCK, .hash = {.b = {1}}},
        .settled = settled};
    mirror_set_heads(&w.mirror, &h);
}

static void add_deposit(uint64_t index, uint64_t l1_block) {
    uint8_t data[52] = {[51] = 7};
    struct mirror_delayed d = {.parent_block = PARENT_BLOCK,
                               .message = {.kind = MESSAGE_ETH_DEPOSIT,
                                           .l1_block = l1_block,
                                           .timestamp = 1700000000,
                                           .has_request_id = true,
                                           .has_base_fee_l1 = true,
                                           .data = bytes_of(data, sizeof(data)),
                                           .delayed_read = index + 1}};
    memcpy(data, w.chain.addrs[0].b, sizeof(w.chain.addrs[0].b));
    be64_store(d.message.request_id.b + 24, index);
    cr_assert_eq(mirror_add_delayed(&w.mirror, &d), ERR_OK);
}

static void setup(void) {
    struct err_ctx ec = {.text = ""};
    node_chain_init(&w.chain);
    pool_init(&w.pool, (struct pool_limits){.gapped_max = 100, .gapped_per_sender = 50});
    cr_assert_eq(mirror_init(&w.mirror, NULL), ERR_OK);
    cr_assert_eq(batches_open(&w.batches, w.chain.ledger.store, &ec), ERR_OK);
    cr_assert_eq(batches_add(&w.batches, &w.chain.ledger, &FIRST), ERR_OK);
    struct mirror_point at = {.batch_count = 1, .delayed_count = 1};
    mirror_restart(&w.mirror, &at);
    heads(0);
    mirror_set_synced(&w.mirror);
    struct settle_options so = {.role = SETTLE_SEQUENCER,
                                .mirror = &w.mirror,
                                .batches = &w.batches,
                                .genesis = w.chain.ledger.genesis,
                                .progress = nothing};
    w.settle = settle_new(&so);
    cr_assert_not_null(w.settle);
    struct sequencer_options o = {.ledger = &w.chain.ledger,
                                  .pool = &w.pool,
                                  .clock = clock_posix(),
                                  .policy = {.block_gap_ms = 1},
                                  .settle = w.settle,
                                  .failed = on_failed};
    cr_assert_eq(sequencer_start(&w.sequencer, &o, &ec), ERR_OK, "%s", ec.text);
}

static void teardown(void) {
    cr_assert(sequencer_stop(w.sequencer));
    sequencer_free(w.sequencer);
    settle_free(w.settle);
    batches_close(&w.batches);
    mirror_clear(&w.mirror);
    pool_clear(&w.pool);
    node_chain_clear(&w.chain);
}

TestSuite(settle, .init = setup, .fini = teardown, .timeout = 60);

static void pause_ms(long ms) {
    struct timespec ts = {.tv_nsec = ms * 1000000};
    nanosleep(&ts, NULL);
}

/* The sequencer's thread has taken a turn since this was called: it takes one after each record. */
static void await_turn(void) {
    for (int i = 0; i < 2; i++)
        cr_assert_eq(sequencer_write_intent(w.sequencer, bytes_of("turn", 4)), ERR_OK);
    cr_expect_eq(store_durable(w.chain.ledger.store), 0);
}

static void await_block(uint64_t number) {
    sequencer_wake(w.sequencer);
    while (store_durable(w.chain.ledger.store) < number)
        pause_ms(1);
}

static void measure(void) {
    const struct batch_time_bounds b = {.delay_blocks = DELAY_BLOCKS,
                                        .delay_seconds = UINT64_C(1) << 40};
    struct store_view *v;
    cr_assert_eq(store_view_open(&v, w.chain.ledger.store, store_durable(w.chain.ledger.store)),
                 ERR_OK);
    headroom_measure(&b, &w.mirror, v, &FIRST);
    store_view_close(v);
}

Test(settle, a_message_waits_until_it_is_final) {
    add_deposit(1, L1_BLOCK);
    await_turn();
    heads(PARENT_BLOCK);
    await_block(1);
}

Test(settle, or_until_headroom_ends_though_the_parent_says_nothing_new) {
    add_deposit(1, L1_BLOCK - (DELAY_BLOCKS - 5));
    add_deposit(2, L1_BLOCK);
    await_turn(); /* headroom was not measured yet */
    measure();
    cr_assert_lt(headroom_permille(), HEADROOM_STALLED);
    await_block(2);
}

/* A parent that nobody uses makes no blocks, and its clock goes on. */
Test(settle, the_parents_clock_goes_on_without_blocks) {
    struct mirror_heads h = {
        .latest = {.number = PARENT_BLOCK + 1, .timestamp = 5000, .hash = {.b = {2}}},
        .seen_ms = 9000000};
    uint64_t ahead = w.chain.ledger.genesis->bounds.future_seconds / 2;
    mirror_set_heads(&w.mirror, &h);
    cr_expect_eq(settle_parent_time(w.settle, 9000), 5000);
    cr_expect_eq(settle_parent_time(w.settle, 8000), 5000, "never back");
    cr_expect_eq(settle_parent_time(w.settle, 9000 + 7200), 5000 + 7200);
    cr_expect_leq(settle_timestamp(w.settle, 9000 + 7200), 5000 + 7200 + ahead);
}

/* A batch may lie behind what fills the mirror: what is final goes without one that comes. */
Test(settle, a_full_mirror_forgets_what_is_final_though_no_batch_comes) {
    struct mirror_batch b = {.parent_block = PARENT_BLOCK, .acc = {{2}}, .delayed_read = 2};
    struct mirror_heads h = {
        .latest = {.number = PARENT_BLOCK + 1, .l1_block = L1_BLOCK, .hash = {.b = {2}}},
        .finalized = PARENT_BLOCK};
    add_deposit(1, L1_BLOCK);
    cr_assert_eq(mirror_add_batch(&w.mirror, 1, &b), ERR_OK);
    await_block(1);
    while (batches_count(&w.batches) < 2)
        pause_ms(1);
    add_deposit(2, L1_BLOCK);
    w.mirror.data_max = 1;
    cr_assert(mirror_full(&w.mirror));
    mirror_set_heads(&w.mirror, &h);
    sequencer_wake(w.sequencer);
    for (int i = 0; i < 5000 && mirror_state(&w.mirror).batch_first < 2; i++)
        pause_ms(1);
    cr_expect_eq(mirror_state(&w.mirror).batch_first, 2u);
    cr_expect_eq(mirror_state(&w.mirror).delayed_first, 2u);
}

/* The parent re-organised and was read again before a turn saw it. */
Test(settle, a_message_that_a_fork_changed_is_made_again) {
    add_deposit(1, L1_BLOCK);
    heads(PARENT_BLOCK);
    await_block(1);
    uint64_t rewinds = settle_status(w.settle).rewinds;
    cr_assert(mirror_cut(&w.mirror, PARENT_BLOCK - 1));
    add_deposit(1, L1_BLOCK + 1);
    mirror_set_synced(&w.mirror);
    sequencer_wake(w.sequencer);
    for (int i = 0; i < 3000 && settle_status(w.settle).rewinds == rewinds; i++)
        pause_ms(1);
    cr_expect_eq(settle_status(w.settle).rewinds, rewinds + 1);
}
