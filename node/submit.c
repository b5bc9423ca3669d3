/* SPDX-License-Identifier: Apache-2.0 */
/* Submissions, on the thread of whoever submits: decoding, and the checks that need no state. */
#include "node/sequencer_internal.h"

#include "base/limits.h"
#include "node/metrics.h"
#include "rpc/call.h"
#include "rpc/tx_errors.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { ETHER_TEXT_MAX = 84 };
#define WEI_PER_MILLIETHER UINT64_C(1000000000000000)
#define WEI_PER_CENT (10 * WEI_PER_MILLIETHER) /* a hundredth of an ether */

void submit_answer(struct pool_tx *t, const struct submit_result *r) {
    submit_done_fn done = t->done;
    t->done = NULL;
    if (r->status == SUBMIT_REFUSED)
        metric_add(&node_refusals, 1);
    if (done != NULL)
        done(t->done_ctx, t->token, r);
}

void submit_refuse(struct pool_tx *t, int code, const char *fmt, ...) {
    struct submit_result r = {.status = SUBMIT_REFUSED, .hash = t->tx.hash, .code = code};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r.text, sizeof(r.text), fmt, ap);
    va_end(ap);
    submit_answer(t, &r);
}

/* Why an envelope did not decode, in geth's words. */
static void refuse_envelope(struct submit_result *r, enum err e, const struct err_ctx *ec) {
    r->status = SUBMIT_REFUSED;
    r->code = RPC_SERVER_ERROR;
    if (e == ERR_UNSUPPORTED)
        snprintf(r->text, sizeof(r->text), "%s: transaction type not valid",
                 tx_verdict_text(TX_TYPE_UNSUPPORTED));
    else if (e == ERR_SIGNATURE)
        snprintf(r->text, sizeof(r->text), "invalid transaction v, r, s values");
    else if (e == ERR_NOMEM)
        snprintf(r->text, sizeof(r->text), "out of memory");
    else
        snprintf(r->text, sizeof(r->text), "rlp: %.500s", ec->err == e ? ec->text : err_text(e));
}

/* Wei as ether with two digits after the point, rounded. */
static void put_ether(char out[ETHER_TEXT_MAX], const u256 *wei) {
    u256 half = u256_from_u64(WEI_PER_CENT / 2), unit = u256_from_u64(WEI_PER_CENT), sum, cents,
         rest;
    char digits[79];
    if (u256_add_overflow(&sum, wei, &half))
        sum = *wei;
    cents = u256_div(&sum, &unit);
    unit = u256_from_u64(100);
    u256_divmod(&cents, &rest, &cents, &unit);
    snprintf(out, ETHER_TEXT_MAX, "%s.%02u", u256_to_dec(digits, &cents), (unsigned)rest.w[0]);
}

/* False: refused, since it offers more than anybody means to pay. */
static bool check_fee_cap(const struct sequencer *s, struct pool_tx *t) {
    uint64_t milli = atomic_load(&s->tx_fee_cap_milli);
    u256 gas = u256_from_u64(t->tx.gas_limit), unit = u256_from_u64(WEI_PER_MILLIETHER),
         cap = u256_from_u64(milli), fee;
    char have[ETHER_TEXT_MAX], most[ETHER_TEXT_MAX];
    cap = u256_mul(&cap, &unit);
    if (u256_mul_overflow(&fee, &gas, &t->tx.max_fee))
        fee = U256_MAX;
    if (milli == 0 || u256_cmp(&fee, &cap) <= 0)
        return true;
    put_ether(have, &fee);
    put_ether(most, &cap);
    submit_refuse(t, RPC_SERVER_ERROR, "tx fee (%s ether) exceeds the configured cap (%s ether)",
                  have, most);
    return false;
}

enum tx_verdict submit_form_verdict(const struct tx *tx) {
    struct tx_intrinsic need = tx_intrinsic_gas(tx, EVM_OSAKA);
    if (tx->nonce == UINT64_MAX)
        return TX_NONCE_MAX;
    if (tx->is_create && tx->data.len > EVM_INITCODE_BYTES_MAX)
        return TX_INITCODE_TOO_LARGE;
    if (need.gas > tx->gas_limit)
        return TX_INTRINSIC_GAS;
    if (need.floor_gas > tx->gas_limit)
        return TX_FLOOR_GAS;
    if (tx->type == TX_SET_CODE && tx->is_create)
        return TX_SET_CODE_CREATE;
    if (tx->type == TX_SET_CODE && tx->auth_count == 0)
        return TX_AUTH_LIST_EMPTY;
    return TX_OK;
}

