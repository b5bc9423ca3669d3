/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the verdict of every rule, and what a transaction costs and leaves. Method: one open block
 * with rich accounts, one transaction per rule; both tiers where code runs. */
#include "tests/lib/chain/exec_fixture.h"

#include <criterion/criterion.h>

enum { COINBASE_BYTE = 0xcb };

static struct exec_fixture f;

static void open_block(enum evm_revision rev) {
    exec_fixture_init(&f, rev, EVM_TIER_FAST);
}
static void tear_down(void) {
    exec_fixture_clear(&f);
}
TestSuite(exec, .fini = tear_down);

static uint64_t balance(const addr20 *a) {
    u256 v = world_balance(f.world, a);
    return u256_sat_u64(&v);
}

Test(exec, transfer_pays_value_gas_and_tip) {
    open_block(EVM_OSAKA);
    addr20 from = fixture_addr(0), to = fixture_addr(20);
    struct tx tx = exec_fixture_tx(&f, 0, &to, 50000);
    tx.value = u256_from_u64(1000);
    tx.max_priority_fee = u256_from_u64(3);
    uint64_t before = balance(&from);
    cr_assert_eq(exec_fixture_send(&f, &tx, 0), TX_OK);
    cr_assert_eq(f.result.status, EVM_SUCCESS);
    cr_assert_eq(f.result.gas_used, 21000);
    cr_assert_eq(balance(&to), 1000);
    cr_assert_eq(balance(&from), before - 1000 - 21000 * (FIXTURE_BASE_FEE + 3));
    cr_assert_eq(balance(&f.header.coinbase), 21000 * 3);
    cr_assert_eq(world_nonce(f.world, &from), 1);
    cr_assert_eq(f.x.gas_used, 21000);
    cr_assert_eq(f.x.gas_left, f.header.gas_limit - 21000);
    cr_assert(f.receipt.success && f.receipt.cumulative_gas_used == 21000 &&
              !f.receipt.has_contract_addr);
    cr_assert_eq(f.receipt.effective_gas_price.w[0], FIXTURE_BASE_FEE + 3);
}

/* Sends and expects a refusal that leaves no trace. */
static void refused(struct tx *tx, unsigned from, enum tx_verdict want) {
    addr20 sender = fixture_addr(from);
    uint64_t before = balance(&sender), nonce = world_nonce(f.world, &sender), gas = f.x.gas_left;
    enum tx_verdict v = exec_fixture_send(&f, tx, from);
    cr_assert_eq(v, want, "%s instead of %s", tx_verdict_name(v), tx_verdict_name(want));
    cr_assert(tx_verdict_text(v)[0] != '\0');
    cr_assert_eq(balance(&sender), before);
    cr_assert_eq(world_nonce(f.world, &sender), nonce);
    cr_assert_eq(f.x.gas_left, gas);
}

Test(exec, verdicts_on_form_and_gas) {
    open_block(EVM_OSAKA);
    addr20 to = fixture_addr(20);
    struct tx tx = exec_fixture_tx(&f, 0, &to, 20999);
    refused(&tx, 0, TX_INTRINSIC_GAS);
    uint8_t data[100];
    memset(data, 1, sizeof data);
    tx = exec_fixture_tx(&f, 0, &to, 21000 + 100 * 16);
    tx.data = bytes_of(data, sizeof data);
    refused(&tx, 0, TX_FLOOR_GAS);
    tx = exec_fixture_tx(&f, 0, &to, ETH_TX_GAS_CAP + 1);
    refused(&tx, 0, TX_GAS_LIMIT_CAP);
    tx = exec_fixture_tx(&f, 0, &to, 21000);
    tx.chain_id = 2;
    refused(&tx, 0, TX_CHAIN_ID);
    tx = exec_fixture_tx(&f, 0, &to, 21000);
    tx.nonce = UINT64_MAX;
    refused(&tx, 0, TX_NONCE_MAX);
    tx = exec_fixture_tx(&f, 0, NULL, 10000000);
    tx.data =
        bytes_of(arena_zalloc(&f.arena, EVM_INITCODE_BYTES_MAX + 1), EVM_INITCODE_BYTES_MAX + 1);
    refused(&tx, 0, TX_INITCODE_TOO_LARGE);
    f.x.gas_left = 20000;
    tx = exec_fixture_tx(&f, 0, &to, 21000);
    refused(&tx, 0, TX_GAS_LIMIT_BLOCK);
}

