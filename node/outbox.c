/* SPDX-License-Identifier: Apache-2.0 */
#include "node/outbox_internal.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/log.h"
#include "index/index.h"
#include "rpc/call.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    ARENA_CHUNK_BYTES = 64 << 10,
    NS_PER_MS = 1000000,
    RETRY_MS = 10,
    RETRY_MAX_MS = 500,
    RETRY_LATE_MS = 10000, /* after OUTBOX_TRIES_MAX */
    END_MS = 2000
};

/* --- what other threads tell --------------------------------------------------------------- */
static void wake(struct outbox *o) {
    pthread_cond_signal(&o->cond);
}

static void on_submitted(void *ctx, uint64_t token, const struct submit_result *r) {
    struct outbox *o = ctx;
    struct answer *a = calloc(1, sizeof(*a));
    CHECK(a != NULL);
    a->entry = (struct entry *)(uintptr_t)token;
    a->result = *r;
    pthread_mutex_lock(&o->lock);
    *o->answers_last = a;
    o->answers_last = &a->next;
    wake(o);
    pthread_mutex_unlock(&o->lock);
}

static void on_written(void *ctx, uint64_t token, enum err e) {
    struct outbox *o = ctx;
    pthread_mutex_lock(&o->lock);
    struct kv_wait *w = token == 0 ? &o->batch_write : &o->clean_write;
    w->done = true;
    w->result = e;
    wake(o);
    pthread_mutex_unlock(&o->lock);
}

static void refuse_all(struct node_send *s, int code, const char *text) {
    for (size_t i = 0; i < s->count; i++) {
        s->results[i] = (struct node_sent){.status = SUBMIT_REFUSED, .code = code};
        snprintf(s->results[i].text, sizeof(s->results[i].text), "%s", text);
    }
    s->done(s->done_ctx);
}

static void outbox_send(void *outbox, struct node_send *s) {
    struct outbox *o = outbox;
    struct sending *n = calloc(1, sizeof(*n));
    CHECK(n != NULL);
    CHECK(s->count > 0 && s->count <= NODE_SEND_CALLS_MAX);
    n->send = s;
    n->left = s->count;
    pthread_mutex_lock(&o->lock);
    bool full = o->under_way + s->count > OUTBOX_WAITING_MAX, fresh = s->has_id && !o->stopping;
    n->counts = fresh && !full && s->created_ms != 0 && outbox_share_take(o, s->universe);
    bool no_share = fresh && !full && s->created_ms != 0 && !n->counts;
    bool refused = o->stopping || full || no_share;
    if (!refused) {
        o->under_way += s->count;
        *o->incoming_last = n;
        o->incoming_last = &n->next;
        wake(o);
    }
    pthread_mutex_unlock(&o->lock);
    if (!refused)
        return;
    free(n);
    refuse_all(s, RPC_LIMIT_EXCEEDED,
               no_share
                   ? "too many of the universe's requests with an idempotency key are remembered"
               : full ? "too many requests are waiting, try again in 100ms"
                      : "the node is shutting down");
}

/* --- accounts ------------------------------------------------------------------------------ */
struct outbox_account *outbox_account(struct outbox *o, const char *slug) {
    void *value = NULL;
    bool fresh = false;
    char key[OUTBOX_SLUG_BYTES];
    outbox_slug_key(key, slug);
    CHECK(map_ensure(&o->accounts, key, &value, &fresh) == ERR_OK);
    struct outbox_account **at = value;
    if (!fresh)
        return *at;
    *at = calloc(1, sizeof(**at));
    CHECK(*at != NULL);
    memcpy((*at)->slug, key, sizeof(key));
    (*at)->ok = signers_address(o->o.signers, slug, &(*at)->address);
    return *at;
}

static struct store_view *open_view(struct outbox *o) {
    struct store_view *v = NULL;
    for (int i = 0; i < 8 && v == NULL; i++)
        if (store_view_open(&v, o->o.store, store_durable(o->o.store)) != ERR_OK)
            v = NULL;
    CHECK(v != NULL);
    return v;
}

