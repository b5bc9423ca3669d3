/* SPDX-License-Identifier: Apache-2.0 */
/* Calls: gas by EIP-150 and EIP-2929, stipend, values, contexts, return data, depth, delegation
 * (EIP-7702), precompiles and the chain's own addresses. */
#include "evm/gas.h"
#include "tests/lib/evm/trial.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const char RETURN_TOP[] = " PUSH0 MSTORE PUSH1 20 PUSH0 RETURN";

static struct evm_result run_with_tail(struct trial *t, const char *code) {
    char text[1024];
    (void)snprintf(text, sizeof text, "%s%s", code, RETURN_TOP);
    return trial_run(t, text);
}

/* Gas that the calling code uses, its status on the stack. */
static int64_t call_gas(struct trial *t, const char *code, uint64_t *out_top) {
    struct evm_result r = run_with_tail(t, code);
    cr_assert_eq(r.status, EVM_SUCCESS, "%s: %s", code, evm_status_text(r.status));
    *out_top = output_word(&r, 0).w[0];
    return 10000000 - r.gas_left - (2 + 6 + 3 + 2); /* the tail */
}

Test(op_call, prices_by_access_value_and_existence) {
    struct trial t;
    trial_open(&t);
    fake_account(t.world, &t.contract)->balance = u256_from_u64(1000000);
    addr20 known = fake_addr(0x4444);
    fake_account(t.world, &known)->nonce = 1;
    static const struct {
        const char *code;
        int64_t gas;
    } cases[] = {
        {"PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH2 4444 PUSH0 CALL", 10 + 3 + 2 + 2600},
        {"PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH2 5555 PUSH0 CALL", 10 + 3 + 2 + 2600},
        {"PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 ADDRESS PUSH0 CALL", 10 + 2 + 2 + 100},
        {"PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH1 01 PUSH0 CALL", 10 + 3 + 2 + 2600},
        {"PUSH0 PUSH0 PUSH0 PUSH0 PUSH1 01 PUSH2 4444 PUSH0 CALL",
         8 + 3 + 3 + 2 + 2600 + 9000 - 2300},
        {"PUSH0 PUSH0 PUSH0 PUSH0 PUSH1 01 PUSH2 5555 PUSH0 CALL",
         8 + 3 + 3 + 2 + 2600 + 9000 + 25000 - 2300},
        {"PUSH0 PUSH0 PUSH0 PUSH0 PUSH1 01 PUSH2 6666 PUSH0 CALLCODE",
         8 + 3 + 3 + 2 + 2600 + 9000 - 2300},
        {"PUSH0 PUSH0 PUSH0 PUSH0 PUSH2 4444 PUSH0 DELEGATECALL", 8 + 3 + 2 + 2600},
        {"PUSH0 PUSH0 PUSH0 PUSH0 PUSH2 4444 PUSH0 STATICCALL", 8 + 3 + 2 + 2600},
        {"PUSH1 21 PUSH0 PUSH1 21 PUSH1 40 PUSH2 4444 PUSH0 STATICCALL",
         3 + 2 + 3 + 3 + 3 + 2 + 2600 + 4 * 3 - 3}, /* four words, one of them the tail's */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        BOTH_TIERS(&t) {
            fake_account(t.world, &known)->warm = false;
            addr20 fresh = fake_addr(0x5555);
            fake_account(t.world, &fresh)->balance = U256_ZERO;
            uint64_t top;
            if (i == 0)
                fake_account(t.world, &t.contract)->balance = u256_from_u64(1000000);
            int64_t used = call_gas(&t, cases[i].code, &top);
            cr_expect_eq(used, cases[i].gas, "%s: %lld", cases[i].code, (long long)used);
        }
    }
    trial_close(&t);
}

