/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cpu.h"

#include "base/keccak.h"
#include "base/keccak_variants.h"

#include <stdlib.h>

static const char *description = "keccak=portable,portable";

#if KECCAK_HAS_X86
static void choose_x86(void) {
    __builtin_cpu_init();
    bool bmi = __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    bool avx2 = __builtin_cpu_supports("avx2");
    keccak_variant.f1600 = bmi ? keccak_f1600_bmi2 : keccak_f1600;
    keccak_variant.x4 = avx2 ? keccak256_x4_avx2 : NULL;
    description = bmi    ? avx2 ? "keccak=bmi2,avx2x4" : "keccak=bmi2,bmi2"
                  : avx2 ? "keccak=portable,avx2x4"
                         : "keccak=portable,portable";
}
#endif

void cpu_choose(enum cpu_level level) {
    keccak_variant = (struct keccak_variant){.f1600 = keccak_f1600, .x4 = NULL};
    description = "keccak=portable,portable";
#if KECCAK_HAS_X86
    if (level == CPU_BEST)
        choose_x86();
#else
    (void)level;
#endif
}

/* Before main and so before any thread. Until then, and in programs that never get here, the initial
 * portable choice is in force. */
__attribute__((constructor)) static void choose_at_start(void) {
    const char *forced = getenv("CALLIPTER_CPU");
    cpu_choose(forced != NULL && strcmp(forced, "portable") == 0 ? CPU_PORTABLE : CPU_BEST);
}

const char *cpu_describe(void) {
    return description;
}
