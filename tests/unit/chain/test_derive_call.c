/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: eth_call and estimates run in the right block's context, free of charge, from any sender,
 * and leave nothing behind; what is overridden is what they see.
 * Covers: derive_call.c overrides.c */
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
    /* After a burst the next block is cheaper: who knows the time may offer its price. */
    struct header dear = f.head;
    dear.base_fee = u256_from_u64(20000000);
    q.pending = false;
    q.tx.max_fee = u256_from_u64(15000000);
    q.timestamp = 0;
    cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &dear, &q, NULL), ERR_OK);
    cr_assert_eq(r.verdict, TX_FEE_CAP_TOO_LOW);
    q.timestamp = dear.timestamp;
    cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &dear, &q, NULL), ERR_OK);
    cr_assert(r.verdict == TX_OK && word(&r, 0) == 20000000);
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

struct count_steps {
    struct evm_tracer hooks;
    int ended;
};

static const struct evm_tracer *count_begin(void *ctx, struct exec *x, const struct tx *tx) {
    struct count_steps *s = ctx;
    cr_assert(x->world != NULL && tx->has_sender);
    return &s->hooks;
}

static bool count_end(void *ctx, struct exec *x, const struct tx *tx, enum tx_verdict v,
                      const struct tx_result *r) {
    struct count_steps *s = ctx;
    (void)x;
    (void)tx;
    cr_assert(v == TX_OK && r != NULL && r->output.len == 192);
    s->ended++;
    return true;
}

Test(derive_call, tracer) {
    struct fixture f;
    fixture_init(&f, &plain);
    addr20 at = deploy(&f, report, REPORT_LEN);
    size_t steps = 0;
    struct count_steps s = {.hooks = {.ctx = &steps, .on_step = count_step}};
    const struct exec_watch w = {.ctx = &s, .begin = count_begin, .end = count_end};
    struct call_request q = {
        .tx = {.type = TX_LEGACY, .sender = at, .has_sender = true, .to = at, .gas_limit = 100000},
        .watch = &w};
    struct call_result r;
    cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &f.head, &q, NULL), ERR_OK);
    cr_assert_eq(steps, 27);
    cr_assert_eq(s.ended, 1);
    fixture_clear(&f);
}

static struct call_result call_with(struct fixture *f, const addr20 *to,
                                    const struct call_overrides *o) {
    struct call_request q = {.tx = {.type = TX_LEGACY,
                                    .sender = BOB,
                                    .has_sender = true,
                                    .to = *to,
                                    .gas_limit = 1000000},
                             .overrides = o};
    struct call_result r;
    cr_assert_eq(chain_call(&r, f->main.chain, &f->arena, &f->head, &q, NULL), ERR_OK);
    cr_assert(r.verdict == TX_OK && r.status == EVM_SUCCESS);
    return r;
}

Test(derive_call, block_overrides) {
    struct fixture f;
    fixture_init(&f, &plain);
    addr20 at = deploy(&f, report, REPORT_LEN);
    struct call_overrides o = {.block = {.has_number = true,
                                         .number = 1234,
                                         .has_time = true,
                                         .time = 5678,
                                         .has_base_fee = true,
                                         .base_fee = {{99}}}};
    struct call_result r = call_with(&f, &at, &o);
    cr_assert(word(&r, 0) == 0 && word(&r, 2) == 1234 && word(&r, 3) == 5678);
    /* With a fee cap the overridden base fee is the one to reach and to see. */
    struct call_request q = {.tx = {.type = TX_DYNAMIC_FEE,
                                    .sender = f.addrs[0],
                                    .has_sender = true,
                                    .to = at,
                                    .gas_limit = 1000000},
                             .overrides = &o};
    q.tx.max_fee = u256_from_u64(98);
    cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &f.head, &q, NULL), ERR_OK);
    cr_assert_eq(r.verdict, TX_FEE_CAP_TOO_LOW);
    q.tx.max_fee = u256_from_u64(99);
    cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &f.head, &q, NULL), ERR_OK);
    cr_assert(r.verdict == TX_OK && word(&r, 0) == 99);
    /* COINBASE, GASLIMIT, PREVRANDAO, ArbSys.arbBlockNumber() */
    static const uint8_t code[] = {
        0x41, 0x5f, 0x52, 0x45, 0x60, 0x20, 0x52, 0x44, 0x60, 0x40, 0x52,       /* three words */
        0x63, 0xa3, 0xb1, 0xb3, 0x1d, 0x60, 0xe0, 0x1b, 0x60, 0x60, 0x52,       /* selector */
        0x60, 0x20, 0x60, 0x60, 0x60, 0x04, 0x60, 0x60, 0x60, 0x64, 0x5a, 0xfa, /* its answer */
        0x50, 0x60, 0xc0, 0x5f, 0xf3};
    const struct account_override acc = {
        .addr = {{7}}, .has_code = true, .code = bytes_of(code, sizeof code)};
    o.accounts = &acc;
    o.account_count = 1;
    o.block.has_coinbase = o.block.has_gas_limit = o.block.has_prevrandao = true;
    o.block.coinbase.b[19] = 0xcb;
    o.block.gas_limit = 777;
    o.block.prevrandao.b[31] = 0x5d;
    r = call_with(&f, &acc.addr, &o);
    cr_assert(word(&r, 0) == 0xcb && word(&r, 1) == 777 && word(&r, 2) == 0x5d);
    fixture_clear(&f);
}

