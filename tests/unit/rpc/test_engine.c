/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: JSON-RPC's rules - batches in order, notifications, invalid requests - and submissions that
 * answer out of order, late, or from another thread. No store: only methods that need none.
 * Covers: engine.c methods.c m_basic.c m_submit.c */
#include "base/hex.h"
#include "rpc/engine.h"
#include "rpc/jsonrpc.h"
#include "rpc/metrics.h"
#include "tests/lib/rpc/served.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>

enum { SUBMITS_MAX = 1000, REPLIES_MAX = 8 };

struct fixture {
    struct event_base *base;
    struct rpc_context cx;
    struct rpc_dev_nonces nonces;
    struct node_commands node;
    struct rpc_engine *engine;
    /* Submissions that wait for an answer. */
    struct {
        submit_done_fn done;
        void *ctx;
        uint64_t token;
        unsigned flags;
        uint8_t envelope[8];
        size_t len;
    } submits[SUBMITS_MAX];
    size_t submit_count;
    char *replies[REPLIES_MAX]; /* by tag */
    bool busy[REPLIES_MAX];
};

static void on_submit(void *ctx, bytes envelope, unsigned flags, submit_done_fn done,
                      void *done_ctx, uint64_t token) {
    struct fixture *f = ctx;
    cr_assert_gt(envelope.len, 0);
    f->submits[f->submit_count].done = done;
    f->submits[f->submit_count].ctx = done_ctx;
    f->submits[f->submit_count].flags = flags;
    f->submits[f->submit_count].len = envelope.len;
    memcpy(f->submits[f->submit_count].envelope, envelope.ptr, envelope.len < 8 ? envelope.len : 8);
    f->submits[f->submit_count++].token = token;
}

static void on_reply(void *ctx, uint64_t tag, struct rpc_reply *reply) {
    struct fixture *f = ctx;
    cr_assert_null(f->replies[tag], "two replies to one body");
    f->replies[tag] = calloc(1, reply->body.len + 1);
    if (reply->body.len > 0)
        memcpy(f->replies[tag], reply->body.ptr, reply->body.len);
    f->busy[tag] = reply->busy;
    buf_clear(&reply->body);
}

static void fixture_init(struct fixture *f) {
    *f = (struct fixture){0};
    f->base = event_base_new();
    f->node = (struct node_commands){.ctx = f, .submit = on_submit};
    pthread_mutex_init(&f->nonces.lock, NULL);
    f->cx = (struct rpc_context){.node = &f->node,
                                 .chain = {.chain_id = 41337},
                                 .client_version = "test/v1",
                                 .reply_bytes_max = 1 << 20,
                                 .dev_nonces = &f->nonces};
    struct rpc_engine_options o = {
        .base = f->base, .context = &f->cx, .readers = 1, .read_queue_max = 4, .jobs_max = 4};
    struct err_ctx ec;
    f->engine = rpc_engine_new(&o, on_reply, f, &ec);
    cr_assert_not_null(f->engine);
}

static void fixture_clear(struct fixture *f) {
    rpc_engine_free(f->engine);
    event_base_free(f->base);
    for (size_t i = 0; i < REPLIES_MAX; i++)
        free(f->replies[i]);
}

static void body_of(struct fixture *f, uint64_t tag, const char *text,
                    const struct api_origin *from) {
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_append_str(&b, text);
    rpc_engine_run(f->engine, &b, tag, from, NULL);
}

static void body(struct fixture *f, uint64_t tag, const char *text) {
    body_of(f, tag, text, NULL);
}

static void expect(struct fixture *f, const char *request, const char *want) {
    body(f, 0, request);
    cr_assert_not_null(f->replies[0], "%s", request);
    cr_expect_str_eq(f->replies[0], want);
    free(f->replies[0]);
    f->replies[0] = NULL;
}

#define ERROR(id, code, text)                                                                      \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code ",\"message\":\"" text "\"}}"

