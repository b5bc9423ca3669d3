/* SPDX-License-Identifier: Apache-2.0 */
#include "index/index.h"

#include "base/check.h"
#include "index/record.h"
#include "index/rows.h"

#include <inttypes.h>

enum {
    RECORD_BYTES_MAX = 1 << 28 /* a segment's record is far smaller; a bound for the read buffer */
};

enum err index_head(struct index_head *out, struct store_view *v, uint64_t number) {
    uint8_t key[8];
    bytes value;
    be64_store(key, number);
    if (!store_get(v, TABLE_HDR, bytes_of(key, 8), &value))
        return ERR_NOT_FOUND;
    return row_head_decode(out, value);
}

enum err index_number_of(uint64_t *out, struct store_view *v, const hash32 *block_hash) {
    bytes value;
    if (!store_get(v, TABLE_HNUM, bytes_of(block_hash->b, 32), &value))
        return ERR_NOT_FOUND;
    if (value.len != 8)
        return ERR_CORRUPT;
    *out = be64_load(value.ptr);
    return ERR_OK;
}

hash32 index_hash_of(struct store_view *v, uint64_t number) {
    hash32 h = {{0}};
    uint8_t key[8];
    bytes value;
    be64_store(key, number);
    if (store_get(v, TABLE_HDR, bytes_of(key, 8), &value) && value.len > ROW_HEAD_FIXED_BYTES)
        memcpy(h.b, value.ptr, 32);
    return h;
}

enum err index_find_tx(uint64_t *out_block, uint32_t *out_idx, struct store_view *v,
                       const hash32 *tx_hash) {
    bytes value;
    if (!store_get(v, TABLE_TXL, bytes_of(tx_hash->b, 32), &value))
        return ERR_NOT_FOUND;
    if (value.len != ROW_TX_BYTES)
        return ERR_CORRUPT;
    *out_block = be64_load(value.ptr);
    *out_idx = be32_load(value.ptr + 8);
    return ERR_OK;
}

/* Payload of the record that `table` points to for this block, copied into `a`. ERR_NOT_FOUND: no
 * such row. */
static enum err load_record(bytes *out, struct arena *a, struct wal *l, struct store_view *v,
                            enum table_id table, enum log_kind kind, uint64_t number,
                            struct err_ctx *ec) {
    uint8_t key[8];
    bytes value;
    be64_store(key, number);
    if (!store_get(v, table, bytes_of(key, 8), &value))
        return ERR_NOT_FOUND;
    struct log_pos pos;
    TRY(row_position_decode(&pos, value));

    struct buf b;
    struct log_record r;
    buf_init(&b, RECORD_BYTES_MAX);
    enum err e = wal_read(l, &b, pos, &r, ec);
    if (e == ERR_OK && r.kind != kind)
        e = err_set(ec, ERR_CORRUPT, __FILE__, __LINE__,
                    "block %" PRIu64 ": the record at segment %u offset %u has kind %d, not %d",
                    number, pos.segment, pos.offset, (int)r.kind, (int)kind);
    uint8_t *copy = e == ERR_OK ? arena_try_alloc(a, r.payload.len + 1) : NULL;
    if (e == ERR_OK && copy == NULL)
        e = ERR_NOMEM;
    if (e == ERR_OK) {
        memcpy(copy, r.payload.ptr, r.payload.len);
        *out = bytes_of(copy, r.payload.len);
    }
    buf_clear(&b);
    return e;
}

static enum err decode_txs(struct index_block *out, struct arena *a,
                           const struct record_block *body, const struct record_receipt *rr,
                           size_t count, struct err_ctx *ec) {
    struct tx *txs = arena_try_alloc(a, count * sizeof(*txs) + 1);
    struct receipt *receipts = arena_try_alloc(a, count * sizeof(*receipts) + 1);
    if (txs == NULL || receipts == NULL)
        return ERR_NOMEM;
    size_t sender = 0;
    for (size_t i = 0; i < count; i++) {
        TRY(tx_decode_stored(&txs[i], a, rr[i].envelope, ec));
        if (txs[i].type <= TX_SET_CODE) {
            if (sender == body->sender_count)
                FAIL(ec, ERR_CORRUPT, "block %" PRIu64 " has fewer senders than transactions",
                     body->number);
            memcpy(txs[i].sender.b, body->senders + 20 * sender++, 20);
            txs[i].has_sender = true;
        }
        receipts[i] = rr[i].receipt;
    }
    out->txs = txs;
    out->receipts = receipts;
    out->tx_count = count;
    return ERR_OK;
}

/* ERR_PRUNED: the header stands, what it refers to is gone. */
static enum err load_body(struct record_block *out, struct arena *a, const struct index_source *src,
                          struct store_view *v, uint64_t number, struct err_ctx *ec) {
    bytes payload;
    enum err e = load_record(&payload, a, src->log, v, TABLE_BODY, LOG_BLOCK, number, ec);
    if (e == ERR_NOT_FOUND)
        return ERR_PRUNED;
    TRY(e);
    TRY(record_unpack_block(out, payload));
    if (out->number != number)
        FAIL(ec, ERR_CORRUPT, "block %" PRIu64 " points to the record of block %" PRIu64, number,
             out->number);
    return ERR_OK;
}

enum err index_load_block(struct index_block *out, struct arena *a, const struct index_source *src,
                          struct store_view *v, uint64_t number, struct err_ctx *ec) {
    struct index_block b = {0};
    TRY(index_head(&b.head, v, number));
    if (b.head.tx_count == 0) {
        *out = b;
        return ERR_OK;
    }
    struct record_block body;
    TRY(load_body(&body, a, src, v, number, ec));
    bytes receipts_payload;
    enum err e =
        load_record(&receipts_payload, a, src->receipts, v, TABLE_RCPT, LOG_RECEIPTS, number, ec);
    if (e == ERR_NOT_FOUND)
        return ERR_PRUNED;
    TRY(e);

    struct record_receipt *rr = NULL;
    size_t count = 0;
    TRY(record_unpack_receipts(&rr, &count, a, receipts_payload, body.message.data, number));
    if (count != b.head.tx_count)
        FAIL(ec, ERR_CORRUPT, "block %" PRIu64 " has %u transactions but %zu receipts", number,
             b.head.tx_count, count);
    TRY(decode_txs(&b, a, &body, rr, count, ec));
    *out = b;
    return ERR_OK;
}

uint64_t index_first_body(struct store_view *v) {
    static const uint8_t zero[8];
    bytes key, value;
    struct store_cursor *c = store_cursor_open(v, TABLE_BODY);
    bool found = store_cursor_seek(c, bytes_of(zero, sizeof(zero)), &key, &value);
    uint64_t block = found && key.len == 8 ? be64_load(key.ptr) : 0;
    store_cursor_close(c);
    return block;
}

enum err index_load_message(struct message *out, struct arena *a, const struct index_source *src,
                            struct store_view *v, uint64_t number, struct err_ctx *ec) {
    struct index_head head;
    struct record_block body;
    TRY(index_head(&head, v, number));
    TRY(load_body(&body, a, src, v, number, ec));
    *out = body.message;
    return ERR_OK;
}
