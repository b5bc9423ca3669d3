/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/quote.h"

#include "chain/derive_internal.h"
#include "chain/system_state.h"

/* P and the header time of the block in question. */
static u256 price_and_time(struct chain *c, const struct header *parent, uint64_t timestamp,
                           uint64_t *out_now_s) {
    if (c->is_open) {
        *out_now_s = c->x.block.timestamp;
        return c->l3.price;
    }
    *out_now_s = timestamp > parent->timestamp ? timestamp : parent->timestamp;
    return chain_next_price(c, parent, timestamp);
}

void chain_quote(struct tx_quote *out, struct chain *c, const struct header *parent,
                 uint64_t timestamp, const struct tx *tx, uint64_t gas) {
    uint64_t now_s;
    memset(out, 0, sizeof *out);
    out->price = price_and_time(c, parent, timestamp, &now_s);
    out->universe = universe_of_tx(c->world, tx);
    out->paused = !tx->is_create && universe_is_paused(c->world, &tx->to);
    out->rule = universe_sponsor_rule(c->world, out->universe, tx, gas, &out->price, now_s);
    if (out->rule != SPONSOR_OK)
        out->surcharge = universe_surcharge(c->world, out->universe, now_s);
}

void chain_universe_quote(struct universe_quote *out, struct chain *c, const struct header *parent,
                          uint64_t timestamp, uint64_t universe) {
    uint64_t now_s;
    struct world *w = c->world;
    u256 key = u256_from_u64(universe);
    u256 price = price_and_time(c, parent, timestamp, &now_s);
    u256 toll = universe_surcharge(w, universe, now_s);
    if (u256_add_overflow(&out->price, &price, &toll))
        out->price = U256_MAX;
    u256 account = sys_get(w, SYS_UNIVERSE_GAS_ACCOUNT, &key);
    out->sponsors = sys_get_u64(w, SYS_UNIVERSE_STATUS, &key) == UNIVERSE_ACTIVE &&
                    sys_get_u64(w, SYS_POLICY_ACTIVE, &key) != 0 &&
                    now_s < sys_get_u64(w, SYS_POLICY_EXPIRY, &key) &&
                    sys_get_u64(w, SYS_BUDGET_SECONDS, &key) != 0 && !u256_is_zero(&account);
}
