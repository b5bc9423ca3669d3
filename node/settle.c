/* SPDX-License-Identifier: Apache-2.0 */
#include "node/settle.h"

#include "base/check.h"
#include "base/log.h"
#include "bridge/batch.h"
#include "index/index.h"
#include "index/rows.h"
#include "node/headroom.h"
#include "node/metrics.h"
#include "node/rerun.h"
#include "node/sequencer_internal.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    ARENA_CHUNK = 1 << 20,
    ARENA_MAX = 1 << 30,
    FORGET_STEP = 64, /* entries that the mirror keeps too long at most, while it has room */
};

struct settle {
    struct settle_options o;
    struct arena arena; /* of one turn */
    uint_fast64_t seen_version;
    uint64_t seen_cuts;
    uint64_t checked_delayed; /* delayed messages below are in our blocks as the parent has them */
    bool more;                /* the last turn did something */
    bool seen_stalled;        /* headroom was below HEADROOM_STALLED in the last turn */
    struct rerun rerun;       /* blocks of ours that are to be made again */
    atomic_bool genesis_checked, caught_up, restamp;
    atomic_uint_fast64_t rewinds;
};

struct settle *settle_new(const struct settle_options *o) {
    struct settle *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->o = *o;
    t->seen_cuts = UINT64_MAX;
    arena_init(&t->arena, ARENA_CHUNK, ARENA_MAX);
    rerun_init(&t->rerun);
    return t;
}

void settle_free(struct settle *t) {
    if (t == NULL)
        return;
    rerun_clear(&t->rerun);
    arena_clear(&t->arena);
    free(t);
}

/* --- our own blocks -------------------------------------------------------------------------- */
static enum err message_of(struct settle *t, struct ledger *l, struct message *out, uint64_t block,
                           struct err_ctx *ec) {
    struct index_source src = {.log = l->log, .receipts = l->receipts};
    return index_load_message(out, &t->arena, &src, l->newest, block, ec);
}

static uint64_t delayed_read_of(const struct header *h) {
    return l3_header_info_get(h).delayed_read;
}

/* The block that read delayed message `index`, which the head has read. */
static enum err reader_of(struct ledger *l, uint64_t *out, uint64_t index, struct err_ctx *ec) {
    uint64_t lo = 0, hi = l->head.number;
    CHECK(delayed_read_of(&l->head) > index);
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        struct index_head h;
        enum err e = index_head(&h, l->newest, mid);
        if (e != ERR_OK)
            FAIL(ec, e, "block %" PRIu64 " cannot be read", mid);
        if (delayed_read_of(&h.header) > index)
            hi = mid;
        else
            lo = mid + 1;
    }
    *out = lo;
    return ERR_OK;
}

static bool same_message(const struct message *a, const struct message *b) {
    if (a->kind != b->kind || memcmp(a->sender.b, b->sender.b, 20) != 0 ||
        a->l1_block != b->l1_block || a->timestamp != b->timestamp ||
        a->delayed_read != b->delayed_read || a->has_request_id != b->has_request_id ||
        a->has_base_fee_l1 != b->has_base_fee_l1 || a->has_batch_stats != b->has_batch_stats)
        return false;
    if (a->has_request_id && !hash32_eq(&a->request_id, &b->request_id))
        return false;
    if (a->has_base_fee_l1 && !u256_eq(&a->base_fee_l1, &b->base_fee_l1))
        return false;
    if (a->has_batch_stats &&
        (a->batch_length != b->batch_length || a->batch_nonzeros != b->batch_nonzeros))
        return false;
    return a->data.len == b->data.len &&
           (a->data.len == 0 || memcmp(a->data.ptr, b->data.ptr, a->data.len) == 0);
}

