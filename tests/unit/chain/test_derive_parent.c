/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: deposits, submissions of tickets and batch reports, branch by branch, by the balances that
 * they leave; each block is derived again on a twin in the other tier, and its supply is checked.
 */
#include "chain/parent_tx.h"
#include "chain/retryable.h"
#include "chain/system_state.h"
#include "tests/lib/chain/l3_fixture.h"

#include <criterion/criterion.h>

static const struct fixture_options plain = {0};
static const addr20 BOB = {{0xb0, 0xb0}}, REFUND = {{0x4e}}, BENEFICIARY = {{0xbe}};
#define P UINT64_C(10000000)

static uint64_t balance(struct fixture *f, const addr20 *a) {
    u256 v = fixture_balance(f, a);
    cr_assert(u256_fits_u64(&v));
    return v.w[0];
}

static struct fixture_ticket ticket(uint64_t value, uint64_t deposit, uint64_t max_submission,
                                    uint64_t gas, uint64_t max_fee) {
    return (struct fixture_ticket){.to = BOB,
                                   .value = u256_from_u64(value),
                                   .deposit = u256_from_u64(deposit),
                                   .max_submission = u256_from_u64(max_submission),
                                   .max_fee = u256_from_u64(max_fee),
                                   .gas = gas,
                                   .refund_to = REFUND,
                                   .beneficiary = BENEFICIARY};
}

static struct derived_block run(struct fixture *f, const struct message *m) {
    struct derived_block b;
    cr_assert_eq(fixture_message(f, &b, m, NULL), ERR_OK);
    return b;
}

static struct derived_block submit(struct fixture *f, const struct fixture_ticket *t) {
    struct message m = fixture_submit_message(f, t);
    return run(f, &m);
}

enum { FEE = FIXTURE_L1_BASE_FEE * RETRYABLE_SUBMISSION_GAS /* without calldata */ };

static bool exists(struct fixture *f, const hash32 *id) {
    return retryable_exists(chain_world(f->main.chain), id, f->head.timestamp);
}

/* Balance below maxSubmissionFee: status 0, the deposit stays with the sender. */
Test(derive_parent, submission_too_poor) {
    struct fixture f;
    fixture_init(&f, &plain);
    struct fixture_ticket t = ticket(0, FEE + 9, FEE + 10, 0, 0);
    struct derived_block b = submit(&f, &t);
    cr_assert(b.tx_count == 1 && !b.txs[0].receipt.success && b.txs[0].receipt.log_count == 0);
    cr_assert(b.header.gas_used == 0 && b.txs[0].receipt.gas_used == 0);
    cr_assert(!b.txs[0].receipt.has_contract_addr);
    cr_assert_eq(balance(&f, &FIXTURE_PARENT_SENDER), FEE + 9);
    cr_assert(!exists(&f, &b.txs[0].tx.hash));
    fixture_clear(&f);
}

Test(derive_parent, submission_fee_above_its_maximum) {
    struct fixture f;
    fixture_init(&f, &plain);
    struct fixture_ticket t = ticket(0, 5 * FEE, FEE - 1, 0, 0);
    struct derived_block b = submit(&f, &t);
    cr_assert(!b.txs[0].receipt.success);
    cr_assert_eq(balance(&f, &FIXTURE_PARENT_SENDER), 5 * FEE);
    /* calldata costs 6 gas a byte */
    t = ticket(0, 5 * FEE, FEE + 6 * FIXTURE_L1_BASE_FEE - 1, 0, 0);
    t.data = bytes_of("x", 1);
    b = submit(&f, &t);
    cr_assert(!b.txs[0].receipt.success);
    t.max_submission = u256_from_u64(FEE + 6 * FIXTURE_L1_BASE_FEE);
    b = submit(&f, &t);
    cr_assert(b.txs[0].receipt.success);
    /* a product beyond 256 bits is too much as well */
    struct message m = fixture_submit_message(&f, &t);
    m.base_fee_l1 = U256_MAX;
    b = run(&f, &m);
    cr_assert(!b.txs[0].receipt.success);
    fixture_clear(&f);
}

