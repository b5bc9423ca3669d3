/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/parent.h"

#include "base/check.h"
#include "bridge/metrics.h"
#include "bridge/parent_internal.h"

enum {
    REQUEST_MAX_BYTES = 1 << 20, /* the largest is a signed batch in hexadecimal */
    SLEEP_SLICE_MS = 20,         /* how late a stop is noticed */
    CODE_LIMIT_EXCEEDED = -32005,
    CODE_INTERNAL = -32603,
};

/* --- life --------------------------------------------------------------------------------- */

static void set_defaults(struct parent_config *c) {
    c->connect_timeout_ms = c->connect_timeout_ms ? c->connect_timeout_ms : 5000;
    c->request_timeout_ms = c->request_timeout_ms ? c->request_timeout_ms : 20000;
    c->breaker_open_ms = c->breaker_open_ms ? c->breaker_open_ms : 2000;
    c->retries = c->retries ? c->retries : 4;
    c->reply_max_bytes = c->reply_max_bytes ? c->reply_max_bytes : PARENT_REPLY_MAX_BYTES;
    c->logs_range_max = c->logs_range_max ? c->logs_range_max : 5000;
    c->clock = c->clock ? c->clock : clock_posix();
}

static enum err check_urls(const struct parent_config *c, struct err_ctx *ec) {
    if (c->url_count == 0 || c->url_count > PARENT_ENDPOINTS_MAX)
        FAIL(ec, ERR_CONFIG, "the parent chain needs 1 to %d endpoints, not %zu",
             PARENT_ENDPOINTS_MAX, c->url_count);
    for (size_t i = 0; i < c->url_count; i++) {
        const char *u = c->urls[i];
        /* The URL itself is not told: it may hold a provider's key. */
        if (!http_client_url_ok(u))
            FAIL(ec, ERR_CONFIG, "endpoint %zu of the parent chain is no http or https URL", i);
    }
    return ERR_OK;
}

/* An endpoint's client; the URL is copied. */
static bool open_endpoint(struct parent *p, struct endpoint *ep, const char *url,
                          struct err_ctx *ec) {
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    struct http_client_config c = {.connect_timeout_ms = p->config.connect_timeout_ms,
                                   .request_timeout_ms = p->config.request_timeout_ms,
                                   .reply_max_bytes = p->config.reply_max_bytes,
                                   .headers = headers,
                                   .stop = p->config.stop};
    ep->url = strdup(url);
    return ep->url != NULL && http_client_new(&ep->http, &c, ec) == ERR_OK;
}

enum err parent_new(struct parent **out, const struct parent_config *c, struct err_ctx *ec) {
    TRY(check_urls(c, ec));
    struct parent *p = calloc(1, sizeof *p);
    if (p == NULL)
        return ERR_NOMEM;
    p->config = *c;
    set_defaults(&p->config);
    p->jitter = c->seed;
    buf_init(&p->request, REQUEST_MAX_BYTES);
    bool ok = true;
    for (size_t i = 0; ok && i < c->url_count; i++)
        ok = open_endpoint(p, &p->endpoints[p->endpoint_count++], c->urls[i], ec);
    if (!ok) {
        parent_free(p);
        FAIL(ec, ERR_NOMEM, "no memory for the parent chain's client");
    }
    *out = p;
    return ERR_OK;
}

void parent_free(struct parent *p) {
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->endpoint_count; i++) {
        if (p->endpoints[i].breaker != PARENT_BREAKER_CLOSED)
            metric_move(&bridge_breakers_open[i], -1);
        http_client_free(p->endpoints[i].http);
        free(p->endpoints[i].url);
    }
    buf_clear(&p->request);
    free(p);
}

/* --- time --------------------------------------------------------------------------------- */

bool parent_stopped(const struct parent *p) {
    return p->config.stop != NULL && atomic_load(p->config.stop);
}

static uint64_t now_ms(const struct parent *p) {
    return clock_monotonic_ns(p->config.clock) / 1000000;
}

enum err parent_sleep(struct parent *p, uint64_t ms) {
    while (ms > 0 && !parent_stopped(p)) {
        uint64_t slice = ms < SLEEP_SLICE_MS ? ms : SLEEP_SLICE_MS;
        struct timespec t = {.tv_nsec = (long)slice * 1000000};
        (void)nanosleep(&t, NULL);
        ms -= slice;
    }
    return parent_stopped(p) ? ERR_CLOSED : ERR_OK;
}

