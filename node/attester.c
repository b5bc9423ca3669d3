/* SPDX-License-Identifier: Apache-2.0 */
#include "node/attester.h"

#include "base/hex.h"
#include "base/log.h"
#include "bridge/tx_sender.h"
#include "index/index.h"
#include "node/differences.h"
#include "node/metrics.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    ARENA_CHUNK = 1 << 16,
    ARENA_MAX = 64 << 20,
    CONFIRM_WAIT_MS = 60000,
    FIELDS_TEXT_MAX = 200,
    TX_TEXT_MAX = 280
};

struct candidate {
    bool is_set;
    struct assertion_inputs inputs;
    struct peer_claim claim;
    uint64_t block; /* ours, the last of the batches */
};

/* What our chain is compared with. */
enum side { SEQUENCER_SIDE, ASSERTIONS_SIDE, SIDES };
struct finding {
    bool is_set;
    char reason[ATTESTER_REASON_MAX];
};

struct attester {
    struct attester_options o;
    struct parent *parent, *sequencer, *members[ATTESTER_MEMBERS_MAX];
    struct tx_sender *sender;
    pthread_t thread;
    bool has_thread;
    atomic_bool stopping;
    struct arena arena;
    pthread_mutex_t lock; /* of what follows */
    struct candidate candidate;
    struct finding differs[SIDES];
    /* Of the thread: */
    uint64_t audited_batches; /* at which the sequencer's block was compared */
    uint64_t differs_block;   /* of ours, where the sequencer's was another; 0: nowhere */
    uint64_t audited_block;   /* of the parent: assertions up to here were compared */
    uint64_t before_rollup;   /* of the parent: below the rollup's first assertion */
    uint64_t cuts;            /* of the mirror, as taken account of */
    bool warned;
};

/* --- our own side ---------------------------------------------------------------------------- */
static enum err header_of(struct attester *a, struct index_head *out, uint64_t block,
                          struct err_ctx *ec) {
    struct store_view *v;
    enum err e = store_view_open(&v, a->o.store, store_durable(a->o.store));
    if (e != ERR_OK)
        FAIL(ec, e, "the store cannot be read");
    e = index_head(out, v, block);
    store_view_close(v);
    if (e != ERR_OK)
        FAIL(ec, e, "block %" PRIu64 " cannot be read", block);
    return ERR_OK;
}

/* Our block after `batch_count` batches, at least 1. */
static enum err block_after(struct attester *a, struct index_head *out, struct batch_row *row,
                            uint64_t batch_count, struct err_ctx *ec) {
    if (!batches_at(a->o.batches, batch_count - 1, row))
        return ERR_NOT_FOUND;
    uint64_t durable = store_durable(a->o.store);
    if (durable == STORE_NO_BLOCK || row->last_block > durable)
        return ERR_NOT_FOUND; /* a moment */
    return header_of(a, out, row->last_block, ec);
}

/* The parent's newest block that is final enough to build on. */
static uint64_t final_block(const struct attester *a, const struct mirror_heads *h) {
    if (a->o.wait_finalized)
        return h->finalized;
    return a->o.wait_safe ? h->safe : h->latest.number;
}

/* Batches in blocks up to there. */
static uint64_t final_batches(struct attester *a) {
    struct mirror_heads h;
    return mirror_heads(a->o.mirror, &h) ? batches_up_to(a->o.batches, final_block(a, &h)) : 0;
}

/* --- differences ----------------------------------------------------------------------------- */
/* The one that is to be told, or NULL. Under the lock. */
static const struct finding *finding_of(const struct attester *a) {
    for (size_t i = 0; i < SIDES; i++)
        if (a->differs[i].is_set)
            return &a->differs[i];
    return NULL;
}

static void set_difference(struct attester *a, enum side side, const char *text) {
    pthread_mutex_lock(&a->lock);
    struct finding *d = &a->differs[side];
    bool known = d->is_set;
    d->is_set = true;
    if (!known)
        snprintf(d->reason, sizeof(d->reason), "%s", text);
    a->candidate.is_set = false;
    pthread_mutex_unlock(&a->lock);
    metric_set(&node_differs, 1);
    if (!known)
        log_error("attester", "this chain differs: nothing is confirmed", log_str("why", text));
}

