/* SPDX-License-Identifier: Apache-2.0 */
#include "node/poster.h"

#include "base/check.h"
#include "base/log.h"
#include "bridge/tx_sender.h"
#include "index/index.h"
#include "node/headroom.h"
#include "node/intent.h"
#include "node/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

enum {
    ARENA_CHUNK = 1 << 20,
    ARENA_MAX = 256 << 20,
    WAIT_STEP_MS = 500,
    FLUSH_STEP_MS = 20,
    CHECK_STEPS = 20
};

struct poster {
    struct poster_options o;
    struct parent *parent;
    struct tx_sender *sender;
    pthread_t thread;
    bool has_thread;
    atomic_bool stopping, flush;
    struct arena arena;

    /* The batch in the making. */
    struct batch_builder *builder;
    uint64_t count;       /* batches before it */
    uint64_t first_block; /* its first */
    uint64_t next_block;  /* to be added next */
    uint64_t rewinds;     /* as settling had them when it was begun */
    bool matters;         /* it holds more than reports */
    uint64_t since_ms;    /* wall clock: since when it holds something that matters */

    uint64_t cuts;                      /* re-orgs of the parent that are taken account of */
    unsigned reverts;                   /* since a batch came into the chain */
    uint64_t retry_ms;                  /* wall clock before which nothing is tried */
    uint64_t restamp_ms, restamp_first; /* when new stamps were asked for, and from which block */
    bool warned;
};

static uint64_t now_ms(void) {
    return clock_realtime_ms(clock_posix());
}

/* --- headroom -------------------------------------------------------------------------------- */
/* Also while a batch is waited for: that is when it is used up. */
static void measure_headroom(struct poster *p) {
    struct batch_row row;
    uint64_t count = batches_count(p->o.batches), durable = store_durable(p->o.ledger->store);
    struct store_view *v;
    if (count == 0 || !batches_at(p->o.batches, count - 1, &row) || durable == STORE_NO_BLOCK ||
        store_view_open(&v, p->o.ledger->store, durable) != ERR_OK)
        return;
    headroom_measure(&p->o.bounds, p->o.mirror, v, &row);
    store_view_close(v);
    if (headroom_permille() < HEADROOM_STALLED)
        sequencer_wake(p->o.sequencer); /* there may be messages to take now, final or not */
}

/* --- collecting ------------------------------------------------------------------------------ */
static void drop_builder(struct poster *p) {
    batch_builder_free(p->builder);
    p->builder = NULL;
}

static enum err begin_batch(struct poster *p, uint64_t count, struct err_ctx *ec) {
    struct batch_row row;
    drop_builder(p);
    if (!batches_at(p->o.batches, count - 1, &row))
        FAIL(ec, ERR_CORRUPT, "the row of batch %" PRIu64 " cannot be read", count - 1);
    if (count > p->count)
        p->reverts = 0;
    enum err e = batch_builder_new(&p->builder, row.delayed_read, BATCH_MAX_BYTES);
    if (e != ERR_OK)
        FAIL(ec, e, "no builder for a batch");
    p->count = count;
    p->first_block = p->next_block = row.last_block + 1;
    p->rewinds = settle_status(p->o.settle).rewinds;
    p->matters = false;
    return ERR_OK;
}

static enum err load(struct poster *p, struct store_view *v, struct message *out, uint64_t block,
                     struct err_ctx *ec) {
    struct index_source src = {.log = p->o.ledger->log, .receipts = p->o.ledger->receipts};
    return index_load_message(out, &p->arena, &src, v, block, ec);
}