/* --- going back ------------------------------------------------------------------------------ */
static enum err go_back(struct settle *t, struct sequencer *s, uint64_t to_block,
                        enum rewind_reason reason, struct err_ctx *ec) {
    struct ledger *l = s->o.ledger;
    log_warn("settle", "going back", log_u64("to_block", to_block),
             log_u64("from_block", l->head.number),
             log_str("why", reason == REWIND_PARENT_REORG ? "the parent re-organised"
                            : reason == REWIND_RESTAMP    ? "stamps are too old"
                                                          : "the parent has another batch"));
    if (t->o.role == SETTLE_SEQUENCER)
        TRY(rerun_collect(&t->rerun, l, to_block, ec));
    TRY(sequencer_rewind(s, to_block, reason, ec));
    if (t->checked_delayed > delayed_read_of(&l->head))
        t->checked_delayed = delayed_read_of(&l->head);
    atomic_fetch_add(&t->rewinds, 1);
    metric_add(&node_rewinds, 1);
    return ERR_OK;
}

/* --- delayed messages ------------------------------------------------------------------------ */
/* Compares one that a block of ours has read. */
static enum err check_delayed(struct settle *t, struct sequencer *s, uint64_t index,
                              struct err_ctx *ec) {
    struct ledger *l = s->o.ledger;
    struct mirror_delayed there;
    struct message own;
    uint64_t block;
    TRY(mirror_delayed_at(t->o.mirror, &t->arena, index, &there));
    TRY(reader_of(l, &block, index, ec));
    if (block > 0) {
        TRY(message_of(t, l, &own, block, ec));
        if (!same_message(&own, &there.message))
            return go_back(t, s, block - 1, REWIND_PARENT_REORG, ec);
    }
    t->checked_delayed = index + 1;
    return ERR_OK;
}

static enum err check_all_delayed(struct settle *t, struct sequencer *s, bool *did,
                                  struct err_ctx *ec) {
    struct ledger *l = s->o.ledger;
    struct mirror_state m = mirror_state(t->o.mirror);
    uint64_t read = delayed_read_of(&l->head);
    if (t->checked_delayed < m.delayed_first)
        t->checked_delayed = m.delayed_first; /* final, or covered by a batch's accumulator */
    if (t->checked_delayed < read && t->checked_delayed < m.delayed_count) {
        *did = true;
        return check_delayed(t, s, t->checked_delayed, ec);
    }
    if (m.synced && m.delayed_count < read && m.delayed_count > 0) {
        /* The parent has lost some that blocks have read. */
        uint64_t block;
        *did = true;
        TRY(reader_of(l, &block, m.delayed_count, ec));
        return go_back(t, s, block - 1, REWIND_PARENT_REORG, ec);
    }
    return ERR_OK;
}

/* The next delayed message, if it is final enough. */
static enum err take_delayed(struct settle *t, struct sequencer *s, bool *did, struct err_ctx *ec) {
    struct mirror_heads heads;
    struct mirror_delayed d;
    uint64_t index = delayed_read_of(&s->o.ledger->head);
    if (!mirror_heads(t->o.mirror, &heads))
        return ERR_OK;
    enum err e = mirror_delayed_at(t->o.mirror, &t->arena, index, &d);
    if (e != ERR_OK)
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    /* Better one that a fork may change than one that is forced in (PROTOCOL §5). */
    if (d.parent_block > heads.settled && headroom_permille() >= HEADROOM_STALLED)
        return ERR_OK;
    *did = true;
    TRY(sequencer_derive(s, &d.message, ec));
    if (t->checked_delayed == index)
        t->checked_delayed = index + 1;
    return ERR_OK;
}

/* --- batches --------------------------------------------------------------------------------- */
static enum err check_genesis(struct settle *t, struct sequencer *s, const struct message *m,
                              struct err_ctx *ec) {
    TRY(genesis_check_initialize(t->o.genesis, &s->o.ledger->genesis_hash, m, ec));
    atomic_store(&t->genesis_checked, true);
    return ERR_OK;
}

