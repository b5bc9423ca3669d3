/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a payload gives the messages that Nitro's rules give it, whatever it holds.
 * Method: payloads made by hand, segment by segment, one rule each; the vector's batch; brotli
 * streams cut, damaged and swollen. */
#include "bridge/batch.h"

#include "base/check.h"
#include "base/rlp.h"
#include "tests/lib/bridge/orbit.h"

#include <brotli/encode.h>
#include <criterion/criterion.h>

/* --- payloads by hand --- */
struct payload {
    struct buf segments, out;
};

static void start(struct payload *p) {
    buf_init(&p->segments, 32 << 20);
    buf_init(&p->out, 32 << 20);
}

static void segment(struct payload *p, const void *ptr, size_t len) {
    rlp_put_bytes(&p->segments, ptr, len);
}

static void put_u64(struct payload *p, uint8_t kind, uint64_t v) {
    struct buf b;
    buf_init(&b, 16);
    buf_append_byte(&b, kind);
    rlp_put_u64(&b, v);
    segment(p, b.ptr, b.len);
    buf_clear(&b);
}

static void put_text(struct payload *p, uint8_t kind, const char *body) {
    struct buf b;
    buf_init(&b, 1 << 10);
    buf_append_byte(&b, kind);
    buf_append_str(&b, body);
    segment(p, b.ptr, b.len);
    buf_clear(&b);
}

static void squeeze(struct buf *out, bytes in, int quality) {
    size_t len = BrotliEncoderMaxCompressedSize(in.len) + 16;
    uint8_t *to = buf_extend(out, len);
    CHECK(to != NULL && BrotliEncoderCompress(quality, BATCH_WINDOW_BITS, BROTLI_MODE_GENERIC,
                                              in.len, in.ptr, &len, to));
    out->len = (size_t)(to - out->ptr) + len;
}

static bytes finish(struct payload *p) {
    buf_reset(&p->out);
    buf_append_byte(&p->out, BATCH_BROTLI_FLAG);
    squeeze(&p->out, buf_bytes(&p->segments), 5);
    return buf_bytes(&p->out);
}

static void drop(struct payload *p) {
    buf_clear(&p->segments);
    buf_clear(&p->out);
}

/* --- what comes out, as one line a message --- */
static const struct batch_header WIDE = {.max_timestamp = UINT64_MAX, .max_block = UINT64_MAX};

static const char *read_all(const struct batch_header *h, uint64_t before, bytes payload) {
    static char text[4096];
    size_t n = 0;
    struct batch_reader *r;
    struct batch_item item;
    cr_assert_eq(batch_reader_new(&r, h, before, payload), ERR_OK);
    for (uint64_t position = 0; batch_next(r, &item) && n < sizeof text - 100; position++) {
        cr_expect_eq(item.position, position);
        const struct message *m = &item.message;
        if (item.kind == BATCH_ITEM_DELAYED)
            n += (size_t)snprintf(text + n, sizeof text - n, "delayed %d|", (int)item.delayed_idx);
        else if (m->kind == MESSAGE_INVALID)
            n += (size_t)snprintf(text + n, sizeof text - n, "invalid after %d|",
                                  (int)m->delayed_read);
        else
            n += (size_t)snprintf(text + n, sizeof text - n, "'%.*s' t%llu b%llu after %d|",
                                  (int)m->data.len, (const char *)m->data.ptr,
                                  (unsigned long long)m->timestamp, (unsigned long long)m->l1_block,
                                  (int)m->delayed_read);
    }
    cr_expect(!batch_next(r, &item));
    batch_reader_free(r);
    text[n] = '\0';
    return text;
}

