/* SPDX-License-Identifier: Apache-2.0 */
/* The newest pending transactions' hashes, numbered, for those who follow them at their own pace.
 * Nothing is kept while nobody does. The RPC_PENDING_KEPT newest are there; who falls further
 * behind misses the older ones. Thread-safe. */
#ifndef RPC_PENDING_H
#define RPC_PENDING_H

#include "base/types.h"

#include <pthread.h>
#include <stdatomic.h>

enum { RPC_PENDING_KEPT = 1 << 16 };

struct rpc_pending {
    pthread_mutex_t lock;
    atomic_uint watchers;
    uint64_t next;  /* number of the next hash */
    hash32 *hashes; /* number n is at n % RPC_PENDING_KEPT */
};

/* False: no memory. */
bool rpc_pending_init(struct rpc_pending *p) MUST_USE;
void rpc_pending_clear(struct rpc_pending *p);
/* One more or less who follows. */
void rpc_pending_watch(struct rpc_pending *p);
void rpc_pending_unwatch(struct rpc_pending *p);
void rpc_pending_add(struct rpc_pending *p, const hash32 *hash);
/* The number that the next hash will have: a cursor that has seen everything. */
uint64_t rpc_pending_next(struct rpc_pending *p);
/* Up to `max` hashes from *cursor on, which moves behind them; how many. */
size_t rpc_pending_read(struct rpc_pending *p, uint64_t *cursor, hash32 *out, size_t max);

#endif
