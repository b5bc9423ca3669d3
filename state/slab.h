/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of deltas and trie nodes: pieces cut one after the other from slabs, and ended all at
 * once. The first 2 MiB come in small slabs, for views' overlays, short-lived tries of tests and
 * small chains, unless the pool has huge ones; all further slabs are huge pages: what is searched
 * in them lies anywhere in hundreds of megabytes. They are filled from the front, so they add at
 * most one unfilled slab to the process's memory. Not thread-safe but for the pool. */
#ifndef STATE_SLAB_H
#define STATE_SLAB_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SLAB_LINE = 64,     /* bytes of the processor's cache lines */
    SLAB_POOL_MAX = 32, /* huge ones */
};

struct slab;
/* Huge slabs of owners that ended, for those to come: a page that is new costs more than what is
 * written into it. With the slabs in use they are never more than were in use at once. */
struct slab_pool {
    pthread_mutex_t lock;
    struct slab *slabs;
    size_t count;
};
void slab_pool_init(struct slab_pool *p);
void slab_pool_clear(struct slab_pool *p); /* all that took from it has ended */
size_t slab_pool_bytes(struct slab_pool *p);

/* All zero at first, but for the pool if there is one. */
struct slabs {
    struct slab_pool *pool; /* NULL is allowed */
    struct slab *list;
    size_t small;
    uint8_t *bump; /* what is not handed out of the newest one, */
    size_t left;   /* and how many bytes */
    size_t bytes;  /* of all slabs */
};

/* A piece of any length, not initialised. `align` is a power of two up to SLAB_LINE. One of more
 * than 64 KiB gets a slab of its own; for others, what is left of a slab that is too short for one
 * is never handed out. */
void *slabs_take(struct slabs *s, size_t len, size_t align);
/* Ends all pieces; `s` is as new. */
void slabs_clear(struct slabs *s);

#endif
