/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the chain in step with its parent, on the sequencer's thread: each turn compares what the
 * mirror has with the blocks that are there, and makes those that are missing.
 *
 *   batches           each message of a batch on the parent must be the message of its block. Where
 *                     there is no block yet (a validator; a sequencer whose folder is new) it is
 *                     derived. Where it differs (a force inclusion; a batch that somebody else
 *                     posted) the chain goes back and follows the parent.
 *   delayed messages  those that blocks have read must be those that the parent has; where a parent
 *                     re-org changed one, the chain goes back to before it.
 *   a sequencer also  derives delayed messages that are final enough, in order; and after going
 *                     back it sequences again what its own blocks held, in their order.
 *
 * Going back is a REWIND record (PROTOCOL §5). What cannot be executed again because it became
 * invalid is told to `dropped`.
 *
 * Blocks of our own are made only while the mirror is whole and every batch is accounted for:
 * settle_may_sequence. */
#ifndef NODE_SETTLE_H
#define NODE_SETTLE_H

#include "genesis/genesis.h"
#include "node/batches.h"
#include "node/mirror.h"

enum settle_role { SETTLE_SEQUENCER, SETTLE_VALIDATOR };

struct sequencer;
struct settle_options {
    enum settle_role role;
    struct mirror *mirror;
    struct batches *batches;
    const struct genesis *genesis;
    /* The batches up to here are compared: what `posted` blocks are on the parent. Sequencer's
     * thread. */
    void (*progress)(void *ctx);
    void *ctx;
};

struct settle;
/* NULL: no memory. */
struct settle *settle_new(const struct settle_options *o) MUST_USE;
void settle_free(struct settle *t);

/* --- sequencer's thread --- */
/* One step; false when there is nothing to do until the mirror changes or headroom ends. A failure
 * is told to the sequencer. */
bool settle_turn(struct settle *t, struct sequencer *s);
/* Counts anew what is in no batch on the parent (node/unposted.h). Before the thread begins too. As
 * unposted_recount. */
enum err settle_recount(struct settle *t, struct sequencer *s, struct err_ctx *ec) MUST_USE;
/* Whether blocks of our own may be made now. */
bool settle_may_sequence(struct settle *t);
/* Stamps of a sequenced block that a batch will not clamp: the parent's block number, and the time
 * `now_s` brought within what the parent's clock allows. */
uint64_t settle_l1_block(struct settle *t);
uint64_t settle_timestamp(struct settle *t, uint64_t now_s);

/* --- any thread --- */
/* The parent's clock at our `now_s`: its head's, gone on since that was seen. A parent that nobody
 * uses makes no blocks. */
uint64_t settle_parent_time(struct settle *t, uint64_t now_s);
/* What is not on the parent yet is outside its bounds: it is undone and made again with stamps of
 * now. */
void settle_restamp(struct settle *t);
bool settle_is_validator(const struct settle *t);
struct settle_status {
    bool genesis_checked; /* message 0 on the parent is this chain's */
    bool caught_up; /* all that the parent has is in the chain, and nothing is to be made again */
    uint64_t rewinds;
};
struct settle_status settle_status(struct settle *t);

#endif