/* The message of block `block` is `m`, says the parent. */
static enum err settle_message(struct settle *t, struct sequencer *s, uint64_t block,
                               const struct message *m, struct err_ctx *ec) {
    struct ledger *l = s->o.ledger;
    struct message own;
    if (block == 0)
        return check_genesis(t, s, m, ec);
    if (block <= l->head.number) {
        struct arena_mark mark = arena_mark(&t->arena);
        TRY(message_of(t, l, &own, block, ec));
        bool same = same_message(&own, m);
        arena_reset_to(&t->arena, mark);
        if (same)
            return ERR_OK;
        TRY(go_back(t, s, block - 1, REWIND_FORCED_INCLUSION, ec));
    }
    CHECK(block == l->head.number + 1);
    TRY(sequencer_await_disk(s));
    TRY(sequencer_derive(s, m, ec));
    if (message_is_sequenced(m) || t->checked_delayed != m->delayed_read - 1)
        return ERR_OK;
    t->checked_delayed = m->delayed_read;
    return ERR_OK;
}

/* What an item of a batch is as a message. */
static enum err item_message(struct settle *t, struct message *out, const struct batch_item *item,
                             struct err_ctx *ec) {
    struct mirror_delayed d;
    if (item->kind == BATCH_ITEM_MESSAGE) {
        *out = item->message;
        return ERR_OK;
    }
    enum err e = mirror_delayed_at(t->o.mirror, &t->arena, item->delayed_idx, &d);
    if (e != ERR_OK)
        FAIL(ec, e, "delayed message %" PRIu64 " of a batch is not there", item->delayed_idx);
    *out = d.message;
    return ERR_OK;
}

static enum err settle_items(struct settle *t, struct sequencer *s, struct batch_reader *r,
                             uint64_t *block, struct err_ctx *ec) {
    struct batch_item item;
    while (batch_next(r, &item)) {
        struct message m;
        struct arena_mark mark = arena_mark(&t->arena);
        if (atomic_load(&s->stopping) || atomic_load(&s->failed))
            return ERR_CLOSED;
        TRY(item_message(t, &m, &item, ec));
        TRY(settle_message(t, s, *block, &m, ec));
        arena_reset_to(&t->arena, mark);
        (*block)++;
    }
    return ERR_OK;
}

/* The row of a batch whose messages are all in the chain. */
static enum err add_row(struct settle *t, struct sequencer *s, const struct mirror_batch *b,
                        const struct batch_row *before, uint64_t last_block, struct err_ctx *ec) {
    struct mirror_delayed d;
    struct batch_row row = {
        .acc = b->acc,
        .delayed_acc = b->delayed_acc,
        .data_hash = b->data_hash,
        .parent_block = b->parent_block,
        .l1_block = b->l1_block,
        .delayed_read = b->delayed_read,
        .delayed_block = before->delayed_block,
        .last_block = last_block,
        .length = b->length,
        .nonzeros = b->nonzeros,
    };
    if (b->delayed_read > before->delayed_read) {
        enum err e = mirror_delayed_at(t->o.mirror, NULL, b->delayed_read - 1, &d);
        if (e != ERR_OK)
            FAIL(ec, e, "delayed message %" PRIu64 " is not there", b->delayed_read - 1);
        row.delayed_block = d.parent_block;
    }
    TRY(batches_add(t->o.batches, s->o.ledger, &row));
    unposted_posted(&s->unposted, last_block);
    atomic_store_explicit(&s->backlog_refused, false, memory_order_relaxed);
    return ERR_OK;
}

static enum err settle_batch(struct settle *t, struct sequencer *s, uint64_t index,
                             struct err_ctx *ec) {
    struct mirror_batch b;
    struct batch_row before = {0};
    struct batch_reader *r;
    TRY(mirror_batch_at(t->o.mirror, &t->arena, index, &b));
    if (index > 0 && !batches_at(t->o.batches, index - 1, &before))
        FAIL(ec, ERR_CORRUPT, "the row of batch %" PRIu64 " cannot be read", index - 1);
    struct batch_header h = {.min_timestamp = b.min_timestamp,
                             .max_timestamp = b.max_timestamp,
                             .min_block = b.min_block,
                             .max_block = b.max_block,
                             .after_delayed = b.delayed_read};
    TRY(batch_reader_new(&r, &h, before.delayed_read, b.data));
    uint64_t first = index == 0 ? 0 : before.last_block + 1, block = first;
    enum err e = settle_items(t, s, r, &block, ec);
    batch_reader_free(r);
    TRY(e);
    TRY(add_row(t, s, &b, &before, block - 1, ec));
    log_info("settle", "batch is in the chain", log_u64("batch", index),
             log_u64("first_block", first), log_u64("last_block", block - 1),
             log_u64("parent_block", b.parent_block));
    t->o.progress(t->o.ctx);
    return ERR_OK;
}

