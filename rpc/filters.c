/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/filters.h"

#include "base/check.h"
#include "base/map.h"

#include <stdlib.h>
#include <sys/random.h>

struct rpc_filters {
    pthread_mutex_t lock;
    struct map by_id; /* struct rpc_filter_id -> struct rpc_filter * */
    struct rpc_pending *pending;
    atomic_size_t given_used;
};

struct rpc_filters *rpc_filters_new(struct rpc_pending *pending) {
    struct rpc_filters *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    pthread_mutex_init(&t->lock, NULL);
    t->pending = pending;
    map_init(&t->by_id, RPC_FILTER_ID_BYTES, sizeof(struct rpc_filter *), RPC_FILTERS_MAX,
             map_seed_random());
    return t;
}

static void filter_free(struct rpc_filters *t, struct rpc_filter *f) {
    CHECK(f->pins == 0);
    if (f->kind == RPC_FILTER_PENDING)
        rpc_pending_unwatch(t->pending);
    rpc_criteria_free(f->criteria);
    rpc_given_clear(&f->given);
    free(f);
}

void rpc_filters_free(struct rpc_filters *t) {
    if (t == NULL)
        return;
    const void *key;
    void *value;
    for (size_t it = 0; map_next(&t->by_id, &it, &key, &value);)
        filter_free(t, *(struct rpc_filter **)value);
    map_clear(&t->by_id);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* --- under the lock ------------------------------------------------------------------------ */
static void drop(struct rpc_filters *t, struct rpc_filter *f) {
    bool was_there = map_del(&t->by_id, f->id.b);
    CHECK(was_there);
    f->dead = true;
    if (f->pins == 0)
        filter_free(t, f);
}

static bool is_idle(const struct rpc_filter *f, uint64_t now_ms) {
    return f->pins == 0 && now_ms - f->used_ms > RPC_FILTER_IDLE_MS;
}

/* Drops all idle ones. The map must not change while it is walked: they are collected first. */
static void drop_idle(struct rpc_filters *t, uint64_t now_ms) {
    struct rpc_filter *idle[64];
    size_t n;
    do {
        const void *key;
        void *value;
        n = 0;
        for (size_t it = 0; n < ARRAY_LEN(idle) && map_next(&t->by_id, &it, &key, &value);) {
            struct rpc_filter *f = *(struct rpc_filter **)value;
            if (is_idle(f, now_ms))
                idle[n++] = f;
        }
        for (size_t i = 0; i < n; i++)
            drop(t, idle[i]);
    } while (n == ARRAY_LEN(idle));
}

static size_t count_of(const struct rpc_filters *t, uint64_t owner) {
    const void *key;
    void *value;
    size_t n = 0;
    for (size_t it = 0; map_next(&t->by_id, &it, &key, &value);)
        n += (*(struct rpc_filter **)value)->owner == owner;
    return n;
}

static struct rpc_filter *find(struct rpc_filters *t, const struct rpc_filter_id *id,
                               uint64_t now_ms) {
    struct rpc_filter **at = map_get(&t->by_id, id->b);
    if (at == NULL)
        return NULL;
    if (is_idle(*at, now_ms)) {
        drop(t, *at);
        return NULL;
    }
    return *at;
}

static enum err add_locked(struct rpc_filters *t, struct rpc_filter *f, struct err_ctx *ec) {
    drop_idle(t, f->used_ms);
    if (t->by_id.count >= RPC_FILTERS_MAX)
        FAIL(ec, ERR_BUSY, "too many filters on this node: at most %d", RPC_FILTERS_MAX);
    if (count_of(t, f->owner) >= RPC_FILTERS_PER_CONNECTION)
        FAIL(ec, ERR_BUSY, "too many filters of one connection: at most %d",
             RPC_FILTERS_PER_CONNECTION);
    return map_put(&t->by_id, f->id.b, &f);
}

/* --- interface ----------------------------------------------------------------------------- */
enum err rpc_filters_add(struct rpc_filters *t, struct rpc_filter_id *out,
                         const struct rpc_filter *spec, uint64_t now_ms, struct err_ctx *ec) {
    struct rpc_filter *f = malloc(sizeof(*f));
    if (f == NULL) {
        rpc_criteria_free(spec->criteria);
        return ERR_NOMEM;
    }
    *f = (struct rpc_filter){.kind = spec->kind,
                             .full = spec->full,
                             .criteria = spec->criteria,
                             .owner = spec->owner,
                             .cursor = spec->cursor,
                             .void_above = UINT64_MAX,
                             .fork = UINT64_MAX,
                             .used_ms = now_ms};
    rpc_given_init(&f->given, &t->given_used);
    ssize_t n = getrandom(f->id.b, sizeof(f->id.b), 0);
    CHECK(n == (ssize_t)sizeof(f->id.b));
    f->id.b[0] |= 0x10; /* clients see a quantity: no leading zero */
    if (f->kind == RPC_FILTER_PENDING)
        rpc_pending_watch(t->pending);
    struct rpc_filter_id id = f->id;
    pthread_mutex_lock(&t->lock);
    enum err e = add_locked(t, f, ec);
    pthread_mutex_unlock(&t->lock);
    if (e != ERR_OK) {
        filter_free(t, f);
        return e;
    }
    *out = id;
    return ERR_OK;
}

bool rpc_filters_remove(struct rpc_filters *t, const struct rpc_filter_id *id, uint64_t now_ms) {
    pthread_mutex_lock(&t->lock);
    struct rpc_filter *f = find(t, id, now_ms);
    if (f != NULL)
        drop(t, f);
    pthread_mutex_unlock(&t->lock);
    return f != NULL;
}

struct rpc_filter *rpc_filters_hold(struct rpc_filters *t, const struct rpc_filter_id *id,
                                    bool *out_poll, uint64_t now_ms) {
    pthread_mutex_lock(&t->lock);
    struct rpc_filter *f = find(t, id, now_ms);
    if (f != NULL) {
        *out_poll = !f->polled;
        f->polled = true;
        f->pins++;
        f->used_ms = now_ms;
        if (*out_poll && f->fork != UINT64_MAX && f->cursor > f->fork + 1)
            f->cursor = f->fork + 1;
        if (*out_poll && f->fork < f->void_above)
            f->void_above = f->fork;
        if (*out_poll)
            f->fork = UINT64_MAX;
    }
    pthread_mutex_unlock(&t->lock);
    return f;
}

void rpc_filters_reorg(struct rpc_filters *t, uint64_t block) {
    const void *key;
    void *value;
    pthread_mutex_lock(&t->lock);
    for (size_t it = 0; map_next(&t->by_id, &it, &key, &value);) {
        struct rpc_filter *f = *(struct rpc_filter **)value;
        if (f->kind != RPC_FILTER_PENDING && block < f->fork)
            f->fork = block;
    }
    pthread_mutex_unlock(&t->lock);
}

void rpc_filters_release(struct rpc_filters *t, struct rpc_filter *f, bool poll) {
    pthread_mutex_lock(&t->lock);
    CHECK(f->pins > 0);
    f->pins--;
    if (poll)
        f->polled = false;
    if (f->dead && f->pins == 0)
        filter_free(t, f);
    pthread_mutex_unlock(&t->lock);
}

size_t rpc_filters_count(struct rpc_filters *t) {
    pthread_mutex_lock(&t->lock);
    size_t n = t->by_id.count;
    pthread_mutex_unlock(&t->lock);
    return n;
}
