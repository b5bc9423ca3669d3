/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: requests come out of the byte stream whole however it is cut; what two readers could
 * understand differently is refused. */
#include "rpc/http.h"

#include <criterion/criterion.h>

enum { BODY_MAX = 1000 };

/* Feeds `text` in pieces of `step` bytes until a request, an error or the end. */
static enum http_progress feed(struct http_reader *r, const char *text, size_t len, size_t step,
                               size_t *taken, size_t *heads) {
    enum http_progress p = HTTP_NEEDS_MORE;
    *taken = 0;
    while (*taken < len) {
        size_t n = len - *taken < step ? len - *taken : step, consumed = 0;
        p = http_reader_feed(r, bytes_of(text + *taken, n), &consumed);
        *taken += consumed;
        if (p == HTTP_HAS_HEAD && heads != NULL)
            ++*heads;
        if (p == HTTP_HAS_REQUEST || p == HTTP_BROKEN)
            return p;
    }
    return p;
}

static const char two[] = "POST /a?b HTTP/1.1\r\nHost: h:1\r\nContent-Length: 5\r\nContent-Type: "
                          "application/json\r\n\r\nhelloGET / HTTP/1.1\r\nhOsT: x\r\n\r\n";

Test(http, requests_in_any_pieces) {
    for (size_t step = 1; step < sizeof(two); step++) {
        struct http_reader *r = http_reader_new(BODY_MAX);
        size_t taken = 0, more = 0, heads = 0;
        cr_assert_eq(feed(r, two, sizeof(two) - 1, step, &taken, &heads), HTTP_HAS_REQUEST,
                     "step %zu", step);
        const struct http_request *q = http_reader_request(r);
        cr_expect_eq(q->verb, HTTP_VERB_POST);
        cr_expect_eq(q->target.len, 4);
        cr_expect_arr_eq(q->target.ptr, "/a?b", 4);
        cr_expect_arr_eq(q->fields[HTTP_FIELD_HOST].ptr, "h:1", 3);
        cr_expect_eq(q->fields[HTTP_FIELD_CONTENT_TYPE].len, 16);
        cr_expect_null(q->fields[HTTP_FIELD_ORIGIN].ptr);
        cr_expect(q->keep_alive);
        struct buf body;
        http_reader_take_body(r, &body);
        cr_expect_eq(body.len, 5);
        cr_expect_arr_eq(body.ptr, "hello", 5);
        buf_clear(&body);
        http_reader_next(r);
        cr_expect_not(http_reader_in_request(r));
        cr_assert_eq(feed(r, two + taken, sizeof(two) - 1 - taken, step, &more, NULL),
                     HTTP_HAS_REQUEST);
        cr_expect_eq(http_reader_request(r)->verb, HTTP_VERB_GET);
        cr_expect_eq(taken + more, sizeof(two) - 1);
        http_reader_free(r);
    }
}

Test(http, chunked_and_expect) {
    static const char text[] =
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
        "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n";
    for (size_t step = 1; step < 40; step++) {
        struct http_reader *r = http_reader_new(BODY_MAX);
        size_t taken = 0, heads = 0;
        cr_assert_eq(feed(r, text, sizeof(text) - 1, step, &taken, &heads), HTTP_HAS_REQUEST);
        cr_expect(http_reader_request(r)->expects_continue);
        cr_expect_leq(heads, 1);
        if (step < 8) /* in large pieces the body may come with the head */
            cr_expect_eq(heads, 1);
        struct buf body;
        http_reader_take_body(r, &body);
        cr_expect_eq(body.len, 7);
        cr_expect_arr_eq(body.ptr, "abcdefg", 7);
        buf_clear(&body);
        http_reader_free(r);
    }
}

Test(http, keep_alive) {
    static const struct {
        const char *text;
        bool keep;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_reader *r = http_reader_new(BODY_MAX);
        size_t taken = 0;
        cr_assert_eq(feed(r, cases[i].text, strlen(cases[i].text), 1000, &taken, NULL),
                     HTTP_HAS_REQUEST);
        cr_expect_eq(http_reader_request(r)->keep_alive, cases[i].keep, "case %zu", i);
        http_reader_free(r);
    }
}

#define CHUNKED "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

