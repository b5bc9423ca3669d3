/* SPDX-License-Identifier: Apache-2.0 */
/* Tombstones: transactions that had a receipt and, after the parent made their block void, became
 * invalid (PROTOCOL §5). A record of the log, and with the next block a row of table `tomb`: the
 * hash, and why.
 *
 * Payload of a TOMBSTONE record: version u8 | transaction hash 32 | verdict u8.
 * Row: transaction hash -> epoch u64 | verdict u8. A transaction may come back: who asks looks for
 * its receipt first. */
#ifndef NODE_TOMBS_H
#define NODE_TOMBS_H

#include "chain/exec.h"
#include "node/ledger.h"

/* Writes the record, which counts as durable with the block after it. Sequencer's thread. */
void tombs_add(struct ledger *l, const hash32 *tx_hash, enum tx_verdict v);
/* The same from a record that is there. ERR_VERSION, ERR_CORRUPT. */
enum err tombs_replay(struct ledger *l, bytes payload) MUST_USE;
/* False: it has none. */
bool tombs_find(struct store_view *v, const hash32 *tx_hash, uint64_t *out_epoch,
                enum tx_verdict *out_verdict);

#endif
