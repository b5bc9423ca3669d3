/* SPDX-License-Identifier: Apache-2.0 */
/* A trie source made of two ordered maps: leaves (flat state) and branch records. */
#ifndef TESTS_LIB_STATE_MAP_SOURCE_H
#define TESTS_LIB_STATE_MAP_SOURCE_H

#include "state/trie.h"
#include "tests/lib/state/omap.h"

struct map_source {
    struct omap rows;             /* store id | path, a nibble a byte */
    struct omap leaves;           /* store id | key */
    const struct omap_node *last; /* leaf found last */
    uint64_t branch_reads, leaf_reads;
};

void map_source_init(struct map_source *s);
void map_source_clear(struct map_source *s);
struct trie_source map_source_source(struct map_source *s);
/* A trie_row_fn. */
void map_source_row(void *ctx, uint64_t store_id, bytes path, bytes record);
/* The leaves that a diff changes. */
void map_source_put_diff(struct map_source *s, const struct world_diff *diff);
/* Root of the leaves under a store id, from the ground up with mpt_root. */
void map_source_root(const struct map_source *s, uint64_t store_id, hash32 *out);

#endif