Test(engine, rules) {
    struct fixture f;
    fixture_init(&f);
    expect(&f, "{\"id\":1,\"method\":\"eth_chainId\"}",
           "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0xa179\"}");
    expect(&f,
           "{\"jsonrpc\":\"2.0\",\"id\":\"\\u00e4\",\"method\":\"net_version\",\"params\":null}",
           "{\"jsonrpc\":\"2.0\",\"id\":\"\xc3\xa4\",\"result\":\"41337\"}");
    expect(&f, "{\"id\":null,\"method\":\"net_listening\"}",
           "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":true}");
    expect(&f, "{\"method\":\"net_listening\"}", "");
    expect(&f, "[{\"method\":\"net_listening\"},{\"method\":\"nope\"}]", "");
    expect(&f, "", ERROR("null", "-32700", "parse error"));
    expect(&f, "{", ERROR("null", "-32700", "parse error"));
    expect(&f, "{\"id\":1,\"method\":\"a\"} x", ERROR("null", "-32700", "parse error"));
    expect(&f, "\"x\"", ERROR("null", "-32600", "invalid request"));
    expect(&f, "[]", ERROR("null", "-32600", "empty batch"));
    expect(&f, "{\"id\":7}", ERROR("7", "-32600", "invalid request"));
    expect(&f, "{\"id\":[7],\"method\":\"a\"}", ERROR("null", "-32600", "invalid request"));
    expect(&f, "{\"id\":7,\"method\":7}", ERROR("7", "-32600", "invalid request"));
    expect(&f, "{\"jsonrpc\":\"1.0\",\"id\":7,\"method\":\"eth_chainId\"}",
           ERROR("7", "-32600", "invalid request"));
    expect(&f, "{\"id\":1,\"id\":2,\"method\":\"eth_chainId\"}",
           ERROR("null", "-32600", "invalid request: duplicate key"));
    expect(&f, "{\"id\":1,\"method\":\"a_b\"}",
           ERROR("1", "-32601", "the method a_b does not exist/is not available"));
    expect(&f, "{\"id\":1,\"method\":\"eth_sendTransaction\",\"params\":[{}]}",
           ERROR("1", "-32601", "the method eth_sendTransaction does not exist/is not available"));
    expect(&f, "{\"id\":1,\"method\":\"eth_chainId\",\"params\":{}}",
           ERROR("1", "-32602", "non-array args"));
    expect(&f, "{\"id\":1,\"method\":\"eth_chainId\",\"params\":[1]}",
           ERROR("1", "-32602", "too many arguments, want at most 0"));
    expect(&f, "{\"id\":1,\"method\":\"web3_sha3\",\"params\":[]}",
           ERROR("1", "-32602", "missing value for required argument 0"));
    expect(&f, "{\"id\":1,\"method\":\"web3_sha3\",\"params\":[\"0x1\"]}",
           ERROR("1", "-32602", "invalid argument 0: hex string of odd length"));
    expect(&f, "[1,{\"id\":2,\"method\":\"net_listening\"}]",
           "[" ERROR("null", "-32600",
                     "invalid request") ",{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":true}]");
    fixture_clear(&f);
}

Test(engine, depth) {
    struct fixture f;
    fixture_init(&f);
    char deep[2 * RPC_JSON_DEPTH_MAX + 3];
    memset(deep, '[', RPC_JSON_DEPTH_MAX + 1);
    memset(deep + RPC_JSON_DEPTH_MAX + 1, ']', RPC_JSON_DEPTH_MAX + 1);
    deep[2 * RPC_JSON_DEPTH_MAX + 2] = '\0';
    expect(&f, deep, ERROR("null", "-32600", "invalid request: nested too deep"));
    fixture_clear(&f);
}

/* Answers a submission as durable or refused. */
static void answer(struct fixture *f, size_t i, bool ok) {
    struct submit_result r = {.status = ok ? SUBMIT_DURABLE : SUBMIT_REFUSED, .code = -32000};
    memset(r.hash.b, (int)i + 1, 32);
    snprintf(r.text, sizeof(r.text), "no %zu", i);
    f->submits[i].done(f->submits[i].ctx, f->submits[i].token, &r);
}

#define SEND(id) "{\"id\":" id ",\"method\":\"eth_sendRawTransaction\",\"params\":[\"0x0102\"]}"

Test(engine, submissions_answer_in_any_order) {
    struct fixture f;
    fixture_init(&f);
    body(&f, 1,
         "[" SEND("1") "," SEND("2") "," SEND("3") ",{\"id\":4,\"method\":\"eth_chainId\"}]");
    cr_assert_eq(f.submit_count, 3);
    cr_expect_null(f.replies[1]);
    answer(&f, 2, true);
    answer(&f, 0, false);
    event_base_loop(f.base, EVLOOP_NONBLOCK);
    cr_expect_null(f.replies[1]);
    answer(&f, 1, true);
    event_base_loop(f.base, EVLOOP_NONBLOCK);
    cr_assert_not_null(f.replies[1]);
    cr_expect_str_eq(
        f.replies[1],
        "[" ERROR("1", "-32000",
                  "no 0") ",{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":"
                          "\"0x0202020202020202020202020202020202020202020202020202020202020202\"},"
                          "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":"
                          "\"0x0303030303030303030303030303030303030303030303030303030303030303\"},"
                          "{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":\"0xa179\"}]");
    cr_expect_eq(rpc_engine_pending(f.engine), 0);
    fixture_clear(&f);
}

/* Answers go in as far as they fit; then errors stand for them, and hashes are told all the same.
 */
