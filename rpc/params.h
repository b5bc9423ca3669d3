/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments of JSON-RPC calls out of their JSON. Each function gives true, or sets the call's error
 * (-32602, in geth's words where clients match on them) and gives false. Argument `idx` counts from
 * 0. Absent and null optional arguments leave *out as it was. */
#ifndef RPC_PARAMS_H
#define RPC_PARAMS_H

#include "chain/tx.h"
#include "index/index.h"
#include "rpc/call.h"

/* How many were given. */
size_t param_count(const struct rpc_call *c);
/* Whether it is absent or null. */
bool param_is_null(const struct rpc_call *c, size_t idx);
/* Whether it is this string. */
bool param_text_is(const struct rpc_call *c, size_t idx, const char *text);
/* The argument, NULL when absent or null. A call whose arguments were scanned is done again with
 * parsed ones when its handler asks for this. */
json_t *param_at(const struct rpc_call *c, size_t idx);

bool param_addr(struct rpc_call *c, size_t idx, addr20 *out);
bool param_hash(struct rpc_call *c, size_t idx, hash32 *out);
bool param_bool(struct rpc_call *c, size_t idx, bool *out);
/* A quantity; leading zeros are tolerated, as web3.js sends them. */
bool param_u64(struct rpc_call *c, size_t idx, uint64_t *out);
/* Data appended to `out`. */
bool param_data(struct rpc_call *c, size_t idx, struct buf *out);
/* A storage key of up to 32 bytes, short ones padded on the left. */
bool param_storage_key(struct rpc_call *c, size_t idx, u256 *out);

/* The same of a value inside argument `idx`; never absent. */
bool param_value_addr(struct rpc_call *c, size_t idx, const json_t *v, addr20 *out);
bool param_value_hash(struct rpc_call *c, size_t idx, const json_t *v, hash32 *out);
bool param_value_storage_key(struct rpc_call *c, const json_t *v, u256 *out);
bool param_value_u64(struct rpc_call *c, size_t idx, const json_t *v, uint64_t *out);
bool param_value_u256(struct rpc_call *c, size_t idx, const json_t *v, u256 *out);
bool param_value_data(struct rpc_call *c, size_t idx, const json_t *v, struct arena *a, bytes *out);

/* A block by number, tag or hash (EIP-1898). */
struct block_ref {
    enum {
        BLOCK_REF_LATEST,
        BLOCK_REF_PENDING,
        BLOCK_REF_SAFE,
        BLOCK_REF_FINALIZED,
        BLOCK_REF_NUMBER,
        BLOCK_REF_HASH
    } kind;
    uint64_t number;
    hash32 hash;
};
/* Absent: `latest`. `allow_object`: also a hash, bare or in an object. */
bool param_block(struct rpc_call *c, size_t idx, struct block_ref *out, bool allow_object);
bool param_block_tag(struct rpc_call *c, size_t idx, json_t *v, struct block_ref *out);

/* The transaction object of eth_call, eth_estimateGas and eth_sendTransaction. Absent fields are
 * marked. */
struct tx_args {
    struct tx tx; /* from -> sender; lists live in the arena */
    bool has_from, has_to, has_gas, has_gas_price, has_max_fee, has_max_priority_fee, has_value,
        has_nonce, has_chain_id;
    bool has_access_list, has_type, has_auths;
};
bool param_tx(struct rpc_call *c, size_t idx, struct tx_args *out, struct arena *a);

/* eth_getLogs' filter. Lists live in the arena. */
struct filter_args {
    bool has_block_hash;
    hash32 block_hash;
    struct block_ref from, to;
    struct index_filter filter; /* from and to not set */
};
bool param_filter(struct rpc_call *c, size_t idx, struct filter_args *out, struct arena *a);

#endif
