/* SPDX-License-Identifier: Apache-2.0 */
/* Retryable tickets in state (the parent's SubmitRetryable messages) and their timeout queue.
 * Fields are those of chain/system_slots.def at 0x6e; the rules are Nitro's.
 *
 * The queue holds each ticket at least once, in order of arrival; extending a ticket's life adds
 * another entry, so an entry may name a ticket that is gone, and only the last one sees its end. */
#ifndef CHAIN_RETRYABLE_H
#define CHAIN_RETRYABLE_H

#include "base/types.h"
#include "base/u256.h"
#include "state/world.h"

enum { RETRYABLE_LIFETIME_S = 604800 };

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
