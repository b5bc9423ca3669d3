/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha.h"

#include "base/check.h"

#include <openssl/evp.h>
#include <pthread.h>

static EVP_MD *sha256_md;
static EVP_MD *ripemd160_md;
static pthread_key_t ctx_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void ctx_free(void *ctx) {
    EVP_MD_CTX_free(ctx);
}

static void fetch_all(void) {
    sha256_md = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    ripemd160_md = EVP_MD_fetch(NULL, "RIPEMD-160", NULL);
    CHECK(sha256_md != NULL);
    CHECK(ripemd160_md != NULL);
    CHECK(pthread_key_create(&ctx_key, ctx_free) == 0);
}

static EVP_MD_CTX *thread_ctx(void) {
    CHECK(pthread_once(&once, fetch_all) == 0);
    EVP_MD_CTX *ctx = pthread_getspecific(ctx_key);
    if (ctx == NULL) {
        ctx = EVP_MD_CTX_new();
        CHECK(ctx != NULL);
        CHECK(pthread_setspecific(ctx_key, ctx) == 0);
    }
    return ctx;
}

static void digest(EVP_MD_CTX *ctx, const EVP_MD *md, uint8_t *out, size_t out_len,
                   const void *data, size_t len) {
    unsigned written = 0;
    bool begun = EVP_DigestInit_ex2(ctx, md, NULL) == 1;
    bool fed = begun && (len == 0 || EVP_DigestUpdate(ctx, data, len) == 1);
    bool ended = fed && EVP_DigestFinal_ex(ctx, out, &written) == 1;
    CHECK(ended);
    CHECK(written == out_len);
}

void sha256(uint8_t out[32], const void *data, size_t len) {
    EVP_MD_CTX *ctx = thread_ctx();
    digest(ctx, sha256_md, out, 32, data, len);
}

void ripemd160(uint8_t out[20], const void *data, size_t len) {
    EVP_MD_CTX *ctx = thread_ctx();
    digest(ctx, ripemd160_md, out, 20, data, len);
}
