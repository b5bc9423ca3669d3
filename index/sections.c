/* SPDX-License-Identifier: Apache-2.0 */
#include "index/sections.h"

#include "index/rows.h"

#include <inttypes.h>

enum {
    RECORD_BYTES_MAX = 1 << 28, /* a segment's record is far smaller; a bound for the read buffer */
    SECTION_GUESS_BYTES = 1024, /* most sections are shorter, so that one read gets them whole */
};

/* Where the record lies that `table` points to for this block. ERR_PRUNED: the header stands, what
 * it refers to is gone. */
enum err section_find(struct log_pos *out, struct store_view *v, enum table_id table,
                      uint64_t number) {
    uint8_t key[8];
    bytes value;
    be64_store(key, number);
    if (!store_get(v, table, bytes_of(key, 8), &value))
        return ERR_PRUNED;
    return row_position_decode(out, value);
}

/* Payload of that record, copied into `a`. */
enum err section_record(bytes *out, struct arena *a, struct wal *l, struct store_view *v,
                        enum table_id table, enum log_kind kind, uint64_t number,
                        struct err_ctx *ec) {
    struct log_pos pos;
    struct buf b;
    struct log_record r;
    TRY(section_find(&pos, v, table, number));
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

/* Exactly `len` bytes of a record's payload, in `a`. */
enum err section_part(uint8_t **out, struct arena *a, struct wal *l, struct log_pos pos,
                      uint64_t from, size_t len, struct err_ctx *ec) {
    size_t got = 0;
    uint8_t *p = len <= RECORD_BYTES_MAX ? arena_try_alloc(a, len + 1) : NULL;
    if (p == NULL)
        return len <= RECORD_BYTES_MAX ? ERR_NOMEM : ERR_CORRUPT;
    TRY(wal_read_part(l, p, len, pos, from, &got, ec));
    *out = p;
    return got == len ? ERR_OK : ERR_CORRUPT;
}

/* The section that begins at `from`. */
static enum err read_section(bytes *out, struct arena *a, struct wal *l, struct log_pos pos,
                             uint32_t from, struct err_ctx *ec) {
    size_t got = 0;
    uint8_t *p = arena_try_alloc(a, SECTION_GUESS_BYTES);
    if (p == NULL)
        return ERR_NOMEM;
    TRY(wal_read_part(l, p, SECTION_GUESS_BYTES, pos, from, &got, ec));
    if (got < RECORD_SECTION_LEAD_BYTES)
        return ERR_CORRUPT;
    size_t len = record_section_bytes(p);
    if (len > got)
        TRY(section_part(&p, a, l, pos, from, len, ec));
    *out = bytes_of(p, len);
    return ERR_OK;
}

enum err section_read_at(struct record_receipt *out, struct arena *a,
                         const struct index_source *src, struct log_pos pos, uint32_t place,
                         uint64_t number, struct err_ctx *ec) {
    bytes section;
    enum err e = read_section(&section, a, src->receipts, pos, place, ec);
    if (e == ERR_OK)
        e = record_unpack_section(out, a, section, number);
    if (e == ERR_CORRUPT)
        FAIL(ec, e, "block %" PRIu64 ": the receipt at %u of its record is damaged", number, place);
    return e;
}

enum err section_read(struct record_receipt *out, struct arena *a, const struct index_source *src,
                      struct store_view *v, uint64_t number, uint32_t tx_idx, struct err_ctx *ec) {
    struct log_pos pos;
    uint8_t *entry;
    TRY(section_find(&pos, v, TABLE_RCPT, number));
    TRY(section_part(&entry, a, src->receipts, pos, record_section_entry(tx_idx), 4, ec));
    TRY(section_read_at(out, a, src, pos, be32_load(entry), number, ec));
    return out->tx_idx == tx_idx ? ERR_OK : ERR_CORRUPT;
}

enum err section_read_all(struct record_receipt **out, size_t *out_count, struct arena *a,
                          const struct index_source *src, struct store_view *v, uint64_t number,
                          struct err_ctx *ec) {
    bytes payload;
    TRY(section_record(&payload, a, src->receipts, v, TABLE_RCPT, LOG_RECEIPTS, number, ec));
    return record_unpack_receipts(out, out_count, a, payload, number);
}
