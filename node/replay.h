/* SPDX-License-Identifier: Apache-2.0 */
/* Replay: the messages in another node's log are executed on an empty ledger, and every block must
 * come out as it did there. Compared are the block's hash (with the next record, which chains it,
 * or a SEAL), the receipts root where a SEAL has it, and the BLOCK record itself: senders, message,
 * version. The ledger's own log gets the same BLOCK and REWIND records; transactions that waited
 * in the pool stay behind. */
#ifndef NODE_REPLAY_H
#define NODE_REPLAY_H

#include "base/err.h"
#include "node/ledger.h"

struct replay_stats {
    uint64_t blocks, txs, gas; /* executed, also those that a REWIND undid */
    uint64_t rewinds;
    bool unsealed;    /* the last block's hash is not in the log: nothing to compare it with */
    uint64_t took_ns; /* until the last block was sealed; the last sync and checkpoint follow */
};

/* `source` is a data folder or its log folder; it is read only, and a node may be running on it:
 * what is there at the start counts. The ledger has no block but the first; at the end all is
 * durable. ERR_EXISTS: the ledger is not empty. ERR_MISMATCH names the first block and field that
 * differ, the field where the source's tables have the header. ERR_NOT_FOUND, ERR_PRUNED,
 * ERR_CORRUPT, ERR_IO. *out is filled in as far as it went. */
enum err replay_log(struct ledger *l, const char *source, struct replay_stats *out,
                    struct err_ctx *ec) MUST_USE;

/* The first field in which two headers differ, NULL if none: its name as in JSON-RPC. */
const char *replay_first_difference(const struct header *a, const struct header *b);

#endif
