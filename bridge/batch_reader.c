/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/batch.h"

#include "base/check.h"
#include "base/rlp.h"

#include <brotli/decode.h>

struct batch_reader {
    struct batch_header header;
    struct buf segments;          /* uncompressed: RLP byte strings, well-formed to the end */
    bytes rest;                   /* of segments */
    size_t read_count;            /* segments taken off `rest` */
    size_t useful_count;          /* segments up to and including the last of kind 0, 1 or 2 */
    uint64_t timestamp, l1_block; /* running sums of the advances */
    uint64_t delayed_read;
    uint64_t position;
    bool done;
    struct buf inflated; /* of the current message, kind 1 */
};

/* Moves what the decoder has made to `out`. False when that is over the bound of `out`, or when
 * memory is out: *out_nomem. */
static bool take_output(struct buf *out, BrotliDecoderState *d, bool *out_nomem) {
    size_t len = 0;
    const uint8_t *made = BrotliDecoderTakeOutput(d, &len);
    *out_nomem = false;
    if (len > out->max - out->len)
        return false;
    buf_append(out, made, len);
    *out_nomem = out->overflow;
    return !out->overflow;
}

/* Uncompresses into `out`, whose maximum is the bound. False: not a whole stream, or over it; bytes
 * after the stream's end are not looked at. *out_nomem tells a failure of ours from one of theirs.
 */
static bool uncompress(struct buf *out, bytes in, bool *out_nomem) {
    *out_nomem = true;
    BrotliDecoderState *d = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    if (d == NULL)
        return false;
    size_t in_left = in.len, no_room = 0;
    const uint8_t *next = in.ptr;
    BrotliDecoderResult result;
    bool room;
    do {
        result = BrotliDecoderDecompressStream(d, &in_left, &next, &no_room, NULL, NULL);
        room = take_output(out, d, out_nomem);
    } while (room && result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT);
    BrotliDecoderErrorCode code = BrotliDecoderGetErrorCode(d);
    if (code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
        code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES)
        *out_nomem = true;
    BrotliDecoderDestroyInstance(d);
    return room && result == BROTLI_DECODER_RESULT_SUCCESS;
}

/* Cuts what is not a segment off the end, and finds the last message among the others. */
static void scan_segments(struct batch_reader *r) {
    bytes all = buf_bytes(&r->segments), rest = all, segment;
    size_t count = 0;
    while (count < BATCH_SEGMENTS_MAX && rest.len > 0 &&
           rlp_next_bytes(&rest, &segment) == ERR_OK) {
        count++;
        if (segment.len > 0 && segment.ptr[0] <= BATCH_SEGMENT_DELAYED)
            r->useful_count = count;
    }
    r->rest = bytes_of(all.ptr, all.len - rest.len);
}

enum err batch_reader_new(struct batch_reader **out, const struct batch_header *h,
                          uint64_t delayed_before, bytes payload) {
    if (delayed_before > h->after_delayed)
        return ERR_INVALID;
    struct batch_reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return ERR_NOMEM;
    r->header = *h;
    r->delayed_read = delayed_before;
    buf_init(&r->segments, BATCH_UNCOMPRESSED_MAX_BYTES);
    buf_init(&r->inflated, MESSAGE_DATA_MAX_BYTES);
    if (payload.len > 0 && payload.ptr[0] == BATCH_BROTLI_FLAG) {
        bool nomem;
        bool whole = uncompress(&r->segments, bytes_of(payload.ptr + 1, payload.len - 1), &nomem);
        if (nomem) {
            batch_reader_free(r);
            return ERR_NOMEM;
        }
        if (whole)
            scan_segments(r);
    }
    *out = r;
    return ERR_OK;
}

void batch_reader_free(struct batch_reader *r) {
    if (r == NULL)
        return;
    buf_clear(&r->segments);
    buf_clear(&r->inflated);
    free(r);
}

