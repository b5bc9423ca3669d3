/* SPDX-License-Identifier: Apache-2.0 */
/* Handing transactions on to the sequencer, for a node that makes no blocks.
 *
 *   any thread   checks of form; what is refused is told so       forward (struct node_commands)
 *   workers      one request at a time each: to the first of the targets (node/targets.h) that
 *                answers, the next one when it does not
 *
 * An answer is the target's own: its result or its error, unchanged. Only where an earlier target
 * may have taken the transaction, and the next one refuses it, is that one asked for its receipt:
 * if there is one, it was taken. What no target answers gets an error that says whether it may
 * have been taken; the caller can send it again, which never executes it twice.
 *
 * Transactions of one body stay together and in order, FORWARD_AT_ONCE of them or
 * FORWARD_BODY_BYTES in one request; requests of different bodies overtake each other. Requests say
 * that they were handed on (RPC_FORWARDED_HEADER), and what says so is not handed on again: nodes
 * that point at each other answer an error.
 *
 * Limits: `max` transactions that are not answered for, FORWARD_BYTES_MAX of their memory together;
 * `connections` requests at once; `timeout_ms` in the queue, and again for each target. */
#ifndef NODE_FORWARD_H
#define NODE_FORWARD_H

#include "base/clock.h"
#include "node/pool.h"
#include "rpc/commands.h"

enum {
    FORWARD_AT_ONCE = 100,
    FORWARD_BODY_BYTES = 1 << 20,
    FORWARD_BYTES_MAX = 64 << 20,
    FORWARD_CONNECT_MS = 2000,
};

struct forward_options {
    const char *urls; /* by commas */
    size_t connections, max;
    uint32_t timeout_ms;
    size_t reply_bytes_max;
    struct clock *clock;
    /* The transaction, which is then the forwarder's; NULL: it is refused, *out says why. Any
     * thread. */
    struct pool_tx *(*read)(void *ctx, bytes envelope, struct submit_result *out);
    void *read_ctx;
};
struct forward;
/* ERR_CONFIG: the URLs; ERR_NOMEM. */
enum err forward_start(struct forward **out, const struct forward_options *o,
                       struct err_ctx *ec) MUST_USE;
/* Fills forwarder, forward, forwarded and forwarded_nonce. */
void forward_commands(struct forward *f, struct node_commands *out);
/* Ends the workers; what has no answer is refused, and so is what comes later. NULL: nothing. */
void forward_stop(struct forward *f);
/* After forward_stop. */
void forward_free(struct forward *f);

#endif
