/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/simulate.h"

#include "base/keccak.h"
#include "rpc/sponsor.h"
#include "rpc/trace_fault.h"
#include "rpc/tx_errors.h"

#include <inttypes.h>
#include <stdio.h>

/* A call's time, and whether it stopped a run. */
struct limit {
    struct rpc_call *call;
    bool hit;
};

static bool expired(void *ctx) {
    struct limit *l = ctx;
    l->hit = l->hit || rpc_time_up(l->call);
    return l->hit;
}

bool rpc_simulate(struct rpc_call *c, const struct simulation *s, struct call_result *out) {
    struct chain *chain = rpc_executor(c, s->head->header.number);
    if (chain == NULL)
        return false;
    struct limit limit = {.call = c};
    bool pending = s->ref != NULL && s->ref->kind == BLOCK_REF_PENDING;
    bool now = pending || (s->ref != NULL && s->ref->kind == BLOCK_REF_LATEST);
    struct call_request req = {.tx = *s->tx,
                               .pending = pending,
                               .timestamp = now ? c->cx->node->now(c->cx->node->ctx) : 0,
                               .overrides = s->overrides,
                               .watch = s->watch,
                               .run_redeems = s->run_redeems,
                               .budget = (int64_t)s->budget,
                               .expired = expired,
                               .expired_ctx = &limit};
    struct err_ctx ec;
    enum err e = chain_call(out, chain, rpc_arena(c), &s->head->header, &req, &ec);
    if (e != ERR_OK)
        rpc_fail_err(c, e, &ec);
    else if (limit.hit)
        rpc_fail_timeout(c);
    return e == ERR_OK && !limit.hit;
}

bool rpc_simulated_account(struct rpc_call *c, const struct simulation *s, const addr20 *a,
                           struct account *out) {
    if (!rpc_account(c, s->head->header.number, a, out))
        return false;
    const struct account_override *o =
        s->overrides == NULL ? NULL : overrides_find(s->overrides, a);
    if (o != NULL && o->has_balance)
        out->balance = o->balance;
    if (o != NULL && o->has_nonce)
        out->nonce = o->nonce;
    if (o != NULL && o->has_code)
        out->code_hash = keccak256_bytes(o->code);
    return true;
}

void rpc_cap_gas(const struct rpc_call *c, struct tx_args *t) {
    if (!t->has_gas || t->tx.gas_limit > c->cx->call_gas_cap)
        t->tx.gas_limit = c->cx->call_gas_cap;
}

void rpc_verdict_text(char out[SIMULATION_TEXT_MAX], struct rpc_call *c, const struct simulation *s,
                      const struct call_result *r) {
    const struct block_override *b = s->overrides == NULL ? NULL : &s->overrides->block;
    struct tx_error_facts f = {
        .base_fee = b != NULL && b->has_base_fee ? b->base_fee : s->head->header.base_fee,
        .chain_id = c->cx->chain.chain_id,
    };
    struct account a;
    if (rpc_simulated_account(c, s, &s->tx->sender, &a)) {
        f.balance = a.balance;
        f.nonce = a.nonce;
    }
    struct tx_quote q;
    if (r->verdict == TX_FEE_CAP_TOO_LOW && rpc_quote(c, s->head, s->tx, s->tx->gas_limit, &q)) {
        bool next = s->ref != NULL && s->ref->kind == BLOCK_REF_PENDING;
        f.base_fee = u256_add(next ? &q.price : &f.base_fee, &q.surcharge);
    }
    char text[TX_ERROR_TEXT_MAX];
    tx_error_text(text, r->verdict, s->tx, &f);
    snprintf(out, SIMULATION_TEXT_MAX, "%s", text);
}

/* Runs it again, this time asking the machine what exactly stopped it: the fast tier does not say.
 */
void rpc_failure_text(char out[SIMULATION_TEXT_MAX], struct rpc_call *c, const struct simulation *s,
                      const struct call_result *r) {
    struct fault_watch fault;
    struct simulation again = *s;
    struct call_result ignored;
    fault_watch_init(&fault);
    again.watch = &fault.watch;
    if (r->status == EVM_REVERT || !rpc_simulate(c, &again, &ignored))
        snprintf(out, SIMULATION_TEXT_MAX, "%s", evm_status_text(r->status));
    else
        snprintf(out, SIMULATION_TEXT_MAX, "%s", fault.text);
}

void rpc_fail_run(struct rpc_call *c, const struct simulation *s, const struct call_result *r) {
    char text[SIMULATION_TEXT_MAX];
    if (r->verdict != TX_OK) {
        rpc_verdict_text(text, c, s, r);
        rpc_fail(c, RPC_SERVER_ERROR, "err: %s (supplied gas %" PRIu64 ")", text, s->tx->gas_limit);
        return;
    }
    if (r->status != EVM_REVERT) {
        rpc_failure_text(text, c, s, r);
        rpc_fail(c, RPC_SERVER_ERROR, "%s", text);
        return;
    }
    if (rpc_failed(c))
        return;
    c->code = RPC_REVERTED;
    buf_append_str(&c->text, "execution reverted");
    struct buf reason;
    buf_init(&reason, c->text.max - 64);
    if (tx_revert_reason(&reason, r->output) && !reason.overflow) {
        buf_append_str(&c->text, ": ");
        buf_append(&c->text, reason.ptr, reason.len);
    }
    buf_clear(&reason);
    rpc_fail_data(c, r->output);
}

void rpc_fail_timeout(struct rpc_call *c) {
    uint32_t ms = c->cx->call_time_ms;
    if (ms % 1000 == 0)
        rpc_fail(c, RPC_SERVER_ERROR, "execution aborted (timeout = %us)", ms / 1000);
    else
        rpc_fail(c, RPC_SERVER_ERROR, "execution aborted (timeout = %ums)", ms);
}
