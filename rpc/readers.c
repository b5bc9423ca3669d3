/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "rpc/reader.h"

#include <stdlib.h>

struct queue {
    struct rpc_work *first, **last;
};

struct worker {
    struct rpc_readers *pool;
    struct rpc_reader *reader;
    pthread_t thread;
    bool light_only;
    bool running;
};

struct rpc_readers {
    pthread_mutex_t lock;
    pthread_cond_t ready;
    struct queue light, heavy;
    size_t queued, queue_max;
    bool stopping;
    struct worker *workers;
    size_t count;
};

static void queue_init(struct queue *q) {
    q->first = NULL;
    q->last = &q->first;
}

static void queue_push(struct queue *q, struct rpc_work *w) {
    w->next = NULL;
    *q->last = w;
    q->last = &w->next;
}

static struct rpc_work *queue_pop(struct queue *q) {
    struct rpc_work *w = q->first;
    if (w == NULL)
        return NULL;
    q->first = w->next;
    if (q->first == NULL)
        q->last = &q->first;
    return w;
}

/* The next work for this worker, or NULL when the pool ends. */
static struct rpc_work *take_work(struct worker *k) {
    struct rpc_readers *p = k->pool;
    struct rpc_work *w = NULL;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        if (!k->light_only)
            w = queue_pop(&p->heavy);
        if (w == NULL)
            w = queue_pop(&p->light);
        if (w != NULL || p->stopping)
            break;
        pthread_cond_wait(&p->ready, &p->lock);
    }
    if (w != NULL && !w->begun)
        p->queued--;
    pthread_mutex_unlock(&p->lock);
    return w;
}

static void *worker_main(void *arg) {
    struct worker *k = arg;
    struct rpc_work *w;
    while ((w = take_work(k)) != NULL) {
        rpc_reader_run(k->reader, w->calls, w->count);
        w->done(w);
    }
    return NULL;
}

struct rpc_readers *rpc_readers_new(const struct rpc_context *cx, size_t threads, size_t queue_max,
                                    struct err_ctx *ec) {
    CHECK(threads >= 1);
    struct rpc_readers *p = calloc(1, sizeof(*p));
    struct worker *workers = calloc(threads, sizeof(*workers));
    if (p == NULL || workers == NULL) {
        free(p);
        free(workers);
        (void)err_set(ec, ERR_NOMEM, __FILE__, __LINE__, "out of memory for %zu reader threads",
                      threads);
        return NULL;
    }
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->ready, NULL);
    queue_init(&p->light);
    queue_init(&p->heavy);
    p->queue_max = queue_max;
    p->workers = workers;
    p->count = threads;
    for (size_t i = 0; i < threads; i++) {
        struct worker *k = &workers[i];
        k->pool = p;
        k->light_only = i == 0 && threads > 1;
        k->reader = rpc_reader_new(cx, RPC_READERS_LOG_BYTES / threads);
        k->running = k->reader != NULL && pthread_create(&k->thread, NULL, worker_main, k) == 0;
        if (!k->running) {
            (void)err_set(ec, ERR_NOMEM, __FILE__, __LINE__, "cannot start reader thread %zu", i);
            rpc_readers_free(p);
            return NULL;
        }
    }
    return p;
}

bool rpc_readers_push(struct rpc_readers *p, struct rpc_work *w) {
    pthread_mutex_lock(&p->lock);
    bool ok = !p->stopping && (w->begun || p->queued < p->queue_max);
    if (ok) {
        queue_push(w->heavy ? &p->heavy : &p->light, w);
        if (!w->begun)
            p->queued++;
        /* Heavy work is not for every worker, so a single wake-up could reach the wrong one. */
        if (w->heavy)
            pthread_cond_broadcast(&p->ready);
        else
            pthread_cond_signal(&p->ready);
    }
    pthread_mutex_unlock(&p->lock);
    return ok;
}

void rpc_readers_free(struct rpc_readers *p) {
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->ready);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->count; i++) {
        if (p->workers[i].running)
            pthread_join(p->workers[i].thread, NULL);
        rpc_reader_free(p->workers[i].reader);
    }
    pthread_cond_destroy(&p->ready);
    pthread_mutex_destroy(&p->lock);
    free(p->workers);
    free(p);
}
