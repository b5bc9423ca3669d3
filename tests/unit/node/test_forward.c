/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what goes out, that answers come back unchanged and to the right one, what happens when an
 * endpoint has none, limits, loops, and the end. */
#include "node/forward.h"

#include "base/arena.h"
#include "base/hex.h"
#include "chain/tx.h"
#include "rpc/call.h"
#include "tests/lib/http_answers.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>

enum { TXS = 4 };
#define REPLY(text) "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" text
#define RESULT(id, text) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" text "}"
#define ERROR(id, text) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{" text "}}"

struct fixture {
    struct arena arena;
    struct tx txs[TXS];
    struct forward *forward;
    struct node_commands node;
    pthread_mutex_t lock;
    pthread_cond_t come;
    struct submit_result results[TXS];
    size_t count;
};

static struct pool_tx *read_tx(void *ctx, bytes envelope, struct submit_result *out) {
    struct err_ctx ec;
    struct pool_tx *t = NULL;
    (void)ctx;
    if (pool_tx_new(&t, envelope, &ec) == ERR_OK)
        return t;
    *out = (struct submit_result){.status = SUBMIT_REFUSED, .code = -32000, .text = "no form"};
    return NULL;
}

static void on_done(void *ctx, uint64_t token, const struct submit_result *r) {
    struct fixture *f = ctx;
    pthread_mutex_lock(&f->lock);
    cr_assert_lt(token, TXS);
    cr_assert_eq(f->results[token].code + (f->results[token].reply != NULL), 0, "a second answer");
    f->results[token] = *r;
    f->count++;
    pthread_cond_signal(&f->come);
    pthread_mutex_unlock(&f->lock);
}

static struct fixture *fixture_new(const char *urls, size_t max, uint32_t timeout_ms) {
    struct fixture *f = calloc(1, sizeof(*f));
    struct err_ctx ec = {.text = ""};
    uint8_t key[32] = {[31] = 1};
    cr_assert_not_null(f);
    arena_init(&f->arena, 4096, 1 << 20);
    for (size_t i = 0; i < TXS; i++) {
        f->txs[i] = (struct tx){.type = TX_DYNAMIC_FEE,
                                .has_chain_id = true,
                                .chain_id = 1,
                                .nonce = i,
                                .gas_limit = 21000};
        cr_assert_eq(tx_sign(&f->txs[i], &f->arena, key), ERR_OK);
        cr_assert_eq(tx_recover_sender(&f->txs[i]), ERR_OK);
    }
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->come, NULL);
    struct forward_options o = {.urls = urls,
                                .connections = 1,
                                .max = max,
                                .timeout_ms = timeout_ms,
                                .reply_bytes_max = 4096,
                                .clock = clock_posix(),
                                .read = read_tx};
    cr_assert_eq(forward_start(&f->forward, &o, &ec), ERR_OK, "%s", ec.text);
    forward_commands(f->forward, &f->node);
    return f;
}

static void fixture_free(struct fixture *f) {
    forward_stop(f->forward);
    forward_free(f->forward);
    for (size_t i = 0; i < TXS; i++)
        json_decref(f->results[i].reply);
    arena_clear(&f->arena);
    free(f);
}

/* `n` of them from the `from`-th on, as one body; those in `sync` (bits) want receipts. */
static void send_txs(struct fixture *f, size_t from, size_t n, unsigned sync, const char *slug) {
    struct forward_tx txs[TXS];
    for (size_t i = 0; i < n; i++)
        txs[i] = (struct forward_tx){.envelope = f->txs[from + i].raw,
                                     .wants_receipt = (sync >> i & 1) != 0,
                                     .timeout_ms = (sync >> i & 1) != 0 ? 1500 : 0,
                                     .token = from + i};
    struct forward_txs t = {.txs = txs, .count = n, .slug = slug};
    f->node.forward(f->node.forwarder, &t, on_done, f);
}

static void wait_for(struct fixture *f, size_t count) {
    pthread_mutex_lock(&f->lock);
    while (f->count < count)
        pthread_cond_wait(&f->come, &f->lock);
    pthread_mutex_unlock(&f->lock);
}

