/* SPDX-License-Identifier: Apache-2.0 */
/* Wycheproof's vectors for the primitives that the node takes from its libraries: HMAC-SHA256 and
 * PBKDF2 (keystore, keys of the API) and Diffie-Hellman over secp256k1. The ECDSA files are judged
 * where our code stands between: secp256k1 in tests/unit/base/test_secp.c, P-256 in
 * precompile_vectors.
 *
 * Reads $CORPORA/crypto/wycheproof; ends with `N passed, N failed, N skipped`. */
#include "base/hex.h"

#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/obj_mac.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

enum { BYTES_MAX = 1 << 16, PATH_MAX_BYTES = 4096 };

static unsigned passed, failed, skipped;

struct field {
    uint8_t b[BYTES_MAX];
    size_t len;
};

/* Member `key` of a case, as bytes. False: not there or no hex. */
static bool field_of(struct field *f, const json_t *test, const char *key) {
    const char *s = json_string_value(json_object_get(test, key));
    return s != NULL && hex_decode(f->b, sizeof f->b, &f->len, s, strlen(s)) == ERR_OK;
}

typedef bool (*judge_fn)(const json_t *group, const json_t *test, bool *out_malformed);

static bool judge_hmac(const json_t *group, const json_t *test, bool *out_malformed) {
    static struct field key, msg, tag;
    uint8_t mac[32];
    unsigned len = 0;
    size_t tag_len = (size_t)json_integer_value(json_object_get(group, "tagSize")) / 8;
    *out_malformed = !field_of(&key, test, "key") || !field_of(&msg, test, "msg") ||
                     !field_of(&tag, test, "tag");
    if (*out_malformed ||
        HMAC(EVP_sha256(), key.b, (int)key.len, msg.b, msg.len, mac, &len) == NULL)
        return false;
    return tag.len == tag_len && tag_len <= len && memcmp(mac, tag.b, tag_len) == 0;
}

static bool judge_pbkdf2(const json_t *group, const json_t *test, bool *out_malformed) {
    static struct field password, salt, dk, got;
    (void)group;
    int rounds = (int)json_integer_value(json_object_get(test, "iterationCount"));
    *out_malformed = !field_of(&password, test, "password") || !field_of(&salt, test, "salt") ||
                     !field_of(&dk, test, "dk") || rounds <= 0;
    if (*out_malformed)
        return false;
    if (PKCS5_PBKDF2_HMAC((const char *)password.b, (int)password.len, salt.b, (int)salt.len,
                          rounds, EVP_sha256(), (int)dk.len, got.b) != 1)
        return false;
    return memcmp(got.b, dk.b, dk.len) == 0;
}

/* A curve given by name: a key that spells out its parameters may spell them wrong. */
static bool is_named_secp256k1(EVP_PKEY *pkey) {
    char curve[64] = "";
    size_t len = 0;
    int is_explicit = 1;
    return EVP_PKEY_get_group_name(pkey, curve, sizeof curve, &len) == 1 &&
           strcmp(curve, "secp256k1") == 0 &&
           EVP_PKEY_get_int_param(pkey, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
                                  &is_explicit) == 1 &&
           is_explicit == 0;
}

/* The x coordinate of private * public; false when the key is refused. */
static bool ecdh(uint8_t out[32], const struct field *pub, const struct field *priv) {
    const uint8_t *der = pub->b;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &der, (long)pub->len);
    bool ok = false;
    uint8_t point[65];
    size_t point_len = 0;
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_secp256k1);
    EC_POINT *p = EC_POINT_new(group);
    BIGNUM *k = BN_bin2bn(priv->b, (int)priv->len, NULL);
    if (pkey != NULL && is_named_secp256k1(pkey) &&
        EVP_PKEY_get_octet_string_param(pkey, "pub", point, sizeof point, &point_len) == 1 &&
        EC_POINT_oct2point(group, p, point, point_len, NULL) == 1 &&
        EC_POINT_mul(group, p, NULL, p, k, NULL) == 1 &&
        EC_POINT_point2oct(group, p, POINT_CONVERSION_UNCOMPRESSED, point, sizeof point, NULL) ==
            sizeof point) {
        memcpy(out, point + 1, 32);
        ok = true;
    }
    BN_clear_free(k);
    EC_POINT_free(p);
    EC_GROUP_free(group);
    EVP_PKEY_free(pkey);
    return ok;
}

static bool judge_ecdh(const json_t *group, const json_t *test, bool *out_malformed) {
    static struct field pub, priv, shared;
    uint8_t got[32];
    (void)group;
    *out_malformed = !field_of(&pub, test, "public") || !field_of(&priv, test, "private") ||
                     !field_of(&shared, test, "shared");
    if (*out_malformed || !ecdh(got, &pub, &priv))
        return false;
    return shared.len == sizeof got && memcmp(got, shared.b, sizeof got) == 0;
}

/* `acceptable` cases may be refused, but must not give another secret: a refusal and a right answer
 * both pass. */
static void judge_file(const char *folder, const char *name, judge_fn judge) {
    char path[PATH_MAX_BYTES];
    json_error_t error;
    size_t g, i;
    json_t *group, *test;
    snprintf(path, sizeof path, "%s/crypto/wycheproof/%s", folder, name);
    json_t *file = json_load_file(path, 0, &error);
    unsigned before = passed;
    if (file == NULL) {
        printf("FAIL %s: unreadable: %s\n", path, error.text);
        failed++;
        return;
    }
    json_array_foreach(json_object_get(file, "testGroups"), g, group) {
        json_array_foreach(json_object_get(group, "tests"), i, test) {
            const char *result = json_string_value(json_object_get(test, "result"));
            bool malformed;
            bool ok = judge(group, test, &malformed);
            bool want = result != NULL && strcmp(result, "invalid") != 0;
            bool acceptable = result != NULL && strcmp(result, "acceptable") == 0;
            if (!malformed && (ok == want || acceptable)) {
                passed++;
                continue;
            }
            printf("FAIL %s case %lld: %s, expected %s\n", name,
                   (long long)json_integer_value(json_object_get(test, "tcId")),
                   ok ? "holds" : "refused", result != NULL ? result : "nothing");
            failed++;
        }
    }
    printf("%s: %u\n", name, passed - before);
    json_decref(file);
}

int main(void) {
    const char *folder = getenv("CORPORA");
    if (folder == NULL || folder[0] == 0) {
        printf("Wycheproof's vectors did not run: CORPORA is not set\n");
        skipped++;
    } else {
        judge_file(folder, "hmac_sha256_test.json", judge_hmac);
        judge_file(folder, "pbkdf2_hmacsha256_test.json", judge_pbkdf2);
        judge_file(folder, "ecdh_secp256k1_test.json", judge_ecdh);
    }
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed != 0;
}
