/* SPDX-License-Identifier: Apache-2.0 */
/* What the calls of one body may take together, so that a batch costs no more memory and not much
 * more time than a call: answers of reply_bytes_max, and RPC_BATCH_TIMES times a call's time for
 * what readers do. Reads that come after either fail without being run, and so do those that are
 * not begun when their client goes. What sends is not among them: it is begun, and its outcome
 * told, if only by the hash in place of the receipt.
 *
 * Answers up to RPC_ANSWER_BRIEF, which an error in their place would not be shorter than, and what
 * the universes' API says of something done do not count. Neither do ids and what stands around
 * answers: the body bounds them. One thread at a time, but for `gone`. */
#ifndef RPC_BATCH_H
#define RPC_BATCH_H

#include "rpc/call.h"

enum {
    RPC_BATCH_TIMES = 6,
    RPC_ANSWER_BRIEF = 128,
};

struct rpc_batch {
    bool limited; /* false: one call, which has limits of its own */
    bool full;    /* an answer found no room */
    size_t left;  /* bytes of answers */
    uint64_t spent_us;
    _Atomic bool gone; /* nobody waits for the answers; set by the loop's thread */
};

void rpc_batch_init(struct rpc_batch *b, const struct rpc_context *cx, bool limited);
/* Puts what stands for an answer that is too long in its place: the hash of what was sent, which is
 * durable, or an error. The call is DONE. */
void rpc_batch_cut(struct rpc_call *c);
/* Whether a read may end in a submission. */
bool rpc_may_send(const struct rpc_call *c);
/* Whether a call is to be run now; if not, it is DONE and has failed, or is answered by a hash. */
bool rpc_batch_admits(struct rpc_call *c);
/* It has run for so long. Its answer, if it is DONE, counts from here, or gives way to an error. */
void rpc_batch_took(struct rpc_call *c, uint64_t us);
/* Takes the length of an answer from *left, or cuts it; false then. */
bool rpc_batch_fit(struct rpc_call *c, size_t *left);

#endif