/* In [ms / 2, ms]: clients that failed together do not come back together. splitmix64. */
static uint64_t with_jitter(struct parent *p, uint64_t ms) {
    uint64_t z = p->jitter += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return ms - z % (ms / 2 + 1);
}

struct clock *parent_clock(const struct parent *p) {
    return p->config.clock;
}

/* --- breakers ----------------------------------------------------------------------------- */

static size_t index_of(const struct parent *p, const struct endpoint *ep) {
    return (size_t)(ep - p->endpoints);
}

bool endpoint_usable(struct parent *p, struct endpoint *ep) {
    if (ep->breaker == PARENT_BREAKER_OPEN && now_ms(p) >= ep->open_until_ms)
        ep->breaker = PARENT_BREAKER_HALF_OPEN;
    return ep->breaker != PARENT_BREAKER_OPEN;
}

static void open_breaker(struct parent *p, struct endpoint *ep, uint64_t at_least_ms) {
    uint64_t pause = (uint64_t)p->config.breaker_open_ms << ep->doublings;
    if (ep->doublings < PARENT_BREAKER_DOUBLINGS)
        ep->doublings++;
    if (ep->breaker == PARENT_BREAKER_CLOSED)
        metric_move(&bridge_breakers_open[index_of(p, ep)], 1);
    metric_add(&bridge_breaker_opened[index_of(p, ep)], 1);
    ep->breaker = PARENT_BREAKER_OPEN;
    ep->open_until_ms = now_ms(p) + (pause > at_least_ms ? pause : at_least_ms);
    ep->chain_checked = false;
    ep->failures = 0;
}

static void endpoint_failed(struct parent *p, struct endpoint *ep, uint64_t retry_after_s) {
    ep->errors++;
    metric_add(&bridge_request_errors[index_of(p, ep)], 1);
    if (retry_after_s > PARENT_RETRY_AFTER_MAX_S)
        retry_after_s = PARENT_RETRY_AFTER_MAX_S;
    ep->failures++;
    if (ep->breaker != PARENT_BREAKER_CLOSED || ep->failures >= PARENT_BREAKER_FAILURES ||
        retry_after_s > 0)
        open_breaker(p, ep, retry_after_s * 1000);
}

static void endpoint_answered(struct parent *p, struct endpoint *ep) {
    if (ep->breaker != PARENT_BREAKER_CLOSED)
        metric_move(&bridge_breakers_open[index_of(p, ep)], -1);
    ep->breaker = PARENT_BREAKER_CLOSED;
    ep->failures = 0;
    ep->doublings = 0;
}

size_t parent_endpoint_count(const struct parent *p) {
    return p->endpoint_count;
}

struct parent_endpoint_state parent_endpoint_state(const struct parent *p, size_t idx) {
    CHECK(idx < p->endpoint_count);
    const struct endpoint *ep = &p->endpoints[idx];
    return (struct parent_endpoint_state){.breaker = ep->breaker,
                                          .wrong_chain = ep->wrong_chain,
                                          .requests = ep->requests,
                                          .errors = ep->errors,
                                          .opens_until_ms = ep->open_until_ms};
}

/* --- one request -------------------------------------------------------------------------- */

void answer_clear(struct answer *a) {
    json_decref(a->doc);
    memset(a, 0, sizeof *a);
}

/* Reads a body as the reply to request `id`. False: it is none. */
static bool read_reply(struct answer *out, bytes body, uint64_t id) {
    memset(out, 0, sizeof *out);
    out->doc = json_loadb((const char *)body.ptr, body.len, JSON_ALLOW_NUL, NULL);
    const json_t *reply_id = json_object_get(out->doc, "id");
    const json_t *error = json_object_get(out->doc, "error");
    bool is_error = error != NULL && !json_is_null(error);
    /* Some refuse with id null what they could not read. */
    bool own = json_is_integer(reply_id) ? (uint64_t)json_integer_value(reply_id) == id
                                         : is_error && json_is_null(reply_id);
    out->result = is_error ? NULL : json_object_get(out->doc, "result");
    if (!json_is_object(out->doc) || !own || (out->result == NULL && !json_is_object(error))) {
        answer_clear(out);
        return false;
    }
    if (is_error) {
        const char *message = json_string_value(json_object_get(error, "message"));
        copy_printable_text(out->message, message != NULL ? message : "no message");
        out->code = json_integer_value(json_object_get(error, "code"));
        out->error_data = json_object_get(error, "data");
    }
    return true;
}

