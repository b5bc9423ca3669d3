/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/l3_rules.h"

#include "base/check.h"
#include "chain/retryable.h"
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

/* Types that may get a verdict: users' own, and those that the parent passes on for them. */
static bool is_user_type(enum tx_type t) {
    return t == TX_LEGACY || t == TX_ACCESS_LIST || t == TX_DYNAMIC_FEE || t == TX_SET_CODE ||
           t == TX_UNSIGNED || t == TX_CONTRACT;
}

/* Who pays, decided: a sponsor if `gas` at P is within its rules, else the sender, P + S. */
static void choose_payer(struct exec *x, const struct tx *tx, uint64_t gas, struct tx_charge *out) {
    const struct l3_block *b = x->rules_ctx;
    uint64_t now_s = x->block.timestamp;
    out->sponsored =
        universe_sponsor_rule(x->world, out->universe, tx, gas, &b->price, now_s) == SPONSOR_OK;
    if (out->sponsored) {
        out->sponsor_price = b->price;
        return;
    }
    out->surcharge = universe_surcharge(x->world, out->universe, now_s);
    if (u256_add_overflow(&out->price, &b->price, &out->surcharge))
        out->price = U256_MAX;
}

/* The fee caps against the price, which a sponsor waives. */
static enum tx_verdict check_price(const struct tx *tx, const struct tx_charge *c) {
    bool too_low = !c->sponsored && u256_lt(&tx->max_fee, &c->price);
    return too_low ? TX_FEE_CAP_TOO_LOW : TX_OK;
}

static enum tx_verdict l3_charge(struct exec *x, const struct tx *tx, struct tx_charge *out) {
    if (!is_user_type(tx->type))
        return TX_TYPE_UNSUPPORTED;
    /* A contract of the parent chain speaks for itself: it has no nonce here, and may have code. */
    out->skip_nonce = out->skip_eoa_check = tx->type == TX_CONTRACT;
    if (u256_lt(&tx->max_fee, &tx->max_priority_fee))
        return TX_TIP_ABOVE_FEE_CAP;
    if (!tx->is_create && universe_is_paused(x->world, &tx->to))
        return TX_UNIVERSE_PAUSED;
    out->universe = universe_of_tx(x->world, tx);
    choose_payer(x, tx, tx->gas_limit, out);
    return check_price(tx, out);
}

/* gas x price. The sender's balance covered gas_limit x max_fee >= this, so it fits. */
static u256 gas_cost(uint64_t gas, const u256 *price) {
    u256 wide = u256_from_u64(gas), cost;
    bool overflow = u256_mul_overflow(&cost, &wide, price);
    CHECK(!overflow);
    return cost;
}

static void l3_buy_gas(struct exec *x, const struct tx *tx, const struct tx_charge *c) {
    l3_tx_begin(x, tx, c);
    if (c->sponsored)
        return;
    u256 cost = gas_cost(tx->gas_limit, &c->price);
    bool covered = world_sub_balance(x->world, &tx->sender, &cost);
    CHECK(covered);
}

static void note_attribution(void *ctx, const addr20 *contract, uint64_t universe) {
    struct l3_block *b = ctx;
    struct attribution a;
    memset(&a, 0, sizeof a);
    a.contract = *contract;
    a.universe = universe;
    a.tx_idx = b->tx_idx;
    buf_append(b->attributed, &a, sizeof a);
}

static void l3_on_create(struct exec *x, const addr20 *created, const addr20 *creator) {
    struct l3_block *b = x->rules_ctx;
    universe_on_create(x->world, &b->run, created, creator);
}

void l3_tx_begin(struct exec *x, const struct tx *tx, const struct tx_charge *c) {
    struct l3_block *b = x->rules_ctx;
    universe_tx_begin(x->world, &b->run, tx, c, x->block.timestamp);
}

void l3_tx_end(struct exec *x, const struct tx *tx, const struct tx_charge *c, uint64_t gas_used) {
    struct l3_block *b = x->rules_ctx;
    universe_tx_end(x->world, &b->run, tx, c, gas_used);
    if (b->attributed != NULL)
        universe_each_created(x->world, &b->run, b, note_attribution);
    /* Nothing changes balances after this but the end of the transaction, which deletes these. */
    u256 doomed = world_doomed_balance(x->world);
    if (!u256_is_zero(&doomed))
        sys_add(x->world, SYS_SUPPLY_BURNT, NULL, &doomed);
}

static void l3_settle(struct exec *x, const struct tx *tx, const struct tx_charge *c,
                      uint64_t gas_used) {
    struct l3_block *b = x->rules_ctx;
    u256 refund = gas_cost(tx->gas_limit - gas_used, &c->price);
    u256 own_price = u256_sub(&c->price, &c->surcharge); /* P, unless somebody else pays */
    u256 fee = gas_cost(gas_used, c->sponsored ? &c->sponsor_price : &own_price);
    if (!u256_is_zero(&refund))
        world_add_balance(x->world, &tx->sender, &refund);
    if (!u256_is_zero(&fee))
        world_add_balance(x->world, &b->network_fee_account, &fee);
    l3_tx_end(x, tx, c, gas_used);
}

static uint64_t l3_donated_gas(struct exec *x) {
    return retryable_donated_gas(x->world);
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
    .on_create = l3_on_create,
    .donated_gas = l3_donated_gas,
    .on_burn = l3_on_burn,
};

enum { CALL_SPONSOR_GAS = 21000 /* the least that a transaction can ask for */ };

/* --- calls ------------------------------------------------------------------------------- */

static enum tx_verdict call_charge(struct exec *x, const struct tx *tx, struct tx_charge *out) {
    if (!is_user_type(tx->type))
        return TX_TYPE_UNSUPPORTED;
    out->skip_nonce = true;
    out->skip_eoa_check = true;
    if (u256_lt(&tx->max_fee, &tx->max_priority_fee))
        return TX_TIP_ABOVE_FEE_CAP;
    /* A call's gas limit is an upper bound, not an offer: a universe that pays for little gas would
     * pay for what the call turns out to need, or the transaction's own check will tell. */
    uint64_t gas = tx->gas_limit < CALL_SPONSOR_GAS ? tx->gas_limit : CALL_SPONSOR_GAS;
    out->universe = universe_of_tx(x->world, tx);
    choose_payer(x, tx, gas, out);
    if (!u256_is_zero(&tx->max_fee))
        return check_price(tx, out);
    out->price = out->surcharge = U256_ZERO; /* nobody was asked to pay */
    return TX_OK;
}

/* No money moves, but the transaction is one: what it creates belongs to somebody, and what a
 * sponsored one may not do it may not do here. */
static void call_buy_gas(struct exec *x, const struct tx *tx, const struct tx_charge *c) {
    struct l3_block *b = x->rules_ctx;
    struct tx_charge free_of_charge = *c;
    free_of_charge.sponsored = false;
    universe_tx_begin(x->world, &b->run, tx, &free_of_charge, x->block.timestamp);
    b->run.sponsored = c->sponsored;
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
    .on_create = l3_on_create,
    .made_up_balances = true,
};
