/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a request goes out as it was asked for, with its headers and its body or none; answers of
 * any status come back whole; each way to get none is told apart, also whether the server may have
 * the request; nothing repeats a secret. */
#include "bridge/http_client.h"

#include "tests/lib/http_answers.h"

#include <criterion/criterion.h>

static struct http_client *client(const char *const *headers, size_t max, const atomic_bool *stop) {
    struct http_client *c = NULL;
    struct err_ctx ec = {.text = ""};
    struct http_client_config config = {.connect_timeout_ms = 2000,
                                        .request_timeout_ms = 20000,
                                        .reply_max_bytes = max,
                                        .headers = headers,
                                        .stop = stop};
    cr_assert_eq(http_client_new(&c, &config, &ec), ERR_OK, "%s", ec.text);
    return c;
}

static void url_of(char out[128], const struct http_answers *s, const char *path) {
    snprintf(out, 128, "%s%s", s->url, path);
}

Test(http_client, urls) {
    char longest[HTTP_CLIENT_URL_MAX_BYTES + 2];
    memset(longest, 'a', sizeof(longest));
    memcpy(longest, "http://", 7);
    longest[sizeof(longest) - 1] = '\0';
    cr_expect_not(http_client_url_ok(longest));
    longest[sizeof(longest) - 2] = '\0';
    cr_expect(http_client_url_ok(longest));
    cr_expect(http_client_url_ok("https://a"));
    cr_expect_not(http_client_url_ok("ftp://a"));
    cr_expect_not(http_client_url_ok("file:///etc/passwd"));
    cr_expect_not(http_client_url_ok(NULL));
}

Test(http_client, asks_and_answers) {
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 3\r\n\r\nno!", NULL};
    static const char *const headers[] = {"X-One: 1", "Authorization: Bearer sesame", NULL};
    static struct http_answers s;
    struct http_reply reply;
    char url[128];
    http_answers_start(&s, answers);
    url_of(url, &s, "/v1/x?a=1");
    struct http_client *c = client(headers, 100, NULL);
    static const struct {
        const char *verb, *body;
        uint64_t status, retry_after_s;
        const char *answer;
    } cases[] = {{"GET", NULL, 200, 0, "hello"},
                 {"PUT", "{\"a\":1}", 201, 0, "{}"},
                 {"DELETE", NULL, 302, 0, ""},
                 {"POST", "", 503, 7, "no!"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *body = cases[i].body;
        http_client_ask(c, &reply, cases[i].verb, url,
                        body != NULL ? bytes_of(body, strlen(body)) : bytes_of(NULL, 0));
        cr_expect_eq(reply.outcome, HTTP_CLIENT_ANSWERED, "case %zu: %s", i, reply.text);
        cr_expect_eq(reply.status, cases[i].status);
        cr_expect_eq(reply.retry_after_s, cases[i].retry_after_s);
        cr_expect_not(reply.maybe_sent);
        cr_expect_eq(reply.body.len, strlen(cases[i].answer));
        cr_expect_eq(memcmp(reply.body.ptr != NULL ? (const char *)reply.body.ptr : "",
                            cases[i].answer, reply.body.len),
                     0);
        buf_clear(&reply.body);
    }
    http_client_free(c);
    http_answers_stop(&s);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char line[64];
        snprintf(line, sizeof(line), "%s /v1/x?a=1 HTTP/1.1\r\n", cases[i].verb);
        cr_expect_eq(strncmp(s.requests[i], line, strlen(line)), 0, "%s", s.requests[i]);
        cr_expect_not_null(strstr(s.requests[i], "X-One: 1\r\n"));
        cr_expect_not_null(strstr(s.requests[i], "Authorization: Bearer sesame\r\n"));
        cr_expect_null(strstr(s.requests[i], "Expect:"));
        const char *body = strstr(s.requests[i], "\r\n\r\n") + 4;
        cr_expect_str_eq(body, cases[i].body != NULL ? cases[i].body : "");
        cr_expect_eq(strstr(s.requests[i], "Content-Length:") != NULL, cases[i].body != NULL);
    }
}

Test(http_client, no_answer) {
    static const char *const answers[] = {
        "", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\ncut",
        "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world", NULL};
    static const enum http_client_outcome outcomes[] = {HTTP_CLIENT_FAILED, HTTP_CLIENT_FAILED,
                                                        HTTP_CLIENT_TOO_LARGE};
    static struct http_answers s;
    struct http_reply reply;
    char url[128];
    http_answers_start(&s, answers);
    url_of(url, &s, "/sesame");
    struct http_client *c = client(NULL, 10, NULL);
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        http_client_ask(c, &reply, "POST", url, bytes_of("x", 1));
        cr_expect_eq(reply.outcome, outcomes[i], "case %zu", i);
        cr_expect(reply.maybe_sent, "case %zu", i);
        cr_expect_gt(strlen(reply.text), 0);
        cr_expect_null(strstr(reply.text, "sesame"));
        buf_clear(&reply.body);
    }
    http_answers_stop(&s);
    /* Nobody listens there any more. */
    http_client_ask(c, &reply, "POST", url, bytes_of("x", 1));
    cr_expect_eq(reply.outcome, HTTP_CLIENT_FAILED);
    cr_expect_not(reply.maybe_sent);
    cr_expect_null(strstr(reply.text, "sesame"));
    buf_clear(&reply.body);
    http_client_ask(c, &reply, "GET", "file:///etc/hostname", bytes_of(NULL, 0));
    cr_expect_eq(reply.outcome, HTTP_CLIENT_FAILED);
    cr_expect_eq(reply.body.len, 0);
    buf_clear(&reply.body);
    http_client_free(c);
    http_client_free(NULL);
}

Test(http_client, stops_when_told, .timeout = 20) {
    static const char *const answers[] = {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", NULL};
    static struct http_answers s;
    struct http_reply reply;
    atomic_bool stop = true;
    http_answers_start(&s, answers);
    struct http_client *c = client(NULL, 10, &stop);
    http_client_ask(c, &reply, "GET", s.url, bytes_of(NULL, 0));
    cr_expect_eq(reply.outcome, HTTP_CLIENT_STOPPED);
    buf_clear(&reply.body);
    atomic_store(&stop, false);
    http_client_ask(c, &reply, "GET", s.url, bytes_of(NULL, 0));
    buf_clear(&reply.body);
    http_client_free(c);
    http_answers_stop(&s);
}

Test(http_client, the_time_of_a_request_may_change, .timeout = 20) {
    static const char *const never[] = {NULL};
    static struct http_answers s;
    struct http_reply reply;
    http_answers_start(&s, never); /* takes connections and says nothing */
    struct http_client *c = client(NULL, 10, NULL);
    http_client_set_timeout(c, 100);
    http_client_ask(c, &reply, "GET", s.url, bytes_of(NULL, 0));
    cr_expect_eq(reply.outcome, HTTP_CLIENT_FAILED);
    cr_expect(reply.maybe_sent);
    buf_clear(&reply.body);
    http_client_free(c);
    http_answers_stop(&s);
}
