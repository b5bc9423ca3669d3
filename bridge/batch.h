/* SPDX-License-Identifier: Apache-2.0 */
/* Batches: Nitro's format of the sequenced messages on the parent, both ways.
 *
 *   batch   = header(40) | payload
 *   header  = minTimestamp u64 | maxTimestamp u64 | minBlock u64 | maxBlock u64
 *             | afterDelayedMessagesRead u64            set by the contract when the batch arrives
 *   payload = 0x00 | brotli(segments)                   anything else holds no segments
 *   segments = RLP byte strings one after the other; the first byte of each is its kind:
 *     0 message    the rest is the data of a kind-3 message of the sequencer
 *     1 message    the same under brotli of its own
 *     2 delayed    the next delayed message
 *     3 timestamp  RLP integer to add to the batch's running timestamp, which begins at 0
 *     4 L1 block   the same for the block number
 *   dataHash = keccak(header | payload)
 *   acc[i]   = keccak(acc[i-1] | dataHash | delayedAcc[afterDelayed - 1] or 0)
 *
 * A message is stamped with the running values clamped into the header's bounds. When the segments
 * are used up, delayed messages follow up to afterDelayedMessagesRead. Nothing that a batch holds
 * is an error: what cannot be read is left out or becomes an invalid message (kind 255, an empty
 * block), by rules that batch_next's comment lists, so that any two readers agree.
 *
 * Source: PROTOCOL §8; nitro-contracts 3.2.0, SequencerInbox. */
#ifndef BRIDGE_BATCH_H
#define BRIDGE_BATCH_H

#include "base/buf.h"
#include "base/err.h"
#include "base/types.h"
#include "bridge/parent_log.h"
#include "chain/message.h"

enum {
    BATCH_HEADER_BYTES = 40,
    BATCH_BROTLI_FLAG = 0x00,                   /* first byte of a payload that we read */
    BATCH_SEGMENTS_MAX = 100 * 1024,            /* later segments of a batch are not read */
    BATCH_UNCOMPRESSED_MAX_BYTES = 16 << 20,    /* a batch that holds more has no segments */
    BATCH_MAX_BYTES = LIMIT_PARENT_BATCH_BYTES, /* header and payload of one that we post */
    BATCH_LEAST_BYTES = 256,                    /* least bound that a builder takes */
    BATCH_QUALITY = 6,                          /* brotli's, while building */
    BATCH_QUALITY_AGED = 11,                    /* when a batch closes by age */
    BATCH_WINDOW_BITS = 22,
};

enum batch_segment {
    BATCH_SEGMENT_L2 = 0,
    BATCH_SEGMENT_L2_BROTLI = 1,
    BATCH_SEGMENT_DELAYED = 2,
    BATCH_SEGMENT_ADVANCE_TIMESTAMP = 3,
    BATCH_SEGMENT_ADVANCE_L1_BLOCK = 4,
};

struct batch_header {
    uint64_t min_timestamp, max_timestamp, min_block, max_block;
    uint64_t after_delayed; /* delayed messages read, from the chain's first, after this batch */
};

void batch_header_encode(uint8_t out[BATCH_HEADER_BYTES], const struct batch_header *h);
void batch_header_decode(struct batch_header *out, const uint8_t in[BATCH_HEADER_BYTES]);

/* The contract's time bounds (maxTimeVariation), and the header that it gives a batch which arrives
 * at the parent's `timestamp` and `l1_block` (its EVM's block.number). Saturates at both ends. */
struct batch_time_bounds {
    uint64_t delay_blocks, future_blocks, delay_seconds, future_seconds;
};
struct batch_header batch_header_at(const struct batch_time_bounds *b, uint64_t timestamp,
                                    uint64_t l1_block, uint64_t after_delayed);

hash32 batch_data_hash(const struct batch_header *h, bytes payload);
/* delayed_acc: accumulator of the delayed inbox after message after_delayed - 1; zero if none. */
hash32 batch_acc_next(const hash32 *before, const hash32 *data_hash, const hash32 *delayed_acc);

/* --- on the parent -------------------------------------------------------------------------- */

enum batch_location {
    BATCH_IN_CALLDATA = 0,
    BATCH_IN_EVENT = 1,
    BATCH_NO_DATA = 2,
    BATCH_BLOB = 3
};

/* What SequencerBatchDelivered says. */
struct batch_event {
    uint64_t seq_num;
    hash32 before_acc, after_acc;
    hash32 delayed_acc;
    struct batch_header header;
    enum batch_location location;
    uint64_t block_num; /* of the log, the parent's own count */
    hash32 block_hash;
    hash32 tx_hash;
};
/* ERR_PARSE: not this event or a value out of its range. ERR_UNSUPPORTED: a location that this
 * version does not know. */
enum err batch_parse_event(struct batch_event *out, const struct parent_log *l) MUST_USE;
/* Payload by location: argument `data` of the calldata of e->tx_hash (either function that posts
 * from an origin), or of the event SequencerBatchData with this number. Borrowed from the input.
 * ERR_PARSE. BATCH_NO_DATA has an empty payload; BATCH_BLOB cannot occur on an Arbitrum parent. */
enum err batch_calldata_payload(bytes *out, bytes calldata) MUST_USE;
enum err batch_event_payload(bytes *out, uint64_t seq_num, const struct parent_log *l) MUST_USE;
/* Recomputes after_acc. ERR_MISMATCH with what differs: the payload is not what was posted, or
 * `before` and `delayed_acc` (the reader's own) are not the event's. */
