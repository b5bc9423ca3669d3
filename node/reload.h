/* SPDX-License-Identifier: Apache-2.0 */
/* A running node reads its configuration again: SIGHUP. Keys that node/config.def calls live take
 * their new values, all of them or, when one cannot be taken, none; of the others those that
 * changed are named in the log and keep the value of the start. Nothing here ends the node. */
#ifndef NODE_RELOAD_H
#define NODE_RELOAD_H

#include "node/config.h"
#include "node/pool.h"
#include "node/sequencer.h"
#include "rpc/rpc.h"

struct reload {
    int argc; /* of the command, borrowed for good */
    char **argv;
    char *(*env)(const char *name);
    const struct config *started; /* what the node was started with, borrowed for good */
    struct rpc_server *rpc;
    struct sequencer *sequencer;
    struct pool *pool;
    struct config live; /* what was taken up last, if has_live */
    bool has_live;
};

/* The parts' shares of a configuration; texts are borrowed from it. */
struct rpc_policy config_rpc_policy(const struct config *c);
struct sequencer_policy config_sequencer_policy(const struct config *c);
struct pool_limits config_pool_limits(const struct config *c);

/* Reads and takes up, and logs what came of it; the last line tells whether it did. False: nothing
 * was taken up. On the thread of the server's event base. */
bool reload_config(struct reload *r);
void reload_clear(struct reload *r);

#endif
