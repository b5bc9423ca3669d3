/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/fill.h"

#include "rpc/simulate.h"
#include "rpc/sponsor.h"

int rpc_dev_account(const struct rpc_call *c, const addr20 *a) {
    const struct node_commands *node = c->cx->node;
    for (size_t i = 0; i < node->dev_account_count; i++)
        if (addr20_eq(&node->dev_accounts[i].address, a))
            return (int)i;
    return -1;
}

int rpc_param_dev_account(struct rpc_call *c, size_t idx) {
    addr20 a;
    if (!param_addr(c, idx, &a))
        return -1;
    int account = rpc_dev_account(c, &a);
    if (account < 0)
        rpc_fail(c, RPC_SERVER_ERROR, "unknown account");
    return account;
}

bool rpc_fill_fees(struct rpc_call *c, struct tx_args *t, const struct index_head *head) {
    struct tx_quote q;
    uint64_t gas = t->has_gas ? t->tx.gas_limit : RPC_QUOTE_GAS_MIN;
    if (!rpc_quote(c, head, &t->tx, gas, &q))
        return false;
    if (t->has_gas_price || t->has_max_fee) {
        if (u256_is_zero(&t->tx.max_fee) && q.rule != SPONSOR_OK)
            rpc_fail(c, RPC_SERVER_ERROR, "%s",
                     t->has_gas_price ? "gasPrice must be non-zero after london fork"
                                      : "maxFeePerGas must be non-zero");
        return !rpc_failed(c);
    }
    u256 cap = u256_add(&head->header.base_fee, &q.surcharge);
    cap = u256_add(&cap, &cap);
    t->tx.max_fee = u256_add(&cap, &t->tx.max_priority_fee);
    return true;
}

bool rpc_fill(struct rpc_call *c, struct tx_args *t, const struct index_head *head) {
    if (t->tx.is_create && t->tx.data.len == 0) {
        rpc_fail(c, RPC_SERVER_ERROR, "contract creation without any data provided");
        return false;
    }
    if (!rpc_fill_fees(c, t, head) ||
        (!t->has_nonce && !rpc_pending_nonce(c, &t->tx.sender, &t->tx.nonce)))
        return false;
    return t->has_gas || rpc_estimate_latest(c, t, head);
}
