/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: retries of tickets run right after what scheduled them, sequenced and derived alike; a
 * success ends the ticket and refunds, a failure keeps it; what cannot run is in the block with
 * status 0; tickets that are gone leave no trace. */
#include "chain/retryable.h"
#include "chain/system_call.h"
#include "chain/system_state.h"
#include "chain/universe.h"
#include "tests/lib/chain/l3_fixture.h"

#include <criterion/criterion.h>

static const struct fixture_options plain = {0};
static const addr20 REFUND = {{0x4e}}, REDEEMER_REFUND = {{0x4f}}, BENEFICIARY = {{0xbe}};
#define P UINT64_C(10000000)
enum { FEE = FIXTURE_L1_BASE_FEE * RETRYABLE_SUBMISSION_GAS };

static uint64_t balance(struct fixture *f, const addr20 *a) {
    u256 v = fixture_balance(f, a);
    cr_assert(u256_fits_u64(&v));
    return v.w[0];
}

static addr20 deploy(struct fixture *f, const void *code, size_t len) {
    uint8_t init[128] = {0x60, (uint8_t)len, 0x60, 10, 0x5f, 0x39, 0x60, (uint8_t)len, 0x5f, 0xf3};
    memcpy(init + 10, code, len);
    struct derived_tx d =
        fixture_run(f, fixture_tx(f, 0, NULL, 0, bytes_of(init, 10 + len), 500000));
    cr_assert(d.receipt.success);
    return d.result.created;
}

/* The contract reverts while its storage 0 is 0 (and no calldata). */
static const uint8_t GATE[] = {
    0x36, 0x60, 0x0f, 0x57,             /* calldata: set */
    0x5f, 0x54, 0x60, 0x0d, 0x57,       /* open: stop */
    0x5f, 0x5f, 0xfd, 0x00,             /* revert */
    0x5b, 0x00,                         /* 13: stop */
    0x5b, 0x60, 0x01, 0x5f, 0x55, 0x00, /* 15: storage 0 = 1 */
};

static struct derived_block submit(struct fixture *f, const addr20 *to, uint64_t value,
                                   uint64_t gas, bytes data) {
    struct fixture_ticket t = {.value = u256_from_u64(value),
                               .deposit = u256_from_u64(value + 10 * FEE + gas * P),
                               .max_submission = u256_from_u64(10 * FEE),
                               .max_fee = u256_from_u64(P),
                               .gas = gas,
                               .refund_to = REFUND,
                               .beneficiary = BENEFICIARY,
                               .data = data};
    if (to != NULL)
        t.to = *to;
    struct message m = fixture_submit_message(f, &t);
    struct derived_block b;
    cr_assert_eq(fixture_message(f, &b, &m, NULL), ERR_OK);
    cr_assert(b.txs[0].receipt.success);
    return b;
}

static bool exists(struct fixture *f, const hash32 *id) {
    return retryable_exists(chain_world(f->main.chain), id, f->head.timestamp);
}

static struct tx *call_ticket(struct fixture *f, int from, uint32_t selector, const hash32 *id,
                              uint64_t gas) {
    uint8_t data[36];
    be32_store(data, selector);
    memcpy(data + 4, id->b, 32);
    addr20 at = system_address(SYSTEM_RETRYABLE);
    return fixture_tx(f, from, &at, 0, bytes_of(data, sizeof data), gas);
}
#define REDEEM UINT32_C(0xeda1122c)

static struct derived_block block_of(struct fixture *f, struct tx *const *txs, size_t n) {
    struct derived_block b;
    cr_assert_eq(fixture_block(f, &b, txs, n, 1, NULL), ERR_OK);
    return b;
}

static const bytes nothing = {NULL, 0};

