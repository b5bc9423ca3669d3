/* SPDX-License-Identifier: Apache-2.0 */
/* What settling asks of the sequencer: blocks of given messages, going back, INTENT records. */
#include "base/check.h"
#include "base/log.h"
#include "index/record.h"
#include "node/metrics.h"
#include "node/sequencer_internal.h"

#include <time.h>

enum { WAIT_US = 200 };

static void pause_short(void) {
    struct timespec ts = {.tv_nsec = WAIT_US * 1000};
    nanosleep(&ts, NULL);
}

void sequencer_wake(struct sequencer *s) {
    ring_kick(&s->ingress);
}

bool sequencer_backlog_refused(struct sequencer *s) {
    return atomic_load_explicit(&s->backlog_refused, memory_order_relaxed);
}

/* --- blocks ---------------------------------------------------------------------------------- */
enum err sequencer_await_disk(struct sequencer *s) {
    while (atomic_load(&s->unsynced) >= SEQUENCER_BLOCKS_UNSYNCED_MAX) {
        if (atomic_load(&s->failed))
            return ERR_CLOSED;
        pause_short();
    }
    return atomic_load(&s->failed) || atomic_load(&s->stopping) ? ERR_CLOSED : ERR_OK;
}

/* Nonces moved that no pool transaction of the block moved. */
static void rebase_block(struct sequencer *s) {
    for (size_t i = 0; i < s->block.tx_count; i++) {
        const struct tx *tx = &s->block.txs[i].tx;
        intake_rebase(s, &tx->sender);
        for (size_t k = 0; k < tx->auth_count; k++)
            if (tx->auths[k].authority_ok)
                intake_rebase(s, &tx->auths[k].authority);
    }
}

static enum err finish(struct sequencer *s, uint64_t begun_ns, struct err_ctx *ec) {
    s->in_block_first = NULL;
    TRY(sequencer_finish_block(s, ec));
    s->last_block_ns = clock_monotonic_ns(s->o.clock);
    rebase_block(s);
    checkpointer_after_block(s->checkpointer, s->last_block_ns - begun_ns, &s->failed);
    return ERR_OK;
}

enum err sequencer_derive(struct sequencer *s, const struct message *m, struct err_ctx *ec) {
    struct ledger *l = s->o.ledger;
    uint64_t begun = clock_monotonic_ns(s->o.clock);
    enum err e = chain_derive_block(&s->block, l->chain, &l->arena, &l->head, m, ec);
    if (e == ERR_OK)
        e = finish(s, begun, ec);
    arena_reset(&l->arena);
    return e;
}

enum err sequencer_make_again(struct sequencer *s, const struct tx_feed *feed, uint64_t timestamp,
                              uint64_t l1_block, struct err_ctx *ec) {
    struct ledger *l = s->o.ledger;
    uint64_t begun = clock_monotonic_ns(s->o.clock);
    enum err e = chain_sequence_block(&s->block, l->chain, &l->arena, &l->head, timestamp, l1_block,
                                      feed, ec);
    if (e == ERR_OK)
        e = finish(s, begun, ec);
    arena_reset(&l->arena);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* --- going back ------------------------------------------------------------------------------ */
enum err sequencer_rewind(struct sequencer *s, uint64_t to_block, enum rewind_reason reason,
                          struct err_ctx *ec) {
    struct ledger *l = s->o.ledger;
    struct record_rewind w = {
        .epoch = l->epoch + 1, .to_block = to_block, .reason = (uint8_t)reason};
    struct log_record rec;
    while (atomic_load(&s->unsynced) > 0) { /* those who wait for these blocks get their answer */
        if (atomic_load(&s->failed))
            return ERR_CLOSED;
        pause_short();
    }
    buf_reset(&l->record);
    record_pack_rewind(&l->record, &w);
    TRY(ledger_append_record(l, LOG_REWIND, &rec, ec));
    /* The store may not be at a place that the log could lose. */
    TRY(wal_sync(l->log, NULL, ec));
    TRY(ledger_rewind(l, to_block, w.epoch, rec.seq, ec));
    unposted_undo(&s->unposted, to_block);
    s->block.header = l->head;
    s->seal_due = true;
    lane_map_reset(&s->universes);
    const struct node_watcher *watcher = atomic_load(&s->watcher);
    if (watcher != NULL && watcher->reorg != NULL)
        watcher->reorg(watcher->ctx, to_block);
    intake_rebase_all(s);
    return ERR_OK;
}

/* --- INTENT records -------------------------------------------------------------------------- */
void sequencer_serve_intent(struct sequencer *s) {
    struct ledger *l = s->o.ledger;
    struct err_ctx ec;
    struct log_record rec;
    pthread_mutex_lock(&s->intent_lock);
    if (s->intent.ptr != NULL) {
        buf_reset(&l->record);
        buf_append(&l->record, s->intent.ptr, s->intent.len);
        enum err e = ledger_append_record(l, LOG_INTENT, &rec, &ec);
        if (e == ERR_OK) {
            struct durable_item item = {.kind = DURABLE_SYNC, .seq = rec.seq};
            durable_push(s, &item);
            s->intent_seq = rec.seq;
            ledger_note_intent(l, &rec);
        } else {
            sequencer_fail(s, e, &ec);
        }
        s->intent = bytes_of(NULL, 0);
        pthread_cond_broadcast(&s->intent_done);
    }
    pthread_mutex_unlock(&s->intent_lock);
}

void sequencer_end_intents(struct sequencer *s) {
    pthread_mutex_lock(&s->intent_lock);
    s->ended = true;
    s->intent = bytes_of(NULL, 0);
    pthread_cond_broadcast(&s->intent_done);
    pthread_mutex_unlock(&s->intent_lock);
}

enum err sequencer_write_intent(struct sequencer *s, bytes payload) {
    pthread_mutex_lock(&s->intent_lock);
    CHECK(s->intent.ptr == NULL);
    s->intent_seq = 0;
    if (!s->ended) {
        s->intent = payload;
        ring_kick(&s->ingress);
    }
    while (s->intent.ptr != NULL)
        pthread_cond_wait(&s->intent_done, &s->intent_lock);
    uint64_t seq = s->intent_seq;
    pthread_mutex_unlock(&s->intent_lock);
    while (seq != 0 && wal_synced_seq(s->o.ledger->log) < seq) {
        if (atomic_load(&s->failed))
            return ERR_CLOSED;
        pause_short();
    }
    return seq != 0 ? ERR_OK : ERR_CLOSED;
}
