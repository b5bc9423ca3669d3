/* SPDX-License-Identifier: Apache-2.0 */
/* In what two versions of one block differ, by name: for whoever has to find out why a hash is not
 * the one expected. */
#ifndef NODE_DIFFERENCES_H
#define NODE_DIFFERENCES_H

#include "bridge/peer.h"
#include "index/index.h"

enum difference {
#define HEADER_FIELD(id, name, same) DIFFERENCE_##id,
#define RECEIPT_FIELD(id, name, same) DIFFERENCE_##id,
#include "node/differences.def"
#undef HEADER_FIELD
#undef RECEIPT_FIELD
    DIFFERENCES
};

/* A header's field as JSON-RPC calls it; one of transactions with "transactions." before it. Also
 * the label of metrics. */
const char *difference_name(size_t d);

/* Bits 1 << enum difference. */
typedef uint32_t difference_set;
difference_set differences_of_headers(const struct header *a, const struct header *b);
/* Of the first transaction that differs, whose index is *out_idx; 0: none does. Where one block has
 * more transactions and is the same otherwise, it is their number, and *out_idx the lower one. */
difference_set differences_of_receipts(size_t *out_idx, const struct index_block *ours,
                                       const struct peer_receipt *theirs, size_t count);

/* "stateRoot, receiptsRoot". Cut to `cap` bytes with its NUL. */
void differences_text(char *out, size_t cap, difference_set set);
/* "transaction 0 in gasPayer (0x… here, 0x… there)", with the values of the last field of `set`
 * where they are short; the same bounds. Set and index are those of differences_of_receipts. */
void differences_tx_text(char *out, size_t cap, difference_set set, size_t idx,
                         const struct index_block *ours, const struct peer_receipt *theirs);

#endif