static enum err collect_from(struct poster *p, struct store_view *v, struct err_ctx *ec) {
    while (p->next_block <= store_view_block(v) && !batch_builder_state(p->builder).full) {
        struct message m;
        arena_reset(&p->arena);
        TRY(load(p, v, &m, p->next_block, ec));
        enum err e = batch_builder_add(p->builder, &m);
        if (e == ERR_TOO_LARGE)
            return ERR_OK;
        if (e != ERR_OK)
            FAIL(ec, e, "block %" PRIu64 " does not fit behind the one before it in a batch",
                 p->next_block);
        if (!p->matters && m.kind != MESSAGE_BATCH_POSTING_REPORT) {
            p->matters = true;
            p->since_ms = now_ms();
            if (message_is_sequenced(&m) && m.timestamp < p->since_ms / 1000)
                p->since_ms = m.timestamp * 1000; /* made by an earlier run */
        }
        p->next_block++;
    }
    return ERR_OK;
}

/* Takes what became durable meanwhile into the builder. */
static enum err collect(struct poster *p, struct err_ctx *ec) {
    uint64_t count = batches_count(p->o.batches), durable = store_durable(p->o.ledger->store);
    struct store_view *v;
    if (p->builder == NULL || count != p->count || settle_status(p->o.settle).rewinds != p->rewinds)
        TRY(begin_batch(p, count, ec));
    if (durable == STORE_NO_BLOCK || p->next_block > durable)
        return ERR_OK;
    TRY(store_view_open(&v, p->o.ledger->store, durable));
    enum err e = collect_from(p, v, ec);
    if (e != ERR_OK || store_view_stale(v)) /* undone meanwhile: begin again */
        drop_builder(p);
    if (e != ERR_OK && store_view_stale(v))
        e = ERR_OK;
    store_view_close(v);
    return e;
}

static bool is_due(struct poster *p) {
    if (p->builder == NULL)
        return false;
    struct batch_builder_state s = batch_builder_state(p->builder);
    if (s.message_count == 0)
        return false;
    if (s.full)
        return true;
    if (!p->matters)
        return headroom_permille() < POSTER_REPORTS_PERMILLE;
    return now_ms() >= p->since_ms + p->o.max_age_ms || atomic_load(&p->flush) ||
           headroom_permille() < POSTER_PRESSURE_PERMILLE ||
           sequencer_backlog_refused(p->o.sequencer);
}

/* --- comparing ------------------------------------------------------------------------------- */
/* Every message of the payload, read under `h`, is the log's. */
static enum err compare_under(struct poster *p, struct store_view *v, const struct batch_header *h,
                              uint64_t delayed_before, bytes payload, struct err_ctx *ec) {
    struct batch_reader *r;
    struct batch_item item;
    uint64_t block = p->first_block;
    TRY(batch_reader_new(&r, h, delayed_before, payload));
    enum err e = ERR_OK;
    while (e == ERR_OK && batch_next(r, &item)) {
        struct message m;
        arena_reset(&p->arena);
        if (block >= p->next_block)
            e = err_set(ec, ERR_MISMATCH, __FILE__, __LINE__,
                        "the batch decodes to more messages than its %" PRIu64 " blocks",
                        p->next_block - p->first_block);
        if (e == ERR_OK)
            e = load(p, v, &m, block, ec);
        if (e == ERR_OK && !batch_item_is(&item, &m))
            e = err_set(ec, ERR_MISMATCH, __FILE__, __LINE__,
                        "block %" PRIu64 " would come out of the batch with another message (stamp "
                        "%" PRIu64 ", l1 block %" PRIu64 ")",
                        block, m.timestamp, m.l1_block);
        block++;
    }
    batch_reader_free(r);
    if (e == ERR_OK && block != p->next_block)
        FAIL(ec, ERR_MISMATCH, "the batch decodes to fewer messages than its blocks");
    return e;
}

