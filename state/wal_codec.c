/* SPDX-License-Identifier: Apache-2.0 */
#include "state/wal_internal.h"

#include "base/check.h"
#include "base/keccak.h"
#include "state/crc32c.h"

static const uint8_t record_magic[4] = {'C', 'R', 'E', 'C'};
static const uint8_t segment_magic[4] = {'C', 'S', 'E', 'G'};

static void le16_store(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}
static void le32_store(uint8_t *p, uint32_t v) {
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}
static void le64_store(uint8_t *p, uint64_t v) {
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}
static uint16_t le16_load(const uint8_t *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}
static uint32_t le32_load(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static uint64_t le64_load(const uint8_t *p) {
    return le32_load(p) | (uint64_t)le32_load(p + 4) << 32;
}

uint64_t wal_record_bytes(uint64_t payload_len) {
    return (LOG_HEADER_BYTES + payload_len + 7) & ~(uint64_t)7;
}

/* The seed binds a record to its segment (by all that came before it) and to its place in it. */
static uint32_t record_crc(const struct wal_segment *s, uint32_t offset, const uint8_t *header,
                           bytes payload) {
    uint8_t seed[40];
    le32_store(seed, s->number);
    le32_store(seed + 4, offset);
    memcpy(seed + 8, s->chain.b, 32);
    uint8_t clean[LOG_HEADER_BYTES];
    memcpy(clean, header, sizeof clean);
    memset(clean + 12, 0, 4);
    uint32_t crc = crc32c(0, seed, sizeof seed);
    crc = crc32c(crc, clean, sizeof clean);
    return crc32c(crc, payload.ptr, payload.len);
}

/* Without crc and `synced`, which differ between nodes with the same records. */
static void record_chain(hash32 *out, const hash32 *prev, const uint8_t *header, bytes payload) {
    struct keccak_ctx k;
    keccak256_begin(&k);
    keccak256_update(&k, prev->b, 32);
    keccak256_update(&k, header + 4, 8);   /* kind, flags, version, length */
    keccak256_update(&k, header + 16, 16); /* epoch, seq */
    keccak256_update(&k, payload.ptr, payload.len);
    keccak256_end(&k, out);
}

void wal_encode(struct buf *b, const struct wal_segment *s, const struct log_record *r,
                uint64_t synced, const hash32 *prev_chain, hash32 *out_chain) {
    buf_reset(b);
    size_t total = (size_t)wal_record_bytes(r->payload.len);
    uint8_t *p = buf_extend(b, total);
    CHECK(p != NULL);
    memset(p, 0, LOG_HEADER_BYTES);
    memcpy(p, record_magic, 4);
    p[4] = (uint8_t)r->kind;
    le16_store(p + 6, r->version);
    le32_store(p + 8, (uint32_t)r->payload.len);
    le64_store(p + 16, r->epoch);
    le64_store(p + 24, r->seq);
    le64_store(p + 32, synced);
    record_chain(out_chain, prev_chain, p, r->payload);
    memcpy(p + 40, out_chain->b, 32);
    if (r->payload.len > 0)
        memcpy(p + LOG_HEADER_BYTES, r->payload.ptr, r->payload.len);
    size_t used = LOG_HEADER_BYTES + r->payload.len;
    memset(p + used, 0, total - used);
    le32_store(p + 12, record_crc(s, r->pos.offset, p, r->payload));
}

void wal_encode_segment(uint8_t out[LOG_SEGMENT_HEADER_BYTES], const struct wal_segment *s) {
    memset(out, 0, LOG_SEGMENT_HEADER_BYTES);
    memcpy(out, segment_magic, 4);
    le16_store(out + 4, LOG_VERSION);
    le32_store(out + 8, s->number);
    le64_store(out + 16, s->first_seq);
    le64_store(out + 24, s->bytes);
    memcpy(out + 32, s->chain.b, 32);
    le32_store(out + 12, crc32c(0, out, LOG_SEGMENT_HEADER_BYTES));
}

const char *wal_decode_segment(struct wal_segment *out,
                               const uint8_t in[LOG_SEGMENT_HEADER_BYTES]) {
    if (memcmp(in, segment_magic, 4) != 0)
        return "its header has no segment mark";
    uint8_t clean[LOG_SEGMENT_HEADER_BYTES];
    memcpy(clean, in, sizeof clean);
    memset(clean + 12, 0, 4);
    if (crc32c(0, clean, sizeof clean) != le32_load(in + 12))
        return "the checksum of its header is wrong";
    if (le16_load(in + 4) != LOG_VERSION)
        return "its format is unknown";
    uint64_t size = le64_load(in + 24);
    if (size < LOG_SEGMENT_MIN_BYTES || size > LOG_SEGMENT_MAX_BYTES)
        return "the size in its header is out of range";
    out->number = le32_load(in + 8);
    out->first_seq = le64_load(in + 16);
    out->bytes = (uint32_t)size;
    memcpy(out->chain.b, in + 32, 32);
    return NULL;
}

const char *wal_decode(struct log_record *out, uint64_t *out_synced, const struct wal_segment *s,
                       const uint8_t *data, size_t len, uint32_t offset) {
    if (len < LOG_HEADER_BYTES)
        return "no room for a record header";
    if (memcmp(data, record_magic, 4) != 0)
        return "no record mark";
    uint32_t payload_len = le32_load(data + 8);
    if (payload_len > len - LOG_HEADER_BYTES)
        return "the length passes the end";
    bytes payload = bytes_of(data + LOG_HEADER_BYTES, payload_len);
    if (record_crc(s, offset, data, payload) != le32_load(data + 12))
        return "the checksum is wrong";
    if (data[4] == 0 || data[4] >= LOG_KIND_END || data[5] != 0 ||
        le16_load(data + 6) != LOG_VERSION)
        return "the kind or version is unknown";
    out->kind = (enum log_kind)data[4];
    out->version = le16_load(data + 6);
    out->epoch = le64_load(data + 16);
    out->seq = le64_load(data + 24);
    out->pos = (struct log_pos){s->number, offset};
    out->payload = payload;
    memcpy(out->chain.b, data + 40, 32);
    if (out_synced != NULL)
        *out_synced = le64_load(data + 32);
    return NULL;
}

void wal_scan_begin(struct wal_scan *s, const struct wal_segment *segment, const uint8_t *data,
                    uint32_t len) {
    CHECK(len >= LOG_SEGMENT_HEADER_BYTES && len <= segment->bytes);
    *s = (struct wal_scan){.segment = *segment,
                           .data = data,
                           .len = len,
                           .offset = LOG_SEGMENT_HEADER_BYTES,
                           .seq = segment->first_seq,
                           .chain = segment->chain};
}

bool wal_scan_next(struct wal_scan *s, struct log_record *out, const char **why) {
    struct log_record r;
    *why = wal_decode(&r, NULL, &s->segment, s->data + s->offset, s->len - s->offset, s->offset);
    if (*why != NULL)
        return false;
    hash32 chain;
    record_chain(&chain, &s->chain, s->data + s->offset, r.payload);
    if (r.seq != s->seq || r.epoch < s->epoch) {
        *why = "the sequence or epoch does not follow the record before";
        return false;
    }
    if (!hash32_eq(&chain, &r.chain)) {
        *why = "the chain hash does not follow the record before";
        return false;
    }
    s->chain = chain;
    s->seq++;
    s->epoch = r.epoch;
    uint64_t next = s->offset + wal_record_bytes(r.payload.len);
    s->offset = next > s->len ? s->len : (uint32_t)next;
    *out = r;
    return true;
}

bool wal_scan_proof(const struct wal_scan *s, struct log_record *out_witness) {
    for (uint64_t at = (uint64_t)s->offset + 8; at + LOG_HEADER_BYTES <= s->len; at += 8) {
        const uint8_t *p = s->data + at;
        /* Cheap tests first: the checksum runs only over what claims to be such a record. */
        if (memcmp(p, record_magic, 4) != 0 || le64_load(p + 24) <= s->seq ||
            le64_load(p + 32) < s->seq)
            continue;
        if (wal_decode(out_witness, NULL, &s->segment, p, s->len - at, (uint32_t)at) == NULL)
            return true;
    }
    return false;
}

uint32_t wal_scan_dirty_end(const struct wal_scan *s) {
    uint32_t end = s->len;
    while (end > s->offset && s->data[end - 1] == 0)
        end--;
    return end;
}

static uint32_t length_at(const struct wal_scan *s, uint32_t at) {
    return (uint32_t)wal_record_bytes(le32_load(s->data + at + 8));
}

uint32_t wal_scan_unproven(const struct wal_scan *s) {
    uint64_t seq = s->segment.first_seq, synced = seq - 1;
    for (uint32_t at = LOG_SEGMENT_HEADER_BYTES; at < s->offset; at += length_at(s, at))
        if (le64_load(s->data + at + 32) > synced)
            synced = le64_load(s->data + at + 32);
    uint32_t at = LOG_SEGMENT_HEADER_BYTES;
    for (; at < s->offset && seq <= synced; seq++)
        at += length_at(s, at);
    return at < s->offset ? at : s->offset;
}