/* The value is not there: the fee comes back, the part of it that the deposit paid to the refund
 * address. */
Test(derive_parent, submission_value_missing) {
    struct fixture f;
    fixture_init(&f, &plain);
    struct fixture_ticket t = ticket(1000, FEE + 500, FEE, 0, 0);
    struct derived_block b = submit(&f, &t);
    cr_assert(!b.txs[0].receipt.success && b.txs[0].receipt.log_count == 0);
    /* availableRefund = FEE + 500 - 1000; all of it was withheld for the fee */
    cr_assert_eq(balance(&f, &REFUND), FEE - 500);
    cr_assert_eq(balance(&f, &FIXTURE_PARENT_SENDER), 1000);
    cr_assert_eq(balance(&f, &FIXTURE_FEE_ACCOUNT), 0);
    cr_assert(!exists(&f, &b.txs[0].tx.hash));
    fixture_clear(&f);
}

/* No gas: the ticket stands, excess fee and value are where they belong. */
Test(derive_parent, submission_without_redeem) {
    static const struct {
        uint64_t gas, max_fee, extra, back;
    } cases[] = {
        {0, 0, 0, 0},                                     /* none asked for */
        {20999, P, 20999 * P, 20999 * P},                 /* below 21,000 */
        {21000, P - 1, 21000 * (P - 1), 21000 * (P - 1)}, /* bid below P */
        {21000, P, 21000 * P - 1, 21000 * P - 1},         /* not covered */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        fixture_init(&f, &plain);
        struct fixture_ticket t =
            ticket(700, 700 + FEE + 30 + cases[i].extra, FEE + 30, cases[i].gas, cases[i].max_fee);
        struct derived_block b = submit(&f, &t);
        cr_assert(b.tx_count == 1 && b.txs[0].receipt.success, "%zu", i);
        cr_assert(b.txs[0].receipt.log_count == 1 && b.header.gas_used == 0);
        hash32 id = b.txs[0].tx.hash;
        addr20 escrow = retryable_escrow(&id);
        cr_expect_eq(balance(&f, &escrow), 700);
        cr_expect_eq(balance(&f, &FIXTURE_FEE_ACCOUNT), FEE);
        cr_expect_eq(balance(&f, &REFUND), 30 + cases[i].back, "%zu", i);
        cr_expect_eq(balance(&f, &FIXTURE_PARENT_SENDER), 0);
        cr_assert(exists(&f, &id));
        struct world *w = chain_world(f.main.chain);
        u256 key = u256_from_be32(id.b);
        cr_expect_eq(sys_get_u64(w, SYS_TICKET_TIMEOUT, &key), f.head.timestamp + 604800);
        cr_expect_eq(sys_get_u64(w, SYS_TICKET_TRIES, &key), 0);
        fixture_clear(&f);
    }
}

/* Refunds never exceed the deposit: the sender's own money pays and is not given away. */
Test(derive_parent, refunds_are_limited_by_the_deposit) {
    struct fixture f;
    fixture_init(&f, &plain);
    uint8_t data[52] = {0};
    memcpy(data, FIXTURE_PARENT_SENDER.b, 20);
    be64_store(data + 44, 1000000);
    struct message m = fixture_delayed_message(&f, MESSAGE_ETH_DEPOSIT, bytes_of(data, 52));
    (void)run(&f, &m);
    struct fixture_ticket t = ticket(0, 0, FEE + 100, 20000, 5);
    struct derived_block b = submit(&f, &t);
    cr_assert(b.txs[0].receipt.success);
    cr_assert_eq(balance(&f, &REFUND), 0);
    cr_assert_eq(balance(&f, &FIXTURE_PARENT_SENDER), 1000000 - FEE);
    fixture_clear(&f);
}