/* The header of a batch that arrives now, and of one that comes as late as may be. */
static void headers_at(const struct poster *p, const struct parent_block *latest,
                       uint64_t after_delayed, struct batch_header *soon,
                       struct batch_header *later) {
    const struct batch_time_bounds *b = &p->o.bounds;
    uint64_t now_s = now_ms() / 1000, late_s = POSTER_LATE_S;
    uint64_t from_s = latest->timestamp > now_s ? latest->timestamp : now_s;
    uint64_t late_blocks = POSTER_LATE_S / L3_SECONDS_PER_L1_BLOCK;
    if (late_s > b->delay_seconds / POSTER_LATE_PART)
        late_s = b->delay_seconds / POSTER_LATE_PART;
    if (late_blocks > b->delay_blocks / POSTER_LATE_PART)
        late_blocks = b->delay_blocks / POSTER_LATE_PART;
    uint64_t there_s = settle_parent_time(p->o.settle, now_s);
    if (there_s < latest->timestamp)
        there_s = latest->timestamp;
    *soon = batch_header_at(b, there_s, latest->l1_block, after_delayed);
    *later = batch_header_at(b, from_s + late_s, latest->l1_block + late_blocks, after_delayed);
}

/* Under the bounds of a batch that arrives with the parent's next block, and of one that comes
 * late. */
static enum err compare(struct poster *p, const struct batch_header *soon,
                        const struct batch_header *later, bytes payload, struct err_ctx *ec) {
    struct batch_row row;
    struct store_view *v;
    if (!batches_at(p->o.batches, p->count - 1, &row))
        FAIL(ec, ERR_CORRUPT, "the row of batch %" PRIu64 " cannot be read", p->count - 1);
    TRY(store_view_open(&v, p->o.ledger->store, p->next_block - 1));
    enum err e = compare_under(p, v, soon, row.delayed_read, payload, ec);
    if (e == ERR_OK)
        e = compare_under(p, v, later, row.delayed_read, payload, ec);
    store_view_close(v);
    return e;
}

/* --- sending --------------------------------------------------------------------------------- */
static enum err write_intent(struct poster *p, const struct tx_signed *tx, struct err_ctx *ec) {
    struct intent i = {.batch = p->count,
                       .first_block = p->first_block,
                       .last_block = p->next_block - 1,
                       .tx_hash = tx->hash,
                       .nonce = tx->nonce,
                       .raw = tx->raw};
    struct store_view *v;
    struct buf b;
    TRY(store_view_open(&v, p->o.ledger->store, i.last_block));
    i.last_hash = index_hash_of(v, i.last_block);
    store_view_close(v);
    buf_init(&b, INTENT_MAX_BYTES);
    intent_pack(&b, &i);
    enum err e = b.overflow ? ERR_TOO_LARGE : sequencer_write_intent(p->o.sequencer, buf_bytes(&b));
    buf_clear(&b);
    if (e != ERR_OK)
        FAIL(ec, e, "the intent to post batch %" PRIu64 " cannot be written", i.batch);
    return ERR_OK;
}

uint64_t poster_retry_ms(unsigned reverts) {
    uint64_t ms = POSTER_RETRY_MS;
    for (unsigned i = 1; i < reverts && ms < POSTER_RETRY_MAX_MS; i++)
        ms *= 2;
    return ms;
}

static void back_off(struct poster *p, uint64_t ms) {
    p->retry_ms = now_ms() + ms;
    metric_add(&node_post_failures, 1);
}

/* The transaction has met its end. */
static void report(struct poster *p, const struct tx_flight *r, uint64_t batch) {
    switch (r->outcome) {
    case TX_OUTCOME_MINED:
        log_info("poster", "batch is posted", log_u64("batch", batch),
                 log_hash("tx", &r->receipt.tx_hash), log_u64("parent_block", r->receipt.block_num),
                 log_u64("gas", r->receipt.gas_used));
        metric_add(&node_batches_posted, 1);
        return;
    case TX_OUTCOME_REPLACED:
        log_warn("poster", "another transaction took its nonce", log_u64("batch", batch));
        break;
    case TX_OUTCOME_REVERTED:
    case TX_OUTCOME_REFUSED:
    case TX_OUTCOME_UNDERPRICED:
    case TX_OUTCOME_NO_FUNDS:
        log_error("poster", "a batch was not taken", log_u64("batch", batch),
                  log_str("why", r->outcome == TX_OUTCOME_NO_FUNDS ? "the account cannot pay"
                                                                   : r->reason));
        break;
    case TX_OUTCOME_PENDING:
        log_warn("poster", "a batch is not mined yet", log_u64("batch", batch));
        break;
    }
    back_off(p, r->outcome == TX_OUTCOME_REVERTED ? poster_retry_ms(++p->reverts)
                                                  : (uint64_t)POSTER_RETRY_MS);
}

