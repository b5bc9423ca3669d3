/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: selectors match their signatures; every refusal costs the base gas and gives the rest back;
 * each function answers right at its exact price, over the machine and without it. */
#include "chain/system_call.h"

#include "base/keccak.h"
#include "chain/l3_rules.h"
#include "chain/system_call_internal.h"
#include "chain/system_state.h"
#include "tests/lib/chain/l3_fixture.h"

#include <criterion/criterion.h>

static const struct fixture_options plain = {0};

Test(system_call, selectors) {
    const struct system_call_info *r;
    size_t n = 0;
    for (; (r = system_call_info(n)) != NULL; n++) {
        hash32 h;
        keccak256(&h, r->signature, strlen(r->signature));
        cr_expect_eq(be32_load(h.b), r->selector, "%s", r->signature);
        cr_expect(r->base_gas > 0 && r->address < SYSTEM_ADDRESS_COUNT);
        for (size_t k = 0; k < n; k++)
            cr_expect(system_call_info(k)->address != r->address ||
                      system_call_info(k)->selector != r->selector);
    }
    cr_assert(n >= 4);
}

/* The dispatcher alone, over a world with one hash in the ring. */
struct rig {
    struct world *w;
    struct buf out;
    struct chain_config config;
    struct l3_block block;
    struct exec x;
};

static void rig_init(struct rig *r) {
    memset(r, 0, sizeof *r);
    r->w = world_new((struct state_reader){NULL, NULL});
    world_block_begin(r->w, 500);
    world_tx_begin(r->w);
    u256 slot = u256_from_u64(300), v = u256_from_u64(0xabcdef);
    world_set_storage(r->w, &L3_HISTORY_ADDRESS, &slot, &v);
    buf_init(&r->out, 1 << 16);
    r->block = (struct l3_block){
        .config = &r->config, .number = 500, .version = 1, .call_output = &r->out};
    r->x = (struct exec){
        .world = r->w, .rules = &l3_tx_rules, .rules_ctx = &r->block, .chain_id = 41337};
}

static struct evm_result call(struct rig *r, enum evm_call_kind kind, uint32_t selector,
                              const u256 *arg, int64_t gas, uint64_t value) {
    uint8_t input[36];
    be32_store(input, selector);
    if (arg != NULL)
        u256_to_be32(input + 4, arg);
    addr20 at = system_address(SYSTEM_ARBSYS);
    bool code_only = kind == EVM_DELEGATECALL || kind == EVM_CALLCODE;
    struct evm_message m = {
        .kind = kind,
        .recipient = code_only ? (addr20){{1}} : at,
        .value = u256_from_u64(value),
        .input = bytes_of(input, arg != NULL ? 36 : 4),
        .gas = gas,
    };
    struct evm_result out;
    cr_assert(system_call(&r->x, &out, &m, &at, kind == EVM_STATICCALL, 0));
    return out;
}

static uint64_t word(const struct evm_result *r) {
    cr_assert_eq(r->output.len, 32);
    u256 v = u256_from_be32(r->output.ptr);
    cr_assert(u256_fits_u64(&v));
    return v.w[0];
}

Test(system_call, answers_and_prices) {
    struct rig r;
    rig_init(&r);
    static const enum evm_call_kind kinds[] = {EVM_CALL, EVM_STATICCALL};
    for (size_t i = 0; i < 2; i++) {
        struct evm_result o = call(&r, kinds[i], 0xa3b1b31d, NULL, 1000, 0);
        cr_assert(o.status == EVM_SUCCESS && word(&o) == 500 && o.gas_left == 1000 - 40 - 3);
        o = call(&r, kinds[i], 0xd127f54a, NULL, 43, 0);
        cr_assert(o.status == EVM_SUCCESS && word(&o) == 41337 && o.gas_left == 0);
        o = call(&r, kinds[i], 0xd127f54a, NULL, 42, 0);
        cr_assert(o.status == EVM_OUT_OF_GAS && o.gas_left == 0 && o.output.len == 0);
        o = call(&r, kinds[i], 0x051038f2, NULL, 1000, 0);
        cr_assert(o.status == EVM_SUCCESS && word(&o) == 106);
    }
    u256 n = u256_from_u64(300);
    struct evm_result o = call(&r, EVM_CALL, 0x2b407a82, &n, 5000, 0);
    cr_assert(o.status == EVM_SUCCESS && word(&o) == 0xabcdef);
    cr_assert_eq(o.gas_left, 5000 - 60 - 3 - 2100 - 3);
    o = call(&r, EVM_CALL, 0x2b407a82, &n, 5000, 0); /* the slot is warm now */
    cr_assert_eq(o.gas_left, 5000 - 60 - 3 - 100 - 3);
    buf_clear(&r.out);
    world_free(r.w);
}

