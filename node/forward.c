/* SPDX-License-Identifier: Apache-2.0 */
#include "node/forward.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/log.h"
#include "bridge/http_client.h"
#include "node/forwarded.h"
#include "node/metrics.h"
#include "node/targets.h"
#include "rpc/api.h"
#include "rpc/call.h"
#include "rpc/jsonrpc.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { URL_MAX = HTTP_CLIENT_URL_MAX_BYTES + sizeof("/u/") + API_SLUG_MAX, ITEM_FRAME_BYTES = 128 };

#define SHUTTING_DOWN "the node is shutting down"

struct item {
    struct pool_tx *t;
    bool wants_receipt;
    uint32_t timeout_ms;
    uint64_t token;
    json_t *reply; /* of a target; NULL: none yet */
};
/* Transactions of one body. */
struct run {
    struct run *next;
    char slug[API_SLUG_MAX + 1];
    uint64_t come_ns;
    submit_done_fn done;
    void *done_ctx;
    size_t count;
    struct item items[];
};
struct worker {
    struct forward *forward;
    pthread_t thread;
    struct http_client *http;
    struct buf body;
};
struct forward {
    struct forward_options o;
    struct targets targets;
    struct forwarded taken;
    atomic_bool stop;
    pthread_mutex_t lock;
    pthread_cond_t come;
    struct run *first, **last;
    size_t count, bytes; /* of what is not answered for */
    bool stopping;
    size_t worker_count;
    struct worker workers[];
};

/* --- answers ------------------------------------------------------------------------------- */
static void leave(struct forward *f, size_t size) {
    pthread_mutex_lock(&f->lock);
    f->count--;
    f->bytes -= size;
    metric_set(&node_forward_waiting, (int64_t)f->count);
    pthread_mutex_unlock(&f->lock);
}

static struct submit_result refusal(int code, const char *text) {
    struct submit_result r = {.status = SUBMIT_REFUSED, .code = code};
    snprintf(r.text, sizeof(r.text), "%s", text);
    return r;
}

/* Ends an item; its reply, if it has one, is the answer, else `r`. */
static void answer(struct forward *f, struct run *run, struct item *i, struct submit_result r) {
    struct pool_tx *t = i->t;
    size_t size = pool_tx_bytes(t);
    r.hash = t->tx.hash;
    if (i->reply != NULL) {
        r.status = SUBMIT_FORWARDED;
        r.reply = i->reply;
        metric_add(&node_forwarded, 1);
    }
    bool taken = i->reply != NULL && json_object_get(i->reply, "error") == NULL &&
                 tx_recover_sender(&t->tx) == ERR_OK;
    if (taken)
        forwarded_add(&f->taken, t); /* before its sender asks */
    else
        pool_tx_free(t);
    i->t = NULL;
    i->reply = NULL;
    leave(f, size);
    run->done(run->done_ctx, i->token, &r);
}

static void answer_all(struct forward *f, struct run *run, size_t from, size_t n,
                       const struct submit_result *r) {
    for (size_t i = from; i < from + n; i++)
        answer(f, run, &run->items[i], *r);
}

/* No target has answered; `maybe`: one may have taken them nevertheless. */
static void answer_lost(struct forward *f, struct run *run, size_t from, size_t n, bool maybe) {
    metric_add(&node_forward_lost, n);
    for (size_t i = from; i < from + n; i++) {
        struct submit_result r =
            refusal(RPC_SERVER_ERROR, maybe ? "the sequencer did not answer: the transaction may "
                                              "have been taken, send it again to know"
                                            : "the sequencer cannot be reached, try again later");
        char hash[65] = {0};
        hex_encode(hash, run->items[i].t->tx.hash.b, 32);
        if (maybe)
            snprintf(r.data, sizeof(r.data), "\"0x%s\"", hash);
        answer(f, run, &run->items[i], r);
    }
}

