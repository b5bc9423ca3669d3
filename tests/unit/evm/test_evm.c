/* SPDX-License-Identifier: Apache-2.0 */
/* Covers: evm.c frame.c. evm_run from outside: kinds of message, what a result holds, texts, and a
 * machine that is used again. */
#include "evm/machine.h"
#include "tests/lib/evm/trial.h"

#include <criterion/criterion.h>

Test(evm, results_of_each_ending) {
    struct trial t;
    trial_open(&t);
    static const struct {
        const char *code;
        enum evm_status status;
    } cases[] = {
        {"STOP", EVM_SUCCESS},
        {"", EVM_SUCCESS},
        {"PUSH0 PUSH0 RETURN", EVM_SUCCESS},
        {"PUSH0 PUSH0 REVERT", EVM_REVERT},
        {"INVALID", EVM_INVALID_OPCODE},
        {"0c", EVM_INVALID_OPCODE},
        {"ADD", EVM_STACK_UNDERFLOW},
        {"JUMPDEST PUSH0 PUSH0 JUMP", EVM_STACK_OVERFLOW},
        {"PUSH1 01 JUMP", EVM_BAD_JUMP},
        {"PUSH1 01 PUSH1 01 JUMPI", EVM_BAD_JUMP},
        {"PUSH0 PUSH1 01 JUMPI", EVM_SUCCESS},
        {"CALLER JUMP", EVM_BAD_JUMP},
        {"JUMPDEST PUSH0 JUMP", EVM_OUT_OF_GAS},
        {"PUSH1 01 PUSH0 PUSH0 RETURNDATACOPY", EVM_RETURNDATA_OUT_OF_BOUNDS},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        BOTH_TIERS(&t) {
            struct evm_result r = trial_run(&t, cases[i].code);
            cr_expect_eq(r.status, cases[i].status, "%s: %s", cases[i].code,
                         evm_status_text(r.status));
            if (r.status > EVM_REVERT)
                cr_expect(r.gas_left == 0 && r.gas_refund == 0 && r.output.len == 0);
        }
    trial_close(&t);
}

Test(evm, revert_keeps_gas_and_data_but_no_refund) {
    struct trial t;
    trial_open(&t);
    u256 key = U256_ZERO, one = U256_ONE;
    BOTH_TIERS(&t) {
        fake_set_storage(t.world, &t.contract, &key, &one);
        struct evm_result r = trial_run(&t, "PUSH0 PUSH0 SSTORE PUSH1 20 PUSH0 REVERT");
        cr_expect_eq(r.status, EVM_REVERT);
        cr_expect_eq(r.gas_refund, 0);
        cr_expect_eq(r.output.len, 32);
        cr_expect_gt(r.gas_left, 9990000);
        cr_expect_eq(fake_slot(t.world, &t.contract, &key)->value.w[0], 1);
        r = trial_run(&t, "PUSH0 PUSH0 SSTORE");
        cr_expect_eq(r.gas_refund, 4800);
    }
    trial_close(&t);
}

Test(evm, a_plain_transfer) {
    struct trial t;
    trial_open(&t);
    addr20 to = fake_addr(0x7777);
    struct evm_message msg = {
        .kind = EVM_CALL, .sender = t.caller, .recipient = to, .value = u256_from_u64(5), .gas = 0};
    struct evm_result r;
    evm_run(t.vm, &t.cfg, &msg, &r);
    cr_expect_eq(r.status, EVM_SUCCESS);
    cr_expect_eq(fake_account(t.world, &to)->balance.w[0], 5);
    trial_close(&t);
}

Test(evm, top_level_static_precompile_and_delegation) {
    struct trial t;
    trial_open(&t);
    static const uint8_t data[] = {1, 2, 3};
    struct evm_message msg = {.kind = EVM_STATICCALL,
                              .sender = t.caller,
                              .recipient = t.contract,
                              .input = bytes_of(data, sizeof data),
                              .gas = 100000};
    struct evm_result r;
    BOTH_TIERS(&t) {
        trial_code(&t, "PUSH1 01 PUSH0 SSTORE");
        msg.recipient = t.contract;
        evm_run(t.vm, &t.cfg, &msg, &r);
        cr_expect_eq(r.status, EVM_STATIC_VIOLATION);
        msg.recipient = fake_addr(4);
        evm_run(t.vm, &t.cfg, &msg, &r);
        cr_expect_eq(r.status, EVM_SUCCESS);
        cr_expect_eq(100000 - r.gas_left, 18);
        cr_assert_eq(r.output.len, 3);
        cr_expect_eq(memcmp(r.output.ptr, data, 3), 0);
        /* The delegation of a transaction's target costs nothing and warms its target. */
        addr20 eoa = fake_addr(0xe0a);
        trial_code_at(&t, &eoa, "ef0100000000000000000000000000000000000000c0de");
        trial_code(&t, "ADDRESS PUSH0 MSTORE PUSH1 20 PUSH0 RETURN");
        fake_account(t.world, &t.contract)->warm = false;
        msg.recipient = eoa;
        evm_run(t.vm, &t.cfg, &msg, &r);
        cr_expect_eq(r.status, EVM_SUCCESS);
        cr_expect_eq(output_word(&r, 0).w[0], 0xe0a);
        cr_expect_eq(100000 - r.gas_left, 2 + 2 + 6 + 3 + 2);
        cr_expect(fake_account(t.world, &t.contract)->warm);
    }
    trial_close(&t);
}

Test(evm, a_budget_stops_and_is_not_seen) {
    struct trial t;
    trial_open(&t);
    static const struct {
        const char *code;
        int64_t budget;
        bool stops;
    } cases[] = {
        {"GAS PUSH0 MSTORE PUSH1 20 PUSH0 RETURN", 15, false},
        {"GAS PUSH0 MSTORE PUSH1 20 PUSH0 RETURN", 14, true},
        {"JUMPDEST PUSH0 JUMP", 1000000, true},
        {"PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 ADDRESS GAS CALL", 5000, true}, /* itself, without end */
        {"PUSH1 01 PUSH0 SSTORE PUSH0 PUSH0 REVERT", 30000, false},
        /* Millions of gas in one precompile: a pairing of 400 pairs. */
        {"PUSH0 PUSH0 PUSH3 012c00 PUSH0 PUSH1 08 GAS STATICCALL", 60000, true},
        {"PUSH0 PUSH0 PUSH0 PUSH0 PUSH1 08 GAS STATICCALL", 60000, false},
        {"INVALID", 1, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        BOTH_TIERS(&t) {
            t.cfg.budget = 0;
            struct evm_result whole = trial_run(&t, cases[i].code);
            u256 word = whole.output.len == 32 ? output_word(&whole, 0) : U256_ZERO;
            cr_expect_not(whole.over_budget);
            t.cfg.budget = cases[i].budget;
            struct evm_result r = trial_run(&t, cases[i].code);
            cr_expect_eq(r.over_budget, cases[i].stops, "%s", cases[i].code);
            if (cases[i].stops)
                continue;
            cr_expect_eq(r.status, whole.status, "%s", cases[i].code);
            cr_expect_eq(r.gas_left, whole.gas_left, "%s", cases[i].code);
            cr_expect_eq(r.output.len, whole.output.len, "%s", cases[i].code);
            u256 same = r.output.len == 32 ? output_word(&r, 0) : U256_ZERO;
            cr_expect(u256_eq(&word, &same), "%s", cases[i].code);
        }
    trial_close(&t);
}

Test(evm, status_texts_are_there) {
    for (int s = EVM_INTERNAL_ERROR; s <= EVM_NONCE_OVERFLOW; s++)
        cr_expect(s == EVM_SUCCESS || strlen(evm_status_text((enum evm_status)s)) > 5, "%d", s);
    cr_expect_str_eq(evm_status_text(EVM_REVERT), "execution reverted");
    cr_expect_str_eq(evm_status_text(EVM_OUT_OF_GAS), "out of gas");
}

Test(evm, delegation_designators) {
    uint8_t code[24] = {0xef, 0x01, 0x00, 0xaa};
    addr20 a;
    cr_expect(evm_parse_delegation(&a, bytes_of(code, 23)));
    cr_expect_eq(a.b[0], 0xaa);
    cr_expect_not(evm_parse_delegation(&a, bytes_of(code, 24)));
    cr_expect_not(evm_parse_delegation(&a, bytes_of(code, 22)));
    code[2] = 1;
    cr_expect_not(evm_parse_delegation(&a, bytes_of(code, 23)));
}

/* Large output, and a run after it: what it left behind is neither seen nor kept. */
Test(evm, large_runs_leave_nothing_behind) {
    struct trial t;
    trial_open(&t);
    BOTH_TIERS(&t) {
        trial_code(&t, "PUSH0 NOT PUSH4 03000000 MSTORE PUSH4 03000020 PUSH0 RETURN");
        struct evm_result r = trial_call(&t, "", INT64_C(1) << 50);
        cr_assert_eq(r.status, EVM_SUCCESS);
        cr_assert_eq(r.output.len, 0x3000020);
        cr_expect_eq(r.output.ptr[0x300001f], 0xff);
        trial_code(&t, "PUSH4 03000000 MLOAD PUSH0 MSTORE PUSH1 20 PUSH0 RETURN");
        r = trial_call(&t, "", INT64_C(1) << 50);
        u256 v = output_word(&r, 0);
        cr_expect(u256_is_zero(&v));
    }
    trial_close(&t);
}

/* Three memories of 100 GiB do not fit the mapping: the node has failed, not the transaction.
 * Everything is undone, and the machine is as good as new. */
Test(evm, no_room_for_memory_is_an_internal_error) {
    struct trial t;
    trial_open(&t);
    u256 key = U256_ZERO;
    BOTH_TIERS(&t) {
        trial_code(&t, "PUSH1 01 PUSH0 SSTORE PUSH0 PUSH5 1900000000 MSTORE8 "
                       "PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 ADDRESS GAS CALL");
        struct evm_result r = trial_call(&t, "", INT64_C(1) << 62);
        cr_expect_eq(r.status, EVM_INTERNAL_ERROR);
        cr_expect_eq(r.output.len, 0);
        cr_expect(u256_is_zero(&fake_slot(t.world, &t.contract, &key)->value));
        r = trial_run(&t, "PUSH1 20 PUSH0 RETURN");
        cr_expect_eq(r.status, EVM_SUCCESS);
    }
    trial_close(&t);
}
