/* SPDX-License-Identifier: Apache-2.0 */
/* Payload of an INTENT record: a batch's transaction, written and synced before it is sent, so that
 * after a crash the very same bytes can be sent again. Integers big-endian:
 *
 *   version u8 | batch u64 | first block u64 | last block u64 | hash of the last block 32
 *   | transaction hash 32 | nonce u64 | the signed transaction */
#ifndef NODE_INTENT_H
#define NODE_INTENT_H

#include "base/buf.h"
#include "base/err.h"

enum { INTENT_VERSION = 1, INTENT_MAX_BYTES = 256 << 10 };

struct intent {
    uint64_t batch, first_block, last_block;
    hash32 last_hash, tx_hash;
    uint64_t nonce;
    bytes raw; /* borrowed */
};
void intent_pack(struct buf *out, const struct intent *i);
/* ERR_VERSION, ERR_CORRUPT. */
enum err intent_unpack(struct intent *out, bytes payload) MUST_USE;

#endif
