/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a message survives its storage form, what is not one is refused; framing and flattening are
 * inverse to each other; flattening follows the depth limit, request ids and the rules for garbage.
 */
#include "chain/message.h"

#include "base/keccak.h"

#include <criterion/criterion.h>

static struct message full_message(bytes data) {
    struct message m = {
        .kind = MESSAGE_BATCH_POSTING_REPORT,
        .l1_block = 77,
        .timestamp = UINT64_MAX,
        .has_request_id = true,
        .has_base_fee_l1 = true,
        .base_fee_l1 = {{1, 2, 3, 4}},
        .has_batch_stats = true,
        .batch_length = 5000,
        .batch_nonzeros = 4000,
        .data = data,
        .delayed_read = 9,
    };
    memset(m.sender.b, 0xab, sizeof m.sender.b);
    memset(m.request_id.b, 0xcd, sizeof m.request_id.b);
    return m;
}

static bool same(const struct message *a, const struct message *b) {
    return a->kind == b->kind && addr20_eq(&a->sender, &b->sender) && a->l1_block == b->l1_block &&
           a->timestamp == b->timestamp && a->has_request_id == b->has_request_id &&
           hash32_eq(&a->request_id, &b->request_id) && a->has_base_fee_l1 == b->has_base_fee_l1 &&
           u256_eq(&a->base_fee_l1, &b->base_fee_l1) && a->has_batch_stats == b->has_batch_stats &&
           a->batch_length == b->batch_length && a->batch_nonzeros == b->batch_nonzeros &&
           a->delayed_read == b->delayed_read && a->data.len == b->data.len &&
           memcmp(a->data.ptr, b->data.ptr, a->data.len) == 0;
}

Test(message, pack_round_trip) {
    struct message all = full_message(bytes_of("hello", 5));
    struct message bare = {
        .kind = MESSAGE_L2, .sender = SEQUENCER_ADDRESS, .data = bytes_of("", 0)};
    cr_assert(message_is_sequenced(&bare) && !message_is_sequenced(&all));
    struct buf b;
    buf_init(&b, 4096);
    message_pack(&b, &all);
    size_t first = b.len;
    message_pack(&b, &bare);
    cr_assert(!b.overflow);
    cr_assert_eq(first, 3 + 20 + 24 + 32 + 32 + 16 + 4 + 5);
    bytes in = buf_bytes(&b);
    struct message m;
    cr_assert_eq(message_unpack(&m, &in), ERR_OK);
    cr_assert(same(&m, &all));
    cr_assert_eq(message_unpack(&m, &in), ERR_OK);
    cr_assert(same(&m, &bare));
    cr_assert_eq(in.len, 0);
    /* Every prefix is refused, and nothing is taken from the input then. */
    for (size_t n = 0; n < first; n++) {
        bytes cut = bytes_of(b.ptr, n);
        cr_assert_eq(message_unpack(&m, &cut), ERR_CORRUPT, "%zu", n);
        cr_assert_eq(cut.len, n);
    }
    buf_clear(&b);
}

Test(message, unpack_refuses) {
    struct message all = full_message(bytes_of("hello", 5)), m;
    struct buf b;
    buf_init(&b, 4096);
    message_pack(&b, &all);
    bytes in = buf_bytes(&b);
    b.ptr[0] = 2;
    cr_assert_eq(message_unpack(&m, &in), ERR_VERSION);
    b.ptr[0] = 1;
    b.ptr[2] |= 0x80;
    cr_assert_eq(message_unpack(&m, &in), ERR_CORRUPT);
    b.ptr[2] &= 7;
    be32_store(b.ptr + b.len - 5 - 4, MESSAGE_STORED_DATA_MAX_BYTES + 1);
    cr_assert_eq(message_unpack(&m, &in), ERR_TOO_LARGE);
    buf_clear(&b);
}

/* --- framing and flattening --------------------------------------------------------------- */

struct seen {
    size_t count;
    uint8_t kind[64];
    bytes body[64];
    hash32 id[64];
    bool has_id;
    size_t stop_at;
};

static enum err collect(void *ctx, uint8_t kind, bytes body, const hash32 *id) {
    struct seen *s = ctx;
    cr_assert(s->count < ARRAY_LEN(s->kind));
    s->kind[s->count] = kind;
    s->body[s->count] = body;
    s->has_id = id != NULL;
    if (id != NULL)
        s->id[s->count] = *id;
    s->count++;
    return s->stop_at != 0 && s->count == s->stop_at ? ERR_UNSUPPORTED : ERR_OK;
}

static void flatten(struct seen *s, bytes data, const hash32 *id) {
    memset(s, 0, sizeof *s);
    cr_assert_eq(message_each_l2(data, id, collect, s), ERR_OK);
}

