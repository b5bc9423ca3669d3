/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/watch.h"

/* What a watch changes of the executor, to be put back. */
struct unwatched {
    const struct evm_tracer *tracer;
    enum evm_tier tier;
};

static struct unwatched watch_begin(struct exec *x, const struct tx *tx,
                                    const struct exec_watch *w) {
    struct unwatched before = {x->tracer, x->tier};
    tx_recover_authorities(tx); /* the watch may want to look at them */
    const struct evm_tracer *tracer = w->begin(w->ctx, x, tx);
    if (tracer != NULL) {
        x->tracer = tracer;
        x->tier = EVM_TIER_REFERENCE;
    }
    return before;
}

static bool watch_end(struct exec *x, const struct tx *tx, const struct exec_watch *w,
                      struct unwatched before, enum tx_verdict v, const struct tx_result *r) {
    x->tracer = before.tracer;
    x->tier = before.tier;
    return !w->end(w->ctx, x, tx, v, v == TX_OK ? r : NULL);
}

enum tx_verdict apply_tx_watched(struct exec *x, const struct tx *tx, struct arena *a,
                                 struct tx_result *out, struct receipt *out_receipt,
                                 const struct exec_watch *w, bool *out_stop) {
    *out_stop = false;
    if (w == NULL)
        return apply_tx(x, tx, a, out, out_receipt);
    struct unwatched before = watch_begin(x, tx, w);
    enum tx_verdict v = apply_tx(x, tx, a, out, out_receipt);
    *out_stop = watch_end(x, tx, w, before, v, out);
    return v;
}

void tx_execute_watched(struct exec *x, const struct tx *tx, const struct tx_charge *charge,
                        struct arena *a, struct tx_result *out, struct receipt *out_receipt,
                        const struct exec_watch *w, bool *out_stop) {
    *out_stop = false;
    if (w == NULL) {
        tx_execute(x, tx, charge, a, out, out_receipt);
        return;
    }
    struct unwatched before = watch_begin(x, tx, w);
    tx_execute(x, tx, charge, a, out, out_receipt);
    *out_stop = watch_end(x, tx, w, before, TX_OK, out);
}

static const struct evm_tracer *through_begin(void *ctx, struct exec *x, const struct tx *tx) {
    (void)x;
    (void)tx;
    return ctx;
}

static bool through_end(void *ctx, struct exec *x, const struct tx *tx, enum tx_verdict v,
                        const struct tx_result *r) {
    (void)ctx;
    (void)x;
    (void)tx;
    (void)v;
    (void)r;
    return true;
}

struct exec_watch exec_watch_through(const struct evm_tracer *hooks) {
    return (struct exec_watch){
        .ctx = (void *)(uintptr_t)hooks, .begin = through_begin, .end = through_end};
}
