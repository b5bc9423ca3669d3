/* SPDX-License-Identifier: Apache-2.0 */
/* From the ingress ring into the pool: senders in batches, nonces, what waits and what is refused.
 * Sequencer's thread. */
#include "node/sequencer_internal.h"

#include "base/check.h"
#include "base/limits.h"
#include "index/record.h"
#include "node/headroom.h"
#include "node/metrics.h"
#include "rpc/call.h"
#include "rpc/sponsor.h"
#include "rpc/tx_errors.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    RECORDS_PER_REFRESH = 64, /* at a look; the rest at the next */
    INTAKE_AT_ONCE = 512,
};

/* --- refusals ------------------------------------------------------------------------------ */
/* Who would pay for it as things stand. */
static struct tx_quote quote_of(struct sequencer *s, const struct tx *tx) {
    struct ledger *l = s->o.ledger;
    struct tx_quote q;
    chain_quote(&q, l->chain, &l->head, clock_realtime_ms(s->o.clock) / 1000, tx, tx->gas_limit);
    return q;
}

static struct tx_error_facts facts_of(struct sequencer *s, const struct tx *tx,
                                      const struct tx_quote *q) {
    struct world *w = chain_world(s->o.ledger->chain);
    return (struct tx_error_facts){
        .balance = world_balance(w, &tx->sender),
        .nonce = world_nonce(w, &tx->sender),
        .base_fee = u256_add(&q->price, &q->surcharge),
        .chain_id = s->o.ledger->genesis->config.chain_id,
    };
}

/* Owns `t` afterwards. */
static void refuse_verdict(struct sequencer *s, struct pool_tx *t, enum tx_verdict v) {
    struct tx_quote q = quote_of(s, &t->tx);
    struct tx_error_facts f = facts_of(s, &t->tx, &q);
    struct submit_result r = {.status = SUBMIT_REFUSED,
                              .hash = t->tx.hash,
                              .code = v == TX_UNIVERSE_PAUSED ? RPC_TX_REJECTED : RPC_SERVER_ERROR};
    _Static_assert((int)TX_ERROR_TEXT_MAX <= (int)SUBMIT_TEXT_MAX, "the sentence fits");
    tx_error_text(r.text, v, &t->tx, &f);
    rpc_refusal_data(r.data, v, &q);
    if ((v == TX_FEE_CAP_TOO_LOW || v == TX_INSUFFICIENT_FUNDS) && q.rule != SPONSOR_OK)
        r.sponsor_rule = sponsor_rule_name(q.rule);
    submit_answer(t, &r);
    pool_tx_free(t);
}

static void refuse_gap(struct pool_tx *t, uint64_t expected) {
    struct submit_result r = {.status = SUBMIT_REFUSED,
                              .hash = t->tx.hash,
                              .code = RPC_SERVER_ERROR,
                              .has_expected_nonce = true,
                              .expected_nonce = expected};
    snprintf(r.text, sizeof(r.text), "nonce too high: next nonce %" PRIu64 ", tx nonce %" PRIu64,
             expected, t->tx.nonce);
    submit_answer(t, &r);
}

/* --- transactions that wait for a nonce ---------------------------------------------------- */
/* Writes the POOL record; its client is answered once that is synced. */
static void record_gapped(struct sequencer *s, struct pool_tx *t) {
    struct ledger *l = s->o.ledger;
    struct record_pool p = {.sender = t->tx.sender, .envelope = t->tx.raw};
    struct log_record r;
    struct err_ctx ec;
    buf_reset(&l->record);
    record_pack_pool(&l->record, &p);
    enum err e = ledger_append_record(l, LOG_POOL, &r, &ec);
    if (e != ERR_OK) {
        sequencer_fail(s, e, &ec);
        return;
    }
    t->record_seq = r.seq;
    s->pool_changed = true;
    struct durable_item item = {.kind = DURABLE_QUEUED,
                                .seq = r.seq,
                                .done = t->done,
                                .done_ctx = t->done_ctx,
                                .token = t->token,
                                .hash = t->tx.hash};
    t->done = NULL;
    durable_push(s, &item);
}

