/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/feed.h"

#include "base/check.h"
#include "base/log.h"
#include "rpc/format.h"
#include "rpc/reader.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    JSON_MAX = 512 << 20,     /* of one block: its receipts in hexadecimal, many times over */
    FEED_LOG_BYTES = 1 << 12, /* it searches none */
};

struct kept_log {
    uint64_t block;
    struct rpc_feed_log log;
};

struct rpc_feed {
    const struct rpc_context *cx;
    struct rpc_pending *pending;
    struct rpc_reader *reader;
    rpc_feed_fn fn;
    void *ctx;
    pthread_t thread;
    bool has_thread;
    int wake_fd;
    struct event *wake;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned wants[RPC_FEED_WANTS];
    uint64_t next, newest;   /* block to read next, newest durable one */
    uint64_t pending_cursor; /* in `pending` */
    size_t ahead;            /* bytes that the loop has not taken */
    bool stopping;
    uint64_t reorgs;
    struct rpc_feed_item *first, **last; /* to the loop */

    /* Of the loop's thread: logs that were sent, oldest first. */
    struct kept_log *kept;
    size_t kept_count, kept_cap, kept_bytes;
};

/* --- payloads and items -------------------------------------------------------------------- */
struct rpc_payload *rpc_payload_new(bytes json) {
    struct rpc_payload *p = malloc(sizeof(*p) + json.len);
    if (p == NULL)
        return NULL;
    p->refs = 1;
    p->len = json.len;
    if (json.len > 0)
        memcpy(p->json, json.ptr, json.len);
    return p;
}

void rpc_payload_drop(struct rpc_payload *p) {
    if (p == NULL)
        return;
    CHECK(p->refs > 0);
    if (--p->refs == 0)
        free(p);
}

static void item_free(struct rpc_feed_item *m) {
    rpc_payload_drop(m->head);
    rpc_payload_drop(m->receipts);
    for (size_t i = 0; i < m->log_count; i++)
        rpc_payload_drop(m->logs[i].json);
    for (size_t i = 0; i < m->pending_count; i++) {
        rpc_payload_drop(m->pending[i].hash);
        rpc_payload_drop(m->pending[i].full);
    }
    free(m->logs);
    free(m->receipt_spans);
    free(m->pending);
    free(m);
}

/* --- encoding ------------------------------------------------------------------------------ */
/* A call that the node makes itself: so it reads as any other does. */
struct encoding {
    struct rpc_call call; /* first */
    struct rpc_feed_item *item;
    bool wants[RPC_FEED_WANTS];
    hash32 hashes[RPC_FEED_PENDING_BATCH];
    size_t hash_count;
    uint64_t reorgs; /* as the feed had them when the block was chosen */
    struct buf scratch;
};

/* What is in scratch, as a payload; fails the call when there is no memory. */
static struct rpc_payload *take(struct encoding *e) {
    struct rpc_payload *p = e->scratch.overflow ? NULL : rpc_payload_new(buf_bytes(&e->scratch));
    if (p == NULL)
        rpc_fail_err(&e->call, ERR_NOMEM, NULL);
    else
        e->item->bytes += p->len;
    buf_reset(&e->scratch);
    return p;
}

static void *list_of(struct encoding *e, size_t n, size_t len) {
    void *list = calloc(n > 0 ? n : 1, len);
    if (list == NULL)
        rpc_fail_err(&e->call, ERR_NOMEM, NULL);
    e->item->bytes += n * len;
    return list;
}

static void encode_logs(struct encoding *e, const struct index_block *b) {
    struct rpc_feed_item *m = e->item;
    struct index_stamp stamp = {.number = b->head.header.number,
                                .timestamp = b->head.header.timestamp,
                                .hash = b->head.hash};
    size_t total = 0;
    for (size_t i = 0; i < b->tx_count; i++)
        total += b->receipts[i].log_count;
    m->logs = list_of(e, total, sizeof(*m->logs));
    for (size_t i = 0; i < b->tx_count && !rpc_failed(&e->call); i++)
        for (size_t k = 0; k < b->receipts[i].log_count && !rpc_failed(&e->call); k++) {
            struct json_writer w;
            struct rpc_feed_log *l = &m->logs[m->log_count];
            jw_init(&w, &e->scratch);
            format_log(&w, &(struct index_log){.block = &stamp,
                                               .tx_hash = &b->txs[i].hash,
                                               .tx_idx = (uint32_t)i,
                                               .log_idx = (uint32_t)m->log_count,
                                               .log = &b->receipts[i].logs[k]});
            l->entry = b->receipts[i].logs[k];
            l->block = m->block;
            l->entry.data = bytes_of(NULL, 0);
            l->json = take(e);
            m->log_count++;
        }
}

