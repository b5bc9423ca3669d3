/* SPDX-License-Identifier: Apache-2.0 */
/* Executions without a transaction, for the handlers that need them. On a reader thread.
 *
 * One execution is bounded by its gas (call_gas_cap) and not interrupted; what is made of many asks
 * rpc_time_up in between. */
#ifndef RPC_SIMULATE_H
#define RPC_SIMULATE_H

#include "rpc/overrides.h"
#include "rpc/params.h"
#include "rpc/reader.h"

struct simulation {
    struct tx *tx;
    const struct index_head *head;          /* at the end of this block ... */
    const struct block_ref *ref;            /* ... which was named so; NULL: by itself. `pending`
                                               runs in the next block; on `latest` its price may be
                                               offered */
    const struct call_overrides *overrides; /* NULL: none */
    const struct exec_watch *watch;         /* NULL: nobody */
    bool run_redeems;                       /* retries that it schedules too */
    uint64_t budget;                        /* as struct call_request has it; 0: none */
};

/* Runs the message. False with the error set; a bad verdict or a failure of the code is no error
 * here. out->output lives in the call's arena. */
bool rpc_simulate(struct rpc_call *c, const struct simulation *s, struct call_result *out);
/* Sets the call's error for a run that did not succeed: geth's sentence for the verdict, code 3
 * with the data of a revert, or what stopped the code. */
void rpc_fail_run(struct rpc_call *c, const struct simulation *s, const struct call_result *r);
/* The sentence alone: verdict with its figures; or why the code failed, without a revert's reason.
 */
enum { SIMULATION_TEXT_MAX = 512 };
void rpc_verdict_text(char out[SIMULATION_TEXT_MAX], struct rpc_call *c, const struct simulation *s,
                      const struct call_result *r);
void rpc_failure_text(char out[SIMULATION_TEXT_MAX], struct rpc_call *c, const struct simulation *s,
                      const struct call_result *r);
/* "execution aborted (timeout = 5s)" */
void rpc_fail_timeout(struct rpc_call *c);

/* The sender's, or any account as the simulation will find it. False with the error set. */
bool rpc_simulated_account(struct rpc_call *c, const struct simulation *s, const addr20 *a,
                           struct account *out);
/* Gives a message without a gas limit the most there is, and lowers one that is above it. */
void rpc_cap_gas(const struct rpc_call *c, struct tx_args *t);

/* The least gas limit with which the transaction succeeds at the end of the block, within 1.5 %,
 * found as geth does (eth/gasestimator). False with the error set. t->tx is the simulation's, is
 * changed meanwhile and has the result as its gas limit. Of `s`: head, ref, overrides. */
bool rpc_estimate(struct rpc_call *c, struct tx_args *t, const struct simulation *s,
                  uint64_t *out_gas);
/* The same at the newest block, which is `head`. */
bool rpc_estimate_latest(struct rpc_call *c, struct tx_args *t, const struct index_head *head);

#endif
