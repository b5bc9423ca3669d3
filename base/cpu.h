/* SPDX-License-Identifier: Apache-2.0 */
/* Which variant of the hot primitives this machine runs. Chosen once, before main, by cpuid;
 * CALLIPTER_CPU=portable in the environment forces the plain C ones, CALLIPTER_CPU=avx2 leaves out
 * what needs AVX-512. All variants give the same bytes: unit tests run each on the same vectors,
 * and cpu_self_test does so at every start. */
#ifndef BASE_CPU_H
#define BASE_CPU_H

#include "base/err.h"

enum cpu_level {
    CPU_PORTABLE, /* C without instruction set extensions */
    CPU_AVX2,     /* up to BMI2 and AVX2, as far as cpuid reports them */
    CPU_BEST,     /* the fastest that cpuid reports and the operating system saves */
};

/* Chooses again. For tests and self-tests: other threads must not be hashing meanwhile. */
void cpu_choose(enum cpu_level level);

/* What was chosen, for the log and the version text: "keccak=bmi2,avx512x8 recover=ifma8" or
 * "keccak=portable,portable recover=libsecp256k1": one digest, many digests, many recoveries.
 * Static string. */
const char *cpu_describe(void);

/* Runs known answers through every variant that this machine can run: Keccak alone and in batches,
 * secp256k1 recovery, u256 division. Takes under 5 ms;
 * changes the choice meanwhile, so no other thread may hash yet. ERR_MISMATCH names what failed:
 * the machine or the build is broken and the program must not start. */
enum err cpu_self_test(struct err_ctx *ec) MUST_USE;

#endif
