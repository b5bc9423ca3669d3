/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/api_wait.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/map.h"
#include "index/universe.h"
#include "rpc/api.h"

#include <stdlib.h>
#include <time.h>

enum {
    REST_TIMES = 4,          /* as long as a look took does the thread rest after it, */
    REST_MAX_NS = 200000000, /* at most so long */
    RETRY_NS = 10000000,     /* after a look that failed */
    NS_PER_S = 1000000000,
};

struct waiter {
    struct rpc_wake wake;
    uint64_t seen, deadline_ms;
};
/* Those who wait for one universe; lives while there are any. */
struct group {
    uint64_t universe;
    struct waiter *list;
    size_t count, cap;
    uint64_t last;  /* block of the newest event, as far as it was looked */
    uint64_t known; /* up to this block it was; 0: nowhere */
    bool due;       /* to be looked at again */
};
struct api_waiters {
    struct store *store;
    pthread_mutex_t lock;
    pthread_cond_t ready;
    struct map groups; /* universe -> struct group * */
    size_t count;      /* of waiters */
    uint64_t newest;   /* durable block */
    uint64_t reorgs;
    bool due; /* some group is */
    bool closed, stopping, started;
    pthread_t thread;
};

/* --- groups; under the lock ---------------------------------------------------------------- */
static struct group *find(const struct api_waiters *w, uint64_t universe) {
    struct group **g = map_get(&w->groups, &universe);
    return g != NULL ? *g : NULL;
}

static struct group *find_or_add(struct api_waiters *w, uint64_t universe) {
    struct group *g = find(w, universe);
    if (g != NULL)
        return g;
    g = calloc(1, sizeof(*g));
    if (g == NULL || map_put(&w->groups, &universe, &g) != ERR_OK) {
        free(g);
        return NULL;
    }
    g->universe = universe;
    return g;
}

static void drop_if_empty(struct api_waiters *w, struct group *g) {
    if (g->count > 0)
        return;
    (void)map_del(&w->groups, &g->universe);
    free(g->list);
    free(g);
}

static bool add(struct api_waiters *w, struct group *g, const struct waiter *me) {
    if (w->count >= API_WAITERS_MAX || g->count >= API_WAITERS_UNIVERSE_MAX)
        return false;
    if (g->count == g->cap) {
        size_t cap = g->cap == 0 ? 4 : 2 * g->cap;
        struct waiter *list = realloc(g->list, cap * sizeof(*list));
        if (list == NULL)
            return false;
        g->list = list;
        g->cap = cap;
    }
    g->list[g->count++] = *me;
    w->count++;
    return true;
}

/* Wakes those who have seen less than block `last`, or more than there is (which was undone since),
 * or whose time has come. */
static void wake_some(struct api_waiters *w, struct group *g, uint64_t last, uint64_t stands,
                      uint64_t now_ms) {
    for (size_t i = 0; i < g->count;) {
        const struct waiter *one = &g->list[i];
        if (one->seen >= last && one->seen <= stands && one->deadline_ms > now_ms) {
            i++;
            continue;
        }
        rpc_wake_up(one->wake);
        g->list[i] = g->list[--g->count];
        w->count--;
    }
}

/* --- what goes on -------------------------------------------------------------------------- */
/* Wakes by time, or all. */
static void wake_by_time(struct api_waiters *w, uint64_t now_ms) {
    const void *key;
    void *value;
    struct group *empty[64];
    size_t n = ARRAY_LEN(empty);
    while (n == ARRAY_LEN(empty)) {
        n = 0;
        for (size_t it = 0; n < ARRAY_LEN(empty) && map_next(&w->groups, &it, &key, &value);) {
            struct group *g = *(struct group **)value;
            wake_some(w, g, 0, UINT64_MAX, now_ms);
            if (g->count == 0)
                empty[n++] = g;
        }
        for (size_t i = 0; i < n; i++)
            drop_if_empty(w, empty[i]);
    }
}

static void signal_due(struct api_waiters *w) {
    if (w->due)
        return;
    w->due = true;
    pthread_cond_signal(&w->ready);
}

enum waits { WAITS, WOKEN, REFUSED };

static enum waits wait_here(struct api_waiters *w, uint64_t universe, const struct waiter *me) {
    if (w->closed)
        return WOKEN;
    struct group *g = find_or_add(w, universe);
    if (g == NULL)
        return REFUSED;
    enum waits how = g->last > me->seen ? WOKEN : add(w, g, me) ? WAITS : REFUSED;
    if (how == WAITS && (me->seen > g->known || g->known < w->newest)) {
        g->due = true;
        signal_due(w);
    }
    drop_if_empty(w, g);
    return how;
}

static void ask_wait(struct rpc_call *c, struct rpc_wake wake) {
    struct api_waiters *w = c->cx->waiters;
    struct waiter me = {.wake = wake, .seen = c->wait_seen, .deadline_ms = c->wait_until_ms};
    pthread_mutex_lock(&w->lock);
    enum waits how = wait_here(w, c->wait_universe, &me);
    pthread_mutex_unlock(&w->lock);
    if (how == WOKEN)
        rpc_wake_up(wake);
    if (how != REFUSED)
        return;
    api_fail(c, API_LIMIT, "too many wait for events, try again in a second");
    c->try_later = true;
}

