/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic that stops at the largest number instead of wrapping: for prices of gas and lengths
 * that outsiders choose, where "more than fits" and "the most there is" come to the same. */
#ifndef BASE_SATURATE_H
#define BASE_SATURATE_H

#include <stdint.h>

static inline uint64_t u64_add_sat(uint64_t a, uint64_t b) {
    uint64_t r;
    return __builtin_add_overflow(a, b, &r) ? UINT64_MAX : r;
}

static inline uint64_t u64_mul_sat(uint64_t a, uint64_t b) {
    uint64_t r;
    return __builtin_mul_overflow(a, b, &r) ? UINT64_MAX : r;
}

#endif
