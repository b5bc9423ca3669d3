/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that help one other thread with a job in parts. They sleep in between. */
#ifndef BASE_CREW_H
#define BASE_CREW_H

#include "base/types.h"

enum { CREW_HELPERS_MAX = 7, CREW_HANDS_MAX = CREW_HELPERS_MAX + 1 };

struct crew;
/* `name`: of the threads, at most 15 characters, kept by its pointer. At most CREW_HELPERS_MAX
 * helpers. NULL: out of memory or threads. */
struct crew *crew_start(size_t helpers, const char *name) MUST_USE;
/* Threads that work on a job, the caller's own counted; 1 for NULL. */
size_t crew_hands(const struct crew *c);
/* Calls part(ctx, i) once for each i below `parts`, in any order and on any of the threads, and
 * returns when all are done: what they wrote is seen then. Without helpers (c may be NULL), or for
 * a single part, in order on the caller's thread. One caller at a time; not from within a part. */
void crew_run(struct crew *c, void (*part)(void *ctx, size_t i), void *ctx, size_t parts);
/* NULL is allowed. */
void crew_stop(struct crew *c);

#endif
