/* SPDX-License-Identifier: Apache-2.0 */
/* Nitro's message, the only input that makes a block (PROTOCOL §1), and the framing of sequenced
 * transactions in its data: one `04|tx`, several `03 | (u64 length | 04|tx)*`. */
#ifndef CHAIN_MESSAGE_H
#define CHAIN_MESSAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/types.h"
#include "base/u256.h"

enum message_kind {
    MESSAGE_L2 = 3,
    MESSAGE_END_OF_BLOCK = 6,
    MESSAGE_L2_FUNDED_BY_L1 = 7,
    MESSAGE_ROLLUP_EVENT = 8,
    MESSAGE_SUBMIT_RETRYABLE = 9,
    MESSAGE_BATCH_FOR_GAS_ESTIMATION = 10,
    MESSAGE_INITIALIZE = 11,
    MESSAGE_ETH_DEPOSIT = 12,
    MESSAGE_BATCH_POSTING_REPORT = 13,
    MESSAGE_INVALID = 255,
};
enum l2_kind { L2_UNSIGNED_USER_TX = 0, L2_CONTRACT_TX = 1, L2_BATCH = 3, L2_SIGNED_TX = 4 };

enum {
    MESSAGE_DATA_MAX_BYTES = LIMIT_MESSAGE_BYTES, /* derivation: larger is an empty block (Nitro) */
    /* sequencer's own limit, framing included */
    MESSAGE_SEQUENCED_MAX_BYTES = LIMIT_SEQUENCED_BYTES,
    MESSAGE_TX_MAX_BYTES = LIMIT_TX_BYTES, /* sequencer's own limit for one transaction */
    MESSAGE_BATCH_DEPTH_MAX = 16,
    MESSAGE_STORED_DATA_MAX_BYTES =
        16 << 20, /* a batch's uncompressed limit (Nitro): no message can hold more */
};

struct message {
    uint8_t kind;
    addr20 sender;
    uint64_t l1_block;
    uint64_t timestamp;
    bool has_request_id;
    hash32 request_id;
    bool has_base_fee_l1;
    u256 base_fee_l1;
    bool has_batch_stats; /* exactly on kind 13 */
    uint64_t batch_length, batch_nonzeros;
    bytes data;            /* borrowed */
    uint64_t delayed_read; /* delayed messages read up to and including this one */
};

/* Coinbase of sequenced messages: Nitro's sequencer address. */
extern const addr20 SEQUENCER_ADDRESS;

/* A message that the sequencer made; all others were read from the parent's delayed inbox (Nitro:
 * those have a request id). */
static inline bool message_is_sequenced(const struct message *m) {
    return !m->has_request_id;
}

/* Storage form (in log records), integers big-endian:
 *   version u8 = 1 | kind u8 | flags u8 (1 request id, 2 base fee, 4 batch stats) | sender 20
 *   | l1_block u64 | timestamp u64 | delayed_read u64 | [request id 32] | [base fee 32]
 *   | [batch length u64 | batch nonzeros u64] | data length u32 | data */
void message_pack(struct buf *b, const struct message *m);
/* What message_pack appends; the data is its end. */
size_t message_packed_bytes(const struct message *m);
/* Takes one message off *in; data is borrowed from it. ERR_VERSION, ERR_CORRUPT (cut short, unknown
 * flags), ERR_TOO_LARGE. */
enum err message_unpack(struct message *out, bytes *in) MUST_USE;

/* Framing of a sequenced message's data: begin on an empty buf and add each envelope; buf holds a
 * whole message's data after each. The second envelope turns the single form into the batch form,
 * hence the jump in length. */
struct message_framer {
    struct buf *buf;
    size_t count;
};
void message_frame_begin(struct message_framer *f, struct buf *b);
/* Length of data if `len` more bytes of envelope were added. */
size_t message_frame_len_with(const struct message_framer *f, size_t len);
/* Appends; *out_offset, if not NULL, is where the envelope now starts in buf. The first envelope's
 * offset moves from 1 to MESSAGE_FRAME_FIRST_OFFSET when a second one comes. */
void message_frame_add(struct message_framer *f, bytes envelope, size_t *out_offset);
enum { MESSAGE_FRAME_FIRST_OFFSET = 10 /* 03 | length u64 | 04 */ };

/* The L2 items of a kind-3 message's data in order, nested batches flattened without recursion:
 * calls fn with the L2 kind (any but L2_BATCH) and body (without the kind byte). What cannot be
 * read as an item - trailing bytes that are not a whole length and its content, an empty item, a
 * batch below MESSAGE_BATCH_DEPTH_MAX others - is no item; fn decides about kinds it does not know.
 * `request_id` is the message's own, NULL if it has none; an item in a batch has keccak(id of the
 * batch | index in it as 32 bytes). Stops at fn's first error and returns it; there are no
 * others. */
typedef enum err (*l2_item_fn)(void *ctx, uint8_t l2_kind, bytes body, const hash32 *request_id);
enum err message_each_l2(bytes data, const hash32 *request_id, l2_item_fn fn, void *ctx) MUST_USE;

/* keccak(request id | index as 32 bytes): the request id of a part of a message. */
hash32 message_nested_id(const hash32 *id, uint64_t index);

#endif
