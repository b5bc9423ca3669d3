/* SPDX-License-Identifier: Apache-2.0 */
/* ECRECOVER, SHA256, RIPEMD160, IDENTITY (Yellow Paper appendix E) and BLAKE2F (EIP-152, RFC 7693).
 */
#include "evm/precompile_internal.h"

#include "base/secp.h"
#include "base/sha.h"

enum {
    BLAKE2F_INPUT_LEN = 213, /* rounds 4, h 64, m 128, t 16, final flag 1 */
};

enum evm_status precompile_ecrecover(struct arena *a, bytes input, bytes *out) {
    uint8_t in[128]; /* digest, v, r, s, 32 bytes each */
    precompile_read(in, input, 0, sizeof in);
    *out = bytes_of(NULL, 0);

    u256 v = u256_from_be32(in + 32);
    if (!u256_fits_u64(&v) || (v.w[0] != 27 && v.w[0] != 28))
        return EVM_SUCCESS;
    hash32 digest;
    memcpy(digest.b, in, 32);
    struct secp_sig sig = {
        .r = u256_from_be32(in + 64),
        .s = u256_from_be32(in + 96),
        .recid = (uint8_t)(v.w[0] - 27),
    };
    addr20 signer;
    if (secp_recover(&signer, &digest, &sig) != ERR_OK)
        return EVM_SUCCESS;
    uint8_t *word = precompile_output(a, out, 32);
    if (word == NULL)
        return EVM_INTERNAL_ERROR;
    memset(word, 0, 12);
    memcpy(word + 12, signer.b, 20);
    return EVM_SUCCESS;
}

enum evm_status precompile_sha256(struct arena *a, bytes input, bytes *out) {
    uint8_t *word = precompile_output(a, out, 32);
    if (word == NULL)
        return EVM_INTERNAL_ERROR;
    sha256(word, input.ptr, input.len);
    return EVM_SUCCESS;
}

enum evm_status precompile_ripemd160(struct arena *a, bytes input, bytes *out) {
    uint8_t *word = precompile_output(a, out, 32);
    if (word == NULL)
        return EVM_INTERNAL_ERROR;
    memset(word, 0, 12);
    ripemd160(word + 12, input.ptr, input.len);
    return EVM_SUCCESS;
}

enum evm_status precompile_identity(struct arena *a, bytes input, bytes *out) {
    uint8_t *copy = precompile_output(a, out, input.len);
    if (copy == NULL)
        return EVM_INTERNAL_ERROR;
    if (input.len > 0)
        memcpy(copy, input.ptr, input.len);
    return EVM_SUCCESS;
}

/* RFC 7693 §2.6 and §2.7. Round r uses row r mod 10. */
static const uint64_t BLAKE2B_IV[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

static const uint8_t BLAKE2B_SIGMA[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static inline uint64_t rotr64(uint64_t x, unsigned n) {
    return x >> n | x << (64 - n);
}

#define BLAKE2B_G(a, b, c, d, x, y)                                                                \
    do {                                                                                           \
        v[a] = v[a] + v[b] + (x);                                                                  \
        v[d] = rotr64(v[d] ^ v[a], 32);                                                            \
        v[c] = v[c] + v[d];                                                                        \
        v[b] = rotr64(v[b] ^ v[c], 24);                                                            \
        v[a] = v[a] + v[b] + (y);                                                                  \
        v[d] = rotr64(v[d] ^ v[a], 16);                                                            \
        v[c] = v[c] + v[d];                                                                        \
        v[b] = rotr64(v[b] ^ v[c], 63);                                                            \
    } while (0)

static void blake2b_rounds(uint64_t v[16], const uint64_t m[16], uint32_t rounds) {
    unsigned row = 0;
    for (uint32_t i = 0; i < rounds; i++) {
        const uint8_t *s = BLAKE2B_SIGMA[row];
        row = row == 9 ? 0 : row + 1;
        BLAKE2B_G(0, 4, 8, 12, m[s[0]], m[s[1]]);
        BLAKE2B_G(1, 5, 9, 13, m[s[2]], m[s[3]]);
        BLAKE2B_G(2, 6, 10, 14, m[s[4]], m[s[5]]);
        BLAKE2B_G(3, 7, 11, 15, m[s[6]], m[s[7]]);
        BLAKE2B_G(0, 5, 10, 15, m[s[8]], m[s[9]]);
        BLAKE2B_G(1, 6, 11, 12, m[s[10]], m[s[11]]);
        BLAKE2B_G(2, 7, 8, 13, m[s[12]], m[s[13]]);
        BLAKE2B_G(3, 4, 9, 14, m[s[14]], m[s[15]]);
    }
}

uint64_t precompile_blake2f_gas(bytes input) {
    /* A wrong length is refused by the run, which takes all gas; what is charged before does not
     * matter. */
    return input.len == BLAKE2F_INPUT_LEN ? be32_load(input.ptr) : 0;
}

enum evm_status precompile_blake2f(struct arena *a, bytes input, bytes *out) {
    if (input.len != BLAKE2F_INPUT_LEN || input.ptr[212] > 1)
        return EVM_PRECOMPILE_FAILURE;
    uint64_t h[8], m[16], t[2], v[16];
    memcpy(h, input.ptr + 4, sizeof h); /* little-endian words, as this machine has them */
    memcpy(m, input.ptr + 68, sizeof m);
    memcpy(t, input.ptr + 196, sizeof t);
    memcpy(v, h, sizeof h);
    memcpy(v + 8, BLAKE2B_IV, sizeof BLAKE2B_IV);
    v[12] ^= t[0];
    v[13] ^= t[1];
    if (input.ptr[212] == 1)
        v[14] = ~v[14];
    blake2b_rounds(v, m, be32_load(input.ptr));

    uint8_t *p = precompile_output(a, out, 64);
    if (p == NULL)
        return EVM_INTERNAL_ERROR;
    for (size_t i = 0; i < 8; i++)
        h[i] ^= v[i] ^ v[i + 8];
    memcpy(p, h, sizeof h);
    return EVM_SUCCESS;
}
