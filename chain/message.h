/* SPDX-License-Identifier: Apache-2.0 */
/* Nitro's message, the only input that makes a block (PROTOCOL §1), and the framing of sequenced transactions in its
 * data: one `04|tx`, several `03 | (u64 length | 04|tx)*`. */
#ifndef CHAIN_MESSAGE_H
#define CHAIN_MESSAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
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
    MESSAGE_DATA_MAX_BYTES = 262144,      /* derivation: larger is an empty block (Nitro) */
    MESSAGE_SEQUENCED_MAX_BYTES = 87000,  /* sequencer's own limit, framing included */
    MESSAGE_TX_MAX_BYTES = 85000,         /* sequencer's own limit for one transaction */
    MESSAGE_BATCH_DEPTH_MAX = 16,
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
    bool has_batch_stats;   /* exactly on kind 13 */
    uint64_t batch_length, batch_nonzeros;
    bytes data;             /* borrowed */
    uint64_t delayed_read;  /* delayed messages read up to and including this one */
};

/* Coinbase of sequenced messages: Nitro's sequencer address. */
extern const addr20 SEQUENCER_ADDRESS;

/* Storage form (in log records): versioned, self-delimiting. */
void message_pack(struct buf *b, const struct message *m);
enum err message_unpack(struct message *out, bytes *in) MUST_USE;

/* Framing of a sequenced message's data. begin on an empty buf, add each envelope, end. */
struct message_framer {
    struct buf *buf;
    size_t count;
    size_t first_len;
};
void message_frame_begin(struct message_framer *f, struct buf *b);
/* Length of data if `len` more bytes of envelope were added. */
size_t message_frame_len_with(const struct message_framer *f, size_t len);
void message_frame_add(struct message_framer *f, bytes envelope);

/* The L2 items of a kind-3 message's data in order, nested batches flattened without recursion: calls fn with the L2 kind
 * and body (without the kind byte); trailing garbage and kinds that are invalid are ignored. */
typedef enum err (*l2_item_fn)(void *ctx, uint8_t l2_kind, bytes body);
enum err message_each_l2(bytes data, l2_item_fn fn, void *ctx);

#endif
