/* SPDX-License-Identifier: Apache-2.0 */
#include "genesis/hdwallet.h"

#include "base/check.h"
#include "base/secp.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

enum { SEED_ROUNDS = 2048, HMAC_BYTES = 64, INDEX_DIGITS_MAX = 10 };

static bool is_ascii(const char *s) {
    for (; *s != '\0'; s++)
        if ((unsigned char)*s >= 0x80)
            return false;
    return true;
}

enum err hd_seed(uint8_t out[HD_SEED_BYTES], const char *mnemonic, const char *passphrase) {
    static const char prefix[] = "mnemonic";
    uint8_t salt[sizeof prefix - 1 + HD_MNEMONIC_MAX_BYTES];
    size_t mnemonic_len = strlen(mnemonic), passphrase_len = strlen(passphrase);
    if (mnemonic_len > HD_MNEMONIC_MAX_BYTES || passphrase_len > HD_MNEMONIC_MAX_BYTES)
        return ERR_TOO_LARGE;
    if (!is_ascii(mnemonic) || !is_ascii(passphrase))
        return ERR_INVALID;
    memcpy(salt, prefix, sizeof prefix - 1);
    memcpy(salt + sizeof prefix - 1, passphrase, passphrase_len);
    int ok = PKCS5_PBKDF2_HMAC(mnemonic, (int)mnemonic_len, salt,
                               (int)(sizeof prefix - 1 + passphrase_len), SEED_ROUNDS, EVP_sha512(),
                               HD_SEED_BYTES, out);
    explicit_bzero(salt, sizeof salt);
    CHECK(ok == 1);
    return ERR_OK;
}

/* HMAC-SHA512: left half and right half. */
static void hmac(uint8_t left[32], uint8_t right[32], const void *key, size_t key_len,
                 const uint8_t *data, size_t len) {
    uint8_t mac[HMAC_BYTES];
    unsigned mac_len = 0;
    const uint8_t *p = HMAC(EVP_sha512(), key, (int)key_len, data, len, mac, &mac_len);
    CHECK(p != NULL);
    CHECK(mac_len == sizeof mac);
    memcpy(left, mac, 32);
    memcpy(right, mac + 32, 32);
    explicit_bzero(mac, sizeof mac);
}

enum err hd_master(struct hd_key *out, const uint8_t *seed, size_t seed_len) {
    static const char key[] = "Bitcoin seed";
    struct hd_key k;
    hmac(k.key, k.chain_code, key, sizeof key - 1, seed, seed_len);
    uint8_t pub[33];
    enum err e = secp_pubkey_compressed(pub, k.key); /* fails just for a key that is none */
    if (e == ERR_OK)
        *out = k;
    explicit_bzero(&k, sizeof k);
    return e;
}

enum err hd_child(struct hd_key *out, const struct hd_key *parent, uint32_t index) {
    uint8_t data[33 + 4];
    if ((index & HD_HARDENED) != 0) {
        data[0] = 0;
        memcpy(data + 1, parent->key, 32);
    } else {
        TRY(secp_pubkey_compressed(data, parent->key));
    }
    be32_store(data + 33, index);
    struct hd_key k;
    uint8_t tweak[32];
    hmac(tweak, k.chain_code, parent->chain_code, sizeof parent->chain_code, data, sizeof data);
    memcpy(k.key, parent->key, sizeof k.key);
    enum err e = secp_key_tweak_add(k.key, tweak);
    if (e == ERR_OK)
        *out = k;
    explicit_bzero(data, sizeof data);
    explicit_bzero(tweak, sizeof tweak);
    explicit_bzero(&k, sizeof k);
    return e;
}

/* One "/44'" off *path. */
static enum err next_index(const char **path, uint32_t *out) {
    const char *p = *path;
    if (*p++ != '/')
        return ERR_PARSE;
    uint64_t v = 0;
    size_t digits = 0;
    for (; *p >= '0' && *p <= '9' && digits < INDEX_DIGITS_MAX; p++, digits++)
        v = 10 * v + (uint64_t)(*p - '0');
    if (digits == 0 || v >= HD_HARDENED)
        return ERR_PARSE;
    if (*p == '\'') {
        v |= HD_HARDENED;
        p++;
    }
    *out = (uint32_t)v;
    *path = p;
    return ERR_OK;
}

enum err hd_derive_path(struct hd_key *out, const struct hd_key *master, const char *path) {
    if (*path++ != 'm')
        return ERR_PARSE;
    struct hd_key k = *master;
    enum err e = ERR_OK;
    for (int depth = 0; e == ERR_OK && *path != '\0'; depth++) {
        uint32_t index;
        e = depth == HD_PATH_DEPTH_MAX ? ERR_TOO_LARGE : next_index(&path, &index);
        if (e == ERR_OK)
            e = hd_child(&k, &k, index);
    }
    if (e == ERR_OK)
        *out = k;
    explicit_bzero(&k, sizeof k);
    return e;
}