/* Fails on its own, is redeemed by hand, with other transactions before and after it. */
Test(derive_retry, fails_then_is_redeemed) {
    struct fixture f;
    fixture_init(&f, &plain);
    addr20 gate = deploy(&f, GATE, sizeof GATE);
    struct derived_block b = submit(&f, &gate, 700, 60000, nothing);
    hash32 id = b.txs[0].tx.hash;
    cr_assert(b.tx_count == 2 && !b.txs[1].receipt.success && exists(&f, &id));
    addr20 escrow = retryable_escrow(&id);
    cr_expect(balance(&f, &escrow) == 700 && balance(&f, &gate) == 0);
    /* The submission fee stays paid; unused gas came back. */
    uint64_t used = b.txs[1].receipt.gas_used;
    cr_assert(used > 21000 && used < 60000);
    cr_expect_eq(balance(&f, &REFUND), 9 * FEE + (60000 - used) * P);

    struct tx *txs[3] = {
        fixture_tx(&f, 1, &gate, 0, bytes_of("1", 1), 100000),
        call_ticket(&f, 2, REDEEM, &id, 300000),
        fixture_tx(&f, 1, &REDEEMER_REFUND, 1, nothing, 21000),
    };
    u256 before = fixture_balance(&f, &f.addrs[2]);
    b = block_of(&f, txs, 3);
    cr_assert_eq(b.tx_count, 4);
    cr_assert(b.txs[1].receipt.success && b.txs[2].tx.type == TX_RETRY &&
              b.txs[2].receipt.success && hash32_eq(&b.txs[3].tx.hash, &txs[2]->hash));
    cr_assert(b.txs[1].receipt.gas_used == 300000 && b.txs[2].tx.nonce == 1);
    cr_assert(addr20_eq(&b.txs[2].tx.parent.refund_to, &f.addrs[2]));
    cr_expect(balance(&f, &gate) == 700 && !exists(&f, &id));
    /* The donor paid for what it and the retry used, and no more. */
    uint64_t donated = b.txs[2].tx.gas_limit, own = 300000 - donated;
    uint64_t total = own + b.txs[2].receipt.gas_used;
    u256 after = fixture_balance(&f, &f.addrs[2]), paid = u256_sub(&before, &after);
    cr_expect_eq(paid.w[0], total * P);
    /* and the block counts it once */
    cr_expect_eq(b.header.gas_used, b.txs[0].receipt.gas_used + total + 21000);
    cr_expect_eq(b.txs[3].receipt.cumulative_gas_used, b.header.gas_used);
    fixture_clear(&f);
}

/* A ticket that a redeem finds, whose retry fails at once; the gate's contract. */
static hash32 failing_ticket(struct fixture *f, addr20 *out_gate) {
    *out_gate = deploy(f, GATE, sizeof GATE);
    struct derived_block b = submit(f, out_gate, 0, 0, nothing);
    cr_assert_eq(b.tx_count, 1);
    return b.txs[0].tx.hash;
}

/* What is donated neither pays for calldata (EIP-7623): 21000 + 40 * 5027 and 36 of the call ... */
Test(derive_retry, donated_gas_does_not_fill_the_floor) {
    struct fixture f;
    fixture_init(&f, &plain);
    addr20 gate, at = system_address(SYSTEM_RETRYABLE);
    hash32 id = failing_ticket(&f, &gate);
    uint8_t data[36 + 5000];
    memset(data, 1, sizeof data);
    be32_store(data, REDEEM);
    memcpy(data + 4, id.b, 32);
    struct tx *tx = fixture_tx(&f, 2, &at, 0, bytes_of(data, sizeof data), 300000);
    u256 before = fixture_balance(&f, &f.addrs[2]);
    struct derived_block b = block_of(&f, &tx, 1);
    cr_assert(b.tx_count == 2 && b.txs[0].receipt.success && !b.txs[1].receipt.success);
    uint64_t floor = tx_intrinsic_gas(tx, EVM_OSAKA).floor_gas;
    cr_assert(floor > 21000 + 40 * 5000 && b.txs[1].tx.gas_limit == 300000 - floor);
    cr_expect_eq(b.txs[0].receipt.gas_used, 300000);
    cr_expect_eq(b.header.gas_used, floor + b.txs[1].receipt.gas_used);
    u256 after = fixture_balance(&f, &f.addrs[2]), paid = u256_sub(&before, &after);
    cr_expect_eq(paid.w[0], b.header.gas_used * P);
    tx = fixture_tx(&f, 2, &at, 0, bytes_of(data, sizeof data), floor + 20999);
    b = block_of(&f, &tx, 1);
    cr_expect(b.tx_count == 1 && !b.txs[0].receipt.success, "not enough is left for a retry");
    fixture_clear(&f);
}

