/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions that another node has taken from this one, kept until they are in a block here or
 * thereabouts: so that whoever sent one finds it, and gets the nonce after it. Thread-safe.
 *
 * The oldest go first, above FORWARDED_MAX of them or FORWARDED_BYTES_MAX of memory. */
#ifndef NODE_FORWARDED_H
#define NODE_FORWARDED_H

#include "base/map.h"
#include "node/pool.h"

enum { FORWARDED_MAX = 16384, FORWARDED_BYTES_MAX = 16 << 20 };

struct forwarded {
    pthread_mutex_t lock;
    struct map by_hash;            /* hash -> struct pool_tx * */
    struct map by_nonce;           /* sender 20 | nonce u64 -> the newest with it */
    struct pool_tx *first, **last; /* by next_ready, oldest first */
    size_t count, bytes;
};
void forwarded_init(struct forwarded *f);
void forwarded_clear(struct forwarded *f);
/* Takes over one whose sender is known. */
void forwarded_add(struct forwarded *f, struct pool_tx *t);
/* Appends its envelope. False: it is not there. */
bool forwarded_get(struct forwarded *f, const hash32 *hash, struct buf *out_envelope,
                   addr20 *out_sender);
/* The first nonce from `nonce` on that none of the account's has. */
uint64_t forwarded_nonce(struct forwarded *f, const addr20 *a, uint64_t nonce);

#endif