/* The reply's "result" or "error" of the `idx`-th, as JSON; freed by the caller. */
static char *reply_of(const struct fixture *f, size_t idx) {
    const struct submit_result *r = &f->results[idx];
    cr_assert_eq(r->status, SUBMIT_FORWARDED, "%s", r->text);
    cr_expect_arr_eq(r->hash.b, f->txs[idx].hash.b, 32);
    const json_t *error = json_object_get(r->reply, "error");
    return json_dumps(error != NULL ? error : json_object_get(r->reply, "result"),
                      JSON_COMPACT | JSON_ENCODE_ANY);
}

static void expect_reply(const struct fixture *f, size_t idx, const char *want) {
    char *text = reply_of(f, idx);
    cr_expect_str_eq(text, want);
    free(text);
}

static void expect_refused(const struct fixture *f, size_t idx, int code, const char *part) {
    const struct submit_result *r = &f->results[idx];
    cr_expect_eq(r->status, SUBMIT_REFUSED);
    cr_expect_eq(r->code, code);
    cr_expect_not_null(strstr(r->text, part), "%s", r->text);
    cr_expect_null(r->reply);
}

Test(forward, answers_are_the_endpoints_own, .timeout = 60) {
    static const char *const answers[] = {
        REPLY(RESULT("0", "\"0x12\"")),
        REPLY(ERROR("0", "\"code\":-32003,\"message\":\"no \\\"way\\\"\",\"data\":{\"a\":[1]}")),
        "HTTP/1.1 429 No\r\nConnection: close\r\n\r\n" ERROR(
            "null", "\"code\":-32005,\"message\":\"too many\""),
        NULL};
    static struct http_answers s;
    char want[512], hex[300] = "";
    struct buf seen;
    addr20 sender;
    http_answers_start(&s, answers);
    struct fixture *f = fixture_new(s.url, 10, 5000);
    send_txs(f, 0, 1, 0, "");
    wait_for(f, 1);
    send_txs(f, 1, 1, 1, "arena");
    wait_for(f, 2);
    send_txs(f, 2, 1, 0, "");
    wait_for(f, 3);
    http_answers_stop(&s);
    expect_reply(f, 0, "\"0x12\"");
    expect_reply(f, 1, "{\"code\":-32003,\"message\":\"no \\\"way\\\"\",\"data\":{\"a\":[1]}}");
    expect_reply(f, 2, "{\"code\":-32005,\"message\":\"too many\"}");
    cr_expect_not_null(strstr(s.requests[0], RPC_FORWARDED_HEADER ": 1\r\n"));
    cr_expect_eq(strncmp(s.requests[0], "POST / HTTP/1.1\r\n", 17), 0);
    cr_expect_eq(strncmp(s.requests[1], "POST /u/arena HTTP/1.1\r\n", 24), 0);
    hex_encode(hex, f->txs[1].raw.ptr, f->txs[1].raw.len);
    snprintf(want, sizeof(want),
             "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"eth_sendRawTransactionSync\","
             "\"params\":[\"0x%s\",1500]}",
             hex);
    cr_expect_str_eq(strstr(s.requests[1], "\r\n\r\n") + 4, want);
    /* What was taken is known from then on, and nothing else. */
    buf_init(&seen, 4096);
    cr_expect(f->node.forwarded(f->node.forwarder, &f->txs[0].hash, &seen, &sender));
    cr_expect_arr_eq(sender.b, f->txs[0].sender.b, 20);
    cr_expect_not(f->node.forwarded(f->node.forwarder, &f->txs[1].hash, &seen, &sender));
    cr_expect_eq(f->node.forwarded_nonce(f->node.forwarder, &f->txs[0].sender, 0), 1);
    buf_clear(&seen);
    fixture_free(f);
}

