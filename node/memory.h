/* SPDX-License-Identifier: Apache-2.0 */
/* Who may have how much of the node's memory: --cache is shared out here, and MEMORY_BESIDE_BYTES
 * go to all else, part by part in node/memory.def. The sum of the parts is what the process has at
 * most, as Private_Dirty of its smaps_rollup says it. */
#ifndef NODE_MEMORY_H
#define NODE_MEMORY_H

#include "base/types.h"

#define MEMORY_BESIDE_BYTES ((size_t)256 << 20)

/* Bytes of --cache; their sum is all of it, or of 32 MiB when it is less. */
struct memory_shares {
    size_t world; /* accounts and slots between blocks */
    size_t trie;  /* branches */
    size_t code;  /* decoded */
    size_t rows;  /* that wait for a checkpoint; one begins at half of it */
    size_t pages; /* that one transaction of a checkpoint changes */
};
void memory_share(struct memory_shares *out, size_t cache_bytes);

#endif
