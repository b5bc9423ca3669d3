/* SPDX-License-Identifier: Apache-2.0 */
/* Other nodes of our own chain, over the parent's client (bridge/parent.h): the sequencer, whose
 * blocks a validator compares with its own, and the members of the confirming committee. The client
 * of a peer is a struct parent with our chain's id. */
#ifndef BRIDGE_PEER_H
#define BRIDGE_PEER_H

#include "base/arena.h"
#include "bridge/assertion.h"
#include "bridge/parent.h"
#include "chain/header.h"

/* The peer's header of block `number` (debug_getRawHeader) and its hash, which it cannot choose.
 * ERR_NOT_FOUND: it does not have the block; those of parent.h. */
enum err peer_header(struct parent *p, struct header *out, hash32 *out_hash, uint64_t number,
                     struct err_ctx *ec) MUST_USE;

/* What the peer says of a transaction in one of its blocks. Nothing binds it to the hash. */
struct peer_receipt {
    hash32 tx_hash;
    uint64_t type;
    addr20 from, gas_payer;
    bool success;
    uint64_t gas_used;
    u256 gas_price_charged;
};
enum { PEER_RECEIPTS_MAX = 1 << 16 /* of a block */ };
/* The peer's receipts of block `number` (eth_getBlockReceipts); the array lives in `a`. As
 * peer_header; ERR_TOO_LARGE over the bound. */
enum err peer_receipts(struct parent *p, struct arena *a, struct peer_receipt **out,
                       size_t *out_count, uint64_t number, struct err_ctx *ec) MUST_USE;

/* What is to be confirmed: after `batch_count` batches the chain stands at `block_hash` with
 * `send_root`, which makes the assertion `expected`. */
struct peer_claim {
    uint64_t batch_count;
    hash32 block_hash, send_root;
    hash32 expected;
};
/* Asks a member to sign (callipter_signAssertion). ERR_INVALID: it does not; ec has its words.
 * ERR_MISMATCH: what it gave is no signature of the claim. `digest`: confirmer_digest of it. */
enum err peer_sign(struct parent *p, struct confirmer_signature *out, const struct peer_claim *c,
                   const hash32 *digest, struct err_ctx *ec) MUST_USE;

#endif
