/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: eth_call and estimates run in the right block's context, free of charge, from any sender,
 * and leave nothing behind. */
#include "chain/derive_internal.h"
#include "chain/system_state.h"
#include "tests/lib/chain/l3_fixture.h"

#include <criterion/criterion.h>

static const struct fixture_options plain = {0};
static const addr20 BOB = {{0xb0, 0xb0}};
/* BASEFEE, GASPRICE, NUMBER, TIMESTAMP, CALLER and a stored counter, as six words:
 * each is pushed and stored at 32 i; then SLOAD(0) + 1 is stored. */
static const uint8_t report[] = {
    0x48, 0x5f, 0x52, 0x3a, 0x60, 0x20, 0x52, 0x43, 0x60, 0x40, 0x52, 0x42,
    0x60, 0x60, 0x52, 0x33, 0x60, 0x80, 0x52, 0x5f, 0x54, 0x80, 0x60, 0xa0,
    0x52, 0x60, 0x01, 0x01, 0x5f, 0x55, 0x60, 0xc0, 0x5f, 0xf3,
};
enum { REPORT_LEN = sizeof report };

/* Deploys code: PUSH1 len, PUSH1 from, PUSH0 CODECOPY, PUSH1 len PUSH0 RETURN. */
static addr20 deploy(struct fixture *f, const uint8_t *code, size_t len) {
    uint8_t init[9 + 200] = {0x60, (uint8_t)len, 0x60, 0x09, 0x5f, 0x39, 0x60, (uint8_t)len, 0x5f};
    init[9] = 0xf3;
    init[3] = 10;
    memcpy(init + 10, code, len);
    struct derived_tx d =
        fixture_run(f, fixture_tx(f, 0, NULL, 0, bytes_of(init, 10 + len), 500000));
    cr_assert(d.receipt.success);
    return d.result.created;
}

static uint64_t word(const struct call_result *r, size_t i) {
    cr_assert_eq(r->output.len, 192);
    u256 v = u256_from_be32(r->output.ptr + 32 * i);
    return v.w[0];
}

Test(derive_call, contexts_and_charges) {
    struct fixture f;
    fixture_init(&f, &plain);
    addr20 at = deploy(&f, report, REPORT_LEN);
    addr20 poor = {{0x90, 0x07}};
    struct call_request q = {.tx = {.type = TX_DYNAMIC_FEE,
                                    .sender = poor,
                                    .has_sender = true,
                                    .to = at,
                                    .gas_limit = 1000000}};
    struct call_result r;
    u256 before = fixture_balance(&f, &FIXTURE_FEE_ACCOUNT);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &f.head, &q, NULL), ERR_OK);
        cr_assert(r.verdict == TX_OK && r.status == EVM_SUCCESS);
        cr_assert(word(&r, 0) == 0 && word(&r, 1) == 0);
        cr_assert(word(&r, 2) == f.head.number && word(&r, 3) == f.head.timestamp);
        cr_assert_eq(word(&r, 5), 0); /* the first call's write is gone */
        cr_assert(r.gas_used > 21000 + 22100);
    }
    u256 after = fixture_balance(&f, &FIXTURE_FEE_ACCOUNT);
    cr_assert(u256_eq(&before, &after));
    /* The estimate is what the transaction then uses. */
    struct derived_tx d = fixture_run(&f, fixture_tx(&f, 1, &at, 0, bytes_of(NULL, 0), 1000000));
    cr_assert_eq(d.receipt.gas_used, r.gas_used);
    /* The next block, with its own time. */
    q.pending = true;
    q.timestamp = f.head.timestamp + 40;
    cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &f.head, &q, NULL), ERR_OK);
    cr_assert(word(&r, 2) == f.head.number + 1 && word(&r, 3) == f.head.timestamp + 40 &&
              word(&r, 5) == 1);
    q.timestamp = 3;
    cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &f.head, &q, NULL), ERR_OK);
    cr_assert_eq(word(&r, 3), f.head.timestamp);
    /* With a price: it must reach P and be covered. */
    q.tx.max_fee = u256_from_u64(9999999);
    cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &f.head, &q, NULL), ERR_OK);
    cr_assert_eq(r.verdict, TX_FEE_CAP_TOO_LOW);
    q.tx.max_fee = u256_from_u64(30000000);
    cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &f.head, &q, NULL), ERR_OK);
    cr_assert_eq(r.verdict, TX_INSUFFICIENT_FUNDS);
    q.tx.sender = f.addrs[2];
    cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &f.head, &q, NULL), ERR_OK);
    cr_assert(r.verdict == TX_OK && word(&r, 0) == 10000000 && word(&r, 1) == 10000000);
    /* The chain goes on as if nothing had been called. */
    (void)fixture_run(&f, fixture_tx(&f, 0, &BOB, 1, bytes_of(NULL, 0), 21000));
    fixture_clear(&f);
}

Test(derive_call, from_contracts_and_refusals) {
    struct fixture f;
    fixture_init(&f, &plain);
    addr20 at = deploy(&f, report, REPORT_LEN);
    struct call_request q = {
        .tx = {
            .type = TX_LEGACY, .sender = at, .has_sender = true, .to = at, .gas_limit = 90000000}};
    struct call_result r;
    cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &f.head, &q, NULL), ERR_OK);
    cr_assert(r.verdict == TX_OK &&
              r.status == EVM_SUCCESS); /* a sender with code, above EIP-7825's cap */
    q.tx.value = U256_ONE;
    cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &f.head, &q, NULL), ERR_OK);
    cr_assert_eq(r.verdict, TX_INSUFFICIENT_FUNDS);
    q.tx.value = U256_ZERO;
    q.tx.gas_limit = 20000;
    cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &f.head, &q, NULL), ERR_OK);
    cr_assert_eq(r.verdict, TX_INTRINSIC_GAS);
    /* A revert with data, and a creation. */
    q.tx.gas_limit = 100000;
    q.tx.is_create = true;
    static const uint8_t reverts[] = {0x60, 0x2a, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xfd};
    q.tx.data = bytes_of(reverts, sizeof reverts);
    cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &f.head, &q, NULL), ERR_OK);
    cr_assert(r.status == EVM_REVERT && r.output.len == 32 && r.output.ptr[31] == 0x2a);
    q.tx.data = bytes_of("\x5f\x5f\xf3", 3);
    cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &f.head, &q, NULL), ERR_OK);
    cr_assert(r.status == EVM_SUCCESS);
    fixture_clear(&f);
}

static void count_step(void *ctx, const struct evm_step *s) {
    (void)s;
    ++*(size_t *)ctx;
}

Test(derive_call, tracer) {
    struct fixture f;
    fixture_init(&f, &plain);
    addr20 at = deploy(&f, report, REPORT_LEN);
    size_t steps = 0;
    const struct evm_tracer t = {.ctx = &steps, .on_step = count_step};
    struct call_request q = {
        .tx = {.type = TX_LEGACY, .sender = at, .has_sender = true, .to = at, .gas_limit = 100000},
        .tracer = &t};
    struct call_result r;
    cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &f.head, &q, NULL), ERR_OK);
    cr_assert_eq(steps, 27);
    fixture_clear(&f);
}
