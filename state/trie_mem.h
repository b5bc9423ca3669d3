/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of trie nodes: pieces by size class, cut from slabs. A freed piece is reused for its
 * class, not returned before tmem_clear. Not thread-safe. */
#ifndef STATE_TRIE_MEM_H
#define STATE_TRIE_MEM_H

#include "state/slab.h"

enum { TMEM_STEP = 32, TMEM_CLASSES = 24 };

struct tmem {
    struct slabs slabs; /* these, freed pieces, and what was never handed out */
    void *free_list[TMEM_CLASSES];
    size_t live_bytes; /* of the pieces taken */
};

/* A piece of size_class * TMEM_STEP bytes, aligned to TMEM_STEP; size_class is in
 * [1, TMEM_CLASSES). */
void *tmem_take(struct tmem *m, unsigned size_class);
void tmem_give(struct tmem *m, void *p, unsigned size_class);
/* Ends all pieces; `m` is as new, which is all zero. */
void tmem_clear(struct tmem *m);

#endif
