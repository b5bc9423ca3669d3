/* SPDX-License-Identifier: Apache-2.0 */
/* Assertions about this chain in the parent's rollup contract: what this node holds against them.
 * A thread of its own:
 *
 *   candidate  the child that the newest confirmed assertion must get, from this node's own blocks
 *              and batches, once the batches it covers are final enough
 *   audit      each assertion made by anyone is compared with our blocks, and so is the sequencer's
 *              block at each batch, when its URL is known; both once they are final enough on the
 *              parent; what differs is named by block and field
 *   member     with a member's key: signs the candidate, and nothing else, for whoever asks
 *   proposer   with a proposer's key: gathers the members' signatures and sends them to the
 *              confirmer contract
 *
 * A member signs only what it has computed itself, so asking needs no authentication: the signature
 * binds the blocks, all batches and the parent's chain id, and anybody may carry it. While
 * something differs nothing is signed or proposed. It is compared anew in each turn: a sequencer
 * that reads the parent later than we do comes round by itself, an assertion may be taken back. */
#ifndef NODE_ATTESTER_H
#define NODE_ATTESTER_H

#include "bridge/parent.h"
#include "bridge/peer.h"
#include "index/index.h"
#include "node/batches.h"

enum {
    ATTESTER_MEMBERS_MAX = 16,
    ATTESTER_REASON_MAX = 768,
    ATTESTER_RANGE_MAX = 5000, /* parent blocks whose assertions are looked at in one go */
};

struct attester_options {
    struct parent_config parent; /* stop is set by the attester; strings are borrowed */
    uint64_t parent_block;       /* at which the rollup was made */
    addr20 rollup, confirmer;
    bool has_confirmer;
    bool is_member, is_proposer;
    uint8_t member_key[32], proposer_key[32];
    const char *member_urls[ATTESTER_MEMBERS_MAX]; /* of the other members */
    size_t member_count;
    const char *sequencer_url;      /* "": unknown */
    uint64_t chain_id;              /* ours */
    bool wait_finalized, wait_safe; /* how final batches must be */
    uint64_t interval_ms;
    struct store *store;
    struct index_source source; /* of our blocks' transactions */
    struct mirror *mirror;
    struct batches *batches;
};

struct attester;
enum err attester_start(struct attester **out, const struct attester_options *o,
                        struct err_ctx *ec) MUST_USE;
/* NULL is fine. */
void attester_stop(struct attester *a);
/* Signs a claim if it is our candidate; else false and a sentence. Any thread. */
bool attester_sign(struct attester *a, const struct peer_claim *c, struct confirmer_signature *out,
                   char reason[ATTESTER_REASON_MAX]);
/* Whether our chain differs from the sequencer's or an assertion, and in what. Any thread. */
bool attester_differs(struct attester *a, char reason[ATTESTER_REASON_MAX]);

#endif
