/* SPDX-License-Identifier: Apache-2.0 */
/* Keccak-256 as Ethereum uses it: Keccak-f[1600], rate 136 bytes, the original padding 0x01 (not
 * SHA-3's 0x06). Yellow Paper, §3; the permutation is FIPS 202 §3.
 *
 * Many digests at once go through keccak256_batch, which uses the widest variant that base/cpu.h
 * chose at start (portable, AVX2 x4, AVX-512 x8); all give the same bytes. Thread-safe, no
 * allocation. */
#ifndef BASE_KECCAK_H
#define BASE_KECCAK_H

#include "base/types.h"

void keccak256(hash32 *out, const void *data, size_t len);
static inline hash32 keccak256_bytes(bytes b) {
    hash32 h;
    keccak256(&h, b.ptr, b.len);
    return h;
}

/* out[i] = Keccak-256 of in[i], for i in [0, n). Inputs of equal block count (len / 136) that stand
 * together are hashed side by side; order inputs by length to profit. */
void keccak256_batch(hash32 *out, const bytes *in, size_t n);

/* Streaming form for data that is not in one piece. */
struct keccak_ctx {
    uint64_t lanes[25];
    uint8_t block[136];
    size_t used; /* bytes in block, [0, 136) */
};
void keccak256_begin(struct keccak_ctx *k);
void keccak256_update(struct keccak_ctx *k, const void *data, size_t len);
void keccak256_end(struct keccak_ctx *k, hash32 *out);

/* One Keccak-f[1600] permutation of 25 lanes (lane x + 5y), the portable code. */
void keccak_f1600(uint64_t lanes[25]);

/* keccak256("") and keccak256(RLP("")): code hash of no code, root of the empty trie. */
extern const hash32 KECCAK_EMPTY;
extern const hash32 KECCAK_EMPTY_TRIE;
/* keccak256(RLP([])): empty ommers list. */
extern const hash32 KECCAK_EMPTY_LIST;

#endif
