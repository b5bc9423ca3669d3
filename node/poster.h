/* SPDX-License-Identifier: Apache-2.0 */
/* Posts the chain's blocks to the parent, on a thread of its own.
 *
 *   collect   durable blocks behind the last batch go into a builder
 *   close     when the batch is full, when its oldest message that matters is max_age_ms old, when
 *             the inbox's time bounds come near, when admission refuses for --da-backlog-max, or
 *             when asked to (poster_flush)
 *   compare   the payload is decoded under the bounds that the parent will set and every message
 *             compared with the log; what differs is never posted
 *   intent    the signed transaction becomes an INTENT record, synced
 *   send      one in flight; then the batch must come back through the follower before the next
 *
 * The contract's batch count, as the follower reads it, is what is posted; nothing else is
 * remembered but the last INTENT, whose bytes are sent again after a crash. Reports about our own
 * batches (kind 13) are posted along with others, since each would cause the next. Alone they are
 * posted only when the inbox's bounds come near, so that a chain that nobody uses does not stall.
 */
#ifndef NODE_POSTER_H
#define NODE_POSTER_H

#include "bridge/batch.h"
#include "bridge/parent.h"
#include "node/batches.h"
#include "node/sequencer.h"

enum {
    POSTER_POLL_MS = 200,
    POSTER_RETRY_MS = 5000,         /* after a refusal or a first revert, */
    POSTER_RETRY_MAX_MS = 320000,   /* which is paid for: twice as long after each one more */
    POSTER_RESTAMP_MS = 60000,      /* not more often do the same blocks get new stamps */
    POSTER_LATE_S = 900,            /* how much later than now a batch may arrive, */
    POSTER_LATE_PART = 10,          /* but at most this part of the inbox's bounds */
    POSTER_PRESSURE_PERMILLE = 250, /* headroom below which age does not matter */
    POSTER_REPORTS_PERMILLE = 500, /* headroom below which reports are posted alone: no alarm yet */
    POSTER_AGREE_DEPTH = 2,        /* blocks below the heads where endpoints must agree */
};

struct poster_options {
    struct parent_config parent; /* stop is set by the poster; strings are borrowed */
    addr20 bridge, sequencer_inbox;
    uint8_t key[32];
    struct batch_time_bounds bounds;
    uint64_t max_age_ms;
    struct ledger *ledger; /* its store and log are read */
    struct sequencer *sequencer;
    struct settle *settle;
    struct mirror *mirror;
    struct batches *batches;
    bytes intent; /* payload of the last INTENT record, empty if none; copied */
};

/* How long nothing is tried after this many reverts in a row. */
uint64_t poster_retry_ms(unsigned reverts);

struct poster;
enum err poster_start(struct poster **out, const struct poster_options *o,
                      struct err_ctx *ec) MUST_USE;
/* Posts what there is now, and waits until it is on the parent or timeout_ms are over. */
void poster_flush(struct poster *p, uint64_t timeout_ms);
/* Ends the thread. NULL is fine. */
void poster_stop(struct poster *p);

#endif
