/* SPDX-License-Identifier: Apache-2.0 */
/* eth_call and eth_estimateGas. */
#include "rpc/handlers.h"

#include "base/keccak.h"
#include "base/limits.h"
#include "rpc/json_writer.h"
#include "rpc/node_interface.h"
#include "rpc/simulate.h"
#include "rpc/sponsor.h"

#include <inttypes.h>

enum {
    TX_GAS = 21000, /* of a plain transfer (Yellow Paper, appendix G) */
    CALL_STIPEND = 2300,
    ESTIMATE_SLACK_NUM = 15, /* the search ends when the interval is below 1.5 % */
    ESTIMATE_SLACK_DEN = 1000,
    BRIEF_DATA_MAX_BYTES = 8192, /* of a call that may run on the event loop */
};

/* What may take long whatever the budget of gas: the state of older blocks, overrides, lists whose
 * entries are looked up or recovered before the code runs. */
static bool is_brief(const struct rpc_call *c) {
    bool newest =
        param_is_null(c, 1) || param_text_is(c, 1, "latest") || param_text_is(c, 1, "pending");
    if (!newest || !param_is_null(c, 2) || !param_is_null(c, 3))
        return false;
    if (c->scan != NULL) /* what is scanned has no lists */
        return true;
    const json_t *tx = param_at(c, 0);
    return json_object_get(tx, "accessList") == NULL &&
           json_object_get(tx, "authorizationList") == NULL && json_object_get(tx, "to") != NULL;
}

/* Whether the run says all that the answer needs: why code failed is found by running it again. */
static bool is_told(const struct call_result *r) {
    return !r->over_budget && r->verdict == TX_OK &&
           (r->status == EVM_SUCCESS || r->status == EVM_REVERT);
}

void rpc_eth_call(struct rpc_call *c) {
    struct tx_args t;
    struct block_ref ref;
    struct index_head head;
    struct call_overrides o = {0};
    struct call_result r;
    bool on_loop = c->budget_gas > 0;
    if (on_loop && !is_brief(c)) {
        rpc_over_budget(c);
        return;
    }
    if (!param_tx(c, 0, &t, rpc_arena(c)) || !param_block(c, 1, &ref, true) ||
        (param_count(c) > 2 && !param_overrides(c, 2, 3, &o, rpc_arena(c))) ||
        !rpc_need_block(c, &ref, &head))
        return;
    rpc_cap_gas(c, &t);
    if (on_loop && (node_interface_is(&t) || t.tx.data.len > BRIEF_DATA_MAX_BYTES)) {
        rpc_over_budget(c);
        return;
    }
    if (node_interface_is(&t)) {
        node_interface_call(c, &t, &head, &o);
        return;
    }
    struct simulation s = {
        .tx = &t.tx, .head = &head, .ref = &ref, .overrides = &o, .budget = c->budget_gas};
    if (!rpc_simulate(c, &s, &r))
        return;
    if (on_loop && !is_told(&r)) {
        rpc_over_budget(c);
        return;
    }
    if (r.verdict != TX_OK || r.status != EVM_SUCCESS) {
        rpc_fail_run(c, &s, &r);
        return;
    }
    struct json_writer w;
    jw_init(&w, &c->result);
    jw_data(&w, r.output.ptr, r.output.len);
}

/* --- estimates ----------------------------------------------------------------------------- */
struct estimate {
    struct rpc_call *c;
    struct simulation sim;
    struct call_result run; /* the last one */
};

static bool run_at(struct estimate *s, uint64_t gas, bool *out_ok) {
    struct arena_mark m = arena_mark(rpc_arena(s->c));
    s->sim.tx->gas_limit = gas;
    bool done = rpc_simulate(s->c, &s->sim, &s->run);
    *out_ok = done && s->run.verdict == TX_OK && s->run.status == EVM_SUCCESS;
    if (*out_ok)
        arena_reset_to(rpc_arena(s->c), m); /* the output is looked at only after a failure */
    return done;
}

/* More gas may help. */
static bool wants_gas(const struct call_result *r) {
    return r->verdict == TX_INTRINSIC_GAS || r->verdict == TX_FLOOR_GAS ||
           (r->verdict == TX_OK && r->status == EVM_OUT_OF_GAS);
}

/* The most gas that can be asked for: given limit, block, balance, this node's cap, EIP-7825. */
static bool upper_bound(struct rpc_call *c, const struct tx_args *t, const struct simulation *s,
                        uint64_t *out) {
    uint64_t hi = s->head->header.gas_limit;
    if (t->has_gas && t->tx.gas_limit >= TX_GAS)
        hi = t->tx.gas_limit;
    if (!u256_is_zero(&t->tx.max_fee)) {
        struct account a;
        if (!rpc_simulated_account(c, s, &t->tx.sender, &a))
            return false;
        if (u256_lt(&a.balance, &t->tx.value)) {
            rpc_fail(c, RPC_SERVER_ERROR, "insufficient funds for transfer");
            return false;
        }
        struct tx_quote q;
        if (!rpc_quote(c, s->head, &t->tx, RPC_QUOTE_GAS_MIN, &q))
            return false;
        u256 available = u256_sub(&a.balance, &t->tx.value);
        u256 allowance = u256_div(&available, &t->tx.max_fee);
        if (q.rule != SPONSOR_OK && u256_sat_u64(&allowance) < hi)
            hi = u256_sat_u64(&allowance);
    }
    if (hi > c->cx->call_gas_cap)
        hi = c->cx->call_gas_cap;
    if (hi > LIMIT_TX_GAS)
        hi = LIMIT_TX_GAS;
    *out = hi;
    return true;
}

