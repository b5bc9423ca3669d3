/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: each function of ArbRetryableTx at each of its conditions, with its exact price and its
 * logs. */
#include "chain/retryable.h"
#include "tests/lib/chain/call_rig.h"

#include <criterion/criterion.h>

#define REDEEM UINT32_C(0xeda1122c)
#define KEEPALIVE UINT32_C(0xf0b21a41)
#define CANCEL UINT32_C(0xc4d252f5)
#define GET_TIMEOUT UINT32_C(0x9f1025c6)
#define GET_BENEFICIARY UINT32_C(0xba20dda4)
#define NO_TICKET UINT32_C(0x80698456)

static const bytes nothing = {NULL, 0};
static const addr20 BENEFICIARY = {{0xbe}};
static const hash32 ID = {{0x71}};

static void put_ticket(struct call_rig *r, bytes data) {
    struct tx submit = {.type = TX_SUBMIT_RETRYABLE, .value = u256_from_u64(77), .data = data};
    submit.sender = (addr20){{5}};
    submit.to = (addr20){{6}};
    submit.parent.beneficiary = BENEFICIARY;
    retryable_create(r->w, &ID, &submit, r->x.block.timestamp);
    addr20 escrow = retryable_escrow(&ID);
    world_add_balance(r->w, &escrow, &submit.value);
    world_tx_end(r->w);
    world_tx_begin(r->w);
}

static struct evm_result call(struct call_rig *r, uint32_t selector) {
    u256 id = u256_from_be32(ID.b);
    return call_rig_call(r, SYSTEM_RETRYABLE, selector, &id, 1, nothing);
}

static bool is_error(const struct evm_result *o, uint32_t selector) {
    return o->status == EVM_REVERT && o->output.len == 4 && be32_load(o->output.ptr) == selector;
}

Test(system_retryable, no_ticket) {
    static const uint32_t all[] = {REDEEM, KEEPALIVE, CANCEL, GET_TIMEOUT, GET_BENEFICIARY};
    struct call_rig r;
    call_rig_init(&r);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct evm_result o = call(&r, all[i]);
        cr_expect(is_error(&o, NO_TICKET), "%zu", i);
    }
    put_ticket(&r, nothing);
    r.x.block.timestamp += RETRYABLE_LIFETIME_S; /* its last second */
    struct evm_result o = call(&r, GET_TIMEOUT);
    cr_assert_eq(o.status, EVM_SUCCESS);
    r.x.block.timestamp++; /* not reaped yet, but gone */
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        o = call(&r, all[i]);
        cr_expect(is_error(&o, NO_TICKET), "%zu", i);
    }
    call_rig_clear(&r);
}

Test(system_retryable, views) {
    struct call_rig r;
    call_rig_init(&r);
    put_ticket(&r, nothing);
    struct evm_result o = call(&r, GET_TIMEOUT);
    cr_expect_eq(be64_load(o.output.ptr + 24), 1000000 + 604800);
    cr_expect_eq(10000000 - r.gas, 40 + 3 + 2100 + 2100 + 3);
    o = call(&r, GET_BENEFICIARY);
    cr_expect_eq(memcmp(o.output.ptr + 12, BENEFICIARY.b, 20), 0);
    cr_expect_eq(call_rig_word(&r, SYSTEM_RETRYABLE, 0x81e6e083, 0).w[0], 604800);
    u256 nobody = call_rig_word(&r, SYSTEM_RETRYABLE, 0xde4ba2b3, 0);
    cr_expect(u256_is_zero(&nobody));
    o = call(&r, 0xc9f95d32);
    cr_expect(is_error(&o, 0x902824c1)); /* NotCallable() */
    call_rig_clear(&r);
}

Test(system_retryable, redeem) {
    struct call_rig r;
    call_rig_init(&r);
    uint8_t data[40] = {9};
    put_ticket(&r, bytes_of(data, sizeof data));
    struct evm_result o = call(&r, REDEEM);
    cr_assert(o.status == EVM_SUCCESS && r.gas == 0);
    size_t count;
    const struct world_log *l = world_logs(r.w, &count);
    cr_assert_eq(count, 1);
    struct retry_schedule s;
    cr_assert(retryable_schedule_of(&s, &l->address, l->topic_count, l->topics, l->data));
    cr_expect(hash32_eq(&s.ticket, &ID) && memcmp(o.output.ptr, s.tx_hash.b, 32) == 0);
    cr_expect(s.terms.nonce == 0 && addr20_eq(&s.terms.refund_to, &r.sender) &&
              u256_eq(&s.terms.max_refund, &U256_MAX) && u256_is_zero(&s.terms.submission_refund));
    /* base and input; slots: timeout, to, beneficiary, value, length, two of data; tries twice,
     * one of them a change; the log */
    int64_t spent = 100 + 3 + 7 * 2100 + 100 + 2900 + (375 * 5 + 8 * 128);
    cr_expect_eq(s.terms.gas, (uint64_t)(10000000 - spent));
    cr_expect_eq(retryable_donated_gas(r.w), s.terms.gas);
    s.terms.price = r.block.price;
    struct tx tx;
    retryable_tx(&tx, &r.arena, r.w, r.x.chain_id, &ID, &s.terms);
    cr_expect(hash32_eq(&tx.hash, &s.tx_hash) && tx.data.len == 40 && tx.data.ptr[0] == 9);
    o = call(&r, REDEEM); /* again: the next try */
    l = world_logs(r.w, &count);
    cr_assert(count == 2 &&
              retryable_schedule_of(&s, &l[1].address, l[1].topic_count, l[1].topics, l[1].data));
    cr_expect_eq(s.terms.nonce, 1);
    call_rig_clear(&r);
}

