/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions that the node signs itself, for universes and for its operator. One thread gives
 * nonces, so that nobody has to think of them: what is asked for together is signed in order,
 * remembered in one KV record, and submitted once that is durable.
 *
 * A nonce that did not come to be used (its transaction was refused) stalls its account until all
 * that is under way has come back; what came behind it is then signed again with the nonces that
 * are free. A transaction that was never in a block is known to nobody else, so signing its call
 * again cannot do it twice.
 *
 * What is refused for want of room is sent again, OUTBOX_TRIES_MAX times in about twenty seconds;
 * then whoever asked is told.
 *
 * After a crash everything in KV_OPEN that is not in the chain is signed and sent again, before new
 * requests of the same accounts, and for as long as there is no room for it: every ten seconds at
 * last, and so what is asked for behind it. What is signed as before is not written again.
 *
 * Limits: OUTBOX_WAITING_MAX calls under way; requests are remembered for OUTBOX_KEEP_MS at least,
 * requests_max of them. A universe has at most as many of these as are free, so that it may take
 * half when it is alone and never what the others need: above it its new ones with an idempotency
 * key are refused. A request of which nothing was done is not remembered. */
#ifndef NODE_OUTBOX_H
#define NODE_OUTBOX_H

#include "base/clock.h"
#include "node/signers.h"
#include "rpc/commands.h"
#include "state/store.h"

enum {
    OUTBOX_WAITING_MAX = 8192,
    OUTBOX_BATCH_MAX = 256, /* calls in one KV record */
    OUTBOX_BATCH_BYTES_MAX = 4 << 20,
    OUTBOX_TRIES_MAX = 64,
};
#define OUTBOX_KEEP_MS (30 * UINT64_C(86400000))

struct outbox;
struct outbox_options {
    struct store *store;
    const struct node_commands *node; /* kv_..., submit, pending_nonce; borrowed */
    const struct signers *signers;    /* borrowed */
    struct clock *clock;
    uint64_t chain_id;
    size_t requests_max;
};
/* After the sequencer has started. */
enum err outbox_start(struct outbox **out, const struct outbox_options *o,
                      struct err_ctx *ec) MUST_USE;
/* Refuses what is not sent yet; what is under way must have been answered, or is answered never. */
void outbox_stop(struct outbox *o);
/* After what it submits to has stopped too: answers may come until then, and are not told any more.
 */
void outbox_free(struct outbox *o);
/* Fills in outbox, send, claim, release, signer. */
void outbox_commands(struct outbox *o, struct node_commands *out);

#endif