void submit_refuse_waiting(struct pool_tx *t, const char *what, const char *for_what,
                           unsigned retry_ms) {
    if (t->universe == 0)
        submit_refuse(t, RPC_LIMIT_EXCEEDED, "too many %s are waiting%s, try again in %ums", what,
                      for_what, retry_ms);
    else
        submit_refuse(t, RPC_LIMIT_EXCEEDED,
                      "too many %s of universe %" PRIu64 " are waiting%s, try again in %ums", what,
                      t->universe, for_what, retry_ms);
}

void submit_refuse_full(struct pool_tx *t) {
    submit_refuse_waiting(t, "transactions", "", 100);
}

static uint8_t share_of(uint64_t universe) {
    return universe == 0 ? 0 : (uint8_t)(1 + universe % (INGRESS_UNKNOWN - 1));
}

static uint64_t tag_of(const struct sequencer *s, uint64_t universe) {
    return map_hash(s->universes.seed, &universe, sizeof(universe));
}

static void find_lane(const struct sequencer *s, struct pool_tx *t) {
    t->has_universe = t->tx.is_create || lane_map_get(&s->universes, &t->tx.to, &t->universe);
    t->ingress_share = t->has_universe ? share_of(t->universe) : INGRESS_UNKNOWN;
    t->ingress_tag = t->has_universe ? tag_of(s, t->universe) : 0;
}

static void leave(struct ingress_share *h, size_t count, size_t size, uint64_t tags) {
    atomic_fetch_sub(&h->count, count);
    atomic_fetch_sub(&h->bytes, size);
    atomic_fetch_sub(&h->tags, tags);
}

/* False: full. */
static bool enter(struct sequencer *s, struct pool_tx *t) {
    struct ingress_share *all = &s->ingress_all, *own = &s->ingress_shares[t->ingress_share];
    size_t size = pool_tx_bytes(t);
    size_t count = atomic_fetch_add(&all->count, 1), len = atomic_fetch_add(&all->bytes, size),
           own_count = atomic_fetch_add(&own->count, 1),
           own_len = atomic_fetch_add(&own->bytes, size);
    atomic_fetch_add(&own->tags, t->ingress_tag);
    if (lanes_share_fits(own_count, count, 1, SEQUENCER_INGRESS_MAX) &&
        lanes_share_fits(own_len, len, size, SEQUENCER_INGRESS_BYTES_MAX) &&
        ring_push(&s->ingress, &t))
        return true;
    leave(all, 1, size, 0);
    leave(own, 1, size, t->ingress_tag);
    return false;
}

size_t submit_take(struct sequencer *s, struct pool_tx **out, size_t max) {
    size_t n = ring_pop_many(&s->ingress, out, max), sum = 0, count = 0, size = 0;
    uint64_t tags = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t share = out[i]->ingress_share;
        count++;
        size += pool_tx_bytes(out[i]);
        tags += out[i]->ingress_tag;
        if (i + 1 < n && out[i + 1]->ingress_share == share)
            continue; /* submitters count there too: not for each one of a run */
        leave(&s->ingress_shares[share], count, size, tags);
        sum += size;
        count = size = 0;
        tags = 0;
    }
    leave(&s->ingress_all, n, sum, 0);
    return n;
}

/* The counts are not read at one moment: while one comes or goes others may seem to wait. */
bool submit_others_wait(struct sequencer *s, uint64_t universe) {
    struct ingress_share *own = &s->ingress_shares[share_of(universe)];
    size_t count = atomic_load(&own->count);
    return atomic_load(&s->ingress_all.count) > count ||
           atomic_load(&own->tags) != count * tag_of(s, universe);
}

