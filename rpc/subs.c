/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/subs.h"

#include "base/check.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum { LATE_STEP_MS = 10 }; /* how exactly held-back heads keep their time */

struct rpc_sub {
    struct rpc_subscriber *owner;
    struct rpc_sub *next_of_owner;
    struct rpc_sub *prev, *next; /* of its kind */
    enum rpc_sub_kind kind;
    char id[RPC_SUBSCRIPTION_ID_LEN + 1];
    bool answered;
    uint64_t tag, from;
    struct rpc_criteria *criteria;
    hash32 *hashes;
    size_t hash_count;
};

struct rpc_subs {
    const struct rpc_sub_transport *transport;
    struct rpc_sub_source source;
    struct rpc_sub *by_kind[RPC_SUB_KINDS];
    struct rpc_subscriber *heads;
    struct rpc_payload *newest; /* head */
    uint64_t newest_block;
    struct event *late; /* runs while heads are held back */
};

/* --- new heads ----------------------------------------------------------------------------- */
static void send_head(struct rpc_subscriber *s, uint64_t now) {
    struct rpc_subs *h = s->hub;
    s->head_ms = now;
    s->head_due = false;
    for (struct rpc_sub *b = s->first; b != NULL; b = b->next_of_owner)
        if (b->kind == RPC_SUB_HEADS && b->from <= h->newest_block)
            h->transport->send(s, b->id, h->newest, h->newest_block);
}

/* Sends the newest head to whom it is due, and comes back for the others. */
static void send_heads(struct rpc_subs *h) {
    uint64_t now = rpc_now_ms();
    bool late = false;
    for (struct rpc_subscriber *s = h->heads; s != NULL; s = s->next) {
        if (s->head_due && now - s->head_ms >= RPC_HEAD_GAP_MS)
            send_head(s, now);
        late = late || s->head_due;
    }
    struct timeval step = {.tv_usec = LATE_STEP_MS * 1000};
    if (late && !event_pending(h->late, EV_TIMEOUT, NULL))
        (void)event_add(h->late, &step);
}

static void on_late(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    send_heads(ctx);
}

static void new_head(struct rpc_subs *h, const struct rpc_feed_item *m) {
    rpc_payload_drop(h->newest);
    h->newest = m->head;
    h->newest->refs++;
    h->newest_block = m->block;
    for (struct rpc_subscriber *s = h->heads; s != NULL; s = s->next)
        s->head_due = true;
    send_heads(h);
}

/* --- everything else ----------------------------------------------------------------------- */
static void send_logs(struct rpc_subs *h, const struct rpc_feed_item *m) {
    for (struct rpc_sub *b = h->by_kind[RPC_SUB_LOGS]; b != NULL; b = b->next) {
        if (m->block < b->from)
            continue;
        for (size_t i = 0; i < m->log_count; i++)
            if (index_log_matches(&b->criteria->args.filter, &m->logs[i].entry))
                h->transport->send(b->owner, b->id, m->logs[i].json, m->block);
    }
}

static bool names(const struct rpc_sub *b, const hash32 *hash) {
    for (size_t i = 0; i < b->hash_count; i++)
        if (hash32_eq(&b->hashes[i], hash))
            return true;
    return false;
}

/* The block's receipts of the transactions that a subscription names. */
static void send_named(struct rpc_subs *h, struct rpc_sub *b, const struct rpc_feed_item *m) {
    struct buf out;
    buf_init(&out, m->receipts->len);
    buf_append_byte(&out, '[');
    for (size_t i = 0; i < m->receipt_count; i++) {
        const struct rpc_feed_receipt *r = &m->receipt_spans[i];
        if (!names(b, &r->tx_hash))
            continue;
        if (out.len > 1)
            buf_append_byte(&out, ',');
        buf_append(&out, m->receipts->json + r->at, r->len);
    }
    bool any = out.len > 1;
    buf_append_byte(&out, ']');
    struct rpc_payload *p = any && !out.overflow ? rpc_payload_new(buf_bytes(&out)) : NULL;
    if (p != NULL)
        h->transport->send(b->owner, b->id, p, m->block);
    else if (any)
        h->transport->fail(b->owner, m->block);
    rpc_payload_drop(p);
    buf_clear(&out);
}

