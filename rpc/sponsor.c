/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/sponsor.h"

#include <inttypes.h>
#include <stdio.h>

static uint64_t now_of(const struct rpc_call *c) {
    return c->cx->node->now(c->cx->node->ctx);
}

bool rpc_quote(struct rpc_call *c, const struct index_head *head, const struct tx *tx, uint64_t gas,
               struct tx_quote *out) {
    struct chain *chain = rpc_executor(c, head->header.number);
    if (chain == NULL)
        return false;
    chain_quote(out, chain, &head->header, now_of(c), tx, gas);
    return true;
}

bool rpc_universe_fee(struct rpc_call *c, const struct index_head *head, const char *slug,
                      u256 *out) {
    struct chain *chain = rpc_executor(c, head->header.number);
    if (chain == NULL)
        return false;
    uint64_t id = universe_by_slug(chain_world(chain), slug);
    struct universe_quote q;
    chain_universe_quote(&q, chain, &head->header, now_of(c), id);
    *out = q.sponsors ? U256_ZERO : q.price;
    return true;
}

void rpc_refusal_data(char out[SUBMIT_DATA_MAX], enum tx_verdict v, const struct tx_quote *q) {
    out[0] = '\0';
    if (v == TX_UNIVERSE_PAUSED)
        snprintf(out, SUBMIT_DATA_MAX,
                 "{\"reason\":\"universe_paused\",\"universe\":\"0x%" PRIx64 "\"}", q->universe);
    else if ((v == TX_FEE_CAP_TOO_LOW || v == TX_INSUFFICIENT_FUNDS) && q->universe != 0 &&
             q->rule != SPONSOR_OK)
        snprintf(out, SUBMIT_DATA_MAX,
                 "{\"sponsor\":\"policy_mismatch:%s\",\"universe\":\"0x%" PRIx64 "\"}",
                 sponsor_rule_name(q->rule), q->universe);
}
