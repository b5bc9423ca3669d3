/* SPDX-License-Identifier: Apache-2.0 */
/* The RECEIPTS record: a table of sections, then one for each transaction. */
#include "index/record.h"

#include "state/crc32c.h"

enum {
    SOURCE_BLOCK = 0,
    SOURCE_INLINE = 1,
    TABLE_AT = 13, /* of the payload; before it version, number and count */
    /* Of a section. */
    IDX_AT = 8,
    FIRST_LOG_AT = 12,
    HASH_AT = 16,
    SENDER_AT = 48,
    SOURCE_AT = 68,
    SECTION_FIXED_BYTES = 69,
};

static void put_u32(struct buf *b, uint32_t v) {
    uint8_t raw[4];
    be32_store(raw, v);
    buf_append(b, raw, sizeof(raw));
}

static uint32_t section_crc(bytes section, uint64_t number) {
    uint8_t seed[8];
    be64_store(seed, number);
    return crc32c(crc32c(0, seed, sizeof(seed)), section.ptr + 4, section.len - 4);
}

/* Whether an envelope is a part of the message's data, as those of signed transactions are: then
 * its place says it all. */
static bool lies_in(bytes envelope, bytes data) {
    uintptr_t e = (uintptr_t)envelope.ptr, d = (uintptr_t)data.ptr;
    return data.len > 0 && e >= d && e + envelope.len <= d + data.len;
}

static void pack_section(struct buf *out, const struct derived_block *b, size_t data_at, size_t idx,
                         uint32_t first_log) {
    const struct derived_tx *d = &b->txs[idx];
    bytes raw = d->tx.raw, data = b->message.data;
    size_t begin = out->len;
    put_u32(out, 0); /* checksum and length are known at the end */
    put_u32(out, 0);
    put_u32(out, (uint32_t)idx);
    put_u32(out, first_log);
    buf_append(out, d->tx.hash.b, 32);
    buf_append(out, d->tx.sender.b, 20);
    if (lies_in(raw, data)) {
        buf_append_byte(out, SOURCE_BLOCK);
        put_u32(out, (uint32_t)(data_at + (size_t)(raw.ptr - data.ptr)));
        put_u32(out, (uint32_t)raw.len);
    } else {
        buf_append_byte(out, SOURCE_INLINE);
        put_u32(out, (uint32_t)raw.len);
        buf_append(out, raw.ptr, raw.len);
    }
    receipt_pack(out, &d->receipt);
    if (out->overflow)
        return;
    bytes section = bytes_of(out->ptr + begin, out->len - begin);
    be32_store(out->ptr + begin + 4, (uint32_t)section.len);
    be32_store(out->ptr + begin, section_crc(section, b->header.number));
}

void record_pack_receipts(struct buf *out, const struct derived_block *b) {
    size_t begin = out->len, data_at = record_block_data_at(b);
    uint8_t head[TABLE_AT] = {RECORD_RECEIPTS_VERSION};
    uint32_t first_log = 0;
    be64_store(head + 1, b->header.number);
    be32_store(head + 9, (uint32_t)b->tx_count);
    buf_append(out, head, sizeof(head));
    for (size_t i = 0; i < b->tx_count; i++)
        put_u32(out, 0);
    for (size_t i = 0; i < b->tx_count && !out->overflow; i++) {
        be32_store(out->ptr + begin + record_section_entry((uint32_t)i),
                   (uint32_t)(out->len - begin));
        pack_section(out, b, data_at, i, first_log);
        first_log += (uint32_t)b->txs[i].receipt.log_count;
    }
}

size_t record_section_entry(uint32_t tx_idx) {
    return TABLE_AT + (size_t)tx_idx * 4;
}

size_t record_section_bytes(const uint8_t *lead) {
    return be32_load(lead + 4);
}

static enum err take_envelope(struct record_receipt *out, bytes *rest, uint8_t source) {
    const uint8_t *p = rest->ptr;
    if (source == SOURCE_BLOCK && rest->len >= 8) {
        out->envelope_at = be32_load(p);
        out->envelope = bytes_of(NULL, be32_load(p + 4));
        *rest = bytes_of(p + 8, rest->len - 8);
        return ERR_OK;
    }
    if (source != SOURCE_INLINE || rest->len < 4 || be32_load(p) > rest->len - 4)
        return ERR_CORRUPT;
    out->envelope_at = 0;
    out->envelope = bytes_of(p + 4, be32_load(p));
    *rest = bytes_of(p + 4 + out->envelope.len, rest->len - 4 - out->envelope.len);
    return ERR_OK;
}

static enum err unpack_section(struct record_receipt *out, struct arena *a, bytes section) {
    if (section.len < SECTION_FIXED_BYTES || record_section_bytes(section.ptr) != section.len)
        return ERR_CORRUPT;
    out->tx_idx = be32_load(section.ptr + IDX_AT);
    out->first_log = be32_load(section.ptr + FIRST_LOG_AT);
    memcpy(out->hash.b, section.ptr + HASH_AT, 32);
    memcpy(out->sender.b, section.ptr + SENDER_AT, 20);
    bytes rest = bytes_of(section.ptr + SECTION_FIXED_BYTES, section.len - SECTION_FIXED_BYTES);
    TRY(take_envelope(out, &rest, section.ptr[SOURCE_AT]));
    TRY(receipt_unpack(&out->receipt, a, &rest));
    return rest.len == 0 ? ERR_OK : ERR_CORRUPT;
}

enum err record_unpack_section(struct record_receipt *out, struct arena *a, bytes section,
                               uint64_t number) {
    if (section.len < SECTION_FIXED_BYTES || be32_load(section.ptr) != section_crc(section, number))
        return ERR_CORRUPT;
    return unpack_section(out, a, section);
}

/* The sections must fill the payload in order. */
static enum err unpack_all(struct record_receipt *r, uint32_t count, struct arena *a,
                           bytes payload) {
    size_t at = record_section_entry(count);
    uint64_t logs = 0;
    for (uint32_t i = 0; i < count; i++) {
        size_t left = payload.len - at;
        if (be32_load(payload.ptr + record_section_entry(i)) != at ||
            left < RECORD_SECTION_LEAD_BYTES || record_section_bytes(payload.ptr + at) > left)
            return ERR_CORRUPT;
        size_t len = record_section_bytes(payload.ptr + at);
        TRY(unpack_section(&r[i], a, bytes_of(payload.ptr + at, len)));
        if (r[i].tx_idx != i || r[i].first_log != logs)
            return ERR_CORRUPT;
        logs += r[i].receipt.log_count;
        at += len;
    }
    return at == payload.len ? ERR_OK : ERR_CORRUPT;
}

enum err record_unpack_receipts(struct record_receipt **out, size_t *out_count, struct arena *a,
                                bytes payload, uint64_t number) {
    if (payload.len < 1)
        return ERR_CORRUPT;
    if (payload.ptr[0] != RECORD_RECEIPTS_VERSION)
        return ERR_VERSION;
    if (payload.len < TABLE_AT || be64_load(payload.ptr + 1) != number)
        return ERR_CORRUPT;
    uint32_t count = be32_load(payload.ptr + 9);
    if (count > (payload.len - TABLE_AT) / 4) /* bounds the allocation, too */
        return ERR_CORRUPT;
    struct record_receipt *r = arena_try_alloc(a, (size_t)count * sizeof(*r) + 1);
    if (r == NULL)
        return ERR_NOMEM;
    TRY(unpack_all(r, count, a, payload));
    *out = r;
    *out_count = count;
    return ERR_OK;
}
