/* SPDX-License-Identifier: Apache-2.0 */
/* What both loops tell the op bodies. Each loop adds OP_BODY, NEXT, CHARGED, JUMP, SKIP_JUMP,
 * PC_VALUE and RESUME, and a label `halted` that saves the machine registers. */
#ifndef EVM_INTERP_COMMON_H
#define EVM_INTERP_COMMON_H

#include "evm/alu.h"
#include "evm/machine.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define HALT(s)                                                                                    \
    do {                                                                                           \
        f->status = (s);                                                                           \
        goto halted;                                                                               \
    } while (0)

/* Takes `x` gas, a non-negative amount. */
#define CHARGE(x)                                                                                  \
    do {                                                                                           \
        gas -= (int64_t)(x);                                                                       \
        if (UNLIKELY(gas < 0))                                                                     \
            HALT(EVM_OUT_OF_GAS);                                                                  \
    } while (0)

/* Takes what is left from a function that charges. */
#define TRY_GAS(expr)                                                                              \
    do {                                                                                           \
        int64_t left_ = (expr);                                                                    \
        if (UNLIKELY(left_ < 0))                                                                   \
            HALT(gas_fail_status(left_));                                                          \
        gas = left_;                                                                               \
    } while (0)

/* Makes the word of memory at *off usable. */
#define TOUCH_WORD(off)                                                                            \
    do {                                                                                           \
        if (UNLIKELY(!mem_holds_word(f, off))) {                                                   \
            const u256 word_len_ = {{32, 0, 0, 0}};                                                \
            TRY_GAS(mem_expand(vm, f, off, &word_len_, gas));                                      \
        }                                                                                          \
    } while (0)

#endif
