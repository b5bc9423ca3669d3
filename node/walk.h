/* SPDX-License-Identifier: Apache-2.0 */
/* One record of a log after the other, as its blocks follow each other: what recovery (of our own
 * log) and replay (of another's) have in common. Records are unpacked and checked against the
 * ledger's head: numbers follow, each block names the hash of the header before it, a SEAL that of
 * the head and its receipts root, epochs rise. What is done with them is the caller's. */
#ifndef NODE_WALK_H
#define NODE_WALK_H

#include "index/record.h"
#include "node/ledger.h"

struct walk_ops {
    /* The log says that the head has hash `want`, and it has another: fills *ec, gives the error.
     */
    enum err (*differs)(void *ctx, const hash32 *want, uint64_t seq);
    /* The next block, on top of the head. */
    enum err (*block)(void *ctx, const struct log_record *rec, const struct record_block *in);
    /* The head is what a SEAL says. NULL: nobody cares. */
    void (*sealed)(void *ctx);
    /* To an epoch above the ledger's. */
    enum err (*rewind)(void *ctx, const struct log_record *rec, const struct record_rewind *in);
    enum err (*epoch)(void *ctx, const struct log_record *rec, const struct record_epoch *in);
    /* Those that have no effect on blocks: POOL, TOMBSTONE, KV, INTENT. */
    enum err (*aside)(void *ctx, const struct log_record *rec);
};
struct walk {
    struct ledger *ledger;
    const struct walk_ops *ops;
    void *ctx;
    struct err_ctx *ec;
};
/* ERR_CORRUPT, ERR_VERSION: the record cannot be read, or does not follow; ERR_MISMATCH; or what an
 * operation gives. */
enum err walk_record(const struct walk *w, const struct log_record *rec) MUST_USE;

#endif
