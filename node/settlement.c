/* SPDX-License-Identifier: Apache-2.0 */
#include "node/settlement.h"

#include "base/log.h"
#include "node/attester.h"
#include "node/follower.h"
#include "node/headroom.h"
#include "node/poster.h"
#include "node/tombs.h"

#include <stdlib.h>
#include <time.h>

struct settlement {
    struct deployment at;
    struct ledger *ledger;
    struct mirror mirror;
    struct batches batches;
    struct settle *settle;
    struct follower *follower;
    struct poster *poster;
    struct attester *attester;
    struct attester_options attest;
    struct sequencer *sequencer;
    char *urls, *member_urls; /* cut at their commas */
    struct parent_config parent;
    enum follower_finality finality;
    enum settle_role role;
    uint64_t poll_ms, depth, max_age_ms;
    bool has_mirror, posts;
    uint8_t poster_key[32];
    atomic_uint_fast64_t safe, finalized;
    struct node_parent table;
};

/* --- configuration --------------------------------------------------------------------------- */
static enum err split_urls(struct settlement *t, const char *urls, struct err_ctx *ec) {
    t->urls = strdup(urls);
    if (t->urls == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory");
    char *rest = NULL;
    for (char *u = strtok_r(t->urls, ",", &rest); u != NULL; u = strtok_r(NULL, ",", &rest)) {
        if (t->parent.url_count == PARENT_ENDPOINTS_MAX)
            FAIL(ec, ERR_CONFIG, "--parent-url: more than %d endpoints", PARENT_ENDPOINTS_MAX);
        t->parent.urls[t->parent.url_count++] = u;
    }
    return ERR_OK;
}

static enum err read_attester(struct settlement *t, const struct config *c, struct err_ctx *ec) {
    struct attester_options *a = &t->attest;
    char *rest = NULL;
    a->is_member = c->member_key[0] != '\0';
    a->is_proposer = c->proposer_key[0] != '\0';
    a->has_confirmer = t->at.has_confirmer;
    if ((a->is_member || a->is_proposer) && !t->at.has_confirmer)
        FAIL(ec, ERR_CONFIG, "%s names no confirmer, which members and proposers need",
             c->parent_deployment);
    if (a->is_member)
        TRY(account_key_load(a->member_key, c->member_key, c->key_password, ec));
    if (a->is_proposer)
        TRY(account_key_load(a->proposer_key, c->proposer_key, c->key_password, ec));
    t->member_urls = strdup(c->member_urls);
    if (t->member_urls == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory");
    for (char *u = strtok_r(t->member_urls, ",", &rest); u != NULL;
         u = strtok_r(NULL, ",", &rest)) {
        if (a->member_count == ATTESTER_MEMBERS_MAX)
            FAIL(ec, ERR_CONFIG, "--member-urls: more than %d members", ATTESTER_MEMBERS_MAX);
        a->member_urls[a->member_count++] = u;
    }
    a->sequencer_url = c->sequencer_url;
    a->wait_finalized = strcmp(c->assertion_finality, "finalized") == 0;
    a->wait_safe = strcmp(c->assertion_finality, "safe") == 0;
    a->interval_ms = c->assertion_interval * 1000;
    return ERR_OK;
}

static enum err read_config(struct settlement *t, const struct config *c, struct err_ctx *ec) {
    const struct genesis *g = t->ledger->genesis;
    if (!g->config.has_parent)
        FAIL(ec, ERR_CONFIG, "--parent-url: the genesis file names no parent chain");
    TRY(split_urls(t, c->parent_url, ec));
    TRY(deployment_load(&t->at, c->parent_deployment, ec));
    if (t->at.parent_chain_id != g->parent_chain_id)
        FAIL(ec, ERR_MISMATCH,
             "the genesis file names parent chain %llu, the deployment is on chain %llu",
             (unsigned long long)g->parent_chain_id, (unsigned long long)t->at.parent_chain_id);
    t->parent.chain_id = g->parent_chain_id;
    t->role = strcmp(c->role, "validator") == 0 ? SETTLE_VALIDATOR : SETTLE_SEQUENCER;
    if (strcmp(c->delayed_finality, "finalized") == 0)
        t->finality = FOLLOW_FINALIZED;
    else
        t->finality = strcmp(c->delayed_finality, "safe") == 0 ? FOLLOW_SAFE : FOLLOW_LATEST;
    t->depth = c->delayed_depth;
    t->poll_ms = c->parent_poll_ms;
    t->max_age_ms = c->batch_max_age * 1000;
    t->posts = c->poster_key[0] != '\0' && t->role == SETTLE_SEQUENCER;
    TRY(read_attester(t, c, ec));
    return t->posts ? account_key_load(t->poster_key, c->poster_key, c->key_password, ec) : ERR_OK;
}

/* --- what is asked ---------------------------------------------------------------------------- */
/* Raises `at` to the last block of the batches in parent blocks up to `parent_block`. */
static uint64_t raise_tag(struct settlement *t, atomic_uint_fast64_t *at, uint64_t parent_block) {
    struct batch_row row;
    uint64_t n = batches_up_to(&t->batches, parent_block), head = store_durable(t->ledger->store);
    uint_fast64_t now = atomic_load(at);
    if (n > 0 && batches_at(&t->batches, n - 1, &row))
        while (row.last_block > now && !atomic_compare_exchange_weak(at, &now, row.last_block))
            ;
    now = atomic_load(at);
    return head != STORE_NO_BLOCK && now > head ? head : now;
}

static void tags(void *ctx, uint64_t *out_safe, uint64_t *out_finalized) {
    struct settlement *t = ctx;
    struct mirror_heads h = {0};
    bool has = mirror_heads(&t->mirror, &h);
    *out_finalized = has ? raise_tag(t, &t->finalized, h.finalized) : atomic_load(&t->finalized);
    *out_safe = has ? raise_tag(t, &t->safe, h.safe) : atomic_load(&t->safe);
    if (*out_safe < *out_finalized)
        *out_safe = *out_finalized;
}

static bool batch_of(void *ctx, uint64_t block, uint64_t *out_batch) {
    struct settlement *t = ctx;
    struct batch_row row;
    return batches_find(&t->batches, block, out_batch, &row);
}

static uint64_t confirmations(void *ctx, uint64_t block) {
    struct settlement *t = ctx;
    struct batch_row row;
    struct mirror_heads h;
    uint64_t batch;
    if (!batches_find(&t->batches, block, &batch, &row) || !mirror_heads(&t->mirror, &h))
        return 0;
    return h.latest.l1_block > row.l1_block ? h.latest.l1_block - row.l1_block : 0;
}

static bool tombstone(void *ctx, const hash32 *tx_hash, const char **out_reason) {
    struct settlement *t = ctx;
    struct store_view *v;
    uint64_t epoch;
    enum tx_verdict verdict;
    if (store_view_open(&v, t->ledger->store, store_durable(t->ledger->store)) != ERR_OK)
        return false;
    bool has = tombs_find(v, tx_hash, &epoch, &verdict);
    store_view_close(v);
    if (has)
        *out_reason = tx_verdict_text(verdict);
    return has;
}

static bool sign(void *ctx, uint64_t batch_count, const hash32 *block_hash, const hash32 *send_root,
                 const hash32 *expected, addr20 *out_signer, uint8_t out_sig[65],
                 char *out_reason) {
    struct settlement *t = ctx;
    struct peer_claim c = {.batch_count = batch_count,
                           .block_hash = *block_hash,
                           .send_root = *send_root,
                           .expected = *expected};
    struct confirmer_signature s;
    if (!attester_sign(t->attester, &c, &s, out_reason))
        return false;
    *out_signer = s.signer;
    memcpy(out_sig, s.sig, sizeof(s.sig));
    return true;
}

static bool differs(void *ctx, char *out_reason) {
    struct settlement *t = ctx;
    return attester_differs(t->attester, out_reason);
}

/* --- what the parts tell --------------------------------------------------------------------- */
static void on_mirror(void *ctx) {
    struct settlement *t = ctx;
    sequencer_wake(t->sequencer);
}

static void on_progress(void *ctx) {
    uint64_t safe, finalized;
    tags(ctx, &safe, &finalized); /* so that they never fall, also when nobody asks */
}

/* --- life ------------------------------------------------------------------------------------ */
static enum err make(struct settlement *t, const struct config *c, const char *dir,
                     struct err_ctx *ec) {
    TRY(read_config(t, c, ec));
    enum err e = mirror_init(&t->mirror, dir);
    t->has_mirror = true;
    if (e != ERR_OK)
        FAIL(ec, e, "out of memory");
    TRY(batches_open(&t->batches, t->ledger->store, ec));
    struct settle_options so = {.role = t->role,
                                .mirror = &t->mirror,
                                .batches = &t->batches,
                                .genesis = t->ledger->genesis,
                                .progress = on_progress,
                                .ctx = t};
    t->settle = settle_new(&so);
    if (t->settle == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory");
    return ERR_OK;
}

enum err settlement_new(struct settlement **out, const struct config *c, struct ledger *l,
                        const char *dir, struct err_ctx *ec) {
    struct settlement *t = calloc(1, sizeof(*t));
    if (t == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory");
    t->ledger = l;
    enum err e = make(t, c, dir, ec);
    if (e != ERR_OK) {
        settlement_free(t);
        return e;
    }
    *out = t;
    return ERR_OK;
}

const struct node_parent *settlement_parent(struct settlement *t) {
    t->table = (struct node_parent){.ctx = t,
                                    .tags = tags,
                                    .batch_of = batch_of,
                                    .confirmations = confirmations,
                                    .sign = sign,
                                    .differs = differs,
                                    .tombstone = tombstone};
    return &t->table;
}

struct settle *settlement_settle(struct settlement *t) {
    return t->settle;
}

static enum err await_message_0(struct settlement *t, struct err_ctx *ec) {
    struct timespec pause = {.tv_nsec = 5000000};
    uint64_t end = clock_monotonic_ns(clock_posix()) + (uint64_t)SETTLEMENT_FIRST_MS * 1000000;
    while (!settle_status(t->settle).genesis_checked) {
        if (sequencer_failed(t->sequencer, ec))
            return ec != NULL ? ec->err : ERR_MISMATCH;
        if (clock_monotonic_ns(clock_posix()) > end)
            FAIL(ec, ERR_IO, "the parent's message 0 cannot be read, so this chain cannot begin");
        nanosleep(&pause, NULL);
    }
    return ERR_OK;
}

static enum err start_poster(struct settlement *t, struct err_ctx *ec) {
    const struct genesis_time_bounds *b = &t->ledger->genesis->bounds;
    struct poster_options po = {
        .parent = t->parent,
        .bridge = t->at.bridge,
        .sequencer_inbox = t->at.sequencer_inbox,
        .bounds = {.delay_blocks = b->delay_blocks,
                   .future_blocks = b->future_blocks,
                   .delay_seconds = b->delay_seconds,
                   .future_seconds = b->future_seconds},
        .max_age_ms = t->max_age_ms,
        .ledger = t->ledger,
        .sequencer = t->sequencer,
        .settle = t->settle,
        .mirror = &t->mirror,
        .batches = &t->batches,
    };
    struct buf payload;
    struct log_record rec;
    buf_init(&payload, 1 << 20);
    /* An INTENT whose segment was pruned is of a batch that is long final. */
    if (t->ledger->has_intent &&
        wal_read(t->ledger->log, &payload, t->ledger->intent, &rec, NULL) == ERR_OK &&
        rec.kind == LOG_INTENT)
        po.intent = rec.payload;
    memcpy(po.key, t->poster_key, sizeof(po.key));
    explicit_bzero(t->poster_key, sizeof(t->poster_key));
    enum err e = poster_start(&t->poster, &po, ec);
    explicit_bzero(po.key, sizeof(po.key));
    buf_clear(&payload);
    return e;
}

static enum err start_attester(struct settlement *t, struct err_ctx *ec) {
    struct attester_options *a = &t->attest;
    a->parent = t->parent;
    a->parent_block = t->at.block;
    a->rollup = t->at.rollup;
    a->confirmer = t->at.confirmer;
    a->chain_id = t->ledger->genesis->config.chain_id;
    a->store = t->ledger->store;
    a->source = (struct index_source){.log = t->ledger->log, .receipts = t->ledger->receipts};
    a->mirror = &t->mirror;
    a->batches = &t->batches;
    enum err e = attester_start(&t->attester, a, ec);
    explicit_bzero(a->member_key, sizeof(a->member_key));
    explicit_bzero(a->proposer_key, sizeof(a->proposer_key));
    return e;
}

enum err settlement_start(struct settlement *t, struct sequencer *s, struct err_ctx *ec) {
    t->sequencer = s;
    struct follower_options fo = {.parent = t->parent,
                                  .bridge = t->at.bridge,
                                  .sequencer_inbox = t->at.sequencer_inbox,
                                  .first_block = t->at.block,
                                  .finality = t->finality,
                                  .depth = t->depth,
                                  .poll_ms = t->poll_ms,
                                  .mirror = &t->mirror,
                                  .batches = &t->batches,
                                  .changed = on_mirror,
                                  .changed_ctx = t};
    TRY(follower_start(&t->follower, &fo, ec));
    if (batches_count(&t->batches) == 0)
        TRY(await_message_0(t, ec));
    TRY(start_attester(t, ec));
    return t->posts ? start_poster(t, ec) : ERR_OK;
}

void settlement_stop(struct settlement *t) {
    if (t->poster != NULL && mirror_state(&t->mirror).synced)
        poster_flush(t->poster, SETTLEMENT_FLUSH_MS);
    poster_stop(t->poster);
    t->poster = NULL;
    follower_stop(t->follower);
    t->follower = NULL;
}

void settlement_free(struct settlement *t) {
    if (t == NULL)
        return;
    poster_stop(t->poster);
    attester_stop(t->attester);
    follower_stop(t->follower);
    settle_free(t->settle);
    batches_close(&t->batches);
    if (t->has_mirror)
        mirror_clear(&t->mirror);
    explicit_bzero(t->poster_key, sizeof(t->poster_key));
    explicit_bzero(t->attest.member_key, sizeof(t->attest.member_key));
    explicit_bzero(t->attest.proposer_key, sizeof(t->attest.proposer_key));
    free(t->urls);
    free(t->member_urls);
    free(t);
}