/* Errors by which an endpoint says that it cannot serve now, not that the request is wrong. What
 * looks like a revert never is one of these: some report reverts as internal errors. */
static bool is_busy(const struct answer *a) {
    if (a->result != NULL || a->error_data != NULL || text_has(a->message, "revert"))
        return false;
    return a->code == CODE_LIMIT_EXCEEDED || a->code == CODE_INTERNAL;
}

static enum err failed(struct parent *p, struct endpoint *ep, uint64_t retry_after_s,
                       const char *method, const char *why, struct err_ctx *ec) {
    endpoint_failed(p, ep, retry_after_s);
    FAIL(ec, ERR_IO, "parent endpoint %zu, %s: %s", index_of(p, ep), method, why);
}

static enum err take_reply(struct parent *p, struct endpoint *ep, struct answer *out,
                           const struct request *r, struct http_reply *reply, struct err_ctx *ec) {
    switch (reply->outcome) {
    case HTTP_CLIENT_STOPPED:
        FAIL(ec, ERR_CLOSED, "stopped while the parent chain was asked");
    case HTTP_CLIENT_TOO_LARGE:
        if (!r->too_large_is_answer)
            (void)failed(p, ep, 0, r->method, reply->text, ec);
        FAIL(ec, ERR_TOO_LARGE, "parent endpoint %zu, %s: %s", index_of(p, ep), r->method,
             reply->text);
    case HTTP_CLIENT_FAILED:
        return failed(p, ep, reply->retry_after_s, r->method, reply->text, ec);
    case HTTP_CLIENT_ANSWERED:
        break;
    }
    if (reply->status != 200) {
        snprintf(reply->text, sizeof reply->text, "HTTP status %llu",
                 (unsigned long long)reply->status);
        return failed(p, ep, reply->retry_after_s, r->method, reply->text, ec);
    }
    if (!read_reply(out, buf_bytes(&reply->body), p->next_id))
        return failed(p, ep, 0, r->method, "the body is no JSON-RPC reply", ec);
    if (!r->busy_is_answer && is_busy(out)) {
        char why[PARENT_MESSAGE_MAX];
        memcpy(why, out->message, sizeof why);
        answer_clear(out);
        return failed(p, ep, 0, r->method, why, ec);
    }
    endpoint_answered(p, ep);
    return ERR_OK;
}

enum err parent_ask(struct parent *p, struct endpoint *ep, struct answer *out,
                    const struct request *r, struct err_ctx *ec) {
    struct http_reply reply;
    buf_reset(&p->request);
    buf_printf(&p->request, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"%s\",\"params\":",
               (unsigned long long)++p->next_id, r->method);
    buf_append_str(&p->request, r->params);
    buf_append_byte(&p->request, '}');
    if (p->request.overflow)
        FAIL(ec, ERR_TOO_LARGE, "a request %s is over %d bytes", r->method, REQUEST_MAX_BYTES);
    ep->requests++;
    metric_add(&bridge_requests[index_of(p, ep)], 1);
    uint64_t start = clock_monotonic_ns(p->config.clock);
    http_client_ask(ep->http, &reply, "POST", ep->url, buf_bytes(&p->request));
    metric_observe(&bridge_request_us, (clock_monotonic_ns(p->config.clock) - start) / 1000);
    enum err e = take_reply(p, ep, out, r, &reply, ec);
    buf_clear(&reply.body);
    return e;
}

