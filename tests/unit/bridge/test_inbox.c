/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the logs of the parent's contracts become the messages that they enqueued, and nothing that
 * was changed on the way does. Method: twelve delayed messages that the real contracts made, of all
 * kinds; each hash, accumulator and stored form; content, event and calldata damaged. */
#include "bridge/inbox.h"

#include "base/keccak.h"
#include "bridge/batch.h"
#include "tests/lib/bridge/orbit.h"

#include <criterion/criterion.h>

Test(inbox, reproduces_the_contracts_hashes) {
    struct orbit o;
    orbit_load(&o);
    hash32 acc = {{0}};
    cr_assert_eq(orbit_delayed_count(&o), 12u);
    for (size_t i = 0; i < orbit_delayed_count(&o); i++) {
        const json_t *v = orbit_delayed(&o, i);
        struct parent_log event = orbit_event_log(&o, i), content = orbit_content_log(&o, i);
        struct inbox_event e;
        struct inbox_content c;
        struct delayed_message m;
        cr_assert_eq(inbox_parse_event(&e, &event), ERR_OK, "message %zu", i);
        cr_assert_eq(inbox_parse_content(&c, &content), ERR_OK, "message %zu", i);
        cr_expect(c.index == i && !c.from_origin);
        cr_expect(hash32_eq(&e.before_acc, &acc), "message %zu", i);
        cr_assert_eq(inbox_join(&m, &e, orbit_u64(v, "blockNumber"), c.data), ERR_OK);
        hash32 want_hash = orbit_hash(v, "messageHash"), want_acc = orbit_hash(v, "afterAcc");
        hash32 h = delayed_message_hash(&m);
        cr_expect(hash32_eq(&h, &want_hash), "message %zu", i);
        acc = delayed_acc_next(&acc, &m);
        cr_expect(hash32_eq(&acc, &want_acc), "message %zu", i);
        bytes want = orbit_bytes(&o, v, "serialized");
        struct buf b;
        buf_init(&b, 1 << 16);
        delayed_message_serialize(&b, &m);
        cr_expect(b.len == want.len && memcmp(b.ptr, want.ptr, want.len) == 0, "message %zu", i);
        buf_clear(&b);
    }
    orbit_clear(&o);
}

Test(inbox, message_for_derivation) {
    struct orbit o;
    orbit_load(&o);
    for (size_t i = 0; i < orbit_delayed_count(&o); i++) {
        struct delayed_message d = orbit_message(&o, i);
        struct message m;
        delayed_to_message(&m, &d);
        hash32 id = {{0}};
        id.b[31] = (uint8_t)i;
        cr_expect(m.has_request_id && hash32_eq(&m.request_id, &id));
        cr_expect(!message_is_sequenced(&m));
        cr_expect(m.kind == d.kind && addr20_eq(&m.sender, &d.sender));
        cr_expect(m.l1_block == d.l1_block && m.timestamp == d.timestamp);
        cr_expect(m.has_base_fee_l1 && u256_eq(&m.base_fee_l1, &d.base_fee_l1));
        cr_expect(!m.has_batch_stats && m.delayed_read == i + 1);
        cr_expect(m.data.ptr == d.data.ptr && m.data.len == d.data.len);
    }
    orbit_clear(&o);
}

/* Message 9 came in by sendL2MessageFromOrigin: its content is the calldata. */
Test(inbox, content_in_calldata) {
    struct orbit o;
    orbit_load(&o);
    struct delayed_message d = orbit_message(&o, 9);
    struct parent_log l = {.topics = {abi_topic(ABI_EVENT_INBOX_MESSAGE_FROM_ORIGIN), {{[31] = 9}}},
                           .topic_count = 2};
    struct inbox_content c;
    cr_assert_eq(inbox_parse_content(&c, &l), ERR_OK);
    cr_expect(c.from_origin && c.index == 9 && c.data.len == 0);
    struct buf b;
    buf_init(&b, 1 << 12);
    abi_put_selector(&b, ABI_SEND_L2_MESSAGE_FROM_ORIGIN);
    abi_put_u64(&b, ABI_WORD_BYTES);
    abi_put_bytes(&b, d.data);
    bytes got;
    cr_assert_eq(inbox_origin_data(&got, buf_bytes(&b)), ERR_OK);
    cr_expect(got.len == d.data.len && memcmp(got.ptr, d.data.ptr, got.len) == 0);
    b.ptr[0] ^= 1;
    cr_expect_eq(inbox_origin_data(&got, buf_bytes(&b)), ERR_PARSE);
    buf_clear(&b);
    orbit_clear(&o);
}

