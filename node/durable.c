/* SPDX-License-Identifier: Apache-2.0 */
/* The durable thread: one fdatasync for all records that were written meanwhile, then the answers
 * that waited for it. */
#include "node/sequencer_internal.h"

#include "base/check.h"
#include "node/metrics.h"

#include <sched.h>

enum { BATCH = 64 };

void durable_push(struct sequencer *s, const struct durable_item *item) {
    while (!ring_push(&s->durable, item)) {
        if (atomic_load(&s->failed))
            return; /* nobody takes items out any more; the process ends */
        sched_yield();
    }
}

/* Where the time of one transaction went. The stamps are readings of the clock that their stages
 * take anyway, so that every transaction has them. */
static void observe_stages(const struct pool_tx *t, uint64_t now) {
    if (t->submitted_ns == 0)
        return;
    node_observe_since(&node_intake_wait_us, t->submitted_ns, t->intake_ns);
    node_observe_since(&node_pool_wait_us, t->recovered_ns, t->taken_ns);
    node_observe_since(&node_executed_to_durable_us, t->taken_ns, now);
    node_observe_since(&node_send_to_durable_us, t->submitted_ns, now);
}

/* Visible to readers first, then answered: who asks for the receipt upon the answer finds it. */
static void announce_block(struct sequencer *s, const struct durable_item *item) {
    const struct node_watcher *w = atomic_load(&s->watcher);
    uint64_t now = clock_monotonic_ns(s->o.clock);
    store_set_durable(s->o.ledger->store, item->block);
    if (w != NULL)
        w->durable(w->ctx, item->block);
    for (struct pool_tx *t = item->txs, *next; t != NULL; t = next) {
        next = t->next_ready;
        struct submit_result r = {
            .status = SUBMIT_DURABLE, .hash = t->tx.hash, .block = item->block};
        observe_stages(t, now);
        pool_remove(s->o.pool, t);
        submit_answer(t, &r);
        pool_tx_free(t);
    }
    node_observe_since(&node_answer_us, now, clock_monotonic_ns(s->o.clock));
    atomic_fetch_sub(&s->unsynced, 1);
}

static void handle(struct sequencer *s, const struct durable_item *item) {
    if (item->kind == DURABLE_BLOCK)
        announce_block(s, item);
    if (item->kind == DURABLE_QUEUED && item->done != NULL) {
        struct submit_result r = {.status = SUBMIT_QUEUED, .hash = item->hash};
        item->done(item->done_ctx, item->token, &r);
    }
    if (item->kind == DURABLE_KV)
        item->kv_done(item->done_ctx, item->token, ERR_OK);
}

void *durable_main(void *arg) {
    struct sequencer *s = arg;
    struct durable_item items[BATCH];
    struct err_ctx ec;
    (void)pthread_setname_np(pthread_self(), "durable");
    for (bool ended = false; !ended;) {
        size_t n = ring_pop_many(&s->durable, items, BATCH);
        if (n == 0) {
            ring_wait(&s->durable, -1);
            continue;
        }
        uint64_t need = 0;
        for (size_t i = 0; i < n; i++)
            need = items[i].seq > need ? items[i].seq : need;
        if (need > wal_synced_seq(s->o.ledger->log)) {
            uint64_t begun = clock_monotonic_ns(s->o.clock);
            enum err e = wal_sync(s->o.ledger->log, NULL, &ec);
            node_observe_since(&node_log_sync_us, begun, clock_monotonic_ns(s->o.clock));
            if (e != ERR_OK) {
                sequencer_fail(s, e, &ec);
                return NULL;
            }
        }
        for (size_t i = 0; i < n; i++) {
            handle(s, &items[i]);
            ended = ended || items[i].kind == DURABLE_END;
        }
        preparer_look(s->preparer);
    }
    return NULL;
}