/* That side has what we have, as it stands now. */
static void clear_difference(struct attester *a, enum side side) {
    pthread_mutex_lock(&a->lock);
    bool known = a->differs[side].is_set;
    a->differs[side].is_set = false;
    bool differs = finding_of(a) != NULL;
    pthread_mutex_unlock(&a->lock);
    if (!known)
        return;
    metric_set(&node_differs, differs);
    if (side == SEQUENCER_SIDE) {
        metric_set(&node_differs_block, 0);
        for (size_t d = 0; d < DIFFERENCES; d++)
            metric_set(&node_differs_in[d], 0);
    }
    log_warn("attester", "a difference is gone",
             log_str("with", side == SEQUENCER_SIDE ? "the sequencer" : "assertions"));
}

/* Adds the first transaction that the sequencer tells in another way, if there is one. What its
 * receipts say is in no hash, so failing to get them is no failure of the comparison. */
static difference_set describe_tx(struct attester *a, char out[TX_TEXT_MAX], uint64_t block) {
    struct peer_receipt *theirs;
    struct index_block ours;
    struct store_view *v;
    size_t count, idx;
    out[0] = '\0';
    if (peer_receipts(a->sequencer, &a->arena, &theirs, &count, block, NULL) != ERR_OK ||
        store_view_open(&v, a->o.store, store_durable(a->o.store)) != ERR_OK)
        return 0;
    enum err e = index_load_block(&ours, &a->arena, &a->o.source, v, block, NULL);
    store_view_close(v);
    difference_set set = e != ERR_OK ? 0 : differences_of_receipts(&idx, &ours, theirs, count);
    if (set != 0)
        differences_tx_text(out, TX_TEXT_MAX, set, idx, &ours, theirs);
    return set;
}

static void set_block_difference(struct attester *a, const struct index_head *ours,
                                 const struct header *theirs, const hash32 *hash) {
    char text[ATTESTER_REASON_MAX], fields[FIELDS_TEXT_MAX], tx[TX_TEXT_MAX];
    char h1[65] = {0}, h2[65] = {0};
    difference_set set = differences_of_headers(&ours->header, theirs);
    differences_text(fields, sizeof(fields), set);
    set |= describe_tx(a, tx, ours->header.number);
    hex_encode(h1, ours->hash.b, 32);
    hex_encode(h2, hash->b, 32);
    snprintf(text, sizeof(text),
             "block %" PRIu64 " differs in %s%s%s: its hash is 0x%s here, 0x%s at the sequencer",
             ours->header.number, fields, tx[0] == '\0' ? "" : "; ", tx, h1, h2);
    metric_set(&node_differs_block, (int64_t)ours->header.number);
    for (size_t d = 0; d < DIFFERENCES; d++)
        metric_set(&node_differs_in[d], set >> d & 1);
    a->differs_block = ours->header.number;
    set_difference(a, SEQUENCER_SIDE, text);
}

/* The lowest block up to `high`, where the sequencer's differs, whose hash differs. */
static enum err first_difference(struct attester *a, uint64_t high, struct err_ctx *ec) {
    uint64_t lo = 1;
    struct header theirs;
    struct index_head ours;
    hash32 hash;
    while (lo < high) {
        uint64_t mid = lo + (high - lo) / 2;
        TRY(peer_header(a->sequencer, &theirs, &hash, mid, ec));
        TRY(header_of(a, &ours, mid, ec));
        if (hash32_eq(&hash, &ours.hash))
            lo = mid + 1;
        else
            high = mid;
    }
    TRY(peer_header(a->sequencer, &theirs, &hash, high, ec));
    TRY(header_of(a, &ours, high, ec));
    if (!hash32_eq(&hash, &ours.hash)) /* else it was undone meanwhile */
        set_block_difference(a, &ours, &theirs, &hash);
    return ERR_OK;
}

/* Whether the sequencer's block is ours. ERR_NOT_FOUND: it is away or behind, nothing to compare
 * with. */
static enum err same_at_sequencer(struct attester *a, bool *out, const struct index_head *ours,
                                  struct err_ctx *ec) {
    struct header theirs;
    hash32 hash;
    enum err e = peer_header(a->sequencer, &theirs, &hash, ours->header.number, ec);
    if (e == ERR_IO)
        return ERR_NOT_FOUND;
    TRY(e);
    *out = hash32_eq(&hash, &ours->hash);
    return ERR_OK;
}

/* A sequencer that reads the parent later than we do holds blocks that it will undo, so what
 * differed is looked at again. */
