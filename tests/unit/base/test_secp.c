/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: recovery and signing agree with Ethereum's, and bad signatures are refused.
 * Method: published keys and signatures, the edges of r and s, round trips, and Wycheproof's
 * verification vectors ($CORPORA/crypto/wycheproof), verified by recovering and comparing keys. */
#include "base/secp.h"

#include "base/hex.h"
#include "base/keccak.h"
#include "base/sha.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static hash32 hash_of_hex(const char *s) {
    hash32 h;
    cr_assert_eq(hex_decode_fixed(h.b, 32, s), ERR_OK);
    return h;
}

static u256 word_of_hex(const char *s) {
    hash32 h = hash_of_hex(s);
    return u256_from_be32(h.b);
}

Test(secp, addresses_of_known_keys) {
    static const struct {
        const char *key, *addr;
    } rows[] = {
        {"0000000000000000000000000000000000000000000000000000000000000001",
         "7e5f4552091a69125d5dfcb7b8c2659029395bdf"},
        {"0000000000000000000000000000000000000000000000000000000000000002",
         "2b5ad5c4795c026514f8317c7a215e218dccd6cf"},
        /* The example of EIP-155. */
        {"4646464646464646464646464646464646464646464646464646464646464646",
         "9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"},
        /* The first account of the usual development mnemonic. */
        {"ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
         "f39fd6e51aad88f6f4ce6ab8827279cfffb92266"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        hash32 key = hash_of_hex(rows[i].key);
        addr20 want, got;
        cr_assert_eq(hex_decode_fixed(want.b, 20, rows[i].addr), ERR_OK);
        cr_assert_eq(secp_address_of_key(&got, key.b), ERR_OK);
        cr_expect(addr20_eq(&got, &want), "%s", rows[i].key);
    }
}

/* EIP-155's example transaction: signing hash, v = 37 (chain 1, parity 0), r and s. */
Test(secp, signature_of_eip155) {
    hash32 digest = hash_of_hex("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
    hash32 key = hash_of_hex("4646464646464646464646464646464646464646464646464646464646464646");
    struct secp_sig want = {
        .r = word_of_hex("28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"),
        .s = word_of_hex("67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"),
    };
    struct secp_sig got;
    cr_assert_eq(secp_sign(&got, &digest, key.b), ERR_OK);
    cr_expect(u256_eq(&got.r, &want.r) && u256_eq(&got.s, &want.s) && got.recid == 0);
    addr20 addr, signer;
    cr_assert_eq(secp_recover(&addr, &digest, &want), ERR_OK);
    cr_assert_eq(secp_address_of_key(&signer, key.b), ERR_OK);
    cr_expect(addr20_eq(&addr, &signer));
}

Test(secp, constants) {
    u256 two = u256_from_u64(2), half = u256_div(&SECP_N, &two);
    cr_expect(u256_eq(&half, &SECP_N_HALF));
    u256 n = word_of_hex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    cr_expect(u256_eq(&n, &SECP_N));
}

Test(secp, edges_of_r_and_s) {
    hash32 digest, key = hash_of_hex("46464646464646464646464646464646"
                                     "46464646464646464646464646464646");
    keccak256(&digest, "edges", 5);
    struct secp_sig good, sig;
    addr20 addr, signer;
    cr_assert_eq(secp_sign(&good, &digest, key.b), ERR_OK);
    cr_assert_eq(secp_address_of_key(&signer, key.b), ERR_OK);
    cr_expect(!u256_lt(&SECP_N_HALF, &good.s));

    u256 one = U256_ONE;
    const u256 bad[] = {U256_ZERO, SECP_N, u256_add(&SECP_N, &one), U256_MAX};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        sig = good;
        sig.r = bad[i];
        cr_expect_eq(secp_recover(&addr, &digest, &sig), ERR_SIGNATURE);
        sig = good;
        sig.s = bad[i];
        cr_expect_eq(secp_recover(&addr, &digest, &sig), ERR_SIGNATURE);
    }
    sig = good;
    sig.recid = 4;
    cr_expect_eq(secp_recover(&addr, &digest, &sig), ERR_SIGNATURE);
    /* r + n is beyond the field for nearly every r: no key fits. */
    sig.recid = good.recid | 2;
    cr_expect_eq(secp_recover(&addr, &digest, &sig), ERR_SIGNATURE);
    /* The mirrored signature names the same signer. */
    sig = good;
    sig.s = u256_sub(&SECP_N, &good.s);
    sig.recid ^= 1;
    cr_assert_eq(secp_recover(&addr, &digest, &sig), ERR_OK);
    cr_expect(addr20_eq(&addr, &signer));
}

Test(secp, bad_keys) {
    hash32 digest = {{1}}, key = {{0}};
    struct secp_sig sig;
    addr20 addr;
    cr_expect_eq(secp_sign(&sig, &digest, key.b), ERR_INVALID);
    cr_expect_eq(secp_address_of_key(&addr, key.b), ERR_INVALID);
    u256_to_be32(key.b, &SECP_N);
    cr_expect_eq(secp_sign(&sig, &digest, key.b), ERR_INVALID);
    cr_expect_eq(secp_address_of_key(&addr, key.b), ERR_INVALID);
}

enum { BATCH = 70 };

Test(secp, batches_equal_single_recoveries) {
    static hash32 digests[BATCH];
    static struct secp_sig sigs[BATCH];
    static addr20 out[BATCH];
    static bool ok[BATCH];
    for (size_t i = 0; i < BATCH; i++) {
        hash32 key;
        keccak256(&digests[i], &i, sizeof(i));
        keccak256(&key, digests[i].b, 32);
        cr_assert_eq(secp_sign(&sigs[i], &digests[i], key.b), ERR_OK);
        if (i % 9 == 4)
            sigs[i].r = U256_ZERO;
    }
    static const size_t sizes[] = {0, 1, 31, 32, 33, BATCH};
    for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
        memset(ok, 0, sizeof(ok));
        secp_recover_batch(out, ok, digests, sigs, sizes[k]);
        for (size_t i = 0; i < sizes[k]; i++) {
            addr20 one;
            enum err e = secp_recover(&one, &digests[i], &sigs[i]);
            cr_assert_eq(ok[i], e == ERR_OK);
            cr_assert(e != ERR_OK || addr20_eq(&one, &out[i]));
        }
    }
}

