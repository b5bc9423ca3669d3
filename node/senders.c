/* SPDX-License-Identifier: Apache-2.0 */
#include "node/senders.h"

#include "base/check.h"
#include "base/secp.h"

#include <pthread.h>
#include <stdlib.h>

struct senders {
    pthread_mutex_t lock;
    pthread_cond_t work, finished;
    struct pool_tx **txs; /* of the batch at hand */
    size_t count;
    size_t next; /* first that nobody has taken */
    size_t done;
    bool stopping;
    size_t helpers;
    pthread_t threads[SENDERS_HELPERS_MAX];
};

static void recover_chunk(struct pool_tx **txs, size_t n) {
    hash32 digests[SENDERS_CHUNK] = {0};
    struct secp_sig sigs[SENDERS_CHUNK] = {0};
    addr20 senders[SENDERS_CHUNK];
    bool ok[SENDERS_CHUNK];
    CHECK(n <= SENDERS_CHUNK);
    for (size_t i = 0; i < n; i++) {
        digests[i] = txs[i]->tx.sighash;
        sigs[i] = txs[i]->tx.sig;
    }
    secp_recover_batch(senders, ok, digests, sigs, n);
    for (size_t i = 0; i < n; i++) {
        txs[i]->tx.sender = senders[i];
        txs[i]->tx.has_sender = ok[i];
    }
}

/* Recovers chunks until all are taken. `lock` is held before and after. */
static void work_off(struct senders *s) {
    while (s->next < s->count) {
        size_t left = s->count - s->next, n = left < SENDERS_CHUNK ? left : SENDERS_CHUNK;
        struct pool_tx **chunk = s->txs + s->next;
        s->next += n;
        pthread_mutex_unlock(&s->lock);
        recover_chunk(chunk, n);
        pthread_mutex_lock(&s->lock);
        s->done += n;
    }
}

static void *helper_main(void *arg) {
    struct senders *s = arg;
    (void)pthread_setname_np(pthread_self(), "senders");
    pthread_mutex_lock(&s->lock);
    while (!s->stopping) {
        work_off(s);
        if (s->done == s->count)
            pthread_cond_signal(&s->finished);
        pthread_cond_wait(&s->work, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

struct senders *senders_start(size_t helpers) {
    CHECK(helpers <= SENDERS_HELPERS_MAX);
    struct senders *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->work, NULL);
    pthread_cond_init(&s->finished, NULL);
    for (; s->helpers < helpers; s->helpers++)
        if (pthread_create(&s->threads[s->helpers], NULL, helper_main, s) != 0) {
            senders_stop(s);
            return NULL;
        }
    return s;
}

size_t senders_batch(const struct senders *s) {
    return SENDERS_CHUNK * (s->helpers + 1);
}

void senders_recover(struct senders *s, struct pool_tx **txs, size_t n) {
    if (s->helpers == 0 || n <= SENDERS_CHUNK) {
        for (size_t at = 0; at < n; at += SENDERS_CHUNK)
            recover_chunk(txs + at, n - at < SENDERS_CHUNK ? n - at : SENDERS_CHUNK);
        return;
    }
    pthread_mutex_lock(&s->lock);
    s->txs = txs;
    s->count = n;
    s->next = s->done = 0;
    pthread_cond_broadcast(&s->work);
    work_off(s);
    while (s->done < n)
        pthread_cond_wait(&s->finished, &s->lock);
    s->count = s->next = s->done = 0;
    pthread_mutex_unlock(&s->lock);
}

void senders_stop(struct senders *s) {
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->work);
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < s->helpers; i++)
        pthread_join(s->threads[i], NULL);
    pthread_cond_destroy(&s->work);
    pthread_cond_destroy(&s->finished);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
