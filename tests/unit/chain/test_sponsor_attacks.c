/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: ways to make a universe pay for what it did not agree to, tried. */
#include "chain/retryable.h"
#include "tests/lib/chain/universe_fixture.h"

#include <criterion/criterion.h>

#define PRICE UINT64_C(10000000)
enum { FEE = FIXTURE_L1_BASE_FEE * RETRYABLE_SUBMISSION_GAS };
static const addr20 REFUND = {{0x4e}}, BENEFICIARY = {{0xbe}};
static const uint8_t stop[] = {0x00};

/* Calls ArbRetryableTx with its calldata, and stores the outcome (1 or 2) in slot 0. */
static const uint8_t redeemer[] = {0x36, 0x5f, 0x5f, 0x37, 0x5f, 0x5f, 0x36, 0x5f, 0x5f, 0x60,
                                   0x6e, 0x5a, 0xf1, 0x15, 0x60, 0x01, 0x01, 0x5f, 0x55, 0x00};

static struct fixture f;

static void setup(void) {
    fixture_init(&f, &universe_options);
}

static void teardown(void) {
    fixture_clear(&f);
}

TestSuite(sponsor_attacks, .init = setup, .fini = teardown);

static struct derived_block submit(const addr20 *to, uint64_t gas) {
    struct fixture_ticket t = {.deposit = W(10 * FEE + gas * PRICE),
                               .max_submission = W(10 * FEE),
                               .max_fee = W(PRICE),
                               .gas = gas,
                               .refund_to = REFUND,
                               .beneficiary = BENEFICIARY,
                               .to = *to};
    struct message m = fixture_submit_message(&f, &t);
    struct derived_block b;
    cr_assert_eq(fixture_message(&f, &b, &m, NULL), ERR_OK);
    cr_assert(b.tx_count >= 1 && b.txs[0].receipt.success);
    return b;
}

/* Donated gas would come back as ETH: a sponsored redeem reverts at any depth, and works for who
 * pays for it. */
Test(sponsor_attacks, redeem) {
    static const addr20 target = {{0x99}};
    uint64_t id;
    addr20 a = make_contract(&f, 1, &id, bytes_of(redeemer, sizeof redeemer));
    make_sponsor(&f, 1, id, NULL, ETHER);
    hash32 ticket = submit(&target, 0).txs[0].tx.hash;
    bytes redeem = abi_call(&f, "redeem(bytes32)", WORDS(u256_from_be32(ticket.b)));
    add_target(&f, 1, id, &a, redeem);
    struct world *w = chain_world(f.main.chain);
    struct tx *t = free_tx(&f, 2, &a, redeem, 400000);
    struct derived_block b;
    cr_assert_eq(fixture_block(&f, &b, &t, 1, 1, NULL), ERR_OK);
    cr_assert(b.txs[0].result.charge.sponsored && b.txs[0].receipt.success);
    cr_assert(b.tx_count == 1 && b.txs[0].receipt.log_count == 0);
    cr_assert_eq(world_storage(w, &a, &U256_ZERO).w[0], 2); /* the call failed */
    cr_assert(retryable_exists(w, &ticket, f.head.timestamp));
    /* The same transaction when the universe does not pay. */
    registry_ok(&f, 1, 0, "clearLists(uint64)", WORDS(W(id)));
    t = fixture_tx(&f, 2, &a, 0, redeem, 400000);
    cr_assert_eq(fixture_block(&f, &b, &t, 1, 1, NULL), ERR_OK);
    cr_assert(!b.txs[0].result.charge.sponsored && b.tx_count == 2);
    cr_assert_eq(world_storage(w, &a, &U256_ZERO).w[0], 1);
}

/* Retries are paid for by who scheduled them: no policy is asked. */
Test(sponsor_attacks, retry) {
    uint64_t id;
    addr20 a = make_sponsored(&f, 1, &id, bytes_of(stop, 1), ETHER);
    u256 before = gas_account(&f, id);
    struct derived_block b = submit(&a, 50000);
    cr_assert(b.tx_count == 2 && b.txs[1].tx.type == TX_RETRY && b.txs[1].receipt.success);
    cr_assert(!b.txs[1].result.charge.sponsored && !b.txs[1].receipt.sponsored);
    u256 after = gas_account(&f, id);
    cr_assert(u256_eq(&before, &after));
    cr_assert_eq(registry_view(&f, 2, "budget(uint64)", WORDS(W(id))).w[0], 0);
    /* To a paused universe: status 0, the intrinsic gas, the rest back, the ticket stays. */
    registry_ok(&f, 1, 0, "setPaused(uint64,bool)", WORDS(W(id), W(1)));
    u256 refunded = fixture_balance(&f, &REFUND);
    b = submit(&a, 50000);
    cr_assert(b.tx_count == 2 && !b.txs[1].receipt.success);
    cr_assert_eq(b.txs[1].receipt.gas_used, 21000);
    cr_assert(retryable_exists(chain_world(f.main.chain), &b.txs[0].tx.hash, f.head.timestamp));
    u256 now = fixture_balance(&f, &REFUND);
    cr_assert_eq(now.w[0] - refunded.w[0], 9 * FEE + (50000 - 21000) * PRICE);
}

