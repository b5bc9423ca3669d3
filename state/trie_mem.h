/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of trie nodes: pieces by size class, cut from slabs. A freed piece is reused for its
 * class, not returned before tmem_clear. Not thread-safe.
 *
 * The first 2 MiB come in small slabs, for the many short-lived tries of tests and for small
 * chains. All further slabs are huge pages: an update touches nodes that lie anywhere in hundreds
 * of megabytes. Slabs are filled from the front, so huge pages add at most one unfilled slab to the
 * process's memory. */
#ifndef STATE_TRIE_MEM_H
#define STATE_TRIE_MEM_H

#include <stddef.h>
#include <stdint.h>

enum { TMEM_STEP = 32, TMEM_CLASSES = 24 };

struct tmem {
    struct tmem_slab *slabs;
    size_t small_slabs;
    void *free_list[TMEM_CLASSES];
    uint8_t *bump;
    size_t bump_left;
    size_t live_bytes; /* of the pieces taken */
    size_t slab_bytes; /* of all slabs: these, freed ones, and what was never handed out */
};

/* A piece of size_class * TMEM_STEP bytes, aligned to TMEM_STEP; size_class is in
 * [1, TMEM_CLASSES). */
void *tmem_take(struct tmem *m, unsigned size_class);
void tmem_give(struct tmem *m, void *p, unsigned size_class);
/* Ends all pieces; `m` is as new, which is all zero. */
void tmem_clear(struct tmem *m);

#endif
