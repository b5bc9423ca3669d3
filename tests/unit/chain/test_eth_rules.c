/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: prices and tips of EIP-1559, and what a fork sets in an exec. */
#include "tests/lib/chain/exec_fixture.h"

#include <criterion/criterion.h>

Test(eth_rules, price_is_base_fee_and_as_much_tip_as_the_cap_leaves) {
    static const struct {
        uint64_t cap, tip, price, earned;
    } rows[] = {{100, 0, 7, 0}, {100, 3, 10, 3}, {9, 5, 9, 2}, {7, 7, 7, 0}};
    struct exec_fixture f;
    exec_fixture_init(&f, EVM_OSAKA, EVM_TIER_FAST);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        addr20 to = fixture_addr(9);
        struct tx tx = exec_fixture_tx(&f, 0, &to, 21000);
        tx.max_fee = u256_from_u64(rows[i].cap);
        tx.max_priority_fee = u256_from_u64(rows[i].tip);
        struct tx_charge c = {0};
        cr_assert_eq(eth_tx_rules.charge(&f.x, &tx, &c), TX_OK);
        cr_assert_eq(c.price.w[0], rows[i].price);
        cr_assert_eq(c.tip.w[0], rows[i].earned);
        cr_assert(!c.sponsored && c.universe == 0 && u256_is_zero(&c.surcharge));
    }
    exec_fixture_clear(&f);
}

Test(eth_rules, limits_by_fork) {
    struct exec_fixture f;
    exec_fixture_init(&f, EVM_SHANGHAI, EVM_TIER_FAST);
    cr_assert_eq(f.x.blob_max_per_tx, 0);
    cr_assert_eq(f.x.blob_gas_left, 0);
    cr_assert_eq(f.x.tx_gas_cap, UINT64_MAX);
    exec_fixture_clear(&f);
    exec_fixture_init(&f, EVM_PRAGUE, EVM_TIER_FAST);
    cr_assert_eq(f.x.blob_max_per_tx, 9);
    cr_assert_eq(f.x.blob_gas_left, 9 * 131072);
    cr_assert_eq(f.x.block.blob_base_fee.w[0], 1);
    exec_fixture_clear(&f);
    exec_fixture_init(&f, EVM_OSAKA, EVM_TIER_FAST);
    cr_assert_eq(f.x.blob_max_per_tx, 6);
    cr_assert_eq(f.x.tx_gas_cap, 1u << 24);
    exec_fixture_clear(&f);
}
