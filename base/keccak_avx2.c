/* SPDX-License-Identifier: Apache-2.0 */
#include "base/keccak_variants.h"

#if KECCAK_HAS_X86
#include <immintrin.h>

#define LANE __m256i
#define ROTL(v, n) _mm256_or_si256(_mm256_slli_epi64((v), (n)), _mm256_srli_epi64((v), 64 - (n)))
#define XOR(a, b) _mm256_xor_si256((a), (b))
#define ANDN(a, b) _mm256_andnot_si256((a), (b))
#define RC(i) _mm256_set1_epi64x((long long)keccak_round_constants[i])

/* Vector k holds lane k of the four states. */
static void permute(__m256i s[KECCAK_LANES]) {
    __m256i a00 = s[0], a10 = s[1], a20 = s[2], a30 = s[3], a40 = s[4];
    __m256i a01 = s[5], a11 = s[6], a21 = s[7], a31 = s[8], a41 = s[9];
    __m256i a02 = s[10], a12 = s[11], a22 = s[12], a32 = s[13], a42 = s[14];
    __m256i a03 = s[15], a13 = s[16], a23 = s[17], a33 = s[18], a43 = s[19];
    __m256i a04 = s[20], a14 = s[21], a24 = s[22], a34 = s[23], a44 = s[24];
#include "base/keccak_rounds.inc"
    s[0] = a00;
    s[1] = a10;
    s[2] = a20;
    s[3] = a30;
    s[4] = a40;
    s[5] = a01;
    s[6] = a11;
    s[7] = a21;
    s[8] = a31;
    s[9] = a41;
    s[10] = a02;
    s[11] = a12;
    s[12] = a22;
    s[13] = a32;
    s[14] = a42;
    s[15] = a03;
    s[16] = a13;
    s[17] = a23;
    s[18] = a33;
    s[19] = a43;
    s[20] = a04;
    s[21] = a14;
    s[22] = a24;
    s[23] = a34;
    s[24] = a44;
}

static inline __m256i load4(const uint8_t *p) {
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

/* Four rows of four lanes to four columns; its own inverse. */
static inline void transpose(__m256i v[4]) {
    __m256i t0 = _mm256_unpacklo_epi64(v[0], v[1]);
    __m256i t1 = _mm256_unpackhi_epi64(v[0], v[1]);
    __m256i t2 = _mm256_unpacklo_epi64(v[2], v[3]);
    __m256i t3 = _mm256_unpackhi_epi64(v[2], v[3]);
    v[0] = _mm256_permute2x128_si256(t0, t2, 0x20);
    v[1] = _mm256_permute2x128_si256(t1, t3, 0x20);
    v[2] = _mm256_permute2x128_si256(t0, t2, 0x31);
    v[3] = _mm256_permute2x128_si256(t1, t3, 0x31);
}

static inline long long load1(const uint8_t *p) {
    long long v;
    memcpy(&v, p, 8);
    return v;
}

/* Takes in one block of each input. */
static void absorb(__m256i s[KECCAK_LANES], const uint8_t *const p[4]) {
    for (int k = 0; k < 16; k += 4) {
        __m256i v[4] = {load4(p[0] + 8 * k), load4(p[1] + 8 * k), load4(p[2] + 8 * k),
                        load4(p[3] + 8 * k)};
        transpose(v);
        for (int i = 0; i < 4; i++)
            s[k + i] = _mm256_xor_si256(s[k + i], v[i]);
    }
    __m256i last = _mm256_set_epi64x(load1(p[3] + 128), load1(p[2] + 128), load1(p[1] + 128),
                                     load1(p[0] + 128));
    s[16] = _mm256_xor_si256(s[16], last);
    permute(s);
}

void keccak256_x4_avx2(hash32 out[4], const bytes in[4]) {
    __m256i s[KECCAK_LANES];
    for (int k = 0; k < KECCAK_LANES; k++)
        s[k] = _mm256_setzero_si256();
    size_t blocks = in[0].len / KECCAK_RATE;
    for (size_t b = 0; b < blocks; b++) {
        size_t at = b * KECCAK_RATE;
        const uint8_t *p[4] = {in[0].ptr + at, in[1].ptr + at, in[2].ptr + at, in[3].ptr + at};
        absorb(s, p);
    }
    uint8_t tail[4][KECCAK_RATE];
    memset(tail, 0, sizeof(tail));
    for (int i = 0; i < 4; i++) {
        size_t left = in[i].len - blocks * KECCAK_RATE;
        if (left > 0)
            memcpy(tail[i], in[i].ptr + blocks * KECCAK_RATE, left);
        tail[i][left] = 0x01;
        tail[i][KECCAK_RATE - 1] |= 0x80;
    }
    const uint8_t *p[4] = {tail[0], tail[1], tail[2], tail[3]};
    absorb(s, p);
    transpose(s);
    for (int i = 0; i < 4; i++)
        _mm256_storeu_si256((__m256i *)(void *)out[i].b, s[i]);
}
#endif
