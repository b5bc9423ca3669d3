/* SPDX-License-Identifier: Apache-2.0 */
/* eth_createAccessList: runs the message with the list found so far until no run adds to it, for a
 * list changes what the code meets (EIP-2930 makes its gas cheaper). */
#include "rpc/handlers.h"

#include "evm/precompile.h"
#include "rpc/access_tracer.h"
#include "rpc/format.h"
#include "rpc/simulate.h"

/* The sender, the target and what is warm from the start need no entry. */
static bool exclude_warm(struct rpc_call *c, struct access_tracer *t, const struct simulation *s,
                         const struct tx_args *args) {
    const struct tx *tx = s->tx;
    addr20 to = tx->to;
    if (tx->is_create) {
        struct account sender;
        if (!rpc_simulated_account(c, s, &tx->sender, &sender))
            return false;
        evm_create_address(&to, &tx->sender, args->has_nonce ? tx->nonce : sender.nonce);
    }
    access_tracer_exclude(t, &tx->sender);
    access_tracer_exclude(t, &to);
    for (int id = 0; id < PRECOMPILE_COUNT; id++) {
        addr20 a = precompile_addr((enum precompile_id)id);
        access_tracer_exclude(t, &a);
    }
    const u256 chain_id = u256_from_u64(tx->chain_id);
    for (size_t i = 0; i < tx->auth_count; i++) {
        const struct tx_authorization *u = &tx->auths[i];
        bool here = u256_is_zero(&u->chain_id) || u256_eq(&u->chain_id, &chain_id);
        if (u->authority_ok && here && u->nonce != UINT64_MAX)
            access_tracer_exclude(t, &u->authority);
    }
    return true;
}

/* False with the error set. *out is the last run, with the whole list in the transaction. */
static bool find_list(struct rpc_call *c, struct access_tracer *t, struct simulation *s,
                      struct call_result *out) {
    access_tracer_add(t, s->tx->access, s->tx->access_count);
    if (s->tx->type == TX_LEGACY)
        s->tx->type = TX_ACCESS_LIST;
    struct arena_mark mark = arena_mark(rpc_arena(c));
    size_t before;
    do {
        before = access_tracer_count(t);
        arena_reset_to(rpc_arena(c), mark); /* the last run's list and output */
        if (t->full || !access_tracer_list(t, rpc_arena(c), &s->tx->access, &s->tx->access_count)) {
            rpc_fail_err(c, ERR_TOO_LARGE, NULL);
            return false;
        }
        if (rpc_time_up(c)) {
            rpc_fail_timeout(c);
            return false;
        }
        if (!rpc_simulate(c, s, out))
            return false;
        if (out->verdict != TX_OK) {
            char text[SIMULATION_TEXT_MAX];
            rpc_verdict_text(text, c, s, out);
            rpc_fail(c, RPC_SERVER_ERROR, "failed to apply transaction: %s", text);
            return false;
        }
    } while (access_tracer_count(t) != before);
    return true;
}

static void write_result(struct rpc_call *c, const struct simulation *s,
                         const struct call_result *r) {
    struct json_writer w;
    jw_init(&w, &c->result);
    jw_object(&w);
    format_access_list(&w, s->tx);
    if (r->status != EVM_SUCCESS) {
        char text[SIMULATION_TEXT_MAX];
        struct simulation plain = *s;
        plain.watch = NULL;
        rpc_failure_text(text, c, &plain, r);
        jw_m_text(&w, "error", text);
    }
    jw_m_u64(&w, "gasUsed", r->gas_used);
    jw_object_end(&w);
}

void rpc_eth_create_access_list(struct rpc_call *c) {
    struct tx_args args;
    struct block_ref ref;
    struct index_head head;
    struct call_overrides o;
    struct call_result r;
    if (!param_tx(c, 0, &args, rpc_arena(c)) || !param_block(c, 1, &ref, true) ||
        !param_overrides(c, 2, 3, &o, rpc_arena(c)) || !rpc_need_block(c, &ref, &head))
        return;
    rpc_cap_gas(c, &args);
    struct access_tracer t;
    access_tracer_init(&t);
    struct simulation s = {
        .tx = &args.tx, .head = &head, .ref = &ref, .overrides = &o, .watch = &t.watch};
    if (exclude_warm(c, &t, &s, &args) && find_list(c, &t, &s, &r))
        write_result(c, &s, &r);
    access_tracer_clear(&t);
}