Test(engine, a_long_batch_is_answered_call_by_call) {
    struct fixture f;
    char version[601], answered[700], want[2048];
    fixture_init(&f);
    memset(version, 'v', 600);
    version[600] = '\0';
    f.cx.client_version = version;
    f.cx.reply_bytes_max = 1300;
    snprintf(answered, sizeof(answered), "\"result\":\"%s\"}", version);
    body(&f, 1,
         "[{\"id\":1,\"method\":\"web3_clientVersion\"},{\"id\":2,\"method\":\"web3_"
         "clientVersion\"},"
         "{\"id\":3,\"method\":\"web3_clientVersion\"},{\"id\":4,\"method\":\"eth_chainId\"}," SEND(
             "5") "]");
    cr_assert_eq(f.submit_count, 1);
    answer(&f, 0, true);
    event_base_loop(f.base, EVLOOP_NONBLOCK);
    snprintf(want, sizeof(want),
             "[{\"jsonrpc\":\"2.0\",\"id\":1,%s,{\"jsonrpc\":\"2.0\",\"id\":2,%s," ERROR(
                 "3", "-32005", "response too large") "," ERROR("4", "-32005",
                                                                "response too large") ",%s]",
             answered, answered,
             "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":"
             "\"0x0101010101010101010101010101010101010101010101010101010101010101\"}");
    cr_assert_not_null(f.replies[1]);
    cr_expect_str_eq(f.replies[1], want);
    cr_expect_not(f.busy[1]);
    fixture_clear(&f);
}

/* --- submissions that the node hands on ----------------------------------------------------- */
struct handed {
    struct fixture f;
    size_t runs, counts[4];
    char slugs[4][16];
    bool forwarded[4], receipts[8];
    uint32_t timeouts[8];
    uint64_t tokens[8];
    size_t count;
    submit_done_fn done;
    void *done_ctx;
};

static void on_forward(void *ctx, const struct forward_txs *t, submit_done_fn done,
                       void *done_ctx) {
    struct handed *h = ctx;
    h->counts[h->runs] = t->count;
    h->forwarded[h->runs] = t->forwarded;
    snprintf(h->slugs[h->runs++], sizeof(h->slugs[0]), "%s", t->slug);
    for (size_t i = 0; i < t->count; i++) {
        cr_assert_eq(t->txs[i].envelope.len, 2);
        h->receipts[h->count] = t->txs[i].wants_receipt;
        h->timeouts[h->count] = t->txs[i].timeout_ms;
        h->tokens[h->count++] = t->txs[i].token;
    }
    h->done = done;
    h->done_ctx = done_ctx;
}

static void handed_init(struct handed *h) {
    *h = (struct handed){.runs = 0};
    fixture_init(&h->f);
    h->f.node.forwarder = h;
    h->f.node.forward = on_forward;
}

static void reply_to(struct handed *h, size_t idx, const char *reply) {
    struct submit_result r = {.status = SUBMIT_FORWARDED, .reply = json_loads(reply, 0, NULL)};
    cr_assert_not_null(r.reply);
    h->done(h->done_ctx, h->tokens[idx], &r);
}

/* What stands together goes together; answers are printed as they came, whoever waits longest. */
Test(engine, submissions_are_handed_on_together) {
    struct handed h;
    struct buf b;
    struct api_origin from = api_nobody;
    handed_init(&h);
    snprintf(from.slug, sizeof(from.slug), "arena");
    from.forwarded = true;
    buf_init(&b, 1 << 20);
    buf_append_str(&b, "[" SEND("1") ",{\"id\":2,\"method\":\"eth_sendRawTransactionSync\","
                                     "\"params\":[\"0x0102\",\"0x64\"]},"
                                     "{\"id\":3,\"method\":\"eth_chainId\"}," SEND("4") "]");
    rpc_engine_run(h.f.engine, &b, 0, &from, NULL);
    cr_expect_eq(h.f.submit_count, 0);
    cr_assert_eq(h.runs, 1);
    cr_expect_eq(h.counts[0], 2);
    cr_expect_str_eq(h.slugs[0], "arena");
    cr_expect(h.forwarded[0]);
    cr_expect(!h.receipts[0] && h.receipts[1]);
    cr_expect_eq(h.timeouts[1], 100);
    for (uint64_t end = rpc_now_ms() + 200; rpc_now_ms() < end;)
        event_base_loop(h.f.base, EVLOOP_NONBLOCK);
    cr_expect_null(h.f.replies[0], "its time is the other node's business");
    reply_to(&h, 1, "{\"result\":{\"b\":1,\"a\":[null]}}");
    reply_to(&h, 0, "{\"error\":{\"code\":-32003,\"message\":\"\\\"no\\\"\",\"data\":{\"x\":[]}}}");
    event_base_loop(h.f.base, EVLOOP_NONBLOCK);
    cr_assert_eq(h.runs, 2);
    cr_expect_eq(h.counts[1], 1);
    reply_to(&h, 2, "{\"result\":\"0x1\"}");
    event_base_loop(h.f.base, EVLOOP_NONBLOCK);
    cr_assert_not_null(h.f.replies[0]);
    cr_expect_str_eq(
        h.f.replies[0],
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32003,\"message\":\"\\\"no\\\"\","
        "\"data\":{\"x\":[]}}},"
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"b\":1,\"a\":[null]}},"
        "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":\"0xa179\"},"
        "{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":\"0x1\"}]");
    cr_expect_eq(rpc_engine_pending(h.f.engine), 0);
    fixture_clear(&h.f);
}