/* --- requests ------------------------------------------------------------------------------ */
static void put_request(struct buf *b, const struct item *i, size_t id) {
    buf_printf(b, "{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"eth_sendRawTransaction%s\",", id,
               i->wants_receipt ? "Sync" : "");
    buf_printf(b, "\"params\":[\"");
    hex_put(b, i->t->tx.raw.ptr, i->t->tx.raw.len);
    if (i->wants_receipt)
        buf_printf(b, "\",%" PRIu32 "]}", i->timeout_ms);
    else
        buf_printf(b, "\"]}");
}

static void put_requests(struct buf *b, const struct item *items, size_t n) {
    buf_reset(b);
    if (n > 1)
        buf_append_byte(b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_append_byte(b, ',');
        put_request(b, &items[i], i);
    }
    if (n > 1)
        buf_append_byte(b, ']');
    CHECK(!b->overflow);
}

/* How many of them go together, at least one. */
static size_t fit(const struct item *items, size_t n) {
    size_t size = 0;
    for (size_t i = 0; i < n && i < FORWARD_AT_ONCE; i++) {
        size += 2 * items[i].t->tx.raw.len + ITEM_FRAME_BYTES;
        if (i > 0 && size > FORWARD_BODY_BYTES)
            return i;
    }
    return n < FORWARD_AT_ONCE ? n : FORWARD_AT_ONCE;
}

static uint32_t time_of(const struct forward *f, const struct item *items, size_t n) {
    uint32_t most = 0;
    for (size_t i = 0; i < n; i++)
        if (items[i].timeout_ms > most)
            most = items[i].timeout_ms;
    return f->o.timeout_ms + most;
}

/* --- replies ------------------------------------------------------------------------------- */
static bool is_reply(const json_t *v) {
    const json_t *error = json_object_get(v, "error");
    if (error == NULL || json_is_null(error))
        return json_object_get(v, "result") != NULL;
    return json_is_integer(json_object_get(error, "code")) &&
           json_integer_value(json_object_get(error, "code")) != 0 &&
           json_is_string(json_object_get(error, "message"));
}

static void drop_replies(struct item *items, size_t n) {
    for (size_t i = 0; i < n; i++) {
        json_decref(items[i].reply);
        items[i].reply = NULL;
    }
}

static bool take_batch(struct item *items, size_t n, const json_t *doc) {
    size_t at = 0;
    json_t *v;
    json_array_foreach(doc, at, v) {
        const json_t *id = json_object_get(v, "id");
        json_int_t i = json_is_integer(id) ? json_integer_value(id) : -1;
        if (i >= 0 && (size_t)i < n && items[i].reply == NULL && is_reply(v))
            items[i].reply = json_incref(v);
    }
    for (size_t i = 0; i < n; i++)
        if (items[i].reply == NULL)
            return false;
    return true;
}

/* The replies in a body, whatever its HTTP status; an error for the whole request is that of each.
 * False: it is none. */
static bool take_replies(struct item *items, size_t n, bytes body) {
    const char *text = (const char *)body.ptr;
    if (body.len == 0 || !rpc_json_depth_ok(text, body.len, RPC_JSON_DEPTH_MAX))
        return false;
    json_t *doc = json_loadb(text, body.len, 0, NULL);
    bool whole = json_is_object(doc) && is_reply(doc) &&
                 (n == 1 || !json_is_null(json_object_get(doc, "error")));
    bool ok = whole || (n > 1 && json_is_array(doc) && take_batch(items, n, doc));
    for (size_t i = 0; whole && i < n; i++)
        ok = (items[i].reply = json_deep_copy(doc)) != NULL && ok;
    json_decref(doc); /* before others have the replies: the counts are this thread's */
    if (!ok)
        drop_replies(items, n);
    return ok;
}

/* --- one target ---------------------------------------------------------------------------- */
static bool url_of(char out[URL_MAX], const struct forward *f, size_t target, const char *slug) {
    const char *url = f->targets.at[target].url;
    int n = snprintf(out, URL_MAX, slug[0] != '\0' ? "%s/u/%s" : "%s", url, slug);
    return n > 0 && n < URL_MAX;
}

