/* SPDX-License-Identifier: Apache-2.0 */
/* The same rounds with the rotations and three-operand logic of AVX-512: eight states in 512-bit
 * vectors, four in 256-bit ones (AVX-512VL). */
#include "base/keccak_variants.h"

#if KECCAK_HAS_X86
#include <immintrin.h>

enum { XOR3 = 0x96, XOR_ANDN = 0xd2 }; /* truth tables of a ^ b ^ c and a ^ (~b & c) */

#define LANE __m256i
#define ROTL(v, n) _mm256_rol_epi64((v), (n))
#define XOR(a, b) _mm256_xor_si256((a), (b))
#define XOR5(a, b, c, d, e)                                                                        \
    _mm256_ternarylogic_epi64(_mm256_ternarylogic_epi64(a, b, c, XOR3), d, e, XOR3)
#define CHI(a, b, c) _mm256_ternarylogic_epi64(a, b, c, XOR_ANDN)
#define RC(i) _mm256_set1_epi64x((long long)keccak_round_constants[i])
#define KECCAK_PERMUTE permute_x4
#define KECCAK_X4 keccak256_x4_avx512
#include "base/keccak_lanes.inc"
#include "base/keccak_x4.inc"

#undef LANE
#undef ROTL
#undef XOR
#undef XOR5
#undef CHI
#undef RC
#undef KECCAK_PERMUTE
#define LANE __m512i
#define ROTL(v, n) _mm512_rol_epi64((v), (n))
#define XOR(a, b) _mm512_xor_si512((a), (b))
#define XOR5(a, b, c, d, e)                                                                        \
    _mm512_ternarylogic_epi64(_mm512_ternarylogic_epi64(a, b, c, XOR3), d, e, XOR3)
#define CHI(a, b, c) _mm512_ternarylogic_epi64(a, b, c, XOR_ANDN)
#define RC(i) _mm512_set1_epi64((long long)keccak_round_constants[i])
#define KECCAK_PERMUTE permute_x8
#include "base/keccak_lanes.inc"

/* Eight rows of eight lanes to eight columns; its own inverse. */
static inline void transpose8(__m512i v[8]) {
    __m512i t[8], u[8];
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm512_unpacklo_epi64(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi64(v[i], v[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) { /* even and odd quarters of two pairs of rows */
        u[i] = _mm512_shuffle_i64x2(t[i], t[i + 2], 0x88);
        u[i + 1] = _mm512_shuffle_i64x2(t[i + 1], t[i + 3], 0x88);
        u[i + 2] = _mm512_shuffle_i64x2(t[i], t[i + 2], 0xdd);
        u[i + 3] = _mm512_shuffle_i64x2(t[i + 1], t[i + 3], 0xdd);
    }
    for (int i = 0; i < 2; i++) {
        v[i] = _mm512_shuffle_i64x2(u[i], u[i + 4], 0x88);
        v[i + 4] = _mm512_shuffle_i64x2(u[i], u[i + 4], 0xdd);
        v[i + 2] = _mm512_shuffle_i64x2(u[i + 2], u[i + 6], 0x88);
        v[i + 6] = _mm512_shuffle_i64x2(u[i + 2], u[i + 6], 0xdd);
    }
}

/* Takes in one block of each input. */
static inline void absorb8(__m512i s[KECCAK_LANES], const uint8_t *const p[8]) {
    for (int k = 0; k < 16; k += 8) {
        __m512i v[8];
        for (int i = 0; i < 8; i++)
            v[i] = _mm512_loadu_si512(p[i] + 8 * k);
        transpose8(v);
        for (int i = 0; i < 8; i++)
            s[k + i] = XOR(s[k + i], v[i]);
    }
    __m512i last = _mm512_set_epi64(load1(p[7] + 128), load1(p[6] + 128), load1(p[5] + 128),
                                    load1(p[4] + 128), load1(p[3] + 128), load1(p[2] + 128),
                                    load1(p[1] + 128), load1(p[0] + 128));
    s[16] = XOR(s[16], last);
    permute_x8(s);
}

void keccak256_x8_avx512(hash32 *out, const bytes *in) {
    __m512i s[KECCAK_LANES];
    for (int k = 0; k < KECCAK_LANES; k++)
        s[k] = _mm512_setzero_si512();
    size_t blocks = in[0].len / KECCAK_RATE;
    const uint8_t *p[8];
    for (size_t b = 0; b < blocks; b++) {
        for (int i = 0; i < 8; i++)
            p[i] = in[i].ptr + b * KECCAK_RATE;
        absorb8(s, p);
    }
    uint8_t tail[8][KECCAK_RATE];
    memset(tail, 0, sizeof(tail));
    for (int i = 0; i < 8; i++) {
        size_t left = in[i].len - blocks * KECCAK_RATE;
        if (left > 0)
            memcpy(tail[i], in[i].ptr + blocks * KECCAK_RATE, left);
        tail[i][left] = 0x01;
        tail[i][KECCAK_RATE - 1] |= 0x80;
        p[i] = tail[i];
    }
    absorb8(s, p);
    transpose8(s); /* of which the first four lanes are the digests */
    for (int i = 0; i < 8; i++)
        _mm256_storeu_si256((__m256i *)(void *)out[i].b, _mm512_castsi512_si256(s[i]));
}
#endif
