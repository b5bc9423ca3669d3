/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/message.h"

#include "base/check.h"
#include "base/keccak.h"

const addr20 SEQUENCER_ADDRESS = {{0xa4, 0xb0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                                   0x00, 0x73, 0x65, 0x71, 0x75, 0x65, 0x6e, 0x63, 0x65, 0x72}};

/* --- storage form ------------------------------------------------------------------------ */

enum { PACK_VERSION = 1 };
enum { FLAG_REQUEST_ID = 1, FLAG_BASE_FEE = 2, FLAG_BATCH_STATS = 4, FLAGS_ALL = 7 };

static void put_u64(struct buf *b, uint64_t v) {
    uint8_t be[8];
    be64_store(be, v);
    buf_append(b, be, sizeof be);
}

void message_pack(struct buf *b, const struct message *m) {
    CHECK(m->data.len <= MESSAGE_STORED_DATA_MAX_BYTES);
    unsigned flags = (m->has_request_id ? FLAG_REQUEST_ID : 0U) |
                     (m->has_base_fee_l1 ? FLAG_BASE_FEE : 0U) |
                     (m->has_batch_stats ? FLAG_BATCH_STATS : 0U);
    buf_append_byte(b, PACK_VERSION);
    buf_append_byte(b, m->kind);
    buf_append_byte(b, (uint8_t)flags);
    buf_append(b, m->sender.b, sizeof m->sender.b);
    put_u64(b, m->l1_block);
    put_u64(b, m->timestamp);
    put_u64(b, m->delayed_read);
    if (m->has_request_id)
        buf_append(b, m->request_id.b, sizeof m->request_id.b);
    if (m->has_base_fee_l1) {
        uint8_t be[32];
        u256_to_be32(be, &m->base_fee_l1);
        buf_append(b, be, sizeof be);
    }
    if (m->has_batch_stats) {
        put_u64(b, m->batch_length);
        put_u64(b, m->batch_nonzeros);
    }
    uint8_t len[4];
    be32_store(len, (uint32_t)m->data.len);
    buf_append(b, len, sizeof len);
    buf_append(b, m->data.ptr, m->data.len);
}

size_t message_packed_bytes(const struct message *m) {
    return 3 + sizeof m->sender.b + 3 * 8 + (m->has_request_id ? 32U : 0U) +
           (m->has_base_fee_l1 ? 32U : 0U) + (m->has_batch_stats ? 16U : 0U) + 4 + m->data.len;
}

static const uint8_t *take(bytes *in, size_t len) {
    if (in->len < len)
        return NULL;
    const uint8_t *p = in->ptr;
    in->ptr += len;
    in->len -= len;
    return p;
}

static bool take_u64(bytes *in, uint64_t *out) {
    const uint8_t *p = take(in, 8);
    if (p != NULL)
        *out = be64_load(p);
    return p != NULL;
}

static bool take_optional(struct message *m, bytes *in, unsigned flags) {
    const uint8_t *p;
    m->has_request_id = (flags & FLAG_REQUEST_ID) != 0;
    if (m->has_request_id) {
        if ((p = take(in, 32)) == NULL)
            return false;
        memcpy(m->request_id.b, p, 32);
    }
    m->has_base_fee_l1 = (flags & FLAG_BASE_FEE) != 0;
    if (m->has_base_fee_l1) {
        if ((p = take(in, 32)) == NULL)
            return false;
        m->base_fee_l1 = u256_from_be32(p);
    }
    m->has_batch_stats = (flags & FLAG_BATCH_STATS) != 0;
    return !m->has_batch_stats ||
           (take_u64(in, &m->batch_length) && take_u64(in, &m->batch_nonzeros));
}