/* ... nor does it raise what may be refunded (EIP-3529). */
Test(derive_retry, donated_gas_does_not_raise_the_refund) {
    struct fixture f;
    fixture_init(&f, &plain);
    addr20 gate;
    hash32 id = failing_ticket(&f, &gate);
    enum { SLOTS = 5, LIMIT = 2000000 };
    uint8_t code[100];
    size_t n = 0;
    for (uint8_t i = 0; i < SLOTS; i++) { /* each 0, 1, 0: 19,900 to be refunded */
        const uint8_t once[] = {0x60, 1, 0x60, i, 0x55, 0x5f, 0x60, i, 0x55};
        memcpy(code + n, once, sizeof once);
        n += sizeof once;
    }
    static const uint8_t redeem[] = {0x63, 0xed, 0xa1, 0x12, 0x2c, 0x60, 0xe0, 0x1b, 0x5f,
                                     0x52, 0x5f, 0x35, 0x60, 0x04, 0x52, 0x5f, 0x5f, 0x60,
                                     0x24, 0x5f, 0x5f, 0x60, 0x6e, 0x5a, 0xf1, 0x00};
    memcpy(code + n, redeem, sizeof redeem);
    addr20 both = deploy(&f, code, n + sizeof redeem);
    struct tx *tx = fixture_tx(&f, 1, &both, 0, bytes_of(id.b, 32), LIMIT);
    struct derived_block b = block_of(&f, &tx, 1);
    cr_assert(b.tx_count == 2 && b.txs[0].receipt.success);
    uint64_t left = LIMIT - b.txs[0].receipt.gas_used - b.txs[0].result.gas_refund;
    uint64_t own = LIMIT - left - b.txs[1].tx.gas_limit;
    cr_expect_lt(own / 5, SLOTS * UINT64_C(19900), "else this shows nothing");
    cr_expect_eq(b.txs[0].result.gas_refund, own / 5);
    cr_expect_eq(b.header.gas_used, own - own / 5 + b.txs[1].receipt.gas_used);
    fixture_clear(&f);
}

/* Two redeems of one ticket: the second finds it gone and leaves no receipt; its gas was paid. */
Test(derive_retry, dropped_when_gone) {
    struct fixture f;
    fixture_init(&f, &plain);
    addr20 gate = deploy(&f, GATE, sizeof GATE);
    struct derived_block b = submit(&f, &gate, 0, 0, nothing);
    hash32 id = b.txs[0].tx.hash;
    cr_assert_eq(b.tx_count, 1);
    (void)fixture_run(&f, fixture_tx(&f, 1, &gate, 0, bytes_of("1", 1), 100000));
    /* calls redeem(calldata) twice with 60,000 gas each */
    uint8_t code[64] = {0x63, 0xed, 0xa1, 0x12, 0x2c, 0x60, 0xe0, 0x1b,
                        0x5f, 0x52, 0x5f, 0x35, 0x60, 0x04, 0x52};
    size_t n = 15;
    for (int i = 0; i < 2; i++) {
        static const uint8_t once[] = {0x5f, 0x5f, 0x60, 0x24, 0x5f, 0x5f, 0x60,
                                       0x6e, 0x61, 0xea, 0x60, 0xf1, 0x50};
        memcpy(code + n, once, sizeof once);
        n += sizeof once;
    }
    addr20 twice = deploy(&f, code, n);
    struct tx *tx = fixture_tx(&f, 1, &twice, 0, bytes_of(id.b, 32), 300000);
    b = block_of(&f, &tx, 1);
    cr_assert(b.tx_count == 2 && b.txs[0].receipt.log_count == 2);
    cr_assert(b.txs[1].receipt.success && !exists(&f, &id));
    cr_assert(addr20_eq(&b.txs[1].tx.parent.refund_to, &twice)); /* the caller donates */
    cr_assert_gt(balance(&f, &twice), 0);
    fixture_clear(&f);
}

