/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and values of the look-up tables (index/index.h lists them). */
#ifndef INDEX_ROWS_H
#define INDEX_ROWS_H

#include "base/buf.h"
#include "base/err.h"
#include "index/index.h"

enum {
    ROW_POSITION_BYTES = 8,
    ROW_TX_BYTES = 12,
    ROW_HEAD_FIXED_BYTES = 40,
    ROW_LOGA_KEY_MAX_BYTES = 40,
    ROW_LOGA_PLACES_MAX = 8,
    ROW_SEND_KEY_BYTES = 9,
    ROW_SEND_BYTES = 40,
};

void row_head_encode(struct buf *out, const struct index_head *h);
/* ERR_CORRUPT. */
enum err row_head_decode(struct index_head *out, bytes value) MUST_USE;

/* Hash and timestamp of the same value, without decoding the rest. ERR_CORRUPT. */
enum err row_stamp_decode(struct index_stamp *out, bytes value) MUST_USE;

void row_position_encode(uint8_t out[ROW_POSITION_BYTES], struct log_pos pos);
enum err row_position_decode(struct log_pos *out, bytes value) MUST_USE;

/* LOGA key of an address (20 bytes) or topic (32 bytes) in a block; returns its length. */
size_t row_loga_key(uint8_t out[ROW_LOGA_KEY_MAX_BYTES], bytes item, uint64_t block);

/* The rows of a block's logs. `payload`: of its RECEIPTS record, which the places are in; empty
 * where there is none. */
void row_put_logs(struct store *s, const struct derived_block *b, bytes payload);

void row_send_key(uint8_t out[ROW_SEND_KEY_BYTES], unsigned level, uint64_t index);
/* The rows of what a log says about the tree of messages to the parent; most say nothing. */
void row_put_sends(struct store *s, const struct log_entry *l, uint64_t block);

/* One transaction from the segments alone, as index_load_tx: ERR_PRUNED when they are gone. */
enum err index_load_section(struct index_block *out, struct arena *a,
                            const struct index_source *src, struct store_view *v, uint64_t number,
                            uint32_t tx_idx, struct err_ctx *ec) MUST_USE;

/* The rows of what outlives the block's segments. */
void row_put_kept(struct store *s, const struct derived_block *b);

#endif