/* Whether the parent has the transaction in no block, or in one where it failed: a re-org runs what
 * it brings back on another state. */
static bool is_taken_back(struct poster *p, const hash32 *tx) {
    struct parent_receipt r;
    enum err e = parent_get_receipt(p->parent, &r, tx, NULL);
    return e == ERR_NOT_FOUND || (e == ERR_OK && !r.ok);
}

/* Until the batch is in the chain as the follower reads it, or the parent has taken it back. */
static void await_read_back(struct poster *p, uint64_t batch, const hash32 *tx) {
    for (unsigned i = 1; !atomic_load(&p->stopping) && batches_count(p->o.batches) <= batch; i++) {
        measure_headroom(p);
        if (i % CHECK_STEPS == 0 && is_taken_back(p, tx)) {
            log_warn("poster", "the parent has taken a batch back", log_u64("batch", batch));
            tx_sender_forget(p->sender);
            return;
        }
        if (parent_sleep(p->parent, FLUSH_STEP_MS) != ERR_OK)
            return;
    }
}

static enum err bump(struct poster *p, unsigned bumps, struct err_ctx *ec) {
    struct tx_signed tx;
    struct tx_flight r;
    arena_reset(&p->arena);
    TRY(tx_sender_bump(p->sender, &p->arena, &tx, ec));
    TRY(write_intent(p, &tx, ec));
    log_warn("poster", "sending again with a higher fee", log_u64("batch", p->count),
             log_u64("times", bumps + 1));
    return tx_sender_submit(p->sender, &tx, &r, ec);
}

/* Waits for what is in flight. */
static enum err land(struct poster *p, uint64_t batch, struct tx_flight *r, struct err_ctx *ec) {
    uint64_t began_s = now_ms() / 1000;
    unsigned bumps = 0;
    while (r->outcome == TX_OUTCOME_PENDING) {
        if (atomic_load(&p->stopping))
            return ERR_CLOSED;
        measure_headroom(p);
        enum err e = tx_sender_wait(p->sender, WAIT_STEP_MS, r, ec);
        if (e == ERR_IO)
            continue; /* the parent is away; the bytes are durable */
        TRY(e);
        /* The follower saw it first; or the parent may have lost it, and the blocks that it holds
         * may not be the chain's any more: the next look says what is to be posted. */
        if (batches_count(p->o.batches) > batch || mirror_state(p->o.mirror).cuts != p->cuts ||
            settle_status(p->o.settle).rewinds != p->rewinds) {
            tx_sender_forget(p->sender);
            return ERR_OK;
        }
        if (r->outcome == TX_OUTCOME_PENDING &&
            now_ms() / 1000 - began_s >= tx_sender_bump_after_s(bumps)) {
            e = bump(p, bumps++, ec);
            if (e != ERR_OK && e != ERR_UNSUPPORTED && e != ERR_TOO_LARGE && e != ERR_IO)
                return e;
        }
    }
    report(p, r, batch);
    if (r->outcome == TX_OUTCOME_MINED)
        await_read_back(p, batch, &r->receipt.tx_hash);
    return ERR_OK;
}

