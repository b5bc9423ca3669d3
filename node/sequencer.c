/* SPDX-License-Identifier: Apache-2.0 */
#include "node/sequencer_internal.h"

#include "base/check.h"
#include "base/log.h"
#include "node/metrics.h"

#include <stdlib.h>
#include <time.h>

enum {
    NS_PER_MS = 1000000,
    INGRESS_RING = SEQUENCER_INGRESS_MAX,
    DURABLE_RING = 4096,
    EXPIRE_EVERY_MS = 60000,
    RESORT_EVERY_MS = 1000,
    INTAKE_GRACE_MS = 5,
    UNSYNCED_STEP = 8,   /* blocks: with so many unsynced, one may be longer by INTAKE_GRACE_MS */
    GIVEN_PER_LOOK = 64, /* transactions between two looks at the ring while any are ready */
};

static uint64_t now_ns(const struct sequencer *s) {
    return clock_monotonic_ns(s->o.clock);
}

/* Processor time of this thread: what executing takes, whatever else runs meanwhile. */
static uint64_t cpu_ns(void) {
    struct timespec t;
    CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static bool stopping(struct sequencer *s) {
    return atomic_load_explicit(&s->stopping, memory_order_relaxed);
}

void sequencer_fail(struct sequencer *s, enum err e, const struct err_ctx *ec) {
    if (atomic_exchange(&s->failed, true))
        return;
    if (ec != NULL && ec->err == e)
        s->why = *ec;
    else
        (void)err_set(&s->why, e, __FILE__, __LINE__, "%s", err_text(e));
    atomic_store(&s->failed_told, true);
    log_error("sequencer", "stopped: nothing more is acknowledged", log_error_code(e),
              log_str("why", ec != NULL && ec->err == e ? ec->text : err_text(e)));
    s->o.failed(s->o.failed_ctx);
    ring_kick(&s->ingress);
}

bool sequencer_failed(struct sequencer *s, struct err_ctx *ec) {
    bool failed = atomic_load(&s->failed_told);
    if (failed && ec != NULL)
        *ec = s->why;
    return failed;
}

/* --- the feed of an open block ------------------------------------------------------------- */
/* Milliseconds until a moment, rounded up, at least 0. */
static int ms_until(uint64_t now, uint64_t then) {
    if (then <= now)
        return 0;
    uint64_t ms = (then - now + NS_PER_MS - 1) / NS_PER_MS;
    return ms > 60000 ? 60000 : (int)ms;
}

/* What waits in the ring for another lane than that of `next` must get its turn too: it is taken,
 * with all before it, and so is what may be for another. What waits for the same lane is taken when
 * nothing is ready. */
static void look_for_other_lanes(struct sequencer *s, const struct pool_tx *next) {
    s->given = 0;
    if (!submit_others_wait(s, next->lane->universe))
        return;
    uint64_t begun = cpu_ns(), begun_ns = now_ns(s);
    intake_run_all(s);
    s->intake_cpu_ns += cpu_ns() - begun;
    if (s->tried == 0) /* else a block could be over before it began */
        s->closes_ns += now_ns(s) - begun_ns;
}

/* Of the pool, NULL when the block is to close: it is as long as it may be, or has no room for the
 * next one, which begins the next block: order holds. *out_empty: nothing is ready. */
static struct pool_tx *next_ready(struct sequencer *s, uint64_t gas_left, size_t bytes_left,
                                  bool *out_empty) {
    *out_empty = false;
    /* One that is refused counts: a stream of those must not keep the block open without end. And
     * each block tries one, so that they do come to an end. */
    if (s->tried != 0 && now_ns(s) >= s->closes_ns)
        return NULL;
    for (;;) {
        struct pool_tx *t = pool_first_ready(s->o.pool);
        if (t != NULL && s->given >= GIVEN_PER_LOOK) {
            look_for_other_lanes(s, t);
            t = pool_first_ready(s->o.pool);
        }
        *out_empty = t == NULL;
        if (t == NULL || (t->tx.gas_limit <= gas_left && t->tx.raw.len <= bytes_left))
            return t;
        if (s->in_block_first != NULL)
            return NULL;
        intake_refuse_verdict(s, t, TX_GAS_LIMIT_BLOCK); /* the limit was lowered while it waited */
    }
}

static const struct tx *find_next(struct sequencer *s, uint64_t gas_left, size_t bytes_left) {
    for (;;) {
        bool empty;
        struct pool_tx *t = next_ready(s, gas_left, bytes_left, &empty);
        if (t != NULL) {
            s->given++;
            s->tried++;
            return &t->tx;
        }
        if (!empty)
            return NULL;
        uint64_t now = now_ns(s);
        if (now >= s->closes_ns || (s->in_block_first != NULL &&
                                    now >= s->gap_ends_ns + (uint64_t)INTAKE_GRACE_MS * NS_PER_MS))
            return NULL; /* garbage that keeps coming must not keep the block open */
        uint64_t begun = cpu_ns();
        size_t taken = intake_run(s);
        s->intake_cpu_ns += cpu_ns() - begun;
        s->given = 0;
        if (taken > 0)
            continue;
        if (now >= s->gap_ends_ns || stopping(s) || atomic_load(&s->failed))
            return NULL;
        ring_wait(&s->ingress, ms_until(now, s->gap_ends_ns));
    }
}

static struct pool_tx *pool_tx_of(const struct tx *tx) {
    return (struct pool_tx *)((char *)(uintptr_t)tx - offsetof(struct pool_tx, tx));
}

static const struct tx *feed_next(void *ctx, uint64_t gas_left, size_t bytes_left) {
    struct sequencer *s = ctx;
    uint64_t begun = now_ns(s);
    const struct tx *tx = find_next(s, gas_left, bytes_left);
    uint64_t taken = now_ns(s);
    s->fed_ns += taken - begun;
    if (tx != NULL)
        pool_tx_of(tx)->taken_ns = taken;
    return tx;
}

/* A type-4 transaction raises the nonces of those who signed its authorizations. */
static void rebase_authorities(struct sequencer *s, const struct tx *tx) {
    intake_rebase(s, &tx->sender);
    for (size_t i = 0; i < tx->auth_count; i++)
        if (tx->auths[i].authority_ok)
            intake_rebase(s, &tx->auths[i].authority);
}

static void feed_done(void *ctx, const struct tx *tx, enum tx_verdict v,
                      const struct derived_tx *d) {
    struct sequencer *s = ctx;
    struct pool_tx *t = pool_tx_of(tx);
    if (v != TX_OK) {
        intake_refuse_verdict(s, t, v);
        return;
    }
    pool_executed(s->o.pool, t, d->result.gas_used);
    const struct node_watcher *w = atomic_load_explicit(&s->watcher, memory_order_acquire);
    if (w != NULL)
        w->pending(w->ctx, &tx->hash);
    s->pool_changed = s->pool_changed || t->record_seq != 0;
    t->next_ready = NULL;
    *s->in_block_last = t;
    s->in_block_last = &t->next_ready;
    if (tx->type == TX_SET_CODE)
        rebase_authorities(s, tx);
}

/* --- blocks -------------------------------------------------------------------------------- */
static uint64_t l1_block_at(const struct sequencer *s, uint64_t timestamp) {
    /* Without a parent the number is a function of time; with one that nobody follows, delayed
     * messages alone move it. */
    if (s->o.settle != NULL)
        return settle_l1_block(s->o.settle);
    return s->o.ledger->genesis->config.has_parent ? 0 : timestamp / L3_SECONDS_PER_L1_BLOCK;
}

/* The block is executed: write, let sync, seal, hand over. */
enum err sequencer_finish_block(struct sequencer *s, struct err_ctx *ec) {
    struct ledger *l = s->o.ledger;
    struct log_record rec;
    TRY(ledger_append(l, &s->block, &rec, ec));
    struct durable_item item = {.kind = DURABLE_SYNC, .seq = rec.seq};
    durable_push(s, &item);
    if (s->pool_changed)
        l->pool_floor = pool_floor(s->o.pool);
    s->pool_changed = false;
    uint64_t begun = now_ns(s);
    for (size_t i = 0; i < s->block.attribution_count; i++)
        lane_map_put(&s->universes, &s->block.attributions[i].contract,
                     s->block.attributions[i].universe);
    TRY(ledger_apply(l, &s->block, &rec, ec));
    if (s->o.settle != NULL)
        TRY(unposted_add_block(&s->unposted, l, &s->universes, &s->block));
    node_observe_since(&node_seal_us, begun, now_ns(s));
    metric_observe(&node_block_txs, s->block.tx_count);
    metric_add(&node_blocks, 1);
    metric_add(&node_txs, s->block.tx_count);
    metric_add(&node_gas, l->head.gas_used);
    atomic_fetch_add(&s->unsynced, 1);
    item = (struct durable_item){
        .kind = DURABLE_BLOCK, .seq = rec.seq, .block = l->head.number, .txs = s->in_block_first};
    durable_push(s, &item);
    s->seal_due = true;
    return ERR_OK;
}

static void make_block(struct sequencer *s) {
    struct ledger *l = s->o.ledger;
    struct err_ctx ec;
    struct tx_feed feed = {.ctx = s, .next = feed_next, .done = feed_done};
    uint64_t opened = now_ns(s), cpu = cpu_ns(), timestamp = clock_realtime_ms(s->o.clock) / 1000;
    if (s->o.settle != NULL)
        timestamp = settle_timestamp(s->o.settle, timestamp);
    s->gap_ends_ns = s->last_block_ns + atomic_load(&s->block_gap_ms) * NS_PER_MS;
    /* While the disk is behind blocks grow. */
    uint64_t most_ms = INTAKE_GRACE_MS * (1 + (uint64_t)atomic_load(&s->unsynced) / UNSYNCED_STEP);
    s->closes_ns = (opened > s->gap_ends_ns ? opened : s->gap_ends_ns) + most_ms * NS_PER_MS;
    s->in_block_first = NULL;
    s->in_block_last = &s->in_block_first;
    s->fed_ns = s->intake_cpu_ns = 0;
    s->tried = 0;
    s->given = GIVEN_PER_LOOK; /* a block begins with a look */
    enum err e = chain_sequence_block(&s->block, l->chain, &l->arena, &l->head, timestamp,
                                      l1_block_at(s, timestamp), &feed, &ec);
    if (e == ERR_OK) { /* else nobody has to wait for the next one, nor the SEAL */
        s->last_block_ns = now_ns(s);
        node_observe_since(&node_execute_us, opened + s->fed_ns, s->last_block_ns);
        e = sequencer_finish_block(s, &ec);
    }
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        sequencer_fail(s, e, &ec);
    arena_reset(&l->arena);
    if (e == ERR_OK)
        checkpointer_after_block(s->checkpointer, cpu_ns() - cpu - s->intake_cpu_ns, &s->failed);
}

static void write_seal(struct sequencer *s) {
    struct err_ctx ec;
    s->seal_due = false;
    enum err e = ledger_seal(s->o.ledger, &ec);
    if (e != ERR_OK) {
        sequencer_fail(s, e, &ec);
        return;
    }
    struct durable_item item = {.kind = DURABLE_SYNC, .seq = wal_last_seq(s->o.ledger->log)};
    durable_push(s, &item);
}

static void expire(struct sequencer *s, uint64_t now) {
    uint64_t ms = clock_realtime_ms(s->o.clock);
    s->expire_ns = now + (uint64_t)EXPIRE_EVERY_MS * NS_PER_MS;
    struct pool_tx *t =
        ms > POOL_LIFETIME_MS ? pool_expire(s->o.pool, ms - POOL_LIFETIME_MS) : NULL;
    for (struct pool_tx *next; t != NULL; t = next) {
        next = t->next_ready;
        pool_tx_free(t);
        s->pool_changed = true;
    }
}

/* Between blocks, every now and then, under load as well. */
static void look_after_pool(struct sequencer *s) {
    uint64_t now = now_ns(s);
    if (now >= s->expire_ns)
        expire(s, now);
    if (now < s->resort_ns)
        return;
    s->resort_ns = now + (uint64_t)RESORT_EVERY_MS * NS_PER_MS;
    intake_refresh_records(s);
    /* The nonce of a delegated account (EIP-7702) moves in anybody's transaction when its code
     * creates a contract: what waited for that nonce would not learn of it. */
    if (s->resorted_at != s->o.ledger->head.number && pool_has_gapped(s->o.pool))
        intake_rebase_all(s);
    s->resorted_at = s->o.ledger->head.number;
}

/* --- the thread ---------------------------------------------------------------------------- */
/* Nothing is ready: sleep until there is, or something is due. */
static void idle(struct sequencer *s) {
    uint64_t now = now_ns(s), until = s->expire_ns;
    if (s->resorted_at != s->o.ledger->head.number && s->resort_ns < until)
        until = s->resort_ns;
    uint64_t seal_at = s->last_block_ns + (uint64_t)SEQUENCER_SEAL_MS * NS_PER_MS;
    if (s->seal_due && seal_at <= now) {
        write_seal(s);
        return;
    }
    if (s->seal_due && seal_at < until)
        until = seal_at;
    ring_wait(&s->ingress, ms_until(now, until));
}

/* What is left at a stop is refused. */
static void refuse_rest(struct sequencer *s) {
    struct pool_tx *t;
    while ((t = pool_first_ready(s->o.pool)) != NULL) {
        pool_remove(s->o.pool, t);
        submit_refuse(t, -32000, "the node is shutting down");
        pool_tx_free(t);
    }
    while (submit_take(s, &t, 1) == 1) {
        submit_refuse(t, -32000, "the node is shutting down");
        pool_tx_free(t);
    }
}

static bool may_stop(struct sequencer *s) {
    if (!stopping(s))
        return false;
    uint64_t now = now_ns(s);
    if (s->stop_ns == 0)
        s->stop_ns = now + (uint64_t)SEQUENCER_STOP_MS * NS_PER_MS;
    return now >= s->stop_ns ||
           (ring_len(&s->ingress) == 0 && pool_first_ready(s->o.pool) == NULL) ||
           (s->o.settle != NULL && !settle_may_sequence(s->o.settle));
}

static void *sequencer_main(void *arg) {
    struct sequencer *s = arg;
    (void)pthread_setname_np(pthread_self(), "sequencer");
    while (!atomic_load(&s->failed) && !may_stop(s)) {
        intake_run(s);
        sequencer_serve_intent(s);
        look_after_pool(s);
        if (s->o.settle != NULL && settle_turn(s->o.settle, s))
            continue;
        if (pool_first_ready(s->o.pool) == NULL ||
            (s->o.settle != NULL && !settle_may_sequence(s->o.settle)))
            idle(s);
        else if (atomic_load(&s->unsynced) >= SEQUENCER_BLOCKS_UNSYNCED_MAX)
            ring_wait(&s->ingress, 1); /* the disk is behind: blocks grow instead of piling up */
        else
            make_block(s);
    }
    refuse_rest(s);
    kv_queue_close(&s->kv);
    if (s->seal_due && !atomic_load(&s->failed))
        write_seal(s);
    struct durable_item end = {.kind = DURABLE_END};
    durable_push(s, &end);
    sequencer_end_intents(s);
    return NULL;
}

/* --- life ---------------------------------------------------------------------------------- */
static void checkpoint_failed(void *ctx, enum err e, const struct err_ctx *ec) {
    sequencer_fail(ctx, e, ec);
}

static enum err start(struct sequencer *s, struct err_ctx *ec) {
    if (s->o.settle != NULL)
        TRY(settle_recount(s->o.settle, s, ec));
    TRY(ring_init(&s->ingress, RING_MPSC, INGRESS_RING, sizeof(struct pool_tx *), true));
    TRY(ring_init(&s->durable, RING_SPSC, DURABLE_RING, sizeof(struct durable_item), true));
    s->checkpointer = checkpointer_start(s->o.ledger, checkpoint_failed, s);
    if (s->checkpointer == NULL)
        FAIL(ec, ERR_NOMEM, "cannot start the checkpoint thread");
    s->preparer = preparer_start(s->o.ledger->log, s->o.ledger->receipts);
    if (s->preparer == NULL)
        FAIL(ec, ERR_NOMEM, "cannot start the segments' thread");
    s->crew = crew_start(s->o.crew_threads, "crew");
    if (s->crew == NULL)
        FAIL(ec, ERR_NOMEM, "cannot start the threads that help the sequencer's");
    state_trie_share(s->o.ledger->trie, s->crew);
    if (pthread_create(&s->durable_thread, NULL, durable_main, s) != 0)
        FAIL(ec, ERR_NOMEM, "cannot start the durable thread");
    s->has_durable_thread = true;
    if (pthread_create(&s->thread, NULL, sequencer_main, s) != 0)
        FAIL(ec, ERR_NOMEM, "cannot start the sequencer thread");
    s->has_thread = true;
    return ERR_OK;
}

void sequencer_set_policy(struct sequencer *s, const struct sequencer_policy *p) {
    atomic_store(&s->block_gap_ms, p->block_gap_ms);
    atomic_store(&s->tx_fee_cap_milli, p->tx_fee_cap_milli);
    atomic_store(&s->da_backlog_max, p->da_backlog_max);
}

enum err sequencer_start(struct sequencer **out, const struct sequencer_options *o,
                         struct err_ctx *ec) {
    struct sequencer *s = calloc(1, sizeof(*s));
    if (s == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory");
    s->o = *o;
    sequencer_set_policy(s, &o->policy);
    kv_queue_init(&s->kv);
    lane_map_init(&s->universes);
    unposted_init(&s->unposted, map_seed_random());
    s->pool_changed = true; /* what recovery brought back is in the pool */
    pthread_mutex_init(&s->intent_lock, NULL);
    pthread_cond_init(&s->intent_done, NULL);
    s->block.header = o->ledger->head; /* whose price errors quote before the first block */
    s->expire_ns = now_ns(s) + (uint64_t)EXPIRE_EVERY_MS * NS_PER_MS;
    enum err e = start(s, ec);
    if (e != ERR_OK) {
        (void)sequencer_stop(s);
        sequencer_free(s);
        return e;
    }
    *out = s;
    return ERR_OK;
}

bool sequencer_stop(struct sequencer *s) {
    atomic_store(&s->stopping, true);
    if (s->has_thread) {
        ring_kick(&s->ingress);
        pthread_join(s->thread, NULL);
    } else if (s->has_durable_thread) {
        struct durable_item end = {.kind = DURABLE_END};
        durable_push(s, &end);
    }
    if (s->has_durable_thread)
        pthread_join(s->durable_thread, NULL);
    if (s->has_thread)
        refuse_rest(s); /* what came between the thread's end and now */
    kv_queue_close(&s->kv);
    s->has_thread = s->has_durable_thread = false;
    checkpointer_stop(s->checkpointer);
    s->checkpointer = NULL;
    preparer_stop(s->preparer);
    s->preparer = NULL;
    state_trie_share(s->o.ledger->trie, NULL);
    crew_stop(s->crew);
    s->crew = NULL;
    return !atomic_load(&s->failed);
}

void sequencer_free(struct sequencer *s) {
    if (s == NULL)
        return;
    ring_clear(&s->ingress);
    ring_clear(&s->durable);
    kv_queue_clear(&s->kv);
    unposted_clear(&s->unposted);
    pthread_mutex_destroy(&s->intent_lock);
    pthread_cond_destroy(&s->intent_done);
    free(s);
}
