/* SPDX-License-Identifier: Apache-2.0 */
/* The sequencer: from submitted envelopes to durable blocks.
 *
 *   any thread          decode, cheap checks                       node/submit.c
 *   sequencer thread    recover senders, pool, execute, seal       node/sequencer.c, node/intake.c
 *   durable thread      fdatasync of the log, then answers         node/durable.c
 *   checkpoint thread   moves rows from memory to LMDB             node/checkpoint.c
 *
 * between them bounded rings. A block opens when a transaction is ready, takes what comes until
 * block_gap_ms have passed since the one before it, and closes: a lone transaction after a pause
 * closes its block at once, an idle chain makes none. Its BLOCK record is written and being synced
 * while it is sealed. A client is answered when its block is sealed and synced. Without a following
 * block, a SEAL record is written after SEQUENCER_SEAL_MS.
 *
 * When the disk fails nothing more is answered: `failed` is called, and the process should end. */
#ifndef NODE_SEQUENCER_H
#define NODE_SEQUENCER_H

#include "base/clock.h"
#include "node/ledger.h"
#include "node/pool.h"
#include "node/settle.h"
#include "rpc/commands.h"

enum {
    /* Submissions that wait to be looked at, and the memory that they take: a lane has its share of
       both (lanes_share_fits), more get -32005. */
    SEQUENCER_INGRESS_MAX = 16384,
    SEQUENCER_INGRESS_BYTES_MAX = 24 << 20,
    SEQUENCER_BLOCKS_UNSYNCED_MAX = 64,
    SEQUENCER_POOL_RECORD_AGE =
        100000, /* records after which a transaction that still waits is written anew: a start
                   reads the log from the oldest one on */
    SEQUENCER_SEAL_MS = 50,
    SEQUENCER_STOP_MS = 400, /* for executing what is ready when told to stop */
};

/* What may change while it runs. */
struct sequencer_policy {
    uint64_t block_gap_ms;
    /* Largest gas limit times fee cap of a submission, in thousandths of an ether; 0: any. Guards
     * whoever mistyped a price: it is policy, no rule of the chain. */
    uint64_t tx_fee_cap_milli;
    /* Bytes of blocks that are not on the parent yet, from which on a lane has its share of them
     * alone (node/unposted.h). */
    uint64_t da_backlog_max;
};
struct sequencer_options {
    struct ledger *ledger; /* at the log's end; the sequencer's until sequencer_stop returns */
    struct pool *pool;
    struct clock *clock;
    size_t crew_threads;   /* that help with senders and roots, at most CREW_HELPERS_MAX */
    uint64_t headroom_bid; /* fee cap, in multiples of the price, that low headroom asks for */
    struct settle *settle; /* NULL: a chain without a parent, or one that is not followed */
    struct sequencer_policy policy;
    void (*failed)(void *ctx); /* any thread */
    void *failed_ctx;
};
struct sequencer;
enum err sequencer_start(struct sequencer **out, const struct sequencer_options *o,
                         struct err_ctx *ec) MUST_USE;
/* From the next block and the next submission on. Any thread. */
void sequencer_set_policy(struct sequencer *s, const struct sequencer_policy *p);
/* Refuses new transactions, finishes what is ready, seals, syncs, answers; then ends the threads.
 * False if it had failed. */
bool sequencer_stop(struct sequencer *s);
/* Whether it has failed; then *ec says why. Any thread. */
bool sequencer_failed(struct sequencer *s, struct err_ctx *ec);
/* The settle's mirror has changed. Any thread. */
void sequencer_wake(struct sequencer *s);
/* Whether a submission was refused for da_backlog_max since the newest batch came back: what is
 * there should be posted, however young, and though it fills no batch. Any thread. */
bool sequencer_backlog_refused(struct sequencer *s);
/* Writes an INTENT record and waits until it is synced. Any thread, one at a time; not after
 * sequencer_stop. ERR_CLOSED: the sequencer has stopped or failed. */
enum err sequencer_write_intent(struct sequencer *s, bytes payload) MUST_USE;
/* After sequencer_stop. */
void sequencer_free(struct sequencer *s);

/* What `submit` checks before anything is asked of the state. The transaction, the caller's, or
 * NULL: it is refused, *out says why. Any thread. */
struct pool_tx *sequencer_read_form(void *sequencer, bytes envelope, struct submit_result *out);

/* The commands that are the sequencer's: fills submit, pending_nonce, pooled, kv_..., now and ctx.
 */
void sequencer_commands(struct sequencer *s, struct node_commands *out);

#endif