Test(batch_reader, vectors_batch) {
    struct orbit o;
    orbit_load(&o);
    const json_t *batch = json_object_get(o.doc, "batch");
    struct batch_header h;
    batch_header_decode(&h, orbit_bytes(&o, batch, "header").ptr);
    const json_t *segments = json_object_get(batch, "segments");
    struct batch_reader *r;
    struct batch_item item;
    cr_assert_eq(batch_reader_new(&r, &h, 1, orbit_bytes(&o, batch, "payload")), ERR_OK);
    for (uint64_t i = 1; i <= 10; i++) {
        cr_assert(batch_next(r, &item));
        cr_expect(item.kind == BATCH_ITEM_DELAYED && item.delayed_idx == i);
    }
    cr_assert(batch_next(r, &item));
    cr_expect(item.kind == BATCH_ITEM_MESSAGE && item.message.kind == MESSAGE_L2);
    cr_expect_eq(item.message.timestamp, 0x6b022304u);
    cr_expect_eq(item.message.l1_block, 0x25u);
    cr_expect_eq(item.message.delayed_read, 11u);
    cr_expect(addr20_eq(&item.message.sender, &SEQUENCER_ADDRESS));
    const char *hex = json_string_value(json_array_get(segments, 12));
    cr_expect_eq(item.message.data.len, (strlen(hex) - 2) / 2 - 1);
    cr_expect_eq(item.message.data.ptr[0], L2_SIGNED_TX);
    cr_expect(!batch_next(r, &item));
    batch_reader_free(r);
    orbit_clear(&o);
}

Test(batch_reader, advances_add_up_and_are_clamped) {
    struct payload p;
    start(&p);
    put_u64(&p, 3, 100);
    put_u64(&p, 4, 7);
    put_text(&p, 0, "a");
    put_u64(&p, 3, 50);
    put_text(&p, 0, "b");
    put_u64(&p, 3, 1000);
    put_u64(&p, 4, 1000);
    put_text(&p, 0, "c");
    bytes in = finish(&p);
    cr_expect_str_eq(read_all(&WIDE, 0, in), "'a' t100 b7 after 0|'b' t150 b7 after 0|"
                                             "'c' t1150 b1007 after 0|");
    struct batch_header tight = {
        .min_timestamp = 120, .max_timestamp = 200, .min_block = 10, .max_block = 20};
    cr_expect_str_eq(read_all(&tight, 0, in), "'a' t120 b10 after 0|'b' t150 b10 after 0|"
                                              "'c' t200 b20 after 0|");
    /* The running sum wraps, as 64-bit integers do. */
    put_u64(&p, 3, UINT64_MAX);
    put_text(&p, 0, "d");
    cr_expect_not_null(strstr(read_all(&WIDE, 0, finish(&p)), "'d' t1149 b1007 after 0|"));
    drop(&p);
}

Test(batch_reader, advances_that_are_no_number_do_nothing) {
    struct payload p;
    start(&p);
    segment(&p, "\x03", 1);                                          /* none */
    segment(&p, "\x03\x00", 2);                                      /* zero is 0x80 */
    segment(&p, "\x03\x82\x00\x05", 4);                              /* a leading zero */
    segment(&p, "\x03\x81\x05", 3);                                  /* 5 is itself */
    segment(&p, "\x03\x89\x01\x01\x01\x01\x01\x01\x01\x01\x01", 11); /* over 64 bits */
    segment(&p, "\x04\xc1\x05", 3);                                  /* a list */
    segment(&p, "\x04\x82\x05", 3);                                  /* cut short */
    segment(&p, "\x03\x09 and more", 11); /* what follows does not matter */
    put_text(&p, 0, "x");
    cr_expect_str_eq(read_all(&WIDE, 0, finish(&p)), "'x' t9 b0 after 0|");
    drop(&p);
}

Test(batch_reader, delayed_messages_in_place_and_at_the_end) {
    struct payload p;
    start(&p);
    struct batch_header h = WIDE;
    h.after_delayed = 7;
    put_text(&p, 2, "");
    put_text(&p, 0, "x");
    put_text(&p, 2, "what follows does not matter");
    cr_expect_str_eq(read_all(&h, 3, finish(&p)),
                     "delayed 3|'x' t0 b0 after 4|delayed 4|delayed 5|delayed 6|");
    h.after_delayed = 4;
    cr_expect_str_eq(read_all(&h, 3, finish(&p)), "delayed 3|'x' t0 b0 after 4|invalid after 4|");
    struct batch_reader *r;
    cr_expect_eq(batch_reader_new(&r, &h, 5, finish(&p)), ERR_INVALID);
    drop(&p);
}

