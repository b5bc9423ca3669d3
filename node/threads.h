/* SPDX-License-Identifier: Apache-2.0 */
/* Which threads the node has, by the cores that it may use. There is always one each of: event
 * loop, sequencer, durable, checkpoint and segments; the map says how many there are of the rest.
 * None is bound to a core. */
#ifndef NODE_THREADS_H
#define NODE_THREADS_H

#include "base/types.h"

enum {
    THREADS_BY_CORES = 0,      /* in a configuration: as the map says */
    THREADS_READERS_LEAST = 2, /* one for what is short, one for what may take long */
    THREADS_READERS_MOST = 16,
};

struct thread_map {
    size_t cores;
    size_t readers; /* answer reads and calls */
    size_t crew;    /* help the sequencer's thread with senders and roots */
};

/* Cores in this process's affinity mask, at least 1. */
size_t thread_cores(void);
/* The map for so many cores; `readers`, `crew`: what is wanted instead, or THREADS_BY_CORES. */
struct thread_map thread_map_of(size_t cores, size_t readers, size_t crew);

#endif
