/* SPDX-License-Identifier: Apache-2.0 */
/* Sends transactions of one account to the parent chain, one at a time: the batch poster's and the
 * confirmer's.
 *
 *   tx_sender_prepare  builds and signs; the caller makes the bytes durable (an INTENT record)
 *   tx_sender_submit   gives them to the parent
 *   tx_sender_wait     until it is in a block, or time is over; sends it again now and then
 *
 * After a crash tx_sender_adopt takes the bytes of the last record and the caller goes on with
 * submit: sending the same bytes again does no harm. The nonce is always the parent's `latest`
 * count, so a transaction that vanished in a parent re-org is simply prepared again; and one that
 * is in no block is given to the parent again every TX_SENDER_AGAIN_MS: the parent may have lost it
 * (a re-org, a restart, a full pool) with nothing left that would tell. On a parent that is not
 * Arbitrum (which has a public mempool) tx_sender_bump makes a dearer copy of one that does not
 * move, and tx_sender_prepare outbids what a pool may still hold of the same nonce, also of an
 * earlier run that was adopted, once the parent has refused to replace it or a copy would be due;
 * on Arbitrum a transaction is taken within a second or refused.
 *
 * One thread, that of its `struct parent`. */
#ifndef BRIDGE_TX_SENDER_H
#define BRIDGE_TX_SENDER_H

#include "base/arena.h"
#include "base/err.h"
#include "base/types.h"
#include "base/u256.h"
#include "bridge/parent.h"

enum {
    TX_SENDER_RAW_MAX_BYTES = 160 * 1024, /* envelope: a batch's calldata and change */
    /* On top of the estimate. On Arbitrum that has L1's price of the data in it, which moves. */
    TX_SENDER_GAS_MARGIN = 50000,
    TX_SENDER_GAS_MARGIN_PERCENT = 10,
    TX_SENDER_FEE_MULTIPLE = 2,  /* fee cap = this x latest base fee + tip */
    TX_SENDER_TIP_WEI = 1000000, /* what tx_sender_connect gives a parent with a public mempool */
    TX_SENDER_BUMP_PERCENT = 15, /* a replacement's fees (nodes want 10) */
    TX_SENDER_POLL_MS = 250,
    TX_SENDER_AGAIN_MS = 5000, /* the same bytes are sent again while they are in no block */
    TX_SENDER_BUMPS_MAX = 8,   /* copies of one transaction; times that a nonce is outbid */
    TX_SENDER_LAG_POLLS = 20,  /* how long an endpoint may lag behind what another one told */
};

struct tx_sender_config {
    uint8_t key[32];
    uint64_t chain_id;    /* of the parent */
    bool parent_arbitrum; /* no tip, no replacements */
    u256 tip_wei;         /* max priority fee on other parents */
    u256 fee_cap_max_wei; /* never bid more per gas; 0 = no bound */
};

struct tx_sender;
/* p is borrowed and outlives the sender. ERR_INVALID: the key. */
enum err tx_sender_new(struct tx_sender **out, struct parent *p, const struct tx_sender_config *c,
                       struct err_ctx *ec) MUST_USE;
/* The same with what fits the parent, which is asked what kind of chain it is (errors of parent.h).
 * Takes the key over: it is wiped where it was once the sender has it. */
enum err tx_sender_connect(struct tx_sender **out, struct parent *p, uint64_t chain_id,
                           uint8_t key[32], struct err_ctx *ec) MUST_USE;
/* Wipes the key. */
void tx_sender_free(struct tx_sender *s);
addr20 tx_sender_address(const struct tx_sender *s);

struct tx_request {
    addr20 to;
    u256 value;
    bytes data;
    uint64_t gas_limit; /* 0 = estimate */
};
/* A signed transaction. */
struct tx_signed {
    hash32 hash;
    uint64_t nonce;
    uint64_t gas_limit;
    u256 fee_cap_wei, tip_wei;
    bytes raw; /* in the arena */
};
/* Asks for nonce, base fee and gas, and signs a type 2 transaction. Sends nothing.
 * ERR_BUSY      one is in flight: wait for it, or drop it (tx_sender_forget).
 * ERR_INVALID   the call would revert: `reason`, PARENT_MESSAGE_MAX bytes or NULL, tells.
 * ERR_TOO_LARGE over TX_SENDER_RAW_MAX_BYTES, or the parent's base fee is over fee_cap_max_wei.
 * And those of parent.h. */
enum err tx_sender_prepare(struct tx_sender *s, struct arena *a, struct tx_signed *out,
                           const struct tx_request *r, char *reason, struct err_ctx *ec) MUST_USE;
/* Reads back bytes of an earlier run. ERR_INVALID: not a type 2 transaction of this account and
 * chain. */
enum err tx_sender_adopt(struct tx_sender *s, struct arena *a, struct tx_signed *out, bytes raw,
                         struct err_ctx *ec) MUST_USE;

enum tx_outcome {
    TX_OUTCOME_PENDING,     /* sent; no receipt in the time given. Wait again, or bump */
    TX_OUTCOME_MINED,       /* status 1 */
    TX_OUTCOME_REVERTED,    /* status 0: `reason` from a call at its block */
    TX_OUTCOME_REPLACED,    /* its nonce is used by another transaction: it will never be mined */
    TX_OUTCOME_REFUSED,     /* the parent does not take it: `reason`. Nothing is in flight */
    TX_OUTCOME_UNDERPRICED, /* refused: the base fee rose over its cap. Prepare again */
    TX_OUTCOME_NO_FUNDS,    /* refused: the account cannot pay */
};
struct tx_flight {
    enum tx_outcome outcome;
    struct parent_receipt receipt; /* MINED, REVERTED */
    char reason[PARENT_MESSAGE_MAX];
};
/* Gives the bytes to the parent and sets it in flight; TX_OUTCOME_PENDING when taken or known.
 * A refusal for its nonce looks for the receipt: MINED, REVERTED or REPLACED. ERR_IO: it may have
 * been taken; it counts as in flight. When a copy (tx_sender_bump) is refused, the copies before it
 * stay in flight. ERR_BUSY: another transaction is in flight. */
enum err tx_sender_submit(struct tx_sender *s, const struct tx_signed *tx, struct tx_flight *out,
                          struct err_ctx *ec) MUST_USE;
/* Until the transaction in flight is mined, replaced, refused when it is sent again (and no copy
 * from before it is out), or timeout_ms have passed. Everything but PENDING ends the flight.
 * ERR_INVALID: none is in flight. */
enum err tx_sender_wait(struct tx_sender *s, uint64_t timeout_ms, struct tx_flight *out,
                        struct err_ctx *ec) MUST_USE;
/* A dearer copy of the transaction in flight, same nonce, signed and not sent; submit it after it
 * is durable. Both may be mined from then on: wait looks for either. ERR_UNSUPPORTED on an Arbitrum
 * parent; ERR_BUSY: TX_SENDER_BUMPS_MAX copies are out; ERR_TOO_LARGE: over fee_cap_max_wei;
 * ERR_INVALID: none is in flight. */
enum err tx_sender_bump(struct tx_sender *s, struct arena *a, struct tx_signed *out,
                        struct err_ctx *ec) MUST_USE;
bool tx_sender_in_flight(const struct tx_sender *s);
/* After a parent re-org: what was in flight is no longer waited for. */
void tx_sender_forget(struct tx_sender *s);

/* Seconds after the first sending at which a replacement is due, by how many were sent before:
 * 5, 10, 20, 30, 60 minutes, then each 60. */
uint64_t tx_sender_bump_after_s(unsigned bumps);

#endif
