/* SPDX-License-Identifier: Apache-2.0 */
#include "node/keystore.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/keccak.h"
#include "base/secp.h"
#include "node/scrypt.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

enum {
    DERIVED_BYTES = 32, /* the first half ciphers, the second checks */
    DERIVED_MAX_BYTES = 64,
    CIPHER_KEY_BYTES = 16,
    IV_BYTES = 16,
    SALT_MAX_BYTES = 64,
};

const struct scrypt_params KEYSTORE_STANDARD = {.n = 1 << 18, .r = 8, .p = 1};
const struct scrypt_params KEYSTORE_LIGHT = {.n = 1 << 12, .r = 8, .p = 6};

/* A file taken apart. */
struct keystore_file {
    int version;
    bool cbc;
    uint8_t iv[IV_BYTES];
    uint8_t ciphertext[KEYSTORE_SECRET_MAX_BYTES + IV_BYTES]; /* CBC pads */
    size_t ciphertext_len;
    hash32 mac;
    bool pbkdf2;
    uint8_t salt[SALT_MAX_BYTES];
    size_t salt_len;
    size_t derived_len;
    uint64_t n, rounds;
    uint64_t r, p;
};

/* --- derivation and cipher -------------------------------------------------------------------- */

static enum err derive(uint8_t out[DERIVED_MAX_BYTES], const struct keystore_file *f,
                       const char *password) {
    bytes text = bytes_of(password, strlen(password));
    if (!f->pbkdf2) {
        const struct scrypt_params params = {.n = f->n, .r = f->r, .p = f->p};
        return scrypt(out, f->derived_len, text, bytes_of(f->salt, f->salt_len), &params);
    }
    int ok = PKCS5_PBKDF2_HMAC(password, (int)text.len, f->salt, (int)f->salt_len, (int)f->rounds,
                               EVP_sha256(), (int)f->derived_len, out);
    return ok == 1 ? ERR_OK : ERR_INVALID;
}

static hash32 checksum(const uint8_t derived[DERIVED_BYTES], bytes ciphertext) {
    struct keccak_ctx k;
    hash32 h;
    keccak256_begin(&k);
    keccak256_update(&k, derived + CIPHER_KEY_BYTES, DERIVED_BYTES - CIPHER_KEY_BYTES);
    keccak256_update(&k, ciphertext.ptr, ciphertext.len);
    keccak256_end(&k, &h);
    return h;
}

static enum err run_cipher(uint8_t *out, size_t *out_len, const EVP_CIPHER *cipher, bool encrypt,
                           const uint8_t *key, const uint8_t *iv, bytes in) {
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL)
        return ERR_NOMEM;
    int len = 0, tail = 0;
    bool ok = EVP_CipherInit_ex(ctx, cipher, NULL, key, iv, encrypt ? 1 : 0) == 1 &&
              EVP_CipherUpdate(ctx, out, &len, in.ptr, (int)in.len) == 1 &&
              EVP_CipherFinal_ex(ctx, out + len, &tail) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!ok)
        return ERR_INVALID;
    *out_len = (size_t)(len + tail);
    return ERR_OK;
}

static enum err decrypt(uint8_t *out, size_t *out_len, const struct keystore_file *f,
                        const uint8_t *derived) {
    bytes in = bytes_of(f->ciphertext, f->ciphertext_len);
    if (!f->cbc)
        return run_cipher(out, out_len, EVP_aes_128_ctr(), false, derived, f->iv, in);
    hash32 key; /* version 1 */
    keccak256(&key, derived, CIPHER_KEY_BYTES);
    enum err e = run_cipher(out, out_len, EVP_aes_128_cbc(), false, key.b, f->iv, in);
    OPENSSL_cleanse(&key, sizeof key);
    return e;
}

/* --- parsing ---------------------------------------------------------------------------------- */

static enum err get_hex(uint8_t *out, size_t cap, size_t *out_len, const json_t *o,
                        const char *key) {
    const json_t *s = json_object_get(o, key);
    if (!json_is_string(s))
        return ERR_PARSE;
    return hex_decode(out, cap, out_len, json_string_value(s), json_string_length(s));
}

static enum err get_fixed(uint8_t *out, size_t len, const json_t *o, const char *key) {
    size_t got;
    TRY(get_hex(out, len, &got, o, key));
    return got == len ? ERR_OK : ERR_PARSE;
}

static enum err get_positive(uint64_t *out, const json_t *o, const char *key) {
    const json_t *v = json_object_get(o, key);
    if (!json_is_integer(v) || json_integer_value(v) <= 0)
        return ERR_PARSE;
    *out = (uint64_t)json_integer_value(v);
    return ERR_OK;
}

