/* SPDX-License-Identifier: Apache-2.0 */
/* Everything between this node and its parent chain, put together: mirror, follower, settling,
 * poster. `callipter run` makes it when --parent-url is given. */
#ifndef NODE_SETTLEMENT_H
#define NODE_SETTLEMENT_H

#include "node/config.h"
#include "node/deployment.h"
#include "node/sequencer.h"

enum {
    SETTLEMENT_FIRST_MS = 15000, /* for message 0 of a node that has never seen its parent */
    SETTLEMENT_FLUSH_MS = 10000, /* for a last batch at a stop */
};

struct settlement;
/* Reads the configuration's files; starts nothing. `l` is at its log's end; `dir` is the data
 * folder. ERR_CONFIG, ERR_MISMATCH: deployment and genesis file are of different chains. */
enum err settlement_new(struct settlement **out, const struct config *c, struct ledger *l,
                        const char *dir, struct err_ctx *ec) MUST_USE;
/* What the sequencer is to be started with. */
struct settle *settlement_settle(struct settlement *t);
/* Follows and posts from here on. A node that knows no batch yet waits until the parent's message 0
 * proved to be this chain's: ERR_MISMATCH, ERR_IO: the parent does not answer. */
enum err settlement_start(struct settlement *t, struct sequencer *s, struct err_ctx *ec) MUST_USE;
/* Posts what is left, within SETTLEMENT_FLUSH_MS, and ends the threads. Before sequencer_stop. */
void settlement_stop(struct settlement *t);
/* After sequencer_free. NULL is fine. */
void settlement_free(struct settlement *t);
/* What the RPC server asks about the parent. */
const struct node_parent *settlement_parent(struct settlement *t);

#endif
