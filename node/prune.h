/* SPDX-License-Identifier: Apache-2.0 */
/* Pruning of history (PROTOCOL §6): state and proofs can be had at every block that was the newest
 * at some moment of a window of time; what is older goes, online, in small steps on the checkpoint
 * thread. Windows are times, not counts of blocks. Nothing goes that is not final on the parent.
 * Blocks and receipts go behind the same window, a segment at a time (node/segments.h). */
#ifndef NODE_PRUNE_H
#define NODE_PRUNE_H

#include "base/err.h"
#include "node/ledger.h"

enum {
    PRUNE_MINIMAL_SECONDS = 600,
    PRUNE_FULL_SECONDS = 7 * 86400,
    PRUNE_STEP_ROWS = 2000, /* of one synced transaction: readers and checkpoints wait no longer */
    PRUNE_EVERY_S = 1,      /* between two looks */
};
#define PRUNE_NOTHING UINT64_MAX /* window of an archive */

/* The window of --mode in seconds. ERR_CONFIG: none of archive, full, minimal. */
enum err prune_mode(uint64_t *out_seconds, const char *mode) MUST_USE;

/* Lowest block whose state must be kept at `now_s` (wall clock, seconds) with this window: the last
 * block from before the window began, for it was the newest then. At most `head`. A clock that has
 * jumped back keeps more, never less. O(log blocks) look-ups. */
uint64_t prune_first_kept(struct store_view *v, uint64_t head, uint64_t now_s, uint64_t window_s);

/* One step. True: call again soon, there is more. */
bool prune_step(struct ledger *l, uint64_t now_s);

#endif
