/* SPDX-License-Identifier: Apache-2.0 */
#include "node/scrypt.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

enum { BLOCK_WORDS = 16, BLOCK_BYTES = 64, LENGTH_MAX = 1 << 30 };

static uint32_t rotate(uint32_t v, unsigned n) {
    return v << n | v >> (32 - n);
}

/* One column or row step of Salsa20: four additions, rotations and exclusive ors. */
static void quarter(uint32_t *x, size_t a, size_t b, size_t c, size_t d) {
    x[b] ^= rotate(x[a] + x[d], 7);
    x[c] ^= rotate(x[b] + x[a], 9);
    x[d] ^= rotate(x[c] + x[b], 13);
    x[a] ^= rotate(x[d] + x[c], 18);
}

/* RFC 7914 §3. Words are little-endian in memory, as the only platform is. */
static void salsa20_8(uint32_t b[BLOCK_WORDS]) {
    uint32_t x[BLOCK_WORDS];
    memcpy(x, b, sizeof x);
    for (int i = 0; i < 4; i++) {
        quarter(x, 0, 4, 8, 12);
        quarter(x, 5, 9, 13, 1);
        quarter(x, 10, 14, 2, 6);
        quarter(x, 15, 3, 7, 11);
        quarter(x, 0, 1, 2, 3);
        quarter(x, 5, 6, 7, 4);
        quarter(x, 10, 11, 8, 9);
        quarter(x, 15, 12, 13, 14);
    }
    for (size_t i = 0; i < BLOCK_WORDS; i++)
        b[i] += x[i];
}

/* RFC 7914 §4: `out` gets the even blocks, then the odd ones; 2 r blocks each. */
static void block_mix(uint32_t *out, const uint32_t *in, size_t r) {
    uint32_t x[BLOCK_WORDS];
    memcpy(x, in + (2 * r - 1) * BLOCK_WORDS, sizeof x);
    for (size_t i = 0; i < 2 * r; i++) {
        for (size_t k = 0; k < BLOCK_WORDS; k++)
            x[k] ^= in[i * BLOCK_WORDS + k];
        salsa20_8(x);
        memcpy(out + (i / 2 + (i % 2) * r) * BLOCK_WORDS, x, sizeof x);
    }
}

/* RFC 7914 §5. v: n rows of 2 r blocks; x and y: one row each. */
static void ro_mix(uint32_t *x, uint32_t *y, uint32_t *v, size_t r, uint64_t n) {
    size_t words = 2 * r * BLOCK_WORDS;
    for (uint64_t i = 0; i < n; i++) {
        memcpy(v + i * words, x, words * sizeof *x);
        block_mix(y, x, r);
        memcpy(x, y, words * sizeof *x);
    }
    for (uint64_t i = 0; i < n; i++) {
        uint64_t last;
        memcpy(&last, x + words - BLOCK_WORDS, sizeof last);
        const uint32_t *row = v + (last & (n - 1)) * words;
        for (size_t k = 0; k < words; k++)
            x[k] ^= row[k];
        block_mix(y, x, r);
        memcpy(x, y, words * sizeof *x);
    }
}

static bool pbkdf2_once(uint8_t *out, size_t out_len, bytes password, const uint8_t *salt,
                        size_t salt_len) {
    return PKCS5_PBKDF2_HMAC((const char *)password.ptr, (int)password.len, salt, (int)salt_len, 1,
                             EVP_sha256(), (int)out_len, out) == 1;
}

enum err scrypt(uint8_t *out, size_t out_len, bytes password, bytes salt,
                const struct scrypt_params *params) {
    uint64_t n = params->n, r = params->r, p = params->p;
    if (n < 2 || (n & (n - 1)) != 0 || r == 0 || p == 0 || r > LENGTH_MAX / BLOCK_BYTES ||
        p > LENGTH_MAX / (128 * r) || n > SIZE_MAX / (128 * r) - p - 1 ||
        password.len > LENGTH_MAX || salt.len > LENGTH_MAX || out_len == 0 || out_len > LENGTH_MAX)
        return ERR_INVALID;
    size_t row = 128 * r;
    size_t total = row * (p + n + 1);
    uint8_t *memory = malloc(total);
    if (memory == NULL)
        return ERR_NOMEM;
    uint32_t *y = (uint32_t *)(void *)(memory + row * p);
    bool ok = pbkdf2_once(memory, row * p, password, salt.ptr, salt.len);
    for (size_t i = 0; ok && i < p; i++)
        ro_mix((uint32_t *)(void *)(memory + row * i), y, y + row / sizeof *y, r, n);
    ok = ok && pbkdf2_once(out, out_len, password, memory, row * p);
    OPENSSL_cleanse(memory, total);
    free(memory);
    return ok ? ERR_OK : ERR_INVALID;
}
