/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/pending.h"

#include "base/check.h"

#include <stdlib.h>

bool rpc_pending_init(struct rpc_pending *p) {
    *p = (struct rpc_pending){0};
    pthread_mutex_init(&p->lock, NULL);
    p->hashes = malloc(RPC_PENDING_KEPT * sizeof(hash32));
    return p->hashes != NULL;
}

void rpc_pending_clear(struct rpc_pending *p) {
    free(p->hashes);
    p->hashes = NULL;
    pthread_mutex_destroy(&p->lock);
}

void rpc_pending_watch(struct rpc_pending *p) {
    atomic_fetch_add(&p->watchers, 1);
}

void rpc_pending_unwatch(struct rpc_pending *p) {
    unsigned before = atomic_fetch_sub(&p->watchers, 1);
    CHECK(before > 0);
}

void rpc_pending_add(struct rpc_pending *p, const hash32 *hash) {
    if (atomic_load_explicit(&p->watchers, memory_order_relaxed) == 0)
        return;
    pthread_mutex_lock(&p->lock);
    p->hashes[p->next++ % RPC_PENDING_KEPT] = *hash;
    pthread_mutex_unlock(&p->lock);
}

uint64_t rpc_pending_next(struct rpc_pending *p) {
    pthread_mutex_lock(&p->lock);
    uint64_t next = p->next;
    pthread_mutex_unlock(&p->lock);
    return next;
}

size_t rpc_pending_read(struct rpc_pending *p, uint64_t *cursor, hash32 *out, size_t max) {
    size_t n = 0;
    pthread_mutex_lock(&p->lock);
    CHECK(*cursor <= p->next);
    if (p->next - *cursor > RPC_PENDING_KEPT)
        *cursor = p->next - RPC_PENDING_KEPT;
    while (n < max && *cursor < p->next)
        out[n++] = p->hashes[(*cursor)++ % RPC_PENDING_KEPT];
    pthread_mutex_unlock(&p->lock);
    return n;
}
