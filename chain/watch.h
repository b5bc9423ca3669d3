/* SPDX-License-Identifier: Apache-2.0 */
/* Watching transactions as an executor runs them: tracers get their hooks into the machine, and
 * sight of the world before the first fee is taken and after the last one is paid. */
#ifndef CHAIN_WATCH_H
#define CHAIN_WATCH_H

#include "chain/exec.h"

/* Called on the executor's thread. The world may be read (x->world), not changed. */
struct exec_watch {
    void *ctx;
    /* Before a transaction's checks. Gives the hooks to run it with, in the reference tier, or
     * NULL: as if nobody watched. */
    const struct evm_tracer *(*begin)(void *ctx, struct exec *x, const struct tx *tx);
    /* After it, the world being at its end. `r` is NULL unless the verdict is TX_OK; r->output is
     * still valid. False asks for no further transaction. */
    bool (*end)(void *ctx, struct exec *x, const struct tx *tx, enum tx_verdict v,
                const struct tx_result *r);
};

/* apply_tx between the watch's calls; *out_stop is what `end` asked for. With `w` NULL it is
 * apply_tx. */
enum tx_verdict apply_tx_watched(struct exec *x, const struct tx *tx, struct arena *a,
                                 struct tx_result *out, struct receipt *out_receipt,
                                 const struct exec_watch *w, bool *out_stop);

/* tx_execute likewise: for transactions whose charge is settled. */
void tx_execute_watched(struct exec *x, const struct tx *tx, const struct tx_charge *charge,
                        struct arena *a, struct tx_result *out, struct receipt *out_receipt,
                        const struct exec_watch *w, bool *out_stop);

/* Shows each transaction to one tracer and lets all of them run. `hooks` is borrowed. */
struct exec_watch exec_watch_through(const struct evm_tracer *hooks);

#endif