Test(exec, verdicts_on_fees_nonce_and_sender) {
    open_block(EVM_OSAKA);
    addr20 to = fixture_addr(20), from = fixture_addr(1);
    struct tx tx = exec_fixture_tx(&f, 0, &to, 21000);
    tx.max_priority_fee = u256_from_u64(101);
    refused(&tx, 0, TX_TIP_ABOVE_FEE_CAP);
    tx = exec_fixture_tx(&f, 0, &to, 21000);
    tx.max_fee = u256_from_u64(FIXTURE_BASE_FEE - 1);
    refused(&tx, 0, TX_FEE_CAP_TOO_LOW);
    tx = exec_fixture_tx(&f, 0, &to, 21000);
    tx.nonce = 1;
    refused(&tx, 0, TX_NONCE_TOO_HIGH);
    tx = exec_fixture_tx(&f, 0, &to, 21000);
    cr_assert_eq(exec_fixture_send(&f, &tx, 0), TX_OK);
    refused(&tx, 0, TX_NONCE_TOO_LOW);
    tx = exec_fixture_tx(&f, 1, &to, 21000);
    exec_fixture_put_balance(&f, &from, 21000 * 100 + 4); /* the fee cap counts, not the price */
    tx.value = u256_from_u64(5);
    refused(&tx, 1, TX_INSUFFICIENT_FUNDS);
    tx.value = u256_from_u64(4);
    cr_assert_eq(exec_fixture_send(&f, &tx, 1), TX_OK);
    tx = exec_fixture_tx(&f, 2, &to, 21000);
    tx.max_fee = U256_MAX; /* the product alone exceeds 256 bits */
    refused(&tx, 2, TX_INSUFFICIENT_FUNDS);
    addr20 contract = fixture_addr(3);
    exec_fixture_put_code(&f, &contract, "00");
    tx = exec_fixture_tx(&f, 3, &to, 21000);
    refused(&tx, 3, TX_SENDER_NOT_EOA);
    exec_fixture_put_code(
        &f, &contract,
        "ef01000000000000000000000000000000000000001234"); /* a delegation may send */
    tx = exec_fixture_tx(&f, 3, &to, 21000);
    cr_assert_eq(exec_fixture_send(&f, &tx, 3), TX_OK);
}

static struct tx blob_tx(size_t count) {
    addr20 to = fixture_addr(20);
    struct tx tx = exec_fixture_tx(&f, 0, &to, 21000);
    tx.type = TX_BLOB;
    tx.max_fee_per_blob_gas = u256_from_u64(1);
    tx.blob_hashes = arena_zalloc(&f.arena, (count + 1) * sizeof *tx.blob_hashes);
    tx.blob_hash_count = count;
    for (size_t i = 0; i < count; i++)
        tx.blob_hashes[i].b[0] = 0x01;
    return tx;
}

