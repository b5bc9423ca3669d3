/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what is put into a batch comes out of it, and no batch is over its bound.
 * Method: the vector's batch built again; random histories of many kinds of message, cut into
 * batches and read back, each message compared; the stream's size against the bound that was told.
 */
#include "bridge/batch.h"

#include "base/check.h"
#include "tests/lib/bridge/orbit.h"
#include "tests/lib/rng.h"

#include <brotli/decode.h>
#include <criterion/criterion.h>

static struct message delayed(uint64_t index, uint64_t timestamp) {
    struct message m = {.kind = MESSAGE_ETH_DEPOSIT,
                        .timestamp = timestamp,
                        .has_request_id = true,
                        .has_base_fee_l1 = true,
                        .data = bytes_of("deposit", 7),
                        .delayed_read = index + 1};
    be64_store(m.request_id.b + 24, index);
    return m;
}

static struct message sequenced(bytes data, uint64_t timestamp, uint64_t l1_block, uint64_t read) {
    return (struct message){.kind = MESSAGE_L2,
                            .sender = SEQUENCER_ADDRESS,
                            .timestamp = timestamp,
                            .l1_block = l1_block,
                            .data = data,
                            .delayed_read = read};
}

static struct batch_builder *builder(uint64_t delayed_before, size_t max) {
    struct batch_builder *b;
    cr_assert_eq(batch_builder_new(&b, delayed_before, max), ERR_OK);
    return b;
}

static void uncompress(struct buf *out, bytes payload) {
    size_t len = out->max;
    uint8_t *to = buf_extend(out, len);
    cr_assert_eq(payload.ptr[0], BATCH_BROTLI_FLAG);
    cr_assert_eq(BrotliDecoderDecompress(payload.len - 1, payload.ptr + 1, &len, to),
                 BROTLI_DECODER_RESULT_SUCCESS);
    out->len = len;
}

Test(batch_builder, segments_of_the_vectors_batch) {
    struct orbit o;
    orbit_load(&o);
    const json_t *batch = json_object_get(o.doc, "batch");
    bytes want = orbit_bytes(&o, batch, "rlpStream"), tx = orbit_message(&o, 8).data;
    struct batch_builder *b = builder(1, BATCH_MAX_BYTES);
    for (uint64_t i = 1; i <= 10; i++) {
        struct message m = delayed(i, 1000);
        cr_assert_eq(batch_builder_add(b, &m), ERR_OK);
    }
    struct message m = sequenced(tx, 0x6b022304, 0x25, 11);
    cr_assert_eq(batch_builder_add(b, &m), ERR_OK);
    struct batch_builder_state s = batch_builder_state(b);
    cr_expect(s.message_count == 11 && s.sequenced_count == 1 && s.after_delayed == 11);
    cr_expect(s.first_timestamp == 1000 && s.min_timestamp_seq == 0x6b022304);
    cr_expect(s.uncompressed_bytes == want.len && !s.full);
    struct batch_header h = {.min_timestamp = 0x6b022304,
                             .max_timestamp = 0x6b022304,
                             .min_block = 0x25,
                             .max_block = 0x25};
    cr_expect(!batch_builder_is_below(&s, &h) && !batch_builder_is_above(&s, &h));
    h.min_timestamp++;
    h.max_block--;
    cr_expect(batch_builder_is_below(&s, &h) && batch_builder_is_above(&s, &h));
    s.sequenced_count = 0;
    cr_expect(!batch_builder_is_below(&s, &h) && !batch_builder_is_above(&s, &h));
    struct buf payload, got;
    buf_init(&payload, BATCH_MAX_BYTES);
    buf_init(&got, 1 << 12);
    cr_assert_eq(batch_builder_finish(b, &payload, BATCH_QUALITY_AGED), ERR_OK);
    cr_expect_leq(BATCH_HEADER_BYTES + payload.len, s.size_bytes);
    uncompress(&got, buf_bytes(&payload));
    cr_expect(got.len == want.len && memcmp(got.ptr, want.ptr, got.len) == 0);
    batch_builder_free(b);
    buf_clear(&payload);
    buf_clear(&got);
    orbit_clear(&o);
}

