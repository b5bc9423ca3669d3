/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a sequencer that holds other blocks is a difference once the batch is final enough, not
 * before, and no longer than it does: one that only read the parent later than we comes round.
 * Method: one endpoint that is the parent and the sequencer, whose header the test sets. */
#include "node/attester.h"

#include "base/hex.h"
#include "node/mirror.h"
#include "tests/lib/bridge/fake_parent.h"
#include "tests/lib/node/chain.h"

#include <criterion/criterion.h>
#include <time.h>

enum { CHAIN = 41337, TURNS = 3, FINAL_AT = 60 };

static struct world {
    struct node_chain chain;
    struct fake_parent *fake;
    struct mirror mirror;
    struct batches batches;
    struct attester *attester;
    char reason[ATTESTER_REASON_MAX];
} w;

static void heads(uint64_t safe) {
    struct mirror_heads h = {.latest = {.number = 100}, .safe = safe};
    mirror_set_heads(&w.mirror, &h);
}

/* The sequencer gives this header for each block. */
static void sequencer_has(const struct header *h) {
    struct buf b, text;
    buf_init(&b, HEADER_ENCODED_MAX_BYTES);
    buf_init(&text, 4 * HEADER_ENCODED_MAX_BYTES);
    header_encode(&b, h);
    buf_append_str(&text, "\"result\":\"");
    hex_put(&text, b.ptr, b.len);
    buf_append(&text, "\"", 2);
    cr_assert(!text.overflow);
    fake_parent_answer(w.fake, "debug_getRawHeader", (const char *)text.ptr);
    buf_clear(&text);
    buf_clear(&b);
}

static void pause_ms(long ms) {
    struct timespec ts = {.tv_nsec = ms * 1000000};
    nanosleep(&ts, NULL);
}

/* Each turn ends with the question for the newest confirmed assertion. */
static void await_turns(void) {
    unsigned was = fake_parent_calls(w.fake, "eth_call");
    while (fake_parent_calls(w.fake, "eth_call") < was + TURNS)
        pause_ms(1);
}

static void begin(void) {
    struct err_ctx ec = {.text = ""};
    node_chain_init(&w.chain);
    struct tx *tx = node_chain_transfer(&w.chain, 0, 1, 0, 10);
    node_chain_block(&w.chain, &tx, 1);
    w.fake = fake_parent_start(CHAIN);
    fake_parent_answer(w.fake, "eth_getLogs", "\"result\":[]");
    fake_parent_answer(w.fake, "eth_call", "\"error\":{\"code\":3,\"message\":\"reverted\"}");
    cr_assert_eq(mirror_init(&w.mirror, NULL), ERR_OK);
    struct mirror_point at = {.batch_count = 1, .delayed_count = 1};
    mirror_restart(&w.mirror, &at);
    heads(FINAL_AT - 1);
    mirror_set_synced(&w.mirror);
    cr_assert_eq(batches_open(&w.batches, w.chain.ledger.store, &ec), ERR_OK);
    struct batch_row row = {.parent_block = FINAL_AT, .delayed_read = 1, .last_block = 1};
    cr_assert_eq(batches_add(&w.batches, &w.chain.ledger, &row), ERR_OK);
    struct attester_options o = {
        .parent = {.urls = {fake_parent_url(w.fake)}, .url_count = 1, .chain_id = CHAIN},
        .sequencer_url = fake_parent_url(w.fake),
        .chain_id = CHAIN,
        .wait_safe = true,
        .interval_ms = 1,
        .store = w.chain.ledger.store,
        .source = {.log = w.chain.ledger.log, .receipts = w.chain.ledger.receipts},
        .mirror = &w.mirror,
        .batches = &w.batches};
    cr_assert_eq(attester_start(&w.attester, &o, &ec), ERR_OK, "%s", ec.text);
}

static void end(void) {
    attester_stop(w.attester);
    fake_parent_stop(w.fake);
    batches_close(&w.batches);
    mirror_clear(&w.mirror);
    node_chain_clear(&w.chain);
}

TestSuite(attester, .init = begin, .fini = end, .timeout = 60);

Test(attester, a_final_difference_is_told_and_goes_when_the_sequencer_comes_round) {
    struct header other = w.chain.ledger.head;
    other.timestamp++;
    sequencer_has(&other);
    await_turns();
    cr_expect(!attester_differs(w.attester, w.reason), "before it is final: %s", w.reason);
    heads(FINAL_AT);
    await_turns();
    cr_assert(attester_differs(w.attester, w.reason));
    cr_expect_not_null(strstr(w.reason, "block 1 differs in timestamp"), "%s", w.reason);
    await_turns();
    cr_expect(attester_differs(w.attester, w.reason), "as long as it does");
    sequencer_has(&w.chain.ledger.head);
    await_turns();
    cr_expect(!attester_differs(w.attester, w.reason), "%s", w.reason);
}

Test(attester, a_sequencer_that_is_away_takes_nothing_back) {
    struct header other = w.chain.ledger.head;
    other.timestamp++;
    sequencer_has(&other);
    heads(FINAL_AT);
    await_turns();
    cr_assert(attester_differs(w.attester, w.reason));
    fake_parent_answer(w.fake, "debug_getRawHeader",
                       "\"error\":{\"code\":-32000,\"message\":\"header not found\"}");
    await_turns();
    cr_expect(attester_differs(w.attester, w.reason));
}
