/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secp.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/secp_ifma.h"

#include <pthread.h>
#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <sys/random.h>

const u256 SECP_N = {
    {0xbfd25e8cd0364141, 0xbaaedce6af48a03b, 0xfffffffffffffffe, 0xffffffffffffffff}};
const u256 SECP_N_HALF = {
    {0xdfe92f46681b20a0, 0x5d576e7357a4501d, 0xffffffffffffffff, 0x7fffffffffffffff}};

/* Recovery reads public data and runs on the library's static context. What touches a private key
 * has one of its own, blinded against side channels. */
static secp256k1_context *signing_ctx;
static pthread_once_t signing_once = PTHREAD_ONCE_INIT;

static void make_signing_ctx(void) {
    signing_ctx = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    CHECK(signing_ctx != NULL);
    uint8_t seed[32];
    /* Blinding is a second line of defence: without random bytes, signatures are still right. */
    if (getrandom(seed, sizeof(seed), 0) == (ssize_t)sizeof(seed))
        CHECK(secp256k1_context_randomize(signing_ctx, seed) == 1);
    explicit_bzero(seed, sizeof(seed));
}

static const secp256k1_context *get_signing_ctx(void) {
    CHECK(pthread_once(&signing_once, make_signing_ctx) == 0);
    return signing_ctx;
}

static bool in_group_order(const u256 *v) {
    return !u256_is_zero(v) && u256_lt(v, &SECP_N);
}

enum err secp_recover_pubkey(uint8_t out[64], const hash32 *digest, const struct secp_sig *sig) {
    if (sig->recid > 3 || !in_group_order(&sig->r) || !in_group_order(&sig->s))
        return ERR_SIGNATURE;
    uint8_t compact[64];
    u256_to_be32(compact, &sig->r);
    u256_to_be32(compact + 32, &sig->s);
    secp256k1_ecdsa_recoverable_signature parsed;
    if (secp256k1_ecdsa_recoverable_signature_parse_compact(secp256k1_context_static, &parsed,
                                                            compact, sig->recid) != 1)
        return ERR_SIGNATURE;
    secp256k1_pubkey key;
    if (secp256k1_ecdsa_recover(secp256k1_context_static, &key, &parsed, digest->b) != 1)
        return ERR_SIGNATURE;
    uint8_t text[65]; /* 0x04 | x | y */
    size_t len = sizeof(text);
    CHECK(secp256k1_ec_pubkey_serialize(secp256k1_context_static, text, &len, &key,
                                        SECP256K1_EC_UNCOMPRESSED) == 1);
    memcpy(out, text + 1, 64);
    return ERR_OK;
}

static addr20 address_of_hash(const hash32 *h) {
    addr20 a;
    memcpy(a.b, h->b + 12, sizeof(a.b));
    return a;
}

enum err secp_recover(addr20 *out, const hash32 *digest, const struct secp_sig *sig) {
    uint8_t key[64];
    TRY(secp_recover_pubkey(key, digest, sig));
    hash32 h;
    keccak256(&h, key, sizeof(key));
    *out = address_of_hash(&h);
    return ERR_OK;
}

/* --- many ---------------------------------------------------------------------------------------
 */
static enum secp_recovery recovery = SECP_RECOVERY_LIBRARY;

#if SECP_HAS_IFMA
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void make_table(void) {
    uint8_t powers[SECP_G_WINDOWS][64];
    for (size_t i = 0; i < SECP_G_WINDOWS; i++) {
        uint8_t key[32] = {0}, text[65];
        size_t len = sizeof(text);
        secp256k1_pubkey pub;
        _Static_assert(SECP_G_WINDOW == 8, "one byte of the key for one window");
        key[31 - i] = 1;
        CHECK(secp256k1_ec_pubkey_create(get_signing_ctx(), &pub, key) == 1);
        CHECK(secp256k1_ec_pubkey_serialize(secp256k1_context_static, text, &len, &pub,
                                            SECP256K1_EC_UNCOMPRESSED) == 1);
        memcpy(powers[i], text + 1, 64);
    }
    secp_ifma_init(powers);
}

static bool machine_has_ifma(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512ifma") &&
           __builtin_cpu_supports("avx512vbmi2");
}

static void recover_vectorised(uint8_t (*keys)[64], bool *done, const hash32 *digests,
                               const struct secp_sig *sigs, size_t n) {
    CHECK(pthread_once(&table_once, make_table) == 0);
    secp_ifma_recover(keys, done, digests, sigs, n);
}
#else
static bool machine_has_ifma(void) {
    return false;
}

