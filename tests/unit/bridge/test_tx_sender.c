/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: one transaction at a time, its bytes known before it is sent, its end always found out.
 * Method: an endpoint whose answers the test sets; the signed bytes decoded again. */
#include "bridge/tx_sender.h"

#include "chain/tx.h"
#include "tests/lib/bridge/fake_parent.h"

#include <criterion/criterion.h>

enum { CHAIN = 412346 };
#define HASH_B "0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

struct setup {
    struct fake_parent *fake;
    struct parent *p;
    struct tx_sender *s;
    struct arena a;
    struct err_ctx ec;
    struct tx_signed tx;
    struct tx_flight r;
    char reason[PARENT_MESSAGE_MAX];
};

static void start_with(struct setup *t, struct tx_sender_config c) {
    memset(t, 0, sizeof *t);
    t->fake = fake_parent_start(CHAIN);
    arena_init(&t->a, 1 << 16, 4 << 20);
    struct parent_config pc = {
        .urls = {fake_parent_url(t->fake)}, .url_count = 1, .chain_id = CHAIN};
    cr_assert_eq(parent_new(&t->p, &pc, NULL), ERR_OK);
    c.key[31] = 7;
    c.chain_id = CHAIN;
    cr_assert_eq(tx_sender_new(&t->s, t->p, &c, NULL), ERR_OK);
    fake_parent_answer(t->fake, "eth_getTransactionCount", "\"result\":\"0x5\"");
    fake_parent_answer(t->fake, "eth_estimateGas", "\"result\":\"0x186a0\"");
    fake_parent_answer(t->fake, "eth_sendRawTransaction", "\"result\":\"0x00\"");
    fake_parent_answer(t->fake, "eth_getTransactionReceipt", "\"result\":null");
}

static void start(struct setup *t) {
    start_with(t, (struct tx_sender_config){.parent_arbitrum = true});
}

static void end(struct setup *t) {
    tx_sender_free(t->s);
    parent_free(t->p);
    arena_clear(&t->a);
    fake_parent_stop(t->fake);
}

static enum err prepare(struct setup *t) {
    struct tx_request r = {.to = {{0xcc}}, .value = U256_ONE, .data = bytes_of("data", 4)};
    return tx_sender_prepare(t->s, &t->a, &t->tx, &r, t->reason, &t->ec);
}

static enum err submit(struct setup *t) {
    return tx_sender_submit(t->s, &t->tx, &t->r, &t->ec);
}

static void answer_receipt(struct setup *t, bool ok) {
    char text[512];
    snprintf(text, sizeof text,
             "\"result\":{\"transactionHash\":\"" HASH_B "\",\"status\":\"0x%d\","
             "\"blockNumber\":\"0x10\",\"blockHash\":\"" HASH_B "\",\"gasUsed\":\"0x5208\"}",
             ok);
    fake_parent_answer(t->fake, "eth_getTransactionReceipt", text);
}

/* Base fee 0.1 gwei. */
Test(tx_sender, signs_before_it_sends) {
    struct setup t;
    struct tx tx;
    start(&t);
    cr_assert_eq(prepare(&t), ERR_OK);
    cr_expect_eq(fake_parent_calls(t.fake, "eth_sendRawTransaction"), 0u);
    cr_expect(!tx_sender_in_flight(t.s));
    cr_expect_not_null(strstr(fake_parent_last_params(t.fake), "\"maxFeePerGas\":\"0xbebc200\""),
                       "estimated at the price that it will have");
    cr_assert_eq(tx_decode(&tx, &t.a, t.tx.raw, false, NULL), ERR_OK);
    cr_assert_eq(tx_recover_sender(&tx), ERR_OK);
    addr20 own = tx_sender_address(t.s);
    cr_expect(addr20_eq(&tx.sender, &own) && hash32_eq(&tx.hash, &t.tx.hash));
    cr_expect(tx.type == TX_DYNAMIC_FEE && tx.chain_id == CHAIN && tx.nonce == 5);
    cr_expect_eq(tx.gas_limit, 110000u + TX_SENDER_GAS_MARGIN);
    cr_expect_eq(u256_sat_u64(&tx.max_fee), 200000000u);
    cr_expect(u256_is_zero(&tx.max_priority_fee), "no tip on Arbitrum");
    cr_expect(tx.to.b[0] == 0xcc && u256_eq(&tx.value, &U256_ONE) && tx.data.len == 4);
    end(&t);
}

