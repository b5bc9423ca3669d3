/* SPDX-License-Identifier: Apache-2.0 */
/* Batches. The input is: after - before u8 | before u8 | mode u8 | four bounds u8 | rest. Mode
 * even: the rest is the payload; odd: the rest are segments, which the target compresses.
 * Properties, for any bytes:
 *  - batch_next gives the messages that a plain reading with an array of segments gives: a first
 *    one, then as long as a message or a delayed message is left;
 *  - it gives each delayed message up to `after` once, in order, and nothing after the end;
 *  - what came out, put into a builder again as far as its stamps allow, comes out again. */
#include "tests/fuzz/fuzz.h"

#include "base/check.h"
#include "base/rlp.h"
#include "bridge/batch.h"

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <stdlib.h>

enum { SEGMENTS_MAX = 1 << 15, PLAIN_MAX_BYTES = BATCH_UNCOMPRESSED_MAX_BYTES, HEAD_BYTES = 7 };

struct plain {
    bytes segments[SEGMENTS_MAX];
    size_t count, at;
    uint64_t sums[2]; /* timestamp, block */
    uint64_t read;
};

static uint8_t *inflate(bytes in, size_t cap, size_t *out_len) {
    static uint8_t room[PLAIN_MAX_BYTES];
    CHECK(cap <= sizeof room);
    *out_len = cap;
    if (BrotliDecoderDecompress(in.len, in.ptr, out_len, room) != BROTLI_DECODER_RESULT_SUCCESS)
        return NULL;
    uint8_t *p = malloc(*out_len + 1);
    memcpy(p, room, *out_len);
    return p;
}

static bool message_left(const struct plain *s) {
    for (size_t i = s->at; i < s->count; i++)
        if (s->segments[i].len > 0 && s->segments[i].ptr[0] < 3)
            return true;
    return false;
}

static uint64_t bounded(uint64_t v, uint64_t low, uint64_t high) {
    uint64_t raised = v > low ? v : low;
    return v < low ? raised : raised < high ? raised : high;
}

/* One message of the plain reading, compared with `item`. */
static void plain_message(struct plain *s, const struct batch_header *h,
                          const struct batch_item *item) {
    bytes segment = bytes_of("\2", 1);
    while (s->at < s->count) {
        bytes next = s->segments[s->at++], number;
        uint64_t by;
        if (next.len == 0)
            continue;
#ifdef FUZZ_PLANT_BUG
        /* The bug that a search must find: plain messages that are not empty are not seen. */
        if (next.len >= 2 && next.ptr[0] == 0)
            continue;
#endif
        segment = next;
        if (next.ptr[0] != 3 && next.ptr[0] != 4)
            break;
        number = bytes_of(next.ptr + 1, next.len - 1);
        if (rlp_next_u64(&number, &by) == ERR_OK)
            s->sums[next.ptr[0] - 3] += by;
        segment = bytes_of("\2", 1);
    }
    uint8_t kind = segment.ptr[0];
    bytes body = bytes_of(segment.ptr + 1, segment.len - 1);
    if (kind == 2 && s->read < h->after_delayed) {
        CHECK(item->kind == BATCH_ITEM_DELAYED && item->delayed_idx == s->read);
        s->read++;
        return;
    }
    CHECK(item->kind == BATCH_ITEM_MESSAGE);
    const struct message *m = &item->message;
    CHECK(m->delayed_read == s->read && !m->has_request_id);
    size_t len = 0;
    uint8_t *own = kind == 1 ? inflate(body, MESSAGE_DATA_MAX_BYTES, &len) : NULL;
    if (own != NULL)
        body = bytes_of(own, len);
    if (kind > 1 || (kind == 1 && own == NULL)) {
        CHECK(m->kind == MESSAGE_INVALID && m->data.len == 0);
    } else {
        CHECK(m->kind == MESSAGE_L2 && m->data.len == body.len);
        CHECK(body.len == 0 || memcmp(m->data.ptr, body.ptr, body.len) == 0);
        CHECK(m->timestamp == bounded(s->sums[0], h->min_timestamp, h->max_timestamp));
        CHECK(m->l1_block == bounded(s->sums[1], h->min_block, h->max_block));
    }
    free(own);
}

/* The builder's side of a round trip: what it took, in order. */
struct taken {
    struct batch_builder *builder;
    struct message *messages; /* data owned */
    size_t count, cap;
};

