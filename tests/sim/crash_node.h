/* SPDX-License-Identifier: Apache-2.0 */
/* A node without a network for the crash test: log, store and synthetic blocks, with the order of
 * durability that the real one has: record, sync, promise, checkpoint; at a start LMDB, then the
 * log from applied + 1, each block checked against the hash chained in the next record. */
#ifndef TESTS_SIM_CRASH_NODE_H
#define TESTS_SIM_CRASH_NODE_H

#include "state/log.h"
#include "tests/lib/state/history.h"

struct crash_node {
    struct wal *log;
    struct store *store;
    struct history h;
    uint64_t epoch;
};

/* Opens and replays. `sync` false: nothing is made durable (a recovery that will not be cut again).
 */
enum err crash_node_open(struct crash_node *n, const char *dir, bool sync,
                         struct err_ctx *ec) MUST_USE;
void crash_node_close(struct crash_node *n);
/* The next block: record (not synced) and rows. */
enum err crash_node_block(struct crash_node *n, uint64_t content, struct err_ctx *ec) MUST_USE;
/* Syncs; all blocks are durable then. */
enum err crash_node_sync(struct crash_node *n, struct err_ctx *ec) MUST_USE;
/* REWIND record, synced, then the rows. */
enum err crash_node_rewind(struct crash_node *n, uint64_t to_block, struct err_ctx *ec) MUST_USE;
/* Checkpoint, and pruning of what it makes unnecessary. */
enum err crash_node_checkpoint(struct crash_node *n, struct err_ctx *ec) MUST_USE;

#endif