Test(http, refusals) {
    char large[HTTP_HEAD_BYTES_MAX + 200], target[HTTP_TARGET_BYTES_MAX + 200];
    snprintf(large, sizeof(large), "GET / HTTP/1.1\r\nHost: x\r\nA: %0*d\r\n\r\n",
             HTTP_HEAD_BYTES_MAX, 0);
    snprintf(target, sizeof(target), "GET /%0*d HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_TARGET_BYTES_MAX,
             0);
    const struct {
        const char *text;
        int code;
    } cases[] = {
        {"nonsense\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
         "chunked\r\n\r\n",
         501},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x10\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", 413},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nBad Name: y\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n", 400},
        {"GET /\x80 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n folded\r\n\r\n", 400},
        {CHUNKED "5\r\nhelloxx0\r\n\r\n", 400},
        {CHUNKED "5\r\nhello\n0\r\n\r\n", 400},
        {CHUNKED "5\r\nhello!\r\n0\r\n\r\n", 400},
        {CHUNKED "5;a\nhello\r\n0\r\n\r\n", 400},
        {CHUNKED "5;a\001\r\nhello\r\n", 400},
        {CHUNKED "5 5\r\nhello\r\n", 400},
        {CHUNKED "5\n", 400},
        {CHUNKED "5\rx", 400},
        {CHUNKED "0\r\nContent-Length: 5\r\n\r\n", 400},
        {CHUNKED "0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {CHUNKED "0\r\nA: b\r\n folded\r\n\r\n", 400},
        {CHUNKED "0\r\nhost: x\r\n\r\n", 400},
        {CHUNKED "0\r\nA b: c\r\n\r\n", 400},
        {CHUNKED "0\r\n\n", 400},
        {CHUNKED "ffffffffffffffffff\r\n", 400},
        {CHUNKED "3e9\r\n", 413},
        {"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \r\n\r\n", 400},
        {"GET / HTTP/1.1\nHost: x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nA: b\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\n\rx", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\n\n", 400},
        {large, 431},
        {target, 414},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t step = 1; step < 100; step += 7) {
            struct http_reader *r = http_reader_new(BODY_MAX);
            size_t taken = 0, len = strlen(cases[i].text);
            enum http_progress p = feed(r, cases[i].text, len, step, &taken, NULL);
            cr_assert_eq(p, HTTP_BROKEN, "case %zu step %zu: %d", i, step, (int)p);
            cr_expect_eq(http_reader_error_code(r), cases[i].code, "case %zu: %d, want %d", i,
                         http_reader_error_code(r), cases[i].code);
            cr_expect_gt(strlen(http_reader_error_text(r)), 0);
            http_reader_free(r);
        }
    }
}

/* However long the trailers are, what the head said stays readable. */
Test(http, trailers_are_dropped) {
    static char text[12000];
    int len = snprintf(text, sizeof(text),
                       "POST /path HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "5;q=\"a b\"\r\nhello\r\n0\r\nOrigin: %04000d\r\nHos: %04000d\r\n\r\nGET",
                       1, 2);
    for (size_t step = 1; step < (size_t)len; step += step < 20 ? 1 : 997) {
        struct http_reader *r = http_reader_new(BODY_MAX);
        size_t taken = 0;
        cr_assert_eq(feed(r, text, (size_t)len, step, &taken, NULL), HTTP_HAS_REQUEST);
        cr_expect_eq(taken, (size_t)len - 3);
        const struct http_request *q = http_reader_request(r);
        cr_assert_eq(q->target.len, 5);
        cr_expect_arr_eq(q->target.ptr, "/path", 5);
        cr_expect_eq(q->fields[HTTP_FIELD_HOST].len, 1);
        cr_expect_arr_eq(q->fields[HTTP_FIELD_HOST].ptr, "h", 1);
        cr_expect_null(q->fields[HTTP_FIELD_ORIGIN].ptr);
        struct buf body;
        http_reader_take_body(r, &body);
        cr_expect_eq(body.len, 5);
        buf_clear(&body);
        http_reader_next(r);
        http_reader_free(r);
    }
}

Test(http, a_chunked_body_is_bounded) {
    struct http_reader *r = http_reader_new(BODY_MAX);
    static const char head[] = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    size_t taken = 0;
    enum http_progress p = feed(r, head, sizeof(head) - 1, 1000, &taken, NULL);
    for (int i = 0; i < 200 && p != HTTP_BROKEN; i++)
        p = feed(r, "a\r\n0123456789\r\n", 15, 100, &taken, NULL);
    cr_assert_eq(p, HTTP_BROKEN);
    cr_expect_eq(http_reader_error_code(r), 413);
    http_reader_free(r);
}