static enum err send(struct poster *p, const struct batch_post *post, struct err_ctx *ec) {
    struct buf calldata;
    struct tx_signed tx;
    struct tx_flight r = {.outcome = TX_OUTCOME_PENDING};
    char reason[256] = "";
    buf_init(&calldata, TX_SENDER_RAW_MAX_BYTES);
    batch_post_calldata(&calldata, post);
    struct tx_request q = {.to = p->o.sequencer_inbox, .data = buf_bytes(&calldata)};
    arena_reset(&p->arena);
    enum err e = calldata.overflow ? ERR_TOO_LARGE
                                   : tx_sender_prepare(p->sender, &p->arena, &tx, &q, reason, ec);
    buf_clear(&calldata);
    if (e == ERR_INVALID && reason[0] != '\0')
        FAIL(ec, e, "the inbox would not take batch %" PRIu64 ": %s", p->count, reason);
    TRY(e);
    TRY(write_intent(p, &tx, ec));
    e = tx_sender_submit(p->sender, &tx, &r, ec);
    if (e == ERR_IO)
        r.outcome = TX_OUTCOME_PENDING; /* it may have arrived */
    else if (e != ERR_OK)
        return e;
    log_info("poster", "batch is sent", log_u64("batch", p->count), log_hash("tx", &tx.hash),
             log_u64("first_block", p->first_block), log_u64("last_block", p->next_block - 1),
             log_u64("bytes", BATCH_HEADER_BYTES + post->payload.len));
    return land(p, p->count, &r, ec);
}

static enum err endpoints_agree(struct poster *p, struct err_ctx *ec) {
    struct parent_agreement a;
    if (parent_endpoint_count(p->parent) < 2)
        return ERR_OK;
    TRY(parent_check_agreement(p->parent, &a, POSTER_AGREE_DEPTH, ec));
    if (!a.agree)
        FAIL(ec, ERR_MISMATCH, "the parent's endpoints disagree: %s", a.reason);
    return ERR_OK;
}

/* Whether the inbox would change stamps, and new ones would help. What is too old is so for good;
 * what is too new (an endpoint told a time or block that was none) helps only once blocks of now
 * are within the bounds. */
static bool needs_stamps(struct poster *p, const struct batch_builder_state *s,
                         const struct batch_header *soon, const struct batch_header *later) {
    uint64_t now = now_ms();
    if (p->restamp_first == p->first_block && now < p->restamp_ms + POSTER_RESTAMP_MS)
        return false;
    return batch_builder_is_below(s, later) ||
           (batch_builder_is_above(s, soon) &&
            settle_timestamp(p->o.settle, now / 1000) <= soon->max_timestamp &&
            settle_l1_block(p->o.settle) <= soon->max_block);
}

static void restamp(struct poster *p) {
    log_error("poster", "blocks are outside the inbox's bounds: they get new stamps",
              log_u64("first_block", p->first_block), log_u64("last_block", p->next_block - 1));
    settle_restamp(p->o.settle);
    p->restamp_ms = now_ms();
    p->restamp_first = p->first_block;
    p->retry_ms = now_ms() + WAIT_STEP_MS;
    drop_builder(p);
}

static enum err post_batch(struct poster *p, struct err_ctx *ec) {
    struct parent_block latest;
    struct batch_header soon, later;
    struct batch_builder_state s = batch_builder_state(p->builder);
    struct buf payload;
    hash32 reported;
    TRY(endpoints_agree(p, ec));
    TRY(parent_get_block(p->parent, &latest, parent_tagged(PARENT_LATEST), ec));
    TRY(parent_view(p->parent, &reported, &p->o.bridge, ABI_SEQUENCER_REPORTED_COUNT,
                    bytes_of(NULL, 0), parent_tagged(PARENT_LATEST), ec));
    headers_at(p, &latest, s.after_delayed, &soon, &later);
    if (needs_stamps(p, &s, &soon, &later)) {
        restamp(p);
        return ERR_OK;
    }
    buf_init(&payload, BATCH_MAX_BYTES);
    enum err e =
        batch_builder_finish(p->builder, &payload, s.full ? BATCH_QUALITY : BATCH_QUALITY_AGED);
    if (e == ERR_OK)
        e = compare(p, &soon, &later, buf_bytes(&payload), ec);
    if (e == ERR_OK) {
        struct batch_post post = {.seq_num = p->count,
                                  .payload = buf_bytes(&payload),
                                  .after_delayed = s.after_delayed,
                                  .prev_message_count = be64_load(reported.b + 24),
                                  .new_message_count = p->next_block};
        e = send(p, &post, ec);
    }
    buf_clear(&payload);
    drop_builder(p);
    return e;
}