/* As much calldata as fits the parent's message: 3,200 words at 2,100. */
Test(system_retryable, redeem_long) {
    static uint8_t data[102400];
    memset(data, 7, sizeof data);
    struct call_rig r;
    call_rig_init(&r);
    put_ticket(&r, bytes_of(data, sizeof data));
    struct evm_result o = call(&r, REDEEM);
    cr_assert_eq(o.status, EVM_SUCCESS);
    cr_expect(retryable_donated_gas(r.w) < 10000000 - 3200 * 2100 &&
              retryable_donated_gas(r.w) > 10000000 - 3200 * 2100 - 30000);
    call_rig_clear(&r);
}

Test(system_retryable, redeem_refusals) {
    struct call_rig r;
    call_rig_init(&r);
    put_ticket(&r, nothing);
    r.block.run.sponsored = true;
    struct evm_result o = call(&r, REDEEM);
    cr_expect(is_error(&o, 0x30c11256)); /* SponsoredRedeem() */
    r.block.run.sponsored = false;
    struct tx own = {
        .type = TX_RETRY, .gas_limit = 20000000, .parent = {.ticket = ID, .refund_to = {{3}}}};
    r.x.tx = &own;
    o = call(&r, REDEEM);
    cr_expect(o.status == EVM_REVERT && o.output.len == 0);
    u256 redeemer = call_rig_word(&r, SYSTEM_RETRYABLE, 0xde4ba2b3, 0);
    u256 want = u256_from_addr(&own.parent.refund_to);
    cr_expect(u256_eq(&redeemer, &want));
    r.sender = BENEFICIARY;
    o = call(&r, CANCEL);
    cr_expect(o.status == EVM_REVERT && o.output.len == 0);
    own.parent.ticket.b[0] ^= 1; /* another ticket's retry may */
    o = call(&r, REDEEM);
    cr_expect_eq(o.status, EVM_SUCCESS);
    r.is_static = true;
    o = call(&r, REDEEM);
    cr_expect_eq(o.status, EVM_REVERT);
    call_rig_clear(&r);
}

Test(system_retryable, keepalive) {
    struct call_rig r;
    call_rig_init(&r);
    put_ticket(&r, nothing);
    struct evm_result o = call(&r, KEEPALIVE);
    cr_assert_eq(o.status, EVM_SUCCESS);
    cr_expect_eq(be64_load(o.output.ptr + 24), 1000000 + 2 * 604800);
    size_t count;
    const struct world_log *l = world_logs(r.w, &count);
    cr_assert(count == 1 && l->topic_count == 2 && hash32_eq(&l->topics[1], &ID));
    cr_expect_eq(be64_load(l->data.ptr + 24), 1000000 + 2 * 604800);
    o = call(&r, KEEPALIVE); /* more than a lifetime is left */
    cr_expect(o.status == EVM_REVERT && o.output.len == 0);
    o = call(&r, GET_TIMEOUT);
    cr_expect_eq(be64_load(o.output.ptr + 24), 1000000 + 2 * 604800);
    /* The queue has its second entry: the first uses up the bought lifetime, the second ends it. */
    cr_expect_eq(sys_get_u64(r.w, SYS_RETRY_QUEUE_TAIL, NULL), 2);
    retryable_reap_head(r.w, 1000000 + 604801);
    cr_expect(retryable_exists(r.w, &ID, 1000000 + 604801));
    retryable_reap_head(r.w, 1000000 + 2 * 604800 + 1);
    cr_expect_eq(world_balance(r.w, &BENEFICIARY).w[0], 77);
    call_rig_clear(&r);
}

Test(system_retryable, cancel) {
    struct call_rig r;
    call_rig_init(&r);
    uint8_t data[33] = {1};
    put_ticket(&r, bytes_of(data, sizeof data));
    struct evm_result o = call(&r, CANCEL);
    cr_expect(o.status == EVM_REVERT && o.output.len == 0); /* not the beneficiary */
    r.sender = BENEFICIARY;
    o = call(&r, CANCEL);
    cr_assert_eq(o.status, EVM_SUCCESS);
    cr_expect_eq(o.gas_refund, 0); /* its storage was not paid for with gas */
    cr_expect_eq(world_balance(r.w, &BENEFICIARY).w[0], 77);
    size_t count;
    const struct world_log *l = world_logs(r.w, &count);
    cr_assert(count == 1 && l->topic_count == 2 && hash32_eq(&l->topics[1], &ID));
    o = call(&r, GET_TIMEOUT);
    cr_expect(is_error(&o, NO_TICKET));
    call_rig_clear(&r);
}
