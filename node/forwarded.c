/* SPDX-License-Identifier: Apache-2.0 */
#include "node/forwarded.h"

#include "base/check.h"

#include <string.h>

enum { NONCE_KEY_BYTES = 28 };

static void nonce_key(uint8_t out[NONCE_KEY_BYTES], const addr20 *a, uint64_t nonce) {
    memcpy(out, a->b, 20);
    memcpy(out + 20, &nonce, sizeof(nonce));
}

void forwarded_init(struct forwarded *f) {
    *f = (struct forwarded){.last = &f->first};
    struct map_seed seed = map_seed_random();
    map_init(&f->by_hash, 32, sizeof(struct pool_tx *), FORWARDED_MAX + 1, seed);
    map_init(&f->by_nonce, NONCE_KEY_BYTES, sizeof(struct pool_tx *), FORWARDED_MAX + 1, seed);
    pthread_mutex_init(&f->lock, NULL);
}

static void drop_first(struct forwarded *f) {
    struct pool_tx *t = f->first;
    uint8_t key[NONCE_KEY_BYTES];
    nonce_key(key, &t->tx.sender, t->tx.nonce);
    struct pool_tx *const *newest = map_get(&f->by_nonce, key);
    if (newest != NULL && *newest == t)
        (void)map_del(&f->by_nonce, key);
    (void)map_del(&f->by_hash, t->tx.hash.b);
    f->first = t->next_ready;
    if (f->first == NULL)
        f->last = &f->first;
    f->count--;
    f->bytes -= pool_tx_bytes(t);
    pool_tx_free(t);
}

void forwarded_clear(struct forwarded *f) {
    while (f->first != NULL)
        drop_first(f);
    map_clear(&f->by_hash);
    map_clear(&f->by_nonce);
    pthread_mutex_destroy(&f->lock);
}

void forwarded_add(struct forwarded *f, struct pool_tx *t) {
    uint8_t key[NONCE_KEY_BYTES];
    CHECK(t->tx.has_sender);
    pthread_mutex_lock(&f->lock);
    bool takes =
        !map_has(&f->by_hash, t->tx.hash.b) && map_put(&f->by_hash, t->tx.hash.b, &t) == ERR_OK;
    if (!takes) { /* it is there, or there is no memory to find it by */
        pthread_mutex_unlock(&f->lock);
        pool_tx_free(t);
        return;
    }
    nonce_key(key, &t->tx.sender, t->tx.nonce);
    enum err e = map_put(&f->by_nonce, key, &t);
    (void)e; /* without it the nonce is the chain's */
    t->next_ready = NULL;
    *f->last = t;
    f->last = &t->next_ready;
    f->count++;
    f->bytes += pool_tx_bytes(t);
    while (f->count > FORWARDED_MAX || f->bytes > FORWARDED_BYTES_MAX)
        drop_first(f);
    pthread_mutex_unlock(&f->lock);
}

bool forwarded_get(struct forwarded *f, const hash32 *hash, struct buf *out_envelope,
                   addr20 *out_sender) {
    pthread_mutex_lock(&f->lock);
    struct pool_tx *const *t = map_get(&f->by_hash, hash->b);
    if (t != NULL) {
        buf_append(out_envelope, (*t)->tx.raw.ptr, (*t)->tx.raw.len);
        *out_sender = (*t)->tx.sender;
    }
    pthread_mutex_unlock(&f->lock);
    return t != NULL;
}

uint64_t forwarded_nonce(struct forwarded *f, const addr20 *a, uint64_t nonce) {
    uint8_t key[NONCE_KEY_BYTES];
    pthread_mutex_lock(&f->lock);
    for (nonce_key(key, a, nonce); map_has(&f->by_nonce, key); nonce_key(key, a, nonce))
        nonce++;
    pthread_mutex_unlock(&f->lock);
    return nonce;
}