Test(op_call, keeps_back_one_64th) {
    struct trial t;
    trial_open(&t);
    addr20 child = fake_addr(0xbeef);
    trial_code_at(&t, &child, "GAS PUSH0 MSTORE PUSH1 20 PUSH0 RETURN");
    BOTH_TIERS(&t) {
        struct evm_result r =
            trial_run(&t, "PUSH1 20 PUSH0 PUSH0 PUSH0 PUSH0 PUSH2 beef PUSH0 NOT CALL POP "
                          "PUSH1 20 PUSH0 RETURN");
        int64_t before = 10000000 - (3 + 2 * 4 + 3 + 2 + 3) - 2600 - 3;
        int64_t given = before - before / 64;
        cr_expect_eq((int64_t)output_word(&r, 0).w[0], given - 2);
    }
    trial_close(&t);
}

Test(op_call, contexts) {
    struct trial t;
    trial_open(&t);
    fake_account(t.world, &t.contract)->balance = u256_from_u64(1000);
    addr20 child = fake_addr(0xbeef);
    trial_code_at(&t, &child,
                  "ADDRESS PUSH0 MSTORE CALLER PUSH1 20 MSTORE CALLVALUE PUSH1 40 MSTORE "
                  "PUSH1 60 PUSH0 RETURN");
    static const struct {
        const char *call;
        uint64_t address, caller, value;
    } cases[] = {
        {"PUSH1 05 PUSH2 beef GAS CALL", 0xbeef, 0xc0de, 5},
        {"PUSH1 05 PUSH2 beef GAS CALLCODE", 0xc0de, 0xc0de, 5},
        {"PUSH2 beef GAS DELEGATECALL", 0xc0de, 0xca11e4, 0},
        {"PUSH2 beef GAS STATICCALL", 0xbeef, 0xc0de, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        BOTH_TIERS(&t) {
            char code[256];
            (void)snprintf(code, sizeof code,
                           "PUSH1 60 PUSH0 PUSH0 PUSH0 %s POP PUSH1 60 PUSH0 RETURN",
                           cases[i].call);
            struct evm_result r = trial_run(&t, code);
            cr_assert_eq(r.status, EVM_SUCCESS);
            cr_expect_eq(output_word(&r, 0).w[0], cases[i].address, "%s", cases[i].call);
            cr_expect_eq(output_word(&r, 1).w[0], cases[i].caller, "%s", cases[i].call);
            cr_expect_eq(output_word(&r, 2).w[0], cases[i].value, "%s", cases[i].call);
        }
    }
    trial_close(&t);
}

Test(op_call, return_data_of_all_outcomes) {
    struct trial t;
    trial_open(&t);
    addr20 child = fake_addr(0xbeef);
    static const struct {
        const char *callee;
        uint64_t success, size;
    } cases[] = {
        {"PUSH1 21 PUSH0 RETURN", 1, 33},
        {"PUSH1 21 PUSH0 REVERT", 0, 33},
        {"INVALID", 0, 0},
        {"STOP", 1, 0},
        {"PUSH1 01 JUMP", 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        trial_code_at(&t, &child, cases[i].callee);
        BOTH_TIERS(&t) {
            struct evm_result r = trial_run(
                &t, "PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH2 beef PUSH2 1000 CALL PUSH0 MSTORE "
                    "RETURNDATASIZE PUSH1 20 MSTORE PUSH1 40 PUSH0 RETURN");
            cr_expect_eq(output_word(&r, 0).w[0], cases[i].success, "%s", cases[i].callee);
            cr_expect_eq(output_word(&r, 1).w[0], cases[i].size, "%s", cases[i].callee);
        }
    }
    /* Reading past the end fails, even with length zero. */
    trial_code_at(&t, &child, "PUSH1 20 PUSH0 RETURN");
    BOTH_TIERS(&t) {
        cr_expect_eq(trial_run(&t,
                               "PUSH0 PUSH0 PUSH0 PUSH0 PUSH2 beef GAS STATICCALL PUSH0 PUSH1 20 "
                               "PUSH0 RETURNDATACOPY")
                         .status,
                     EVM_SUCCESS);
        cr_expect_eq(trial_run(&t,
                               "PUSH0 PUSH0 PUSH0 PUSH0 PUSH2 beef GAS STATICCALL PUSH0 PUSH1 21 "
                               "PUSH0 RETURNDATACOPY")
                         .status,
                     EVM_RETURNDATA_OUT_OF_BOUNDS);
        cr_expect_eq(trial_run(&t, "PUSH1 01 PUSH0 PUSH0 RETURNDATACOPY").status,
                     EVM_RETURNDATA_OUT_OF_BOUNDS);
    }
    trial_close(&t);
}

Test(op_call, output_is_cut_to_the_callers_range) {
    struct trial t;
    trial_open(&t);
    addr20 child = fake_addr(0xbeef);
    trial_code_at(&t, &child, "PUSH0 NOT PUSH0 MSTORE PUSH1 20 PUSH0 RETURN");
    BOTH_TIERS(&t) {
        struct evm_result r =
            trial_run(&t, "PUSH1 04 PUSH1 1c PUSH0 PUSH0 PUSH2 beef GAS STATICCALL "
                          "POP PUSH1 40 PUSH0 RETURN");
        cr_expect_eq(output_word(&r, 0).w[0], 0xffffffff);
        u256 second = output_word(&r, 1);
        cr_expect(u256_is_zero(&second));
    }
    trial_close(&t);
}

Test(op_call, value_beyond_the_balance_fails_softly) {
    struct trial t;
    trial_open(&t);
    BOTH_TIERS(&t) {
        uint64_t top;
        int64_t used =
            call_gas(&t, "PUSH0 PUSH0 PUSH0 PUSH0 PUSH1 01 ADDRESS PUSH2 1000 CALL", &top);
        cr_expect_eq(top, 0);
        cr_expect_eq(used, 8 + 3 + 2 + 3 + 100 + 9000 - 2300);
    }
    trial_close(&t);
}

Test(op_call, failures_undo_the_callees_changes) {
    struct trial t;
    trial_open(&t);
    addr20 child = fake_addr(0xbeef);
    fake_account(t.world, &t.contract)->balance = u256_from_u64(10);
    trial_code_at(&t, &child, "PUSH1 01 PUSH1 09 SSTORE PUSH0 PUSH0 LOG0 INVALID");
    BOTH_TIERS(&t) {
        struct evm_result r =
            run_with_tail(&t, "PUSH0 PUSH0 PUSH0 PUSH0 PUSH1 01 PUSH2 beef PUSH3 010000 CALL");
        cr_expect_eq(output_word(&r, 0).w[0], 0);
        cr_expect_eq(r.gas_refund, 0);
        u256 key = u256_from_u64(9);
        cr_expect(u256_is_zero(&fake_slot(t.world, &child, &key)->value));
        cr_expect_not(fake_slot(t.world, &child, &key)->warm);
        cr_expect_eq(fake_log_count(t.world), 0);
        cr_expect_eq(fake_account(t.world, &t.contract)->balance.w[0], 10);
    }
    trial_close(&t);
}

Test(op_call, depth_ends_at_1024) {
    struct trial t;
    trial_open(&t);
    /* Calls itself with all gas, then counts in slot 0 how many frames there were. */
    BOTH_TIERS(&t) {
        u256 key = U256_ZERO;
        fake_set_storage(t.world, &t.contract, &key, &U256_ZERO);
        trial_code(&t, "PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 ADDRESS GAS CALL POP "
                       "PUSH1 01 PUSH0 SLOAD ADD PUSH0 SSTORE");
        struct evm_result r = trial_call(&t, "", INT64_C(1) << 60);
        cr_expect_eq(r.status, EVM_SUCCESS, "%s", evm_status_text(r.status));
        cr_expect_eq(fake_slot(t.world, &t.contract, &key)->value.w[0], 1025);
    }
    trial_close(&t);
}

Test(op_call, delegation_is_followed_once_and_paid) {
    struct trial t;
    trial_open(&t);
    addr20 eoa = fake_addr(0xe0a), target = fake_addr(0xbeef), second = fake_addr(0xe0b);
    trial_code_at(&t, &eoa, "ef0100000000000000000000000000000000000000beef");
    trial_code_at(&t, &second, "ef01000000000000000000000000000000000000000e0a");
    trial_code_at(&t, &target, "ADDRESS PUSH0 MSTORE PUSH1 20 PUSH0 RETURN");
    int64_t callee = 2 + 2 + 3 + 3 + 3 + 2;
    BOTH_TIERS(&t) {
        uint64_t top;
        int64_t used =
            call_gas(&t, "PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH2 0e0a GAS CALL PUSH0 POP", &top);
        cr_expect_eq(top, 1);
        cr_expect_eq(used, 10 + 3 + 2 + 2600 + 2600 + callee + 4, "%lld", (long long)used);
        struct evm_result r =
            trial_run(&t, "PUSH1 20 PUSH0 PUSH0 PUSH0 PUSH0 PUSH2 0e0a GAS CALL POP "
                          "PUSH1 20 PUSH0 RETURN");
        cr_expect_eq(output_word(&r, 0).w[0], 0xe0a);
        /* A delegation to a delegation runs the designator, which is no code. */
        call_gas(&t, "PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH2 0e0b PUSH2 1000 CALL", &top);
        cr_expect_eq(top, 0);
        /* EXTCODESIZE and EXTCODEHASH see the designator. */
        call_gas(&t, "PUSH2 0e0a EXTCODESIZE", &top);
        cr_expect_eq(top, 23);
    }
    t.cfg.revision = EVM_CANCUN;
    uint64_t top;
    call_gas(&t, "PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH2 0e0a PUSH2 1000 CALL", &top);
    cr_expect_eq(top, 0);
    trial_close(&t);
}

Test(op_call, a_delegation_to_a_precompile_runs_nothing) {
    struct trial t;
    trial_open(&t);
    addr20 eoa = fake_addr(0xe0a);
    trial_code_at(&t, &eoa, "ef01000000000000000000000000000000000000000004");
    BOTH_TIERS(&t) {
        struct evm_result r = run_with_tail(&t, "PUSH0 PUSH0 PUSH1 20 PUSH0 PUSH0 PUSH2 0e0a GAS "
                                                "CALL PUSH2 0100 MUL RETURNDATASIZE OR");
        cr_expect_eq(output_word(&r, 0).w[0], 0x100);
    }
    trial_close(&t);
}

Test(op_call, precompiles_answer_and_fail) {
    struct trial t;
    trial_open(&t);
    BOTH_TIERS(&t) {
        uint64_t top;
        /* IDENTITY of 33 bytes: 15 + 2 * 3. */
        int64_t used = call_gas(
            &t, "PUSH0 PUSH0 PUSH1 21 PUSH0 PUSH0 PUSH1 04 PUSH1 15 CALL POP RETURNDATASIZE", &top);
        cr_expect_eq(top, 33);
        cr_expect_eq(used, 2 + 2 + 3 + 2 + 2 + 3 + 3 + 2600 + 6 - 3 + 21 + 4);
        call_gas(&t, "PUSH0 PUSH0 PUSH1 21 PUSH0 PUSH0 PUSH1 04 PUSH1 14 CALL", &top);
        cr_expect_eq(top, 0);
        /* BLAKE2F refuses any other length than 213, and all gas is gone. */
        used = call_gas(&t, "PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH1 09 PUSH2 1000 CALL", &top);
        cr_expect_eq(top, 0);
        cr_expect_eq(used, 10 + 3 + 3 + 2600 + 0x1000);
    }
    trial_close(&t);
}

Test(op_call, system_addresses_answer_first) {
    struct trial t;
    trial_open(&t);
    addr20 sys = fake_addr(0x64);
    trial_code_at(&t, &sys, "INVALID");
    fake_set_system_address(t.world, &sys);
    BOTH_TIERS(&t) {
        struct evm_result r = trial_run(
            &t, "PUSH1 2a PUSH0 MSTORE PUSH1 20 PUSH1 20 PUSH1 20 PUSH0 PUSH0 PUSH1 64 GAS "
                "CALL PUSH1 40 MSTORE PUSH1 40 PUSH1 20 RETURN");
        cr_expect_eq(output_word(&r, 0).w[0], 0x2a);
        cr_expect_eq(output_word(&r, 1).w[0], 1);
        r = run_with_tail(&t, "PUSH0 PUSH0 PUSH0 PUSH0 PUSH1 64 PUSH1 63 STATICCALL");
        cr_expect_eq(output_word(&r, 0).w[0], 0);
    }
    trial_close(&t);
}
