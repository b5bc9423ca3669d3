/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crew.h"

#include "base/check.h"

#include <pthread.h>
#include <stdlib.h>

struct crew {
    pthread_mutex_t lock;
    pthread_cond_t work, finished;
    void (*part)(void *ctx, size_t i);
    void *ctx;
    size_t parts; /* of the job at hand */
    size_t next;  /* first that nobody has taken */
    size_t done;
    bool stopping;
    const char *name;
    size_t helpers;
    pthread_t threads[CREW_HELPERS_MAX];
};

/* Until all parts are taken. `lock` is held before and after. */
static void work_off(struct crew *c) {
    while (c->next < c->parts) {
        size_t i = c->next++;
        pthread_mutex_unlock(&c->lock);
        c->part(c->ctx, i);
        pthread_mutex_lock(&c->lock);
        if (++c->done == c->parts)
            pthread_cond_signal(&c->finished);
    }
}

static void *helper_main(void *arg) {
    struct crew *c = arg;
    (void)pthread_setname_np(pthread_self(), c->name);
    pthread_mutex_lock(&c->lock);
    while (!c->stopping) {
        work_off(c);
        pthread_cond_wait(&c->work, &c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

struct crew *crew_start(size_t helpers, const char *name) {
    CHECK(helpers <= CREW_HELPERS_MAX);
    struct crew *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    c->name = name;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->work, NULL);
    pthread_cond_init(&c->finished, NULL);
    for (; c->helpers < helpers; c->helpers++)
        if (pthread_create(&c->threads[c->helpers], NULL, helper_main, c) != 0) {
            crew_stop(c);
            return NULL;
        }
    return c;
}

size_t crew_hands(const struct crew *c) {
    return c == NULL ? 1 : c->helpers + 1;
}

void crew_run(struct crew *c, void (*part)(void *ctx, size_t i), void *ctx, size_t parts) {
    if (crew_hands(c) == 1 || parts <= 1) {
        for (size_t i = 0; i < parts; i++)
            part(ctx, i);
        return;
    }
    pthread_mutex_lock(&c->lock);
    c->part = part;
    c->ctx = ctx;
    c->next = c->done = 0;
    c->parts = parts;
    pthread_cond_broadcast(&c->work);
    work_off(c);
    while (c->done < parts)
        pthread_cond_wait(&c->finished, &c->lock);
    c->parts = c->next = c->done = 0;
    pthread_mutex_unlock(&c->lock);
}

void crew_stop(struct crew *c) {
    if (c == NULL)
        return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_broadcast(&c->work);
    pthread_mutex_unlock(&c->lock);
    for (size_t i = 0; i < c->helpers; i++)
        pthread_join(c->threads[i], NULL);
    pthread_cond_destroy(&c->work);
    pthread_cond_destroy(&c->finished);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
