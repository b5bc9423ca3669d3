/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: batches are hashed, posted and found on the parent as the SequencerInbox has them.
 * Method: the batch that the real contracts took; each field of its event changed. */
#include "bridge/batch.h"

#include "tests/lib/bridge/orbit.h"

#include <criterion/criterion.h>

static struct batch_header vector_header(struct orbit *o, const json_t *batch) {
    bytes raw = orbit_bytes(o, batch, "header");
    cr_assert_eq(raw.len, (size_t)BATCH_HEADER_BYTES);
    struct batch_header h;
    batch_header_decode(&h, raw.ptr);
    uint8_t again[BATCH_HEADER_BYTES];
    batch_header_encode(again, &h);
    cr_expect_eq(memcmp(again, raw.ptr, sizeof again), 0);
    return h;
}

/* The log that the contract made for the vector's batch. */
static struct parent_log vector_log(struct orbit *o, const json_t *batch,
                                    const struct batch_header *h) {
    hash32 delayed = orbit_hash(batch, "delayedAcc");
    struct buf b;
    buf_init(&b, 1 << 10);
    abi_put_hash(&b, &delayed);
    abi_put_u64(&b, h->after_delayed);
    abi_put_u64(&b, h->min_timestamp);
    abi_put_u64(&b, h->max_timestamp);
    abi_put_u64(&b, h->min_block);
    abi_put_u64(&b, h->max_block);
    abi_put_u64(&b, orbit_u64(batch, "eventDataLocation"));
    struct parent_log l = {.topics = {abi_topic(ABI_EVENT_BATCH_DELIVERED),
                                      {{0}},
                                      orbit_hash(batch, "beforeAcc"),
                                      orbit_hash(batch, "afterAcc")},
                           .topic_count = 4,
                           .data = arena_copy(&o->arena, buf_bytes(&b))};
    be64_store(l.topics[1].b + 24, orbit_u64(batch, "sequenceNumber"));
    buf_clear(&b);
    return l;
}

Test(batch, reproduces_the_contracts_hashes) {
    struct orbit o;
    orbit_load(&o);
    const json_t *batch = json_object_get(o.doc, "batch");
    struct batch_header h = vector_header(&o, batch);
    bytes payload = orbit_bytes(&o, batch, "payload"), found;
    hash32 data_hash = batch_data_hash(&h, payload), want = orbit_hash(batch, "dataHash");
    cr_expect(hash32_eq(&data_hash, &want));
    hash32 before = orbit_hash(batch, "beforeAcc"), delayed = orbit_hash(batch, "delayedAcc");
    hash32 acc = batch_acc_next(&before, &data_hash, &delayed);
    want = orbit_hash(batch, "afterAcc");
    cr_expect(hash32_eq(&acc, &want));

    struct parent_log l = vector_log(&o, batch, &h);
    struct batch_event e;
    cr_assert_eq(batch_parse_event(&e, &l), ERR_OK);
    cr_expect(e.seq_num == 1 && e.location == BATCH_IN_CALLDATA);
    cr_expect_eq(memcmp(&e.header, &h, sizeof h), 0);
    cr_assert_eq(batch_calldata_payload(&found, orbit_bytes(&o, batch, "txCalldata")), ERR_OK);
    cr_expect(found.len == payload.len && memcmp(found.ptr, payload.ptr, found.len) == 0);
    cr_expect_eq(batch_verify_event(&e, found, &before, &delayed, NULL), ERR_OK);
    orbit_clear(&o);
}

Test(batch, verification_sees_every_change) {
    struct orbit o;
    orbit_load(&o);
    const json_t *batch = json_object_get(o.doc, "batch");
    struct batch_header h = vector_header(&o, batch);
    hash32 before = orbit_hash(batch, "beforeAcc"), delayed = orbit_hash(batch, "delayedAcc");
    bytes payload = orbit_bytes(&o, batch, "payload");
    struct parent_log l = vector_log(&o, batch, &h);
    struct batch_event good, e;
    struct err_ctx ec;
    cr_assert_eq(batch_parse_event(&good, &l), ERR_OK);
    e = good;
    e.before_acc.b[0] ^= 1;
    cr_expect_eq(batch_verify_event(&e, payload, &before, &delayed, &ec), ERR_MISMATCH);
    e = good;
    e.delayed_acc.b[0] ^= 1;
    cr_expect_eq(batch_verify_event(&e, payload, &before, &delayed, &ec), ERR_MISMATCH);
    e = good;
    e.after_acc.b[0] ^= 1;
    cr_expect_eq(batch_verify_event(&e, payload, &before, &delayed, &ec), ERR_MISMATCH);
    e = good;
    e.header.max_block++;
    cr_expect_eq(batch_verify_event(&e, payload, &before, &delayed, &ec), ERR_MISMATCH);
    payload.len--;
    cr_expect_eq(batch_verify_event(&good, payload, &before, &delayed, &ec), ERR_MISMATCH);
    cr_expect_not_null(strstr(ec.text, "batch 1"));
    orbit_clear(&o);
}

