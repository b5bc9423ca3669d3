/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what the scanner takes, the JSON library reads the same way; and it takes what clients
 * send. Method: requests put together from parts, good and bad, and then damaged at random; the
 * library is the oracle. */
#include "rpc/scan.h"

#include "base/buf.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>

enum { TEXT_MAX = 512, DAMAGED = 200000 };

static bool is_text(const json_t *v, bytes t) {
    return json_is_string(v) && json_string_length(v) == t.len &&
           memcmp(json_string_value(v), t.ptr, t.len) == 0;
}

/* The same values as the library's array has. */
static void same_list(const json_t *v, bytes list, const char *text) {
    struct rpc_scan_item item;
    size_t count = 0;
    cr_assert(json_is_array(v), "%s", text);
    for (; rpc_scan_item(&item, &list); count++) {
        const json_t *e = json_array_get(v, count);
        cr_assert_not_null(e, "%s", text);
        if (item.kind == RPC_SCAN_LIST)
            same_list(e, item.text, text);
        else if (item.kind == RPC_SCAN_NULL)
            cr_assert(json_is_null(e), "%s", text);
        else
            cr_assert(is_text(e, item.text), "%s", text);
    }
    cr_assert_eq(count, json_array_size(v), "%s", text);
}

/* Whether the scanner takes the text; what it takes is compared. */
static bool scan(const char *text, size_t len) {
    struct rpc_scan s;
    json_error_t error;
    /* At the end of its memory: reading on would be seen under AddressSanitizer. */
    char *exact = malloc(len + 1);
    memcpy(exact, text, len);
    exact[len] = '\0';
    bool ok = rpc_scan_request(&s, bytes_of(exact, len));
    json_t *v = json_loadb(exact, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (ok) {
        cr_assert_not_null(v, "%s: %.*s", error.text, (int)len, text);
        json_t *id = json_object_get(v, "id"), *params = json_object_get(v, "params");
        json_t *version = json_object_get(v, "jsonrpc");
        char *shown = json_dumps(id, JSON_ENCODE_ANY | JSON_COMPACT);
        cr_assert_not_null(shown, "%.*s", (int)len, text);
        cr_assert(strlen(shown) == s.id.len && memcmp(shown, s.id.ptr, s.id.len) == 0,
                  "id %s of %.*s", shown, (int)len, text);
        free(shown);
        cr_assert(json_is_string(id) || json_is_integer(id));
        cr_assert(is_text(json_object_get(v, "method"), s.method), "%.*s", (int)len, text);
        cr_assert(version == NULL || is_text(version, bytes_of("2.0", 3)));
        cr_assert(params == NULL || json_is_array(params));
        cr_assert_eq(json_array_size(params), s.arg_count, "%.*s", (int)len, text);
        json_t *o = s.has_object ? json_array_get(params, 0) : NULL;
        cr_assert(!s.has_object || (json_is_object(o) && s.args[0].ptr == NULL));
        cr_assert_eq(json_object_size(o), s.has_object ? s.member_count : 0);
        for (size_t i = 0; s.has_object && i < s.member_count; i++) {
            bytes key = s.members[i].key;
            const json_t *member = json_object_getn(o, (const char *)key.ptr, key.len);
            if (s.members[i].is_list)
                same_list(member, s.members[i].value, exact);
            else
                cr_assert(is_text(member, s.members[i].value), "%.*s", (int)len, text);
        }
        for (size_t i = s.has_object; i < s.arg_count; i++)
            cr_assert(is_text(json_array_get(params, i), s.args[i]), "%.*s", (int)len, text);
        size_t members = 2u + (version != NULL) + (params != NULL);
        cr_assert_eq(json_object_size(v), members, "%.*s", (int)len, text);
        cr_assert_not(s.unfit);
    }
    json_decref(v);
    free(exact);
    return ok;
}

static bool scan_text(const char *text) {
    return scan(text, strlen(text));
}

/* The same of a body, request by request: 0 for unusual, else requests and one. */
static size_t scan_body(const char *text, size_t len) {
    struct rpc_scan_body b;
    struct rpc_scan s;
    json_error_t error;
    size_t count = 0;
    char *exact = malloc(len + 1);
    memcpy(exact, text, len);
    rpc_scan_begin(&b, bytes_of(exact, len));
    enum rpc_scan_step step = rpc_scan_next(&b, &s);
    json_t *v = json_loadb(exact, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    for (; step == RPC_SCAN_REQUEST; step = rpc_scan_next(&b, &s)) {
        json_t *o = b.is_batch ? json_array_get(v, count) : v;
        cr_assert(v == NULL || is_text(json_object_get(o, "method"), s.method), "%.*s", (int)len,
                  text);
        count++;
    }
    if (step == RPC_SCAN_END) {
        cr_assert_not_null(v, "%s: %.*s", error.text, (int)len, text);
        cr_assert_eq(json_is_array(v), b.is_batch);
        cr_assert_eq(b.is_batch ? json_array_size(v) : 1, count, "%.*s", (int)len, text);
    }
    json_decref(v);
    free(exact);
    return step == RPC_SCAN_END ? count + 1 : 0;
}

Test(scan, takes_what_clients_send) {
    static const char *const texts[] = {
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_getBalance\",\"params\":[\"0xab\","
         "\"latest\"]}"),
        "{\"method\":\"eth_chainId\",\"params\":[],\"id\":42,\"jsonrpc\":\"2.0\"}",
        "{\"jsonrpc\": \"2.0\", \"method\": \"eth_blockNumber\", \"params\": [], \"id\": 0}",
        " {\n\t\"id\" : \"a-b\" ,\r\"method\":\"x\" } \n",
        "{\"id\":999999999999999,\"method\":\"\"}",
        "{\"id\":1,\"method\":\"m\",\"params\":[\"1\",\"2\",\"3\",\"4\"]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[{}]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[ {\"to\" : \"0x1\" , \"data\":\"\"} , \"latest\"]}",
        ("{\"id\":1,\"method\":\"eth_getLogs\",\"params\":[{\"fromBlock\":\"0x1\",\"address\":"
         "\"0xab\","
         "\"topics\":[\"0x1\",null,[\"0x2\" , null ,\"0x3\"],[ ]]}]}"),
        "{\"id\":1,\"method\":\"m\",\"params\":[{\"a\":[],\"b\":[ ],\"c\":[[]],\"d\":[null]}]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        cr_expect(scan_text(texts[i]), "%s", texts[i]);
}

Test(scan, leaves_the_rest) {
    static const char *const texts[] = {
        "",
        " ",
        "{",
        "{}",
        "[]",
        "{\"id\":1}",
        "{\"method\":\"m\"}",
        "{\"id\":null,\"method\":\"m\"}",
        "{\"id\":01,\"method\":\"m\"}",
        "{\"id\":-1,\"method\":\"m\"}",
        "{\"id\":1.0,\"method\":\"m\"}",
        "{\"id\":1e3,\"method\":\"m\"}",
        "{\"id\":1000000000000000,\"method\":\"m\"}",
        "{\"id\":1,\"method\":\"m\",}",
        "{\"id\":1,\"method\":\"m\"}x",
        "{\"id\":1,\"method\":\"m\"",
        "{\"id\":1,\"id\":1,\"method\":\"m\"}",
        "{\"id\":1,\"method\":\"m\",\"method\":\"m\"}",
        "{\"id\":1,\"method\":\"m\",\"params\":[],\"params\":[]}",
        "{\"jsonrpc\":\"2.0\",\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}",
        "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"m\"}",
        "{\"jsonrpc\":2,\"id\":1,\"method\":\"m\"}",
        "{\"id\":1,\"method\":\"m\",\"more\":1}",
        "{\"id\":1,\"method\":\"\\u006d\"}",
        "{\"id\":1,\"method\":\"\xc3\xa4\"}",
        "{\"id\":1,\"method\":\"m\",\"params\":{}}",
        "{\"id\":1,\"method\":\"m\",\"params\":null}",
        "{\"id\":1,\"method\":\"m\",\"params\":[true]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[\"a\",]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[\"a\" \"b\"]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[\"1\",\"2\",\"3\",\"4\",\"5\"]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[[\"a\"]]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[{\"a\":\"b\",\"a\":\"b\"}]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[{\"a\":\"b\",}]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[{\"a\":1}]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[{\"a\":[1]}]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[{\"a\":[[[\"b\"]]]}]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[{\"a\":[\"b\",]}]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[{\"a\":[\"b\" null]}]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[{\"a\":[nul]}]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[{\"a\":[\"b\"}]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[{\"a\":[[\"b\"}]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[{\"a\":{}}]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[{\"a\"}]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[\"a\",{}]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[{},{}]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[{},]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[{},\"2\",\"3\",\"4\",\"5\"]}",
        "{\"id\":1,\"method\":\"m\",\"params\":[{\"1\":\"\",\"2\":\"\",\"3\":\"\",\"4\":\"\",\"5\":"
        "\"\",\"6\":\"\","
        "\"7\":\"\",\"8\":\"\",\"9\":\"\"}]}",
        "{\"id\":1 \"method\":\"m\"}",
        "{\"id\" 1,\"method\":\"m\"}",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        cr_expect_not(scan_text(texts[i]), "%s", texts[i]);
    cr_expect_not(scan("{\"id\":1,\"method\":\"\0\"}", 22));
}

Test(scan, bodies_request_by_request) {
#define ONE "{\"id\":1,\"method\":\"m\"}"
    static const struct {
        const char *text;
        size_t count; /* none: unusual */
    } cases[] = {
        {ONE, 1},
        {" " ONE "\n", 1},
        {"[" ONE "]", 1},
        {"[" ONE "," ONE "]", 2},
        {" [ " ONE " , " ONE "\t]\r\n", 2},
        {"", 0},
        {"[", 0},
        {"[]", 0},
        {"[" ONE, 0},
        {"[" ONE ",]", 0},
        {"[," ONE "]", 0},
        {"[" ONE ONE "]", 0},
        {ONE "]", 0},
        {ONE "," ONE, 0},
        {"[" ONE "]]", 0},
        {"[[" ONE "]]", 0},
        {"[" ONE "] x", 0},
        {"[" ONE ",{}]", 0},
        {"[" ONE ",1]", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t got = scan_body(cases[i].text, strlen(cases[i].text));
        cr_expect_eq(got, cases[i].count == 0 ? 0 : cases[i].count + 1, "%s", cases[i].text);
    }
}

/* Characters that end a text, at every place of groups of 16 and of what is left behind them. */
Test(scan, characters_at_every_place) {
    for (size_t len = 1; len <= 70; len++) {
        for (size_t at = 0; at < len; at++) {
            for (unsigned ch = 0; ch < 256; ch++) {
                char text[128];
                struct rpc_scan s;
                size_t n = (size_t)snprintf(text, sizeof(text), "{\"id\":1,\"method\":\"");
                memset(text + n, 'a', len);
                text[n + at] = (char)ch;
                memcpy(text + n + len, "\"}", 2);
                bool want = ch >= 0x20 && ch < 0x7f && ch != '"' && ch != '\\';
                bool got = rpc_scan_request(&s, bytes_of(text, n + len + 2));
                cr_assert_eq(got, want, "%u at %zu of %zu", ch, at, len);
                cr_assert(!got || s.method.len == len);
            }
        }
    }
}

static uint64_t next(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static const char *pick(uint64_t *state, const char *const *of, size_t count) {
    return of[next(state) % count];
}

static size_t make(char out[TEXT_MAX], uint64_t *r) {
    static const char *const members[] = {"\"jsonrpc\":\"2.0\"",
                                          "\"jsonrpc\" : \"2.0\"",
                                          "\"id\":7",
                                          "\"id\":\"x y\"",
                                          "\"id\":12345678901234",
                                          "\"id\":0",
                                          "\"method\":\"eth_x\"",
                                          "\"method\": \"\"",
                                          "\"params\":[]",
                                          "\"params\":[\"0x1\"]",
                                          "\"params\":[\"a\", \"b\"]",
                                          "\"params\" :[ \"\" ,\"~ /\"]",
                                          "\"id\":1.5",
                                          "\"params\":[1]",
                                          "\"params\":[{\"to\":\"0x1\",\"a\":\"\"},\"b\"]",
                                          "\"params\":[ { \"a\" :\"b\" } ]",
                                          "\"other\":\"\""};
    static const char *const gaps[] = {"", "", "", " ", "\n", "\r\n\t"};
    size_t count = 2 + next(r) % 4, len = 0;
    len += (size_t)snprintf(out, TEXT_MAX, "%s{", pick(r, gaps, ARRAY_LEN(gaps)));
    for (size_t i = 0; i < count; i++)
        len +=
            (size_t)snprintf(out + len, TEXT_MAX - len, "%s%s%s", i > 0 ? "," : "",
                             pick(r, members, ARRAY_LEN(members)), pick(r, gaps, ARRAY_LEN(gaps)));
    return len + (size_t)snprintf(out + len, TEXT_MAX - len, "}%s", pick(r, gaps, ARRAY_LEN(gaps)));
}

Test(scan, agrees_with_the_library, .timeout = 120) {
    static const char bytes_in[] = "{}[]:,\"\\ \n0e-.\x7f\x80\x01\0";
    const char *seed = getenv("SEED");
    uint64_t r = seed != NULL ? strtoull(seed, NULL, 10) : 1;
    size_t taken = 0, taken_damaged = 0;
    for (size_t i = 0; i < DAMAGED; i++) {
        char text[TEXT_MAX + 1];
        size_t len = make(text, &r);
        taken += scan(text, len);
        char batch[2 * TEXT_MAX + 4];
        size_t both = (size_t)snprintf(batch, sizeof(batch), "[%s,%s]", text, text);
        cr_assert_eq(scan_body(batch, both), scan(text, len) ? 3 : 0, "%s", batch);
        scan_body(batch, both - next(&r) % both);
        for (size_t n = 1 + next(&r) % 2; n > 0 && len > 0; n--) {
            size_t at = next(&r) % len;
            char c = bytes_in[next(&r) % (sizeof(bytes_in) - 1)];
            switch (next(&r) % 3) {
            case 0:
                text[at] = c;
                break;
            case 1:
                memmove(text + at, text + at + 1, --len - at);
                break;
            default:
                memmove(text + at + 1, text + at, len++ - at);
                text[at] = c;
                break;
            }
        }
        taken_damaged += scan(text, len);
        scan_body(text, len);
    }
    cr_expect_gt(taken, DAMAGED / 50, "%zu of %d", taken, DAMAGED);
    cr_expect_gt(taken_damaged, DAMAGED / 500, "%zu of %d", taken_damaged, DAMAGED);
}
