/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Thread_local struct check_progress check_progress;

_Noreturn void check_fail(const char *expr, const char *file, int line) {
    char text[512];
    int n = snprintf(text, sizeof(text),
                     "CHECK failed: %.300s at %s:%d (block %llu, transaction %llu)\n", expr, file,
                     line, (unsigned long long)check_progress.block_num,
                     (unsigned long long)check_progress.tx_idx);
    /* Straight to the descriptor: stdio's locks and buffers may be part of what broke. */
    if (n > 0) {
        size_t len = (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
        ssize_t written = write(STDERR_FILENO, text, len);
        (void)written;
    }
    abort();
}
