/* SPDX-License-Identifier: Apache-2.0 */
/* Who will pay for a transaction, for methods that estimate, fill in and suggest; and the details
 * that errors give about universes (PROTOCOL §3). */
#ifndef RPC_SPONSOR_H
#define RPC_SPONSOR_H

#include "chain/quote.h"
#include "rpc/commands.h"
#include "rpc/reader.h"

/* Gas that is asked about before the real need is known: the least there is. */
enum { RPC_QUOTE_GAS_MIN = 21000 };

/* Of a transaction on top of `head`, now. False with the error set. */
bool rpc_quote(struct rpc_call *c, const struct index_head *head, const struct tx *tx, uint64_t gas,
               struct tx_quote *out);
/* What a wallet on /u/<slug> should offer per gas: 0 while the universe pays for some, else P + S
 * of this moment. An unknown slug is a chain's plain P. False with the error set. */
bool rpc_universe_fee(struct rpc_call *c, const struct index_head *head, const char *slug,
                      u256 *out);

/* The details of a refusal as a JSON object: {"sponsor":"policy_mismatch:<rule>","universe":"0x.."}
 * of one whose universe could have paid, {"reason":"universe_paused","universe":"0x.."} of a
 * paused one. Empty if there is nothing to say. */
void rpc_refusal_data(char out[SUBMIT_DATA_MAX], enum tx_verdict v, const struct tx_quote *q);

#endif
