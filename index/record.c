/* SPDX-License-Identifier: Apache-2.0 */
#include "index/record.h"

#include "base/check.h"
#include "chain/header.h"

/* --- fixed-width fields -------------------------------------------------------------------- */
static void put_u32(struct buf *b, uint32_t v) {
    uint8_t raw[4];
    be32_store(raw, v);
    buf_append(b, raw, sizeof(raw));
}

static void put_u64(struct buf *b, uint64_t v) {
    uint8_t raw[8];
    be64_store(raw, v);
    buf_append(b, raw, sizeof(raw));
}

/* Takes `len` bytes off *in; NULL when fewer are left. */
static const uint8_t *take(bytes *in, size_t len) {
    if (in->len < len)
        return NULL;
    const uint8_t *p = in->ptr;
    *in = bytes_of(p + len, in->len - len);
    return p;
}

static enum err take_u8(bytes *in, uint8_t *out) {
    const uint8_t *p = take(in, 1);
    if (p == NULL)
        return ERR_CORRUPT;
    *out = *p;
    return ERR_OK;
}

static enum err take_u32(bytes *in, uint32_t *out) {
    const uint8_t *p = take(in, 4);
    if (p == NULL)
        return ERR_CORRUPT;
    *out = be32_load(p);
    return ERR_OK;
}

static enum err take_u64(bytes *in, uint64_t *out) {
    const uint8_t *p = take(in, 8);
    if (p == NULL)
        return ERR_CORRUPT;
    *out = be64_load(p);
    return ERR_OK;
}

static enum err take_fixed(bytes *in, void *out, size_t len) {
    const uint8_t *p = take(in, len);
    if (p == NULL)
        return ERR_CORRUPT;
    memcpy(out, p, len);
    return ERR_OK;
}

static enum err take_version(bytes *in) {
    uint8_t v = 0;
    TRY(take_u8(in, &v));
    return v == RECORD_VERSION ? ERR_OK : ERR_VERSION;
}

static enum err take_end(bytes in) {
    return in.len == 0 ? ERR_OK : ERR_CORRUPT;
}

/* --- BLOCK --------------------------------------------------------------------------------- */
enum { BLOCK_FIXED_BYTES = 1 + 8 + 32 + 8 + 4 };

static bool is_signed(const struct derived_tx *d) {
    return d->tx.type <= TX_SET_CODE;
}

void record_pack_block(struct buf *out, const struct derived_block *b, const hash32 *prev_hash) {
    uint32_t senders = 0;
    for (size_t i = 0; i < b->tx_count; i++)
        senders += is_signed(&b->txs[i]);
    buf_append_byte(out, RECORD_VERSION);
    put_u64(out, b->header.number);
    buf_append(out, prev_hash->b, 32);
    put_u64(out, l3_header_info_get(&b->header).version);
    put_u32(out, senders);
    for (size_t i = 0; i < b->tx_count; i++) {
        if (!is_signed(&b->txs[i]))
            continue;
        CHECK(b->txs[i].tx.has_sender);
        buf_append(out, b->txs[i].tx.sender.b, 20);
    }
    message_pack(out, &b->message);
}

size_t record_block_data_at(const struct derived_block *b) {
    size_t senders = 0;
    for (size_t i = 0; i < b->tx_count; i++)
        senders += is_signed(&b->txs[i]);
    return BLOCK_FIXED_BYTES + 20 * senders + message_packed_bytes(&b->message) -
           b->message.data.len;
}

enum err record_unpack_block(struct record_block *out, bytes payload) {
    struct record_block r = {0};
    uint32_t senders = 0;
    TRY(take_version(&payload));
    TRY(take_u64(&payload, &r.number));
    TRY(take_fixed(&payload, r.prev_hash.b, 32));
    TRY(take_u64(&payload, &r.version));
    TRY(take_u32(&payload, &senders));
    r.sender_count = senders;
    r.senders = take(&payload, (size_t)senders * 20);
    if (r.senders == NULL)
        return ERR_CORRUPT;
    TRY(message_unpack(&r.message, &payload));
    TRY(take_end(payload));
    *out = r;
    return ERR_OK;
}

/* --- the small ones ------------------------------------------------------------------------ */
void record_pack_pool(struct buf *out, const struct record_pool *p) {
    buf_append_byte(out, RECORD_VERSION);
    buf_append(out, p->sender.b, 20);
    buf_append(out, p->envelope.ptr, p->envelope.len);
}

enum err record_unpack_pool(struct record_pool *out, bytes payload) {
    struct record_pool p;
    TRY(take_version(&payload));
    TRY(take_fixed(&payload, p.sender.b, 20));
    p.envelope = payload;
    *out = p;
    return ERR_OK;
}

