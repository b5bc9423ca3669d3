/* SPDX-License-Identifier: Apache-2.0 */
/* Assertions for bugs. CHECK is always on: it prints the expression, the place, and the block and
 * transaction in progress on this thread, then aborts. DCHECK is on in debug, sanitizer and fuzz
 * builds. Never for outsiders' input, and never with work inside. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stdint.h>

/* What this thread is working on, printed by a failing CHECK. Set by chain/ and node/. */
struct check_progress {
    uint64_t block_num;
    uint64_t tx_idx;
};
extern _Thread_local struct check_progress check_progress;

_Noreturn void check_fail(const char *expr, const char *file, int line);

#define CHECK(x) (__builtin_expect(!!(x), 1) ? (void)0 : check_fail(#x, __FILE__, __LINE__))

#ifdef CALLIPTER_DEBUG
#define DCHECK(x) CHECK(x)
#else
#define DCHECK(x) ((void)sizeof(!!(x)))
#endif

#endif
