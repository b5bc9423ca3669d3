/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of a delta: pieces that live as long as it does, cut one after the other from slabs. The
 * first 2 MiB come in small slabs, for views' overlays and small chains, unless the pool has huge
 * ones; all further slabs are huge pages. Not thread-safe but for the pool. */
#ifndef STATE_DELTA_MEM_H
#define STATE_DELTA_MEM_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DMEM_LINE = 64,       /* bytes of the processor's cache lines */
    DMEM_POOL_SLABS = 32, /* huge ones, at most */
};

struct dmem_slab;
/* Slabs of deltas that ended, for those to come: a page that is new costs more than what is written
 * into it. With the slabs in use they are never more than were in use at once. */
struct dmem_pool {
    pthread_mutex_t lock;
    struct dmem_slab *slabs;
    size_t count;
};
void dmem_pool_init(struct dmem_pool *p);
void dmem_pool_clear(struct dmem_pool *p); /* all that took from it has ended */

/* All zero at first, but for the pool if there is one. */
struct dmem {
    struct dmem_pool *pool; /* NULL is allowed */
    struct dmem_slab *slabs;
    size_t small_slabs;
    uint8_t *bump;
    size_t left;
    size_t bytes; /* of all slabs */
};

/* A piece of any length, not initialised. `align` is a power of two up to DMEM_LINE. */
void *dmem_take(struct dmem *m, size_t len, size_t align);
/* Ends all pieces; `m` is as new. */
void dmem_clear(struct dmem *m);

#endif