Test(forward, a_body_goes_out_together, .timeout = 60) {
    static const char *const answers[] = {
        REPLY("[" RESULT("2", "\"c\"") "," ERROR(
            "1", "\"code\":-32000,\"message\":\"b\"") "," RESULT("0", "\"a\"") "]"),
        REPLY(ERROR("null", "\"code\":-32005,\"message\":\"full\"")), NULL};
    static struct http_answers s;
    http_answers_start(&s, answers);
    struct fixture *f = fixture_new(s.url, 10, 5000);
    send_txs(f, 0, 3, 0, "");
    wait_for(f, 3);
    expect_reply(f, 0, "\"a\"");
    expect_reply(f, 1, "{\"code\":-32000,\"message\":\"b\"}");
    expect_reply(f, 2, "\"c\"");
    for (size_t i = 0; i < 2; i++) {
        json_decref(f->results[i].reply);
        f->results[i] = (struct submit_result){.code = 0};
    }
    send_txs(f, 0, 2, 0, ""); /* an error for the whole is everyone's */
    wait_for(f, 5);
    for (size_t i = 0; i < 2; i++)
        expect_reply(f, i, "{\"code\":-32005,\"message\":\"full\"}");
    http_answers_stop(&s);
    fixture_free(f);
}

/* The first endpoint falls silent or talks of something else; the next one answers. */
Test(forward, the_next_endpoint_answers, .timeout = 60) {
    static const char *const first[] = {"", "HTTP/1.1 502 No\r\nConnection: close\r\n\r\n<html>",
                                        REPLY("[" RESULT("0", "\"a\"") "]"),
                                        REPLY(ERROR("0", "\"code\":0,\"message\":\"no\"")), NULL};
    static const char *const second[] = {
        REPLY(RESULT("0", "\"0x1\"")), REPLY(RESULT("0", "\"0x2\"")), REPLY(RESULT("0", "\"0x3\"")),
        REPLY(RESULT("0", "\"0x4\"")), NULL};
    static struct http_answers a, b;
    char urls[160], want[8];
    http_answers_start(&a, first);
    http_answers_start(&b, second);
    snprintf(urls, sizeof(urls), "%s,%s", a.url, b.url);
    struct fixture *f = fixture_new(urls, 10, 5000);
    for (size_t i = 0; i < TXS; i++) {
        send_txs(f, i, 1, 0, "");
        wait_for(f, i + 1);
        snprintf(want, sizeof(want), "\"0x%zu\"", i + 1);
        expect_reply(f, i, want);
    }
    http_answers_stop(&a);
    http_answers_stop(&b);
    fixture_free(f);
}

/* Refused by the next endpoint, since the silent one had taken it: the receipt tells. */
Test(forward, what_was_taken_is_not_refused, .timeout = 60) {
    static const char *const first[] = {"", "", "", NULL};
    static const char low[] = REPLY(ERROR("0", "\"code\":-32000,\"message\":\"nonce too low\""));
    static const char receipt[] = REPLY(RESULT("0", "{\"status\":\"0x1\"}"));
    static const char *const second[] = {
        low, receipt, low, receipt, low, REPLY(RESULT("0", "null")), NULL};
    static struct http_answers a, b;
    char urls[160], want[80], hash[65] = {0};
    http_answers_start(&a, first);
    http_answers_start(&b, second);
    snprintf(urls, sizeof(urls), "%s,%s", a.url, b.url);
    struct fixture *f = fixture_new(urls, 10, 5000);
    for (size_t i = 0; i < 3; i++) {
        send_txs(f, i, 1, i == 1, "");
        wait_for(f, i + 1);
    }
    hex_encode(hash, f->txs[0].hash.b, 32);
    snprintf(want, sizeof(want), "\"0x%s\"", hash);
    expect_reply(f, 0, want);
    expect_reply(f, 1, "{\"status\":\"0x1\"}");
    expect_reply(f, 2, "{\"code\":-32000,\"message\":\"nonce too low\"}");
    http_answers_stop(&a);
    http_answers_stop(&b);
    cr_expect_not_null(strstr(b.requests[1], "eth_getTransactionReceipt"));
    cr_expect_not_null(strstr(b.requests[1], hash));
    fixture_free(f);
}