void intake_refresh_records(struct sequencer *s) {
    uint64_t last = wal_last_seq(s->o.ledger->log);
    struct pool_tx *t;
    for (size_t i = 0; i < RECORDS_PER_REFRESH; i++) {
        t = pool_oldest_record(s->o.pool);
        if (t == NULL || last - t->record_seq < SEQUENCER_POOL_RECORD_AGE)
            return;
        record_gapped(s, t);
    }
}

/* Whether the sender can pay, or a universe would, at the head's state; notes which. */
static enum tx_verdict check_payer(struct sequencer *s, struct pool_tx *t) {
    const struct tx *tx = &t->tx;
    struct tx_quote q = quote_of(s, tx);
    u256 balance = world_balance(chain_world(s->o.ledger->chain), &tx->sender);
    u256 gas = u256_from_u64(tx->gas_limit), fee, cost, price;
    bool too_much = u256_mul_overflow(&fee, &gas, &tx->max_fee) ||
                    u256_add_overflow(&cost, &fee, &tx->value) || u256_lt(&balance, &cost);
    bool too_low =
        u256_add_overflow(&price, &q.price, &q.surcharge) || u256_lt(&tx->max_fee, &price);
    if (q.paused)
        return TX_UNIVERSE_PAUSED;
    if ((too_much || too_low) && q.rule == SPONSOR_OK && !u256_lt(&balance, &tx->value)) {
        t->sponsor = q.universe;
        return TX_OK;
    }
    if (too_low)
        return TX_FEE_CAP_TOO_LOW;
    return too_much ? TX_INSUFFICIENT_FUNDS : TX_OK;
}

/* --- adding -------------------------------------------------------------------------------- */
static void refuse_pool(struct sequencer *s, struct pool_tx *t, enum pool_verdict v,
                        uint64_t expected) {
    switch (v) {
    case POOL_NONCE_LOW:
        refuse_verdict(s, t, TX_NONCE_TOO_LOW);
        return;
    case POOL_KNOWN:
        submit_refuse(t, RPC_SERVER_ERROR, "already known");
        break;
    case POOL_UNDERPRICED:
        submit_refuse(t, RPC_SERVER_ERROR, "replacement transaction underpriced");
        break;
    case POOL_GAP_REFUSED:
        refuse_gap(t, expected);
        break;
    case POOL_FULL:
        submit_refuse_full(t);
        break;
    case POOL_GAPPED_FULL:
        submit_refuse(t, RPC_SERVER_ERROR, "txpool is full");
        break;
    case POOL_ADDED_READY:
    case POOL_ADDED_GAPPED:
        CHECK(false);
    }
    pool_tx_free(t);
}

/* Whether the chain may take on more than it gets onto its parent (PROTOCOL §5). False: refused. */
static bool check_headroom(struct sequencer *s, struct pool_tx *t) {
    unsigned left = s->o.settle != NULL ? headroom_permille() : HEADROOM_FULL;
    if (left >= HEADROOM_LOW)
        return true;
    u256 times = u256_from_u64(s->o.headroom_bid), bid;
    if (left < HEADROOM_STALLED)
        submit_refuse(t, RPC_LIMIT_EXCEEDED, "settlement stalled: no transactions are taken");
    else if ((u256_mul_overflow(&bid, &times, &s->block.header.base_fee) ||
              u256_lt(&t->tx.max_fee, &bid)) &&
             quote_of(s, &t->tx).rule != SPONSOR_OK)
        submit_refuse(t, RPC_LIMIT_EXCEEDED,
                      "settlement is late: only fee caps of %" PRIu64 " times the price are taken",
                      s->o.headroom_bid);
    else
        return true;
    return false;
}

