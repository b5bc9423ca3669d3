/* SPDX-License-Identifier: Apache-2.0 */
/* What code sees of message, accounts, transaction and block. */
#include "base/keccak.h"
#include "evm/gas.h"
#include "tests/lib/evm/trial.h"

#include <criterion/criterion.h>
#include <stdio.h>

static u256 value_of(struct trial *t, const char *code) {
    char text[512];
    (void)snprintf(text, sizeof text, "%s PUSH0 MSTORE PUSH1 20 PUSH0 RETURN", code);
    trial_code(t, text);
    struct evm_result r = trial_call(t, "0102030405", 100000);
    cr_assert_eq(r.status, EVM_SUCCESS, "%s: %s", code, evm_status_text(r.status));
    return output_word(&r, 0);
}

Test(op_env, words) {
    struct trial t;
    trial_open(&t);
    hash32 blobs[2] = {{{1, 2}}, {{3, 4}}};
    t.tx.blob_hashes = blobs;
    t.tx.blob_hash_count = 2;
    fake_account(t.world, &t.contract)->balance = u256_from_u64(77);
    const struct {
        const char *code;
        uint64_t want;
    } cases[] = {
        {"ADDRESS", 0xc0de},
        {"ORIGIN", 0xca11e4},
        {"CALLER", 0xca11e4},
        {"CALLVALUE", 0},
        {"CALLDATASIZE", 5},
        {"CODESIZE", 7},
        {"GASPRICE", 9},
        {"COINBASE", 0xc01b},
        {"TIMESTAMP", 1700000000},
        {"NUMBER", 1000},
        {"GASLIMIT", 30000000},
        {"CHAINID", 41337},
        {"SELFBALANCE", 77},
        {"BASEFEE", 7},
        {"BLOBBASEFEE", 3},
        {"PC", 0},
        {"PUSH0 PC ADD", 1},
        {"MSIZE", 0},
        {"PUSH0 MLOAD MSIZE ADD", 32},
        {"RETURNDATASIZE", 0},
        {"ADDRESS BALANCE", 77},
        {"PUSH1 02 BLOBHASH", 0},
        {"PUSH0 NOT BLOBHASH", 0},
        {"PUSH2 03e8 BLOCKHASH", 0}, /* the block itself */
        {"PUSH2 02e7 BLOCKHASH", 0}, /* 257 back */
        {"PUSH9 010000000000000000 BLOCKHASH", 0},
        {"PUSH1 05 CALLDATALOAD", 0},
        {"PUSH0 NOT CALLDATALOAD", 0},
        {"PUSH2 9999 EXTCODEHASH", 0},
        {"PUSH2 9999 EXTCODESIZE", 0},
        {"GAS", 100000 - 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        BOTH_TIERS(&t) {
            u256 got = value_of(&t, cases[i].code);
            cr_expect(u256_fits_u64(&got) && got.w[0] == cases[i].want, "%s gave %llu",
                      cases[i].code, (unsigned long long)got.w[0]);
        }
    trial_close(&t);
}

Test(op_env, hashes) {
    struct trial t;
    trial_open(&t);
    hash32 blob = {{1, 2}};
    t.tx.blob_hashes = &blob;
    t.tx.blob_hash_count = 1;
    addr20 eoa = fake_addr(0x5678);
    fake_account(t.world, &eoa)->balance = U256_ONE;
    BOTH_TIERS(&t) {
        u256 got = value_of(&t, "PUSH0 BLOBHASH"), want = u256_from_be32(blob.b);
        cr_expect(u256_eq(&got, &want));
        got = value_of(&t, "PREVRANDAO");
        want = u256_from_be32(t.block.prevrandao.b);
        cr_expect(u256_eq(&got, &want));
        got = value_of(&t, "PUSH2 5678 EXTCODEHASH");
        want = u256_from_be32(KECCAK_EMPTY.b);
        cr_expect(u256_eq(&got, &want));
        got = value_of(&t, "PUSH0 PUSH0 KECCAK256");
        cr_expect(u256_eq(&got, &want));
        for (uint64_t n = 744; n < 1000; n += 255) { /* both ends of the window */
            char code[64];
            hash32 h;
            (void)snprintf(code, sizeof code, "PUSH2 %04llx BLOCKHASH", (unsigned long long)n);
            keccak256(&h, &n, sizeof n);
            got = value_of(&t, code);
            want = u256_from_be32(h.b);
            cr_expect(u256_eq(&got, &want), "block %llu", (unsigned long long)n);
        }
        got = value_of(&t, "PUSH1 03 CALLDATALOAD");
        cr_expect_eq(got.w[3], UINT64_C(0x0405) << 48);
    }
    trial_close(&t);
}

Test(op_env, account_access_is_cold_once) {
    struct trial t;
    trial_open(&t);
    static const char *const ops[] = {"BALANCE", "EXTCODESIZE", "EXTCODEHASH"};
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        BOTH_TIERS(&t) {
            char code[128];
            (void)snprintf(code, sizeof code, "PUSH2 7777 %s PUSH2 7777 %s", ops[i], ops[i]);
            trial_code(&t, code);
            cr_expect_eq(trial_call(&t, "", 6 + 2700).gas_left, 0);
            cr_expect_eq(trial_call(&t, "", 6 + 2700).status, EVM_SUCCESS);
            cr_expect_eq(trial_call(&t, "", 6 + 2699).status, EVM_OUT_OF_GAS);
        }
    trial_code(&t, "PUSH1 21 PUSH0 PUSH0 PUSH2 7777 EXTCODECOPY");
    BOTH_TIERS(&t) {
        cr_expect_eq(trial_call(&t, "", 10 + 2600 + 6 + 6).status, EVM_SUCCESS);
        cr_expect_eq(trial_call(&t, "", 10 + 2600 + 6 + 5).status, EVM_OUT_OF_GAS);
    }
    trial_close(&t);
}