/* What the parent passes on: the same rule, so a quota of URLs is none of consensus. */
Test(sponsor_attacks, unsigned_from_the_parent) {
    uint64_t id;
    addr20 a = make_sponsored(&f, 1, &id, bytes_of(stop, 1), ETHER);
    for (uint8_t i = 0; i < 4; i++) {
        uint8_t kind = i % 2;
        bool paused = i >= 2;
        if (i == 2)
            registry_ok(&f, 1, 0, "setPaused(uint64,bool)", WORDS(W(id), W(1)));
        struct buf data;
        buf_init(&data, 1 << 12);
        buf_append_byte(&data, kind); /* L2 kind 0 has a nonce, 1 has none */
        u256 words[] = {W(60000), W(0), W(paused ? 1 : 0), A(a), W(0)};
        for (size_t k = 0; k < ARRAY_LEN(words); k++) {
            uint8_t be[32];
            u256_to_be32(be, &words[k]);
            if (k != 2 || kind == 0)
                buf_append(&data, be, sizeof be);
        }
        struct message m = fixture_delayed_message(&f, MESSAGE_L2, buf_bytes(&data));
        struct derived_block b;
        cr_assert_eq(fixture_message(&f, &b, &m, NULL), ERR_OK);
        cr_assert_eq(b.tx_count, paused ? 0 : 1, "L2 kind %u", kind);
        buf_clear(&data);
        if (paused)
            continue;
        cr_assert(b.txs[0].result.charge.sponsored && b.txs[0].receipt.success);
        cr_assert_eq(b.txs[0].receipt.universe, id);
    }
}

/* What no rule lets in costs the universe nothing, whatever it costs to look at. */
Test(sponsor_attacks, refused_costs_nothing) {
    uint64_t id;
    addr20 a = make_sponsored(&f, 1, &id, bytes_of(stop, 1), ETHER);
    u256 before = gas_account(&f, id);
    static uint8_t fat[5000];
    struct tx *t = free_tx(&f, 2, &a, bytes_of(fat, sizeof fat), 1000000);
    cr_expect_eq(verdict_of(&f, t), TX_FEE_CAP_TOO_LOW);
    f.nonces[2]--;
    struct tx_authorization u = {.chain_id = W(FIXTURE_CHAIN_ID), .nonce = f.nonces[3]};
    cr_assert_eq(tx_sign_authorization(&u, f.keys[3]), ERR_OK);
    struct tx s = {.type = TX_SET_CODE, .nonce = f.nonces[2], .gas_limit = 100000, .to = a};
    s.auths = &u;
    s.auth_count = 1;
    fixture_sign(&f, &s, 2);
    cr_expect_eq(verdict_of(&f, &s), TX_FEE_CAP_TOO_LOW);
    struct tx_access access = {.addr = {{1}}};
    struct tx l = {.type = TX_ACCESS_LIST, .nonce = f.nonces[2], .gas_limit = 100000, .to = a};
    l.access = &access;
    l.access_count = 1;
    fixture_sign(&f, &l, 2);
    cr_expect_eq(verdict_of(&f, &l), TX_FEE_CAP_TOO_LOW);
    /* Checks that no sponsor waives. */
    t = free_tx(&f, 2, &a, bytes_of(NULL, 0), 20999);
    cr_expect_eq(verdict_of(&f, t), TX_INTRINSIC_GAS);
    t->gas_limit = 50000;
    t->max_priority_fee = W(1);
    fixture_sign(&f, t, 2);
    cr_expect_eq(verdict_of(&f, t), TX_TIP_ABOVE_FEE_CAP);
    t->max_priority_fee = W(0);
    t->nonce++;
    fixture_sign(&f, t, 2);
    cr_expect_eq(verdict_of(&f, t), TX_NONCE_TOO_HIGH);
    u256 after = gas_account(&f, id);
    cr_assert(u256_eq(&before, &after));
}
