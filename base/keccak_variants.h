/* SPDX-License-Identifier: Apache-2.0 */
/* The variants behind base/keccak.h, for base/cpu.c, which chooses among them, and their tests. */
#ifndef BASE_KECCAK_VARIANTS_H
#define BASE_KECCAK_VARIANTS_H

#include "base/types.h"

enum {
    KECCAK_LANES = 25,
    KECCAK_RATE = 136,      /* bytes taken in by one permutation */
    KECCAK_RATE_LANES = 17, /* the same in lanes */
    KECCAK_ROUNDS = 24,
};

extern const uint64_t keccak_round_constants[KECCAK_ROUNDS];

/* One permutation of 25 lanes. */
typedef void (*keccak_f1600_fn)(uint64_t lanes[25]);
/* Four or eight digests side by side; in[i].len / 136 is the same for all i. */
typedef void (*keccak256_xn_fn)(hash32 *out, const bytes *in);

struct keccak_variant {
    keccak_f1600_fn f1600;
    keccak256_xn_fn x4; /* NULL: one after the other */
    keccak256_xn_fn x8; /* NULL: four by four */
    size_t x4_from;     /* this many inputs, [2, 4], take x4, the missing ones doubled */
    size_t x8_from;     /* likewise x8, [5, 8] */
};

/* What keccak256 and keccak256_batch use. Starts as the portable code, so that it is right before
 * base/cpu.c has chosen; written only by cpu_choose. */
extern struct keccak_variant keccak_variant;

#if defined(__x86_64__)
#define KECCAK_HAS_X86 1
/* The scalar code compiled for BMI1 and BMI2 (andn, rorx). */
void keccak_f1600_bmi2(uint64_t lanes[25]);
void keccak256_x4_avx2(hash32 *out, const bytes *in);
/* AVX-512 F and VL. */
void keccak256_x4_avx512(hash32 *out, const bytes *in);
void keccak256_x8_avx512(hash32 *out, const bytes *in);
#else
#define KECCAK_HAS_X86 0
#endif

#endif