static void recover_vectorised(uint8_t (*keys)[64], bool *done, const hash32 *digests,
                               const struct secp_sig *sigs, size_t n) {
    (void)keys, (void)digests, (void)sigs;
    memset(done, 0, n * sizeof(*done));
}
#endif

enum secp_recovery secp_recover_use(enum secp_recovery how) {
    recovery = machine_has_ifma() ? how : SECP_RECOVERY_LIBRARY;
    return recovery;
}

enum secp_recovery secp_recovery_in_use(void) {
    return recovery;
}

/* Keys of one chunk share an inversion and are hashed side by side; eight lanes cost as much as one
 * or two calls of the library. */
enum { RECOVER_CHUNK = SECP_LANES * SECP_GROUPS_MAX, VECTORISED_FROM = 3 };

void secp_recover_batch(addr20 *out, bool *out_ok, const hash32 *digests,
                        const struct secp_sig *sigs, size_t n) {
    for (size_t from = 0; from < n; from += RECOVER_CHUNK) {
        size_t count = n - from < RECOVER_CHUNK ? n - from : RECOVER_CHUNK;
        uint8_t keys[RECOVER_CHUNK][64];
        bool done[RECOVER_CHUNK] = {false};
        bytes inputs[RECOVER_CHUNK];
        hash32 hashes[RECOVER_CHUNK];
        if (recovery == SECP_RECOVERY_VECTORISED && count >= VECTORISED_FROM)
            recover_vectorised(keys, done, digests + from, sigs + from, count);
        for (size_t i = 0; i < count; i++) {
            inputs[i] = bytes_of(keys[i], 64);
            out_ok[from + i] = done[i] || secp_recover_pubkey(keys[i], &digests[from + i],
                                                              &sigs[from + i]) == ERR_OK;
            if (!out_ok[from + i])
                memset(keys[i], 0, 64);
        }
        keccak256_batch(hashes, inputs, count);
        for (size_t i = 0; i < count; i++)
            out[from + i] = out_ok[from + i] ? address_of_hash(&hashes[i]) : (addr20){{0}};
    }
}

enum err secp_sign(struct secp_sig *out, const hash32 *digest, const uint8_t key[32]) {
    secp256k1_ecdsa_recoverable_signature sig;
    if (secp256k1_ecdsa_sign_recoverable(get_signing_ctx(), &sig, digest->b, key, NULL, NULL) != 1)
        return ERR_INVALID;
    uint8_t compact[64];
    int recid;
    CHECK(secp256k1_ecdsa_recoverable_signature_serialize_compact(secp256k1_context_static, compact,
                                                                  &recid, &sig) == 1);
    CHECK(recid >= 0 && recid <= 3);
    out->r = u256_from_be32(compact);
    out->s = u256_from_be32(compact + 32);
    out->recid = (uint8_t)recid;
    return ERR_OK;
}

enum err secp_address_of_key(addr20 *out, const uint8_t key[32]) {
    secp256k1_pubkey pub;
    if (secp256k1_ec_pubkey_create(get_signing_ctx(), &pub, key) != 1)
        return ERR_INVALID;
    uint8_t text[65];
    size_t len = sizeof(text);
    CHECK(secp256k1_ec_pubkey_serialize(secp256k1_context_static, text, &len, &pub,
                                        SECP256K1_EC_UNCOMPRESSED) == 1);
    hash32 h;
    keccak256(&h, text + 1, 64);
    *out = address_of_hash(&h);
    return ERR_OK;
}

enum err secp_pubkey_compressed(uint8_t out[33], const uint8_t key[32]) {
    secp256k1_pubkey pub;
    if (secp256k1_ec_pubkey_create(get_signing_ctx(), &pub, key) != 1)
        return ERR_INVALID;
    size_t len = 33;
    CHECK(secp256k1_ec_pubkey_serialize(secp256k1_context_static, out, &len, &pub,
                                        SECP256K1_EC_COMPRESSED) == 1);
    return ERR_OK;
}

enum err secp_key_tweak_add(uint8_t key[32], const uint8_t tweak[32]) {
    uint8_t sum[32];
    memcpy(sum, key, sizeof(sum));
    bool ok = secp256k1_ec_seckey_tweak_add(get_signing_ctx(), sum, tweak) == 1;
    if (ok)
        memcpy(key, sum, sizeof(sum));
    explicit_bzero(sum, sizeof(sum));
    return ok ? ERR_OK : ERR_INVALID;
}
