/* SPDX-License-Identifier: Apache-2.0 */
/* What a request left open in a transaction, and the development accounts that sign for it. */
#ifndef RPC_FILL_H
#define RPC_FILL_H

#include "rpc/params.h"
#include "rpc/reader.h"

/* Index of the development account with this address, -1 if there is none. */
int rpc_dev_account(const struct rpc_call *c, const addr20 *a);
/* As above of the account named in argument `idx`; -1 with the error set. */
int rpc_param_dev_account(struct rpc_call *c, size_t idx);

/* Fees that were not given: a cap of twice the price on top of `head`, tolls included, so that a
 * rise does not strand the transaction - only the price itself is charged. False with the error
 * set: fees of 0 where no universe pays, which no block takes. */
bool rpc_fill_fees(struct rpc_call *c, struct tx_args *t, const struct index_head *head);
/* All that was not given, as geth's setDefaults: fees, nonce (counting the pool), gas by an
 * estimate. False with the error set. */
bool rpc_fill(struct rpc_call *c, struct tx_args *t, const struct index_head *head);

#endif