/* One INTEGER of a DER signature: no negative number, no needless zero, at most 32 bytes of value.
 */
static bool der_integer(bytes *in, u256 *out) {
    if (in->len < 3 || in->ptr[0] != 0x02)
        return false;
    size_t len = in->ptr[1];
    const uint8_t *p = in->ptr + 2;
    if (len == 0 || len > 33 || len > in->len - 2 || (p[0] & 0x80) != 0)
        return false;
    if (len > 1 && p[0] == 0 && (p[1] & 0x80) == 0)
        return false;
    if (len == 33 && p[0] != 0)
        return false;
    *out = len == 33 ? u256_from_be(p + 1, 32) : u256_from_be(p, len);
    *in = bytes_of(p + len, in->len - 2 - len);
    return true;
}

static bool read_der(struct secp_sig *sig, bytes in) {
    if (in.len < 2 || in.ptr[0] != 0x30 || in.ptr[1] >= 0x80 || in.ptr[1] != in.len - 2)
        return false;
    in = bytes_of(in.ptr + 2, in.len - 2);
    return der_integer(&in, &sig->r) && der_integer(&in, &sig->s) && in.len == 0;
}

static bool read_p1363(struct secp_sig *sig, bytes in) {
    if (in.len != 64)
        return false;
    sig->r = u256_from_be32(in.ptr);
    sig->s = u256_from_be32(in.ptr + 32);
    return true;
}

/* A signature is valid for a key when one of the four keys it can have come from is that one. */
static bool verifies(const uint8_t key[64], const hash32 *digest, struct secp_sig *sig) {
    for (uint8_t recid = 0; recid < 4; recid++) {
        uint8_t got[64];
        sig->recid = recid;
        if (secp_recover_pubkey(got, digest, sig) == ERR_OK && memcmp(got, key, 64) == 0)
            return true;
    }
    return false;
}

static bool run_case(const json_t *test, const uint8_t key[64], bool der, bool low_s) {
    struct buf msg, text;
    buf_init(&msg, 1 << 16);
    buf_init(&text, 1 << 16);
    const char *msg_hex = json_string_value(json_object_get(test, "msg"));
    const char *sig_hex = json_string_value(json_object_get(test, "sig"));
    cr_assert_eq(hex_decode_buf(&msg, msg_hex, strlen(msg_hex)), ERR_OK);
    cr_assert_eq(hex_decode_buf(&text, sig_hex, strlen(sig_hex)), ERR_OK);
    hash32 digest;
    sha256(digest.b, msg.ptr, msg.len);
    struct secp_sig sig;
    bool good = der ? read_der(&sig, buf_bytes(&text)) : read_p1363(&sig, buf_bytes(&text));
    good = good && (!low_s || !u256_lt(&SECP_N_HALF, &sig.s));
    good = good && verifies(key, &digest, &sig);
    buf_clear(&msg);
    buf_clear(&text);
    return good;
}

