/* SPDX-License-Identifier: Apache-2.0 */
/* SSTORE's price and refund for each {original, current, new}, the sentry, cold and warm, static
 * frames, logs. */
#include "evm/gas.h"
#include "tests/lib/evm/trial.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* EIP-3529's table of two SSTOREs in a row, warm: gas of both without the four pushes, and refund.
 */
static const struct {
    uint64_t original, first, second;
    int64_t gas, refund;
} pairs[] = {
    {0, 0, 0, 200, 0},     {0, 0, 1, 20100, 0},   {0, 1, 0, 20100, 19900}, {0, 1, 2, 20100, 0},
    {0, 1, 1, 20100, 0},   {1, 0, 0, 3000, 4800}, {1, 0, 1, 3000, 2800},   {1, 0, 2, 3000, 0},
    {1, 2, 0, 3000, 4800}, {1, 2, 3, 3000, 0},    {1, 2, 1, 3000, 2800},   {1, 2, 2, 3000, 0},
    {1, 1, 0, 3000, 4800}, {1, 1, 2, 3000, 0},    {1, 1, 1, 200, 0},
};

Test(op_storage, sstore_pairs) {
    struct trial t;
    trial_open(&t);
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        char code[128];
        (void)snprintf(code, sizeof code, "PUSH1 %02x PUSH1 05 SSTORE PUSH1 %02x PUSH1 05 SSTORE",
                       (unsigned)pairs[i].first, (unsigned)pairs[i].second);
        trial_code(&t, code);
        BOTH_TIERS(&t) {
            u256 key = u256_from_u64(5), v = u256_from_u64(pairs[i].original);
            fake_set_storage(t.world, &t.contract, &key, &v);
            struct evm_result r = trial_call(&t, "", 100000);
            cr_assert_eq(r.status, EVM_SUCCESS);
            cr_expect_eq(100000 - r.gas_left, pairs[i].gas + 12 + GAS_COLD_SLOAD, "pair %zu: %lld",
                         i, (long long)(100000 - r.gas_left));
            cr_expect_eq(r.gas_refund, pairs[i].refund, "pair %zu", i);
        }
    }
    trial_close(&t);
}

Test(op_storage, sstore_needs_more_than_the_stipend) {
    struct trial t;
    trial_open(&t);
    trial_code(&t, "PUSH0 PUSH0 SSTORE");
    BOTH_TIERS(&t) {
        cr_expect_eq(trial_call(&t, "", 4 + 2300).status, EVM_OUT_OF_GAS);
        struct evm_result r = trial_call(&t, "", 4 + 2301);
        cr_expect_eq(r.status, EVM_SUCCESS);
        cr_expect_eq(r.gas_left, 2301 - 2200);
    }
    trial_close(&t);
}

Test(op_storage, sload_cold_then_warm) {
    struct trial t;
    trial_open(&t);
    trial_code(&t, "PUSH0 SLOAD PUSH0 SLOAD");
    BOTH_TIERS(&t) {
        cr_expect_eq(trial_call(&t, "", 4 + 2100 + 100).status, EVM_SUCCESS);
        cr_expect_eq(trial_call(&t, "", 4 + 2100 + 99).status, EVM_OUT_OF_GAS);
    }
    trial_close(&t);
}

Test(op_storage, transient_storage_is_the_transactions) {
    struct trial t;
    trial_open(&t);
    trial_code(&t, "PUSH1 07 PUSH1 01 TSTORE PUSH1 01 TLOAD PUSH0 MSTORE PUSH1 20 PUSH0 RETURN");
    BOTH_TIERS(&t) {
        struct evm_result r = trial_call(&t, "", 100000);
        cr_expect_eq(output_word(&r, 0).w[0], 7);
        cr_expect_eq(100000 - r.gas_left, 6 + 100 + 3 + 100 + 5 + 3 + 3 + 2);
    }
    trial_code(&t, "PUSH1 01 TLOAD PUSH0 MSTORE PUSH1 20 PUSH0 RETURN");
    struct evm_result r = trial_call(&t, "", 100000);
    cr_expect_eq(output_word(&r, 0).w[0], 0);
    trial_close(&t);
}

Test(op_storage, static_frames_change_nothing) {
    struct trial t;
    trial_open(&t);
    static const char *const ops[] = {
        "PUSH0 PUSH0 SSTORE",       "PUSH0 PUSH0 TSTORE",
        "PUSH0 PUSH0 LOG0",         "PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 LOG4",
        "PUSH0 PUSH0 PUSH0 CREATE", "PUSH0 PUSH0 PUSH0 PUSH0 CREATE2",
        "PUSH0 SELFDESTRUCT",       "PUSH0 PUSH0 PUSH0 PUSH0 PUSH1 01 PUSH0 PUSH0 CALL",
    };
    addr20 child = fake_addr(0xbeef);
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        trial_code_at(&t, &child, ops[i]);
        BOTH_TIERS(&t) {
            struct evm_result r = trial_run(
                &t, "PUSH0 PUSH0 PUSH0 PUSH0 PUSH2 beef PUSH3 030d40 STATICCALL PUSH0 MSTORE "
                    "PUSH1 20 PUSH0 RETURN");
            cr_expect_eq(output_word(&r, 0).w[0], 0, "%s", ops[i]);
            /* All of the callee's gas is gone. */
            cr_expect_lt(r.gas_left, 10000000 - 200000, "%s", ops[i]);
        }
    }
    /* CALLCODE with value and a call without are allowed. */
    trial_code_at(&t, &child,
                  "PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 CALL POP PUSH0 PUSH0 PUSH0 "
                  "PUSH0 PUSH1 01 PUSH0 PUSH0 CALLCODE POP");
    BOTH_TIERS(&t) {
        struct evm_result r =
            trial_run(&t, "PUSH0 PUSH0 PUSH0 PUSH0 PUSH2 beef GAS STATICCALL PUSH0 MSTORE "
                          "PUSH1 20 PUSH0 RETURN");
        cr_expect_eq(output_word(&r, 0).w[0], 1);
    }
    trial_close(&t);
}

Test(op_storage, logs_carry_topics_in_order) {
    struct trial t;
    trial_open(&t);
    hash32 digest[2];
    trial_code(&t, "PUSH1 aa PUSH0 MSTORE PUSH1 04 PUSH1 03 PUSH1 02 PUSH1 01 PUSH1 20 PUSH0 LOG4");
    BOTH_TIERS(&t) {
        struct evm_result r = trial_call(&t, "", 100000);
        cr_expect_eq(r.status, EVM_SUCCESS);
        cr_expect_eq(fake_log_count(t.world), 1);
        digest[t.cfg.tier] = fake_log_digest(t.world);
    }
    cr_expect(hash32_eq(&digest[0], &digest[1]));
    trial_code(&t, "PUSH0 PUSH0 LOG0 PUSH0 PUSH0 REVERT");
    cr_expect_eq(trial_call(&t, "", 100000).status, EVM_REVERT);
    cr_expect_eq(fake_log_count(t.world), 0);
    trial_close(&t);
}