Test(tx_sender, other_parents_get_a_tip) {
    struct setup t;
    start_with(&t, (struct tx_sender_config){.tip_wei = u256_from_u64(1000)});
    cr_assert_eq(prepare(&t), ERR_OK);
    cr_expect_eq(u256_sat_u64(&t.tx.tip_wei), 1000u);
    cr_expect_eq(u256_sat_u64(&t.tx.fee_cap_wei), 200001000u);
    end(&t);
    start_with(&t, (struct tx_sender_config){.tip_wei = u256_from_u64(500000000),
                                             .fee_cap_max_wei = u256_from_u64(150000000)});
    cr_assert_eq(prepare(&t), ERR_OK);
    cr_expect_eq(u256_sat_u64(&t.tx.fee_cap_wei), 150000000u);
    cr_expect_eq(u256_sat_u64(&t.tx.tip_wei), 150000000u, "a tip never exceeds the cap");
    end(&t);
    start_with(&t, (struct tx_sender_config){.fee_cap_max_wei = u256_from_u64(99999999)});
    cr_expect_eq(prepare(&t), ERR_TOO_LARGE);
    end(&t);
}

Test(tx_sender, what_would_revert_is_not_signed) {
    struct setup t;
    start(&t);
    fake_parent_answer(t.fake, "eth_estimateGas",
                       "\"error\":{\"code\":3,\"message\":\"execution reverted\","
                       "\"data\":\"0x2dd9fc97\"}");
    cr_expect_eq(prepare(&t), ERR_INVALID);
    cr_expect_str_eq(t.reason, "custom error 0x2dd9fc97");
    end(&t);
}

Test(tx_sender, one_in_flight_until_it_is_mined) {
    struct setup t;
    start(&t);
    cr_assert_eq(prepare(&t), ERR_OK);
    cr_assert_eq(submit(&t), ERR_OK);
    cr_expect(t.r.outcome == TX_OUTCOME_PENDING && tx_sender_in_flight(t.s));
    cr_expect_eq(prepare(&t), ERR_BUSY);
    struct tx_signed other = t.tx;
    other.nonce++;
    other.hash.b[0] ^= 1;
    cr_expect_eq(tx_sender_submit(t.s, &other, &t.r, &t.ec), ERR_BUSY);
    cr_expect_eq(submit(&t), ERR_OK); /* the same bytes again do no harm */
    cr_assert_eq(tx_sender_wait(t.s, 0, &t.r, &t.ec), ERR_OK);
    cr_expect_eq(t.r.outcome, TX_OUTCOME_PENDING);
    answer_receipt(&t, true);
    cr_assert_eq(tx_sender_wait(t.s, 10000, &t.r, &t.ec), ERR_OK);
    cr_expect(t.r.outcome == TX_OUTCOME_MINED && t.r.receipt.block_num == 16);
    cr_expect(!tx_sender_in_flight(t.s));
    cr_expect_eq(tx_sender_wait(t.s, 0, &t.r, &t.ec), ERR_INVALID);
    end(&t);
}

Test(tx_sender, tells_why_a_mined_one_failed) {
    struct setup t;
    start(&t);
    cr_assert_eq(prepare(&t), ERR_OK);
    cr_assert_eq(submit(&t), ERR_OK);
    answer_receipt(&t, false);
    fake_parent_answer(t.fake, "eth_call",
                       "\"error\":{\"code\":3,\"message\":\"x\",\"data\":\"0xac7411c9\"}");
    cr_assert_eq(tx_sender_wait(t.s, 0, &t.r, &t.ec), ERR_OK);
    cr_expect_eq(t.r.outcome, TX_OUTCOME_REVERTED);
    cr_expect_str_eq(t.r.reason, "custom error 0xac7411c9");
    cr_expect_not_null(strstr(fake_parent_last_params(t.fake), "\"0x10\"]"), "at its block");
    end(&t);
}