Test(exec, verdicts_on_blobs) {
    open_block(EVM_CANCUN);
    struct tx tx = blob_tx(0);
    refused(&tx, 0, TX_BLOB_COUNT_ZERO);
    tx = blob_tx(7);
    refused(&tx, 0, TX_BLOB_COUNT_TOO_HIGH);
    tx = blob_tx(2);
    tx.blob_hashes[1].b[0] = 0x02;
    refused(&tx, 0, TX_BLOB_HASH_VERSION);
    tx = blob_tx(1);
    tx.is_create = true;
    tx.gas_limit = 60000;
    refused(&tx, 0, TX_BLOB_CREATE);
    tx = blob_tx(1);
    tx.max_fee_per_blob_gas = U256_ZERO;
    refused(&tx, 0, TX_BLOB_FEE_CAP_TOO_LOW);
    tx = blob_tx(4);
    addr20 from = fixture_addr(0);
    uint64_t before = balance(&from);
    cr_assert_eq(exec_fixture_send(&f, &tx, 0), TX_OK);
    cr_assert_eq(f.x.blob_gas_used, 4 * 131072);
    cr_assert_eq(before - balance(&from), 21000 * FIXTURE_BASE_FEE + 4 * 131072); /* at 1 wei */
    tx = blob_tx(3);
    refused(&tx, 0, TX_BLOB_GAS_BLOCK);
}

Test(exec, types_by_revision) {
    open_block(EVM_SHANGHAI);
    struct tx tx = blob_tx(1);
    refused(&tx, 0, TX_TYPE_UNSUPPORTED);
    exec_fixture_clear(&f);
    open_block(EVM_CANCUN);
    addr20 to = fixture_addr(20);
    tx = exec_fixture_tx(&f, 0, &to, 100000);
    tx.type = TX_SET_CODE;
    refused(&tx, 0, TX_TYPE_UNSUPPORTED);
    exec_fixture_clear(&f);
    open_block(EVM_PRAGUE);
    tx = exec_fixture_tx(&f, 0, &to, 100000);
    tx.type = TX_SET_CODE;
    refused(&tx, 0, TX_AUTH_LIST_EMPTY);
    tx.is_create = true;
    refused(&tx, 0, TX_SET_CODE_CREATE);
}

/* PUSH1 1, PUSH0, SSTORE; then clears it: 60015f55 5f5f55. */
Test(exec, refund_is_capped_at_a_fifth) {
    for (int tier = 0; tier < 2; tier++) {
        exec_fixture_init(&f, EVM_OSAKA, (enum evm_tier)tier);
        addr20 c = fixture_addr(20);
        exec_fixture_put_code(&f, &c, "5f5f5500");
        u256 zero = U256_ZERO, one = U256_ONE;
        world_tx_begin(f.world);
        world_set_storage(f.world, &c, &zero, &one);
        world_tx_end(f.world);
        struct arena_mark m = arena_mark(&f.arena);
        struct world_diff diff;
        world_block_end(f.world, &f.arena,
                        &diff); /* so that the slot's value precedes the transaction */
        arena_reset_to(&f.arena, m);
        world_block_begin(f.world, 2);
        struct tx tx = exec_fixture_tx(&f, 0, &c, 100000);
        cr_assert_eq(exec_fixture_send(&f, &tx, 0), TX_OK);
        uint64_t raw = 21000 + 2 + 2 + 5000;     /* cold slot, non-zero to zero */
        cr_assert_eq(f.result.gas_refund, 4800); /* EIP-3529, below a fifth of 26004 */
        cr_assert_eq(f.result.gas_used, raw - 4800);
        if (tier == 0)
            exec_fixture_clear(&f);
    }
}

Test(exec, floor_of_calldata_is_paid) {
    open_block(EVM_PRAGUE);
    addr20 to = fixture_addr(20);
    uint8_t data[1000];
    memset(data, 1, sizeof data);
    struct tx tx = exec_fixture_tx(&f, 0, &to, 100000);
    tx.data = bytes_of(data, sizeof data);
    cr_assert_eq(exec_fixture_send(&f, &tx, 0), TX_OK);
    cr_assert_eq(f.result.gas_used, 21000 + 10 * 4 * 1000);
}

