/* SPDX-License-Identifier: Apache-2.0 */
/* Retryable tickets in state (the parent's SubmitRetryable messages) and their timeout queue.
 * Fields are those of chain/system_slots.def at 0x6e; the rules are Nitro's.
 *
 * The queue holds each ticket at least once, in order of arrival; extending a ticket's life adds
 * another entry, so an entry may name a ticket that is gone, and only the last one sees its end. */
#ifndef CHAIN_RETRYABLE_H
#define CHAIN_RETRYABLE_H

#include "base/arena.h"
#include "base/types.h"
#include "base/u256.h"
#include "chain/receipt.h"
#include "chain/tx.h"
#include "state/world.h"

enum { RETRYABLE_LIFETIME_S = 604800 };

/* A submission costs l1BaseFee x (this + per byte x calldata). */
enum { RETRYABLE_SUBMISSION_GAS = 1400, RETRYABLE_SUBMISSION_GAS_BYTE = 6 };
/* False on overflow. */
bool retryable_submission_fee(u256 *out, const u256 *l1_base_fee, size_t data_len);

/* Whether the ticket can be used now: one whose timeout has passed cannot, even before the queue
 * came to it. */
bool retryable_exists(struct world *w, const hash32 *ticket, uint64_t now_s);
/* Writes the ticket that a 0x69 asks for and puts it on the queue. Its value is moved to the escrow
 * by the caller. */
void retryable_create(struct world *w, const hash32 *ticket, const struct tx *submit,
                      uint64_t now_s);

/* What one try adds to the ticket. */
struct retry_terms {
    uint64_t nonce; /* tries before this one */
    uint64_t gas;
    u256 price; /* P */
    addr20 refund_to;
    u256 max_refund;
    u256 submission_refund;
};
/* The 0x68 of an existing ticket, with envelope and hash, all of it in `a`. */
void retryable_tx(struct tx *out, struct arena *a, struct world *w, uint64_t chain_id,
                  const hash32 *ticket, const struct retry_terms *t);

/* The log RedeemScheduled of ArbRetryableTx is what schedules a try: it reverts with its frame. */
extern const hash32 RETRYABLE_REDEEM_SCHEDULED; /* its topic */
struct retry_schedule {
    hash32 ticket;
    hash32 tx_hash;
    struct retry_terms terms; /* price is not in the log */
};
enum { RETRYABLE_SCHEDULE_TOPICS = 4, RETRYABLE_SCHEDULE_DATA_BYTES = 4 * 32 };
void retryable_schedule_pack(hash32 topics[RETRYABLE_SCHEDULE_TOPICS],
                             uint8_t data[RETRYABLE_SCHEDULE_DATA_BYTES],
                             const struct retry_schedule *s);
/* False: the log schedules nothing. */
bool retryable_schedule_of(struct retry_schedule *out, const addr20 *address, uint8_t topic_count,
                           const hash32 *topics, bytes data);
/* Gas that the running transaction has donated to tries. */
uint64_t retryable_donated_gas(const struct world *w);

/* The account that holds a ticket's value: last 20 bytes of keccak("retryable escrow" | ticket
 * id). */
addr20 retryable_escrow(const hash32 *ticket);

/* Adds an entry to the queue. */
void retryable_enqueue(struct world *w, const hash32 *ticket);
/* Looks at the oldest entry: one that names a ticket that is gone is dropped; one whose ticket has
 * time left stays; otherwise the entry goes and the ticket uses up a lifetime that was bought, or
 * ends and its escrow goes to the beneficiary. */
void retryable_reap_head(struct world *w, uint64_t now_s);
/* Removes a ticket with its calldata and moves what its escrow holds to the beneficiary. */
void retryable_delete(struct world *w, const hash32 *ticket);

#endif
