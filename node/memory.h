/* SPDX-License-Identifier: Apache-2.0 */
/* Who may have how much of the node's memory, part by part (node/memory.def): --cache is shared out
 * here, and MEMORY_BESIDE_BYTES are for all else. The sum of the parts is what the process has at
 * most, as Private_Dirty of its smaps_rollup has it, while clients read their answers; what those
 * can hold up who do not is bounded apart (rpc/rpc.h). */
#ifndef NODE_MEMORY_H
#define NODE_MEMORY_H

#include "base/types.h"

enum memory_part {
#define MEMORY_PART(id, name, what) MEMORY_##id,
#include "node/memory.def"
#undef MEMORY_PART
    MEMORY_PARTS
};
enum { MEMORY_OF_CACHE = MEMORY_PAGES + 1 }; /* parts of --cache */
#define MEMORY_BESIDE_BYTES ((size_t)256 << 20)

struct memory_shares {
    size_t most[MEMORY_PARTS]; /* bytes */
};
/* Those of --cache are all of it together, or of 32 MiB when it is less. */
void memory_share(struct memory_shares *out, size_t cache_bytes);
const char *memory_part_name(size_t part);

/* Anonymous memory of this process; 0 where the system does not say. */
size_t memory_anonymous(void);

#endif