enum err settle_recount(struct settle *t, struct sequencer *s, struct err_ctx *ec) {
    struct batch_row row = {0};
    uint64_t count = batches_count(t->o.batches);
    if (count > 0 && !batches_at(t->o.batches, count - 1, &row))
        FAIL(ec, ERR_CORRUPT, "the row of batch %" PRIu64 " cannot be read", count - 1);
    return unposted_recount(&s->unposted, s->o.ledger, row.last_block, &s->stopping, ec);
}

/* After the mirror was cut: rows of batches that the parent does not have any more go. */
static enum err check_rows(struct settle *t, struct sequencer *s, const struct mirror_state *m,
                           struct err_ctx *ec) {
    uint64_t count = batches_count(t->o.batches), keep = m->batch_first;
    if (keep > count)
        keep = count;
    for (; keep < count && keep < m->batch_count; keep++) {
        struct batch_row row;
        struct mirror_batch there;
        bool same = batches_at(t->o.batches, keep, &row) &&
                    mirror_batch_at(t->o.mirror, NULL, keep, &there) == ERR_OK &&
                    hash32_eq(&row.acc, &there.acc) && row.parent_block == there.parent_block;
        if (!same)
            break;
    }
    if (keep < count) {
        log_warn("settle", "batches are not on the parent any more", log_u64("from", keep),
                 log_u64("count", count - keep));
        batches_cut(t->o.batches, s->o.ledger, keep);
        TRY(settle_recount(t, s, ec));
    }
    t->seen_cuts = m->cuts;
    t->checked_delayed = 0; /* those that were read anew may be others */
    t->o.progress(t->o.ctx);
    return ERR_OK;
}

/* What is final on the parent and in the chain will not be asked for again, nor undone. */
static void forget_old(struct settle *t, struct ledger *l) {
    struct mirror_heads h;
    struct mirror_state m = mirror_state(t->o.mirror);
    struct batch_row row;
    if (!mirror_heads(t->o.mirror, &h))
        return;
    uint64_t n = batches_up_to(t->o.batches, h.finalized);
    if (n == 0 || !batches_at(t->o.batches, n - 1, &row))
        return;
    ledger_set_final(l, row.last_block);
    if (n >= m.batch_first + (mirror_full(t->o.mirror) ? 1 : FORGET_STEP))
        mirror_forget(t->o.mirror, n, row.delayed_read);
}

/* --- the turn -------------------------------------------------------------------------------- */
static enum err turn(struct settle *t, struct sequencer *s, bool *did, struct err_ctx *ec) {
    struct mirror_state m = mirror_state(t->o.mirror);
    if (m.cuts != t->seen_cuts)
        TRY(check_rows(t, s, &m, ec));
    forget_old(t, s->o.ledger); /* also while no batch comes: one may lie behind what is kept */
    TRY(check_all_delayed(t, s, did, ec));
    uint64_t count = batches_count(t->o.batches);
    if (*did)
        return ERR_OK;
    if (count > 0)
        atomic_store(&t->genesis_checked, true);
    if (count < m.batch_count) {
        atomic_store(&t->caught_up, false);
        *did = true;
        return settle_batch(t, s, count, ec);
    }
    atomic_store(&t->caught_up,
                 m.synced && count > 0 && rerun_empty(&t->rerun) && !atomic_load(&t->restamp));
    if (t->o.role != SETTLE_SEQUENCER || !m.synced || count == 0)
        return ERR_OK;
    if (atomic_exchange(&t->restamp, false)) {
        struct batch_row last;
        *did = true;
        if (!batches_at(t->o.batches, count - 1, &last) ||
            last.last_block >= s->o.ledger->head.number)
            return ERR_OK;
        atomic_store(&t->caught_up, false);
        TRY(go_back(t, s, last.last_block, REWIND_RESTAMP, ec));
        t->rerun.restamp = true;
    }
    if (!rerun_empty(&t->rerun)) {
        uint64_t now_s = clock_realtime_ms(s->o.clock) / 1000;
        *did = true;
        return rerun_step(&t->rerun, s, t->o.mirror, settle_timestamp(t, now_s), settle_l1_block(t),
                          ec);
    }
    return take_delayed(t, s, did, ec);
}