static uint64_t state_nonce(struct store_view *v, const addr20 *a) {
    struct state_reader r = store_state_reader(v);
    struct account acct = {0}; /* state/account.h */
    hash32 h;
    keccak256(&h, a->b, 20);
    return r.ops->account(r.ctx, &acct, &h) ? acct.nonce : 0;
}

bool outbox_in_chain(struct outbox *o, const hash32 *tx_hash) {
    uint64_t block = 0;
    uint32_t idx = 0;
    struct store_view *v = open_view(o);
    bool there = index_find_tx(&block, &idx, v, tx_hash) == ERR_OK;
    store_view_close(v);
    return there;
}

/* Nonce of the account's next transaction. Nothing of it is under way unless `next` counts it. */
static uint64_t take_nonce(struct outbox *o, struct outbox_account *a) {
    if (a->in_flight == 0 && a->signed_count == 0) {
        /* In this order: the pool lets go of a transaction once the store has it. */
        uint64_t pending = o->o.node->pending_nonce(o->o.node->ctx, &a->address);
        struct store_view *v = open_view(o);
        uint64_t latest = state_nonce(v, &a->address);
        store_view_close(v);
        a->next = pending > latest ? pending : latest;
    }
    a->signed_count++;
    return a->next++;
}

/* A nonce that was given out is not used: those behind it come back too, and whoever comes next
 * waits until all of them have, so that none is signed with a count that is known to be wrong. */
static void stall(struct outbox_account *a) {
    a->stalled = a->in_flight > 0 || a->signed_count > 0;
}

static void unstall(struct outbox_account *a) {
    if (a->in_flight == 0 && a->signed_count == 0)
        a->stalled = false;
}

/* --- entries ------------------------------------------------------------------------------- */
void outbox_wait(struct outbox *o, struct entry *e) {
    struct entry **at = &o->waiting;
    while (*at != NULL && (*at)->seq < e->seq)
        at = &(*at)->next;
    e->next = *at;
    *at = e;
}

static void entry_free(struct entry *e) {
    buf_clear(&e->envelope);
    free(e->own);
    free(e);
}

/* Without a result. */
static void entry_drop(struct entry *e) {
    if (e->sending != NULL && --e->sending->left == 0)
        free(e->sending);
    entry_free(e);
}

static void finish_sending(struct outbox *o, struct sending *s) {
    struct node_send *send = s->send;
    pthread_mutex_lock(&o->lock);
    o->under_way -= send->count;
    if (s->counts && (!s->remembered || outbox_is_void(s)))
        outbox_share_return(o, send->universe);
    pthread_mutex_unlock(&o->lock);
    free(s);
    send->done(send->done_ctx);
}

/* The entry has come to its end; `sent` says how. */
static void finish(struct outbox *o, struct entry *e, const struct node_sent *sent) {
    struct sending *s = e->sending;
    bool refused = sent->status == SUBMIT_REFUSED;
    if (e->has_id)
        outbox_clean(o, e, refused);
    if (s == NULL) { /* of an earlier run */
        if (refused)
            log_warn("outbox", "a transaction of before the restart is refused",
                     log_str("universe", e->account->slug), log_str("why", sent->text));
        outbox_orphan_done(o, &e->id);
    } else {
        s->send->results[e->idx] = *sent;
        s->done = s->done || !refused;
        s->unclean = s->unclean || (refused && e->has_id);
        if (--s->left == 0) {
            if (s->unclean) {
                s->next = o->cleaning; /* until its rows are gone for good */
                o->cleaning = s;
            } else {
                finish_sending(o, s);
            }
        }
    }
    entry_free(e);
}

static void finish_refused(struct outbox *o, struct entry *e, int code, const char *text) {
    struct node_sent sent = {.status = SUBMIT_REFUSED, .code = code};
    snprintf(sent.text, sizeof(sent.text), "%s", text);
    finish(o, e, &sent);
}

