/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/l3_rules.h"

#include "base/check.h"
#include "chain/system_call.h"
#include "chain/system_state.h"

const addr20 L3_HISTORY_ADDRESS = {{0x00, 0x00, 0xf9, 0x08, 0x27, 0xf1, 0xc5, 0x3a, 0x10, 0xcb,
                                    0x7a, 0x02, 0x33, 0x5b, 0x17, 0x53, 0x20, 0x00, 0x29, 0x35}};

hash32 l3_block_hash(struct world *w, uint64_t current, uint64_t number) {
    hash32 h;
    memset(&h, 0, sizeof h);
    if (number >= current || current - number > 256)
        return h;
    u256 slot = u256_from_u64(number % L3_HISTORY_RING);
    u256 v = world_storage(w, &L3_HISTORY_ADDRESS, &slot);
    u256_to_be32(h.b, &v);
    return h;
}

static bool is_user_type(enum tx_type t) {
    return t == TX_LEGACY || t == TX_ACCESS_LIST || t == TX_DYNAMIC_FEE || t == TX_SET_CODE;
}

/* Price and verdict of a transaction that pays P. */
static enum tx_verdict check_price(const struct l3_block *b, const struct tx *tx,
                                   struct tx_charge *out) {
    if (u256_lt(&tx->max_fee, &tx->max_priority_fee))
        return TX_TIP_ABOVE_FEE_CAP;
    if (u256_lt(&tx->max_fee, &b->price))
        return TX_FEE_CAP_TOO_LOW;
    out->price = b->price;
    return TX_OK;
}

static enum tx_verdict l3_charge(struct exec *x, const struct tx *tx, struct tx_charge *out) {
    if (!is_user_type(tx->type))
        return TX_TYPE_UNSUPPORTED;
    return check_price(x->rules_ctx, tx, out);
}

/* gas x price. The sender's balance covered gas_limit x max_fee >= this, so it fits. */
static u256 gas_cost(uint64_t gas, const u256 *price) {
    u256 wide = u256_from_u64(gas), cost;
    bool overflow = u256_mul_overflow(&cost, &wide, price);
    CHECK(!overflow);
    return cost;
}

static void l3_buy_gas(struct exec *x, const struct tx *tx, const struct tx_charge *c) {
    u256 cost = gas_cost(tx->gas_limit, &c->price);
    bool covered = world_sub_balance(x->world, &tx->sender, &cost);
    CHECK(covered);
}

static void l3_settle(struct exec *x, const struct tx *tx, const struct tx_charge *c,
                      uint64_t gas_used) {
    const struct l3_block *b = x->rules_ctx;
    u256 refund = gas_cost(tx->gas_limit - gas_used, &c->price);
    u256 fee = gas_cost(gas_used, &c->price);
    if (!u256_is_zero(&refund))
        world_add_balance(x->world, &tx->sender, &refund);
    if (!u256_is_zero(&fee))
        world_add_balance(x->world, &b->network_fee_account, &fee);
    /* Nothing changes balances after this but the end of the transaction, which deletes these. */
    u256 doomed = world_doomed_balance(x->world);
    if (!u256_is_zero(&doomed))
        sys_add(x->world, SYS_SUPPLY_BURNT, NULL, &doomed);
}

static void l3_on_burn(struct exec *x, const u256 *amount) {
    sys_add(x->world, SYS_SUPPLY_BURNT, NULL, amount);
}

const struct tx_rules l3_tx_rules = {
    .name = "l3",
    .charge = l3_charge,
    .buy_gas = l3_buy_gas,
    .settle = l3_settle,
    .system_call = system_call,
    .on_burn = l3_on_burn,
};

/* --- calls ------------------------------------------------------------------------------- */

static enum tx_verdict call_charge(struct exec *x, const struct tx *tx, struct tx_charge *out) {
    if (!is_user_type(tx->type))
        return TX_TYPE_UNSUPPORTED;
    out->skip_nonce = true;
    out->skip_eoa_check = true;
    if (u256_is_zero(&tx->max_fee) && u256_is_zero(&tx->max_priority_fee))
        return TX_OK;
    return check_price(x->rules_ctx, tx, out);
}

static void call_buy_gas(struct exec *x, const struct tx *tx, const struct tx_charge *c) {
    (void)x;
    (void)tx;
    (void)c;
}

static void call_settle(struct exec *x, const struct tx *tx, const struct tx_charge *c,
                        uint64_t gas_used) {
    (void)x;
    (void)tx;
    (void)c;
    (void)gas_used;
}

const struct tx_rules l3_call_rules = {
    .name = "l3-call",
    .charge = call_charge,
    .buy_gas = call_buy_gas,
    .settle = call_settle,
    .system_call = system_call,
    .made_up_balances = true,
};