/* A redeem in a frame that reverts schedules nothing. */
Test(derive_retry, reverted_redeem_schedules_nothing) {
    struct fixture f;
    fixture_init(&f, &plain);
    addr20 gate = deploy(&f, GATE, sizeof GATE);
    hash32 id = submit(&f, &gate, 5, 0, nothing).txs[0].tx.hash;
    static const uint8_t code[] = {0x63, 0xed, 0xa1, 0x12, 0x2c, 0x60, 0xe0, 0x1b, 0x5f, 0x52,
                                   0x5f, 0x35, 0x60, 0x04, 0x52, 0x5f, 0x5f, 0x60, 0x24, 0x5f,
                                   0x5f, 0x60, 0x6e, 0x61, 0xea, 0x60, 0xf1, 0x5f, 0x5f, 0xfd};
    addr20 fails = deploy(&f, code, sizeof code);
    struct tx *tx = fixture_tx(&f, 1, &fails, 0, bytes_of(id.b, 32), 300000);
    struct derived_block b = block_of(&f, &tx, 1);
    cr_assert(b.tx_count == 1 && !b.txs[0].receipt.success && exists(&f, &id));
    u256 key = u256_from_be32(id.b);
    cr_assert_eq(sys_get_u64(chain_world(f.main.chain), SYS_TICKET_TRIES, &key), 0);
    fixture_clear(&f);
}

/* Less gas than the calldata costs: status 0, all gas used, the ticket and its value stand. */
Test(derive_retry, below_intrinsic_gas) {
    struct fixture f;
    fixture_init(&f, &plain);
    static uint8_t data[100];
    memset(data, 1, sizeof data);
    addr20 to = {{0x77}};
    struct derived_block b = submit(&f, &to, 9, 22000, bytes_of(data, sizeof data));
    hash32 id = b.txs[0].tx.hash;
    cr_assert(b.tx_count == 2 && !b.txs[1].receipt.success && exists(&f, &id));
    cr_assert(b.txs[1].receipt.gas_used == 22000 && b.header.gas_used == 22000);
    addr20 escrow = retryable_escrow(&id);
    cr_expect_eq(balance(&f, &escrow), 9);
    cr_expect_eq(world_nonce(chain_world(f.main.chain), &FIXTURE_PARENT_SENDER), 0);
    fixture_clear(&f);
}

/* A retry may create; init code that is too long never runs. */
Test(derive_retry, creations) {
    struct fixture f;
    fixture_init(&f, &plain);
    static const uint8_t init[] = {0x60, 0x01, 0x5f, 0x53, 0x60, 0x01, 0x5f, 0xf3}; /* code 01 */
    struct derived_block b = submit(&f, NULL, 3, 200000, bytes_of(init, sizeof init));
    cr_assert(b.tx_count == 2 && b.txs[1].receipt.success && b.txs[1].receipt.has_contract_addr);
    addr20 want;
    evm_create_address(&want, &FIXTURE_PARENT_SENDER, 0);
    cr_assert(addr20_eq(&b.txs[1].receipt.contract_addr, &want));
    cr_assert(balance(&f, &want) == 3 && !b.txs[0].receipt.has_contract_addr);
    static uint8_t big[EVM_INITCODE_BYTES_MAX + 1];
    struct fixture_ticket t = {.deposit = u256_from_u64(UINT64_C(1) << 60),
                               .max_submission = u256_from_u64(UINT64_C(1) << 40),
                               .max_fee = u256_from_u64(P),
                               .gas = 2000000,
                               .refund_to = REFUND,
                               .beneficiary = BENEFICIARY,
                               .data = bytes_of(big, sizeof big)};
    struct message m = fixture_submit_message(&f, &t);
    cr_assert_eq(fixture_message(&f, &b, &m, NULL), ERR_OK);
    cr_assert(b.tx_count == 2 && !b.txs[1].receipt.success &&
              b.txs[1].receipt.gas_used == 2000000 && !b.txs[1].receipt.has_contract_addr);
    fixture_clear(&f);
}

/* To a contract of a paused universe: status 0, the intrinsic gas, the rest back. */
static const addr20 PAUSED_TO = {{0x9a}};

static void pause_it(struct world *w) {
    u256 key = u256_from_addr(&PAUSED_TO), id = u256_from_u64(1);
    sys_set_u64(w, SYS_UNIVERSE_COUNT, NULL, 1);
    sys_set_u64(w, SYS_ATTRIBUTED_UNIVERSE, &key, 1);
    sys_set_u64(w, SYS_UNIVERSE_STATUS, &id, UNIVERSE_PAUSED);
}