static void finish_durable(struct outbox *o, struct entry *e) {
    struct node_sent sent = {.status = SUBMIT_DURABLE,
                             .hash = e->hash,
                             .nonce = e->nonce,
                             .sender = e->account->address};
    finish(o, e, &sent);
}

static void take_sending(struct outbox *o, struct sending *s) {
    const struct node_send *send = s->send;
    struct outbox_account *a = outbox_account(o, send->slug);
    for (size_t i = 0; i < send->count; i++) {
        const struct own_call *c = &send->calls[i];
        struct entry *e = calloc(1, sizeof(*e));
        CHECK(e != NULL);
        *e = (struct entry){.sending = s,
                            .idx = i,
                            .account = a,
                            .seq = ++o->seq,
                            .has_id = send->has_id,
                            .id = send->id,
                            .part = (uint16_t)(send->first_part + i),
                            .call = *c};
        buf_init(&e->envelope, LIMIT_TX_BYTES);
        outbox_wait(o, e);
    }
}

/* --- signing ------------------------------------------------------------------------------- */
static bool sign(struct outbox *o, struct entry *e) {
    uint8_t key[32];
    hash32 before = e->hash;
    struct tx tx = {.type = TX_DYNAMIC_FEE,
                    .has_chain_id = true,
                    .chain_id = o->o.chain_id,
                    .nonce = take_nonce(o, e->account),
                    .max_fee = e->call.max_fee,
                    .gas_limit = e->call.gas,
                    .to = e->call.to,
                    .value = e->call.value,
                    .data = e->call.data};
    bool ok =
        signers_key(o->o.signers, e->account->slug, key) && tx_sign(&tx, &o->arena, key) == ERR_OK;
    OPENSSL_cleanse(key, sizeof(key));
    if (ok) {
        buf_reset(&e->envelope);
        buf_append(&e->envelope, tx.raw.ptr, tx.raw.len);
        e->hash = tx.hash;
        e->nonce = tx.nonce;
        e->is_kept = e->has_id && e->tries > 0 && hash32_eq(&before, &e->hash);
    }
    arena_reset(&o->arena);
    ok = ok && !e->envelope.overflow;
    if (!ok) {
        e->account->signed_count--;
        stall(e->account);
    }
    return ok;
}

/* Whether the entry can be signed now. */
static bool is_free(const struct outbox *o, const struct entry *e) {
    const struct outbox_account *a = e->account;
    return !a->stalled && o->now_ns >= a->not_before_ns;
}

static void submit_batch(struct outbox *o) {
    for (size_t i = 0; i < o->batch_count; i++) {
        o->batch[i]->account->in_flight++;
        o->batch[i]->account->signed_count--;
        o->in_flight++;
    }
    size_t count = o->batch_count;
    o->batch_count = 0;
    for (size_t i = 0; i < count; i++) {
        o->o.node->submit(o->o.node->ctx, buf_bytes(&o->batch[i]->envelope), SUBMIT_NO_QUEUE,
                          on_submitted, o, (uint64_t)(uintptr_t)o->batch[i]);
    }
}

static uint64_t retry_ms(const struct entry *e) {
    uint64_t ms = (uint64_t)e->tries * RETRY_MS;
    if (e->tries >= OUTBOX_TRIES_MAX)
        return RETRY_LATE_MS;
    return ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS;
}

/* All of an account wait for the one that waits longest: it is the oldest, and nonces go in turn.
 * Who waits so long behind another is told after fewer tries, in 40 s at most. */
static void put_off(struct outbox *o, struct entry *e, bool no_room) {
    struct outbox_account *a = e->account;
    uint64_t until = o->now_ns + retry_ms(e) * NS_PER_MS;
    if (a->not_before_ns > o->now_ns + (uint64_t)RETRY_MAX_MS * NS_PER_MS)
        e->tries += RETRY_LATE_MS / RETRY_MAX_MS - 1;
    else if ((no_room || e->tries >= OUTBOX_TRIES_MAX) && until > a->not_before_ns)
        a->not_before_ns = until;
}

