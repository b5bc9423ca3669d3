/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what a parent's endpoint fails to answer costs nothing of what was read. Method: the real
 * thread against an endpoint that is told what to answer. */
#include "node/follower.h"

#include "tests/lib/bridge/fake_parent.h"
#include "tests/lib/node/chain.h"

#include <criterion/criterion.h>
#include <time.h>

enum { CHAIN = 412346, FIRST_HEAD = 100 };

struct world {
    struct node_chain chain;
    struct fake_parent *parent;
    struct mirror mirror;
    struct batches batches;
    struct follower *follower;
};
static struct world w;

static void nothing(void *ctx) {
    (void)ctx;
}

static void pause_ms(long ms) {
    struct timespec ts = {.tv_nsec = ms * 1000000};
    nanosleep(&ts, NULL);
}

static void start(void) {
    struct err_ctx ec = {.text = ""};
    struct follower_options o = {.parent = {.urls = {fake_parent_url(w.parent)},
                                            .url_count = 1,
                                            .chain_id = CHAIN,
                                            .breaker_open_ms = 1,
                                            .retries = 1},
                                 .first_block = 90,
                                 .finality = FOLLOW_FINALIZED,
                                 .poll_ms = 1,
                                 .mirror = &w.mirror,
                                 .batches = &w.batches,
                                 .changed = nothing};
    memset(o.bridge.b, 0x11, 20);
    memset(o.sequencer_inbox.b, 0x22, 20);
    cr_assert_eq(follower_start(&w.follower, &o, &ec), ERR_OK, "%s", ec.text);
}

static void setup(void) {
    struct err_ctx ec = {.text = ""};
    node_chain_init(&w.chain);
    cr_assert_eq(mirror_init(&w.mirror, NULL), ERR_OK);
    cr_assert_eq(batches_open(&w.batches, w.chain.ledger.store, &ec), ERR_OK);
    w.parent = fake_parent_start(CHAIN);
    fake_parent_chain(w.parent, FIRST_HEAD, UINT64_MAX, 0);
}

static void teardown(void) {
    follower_stop(w.follower);
    fake_parent_stop(w.parent);
    batches_close(&w.batches);
    mirror_clear(&w.mirror);
    node_chain_clear(&w.chain);
}

TestSuite(follower, .init = setup, .fini = teardown, .timeout = 60);

static struct mirror_heads await_head(uint64_t number) {
    struct mirror_heads h;
    while (!mirror_heads(&w.mirror, &h) || h.latest.number < number)
        pause_ms(1);
    return h;
}

static void await_synced(void) {
    while (!mirror_state(&w.mirror).synced)
        pause_ms(1);
}

/* The follower has asked `method` this much oftener. */
static void await_calls(const char *method, unsigned more) {
    unsigned before = fake_parent_calls(w.parent, method);
    while (fake_parent_calls(w.parent, method) < before + more)
        pause_ms(1);
}

Test(follower, logs_that_are_not_served_cut_nothing) {
    start();
    await_head(FIRST_HEAD);
    await_synced();
    uint64_t cuts = mirror_state(&w.mirror).cuts;
    fake_parent_answer(w.parent, "eth_getLogs",
                       "\"error\":{\"code\":-32000,\"message\":\"not now\"}");
    fake_parent_chain(w.parent, FIRST_HEAD + 1, UINT64_MAX, 0);
    await_calls("eth_getLogs", 2);
    struct mirror_state s = mirror_state(&w.mirror);
    cr_expect_eq(s.cuts, cuts);
    cr_expect(s.synced, "blocks of our own go on");
    fake_parent_answer(w.parent, "eth_getLogs", NULL);
    await_head(FIRST_HEAD + 1);
    cr_expect_eq(mirror_state(&w.mirror).cuts, cuts);
}

/* That it has no such batch is what a revert says, and nothing else. */
Test(follower, a_refusal_does_not_discard_batches) {
    struct batch_row row = {.acc = {.b = {[31] = 5}}, .parent_block = 95, .delayed_block = 95};
    cr_assert_eq(batches_add(&w.batches, &w.chain.ledger, &row), ERR_OK);
    fake_parent_answer(w.parent, "eth_call",
                       "\"error\":{\"code\":-32000,\"message\":\"header not found\"}");
    start();
    await_calls("eth_call", 2);
    cr_expect_eq(mirror_state(&w.mirror).cuts, 0u, "it did not begin without batches");
    fake_parent_answer(w.parent, "eth_call",
                       "\"result\":\"0x"
                       "0000000000000000000000000000000000000000000000000000000000000005\"");
    await_synced();
    cr_expect_eq(mirror_state(&w.mirror).batch_first, 1u);
}

Test(follower, a_revert_says_that_there_is_no_such_batch) {
    struct batch_row row = {.acc = {.b = {[31] = 5}}, .parent_block = 95, .delayed_block = 95};
    cr_assert_eq(batches_add(&w.batches, &w.chain.ledger, &row), ERR_OK);
    fake_parent_answer(w.parent, "eth_call",
                       "\"error\":{\"code\":3,\"message\":\"execution reverted\"}");
    start();
    await_synced();
    cr_expect_eq(mirror_state(&w.mirror).batch_first, 0u);
}

/* An endpoint that has just begun has no final block to tell of for a while. */
Test(follower, what_was_final_stays_while_the_parent_does_not_tell) {
    fake_parent_final(w.parent, 70);
    start();
    cr_expect_eq(await_head(FIRST_HEAD).finalized, 70u);
    fake_parent_final(w.parent, 0);
    fake_parent_chain(w.parent, FIRST_HEAD + 1, UINT64_MAX, 0);
    cr_expect_eq(await_head(FIRST_HEAD + 1).finalized, 70u);
    fake_parent_final(w.parent, 75);
    fake_parent_chain(w.parent, FIRST_HEAD + 2, UINT64_MAX, 0);
    cr_expect_eq(await_head(FIRST_HEAD + 2).finalized, 75u);
}

Test(follower, a_depth_stands_in_for_a_tag_that_the_parent_never_knew) {
    start();
    cr_expect_eq(await_head(FIRST_HEAD).finalized, (uint64_t)FIRST_HEAD - FOLLOWER_TAG_DEPTH);
}