enum err batch_verify_event(const struct batch_event *e, bytes payload, const hash32 *before,
                            const hash32 *delayed_acc, struct err_ctx *ec) MUST_USE;

/* Calldata of addSequencerL2BatchFromOrigin without gas refunder. The counts are the contract's
 * replay protection beside seq_num: see ARBITRUM's sequencerReportedSubMessageCount. */
struct batch_post {
    uint64_t seq_num;
    bytes payload;
    uint64_t after_delayed;
    uint64_t prev_message_count, new_message_count;
};
void batch_post_calldata(struct buf *b, const struct batch_post *p);

/* What 4 gas a zero byte and 16 another, one hash and 30 gas come to, without any constant for the
 * transaction: the figure of kind 13's price sample (PROTOCOL §3), extraGas aside. */
uint64_t batch_calldata_gas(uint64_t length, uint64_t nonzeros);

/* --- reading -------------------------------------------------------------------------------- */

struct batch_reader;

enum batch_item_kind {
    BATCH_ITEM_MESSAGE, /* `message` is whole: kind 3 of the sequencer, or invalid (kind 255) */
    BATCH_ITEM_DELAYED, /* the message is delayed message `delayed_idx` */
};
struct batch_item {
    enum batch_item_kind kind;
    struct message message; /* BATCH_ITEM_MESSAGE; data lives until the next call */
    uint64_t delayed_idx;   /* BATCH_ITEM_DELAYED */
    uint64_t position;      /* of this message in its batch, from 0 */
};

/* Uncompresses a payload. delayed_before: delayed messages read before this batch, at most
 * h->after_delayed (the contract sees to that; ERR_INVALID if not). ERR_NOMEM. `payload` is not
 * used after the call. Memory: at most BATCH_UNCOMPRESSED_MAX_BYTES and small change. */
enum err batch_reader_new(struct batch_reader **out, const struct batch_header *h,
                          uint64_t delayed_before, bytes payload) MUST_USE;
void batch_reader_free(struct batch_reader *r);
/* The next message; false when the batch is used up. A batch has at least one.
 * - A payload whose brotli stream is cut short, damaged or over BATCH_UNCOMPRESSED_MAX_BYTES has no
 *   segments; bytes after the stream's end do not matter.
 * - A tail that is no RLP byte string, and segments past BATCH_SEGMENTS_MAX, are not there.
 * - An empty segment, and an advance that is no RLP u64, are skipped. Advances wrap at 2^64.
 * - Kind 1 that does not uncompress into MESSAGE_DATA_MAX_BYTES, kind 2 with no delayed message
 *   left, and an unknown kind are invalid messages; but an unknown kind only if a message or an
 *   unread delayed message comes after it, or it is the batch's first message.
 * - A batch with neither message nor delayed message is one invalid message. */
bool batch_next(struct batch_reader *r, struct batch_item *out);

/* Whether `item` is what derivation read as `m`: before posting, every message of a payload is
 * compared with the log. Of a delayed one only its index, which m's delayed_read gives. */
bool batch_item_is(const struct batch_item *item, const struct message *m);

/* --- building ------------------------------------------------------------------------------- */

/* Collects messages in the chain's order into a payload. One thread. Memory: uncompressed segments,
 * at most BATCH_UNCOMPRESSED_MAX_BYTES, and the encoder's. */
struct batch_builder;

/* delayed_before: delayed messages read before the batch. max_bytes: bound of header and payload,
 * in [BATCH_LEAST_BYTES, 1 MiB]; BATCH_MAX_BYTES but for tests. ERR_NOMEM, ERR_INVALID. */
enum err batch_builder_new(struct batch_builder **out, uint64_t delayed_before,
                           size_t max_bytes) MUST_USE;
void batch_builder_free(struct batch_builder *b);

/* Adds a message, or leaves the batch as it was:
 * ERR_TOO_LARGE  it does not fit any more: finish this batch and put it into the next. A message
 *                within MESSAGE_SEQUENCED_MAX_BYTES always fits an empty batch.
 * ERR_INVALID    not the message that can come next: delayed_read is not the batch's, or stamps
 *                that are below those before it in the batch.
 * ERR_NOMEM      the builder can only be freed. */
enum err batch_builder_add(struct batch_builder *b, const struct message *m) MUST_USE;

struct batch_builder_state {
    uint64_t message_count;     /* delayed ones included */
    uint64_t sequenced_count;   /* those with data of ours */
    uint64_t after_delayed;     /* what to post */
    size_t size_bytes;          /* header and payload, an upper bound */
    size_t uncompressed_bytes;  /* of segments */
    uint64_t first_timestamp;   /* of the first message, delayed or not; 0 while empty */
    uint64_t min_timestamp_seq; /* lowest and highest stamps of sequenced messages; 0 if none */
    uint64_t max_timestamp_seq, min_block_seq, max_block_seq;
    bool full; /* an add has been refused for size */
};
struct batch_builder_state batch_builder_state(const struct batch_builder *b);
/* Whether the header's bounds would raise, or lower, a stamp of a sequenced message. */
bool batch_builder_is_below(const struct batch_builder_state *s, const struct batch_header *h);
bool batch_builder_is_above(const struct batch_builder_state *s, const struct batch_header *h);

/* Appends the payload to `out`, empty before (its maximum must allow it). quality: BATCH_QUALITY
 * takes the stream as it is, a higher one compresses everything again and takes the shorter. An
 * empty batch has an empty payload and is not to be posted. The builder can only be freed after.
 * ERR_NOMEM, ERR_TOO_LARGE (`out`). */
enum err batch_builder_finish(struct batch_builder *b, struct buf *out, int quality) MUST_USE;

#endif
