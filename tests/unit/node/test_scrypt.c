/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: RFC 7914's vectors, agreement with OpenSSL where it takes the parameters, and refusal of
 * bad ones. */
#include "node/scrypt.h"

#include "base/hex.h"

#include <criterion/criterion.h>
#include <openssl/evp.h>

static void expect(const char *password, const char *salt, struct scrypt_params p,
                   const char *want) {
    uint8_t out[64];
    char text[129] = {0};
    cr_assert_eq(
        scrypt(out, 64, bytes_of(password, strlen(password)), bytes_of(salt, strlen(salt)), &p),
        ERR_OK);
    hex_encode(text, out, 64);
    cr_assert_str_eq(text, want);
}

Test(scrypt, vectors_of_rfc_7914) {
    expect("", "", (struct scrypt_params){16, 1, 1},
           "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
           "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906");
    expect("password", "NaCl", (struct scrypt_params){1024, 8, 16},
           "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
           "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640");
}

Test(scrypt, agrees_with_openssl) {
    static const struct scrypt_params rows[] = {
        {2, 1, 1}, {64, 1, 3}, {128, 2, 1}, {256, 8, 2}, {32, 5, 5}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t ours[40], theirs[40];
        cr_assert_eq(scrypt(ours, 40, bytes_of("pw", 2), bytes_of("salt", 4), &rows[i]), ERR_OK);
        cr_assert_eq(EVP_PBE_scrypt("pw", 2, (const uint8_t *)"salt", 4, rows[i].n, rows[i].r,
                                    rows[i].p, 0, theirs, 40),
                     1);
        cr_assert_eq(memcmp(ours, theirs, 40), 0, "row %zu", i);
    }
}

Test(scrypt, bad_parameters) {
    static const struct scrypt_params rows[] = {{0, 1, 1},           {1, 1, 1},
                                                {3, 1, 1},           {16, 0, 1},
                                                {16, 1, 0},          {UINT64_C(1) << 63, 8, 1},
                                                {16, UINT64_MAX, 1}, {16, 1, UINT64_MAX}};
    uint8_t out[32];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        cr_assert_eq(scrypt(out, 32, bytes_of("", 0), bytes_of("", 0), &rows[i]), ERR_INVALID,
                     "row %zu", i);
}
