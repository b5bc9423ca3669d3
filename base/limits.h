/* SPDX-License-Identifier: Apache-2.0 */
/* Limits that more than one floor relies on, and the relations between them. A limit that one
 * folder alone needs stands beside the buffer it bounds. All in bytes or gas as the name says. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include <stdint.h>

enum {
    /* One EVM transaction may use 2^24 gas (EIP-7825); a block always has room for two. */
    LIMIT_TX_GAS = 1 << 24,
    LIMIT_BLOCK_GAS_MIN = 2 * LIMIT_TX_GAS,

    /* Encoded transaction that the sequencer takes; the message that carries it, framing included;
     * and the batch on the parent chain into which any one message must fit, however badly it
     * compresses. */
    LIMIT_TX_BYTES = 85000,
    LIMIT_SEQUENCED_BYTES = 87000,
    LIMIT_PARENT_BATCH_BYTES = 90000,
    /* Message data that derivation reads; a longer one makes an empty block (Nitro's rule). */
    LIMIT_MESSAGE_BYTES = 1 << 18,

    /* One JSON-RPC request body: room for a call with the largest code in many overrides. */
    LIMIT_RPC_BODY_BYTES = 5 << 20,
};

/* What genesis and the owner may set at most, 2^32: logs of so much gas (some 200 bytes in memory
 * for each 390 gas of a small one) still fit what a node holds of one block. */
#define LIMIT_BLOCK_GAS_MAX (UINT64_C(1) << 32)

_Static_assert(LIMIT_TX_BYTES < LIMIT_SEQUENCED_BYTES, "a transaction fits its message");
_Static_assert(LIMIT_SEQUENCED_BYTES < LIMIT_PARENT_BATCH_BYTES, "a message fits a batch");
_Static_assert(LIMIT_SEQUENCED_BYTES <= LIMIT_MESSAGE_BYTES, "derivation reads what is sequenced");
_Static_assert(2 * LIMIT_TX_BYTES + 4096 <= LIMIT_RPC_BODY_BYTES,
               "a transaction in hexadecimal fits a request");

#endif