/* False: refused. */
static bool check_form(const struct sequencer *s, struct pool_tx *t) {
    char text[TX_ERROR_TEXT_MAX];
    struct tx_error_facts f = {.chain_id = s->o.ledger->genesis->config.chain_id};
    if (!t->tx.has_chain_id) {
        submit_refuse(t, RPC_SERVER_ERROR,
                      "only replay-protected (EIP-155) transactions allowed over RPC");
        return false;
    }
    if (t->tx.chain_id != f.chain_id) {
        tx_error_text(text, TX_CHAIN_ID, &t->tx, &f);
        submit_refuse(t, RPC_SERVER_ERROR, "%s", text);
        return false;
    }
    enum tx_verdict v = submit_form_verdict(&t->tx);
    if (v != TX_OK) {
        tx_error_text(text, v, &t->tx, &f);
        submit_refuse(t, RPC_SERVER_ERROR, "%s", text);
        return false;
    }
    return check_fee_cap(s, t);
}

/* A submission whose form is in order; NULL: refused, and told so. */
static struct pool_tx *read_form(struct sequencer *s, bytes envelope, submit_done_fn done,
                                 void *done_ctx, uint64_t token) {
    struct err_ctx ec = {.err = ERR_OK};
    struct submit_result r = {.status = SUBMIT_REFUSED, .code = RPC_SERVER_ERROR};
    struct pool_tx *t = NULL;
    if (envelope.len > LIMIT_TX_BYTES) {
        snprintf(r.text, sizeof(r.text), "oversized data: transaction size %zu, limit %d",
                 envelope.len, LIMIT_TX_BYTES);
        done(done_ctx, token, &r);
        return NULL;
    }
    enum err e = pool_tx_new(&t, envelope, &ec);
    if (e != ERR_OK) {
        refuse_envelope(&r, e, &ec);
        done(done_ctx, token, &r);
        return NULL;
    }
    t->done = done;
    t->done_ctx = done_ctx;
    t->token = token;
    if (check_form(s, t))
        return t;
    pool_tx_free(t);
    return NULL;
}

static void keep_result(void *ctx, uint64_t token, const struct submit_result *r) {
    struct submit_result *out = ctx;
    (void)token;
    *out = *r;
}

struct pool_tx *sequencer_read_form(void *sequencer, bytes envelope, struct submit_result *out) {
    struct pool_tx *t = read_form(sequencer, envelope, keep_result, out, 0);
    if (t != NULL)
        t->done = NULL;
    return t;
}

static void submit(void *ctx, bytes envelope, unsigned flags, submit_done_fn done, void *done_ctx,
                   uint64_t token) {
    struct sequencer *s = ctx;
    struct submit_result r = {.status = SUBMIT_REFUSED, .code = RPC_SERVER_ERROR};
    metric_add(&node_submissions, 1);
    if (atomic_load(&s->stopping)) {
        snprintf(r.text, sizeof(r.text), "the node is shutting down");
        done(done_ctx, token, &r);
        return;
    }
    if (s->o.settle != NULL && settle_is_validator(s->o.settle)) {
        snprintf(r.text, sizeof(r.text),
                 "this node is a validator, which takes no transactions: send to the sequencer");
        done(done_ctx, token, &r);
        return;
    }
    struct pool_tx *t = read_form(s, envelope, done, done_ctx, token);
    if (t == NULL)
        return;
    t->flags = flags;
    t->submitted_ns = clock_monotonic_ns(s->o.clock);
    find_lane(s, t);
    if (enter(s, t))
        return;
    submit_refuse_full(t);
    pool_tx_free(t);
}

static uint64_t pending_nonce(void *ctx, const addr20 *a) {
    struct sequencer *s = ctx;
    return pool_pending_nonce(s->o.pool, a);
}

static bool pooled(void *ctx, const hash32 *hash, struct buf *out_envelope, addr20 *out_sender) {
    struct sequencer *s = ctx;
    return pool_lookup(s->o.pool, hash, out_envelope, out_sender);
}

static void watch(void *ctx, const struct node_watcher *w) {
    struct sequencer *s = ctx;
    atomic_store(&s->watcher, w);
}

static uint64_t now(void *ctx) {
    struct sequencer *s = ctx;
    return clock_realtime_ms(s->o.clock) / 1000;
}

void sequencer_commands(struct sequencer *s, struct node_commands *out) {
    out->ctx = s;
    out->submit = submit;
    out->pending_nonce = pending_nonce;
    out->pooled = pooled;
    out->watch = watch;
    out->kv_write = kv_queue_write;
    out->kv_get = kv_queue_get;
    out->kv_each = kv_queue_each;
    out->metrics = node_metrics_print;
    out->now = now;
}
