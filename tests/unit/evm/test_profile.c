/* SPDX-License-Identifier: Apache-2.0 */
#include "evm/profile.h"
#include "tests/lib/evm/trial.h"

#include <criterion/criterion.h>

/* How often a sequence was counted; 0 if it is not among the rows. */
static uint64_t count_of(const struct evm_profile *p, unsigned length, const char *const *names) {
    static struct evm_profile_row rows[100];
    size_t n = evm_profile_rows(p, rows, 100, length);
    for (size_t i = 0; i < n; i++) {
        bool same = true;
        for (unsigned k = 0; k < length; k++)
            same &= strcmp(rows[i].name[k], names[k]) == 0;
        if (same)
            return rows[i].count;
    }
    return 0;
}
#define COUNT(p, ...)                                                                              \
    count_of(p, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *),                            \
             (const char *[]){__VA_ARGS__})

struct counted {
    struct trial t;
    struct evm_profile *p;
};
static void counted_open(struct counted *c) {
    trial_open(&c->t);
    evm_free(c->t.vm);
    c->p = evm_profile_new();
    cr_assert_not_null(c->p);
    evm_code_cache_set_profile(c->t.cache, c->p);
    c->t.vm = evm_new(c->t.cache);
    cr_assert_not_null(c->t.vm);
}
static void counted_close(struct counted *c) {
    trial_close(&c->t);
    evm_profile_free(c->p);
}

/* Seven turns of a loop; what runs is what the other loops do. */
Test(profile, counts_slots_pairs_and_triples) {
    struct counted c;
    counted_open(&c);
    struct evm_result r =
        trial_run(&c.t, "PUSH1 07 JUMPDEST PUSH1 01 SWAP1 SUB PC CLZ POP DUP1 PUSH1 02 JUMPI STOP");
    cr_expect_eq(r.status, EVM_SUCCESS);
    c.t.cfg.tier = EVM_TIER_REFERENCE;
    cr_expect_eq(trial_call(&c.t, "", 10000000).gas_left, r.gas_left);

    cr_expect_eq(COUNT(c.p, "PC"), 7);
    cr_expect_eq(COUNT(c.p, "PC", "CLZ"), 7);
    cr_expect_eq(COUNT(c.p, "PC", "CLZ", "POP_DUP"), 7);
    cr_expect_eq(COUNT(c.p, "JUMPI_TO", "BLOCK"), 7);
    cr_expect_eq(COUNT(c.p, "BLOCK", "STOP"), 1);
    cr_expect_eq(COUNT(c.p, "CLZ", "PC"), 0);

    static struct evm_profile_row rows[100];
    size_t n = evm_profile_rows(c.p, rows, 100, 1);
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += rows[i].count;
        cr_expect(i == 0 || rows[i - 1].count >= rows[i].count);
    }
    cr_expect_eq(sum, evm_profile_total(c.p));
    cr_expect_eq(evm_profile_rows(c.p, rows, 3, 1), 3);
    counted_close(&c);
}

Test(profile, nothing_is_counted_unasked) {
    struct counted c;
    counted_open(&c);
    struct trial plain;
    trial_open(&plain);
    cr_expect_eq(trial_run(&plain, "PUSH1 07 PC STOP").status, EVM_SUCCESS);
    cr_expect_eq(evm_profile_total(c.p), 0);
    struct evm_profile_row row;
    cr_expect_eq(evm_profile_rows(c.p, &row, 1, 3), 0);
    trial_close(&plain);
    counted_close(&c);
}
