/* SPDX-License-Identifier: Apache-2.0 */
/* Logs and calldata of the parent. The input is: event u8 | topic count u8 | three topics of 32
 * bytes | data. Properties, for any bytes:
 *  - what a parser takes is what an encoder writes: the words of the event, encoded again from the
 *    parsed fields, are the words that were read;
 *  - a dynamic `bytes` lies within the data, behind its own length;
 *  - a batch's calldata, made from what was read, gives the same payload again;
 *  - an assertion counts only under its own hash;
 *  - the text of a revert is printable and ends. */
#include "tests/fuzz/fuzz.h"

#include "base/check.h"
#include "bridge/assertion.h"
#include "bridge/batch.h"
#include "bridge/inbox.h"

enum { HEAD_BYTES = 2 + 8, TEXT_CAP = 24 };

static void check_within(bytes part, bytes whole) {
    CHECK(part.ptr >= whole.ptr + 32 && part.len <= whole.len - 32);
    CHECK(part.ptr + part.len <= whole.ptr + whole.len);
    CHECK(be64_load(part.ptr - 8) == part.len);
}

/* The first words of the log's data are those in b, which is cleared. */
static void check_words(const struct parent_log *l, struct buf *b) {
    CHECK(!b->overflow && l->data.len >= b->len);
    CHECK(memcmp(l->data.ptr, b->ptr, b->len) == 0);
    buf_clear(b);
}

static void check_message(const struct parent_log *l) {
    struct inbox_event e;
    struct buf b;
    if (inbox_parse_event(&e, l) != ERR_OK)
        return;
    buf_init(&b, 1 << 10);
    abi_put_addr(&b, &e.inbox);
    abi_put_u64(&b, e.kind);
    abi_put_addr(&b, &e.sender);
    abi_put_hash(&b, &e.data_hash);
    abi_put_u256(&b, &e.base_fee_l1);
    abi_put_u64(&b, e.timestamp);
    check_words(l, &b);
    CHECK(be64_load(l->topics[1].b + 24) == e.index);
    CHECK(hash32_eq(&l->topics[2], &e.before_acc));
}

static void check_batch(const struct parent_log *l) {
    struct batch_event e;
    struct buf b;
    if (batch_parse_event(&e, l) != ERR_OK)
        return;
    buf_init(&b, 1 << 10);
    abi_put_hash(&b, &e.delayed_acc);
    abi_put_u64(&b, e.header.after_delayed);
    abi_put_u64(&b, e.header.min_timestamp);
    abi_put_u64(&b, e.header.max_timestamp);
    abi_put_u64(&b, e.header.min_block);
    abi_put_u64(&b, e.header.max_block);
    abi_put_u64(&b, e.location);
    check_words(l, &b);
    uint8_t header[BATCH_HEADER_BYTES];
    struct batch_header again;
    batch_header_encode(header, &e.header);
    batch_header_decode(&again, header);
    CHECK(memcmp(&again, &e.header, sizeof again) == 0);
}

static void check_contents(const struct parent_log *l) {
    struct inbox_content c;
    bytes payload;
    if (inbox_parse_content(&c, l) == ERR_OK && !c.from_origin)
        check_within(c.data, l->data);
    if (batch_event_payload(&payload, be64_load(l->topics[1].b + 24), l) == ERR_OK)
        check_within(payload, l->data);
}

static void check_assertion(struct parent_log *l) {
    struct assertion_created c;
    struct assertion_confirmed confirmed;
    struct assertion_node node;
    enum err e = assertion_parse_created(&c, l);
    CHECK(e == ERR_PARSE || e == ERR_MISMATCH || e == ERR_OK);
    if (e == ERR_MISMATCH) {
        /* Under the hash of its contents it is good, whatever they are. */
        struct buf b;
        buf_init(&b, 1 << 12);
        struct parent_log fixed = *l;
        struct assertion_state s = {.machine_status =
                                        (enum machine_status)l->data.ptr[17 * 32 + 31],
                                    .inbox_position = be64_load(l->data.ptr + 15 * 32 + 24),
                                    .position_in_message = be64_load(l->data.ptr + 16 * 32 + 24)};
        hash32 acc;
        memcpy(s.block_hash.b, l->data.ptr + 13 * 32, 32);
        memcpy(s.send_root.b, l->data.ptr + 14 * 32, 32);
        memcpy(s.end_history_root.b, l->data.ptr + 18 * 32, 32);
        memcpy(acc.b, l->data.ptr + 19 * 32, 32);
        fixed.topics[1] = assertion_hash(&l->topics[2], &s, &acc);
        CHECK(assertion_parse_created(&c, &fixed) == ERR_OK);
        assertion_put_inputs(&b, &c.inputs);
        check_words(l, &b);
    }
    (void)!assertion_parse_confirmed(&confirmed, l);
    (void)!assertion_parse_node(&node, l->data);
}

static void check_calldata(bytes data) {
    bytes payload, again;
    struct buf b;
    if (batch_calldata_payload(&payload, data) != ERR_OK)
        return;
    struct batch_post p = {.payload = payload, .seq_num = data.len};
    buf_init(&b, 1 << 20);
    batch_post_calldata(&b, &p);
    CHECK(!b.overflow && batch_calldata_payload(&again, buf_bytes(&b)) == ERR_OK);
    CHECK(again.len == payload.len);
    CHECK(again.len == 0 || memcmp(again.ptr, payload.ptr, again.len) == 0);
    buf_clear(&b);
}

static void check_text(bytes data) {
    char text[TEXT_CAP];
    memset(text, 'x', sizeof text);
    abi_revert_text(text, sizeof text, data);
    size_t len = strnlen(text, sizeof text);
#ifdef FUZZ_PLANT_BUG
    /* The bug that a search must find: custom errors of one kind are taken for none. */
    if (data.len == 6 && data.ptr[0] == 0x2d)
        CHECK(strcmp(text, "no reason") == 0);
#endif
    CHECK(len > 0 || data.len > 4);
    CHECK(len < sizeof text);
    for (size_t i = 0; i < len; i++)
        CHECK(text[i] >= 0x20 && text[i] < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < HEAD_BYTES)
        return 0;
    struct parent_log l = {.topics = {abi_topic((enum abi_event)(data[0] % ABI_EVENT_COUNT))},
                           .topic_count = (data[1] & 0x7f) % (PARENT_LOG_TOPICS_MAX + 1),
                           .data = bytes_of(data + HEAD_BYTES, size - HEAD_BYTES)};
    memcpy(l.topics[1].b + 24, data + 2, 8);
    l.topics[1].b[0] = data[1] >> 7;
    for (size_t i = 2; i < PARENT_LOG_TOPICS_MAX; i++)
        memset(l.topics[i].b, data[HEAD_BYTES - 1], 32);
    struct batch_report report;
    bytes origin;
    check_message(&l);
    check_batch(&l);
    check_contents(&l);
    check_assertion(&l);
    check_calldata(l.data);
    check_text(l.data);
    (void)!inbox_origin_data(&origin, l.data);
    (void)!inbox_parse_report(&report, l.data);
    return 0;
}
