/* SPDX-License-Identifier: Apache-2.0 */
/* At a start: the log's POOL records into the pool, as they are replayed. Who was told that its
 * transaction waits does not lose it: no limit of admission holds here. What waits beyond them
 * keeps others from waiting until it is less, not those whose turn it is.
 *
 * Records are not taken back, so that some are of transactions that wait no longer. What is in a
 * block has a nonce that is gone. Of several at a sender's nonce the newest waited last, whatever
 * they pay: the others were replaced, refused or too old before it could come. One that was
 * refused at its turn or too old, and that nothing came after, waits again: it is signed, and is
 * judged as any other.
 *
 * How much that may be: of the records since the pool's floor (SEQUENCER_POOL_RECORD_AGE) one a
 * sender and nonce. Above POOL_MEMORY_MAX those whose nonces are gone are looked for as the
 * log is read, again each time that it is twice as much, and when it comes near READMIT_BYTES_MAX,
 * which is what a start takes on at all. */
#ifndef NODE_READMIT_H
#define NODE_READMIT_H

#include "node/ledger.h"
#include "node/pool.h"

enum { READMIT_BYTES_MAX = 1 << 30 };

struct readmission {
    struct pool *pool; /* that nobody else has yet */
    struct ledger *ledger;
    uint64_t now_ms;  /* from when on POOL_LIFETIME_MS count again */
    size_t sort_at;   /* bytes in the pool; 0: POOL_MEMORY_MAX */
    size_t forgotten; /* records that were above READMIT_BYTES_MAX */
};
/* A recover_pool_fn; ctx: a struct readmission. ERR_NOMEM. An envelope that does not decode is left
 * out. */
enum err readmit_record(void *ctx, bytes envelope, const addr20 *sender, uint64_t seq) MUST_USE;
/* At the log's end, once: what is next in turn becomes READY. ERR_NOMEM. */
enum err readmit_end(struct readmission *r) MUST_USE;

#endif
