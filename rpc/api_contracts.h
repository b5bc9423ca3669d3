/* SPDX-License-Identifier: Apache-2.0 */
/* What the node knows of a universe's contracts beside the chain: their ABIs. */
#ifndef RPC_API_CONTRACTS_H
#define RPC_API_CONTRACTS_H

#include "genesis/templates.h"
#include "rpc/api_universe.h"

enum {
    API_ABI_MAX_BYTES = 256 << 10,
    API_ABIS_MAX = 256, /* uploaded, of a universe */
    API_CONTRACT_KEY_BYTES = 28,
    API_TOKEN_VERSION = 1,
};
/* Value of KV_TOKEN: version u8 | template's name, length u8 first | JSON {name, symbol}. */
bool api_token_template(enum template_id *out, bytes value);
/* Key of KV_ABI and KV_TOKEN. */
bytes api_contract_key(uint8_t out[API_CONTRACT_KEY_BYTES], uint64_t universe,
                       const addr20 *contract);
/* The ABI that was uploaded for the contract, or its template's; to be json_decref'd. NULL: there
 * is none, with the error set if `must`. */
json_t *api_contract_abi(struct rpc_call *c, const struct api_universe *u, const addr20 *contract,
                         bool must);

#endif