Test(batch, event_of_wrong_form) {
    struct orbit o;
    orbit_load(&o);
    const json_t *batch = json_object_get(o.doc, "batch");
    struct batch_header h = vector_header(&o, batch);
    struct parent_log l = vector_log(&o, batch, &h);
    struct batch_event e;
    uint8_t *data = (uint8_t *)(uintptr_t)l.data.ptr;
    data[6 * 32 + 31] = 4;
    cr_expect_eq(batch_parse_event(&e, &l), ERR_UNSUPPORTED);
    data[6 * 32 + 31] = BATCH_NO_DATA;
    cr_expect_eq(batch_parse_event(&e, &l), ERR_OK);
    data[32] = 1; /* delayed messages over 64 bits */
    cr_expect_eq(batch_parse_event(&e, &l), ERR_PARSE);
    data[32] = 0;
    l.data.len--;
    cr_expect_eq(batch_parse_event(&e, &l), ERR_PARSE);
    l.data.len++;
    l.topic_count = 3;
    cr_expect_eq(batch_parse_event(&e, &l), ERR_PARSE);
    orbit_clear(&o);
}

Test(batch, calldata_is_the_contracts) {
    struct orbit o;
    orbit_load(&o);
    const json_t *batch = json_object_get(o.doc, "batch");
    bytes want = orbit_bytes(&o, batch, "txCalldata"), args;
    struct batch_post p = {.seq_num = 1,
                           .payload = orbit_bytes(&o, batch, "payload"),
                           .after_delayed = 11,
                           .prev_message_count = 1};
    cr_assert_eq(abi_get_call(&args, want, ABI_ADD_BATCH_FROM_ORIGIN), ERR_OK);
    cr_assert_eq(abi_get_u64(&p.new_message_count, args, 5), ERR_OK);
    struct buf b;
    buf_init(&b, 1 << 12);
    batch_post_calldata(&b, &p);
    cr_expect(b.len == want.len && memcmp(b.ptr, want.ptr, b.len) == 0);
    bytes payload;
    cr_assert_eq(batch_calldata_payload(&payload, buf_bytes(&b)), ERR_OK);
    be32_store(b.ptr, abi_selector(ABI_ADD_BATCH_FROM_ORIGIN_DELAY_PROOF));
    cr_expect_eq(batch_calldata_payload(&payload, buf_bytes(&b)), ERR_OK);
    b.ptr[0] ^= 1;
    cr_expect_eq(batch_calldata_payload(&payload, buf_bytes(&b)), ERR_PARSE);
    buf_clear(&b);
    orbit_clear(&o);
}

Test(batch, data_in_an_event) {
    struct buf b;
    buf_init(&b, 1 << 10);
    abi_put_u64(&b, ABI_WORD_BYTES);
    abi_put_bytes(&b, bytes_of("\0abc", 4));
    struct parent_log l = {.topics = {abi_topic(ABI_EVENT_BATCH_DATA), {{[31] = 7}}},
                           .topic_count = 2,
                           .data = buf_bytes(&b)};
    bytes payload;
    cr_assert_eq(batch_event_payload(&payload, 7, &l), ERR_OK);
    cr_expect(payload.len == 4 && memcmp(payload.ptr, "\0abc", 4) == 0);
    cr_expect_eq(batch_event_payload(&payload, 8, &l), ERR_PARSE);
    buf_clear(&b);
}

Test(batch, header_that_the_parent_sets) {
    struct batch_time_bounds bounds = {
        .delay_blocks = 20, .future_blocks = 12, .delay_seconds = 86400, .future_seconds = 3600};
    struct orbit o;
    orbit_load(&o);
    struct batch_header want = vector_header(&o, json_object_get(o.doc, "batch"));
    struct batch_header h = batch_header_at(&bounds, want.max_timestamp - 3600, 38, 11);
    cr_expect_eq(memcmp(&h, &want, sizeof h), 0);
    h = batch_header_at(&bounds, 100, 5, 0);
    cr_expect(h.min_timestamp == 0 && h.min_block == 0);
    h = batch_header_at(&bounds, UINT64_MAX, UINT64_MAX, 0);
    cr_expect(h.max_timestamp == UINT64_MAX && h.max_block == UINT64_MAX);
    orbit_clear(&o);
}