Test(batch_reader, batches_without_segments) {
    struct batch_header h = WIDE;
    cr_expect_str_eq(read_all(&h, 0, bytes_of("", 0)), "invalid after 0|");
    h.after_delayed = 2; /* NoData, as a forced inclusion makes it */
    cr_expect_str_eq(read_all(&h, 0, bytes_of("", 0)), "delayed 0|delayed 1|");
    static const uint8_t flags[] = {0x01, 0x20, 0x40, 0x50, 0x80, 0x88, 0xff};
    for (size_t i = 0; i < sizeof flags; i++) {
        uint8_t payload[] = {flags[i], 0x8b, 0x01, 0x80, 0x00, 0x31, 0x03};
        cr_expect_str_eq(read_all(&h, 1, bytes_of(payload, sizeof payload)), "delayed 1|");
    }
    cr_expect_str_eq(read_all(&h, 1, bytes_of("\0", 1)), "delayed 1|");
    cr_expect_str_eq(read_all(&h, 1, bytes_of("\0garbage", 8)), "delayed 1|");
}

Test(batch_reader, empty_and_unknown_segments) {
    struct payload p;
    start(&p);
    segment(&p, "", 0);
    put_text(&p, 0, "x");
    segment(&p, "", 0);
    put_text(&p, 9, "unknown"); /* a message comes after it */
    put_text(&p, 0, "");
    put_text(&p, 200, "unknown"); /* none comes: it is not reached */
    put_u64(&p, 3, 5);
    cr_expect_str_eq(read_all(&WIDE, 0, finish(&p)),
                     "'x' t0 b0 after 0|invalid after 0|'' t0 b0 after 0|");
    struct batch_header h = WIDE;
    h.after_delayed = 1; /* a delayed message comes after it */
    cr_expect_str_eq(
        read_all(&h, 0, finish(&p)),
        "'x' t0 b0 after 0|invalid after 0|'' t0 b0 after 0|invalid after 0|delayed 0|");
    drop(&p);
    start(&p);
    put_text(&p, 9, "unknown"); /* the batch's only segment */
    cr_expect_str_eq(read_all(&WIDE, 0, finish(&p)), "invalid after 0|");
    drop(&p);
}

Test(batch_reader, messages_compressed_alone) {
    struct payload p;
    start(&p);
    struct buf b, big;
    buf_init(&b, 1 << 20);
    buf_init(&big, 1 << 20);
    buf_append_byte(&b, 1);
    squeeze(&b, bytes_of("inside", 6), 11);
    segment(&p, b.ptr, b.len);
    segment(&p, b.ptr, b.len - 1); /* cut short */
    segment(&p, "\x01", 1);
    memset(buf_extend(&big, MESSAGE_DATA_MAX_BYTES + 1), 'z', MESSAGE_DATA_MAX_BYTES + 1);
    b.len = 1;
    squeeze(&b, buf_bytes(&big), 5); /* one byte too long */
    segment(&p, b.ptr, b.len);
    big.len--;
    b.len = 1;
    squeeze(&b, buf_bytes(&big), 5); /* just right */
    segment(&p, b.ptr, b.len);
    struct batch_reader *r;
    struct batch_item item;
    cr_assert_eq(batch_reader_new(&r, &WIDE, 0, finish(&p)), ERR_OK);
    cr_assert(batch_next(r, &item));
    cr_expect(item.message.kind == MESSAGE_L2 && item.message.data.len == 6);
    cr_expect_eq(memcmp(item.message.data.ptr, "inside", 6), 0);
    for (int i = 0; i < 3; i++) {
        cr_assert(batch_next(r, &item));
        cr_expect_eq(item.message.kind, MESSAGE_INVALID, "%d", i);
    }
    cr_assert(batch_next(r, &item));
    cr_expect(item.message.kind == MESSAGE_L2 && item.message.data.len == MESSAGE_DATA_MAX_BYTES);
    cr_expect(!batch_next(r, &item));
    batch_reader_free(r);
    buf_clear(&b);
    buf_clear(&big);
    drop(&p);
}