Test(system_call, arb_block_hash_out_of_range) {
    struct rig r;
    rig_init(&r);
    u256 bad[] = {u256_from_u64(500), u256_from_u64(243), U256_MAX};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct evm_result o = call(&r, EVM_CALL, 0x2b407a82, &bad[i], 5000, 0);
        cr_assert_eq(o.status, EVM_REVERT);
        cr_assert_eq(o.output.len, 68);
        cr_assert_eq(be32_load(o.output.ptr), 0xd5dc642d);
        u256 requested = u256_from_be32(o.output.ptr + 4),
             current = u256_from_be32(o.output.ptr + 36);
        cr_assert(u256_eq(&requested, &bad[i]) && current.w[0] == 500);
        cr_assert_eq(o.gas_left, 5000 - 60 - 3 - 9);
    }
    u256 oldest = u256_from_u64(244);
    struct evm_result o = call(&r, EVM_CALL, 0x2b407a82, &oldest, 5000, 0);
    cr_assert_eq(o.status, EVM_SUCCESS);
    buf_clear(&r.out);
    world_free(r.w);
}

Test(system_call, refusals) {
    struct rig r;
    rig_init(&r);
    struct evm_result all[] = {
        call(&r, EVM_CALL, 0x12345678, NULL, 1000, 0),         /* unknown */
        call(&r, EVM_CALL, 0xa3b1b31d, NULL, 1000, 1),         /* value */
        call(&r, EVM_DELEGATECALL, 0xa3b1b31d, NULL, 1000, 0), /* for another account */
        call(&r, EVM_CALLCODE, 0xa3b1b31d, NULL, 1000, 0),
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        cr_assert(all[i].status == EVM_REVERT && all[i].output.len == 0 && all[i].gas_left == 960,
                  "%zu", i);
    struct evm_result o = call(&r, EVM_CALL, 0x2b407a82, NULL, 1000, 0); /* no argument */
    cr_assert(o.status == EVM_REVERT && o.output.len == 0 && o.gas_left == 940);
    o = call(&r, EVM_CALL, 0x12345678, NULL, 39, 0);
    cr_assert(o.status == EVM_OUT_OF_GAS && o.gas_left == 0);
    /* Plain value transfers are unknown selectors; other addresses are not answered at all. */
    addr20 at = system_address(SYSTEM_REGISTRY);
    struct evm_message m = {.kind = EVM_CALL, .recipient = at, .value = U256_ONE, .gas = 100};
    cr_assert(system_call(&r.x, &o, &m, &at, false, 0));
    cr_assert(o.status == EVM_REVERT && o.gas_left == 60);
    addr20 other = {{0x64}};
    cr_assert(!system_call(&r.x, &o, &m, &other, false, 0));
    buf_clear(&r.out);
    world_free(r.w);
}

/* Through transactions: value sent to a system address comes back, and what a contract gets by
 * STATICCALL. */
Test(system_call, from_the_machine) {
    struct fixture f;
    fixture_init(&f, &plain);
    addr20 at = system_address(SYSTEM_ARBSYS);
    struct derived_tx d = fixture_run(&f, fixture_tx(&f, 0, &at, 5, bytes_of("", 0), 50000));
    cr_assert(d.result.status == EVM_REVERT &&
              d.receipt.gas_used == 21000 + SYSTEM_CALL_UNKNOWN_GAS);
    u256 kept = fixture_balance(&f, &at);
    cr_assert(u256_is_zero(&kept));
    /* init code: STATICCALL(gas, 0x64, 28, 4, 0, 32); return the word as code. */
    static const uint8_t code[] = {0x63, 0xa3, 0xb1, 0xb3, 0x1d, 0x5f, 0x52, 0x60,
                                   0x20, 0x5f, 0x60, 0x04, 0x60, 0x1c, 0x60, 0x64,
                                   0x5a, 0xfa, 0x50, 0x60, 0x20, 0x5f, 0xf3};
    d = fixture_run(&f, fixture_tx(&f, 0, NULL, 0, bytes_of(code, sizeof code), 200000));
    cr_assert(d.receipt.success);
    bytes got = world_code(chain_world(f.main.chain), &d.result.created);
    cr_assert(got.len == 32 && got.ptr[31] == 2);
    fixture_clear(&f);
}

/* What handlers decode arguments with, at its bounds. */
Test(system_call, arguments) {
    uint8_t in[4 * 32] = {0};
    struct call c = {.args = bytes_of(in, sizeof in)};
    addr20 a;
    uint64_t n;
    bool flag;
    bytes got;
    size_t count;
    in[12] = 1; /* the highest byte of an address */
    cr_assert(arg_addr(&c, 0, &a) && a.b[0] == 1 && !arg_u64(&c, 0, &n));
    in[11] = 1;
    cr_assert(!arg_addr(&c, 0, &a));
    memset(in, 0, sizeof in);
    in[31] = 1;
    cr_assert(arg_bool(&c, 0, &flag) && flag && arg_u64(&c, 0, &n) && n == 1);
    in[31] = 2;
    cr_assert(!arg_bool(&c, 0, &flag));

    /* offset 64: the length lies in word 2, one word of content follows */
    in[31] = 64;
    for (unsigned len = 0; len <= 32; len++) {
        in[95] = (uint8_t)len;
        cr_assert(arg_bytes(&c, 0, &got) && got.len == len && got.ptr == in + 96);
    }
    in[95] = 33;
    cr_assert(!arg_bytes(&c, 0, &got));
    in[95] = 1;
    cr_assert(arg_array(&c, 0, &got, &count) && count == 1 && got.len == 32);
    in[95] = 2;
    cr_assert(!arg_array(&c, 0, &got, &count));
    memset(in + 64, 0xff, 32); /* a length that multiplied would wrap */
    cr_assert(!arg_bytes(&c, 0, &got) && !arg_array(&c, 0, &got, &count));
    in[31] = 96; /* the length is the last word */
    cr_assert(arg_bytes(&c, 0, &got) && got.len == 0);
    in[31] = 97;
    cr_assert(!arg_bytes(&c, 0, &got));
    memset(in, 0xff, 32);
    cr_assert(!arg_bytes(&c, 0, &got) && !arg_array(&c, 0, &got, &count));
}

/* Fields cost what SLOAD and SSTORE of their slots would, refunds included. */
Test(system_call, storage_prices) {
    struct rig r;
    rig_init(&r);
    struct call c = {.x = &r.x, .block = &r.block, .gas = 100000, .out = &r.out};
    u256 key = u256_from_u64(7);
    (void)call_get(&c, SYS_SEND_PARTIAL, &key);
    cr_assert_eq(c.gas, 100000 - 2100);
    call_set_u64(&c, SYS_SEND_PARTIAL, &key, 5); /* 0 -> 5, warm */
    cr_assert_eq(c.gas, 100000 - 2100 - 20000);
    call_set_u64(&c, SYS_SEND_PARTIAL, &key, 5);
    cr_assert_eq(c.gas, 100000 - 2100 - 20000 - 100);
    call_set_u64(&c, SYS_SEND_PARTIAL, &key, 0); /* back to what it was */
    cr_assert_eq(c.gas, 100000 - 2100 - 20000 - 200);
    cr_assert_eq(c.refund, 19900);
    world_tx_end(r.w);
    world_tx_begin(r.w);
    sys_set_u64(r.w, SYS_SPEED_LIMIT, NULL, 9); /* shares its slot with two others */
    world_tx_end(r.w);
    world_tx_begin(r.w);
    c.gas = 100000, c.refund = 0;
    call_set_u64(&c, SYS_TOLERANCE, NULL, 3);
    cr_assert(c.gas == 100000 - 2100 - 2900 && c.refund == 0);
    call_set_u64(&c, SYS_SPEED_LIMIT, NULL, 0);
    call_set_u64(&c, SYS_TOLERANCE, NULL, 0);
    cr_assert_eq(c.gas, 100000 - 2100 - 2900 - 200);
    cr_assert_eq(c.refund, 4800); /* the slot is empty now */
    cr_assert_eq(call_get_u64(&c, SYS_TOLERANCE, NULL), 0);

    const hash32 topics[2] = {{{1}}, {{2}}};
    c.gas = 1000;
    emit_log(&c, topics, 2, bytes_of("abc", 3));
    cr_assert(c.gas < 0);
    size_t count;
    (void)world_logs(r.w, &count);
    cr_assert_eq(count, 0); /* it was not paid for */
    c.gas = 2000;
    emit_log(&c, topics, 2, bytes_of("abc", 3));
    (void)world_logs(r.w, &count);
    cr_assert(count == 1 && c.gas == 2000 - 375 * 3 - 24);
    buf_clear(&r.out);
    world_free(r.w);
}
