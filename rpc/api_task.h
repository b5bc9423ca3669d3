/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the API that send transactions. A handler is run several times for one request, on
 * readers: it looks at the parts that have been sent so far and either sends more (api_task_send)
 * or answers. What it decides may depend on the request, on the parts and on the state, so that a
 * request that is repeated - by the client, or after a crash - goes on where it was.
 *
 *   void api_x(struct rpc_call *c) {
 *       struct api_task *t = api_task(c);
 *       if (t == NULL) return;                      // failed, replayed in flight, refused, ...
 *       if (t->part_count == 0) { api_task_add(...); api_task_send(c, slug); return; }
 *       ... answer out of t->parts ...
 *   }
 *
 * With an Idempotency-Key the parts are remembered before they are sent (rpc/commands.h,
 * struct node_send). The same key with the same request goes on, with another one is 422, and while
 * it is being done 409. A refusal that says nothing about the chain (nothing was sent) is not
 * remembered. */
#ifndef RPC_API_TASK_H
#define RPC_API_TASK_H

#include "rpc/abi_json.h"
#include "rpc/api_universe.h"

enum { API_PARTS_MAX = 1024, API_TASK_ROUNDS_MAX = 16, API_META_MAX_BYTES = 4096 };

enum api_part_state {
    API_PART_DONE,     /* in the chain, successful */
    API_PART_REVERTED, /* in the chain, failed */
    API_PART_LOST,     /* never will be: to be sent anew under its number */
};
struct api_part {
    enum api_part_state state;
    hash32 hash;
    uint64_t nonce;
    addr20 sender;
    bytes meta; /* as it was sent with */
    uint64_t block, gas_used;
    uint32_t idx; /* in the block */
};
struct api_task {
    bool replayed; /* there were parts when the request came */
    unsigned rounds;
    struct api_part parts[API_PARTS_MAX]; /* as of this run */
    size_t part_count;

    /* Of rpc/api_task.c: */
    bool has_id, claimed, known, alone;
    hash32 id, body_hash, turn;
    char universe[API_SLUG_MAX + 1]; /* whose request it is */
    uint64_t created_ms;
    struct arena arena; /* lives as long as the request */
    struct own_call calls[NODE_SEND_CALLS_MAX];
    struct node_sent results[NODE_SEND_CALLS_MAX];
    uint16_t numbers[NODE_SEND_CALLS_MAX];
    size_t call_count;
    struct node_send send;
    struct buf request;
    bool sent; /* results are those of a round */
    struct rpc_wake wake;
    const struct node_commands *node;
    void *extra; /* of the handler; freed by extra_free */
    void (*extra_free)(void *extra);
};

/* The call's task; NULL: the call has failed. */
struct api_task *api_task(struct rpc_call *c);

/* After a failure of anything here: whether transactions of the request are in the chain all the
 * same. Then the error is dropped and the parts are as of now: the handler answers what was done,
 * and that the rest was not, so that nobody asks for all of it anew. Not where the same request is
 * to be asked again, with its Idempotency-Key, and goes on. */
bool api_task_partly(struct rpc_call *c);

/* Simulates the call as `from` at the head and adds it to the next round: gas is what it used and
 * some more. False with the error set: it reverts (422 with the decoded reason), or there is no
 * room. `max_fee` 0: a universe must pay. `abi` may be NULL; it decodes errors. */
struct api_call_spec {
    addr20 from, to;
    bytes data; /* copied */
    u256 value, max_fee;
    bytes meta; /* copied */
    const json_t *abi;
    bool trust; /* do not simulate; gas is given */
    uint64_t gas;
};
bool api_task_add(struct rpc_call *c, const struct api_call_spec *s);
/* Sends what was added, signed by the account of `slug` ("": the operator's), and has the handler
 * run again with the new parts at the end. */
void api_task_send(struct rpc_call *c, const char *slug);

/* For requests that read what they change: no other request does `what` to the universe until this
 * one has ended, and the head is the newest. False with the error set: another one is at it. */
bool api_task_alone(struct rpc_call *c, const char *what);

/* --- simulated calls --- */
/* Runs a call at the head without a fee. False with the error set, also when it reverts (then 422).
 * *out_output lives in the call's arena. */
bool api_simulate(struct rpc_call *c, const struct api_call_spec *s, bytes *out_output,
                  uint64_t *out_gas);
/* Whether the call, successful or not, does not need more gas than a transaction may have. */
bool api_fits(struct rpc_call *c, const struct api_call_spec *s);
/* Sets the call's error for revert data. */
void api_fail_reverted(struct rpc_call *c, bytes data, const json_t *abi);
/* Encodes a call by its signature; args is taken over. In the task's arena (or the call's, without
 * a task). Empty, with the error set, where a value does not fit: the functions above do nothing
 * then. */
bytes api_pack(struct rpc_call *c, const char *signature, json_t *args);

/* The newest part with this meta that is not lost. */
const struct api_part *api_part_of(const struct api_task *t, bytes meta);
/* For a request of one transaction: its part once it is done; NULL when it has just been sent, or
 * with the error set. */
const struct api_part *api_once(struct rpc_call *c, struct api_task *t,
                                const struct api_call_spec *s, const char *slug);
/* Writes type Sent for a part. */
struct json_writer;
void api_part_print(struct json_writer *w, const struct api_part *p);
/* Writes member "transactions": the hashes of all parts that are done. */
void api_print_transactions(struct json_writer *w, const struct api_task *t);

#endif
