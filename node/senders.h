/* SPDX-License-Identifier: Apache-2.0 */
/* Senders of many transactions: on the caller's thread, and on helpers beside it where there are
 * cores for them. */
#ifndef NODE_SENDERS_H
#define NODE_SENDERS_H

#include "base/crew.h"
#include "node/pool.h"

enum {
    SENDERS_CHUNK = 64, /* recovered as one: vectorised recovery is at its best from 32 on */
    SENDERS_MAX = SENDERS_CHUNK * CREW_HANDS_MAX,
};

/* How many are best given at once; at most SENDERS_MAX. */
size_t senders_batch(const struct crew *c);
/* Fills tx.sender and tx.has_sender of each, with the help of `c`, which may be NULL. */
void senders_recover(struct crew *c, struct pool_tx **txs, size_t n);

#endif