static bool is_text(const json_t *o, const char *key, const char *text) {
    const char *s = json_string_value(json_object_get(o, key));
    return s != NULL && strcmp(s, text) == 0;
}

static enum err parse_derivation(struct keystore_file *f, const json_t *crypto,
                                 struct err_ctx *ec) {
    const json_t *params = json_object_get(crypto, "kdfparams");
    uint64_t len;
    if (get_positive(&len, params, "dklen") != ERR_OK ||
        get_hex(f->salt, sizeof f->salt, &f->salt_len, params, "salt") != ERR_OK)
        FAIL(ec, ERR_PARSE, "keystore: kdfparams are missing or malformed");
    if (len < DERIVED_BYTES || len > DERIVED_MAX_BYTES)
        FAIL(ec, ERR_UNSUPPORTED, "keystore: a derived key of %llu bytes", (unsigned long long)len);
    f->derived_len = (size_t)len;
    if (is_text(crypto, "kdf", "pbkdf2")) {
        f->pbkdf2 = true;
        if (!is_text(params, "prf", "hmac-sha256") ||
            get_positive(&f->rounds, params, "c") != ERR_OK)
            FAIL(ec, ERR_UNSUPPORTED,
                 "keystore: pbkdf2 with another function than hmac-sha256, or without rounds");
        if (f->rounds > KEYSTORE_PBKDF2_MAX_ROUNDS)
            FAIL(ec, ERR_TOO_LARGE, "keystore: %llu rounds of pbkdf2",
                 (unsigned long long)f->rounds);
        return ERR_OK;
    }
    if (!is_text(crypto, "kdf", "scrypt"))
        FAIL(ec, ERR_UNSUPPORTED, "keystore: the key derivation is neither scrypt nor pbkdf2");
    if (get_positive(&f->n, params, "n") != ERR_OK || get_positive(&f->r, params, "r") != ERR_OK ||
        get_positive(&f->p, params, "p") != ERR_OK)
        FAIL(ec, ERR_PARSE, "keystore: scrypt parameters are missing or malformed");
    const uint64_t blocks_max = KEYSTORE_SCRYPT_MAX_BYTES / 128;
    if (f->n > blocks_max || f->r > blocks_max / f->n || f->p > 64)
        FAIL(ec, ERR_TOO_LARGE, "keystore: scrypt with n %llu, r %llu, p %llu",
             (unsigned long long)f->n, (unsigned long long)f->r, (unsigned long long)f->p);
    return ERR_OK;
}

static enum err parse_file(struct keystore_file *f, const json_t *root, struct err_ctx *ec) {
    memset(f, 0, sizeof *f);
    const json_t *version = json_object_get(root, "version");
    if (json_is_integer(version) && json_integer_value(version) == 3)
        f->version = 3;
    else if (is_text(root, "version", "1"))
        f->version = 1;
    else
        FAIL(ec, ERR_UNSUPPORTED, "keystore: the version is neither 3 nor 1");
    const json_t *crypto = json_object_get(root, f->version == 3 ? "crypto" : "Crypto");
    if (crypto == NULL)
        crypto = json_object_get(root, "Crypto");
    f->cbc = f->version == 1;
    if (!is_text(crypto, "cipher", f->cbc ? "aes-128-cbc" : "aes-128-ctr"))
        FAIL(ec, ERR_UNSUPPORTED, "keystore: another cipher than aes-128-%s",
             f->cbc ? "cbc" : "ctr");
    if (get_fixed(f->iv, sizeof f->iv, json_object_get(crypto, "cipherparams"), "iv") != ERR_OK ||
        get_hex(f->ciphertext, sizeof f->ciphertext, &f->ciphertext_len, crypto, "ciphertext") !=
            ERR_OK ||
        get_fixed(f->mac.b, sizeof f->mac.b, crypto, "mac") != ERR_OK)
        FAIL(ec, ERR_PARSE, "keystore: iv, ciphertext or mac are missing or malformed");
    if (!f->cbc && f->ciphertext_len > KEYSTORE_SECRET_MAX_BYTES)
        FAIL(ec, ERR_TOO_LARGE, "keystore: a secret of %zu bytes", f->ciphertext_len);
    return parse_derivation(f, crypto, ec);
}

