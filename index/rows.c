/* SPDX-License-Identifier: Apache-2.0 */
#include "index/rows.h"

#include "base/check.h"
#include "base/rlp.h"
#include "index/universe_rows.h"

#include <stdlib.h>

/* RLP of a 16-field header takes at most 32 * 6 + 20 + 256 + 32 * 2 + 9 * 4 + 32 + extra bytes;
 * with the L3's 32 bytes of extra data that is far below the table's limit for values. */
enum { HEAD_VALUE_MAX = STORE_VALUE_MAX_BYTES };

void row_head_encode(struct buf *out, const struct index_head *h) {
    uint8_t fixed[ROW_HEAD_FIXED_BYTES];
    memcpy(fixed, h->hash.b, 32);
    be32_store(fixed + 32, h->tx_count);
    be32_store(fixed + 36, h->size);
    buf_append(out, fixed, sizeof(fixed));
    header_encode(out, &h->header);
}

enum err row_head_decode(struct index_head *out, bytes value) {
    if (value.len <= ROW_HEAD_FIXED_BYTES)
        return ERR_CORRUPT;
    bytes rlp = bytes_of(value.ptr + ROW_HEAD_FIXED_BYTES, value.len - ROW_HEAD_FIXED_BYTES);
    struct header header;
    if (header_decode(&header, rlp) != ERR_OK)
        return ERR_CORRUPT;
    out->header = header;
    memcpy(out->hash.b, value.ptr, 32);
    out->tx_count = be32_load(value.ptr + 32);
    out->size = be32_load(value.ptr + 36);
    return ERR_OK;
}

enum err row_stamp_decode(struct index_stamp *out, bytes value) {
    enum { FIELDS_BEFORE_TIMESTAMP = 11 };
    bytes list, field, rest;
    if (value.len <= ROW_HEAD_FIXED_BYTES)
        return ERR_CORRUPT;
    rest = bytes_of(value.ptr + ROW_HEAD_FIXED_BYTES, value.len - ROW_HEAD_FIXED_BYTES);
    enum err e = rlp_next_list(&rest, &list);
    for (int i = 0; e == ERR_OK && i < FIELDS_BEFORE_TIMESTAMP; i++)
        e = rlp_next_bytes(&list, &field);
    if (e != ERR_OK || rlp_next_u64(&list, &out->timestamp) != ERR_OK)
        return ERR_CORRUPT;
    memcpy(out->hash.b, value.ptr, 32);
    return ERR_OK;
}

void row_position_encode(uint8_t out[ROW_POSITION_BYTES], struct log_pos pos) {
    be32_store(out, pos.segment);
    be32_store(out + 4, pos.offset);
}

enum err row_position_decode(struct log_pos *out, bytes value) {
    if (value.len != ROW_POSITION_BYTES)
        return ERR_CORRUPT;
    out->segment = be32_load(value.ptr);
    out->offset = be32_load(value.ptr + 4);
    return ERR_OK;
}

size_t row_loga_key(uint8_t out[ROW_LOGA_KEY_MAX_BYTES], bytes item, uint64_t block) {
    CHECK(item.len == 20 || item.len == 32);
    memcpy(out, item.ptr, item.len);
    be64_store(out + item.len, block);
    return item.len + 8;
}

/* Length of the block's RLP: [header, [transactions], []]. */
static uint32_t block_size(const struct derived_block *b, size_t header_len) {
    size_t txs = 0;
    for (size_t i = 0; i < b->tx_count; i++) {
        bytes raw = b->txs[i].tx.raw;
        txs += raw.len;
        if (b->txs[i].tx.type != TX_LEGACY) /* typed envelopes lie in the list as byte strings */
            txs += rlp_header_len(false, raw.len, raw.ptr[0]);
    }
    size_t body = header_len + rlp_header_len(true, txs, 0) + txs + 1;
    return (uint32_t)(rlp_header_len(true, body, 0) + body);
}

static void put_head(struct store *s, const struct derived_block *b, const uint8_t number_key[8]) {
    struct buf row;
    buf_init(&row, HEAD_VALUE_MAX);
    struct index_head head = {
        .header = b->header, .hash = b->hash, .tx_count = (uint32_t)b->tx_count};
    row_head_encode(&row, &head);
    head.size = block_size(b, row.len - ROW_HEAD_FIXED_BYTES);
    buf_reset(&row);
    row_head_encode(&row, &head);
    CHECK(!row.overflow);
    store_put(s, TABLE_HDR, bytes_of(number_key, 8), buf_bytes(&row));
    store_put_new(s, TABLE_HNUM, bytes_of(b->hash.b, 32), bytes_of(number_key, 8));
    buf_clear(&row);
}

struct tx_row {
    hash32 hash;
    uint32_t tx_idx;
};

static int by_hash(const void *a, const void *b) {
    const struct tx_row *x = a, *y = b;
    return memcmp(x->hash.b, y->hash.b, sizeof(hash32));
}

static size_t nth_hash(uint8_t out[STORE_KEY_MAX_BYTES], const void *rows, size_t i) {
    const struct tx_row *r = rows;
    memcpy(out, r[i].hash.b, sizeof(hash32));
    return sizeof(hash32);
}

/* In the order of their keys: in any other each would be searched for among all that the store has
 * in memory. */
static void put_txs(struct store *s, const struct derived_block *b) {
    struct tx_row *rows = calloc(b->tx_count + 1, sizeof(*rows)); /* gas bounds them */
    CHECK(rows != NULL);
    for (size_t i = 0; i < b->tx_count; i++)
        rows[i] = (struct tx_row){.hash = b->txs[i].tx.hash, .tx_idx = (uint32_t)i};
    qsort(rows, b->tx_count, sizeof(*rows), by_hash);
    for (size_t i = 0; i < b->tx_count; i++) {
        store_expect(s, TABLE_TXL, i, b->tx_count, nth_hash, rows);
        uint8_t value[ROW_TX_BYTES];
        be64_store(value, b->header.number);
        be32_store(value + 8, rows[i].tx_idx);
        store_put_new(s, TABLE_TXL, bytes_of(rows[i].hash.b, sizeof(hash32)),
                      bytes_of(value, sizeof(value)));
    }
    free(rows);
}

static void put_position(struct store *s, enum table_id table, const uint8_t number_key[8],
                         struct log_pos pos) {
    uint8_t value[ROW_POSITION_BYTES];
    row_position_encode(value, pos);
    store_put(s, table, bytes_of(number_key, 8), bytes_of(value, sizeof(value)));
}

void index_put_block(struct store *s, const struct derived_block *b,
                     const struct index_positions *at) {
    uint8_t number_key[8];
    be64_store(number_key, b->header.number);
    put_head(s, b, number_key);
    put_txs(s, b);
    for (size_t i = 0; i < b->tx_count; i++)
        for (size_t j = 0; j < b->txs[i].receipt.log_count; j++)
            row_put_sends(s, &b->txs[i].receipt.logs[j], b->header.number);
    row_put_logs(s, b, at->receipts_payload);
    index_put_universes(s, b);
    row_put_kept(s, b);
    if (at->has_body)
        put_position(s, TABLE_BODY, number_key, at->body);
    if (at->has_receipts)
        put_position(s, TABLE_RCPT, number_key, at->receipts);
}
