/* SPDX-License-Identifier: Apache-2.0 */
/* P256VERIFY: ECDSA over secp256r1 (EIP-7951), on OpenSSL's curve arithmetic.
 *
 * The verification equation is spelled out here instead of handing OpenSSL a key object: building
 * one multiplies the point by the group order, which costs more than the verification. The curve
 * has cofactor 1, so a point on it is in the group. */
#include "evm/precompile_internal.h"

#include "base/check.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <pthread.h>
#include <stdlib.h>

enum { INPUT_LEN = 160 /* digest, r, s, x, y, 32 bytes each */ };

/* Everything a verification needs, made once per thread: the group with its precomputed multiples
 * of the generator, and scratch numbers. */
struct p256 {
    EC_GROUP *group;
    BN_CTX *bn_ctx;
    EC_POINT *key, *sum;
    BIGNUM *e, *r, *s, *x, *y;
};

static pthread_key_t p256_key;
static pthread_once_t p256_once = PTHREAD_ONCE_INIT;
static _Thread_local struct p256 *thread_p256;

static void p256_free(void *ptr) {
    struct p256 *c = ptr;
    if (c == NULL)
        return;
    EC_POINT_free(c->key);
    EC_POINT_free(c->sum);
    BN_free(c->e);
    BN_free(c->r);
    BN_free(c->s);
    BN_free(c->x);
    BN_free(c->y);
    BN_CTX_free(c->bn_ctx);
    EC_GROUP_free(c->group);
    free(c);
}

static void make_key(void) {
    int err = pthread_key_create(&p256_key, p256_free);
    CHECK(err == 0);
}

static bool p256_fill(struct p256 *c) {
    c->group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    c->bn_ctx = BN_CTX_new();
    if (c->group == NULL || c->bn_ctx == NULL)
        return false;
    c->key = EC_POINT_new(c->group);
    c->sum = EC_POINT_new(c->group);
    c->e = BN_new();
    c->r = BN_new();
    c->s = BN_new();
    c->x = BN_new();
    c->y = BN_new();
    return c->key != NULL && c->sum != NULL && c->e != NULL && c->r != NULL && c->s != NULL &&
           c->x != NULL && c->y != NULL;
}

static struct p256 *p256_get(void) {
    if (thread_p256 != NULL)
        return thread_p256;
    int err = pthread_once(&p256_once, make_key);
    CHECK(err == 0);
    struct p256 *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    if (!p256_fill(c) || pthread_setspecific(p256_key, c) != 0) {
        p256_free(c);
        return NULL;
    }
    thread_p256 = c;
    return c;
}

enum verdict { HOLDS, REFUSED, NO_MEMORY };

static bool in_range(const BIGNUM *v, const BIGNUM *order) {
    return !BN_is_zero(v) && BN_cmp(v, order) < 0;
}

/* x(e/s * G + r/s * Q) mod n == r, with e, r, s and the key loaded in *c. */
static enum verdict p256_equation(struct p256 *c) {
    const BIGNUM *n = EC_GROUP_get0_order(c->group);
    if (BN_mod_inverse(c->s, c->s, n, c->bn_ctx) == NULL ||
        BN_mod_mul(c->e, c->e, c->s, n, c->bn_ctx) != 1 ||
        BN_mod_mul(c->y, c->r, c->s, n, c->bn_ctx) != 1 ||
        EC_POINT_mul(c->group, c->sum, c->e, c->key, c->y, c->bn_ctx) != 1)
        return NO_MEMORY;
    if (EC_POINT_is_at_infinity(c->group, c->sum))
        return REFUSED;
    if (EC_POINT_get_affine_coordinates(c->group, c->sum, c->x, NULL, c->bn_ctx) != 1 ||
        BN_nnmod(c->x, c->x, n, c->bn_ctx) != 1)
        return NO_MEMORY;
    return BN_cmp(c->x, c->r) == 0 ? HOLDS : REFUSED;
}

static enum verdict p256_check(struct p256 *c, const uint8_t in[INPUT_LEN]) {
    if (BN_bin2bn(in, 32, c->e) == NULL || BN_bin2bn(in + 32, 32, c->r) == NULL ||
        BN_bin2bn(in + 64, 32, c->s) == NULL || BN_bin2bn(in + 96, 32, c->x) == NULL ||
        BN_bin2bn(in + 128, 32, c->y) == NULL)
        return NO_MEMORY;
    const BIGNUM *n = EC_GROUP_get0_order(c->group);
    const BIGNUM *p = EC_GROUP_get0_field(c->group);
    if (!in_range(c->r, n) || !in_range(c->s, n))
        return REFUSED;
    /* OpenSSL would reduce a coordinate, so the range is checked here. (0, 0), which stands for
     * infinity, does not satisfy the curve equation. */
    if (BN_cmp(c->x, p) >= 0 || BN_cmp(c->y, p) >= 0)
        return REFUSED;
    if (EC_POINT_set_affine_coordinates(c->group, c->key, c->x, c->y, c->bn_ctx) != 1) {
        bool off_curve = ERR_GET_REASON(ERR_peek_last_error()) == EC_R_POINT_IS_NOT_ON_CURVE;
        ERR_clear_error(); /* else the thread's next TLS call would take it for its own */
        return off_curve ? REFUSED : NO_MEMORY;
    }
    return p256_equation(c);
}

enum evm_status precompile_p256verify(struct arena *a, bytes input, bytes *out) {
    *out = bytes_of(NULL, 0);
    if (input.len != INPUT_LEN)
        return EVM_SUCCESS;
    struct p256 *c = p256_get();
    if (c == NULL)
        return EVM_INTERNAL_ERROR;
    switch (p256_check(c, input.ptr)) {
    case NO_MEMORY:
        return EVM_INTERNAL_ERROR;
    case REFUSED:
        return EVM_SUCCESS;
    case HOLDS:
        break;
    }
    uint8_t *word = precompile_output(a, out, 32);
    if (word == NULL)
        return EVM_INTERNAL_ERROR;
    memset(word, 0, 32);
    word[31] = 1;
    return EVM_SUCCESS;
}