static bool is_plain_transfer(struct rpc_call *c, const struct tx_args *t,
                              const struct simulation *s) {
    struct account to;
    if (t->tx.is_create || t->tx.data.len != 0 || t->tx.access_count != 0 || t->tx.auth_count != 0)
        return false;
    return rpc_simulated_account(c, s, &t->tx.to, &to) && hash32_eq(&to.code_hash, &KECCAK_EMPTY);
}

/* Between a limit that fails and one that works, until they are close. */
static bool narrow(struct estimate *s, uint64_t lo, uint64_t hi, uint64_t *out_gas) {
    bool ok = false;
    while (lo + 1 < hi && (hi - lo) * ESTIMATE_SLACK_DEN >= hi * ESTIMATE_SLACK_NUM) {
        if (rpc_time_up(s->c)) {
            rpc_fail_timeout(s->c);
            return false;
        }
        uint64_t mid = lo + (hi - lo) / 2;
        if (mid > lo * 2) /* most transactions need little more than they use */
            mid = lo * 2;
        if (!run_at(s, mid, &ok))
            return false;
        if (ok)
            hi = mid;
        else
            lo = mid;
    }
    *out_gas = hi;
    return true;
}

static bool search(struct estimate *s, uint64_t hi, uint64_t *out_gas) {
    bool ok = false;
    if (!run_at(s, hi, &ok))
        return false;
    if (!ok) {
        if (wants_gas(&s->run))
            rpc_fail(s->c, RPC_SERVER_ERROR, "gas required exceeds allowance (%" PRIu64 ")", hi);
        else
            rpc_fail_run(s->c, &s->sim, &s->run);
        return false;
    }
    uint64_t used = s->run.gas_used, lo = used - 1;
    uint64_t guess = (used + s->run.gas_refund + CALL_STIPEND) * 64 /
                     63; /* EIP-150 keeps back 1/64 at each call */
    if (guess < hi) {
        if (!run_at(s, guess, &ok))
            return false;
        if (ok)
            hi = guess;
        else
            lo = guess;
    }
    return narrow(s, lo, hi, out_gas);
}

/* False with the error set: no block takes such a transaction. */
static bool is_allowed(struct rpc_call *c, const struct tx_args *t, const struct index_head *head) {
    struct tx_quote q;
    char data[SUBMIT_DATA_MAX];
    if (!rpc_quote(c, head, &t->tx, RPC_QUOTE_GAS_MIN, &q))
        return false;
    if (!q.paused)
        return true;
    rpc_fail(c, RPC_TX_REJECTED, "%s", tx_verdict_text(TX_UNIVERSE_PAUSED));
    rpc_refusal_data(data, TX_UNIVERSE_PAUSED, &q);
    buf_append_str(&c->data, data);
    return false;
}

bool rpc_estimate(struct rpc_call *c, struct tx_args *t, const struct simulation *of,
                  uint64_t *out_gas) {
    struct estimate s = {.c = c, .sim = *of};
    s.sim.tx = &t->tx;
    s.sim.run_redeems = true;
    uint64_t hi = 0, gas = 0;
    bool ok = false;
    if (!is_allowed(c, t, of->head) || !upper_bound(c, t, &s.sim, &hi))
        return false;
    if (hi >= TX_GAS && is_plain_transfer(c, t, &s.sim)) {
        if (!run_at(&s, TX_GAS, &ok))
            return false;
        gas = TX_GAS;
    }
    if (rpc_failed(c) || (!ok && !search(&s, hi, &gas)))
        return false;
    t->tx.gas_limit = gas;
    *out_gas = gas;
    return true;
}

bool rpc_estimate_latest(struct rpc_call *c, struct tx_args *t, const struct index_head *head) {
    const struct block_ref latest = {.kind = BLOCK_REF_LATEST};
    const struct simulation s = {.head = head, .ref = &latest};
    uint64_t gas;
    return rpc_estimate(c, t, &s, &gas);
}

void rpc_eth_estimate_gas(struct rpc_call *c) {
    struct tx_args t;
    struct block_ref ref;
    struct index_head head;
    struct call_overrides o;
    const struct simulation s = {.head = &head, .ref = &ref, .overrides = &o};
    uint64_t gas = 0;
    if (!param_tx(c, 0, &t, rpc_arena(c)) || !param_block(c, 1, &ref, true) ||
        !param_overrides(c, 2, 3, &o, rpc_arena(c)) || !rpc_need_block(c, &ref, &head) ||
        (node_interface_is(&t) && !node_interface_estimate(c, &t, &head, &o)) ||
        !rpc_estimate(c, &t, &s, &gas))
        return;
    struct json_writer w;
    jw_init(&w, &c->result);
    jw_u64(&w, gas);
}