Test(derive_retry, paused_universe) {
    struct fixture_options o = plain;
    o.setup = pause_it;
    struct fixture f;
    fixture_init(&f, &o);
    struct derived_block b = submit(&f, &PAUSED_TO, 9, 50000, nothing);
    hash32 id = b.txs[0].tx.hash;
    cr_assert(b.tx_count == 2 && !b.txs[1].receipt.success && exists(&f, &id));
    cr_assert_eq(b.txs[1].receipt.gas_used, 21000);
    cr_expect_eq(balance(&f, &REFUND), 9 * FEE + (50000 - 21000) * P);
    cr_expect_eq(balance(&f, &PAUSED_TO), 0);
    fixture_clear(&f);
}

/* During its own retry a ticket can be neither redeemed nor cancelled, another one can, and the
 * contract sees who gets the refunds. */
Test(derive_retry, not_from_within) {
    struct fixture f;
    fixture_init(&f, &plain);
    /* With calldata: storage 9 = it. Without: storage 0 = redeem(storage 9) + 5, 1 = cancel + 5,
     * 2 = getCurrentRedeemer(). */
    static const uint8_t code[] = {
        0x36, 0x60, 0x62, 0x57, 0x63, 0xed, 0xa1, 0x12, 0x2c, 0x60, 0xe0, 0x1b, 0x5f, 0x52, 0x60,
        0x09, 0x54, 0x60, 0x04, 0x52, 0x5f, 0x5f, 0x60, 0x24, 0x5f, 0x5f, 0x60, 0x6e, 0x61, 0xea,
        0x60, 0xf1, 0x60, 0x05, 0x01, 0x5f, 0x55, 0x63, 0xc4, 0xd2, 0x52, 0xf5, 0x60, 0xe0, 0x1b,
        0x5f, 0x52, 0x60, 0x09, 0x54, 0x60, 0x04, 0x52, 0x5f, 0x5f, 0x60, 0x24, 0x5f, 0x5f, 0x60,
        0x6e, 0x61, 0xea, 0x60, 0xf1, 0x60, 0x05, 0x01, 0x60, 0x01, 0x55, 0x63, 0xde, 0x4b, 0xa2,
        0xb3, 0x60, 0xe0, 0x1b, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0x60, 0x04, 0x5f, 0x60, 0x6e, 0x5a,
        0xfa, 0x50, 0x5f, 0x51, 0x60, 0x02, 0x55, 0x00, 0x5b, 0x5f, 0x35, 0x60, 0x09, 0x55, 0x00};
    addr20 self = deploy(&f, code, sizeof code), to = {{0x77}};
    struct world *w = chain_world(f.main.chain);
    u256 slots[3] = {U256_ZERO, U256_ONE, u256_from_u64(2)};
    for (int own = 1; own >= 0; own--) {
        hash32 id = submit(&f, &self, 0, 0, nothing).txs[0].tx.hash;
        hash32 named = own ? id : submit(&f, &to, 0, 0, nothing).txs[0].tx.hash;
        (void)fixture_run(&f, fixture_tx(&f, 1, &self, 0, bytes_of(named.b, 32), 100000));
        struct tx *tx = call_ticket(&f, 2, REDEEM, &id, 900000);
        struct derived_block b = block_of(&f, &tx, 1);
        cr_assert(b.txs[1].receipt.success);
        cr_expect_eq(world_storage(w, &self, &slots[0]).w[0], own ? 5 : 6);
        cr_expect_eq(world_storage(w, &self, &slots[1]).w[0], 5); /* not its beneficiary */
        u256 got = world_storage(w, &self, &slots[2]), want = u256_from_addr(&f.addrs[2]);
        cr_expect(u256_eq(&got, &want));
        cr_expect_eq(b.tx_count, own ? 2 : 3); /* the other one ran after this one */
    }
    fixture_clear(&f);
}

/* Retries that schedule retries run first in, first out; sequenced blocks hold nothing of them. */
Test(derive_retry, sequenced_message_has_only_the_redeem) {
    struct fixture f;
    fixture_init(&f, &plain);
    addr20 to = {{0x77}};
    hash32 id = submit(&f, &to, 5, 0, nothing).txs[0].tx.hash;
    struct tx *tx = call_ticket(&f, 1, REDEEM, &id, 100000);
    struct derived_block b = block_of(&f, &tx, 1);
    cr_assert_eq(b.tx_count, 2);
    cr_assert(b.message.data.len == 1 + tx->raw.len);
    cr_assert_eq(balance(&f, &to), 5);
    fixture_clear(&f);
}

