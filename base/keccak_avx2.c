/* SPDX-License-Identifier: Apache-2.0 */
#include "base/keccak_variants.h"

#if KECCAK_HAS_X86
#include <immintrin.h>

#define LANE __m256i
#define ROTL(v, n) _mm256_or_si256(_mm256_slli_epi64((v), (n)), _mm256_srli_epi64((v), 64 - (n)))
#define XOR(a, b) _mm256_xor_si256((a), (b))
#define XOR5(a, b, c, d, e) XOR(XOR(XOR(XOR(a, b), c), d), e)
#define CHI(a, b, c) XOR(a, _mm256_andnot_si256((b), (c)))
#define RC(i) _mm256_set1_epi64x((long long)keccak_round_constants[i])
#define KECCAK_PERMUTE permute
#define KECCAK_X4 keccak256_x4_avx2
#include "base/keccak_lanes.inc"
#include "base/keccak_x4.inc"
#endif
