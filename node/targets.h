/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoints that transactions are handed on to, and when each may be used. Thread-safe.
 *
 * A breaker opens after TARGETS_FAILURES failures in a row, for TARGETS_OPEN_MS, twice as long at
 * each further time up to TARGETS_OPEN_MAX_MS. Then one request goes through, alone: its answer
 * closes the breaker, its failure opens it again. */
#ifndef NODE_TARGETS_H
#define NODE_TARGETS_H

#include "base/clock.h"
#include "base/err.h"

#include <pthread.h>

enum {
    TARGETS_MAX = 8,
    TARGETS_FAILURES = 5,
    TARGETS_OPEN_MS = 1000,
    TARGETS_OPEN_MAX_MS = 30000,
};

struct target {
    const char *url; /* without a slash at the end; constant, read without the lock */
    unsigned failures;
    bool open, probed; /* the breaker; a request tries it out */
    uint64_t pause_ms, open_until_ms;
};
struct targets {
    pthread_mutex_t lock;
    struct clock *clock;
    char *urls; /* what those of `at` lie in */
    struct target at[TARGETS_MAX];
    size_t count;
};

/* URLs by commas, copied. ERR_CONFIG: none, too many, or one that is no http or https URL or has a
 * query or fragment; it is not told, since it may hold a key. */
enum err targets_init(struct targets *t, const char *urls, struct clock *clock,
                      struct err_ctx *ec) MUST_USE;
void targets_clear(struct targets *t);
/* The first one from `from` on that may be used, which must then be told how it went; `count`:
 * there is none. */
size_t targets_next(struct targets *t, size_t from);
void targets_answered(struct targets *t, size_t idx);
void targets_failed(struct targets *t, size_t idx);

#endif