/* One too long for a reply is an error; one for somebody who is gone is forgotten; a refusal for
 * want of room is told as one of this node's. */
Test(engine, answers_of_another_node_have_limits) {
    struct handed h;
    char *text = malloc(4096);
    handed_init(&h);
    atomic_store(&h.f.cx.reply_bytes_max, 1000);
    snprintf(text, 4096, "{\"result\":\"%02000d\"}", 0);
    body(&h.f, 0, SEND("1"));
    reply_to(&h, 0, text);
    body(&h.f, 1, SEND("1"));
    reply_to(&h, 1, "{\"error\":{\"code\":-32005,\"message\":\"full\"}}");
    event_base_loop(h.f.base, EVLOOP_NONBLOCK);
    cr_assert_not_null(h.f.replies[0]);
    cr_expect_str_eq(h.f.replies[0], ERROR("1", "-32005", "response too large"));
    cr_expect_not(h.f.busy[0]);
    cr_assert_not_null(h.f.replies[1]);
    cr_expect_str_eq(h.f.replies[1], ERROR("1", "-32005", "full"));
    cr_expect(h.f.busy[1]);
    reply_to(&h, 0, "{\"result\":1}");
    event_base_loop(h.f.base, EVLOOP_NONBLOCK);
    body(&h.f, 2, SEND("1"));
    reply_to(&h, 2, "{\"result\":1}");
    fixture_clear(&h.f); /* with an answer that nobody took */
    free(text);
}

/* 429 is for queues that are full: a client that is told so asks the very same again. */
Test(engine, only_full_queues_are_busy) {
    struct fixture f;
    struct submit_result r = {.status = SUBMIT_REFUSED, .code = -32005, .text = "full"};
    fixture_init(&f);
    body(&f, 0, SEND("1"));
    f.submits[0].done(f.submits[0].ctx, f.submits[0].token, &r);
    event_base_loop(f.base, EVLOOP_NONBLOCK);
    cr_assert_not_null(f.replies[0]);
    cr_expect(f.busy[0]);
    body(&f, 1, SEND("1"));
    answer(&f, 1, false);
    event_base_loop(f.base, EVLOOP_NONBLOCK);
    cr_assert_not_null(f.replies[1]);
    cr_expect(!f.busy[1]);
    fixture_clear(&f);
}

Test(engine, too_many_bodies_are_refused) {
    struct fixture f;
    fixture_init(&f);
    for (uint64_t i = 0; i < 4; i++)
        body(&f, i, SEND("1"));
    body(&f, 4, SEND("9"));
    cr_assert_not_null(f.replies[4]);
    cr_expect(f.busy[4]);
    cr_expect_not_null(strstr(f.replies[4], "\"id\":9,\"error\":{\"code\":-32005"));
    answer(&f, 0, true);
    event_base_loop(f.base, EVLOOP_NONBLOCK);
    cr_expect_not_null(f.replies[0]);
    body(&f, 5, SEND("1"));
    cr_expect_null(f.replies[5]);
    fixture_clear(&f); /* with four of them unanswered */
}

/* Whoever asks for a universe without a secret key may be a stranger: publishable keys are in every
 * player's hands. */
Test(engine, players_do_not_empty_the_backends_share) {
    static const char ask[] = "{\"id\":1,\"method\":\"net_listening\",\"x\":0}";
    struct fixture f;
    struct api_origin player = {.who = {.kind = API_KEY_PUBLISHABLE, .slug = "arena"}},
                      backend = {.who = {.kind = API_KEY_SECRET, .slug = "arena"}},
                      wallet = {.slug = "arena"};
    fixture_init(&f);
    f.cx.quota = api_quota_new(1);
    for (size_t i = 0; i < 100 && !f.busy[0]; i++) {
        free(f.replies[0]);
        f.replies[0] = NULL;
        body_of(&f, 0, ask, &player);
    }
    cr_expect(f.busy[0]);
    body_of(&f, 1, ask, &wallet); /* of the same bucket */
    cr_expect(f.busy[1]);
    body_of(&f, 2, ask, &backend);
    cr_expect(!f.busy[2], "%s", f.replies[2]);
    api_quota_free(f.cx.quota);
    fixture_clear(&f);
}

Test(engine, synchronous_sends_time_out) {
    struct fixture f;
    fixture_init(&f);
    body(&f, 0,
         "{\"id\":1,\"method\":\"eth_sendRawTransactionSync\",\"params\":[\"0x0102\",\"0x64\"]}");
    cr_assert_eq(f.submit_count, 1);
    cr_expect_eq(f.submits[0].flags, SUBMIT_NO_QUEUE);
    for (int i = 0; i < 100 && f.replies[0] == NULL; i++)
        event_base_loop(f.base, EVLOOP_ONCE);
    cr_assert_not_null(f.replies[0]);
    cr_expect_not_null(strstr(f.replies[0], "\"code\":4,"));
    answer(&f, 0, true); /* too late: nobody is there any more */
    event_base_loop(f.base, EVLOOP_NONBLOCK);
    body(&f, 1, "{\"id\":1,\"method\":\"eth_sendRawTransactionSync\",\"params\":[\"0x0102\"]}");
    struct submit_result gap = {.status = SUBMIT_REFUSED,
                                .code = -32000,
                                .has_expected_nonce = true,
                                .expected_nonce = 9,
                                .text = "nonce too high"};
    f.submits[1].done(f.submits[1].ctx, f.submits[1].token, &gap);
    event_base_loop(f.base, EVLOOP_NONBLOCK);
    cr_assert_not_null(f.replies[1]);
    cr_expect_str_eq(
        f.replies[1],
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":6,\"message\":\"nonce too high\","
        "\"data\":\"0x9\"}}");
    fixture_clear(&f);
}