void api_wait_ask(struct rpc_call *c, uint64_t universe, uint64_t seen, uint64_t deadline_ms) {
    c->wait_universe = universe;
    c->wait_seen = seen;
    c->wait_until_ms = deadline_ms;
    c->waits = true;
    c->ask = ask_wait;
}

void api_waiters_block(struct api_waiters *w, uint64_t block) {
    pthread_mutex_lock(&w->lock);
    w->newest = block;
    if (w->count > 0)
        signal_due(w);
    pthread_mutex_unlock(&w->lock);
}

void api_waiters_reorg(struct api_waiters *w, uint64_t block) {
    pthread_mutex_lock(&w->lock);
    w->newest = block;
    w->reorgs++;
    wake_by_time(w, UINT64_MAX);
    pthread_mutex_unlock(&w->lock);
}

void api_waiters_close(struct api_waiters *w) {
    pthread_mutex_lock(&w->lock);
    w->closed = true;
    wake_by_time(w, UINT64_MAX);
    pthread_mutex_unlock(&w->lock);
}

bool api_waiters_closed(struct api_waiters *w) {
    pthread_mutex_lock(&w->lock);
    bool closed = w->closed;
    pthread_mutex_unlock(&w->lock);
    return closed;
}

void api_waiters_tick(struct api_waiters *w, uint64_t now_ms) {
    pthread_mutex_lock(&w->lock);
    wake_by_time(w, now_ms);
    pthread_mutex_unlock(&w->lock);
}

/* --- the thread ---------------------------------------------------------------------------- */
struct look {
    uint64_t universe, last;
};

/* The universes that are to be looked at; NULL: none, or no memory. */
static struct look *take_due(struct api_waiters *w, size_t *out_count) {
    const void *key;
    void *value;
    size_t n = 0;
    struct look *list = calloc(w->groups.count + 1, sizeof(*list));
    for (size_t it = 0; list != NULL && map_next(&w->groups, &it, &key, &value);) {
        struct group *g = *(struct group **)value;
        if (!g->due && g->known >= w->newest)
            continue;
        g->due = false;
        list[n++].universe = g->universe;
    }
    *out_count = n;
    return list;
}

/* *out_block: up to where. False: it could not be read, or was undone meanwhile. */
static bool look(const struct api_waiters *w, struct look *list, size_t n, uint64_t *out_block) {
    struct store_view *v = NULL;
    if (store_view_open(&v, w->store, store_durable(w->store)) != ERR_OK)
        return false;
    *out_block = store_view_block(v);
    for (size_t i = 0; i < n; i++)
        list[i].last = index_last_event(v, list[i].universe);
    bool ok = !store_view_stale(v);
    store_view_close(v);
    return ok;
}

static void take_look(struct api_waiters *w, const struct look *list, size_t n, uint64_t block,
                      bool ok) {
    for (size_t i = 0; i < n; i++) {
        struct group *g = find(w, list[i].universe);
        if (g == NULL)
            continue;
        if (!ok) {
            g->due = true;
            continue;
        }
        g->last = list[i].last;
        g->known = block;
        wake_some(w, g, g->last, block, 0);
        drop_if_empty(w, g);
    }
    w->due = w->due || !ok;
}

static void rest(uint64_t ns) {
    struct timespec t = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
    (void)nanosleep(&t, NULL);
}

static void *look_main(void *arg) {
    struct api_waiters *w = arg;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->due && !w->stopping)
            pthread_cond_wait(&w->ready, &w->lock);
        if (w->stopping)
            break;
        size_t n = 0;
        uint64_t block = 0, reorgs = w->reorgs, begun_ns = clock_monotonic_ns(clock_posix());
        struct look *list = take_due(w, &n);
        w->due = list == NULL;
        pthread_mutex_unlock(&w->lock);
        bool ok = list != NULL && look(w, list, n, &block);
        pthread_mutex_lock(&w->lock);
        ok = ok && reorgs == w->reorgs;
        take_look(w, list, n, block, ok);
        pthread_mutex_unlock(&w->lock);
        free(list);
        uint64_t ns = REST_TIMES * (clock_monotonic_ns(clock_posix()) - begun_ns);
        rest(!ok ? RETRY_NS : ns < REST_MAX_NS ? ns : REST_MAX_NS);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* --- life ---------------------------------------------------------------------------------- */
struct api_waiters *api_waiters_new(struct store *store) {
    struct api_waiters *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return NULL;
    w->store = store;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->ready, NULL);
    map_init(&w->groups, sizeof(uint64_t), sizeof(struct group *), API_WAITERS_MAX,
             map_seed_random());
    w->started = pthread_create(&w->thread, NULL, look_main, w) == 0;
    if (w->started)
        return w;
    api_waiters_free(w);
    return NULL;
}

void api_waiters_free(struct api_waiters *w) {
    const void *key;
    void *value;
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->ready);
    pthread_mutex_unlock(&w->lock);
    if (w->started)
        pthread_join(w->thread, NULL);
    for (size_t it = 0; map_next(&w->groups, &it, &key, &value);) {
        struct group *g = *(struct group **)value;
        free(g->list);
        free(g);
    }
    map_clear(&w->groups);
    pthread_cond_destroy(&w->ready);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