/* Once after each opening of the breaker: another chain's endpoint is as good as none. */
enum err endpoint_check_chain(struct parent *p, struct endpoint *ep, struct err_ctx *ec) {
    if (ep->chain_checked || p->config.chain_id == 0)
        return ERR_OK;
    struct answer a;
    uint64_t id = 0;
    TRY(parent_ask(p, ep, &a, &(struct request){.method = "eth_chainId", .params = "[]"}, ec));
    enum err e = json_as_u64(&id, a.result);
    answer_clear(&a);
    ep->wrong_chain = e == ERR_OK && id != p->config.chain_id;
    if (e != ERR_OK || ep->wrong_chain) {
        ep->errors++;
        open_breaker(p, ep, ep->wrong_chain ? PARENT_RETRY_AFTER_MAX_S * 1000 : 0);
        FAIL(ec, ERR_IO, "parent endpoint %zu is of chain %llu, not %llu", index_of(p, ep),
             (unsigned long long)id, (unsigned long long)p->config.chain_id);
    }
    ep->chain_checked = true;
    return ERR_OK;
}

/* --- rounds ------------------------------------------------------------------------------- */

/* What a round over the endpoints came to. */
struct round {
    enum err unsure; /* ERR_OK, or the last error that is neither final nor ERR_IO */
    size_t failures; /* endpoints that failed */
    size_t tried;
};

static bool is_final(enum err e) {
    return e != ERR_IO && e != ERR_MISMATCH && e != ERR_NOT_FOUND && e != ERR_PARSE &&
           e != ERR_TOO_LARGE;
}

/* True with *out when an attempt was final. */
static bool one_round(struct parent *p, struct round *r, attempt_fn attempt, void *ctx,
                      enum err *out, struct err_ctx *ec) {
    *r = (struct round){.unsure = ERR_OK};
    for (size_t i = 0; i < p->endpoint_count; i++) {
        struct endpoint *ep = &p->endpoints[i];
        if (parent_stopped(p)) {
            *out = ERR_CLOSED;
            return true;
        }
        if (!endpoint_usable(p, ep))
            continue;
        r->tried++;
        enum err e = endpoint_check_chain(p, ep, ec);
        if (e == ERR_OK)
            e = attempt(p, ep, ctx, ec);
        if (is_final(e)) {
            *out = e;
            return true;
        }
        if (e == ERR_IO)
            r->failures++;
        else
            r->unsure = e;
    }
    return false;
}

enum err parent_attempt(struct parent *p, attempt_fn attempt, void *ctx, struct err_ctx *ec) {
    struct round r = {.unsure = ERR_OK};
    enum err e;
    uint64_t pause = PARENT_BACKOFF_MIN_MS;
    for (uint32_t round = 0; round < p->config.retries; round++) {
        if (round > 0) {
            TRY(parent_sleep(p, with_jitter(p, pause)));
            pause = pause * 2 < PARENT_BACKOFF_MAX_MS ? pause * 2 : PARENT_BACKOFF_MAX_MS;
        }
        if (one_round(p, &r, attempt, ctx, &e, ec))
            return e;
        if (r.unsure != ERR_OK && r.failures == 0)
            return r.unsure;
    }
    if (r.unsure != ERR_OK)
        return r.unsure;
    if (r.tried == 0)
        FAIL(ec, ERR_IO, "all %zu endpoints of the parent chain are out of use", p->endpoint_count);
    return ERR_IO; /* the last attempt has said why */
}

struct plain_request {
    const struct request *request;
    answer_fn read;
    void *ctx;
};

static enum err ask_and_read(struct parent *p, struct endpoint *ep, void *ctx, struct err_ctx *ec) {
    const struct plain_request *r = ctx;
    struct answer a;
    TRY(parent_ask(p, ep, &a, r->request, ec));
    enum err e = r->read(&a, r->ctx, ec);
    if (e == ERR_PARSE)
        e = err_set(ec, ERR_PARSE, __FILE__, __LINE__,
                    "parent endpoint %zu, %s: an answer in a wrong form", index_of(p, ep),
                    r->request->method);
    else if (e == ERR_NOT_FOUND)
        e = err_set(ec, ERR_NOT_FOUND, __FILE__, __LINE__, "parent endpoint %zu, %s: not there",
                    index_of(p, ep), r->request->method);
    answer_clear(&a);
    return e;
}

enum err parent_request(struct parent *p, const struct request *r, answer_fn read, void *ctx,
                        struct err_ctx *ec) {
    struct plain_request plain = {.request = r, .read = read, .ctx = ctx};
    return parent_attempt(p, ask_and_read, &plain, ec);
}