/* Auto-redeem: both transactions in one block, the gas counted once, money where it belongs. */
Test(derive_parent, auto_redeem) {
    struct fixture f;
    fixture_init(&f, &plain);
    uint64_t gas = 50000, bid = P + 3;
    struct fixture_ticket t = ticket(700, 700 + FEE + 30 + gas * bid + 11, FEE + 30, gas, bid);
    struct derived_block b = submit(&f, &t);
    cr_assert_eq(b.tx_count, 2);
    const struct derived_tx *s = &b.txs[0], *r = &b.txs[1];
    cr_assert(s->receipt.success && r->receipt.success && r->tx.type == TX_RETRY);
    cr_assert(s->receipt.type == TX_SUBMIT_RETRYABLE && r->receipt.type == TX_RETRY);
    cr_assert(s->receipt.gas_used == gas && r->receipt.gas_used == 21000);
    cr_assert(b.header.gas_used == 21000 && s->receipt.cumulative_gas_used == 0);
    cr_assert(s->receipt.effective_gas_price.w[0] == P && r->receipt.effective_gas_price.w[0] == P);
    cr_assert_eq(s->receipt.log_count, 2);
    cr_assert(hash32_eq(&s->receipt.logs[1].topics[1], &s->tx.hash) &&
              hash32_eq(&s->receipt.logs[1].topics[2], &r->tx.hash));
    cr_assert(r->tx.nonce == 0 && addr20_eq(&r->tx.sender, &FIXTURE_PARENT_SENDER) &&
              addr20_eq(&r->tx.parent.refund_to, &REFUND));
    cr_expect_eq(balance(&f, &BOB), 700);
    /* success: the submission fee comes back too, and what was bid above P */
    cr_expect_eq(balance(&f, &FIXTURE_FEE_ACCOUNT), 21000 * P);
    cr_expect_eq(balance(&f, &REFUND), 30 + FEE + gas * 3 + (gas - 21000) * P);
    cr_expect_eq(balance(&f, &FIXTURE_PARENT_SENDER), 11);
    addr20 escrow = retryable_escrow(&s->tx.hash);
    cr_expect_eq(balance(&f, &escrow), 0);
    cr_expect(!exists(&f, &s->tx.hash));
    struct world *w = chain_world(f.main.chain);
    cr_expect_eq(sys_get_u64(w, SYS_GAS_BACKLOG, NULL), 21000);
    cr_expect_eq(world_nonce(w, &FIXTURE_PARENT_SENDER), 1);
    struct tx stored;
    cr_assert_eq(tx_decode_stored(&stored, &f.arena, r->tx.raw, NULL, NULL), ERR_OK);
    cr_expect(hash32_eq(&stored.hash, &r->tx.hash));
    fixture_clear(&f);
}

/* More gas than a transaction may use: what is beyond comes back with the bid's excess. */
Test(derive_parent, gas_above_the_cap_is_refunded) {
    struct fixture f;
    fixture_init(&f, &plain);
    uint64_t gas = TX_PARENT_GAS_MAX + 1000, bid = P + 1;
    struct fixture_ticket t = ticket(0, FEE + gas * bid, FEE, gas, bid);
    struct derived_block b = submit(&f, &t);
    cr_assert_eq(b.tx_count, 2);
    cr_assert(b.txs[0].receipt.gas_used == TX_PARENT_GAS_MAX &&
              b.txs[1].tx.gas_limit == TX_PARENT_GAS_MAX &&
              b.txs[1].tx.parent.gas == TX_PARENT_GAS_MAX);
    cr_assert(b.txs[0].tx.parent.gas == gas && b.header.gas_used == 21000);
    cr_expect_eq(balance(&f, &REFUND), FEE + gas * bid - 21000 * P);
    cr_expect_eq(balance(&f, &FIXTURE_PARENT_SENDER), 0);
    fixture_clear(&f);
}