static void fail_batch(struct outbox *o, enum err e) {
    size_t count = o->batch_count;
    o->batch_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct entry *entry = o->batch[i];
        entry->account->signed_count--;
        stall(entry->account);
        if (entry->sending == NULL) { /* of an earlier run: it stays */
            if (!entry->is_kept)
                entry->hash = (hash32){0}; /* its rows still have the one before */
            put_off(o, entry, true);
            outbox_wait(o, entry);
            continue;
        }
        if (entry->tries == 0)
            entry->has_id = false; /* nothing was remembered */
        finish_refused(o, entry, RPC_LIMIT_EXCEEDED,
                       e == ERR_CLOSED ? "the node is shutting down"
                                       : "the node's log is behind, try again in 100ms");
    }
}

/* Takes what can be signed out of the waiting list, signs it, and has it remembered. */
static void start_batch(struct outbox *o) {
    size_t len = 0;
    bool remember = false;
    struct entry **at = &o->waiting;
    if (o->batch_count > 0)
        return;
    while (*at != NULL && o->batch_count < OUTBOX_BATCH_MAX && len < OUTBOX_BATCH_BYTES_MAX) {
        struct entry *e = *at;
        if (!is_free(o, e)) {
            at = &e->next;
            continue;
        }
        *at = e->next;
        if (e->tries > 0 && outbox_in_chain(o, &e->hash)) {
            finish_durable(o, e);
        } else if (!e->account->ok || !sign(o, e)) {
            finish_refused(o, e, RPC_SERVER_ERROR,
                           e->account->ok ? "the transaction cannot be encoded"
                                          : "this node has no such account");
        } else {
            o->batch[o->batch_count++] = e;
            len += e->envelope.len + e->call.meta.len;
            remember = remember || (e->has_id && !e->is_kept);
        }
    }
    if (o->batch_count == 0)
        return;
    if (remember)
        outbox_write_batch(o, on_written);
    else
        submit_batch(o);
}

/* --- answers ------------------------------------------------------------------------------- */
/* Refusals that say nothing about the call itself. */
static bool is_retryable(const struct submit_result *r) {
    static const char *const texts[] = {"nonce too low", "nonce too high", "already known",
                                        "replacement transaction", "replaced by"};
    if (r->has_expected_nonce || r->code == RPC_LIMIT_EXCEEDED)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (strncmp(r->text, texts[i], strlen(texts[i])) == 0)
            return true;
    return false;
}

/* One of an earlier run has nobody who could ask for it again: while there is no room for it, as
 * when the parent is away, or for the one before it, it stays. */
static bool may_try_again(const struct outbox *o, const struct entry *e,
                          const struct submit_result *r) {
    bool no_room = r->code == RPC_LIMIT_EXCEEDED || r->has_expected_nonce;
    return !o->ending && is_retryable(r) &&
           (e->tries < OUTBOX_TRIES_MAX || (e->sending == NULL && no_room));
}

static void take_answer(struct outbox *o, struct entry *e, const struct submit_result *r) {
    struct outbox_account *a = e->account;
    CHECK(a->in_flight > 0);
    a->in_flight--;
    o->in_flight--;
    if (r->status != SUBMIT_REFUSED) {
        finish_durable(o, e);
    } else {
        stall(a);
        e->tries++;
        if (may_try_again(o, e, r)) {
            put_off(o, e, r->code == RPC_LIMIT_EXCEEDED);
            outbox_wait(o, e);
        } else {
            /* A nonce is nothing that whoever asked could mend: the same may pass in a moment. */
            struct node_sent sent = {.status = SUBMIT_REFUSED,
                                     .code = is_retryable(r) ? RPC_LIMIT_EXCEEDED : r->code,
                                     .sponsor_rule = r->sponsor_rule};
            memcpy(sent.text, r->text, sizeof(sent.text));
            memcpy(sent.data, r->data, sizeof(sent.data));
            finish(o, e, &sent);
        }
    }
    unstall(a);
}

