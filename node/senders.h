/* SPDX-License-Identifier: Apache-2.0 */
/* Senders of many transactions: on the caller's thread, and on helpers beside it where there are
 * cores for them. */
#ifndef NODE_SENDERS_H
#define NODE_SENDERS_H

#include "node/pool.h"

enum {
    SENDERS_CHUNK = 64, /* recovered as one: vectorised recovery is at its best from 32 on */
    SENDERS_HELPERS_MAX = 7,
    SENDERS_MAX = SENDERS_CHUNK * (SENDERS_HELPERS_MAX + 1),
};

struct senders;
/* NULL: out of memory or threads. */
struct senders *senders_start(size_t helpers);
/* How many are best given at once; at most SENDERS_MAX. */
size_t senders_batch(const struct senders *s);
/* Fills tx.sender and tx.has_sender of each. One caller at a time. */
void senders_recover(struct senders *s, struct pool_tx **txs, size_t n);
/* NULL is allowed. */
void senders_stop(struct senders *s);

#endif