static void send_receipts(struct rpc_subs *h, const struct rpc_feed_item *m) {
    for (struct rpc_sub *b = h->by_kind[RPC_SUB_RECEIPTS]; b != NULL; b = b->next) {
        if (m->block < b->from || m->receipt_count == 0)
            continue;
        if (b->hash_count > 0)
            send_named(h, b, m);
        else
            h->transport->send(b->owner, b->id, m->receipts, m->block);
    }
}

static void send_pending(struct rpc_subs *h, const struct rpc_feed_item *m) {
    for (size_t i = 0; i < m->pending_count; i++) {
        const struct rpc_feed_pending *p = &m->pending[i];
        for (struct rpc_sub *b = h->by_kind[RPC_SUB_PENDING]; b != NULL; b = b->next)
            h->transport->send(b->owner, b->id, p->hash, h->newest_block);
        for (struct rpc_sub *b = h->by_kind[RPC_SUB_PENDING_FULL]; b != NULL && p->full != NULL;
             b = b->next)
            h->transport->send(b->owner, b->id, p->full, h->newest_block);
    }
}

static void fail_all(struct rpc_subs *h, uint64_t block) {
    for (size_t k = 0; k < RPC_SUB_KINDS; k++)
        for (struct rpc_sub *b = h->by_kind[k]; b != NULL; b = b->next)
            h->transport->fail(b->owner, block);
}

/* Who was sent a log that is gone is told; what comes instead has lower numbers again. */
static void reorg(struct rpc_subs *h, const struct rpc_feed_item *m) {
    for (size_t i = 0; i < m->log_count; i++)
        for (struct rpc_sub *b = h->by_kind[RPC_SUB_LOGS]; b != NULL; b = b->next)
            if (m->logs[i].block >= b->from &&
                index_log_matches(&b->criteria->args.filter, &m->logs[i].entry))
                h->transport->send(b->owner, b->id, m->logs[i].json, m->block);
    for (size_t k = 0; k < RPC_SUB_KINDS; k++)
        for (struct rpc_sub *b = h->by_kind[k]; b != NULL; b = b->next)
            if (b->from > m->block + 1)
                b->from = m->block + 1;
}

void rpc_subs_on_item(void *ctx, const struct rpc_feed_item *m) {
    struct rpc_subs *h = ctx;
    if (m->failed) {
        fail_all(h, m->block);
        return;
    }
    if (m->is_reorg) {
        reorg(h, m);
        return;
    }
    if (!m->is_block) {
        send_pending(h, m);
        return;
    }
    new_head(h, m);
    if (m->log_count > 0)
        send_logs(h, m);
    if (m->receipts != NULL)
        send_receipts(h, m);
}

/* --- coming and going ---------------------------------------------------------------------- */
/* The subscriber's subscriptions to heads have become one more or less. */
static void count_head(struct rpc_subscriber *s, bool more) {
    struct rpc_subs *h = s->hub;
    if (more && s->heads++ == 0) {
        s->prev = NULL;
        s->next = h->heads;
        if (h->heads != NULL)
            h->heads->prev = s;
        h->heads = s;
    }
    if (!more && --s->heads == 0) {
        *(s->prev != NULL ? &s->prev->next : &h->heads) = s->next;
        if (s->next != NULL)
            s->next->prev = s->prev;
        s->head_due = false;
    }
}

/* Newest durable block: the subscription begins behind it. */
static uint64_t want(struct rpc_subs *h, enum rpc_sub_kind kind, bool more) {
    static const enum rpc_feed_want wants[RPC_SUB_KINDS] = {
        [RPC_SUB_HEADS] = RPC_FEED_HEADS,
        [RPC_SUB_LOGS] = RPC_FEED_LOGS,
        [RPC_SUB_RECEIPTS] = RPC_FEED_RECEIPTS,
        [RPC_SUB_PENDING] = RPC_FEED_PENDING,
        [RPC_SUB_PENDING_FULL] = RPC_FEED_PENDING_FULL,
    };
    return kind == RPC_SUB_SYNCING ? 0 : h->source.want(h->source.ctx, wants[kind], more);
}

static void sub_free(struct rpc_sub *b) {
    rpc_criteria_free(b->criteria);
    free(b->hashes);
    free(b);
}