static size_t run_file(const char *folder, const char *file, bool der, bool low_s) {
    char path[1024];
    snprintf(path, sizeof(path), "%s/crypto/wycheproof/%s", folder, file);
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    cr_assert_not_null(root, "%s: %s", path, error.text);
    size_t i, k, count = 0;
    json_t *group, *test;
    json_array_foreach(json_object_get(root, "testGroups"), i, group) {
        uint8_t key[65];
        json_t *pub = json_object_get(group, "publicKey");
        cr_assert_eq(
            hex_decode_fixed(key, 65, json_string_value(json_object_get(pub, "uncompressed"))),
            ERR_OK);
        json_array_foreach(json_object_get(group, "tests"), k, test) {
            bool want = strcmp(json_string_value(json_object_get(test, "result")), "valid") == 0;
            cr_expect_eq(run_case(test, key + 1, der, low_s), want, "%s case %lld: %s", file,
                         (long long)json_integer_value(json_object_get(test, "tcId")),
                         json_string_value(json_object_get(test, "comment")));
            count++;
        }
    }
    json_decref(root);
    return count;
}

Test(secp, wycheproof, .timeout = 60) {
    const char *folder = getenv("CORPORA");
    if (folder == NULL || folder[0] == '\0') {
        printf("secp/wycheproof skipped: CORPORA is not set\n");
        return;
    }
    size_t n = run_file(folder, "ecdsa_secp256k1_sha256_test.json", true, false) +
               run_file(folder, "ecdsa_secp256k1_sha256_bitcoin_test.json", true, true) +
               run_file(folder, "ecdsa_secp256k1_sha256_p1363_test.json", false, false);
    printf("secp: %zu Wycheproof vectors\n", n);
    cr_expect_gt(n, 800u);
}

/* BIP-32, test vector 1: the master key, and its hardened child 0 as key + left half of the HMAC.
 */
Test(secp, key_derivation) {
    hash32 key = hash_of_hex("e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35");
    hash32 child = hash_of_hex("edb2e14f9ee77d26dd93b4ecede8d16ed408ce149b6cd80b0715a2d911a0afea");
    uint8_t pub[33], want[33], tweak[32];
    cr_assert_eq(
        hex_decode_fixed(want, 33,
                         "0339a36013301597daef41fbe593a02cc513d0b55527ec2df1050e2e8ff49c85c2"),
        ERR_OK);
    cr_assert_eq(secp_pubkey_compressed(pub, key.b), ERR_OK);
    cr_expect_eq(memcmp(pub, want, 33), 0);
    u256 a = u256_from_be32(key.b), b = u256_from_be32(child.b), diff = u256_sub(&b, &a);
    u256_to_be32(tweak, &diff);
    cr_assert_eq(secp_key_tweak_add(key.b, tweak), ERR_OK);
    cr_expect(hash32_eq(&key, &child));
    /* The sum wraps at the order. */
    u256 one = U256_ONE, last = u256_sub(&SECP_N, &one), two = u256_from_u64(2);
    hash32 k, one_be, two_be, zero = {{0}};
    u256_to_be32(k.b, &last);
    u256_to_be32(one_be.b, &one);
    u256_to_be32(two_be.b, &two);
    cr_assert_eq(secp_key_tweak_add(k.b, two_be.b), ERR_OK);
    cr_expect(hash32_eq(&k, &one_be));
    /* Refused: a sum of 0, a bad key, a tweak that is no number below the order. */
    u256_to_be32(k.b, &last);
    cr_expect_eq(secp_key_tweak_add(k.b, one_be.b), ERR_INVALID);
    u256 kept = u256_from_be32(k.b);
    cr_expect(u256_eq(&kept, &last));
    cr_expect_eq(secp_key_tweak_add(zero.b, one_be.b), ERR_INVALID);
    cr_expect_eq(secp_pubkey_compressed(pub, zero.b), ERR_INVALID);
    u256_to_be32(tweak, &SECP_N);
    cr_expect_eq(secp_key_tweak_add(one_be.b, tweak), ERR_INVALID);
    cr_expect_eq(one_be.b[31], 1);
}