Test(exec, creation_and_collision) {
    open_block(EVM_OSAKA);
    struct tx tx = exec_fixture_tx(&f, 0, NULL, 200000);
    tx.data = fixture_hex(&f.arena, "60035f5360015ff3"); /* returns the byte 03 as code */
    addr20 want, from = fixture_addr(0);
    evm_create_address(&want, &from, 0);
    cr_assert_eq(exec_fixture_send(&f, &tx, 0), TX_OK);
    cr_assert(f.result.has_created && addr20_eq(&f.result.created, &want));
    cr_assert(f.receipt.has_contract_addr && addr20_eq(&f.receipt.contract_addr, &want));
    cr_assert_eq(world_code(f.world, &want).len, 1);
    cr_assert_eq(world_nonce(f.world, &want), 1);
    evm_create_address(&want, &from, 1);
    exec_fixture_put_code(&f, &want, "00");
    tx = exec_fixture_tx(&f, 0, NULL, 200000);
    cr_assert_eq(exec_fixture_send(&f, &tx, 0), TX_OK);
    cr_assert_eq(f.result.status, EVM_CONTRACT_COLLISION);
    cr_assert_eq(f.result.gas_used, 200000);
    cr_assert(!f.receipt.success && f.receipt.has_contract_addr && !f.result.has_created);
}

Test(exec, reverted_run_has_no_logs_and_keeps_the_rest_of_the_gas) {
    open_block(EVM_OSAKA);
    addr20 c = fixture_addr(20);
    exec_fixture_put_code(&f, &c, "5f5fa05f5ffd"); /* LOG0, then REVERT */
    struct tx tx = exec_fixture_tx(&f, 0, &c, 100000);
    cr_assert_eq(exec_fixture_send(&f, &tx, 0), TX_OK);
    cr_assert_eq(f.result.status, EVM_REVERT);
    cr_assert_eq(f.receipt.log_count, 0);
    cr_assert_eq(f.result.gas_used, 21000 + 2 + 2 + 375 + 2 + 2);
    exec_fixture_put_code(&f, &c, "5f5fa000");
    tx = exec_fixture_tx(&f, 0, &c, 100000);
    cr_assert_eq(exec_fixture_send(&f, &tx, 0), TX_OK);
    cr_assert_eq(f.receipt.log_count, 1);
    cr_assert(addr20_eq(&f.receipt.logs[0].address, &c));
    cr_assert(bloom_may_contain(f.receipt.bloom, c.b, 20));
}

/* A type 4 transaction with `count` authorizations by accounts 2, 3, ... to `target`. */
static struct tx set_code_tx(const addr20 *to, const addr20 *target, unsigned count,
                             uint64_t nonce) {
    struct tx tx = exec_fixture_tx(&f, 0, to, 300000);
    tx.type = TX_SET_CODE;
    tx.auths = arena_zalloc(&f.arena, count * sizeof *tx.auths);
    tx.auth_count = count;
    for (unsigned i = 0; i < count; i++) {
        uint8_t key[32];
        fixture_key(key, 2 + i);
        tx.auths[i].address = *target;
        tx.auths[i].nonce = nonce;
        cr_assert_eq(tx_sign_authorization(&tx.auths[i], key), ERR_OK);
    }
    return tx;
}

Test(exec, delegation_is_set_run_and_cleared) {
    open_block(EVM_PRAGUE);
    addr20 code = fixture_addr(20), authority = fixture_addr(2), none = {{0}};
    exec_fixture_put_code(&f, &code, "60075f5500"); /* stores 7 at slot 0 of whoever runs it */
    struct tx tx = set_code_tx(&authority, &code, 1, 0);
    cr_assert_eq(exec_fixture_send(&f, &tx, 0), TX_OK);
    cr_assert(f.receipt.success);
    addr20 target;
    cr_assert(evm_parse_delegation(&target, world_code(f.world, &authority)) &&
              addr20_eq(&target, &code));
    cr_assert_eq(world_nonce(f.world, &authority), 1);
    u256 slot = U256_ZERO, value = world_storage(f.world, &authority, &slot);
    cr_assert_eq(value.w[0], 7);
    /* An account that existed before gives 12,500 back, capped at a fifth. */
    uint64_t raw = 21000 + 25000 + 3 + 2 + 22100;
    cr_assert_eq(f.result.gas_used, raw - 12500);
    tx = set_code_tx(&code, &none, 1, 0); /* stale nonce: skipped, not invalid */
    cr_assert_eq(exec_fixture_send(&f, &tx, 0), TX_OK);
    cr_assert_eq(world_code(f.world, &authority).len, 23);
    tx = set_code_tx(&code, &none, 1, 1);
    cr_assert_eq(exec_fixture_send(&f, &tx, 0), TX_OK);
    cr_assert_eq(world_code(f.world, &authority).len, 0);
    cr_assert_eq(world_nonce(f.world, &authority), 2);
}

