/* SPDX-License-Identifier: Apache-2.0 */
/* Delayed messages: from the logs of the parent's Bridge and Inbox contracts to struct message.
 *
 * The Bridge emits MessageDelivered with everything but the content and the parent's block number;
 * the contract named in it emits the content, or says that it is the transaction's own calldata.
 * The Bridge keeps an accumulator over all messages, so a reader that recomputes it knows that it
 * has read each of them, in order and unchanged:
 *
 *   message hash = keccak(kind u8 | sender 20 | block u64 | timestamp u64 | index u256
 *                         | baseFeeL1 u256 | keccak(data))
 *   acc[n] = keccak(acc[n-1] | message hash), acc[-1] = 0
 *
 * `block` is what the parent's EVM calls block.number: on an Arbitrum parent the header's
 * l1BlockNumber, else the number of the block that holds the log.
 *
 * Source: nitro-contracts 3.2.0, Bridge and Inbox. All integers big-endian. */
#ifndef BRIDGE_INBOX_H
#define BRIDGE_INBOX_H

#include "base/buf.h"
#include "base/err.h"
#include "base/types.h"
#include "base/u256.h"
#include "bridge/parent_log.h"
#include "chain/message.h"

/* What MessageDelivered says. */
struct inbox_event {
    uint64_t index;
    hash32 before_acc; /* accumulator over the messages before this one */
    addr20 inbox;      /* who emits the content */
    uint8_t kind;
    addr20 sender; /* aliased already where the Inbox aliases */
    hash32 data_hash;
    u256 base_fee_l1;
    uint64_t timestamp;
    uint64_t block_num; /* of the log, the parent's own count */
    hash32 block_hash;
    hash32 tx_hash;
};

/* A delayed message, whole. */
struct delayed_message {
    uint64_t index;
    uint8_t kind;
    addr20 sender;
    uint64_t l1_block; /* the parent EVM's block.number */
    uint64_t timestamp;
    u256 base_fee_l1;
    bytes data; /* borrowed */
};

/* ERR_PARSE: not this event, or a value out of its range. */
enum err inbox_parse_event(struct inbox_event *out, const struct parent_log *l) MUST_USE;

/* The content of a message, by its index. from_origin: `data` is empty and stands in the calldata
 * of transaction l->tx_hash (inbox_origin_data). ERR_PARSE: not one of the two events. */
struct inbox_content {
    uint64_t index;
    bool from_origin;
    bytes data; /* borrowed from the log */
};
enum err inbox_parse_content(struct inbox_content *out, const struct parent_log *l) MUST_USE;
/* The argument of sendL2MessageFromOrigin. Borrowed from `calldata`. ERR_PARSE. */
enum err inbox_origin_data(bytes *out, bytes calldata) MUST_USE;

/* Joins event, block number and content; `out->data` is borrowed from `data`. ERR_MISMATCH: the
 * content is not the one whose hash the event has. */
enum err inbox_join(struct delayed_message *out, const struct inbox_event *e, uint64_t l1_block,
                    bytes data) MUST_USE;

hash32 delayed_message_hash(const struct delayed_message *m);
/* The accumulator after `m`, given the one before it (zero before message 0). */
hash32 delayed_acc_next(const hash32 *before, const struct delayed_message *m);

/* Nitro's stored form: kind | 12 zero bytes | sender | block u64 | timestamp u64 | index u256
 * | baseFeeL1 u256 | data. */
void delayed_message_serialize(struct buf *b, const struct delayed_message *m);

/* The message as derivation takes it: request id = index, delayed_read = index + 1, data borrowed.
 * A kind 13 has no batch_stats yet: inbox_set_batch_stats. */
void delayed_to_message(struct message *out, const struct delayed_message *m);

/* --- kind 13: the Inbox's report of a posted batch --- */
enum { INBOX_REPORT_BYTES = 156 };
struct batch_report {
    uint64_t timestamp;
    addr20 poster;
    hash32 data_hash; /* keccak(batch header | data) */
    uint64_t batch_num;
    u256 gas_price;
    uint64_t extra_gas;
};
/* Reads the data of a kind-13 message. ERR_PARSE: too short, or a number over 64 bits: derivation
 * then makes an empty block, and there is no batch to fetch. */
enum err inbox_parse_report(struct batch_report *out, bytes data) MUST_USE;
/* Fills batch_stats from the batch that the report is about: header(40) | data in two pieces.
 * ERR_MISMATCH: not the bytes whose hash the report has; m is unchanged. ERR_PARSE: m is no
 * report. */
enum err inbox_set_batch_stats(struct message *m, bytes header, bytes data) MUST_USE;

#endif
