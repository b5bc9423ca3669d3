/* SPDX-License-Identifier: Apache-2.0 */
/* MULMOD with remembered moduli against base/u256.h, before and after a modulus is known, and with
 * moduli that take turns in one place. */
#include "evm/mulmod.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>

static u256 random_word(struct rng *r) {
    u256 v;
    rng_fill(r, &v, sizeof v);
    switch (rng_below(r, 6)) {
    case 0:
        return U256_MAX;
    case 1:
        v.w[3] = 0;
        return v;
    case 2:
        v.w[0] = v.w[1] = v.w[2] = 0;
        return v;
    case 3:
        v.w[1] = v.w[2] = v.w[3] = UINT64_MAX;
        return v;
    default:
        return v;
    }
}

static void expect_same(struct mulmod_memory *mem, const u256 *a, const u256 *b, const u256 *m) {
    u256 want = u256_mulmod(a, b, m), got;
    mulmod(mem, &got, a, b, m);
    cr_assert(u256_eq(&got, &want), "modulus %016llx…", (unsigned long long)m->w[3]);
}

static void expect_same_often(const u256 *m, struct rng *r) {
    struct mulmod_memory mem = {0};
    u256 top = u256_sub(m, &U256_ONE), zero = U256_ZERO;
    for (unsigned i = 0; i < MULMOD_SEEN_MIN + 200; i++) {
        u256 a = random_word(r), b = random_word(r);
        expect_same(&mem, &a, &b, m);
        expect_same(&mem, &top, &top, m);
        expect_same(&mem, &top, &a, m);
        expect_same(&mem, &U256_MAX, &U256_MAX, m);
        expect_same(&mem, &zero, &a, m);
        expect_same(&mem, m, &a, m);
    }
}

Test(mulmod, edge_moduli) {
    struct rng r = {rng_seed(0x30d)};
    const u256 moduli[] = {
        U256_ZERO,
        U256_ONE,
        U256_MAX,
        {{0, 0, 0, 1}}, /* 2^192: one bit too many */
        {{1, 0, 0, 1}}, /* the least that is remembered */
        {{0, 0, 0, 2}},
        {{UINT64_MAX, UINT64_MAX, UINT64_MAX, 1}},
        {{0, 0, 0, UINT64_C(1) << 63}}, /* powers of two */
        {{UINT64_MAX, UINT64_MAX, UINT64_MAX, 0}},
        /* alt_bn128's and secp256k1's fields. */
        {{0x3c208c16d87cfd47, 0x97816a916871ca8d, 0xb85045b68181585d, 0x30644e72e131a029}},
        {{0xfffffffefffffc2f, UINT64_MAX, UINT64_MAX, UINT64_MAX}},
    };
    for (size_t i = 0; i < ARRAY_LEN(moduli); i++)
        expect_same_often(&moduli[i], &r);
}

Test(mulmod, random_moduli) {
    struct rng r = {rng_seed(0x30e)};
    for (unsigned i = 0; i < 200; i++) {
        u256 m = random_word(&r);
        expect_same_often(&m, &r);
    }
}

Test(mulmod, moduli_take_turns) {
    struct rng r = {rng_seed(0x30f)};
    struct mulmod_memory mem = {0};
    for (unsigned i = 0; i < 20000; i++) {
        /* Long stretches of one, and sudden changes within the same place. */
        u256 m = {{4 * (rng_below(&r, 100) == 0), 7, 9, 1 + (i / 100) % 3}};
        u256 a = random_word(&r), b = random_word(&r);
        expect_same(&mem, &a, &b, &m);
    }
}

Test(mulmod, result_may_be_an_operand) {
    struct mulmod_memory mem = {0};
    const u256 m = {{3, 1, 4, 15}};
    for (unsigned i = 0; i < MULMOD_SEEN_MIN + 10; i++) {
        u256 a = {{i, 2, 3, 4}}, b = {{5, i, 7, 8}}, mm = m, want = u256_mulmod(&a, &b, &m);
        mulmod(&mem, &mm, &a, &b, &mm);
        cr_assert(u256_eq(&mm, &want));
        u256 aa = a;
        mulmod(&mem, &aa, &aa, &b, &m);
        cr_assert(u256_eq(&aa, &want));
    }
}