static void encode_receipts(struct encoding *e, const struct index_block *b) {
    struct rpc_feed_item *m = e->item;
    struct json_writer w;
    m->receipt_spans = list_of(e, b->tx_count, sizeof(*m->receipt_spans));
    if (rpc_failed(&e->call))
        return;
    jw_init(&w, &e->scratch);
    jw_array(&w);
    for (size_t i = 0; i < b->tx_count; i++) {
        struct rpc_feed_receipt *r = &m->receipt_spans[m->receipt_count++];
        r->tx_hash = b->txs[i].hash;
        r->at = e->scratch.len + (i > 0); /* behind the comma */
        format_receipt(&w, b, i);
        r->len = e->scratch.len - r->at;
    }
    jw_array_end(&w);
    m->receipts = take(e);
}

static void encode_block(struct rpc_call *c) {
    struct encoding *e = (struct encoding *)(void *)c;
    struct index_head head;
    struct index_block b;
    struct json_writer w;
    enum err err = index_head(&head, rpc_head_view(c), e->item->block);
    if (err != ERR_OK) {
        rpc_fail_err(c, err, NULL);
        return;
    }
    memcpy(e->item->bloom, head.header.bloom, sizeof(e->item->bloom));
    jw_init(&w, &e->scratch);
    format_block(&w, &head, NULL, false);
    e->item->head = take(e);
    if (!e->wants[RPC_FEED_LOGS] && !e->wants[RPC_FEED_RECEIPTS])
        return;
    if (!rpc_load_block(c, e->item->block, &b)) {
        rpc_fail(c, RPC_SERVER_ERROR, "the block is not there");
        return;
    }
    if (e->wants[RPC_FEED_LOGS])
        encode_logs(e, &b);
    if (e->wants[RPC_FEED_RECEIPTS] && !rpc_failed(c))
        encode_receipts(e, &b);
}

static void encode_pending(struct rpc_call *c) {
    struct encoding *e = (struct encoding *)(void *)c;
    struct rpc_feed_item *m = e->item;
    struct json_writer w;
    m->pending = list_of(e, e->hash_count, sizeof(*m->pending));
    for (size_t i = 0; i < e->hash_count && !rpc_failed(c); i++) {
        struct rpc_feed_pending *p = &m->pending[m->pending_count++];
        jw_init(&w, &e->scratch);
        jw_hash(&w, &e->hashes[i]);
        p->hash = take(e);
        if (!e->wants[RPC_FEED_PENDING_FULL] || rpc_failed(c))
            continue;
        struct arena_mark mark = arena_mark(rpc_arena(c));
        jw_init(&w, &e->scratch);
        format_tx_of(c, &w, &e->hashes[i]);
        p->full = take(e);
        arena_reset_to(rpc_arena(c), mark);
    }
}

/* --- the thread ---------------------------------------------------------------------------- */
static void post(struct rpc_feed *f, struct rpc_feed_item *m) {
    uint64_t one = 1;
    m->bytes += sizeof(*m);
    pthread_mutex_lock(&f->lock);
    if (m->is_block && m->reorgs != f->reorgs) { /* it may be one that is gone: read it again */
        if (f->next > m->block)
            f->next = m->block;
        pthread_mutex_unlock(&f->lock);
        item_free(m);
        return;
    }
    f->ahead += m->bytes;
    *f->last = m;
    f->last = &m->next;
    pthread_mutex_unlock(&f->lock);
    ssize_t n = write(f->wake_fd, &one, sizeof(one));
    CHECK(n == (ssize_t)sizeof(one) || errno == EAGAIN);
}

static void run(struct rpc_feed *f, struct encoding *e, void (*fn)(struct rpc_call *c)) {
    const struct rpc_method method = {.name = "", .run = fn};
    rpc_call_init(&e->call, f->cx);
    buf_init(&e->scratch, JSON_MAX);
    e->call.method = &method;
    e->call.phase = RPC_PHASE_RUN;
    rpc_reader_run(f->reader, &e->call, 1);
    if (rpc_failed(&e->call)) {
        log_warn("rpc", "subscribers cannot be served", log_u64("block", e->item->block),
                 log_bytes("why", e->call.text.ptr, e->call.text.len));
        e->item->failed = true;
    }
    buf_clear(&e->scratch);
    rpc_call_clear(&e->call);
}

static bool wants_blocks(const struct rpc_feed *f) {
    return f->wants[RPC_FEED_HEADS] + f->wants[RPC_FEED_LOGS] + f->wants[RPC_FEED_RECEIPTS] > 0;
}