enum err message_unpack(struct message *out, bytes *in) {
    struct message m;
    memset(&m, 0, sizeof m);
    bytes rest = *in;
    const uint8_t *p = take(&rest, 3);
    if (p == NULL)
        return ERR_CORRUPT;
    if (p[0] != PACK_VERSION)
        return ERR_VERSION;
    m.kind = p[1];
    unsigned flags = p[2];
    if ((flags & ~(unsigned)FLAGS_ALL) != 0)
        return ERR_CORRUPT;
    if ((p = take(&rest, sizeof m.sender.b)) == NULL)
        return ERR_CORRUPT;
    memcpy(m.sender.b, p, sizeof m.sender.b);
    if (!take_u64(&rest, &m.l1_block) || !take_u64(&rest, &m.timestamp) ||
        !take_u64(&rest, &m.delayed_read) || !take_optional(&m, &rest, flags) ||
        (p = take(&rest, 4)) == NULL)
        return ERR_CORRUPT;
    uint32_t len = be32_load(p);
    if (len > MESSAGE_STORED_DATA_MAX_BYTES)
        return ERR_TOO_LARGE;
    if ((p = take(&rest, len)) == NULL)
        return ERR_CORRUPT;
    m.data = bytes_of(p, len);
    *out = m;
    *in = rest;
    return ERR_OK;
}

/* --- framing ----------------------------------------------------------------------------- */

enum { ITEM_LENGTH_BYTES = 8 };

void message_frame_begin(struct message_framer *f, struct buf *b) {
    CHECK(b->len == 0);
    *f = (struct message_framer){.buf = b};
}

size_t message_frame_len_with(const struct message_framer *f, size_t len) {
    if (f->count == 0)
        return 1 + len;
    size_t batch_header = f->count == 1 ? 1 + ITEM_LENGTH_BYTES : 0;
    return f->buf->len + batch_header + ITEM_LENGTH_BYTES + 1 + len;
}

/* From `04|tx` to `03 | length | 04|tx`. */
static void to_batch_form(struct buf *b) {
    size_t item_len = b->len;
    (void)buf_extend(b, 1 + ITEM_LENGTH_BYTES);
    if (b->overflow)
        return;
    memmove(b->ptr + 1 + ITEM_LENGTH_BYTES, b->ptr, item_len);
    b->ptr[0] = L2_BATCH;
    be64_store(b->ptr + 1, item_len);
}

void message_frame_add(struct message_framer *f, bytes envelope, size_t *out_offset) {
    struct buf *b = f->buf;
    if (f->count == 1)
        to_batch_form(b);
    if (f->count >= 1)
        put_u64(b, 1 + envelope.len);
    buf_append_byte(b, L2_SIGNED_TX);
    if (out_offset != NULL)
        *out_offset = b->len;
    buf_append(b, envelope.ptr, envelope.len);
    f->count++;
}

/* --- flattening -------------------------------------------------------------------------- */

/* A batch that is being read. */
struct batch_level {
    bytes rest;
    uint64_t index; /* of the next item */
    hash32 id;
};

hash32 message_nested_id(const hash32 *id, uint64_t index) {
    uint8_t preimage[64];
    u256 wide = u256_from_u64(index);
    memcpy(preimage, id->b, 32);
    u256_to_be32(preimage + 32, &wide);
    hash32 h;
    keccak256(&h, preimage, sizeof preimage);
    return h;
}

/* The next item's bytes; false at the end of what can be read. */
static bool next_item(struct batch_level *l, bytes *out) {
    uint64_t len;
    bytes rest = l->rest;
    if (!take_u64(&rest, &len) || len > rest.len)
        return false;
    *out = bytes_of(rest.ptr, (size_t)len);
    l->rest = bytes_of(rest.ptr + len, rest.len - (size_t)len);
    return true;
}

enum err message_each_l2(bytes data, const hash32 *request_id, l2_item_fn fn, void *ctx) {
    struct batch_level levels[MESSAGE_BATCH_DEPTH_MAX];
    size_t depth = 0;
    bytes item = data;
    hash32 id = request_id != NULL ? *request_id : (hash32){{0}};
    for (;;) {
        if (item.len != 0) {
            bytes body = bytes_of(item.ptr + 1, item.len - 1);
            if (item.ptr[0] != L2_BATCH)
                TRY(fn(ctx, item.ptr[0], body, request_id != NULL ? &id : NULL));
            else if (depth < MESSAGE_BATCH_DEPTH_MAX)
                levels[depth++] = (struct batch_level){.rest = body, .id = id};
        }
        while (depth > 0 && !next_item(&levels[depth - 1], &item))
            depth--;
        if (depth == 0)
            return ERR_OK;
        struct batch_level *l = &levels[depth - 1];
        if (request_id != NULL)
            id = message_nested_id(&l->id, l->index);
        l->index++;
    }
}
