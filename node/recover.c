/* SPDX-License-Identifier: Apache-2.0 */
#include "node/recover.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/hex.h"
#include "index/record.h"
#include "node/tombs.h"

#include <inttypes.h>

struct recovery {
    struct ledger *l;
    struct recover_stats stats;
    uint64_t applied_seq; /* records up to here are in the store */
    recover_pool_fn pool;
    void *pool_ctx;
    struct err_ctx *ec;
};

/* The log says that the head has hash `want`. */
static enum err check_head(struct recovery *r, const hash32 *want, uint64_t seq) {
    const struct ledger *l = r->l;
    char have_text[65] = {0}, want_text[65] = {0};
    if (hash32_eq(&l->head_hash, want))
        return ERR_OK;
    hex_encode(have_text, l->head_hash.b, 32);
    hex_encode(want_text, want->b, 32);
    FAIL(r->ec, ERR_MISMATCH,
         "block %" PRIu64 " comes out as 0x%s, but record %" PRIu64
         " of the log says 0x%s: this program or its data differ "
         "from those that made the block",
         l->head.number, have_text, seq, want_text);
}

static enum err replay_block(struct recovery *r, const struct log_record *rec) {
    struct ledger *l = r->l;
    struct record_block in;
    enum err e = record_unpack_block(&in, rec->payload);
    if (e != ERR_OK)
        FAIL(r->ec, e, "record %" PRIu64 " of the log: its block cannot be read", rec->seq);
    if (in.number != l->head.number + 1)
        FAIL(r->ec, ERR_CORRUPT,
             "record %" PRIu64 " of the log has block %" PRIu64 " where %" PRIu64 " is due",
             rec->seq, in.number, l->head.number + 1);
    TRY(check_head(r, &in.prev_hash, rec->seq));
    struct derived_block b;
    /* From our own log, and each block's hash is compared: no need to recover them again. */
    chain_know_senders(l->chain, in.senders, in.sender_count);
    TRY(chain_derive_block(&b, l->chain, &l->arena, &l->head, &in.message, r->ec));
    TRY(ledger_apply(l, &b, rec, r->ec));
    store_set_durable(l->store, l->head.number);
    arena_reset(&l->arena);
    r->stats.blocks++;
    if (store_dirty_rows(l->store) >= l->checkpoint_rows)
        TRY(ledger_checkpoint(l, r->ec));
    return ERR_OK;
}

static enum err replay_seal(struct recovery *r, const struct log_record *rec) {
    struct record_seal s;
    enum err e = record_unpack_seal(&s, rec->payload);
    if (e != ERR_OK || s.number != r->l->head.number)
        FAIL(r->ec, e != ERR_OK ? e : ERR_CORRUPT,
             "record %" PRIu64 " of the log: its seal does not fit block %" PRIu64, rec->seq,
             r->l->head.number);
    TRY(check_head(r, &s.hash, rec->seq));
    if (!hash32_eq(&s.receipt_root, &r->l->head.receipt_root))
        FAIL(r->ec, ERR_MISMATCH,
             "block %" PRIu64 " has another receipts root than record %" PRIu64 " says", s.number,
             rec->seq);
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

static enum err replay_rewind(struct recovery *r, const struct log_record *rec) {
    struct record_rewind w;
    enum err e = record_unpack_rewind(&w, rec->payload);
    if (e != ERR_OK)
        FAIL(r->ec, e, "record %" PRIu64 " of the log: its rewind cannot be read", rec->seq);
    if (w.epoch <= r->l->epoch)
        FAIL(r->ec, ERR_CORRUPT,
             "record %" PRIu64 " of the log rewinds to epoch %" PRIu64 " from %" PRIu64, rec->seq,
             w.epoch, r->l->epoch);
    return ledger_rewind(r->l, w.to_block, w.epoch, rec->seq, r->ec);
}

static enum err replay_epoch(struct recovery *r, const struct log_record *rec) {
    struct record_epoch e;
    enum err err = record_unpack_epoch(&e, rec->payload);
    if (err != ERR_OK || e.epoch < r->l->epoch)
        FAIL(r->ec, err != ERR_OK ? err : ERR_CORRUPT,
             "record %" PRIu64 " of the log: its epoch does not fit", rec->seq);
    r->l->epoch = e.epoch;
    return ERR_OK;
}

static enum err replay_kv(struct recovery *r, const struct log_record *rec) {
    enum err e = kv_take(r->l->kv, rec->payload);
    if (e != ERR_OK)
        FAIL(r->ec, e, "record %" PRIu64 " of the log: the node's own values cannot be read",
             rec->seq);
    return ERR_OK;
}

static enum err on_record(void *ctx, const struct log_record *rec) {
    struct recovery *r = ctx;
    if (rec->kind == LOG_POOL)
        return replay_pool(r, rec);
    if (rec->seq <= r->applied_seq)
        return ERR_OK;
    r->stats.records++;
    switch (rec->kind) {
    case LOG_BLOCK:
        return replay_block(r, rec);
    case LOG_SEAL:
        return replay_seal(r, rec);
    case LOG_REWIND:
        return replay_rewind(r, rec);
    case LOG_EPOCH:
        return replay_epoch(r, rec);
    case LOG_TOMBSTONE: {
        enum err e = tombs_replay(r->l, rec->payload);
        if (e != ERR_OK)
            FAIL(r->ec, e, "record %" PRIu64 " of the log: its tombstone cannot be read", rec->seq);
        return ERR_OK;
    }
    case LOG_KV:
        return replay_kv(r, rec);
    case LOG_INTENT:
        ledger_note_intent(r->l, rec);
        return ERR_OK;
    case LOG_POOL: /* has no effect on blocks */
        return ERR_OK;
    case LOG_RECEIPTS:
    case LOG_KIND_END:
    default:
        FAIL(r->ec, ERR_CORRUPT, "record %" PRIu64 " of the log has the unknown kind %d", rec->seq,
             (int)rec->kind);
    }
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