static void refuse(struct setup *t, const char *message) {
    char text[256];
    snprintf(text, sizeof text, "\"error\":{\"code\":-32000,\"message\":\"%s\"}", message);
    fake_parent_answer(t->fake, "eth_sendRawTransaction", text);
}

Test(tx_sender, refusals_end_the_flight) {
    static const struct {
        const char *message;
        enum tx_outcome outcome;
    } cases[] = {
        {"insufficient funds", TX_OUTCOME_NO_FUNDS},
        {"max fee per gas less than block base fee", TX_OUTCOME_UNDERPRICED},
        {"nonce too high", TX_OUTCOME_REFUSED},
        {"no", TX_OUTCOME_REFUSED},
    };
    struct setup t;
    start(&t);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_assert_eq(prepare(&t), ERR_OK);
        refuse(&t, cases[i].message);
        cr_assert_eq(submit(&t), ERR_OK);
        cr_expect_eq(t.r.outcome, cases[i].outcome, "%s", cases[i].message);
        cr_expect_str_eq(t.r.reason, cases[i].message);
        cr_expect(!tx_sender_in_flight(t.s));
    }
    end(&t);
}

/* Sent before a crash, mined meanwhile: the bytes of the record are sent again. */
Test(tx_sender, adopts_what_an_earlier_run_sent) {
    struct setup t;
    start(&t);
    cr_assert_eq(prepare(&t), ERR_OK);
    struct tx_signed again;
    cr_assert_eq(tx_sender_adopt(t.s, &t.a, &again, t.tx.raw, &t.ec), ERR_OK);
    cr_expect(hash32_eq(&again.hash, &t.tx.hash) && again.nonce == 5);
    cr_expect(u256_eq(&again.fee_cap_wei, &t.tx.fee_cap_wei));
    refuse(&t, "nonce too low");
    answer_receipt(&t, true);
    cr_assert_eq(tx_sender_submit(t.s, &again, &t.r, &t.ec), ERR_OK);
    cr_expect_eq(t.r.outcome, TX_OUTCOME_MINED);
    cr_expect_eq(tx_sender_adopt(t.s, &t.a, &again, bytes_of("\x02garbage", 8), &t.ec),
                 ERR_INVALID);
    struct tx_sender_config c = {.key = {[31] = 8}, .chain_id = CHAIN};
    struct tx_sender *stranger;
    cr_assert_eq(tx_sender_new(&stranger, t.p, &c, NULL), ERR_OK);
    cr_expect_eq(tx_sender_adopt(stranger, &t.a, &again, t.tx.raw, &t.ec), ERR_INVALID);
    tx_sender_free(stranger);
    memset(c.key, 0, sizeof c.key);
    cr_expect_eq(tx_sender_new(&stranger, t.p, &c, NULL), ERR_INVALID);
    end(&t);
}