static void take(struct taken *t, const struct batch_item *item) {
    struct message m = item->message;
    if (item->kind == BATCH_ITEM_DELAYED) {
        m = (struct message){.has_request_id = true, .delayed_read = item->delayed_idx + 1};
        be64_store(m.request_id.b + 24, item->delayed_idx);
    }
    if (t->builder == NULL || t->count == t->cap || batch_builder_add(t->builder, &m) != ERR_OK)
        return;
    uint8_t *copy = malloc(m.data.len + 1);
    if (m.data.len > 0)
        memcpy(copy, m.data.ptr, m.data.len);
    m.data = bytes_of(copy, m.data.len);
    t->messages[t->count++] = m;
}

static void check_round_trip(struct taken *t, uint64_t before) {
    struct batch_header wide = {.max_timestamp = UINT64_MAX,
                                .max_block = UINT64_MAX,
                                .after_delayed = batch_builder_state(t->builder).after_delayed};
    struct buf payload;
    struct batch_reader *r = NULL;
    struct batch_item item;
    buf_init(&payload, BATCH_MAX_BYTES);
    CHECK(batch_builder_finish(t->builder, &payload, BATCH_QUALITY) == ERR_OK);
    CHECK(BATCH_HEADER_BYTES + payload.len <= BATCH_MAX_BYTES);
    if (t->count > 0) {
        CHECK(batch_reader_new(&r, &wide, before, buf_bytes(&payload)) == ERR_OK);
        for (size_t i = 0; i < t->count; i++)
            CHECK(batch_next(r, &item) && batch_item_is(&item, &t->messages[i]));
        CHECK(!batch_next(r, &item));
    }
    batch_reader_free(r);
    buf_clear(&payload);
    for (size_t i = 0; i < t->count; i++)
        free((void *)(uintptr_t)t->messages[i].data.ptr);
    free(t->messages);
    batch_builder_free(t->builder);
}

static void check_batch(const struct batch_header *h, uint64_t before, bytes payload,
                        struct plain *s, bool round_trip) {
    struct batch_reader *r;
    struct batch_item item;
    struct taken t = {.cap = 512};
    if (round_trip) {
        t.messages = calloc(t.cap, sizeof *t.messages);
        CHECK(batch_builder_new(&t.builder, before, BATCH_MAX_BYTES) == ERR_OK);
    }
    CHECK(batch_reader_new(&r, h, before, payload) == ERR_OK);
    s->read = before;
    uint64_t position = 0;
    do {
        CHECK(batch_next(r, &item) && item.position == position++);
        plain_message(s, h, &item);
        take(&t, &item);
    } while (s->read < h->after_delayed || message_left(s));
    CHECK(!batch_next(r, &item) && s->read == h->after_delayed);
    batch_reader_free(r);
    if (round_trip)
        check_round_trip(&t, before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct plain s;
    if (size < HEAD_BYTES)
        return 0;
    uint64_t before = data[1];
    struct batch_header h = {.min_timestamp = data[3],
                             .max_timestamp = data[4],
                             .min_block = data[5],
                             .max_block = data[6],
                             .after_delayed = before + data[0]};
    bytes rest = bytes_of(data + HEAD_BYTES, size - HEAD_BYTES), plain = {NULL, 0};
    size_t len = BrotliEncoderMaxCompressedSize(rest.len) + 16;
    uint8_t *made = malloc(1 + len), *raw = NULL;
    made[0] = BATCH_BROTLI_FLAG;
    if (data[2] % 2 == 1) {
        plain = rest;
        CHECK(
            BrotliEncoderCompress(1, 22, BROTLI_MODE_GENERIC, rest.len, rest.ptr, &len, made + 1));
        rest = bytes_of(made, 1 + len);
    } else if (rest.len > 0 && rest.ptr[0] == BATCH_BROTLI_FLAG) {
        raw = inflate(bytes_of(rest.ptr + 1, rest.len - 1), PLAIN_MAX_BYTES, &len);
        if (raw != NULL)
            plain = bytes_of(raw, len);
    }
    s = (struct plain){.count = 0};
    while (s.count < SEGMENTS_MAX && plain.len > 0 &&
           rlp_next_bytes(&plain, &s.segments[s.count]) == ERR_OK)
        s.count++;
    if (s.count < SEGMENTS_MAX)
        check_batch(&h, before, rest, &s, (data[2] & 2) != 0);
    free(made);
    free(raw);
    return 0;
}
