/* SPDX-License-Identifier: Apache-2.0 */
/* The L3 profile of chain/exec.h: what a transaction costs and who gets it (PROTOCOL §3), which
 * types users may send (§1), and the system addresses. Private to chain/ and its tests, but for the
 * constants. */
#ifndef CHAIN_L3_RULES_H
#define CHAIN_L3_RULES_H

#include "base/limits.h"
#include "chain/derive.h"
#include "chain/exec.h"
#include "chain/universe.h"

/* Block hashes in state (EIP-2935): the contract's address, and Nitro's ring in place of 8,191.
 * Slot n % ring holds the hash of block n. */
extern const addr20 L3_HISTORY_ADDRESS;
enum { L3_HISTORY_RING = 393168 };

enum { L3_TX_GAS_CAP = LIMIT_TX_GAS /* EIP-7825 */ };
/* Of a system call's answer, or the log that is built in its place: more than 2^24 gas pay for at
 * LOG's 8 a byte. Only a call with more gas than a transaction can have gets there, and ends as out
 * of gas. */
enum { L3_CALL_OUTPUT_MAX_BYTES = 1 << 22 };

/* What holds for one block; struct exec's rules_ctx. */
struct l3_block {
    const struct chain_config *config;
    u256 price; /* P */
    addr20 network_fee_account;
    uint64_t number, l1_block;
    uint64_t version;        /* state-transition version */
    struct buf *call_output; /* of the last system call */
    struct universe_run run; /* the running transaction, as universes see it */
    size_t tx_idx;           /* in the block */
    struct buf *attributed;  /* array of struct attribution of the block; NULL: nobody asks */
};

extern const struct tx_rules l3_tx_rules;
/* The same machine without fees and without the sender's nonce and code: eth_call and estimates. A
 * request that names a price must still name enough, and cover it. */
extern const struct tx_rules l3_call_rules;

/* What every transaction that runs code does before and after it, whoever pays: universes see it
 * begin and end, and what its end deletes with destroyed accounts counts as burnt. l3_tx_end comes
 * after all other changes of balances. */
void l3_tx_begin(struct exec *x, const struct tx *tx, const struct tx_charge *c);
void l3_tx_end(struct exec *x, const struct tx *tx, const struct tx_charge *c, uint64_t gas_used);

/* Own block `number`'s hash out of the ring; zero outside the last 256 before `current`. */
hash32 l3_block_hash(struct world *w, uint64_t current, uint64_t number);

#endif