/* What to do next, under the lock; false when there is nothing. */
static bool choose(struct rpc_feed *f, struct encoding *e) {
    if (f->ahead > RPC_FEED_AHEAD_BYTES)
        return false;
    for (size_t i = 0; i < RPC_FEED_WANTS; i++)
        e->wants[i] = f->wants[i] > 0;
    e->reorgs = f->reorgs;
    /* Transactions before the blocks that they are in. */
    e->hash_count = 0;
    if (e->wants[RPC_FEED_PENDING] || e->wants[RPC_FEED_PENDING_FULL])
        e->hash_count =
            rpc_pending_read(f->pending, &f->pending_cursor, e->hashes, RPC_FEED_PENDING_BATCH);
    if (e->hash_count > 0)
        return true;
    if (!wants_blocks(f))
        f->next = f->newest + 1;
    return f->next <= f->newest;
}

static void *feed_main(void *arg) {
    struct rpc_feed *f = arg;
    struct encoding e = {0};
    pthread_mutex_lock(&f->lock);
    while (!f->stopping) {
        if (!choose(f, &e)) {
            pthread_cond_wait(&f->changed, &f->lock);
            continue;
        }
        uint64_t block = e.hash_count == 0 ? f->next++ : 0;
        pthread_mutex_unlock(&f->lock);
        e.item = calloc(1, sizeof(*e.item));
        CHECK(e.item != NULL);
        e.item->is_block = e.hash_count == 0;
        e.item->block = block;
        e.item->reorgs = e.reorgs;
        run(f, &e, e.hash_count == 0 ? encode_block : encode_pending);
        post(f, e.item);
        pthread_mutex_lock(&f->lock);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

/* --- the loop's side ----------------------------------------------------------------------- */
/* Remembers logs that subscribers were sent, in case their block goes. */
static void keep_logs(struct rpc_feed *f, const struct rpc_feed_item *m) {
    for (size_t i = 0; i < m->log_count; i++) {
        if (f->kept_count == f->kept_cap) {
            size_t cap = f->kept_cap == 0 ? 256 : 2 * f->kept_cap;
            struct kept_log *more = realloc(f->kept, cap * sizeof(*more));
            if (more == NULL)
                return;
            f->kept = more;
            f->kept_cap = cap;
        }
        struct kept_log *k = &f->kept[f->kept_count++];
        *k = (struct kept_log){.block = m->block, .log = m->logs[i]};
        k->log.json->refs++;
        f->kept_bytes += sizeof(*k) + k->log.json->len;
    }
    size_t gone = 0;
    for (; f->kept_bytes > RPC_FEED_KEPT_BYTES; gone++) {
        f->kept_bytes -= sizeof(*f->kept) + f->kept[gone].log.json->len;
        rpc_payload_drop(f->kept[gone].log.json);
    }
    f->kept_count -= gone;
    if (gone > 0)
        memmove(f->kept, f->kept + gone, f->kept_count * sizeof(*f->kept));
}

/* The same log with `removed`: true; format_log writes that member last. */
static struct rpc_payload *removed_json(const struct rpc_payload *p) {
    static const char was[] = "false}", is[] = "true}";
    struct buf b;
    CHECK(p->len > sizeof(was) &&
          memcmp(p->json + p->len - (sizeof(was) - 1), was, sizeof(was) - 1) == 0);
    buf_init(&b, p->len);
    buf_append(&b, p->json, p->len - (sizeof(was) - 1));
    buf_append(&b, is, sizeof(is) - 1);
    struct rpc_payload *out = b.overflow ? NULL : rpc_payload_new(buf_bytes(&b));
    buf_clear(&b);
    return out;
}

/* Takes the logs of blocks that are gone back, the newest first. */
static void take_back(struct rpc_feed *f, struct rpc_feed_item *m) {
    size_t n = 0;
    while (n < f->kept_count && f->kept[f->kept_count - 1 - n].block > m->block)
        n++;
    m->logs = calloc(n > 0 ? n : 1, sizeof(*m->logs));
    for (size_t i = 0; i < n; i++) {
        struct kept_log *k = &f->kept[--f->kept_count];
        struct rpc_payload *json = m->logs != NULL ? removed_json(k->log.json) : NULL;
        f->kept_bytes -= sizeof(*k) + k->log.json->len;
        if (json != NULL)
            m->logs[m->log_count++] =
                (struct rpc_feed_log){.entry = k->log.entry, .block = k->block, .json = json};
        rpc_payload_drop(k->log.json);
    }
}

static void on_wake(evutil_socket_t fd, short what, void *ctx) {
    struct rpc_feed *f = ctx;
    uint64_t count;
    (void)what;
    ssize_t n = read(fd, &count, sizeof(count));
    (void)n; /* only to reset it */
    pthread_mutex_lock(&f->lock);
    struct rpc_feed_item *m = f->first;
    f->first = NULL;
    f->last = &f->first;
    f->ahead = 0;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
    for (struct rpc_feed_item *next; m != NULL; m = next) {
        next = m->next;
        if (m->is_reorg)
            take_back(f, m);
        f->fn(f->ctx, m);
        if (m->is_block && m->log_count > 0)
            keep_logs(f, m);
        item_free(m);
    }
}

void rpc_feed_reorg(struct rpc_feed *f, uint64_t block) {
    uint64_t one = 1;
    struct rpc_feed_item *m = calloc(1, sizeof(*m));
    CHECK(m != NULL);
    m->is_reorg = true;
    m->block = block;
    m->bytes = sizeof(*m);
    pthread_mutex_lock(&f->lock);
    f->reorgs++;
    f->newest = block;
    if (f->next > block + 1)
        f->next = block + 1;
    f->ahead += m->bytes;
    *f->last = m;
    f->last = &m->next;
    pthread_mutex_unlock(&f->lock);
    ssize_t n = write(f->wake_fd, &one, sizeof(one));
    CHECK(n == (ssize_t)sizeof(one) || errno == EAGAIN);
}

uint64_t rpc_feed_want(void *feed, enum rpc_feed_want what, bool more) {
    struct rpc_feed *f = feed;
    bool is_pending = what == RPC_FEED_PENDING || what == RPC_FEED_PENDING_FULL;
    pthread_mutex_lock(&f->lock);
    CHECK(more || f->wants[what] > 0);
    if (is_pending && more && f->wants[RPC_FEED_PENDING] + f->wants[RPC_FEED_PENDING_FULL] == 0)
        f->pending_cursor = rpc_pending_next(f->pending);
    if (more && !wants_blocks(f))
        f->next = f->newest + 1;
    f->wants[what] += more ? 1 : -1u;
    pthread_mutex_unlock(&f->lock);
    if (is_pending && more)
        rpc_pending_watch(f->pending);
    else if (is_pending)
        rpc_pending_unwatch(f->pending);
    return store_durable(f->cx->store);
}

void rpc_feed_durable(struct rpc_feed *f, uint64_t block) {
    pthread_mutex_lock(&f->lock);
    f->newest = block;
    if (wants_blocks(f))
        pthread_cond_signal(&f->changed);
    else
        f->next = block + 1;
    pthread_mutex_unlock(&f->lock);
}

void rpc_feed_pending(struct rpc_feed *f) {
    pthread_mutex_lock(&f->lock);
    if (f->wants[RPC_FEED_PENDING] + f->wants[RPC_FEED_PENDING_FULL] > 0)
        pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

/* --- life ---------------------------------------------------------------------------------- */
static enum err start(struct rpc_feed *f, struct event_base *base, struct err_ctx *ec) {
    f->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (f->wake_fd < 0)
        FAIL(ec, ERR_IO, "cannot make an eventfd: %s", strerror(errno));
    f->wake = event_new(base, f->wake_fd, EV_READ | EV_PERSIST, on_wake, f);
    f->reader = rpc_reader_new(f->cx, FEED_LOG_BYTES);
    if (f->wake == NULL || event_add(f->wake, NULL) != 0 || f->reader == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory for subscriptions");
    f->newest = store_durable(f->cx->store);
    f->next = f->newest + 1;
    if (pthread_create(&f->thread, NULL, feed_main, f) != 0)
        FAIL(ec, ERR_NOMEM, "cannot start the subscriptions' thread");
    f->has_thread = true;
    return ERR_OK;
}

struct rpc_feed *rpc_feed_new(const struct rpc_context *cx, struct event_base *base,
                              struct rpc_pending *pending, rpc_feed_fn fn, void *ctx,
                              struct err_ctx *ec) {
    struct rpc_feed *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return NULL;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    f->cx = cx;
    f->pending = pending;
    f->fn = fn;
    f->ctx = ctx;
    f->wake_fd = -1;
    f->last = &f->first;
    if (start(f, base, ec) != ERR_OK) {
        rpc_feed_free(f);
        return NULL;
    }
    return f;
}

void rpc_feed_free(struct rpc_feed *f) {
    if (f == NULL)
        return;
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
    if (f->has_thread)
        pthread_join(f->thread, NULL);
    for (struct rpc_feed_item *m = f->first, *next; m != NULL; m = next) {
        next = m->next;
        item_free(m);
    }
    for (size_t i = 0; i < f->kept_count; i++)
        rpc_payload_drop(f->kept[i].log.json);
    free(f->kept);
    rpc_reader_free(f->reader);
    if (f->wake != NULL)
        event_free(f->wake);
    if (f->wake_fd >= 0)
        close(f->wake_fd);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    free(f);
}
