/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of the derived tables at a block: equal on every node that derived the same messages,
 * however it came to them (sequenced, replayed, followed, unwound and derived again; any tier, any
 * number of checkpoints and restarts). A node that differs has other rows, not other luck.
 *
 * Covered are all tables of class `derived` (state/tables.def) but CSA, CSS, HIA, HIS and UNDO:
 * these say how to go back, and each node keeps them for a window of its own. Of TXL, LOGA and UEVT
 * only rows of blocks from `from` on count, as those of blocks whose segments a node has dropped
 * may be gone. So pruning changes no digest that can still be had. Tables of class `local` are not
 * covered. */
#ifndef INDEX_DIGEST_H
#define INDEX_DIGEST_H

#include "base/err.h"
#include "state/store.h"

struct index_digest {
    uint64_t block, from;
    hash32 block_hash;
    bool covered[TABLE_COUNT];
    uint64_t rows[TABLE_COUNT]; /* that were counted in */
    /* keccak over the rows in order of keys: length u32 BE | key | length u32 BE | value of each */
    hash32 tables[TABLE_COUNT];
    hash32 all; /* keccak over name | 0 | digest of each covered table, in order of tables.def */
};
/* At the view's block. O(rows); `expired`, unless NULL, is asked now and then, and true is
 * ERR_BUSY. ERR_PRUNED: blocks from `from` on are gone, or the block went while it was read. */
enum err index_digest(struct index_digest *out, struct store_view *v, uint64_t from,
                      bool (*expired)(void *ctx), void *ctx, struct err_ctx *ec) MUST_USE;

#endif