/* --- the thread ---------------------------------------------------------------------------- */
static void take_incoming(struct outbox *o, struct sending *s, struct answer *a) {
    for (struct sending *next; s != NULL; s = next) {
        next = s->next;
        take_sending(o, s);
    }
    for (struct answer *next; a != NULL; a = next) {
        next = a->next;
        take_answer(o, a->entry, &a->result);
        free(a);
    }
}

static void refuse_waiting(struct outbox *o) {
    while (o->waiting != NULL) {
        struct entry *e = o->waiting;
        o->waiting = e->next;
        if (e->sending == NULL) { /* its row in KV_OPEN stays for the next start */
            outbox_orphan_done(o, &e->id);
            entry_free(e);
            continue;
        }
        if (e->tries == 0)
            e->has_id = false;
        finish_refused(o, e, RPC_LIMIT_EXCEEDED, "the node is shutting down");
    }
}

/* Milliseconds that the thread may sleep. */
static int sleep_ms(const struct outbox *o) {
    if (o->batch_count == 0)
        for (const struct entry *e = o->waiting; e != NULL; e = e->next)
            if (!e->account->stalled)
                return RETRY_MS;
    return outbox_clean_due(o) ? 1 : 1000;
}

static bool anything_new(const struct outbox *o) {
    return o->incoming != NULL || o->answers != NULL || o->batch_write.done ||
           o->clean_write.done || (o->stopping && !o->ending);
}

static void nap(struct outbox *o, int ms) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    uint64_t ns = (uint64_t)t.tv_nsec + (uint64_t)ms * NS_PER_MS;
    t.tv_sec += (time_t)(ns / 1000000000);
    t.tv_nsec = (long)(ns % 1000000000);
    if (!anything_new(o))
        (void)pthread_cond_timedwait(&o->cond, &o->lock, &t);
}

static void round_of(struct outbox *o) {
    pthread_mutex_lock(&o->lock);
    nap(o, sleep_ms(o));
    struct sending *sends = o->incoming;
    struct answer *answers = o->answers;
    struct kv_wait batch = o->batch_write, clean = o->clean_write;
    o->incoming = NULL;
    o->incoming_last = &o->incoming;
    o->answers = NULL;
    o->answers_last = &o->answers;
    o->batch_write.done = o->clean_write.done = false;
    bool ends = o->stopping && !o->ending;
    o->ending = o->stopping;
    pthread_mutex_unlock(&o->lock);
    o->now_ns = clock_monotonic_ns(o->o.clock);
    if (ends)
        o->end_ns = o->now_ns + (uint64_t)END_MS * NS_PER_MS;
    take_incoming(o, sends, answers);
    if (batch.done)
        outbox_batch_written(o, batch.result == ERR_OK);
    if (batch.done && batch.result == ERR_OK)
        submit_batch(o);
    else if (batch.done)
        fail_batch(o, batch.result);
    if (clean.done)
        outbox_cleaned(o, clean.result, finish_sending);
    if (o->ending)
        refuse_waiting(o);
    start_batch(o);
    outbox_clean_write(o, on_written);
    outbox_forget_old(o);
}

/* A disk that fails answers nothing any more: the end does not wait for it. */
static bool is_done(struct outbox *o) {
    pthread_mutex_lock(&o->lock);
    bool forgets = o->forgetting > 0;
    pthread_mutex_unlock(&o->lock);
    if (o->ending && o->now_ns > o->end_ns)
        return true;
    return o->ending && o->in_flight == 0 && o->batch_count == 0 && o->waiting == NULL &&
           o->cleaning == NULL && !o->clean_busy && !forgets;
}

static void *outbox_main(void *arg) {
    struct outbox *o = arg;
    outbox_count_requests(o);
    while (!is_done(o))
        round_of(o);
    return NULL;
}