/* A transaction that the target refuses may be one that an earlier target took before it fell
 * silent: then it has a receipt here, and that is the answer. */
static void ask_receipt(struct worker *w, struct item *i, const char *url) {
    struct http_reply reply;
    struct item receipt = {.reply = NULL};
    char hash[65] = {0};
    hex_encode(hash, i->t->tx.hash.b, 32);
    buf_reset(&w->body);
    buf_printf(&w->body,
               "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"eth_getTransactionReceipt\","
               "\"params\":[\"0x%s\"]}",
               hash);
    http_client_set_timeout(w->http, w->forward->o.timeout_ms);
    http_client_ask(w->http, &reply, "POST", url, buf_bytes(&w->body));
    if (reply.outcome == HTTP_CLIENT_ANSWERED &&
        take_replies(&receipt, 1, buf_bytes(&reply.body)) &&
        json_is_object(json_object_get(receipt.reply, "result"))) {
        char text[67];
        snprintf(text, sizeof(text), "0x%s", hash);
        if (!i->wants_receipt)
            (void)json_object_set_new(receipt.reply, "result", json_string(text));
        json_decref(i->reply);
        i->reply = receipt.reply;
        receipt.reply = NULL;
    }
    json_decref(receipt.reply);
    buf_clear(&reply.body);
}

enum attempt { ATTEMPT_ANSWERED, ATTEMPT_FAILED, ATTEMPT_TOO_LARGE, ATTEMPT_STOPPED };

/* *unsure: on entry, whether an earlier target may have taken them; set when this one may have. */
static enum attempt attempt(struct worker *w, struct run *run, size_t from, size_t n, size_t target,
                            bool *unsure) {
    struct forward *f = w->forward;
    struct item *items = &run->items[from];
    struct http_reply reply;
    char url[URL_MAX];
    bool fits = url_of(url, f, target, run->slug);
    CHECK(fits);
    put_requests(&w->body, items, n);
    http_client_set_timeout(w->http, time_of(f, items, n));
    http_client_ask(w->http, &reply, "POST", url, buf_bytes(&w->body));
    enum http_client_outcome outcome = reply.outcome;
    bool ok = outcome == HTTP_CLIENT_ANSWERED && take_replies(items, n, buf_bytes(&reply.body));
    buf_clear(&reply.body);
    if (outcome == HTTP_CLIENT_STOPPED)
        return ATTEMPT_STOPPED;
    if (!ok && outcome != HTTP_CLIENT_TOO_LARGE) {
        targets_failed(&f->targets, target);
        log_warn("forward", "an endpoint gave no answer", log_u64("endpoint", target),
                 log_str("why", outcome == HTTP_CLIENT_ANSWERED ? "no JSON-RPC" : reply.text));
        *unsure = *unsure || outcome == HTTP_CLIENT_ANSWERED || reply.maybe_sent;
        return ATTEMPT_FAILED;
    }
    targets_answered(&f->targets, target);
    for (size_t i = 0; ok && *unsure && i < n; i++)
        if (json_object_get(items[i].reply, "error") != NULL)
            ask_receipt(w, &items[i], url);
    return ok ? ATTEMPT_ANSWERED : ATTEMPT_TOO_LARGE;
}

/* Answers `n` items. False: no target did. */
static bool send_together(struct worker *w, struct run *run, size_t from, size_t n) {
    struct forward *f = w->forward;
    struct submit_result stopped = refusal(RPC_SERVER_ERROR, SHUTTING_DOWN),
                         large = refusal(RPC_LIMIT_EXCEEDED, "response too large");
    enum attempt a = ATTEMPT_FAILED;
    bool unsure = false;
    size_t target = targets_next(&f->targets, 0);
    while (target < f->targets.count) {
        a = attempt(w, run, from, n, target, &unsure);
        if (a != ATTEMPT_FAILED)
            break;
        target = targets_next(&f->targets, target + 1);
    }
    if (a == ATTEMPT_FAILED)
        answer_lost(f, run, from, n, unsure);
    else
        answer_all(f, run, from, n, a == ATTEMPT_STOPPED ? &stopped : &large);
    return a != ATTEMPT_FAILED;
}

