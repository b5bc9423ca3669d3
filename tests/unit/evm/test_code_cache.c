/* SPDX-License-Identifier: Apache-2.0 */
/* The code cache: one entry per hash, handles that end with their epoch, the budget, and when code
 * is decoded. */
#include "base/keccak.h"
#include "evm/machine.h"
#include "tests/lib/evm/trial.h"

#include <criterion/criterion.h>

static struct evm_code_ref ref_of(uint64_t n, struct evm_code_handle *h, uint8_t code[64]) {
    memset(code, OP_JUMPDEST, 64);
    memcpy(code, &n, sizeof n);
    return (struct evm_code_ref){
        .code = bytes_of(code, 64), .code_hash = keccak256_bytes(bytes_of(code, 64)), .handle = h};
}

Test(code_cache, one_entry_per_hash) {
    struct evm_code_cache *c = evm_code_cache_new(1 << 20);
    struct evm_code_handle h1 = {0}, h2 = {0};
    uint8_t code[64], other_code[64];
    struct evm_code_ref a = ref_of(1, &h1, code), b = a, other = ref_of(2, &h1, other_code);
    b.handle = &h2;
    struct code_entry *e = code_cache_get(c, &a);
    cr_assert_not_null(e);
    cr_expect_eq(code_cache_get(c, &a), e);
    cr_expect_eq(code_cache_get(c, &b), e);
    b.handle = NULL;
    cr_expect_eq(code_cache_get(c, &b), e);
    const struct decoded *d = code_entry_decoded(c, e, EVM_OSAKA, a.code);
    cr_expect_eq(code_entry_decoded(c, e, EVM_OSAKA, a.code), d);
    cr_expect_neq(code_entry_decoded(c, e, EVM_CANCUN, a.code), d);
    /* A handle that belongs to other code is not believed. */
    cr_expect_neq(code_cache_get(c, &other), e);
    evm_code_cache_free(c);
}

Test(code_cache, trim_keeps_the_budget_and_what_was_used_last) {
    struct evm_code_cache *c = evm_code_cache_new(64 << 10);
    struct evm_code_handle hot_handle = {0};
    uint8_t hot_code[64];
    struct evm_code_ref hot = ref_of(1, &hot_handle, hot_code);
    struct code_entry *e = code_cache_get(c, &hot);
    cr_assert_not_null(code_entry_decoded(c, e, EVM_OSAKA, hot.code));
    hash32 hash = e->hash;
    unsigned evicted = 0;
    uint64_t epoch = hot_handle.epoch;
    for (uint64_t n = 2; n < 3000; n++) {
        uint8_t code[64];
        struct evm_code_ref r = ref_of(n, NULL, code);
        struct code_entry *x = code_cache_get(c, &r);
        cr_assert_not_null(x);
        cr_assert_not_null(code_entry_decoded(c, x, EVM_OSAKA, r.code));
        e = code_cache_get(c, &hot);
        cr_assert(hash32_eq(&e->hash, &hash));
        cr_expect_not_null(e->decoded[EVM_OSAKA], "the hot entry stayed");
        evm_code_cache_trim(c);
        evicted += hot_handle.epoch != epoch;
        epoch = hot_handle.epoch;
    }
    cr_expect_gt(evicted, 3);
    evm_code_cache_free(c);
}

Test(code_cache, code_is_decoded_when_it_is_hot) {
    struct trial t;
    trial_open(&t);
    evm_code_cache_set_heat(t.cache, 1000);
    /* A loop of 10 turns: far less gas than 1000 per byte. */
    trial_code(&t, "PUSH1 0a JUMPDEST PUSH1 01 SWAP1 SUB DUP1 PUSH1 02 JUMPI");
    const struct fake_account *a = fake_account(t.world, &t.contract);
    struct evm_code_ref ref = {.code = a->code, .code_hash = a->code_hash};
    struct code_entry *e = code_cache_get(t.cache, &ref);
    cr_assert_eq(trial_call(&t, "", 100000).status, EVM_SUCCESS);
    cr_expect_null(e->decoded[EVM_OSAKA]);
    uint64_t heat = e->heat;
    cr_expect_gt(heat, 100);
    cr_assert_eq(trial_call(&t, "", 100000).status, EVM_SUCCESS);
    cr_expect_eq(e->heat, 2 * heat);
    /* Ten times the same gas is enough for a threshold of 100: it switches in the middle of a run.
     */
    evm_code_cache_set_heat(t.cache, (uint32_t)(heat * 5 / 2 / a->code.len));
    struct evm_result r = trial_call(&t, "", 100000);
    cr_assert_eq(r.status, EVM_SUCCESS);
    cr_expect_eq(100000 - r.gas_left, (int64_t)heat);
    cr_expect_not_null(e->decoded[EVM_OSAKA]);
    trial_close(&t);
}

/* Gas that callees burn does not heat the caller. */
Test(code_cache, heat_is_ones_own) {
    struct trial t;
    trial_open(&t);
    evm_code_cache_set_heat(t.cache, 1 << 20);
    addr20 child = fake_addr(0xbeef);
    trial_code_at(&t, &child, "INVALID");
    trial_code(&t, "PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH2 beef PUSH3 030d40 CALL");
    const struct fake_account *a = fake_account(t.world, &t.contract);
    struct evm_code_ref ref = {.code = a->code, .code_hash = a->code_hash};
    struct code_entry *e = code_cache_get(t.cache, &ref);
    cr_assert_eq(trial_call(&t, "", 1000000).status, EVM_SUCCESS);
    cr_expect_lt(e->heat, 3000);
    trial_close(&t);
}