Test(inbox, refuses_what_is_not_its_event) {
    struct orbit o;
    orbit_load(&o);
    struct inbox_event e;
    struct inbox_content c;
    struct delayed_message m;
    struct parent_log l = orbit_event_log(&o, 1);
    cr_expect_eq(inbox_parse_content(&c, &l), ERR_PARSE);
    l.data.len -= 32;
    cr_expect_eq(inbox_parse_event(&e, &l), ERR_PARSE);
    l = orbit_event_log(&o, 1);
    l.topics[1].b[0] = 1; /* an index over 64 bits */
    cr_expect_eq(inbox_parse_event(&e, &l), ERR_PARSE);
    l = orbit_event_log(&o, 1);
    cr_assert_eq(inbox_parse_event(&e, &l), ERR_OK);
    bytes data = arena_copy(&o.arena, orbit_message(&o, 1).data);
    ((uint8_t *)(uintptr_t)data.ptr)[0] ^= 1;
    cr_expect_eq(inbox_join(&m, &e, 28, data), ERR_MISMATCH);
    orbit_clear(&o);
}

/* --- kind 13 ------------------------------------------------------------------------------ */

Test(inbox, report_names_its_batch) {
    struct orbit o;
    orbit_load(&o);
    const json_t *batch = json_object_get(o.doc, "batch");
    struct delayed_message d = orbit_message(&o, 11);
    struct batch_report r;
    cr_assert_eq(inbox_parse_report(&r, d.data), ERR_OK);
    hash32 want = orbit_hash(batch, "dataHash");
    cr_expect_eq(r.batch_num, orbit_u64(batch, "sequenceNumber"));
    cr_expect(hash32_eq(&r.data_hash, &want));
    cr_expect(addr20_eq(&r.poster, &d.sender));
    cr_expect_eq(r.timestamp, d.timestamp);
    cr_expect(u256_eq(&r.gas_price, &d.base_fee_l1));
    cr_expect_eq(r.extra_gas, 0u);

    struct message m;
    delayed_to_message(&m, &d);
    bytes header = orbit_bytes(&o, batch, "header"), payload = orbit_bytes(&o, batch, "payload");
    cr_expect_eq(inbox_set_batch_stats(&m, header, bytes_of(payload.ptr, payload.len - 1)),
                 ERR_MISMATCH);
    cr_expect(!m.has_batch_stats);
    cr_assert_eq(inbox_set_batch_stats(&m, header, payload), ERR_OK);
    cr_expect(m.has_batch_stats);
    cr_expect_eq(m.batch_length, orbit_u64(batch, "length"));
    cr_expect_eq(m.batch_nonzeros, orbit_u64(batch, "nonZeros"));
    /* Nitro's figure has 40,000 more, which our price sample leaves out. */
    cr_expect_eq(batch_calldata_gas(m.batch_length, m.batch_nonzeros) + 40000,
                 orbit_u64(batch, "legacyGas"));
    m.kind = MESSAGE_L2;
    cr_expect_eq(inbox_set_batch_stats(&m, header, payload), ERR_PARSE);
    orbit_clear(&o);
}

Test(inbox, report_of_wrong_form) {
    struct orbit o;
    orbit_load(&o);
    bytes data = orbit_message(&o, 11).data;
    struct batch_report r;
    for (size_t len = 0; len < INBOX_REPORT_BYTES; len++)
        cr_expect_eq(inbox_parse_report(&r, bytes_of(data.ptr, len)), ERR_PARSE);
    uint8_t copy[INBOX_REPORT_BYTES];
    memcpy(copy, data.ptr, sizeof copy);
    copy[84] = 1; /* the batch number's highest byte */
    cr_expect_eq(inbox_parse_report(&r, bytes_of(copy, sizeof copy)), ERR_PARSE);
    orbit_clear(&o);
}
