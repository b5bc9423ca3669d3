/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/bridge/orbit.h"

#include "base/check.h"
#include "base/hex.h"

void orbit_load(struct orbit *o) {
    arena_init(&o->arena, 1 << 16, 1 << 24);
    o->doc = json_load_file("tests/vectors/orbit/vectors.json", 0, NULL);
    CHECK(o->doc != NULL);
}

void orbit_clear(struct orbit *o) {
    json_decref(o->doc);
    arena_clear(&o->arena);
}

static const char *text(const json_t *object, const char *key) {
    const char *s = json_string_value(json_object_get(object, key));
    CHECK(s != NULL);
    return s;
}

bytes orbit_bytes(struct orbit *o, const json_t *object, const char *key) {
    const char *s = text(object, key);
    size_t len = strlen(s);
    uint8_t *p = arena_alloc(&o->arena, len);
    CHECK(hex_decode(p, len, &len, s, len) == ERR_OK);
    return bytes_of(p, len);
}

hash32 orbit_hash(const json_t *object, const char *key) {
    hash32 h;
    CHECK(hex_decode_fixed(h.b, sizeof h.b, text(object, key)) == ERR_OK);
    return h;
}

addr20 orbit_addr(const json_t *object, const char *key) {
    addr20 a;
    CHECK(hex_decode_fixed(a.b, sizeof a.b, text(object, key)) == ERR_OK);
    return a;
}

uint64_t orbit_u64(const json_t *object, const char *key) {
    const json_t *v = json_object_get(object, key);
    if (json_is_integer(v))
        return (uint64_t)json_integer_value(v);
    return strtoull(text(object, key), NULL, 10);
}

u256 orbit_u256(const json_t *object, const char *key) {
    return u256_from_u64(orbit_u64(object, key));
}

const json_t *orbit_delayed(const struct orbit *o, size_t idx) {
    const json_t *m = json_array_get(json_object_get(o->doc, "delayed"), idx);
    CHECK(m != NULL);
    return m;
}

size_t orbit_delayed_count(const struct orbit *o) {
    return json_array_size(json_object_get(o->doc, "delayed"));
}

struct delayed_message orbit_message(struct orbit *o, size_t idx) {
    const json_t *v = orbit_delayed(o, idx);
    return (struct delayed_message){
        .index = orbit_u64(v, "index"),
        .kind = (uint8_t)orbit_u64(v, "kind"),
        .sender = orbit_addr(v, "sender"),
        .l1_block = orbit_u64(v, "blockNumber"),
        .timestamp = orbit_u64(v, "timestamp"),
        .base_fee_l1 = orbit_u256(v, "baseFeeL1"),
        .data = orbit_bytes(o, v, "data"),
    };
}

static hash32 word_u64(uint64_t v) {
    hash32 h = {{0}};
    be64_store(h.b + 24, v);
    return h;
}

struct parent_log orbit_event_log(struct orbit *o, size_t idx) {
    const json_t *v = orbit_delayed(o, idx);
    addr20 inbox = orbit_addr(v, "inbox"), sender = orbit_addr(v, "sender");
    hash32 data_hash = orbit_hash(v, "messageDataHash");
    u256 fee = orbit_u256(v, "baseFeeL1");
    struct buf b;
    buf_init(&b, 1 << 12);
    abi_put_addr(&b, &inbox);
    abi_put_u64(&b, orbit_u64(v, "kind"));
    abi_put_addr(&b, &sender);
    abi_put_hash(&b, &data_hash);
    abi_put_u256(&b, &fee);
    abi_put_u64(&b, orbit_u64(v, "timestamp"));
    struct parent_log l = {
        .topics = {abi_topic(ABI_EVENT_MESSAGE_DELIVERED), word_u64(idx),
                   orbit_hash(v, "beforeAcc")},
        .topic_count = 3,
        .data = arena_copy(&o->arena, buf_bytes(&b)),
        .block_num = orbit_u64(v, "blockNumber"),
    };
    buf_clear(&b);
    return l;
}

struct parent_log orbit_content_log(struct orbit *o, size_t idx) {
    const json_t *v = orbit_delayed(o, idx);
    struct buf b;
    buf_init(&b, 1 << 16);
    abi_put_u64(&b, ABI_WORD_BYTES);
    abi_put_bytes(&b, orbit_bytes(o, v, "data"));
    struct parent_log l = {
        .address = orbit_addr(v, "inbox"),
        .topics = {abi_topic(ABI_EVENT_INBOX_MESSAGE), word_u64(idx)},
        .topic_count = 2,
        .data = arena_copy(&o->arena, buf_bytes(&b)),
        .block_num = orbit_u64(v, "blockNumber"),
    };
    buf_clear(&b);
    return l;
}