/* The whole life of a ticket that nobody redeems: kept alive once, then cancelled or expired. */
Test(derive_retry, expires_at_block_start) {
    struct fixture f;
    fixture_init(&f, &plain);
    addr20 to = {{0x77}};
    hash32 id = submit(&f, &to, 5, 0, nothing).txs[0].tx.hash;
    struct tx *tx = call_ticket(&f, 1, REDEEM, &id, 100000);
    struct derived_block b;
    cr_assert_eq(fixture_block(&f, &b, &tx, 1, RETRYABLE_LIFETIME_S + 1, NULL), ERR_OK);
    cr_assert(b.tx_count == 1 && !b.txs[0].receipt.success);
    cr_expect_eq(balance(&f, &BENEFICIARY), 5);
    fixture_clear(&f);
}

/* What a watch sees of retries: each as a transaction of its own. */
struct seen {
    int begun, ended;
    enum tx_type types[8];
};

static const struct evm_tracer *begin(void *ctx, struct exec *x, const struct tx *tx) {
    (void)x;
    struct seen *s = ctx;
    s->types[s->begun++] = tx->type;
    return NULL;
}

static bool end(void *ctx, struct exec *x, const struct tx *tx, enum tx_verdict v,
                const struct tx_result *r) {
    (void)x, (void)tx;
    struct seen *s = ctx;
    cr_assert(v == TX_OK && r != NULL);
    s->ended++;
    return true;
}

Test(derive_retry, replayed) {
    struct fixture f;
    fixture_init(&f, &plain);
    addr20 to = {{0x77}};
    struct header parent = f.head;
    struct fixture_ticket t = {.deposit = u256_from_u64(UINT64_C(1) << 60),
                               .max_submission = u256_from_u64(FEE),
                               .max_fee = u256_from_u64(P),
                               .gas = 30000,
                               .to = to};
    struct message m = fixture_submit_message(&f, &t);
    struct seen s = {0};
    const struct exec_watch w = {.ctx = &s, .begin = begin, .end = end};
    cr_assert_eq(chain_replay_block(f.main.chain, &f.arena, &parent, &m, &w, NULL), ERR_OK);
    cr_assert(s.begun == 2 && s.ended == 2 && s.types[0] == TX_SUBMIT_RETRYABLE &&
              s.types[1] == TX_RETRY);
    fixture_clear(&f);
}

/* An estimate counts what the retry uses in place of what it was given, and fails with it. */
Test(derive_retry, in_calls) {
    struct fixture f;
    fixture_init(&f, &plain);
    addr20 gate = deploy(&f, GATE, sizeof GATE);
    hash32 id = submit(&f, &gate, 5, 0, nothing).txs[0].tx.hash;
    for (int open = 0; open <= 1; open++) {
        struct call_request req = {.tx = *call_ticket(&f, 2, REDEEM, &id, 400000)};
        f.nonces[2]--;
        req.tx.max_fee = req.tx.max_priority_fee = U256_ZERO;
        struct call_result r;
        cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &f.head, &req, NULL), ERR_OK);
        cr_assert(r.status == EVM_SUCCESS && r.gas_used == 400000 && r.output.len == 32);
        req.run_redeems = true;
        cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &f.head, &req, NULL), ERR_OK);
        cr_assert_eq(r.status, open ? EVM_SUCCESS : EVM_REVERT);
        cr_assert(r.gas_used > 42000 && r.gas_used < 90000);
        cr_assert_eq(r.output.len, open ? 32 : 0);
        if (open) { /* too little for the retry to begin */
            req.tx.gas_limit = 21000 + 13000 + 21000;
            cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &f.head, &req, NULL), ERR_OK);
            cr_assert_neq(r.status, EVM_SUCCESS);
        }
        (void)fixture_run(&f, fixture_tx(&f, 1, &gate, 0, bytes_of("1", 1), 100000));
    }
    cr_assert(exists(&f, &id)); /* calls leave nothing behind */
    fixture_clear(&f);
}
