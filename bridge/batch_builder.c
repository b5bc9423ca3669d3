/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/batch.h"

#include "base/check.h"
#include "base/rlp.h"

#include <brotli/encode.h>

/* Segments go through one brotli stream. What a flush has brought out is exact; what came after it
 * is counted at its worst. Only when that bound reaches the limit is the stream flushed, a dozen
 * times in a batch. A message that might still be too long is tried: flushed alone, and if the
 * result is over the limit, the stream is cut at the flush before it, where it can be closed with
 * one byte. */
struct batch_builder {
    size_t max_bytes;
    struct buf segments;         /* uncompressed, for a second pass at a higher quality */
    struct buf stream;           /* compressed so far */
    BrotliEncoderState *encoder; /* NULL once the stream is cut */
    size_t segment_count;
    size_t flushed_in, flushed_out; /* of segments and stream, at the last flush */
    uint64_t timestamp, l1_block;   /* running sums of the advances */
    struct batch_builder_state state;
    struct buf next; /* segments of the message being added */
    bool finished;
};

enum {
    /* Two advances and the headers of a message's segment. */
    FRAMING_MAX_BYTES = 64,
    BUILDER_MAX_BYTES = 1 << 20,
    STREAM_SLACK_BYTES = 1 << 20, /* of a tried message, before it is cut off again */
    BROTLI_CLOSE_BYTE = 0x03, /* an empty last meta-block (RFC 7932 §9.2) at a byte's boundary */
};

/* Bytes that n more may become: brotli stores what it cannot compress, at some bytes a block of 16
 * KiB or more, and closes with a few. */
static size_t worst(size_t n) {
    return n + (n >> 10) + 64;
}

static size_t size_bound(const struct batch_builder *b, size_t more) {
    return BATCH_HEADER_BYTES + 1 + b->flushed_out + worst(b->segments.len - b->flushed_in + more);
}

static BrotliEncoderState *new_encoder(void) {
    BrotliEncoderState *e = BrotliEncoderCreateInstance(NULL, NULL, NULL);
    if (e == NULL)
        return NULL;
    CHECK(BrotliEncoderSetParameter(e, BROTLI_PARAM_QUALITY, BATCH_QUALITY));
    CHECK(BrotliEncoderSetParameter(e, BROTLI_PARAM_LGWIN, BATCH_WINDOW_BITS));
    return e;
}

enum err batch_builder_new(struct batch_builder **out, uint64_t delayed_before, size_t max_bytes) {
    if (max_bytes < BATCH_LEAST_BYTES || max_bytes > BUILDER_MAX_BYTES)
        return ERR_INVALID;
    struct batch_builder *b = calloc(1, sizeof *b);
    if (b == NULL)
        return ERR_NOMEM;
    b->encoder = new_encoder();
    if (b->encoder == NULL) {
        free(b);
        return ERR_NOMEM;
    }
    b->max_bytes = max_bytes;
    b->state.after_delayed = delayed_before;
    buf_init(&b->segments, BATCH_UNCOMPRESSED_MAX_BYTES);
    buf_init(&b->stream, max_bytes + BATCH_UNCOMPRESSED_MAX_BYTES + STREAM_SLACK_BYTES);
    buf_init(&b->next, BATCH_UNCOMPRESSED_MAX_BYTES + FRAMING_MAX_BYTES);
    *out = b;
    return ERR_OK;
}

void batch_builder_free(struct batch_builder *b) {
    if (b == NULL)
        return;
    if (b->encoder != NULL)
        BrotliEncoderDestroyInstance(b->encoder);
    buf_clear(&b->segments);
    buf_clear(&b->stream);
    buf_clear(&b->next);
    free(b);
}

/* Gives `in` to the stream and takes what comes out. False: memory is out. */
static bool compress(struct batch_builder *b, BrotliEncoderOperation op, bytes in) {
    size_t left = in.len, no_room = 0;
    const uint8_t *next = in.ptr;
    do {
        if (!BrotliEncoderCompressStream(b->encoder, op, &left, &next, &no_room, NULL, NULL))
            return false;
        size_t len = 0;
        const uint8_t *made = BrotliEncoderTakeOutput(b->encoder, &len);
        buf_append(&b->stream, made, len);
        if (b->stream.overflow)
            return false;
    } while (left > 0 || BrotliEncoderHasMoreOutput(b->encoder));
    return true;
}

