/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of a delta: pieces that live as long as it does, cut one after the other from slabs. The
 * first 2 MiB come in small slabs, for views' overlays and small chains; all further slabs are huge
 * pages. Not thread-safe. */
#ifndef STATE_DELTA_MEM_H
#define STATE_DELTA_MEM_H

#include <stddef.h>
#include <stdint.h>

enum { DMEM_LINE = 64 }; /* bytes of the processor's cache lines */

struct dmem_slab;
struct dmem {
    struct dmem_slab *slabs;
    size_t small_slabs;
    uint8_t *bump;
    size_t left;
    size_t bytes; /* of all slabs */
};

/* A piece of any length, not initialised. `align` is a power of two up to DMEM_LINE. */
void *dmem_take(struct dmem *m, size_t len, size_t align);
/* Ends all pieces; `m` is as new, which is all zero. */
void dmem_clear(struct dmem *m);

#endif
