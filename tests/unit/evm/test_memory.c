/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: what it costs, where it ends, that it begins as zeros, and offsets that no gas can pay.
 */
#include "evm/gas.h"
#include "evm/machine.h"
#include "tests/lib/evm/trial.h"

#include <criterion/criterion.h>

/* Exactly enough gas succeeds, one less does not. */
static void expect_gas(struct trial *t, const char *code, int64_t gas) {
    BOTH_TIERS(t) {
        trial_code(t, code);
        struct evm_result r = trial_call(t, "", gas);
        cr_expect(r.status == EVM_SUCCESS && r.gas_left == 0, "%s, tier %d: %s, %lld left", code,
                  t->cfg.tier, evm_status_text(r.status), (long long)r.gas_left);
        r = trial_call(t, "", gas - 1);
        cr_expect_eq(r.status, EVM_OUT_OF_GAS, "%s", code);
        cr_expect_eq(r.gas_left, 0);
    }
}

Test(memory, expansion_is_paid_to_the_unit) {
    struct trial t;
    trial_open(&t);
    expect_gas(&t, "PUSH0 PUSH0 MSTORE", 2 + 2 + 3 + 3);
    expect_gas(&t, "PUSH0 PUSH1 01 MSTORE", 2 + 3 + 3 + 6);
    expect_gas(&t, "PUSH0 PUSH1 1f MSTORE8", 2 + 3 + 3 + 3);
    expect_gas(&t, "PUSH0 PUSH1 20 MSTORE8", 2 + 3 + 3 + 6);
    expect_gas(&t, "PUSH1 03 MLOAD PUSH0 MLOAD", 3 + 3 + 6 + 2 + 3);
    /* 724 words are the first whose square matters: 724^2 / 512 = 1023. */
    expect_gas(&t, "PUSH0 PUSH2 5a60 MSTORE", 2 + 3 + 3 + 724 * 3 + 1023);
    expect_gas(&t, "PUSH4 00100000 PUSH0 KECCAK256",
               3 + 2 + 30 + 32768 * 6 + 32768 * 3 + 32768 * 64);
    expect_gas(&t, "PUSH1 21 PUSH0 PUSH0 CALLDATACOPY", 3 + 2 + 2 + 3 + 2 * 3 + 2 * 3);
    expect_gas(&t, "PUSH1 21 PUSH0 PUSH0 CODECOPY", 3 + 2 + 2 + 3 + 2 * 3 + 2 * 3);
    expect_gas(&t, "PUSH1 21 PUSH1 40 PUSH0 MCOPY", 3 + 3 + 2 + 3 + 2 * 3 + 4 * 3);
    expect_gas(&t, "PUSH1 20 PUSH1 20 LOG0", 3 + 3 + 375 + 8 * 32 + 2 * 3);
    expect_gas(&t, "PUSH1 20 PUSH1 20 RETURN", 3 + 3 + 2 * 3);
    trial_close(&t);
}

Test(memory, empty_ranges_may_lie_anywhere) {
    struct trial t;
    trial_open(&t);
    static const char *const codes[] = {
        "PUSH0 PUSH0 NOT RETURN",
        "PUSH0 PUSH0 NOT KECCAK256",
        "PUSH0 PUSH0 NOT PUSH0 NOT CALLDATACOPY",
        "PUSH0 PUSH0 NOT PUSH0 NOT CODECOPY",
        "PUSH0 PUSH0 NOT PUSH0 NOT MCOPY",
        "PUSH0 PUSH0 PUSH0 NOT RETURNDATACOPY",
        "PUSH0 PUSH0 NOT PUSH0 NOT ADDRESS EXTCODECOPY",
        "PUSH0 PUSH0 NOT LOG0",
        "PUSH0 PUSH0 NOT PUSH0 PUSH0 NOT PUSH0 ADDRESS PUSH0 CALL",
        "PUSH0 PUSH0 NOT PUSH0 CREATE",
    };
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        BOTH_TIERS(&t) {
            struct evm_result r = trial_run(&t, codes[i]);
            cr_expect_eq(r.status, EVM_SUCCESS, "%s: %s", codes[i], evm_status_text(r.status));
        }
    trial_close(&t);
}