/* --- claims -------------------------------------------------------------------------------- */
static bool claim(void *outbox, const hash32 *id) {
    struct outbox *o = outbox;
    pthread_mutex_lock(&o->claims_lock);
    bool taken = map_has(&o->claims, id->b);
    bool ok = !taken && map_put(&o->claims, id->b, NULL) == ERR_OK;
    pthread_mutex_unlock(&o->claims_lock);
    return ok;
}

static void release(void *outbox, const hash32 *id) {
    struct outbox *o = outbox;
    pthread_mutex_lock(&o->claims_lock);
    (void)map_del(&o->claims, id->b);
    pthread_mutex_unlock(&o->claims_lock);
}

static bool signer(void *outbox, const char *slug, addr20 *out) {
    const struct outbox *o = outbox;
    return signers_address(o->o.signers, slug, out);
}

void outbox_commands(struct outbox *o, struct node_commands *out) {
    out->outbox = o;
    out->send = outbox_send;
    out->claim = claim;
    out->release = release;
    out->signer = signer;
}

/* --- life ---------------------------------------------------------------------------------- */
enum err outbox_start(struct outbox **out, const struct outbox_options *options,
                      struct err_ctx *ec) {
    struct outbox *o = calloc(1, sizeof(*o));
    if (o == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory");
    o->o = *options;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&o->lock, NULL);
    pthread_mutex_init(&o->claims_lock, NULL);
    pthread_cond_init(&o->cond, &attr);
    pthread_condattr_destroy(&attr);
    o->incoming_last = &o->incoming;
    o->answers_last = &o->answers;
    arena_init(&o->arena, ARENA_CHUNK_BYTES, 16 << 20);
    map_init(&o->claims, 32, 0, CLAIMS_MAX, map_seed_random());
    map_init(&o->accounts, OUTBOX_SLUG_BYTES, sizeof(struct outbox_account *), ACCOUNTS_MAX,
             map_seed_random());
    outbox_clean_init(o);
    map_init(&o->shares, OUTBOX_SLUG_BYTES, sizeof(size_t), ACCOUNTS_MAX, map_seed_random());
    outbox_load_open(o);
    if (pthread_create(&o->thread, NULL, outbox_main, o) != 0) {
        outbox_free(o);
        FAIL(ec, ERR_NOMEM, "cannot start the outbox's thread");
    }
    o->has_thread = true;
    *out = o;
    return ERR_OK;
}

void outbox_stop(struct outbox *o) {
    if (o == NULL || !o->has_thread)
        return;
    pthread_mutex_lock(&o->lock);
    o->stopping = true;
    wake(o);
    pthread_mutex_unlock(&o->lock);
    pthread_join(o->thread, NULL);
    o->has_thread = false;
}

/* What a disk that failed has left: the thread ended without it. */
static void drop_unanswered(struct outbox *o) {
    while (o->waiting != NULL) {
        struct entry *e = o->waiting;
        o->waiting = e->next;
        entry_drop(e);
    }
    while (o->batch_count > 0)
        entry_drop(o->batch[--o->batch_count]);
    while (o->answers != NULL) { /* they came later */
        struct answer *a = o->answers;
        o->answers = a->next;
        entry_drop(a->entry);
        free(a);
    }
    struct sending **const lists[] = {&o->cleaning, &o->cleaning_now};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        while (*lists[i] != NULL) {
            struct sending *s = *lists[i];
            *lists[i] = s->next;
            free(s);
        }
}

void outbox_free(struct outbox *o) {
    if (o == NULL)
        return;
    void *value;
    const void *key;
    drop_unanswered(o);
    for (size_t it = 0; map_next(&o->accounts, &it, &key, &value);)
        free(*(struct outbox_account **)value);
    map_clear(&o->accounts);
    map_clear(&o->claims);
    map_clear(&o->shares);
    outbox_clean_clear(o);
    arena_clear(&o->arena);
    pthread_cond_destroy(&o->cond);
    pthread_mutex_destroy(&o->lock);
    pthread_mutex_destroy(&o->claims_lock);
    free(o);
}