/* The fake endpoint is an Arbitrum chain, on which nobody is tipped; then it is another. */
Test(tx_sender, connects_as_the_parent_is, .timeout = 60) {
    struct setup t;
    start(&t);
    uint8_t key[32] = {[31] = 7}, none[32] = {0};
    struct tx_sender *s;
    struct tx_request r = {.to = {{0xcc}}, .gas_limit = 21000};
    cr_expect_eq(tx_sender_connect(&s, t.p, CHAIN, none, &t.ec), ERR_INVALID);
    cr_assert_eq(tx_sender_connect(&s, t.p, CHAIN, key, &t.ec), ERR_OK, "%s", t.ec.text);
    cr_expect_eq(memcmp(key, none, sizeof key), 0);
    addr20 want = tx_sender_address(t.s), address = tx_sender_address(s);
    cr_expect(addr20_eq(&address, &want));
    cr_assert_eq(tx_sender_prepare(s, &t.a, &t.tx, &r, t.reason, &t.ec), ERR_OK, "%s", t.ec.text);
    cr_expect(u256_is_zero(&t.tx.tip_wei));
    tx_sender_free(s);
    end(&t);
    start(&t);
    fake_parent_answer(t.fake, "eth_getBlockByNumber",
                       "\"result\":{\"number\":\"0x5\",\"hash\":\"" HASH_B
                       "\",\"parentHash\":\"" HASH_B "\",\"timestamp\":\"0x9\"}");
    key[31] = 7;
    cr_assert_eq(tx_sender_connect(&s, t.p, CHAIN, key, &t.ec), ERR_OK, "%s", t.ec.text);
    cr_assert_eq(tx_sender_prepare(s, &t.a, &t.tx, &r, t.reason, &t.ec), ERR_OK, "%s", t.ec.text);
    cr_expect_eq(t.tx.tip_wei.w[0], TX_SENDER_TIP_WEI);
    tx_sender_free(s);
    end(&t);
}

Test(tx_sender, another_transaction_took_the_nonce, .timeout = 60) {
    struct setup t;
    start(&t);
    cr_assert_eq(prepare(&t), ERR_OK);
    cr_assert_eq(submit(&t), ERR_OK);
    fake_parent_answer(t.fake, "eth_getTransactionCount", "\"result\":\"0x6\"");
    cr_assert_eq(tx_sender_wait(t.s, 60000, &t.r, &t.ec), ERR_OK);
    cr_expect_eq(t.r.outcome, TX_OUTCOME_REPLACED);
    cr_expect(!tx_sender_in_flight(t.s));
    cr_assert_eq(prepare(&t), ERR_OK);
    cr_expect_eq(t.tx.nonce, 6u);
    end(&t);
}

/* An endpoint that refuses the nonce as used and counts less has only not caught up. */
Test(tx_sender, lag_is_not_replacement) {
    struct setup t;
    start(&t);
    cr_assert_eq(prepare(&t), ERR_OK);
    refuse(&t, "nonce too low");
    cr_assert_eq(submit(&t), ERR_OK);
    cr_expect(t.r.outcome == TX_OUTCOME_PENDING && tx_sender_in_flight(t.s));
    tx_sender_forget(t.s);
    cr_expect(!tx_sender_in_flight(t.s));
    end(&t);
}

Test(tx_sender, failing_transport_leaves_it_in_flight, .timeout = 60) {
    struct setup t;
    start(&t);
    cr_assert_eq(prepare(&t), ERR_OK);
    fake_parent_fault(t.fake, FAKE_STATUS_500, 4);
    cr_expect_eq(submit(&t), ERR_IO);
    cr_expect(tx_sender_in_flight(t.s));
    cr_expect_eq(submit(&t), ERR_OK);
    cr_expect_eq(t.r.outcome, TX_OUTCOME_PENDING);
    end(&t);
}

/* The parent took it and has it no more, without a receipt, a nonce or a refusal that would tell.
 */
Test(tx_sender, what_the_parent_lost_is_sent_again, .timeout = 60) {
    struct setup t;
    start(&t);
    cr_assert_eq(prepare(&t), ERR_OK);
    cr_assert_eq(submit(&t), ERR_OK);
    cr_assert_eq(tx_sender_wait(t.s, TX_SENDER_AGAIN_MS / 2, &t.r, &t.ec), ERR_OK);
    cr_expect_eq(fake_parent_calls(t.fake, "eth_sendRawTransaction"), 1u);
    cr_assert_eq(tx_sender_wait(t.s, TX_SENDER_AGAIN_MS, &t.r, &t.ec), ERR_OK);
    cr_expect(t.r.outcome == TX_OUTCOME_PENDING && tx_sender_in_flight(t.s));
    cr_expect_eq(fake_parent_calls(t.fake, "eth_sendRawTransaction"), 2u);
    refuse(&t, "no");
    cr_assert_eq(tx_sender_wait(t.s, 2 * TX_SENDER_AGAIN_MS, &t.r, &t.ec), ERR_OK);
    cr_expect_eq(t.r.outcome, TX_OUTCOME_REFUSED);
    cr_expect_str_eq(t.r.reason, "no");
    cr_expect(!tx_sender_in_flight(t.s), "another one can be prepared");
    cr_expect_eq(prepare(&t), ERR_OK);
    end(&t);
}