/* One after the other from one buffer, as a client that pipelines sends them. */
static void take(struct http_reader *r, const char *text, size_t *at, const char *want_body,
                 uint32_t want_head) {
    size_t consumed = 0, len = strlen(text);
    struct buf body;
    cr_assert_eq(http_reader_feed(r, bytes_of(text + *at, len - *at), &consumed), HTTP_HAS_REQUEST,
                 "%s", text + *at);
    cr_expect_eq(http_reader_head(r), want_head, "%u at %s", http_reader_head(r), text + *at);
    bytes b = http_reader_body(r);
    cr_expect(b.len == strlen(want_body) && memcmp(b.ptr, want_body, b.len) == 0);
    http_reader_take_body(r, &body);
    cr_expect(body.len == strlen(want_body) && memcmp(body.ptr, want_body, body.len) == 0);
    buf_clear(&body);
    const struct http_request *q = http_reader_request(r);
    cr_expect_eq(q->fields[HTTP_FIELD_HOST].len, 1);
    cr_expect_eq(q->fields[HTTP_FIELD_HOST].ptr[0], 'h');
    cr_expect_eq(q->target.len, 1);
    http_reader_next(r);
    cr_expect_not(http_reader_in_request(r));
    *at += consumed;
}

#define HEAD(length) "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " length "\r\nA: b\r\n\r\n"

Test(http, equal_heads_are_known) {
    static const char text[] = HEAD("2") "ab" HEAD("3") "abc" HEAD("10") "0123456789" HEAD(
        "2") "xy"
             "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nA: c\r\n\r\nz" HEAD("1") "w" HEAD(
                 "1") "v";
    struct http_reader *r = http_reader_new(BODY_MAX);
    size_t at = 0;
    take(r, text, &at, "ab", 1);
    take(r, text, &at, "abc", 1);
    take(r, text, &at, "0123456789", 1);
    take(r, text, &at, "xy", 1);
    take(r, text, &at, "z", 2);
    take(r, text, &at, "w", 3);
    take(r, text, &at, "v", 3);
    cr_expect_eq(at, sizeof(text) - 1);
    http_reader_free(r);
}

/* What looks like the known head but for its length is judged like any other. */
Test(http, known_heads_forgive_nothing) {
    static const struct {
        const char *second;
        int code;
    } cases[] = {
        {HEAD("1001") "a", 413},
        {HEAD("99999999999999999999") "a", 400},
        {HEAD("") "a", 400},
        {HEAD("-1") "a", 400},
        {HEAD("1, 1") "a", 400},
        {HEAD("0x1") "a", 400},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\nA: b\r\n\r\na", 400},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\nA: b\r\n\r\na",
         400},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na",
         400},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_reader *r = http_reader_new(BODY_MAX);
        size_t at = 0, taken = 0;
        take(r, HEAD("2") "ab", &at, "ab", 1);
        cr_expect_eq(feed(r, cases[i].second, strlen(cases[i].second), 4096, &taken, NULL),
                     HTTP_BROKEN, "case %zu", i);
        cr_expect_eq(http_reader_error_code(r), cases[i].code, "case %zu: %d", i,
                     http_reader_error_code(r));
        http_reader_free(r);
    }
}

/* A request that is not here as a whole is read in pieces, and in the end known none the less. */
Test(http, known_heads_in_pieces) {
    for (size_t step = 1; step < 80; step++) {
        struct http_reader *r = http_reader_new(BODY_MAX);
        size_t at = 0, taken = 0;
        struct buf body;
        take(r, HEAD("2") "ab", &at, "ab", 1);
        cr_assert_eq(feed(r, HEAD("4") "body", strlen(HEAD("4") "body"), step, &taken, NULL),
                     HTTP_HAS_REQUEST, "step %zu", step);
        http_reader_take_body(r, &body);
        cr_expect(body.len == 4 && memcmp(body.ptr, "body", 4) == 0, "step %zu", step);
        buf_clear(&body);
        http_reader_next(r);
        at = 0;
        take(r, HEAD("2") "ab", &at, "ab", 1);
        http_reader_free(r);
    }
}