Test(batch_builder, refuses_what_cannot_come_next) {
    struct batch_builder *b = builder(5, BATCH_MAX_BYTES);
    struct message m = delayed(6, 0);
    cr_expect_eq(batch_builder_add(b, &m), ERR_INVALID);
    m = delayed(5, 0);
    m.request_id.b[31]++;
    cr_expect_eq(batch_builder_add(b, &m), ERR_INVALID);
    m = delayed(5, 0);
    cr_expect_eq(batch_builder_add(b, &m), ERR_OK);
    cr_expect_eq(batch_builder_add(b, &m), ERR_INVALID);
    m = sequenced(bytes_of("x", 1), 100, 10, 5);
    cr_expect_eq(batch_builder_add(b, &m), ERR_INVALID);
    m.delayed_read = 6;
    cr_expect_eq(batch_builder_add(b, &m), ERR_OK);
    cr_expect_eq(batch_builder_add(b, &m), ERR_OK);
    m.timestamp = 99;
    cr_expect_eq(batch_builder_add(b, &m), ERR_INVALID);
    m.timestamp = 100;
    m.l1_block = 9;
    cr_expect_eq(batch_builder_add(b, &m), ERR_INVALID);
    m.l1_block = 10;
    m.sender.b[0] ^= 1;
    cr_expect_eq(batch_builder_add(b, &m), ERR_INVALID);
    m.sender = SEQUENCER_ADDRESS;
    m.kind = MESSAGE_ETH_DEPOSIT;
    cr_expect_eq(batch_builder_add(b, &m), ERR_INVALID);
    cr_expect_eq(batch_builder_state(b).message_count, 3u);
    batch_builder_free(b);
    cr_expect_eq(batch_builder_new(&b, 0, BATCH_LEAST_BYTES - 1), ERR_INVALID);
}

Test(batch_builder, nothing_is_an_empty_payload) {
    struct batch_builder *b = builder(5, BATCH_MAX_BYTES);
    struct buf payload;
    buf_init(&payload, 10);
    cr_expect_eq(batch_builder_finish(b, &payload, BATCH_QUALITY), ERR_OK);
    cr_expect_eq(payload.len, 0u);
    batch_builder_free(b);
}

/* However badly it compresses, the largest message that is ever sequenced fits an empty batch. */
Test(batch_builder, largest_message_fits) {
    struct rng r = {.state = rng_seed(11)};
    uint8_t *noise = malloc(MESSAGE_SEQUENCED_MAX_BYTES);
    rng_fill(&r, noise, MESSAGE_SEQUENCED_MAX_BYTES);
    struct message m = sequenced(bytes_of(noise, MESSAGE_SEQUENCED_MAX_BYTES), UINT64_MAX - 9,
                                 UINT64_MAX - 9, UINT64_MAX - 9);
    struct batch_builder *b = builder(UINT64_MAX - 9, BATCH_MAX_BYTES);
    cr_assert_eq(batch_builder_add(b, &m), ERR_OK);
    rng_fill(&r, noise, MESSAGE_SEQUENCED_MAX_BYTES);
    cr_expect_eq(batch_builder_add(b, &m), ERR_TOO_LARGE);
    cr_expect(batch_builder_state(b).full);
    cr_expect_eq(batch_builder_state(b).message_count, 1u);
    struct buf payload;
    buf_init(&payload, BATCH_MAX_BYTES);
    cr_assert_eq(batch_builder_finish(b, &payload, BATCH_QUALITY), ERR_OK);
    cr_expect_leq(BATCH_HEADER_BYTES + payload.len, (size_t)BATCH_MAX_BYTES);
    batch_builder_free(b);
    buf_clear(&payload);
    free(noise);
}

/* A large message that compresses well goes into a batch that has little room left. */
Test(batch_builder, tries_a_message_before_it_refuses) {
    struct rng r = {.state = rng_seed(12)};
    static uint8_t noise[40000], zeros[80000];
    rng_fill(&r, noise, sizeof noise);
    struct batch_builder *b = builder(0, 50000);
    struct message m = sequenced(bytes_of(noise, sizeof noise), 1, 1, 0);
    cr_assert_eq(batch_builder_add(b, &m), ERR_OK);
    m.data = bytes_of(zeros, sizeof zeros);
    cr_expect_eq(batch_builder_add(b, &m), ERR_OK);
    rng_fill(&r, noise, sizeof noise);
    m.data = bytes_of(noise, sizeof noise);
    cr_expect_eq(batch_builder_add(b, &m), ERR_TOO_LARGE);
    struct buf payload;
    buf_init(&payload, 50000);
    cr_assert_eq(batch_builder_finish(b, &payload, BATCH_QUALITY), ERR_OK);
    /* The refused message has left no trace in the stream. */
    struct buf raw;
    buf_init(&raw, 1 << 20);
    uncompress(&raw, buf_bytes(&payload));
    cr_expect_eq(raw.len, 3 + 3 + (3 + 1 + sizeof noise) + (4 + 1 + sizeof zeros));
    buf_clear(&raw);
    buf_clear(&payload);
    batch_builder_free(b);
}

/* --- random histories --------------------------------------------------------------------- */

enum { HISTORY_MAX = 1500 };
struct history {
    struct arena arena;
    struct message messages[HISTORY_MAX];
    size_t count;
};

static bytes random_data(struct history *h, struct rng *r) {
    uint64_t shape = rng_below(r, 20);
    size_t len = shape == 0   ? 0
                 : shape == 1 ? rng_below(r, MESSAGE_SEQUENCED_MAX_BYTES)
                 : shape < 5  ? rng_below(r, 5000)
                              : rng_below(r, 250);
    uint8_t *p = arena_alloc(&h->arena, len + 1);
    if (shape % 3 == 0)
        memset(p, (int)shape, len);
    else
        rng_fill(r, p, len);
    return bytes_of(p, len);
}