Test(batch_reader, tail_that_is_no_segment) {
    struct payload p;
    start(&p);
    put_text(&p, 0, "x");
    size_t good = p.segments.len;
    static const struct {
        const char *ptr;
        size_t len;
        bool more;                              /* a good segment after it */
    } tails[] = {{"\xc3\x02\x02\x02", 4, true}, /* a list */
                 {"\x81\x02", 2, true},         /* not minimal */
                 {"\x85\x02", 2, false},        /* cut short */
                 {"\xb8\x05\x02\x02\x02\x02\x02", 7, true},
                 {"\xbf\xff\xff\xff\xff\xff\xff\xff\xff", 9, true}};
    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        p.segments.len = good;
        buf_append(&p.segments, tails[i].ptr, tails[i].len);
        if (tails[i].more)
            put_text(&p, 0, "not reached");
        cr_expect_str_eq(read_all(&WIDE, 0, finish(&p)), "'x' t0 b0 after 0|", "tail %zu", i);
    }
    drop(&p);
}

Test(batch_reader, at_most_so_many_segments) {
    struct payload p;
    start(&p);
    for (int i = 0; i < BATCH_SEGMENTS_MAX - 1; i++)
        put_u64(&p, 3, 1);
    put_text(&p, 0, "last");
    put_text(&p, 0, "not reached");
    char want[64];
    snprintf(want, sizeof want, "'last' t%d b0 after 0|", BATCH_SEGMENTS_MAX - 1);
    cr_expect_str_eq(read_all(&WIDE, 0, finish(&p)), want);
    drop(&p);
}

/* All of the stream must be there, and within the bound; what follows it does not matter. */
Test(batch_reader, stream_whole_and_within_its_bound) {
    struct payload p;
    start(&p);
    put_text(&p, 0, "x");
    bytes in = finish(&p);
    for (size_t len = 0; len < in.len; len++)
        cr_expect_str_eq(read_all(&WIDE, 0, bytes_of(in.ptr, len)), "invalid after 0|");
    buf_append_str(&p.out, "more");
    cr_expect_str_eq(read_all(&WIDE, 0, buf_bytes(&p.out)), "'x' t0 b0 after 0|");
    size_t len = BATCH_UNCOMPRESSED_MAX_BYTES - p.segments.len;
    memset(buf_extend(&p.segments, len), 0, len);
    p.segments.ptr[p.segments.len - len] = 0xb8; /* no segment begins here */
    in = finish(&p);
    cr_expect_lt(in.len, 1000u);
    cr_expect_str_eq(read_all(&WIDE, 0, in), "'x' t0 b0 after 0|");
    buf_append_byte(&p.segments, 0);
    cr_expect_str_eq(read_all(&WIDE, 0, finish(&p)), "invalid after 0|");
    drop(&p);
}

Test(batch_reader, item_against_the_log) {
    struct message own = {.kind = MESSAGE_L2,
                          .sender = SEQUENCER_ADDRESS,
                          .timestamp = 5,
                          .l1_block = 6,
                          .data = bytes_of("abc", 3),
                          .delayed_read = 2};
    struct batch_item item = {.kind = BATCH_ITEM_MESSAGE, .message = own};
    cr_expect(batch_item_is(&item, &own));
    struct message m = own;
    m.timestamp++;
    cr_expect(!batch_item_is(&item, &m));
    m = own;
    m.l1_block++;
    cr_expect(!batch_item_is(&item, &m));
    m = own;
    m.delayed_read++;
    cr_expect(!batch_item_is(&item, &m));
    m = own;
    m.data = bytes_of("abd", 3);
    cr_expect(!batch_item_is(&item, &m));
    m = own;
    m.sender.b[0] ^= 1;
    cr_expect(!batch_item_is(&item, &m));
    m = own;
    m.kind = MESSAGE_INVALID;
    cr_expect(!batch_item_is(&item, &m));
    m = own;
    m.has_request_id = true;
    cr_expect(!batch_item_is(&item, &m));

    item = (struct batch_item){.kind = BATCH_ITEM_DELAYED, .delayed_idx = 4};
    m = (struct message){.has_request_id = true, .delayed_read = 5};
    m.request_id.b[31] = 4;
    cr_expect(batch_item_is(&item, &m));
    m.delayed_read = 6;
    cr_expect(!batch_item_is(&item, &m));
    m.delayed_read = 5;
    m.request_id.b[31] = 3;
    cr_expect(!batch_item_is(&item, &m));
    cr_expect(!batch_item_is(&item, &own));
}