static bool flush(struct batch_builder *b) {
    if (!compress(b, BROTLI_OPERATION_FLUSH, bytes_of(NULL, 0)))
        return false;
    b->flushed_in = b->segments.len;
    b->flushed_out = b->stream.len;
    return true;
}

/* --- segments of one message --------------------------------------------------------------- */

static void put_advance(struct buf *out, enum batch_segment kind, uint64_t by, size_t *count) {
    if (by == 0)
        return;
    struct buf segment;
    buf_init(&segment, 16);
    buf_append_byte(&segment, (uint8_t)kind);
    rlp_put_u64(&segment, by);
    rlp_put_bytes(out, segment.ptr, segment.len);
    buf_clear(&segment);
    (*count)++;
}

/* RLP of kind | data. */
static void put_message(struct buf *out, bytes data) {
    if (data.len == 0) {
        buf_append_byte(out, BATCH_SEGMENT_L2);
        return;
    }
    uint8_t head[9];
    size_t len = 1 + data.len, n = rlp_header_len(false, len, BATCH_SEGMENT_L2);
    CHECK(n >= 1 && n <= sizeof head);
    if (n == 1) {
        head[0] = (uint8_t)(0x80 + len);
    } else {
        uint8_t be[8];
        be64_store(be, len);
        head[0] = (uint8_t)(0xb7 + n - 1);
        memcpy(head + 1, be + 8 - (n - 1), n - 1);
    }
    buf_append(out, head, n);
    buf_append_byte(out, BATCH_SEGMENT_L2);
    buf_append(out, data.ptr, data.len);
}

/* Whether m may come next: the reader will give it the same number of delayed messages, and stamps
 * only grow within a batch. */
static bool follows(const struct batch_builder *b, const struct message *m) {
    uint64_t read = b->state.after_delayed;
    if (m->has_request_id) {
        hash32 id = {{0}};
        be64_store(id.b + 24, read);
        return m->delayed_read == read + 1 && hash32_eq(&m->request_id, &id);
    }
    if (m->delayed_read != read)
        return false;
    if (m->kind == MESSAGE_INVALID)
        return m->data.len == 0;
    return m->kind == MESSAGE_L2 && addr20_eq(&m->sender, &SEQUENCER_ADDRESS) &&
           m->timestamp >= b->timestamp && m->l1_block >= b->l1_block;
}

/* Writes the segments of m to b->next and counts them. */
static size_t make_segments(struct batch_builder *b, const struct message *m) {
    size_t count = 1;
    buf_reset(&b->next);
    if (m->has_request_id) {
        buf_append_byte(&b->next, BATCH_SEGMENT_DELAYED);
    } else if (m->kind == MESSAGE_INVALID) {
        /* An own stream that is empty does not uncompress: the reader gives an invalid message. */
        buf_append_byte(&b->next, BATCH_SEGMENT_L2_BROTLI);
    } else {
        put_advance(&b->next, BATCH_SEGMENT_ADVANCE_TIMESTAMP, m->timestamp - b->timestamp, &count);
        put_advance(&b->next, BATCH_SEGMENT_ADVANCE_L1_BLOCK, m->l1_block - b->l1_block, &count);
        put_message(&b->next, m->data);
    }
    return count;
}

/* --- adding -------------------------------------------------------------------------------- */

static enum err feed(struct batch_builder *b, BrotliEncoderOperation op) {
    bytes next = buf_bytes(&b->next);
    buf_append(&b->segments, next.ptr, next.len);
    if (b->segments.overflow || !compress(b, op, next))
        return ERR_NOMEM;
    return ERR_OK;
}

/* Ends the stream where it was last flushed. */
static void cut(struct batch_builder *b) {
    b->segments.len = b->flushed_in;
    b->stream.len = b->flushed_out;
    BrotliEncoderDestroyInstance(b->encoder);
    b->encoder = NULL;
    b->state.full = true;
}

/* Feeds b->next if it fits. */
static enum err feed_within(struct batch_builder *b) {
    size_t len = b->next.len;
    if (size_bound(b, len) <= b->max_bytes)
        return feed(b, BROTLI_OPERATION_PROCESS);
    if (b->flushed_in < b->segments.len && !flush(b))
        return ERR_NOMEM;
    if (size_bound(b, len) <= b->max_bytes)
        return feed(b, BROTLI_OPERATION_PROCESS);
    TRY(feed(b, BROTLI_OPERATION_FLUSH));
    if (BATCH_HEADER_BYTES + 1 + worst(0) + b->stream.len > b->max_bytes) {
        cut(b);
        return ERR_TOO_LARGE;
    }
    b->flushed_in = b->segments.len;
    b->flushed_out = b->stream.len;
    return ERR_OK;
}

