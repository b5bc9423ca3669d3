/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what is written is JSON, whatever the values. */
#include "rpc/json_writer.h"

#include <criterion/criterion.h>
#include <jansson.h>

static void expect(struct buf *b, const char *want) {
    buf_append_byte(b, 0);
    cr_expect_str_eq((const char *)b->ptr, want);
    buf_reset(b);
}

Test(json_writer, structure) {
    struct buf b;
    struct json_writer w;
    buf_init(&b, 4096);
    jw_init(&w, &b);
    jw_object(&w);
    jw_m_u64(&w, "a", 0);
    jw_m_text(&w, "b", "x");
    jw_key(&w, "c");
    jw_array(&w);
    jw_int(&w, -5);
    jw_null(&w);
    jw_object(&w);
    jw_object_end(&w);
    jw_bool(&w, true);
    jw_array_end(&w);
    u256 big = u256_from_u64(255);
    jw_m_u256(&w, "d", &big);
    jw_m_data(&w, "e", bytes_of("\x01\xff", 2));
    jw_m_null(&w, "f");
    jw_object_end(&w);
    expect(&b, "{\"a\":\"0x0\",\"b\":\"x\",\"c\":[-5,null,{},true],\"d\":\"0xff\",\"e\":\"0x01ff\","
               "\"f\":null}");
    buf_clear(&b);
}

Test(json_writer, strings) {
    struct buf b;
    struct json_writer w;
    buf_init(&b, 4096);
    jw_init(&w, &b);
    jw_text(&w, "a\"b\\c\nd\x01");
    expect(&b, "\"a\\\"b\\\\c\\u000ad\\u0001\"");
    jw_init(&w, &b);
    jw_text(&w, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"); /* two, three and four bytes */
    expect(&b, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
    /* A cut sequence, a stray byte, an overlong one, a surrogate, a value above U+10FFFF. */
    jw_init(&w, &b);
    jw_text(&w, "\xc3|\x80|\xc0\xaf|\xed\xa0\x80|\xf5\x80\x80\x80");
    buf_append_byte(&b, 0);
    json_t *v = json_loads((const char *)b.ptr, JSON_DECODE_ANY, NULL);
    cr_assert_not_null(v);
    cr_expect_not_null(strstr((const char *)b.ptr, "\\ufffd|\\ufffd|"));
    json_decref(v);
    buf_clear(&b);
}

Test(json_writer, every_byte_pair_parses) {
    for (unsigned i = 0; i < 65536; i++) {
        char s[2] = {(char)(i >> 8), (char)i};
        struct buf b;
        struct json_writer w;
        buf_init(&b, 64);
        jw_init(&w, &b);
        jw_str(&w, s, 2);
        json_t *v = json_loadb((const char *)b.ptr, b.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        cr_assert_not_null(v, "%04x", i);
        json_decref(v);
        buf_clear(&b);
    }
}

Test(json_writer, stops_at_the_maximum) {
    struct buf b;
    struct json_writer w;
    buf_init(&b, 20);
    jw_init(&w, &b);
    jw_array(&w);
    for (int i = 0; i < 100; i++)
        jw_u64(&w, 1000);
    jw_array_end(&w);
    cr_expect(b.overflow);
    cr_expect_leq(b.len, 20);
    buf_clear(&b);
}
