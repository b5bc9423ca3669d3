/* SPDX-License-Identifier: Apache-2.0 */
/* From any thread's write of the node's own values to its KV record. */
#include "node/sequencer_internal.h"

#include "base/check.h"

#include <stdlib.h>

enum { QUEUE_MAX = 8192, QUEUE_MAX_BYTES = 64 << 20 };

struct kv_write {
    struct kv_write *next;
    kv_done_fn done;
    void *done_ctx;
    uint64_t token;
    size_t count, bytes;
    struct kv_op ops[]; /* keys and values lie behind them */
};

void kv_queue_init(struct kv_queue *q) {
    *q = (struct kv_queue){0};
    pthread_mutex_init(&q->lock, NULL);
    q->last = &q->first;
}

void kv_queue_clear(struct kv_queue *q) {
    CHECK(q->first == NULL);
    pthread_mutex_destroy(&q->lock);
}

static bytes copy_to(uint8_t **at, bytes b) {
    bytes copy = bytes_of(*at, b.len);
    if (b.len > 0)
        memcpy(*at, b.ptr, b.len);
    *at += b.len;
    return copy;
}

static struct kv_write *copy_write(const struct kv_op *ops, size_t count) {
    size_t head = sizeof(struct kv_write) + count * sizeof(struct kv_op), len = 0;
    for (size_t i = 0; i < count; i++)
        len += ops[i].key.len + ops[i].value.len;
    struct kv_write *w = malloc(head + len);
    if (w == NULL)
        return NULL;
    uint8_t *at = (uint8_t *)w + head;
    *w = (struct kv_write){.count = count, .bytes = head + len};
    for (size_t i = 0; i < count; i++) {
        w->ops[i] = ops[i];
        w->ops[i].key = copy_to(&at, ops[i].key);
        w->ops[i].value = copy_to(&at, ops[i].value);
    }
    return w;
}

static enum err enqueue(struct kv_queue *q, struct kv_write *w) {
    enum err e = ERR_OK;
    pthread_mutex_lock(&q->lock);
    if (q->closed)
        e = ERR_CLOSED;
    else if (q->count >= QUEUE_MAX || q->bytes > QUEUE_MAX_BYTES)
        e = ERR_BUSY;
    if (e == ERR_OK) {
        *q->last = w;
        q->last = &w->next;
        q->count++;
        q->bytes += w->bytes;
    }
    pthread_mutex_unlock(&q->lock);
    return e;
}

void kv_queue_write(void *ctx, const struct kv_op *ops, size_t count, kv_done_fn done,
                    void *done_ctx, uint64_t token) {
    struct sequencer *s = ctx;
    struct kv_write *w = copy_write(ops, count);
    enum err e = ERR_NOMEM;
    if (w != NULL) {
        w->done = done;
        w->done_ctx = done_ctx;
        w->token = token;
        e = enqueue(&s->kv, w);
    }
    if (e == ERR_OK) {
        ring_kick(&s->ingress);
        return;
    }
    free(w);
    done(done_ctx, token, e);
}

bool kv_queue_get(void *ctx, enum kv_space space, bytes key, struct buf *out) {
    struct sequencer *s = ctx;
    return kv_get(s->o.ledger->kv, space, key, out);
}

void kv_queue_each(void *ctx, enum kv_space space, bytes from, kv_each_fn fn, void *fn_ctx) {
    struct sequencer *s = ctx;
    kv_each(s->o.ledger->kv, space, from, fn, fn_ctx);
}

static struct kv_write *take_all(struct kv_queue *q, bool close) {
    pthread_mutex_lock(&q->lock);
    struct kv_write *first = q->first;
    q->first = NULL;
    q->last = &q->first;
    q->count = q->bytes = 0;
    q->closed = q->closed || close;
    pthread_mutex_unlock(&q->lock);
    return first;
}

/* Answered once its record is synced, or now if there will be none. */
static void log_write(struct sequencer *s, struct kv_write *w) {
    struct log_record r;
    struct err_ctx ec = {.err = ERR_OK};
    enum err e = ledger_write_kv(s->o.ledger, w->ops, w->count, &r, &ec);
    if (e == ERR_OK) {
        struct durable_item item = {.kind = DURABLE_KV,
                                    .seq = r.seq,
                                    .kv_done = w->done,
                                    .done_ctx = w->done_ctx,
                                    .token = w->token};
        durable_push(s, &item);
    } else if (e == ERR_EXISTS || e == ERR_BUSY || e == ERR_INVALID) {
        w->done(w->done_ctx, w->token, e);
    } else {
        sequencer_fail(s, e, &ec);
    }
}

void kv_queue_run(struct sequencer *s) {
    struct kv_write *next;
    for (struct kv_write *w = take_all(&s->kv, false); w != NULL; w = next) {
        next = w->next;
        if (!atomic_load(&s->failed))
            log_write(s, w);
        free(w);
    }
}

void kv_queue_close(struct kv_queue *q) {
    struct kv_write *next;
    for (struct kv_write *w = take_all(q, true); w != NULL; w = next) {
        next = w->next;
        w->done(w->done_ctx, w->token, ERR_CLOSED);
        free(w);
    }
}
