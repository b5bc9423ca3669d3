/* SPDX-License-Identifier: Apache-2.0 */
#include "node/threads.h"

#include "base/crew.h"

#include <sched.h>

/* Loop and sequencer keep a core busy each; what is left over is shared by readers and helpers. The
 * loop of two cores has time left for one helper: node/bench/README.md. */
enum { BUSY = 2 };

static size_t clamp(size_t n, size_t least, size_t most) {
    return n < least ? least : n > most ? most : n;
}

size_t thread_cores(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0) /* more cores than the mask has room for */
        return CPU_SETSIZE;
    int n = CPU_COUNT(&set);
    return n > 0 ? (size_t)n : 1;
}

struct thread_map thread_map_of(size_t cores, size_t readers, size_t crew) {
    size_t spare = cores > BUSY ? cores - BUSY : 0, least = cores > 1;
    return (struct thread_map){
        .cores = cores,
        .readers = readers != THREADS_BY_CORES
                       ? readers
                       : clamp(cores / 2, THREADS_READERS_LEAST, THREADS_READERS_MOST),
        .crew = crew != THREADS_BY_CORES ? crew : clamp(spare / 2, least, CREW_HELPERS_MAX),
    };
}