void record_pack_epoch(struct buf *out, const struct record_epoch *e) {
    buf_append_byte(out, RECORD_VERSION);
    put_u64(out, e->epoch);
    put_u64(out, e->chain_id);
    buf_append(out, e->genesis_hash.b, 32);
}

enum err record_unpack_epoch(struct record_epoch *out, bytes payload) {
    struct record_epoch e;
    TRY(take_version(&payload));
    TRY(take_u64(&payload, &e.epoch));
    TRY(take_u64(&payload, &e.chain_id));
    TRY(take_fixed(&payload, e.genesis_hash.b, 32));
    TRY(take_end(payload));
    *out = e;
    return ERR_OK;
}

void record_pack_rewind(struct buf *out, const struct record_rewind *r) {
    buf_append_byte(out, RECORD_VERSION);
    put_u64(out, r->epoch);
    put_u64(out, r->to_block);
    buf_append_byte(out, r->reason);
}

enum err record_unpack_rewind(struct record_rewind *out, bytes payload) {
    struct record_rewind r;
    TRY(take_version(&payload));
    TRY(take_u64(&payload, &r.epoch));
    TRY(take_u64(&payload, &r.to_block));
    TRY(take_u8(&payload, &r.reason));
    TRY(take_end(payload));
    *out = r;
    return ERR_OK;
}

void record_pack_seal(struct buf *out, const struct record_seal *s) {
    buf_append_byte(out, RECORD_VERSION);
    put_u64(out, s->number);
    buf_append(out, s->hash.b, 32);
    buf_append(out, s->receipt_root.b, 32);
}

enum err record_unpack_seal(struct record_seal *out, bytes payload) {
    struct record_seal s;
    TRY(take_version(&payload));
    TRY(take_u64(&payload, &s.number));
    TRY(take_fixed(&payload, s.hash.b, 32));
    TRY(take_fixed(&payload, s.receipt_root.b, 32));
    TRY(take_end(payload));
    *out = s;
    return ERR_OK;
}

/* --- KV ------------------------------------------------------------------------------------ */
enum { KV_PUT = 0, KV_DELETE = 1 };

void record_pack_kv(struct buf *out, const struct record_kv *changes, size_t count) {
    CHECK(count > 0 && count <= RECORD_KV_CHANGES_MAX);
    uint8_t n[2] = {(uint8_t)(count >> 8), (uint8_t)count};
    buf_append_byte(out, RECORD_VERSION);
    buf_append(out, n, sizeof(n));
    for (size_t i = 0; i < count; i++) {
        const struct record_kv *c = &changes[i];
        CHECK(c->key.len > 0 && c->key.len <= RECORD_KV_KEY_MAX_BYTES);
        CHECK(!c->del || c->value.len == 0);
        buf_append_byte(out, c->space);
        buf_append_byte(out, c->del ? KV_DELETE : KV_PUT);
        buf_append_byte(out, (uint8_t)c->key.len);
        buf_append(out, c->key.ptr, c->key.len);
        put_u32(out, (uint32_t)c->value.len);
        buf_append(out, c->value.ptr, c->value.len);
    }
}

static enum err take_kv(bytes *in, struct record_kv *out) {
    uint8_t kind = 0, key_len = 0;
    uint32_t value_len = 0;
    TRY(take_u8(in, &out->space));
    TRY(take_u8(in, &kind));
    TRY(take_u8(in, &key_len));
    const uint8_t *key = take(in, key_len);
    if (key == NULL || key_len == 0 || key_len > RECORD_KV_KEY_MAX_BYTES || kind > KV_DELETE)
        return ERR_CORRUPT;
    TRY(take_u32(in, &value_len));
    const uint8_t *value = take(in, value_len);
    if (value == NULL || (kind == KV_DELETE && value_len != 0))
        return ERR_CORRUPT;
    out->del = kind == KV_DELETE;
    out->key = bytes_of(key, key_len);
    out->value = bytes_of(value, value_len);
    return ERR_OK;
}

enum err record_each_kv(bytes payload, record_kv_fn fn, void *ctx) {
    struct record_kv change;
    TRY(take_version(&payload));
    const uint8_t *n = take(&payload, 2);
    if (n == NULL)
        return ERR_CORRUPT;
    size_t count = (size_t)n[0] << 8 | n[1];
    bytes rest = payload;
    for (size_t i = 0; i < count; i++)
        TRY(take_kv(&rest, &change));
    TRY(take_end(rest));
    for (size_t i = 0; i < count; i++) {
        TRY(take_kv(&payload, &change));
        fn(ctx, &change);
    }
    return count > 0 ? ERR_OK : ERR_CORRUPT;
}
