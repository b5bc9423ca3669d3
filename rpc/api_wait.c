/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/api_wait.h"

#include "base/check.h"

#include <stdlib.h>

struct waiter {
    struct rpc_wake wake;
    uint64_t seen, deadline_ms;
};
struct api_waiters {
    pthread_mutex_t lock;
    struct waiter *list;
    size_t count, cap;
    uint64_t newest; /* durable block */
    bool closed;
};

struct api_waiters *api_waiters_new(void) {
    struct api_waiters *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return NULL;
    pthread_mutex_init(&w->lock, NULL);
    return w;
}

void api_waiters_free(struct api_waiters *w) {
    if (w == NULL)
        return;
    pthread_mutex_destroy(&w->lock);
    free(w->list);
    free(w);
}

static bool grow(struct api_waiters *w) {
    if (w->count < w->cap)
        return true;
    size_t cap = w->cap == 0 ? 64 : 2 * w->cap;
    struct waiter *list = w->cap < API_WAITERS_MAX ? realloc(w->list, cap * sizeof(*list)) : NULL;
    if (list == NULL)
        return false;
    w->list = list;
    w->cap = cap;
    return true;
}

static void ask_wait(struct rpc_call *c, struct rpc_wake wake) {
    struct api_waiters *w = c->cx->waiters;
    struct waiter me = {.wake = wake, .seen = c->wait_seen, .deadline_ms = c->wait_until_ms};
    pthread_mutex_lock(&w->lock);
    bool waits = !w->closed && w->newest <= me.seen && grow(w);
    if (waits)
        w->list[w->count++] = me;
    pthread_mutex_unlock(&w->lock);
    if (!waits)
        rpc_wake_up(wake);
}

void api_wait_ask(struct rpc_call *c, uint64_t seen, uint64_t deadline_ms) {
    c->wait_seen = seen;
    c->wait_until_ms = deadline_ms;
    c->ask = ask_wait;
}

/* Wakes those who have seen another newest block than `block` (NULL: no matter
 * which), and those whose time has come. Who has seen a higher one either is ahead of what is told
 * here, and asks again, or saw what was undone since. */
static void wake_some(struct api_waiters *w, const uint64_t *block, uint64_t now_ms) {
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->count;) {
        bool same = block == NULL || w->list[i].seen == *block;
        if (same && w->list[i].deadline_ms > now_ms) {
            i++;
            continue;
        }
        rpc_wake_up(w->list[i].wake);
        w->list[i] = w->list[--w->count];
    }
    pthread_mutex_unlock(&w->lock);
}

void api_waiters_block(struct api_waiters *w, uint64_t block) {
    pthread_mutex_lock(&w->lock);
    w->newest = block;
    bool any = w->count > 0;
    pthread_mutex_unlock(&w->lock);
    if (any)
        wake_some(w, &block, 0);
}

static void wake_all(struct api_waiters *w) {
    wake_some(w, NULL, UINT64_MAX);
}

void api_waiters_reorg(struct api_waiters *w, uint64_t block) {
    pthread_mutex_lock(&w->lock);
    w->newest = block; /* else whoever asks now would be woken at once, again and again */
    pthread_mutex_unlock(&w->lock);
    wake_all(w);
}

void api_waiters_close(struct api_waiters *w) {
    pthread_mutex_lock(&w->lock);
    w->closed = true;
    pthread_mutex_unlock(&w->lock);
    wake_all(w);
}

bool api_waiters_closed(struct api_waiters *w) {
    pthread_mutex_lock(&w->lock);
    bool closed = w->closed;
    pthread_mutex_unlock(&w->lock);
    return closed;
}

void api_waiters_tick(struct api_waiters *w, uint64_t now_ms) {
    wake_some(w, NULL, now_ms);
}
