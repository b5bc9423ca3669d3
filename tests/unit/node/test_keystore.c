/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a file that was written opens with its password and no other; what files may ask for is
 * bounded. */
#include "node/keystore.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const struct scrypt_params small = {.n = 16, .r = 8, .p = 1};

Test(keystore, written_file_opens) {
    uint8_t key[32], random[64], out[KEYSTORE_SECRET_MAX_BYTES];
    memset(key, 0x46, sizeof key);
    for (size_t i = 0; i < sizeof random; i++)
        random[i] = (uint8_t)(i * 7);
    struct buf b;
    size_t len;
    buf_init(&b, KEYSTORE_FILE_MAX_BYTES);
    cr_assert_eq(keystore_encrypt(&b, key, "pass word", &small, random, NULL), ERR_OK);
    buf_append_byte(&b, 0);
    cr_assert_not_null(
        strstr((char *)b.ptr, "\"address\":\"9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f\""));
    bytes json = bytes_of(b.ptr, b.len - 1);
    cr_assert_eq(keystore_decrypt(out, &len, json, "pass word", NULL), ERR_OK);
    cr_assert_eq(len, 32);
    cr_assert_eq(memcmp(out, key, 32), 0);
    cr_assert_eq(keystore_decrypt(out, &len, json, "pass wore", NULL), ERR_INVALID);
    buf_clear(&b);
    memset(key, 0, sizeof key);
    cr_assert_eq(keystore_encrypt(&b, key, "x", &small, random, NULL), ERR_INVALID);
    buf_clear(&b);
}

static enum err open_with(const char *kdf, const char *params, const char *version) {
    char json[1024];
    int n =
        snprintf(json, sizeof json,
                 "{\"version\":%s,\"crypto\":{\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":"
                 "\"6087dab2f9fdbbfaddc31a909735c1e6\"},\"ciphertext\":\"5318b4d5\",\"kdf\":\"%s\","
                 "\"kdfparams\":{%s},"
                 "\"mac\":\"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2\"}}",
                 version, kdf, params);
    uint8_t out[KEYSTORE_SECRET_MAX_BYTES];
    size_t len;
    struct err_ctx ec = {.err = ERR_OK};
    enum err e = keystore_decrypt(out, &len, bytes_of(json, (size_t)n), "p", &ec);
    cr_assert_eq(e, ec.err);
    return e;
}

Test(keystore, demands_of_a_file_are_bounded) {
    cr_assert_eq(open_with("scrypt", "\"dklen\":32,\"salt\":\"00\",\"n\":16,\"r\":1,\"p\":1", "3"),
                 ERR_INVALID); /* mac */
    cr_assert_eq(open_with("scrypt", "\"dklen\":32,\"salt\":\"00\",\"n\":17,\"r\":1,\"p\":1", "3"),
                 ERR_INVALID);
    cr_assert_eq(
        open_with("scrypt", "\"dklen\":32,\"salt\":\"00\",\"n\":4194304,\"r\":8,\"p\":1", "3"),
        ERR_TOO_LARGE);
    cr_assert_eq(
        open_with("scrypt",
                  "\"dklen\":32,\"salt\":\"00\",\"n\":16,\"r\":9223372036854775807,\"p\":1", "3"),
        ERR_TOO_LARGE);
    cr_assert_eq(open_with("scrypt", "\"dklen\":32,\"salt\":\"00\",\"n\":16,\"r\":1,\"p\":65", "3"),
                 ERR_TOO_LARGE);
    cr_assert_eq(open_with("scrypt", "\"dklen\":32,\"salt\":\"00\",\"n\":16,\"r\":0,\"p\":1", "3"),
                 ERR_PARSE);
    cr_assert_eq(open_with("scrypt", "\"dklen\":16,\"salt\":\"00\",\"n\":16,\"r\":1,\"p\":1", "3"),
                 ERR_UNSUPPORTED);
    cr_assert_eq(open_with("pbkdf2",
                           "\"dklen\":32,\"salt\":\"00\",\"c\":10000001,\"prf\":\"hmac-sha256\"",
                           "3"),
                 ERR_TOO_LARGE);
    cr_assert_eq(
        open_with("pbkdf2", "\"dklen\":32,\"salt\":\"00\",\"c\":1,\"prf\":\"hmac-sha1\"", "3"),
        ERR_UNSUPPORTED);
    cr_assert_eq(open_with("argon2", "\"dklen\":32,\"salt\":\"00\"", "3"), ERR_UNSUPPORTED);
    cr_assert_eq(open_with("scrypt", "\"dklen\":32,\"salt\":\"00\",\"n\":16,\"r\":1,\"p\":1", "2"),
                 ERR_UNSUPPORTED);
    cr_assert_eq(open_with("scrypt", "", "3"), ERR_PARSE);
    uint8_t out[KEYSTORE_SECRET_MAX_BYTES];
    size_t len;
    cr_assert_eq(keystore_decrypt(out, &len, bytes_of("{", 1), "p", NULL), ERR_PARSE);
}
