/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: BIP-39 seed and BIP-32 keys as in those documents' test vectors; paths are read strictly.
 */
#include "genesis/hdwallet.h"

#include "base/hex.h"

#include <criterion/criterion.h>

static void expect_hex(const uint8_t *got, size_t len, const char *want) {
    uint8_t w[64];
    cr_assert_eq(hex_decode_fixed(w, len, want), ERR_OK);
    cr_expect_arr_eq(got, w, len);
}

Test(hdwallet, bip39_seed) {
    uint8_t seed[HD_SEED_BYTES];
    cr_assert_eq(hd_seed(seed,
                         "abandon abandon abandon abandon abandon abandon abandon abandon abandon "
                         "abandon abandon about",
                         "TREZOR"),
                 ERR_OK);
    expect_hex(seed, 64,
               "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c"
               "1e1c92f2cf141"
               "630c7a3c4ab7c81b2f001698e7463b04");
    cr_assert_eq(hd_seed(seed, "caf\xc3\xa9", ""), ERR_INVALID);
    char longer[HD_MNEMONIC_MAX_BYTES + 2];
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    cr_assert_eq(hd_seed(seed, longer, ""), ERR_TOO_LARGE);
}

Test(hdwallet, bip32_vector_1) {
    uint8_t seed[16];
    for (size_t i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)i;
    struct hd_key m, k;
    cr_assert_eq(hd_master(&m, seed, sizeof seed), ERR_OK);
    expect_hex(m.key, 32, "e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35");
    expect_hex(m.chain_code, 32,
               "873dff81c02f525623fd1fe5167eac3a55a049de3d314bb42ee227ffed37d508");
    cr_assert_eq(hd_derive_path(&k, &m, "m/0'"), ERR_OK);
    expect_hex(k.key, 32, "edb2e14f9ee77d26dd93b4ecede8d16ed408ce149b6cd80b0715a2d911a0afea");
    cr_assert_eq(hd_derive_path(&k, &m, "m/0'/1"), ERR_OK);
    expect_hex(k.key, 32, "3c6cb8d0f6a264c91ea8b5030fadaa8e538b020f0a387421a12de9319dc93368");
    expect_hex(k.chain_code, 32,
               "2a7857631386ba23dacac34180dd1983734e444fdbf774041578e9b6adb37c19");
    cr_assert_eq(hd_derive_path(&k, &m, "m"), ERR_OK);
    cr_assert_arr_eq(k.key, m.key, 32);
}

Test(hdwallet, bad_paths) {
    static const char *const bad[] = {
        "", "0", "m/", "m//1", "m/1x", "m/2147483648", "m/99999999999", "m/-1", "m 1"};
    struct hd_key m = {.key = {[31] = 1}}, k;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_expect_eq(hd_derive_path(&k, &m, bad[i]), ERR_PARSE, "%s", bad[i]);
    cr_expect_eq(hd_derive_path(&k, &m, "m/1/1/1/1/1/1/1/1/1/1/1"), ERR_TOO_LARGE);
    cr_expect_eq(hd_derive_path(&k, &m, "m/1/1/1/1/1/1/1/1/1/1"), ERR_OK);
}
