/* SPDX-License-Identifier: Apache-2.0 */
/* Follows the parent chain on a thread of its own: reads the events of Bridge and SequencerInbox
 * block range by block range, verifies both accumulators, and keeps the mirror equal to what the
 * parent says. When the parent re-organises, the mirror is cut back to the newest block that both
 * forks have and read again from there; further back than the marks reach, it begins anew at the
 * newest batch whose accumulator the contract still has. */
#ifndef NODE_FOLLOWER_H
#define NODE_FOLLOWER_H

#include "bridge/parent.h"
#include "node/batches.h"
#include "node/mirror.h"

enum {
    FOLLOWER_MARKS = 1024,     /* parent blocks whose hash is remembered */
    FOLLOWER_RANGE_MAX = 2000, /* blocks that are read at a time */
    FOLLOWER_TAG_DEPTH = 20,   /* stands in for a tag that the parent never knew */
};

/* How final a delayed message must be before the sequencer takes it. */
enum follower_finality { FOLLOW_LATEST, FOLLOW_SAFE, FOLLOW_FINALIZED };

struct follower_options {
    struct parent_config parent; /* stop is set by the follower; strings are borrowed */
    addr20 bridge, sequencer_inbox;
    uint64_t first_block; /* of the parent: nothing of ours is below */
    enum follower_finality finality;
    uint64_t depth; /* with FOLLOW_LATEST: blocks that must lie above a message */
    uint64_t poll_ms;
    struct mirror *mirror;
    struct batches *batches;
    void (*changed)(void *ctx); /* there is something new in the mirror */
    void *changed_ctx;
};

struct follower;
enum err follower_start(struct follower **out, const struct follower_options *o,
                        struct err_ctx *ec) MUST_USE;
/* Ends the thread. NULL is fine. */
void follower_stop(struct follower *f);

#endif