Test(message, framing) {
    static const char *const envelopes[] = {"first", "x", "", "the fourth one"};
    struct buf b;
    struct message_framer f;
    buf_init(&b, 1000);
    message_frame_begin(&f, &b);
    for (size_t n = 0; n < ARRAY_LEN(envelopes); n++) {
        bytes e = bytes_of(envelopes[n], strlen(envelopes[n]));
        size_t offset, predicted = message_frame_len_with(&f, e.len);
        message_frame_add(&f, e, &offset);
        cr_assert(!b.overflow);
        cr_assert_eq(b.len, predicted);
        cr_assert_eq(memcmp(b.ptr + offset, e.ptr, e.len), 0);
        cr_assert_eq(b.ptr[0], n == 0 ? L2_SIGNED_TX : L2_BATCH);
        if (n > 0)
            cr_assert_eq(memcmp(b.ptr + MESSAGE_FRAME_FIRST_OFFSET, "first", 5), 0);
        struct seen s;
        flatten(&s, buf_bytes(&b), NULL);
        cr_assert_eq(s.count, n + 1);
        for (size_t i = 0; i <= n; i++) {
            cr_assert_eq(s.kind[i], L2_SIGNED_TX);
            cr_assert_eq(s.body[i].len, strlen(envelopes[i]));
            cr_assert_eq(memcmp(s.body[i].ptr, envelopes[i], s.body[i].len), 0);
        }
        cr_assert(!s.has_id);
    }
    buf_clear(&b);
}

static void put_item(struct buf *b, const void *item, size_t len) {
    uint8_t be[8];
    be64_store(be, len);
    buf_append(b, be, 8);
    buf_append(b, item, len);
}

Test(message, nesting_and_request_ids) {
    /* batch [ "\4a", batch [ "\4b", "\1c" ], "\0d" ], with ids below the message's own. */
    struct buf inner, outer;
    buf_init(&inner, 200);
    buf_init(&outer, 200);
    buf_append_byte(&inner, L2_BATCH);
    put_item(&inner, "\4b", 2);
    put_item(&inner, "\1c", 2);
    buf_append_byte(&outer, L2_BATCH);
    put_item(&outer, "\4a", 2);
    put_item(&outer, inner.ptr, inner.len);
    put_item(&outer, "\0d", 2);
    hash32 root = {{7}};
    struct seen s;
    flatten(&s, buf_bytes(&outer), &root);
    cr_assert_eq(s.count, 4);
    static const uint8_t kinds[] = {4, 4, 1, 0}, bodies[] = {'a', 'b', 'c', 'd'};
    for (size_t i = 0; i < 4; i++)
        cr_assert(s.kind[i] == kinds[i] && s.body[i].len == 1 && s.body[i].ptr[0] == bodies[i]);
    uint8_t pre[64] = {0};
    hash32 want, batch_id;
    memcpy(pre, root.b, 32);
    keccak256(&want, pre, 64);
    cr_assert(hash32_eq(&s.id[0], &want));
    pre[63] = 2;
    keccak256(&want, pre, 64);
    cr_assert(hash32_eq(&s.id[3], &want));
    pre[63] = 1;
    keccak256(&batch_id, pre, 64);
    memcpy(pre, batch_id.b, 32);
    keccak256(&want, pre, 64);
    cr_assert(hash32_eq(&s.id[2], &want));
    /* Without a batch, the message's own id. */
    flatten(&s, bytes_of("\1zz", 3), &root);
    cr_assert(s.count == 1 && hash32_eq(&s.id[0], &root));
    buf_clear(&inner);
    buf_clear(&outer);
}

Test(message, garbage) {
    struct buf b;
    struct seen s;
    buf_init(&b, 200);
    flatten(&s, bytes_of("", 0), NULL);
    cr_assert_eq(s.count, 0);
    flatten(&s, bytes_of("\3\0\0\0", 4), NULL); /* too short for a length */
    cr_assert_eq(s.count, 0);
    buf_append_byte(&b, L2_BATCH);
    put_item(&b, "\4a", 2);
    put_item(&b, "", 0);
    put_item(&b, "\4b", 2);
    size_t whole = b.len;
    put_item(&b, "\4c", 2);
    flatten(&s, bytes_of(b.ptr, b.len - 1), NULL); /* the last item is cut */
    cr_assert_eq(s.count, 2);
    be64_store(b.ptr + whole, UINT64_MAX); /* a length beyond all memory */
    flatten(&s, buf_bytes(&b), NULL);
    cr_assert_eq(s.count, 2);
    memset(&s, 0, sizeof s);
    s.stop_at = 1;
    cr_assert_eq(message_each_l2(buf_bytes(&b), NULL, collect, &s), ERR_UNSUPPORTED);
    cr_assert_eq(s.count, 1);
    buf_clear(&b);
}

/* One item wrapped in `depth` batches. */
static void wrap(struct buf *b, int depth) {
    struct buf t;
    buf_init(&t, 4096);
    buf_reset(b);
    buf_append(b, "\4z", 2);
    for (int i = 0; i < depth; i++) {
        buf_reset(&t);
        buf_append_byte(&t, L2_BATCH);
        put_item(&t, b->ptr, b->len);
        buf_reset(b);
        buf_append(b, t.ptr, t.len);
    }
    buf_clear(&t);
}

Test(message, depth) {
    struct buf b;
    struct seen s;
    buf_init(&b, 4096);
    wrap(&b, MESSAGE_BATCH_DEPTH_MAX);
    flatten(&s, buf_bytes(&b), NULL);
    cr_assert_eq(s.count, 1);
    wrap(&b, MESSAGE_BATCH_DEPTH_MAX + 1);
    flatten(&s, buf_bytes(&b), NULL);
    cr_assert_eq(s.count, 0);
    buf_clear(&b);
}
