/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of the node's own values by handlers of the API: asked for, then the handler runs again
 * and finds the result. */
#ifndef RPC_API_WRITE_H
#define RPC_API_WRITE_H

#include "rpc/api.h"

enum { API_WRITE_OPS_MAX = 8 };
struct api_write {
    struct kv_op ops[API_WRITE_OPS_MAX]; /* keys and values stay where they are until it is done */
    size_t count;
    bool done;
    enum err result;
    struct rpc_wake wake;
    const struct node_commands *node;
};
/* Has the changes written and the handler run again. `w` lives as long as the call's state. */
void api_write_ask(struct rpc_call *c, struct api_write *w);
/* What the loop does then, for a handler that has something to look at first (and sets c->ask
 * after api_write_ask). */
void api_write_start(struct api_write *w, struct rpc_wake wake);
/* Whether it is done; false also with the error set when it was refused. */
bool api_write_done(struct rpc_call *c, const struct api_write *w);

#endif