/* --- after a crash --------------------------------------------------------------------------- */
/* Whether what the INTENT says is still to be posted just so. */
static bool still_wanted(struct poster *p, const struct intent *i) {
    struct batch_row row;
    struct store_view *v;
    uint64_t count = batches_count(p->o.batches), durable = store_durable(p->o.ledger->store);
    if (count != i->batch || count == 0 || !batches_at(p->o.batches, count - 1, &row) ||
        row.last_block + 1 != i->first_block || durable == STORE_NO_BLOCK ||
        durable < i->last_block || store_view_open(&v, p->o.ledger->store, durable) != ERR_OK)
        return false;
    hash32 h = index_hash_of(v, i->last_block);
    store_view_close(v);
    return hash32_eq(&h, &i->last_hash);
}

static enum err resume(struct poster *p, struct err_ctx *ec) {
    struct intent i;
    struct tx_signed tx;
    struct tx_flight r = {.outcome = TX_OUTCOME_PENDING};
    bytes payload = p->o.intent;
    p->o.intent = bytes_of(NULL, 0);
    enum err e = intent_unpack(&i, payload);
    if (e == ERR_OK && still_wanted(p, &i)) {
        p->count = i.batch;
        p->first_block = i.first_block;
        p->next_block = i.last_block + 1;
        p->rewinds = settle_status(p->o.settle).rewinds;
        arena_reset(&p->arena);
        e = tx_sender_adopt(p->sender, &p->arena, &tx, i.raw, ec);
        if (e == ERR_OK) {
            log_info("poster", "an earlier run's batch is sent again", log_u64("batch", i.batch),
                     log_hash("tx", &tx.hash));
            e = tx_sender_submit(p->sender, &tx, &r, ec);
        }
        if (e == ERR_OK || e == ERR_IO)
            e = land(p, i.batch, &r, ec);
        else if (e == ERR_INVALID)
            e = ERR_OK; /* another account posts now */
    } else {
        e = ERR_OK;
    }
    free((void *)(uintptr_t)payload.ptr);
    return e;
}

/* --- the thread ------------------------------------------------------------------------------ */
static enum err step(struct poster *p, struct err_ctx *ec) {
    struct settle_status s = settle_status(p->o.settle);
    measure_headroom(p);
    if (!s.caught_up || !s.genesis_checked || now_ms() < p->retry_ms)
        return ERR_OK;
    if (p->sender == NULL)
        TRY(tx_sender_connect(&p->sender, p->parent, p->o.parent.chain_id, p->o.key, ec));
    uint64_t cuts = mirror_state(p->o.mirror).cuts;
    if (cuts != p->cuts)
        tx_sender_forget(p->sender); /* nonces went back */
    p->cuts = cuts;
    if (p->o.intent.ptr != NULL)
        TRY(resume(p, ec));
    TRY(collect(p, ec));
    return is_due(p) ? post_batch(p, ec) : ERR_OK;
}