/* Adds up advances until a segment that stands for a message; false if none is left. */
static bool next_segment(struct batch_reader *r, bytes *out) {
    bytes segment;
    while (r->rest.len > 0) {
        CHECK(rlp_next_bytes(&r->rest, &segment) == ERR_OK);
        r->read_count++;
        if (segment.len == 0)
            continue;
        uint8_t kind = segment.ptr[0];
        if (kind != BATCH_SEGMENT_ADVANCE_TIMESTAMP && kind != BATCH_SEGMENT_ADVANCE_L1_BLOCK) {
            *out = segment;
            return true;
        }
        bytes number = bytes_of(segment.ptr + 1, segment.len - 1);
        uint64_t by;
        if (rlp_next_u64(&number, &by) != ERR_OK)
            continue;
        if (kind == BATCH_SEGMENT_ADVANCE_TIMESTAMP)
            r->timestamp += by;
        else
            r->l1_block += by;
    }
    return false;
}

static uint64_t clamp(uint64_t v, uint64_t min, uint64_t max) {
    /* In this order, so that bounds which exclude each other have one meaning. */
    if (v < min)
        return min;
    return v > max ? max : v;
}

static void sequenced_message(struct batch_reader *r, struct message *m, bytes data) {
    const struct batch_header *h = &r->header;
    *m = (struct message){
        .kind = MESSAGE_L2,
        .sender = SEQUENCER_ADDRESS,
        .timestamp = clamp(r->timestamp, h->min_timestamp, h->max_timestamp),
        .l1_block = clamp(r->l1_block, h->min_block, h->max_block),
        .data = data,
        .delayed_read = r->delayed_read,
    };
}

/* Fills `out` from a segment; false if it is an invalid message. */
static bool read_segment(struct batch_reader *r, struct batch_item *out, bytes segment) {
    bytes body = bytes_of(segment.ptr + 1, segment.len - 1);
    bool nomem;
    switch (segment.ptr[0]) {
    case BATCH_SEGMENT_L2:
        sequenced_message(r, &out->message, body);
        return true;
    case BATCH_SEGMENT_L2_BROTLI:
        buf_reset(&r->inflated);
        if (!uncompress(&r->inflated, body, &nomem)) {
            CHECK(!nomem); /* 256 KiB: to go on would be to derive another chain */
            return false;
        }
        sequenced_message(r, &out->message, buf_bytes(&r->inflated));
        return true;
    case BATCH_SEGMENT_DELAYED:
        if (r->delayed_read >= r->header.after_delayed)
            return false;
        out->kind = BATCH_ITEM_DELAYED;
        out->delayed_idx = r->delayed_read++;
        return true;
    default:
        return false;
    }
}

bool batch_next(struct batch_reader *r, struct batch_item *out) {
    static const uint8_t virtual_delayed[] = {BATCH_SEGMENT_DELAYED};
    if (r->done)
        return false;
    *out = (struct batch_item){.kind = BATCH_ITEM_MESSAGE, .position = r->position++};
    bytes segment;
    if (!next_segment(r, &segment))
        segment = bytes_of(virtual_delayed, sizeof virtual_delayed);
    if (!read_segment(r, out, segment))
        out->message = (struct message){.kind = MESSAGE_INVALID, .delayed_read = r->delayed_read};
    r->done = r->delayed_read >= r->header.after_delayed && r->read_count >= r->useful_count;
    return true;
}

bool batch_item_is(const struct batch_item *item, const struct message *m) {
    if (item->kind == BATCH_ITEM_DELAYED) {
        hash32 id = {{0}};
        be64_store(id.b + 24, item->delayed_idx);
        return m->has_request_id && hash32_eq(&m->request_id, &id) &&
               m->delayed_read == item->delayed_idx + 1;
    }
    const struct message *own = &item->message;
    return !m->has_request_id && !m->has_base_fee_l1 && !m->has_batch_stats &&
           m->kind == own->kind && addr20_eq(&m->sender, &own->sender) &&
           m->timestamp == own->timestamp && m->l1_block == own->l1_block &&
           m->delayed_read == own->delayed_read && m->data.len == own->data.len &&
           (m->data.len == 0 || memcmp(m->data.ptr, own->data.ptr, m->data.len) == 0);
}
