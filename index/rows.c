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

/* Rows that no earlier block can have, to be put in the order of their keys: in any other each
 * would be searched for among all that the store has in memory. */
struct new_row {
    uint8_t key[ROW_LOGA_KEY_MAX_BYTES];
    uint8_t key_len;
    uint32_t tx;
};

static int by_key(const void *a, const void *b) {
    const struct new_row *x = a, *y = b;
    size_t len = x->key_len < y->key_len ? x->key_len : y->key_len;
    int order = memcmp(x->key, y->key, len);
    return order != 0 ? order : (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

static void sort_rows(struct buf *rows) {
    CHECK(!rows->overflow);
    if (rows->len > 0)
        qsort(rows->ptr, rows->len / sizeof(struct new_row), sizeof(struct new_row), by_key);
}

static void put_txs(struct store *s, const struct derived_block *b) {
    struct buf rows;
    buf_init(&rows, SIZE_MAX / 2); /* gas bounds a block's transactions and logs */
    for (size_t i = 0; i < b->tx_count; i++) {
        struct new_row row = {.key_len = sizeof(hash32), .tx = (uint32_t)i};
        memcpy(row.key, b->txs[i].tx.hash.b, sizeof(hash32));
        buf_append(&rows, &row, sizeof(row));
    }
    sort_rows(&rows);
    for (size_t at = 0; at < rows.len; at += sizeof(struct new_row)) {
        const struct new_row *row = (const struct new_row *)(rows.ptr + at);
        uint8_t value[ROW_TX_BYTES];
        be64_store(value, b->header.number);
        be32_store(value + 8, row->tx);
        store_put_new(s, TABLE_TXL, bytes_of(row->key, row->key_len),
                      bytes_of(value, sizeof(value)));
    }
    buf_clear(&rows);
}

static void add_loga(struct buf *rows, const uint8_t *who, size_t len, uint64_t block) {
    struct new_row row = {0};
    row.key_len = (uint8_t)row_loga_key(row.key, bytes_of(who, len), block);
    buf_append(rows, &row, sizeof(row));
}

static void put_logs(struct store *s, const struct derived_block *b) {
    struct buf rows;
    const struct log_entry *before = NULL;
    uint64_t number = b->header.number;
    buf_init(&rows, SIZE_MAX / 2);
    for (size_t i = 0; i < b->tx_count; i++) {
        const struct receipt *r = &b->txs[i].receipt;
        for (size_t j = 0; j < r->log_count; j++) {
            const struct log_entry *l = &r->logs[j];
            row_put_sends(s, l, number);
            if (before == NULL || !addr20_eq(&before->address, &l->address))
                add_loga(&rows, l->address.b, sizeof(l->address), number);
            for (size_t t = 0; t < l->topic_count; t++)
                if (before == NULL || before->topic_count <= t ||
                    !hash32_eq(&before->topics[t], &l->topics[t]))
                    add_loga(&rows, l->topics[t].b, sizeof(l->topics[t]), number);
            before = l;
        }
    }
    sort_rows(&rows);
    const struct new_row *last = NULL;
    for (size_t at = 0; at < rows.len; at += sizeof(struct new_row)) {
        const struct new_row *row = (const struct new_row *)(rows.ptr + at);
        if (last == NULL || by_key(last, row) != 0)
            store_put_new(s, TABLE_LOGA, bytes_of(row->key, row->key_len), bytes_of(NULL, 0));
        last = row;
    }
    buf_clear(&rows);
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
    put_logs(s, b);
    index_put_universes(s, b);
    row_put_kept(s, b);
    if (at->has_body)
        put_position(s, TABLE_BODY, number_key, at->body);
    if (at->has_receipts)
        put_position(s, TABLE_RCPT, number_key, at->receipts);
}
