/* SPDX-License-Identifier: Apache-2.0 */
/* geth's state and block overrides out of JSON:
 *
 *   state  {address: {balance, nonce, code, state | stateDiff: {slot: value}}}
 *   block  {number, time, gasLimit, feeRecipient, prevRandao, baseFeePerGas, blobBaseFee,
 * difficulty}
 *
 * Refused with a sentence: movePrecompileToAddress, code at a precompile's address, code and
 * storage of the chain's system addresses, beaconRoot, withdrawals. `difficulty` is read and has no
 * effect, as after Ethereum's merge. Members of other names are passed over. What one request may
 * override is bounded by its size (LIMIT_RPC_BODY_BYTES): at most some 37,000 slots or 100,000
 * accounts. */
#ifndef RPC_OVERRIDES_H
#define RPC_OVERRIDES_H

#include "chain/overrides.h"
#include "rpc/params.h"

/* `state` and `block` stand in argument `idx` (for the error's text); NULL and null are none. Lists
 * live in `a`. False with the error set. */
bool overrides_parse(struct rpc_call *c, size_t state_idx, json_t *state, size_t block_idx,
                     json_t *block, struct call_overrides *out, struct arena *a);
/* The same of two arguments. */
bool param_overrides(struct rpc_call *c, size_t state_idx, size_t block_idx,
                     struct call_overrides *out, struct arena *a);

/* 0x and 40 digits in EIP-55's mixed case, as geth writes addresses in sentences. */
enum { ADDR_TEXT_MAX = 43 };
const char *addr_text_eip55(char out[ADDR_TEXT_MAX], const addr20 *a);

#endif
