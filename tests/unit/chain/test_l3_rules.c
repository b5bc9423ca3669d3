/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what the machine sees of an L3 block, opcode by opcode, in both tiers and for both meanings
 * of NUMBER; who pays what; which types are refused. */
#include "chain/l3_rules.h"

#include "chain/system_state.h"
#include "tests/lib/chain/l3_fixture.h"

#include <criterion/criterion.h>

/* Runs `op` (with `arg` below it on the stack) in init code and returns what it pushed: the word is
 * returned as code. */
static u256 probe(struct fixture *f, uint8_t op, int arg) {
    uint8_t code[16];
    size_t n = 0;
    if (arg >= 0) {
        code[n++] = 0x60;
        code[n++] = (uint8_t)arg;
    }
    code[n++] = op;
    static const uint8_t give[] = {0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3};
    memcpy(code + n, give, sizeof give);
    struct derived_tx d =
        fixture_run(f, fixture_tx(f, 0, NULL, 0, bytes_of(code, n + sizeof give), 200000));
    cr_assert(d.receipt.success, "%02x", op);
    bytes got = world_code(chain_world(f->main.chain), &d.result.created);
    cr_assert_eq(got.len, 32);
    return u256_from_be32(got.ptr);
}

static void check_context(bool number_parent, enum evm_tier tier) {
    const struct fixture_options o = {.evm_number_parent = number_parent, .tier = tier};
    struct fixture f;
    fixture_init(&f, &o);
    struct message m = fixture_l2_message(&f, bytes_of(NULL, 0));
    m.l1_block = 9000; /* far from own numbers */
    struct derived_block b;
    cr_assert_eq(fixture_message(&f, &b, &m, NULL), ERR_OK);
    hash32 one = f.head_hash;
    cr_assert_eq(probe(&f, 0x43, -1).w[0], number_parent ? 9001 : 2);        /* NUMBER */
    cr_assert_eq(probe(&f, 0x42, -1).w[0], f.head.timestamp);                /* TIMESTAMP */
    u256 v = probe(&f, 0x41, -1), want = u256_from_addr(&SEQUENCER_ADDRESS); /* COINBASE */
    cr_assert(u256_eq(&v, &want));
    cr_assert_eq(probe(&f, 0x44, -1).w[0], 1);                 /* PREVRANDAO */
    cr_assert_eq(probe(&f, 0x45, -1).w[0], FIXTURE_GAS_LIMIT); /* GASLIMIT */
    cr_assert_eq(probe(&f, 0x46, -1).w[0], FIXTURE_CHAIN_ID);  /* CHAINID */
    v = probe(&f, 0x48, -1);                                   /* BASEFEE */
    cr_assert(u256_eq(&v, &f.head.base_fee));
    v = probe(&f, 0x3a, -1); /* GASPRICE: no tips */
    cr_assert(u256_eq(&v, &f.head.base_fee));
    cr_assert_eq(probe(&f, 0x4a, -1).w[0], 1); /* BLOBBASEFEE */
    v = probe(&f, 0x49, 0);                    /* BLOBHASH */
    cr_assert(u256_is_zero(&v));
    want = u256_from_be32(one.b);
    v = probe(&f, 0x40, 1); /* BLOCKHASH counts own blocks in either case */
    cr_assert(u256_eq(&v, &want));
    v = probe(&f, 0x40, 200);
    cr_assert(u256_is_zero(&v));
    fixture_clear(&f);
}

Test(l3_rules, context_fast) {
    check_context(false, EVM_TIER_FAST);
}
Test(l3_rules, context_reference) {
    check_context(false, EVM_TIER_REFERENCE);
}
Test(l3_rules, context_parent_number) {
    check_context(true, EVM_TIER_FAST);
}

Test(l3_rules, all_user_types_pay_the_price) {
    static const struct fixture_options plain = {0};
    static const addr20 to = {{0x99}};
    struct fixture f;
    fixture_init(&f, &plain);
    struct tx t = {.type = TX_LEGACY, .gas_limit = 21000, .to = to};
    t.gas_price = t.max_fee = t.max_priority_fee = u256_from_u64(50000000);
    u256 paid = U256_ZERO;
    static const enum tx_type types[] = {TX_LEGACY, TX_ACCESS_LIST, TX_DYNAMIC_FEE};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct tx x = t;
        x.type = types[i];
        x.nonce = i;
        fixture_sign(&f, &x, 1);
        struct derived_tx d = fixture_run(&f, &x);
        cr_assert(d.receipt.success && d.receipt.gas_used == 21000);
        cr_assert_eq(d.receipt.effective_gas_price.w[0], 10000000);
        cr_assert(d.result.charge.universe == 0 && !d.result.charge.sponsored);
        cr_assert(u256_is_zero(&d.result.charge.surcharge));
        u256 fee = u256_from_u64(21000 * UINT64_C(10000000));
        paid = u256_add(&paid, &fee);
    }
    u256 got = fixture_balance(&f, &FIXTURE_FEE_ACCOUNT);
    cr_assert(u256_eq(&got, &paid));
    /* Not protected against replay: valid here, refused over RPC only. */
    struct tx bare = t;
    bare.nonce = 3;
    bare.has_chain_id = false;
    enum err e = tx_sign(&bare, &f.arena, f.keys[1]);
    cr_assert_eq(e, ERR_OK);
    (void)fixture_run(&f, &bare);
    /* A delegation (EIP-7702) by the sender itself. */
    struct tx_authorization u = {
        .chain_id = u256_from_u64(FIXTURE_CHAIN_ID), .address = {{0x77}}, .nonce = 1};
    e = tx_sign_authorization(&u, f.keys[0]);
    cr_assert_eq(e, ERR_OK);
    u.authority_ok = true;
    struct tx s = t;
    s.type = TX_SET_CODE;
    s.max_priority_fee = U256_ZERO;
    s.gas_limit = 100000;
    s.auths = &u;
    s.auth_count = 1;
    fixture_sign(&f, &s, 0);
    struct derived_tx d = fixture_run(&f, &s);
    cr_assert(d.receipt.success);
    cr_assert_eq(world_code(chain_world(f.main.chain), &f.addrs[0]).len, 23);
    fixture_clear(&f);
}

Test(l3_rules, blobs_are_refused) {
    static const struct fixture_options plain = {0};
    struct fixture f;
    fixture_init(&f, &plain);
    hash32 blob = {{1}};
    struct tx t = {.type = TX_BLOB, .gas_limit = 50000, .blob_hashes = &blob, .blob_hash_count = 1};
    t.max_fee = u256_from_u64(50000000);
    fixture_sign(&f, &t, 0);
    struct tx *tx = &t;
    struct derived_block b;
    enum tx_verdict v;
    cr_assert_eq(fixture_block(&f, &b, &tx, 1, 1, &v), ERR_NOT_FOUND);
    cr_assert_eq(v, TX_TYPE_UNSUPPORTED);
    struct buf data;
    buf_init(&data, 4096);
    buf_append_byte(&data, L2_SIGNED_TX);
    buf_append(&data, t.raw.ptr, t.raw.len);
    struct message m = fixture_l2_message(&f, buf_bytes(&data));
    cr_assert_eq(fixture_message(&f, &b, &m, NULL), ERR_OK);
    cr_assert_eq(b.tx_count, 0);
    buf_clear(&data);
    fixture_clear(&f);
}
