/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: intrinsic gas by revision, and signing against recovery. Figures are worked out from the
 * EIPs by hand. */
#include "chain/tx.h"

#include "tests/lib/chain/exec_fixture.h"

#include <criterion/criterion.h>

Test(tx, intrinsic_gas_of_calls_and_creations) {
    uint8_t data[70] = {0};
    struct tx tx = {.type = TX_LEGACY};
    cr_assert_eq(tx_intrinsic_gas(&tx, EVM_SHANGHAI).gas, 21000);
    cr_assert_eq(tx_intrinsic_gas(&tx, EVM_SHANGHAI).floor_gas, 0);
    cr_assert_eq(tx_intrinsic_gas(&tx, EVM_OSAKA).floor_gas, 21000);
    data[3] = 1;
    data[69] = 0xff;
    tx.data = bytes_of(data, sizeof data);
    cr_assert_eq(tx_intrinsic_gas(&tx, EVM_CANCUN).gas, 21000 + 68 * 4 + 2 * 16);
    cr_assert_eq(tx_intrinsic_gas(&tx, EVM_PRAGUE).gas, 21000 + 68 * 4 + 2 * 16);
    cr_assert_eq(tx_intrinsic_gas(&tx, EVM_PRAGUE).floor_gas, 21000 + 10 * (68 + 4 * 2));
    tx.is_create = true; /* three words of init code */
    cr_assert_eq(tx_intrinsic_gas(&tx, EVM_CANCUN).gas, 53000 + 68 * 4 + 2 * 16 + 2 * 3);
    cr_assert_eq(tx_intrinsic_gas(&tx, EVM_PRAGUE).floor_gas, 21000 + 10 * (68 + 4 * 2));
}

Test(tx, intrinsic_gas_of_lists) {
    struct tx_access access[2] = {{.key_count = 3}, {.key_count = 0}};
    struct tx tx = {.type = TX_SET_CODE, .access = access, .access_count = 2, .auth_count = 4};
    cr_assert_eq(tx_intrinsic_gas(&tx, EVM_OSAKA).gas, 21000 + 2 * 2400 + 3 * 1900 + 4 * 25000);
    access[1].key_count = SIZE_MAX; /* no such list exists, but the sum must not wrap */
    cr_assert_eq(tx_intrinsic_gas(&tx, EVM_OSAKA).gas, UINT64_MAX);
}

Test(tx, authorizations_that_are_badly_signed_have_no_authority) {
    uint8_t key[32];
    fixture_key(key, 5);
    addr20 signer = fixture_addr(5);
    struct tx_authorization u = {.address = fixture_addr(6), .nonce = 2};
    cr_assert_eq(tx_sign_authorization(&u, key), ERR_OK);
    cr_assert(u.authority_ok && addr20_eq(&u.authority, &signer));
    struct tx tx = {.type = TX_SET_CODE, .auths = &u, .auth_count = 1};
    struct arena a;
    arena_init(&a, 1 << 16, 1 << 20);
    cr_assert_eq(tx_sign(&tx, &a, key), ERR_OK);
    cr_assert(u.authority_ok);
    struct tx_authorization good = u;
    good.recovered = false;
    u = good;
    u.y_parity = u256_from_u64(2);
    tx_recover_authorities(&tx);
    cr_assert(!u.authority_ok);
    u = good;
    u.sig.s = u256_sub(&SECP_N, &u.sig.s); /* the other root: above half the order */
    u.y_parity = u256_xor(&u.y_parity, &U256_ONE);
    tx_recover_authorities(&tx);
    cr_assert(!u.authority_ok);
    u = good;
    u.sig.r = U256_ZERO;
    tx_recover_authorities(&tx);
    cr_assert(!u.authority_ok);
    u = good;
    u.nonce++; /* another digest, another signer */
    tx_recover_authorities(&tx);
    cr_assert(!u.authority_ok || !addr20_eq(&u.authority, &signer));
    arena_clear(&a);
}

Test(tx, keys_out_of_range_do_not_sign) {
    struct arena a;
    arena_init(&a, 1 << 16, 1 << 20);
    uint8_t key[32] = {0};
    struct tx tx = {.type = TX_LEGACY};
    cr_assert_neq(tx_sign(&tx, &a, key), ERR_OK);
    cr_assert(!tx.has_sender);
    arena_clear(&a);
}