enum err keystore_decrypt(uint8_t out[KEYSTORE_SECRET_MAX_BYTES], size_t *out_len, bytes json,
                          const char *password, struct err_ctx *ec) {
    struct keystore_file f;
    json_error_t error;
    if (json.len > KEYSTORE_FILE_MAX_BYTES)
        FAIL(ec, ERR_TOO_LARGE, "keystore: a file of %zu bytes", json.len);
    json_t *root = json_loadb((const char *)json.ptr, json.len, 0, &error);
    if (root == NULL)
        FAIL(ec, ERR_PARSE, "keystore: line %d: %s", error.line, error.text);
    enum err e = parse_file(&f, root, ec);
    json_decref(root);
    if (e != ERR_OK)
        return e;
    uint8_t derived[DERIVED_MAX_BYTES], secret[sizeof f.ciphertext + IV_BYTES];
    size_t len = 0;
    e = derive(derived, &f, password);
    if (e == ERR_OK) {
        hash32 mac = checksum(derived, bytes_of(f.ciphertext, f.ciphertext_len));
        e = CRYPTO_memcmp(mac.b, f.mac.b, sizeof mac.b) == 0 ? ERR_OK : ERR_INVALID;
    }
    if (e == ERR_OK)
        e = decrypt(secret, &len, &f, derived);
    if (e == ERR_OK && len > KEYSTORE_SECRET_MAX_BYTES)
        e = ERR_TOO_LARGE;
    if (e == ERR_OK) {
        memcpy(out, secret, len);
        *out_len = len;
    }
    OPENSSL_cleanse(derived, sizeof derived);
    OPENSSL_cleanse(secret, sizeof secret);
    if (e == ERR_INVALID)
        FAIL(ec, e, "keystore: the password is wrong, or the file is damaged");
    return e;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void put_field(struct buf *out, const char *name, const void *ptr, size_t len) {
    buf_printf(out, "\"%s\":\"", name);
    char *at = (char *)buf_extend(out, 2 * len);
    if (at != NULL)
        hex_encode(at, ptr, len);
    buf_append_byte(out, '"');
}

static void put_id(struct buf *out, const uint8_t random[16]) {
    char hex[32];
    uint8_t id[16];
    memcpy(id, random, sizeof id);
    id[6] = (uint8_t)((id[6] & 0x0f) | 0x40); /* RFC 4122, version 4 */
    id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
    hex_encode(hex, id, sizeof id);
    buf_printf(out, "\"id\":\"%.8s-%.4s-%.4s-%.4s-%.12s\"", hex, hex + 8, hex + 12, hex + 16,
               hex + 20);
}

enum err keystore_encrypt(struct buf *out, const uint8_t key[32], const char *password,
                          const struct scrypt_params *params, const uint8_t random[64],
                          struct err_ctx *ec) {
    addr20 address;
    if (secp_address_of_key(&address, key) != ERR_OK)
        FAIL(ec, ERR_INVALID, "keystore: the key is out of range");
    struct keystore_file f = {.n = params->n,
                              .r = params->r,
                              .p = params->p,
                              .salt_len = 32,
                              .derived_len = DERIVED_BYTES};
    memcpy(f.salt, random, 32);
    const uint8_t *iv = random + 32;
    uint8_t derived[DERIVED_MAX_BYTES], ciphertext[32 + IV_BYTES];
    size_t len;
    enum err e = derive(derived, &f, password);
    if (e == ERR_OK)
        e = run_cipher(ciphertext, &len, EVP_aes_128_ctr(), true, derived, iv, bytes_of(key, 32));
    if (e != ERR_OK) {
        OPENSSL_cleanse(derived, sizeof derived);
        FAIL(ec, e, "keystore: cannot encrypt with scrypt n %llu, r %llu, p %llu",
             (unsigned long long)params->n, (unsigned long long)params->r,
             (unsigned long long)params->p);
    }
    CHECK(len == 32);
    hash32 mac = checksum(derived, bytes_of(ciphertext, len));
    OPENSSL_cleanse(derived, sizeof derived);
    buf_append_str(out, "{");
    put_field(out, "address", address.b, sizeof address.b);
    buf_append_str(out, ",\"crypto\":{\"cipher\":\"aes-128-ctr\",");
    put_field(out, "ciphertext", ciphertext, len);
    buf_append_str(out, ",\"cipherparams\":{");
    put_field(out, "iv", iv, IV_BYTES);
    buf_printf(out,
               "},\"kdf\":\"scrypt\",\"kdfparams\":{\"dklen\":32,\"n\":%llu,\"r\":%llu,\"p\":%llu,",
               (unsigned long long)params->n, (unsigned long long)params->r,
               (unsigned long long)params->p);
    put_field(out, "salt", f.salt, f.salt_len);
    buf_append_str(out, "},");
    put_field(out, "mac", mac.b, sizeof mac.b);
    buf_append_str(out, "},");
    put_id(out, random + 48);
    buf_append_str(out, ",\"version\":3}");
    if (out->overflow)
        FAIL(ec, ERR_TOO_LARGE, "keystore: the output has no room");
    return ERR_OK;
}