static enum err look_again(struct attester *a, struct err_ctx *ec) {
    struct index_head ours;
    uint64_t durable = store_durable(a->o.store);
    bool same = false;
    if (durable == STORE_NO_BLOCK || a->differs_block > durable)
        return ERR_OK;
    TRY(header_of(a, &ours, a->differs_block, ec));
    enum err e = same_at_sequencer(a, &same, &ours, ec);
    if (e == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(e);
    if (!same)
        return ERR_OK;
    a->differs_block = 0;
    a->audited_batches = 0; /* it may differ further on */
    clear_difference(a, SEQUENCER_SIDE);
    return ERR_OK;
}

/* The sequencer's block at the newest final batch against ours. */
static enum err audit_sequencer(struct attester *a, struct err_ctx *ec) {
    struct index_head ours;
    struct batch_row row;
    bool same = false;
    if (a->sequencer == NULL)
        return ERR_OK;
    if (a->differs_block > 0)
        TRY(look_again(a, ec));
    uint64_t count = final_batches(a);
    if (a->differs_block > 0 || count == 0 || count == a->audited_batches)
        return ERR_OK;
    enum err e = block_after(a, &ours, &row, count, ec);
    if (e == ERR_OK)
        e = same_at_sequencer(a, &same, &ours, ec);
    if (e == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(e);
    if (!same)
        TRY(first_difference(a, row.last_block, ec));
    if (same || a->differs_block > 0)
        a->audited_batches = count;
    return ERR_OK;
}

/* An assertion that somebody made: *same, or the difference is set. */
static enum err audit_assertion(struct attester *a, bool *same, const struct assertion_created *c,
                                struct err_ctx *ec) {
    const struct assertion_state *s = &c->inputs.after;
    struct index_head ours;
    struct batch_row row;
    char text[ATTESTER_REASON_MAX], theirs[65] = {0}, own[65] = {0};
    *same = true;
    if (s->inbox_position == 0)
        return ERR_OK; /* the rollup's own first one */
    if (s->inbox_position > final_batches(a))
        return ERR_NOT_FOUND;
    enum err e = block_after(a, &ours, &row, s->inbox_position, ec);
    TRY(e);
    hash32 send_root = l3_header_info_get(&ours.header).send_root;
    bool same_block = hash32_eq(&s->block_hash, &ours.hash);
    if (same_block && hash32_eq(&s->send_root, &send_root) &&
        hash32_eq(&c->after_inbox_acc, &row.acc))
        return ERR_OK;
    hex_encode(theirs, same_block ? s->send_root.b : s->block_hash.b, 32);
    hex_encode(own, same_block ? send_root.b : ours.hash.b, 32);
    snprintf(text, sizeof(text),
             "an assertion over %" PRIu64 " batches differs at block %" PRIu64
             " in %s: 0x%s there, 0x%s here",
             s->inbox_position, row.last_block, same_block ? "sendRoot" : "hash", theirs, own);
    *same = false;
    set_difference(a, ASSERTIONS_SIDE, text);
    return ERR_OK;
}

static enum err created_in(struct attester *a, uint64_t from, uint64_t to, struct parent_log **out,
                           size_t *out_count, struct err_ctx *ec) {
    static const enum abi_event events[] = {ABI_EVENT_ASSERTION_CREATED};
    struct parent_log_filter f = {.from = from,
                                  .to = to,
                                  .addresses = &a->o.rollup,
                                  .address_count = 1,
                                  .events = events,
                                  .event_count = 1};
    return parent_logs(a->parent, &a->arena, out, out_count, &f, ec);
}

/* One that differs is looked at in each turn, since the parent may take it back. */
static enum err audit_assertions(struct attester *a, struct err_ctx *ec) {
    struct mirror_heads h;
    struct parent_log *logs;
    size_t n;
    uint64_t cuts = mirror_state(a->o.mirror).cuts;
    if (!mirror_heads(a->o.mirror, &h))
        return ERR_OK;
    if (cuts != a->cuts && a->audited_block > h.finalized) /* those above may be others now */
        a->audited_block = h.finalized > a->before_rollup ? h.finalized : a->before_rollup;
    a->cuts = cuts;
    uint64_t from = a->audited_block + 1, to = final_block(a, &h);
    if (to < from)
        return ERR_OK;
    if (to - from >= ATTESTER_RANGE_MAX)
        to = from + ATTESTER_RANGE_MAX - 1;
    TRY(created_in(a, from, to, &logs, &n, ec));
    for (size_t i = 0; i < n; i++) {
        struct assertion_created c;
        bool same = false;
        if (assertion_parse_created(&c, &logs[i]) != ERR_OK)
            continue;
        enum err e = audit_assertion(a, &same, &c, ec);
        if (e == ERR_NOT_FOUND || (e == ERR_OK && !same))
            return ERR_OK; /* next time; its batches may not be in our chain yet */
        TRY(e);
    }
    a->audited_block = to;
    if (to == final_block(a, &h))
        clear_difference(a, ASSERTIONS_SIDE);
    return ERR_OK;
}

/* --- the candidate --------------------------------------------------------------------------- */
static enum err latest_confirmed(struct attester *a, struct assertion_created *out,
                                 struct err_ctx *ec) {
    hash32 hash, block;
    struct parent_log *logs;
    size_t n;
    TRY(parent_view(a->parent, &hash, &a->o.rollup, ABI_LATEST_CONFIRMED, bytes_of(NULL, 0),
                    parent_tagged(PARENT_LATEST), ec));
    TRY(parent_view(a->parent, &block, &a->o.rollup, ABI_ASSERTION_CREATION_BLOCK,
                    bytes_of(hash.b, 32), parent_tagged(PARENT_LATEST), ec));
    uint64_t number = be64_load(block.b + 24);
    TRY(created_in(a, number, number, &logs, &n, ec));
    for (size_t i = 0; i < n; i++)
        if (assertion_parse_created(out, &logs[i]) == ERR_OK && hash32_eq(&out->hash, &hash))
            return ERR_OK;
    FAIL(ec, ERR_PARSE, "the newest confirmed assertion has no event in parent block %" PRIu64,
         number);
}

static enum err find_candidate(struct attester *a, struct candidate *out, struct err_ctx *ec) {
    struct assertion_created prev;
    struct index_head head;
    struct batch_row row;
    *out = (struct candidate){0};
    TRY(latest_confirmed(a, &prev, ec));
    uint64_t position = prev.config.next_inbox_position;
    if (position == 0 || position > final_batches(a))
        return ERR_OK;
    enum err e = block_after(a, &head, &row, position, ec);
    if (e == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(e);
    struct assertion_state after = {.block_hash = head.hash,
                                    .send_root = l3_header_info_get(&head.header).send_root,
                                    .inbox_position = position,
                                    .machine_status = MACHINE_FINISHED};
    *out = (struct candidate){
        .is_set = true,
        .inputs = assertion_child(&prev, &after),
        .claim = {.batch_count = position,
                  .block_hash = after.block_hash,
                  .send_root = after.send_root,
                  .expected = assertion_hash(&prev.hash, &after, &row.acc)},
        .block = row.last_block,
    };
    return ERR_OK;
}

/* --- signing --------------------------------------------------------------------------------- */
static hash32 digest_of(const struct attester *a, const hash32 *expected) {
    return confirmer_digest(a->o.parent.chain_id, &a->o.confirmer, expected);
}

static void explain(const struct candidate *c, const struct peer_claim *theirs,
                    char reason[ATTESTER_REASON_MAX]) {
    char own[65] = {0}, other[65] = {0};
    bool hash_differs = !hash32_eq(&c->claim.block_hash, &theirs->block_hash);
    bool root_differs = !hash32_eq(&c->claim.send_root, &theirs->send_root);
    hex_encode(own, hash_differs ? c->claim.block_hash.b : c->claim.send_root.b, 32);
    hex_encode(other, hash_differs ? theirs->block_hash.b : theirs->send_root.b, 32);
    if (theirs->batch_count != c->claim.batch_count)
        snprintf(reason, ATTESTER_REASON_MAX,
                 "not ready: the next assertion here is over %" PRIu64 " batches",
                 c->claim.batch_count);
    else if (hash_differs || root_differs)
        snprintf(reason, ATTESTER_REASON_MAX,
                 "block %" PRIu64 " differs in %s: 0x%s here, 0x%s claimed", c->block,
                 hash_differs ? "hash" : "sendRoot", own, other);
    else
        snprintf(reason, ATTESTER_REASON_MAX,
                 "the assertion builds on another one, or on other batches, than here");
}

bool attester_sign(struct attester *a, const struct peer_claim *c, struct confirmer_signature *out,
                   char reason[ATTESTER_REASON_MAX]) {
    bool ok = false;
    pthread_mutex_lock(&a->lock);
    struct candidate own = a->candidate;
    const struct finding *d = finding_of(a);
    bool explained = !a->o.is_member || d != NULL || !own.is_set;
    if (!a->o.is_member)
        snprintf(reason, ATTESTER_REASON_MAX, "this node is no member of a committee");
    else if (d != NULL)
        snprintf(reason, ATTESTER_REASON_MAX, "%s", d->reason);
    else if (!own.is_set)
        snprintf(reason, ATTESTER_REASON_MAX, "not ready: no assertion is due here");
    else
        ok = hash32_eq(&own.claim.expected, &c->expected);
    pthread_mutex_unlock(&a->lock);
    if (!ok && !explained)
        explain(&own, c, reason);
    if (!ok) {
        log_warn("attester", "an assertion is not signed", log_u64("batches", c->batch_count),
                 log_str("why", reason));
        return false;
    }
    hash32 digest = digest_of(a, &c->expected);
    if (confirmer_sign(out, &digest, a->o.member_key) != ERR_OK) {
        snprintf(reason, ATTESTER_REASON_MAX, "the member's key cannot sign");
        return false;
    }
    metric_add(&node_assertions_signed, 1);
    return true;
}

bool attester_differs(struct attester *a, char reason[ATTESTER_REASON_MAX]) {
    pthread_mutex_lock(&a->lock);
    const struct finding *d = finding_of(a);
    snprintf(reason, ATTESTER_REASON_MAX, "%s", d != NULL ? d->reason : "");
    pthread_mutex_unlock(&a->lock);
    return d != NULL;
}

/* --- proposing ------------------------------------------------------------------------------- */
static size_t gather(struct attester *a, const struct candidate *c,
                     struct confirmer_signature sigs[ATTESTER_MEMBERS_MAX + 1]) {
    char reason[ATTESTER_REASON_MAX];
    struct err_ctx ec;
    hash32 digest = digest_of(a, &c->claim.expected);
    size_t n = 0;
    if (a->o.is_member && attester_sign(a, &c->claim, &sigs[n], reason))
        n++;
    for (size_t i = 0; i < a->o.member_count; i++) {
        ec.err = ERR_OK;
        enum err e = peer_sign(a->members[i], &sigs[n], &c->claim, &digest, &ec);
        bool again = false;
        for (size_t k = 0; e == ERR_OK && k < n; k++)
            again = again || memcmp(sigs[k].signer.b, sigs[n].signer.b, 20) == 0;
        if (e == ERR_OK && !again)
            n++;
        else if (e != ERR_OK)
            /* The URL is not told: it may hold a key. */
            log_warn("attester", "a member does not sign", log_u64("member", i),
                     log_str("why", ec.err == e ? ec.text : err_text(e)));
    }
    return n;
}

static enum err propose(struct attester *a, const struct candidate *c, struct err_ctx *ec) {
    struct confirmer_signature sigs[ATTESTER_MEMBERS_MAX + 1];
    struct tx_signed tx;
    struct tx_flight r;
    struct buf b;
    char reason[256] = "";
    size_t n = gather(a, c, sigs);
    if (n == 0)
        return ERR_OK;
    if (a->sender == NULL)
        TRY(tx_sender_connect(&a->sender, a->parent, a->o.parent.chain_id, a->o.proposer_key, ec));
    buf_init(&b, 1 << 20);
    confirmer_calldata(&b, &c->inputs, &c->claim.expected, sigs, n);
    struct tx_request q = {.to = a->o.confirmer, .data = buf_bytes(&b)};
    enum err e = tx_sender_prepare(a->sender, &a->arena, &tx, &q, reason, ec);
    buf_clear(&b);
    if (e == ERR_INVALID && reason[0] != '\0')
        FAIL(ec, e,
             "the confirmer does not take the assertion over %" PRIu64
             " batches with %zu signatures: %s",
             c->claim.batch_count, n, reason);
    TRY(e);
    TRY(tx_sender_submit(a->sender, &tx, &r, ec));
    if (r.outcome == TX_OUTCOME_PENDING)
        TRY(tx_sender_wait(a->sender, CONFIRM_WAIT_MS, &r, ec));
    if (r.outcome != TX_OUTCOME_MINED)
        FAIL(ec, ERR_IO, "the assertion over %" PRIu64 " batches is not confirmed: %s",
             c->claim.batch_count, r.reason);
    log_info("attester", "assertion is confirmed", log_u64("batches", c->claim.batch_count),
             log_u64("block", c->block), log_hash("hash", &c->claim.expected),
             log_u64("signatures", n), log_hash("tx", &tx.hash));
    metric_add(&node_assertions_confirmed, 1);
    return ERR_OK;
}

/* --- the thread ------------------------------------------------------------------------------ */
static enum err step(struct attester *a, struct err_ctx *ec) {
    struct candidate c;
    TRY(audit_sequencer(a, ec));
    arena_reset(&a->arena);
    TRY(audit_assertions(a, ec));
    arena_reset(&a->arena);
    TRY(find_candidate(a, &c, ec));
    pthread_mutex_lock(&a->lock);
    c.is_set = c.is_set && finding_of(a) == NULL;
    a->candidate = c;
    pthread_mutex_unlock(&a->lock);
    return c.is_set && a->o.is_proposer ? propose(a, &c, ec) : ERR_OK;
}

static void *attester_main(void *arg) {
    struct attester *a = arg;
    struct err_ctx ec;
    while (!atomic_load(&a->stopping)) {
        ec.err = ERR_OK;
        enum err e = mirror_state(a->o.mirror).synced ? step(a, &ec) : ERR_OK;
        if (e == ERR_CLOSED)
            break;
        if (e != ERR_OK && a->sender != NULL)
            tx_sender_forget(a->sender);
        if (e != ERR_OK && !a->warned)
            log_warn("attester", "assertions are not looked after", log_error_code(e),
                     log_str("why", ec.err == e ? ec.text : err_text(e)));
        a->warned = e != ERR_OK;
        if (parent_sleep(a->parent, a->o.interval_ms) != ERR_OK)
            break;
    }
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------ */
static enum err open_peer(struct attester *a, struct parent **out, const char *url,
                          struct err_ctx *ec) {
    struct parent_config c = {.urls = {url},
                              .url_count = 1,
                              .chain_id = a->o.chain_id,
                              .retries = 1,
                              .request_timeout_ms = 5000,
                              .stop = &a->stopping};
    return parent_new(out, &c, ec);
}

static enum err start(struct attester *a, struct err_ctx *ec) {
    TRY(parent_new(&a->parent, &a->o.parent, ec));
    if (a->o.sequencer_url[0] != '\0')
        TRY(open_peer(a, &a->sequencer, a->o.sequencer_url, ec));
    for (size_t i = 0; i < a->o.member_count; i++)
        TRY(open_peer(a, &a->members[i], a->o.member_urls[i], ec));
    if (pthread_create(&a->thread, NULL, attester_main, a) != 0)
        FAIL(ec, ERR_NOMEM, "cannot start the attester's thread");
    a->has_thread = true;
    return ERR_OK;
}

enum err attester_start(struct attester **out, const struct attester_options *o,
                        struct err_ctx *ec) {
    struct attester *a = calloc(1, sizeof(*a));
    if (a == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory");
    a->o = *o;
    a->o.parent.stop = &a->stopping;
    a->before_rollup = a->audited_block = o->parent_block > 0 ? o->parent_block - 1 : 0;
    pthread_mutex_init(&a->lock, NULL);
    arena_init(&a->arena, ARENA_CHUNK, ARENA_MAX);
    enum err e = start(a, ec);
    if (e != ERR_OK) {
        attester_stop(a);
        return e;
    }
    *out = a;
    return ERR_OK;
}

void attester_stop(struct attester *a) {
    if (a == NULL)
        return;
    atomic_store(&a->stopping, true);
    if (a->has_thread)
        pthread_join(a->thread, NULL);
    tx_sender_free(a->sender);
    parent_free(a->parent);
    parent_free(a->sequencer);
    for (size_t i = 0; i < a->o.member_count; i++)
        parent_free(a->members[i]);
    pthread_mutex_destroy(&a->lock);
    arena_clear(&a->arena);
    explicit_bzero(a->o.member_key, sizeof(a->o.member_key));
    explicit_bzero(a->o.proposer_key, sizeof(a->o.proposer_key));
    free(a);
}