/* Anyone may send thousands of authorizations that are paid by nobody. */
Test(exec, authorities_are_not_recovered_for_a_bad_verdict) {
    open_block(EVM_PRAGUE);
    addr20 code = fixture_addr(20);
    struct tx tx = set_code_tx(&code, &code, 2, 0), back;
    tx.gas_limit = 70000; /* pays for one */
    cr_assert_eq(exec_fixture_send(&f, &tx, 0), TX_INTRINSIC_GAS);
    cr_assert_eq(tx_decode(&back, &f.arena, tx.raw, false, NULL), ERR_OK);
    cr_assert_eq(tx_recover_sender(&back), ERR_OK);
    cr_assert_eq(apply_tx(&f.x, &back, &f.arena, &f.result, &f.receipt), TX_INTRINSIC_GAS);
    cr_assert(!back.auths[0].recovered && !back.auths[1].recovered);
    tx.gas_limit = 300000;
    cr_assert_eq(tx_sign(&tx, &f.arena, (const uint8_t[32]){[31] = 1}), ERR_OK);
    cr_assert_eq(tx_decode(&back, &f.arena, tx.raw, false, NULL), ERR_OK);
    back.sender = fixture_addr(0);
    back.has_sender = true;
    cr_assert_eq(apply_tx(&f.x, &back, &f.arena, &f.result, &f.receipt), TX_OK);
    addr20 authority = fixture_addr(3);
    cr_assert(back.auths[1].authority_ok && addr20_eq(&back.auths[1].authority, &authority));
    cr_assert_eq(world_nonce(f.world, &authority), 1);
}

Test(exec, delegations_stay_when_the_run_reverts) {
    open_block(EVM_PRAGUE);
    addr20 reverts = fixture_addr(21), code = fixture_addr(20), second = fixture_addr(3);
    exec_fixture_put_code(&f, &reverts, "5f5ffd");
    struct tx tx = set_code_tx(&reverts, &code, 2, 0);
    tx.auths[0].chain_id =
        u256_from_u64(5); /* another chain's (and thereby another signer's): skipped */
    cr_assert_eq(exec_fixture_send(&f, &tx, 0), TX_OK);
    cr_assert_eq(f.result.status, EVM_REVERT);
    cr_assert_eq(world_code(f.world, &second).len, 23);
    addr20 first = fixture_addr(2);
    cr_assert_eq(world_code(f.world, &first).len, 0);
    cr_assert_gt(f.result.gas_refund, 0);
}

Test(exec, call_takes_gas_from_the_message_alone) {
    open_block(EVM_OSAKA);
    addr20 c = fixture_addr(20), from = fixture_addr(0);
    exec_fixture_put_code(&f, &c, "5a5f5260205ff3"); /* returns GAS */
    uint64_t before = balance(&from);
    struct evm_message msg = {.kind = EVM_CALL, .sender = from, .recipient = c, .gas = 5000};
    struct evm_result r;
    world_tx_begin(f.world);
    exec_call(&f.x, &msg, &U256_ZERO, &r);
    world_tx_end(f.world);
    cr_assert_eq(r.status, EVM_SUCCESS);
    cr_assert_eq(r.output.len, 32);
    u256 gas = u256_from_be32(r.output.ptr);
    cr_assert_eq(gas.w[0], 4998);
    cr_assert_eq(balance(&from), before);
    cr_assert_eq(f.x.gas_used, 0);
}
