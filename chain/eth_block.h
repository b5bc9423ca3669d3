/* SPDX-License-Identifier: Apache-2.0 */
/* The Ethereum profile: blocks of Shanghai, Cancun, Prague and Osaka as execution-specs define them, for conformance.
 * Withdrawals (EIP-4895), blob gas (EIP-4844, 7691, 7892, 7918), system calls (EIP-4788, 2935), requests (EIP-6110, 7002,
 * 7251, 7685), block size (EIP-7934). */
#ifndef CHAIN_ETH_BLOCK_H
#define CHAIN_ETH_BLOCK_H

#include "base/arena.h"
#include "base/err.h"
#include "chain/exec.h"
#include "chain/header.h"

struct eth_blob_params {
    uint64_t target;               /* blobs per block */
    uint64_t max;
    uint64_t base_fee_update_fraction;
};
/* Rules in force at a timestamp. */
struct eth_fork {
    enum evm_revision revision;
    struct eth_blob_params blob;
};
u256 eth_blob_base_fee(const struct eth_blob_params *p, uint64_t excess_blob_gas);
uint64_t eth_next_excess_blob_gas(const struct eth_fork *fork, const struct header *parent);
u256 eth_next_base_fee(const struct header *parent);

extern const struct tx_rules eth_tx_rules;

struct eth_block_result {
    struct header header;   /* of the block as decoded */
    hash32 hash;
    uint64_t gas_used;
};
/* Validates and executes a block given as RLP on top of `parent`, over a world at the parent's state. On success the world
 * is at the block's end with world_block_end not yet called. `x` brings world, vm, code cache, tier, chain id and block_hash.
 * ERR_INVALID (or ERR_RLP, ERR_SIGNATURE) with a sentence naming the broken rule: the world was abandoned.
 * The state root is checked by the caller through `check_root`. */
typedef enum err (*eth_root_fn)(void *ctx, hash32 *out_root);
enum err eth_block_apply(struct eth_block_result *out, struct exec *x, struct arena *a, const struct eth_fork *fork,
                         const struct header *parent, bytes rlp, eth_root_fn root, void *root_ctx, struct err_ctx *ec) MUST_USE;

#endif
