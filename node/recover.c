/* SPDX-License-Identifier: Apache-2.0 */
#include "node/recover.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/hex.h"
#include "index/record.h"
#include "node/tombs.h"
#include "node/walk.h"

#include <inttypes.h>

struct recovery {
    struct ledger *l;
    struct recover_stats stats;
    uint64_t applied_seq; /* records up to here are in the store */
    recover_pool_fn pool;
    void *pool_ctx;
    struct err_ctx *ec;
};

static enum err differs(void *ctx, const hash32 *want, uint64_t seq) {
    const struct recovery *r = ctx;
    char have_text[65] = {0}, want_text[65] = {0};
    hex_encode(have_text, r->l->head_hash.b, 32);
    hex_encode(want_text, want->b, 32);
    FAIL(r->ec, ERR_MISMATCH,
         "block %" PRIu64 " comes out as 0x%s, but record %" PRIu64
         " of the log says 0x%s: this program or its data differ "
         "from those that made the block",
         r->l->head.number, have_text, seq, want_text);
}

static enum err replay_block(void *ctx, const struct log_record *rec,
                             const struct record_block *in) {
    struct recovery *r = ctx;
    struct ledger *l = r->l;
    struct derived_block b;
    /* From our own log, and each block's hash is compared: no need to recover them again. */
    chain_know_senders(l->chain, in->senders, in->sender_count);
    TRY(chain_derive_block(&b, l->chain, &l->arena, &l->head, &in->message, r->ec));
    TRY(ledger_apply(l, &b, rec, r->ec));
    store_set_durable(l->store, l->head.number);
    arena_reset(&l->arena);
    r->stats.blocks++;
    if (store_dirty_rows(l->store) >= l->checkpoint_rows)
        TRY(ledger_checkpoint(l, r->ec));
    return ERR_OK;
}

static enum err replay_pool(struct recovery *r, const struct log_record *rec) {
    struct record_pool p;
    enum err e = record_unpack_pool(&p, rec->payload);
    if (e != ERR_OK)
        FAIL(r->ec, e, "record %" PRIu64 " of the log: its transaction cannot be read", rec->seq);
    /* Whether it still waits is known at the end; until then a checkpoint must not leave it
     * behind. */
    if (r->l->pool_floor == 0)
        r->l->pool_floor = rec->seq;
    r->pool(r->pool_ctx, p.envelope, &p.sender, rec->seq);
    return ERR_OK;
}

static enum err replay_rewind(void *ctx, const struct log_record *rec,
                              const struct record_rewind *in) {
    struct recovery *r = ctx;
    return ledger_rewind(r->l, in->to_block, in->epoch, rec->seq, r->ec);
}

static enum err replay_epoch(void *ctx, const struct log_record *rec,
                             const struct record_epoch *in) {
    struct recovery *r = ctx;
    if (in->epoch < r->l->epoch)
        FAIL(r->ec, ERR_CORRUPT, "record %" PRIu64 " of the log: its epoch does not fit", rec->seq);
    r->l->epoch = in->epoch;
    return ERR_OK;
}

static enum err replay_kv(struct recovery *r, const struct log_record *rec) {
    enum err e = kv_take(r->l->kv, rec->payload);
    if (e != ERR_OK)
        FAIL(r->ec, e, "record %" PRIu64 " of the log: the node's own values cannot be read",
             rec->seq);
    return ERR_OK;
}

static enum err replay_aside(void *ctx, const struct log_record *rec) {
    struct recovery *r = ctx;
    if (rec->kind == LOG_KV)
        return replay_kv(r, rec);
    if (rec->kind == LOG_INTENT)
        ledger_note_intent(r->l, rec);
    enum err e = rec->kind == LOG_TOMBSTONE ? tombs_replay(r->l, rec->payload) : ERR_OK;
    if (e != ERR_OK)
        FAIL(r->ec, e, "record %" PRIu64 " of the log: its tombstone cannot be read", rec->seq);
    return ERR_OK;
}

static enum err on_record(void *ctx, const struct log_record *rec) {
    static const struct walk_ops ops = {.differs = differs,
                                        .block = replay_block,
                                        .rewind = replay_rewind,
                                        .epoch = replay_epoch,
                                        .aside = replay_aside};
    struct recovery *r = ctx;
    if (rec->kind == LOG_POOL)
        return replay_pool(r, rec);
    if (rec->seq <= r->applied_seq)
        return ERR_OK;
    r->stats.records++;
    struct walk w = {.ledger = r->l, .ops = &ops, .ctx = r, .ec = r->ec};
    return walk_record(&w, rec);
}

enum err recover_run(struct ledger *l, struct recover_stats *out, recover_pool_fn pool, void *ctx,
                     struct err_ctx *ec) {
    struct recovery r = {.l = l,
                         .applied_seq = store_applied(l->store).seq,
                         .pool = pool,
                         .pool_ctx = ctx,
                         .ec = ec};
    uint64_t begun = clock_monotonic_ns(clock_posix());
    uint64_t from = r.applied_seq + 1;
    if (l->pool_floor != 0 && l->pool_floor < from)
        from = l->pool_floor;
    TRY(wal_each(l->log, from, on_record, &r, ec));
    store_set_durable(l->store, l->head.number);
    r.stats.took_ms = (clock_monotonic_ns(clock_posix()) - begun) / 1000000;
    *out = r.stats;
    return ERR_OK;
}
