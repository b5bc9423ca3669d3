/* SPDX-License-Identifier: Apache-2.0 */
#include "node/prepare.h"

#include "node/metrics.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>

struct preparer {
    struct wal *logs[2];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
};

static bool is_due(const struct preparer *p) {
    return wal_prepare_due(p->logs[0]) || wal_prepare_due(p->logs[1]);
}

static void prepare(struct wal *l) {
    if (!wal_prepare_due(l))
        return;
    uint64_t begun = clock_monotonic_ns(clock_posix());
    wal_prepare(l);
    node_observe_since(&node_prepare_us, begun, clock_monotonic_ns(clock_posix()));
}

static void *preparer_main(void *arg) {
    struct preparer *p = arg;
    (void)pthread_setname_np(pthread_self(), "segments");
    pthread_mutex_lock(&p->lock);
    while (!p->stopping) {
        if (!is_due(p)) {
            pthread_cond_wait(&p->wake, &p->lock);
            continue;
        }
        pthread_mutex_unlock(&p->lock);
        for (size_t i = 0; i < 2; i++)
            prepare(p->logs[i]);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

struct preparer *preparer_start(struct wal *log, struct wal *receipts) {
    struct preparer *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return NULL;
    p->logs[0] = log;
    p->logs[1] = receipts;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    if (pthread_create(&p->thread, NULL, preparer_main, p) != 0) {
        pthread_cond_destroy(&p->wake);
        pthread_mutex_destroy(&p->lock);
        free(p);
        return NULL;
    }
    return p;
}

void preparer_look(struct preparer *p) {
    if (!is_due(p))
        return;
    pthread_mutex_lock(&p->lock);
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

void preparer_stop(struct preparer *p) {
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
