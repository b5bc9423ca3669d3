/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions that messages of the parent chain stand for (Nitro's kinds 7, 9, 12, 13 and the
 * unsigned L2 kinds 0 and 1): from bytes to struct tx, with envelope and hash. Pure.
 *
 * False: the bytes are no such transaction (cut short, a number beyond its type, no request id
 * where one is needed); the message then makes an empty block, an item of a batch is left out.
 * Bytes after the fixed fields are calldata or ignored, as Nitro does; upper bytes of an address's
 * word are ignored. Everything lives in `a`, but calldata, which is borrowed from the message. */
#ifndef CHAIN_PARENT_TX_H
#define CHAIN_PARENT_TX_H

#include "chain/message.h"
#include "chain/tx.h"

/* How the parent's contracts appear as senders here, and back: plus and minus
 * 0x1111000000000000000000000000000000001111, modulo 2^160. */
addr20 parent_alias(const addr20 *a);
addr20 parent_unalias(const addr20 *a);

/* Kind 12: to 20 | value u256. Type 0x64. */
bool parent_tx_deposit(struct tx *out, struct arena *a, uint64_t chain_id, const struct message *m);
/* L2 kinds 0 (0x65) and 1 (0x66): gas limit, fee cap, [nonce,] to, value, each 32 bytes, calldata.
 * `request_id` may be NULL for kind 0. A recipient of 0 is a creation. */
bool parent_tx_unsigned(struct tx *out, struct arena *a, uint64_t chain_id, uint8_t l2_kind,
                        bytes body, const addr20 *sender, const hash32 *request_id);
/* Kind 7: one of those after its L2 kind, and the deposit that funds it: from the zero address, of
 * its value. */
bool parent_tx_funded(struct tx *out_deposit, struct tx *out_tx, struct arena *a, uint64_t chain_id,
                      const struct message *m);
/* Kind 9: nine words, calldata. Type 0x69. */
bool parent_tx_submit(struct tx *out, struct arena *a, uint64_t chain_id, const struct message *m);

/* Kind 13. */
struct batch_report {
    u256 timestamp;
    addr20 poster;
    uint64_t batch;
    u256 gas_price;
    uint64_t length, nonzeros; /* of the batch's header | data, from the message */
    uint64_t extra_gas;        /* 0 where the report ends before it */
};
/* Type 0x6a with the ABI call batchPostingReportV2. */
bool parent_tx_report(struct tx *out, struct batch_report *out_report, struct arena *a,
                      uint64_t chain_id, const struct message *m);

#endif