static void *answer_all(void *arg) {
    struct fixture *f = arg;
    for (size_t i = 0; i < f->submit_count; i++)
        answer(f, f->submit_count - 1 - i, true);
    return NULL;
}

Test(engine, answers_from_another_thread) {
    struct fixture f;
    pthread_t t;
    fixture_init(&f);
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%s%s", i == 0 ? "[" : ",", SEND("0"));
    buf_append_str(&b, "]");
    rpc_engine_run(f.engine, &b, 0, NULL, NULL);
    cr_assert_eq(f.submit_count, 1000);
    cr_assert_eq(pthread_create(&t, NULL, answer_all, &f), 0);
    while (f.replies[0] == NULL)
        event_base_loop(f.base, EVLOOP_ONCE);
    pthread_join(t, NULL);
    cr_expect_not_null(strstr(f.replies[0], "0101010101"));
    fixture_clear(&f);
}

/* --- submissions, scanned and parsed -------------------------------------------------------- */
static size_t json_allocations;

static void *counted_malloc(size_t n) {
    json_allocations++;
    return malloc(n);
}

/* What a body led to, the answers of the node included. */
struct outcome {
    char *replies[REPLIES_MAX];
    bool busy;
    size_t submit_count, json_allocations, pending;
    int64_t calls[RPC_METRIC_METHODS], errors;
    uint8_t *envelopes; /* with lengths and flags */
    size_t envelope_bytes;
};

static void count_calls(int64_t calls[RPC_METRIC_METHODS], int64_t *errors, int64_t sign) {
    for (size_t i = 0; i < RPC_METRIC_METHODS; i++)
        calls[i] += sign * (int64_t)metric_get(&rpc_calls[i]);
    *errors += sign * (int64_t)metric_get(&rpc_errors);
}

/* The node takes every other one, and tells the last that there is no room. */
static void answer_in_turn(struct fixture *f) {
    for (size_t done = 0; done < f->submit_count; done++) {
        size_t i = done;
        struct submit_result r = {.status = i % 2 == 0 ? SUBMIT_DURABLE : SUBMIT_REFUSED,
                                  .code = i % 4 == 1 ? -32000 : -32005};
        memset(r.hash.b, (int)i + 1, 32);
        snprintf(r.text, sizeof(r.text), "no %zu", i);
        if (f->submits[i].flags != 0)
            r.status = SUBMIT_QUEUED; /* a receipt would have to be read from a store */
        if (done + 1 == f->submit_count && done > 0)
            r.status = SUBMIT_REFUSED, r.code = -32005;
        f->submits[i].done(f->submits[i].ctx, f->submits[i].token, &r);
        event_base_loop(f->base, EVLOOP_NONBLOCK);
    }
}

static void run_body(struct outcome *o, const char *text, size_t reply_max, bool with_quota) {
    struct fixture f;
    struct api_origin from = api_nobody;
    struct buf b;
    fixture_init(&f);
    *o = (struct outcome){0};
    if (reply_max > 0)
        f.cx.reply_bytes_max = reply_max;
    if (with_quota)
        f.cx.quota = api_quota_new(2);
    snprintf(from.slug, sizeof(from.slug), "game");
    buf_init(&b, 1 << 20);
    buf_append(&b, text, strlen(text)); /* without an end */
    count_calls(o->calls, &o->errors, -1);
    json_allocations = 0;
    json_set_alloc_funcs(counted_malloc, free);
    rpc_engine_run(f.engine, &b, 0, &from, NULL);
    cr_assert_null(b.ptr, "the body's storage is taken");
    answer_in_turn(&f);
    while (f.replies[0] == NULL)
        event_base_loop(f.base, EVLOOP_ONCE);
    json_set_alloc_funcs(malloc, free);
    count_calls(o->calls, &o->errors, 1);
    o->json_allocations = json_allocations;
    o->pending = rpc_engine_pending(f.engine);
    o->submit_count = f.submit_count;
    o->busy = f.busy[0];
    o->replies[0] = f.replies[0];
    f.replies[0] = NULL;
    struct buf sent;
    buf_init(&sent, 1 << 20);
    for (size_t i = 0; i < f.submit_count; i++) {
        buf_append_byte(&sent, (uint8_t)f.submits[i].len);
        buf_append_byte(&sent, (uint8_t)f.submits[i].flags);
        buf_append(&sent, f.submits[i].envelope, f.submits[i].len);
    }
    o->envelopes = sent.ptr;
    o->envelope_bytes = sent.len;
    api_quota_free(f.cx.quota);
    fixture_clear(&f);
}

/* The same body as the scanner does not take it: each object has a member more, which says nothing.
 */
static char *parsed_form(const char *text) {
    static const char more[] = "\"x\":0,";
    char *out = calloc(1, strlen(text) * sizeof(more) + 1), *to = out;
    for (const char *at = text; *at != '\0'; at++) {
        *to++ = *at;
        if (*at == '{')
            to = stpcpy(to, more);
    }
    return out;
}

static void expect_alike(const char *text, size_t reply_max, bool with_quota, bool scanned) {
    struct outcome a, b;
    char *parsed = parsed_form(text);
    run_body(&a, text, reply_max, with_quota);
    run_body(&b, parsed, reply_max, with_quota);
    cr_expect_str_eq(a.replies[0], b.replies[0], "%.200s", text);
    cr_expect_eq(a.busy, b.busy, "%.200s", text);
    cr_expect_eq(a.submit_count, b.submit_count, "%.200s", text);
    cr_expect_eq(a.pending, 0);
    cr_expect_arr_eq(a.calls, b.calls, sizeof(a.calls), "%.200s", text);
    cr_expect_eq(a.errors, b.errors, "%.200s", text);
    cr_assert_eq(a.envelope_bytes, b.envelope_bytes, "%.200s", text);
    cr_expect(a.envelope_bytes == 0 || memcmp(a.envelopes, b.envelopes, a.envelope_bytes) == 0);
    cr_expect_eq(a.json_allocations == 0, scanned, "%.200s", text);
    cr_expect_gt(b.json_allocations, 0, "%.200s", text);
    free(parsed);
    free(a.envelopes);
    free(b.envelopes);
    free(a.replies[0]);
    free(b.replies[0]);
}

#define CALL(id, method, params)                                                                   \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":" params "}"
#define RAW(id, params) CALL(id, "eth_sendRawTransaction", params)
#define SYNC(id, params) CALL(id, "eth_sendRawTransactionSync", params)

Test(engine, submissions_are_answered_alike) {
    static const struct {
        const char *text;
        bool scanned;
    } cases[] = {
        {RAW("1", "[\"0x0102\"]"), true},
        {RAW("\"a b/~\"", "[\"0xaBcD\"]"), true},
        {RAW("1", "[\"0XaBcD\"]"), false},
        {" {\"params\" :[ \"0x01\" ] ,\n\"method\":\"eth_sendRawTransaction\",\"id\":0} ", true},
        {SYNC("2", "[\"0x0102\"]"), true},
        {SYNC("2", "[\"0x0102\",\"0x64\"]"), true},
        {SYNC("2", "[\"0x0102\",\"0x0064\"]"), true},
        {SYNC("2", "[\"0x0102\",\"0xffffffffffffffff\"]"), true},
        {SYNC("2", "[\"0x0102\",\"0xffffffffffffffff0\"]"), false},
        {SYNC("2", "[\"0x0102\",\"x\"]"), false},
        {SYNC("2", "[\"0x0102\",\"\"]"), false},
        {SYNC("2", "[\"0x0102\",100]"), false},
        {SYNC("2", "[\"0x0102\",null]"), false},
        {SYNC("2", "[\"0x0102\",\"0x1\",\"0x1\"]"), false},
        {RAW("1", "[\"0x0102\",\"0x1\"]"), false},
        {RAW("1", "[]"), false},
        {RAW("1", "[\"\"]"), false},
        {RAW("1", "[\"0x\"]"), false},
        {RAW("1", "[\"0x1\"]"), false},
        {RAW("1", "[\"0xzz\"]"), false},
        {RAW("1", "[\"0102\"]"), false},
        {RAW("1", "[{\"to\":\"0x\"}]"), false},
        {RAW("1", "[7]"), false},
        {RAW("-1", "[\"0x01\"]"), false},
        {RAW("null", "[\"0x01\"]"), false},
        {RAW("\"\\u0041\"", "[\"0x01\"]"), false},
        {CALL("1", "eth_sendRawTransactionX", "[\"0x01\"]"), false},
        {CALL("1", "eth_chainId", "[]"), false},
        {RAW("1", "[\"0x01\"]") "x", false},
        {"[" RAW("1", "[\"0x01\"]") "]", true},
        {" [ " RAW("1", "[\"0x01\"]") " ,\n" RAW("1", "[\"0x02\"]") " ] ", true},
        {"[" RAW("1", "[\"0x01\"]") "," SYNC("\"b\"", "[\"0x0203\",\"0x1000\"]") "," RAW(
             "3", "[\"0x0405\"]") "," RAW("4", "[\"0x06\"]") "]",
         true},
        {"[" RAW("1", "[\"0x01\"]") "," RAW("2", "[\"0xq1\"]") "," RAW("3", "[\"0x03\"]") "]",
         false},
        {"[" RAW("1", "[\"0x01\"]") "," RAW("2", "[\"0x\"]") "]", false},
        {"[" RAW("1", "[\"0x01\"]") "," CALL("2", "eth_chainId", "[]") "," RAW("3",
                                                                               "[\"0x03\"]") "]",
         false},
        {"[" RAW("1", "[\"0x01\"]") ",{\"method\":\"eth_sendRawTransaction\",\"params\":"
                                    "[\"0x02\"]}]",
         false},
        {"[" RAW("1", "[\"0x01\"]") ",]", false},
        {"[" RAW("1", "[\"0x01\"]") RAW("2", "[\"0x01\"]") "]", false},
        {"[" RAW("1", "[\"0x01\"]") ",[]]", false},
        {"[" RAW("1", "[\"0x01\"]"), false},
        {"[" RAW("1", "[\"0x01\"]") "]]", false},
        {RAW("1", "[\"0x01\"]") "," RAW("2", "[\"0x01\"]"), false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        expect_alike(cases[i].text, 0, false, cases[i].scanned);
        expect_alike(cases[i].text, 0, true, cases[i].scanned);
        expect_alike(cases[i].text, 80, false, cases[i].scanned);
    }
}

/* More calls than a universe's share, than a job's first room, than a reply, than a batch may have.
 */
Test(engine, many_submissions_are_answered_alike) {
    static const struct {
        size_t count, reply_max;
        bool with_quota, scanned;
    } cases[] = {{9, 0, true, true},     {15, 0, false, true},  {16, 0, false, true},
                 {17, 0, false, true},   {100, 0, true, true},  {100, 500, false, true},
                 {1000, 0, false, true}, {1000, 0, true, true}, {1001, 0, false, false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b;
        buf_init(&b, 1 << 20);
        for (size_t k = 0; k < cases[i].count; k++)
            buf_printf(&b, "%s" RAW("%zu", "[\"0x%06zx\"]"), k == 0 ? "[" : ",", k, k);
        buf_append(&b, "]", 2);
        expect_alike((const char *)b.ptr, cases[i].reply_max, cases[i].with_quota,
                     cases[i].scanned);
        buf_clear(&b);
    }
}

Test(engine, every_method_is_found) {
    for (size_t i = 0; i < rpc_method_count; i++) {
        const char *name = rpc_methods[i].name;
        cr_expect_eq(rpc_method_find(name, strlen(name), true), &rpc_methods[i], "%s", name);
        cr_expect_leq(rpc_methods[i].min_args, rpc_methods[i].max_args);
        cr_expect_gt(strlen(rpc_methods[i].summary), 0);
    }
    cr_expect_null(rpc_method_find("eth_chainI", 10, true));
    cr_expect_null(rpc_method_find("", 0, true));
}

/* --- on the loop --------------------------------------------------------------------------- */
struct answers {
    struct buf body;
    size_t count;
};

static void on_answer(void *ctx, uint64_t tag, struct rpc_reply *reply) {
    struct answers *a = ctx;
    (void)tag;
    buf_clear(&a->body);
    a->body = reply->body;
    a->count++;
}

static struct rpc_engine *engine_over(struct event_base *base, struct served *s,
                                      struct answers *a) {
    struct rpc_engine_options o = {
        .base = base, .context = &s->cx, .readers = 1, .read_queue_max = 4, .jobs_max = 4};
    struct err_ctx ec;
    struct rpc_engine *e = rpc_engine_new(&o, on_answer, a, &ec);
    cr_assert_not_null(e);
    return e;
}

static void ask(struct rpc_engine *e, struct event_base *base, struct answers *a,
                const char *text) {
    struct buf body;
    size_t before = a->count;
    buf_init(&body, 1 << 20);
    buf_append_str(&body, text);
    rpc_engine_run(e, &body, 0, NULL, NULL);
    while (a->count == before)
        event_base_loop(base, EVLOOP_ONCE);
}

/* Point reads and constants are answered at once from scanned arguments, and as they are from
 * parsed ones; whatever fails is left to the latter. */
Test(engine, usual_requests_are_answered_alike) {
    static const struct {
        const char *method, *params;
        bool here;
    } cases[] = {
        {"eth_chainId", "[]", true},
        {"eth_blockNumber", "[]", true},
        {"eth_gasPrice", "[]", true},
        {"eth_getBalance", "[\"%s\",\"latest\"]", true},
        {"eth_getBalance", "[\"%s\"]", true},
        {"eth_getBalance", "[\"%s\",\"0x1\"]", true},
        {"eth_getBalance", "[\"%s\",\"earliest\"]", true},
        {"eth_getBalance", "[\"%s\",\"finalized\"]", true},
        {"eth_getBalance", "[\"%s\",\"0x77\"]", false},
        {"eth_getBalance", "[\"%s\",\"newest\"]", false},
        {"eth_getBalance", "[\"0x12\",\"latest\"]", false},
        {"eth_getBalance", "[]", false},
        {"eth_getBalance", "[\"%s\",\"latest\",\"x\"]", false},
        {"eth_getTransactionCount", "[\"%s\",\"latest\"]", true},
        {"eth_getCode", "[\"%s\",\"latest\"]", true},
        {"eth_getStorageAt", "[\"%s\",\"0x0\",\"latest\"]", true},
        {"eth_getStorageAt", "[\"%s\",\"0xzz\",\"latest\"]", false},
        {"eth_getBlockTransactionCountByNumber", "[\"latest\"]", true},
        {"eth_getHeaderByNumber", "[\"0x1\"]", true},
        {"eth_getBlockByNumber", "[\"latest\",\"x\"]", false},
        {"eth_call", "[\"x\"]", false},
        {"eth_call", "[{\"to\":\"%s\",\"data\":\"0x01\"},\"latest\"]", true},
        {"eth_call", "[{\"to\":\"%s\",\"input\":\"0x\",\"gas\":\"0xffff\",\"value\":\"0x0\"}]",
         true},
        {"eth_call", "[{\"to\":\"%s\",\"data\":\"0x01\"},\"0x1\"]", false},
        {"eth_call", "[{\"to\":\"%s\",\"data\":\"0x1\"},\"latest\"]", false},
        {"eth_call", "[{\"to\":\"%s\",\"data\":\"0x\",\"input\":\"0x\"},\"latest\"]", false},
        {"eth_call", "[{\"to\":\"%s\",\"nonce\":\"0x1\"},\"latest\"]", false},
        {"eth_call", "[{\"data\":\"0x00\"},\"latest\"]", false},
        {"eth_call", "[{\"to\":\"%s\"},{\"blockNumber\":\"0x1\"}]", false},
        {"eth_call", "[{\"to\":\"%s\"},\"latest\",\"x\"]", false},
        {"eth_getBalance", "[\"%s\",{\"blockNumber\":\"0x1\"}]", false},
        {"eth_getBalance", "[{}]", false},
        {"eth_getTransactionReceipt",
         "[\"0x0101010101010101010101010101010101010101010101010101010101010101\"]", true},
        {"eth_getLogs", "[{\"fromBlock\":\"0x0\",\"toBlock\":\"latest\",\"address\":\"%s\"}]",
         true},
        {"eth_getLogs", "[{\"address\":[\"%s\"],\"topics\":[null,[]]}]", true},
        {"eth_getLogs", "[{\"address\":[\"%s\",null]}]", false},
        {"eth_getLogs", "[{\"fromBlock\":\"0x0\"}]", true},
        {"eth_getLogs", "[{\"fromBlock\":\"0x1\",\"blockHash\":\"0x00\"}]", false},
        {"eth_getLogs", "[{\"topics\":\"%s\"}]", false},
        {"eth_getLogs", "[{\"from\":\"0x1\"}]", false},
        {"web3_sha3", "[\"0x00\"]", false},
        {"eth_sendTransaction", "[\"0x00\"]", false},
        {"nope", "[]", false},
    };
    struct served s;
    struct answers a = {0};
    served_open(&s);
    addr20 code = served_deploy(&s, "6001600155");
    struct event_base *base = event_base_new();
    struct rpc_engine *e = engine_over(base, &s, &a);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[512];
        struct buf out;
        int n = snprintf(text, sizeof(text),
                         "{\"jsonrpc\":\"2.0\",\"id\":\"a %zu\",\"method\":\"%s\",\"params\":", i,
                         cases[i].method);
        const char *mark = strstr(cases[i].params, "%s");
        size_t head = mark != NULL ? (size_t)(mark - cases[i].params) : strlen(cases[i].params);
        snprintf(text + n, sizeof(text) - (size_t)n, "%.*s%s%s}", (int)head, cases[i].params,
                 mark != NULL ? served_addr(&code) : "", mark != NULL ? mark + 2 : "");
        buf_init(&out, 1 << 20);
        struct rpc_look look = {0};
        bool here = rpc_engine_answer(e, &look, bytes_of(text, strlen(text)));
        cr_expect(look.clock_ns != 0 || !here);
        if (here) {
            rpc_answer_begin(&out, look.id);
            buf_append(&out, look.result.ptr, look.result.len);
            buf_append_byte(&out, '}');
            cr_expect_eq(out.len, rpc_answer_len(look.id, look.result));
        }
        cr_expect_eq(here, cases[i].here, "%s", text);
        ask(e, base, &a, text);
        cr_expect(!here || (a.body.len == out.len && memcmp(a.body.ptr, out.ptr, out.len) == 0),
                  "%s: %.*s and %.*s", text, (int)out.len, (const char *)out.ptr, (int)a.body.len,
                  (const char *)a.body.ptr);
        cr_expect_eq(memmem(a.body.ptr, a.body.len, "\"error\"", 7) == NULL || !here, true);
        buf_clear(&out);
    }
    rpc_engine_free(e);
    event_base_free(base);
    buf_clear(&a.body);
    served_close(&s);
}
