/* SPDX-License-Identifier: Apache-2.0 */
#include "node/recover.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/hex.h"
#include "index/record.h"
#include "node/rerun.h"
#include "node/tombs.h"
#include "node/walk.h"

#include <inttypes.h>
#include <stdlib.h>

struct seen_block {
    uint64_t number;
    struct log_pos pos;
};

struct recovery {
    struct ledger *l;
    struct recover_stats stats;
    uint64_t applied_seq; /* records up to here are in the store */
    uint64_t again_from;  /* blocks of records from here on may have to be made again */
    recover_pool_fn pool;
    void *pool_ctx;
    struct err_ctx *ec;
    /* Of blocks that were undone and may not have been made again. */
    struct rerun rerun;
    struct seen_block *seen; /* BLOCK records before `applied_seq`, as far as they are read */
    size_t seen_count, seen_cap;
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
    if (ledger_checkpoint_due(l))
        TRY(ledger_checkpoint(l, UINT64_MAX, r->ec));
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
    e = r->pool(r->pool_ctx, p.envelope, &p.sender, rec->seq);
    if (e != ERR_OK)
        FAIL(r->ec, e, "record %" PRIu64 " of the log: its transaction cannot wait again: %s",
             rec->seq, err_text(e));
    return ERR_OK;
}

static enum err replay_rewind(void *ctx, const struct log_record *rec,
                              const struct record_rewind *in) {
    struct recovery *r = ctx;
    if (in->to_block <= r->l->head.number)
        TRY(rerun_collect(&r->rerun, r->l, in->to_block, r->ec));
    if (in->reason == REWIND_RESTAMP)
        r->rerun.restamp = true;
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

/* --- what the store has already -------------------------------------------------------------- */
static enum err see_block(struct recovery *r, const struct log_record *rec) {
    struct record_block in;
    if (record_unpack_block(&in, rec->payload) != ERR_OK)
        FAIL(r->ec, ERR_CORRUPT, "record %" PRIu64 " of the log: its block cannot be read",
             rec->seq);
    if (r->seen_count == r->seen_cap) {
        size_t cap = r->seen_cap == 0 ? 256 : 2 * r->seen_cap;
        struct seen_block *more = realloc(r->seen, cap * sizeof(*more));
        if (more == NULL)
            FAIL(r->ec, ERR_NOMEM, "out of memory for the log's blocks");
        r->seen = more;
        r->seen_cap = cap;
    }
    r->seen[r->seen_count++] = (struct seen_block){.number = in.number, .pos = rec->pos};
    return ERR_OK;
}

static enum err see_rewind(struct recovery *r, const struct log_record *rec) {
    struct record_rewind in;
    if (record_unpack_rewind(&in, rec->payload) != ERR_OK)
        FAIL(r->ec, ERR_CORRUPT, "record %" PRIu64 " of the log: its rewind cannot be read",
             rec->seq);
    /* Without a floor the log is read from its beginning: what earlier ones undid was made again.
     */
    if (in.reason == REWIND_RESTAMP && (r->l->again_floor != 0 || rec->seq == r->applied_seq))
        r->rerun.restamp = true;
    size_t stands = r->seen_count;
    while (stands > 0 && r->seen[stands - 1].number > in.to_block)
        stands--;
    size_t count = r->seen_count - stands;
    struct log_pos *list = malloc((count + 1) * sizeof(*list));
    if (list == NULL)
        FAIL(r->ec, ERR_NOMEM, "out of memory for the log's blocks");
    for (size_t i = 0; i < count; i++)
        list[i] = r->seen[stands + i].pos;
    r->seen_count = stands;
    enum err e = rerun_prepend(&r->rerun, list, count, r->ec);
    free(list);
    return e;
}

static enum err first_kind(void *ctx, const struct log_record *rec) {
    *(enum log_kind *)ctx = rec->kind;
    return ERR_EXISTS; /* one is enough */
}

/* From where on the log tells which blocks were undone and may not have been made again: nothing
 * before the store's place if it says so; all that there is when the store was just taken back. */
static uint64_t again_from(const struct recovery *r) {
    enum log_kind kind = LOG_KIND_END;
    if (r->l->again_floor != 0)
        return r->l->again_floor;
    if (r->applied_seq == 0 ||
        wal_each(r->l->log, r->applied_seq, first_kind, &kind, NULL) != ERR_EXISTS)
        return UINT64_MAX;
    return kind == LOG_REWIND ? wal_first_seq(r->l->log) : UINT64_MAX;
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
    if (rec->seq <= r->applied_seq) {
        if (rec->seq < r->again_from || (rec->kind != LOG_BLOCK && rec->kind != LOG_REWIND))
            return ERR_OK;
        return rec->kind == LOG_BLOCK ? see_block(r, rec) : see_rewind(r, rec);
    }
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
    r.again_from = again_from(&r);
    if (r.again_from < from)
        from = r.again_from;
    enum err e = wal_each(l->log, from, on_record, &r, ec);
    free(r.seen);
    if (e != ERR_OK) {
        rerun_clear(&r.rerun);
        return e;
    }
    if (!rerun_empty(&r.rerun)) {
        l->again = r.rerun.blocks;
        l->again_count = r.rerun.len;
        l->again_restamp = r.rerun.restamp;
    } else {
        rerun_clear(&r.rerun);
    }
    store_set_durable(l->store, l->head.number);
    r.stats.took_ms = (clock_monotonic_ns(clock_posix()) - begun) / 1000000;
    *out = r.stats;
    return ERR_OK;
}
