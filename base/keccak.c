/* SPDX-License-Identifier: Apache-2.0 */
#include "base/keccak.h"

#include "base/check.h"
#include "base/cpu.h"
#include "base/keccak_variants.h"

#define KECCAK_SCALAR keccak_f1600
#include "base/keccak_scalar.inc"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "lanes are read as they lie in memory");

const uint64_t keccak_round_constants[KECCAK_ROUNDS] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

const hash32 KECCAK_EMPTY = {{0xc5, 0xd2, 0x46, 0x01, 0x86, 0xf7, 0x23, 0x3c, 0x92, 0x7e, 0x7d,
                              0xb2, 0xdc, 0xc7, 0x03, 0xc0, 0xe5, 0x00, 0xb6, 0x53, 0xca, 0x82,
                              0x27, 0x3b, 0x7b, 0xfa, 0xd8, 0x04, 0x5d, 0x85, 0xa4, 0x70}};
const hash32 KECCAK_EMPTY_TRIE = {{0x56, 0xe8, 0x1f, 0x17, 0x1b, 0xcc, 0x55, 0xa6, 0xff, 0x83, 0x45,
                                   0xe6, 0x92, 0xc0, 0xf8, 0x6e, 0x5b, 0x48, 0xe0, 0x1b, 0x99, 0x6c,
                                   0xad, 0xc0, 0x01, 0x62, 0x2f, 0xb5, 0xe3, 0x63, 0xb4, 0x21}};
const hash32 KECCAK_EMPTY_LIST = {{0x1d, 0xcc, 0x4d, 0xe8, 0xde, 0xc7, 0x5d, 0x7a, 0xab, 0x85, 0xb5,
                                   0x67, 0xb6, 0xcc, 0xd4, 0x1a, 0xd3, 0x12, 0x45, 0x1b, 0x94, 0x8a,
                                   0x74, 0x13, 0xf0, 0xa1, 0x42, 0xfd, 0x40, 0xd4, 0x93, 0x47}};

struct keccak_variant keccak_variant = {.f1600 = keccak_f1600, .x4 = NULL};

static inline void absorb_block(keccak_f1600_fn f1600, uint64_t lanes[25], const uint8_t *block) {
    for (size_t i = 0; i < KECCAK_RATE_LANES; i++) {
        uint64_t v;
        memcpy(&v, block + 8 * i, 8);
        lanes[i] ^= v;
    }
    f1600(lanes);
}

/* The last, partial block of `len` < 136 bytes, and the padding: 1, zeros, 1 as bits. */
static void absorb_last(keccak_f1600_fn f1600, uint64_t lanes[25], const uint8_t *p, size_t len) {
    size_t whole = len / 8;
    for (size_t i = 0; i < whole; i++) {
        uint64_t v;
        memcpy(&v, p + 8 * i, 8);
        lanes[i] ^= v;
    }
    uint64_t v = 0;
    if (len % 8 != 0)
        memcpy(&v, p + 8 * whole, len % 8);
    v ^= (uint64_t)0x01 << (len % 8 * 8);
    lanes[whole] ^= v;
    lanes[KECCAK_RATE_LANES - 1] ^= (uint64_t)0x80 << 56;
    f1600(lanes);
}

void keccak256(hash32 *out, const void *data, size_t len) {
    keccak_f1600_fn f1600 = keccak_variant.f1600;
    uint64_t lanes[KECCAK_LANES] = {0};
    const uint8_t *p = data;
    for (; len >= KECCAK_RATE; p += KECCAK_RATE, len -= KECCAK_RATE)
        absorb_block(f1600, lanes, p);
    absorb_last(f1600, lanes, p, len);
    memcpy(out->b, lanes, 32);
}

/* `n` inputs of equal block count in the lanes of a function that takes `width`: the last one fills
 * the lanes that are over. */
static void hash_padded(keccak256_xn_fn fn, size_t width, hash32 *out, const bytes *in, size_t n) {
    if (n == width) {
        fn(out, in);
        return;
    }
    bytes full[8];
    hash32 digests[8];
    for (size_t i = 0; i < width; i++)
        full[i] = in[i < n ? i : n - 1];
    fn(digests, full);
    memcpy(out, digests, n * sizeof(hash32));
}

/* Hashes the first inputs of a run of `n` <= 8 with equal block counts; returns how many. */
static size_t hash_some(const struct keccak_variant *v, hash32 *out, const bytes *in, size_t n) {
    if (v->x8 != NULL && n >= v->x8_from) {
        hash_padded(v->x8, 8, out, in, n);
        return n;
    }
    if (v->x4 != NULL && n >= v->x4_from) {
        size_t take = n < 4 ? n : 4;
        hash_padded(v->x4, 4, out, in, take);
        return take;
    }
    keccak256(&out[0], in[0].ptr, in[0].len);
    return 1;
}

void keccak256_batch(hash32 *out, const bytes *in, size_t n) {
    const struct keccak_variant v = keccak_variant;
    size_t widest = v.x8 != NULL ? 8 : v.x4 != NULL ? 4 : 1;
    size_t i = 0;
    while (i < n) {
        size_t blocks = in[i].len / KECCAK_RATE;
        size_t run = 1;
        while (run < widest && i + run < n && in[i + run].len / KECCAK_RATE == blocks)
            run++;
        i += hash_some(&v, out + i, in + i, run);
    }
}

void keccak256_begin(struct keccak_ctx *k) {
    memset(k, 0, sizeof(*k));
}

void keccak256_update(struct keccak_ctx *k, const void *data, size_t len) {
    DCHECK(k->used < KECCAK_RATE);
    const uint8_t *p = data;
    keccak_f1600_fn f1600 = keccak_variant.f1600;
    if (k->used > 0) {
        size_t take = KECCAK_RATE - k->used < len ? KECCAK_RATE - k->used : len;
        if (take > 0)
            memcpy(k->block + k->used, p, take);
        k->used += take;
        if (k->used < KECCAK_RATE)
            return;
        absorb_block(f1600, k->lanes, k->block);
        k->used = 0;
        p += take;
        len -= take;
    }
    for (; len >= KECCAK_RATE; p += KECCAK_RATE, len -= KECCAK_RATE)
        absorb_block(f1600, k->lanes, p);
    if (len > 0)
        memcpy(k->block, p, len);
    k->used = len;
}

void keccak256_end(struct keccak_ctx *k, hash32 *out) {
    absorb_last(keccak_variant.f1600, k->lanes, k->block, k->used);
    memcpy(out->b, k->lanes, 32);
}