/* What follows one that nobody took is not sent. */
Test(forward, nobody_answers, .timeout = 60) {
    static const char *const none[] = {"", NULL};
    static struct http_answers s;
    http_answers_start(&s, none);
    struct fixture *f = fixture_new(s.url, 10, 5000);
    char hash[65] = {0}, data[80];
    send_txs(f, 0, 1, 0, "");
    wait_for(f, 1);
    http_answers_stop(&s);
    expect_refused(f, 0, RPC_SERVER_ERROR, "may have been taken");
    hex_encode(hash, f->txs[0].hash.b, 32);
    snprintf(data, sizeof(data), "\"0x%s\"", hash);
    cr_expect_str_eq(f->results[0].data, data);
    send_txs(f, 1, 2, 0, ""); /* nobody listens there now */
    wait_for(f, 3);
    for (size_t i = 1; i < 3; i++) {
        expect_refused(f, i, RPC_SERVER_ERROR, "cannot be reached");
        cr_expect_str_eq(f->results[i].data, "");
    }
    fixture_free(f);
}

Test(forward, too_large_an_answer, .timeout = 60) {
    static char large[8192] = REPLY("");
    static const char *const answers[] = {large, NULL};
    static struct http_answers s;
    memset(large + strlen(large), ' ', sizeof(large) - strlen(large) - 1);
    http_answers_start(&s, answers);
    struct fixture *f = fixture_new(s.url, 10, 5000);
    send_txs(f, 0, 1, 0, "");
    wait_for(f, 1);
    expect_refused(f, 0, RPC_LIMIT_EXCEEDED, "response too large");
    http_answers_stop(&s);
    fixture_free(f);
}

Test(forward, what_is_not_handed_on, .timeout = 60) {
    struct fixture *f = fixture_new("http://127.0.0.1:1", 10, 5000);
    struct forward_tx bad = {.envelope = bytes_of("\x02", 1), .token = 0},
                      good = {.envelope = f->txs[1].raw, .token = 1};
    f->node.forward(f->node.forwarder, &(struct forward_txs){.txs = &bad, .count = 1, .slug = ""},
                    on_done, f);
    f->node.forward(f->node.forwarder,
                    &(struct forward_txs){.txs = &good, .count = 1, .slug = "", .forwarded = true},
                    on_done, f);
    cr_expect_eq(f->count, 2);
    expect_refused(f, 0, RPC_SERVER_ERROR, "no form");
    expect_refused(f, 1, RPC_SERVER_ERROR, "handed on");
    fixture_free(f);
}

/* An endpoint that takes requests and never answers: those beyond the limit are refused at once,
 * one gets its error when its time is over, and a stop waits for none. */
Test(forward, limits_and_the_end, .timeout = 60) {
    static const char *const never[] = {NULL};
    static struct http_answers s;
    http_answers_start(&s, never);
    struct fixture *f = fixture_new(s.url, 2, 700);
    send_txs(f, 0, 3, 0, ""); /* the first two enter */
    cr_expect_eq(f->count, 1);
    expect_refused(f, 2, RPC_LIMIT_EXCEEDED, "too many transactions wait");
    wait_for(f, 3);
    for (size_t i = 0; i < 2; i++)
        expect_refused(f, i, RPC_SERVER_ERROR, "may have been taken");
    send_txs(f, 3, 1, 1, ""); /* for 700 + 1500 ms */
    uint64_t begun = clock_monotonic_ns(clock_posix());
    forward_stop(f->forward);
    cr_expect_lt(clock_monotonic_ns(clock_posix()) - begun, UINT64_C(2000000000));
    cr_expect_eq(f->count, 4);
    expect_refused(f, 3, RPC_SERVER_ERROR, "shutting down");
    f->results[0] = (struct submit_result){.code = 0};
    send_txs(f, 0, 1, 0, "");
    cr_expect_eq(f->count, 5);
    expect_refused(f, 0, RPC_SERVER_ERROR, "shutting down");
    http_answers_stop(&s);
    fixture_free(f);
}
