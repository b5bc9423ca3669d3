/* SPDX-License-Identifier: Apache-2.0 */
/* Recovery: the log's records after the store's checkpoint are executed again, and each block's
 * hash is compared with what the log chained to it. A node that computes another hash than before
 * refuses to serve. */
#ifndef NODE_RECOVER_H
#define NODE_RECOVER_H

#include "base/err.h"
#include "chain/tx.h"
#include "node/ledger.h"

struct recover_stats {
    uint64_t blocks, records;
    uint64_t took_ms;
};
/* A transaction that waited in the pool, record `seq`; may be stale. Borrowed for the call. An
 * error ends the recovery. */
typedef enum err (*recover_pool_fn)(void *ctx, bytes envelope, const addr20 *sender, uint64_t seq);

/* Brings the ledger to the end of its log; all of it is durable then. ERR_MISMATCH names block,
 * computed and logged hash; ERR_CORRUPT, ERR_VERSION, ERR_UNSUPPORTED. */
enum err recover_run(struct ledger *l, struct recover_stats *out, recover_pool_fn pool, void *ctx,
                     struct err_ctx *ec) MUST_USE;

#endif