/* The universe of what it calls, of the state when nothing else knows: its execution asks the same.
 */
static void find_universe(struct sequencer *s, struct pool_tx *t) {
    if (t->has_universe)
        return;
    t->universe = universe_of(chain_world(s->o.ledger->chain), &t->tx.to);
    t->has_universe = true;
    lane_map_put(&s->universes, &t->tx.to, t->universe);
}

/* Whether its lane may have more that is not on the parent yet (PROTOCOL §8), what is READY
 * included. False: refused. */
static bool check_backlog(struct sequencer *s, struct pool_tx *t) {
    uint64_t max = atomic_load_explicit(&s->da_backlog_max, memory_order_relaxed);
    size_t more = t->tx.raw.len + UNPOSTED_FRAME_BYTES, all;
    if (s->o.settle == NULL)
        return true;
    (void)pool_ready_bytes(s->o.pool, 0, &all);
    if (s->unposted.bytes + all + more <= max) /* whatever its lane is (unposted_fits) */
        return true;
    find_universe(s, t);
    size_t own = pool_ready_bytes(s->o.pool, t->universe, &all);
    if (unposted_fits(&s->unposted, t->universe, own + more, all + more, max) ||
        pool_has(s->o.pool, &t->tx.hash)) /* which it will be told */
        return true;
    metric_add(&node_unposted_refusals, 1);
    atomic_store_explicit(&s->backlog_refused, true, memory_order_relaxed);
    submit_refuse_waiting(t, "bytes", " for the parent chain", 1000);
    return false;
}

/* Takes over `t`. */
static void admit(struct sequencer *s, struct pool_tx *t) {
    struct ledger *l = s->o.ledger;
    if (!t->tx.has_sender) {
        submit_refuse(t, RPC_SERVER_ERROR, "invalid sender");
        pool_tx_free(t);
        return;
    }
    if (!check_headroom(s, t) || !check_backlog(s, t)) {
        pool_tx_free(t);
        return;
    }
    if (t->tx.gas_limit > l->head.gas_limit) { /* no block would ever take it */
        refuse_verdict(s, t, TX_GAS_LIMIT_BLOCK);
        return;
    }
    if (t->tx.gas_limit > LIMIT_TX_GAS) {
        refuse_verdict(s, t, TX_GAS_LIMIT_CAP);
        return;
    }
    if (u256_lt(&t->tx.max_fee, &t->tx.max_priority_fee)) { /* its text names the sender */
        refuse_verdict(s, t, TX_TIP_ABOVE_FEE_CAP);
        return;
    }
    uint64_t nonce = world_nonce(chain_world(l->chain), &t->tx.sender), expected = 0;
    if (t->tx.nonce > nonce) {
        enum tx_verdict v = check_payer(s, t); /* it must not wait in vain */
        if (v != TX_OK) {
            refuse_verdict(s, t, v);
            return;
        }
    }
    struct pool_tx *replaced = NULL;
    if (t->tx.nonce >= nonce)
        find_universe(s, t);
    enum pool_verdict v = pool_add(s->o.pool, t, nonce, &expected, &replaced);
    if (replaced != NULL) {
        submit_refuse(replaced, RPC_SERVER_ERROR, "replaced by a transaction with a higher fee");
        pool_tx_free(replaced);
        s->pool_changed = true;
    }
    if (v == POOL_ADDED_GAPPED)
        record_gapped(s, t);
    else if (v != POOL_ADDED_READY)
        refuse_pool(s, t, v, expected);
}

/* Whether it is worth recovering its sender. Where its lane is not known it is asked of the state
 * only when lane 0, of which it would be else, is full: a flood to fresh addresses is refused by
 * its lane then, as others are. While there is room here and below the bound of check_backlog the
 * state is asked for those alone whose senders and nonces are good. */
