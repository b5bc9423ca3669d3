/* SPDX-License-Identifier: Apache-2.0 */
/* Headroom (PROTOCOL §5): what is left of the inbox's time bounds for the oldest block that is not
 * on the parent, and for the oldest delayed message that no batch has read, in thousandths; 1000
 * when nothing waits. Past the bounds a batch would change stamps, or anybody may force messages
 * in. Below HEADROOM_LOW the sequencer raises what it admits, below HEADROOM_STALLED it admits no
 * user's transaction. */
#ifndef NODE_HEADROOM_H
#define NODE_HEADROOM_H

#include "bridge/batch.h"
#include "node/batches.h"

enum { HEADROOM_FULL = 1000, HEADROOM_LOW = 250, HEADROOM_STALLED = 100 };

/* As measured last; HEADROOM_FULL before. Any thread. */
unsigned headroom_permille(void);
/* Measures: `v` is a view of the newest durable block, `last` the row of the newest batch. Alarms
 * when a bound is crossed. One thread. */
void headroom_measure(const struct batch_time_bounds *b, struct mirror *m, struct store_view *v,
                      const struct batch_row *last);
/* What is left of `bound` when `age` of it is used. */
unsigned headroom_left(uint64_t bound, uint64_t age);

#endif
