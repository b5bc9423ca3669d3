/* SPDX-License-Identifier: Apache-2.0 */
#include "index/index.h"

#include "base/check.h"
#include "base/keccak.h"
#include "index/rows.h"
#include "index/sections.h"

#include <inttypes.h>

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

enum err index_stamp(struct index_stamp *out, struct store_view *v, uint64_t number) {
    uint8_t key[8];
    bytes value;
    be64_store(key, number);
    if (!store_get(v, TABLE_HDR, bytes_of(key, 8), &value))
        return ERR_NOT_FOUND;
    out->number = number;
    return row_stamp_decode(out, value);
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

/* --- whole blocks -------------------------------------------------------------------------- */
static enum err tx_of(struct tx *out, struct arena *a, const struct record_receipt *r,
                      bytes envelope, struct err_ctx *ec) {
    TRY(tx_decode_stored(out, a, envelope, &r->hash, ec));
    out->sender = r->sender;
    out->has_sender = true;
    return ERR_OK;
}

static enum err decode_txs(struct index_block *out, struct arena *a, bytes body,
                           const struct record_receipt *rr, size_t count, struct err_ctx *ec) {
    struct tx *txs = arena_try_alloc(a, count * sizeof(*txs) + 1);
    struct receipt *receipts = arena_try_alloc(a, count * sizeof(*receipts) + 1);
    if (txs == NULL || receipts == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        bytes envelope = rr[i].envelope;
        if (envelope.ptr == NULL) {
            if (rr[i].envelope_at > body.len || envelope.len > body.len - rr[i].envelope_at)
                return ERR_CORRUPT;
            envelope.ptr = body.ptr + rr[i].envelope_at;
        }
        TRY(tx_of(&txs[i], a, &rr[i], envelope, ec));
        receipts[i] = rr[i].receipt;
    }
    out->txs = txs;
    out->receipts = receipts;
    out->tx_count = count;
    return ERR_OK;
}

static enum err load_body(struct record_block *out, bytes *out_payload, struct arena *a,
                          const struct index_source *src, struct store_view *v, uint64_t number,
                          struct err_ctx *ec) {
    TRY(section_record(out_payload, a, src->log, v, TABLE_BODY, LOG_BLOCK, number, ec));
    TRY(record_unpack_block(out, *out_payload));
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
    bytes body_payload;
    TRY(load_body(&body, &body_payload, a, src, v, number, ec));
    struct record_receipt *rr = NULL;
    size_t count = 0;
    TRY(section_read_all(&rr, &count, a, src, v, number, ec));
    if (count != b.head.tx_count)
        FAIL(ec, ERR_CORRUPT, "block %" PRIu64 " has %u transactions but %zu receipts", number,
             b.head.tx_count, count);
    TRY(decode_txs(&b, a, body_payload, rr, count, ec));
    *out = b;
    return ERR_OK;
}

/* --- one transaction ------------------------------------------------------------------------ */
/* The transaction that the receipt is of: its envelope alone is read, and is good when it has the
 * hash. */
static enum err load_envelope(struct tx *out, struct arena *a, const struct record_receipt *r,
                              const struct index_source *src, struct store_view *v, uint64_t number,
                              struct err_ctx *ec) {
    bytes envelope = r->envelope;
    if (envelope.ptr == NULL) {
        struct log_pos pos;
        uint8_t *p;
        TRY(section_find(&pos, v, TABLE_BODY, number));
        TRY(section_part(&p, a, src->log, pos, r->envelope_at, envelope.len, ec));
        envelope.ptr = p;
        hash32 hash = keccak256_bytes(envelope);
        if (!hash32_eq(&hash, &r->hash))
            return ERR_CORRUPT;
    }
    return tx_of(out, a, r, envelope, ec);
}

enum err index_load_section(struct index_block *out, struct arena *a,
                            const struct index_source *src, struct store_view *v, uint64_t number,
                            uint32_t tx_idx, struct err_ctx *ec) {
    struct index_block b = {.tx_count = 1};
    struct record_receipt r;
    TRY(index_head(&b.head, v, number));
    if (tx_idx >= b.head.tx_count)
        return ERR_NOT_FOUND;
    struct index_place *place = arena_try_alloc(a, sizeof(*place));
    b.txs = arena_try_alloc(a, sizeof(*b.txs));
    b.receipts = arena_try_alloc(a, sizeof(*b.receipts));
    if (place == NULL || b.txs == NULL || b.receipts == NULL)
        return ERR_NOMEM;
    enum err e = section_read(&r, a, src, v, number, tx_idx, ec);
    if (e == ERR_OK)
        e = load_envelope(b.txs, a, &r, src, v, number, ec);
    if (e == ERR_CORRUPT)
        FAIL(ec, e, "transaction %u of block %" PRIu64 " cannot be read", tx_idx, number);
    TRY(e);
    *b.receipts = r.receipt;
    *place = (struct index_place){.tx_idx = tx_idx, .first_log = r.first_log};
    b.places = place;
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
    bytes payload;
    TRY(index_head(&head, v, number));
    TRY(load_body(&body, &payload, a, src, v, number, ec));
    *out = body.message;
    return ERR_OK;
}