static void *poster_main(void *arg) {
    struct poster *p = arg;
    struct err_ctx ec;
    while (!atomic_load(&p->stopping)) {
        ec.err = ERR_OK;
        enum err e = step(p, &ec);
        if (e == ERR_CLOSED)
            break;
        if (e != ERR_OK) {
            if (p->sender != NULL)
                tx_sender_forget(p->sender);
            drop_builder(p);
            back_off(p, POSTER_RETRY_MS);
            log_error("poster", "no batch is posted", log_error_code(e),
                      log_str("why", ec.err == e ? ec.text : err_text(e)));
        }
        if (parent_sleep(p->parent, atomic_load(&p->flush) ? FLUSH_STEP_MS : POSTER_POLL_MS) !=
            ERR_OK)
            break;
    }
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------ */
static enum err start(struct poster *p, struct err_ctx *ec) {
    TRY(parent_new(&p->parent, &p->o.parent, ec));
    if (pthread_create(&p->thread, NULL, poster_main, p) != 0)
        FAIL(ec, ERR_NOMEM, "cannot start the poster's thread");
    p->has_thread = true;
    return ERR_OK;
}

enum err poster_start(struct poster **out, const struct poster_options *o, struct err_ctx *ec) {
    struct poster *p = calloc(1, sizeof(*p));
    if (p == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory");
    p->o = *o;
    p->o.parent.stop = &p->stopping;
    p->o.intent = bytes_of(NULL, 0);
    arena_init(&p->arena, ARENA_CHUNK, ARENA_MAX);
    if (o->intent.len > 0) {
        uint8_t *copy = malloc(o->intent.len);
        if (copy != NULL)
            memcpy(copy, o->intent.ptr, o->intent.len);
        p->o.intent = bytes_of(copy, copy != NULL ? o->intent.len : 0);
    }
    enum err e = start(p, ec);
    if (e != ERR_OK) {
        poster_stop(p);
        return e;
    }
    *out = p;
    return ERR_OK;
}

/* Whether all durable blocks that matter are on the parent. */
static bool all_posted(struct poster *p) {
    struct batch_row row;
    uint64_t count = batches_count(p->o.batches), durable = store_durable(p->o.ledger->store);
    struct store_view *v;
    if (!settle_status(p->o.settle).caught_up)
        return false;
    if (count == 0 || !batches_at(p->o.batches, count - 1, &row) || durable == STORE_NO_BLOCK)
        return true;
    if (store_view_open(&v, p->o.ledger->store, durable) != ERR_OK)
        return true;
    bool all = true;
    struct arena a;
    struct index_source src = {.log = p->o.ledger->log, .receipts = p->o.ledger->receipts};
    arena_init(&a, 1 << 16, ARENA_MAX);
    for (uint64_t b = row.last_block + 1; all && b <= durable; b++) {
        struct message m;
        arena_reset(&a);
        if (index_load_message(&m, &a, &src, v, b, NULL) != ERR_OK)
            break;
        all = m.kind == MESSAGE_BATCH_POSTING_REPORT;
    }
    arena_clear(&a);
    store_view_close(v);
    return all;
}

void poster_flush(struct poster *p, uint64_t timeout_ms) {
    struct timespec pause = {.tv_nsec = FLUSH_STEP_MS * 1000000};
    uint64_t end = now_ms() + timeout_ms;
    atomic_store(&p->flush, true);
    bool all;
    while (!(all = all_posted(p)) && now_ms() < end)
        nanosleep(&pause, NULL);
    atomic_store(&p->flush, false);
    if (!all)
        log_warn("poster", "blocks are left for the next run to post",
                 log_u64("waited_ms", timeout_ms));
}

void poster_stop(struct poster *p) {
    if (p == NULL)
        return;
    atomic_store(&p->stopping, true);
    if (p->has_thread)
        pthread_join(p->thread, NULL);
    drop_builder(p);
    tx_sender_free(p->sender);
    parent_free(p->parent);
    free((void *)(uintptr_t)p->o.intent.ptr);
    explicit_bzero(p->o.key, sizeof(p->o.key));
    arena_clear(&p->arena);
    free(p);
}