static void send_run(struct worker *w, struct run *run) {
    struct forward *f = w->forward;
    uint64_t waited_ms = (clock_monotonic_ns(f->o.clock) - run->come_ns) / 1000000;
    struct submit_result late = refusal(
        RPC_LIMIT_EXCEEDED, "too many transactions wait for the sequencer, try again in 1000ms");
    size_t from = 0;
    bool ok = true;
    if (waited_ms > f->o.timeout_ms) {
        metric_add(&node_forward_refusals, run->count);
        answer_all(f, run, 0, run->count, &late);
        from = run->count;
    }
    while (ok && from < run->count) {
        size_t n = fit(&run->items[from], run->count - from);
        ok = send_together(w, run, from, n);
        from += n;
    }
    if (from < run->count) /* they come after what nobody took */
        answer_lost(f, run, from, run->count - from, false);
    free(run);
}

static void *worker_main(void *arg) {
    struct worker *w = arg;
    struct forward *f = w->forward;
    pthread_mutex_lock(&f->lock);
    while (!f->stopping || f->first != NULL) {
        struct run *run = f->first;
        if (run == NULL) {
            pthread_cond_wait(&f->come, &f->lock);
            continue;
        }
        f->first = run->next;
        if (f->first == NULL)
            f->last = &f->first;
        pthread_mutex_unlock(&f->lock);
        send_run(w, run);
        pthread_mutex_lock(&f->lock);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

/* --- what comes ---------------------------------------------------------------------------- */
/* The first ones that there is room for enter the queue; how many. */
static size_t enter(struct forward *f, struct run *run) {
    size_t n = 0;
    pthread_mutex_lock(&f->lock);
    while (n < run->count && f->count < f->o.max) {
        size_t size = pool_tx_bytes(run->items[n].t);
        if (f->bytes + size > FORWARD_BYTES_MAX)
            break;
        f->bytes += size;
        f->count++;
        n++;
    }
    metric_set(&node_forward_waiting, (int64_t)f->count);
    pthread_mutex_unlock(&f->lock);
    return n;
}

static void push(struct forward *f, struct run *run) {
    struct submit_result stopped = refusal(RPC_SERVER_ERROR, SHUTTING_DOWN);
    pthread_mutex_lock(&f->lock);
    bool takes = !f->stopping;
    if (takes) {
        run->next = NULL;
        *f->last = run;
        f->last = &run->next;
        pthread_cond_signal(&f->come);
    }
    pthread_mutex_unlock(&f->lock);
    if (takes)
        return;
    answer_all(f, run, 0, run->count, &stopped);
    free(run);
}

/* Whether it is worth handing on; else it is told why not. */
static bool read_item(struct forward *f, const struct forward_txs *t, size_t idx, struct item *out,
                      struct submit_result *r) {
    const struct forward_tx *tx = &t->txs[idx];
    static const char loop[] = "the transaction was handed on to a node that would hand it on: "
                               "--forward-urls of one of them is wrong";
    *r = refusal(RPC_SERVER_ERROR, loop);
    if (t->forwarded)
        return false;
    out->t = f->o.read(f->o.read_ctx, tx->envelope, r);
    out->wants_receipt = tx->wants_receipt;
    out->timeout_ms = tx->timeout_ms;
    out->token = tx->token;
    return out->t != NULL;
}

static void forward(void *ctx, const struct forward_txs *t, submit_done_fn done, void *done_ctx) {
    struct forward *f = ctx;
    struct submit_result r,
        full = refusal(RPC_LIMIT_EXCEEDED,
                       "too many transactions wait for the sequencer, try again in 100ms");
    struct run *run = calloc(1, sizeof(*run) + t->count * sizeof(struct item));
    CHECK(run != NULL);
    run->done = done;
    run->done_ctx = done_ctx;
    run->come_ns = clock_monotonic_ns(f->o.clock);
    snprintf(run->slug, sizeof(run->slug), "%s", t->slug);
    for (size_t i = 0; i < t->count; i++) {
        if (read_item(f, t, i, &run->items[run->count], &r))
            run->count++;
        else
            done(done_ctx, t->txs[i].token, &r);
    }
    size_t n = enter(f, run);
    metric_add(&node_forward_refusals, run->count - n);
    for (size_t i = n; i < run->count; i++) {
        full.hash = run->items[i].t->tx.hash;
        done(done_ctx, run->items[i].token, &full);
        pool_tx_free(run->items[i].t);
    }
    run->count = n;
    if (n > 0)
        push(f, run);
    else
        free(run);
}

static bool find(void *ctx, const hash32 *hash, struct buf *out_envelope, addr20 *out_sender) {
    struct forward *f = ctx;
    return forwarded_get(&f->taken, hash, out_envelope, out_sender);
}

static uint64_t next_nonce(void *ctx, const addr20 *a, uint64_t nonce) {
    struct forward *f = ctx;
    return forwarded_nonce(&f->taken, a, nonce);
}

void forward_commands(struct forward *f, struct node_commands *out) {
    out->forwarder = f;
    out->forward = forward;
    out->forwarded = find;
    out->forwarded_nonce = next_nonce;
}

/* --- life ---------------------------------------------------------------------------------- */
static enum err start_worker(struct forward *f, struct err_ctx *ec) {
    static const char *const headers[] = {"Content-Type: application/json",
                                          RPC_FORWARDED_HEADER ": 1", NULL};
    struct worker *w = &f->workers[f->worker_count];
    struct http_client_config c = {.connect_timeout_ms = FORWARD_CONNECT_MS,
                                   .request_timeout_ms = f->o.timeout_ms,
                                   .reply_max_bytes = f->o.reply_bytes_max,
                                   .headers = headers,
                                   .stop = &f->stop};
    w->forward = f;
    buf_init(&w->body, 2 * (size_t)FORWARD_BODY_BYTES);
    TRY(http_client_new(&w->http, &c, ec));
    if (pthread_create(&w->thread, NULL, worker_main, w) != 0) {
        http_client_free(w->http);
        FAIL(ec, ERR_NOMEM, "cannot start a thread that hands transactions on");
    }
    f->worker_count++;
    return ERR_OK;
}

enum err forward_start(struct forward **out, const struct forward_options *o, struct err_ctx *ec) {
    struct forward *f = calloc(1, sizeof(*f) + o->connections * sizeof(struct worker));
    if (f == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory");
    enum err e = targets_init(&f->targets, o->urls, o->clock, ec);
    if (e != ERR_OK) {
        free(f);
        return e;
    }
    f->o = *o;
    f->last = &f->first;
    forwarded_init(&f->taken);
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->come, NULL);
    while (e == ERR_OK && f->worker_count < o->connections)
        e = start_worker(f, ec);
    if (e != ERR_OK) {
        forward_stop(f);
        forward_free(f);
        return e;
    }
    *out = f;
    return ERR_OK;
}

void forward_stop(struct forward *f) {
    if (f == NULL)
        return;
    atomic_store(&f->stop, true);
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    pthread_cond_broadcast(&f->come);
    pthread_mutex_unlock(&f->lock);
    for (size_t i = 0; i < f->worker_count; i++) {
        pthread_join(f->workers[i].thread, NULL);
        http_client_free(f->workers[i].http);
        buf_clear(&f->workers[i].body);
    }
    f->worker_count = 0;
}

void forward_free(struct forward *f) {
    if (f == NULL)
        return;
    CHECK(f->first == NULL && f->count == 0);
    targets_clear(&f->targets);
    forwarded_clear(&f->taken);
    pthread_cond_destroy(&f->come);
    pthread_mutex_destroy(&f->lock);
    free(f);
}
