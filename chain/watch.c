/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/watch.h"

enum tx_verdict apply_tx_watched(struct exec *x, const struct tx *tx, struct arena *a,
                                 struct tx_result *out, struct receipt *out_receipt,
                                 const struct exec_watch *w, bool *out_stop) {
    *out_stop = false;
    if (w == NULL)
        return apply_tx(x, tx, a, out, out_receipt);
    tx_recover_authorities(tx); /* the watch may want to look at them */
    const struct evm_tracer *tracer = w->begin(w->ctx, x, tx);
    const struct evm_tracer *outer = x->tracer;
    enum evm_tier tier = x->tier;
    if (tracer != NULL) {
        x->tracer = tracer;
        x->tier = EVM_TIER_REFERENCE;
    }
    enum tx_verdict v = apply_tx(x, tx, a, out, out_receipt);
    x->tracer = outer;
    x->tier = tier;
    *out_stop = !w->end(w->ctx, x, tx, v, v == TX_OK ? out : NULL);
    return v;
}