/* SLOAD(0), SLOAD(1), SELFBALANCE, and the nonce as seen by the address of a creation. */
static const uint8_t probe[] = {0x5f, 0x54, 0x5f, 0x52, 0x60, 0x01, 0x54, 0x60, 0x20,
                                0x52, 0x47, 0x60, 0x40, 0x52, 0x5f, 0x5f, 0x5f, 0xf0,
                                0x60, 0x60, 0x52, 0x60, 0xc0, 0x5f, 0xf3};

Test(derive_call, state_overrides) {
    struct fixture f;
    fixture_init(&f, &plain);
    /* A contract that stores 5 at 0 and 6 at 1 when made; its code is `probe`. */
    uint8_t init[64] = {0x60,         0x05, 0x5f, 0x55, 0x60, 0x06, 0x60,         0x01, 0x55, 0x60,
                        sizeof probe, 0x60, 19,   0x5f, 0x39, 0x60, sizeof probe, 0x5f, 0xf3};
    memcpy(init + 19, probe, sizeof probe);
    struct derived_tx d =
        fixture_run(&f, fixture_tx(&f, 0, NULL, 0, bytes_of(init, 19 + sizeof probe), 500000));
    cr_assert(d.receipt.success);
    addr20 at = d.result.created;

    struct call_result r = call_with(&f, &at, NULL);
    cr_assert(word(&r, 0) == 5 && word(&r, 1) == 6 && word(&r, 2) == 0);
    u256 child = u256_from_be32(r.output.ptr + 96);

    const struct slot_override slot = {.slot = {{1}}, .value = {{44}}};
    struct account_override acc = {
        .addr = at, .storage = STORAGE_PATCHED, .slots = &slot, .slot_count = 1};
    struct call_overrides o = {.accounts = &acc, .account_count = 1};
    r = call_with(&f, &at, &o);
    cr_assert(word(&r, 0) == 5 && word(&r, 1) == 44);
    u256 same = u256_from_be32(r.output.ptr + 96);
    cr_assert(u256_eq(&child, &same));

    acc.storage = STORAGE_REPLACED;
    acc.has_balance = true;
    acc.balance = u256_from_u64(123);
    r = call_with(&f, &at, &o);
    cr_assert(word(&r, 0) == 0 && word(&r, 1) == 44 && word(&r, 2) == 123);
    same = u256_from_be32(r.output.ptr + 96);
    cr_assert(u256_eq(&child, &same)); /* the nonce is as it was */

    acc.has_nonce = true;
    acc.nonce = 9;
    r = call_with(&f, &at, &o);
    addr20 want;
    evm_create_address(&want, &at, 9);
    same = u256_from_addr(&want);
    child = u256_from_be32(r.output.ptr + 96);
    cr_assert(u256_eq(&child, &same));

    cr_assert_eq(overrides_find(&o, &at), &acc);
    cr_assert_null(overrides_find(&o, &BOB));
    r = call_with(&f, &at, NULL); /* nothing of it stays */
    cr_assert(word(&r, 0) == 5 && word(&r, 1) == 6 && word(&r, 2) == 0);
    fixture_clear(&f);
}

/* What no chain reaches but anyone may ask for. */
Test(derive_call, nonces_and_balances_at_their_end) {
    struct fixture f;
    fixture_init(&f, &plain);
    struct account_override acc = {.addr = BOB, .has_nonce = true, .nonce = UINT64_MAX};
    struct call_overrides o = {.accounts = &acc, .account_count = 1};
    struct call_request q = {.tx = {.type = TX_DYNAMIC_FEE,
                                    .sender = BOB,
                                    .has_sender = true,
                                    .to = BOB,
                                    .gas_limit = 100000},
                             .overrides = &o};
    struct call_result r;
    cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &f.head, &q, NULL), ERR_OK);
    cr_assert_eq(r.verdict, TX_NONCE_MAX);
    struct account_override rich[2] = {{.addr = BOB, .has_balance = true, .balance = U256_MAX},
                                       {.addr = {{1}}, .has_balance = true, .balance = U256_MAX}};
    o = (struct call_overrides){.accounts = rich, .account_count = 2};
    q.tx.to = rich[1].addr;
    q.tx.value = U256_ONE;
    cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &f.head, &q, NULL), ERR_OK);
    cr_assert(r.verdict == TX_OK && r.status == EVM_SUCCESS);
    fixture_clear(&f);
}