/* Kind 7: the sender is funded and acts at once, as itself with a nonce or as a contract. */
static struct message funded(struct fixture *f, uint8_t l2_kind, uint64_t nonce, uint64_t gas,
                             uint64_t value) {
    uint8_t *p = arena_zalloc(&f->arena, 161);
    p[0] = l2_kind;
    be64_store(p + 1 + 24, gas);
    be64_store(p + 1 + 56, P);
    size_t at = 1 + 64;
    if (l2_kind == L2_UNSIGNED_USER_TX) {
        be64_store(p + at + 24, nonce);
        at += 32;
    }
    memcpy(p + at + 12, BOB.b, 20);
    be64_store(p + at + 56, value);
    return fixture_delayed_message(f, MESSAGE_L2_FUNDED_BY_L1, bytes_of(p, at + 64));
}

Test(derive_parent, funded_by_the_parent) {
    struct fixture f;
    fixture_init(&f, &plain);
    /* the deposit covers the value, not the gas: it stands alone */
    struct message m = funded(&f, L2_UNSIGNED_USER_TX, 0, 21000, 500);
    struct derived_block b = run(&f, &m);
    cr_assert(b.tx_count == 1 && b.txs[0].tx.type == TX_DEPOSIT);
    cr_assert(addr20_is_zero(&b.txs[0].tx.sender));
    cr_assert_eq(balance(&f, &m.sender), 500);
    uint8_t data[52] = {0};
    memcpy(data, m.sender.b, 20);
    be64_store(data + 44, 4 * 21000 * P);
    struct message d = fixture_delayed_message(&f, MESSAGE_ETH_DEPOSIT, bytes_of(data, 52));
    (void)run(&f, &d);
    m = funded(&f, L2_UNSIGNED_USER_TX, 0, 21000, 500);
    b = run(&f, &m);
    cr_assert(b.tx_count == 2 && b.txs[1].tx.type == TX_UNSIGNED && b.txs[1].receipt.success);
    cr_assert(balance(&f, &BOB) == 500 && b.header.gas_used == 21000);
    m = funded(&f, L2_UNSIGNED_USER_TX, 0, 21000, 500); /* the nonce is used now */
    b = run(&f, &m);
    cr_assert_eq(b.tx_count, 1);
    m = funded(&f, L2_CONTRACT_TX, 0, 21000, 600);
    b = run(&f, &m);
    cr_assert(b.tx_count == 2 && b.txs[1].tx.type == TX_CONTRACT && b.txs[1].receipt.success);
    cr_assert_eq(balance(&f, &BOB), 1100);
    hash32 one = message_nested_id(&m.request_id, 1);
    cr_assert(hash32_eq(&b.txs[1].tx.parent.request_id, &one));
    m = funded(&f, L2_SIGNED_TX, 0, 21000, 1); /* no such form */
    b = run(&f, &m);
    cr_assert_eq(b.tx_count, 0);
    fixture_clear(&f);
}

/* Unsigned items: the sender is the message's; gas above 2^24 counts as 2^24; a contract's have no
 * nonce, and may come from an account with code. */
Test(derive_parent, unsigned_items) {
    struct fixture f;
    fixture_init(&f, &plain);
    struct message m = funded(&f, L2_UNSIGNED_USER_TX, 0, UINT64_C(1) << 40, 5);
    m.kind = MESSAGE_L2;
    m.sender = f.addrs[0];
    struct derived_block b = run(&f, &m);
    cr_assert(b.tx_count == 1 && b.txs[0].receipt.success && b.txs[0].receipt.gas_used == 21000);
    cr_assert(b.txs[0].tx.gas_limit == TX_PARENT_GAS_MAX && b.txs[0].tx.parent.gas == UINT64_C(1)
                                                                                          << 40);
    cr_assert(addr20_eq(&b.txs[0].tx.sender, &f.addrs[0]));
    m = funded(&f, L2_UNSIGNED_USER_TX, 3, 21000, 5); /* nonce too high */
    m.kind = MESSAGE_L2;
    m.sender = f.addrs[0];
    b = run(&f, &m);
    cr_assert_eq(b.tx_count, 0);
    m = funded(&f, L2_CONTRACT_TX, 0, 21000, 5);
    m.kind = MESSAGE_L2;
    m.sender = f.addrs[0];
    b = run(&f, &m);
    cr_assert(b.tx_count == 1 && b.txs[0].receipt.success);
    cr_assert_eq(balance(&f, &BOB), 10);
    m.has_request_id = false; /* only the parent may speak for a contract */
    b = run(&f, &m);
    cr_assert_eq(b.tx_count, 0);
    fixture_clear(&f);
}