static bool fits(struct sequencer *s, struct pool_tx *t) {
    t->has_universe = t->has_universe || lane_map_get(&s->universes, &t->tx.to, &t->universe);
    if (pool_has_room(s->o.pool, t))
        return true;
    if (t->has_universe)
        return false;
    find_universe(s, t);
    return t->universe != 0 && pool_has_room(s->o.pool, t);
}

/* Refuses those whose lane is full before their senders cost anything; how many are left. One that
 * is in the pool already is told so, as it would be with room; what replaces another there is told
 * to wait, since only its sender says that it does: the other is READY for some milliseconds. */
static size_t keep_what_fits(struct sequencer *s, struct pool_tx **txs, size_t n) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        struct pool_tx *t = txs[i];
        if (!fits(s, t))
            refuse_pool(s, t, pool_has(s->o.pool, &t->tx.hash) ? POOL_KNOWN : POOL_FULL, 0);
        else if (check_backlog(s, t)) /* again at its turn: those of a batch add up */
            txs[kept++] = t;
        else
            pool_tx_free(t);
    }
    return kept;
}

size_t intake_run(struct sequencer *s) {
    struct pool_tx *txs[SENDERS_MAX];
    kv_queue_run(s);
    size_t taken = submit_take(s, txs, senders_batch(s->crew));
    if (taken == 0)
        return 0;
    uint64_t begun = clock_monotonic_ns(s->o.clock);
    size_t n = keep_what_fits(s, txs, taken);
    if (n == 0)
        return taken;
    senders_recover(s->crew, txs, n);
    uint64_t recovered = clock_monotonic_ns(s->o.clock);
    node_observe_since(&node_recover_us, begun, recovered);
    uint64_t now_ms = clock_realtime_ms(s->o.clock);
    for (size_t i = 0; i < n; i++) {
        txs[i]->added_ms = now_ms;
        txs[i]->intake_ns = begun;
        txs[i]->recovered_ns = recovered;
        admit(s, txs[i]);
    }
    return taken;
}

void intake_run_all(struct sequencer *s) {
    size_t n, taken = 0;
    do
        taken += n = intake_run(s);
    while (n > 0 && taken < INTAKE_AT_ONCE && ring_len(&s->ingress) > 0);
}

void intake_rebase(struct sequencer *s, const addr20 *sender) {
    struct pool_tx *stale, *gapped, *over;
    uint64_t nonce = world_nonce(chain_world(s->o.ledger->chain), sender);
    pool_rebase(s->o.pool, sender, nonce, &stale, &gapped, &over);
    for (struct pool_tx *next; stale != NULL; stale = next) {
        next = stale->next_ready;
        refuse_verdict(s, stale, TX_NONCE_TOO_LOW);
        s->pool_changed = true;
    }
    for (struct pool_tx *next; gapped != NULL; gapped = next) {
        next = gapped->next_ready;
        gapped->next_ready = NULL;
        if ((gapped->flags & SUBMIT_NO_QUEUE) != 0) {
            pool_remove(s->o.pool, gapped);
            refuse_gap(gapped, nonce);
            pool_tx_free(gapped);
        } else if (gapped->record_seq == 0) {
            record_gapped(s, gapped);
        }
    }
    for (struct pool_tx *next; over != NULL; over = next) {
        next = over->next_ready;
        refuse_pool(s, over, POOL_GAPPED_FULL, nonce);
    }
}

void intake_rebase_all(struct sequencer *s) {
    size_t n;
    addr20 *senders = pool_senders(s->o.pool, &n);
    for (size_t i = 0; senders != NULL && i < n; i++)
        intake_rebase(s, &senders[i]);
    free(senders);
}

void intake_refuse_verdict(struct sequencer *s, struct pool_tx *t, enum tx_verdict v) {
    addr20 sender = t->tx.sender;
    pool_remove(s->o.pool, t);
    s->pool_changed = s->pool_changed || t->record_seq != 0;
    refuse_verdict(s, t, v);
    intake_rebase(s, &sender);
}