static void count_message(struct batch_builder *b, const struct message *m) {
    struct batch_builder_state *s = &b->state;
    if (s->message_count++ == 0)
        s->first_timestamp = m->timestamp;
    s->after_delayed = m->delayed_read;
    if (m->has_request_id || m->kind == MESSAGE_INVALID)
        return;
    b->timestamp = m->timestamp;
    b->l1_block = m->l1_block;
    if (s->sequenced_count++ == 0) {
        s->min_timestamp_seq = m->timestamp;
        s->min_block_seq = m->l1_block;
    }
    s->max_timestamp_seq = m->timestamp;
    s->max_block_seq = m->l1_block;
}

enum err batch_builder_add(struct batch_builder *b, const struct message *m) {
    CHECK(!b->finished);
    if (b->state.full)
        return ERR_TOO_LARGE;
    if (!follows(b, m))
        return ERR_INVALID;
    size_t count = m->data.len <= BATCH_UNCOMPRESSED_MAX_BYTES ? make_segments(b, m) : 0;
    if (count == 0 || b->segment_count + count > BATCH_SEGMENTS_MAX ||
        b->next.len > BATCH_UNCOMPRESSED_MAX_BYTES - b->segments.len) {
        b->state.full = true;
        return ERR_TOO_LARGE;
    }
    if (b->next.overflow)
        return ERR_NOMEM;
    TRY(feed_within(b));
    b->segment_count += count;
    count_message(b, m);
    return ERR_OK;
}

struct batch_builder_state batch_builder_state(const struct batch_builder *b) {
    struct batch_builder_state s = b->state;
    s.size_bytes = size_bound(b, 0);
    s.uncompressed_bytes = b->segments.len;
    return s;
}

bool batch_builder_is_below(const struct batch_builder_state *s, const struct batch_header *h) {
    return s->sequenced_count > 0 &&
           (s->min_timestamp_seq < h->min_timestamp || s->min_block_seq < h->min_block);
}

bool batch_builder_is_above(const struct batch_builder_state *s, const struct batch_header *h) {
    return s->sequenced_count > 0 &&
           (s->max_timestamp_seq > h->max_timestamp || s->max_block_seq > h->max_block);
}

/* --- finishing ------------------------------------------------------------------------------ */

/* All segments once more at `quality`, into `out`. False: no memory. */
static bool compress_again(const struct batch_builder *b, struct buf *out, int quality) {
    size_t len = BrotliEncoderMaxCompressedSize(b->segments.len);
    if (len == 0)
        return false;
    buf_init(out, len);
    uint8_t *to = buf_extend(out, len);
    if (to == NULL)
        return false;
    if (!BrotliEncoderCompress(quality, BATCH_WINDOW_BITS, BROTLI_MODE_GENERIC, b->segments.len,
                               b->segments.ptr, &len, to))
        return false;
    out->len = len;
    return true;
}

enum err batch_builder_finish(struct batch_builder *b, struct buf *out, int quality) {
    CHECK(!b->finished && out->len == 0);
    CHECK(quality >= BATCH_QUALITY && quality <= BROTLI_MAX_QUALITY);
    b->finished = true;
    if (b->state.message_count == 0)
        return ERR_OK;
    if (b->encoder == NULL)
        buf_append_byte(&b->stream, BROTLI_CLOSE_BYTE);
    else if (!compress(b, BROTLI_OPERATION_FINISH, bytes_of(NULL, 0)))
        return ERR_NOMEM;
    if (b->stream.overflow)
        return ERR_NOMEM;
    struct buf again;
    buf_init(&again, 0);
    const struct buf *best = &b->stream;
    if (quality > BATCH_QUALITY && compress_again(b, &again, quality) && again.len < b->stream.len)
        best = &again;
    CHECK(BATCH_HEADER_BYTES + 1 + best->len <= b->max_bytes);
    buf_append_byte(out, BATCH_BROTLI_FLAG);
    buf_append(out, best->ptr, best->len);
    buf_clear(&again);
    return out->overflow ? ERR_TOO_LARGE : ERR_OK;
}