static void make_history(struct history *h, struct rng *r) {
    arena_init(&h->arena, 1 << 20, 1 << 29);
    h->count = 50 + rng_below(r, HISTORY_MAX - 50);
    uint64_t timestamp = rng_next(r) >> rng_below(r, 64), block = rng_next(r) >> 8, read = 3;
    for (size_t i = 0; i < h->count; i++) {
        uint64_t kind = rng_below(r, 10);
        if (timestamp < UINT64_MAX / 2)
            timestamp += rng_below(r, 3);
        block += rng_below(r, 5) == 0;
        if (kind < 2)
            h->messages[i] = delayed(read++, timestamp + 5);
        else if (kind == 2)
            h->messages[i] = (struct message){.kind = MESSAGE_INVALID, .delayed_read = read};
        else
            h->messages[i] = sequenced(random_data(h, r), timestamp, block, read);
    }
}

/* Reads the batch of messages [from, from + n) back. */
static void expect_batch(const struct history *h, size_t from, size_t n, uint64_t before,
                         uint64_t after, bytes payload) {
    struct batch_header header = {
        .max_timestamp = UINT64_MAX, .max_block = UINT64_MAX, .after_delayed = after};
    struct batch_reader *r;
    struct batch_item item;
    cr_assert_eq(batch_reader_new(&r, &header, before, payload), ERR_OK);
    for (size_t i = 0; i < n; i++) {
        cr_assert(batch_next(r, &item), "message %zu of %zu", i, n);
        cr_assert(batch_item_is(&item, &h->messages[from + i]), "message %zu of %zu", i, n);
    }
    cr_expect(!batch_next(r, &item));
    batch_reader_free(r);
}

/* Cuts the history into batches of at most `max` bytes; returns how many. */
static size_t check_history(const struct history *h, size_t max, int quality) {
    size_t batches = 0;
    uint64_t read = 3;
    for (size_t from = 0, n = 0; from < h->count; from += n) {
        struct batch_builder *b = builder(read, max);
        enum err e = ERR_OK;
        size_t told = 0;
        for (n = 0; from + n < h->count && e == ERR_OK;) {
            e = batch_builder_add(b, &h->messages[from + n]);
            n += e == ERR_OK;
            told = batch_builder_state(b).size_bytes;
            cr_assert_leq(told, max);
        }
        cr_assert(e == ERR_OK || e == ERR_TOO_LARGE);
        cr_assert_gt(n, 0u);
        struct batch_builder_state s = batch_builder_state(b);
        cr_assert_eq(s.message_count, n);
        struct buf payload;
        buf_init(&payload, max);
        cr_assert_eq(batch_builder_finish(b, &payload, quality), ERR_OK);
        cr_assert_leq(BATCH_HEADER_BYTES + payload.len, s.size_bytes);
        expect_batch(h, from, n, read, s.after_delayed, buf_bytes(&payload));
        read = s.after_delayed;
        batch_builder_free(b);
        buf_clear(&payload);
        batches++;
    }
    return batches;
}

Test(batch_builder, random_histories_come_out_as_they_went_in, .timeout = 120) {
    uint64_t seed = rng_seed(20260401);
    struct rng r = {.state = seed};
    size_t batches = 0;
    for (int i = 0; i < 12; i++) {
        struct history *h = calloc(1, sizeof *h);
        make_history(h, &r);
        size_t max =
            i % 2 == 0 ? BATCH_MAX_BYTES : MESSAGE_SEQUENCED_MAX_BYTES + 300 + rng_below(&r, 20000);
        batches += check_history(h, max, i == 1 ? BATCH_QUALITY_AGED : BATCH_QUALITY);
        arena_clear(&h->arena);
        free(h);
    }
    cr_expect_gt(batches, 24u, "SEED=%llu", (unsigned long long)seed);
}

/* Batches of like messages are filled: the bound is not so careful that room is wasted. */
Test(batch_builder, fills_batches) {
    struct rng r = {.state = rng_seed(5)};
    struct batch_builder *b = builder(0, BATCH_MAX_BYTES);
    uint8_t tx[112];
    memset(tx, 0x11, sizeof tx);
    struct message m = sequenced(bytes_of(tx, sizeof tx), 1700000000, 19000000, 0);
    do {
        rng_fill(&r, tx + 40, 66); /* signature and nonce do not compress */
    } while (batch_builder_add(b, &m) == ERR_OK);
    struct buf payload;
    buf_init(&payload, BATCH_MAX_BYTES);
    cr_assert_eq(batch_builder_finish(b, &payload, BATCH_QUALITY), ERR_OK);
    cr_expect_gt(payload.len, (size_t)BATCH_MAX_BYTES - 400);
    cr_expect_gt(batch_builder_state(b).message_count, 1150u);
    batch_builder_free(b);
    buf_clear(&payload);
}
