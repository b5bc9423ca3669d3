/* SPDX-License-Identifier: Apache-2.0 */
/* Executions without a transaction, for the handlers that need them. On a reader thread. */
#ifndef RPC_SIMULATE_H
#define RPC_SIMULATE_H

#include "rpc/params.h"
#include "rpc/reader.h"

/* The least gas limit with which the transaction succeeds at the end of the block, within 1.5 %,
 * found as geth does (eth/gasestimator). False with the error set. `t` is changed meanwhile and has
 * the result as its gas limit. */
bool rpc_estimate(struct rpc_call *c, struct tx_args *t, const struct index_head *head,
                  uint64_t *out_gas);

#endif
