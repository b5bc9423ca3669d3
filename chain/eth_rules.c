/* SPDX-License-Identifier: Apache-2.0 */
/* Who pays and who earns on Ethereum (EIP-1559, EIP-4844), and what a fork's rules set in an exec.
 */
#include "chain/eth_block.h"

#include "base/check.h"

enum { BLOB_GAS = 1 << 17 };

static enum tx_verdict eth_charge(struct exec *x, const struct tx *tx, struct tx_charge *out) {
    const u256 *base_fee = &x->block.base_fee;
    if (u256_lt(&tx->max_fee, &tx->max_priority_fee))
        return TX_TIP_ABOVE_FEE_CAP;
    if (u256_lt(&tx->max_fee, base_fee))
        return TX_FEE_CAP_TOO_LOW;
    u256 room = u256_sub(&tx->max_fee, base_fee);
    out->tip = u256_lt(&room, &tx->max_priority_fee) ? room : tx->max_priority_fee;
    out->price = u256_add(base_fee, &out->tip);
    if (tx->type != TX_BLOB)
        return TX_OK;
    if (u256_lt(&tx->max_fee_per_blob_gas, &x->block.blob_base_fee))
        return TX_BLOB_FEE_CAP_TOO_LOW;
    u256 blob_gas = u256_from_u64(tx->blob_hash_count * (uint64_t)BLOB_GAS);
    /* A fee beyond 256 bits is above any balance, which the check of the fee cap, not below it,
     * will find. */
    if (u256_mul_overflow(&out->blob_fee, &blob_gas, &x->block.blob_base_fee))
        return TX_INSUFFICIENT_FUNDS;
    return TX_OK;
}

static u256 gas_cost(uint64_t gas, const u256 *price) {
    u256 g = u256_from_u64(gas), cost;
    bool overflow = u256_mul_overflow(&cost, &g, price);
    CHECK(!overflow);
    return cost;
}

static void eth_buy_gas(struct exec *x, const struct tx *tx, const struct tx_charge *c) {
    u256 cost = gas_cost(tx->gas_limit, &c->price);
    cost = u256_add(&cost, &c->blob_fee);
    bool covered = world_sub_balance(x->world, &tx->sender, &cost);
    CHECK(covered);
}

static void eth_settle(struct exec *x, const struct tx *tx, const struct tx_charge *c,
                       uint64_t gas_used) {
    u256 back = gas_cost(tx->gas_limit - gas_used, &c->price);
    world_add_balance(x->world, &tx->sender, &back);
    u256 earned = gas_cost(gas_used, &c->tip);
    world_add_balance(x->world, &x->block.coinbase, &earned);
}

const struct tx_rules eth_tx_rules = {
    .name = "ethereum",
    .charge = eth_charge,
    .buy_gas = eth_buy_gas,
    .settle = eth_settle,
};

void eth_exec_begin(struct exec *x, const struct eth_fork *fork, const struct header *h) {
    x->rules = &eth_tx_rules;
    x->revision = fork->revision;
    x->block = (struct evm_block_ctx){
        .chain_id = x->chain_id,
        .number = h->number,
        .timestamp = h->timestamp,
        .gas_limit = h->gas_limit,
        .coinbase = h->coinbase,
        .prevrandao = h->mix_hash,
        .base_fee = h->base_fee,
    };
    x->fee_account = h->coinbase;
    bool blobs = fork->revision >= EVM_CANCUN;
    if (blobs)
        x->block.blob_base_fee = eth_blob_base_fee(&fork->blob, h->excess_blob_gas);
    x->tx_gas_cap = fork->revision >= EVM_OSAKA ? (uint64_t)ETH_TX_GAS_CAP : UINT64_MAX;
    x->gas_left = h->gas_limit;
    x->gas_used = 0;
    x->blob_gas_left = blobs ? fork->blob.max * BLOB_GAS : 0;
    x->blob_gas_used = 0;
    x->blob_max_per_tx = blobs ? fork->blob.max : 0;
    if (fork->revision >= EVM_OSAKA && x->blob_max_per_tx > ETH_TX_BLOBS_MAX)
        x->blob_max_per_tx = ETH_TX_BLOBS_MAX;
}