/* --- reports ------------------------------------------------------------------------------- */

static struct message report(struct fixture *f, uint64_t gas_price, uint64_t length,
                             uint64_t nonzeros, uint64_t extra) {
    uint8_t *p = arena_zalloc(&f->arena, 156);
    be64_store(p + 84 + 24, 3);
    be64_store(p + 116 + 24, gas_price);
    be64_store(p + 148, extra);
    struct message m = fixture_delayed_message(f, MESSAGE_BATCH_POSTING_REPORT, bytes_of(p, 156));
    m.has_batch_stats = true;
    m.batch_length = length;
    m.batch_nonzeros = nonzeros;
    return m;
}

static void fill_samples(struct world *w) {
    u256 v = u256_from_u64(8000);
    sys_set(w, SYS_PARENT_WEI_PER_BYTE, NULL, &v);
    for (uint64_t i = 0; i < FEE_DATA_SAMPLES; i++) {
        u256 key = u256_from_u64(i);
        sys_set(w, SYS_DATA_SAMPLE, &key, &v);
    }
}

Test(derive_parent, reports_move_the_price_of_data) {
    struct fixture_options o = plain;
    o.setup = fill_samples;
    struct fixture f;
    fixture_init(&f, &o);
    struct world *w = chain_world(f.main.chain);
    /* 2,048 bytes, none zero: (16 x 2048 + 30 + 6 x 64) x 1000 / 2048 wei a byte */
    uint64_t sample = (16 * 2048 + 30 + 6 * 64) * UINT64_C(1000) / 2048;
    for (int i = 0; i < 8; i++) {
        struct message m = report(&f, 1000, 2048, 2048, 0);
        struct derived_block b = run(&f, &m);
        cr_assert(b.tx_count == 1 && b.txs[0].tx.type == TX_INTERNAL && b.txs[0].receipt.success);
        cr_assert(b.txs[0].receipt.gas_used == 0 && b.header.gas_used == 0 &&
                  u256_is_zero(&b.txs[0].receipt.effective_gas_price));
        u256 now = sys_get(w, SYS_PARENT_WEI_PER_BYTE, NULL);
        /* the lower median moves with the fifth sample, an eighth at a time */
        uint64_t want = i < 4 ? 8000 : i == 4 ? 9000 : i == 5 ? 10125 : i == 6 ? 11390 : 12813;
        cr_expect_eq(now.w[0], want, "%d: %llu", i, (unsigned long long)now.w[0]);
    }
    cr_assert(sample > 12813);
    u256 key = u256_from_u64(7);
    cr_expect_eq(sys_get(w, SYS_DATA_SAMPLE, &key).w[0], sample);
    cr_expect_eq(sys_get_u64(w, SYS_DATA_SAMPLE_NEXT, NULL), 0);
    /* A small batch says nothing, but its report is a transaction; without statistics it is none.
     */
    struct message m = report(&f, 1, 1023, 0, 0);
    struct derived_block b = run(&f, &m);
    cr_assert(b.tx_count == 1 && sys_get_u64(w, SYS_DATA_SAMPLE_NEXT, NULL) == 0);
    m.has_batch_stats = false;
    m.delayed_read++;
    b = run(&f, &m);
    cr_assert_eq(b.tx_count, 0);
    fixture_clear(&f);
}
