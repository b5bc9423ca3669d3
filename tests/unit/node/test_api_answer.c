/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: answers are printed as lines and tables that line up, times in UTC, nothing that a terminal
 * would obey. */
#include "node/api_answer.h"

#include <criterion/criterion.h>

static void expect(struct buf *out, const char *want) {
    buf_append_byte(out, 0);
    cr_assert_not(out->overflow);
    cr_expect_str_eq((const char *)out->ptr, want);
    buf_reset(out);
}

static json_t *parse(const char *text) {
    json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
    cr_assert_not_null(v, "%s", text);
    return v;
}

Test(api_answer, values) {
    static const struct {
        const char *name, *json, *want;
    } cases[] = {
        {"x", "\"text\"", "text"},
        {"x", "1", "1"},
        {"x", "true", "true"},
        {"x", "[\"a\",\"b\"]", "a,b"},
        {"x", "[]", ""},
        {"x", "[1,\"a\"]", "[1,\"a\"]"},
        {"x", "{\"a\":[]}", "{\"a\":[]}"},
        {"x", "null", "null"},
        {"createdAt", "1795355861", "2026-11-22T13:57:41Z"},
        {"createdAt", "1795355861999", "2026-11-22T13:57:41Z"},
        {"createdAt", "0", "-"},
        {"createdAt", "\"soon\"", "soon"},
        {"At", "1795355861", "1795355861"},
        {"createdAt", "9223372036854775807", "292278994-08-17T07:12:55Z"},
        {"createdAt", "-1", "1969-12-31T23:59:59Z"},
        {"x", "\"a\\u001b[31mb\\u0007\\u009bc\\u007f\\n\"", "a?[31mb??c??"},
        {"x", "[\"a\\u001b\"]", "a?"},
        {"x", "\"\\u00e4\\u20ac\"", "\xc3\xa4\xe2\x82\xac"},
    };
    struct buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *v = parse(cases[i].json);
        api_answer_value(&out, cases[i].name, v);
        expect(&out, cases[i].want);
        json_decref(v);
    }
    buf_clear(&out);
}

Test(api_answer, objects) {
    struct buf out;
    buf_init(&out, 4096);
    json_t *v = parse("{\"id\":1,\"empty\":\"\",\"policy\":{\"active\":true,\"deep\":{\"er\":[1]}},"
                      "\"b\\u001b\":2}");
    api_answer_object(&out, v);
    expect(&out, "id             1\n"
                 "empty          -\n"
                 "policy.active  true\n"
                 "policy.deep    {\"er\":[1]}\n"
                 "b?             2\n");
    json_decref(v);
    v = parse("{}");
    api_answer_object(&out, v);
    expect(&out, "");
    json_decref(v);
    v = parse("[1]");
    api_answer_object(&out, v);
    expect(&out, "");
    json_decref(v);
    api_answer_object(&out, NULL);
    expect(&out, "");
    buf_clear(&out);
}

Test(api_answer, tables) {
    struct buf out;
    buf_init(&out, 4096);
    json_t *v =
        parse("[{\"id\":\"1\",\"label\":\"\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\",\"x\":2},"
              "{\"id\":\"22222\"},7]");
    api_answer_table(&out, v, "id label x");
    expect(&out, "id     label   x\n"
                 "1      \xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4  2\n"
                 "22222  -       -\n"
                 "-      -       -\n");
    json_decref(v);
    api_answer_table(&out, NULL, "id label");
    expect(&out, "id  label\n");
    buf_clear(&out);
}