static void make_id(char out[RPC_SUBSCRIPTION_ID_LEN + 1]) {
    uint8_t raw[16];
    ssize_t n = getrandom(raw, sizeof(raw), 0);
    CHECK(n == (ssize_t)sizeof(raw));
    raw[0] |= 0x10; /* clients see a quantity: no leading zero */
    out[0] = '0';
    out[1] = 'x';
    for (size_t i = 0; i < sizeof(raw); i++)
        snprintf(out + 2 + 2 * i, 3, "%02x", raw[i]);
}

static struct rpc_sub *sub_new(const struct rpc_sub_spec *spec) {
    struct rpc_sub *b = calloc(1, sizeof(*b));
    if (b == NULL)
        return NULL;
    if (spec->hash_count > 0) {
        b->hashes = malloc(spec->hash_count * sizeof(hash32));
        if (b->hashes == NULL) {
            free(b);
            return NULL;
        }
        memcpy(b->hashes, spec->hashes, spec->hash_count * sizeof(hash32));
        b->hash_count = spec->hash_count;
    }
    b->kind = spec->kind;
    b->criteria = spec->criteria;
    b->tag = spec->tag;
    return b;
}

enum err rpc_subs_add(struct rpc_subscriber *s, char out_id[RPC_SUBSCRIPTION_ID_LEN + 1],
                      const struct rpc_sub_spec *spec, struct err_ctx *ec) {
    struct rpc_subs *h = s->hub;
    bool full = s->count >= RPC_SUBSCRIPTIONS_MAX;
    struct rpc_sub *b = full ? NULL : sub_new(spec);
    if (b == NULL) {
        rpc_criteria_free(spec->criteria);
        if (!full)
            return ERR_NOMEM;
        FAIL(ec, ERR_BUSY, "too many subscriptions of one connection: at most %d",
             RPC_SUBSCRIPTIONS_MAX);
    }
    make_id(b->id);
    b->owner = s;
    b->next_of_owner = s->first;
    s->first = b;
    s->count++;
    s->unanswered++;
    b->next = h->by_kind[b->kind];
    if (b->next != NULL)
        b->next->prev = b;
    h->by_kind[b->kind] = b;
    b->from = want(h, b->kind, true) + 1;
    if (b->kind == RPC_SUB_HEADS)
        count_head(s, true);
    memcpy(out_id, b->id, sizeof(b->id));
    return ERR_OK;
}

static void drop(struct rpc_subscriber *s, struct rpc_sub **at) {
    struct rpc_subs *h = s->hub;
    struct rpc_sub *b = *at;
    *at = b->next_of_owner;
    s->count--;
    s->unanswered -= !b->answered;
    *(b->prev != NULL ? &b->prev->next : &h->by_kind[b->kind]) = b->next;
    if (b->next != NULL)
        b->next->prev = b->prev;
    (void)want(h, b->kind, false);
    if (b->kind == RPC_SUB_HEADS)
        count_head(s, false);
    sub_free(b);
}

bool rpc_subs_remove(struct rpc_subscriber *s, const char *id) {
    for (struct rpc_sub **at = &s->first; *at != NULL; at = &(*at)->next_of_owner)
        if (strcmp((*at)->id, id) == 0) {
            drop(s, at);
            return true;
        }
    return false;
}

void rpc_subs_answered(struct rpc_subscriber *s, uint64_t tag) {
    if (s->unanswered == 0)
        return;
    for (struct rpc_sub *b = s->first; b != NULL; b = b->next_of_owner)
        if (!b->answered && b->tag == tag) {
            b->answered = true;
            s->unanswered--;
        }
}

void rpc_subs_leave(struct rpc_subscriber *s) {
    while (s->first != NULL)
        drop(s, &s->first);
}

/* --- life ---------------------------------------------------------------------------------- */
struct rpc_subs *rpc_subs_new(struct event_base *base, const struct rpc_sub_transport *transport) {
    struct rpc_subs *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return NULL;
    h->transport = transport;
    h->late = event_new(base, -1, 0, on_late, h);
    if (h->late == NULL) {
        free(h);
        return NULL;
    }
    return h;
}

void rpc_subs_set_source(struct rpc_subs *h, struct rpc_sub_source source) {
    h->source = source;
}

void rpc_subs_free(struct rpc_subs *h) {
    if (h == NULL)
        return;
    CHECK(h->heads == NULL);
    rpc_payload_drop(h->newest);
    event_free(h->late);
    free(h);
}