bool settle_turn(struct settle *t, struct sequencer *s) {
    struct err_ctx ec = {.err = ERR_OK};
    uint_fast64_t version = atomic_load_explicit(&t->o.mirror->version, memory_order_acquire);
    /* What is taken before it is final, when headroom ends, is in the mirror long since. */
    bool stalled = headroom_permille() < HEADROOM_STALLED;
    if (!t->more && version == t->seen_version && stalled == t->seen_stalled)
        return false;
    if (atomic_load(&s->unsynced) >= SEQUENCER_BLOCKS_UNSYNCED_MAX)
        return false; /* the disk is behind */
    if (s->o.ledger->again != NULL && t->o.role == SETTLE_SEQUENCER)
        rerun_adopt(&t->rerun, s->o.ledger);
    t->seen_version = version;
    t->seen_stalled = stalled;
    bool did = false;
    arena_reset(&t->arena);
    enum err e = turn(t, s, &did, &ec);
    t->more = did;
    /* An entry that vanished meanwhile: the mirror was cut, and says so with its next version. */
    if (e != ERR_OK && e != ERR_CLOSED && e != ERR_NOT_FOUND)
        sequencer_fail(s, e, &ec);
    return did && e == ERR_OK;
}

bool settle_may_sequence(struct settle *t) {
    return atomic_load(&t->caught_up) && rerun_empty(&t->rerun) &&
           atomic_load_explicit(&t->o.mirror->version, memory_order_acquire) == t->seen_version &&
           t->o.role == SETTLE_SEQUENCER;
}

void settle_restamp(struct settle *t) {
    atomic_store(&t->restamp, true);
    atomic_store(&t->caught_up, false);
    atomic_fetch_add(&t->o.mirror->version, 1); /* there is something to do */
}

bool settle_is_validator(const struct settle *t) {
    return t->o.role == SETTLE_VALIDATOR;
}

uint64_t settle_l1_block(struct settle *t) {
    struct mirror_heads h;
    return mirror_heads(t->o.mirror, &h) ? h.latest.l1_block : 0;
}

static uint64_t time_there(const struct mirror_heads *h, uint64_t now_s) {
    return h->latest.timestamp + (now_s > h->seen_ms / 1000 ? now_s - h->seen_ms / 1000 : 0);
}

uint64_t settle_parent_time(struct settle *t, uint64_t now_s) {
    struct mirror_heads h;
    return mirror_heads(t->o.mirror, &h) ? time_there(&h, now_s) : now_s;
}

uint64_t settle_timestamp(struct settle *t, uint64_t now_s) {
    struct mirror_heads h;
    if (!mirror_heads(t->o.mirror, &h))
        return now_s;
    /* Ours may be ahead of the parent's clock by less than what the inbox takes. */
    uint64_t most = time_there(&h, now_s) + t->o.genesis->bounds.future_seconds / 2;
    if (now_s > most)
        return most;
    return now_s < h.latest.timestamp ? h.latest.timestamp : now_s;
}

struct settle_status settle_status(struct settle *t) {
    return (struct settle_status){.genesis_checked = atomic_load(&t->genesis_checked),
                                  .caught_up = atomic_load(&t->caught_up),
                                  .rewinds = atomic_load(&t->rewinds)};
}
