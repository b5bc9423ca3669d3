/* SPDX-License-Identifier: Apache-2.0 */
/* Pruning of the log and of the receipts: whole segments go (PROTOCOL §7) once all that is in them
 * is behind the window of history and nothing else wants them, and with them the rows by which
 * their blocks were found. What outlives a block has rows of its own (index/index.h).
 *
 * What keeps a segment of the log: a block of the window, or one that is not final on the parent
 * (to be posted, compared, made again; the INTENT of its batch lies behind it); a record after the
 * last checkpoint, where a restart begins to replay (blocks, the node's own values, tombstones);
 * and one from the floors on that the checkpoint's META has: transactions that wait in the pool,
 * blocks that are to be made again. */
#ifndef NODE_SEGMENTS_H
#define NODE_SEGMENTS_H

#include "node/ledger.h"

/* One step, of about PRUNE_STEP_ROWS rows and at least one block. Blocks from `keep` on stay whole;
 * keep <= store_first_block. True: call again soon, there is more. */
bool segments_step(struct ledger *l, uint64_t keep);

#endif
