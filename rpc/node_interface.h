/* SPDX-License-Identifier: Apache-2.0 */
/* Arbitrum's NodeInterface at 0xC8: no contract, but what eth_call and eth_estimateGas answer when
 * they are sent there. Code on the chain sees an empty account. On a reader thread. */
#ifndef RPC_NODE_INTERFACE_H
#define RPC_NODE_INTERFACE_H

#include "rpc/call.h"
#include "rpc/params.h"

bool node_interface_is(const struct tx_args *t);
/* eth_call: the result or the error. What is unknown (a batch that was not posted, a message that
 * was not sent, another function) reverts with empty data. */
void node_interface_call(struct rpc_call *c, struct tx_args *t, const struct index_head *head,
                         const struct call_overrides *o);
/* eth_estimateGas: turns *t and *o into what is to be estimated. Only estimateRetryableTicket is
 * more than a call: it becomes the retry, sent by the alias with the deposit minted. False with the
 * error set. */
bool node_interface_estimate(struct rpc_call *c, struct tx_args *t, const struct index_head *head,
                             struct call_overrides *o);

#endif