/* A dearer copy that is refused when it is sent again leaves the ones before it out. */
Test(tx_sender, copies_stay_when_the_last_is_refused_again, .timeout = 60) {
    struct setup t;
    start_with(&t, (struct tx_sender_config){.tip_wei = u256_from_u64(1001)});
    cr_assert_eq(prepare(&t), ERR_OK);
    cr_assert_eq(submit(&t), ERR_OK);
    cr_assert_eq(tx_sender_bump(t.s, &t.a, &t.tx, &t.ec), ERR_OK);
    cr_assert_eq(submit(&t), ERR_OK);
    refuse(&t, "replacement transaction underpriced");
    for (int i = 0; i < 2; i++) { /* the second time it is not among the copies any more */
        cr_assert_eq(tx_sender_wait(t.s, TX_SENDER_AGAIN_MS + 500, &t.r, &t.ec), ERR_OK);
        cr_expect(t.r.outcome == TX_OUTCOME_PENDING && tx_sender_in_flight(t.s));
        cr_expect_eq(fake_parent_calls(t.fake, "eth_sendRawTransaction"), 3u + (unsigned)i);
    }
    answer_receipt(&t, true);
    cr_assert_eq(tx_sender_wait(t.s, 0, &t.r, &t.ec), ERR_OK);
    cr_expect_eq(t.r.outcome, TX_OUTCOME_MINED);
    end(&t);
}

Test(tx_sender, dearer_copies_where_there_is_a_pool) {
    struct setup t;
    start(&t);
    cr_expect_eq(tx_sender_bump(t.s, &t.a, &t.tx, &t.ec), ERR_INVALID);
    cr_assert_eq(prepare(&t), ERR_OK);
    cr_assert_eq(submit(&t), ERR_OK);
    cr_expect_eq(tx_sender_bump(t.s, &t.a, &t.tx, &t.ec), ERR_UNSUPPORTED);
    end(&t);
    start_with(&t, (struct tx_sender_config){.tip_wei = u256_from_u64(1001)});
    cr_assert_eq(prepare(&t), ERR_OK);
    cr_assert_eq(submit(&t), ERR_OK);
    struct tx_signed first = t.tx;
    cr_assert_eq(tx_sender_bump(t.s, &t.a, &t.tx, &t.ec), ERR_OK);
    cr_expect(t.tx.nonce == first.nonce && !hash32_eq(&t.tx.hash, &first.hash));
    cr_expect_eq(u256_sat_u64(&t.tx.fee_cap_wei), 230001152u); /* 200001001 x 1.15, upward */
    cr_expect_eq(u256_sat_u64(&t.tx.tip_wei), 1152u);
    refuse(&t, "replacement transaction underpriced");
    cr_assert_eq(submit(&t), ERR_OK);
    cr_expect_eq(t.r.outcome, TX_OUTCOME_UNDERPRICED);
    cr_expect(tx_sender_in_flight(t.s), "the first copy is still out");
    fake_parent_answer(t.fake, "eth_sendRawTransaction", "\"result\":\"0x00\"");
    cr_assert_eq(submit(&t), ERR_OK);
    answer_receipt(&t, true);
    cr_assert_eq(tx_sender_wait(t.s, 0, &t.r, &t.ec), ERR_OK);
    cr_expect_eq(t.r.outcome, TX_OUTCOME_MINED);
    end(&t);
}

