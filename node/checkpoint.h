/* SPDX-License-Identifier: Apache-2.0 */
/* The checkpoint thread: moves the store's rows to LMDB when too many are dirty or a restart would
 * take too long to replay the log. Never by the clock, so that an idle node writes nothing and a
 * busy one no more than it must. */
#ifndef NODE_CHECKPOINT_H
#define NODE_CHECKPOINT_H

#include "node/ledger.h"

#include <stdatomic.h>

struct checkpointer;
struct checkpointer *checkpointer_start(struct ledger *l,
                                        void (*failed)(void *ctx, enum err e,
                                                       const struct err_ctx *ec),
                                        void *ctx) MUST_USE;
/* After each block: the processor time that executing it took. Wakes the thread when a checkpoint
 * is due; waits for it when the rows in memory have outgrown it, but not once `given_up` is set:
 * what never becomes durable never goes. */
void checkpointer_after_block(struct checkpointer *c, uint64_t exec_ns,
                              const atomic_bool *given_up);
/* Ends the thread, after a checkpoint in progress. NULL is fine. */
void checkpointer_stop(struct checkpointer *c);

#endif