Test(memory, absurd_offsets_run_out_of_gas) {
    struct trial t;
    trial_open(&t);
    static const char *const codes[] = {
        "PUSH0 PUSH0 NOT MSTORE",
        "PUSH0 NOT MLOAD",
        "PUSH0 PUSH0 NOT MSTORE8",
        "PUSH8 ffffffffffffffff MLOAD",
        "PUSH8 ffffffffffffffe0 MLOAD",
        "PUSH8 7fffffffffffffff MLOAD",
        "PUSH5 1fffffffe0 MLOAD",
        "PUSH9 010000000000000000 MLOAD",
        "PUSH1 01 PUSH8 ffffffffffffffff RETURN",
        "PUSH8 ffffffffffffffff PUSH1 01 RETURN",
        "PUSH0 NOT PUSH0 KECCAK256",
        "PUSH8 ffffffffffffffff PUSH8 ffffffffffffffff KECCAK256",
        "PUSH0 NOT PUSH0 PUSH0 CALLDATACOPY",
        "PUSH8 ffffffffffffffe1 PUSH0 PUSH0 CODECOPY",
        "PUSH1 01 PUSH0 NOT PUSH0 MCOPY",
        "PUSH1 01 PUSH0 PUSH0 NOT MCOPY",
        "PUSH0 NOT PUSH0 LOG0",
        "PUSH0 NOT PUSH0 PUSH0 PUSH0 PUSH0 ADDRESS PUSH0 CALL",
        "PUSH0 PUSH0 PUSH0 NOT PUSH0 PUSH0 ADDRESS PUSH0 CALL",
    };
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        BOTH_TIERS(&t) {
            trial_code(&t, codes[i]);
            struct evm_result r = trial_call(&t, "", 1000000);
            cr_expect_eq(r.status, EVM_OUT_OF_GAS, "%s: %s", codes[i], evm_status_text(r.status));
        }
    trial_close(&t);
}

Test(memory, gas_near_2_to_63_pays_large_memories) {
    struct trial t;
    trial_open(&t);
    BOTH_TIERS(&t) {
        /* 4 GiB and a byte: only the page that is written becomes real. */
        trial_code(&t,
                   "PUSH1 07 PUSH5 0100000000 MSTORE8 PUSH5 0100000000 MLOAD PUSH0 MSTORE MSIZE "
                   "PUSH1 20 MSTORE PUSH1 40 PUSH0 RETURN");
        struct evm_result r = trial_call(&t, "", INT64_MAX);
        cr_assert_eq(r.status, EVM_SUCCESS, "%s", evm_status_text(r.status));
        u256 msize = output_word(&r, 1);
        cr_expect_eq(msize.w[0], 0x100000020);
        uint64_t words = 0x100000020 / 32;
        int64_t used = INT64_MAX - r.gas_left;
        cr_expect_geq(used, (int64_t)memory_cost(words));
        cr_expect_leq(used, (int64_t)memory_cost(words) + 100);
    }
    trial_close(&t);
}

/* A callee leaves bytes where the caller's memory grows to later; the caller must see zeros there.
 */
Test(memory, a_childs_bytes_do_not_show) {
    struct trial t;
    trial_open(&t);
    addr20 child = fake_addr(0xbeef);
    trial_code_at(&t, &child,
                  "PUSH0 NOT PUSH0 MSTORE PUSH0 NOT PUSH2 1000 MSTORE PUSH1 20 PUSH0 RETURN");
    BOTH_TIERS(&t) {
        struct evm_result r = trial_run(
            &t, "PUSH1 20 PUSH0 PUSH0 PUSH0 PUSH2 beef GAS STATICCALL POP "
                "PUSH2 1000 MLOAD PUSH1 20 MLOAD OR PUSH1 60 MSTORE PUSH1 20 PUSH1 60 RETURN");
        cr_assert_eq(r.status, EVM_SUCCESS);
        u256 v = output_word(&r, 0);
        cr_expect(u256_is_zero(&v));
    }
    trial_close(&t);
}

Test(memory, code_ends_in_zeros) {
    struct trial t;
    trial_open(&t);
    BOTH_TIERS(&t) {
        struct evm_result r = trial_run(&t, "PUSH1 40 PUSH0 PUSH0 CODECOPY PUSH1 40 PUSH0 RETURN");
        cr_assert_eq(r.output.len, 64);
        cr_expect_eq(r.output.ptr[0], OP_PUSH1);
        cr_expect_eq(r.output.ptr[63], 0);
        /* Push data that the end of the code cuts off. */
        r = trial_run(&t, "PUSH1 07 JUMP 00 00 00 00 JUMPDEST PUSH0 PUSH0 MSTORE PUSH4 ff");
        cr_expect_eq(r.status, EVM_SUCCESS);
    }
    trial_close(&t);
}