/* What a pool still holds of a nonce, whether or not it is waited for, is outbid once it is in the
 * way, and not without end. */
Test(tx_sender, outbids_what_it_forgot) {
    struct setup t;
    start_with(&t, (struct tx_sender_config){.tip_wei = u256_from_u64(1001)});
    cr_assert_eq(prepare(&t), ERR_OK);
    cr_assert_eq(submit(&t), ERR_OK);
    tx_sender_forget(t.s);
    cr_assert_eq(prepare(&t), ERR_OK);
    cr_expect_eq(u256_sat_u64(&t.tx.tip_wei), 1001u, "nothing is in the way");
    refuse(&t, "replacement transaction underpriced");
    cr_assert_eq(submit(&t), ERR_OK);
    cr_expect_eq(t.r.outcome, TX_OUTCOME_UNDERPRICED);
    cr_assert_eq(prepare(&t), ERR_OK);
    cr_expect_eq(u256_sat_u64(&t.tx.fee_cap_wei), 230001152u);
    cr_expect_eq(u256_sat_u64(&t.tx.tip_wei), 1152u);
    fake_parent_answer(t.fake, "eth_sendRawTransaction", "\"result\":\"0x00\"");
    cr_assert_eq(submit(&t), ERR_OK);
    cr_expect_eq(t.r.outcome, TX_OUTCOME_PENDING);
    tx_sender_forget(t.s);

    refuse(&t, "replacement transaction underpriced");
    for (int i = 0; i < 3 * TX_SENDER_BUMPS_MAX; i++) {
        cr_assert_eq(prepare(&t), ERR_OK);
        cr_expect_leq(u256_sat_u64(&t.tx.tip_wei), 3100u, "1001 x 1.15^8: %d", i);
        cr_assert_eq(submit(&t), ERR_OK);
    }
    fake_parent_answer(t.fake, "eth_getTransactionCount", "\"result\":\"0x6\"");
    cr_assert_eq(prepare(&t), ERR_OK);
    cr_expect_eq(u256_sat_u64(&t.tx.tip_wei), 1001u, "another nonce");
    end(&t);
}

/* Also what an earlier run sent; and never over the cap; and on Arbitrum there is no pool. */
Test(tx_sender, outbids_what_it_adopted) {
    struct setup t;
    start_with(&t, (struct tx_sender_config){.tip_wei = u256_from_u64(1001),
                                             .fee_cap_max_wei = u256_from_u64(240000000)});
    cr_assert_eq(prepare(&t), ERR_OK);
    struct tx_signed again;
    cr_assert_eq(tx_sender_adopt(t.s, &t.a, &again, t.tx.raw, &t.ec), ERR_OK);
    refuse(&t, "replacement transaction underpriced");
    cr_assert_eq(tx_sender_submit(t.s, &again, &t.r, &t.ec), ERR_OK);
    cr_assert_eq(prepare(&t), ERR_OK);
    cr_expect_eq(u256_sat_u64(&t.tx.tip_wei), 1152u);
    cr_assert_eq(submit(&t), ERR_OK);
    cr_expect_eq(prepare(&t), ERR_TOO_LARGE);
    end(&t);
    start(&t);
    cr_assert_eq(prepare(&t), ERR_OK);
    refuse(&t, "max fee per gas less than block base fee");
    cr_assert_eq(submit(&t), ERR_OK);
    cr_assert_eq(prepare(&t), ERR_OK);
    cr_expect_eq(u256_sat_u64(&t.tx.fee_cap_wei), 200000000u);
    end(&t);
}

Test(tx_sender, ladder) {
    static const uint64_t minutes[] = {5, 10, 20, 30, 60, 120, 180};
    for (unsigned i = 0; i < ARRAY_LEN(minutes); i++)
        cr_expect_eq(tx_sender_bump_after_s(i), minutes[i] * 60, "%u", i);
}
