/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/bridge/fake_parent.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/keccak.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>

#include <jansson.h>
#include <netinet/in.h>
#include <pthread.h>

enum { ANSWERS_MAX = 16, TICK_MS = 10, HUGE_BYTES = 8 << 20 };

struct set_answer {
    char method[64];
    char *text;
};

struct fake_parent {
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    struct event_base *base;
    struct evhttp *http;
    char url[64];
    bool stop;
    uint64_t chain_id, head, fork_since, final, log_span, logs_from, logs_to;
    size_t log_bytes;
    uint8_t fork;
    enum fake_fault fault;
    unsigned fault_count, requests;
    struct set_answer answers[ANSWERS_MAX];
    struct {
        char method[64];
        unsigned count;
    } calls[ANSWERS_MAX];
    char last_params[4096];
};

hash32 fake_parent_hash(uint8_t fork, uint64_t number) {
    uint8_t preimage[9] = {fork};
    be64_store(preimage + 1, number);
    hash32 h;
    keccak256(&h, preimage, sizeof preimage);
    return h;
}

/* --- answers ------------------------------------------------------------------------------ */

static void add_hash(struct evbuffer *b, const char *key, const hash32 *h) {
    char text[65] = "";
    hex_encode(text, h->b, 32);
    evbuffer_add_printf(b, "\"%s\":\"0x%s\"", key, text);
}

static uint8_t fork_of(const struct fake_parent *f, uint64_t number) {
    return number >= f->fork_since ? f->fork : 0;
}

static void add_block(const struct fake_parent *f, struct evbuffer *b, uint64_t number) {
    hash32 h = fake_parent_hash(fork_of(f, number), number);
    hash32 parent = fake_parent_hash(fork_of(f, number - 1), number - 1);
    evbuffer_add_printf(b, "\"result\":{\"number\":\"0x%llx\",\"timestamp\":\"0x%llx\",",
                        (unsigned long long)number, (unsigned long long)(1700000000 + number));
    evbuffer_add_printf(b, "\"l1BlockNumber\":\"0x%llx\",\"baseFeePerGas\":\"0x5f5e100\",",
                        (unsigned long long)(number / 10));
    add_hash(b, "hash", &h);
    evbuffer_add_printf(b, ",");
    add_hash(b, "parentHash", &parent);
    evbuffer_add_printf(b, "}");
}

static uint64_t number_in(const json_t *v) {
    uint64_t n = 0;
    const char *s = json_string_value(v);
    CHECK(s != NULL && hex_parse_u64(&n, s, strlen(s), true) == ERR_OK);
    return n;
}

static void answer_block(const struct fake_parent *f, struct evbuffer *b, const json_t *params) {
    const char *tag = json_string_value(json_array_get(params, 0));
    CHECK(tag != NULL);
    uint64_t n = f->head;
    if (strcmp(tag, "safe") == 0)
        n = f->head - 1;
    else if (strcmp(tag, "finalized") == 0)
        n = f->final;
    else if (strcmp(tag, "latest") != 0)
        n = number_in(json_array_get(params, 0));
    if (strcmp(tag, "finalized") == 0 && f->final == 0)
        evbuffer_add_printf(b, "\"error\":{\"code\":-32602,\"message\":\"no such tag\"}");
    else if (n > f->head)
        evbuffer_add_printf(b, "\"result\":null");
    else
        add_block(f, b, n);
}

static void answer_logs(const struct fake_parent *f, struct evbuffer *b, const json_t *params) {
    const json_t *filter = json_array_get(params, 0);
    uint64_t from = number_in(json_object_get(filter, "fromBlock"));
    uint64_t to = number_in(json_object_get(filter, "toBlock"));
    if (f->log_span != 0 && to - from + 1 > f->log_span) {
        evbuffer_add_printf(b, "\"error\":{\"code\":-32005,\"message\":\"too many results\"}");
        return;
    }
    hash32 topic = abi_topic(ABI_EVENT_INBOX_MESSAGE);
    evbuffer_add_printf(b, "\"result\":[");
    bool first = true;
    for (uint64_t n = from; n <= to && n <= f->head; n++) {
        if (n < f->logs_from || n > f->logs_to)
            continue;
        hash32 h = fake_parent_hash(fork_of(f, n), n);
        char text[65] = "", index[65] = "";
        hash32 word = {{0}};
        be64_store(word.b + 24, n);
        hex_encode(text, topic.b, 32);
        hex_encode(index, word.b, 32);
        evbuffer_add_printf(b, "%s{\"address\":\"0x1111111111111111111111111111111111111111\",",
                            first ? "" : ",");
        evbuffer_add_printf(b, "\"topics\":[\"0x%s\",\"0x%s\"],", text, index);
        add_hash(b, "blockHash", &h);
        evbuffer_add_printf(b, ",");
        add_hash(b, "transactionHash", &h);
        evbuffer_add_printf(b, ",\"blockNumber\":\"0x%llx\",\"logIndex\":\"0x0\",\"data\":\"0x",
                            (unsigned long long)n);
        for (size_t i = 0; i < f->log_bytes; i++)
            evbuffer_add_printf(b, "ab");
        evbuffer_add_printf(b, "\"}");
        first = false;
    }
    evbuffer_add_printf(b, "]");
}

static const char *answer_set(const struct fake_parent *f, const char *method) {
    for (size_t i = 0; i < ANSWERS_MAX; i++)
        if (f->answers[i].text != NULL && strcmp(f->answers[i].method, method) == 0)
            return f->answers[i].text;
    return NULL;
}

static void answer(const struct fake_parent *f, struct evbuffer *b, const char *method,
                   const json_t *params) {
    const char *set = answer_set(f, method);
    if (set != NULL)
        evbuffer_add_printf(b, "%s", set);
    else if (strcmp(method, "eth_chainId") == 0)
        evbuffer_add_printf(b, "\"result\":\"0x%llx\"", (unsigned long long)f->chain_id);
    else if (strcmp(method, "eth_blockNumber") == 0)
        evbuffer_add_printf(b, "\"result\":\"0x%llx\"", (unsigned long long)f->head);
    else if (strcmp(method, "eth_getBlockByNumber") == 0)
        answer_block(f, b, params);
    else if (strcmp(method, "eth_getLogs") == 0)
        answer_logs(f, b, params);
    else
        evbuffer_add_printf(b, "\"error\":{\"code\":-32601,\"message\":\"no method %s\"}", method);
}

static void count_call(struct fake_parent *f, const char *method) {
    for (size_t i = 0; i < ANSWERS_MAX; i++) {
        if (f->calls[i].count == 0)
            snprintf(f->calls[i].method, sizeof f->calls[i].method, "%s", method);
        if (strcmp(f->calls[i].method, method) == 0) {
            f->calls[i].count++;
            return;
        }
    }
}

/* --- HTTP --------------------------------------------------------------------------------- */

static void reply(struct evhttp_request *req, int status, struct evbuffer *b) {
    evhttp_send_reply(req, status, "said", b);
}

/* True if the fault has dealt with the request. */
static bool meet_fault(struct fake_parent *f, struct evhttp_request *req, struct evbuffer *b,
                       int64_t id) {
    if (f->fault_count == 0)
        return false;
    f->fault_count--;
    switch (f->fault) {
    case FAKE_NO_FAULT:
        return false;
    case FAKE_STALL:
        return true;
    case FAKE_GARBAGE:
        evbuffer_add_printf(b, "<html>not here</html>");
        reply(req, 200, b);
        return true;
    case FAKE_WRONG_ID:
        evbuffer_add_printf(b, "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":\"0x1\"}",
                            (long long)id + 1);
        reply(req, 200, b);
        return true;
    case FAKE_STATUS_500:
        reply(req, 500, b);
        return true;
    case FAKE_TOO_MANY:
        evhttp_add_header(evhttp_request_get_output_headers(req), "Retry-After", "1");
        reply(req, 429, b);
        return true;
    case FAKE_HUGE:
        evbuffer_add_printf(b, "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":\"0x", (long long)id);
        for (int i = 0; i < HUGE_BYTES / 64; i++)
            evbuffer_add(b, "0000000000000000000000000000000000000000000000000000000000000000", 64);
        evbuffer_add_printf(b, "\"}");
        reply(req, 200, b);
        return true;
    case FAKE_BUSY:
        evbuffer_add_printf(b, "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"error\":{\"code\":-32005,",
                            (long long)id);
        evbuffer_add_printf(b, "\"message\":\"limit exceeded\"}}");
        reply(req, 200, b);
        return true;
    case FAKE_CUT:
        evhttp_connection_free(evhttp_request_get_connection(req));
        return true;
    }
    return false;
}

static void handle(struct evhttp_request *req, void *ctx) {
    struct fake_parent *f = ctx;
    struct evbuffer *in = evhttp_request_get_input_buffer(req), *out = evbuffer_new();
    size_t len = evbuffer_get_length(in);
    json_t *doc = json_loadb((const char *)evbuffer_pullup(in, -1), len, 0, NULL);
    const char *method = json_string_value(json_object_get(doc, "method"));
    const json_t *params = json_object_get(doc, "params");
    int64_t id = json_integer_value(json_object_get(doc, "id"));
    CHECK(method != NULL && json_is_array(params));
    pthread_mutex_lock(&f->lock);
    f->requests++;
    count_call(f, method);
    char *text = json_dumps(params, JSON_COMPACT);
    snprintf(f->last_params, sizeof f->last_params, "%s", text);
    free(text);
    if (!meet_fault(f, req, out, id)) {
        evbuffer_add_printf(out, "{\"jsonrpc\":\"2.0\",\"id\":%lld,", (long long)id);
        answer(f, out, method, params);
        evbuffer_add_printf(out, "}");
        reply(req, 200, out);
    }
    pthread_mutex_unlock(&f->lock);
    evbuffer_free(out);
    json_decref(doc);
}

static void tick(evutil_socket_t fd, short what, void *ctx) {
    struct fake_parent *f = ctx;
    (void)fd;
    (void)what;
    pthread_mutex_lock(&f->lock);
    bool stop = f->stop;
    pthread_mutex_unlock(&f->lock);
    if (stop)
        event_base_loopbreak(f->base);
}

static void *serve(void *ctx) {
    struct fake_parent *f = ctx;
    struct timeval every = {.tv_usec = TICK_MS * 1000};
    struct event *timer = event_new(f->base, -1, EV_PERSIST, tick, f);
    CHECK(timer != NULL && event_add(timer, &every) == 0);
    event_base_dispatch(f->base);
    event_free(timer);
    return NULL;
}

struct fake_parent *fake_parent_start(uint64_t chain_id) {
    struct fake_parent *f = calloc(1, sizeof *f);
    CHECK(f != NULL);
    f->chain_id = chain_id;
    f->head = 100;
    f->fork_since = UINT64_MAX;
    f->logs_from = 1; /* none */
    f->base = event_base_new();
    f->http = evhttp_new(f->base);
    CHECK(f->http != NULL);
    evhttp_set_max_body_size(f->http, 4 << 20);
    evhttp_set_gencb(f->http, handle, f);
    struct evhttp_bound_socket *s = evhttp_bind_socket_with_handle(f->http, "127.0.0.1", 0);
    CHECK(s != NULL);
    struct sockaddr_in addr;
    socklen_t len = sizeof addr;
    CHECK(getsockname(evhttp_bound_socket_get_fd(s), (struct sockaddr *)&addr, &len) == 0);
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d", ntohs(addr.sin_port));
    CHECK(pthread_mutex_init(&f->lock, NULL) == 0);
    CHECK(pthread_create(&f->thread, NULL, serve, f) == 0);
    return f;
}

void fake_parent_stop(struct fake_parent *f) {
    pthread_mutex_lock(&f->lock);
    f->stop = true;
    pthread_mutex_unlock(&f->lock);
    CHECK(pthread_join(f->thread, NULL) == 0);
    evhttp_free(f->http);
    event_base_free(f->base);
    pthread_mutex_destroy(&f->lock);
    for (size_t i = 0; i < ANSWERS_MAX; i++)
        free(f->answers[i].text);
    free(f);
}

const char *fake_parent_url(const struct fake_parent *f) {
    return f->url;
}

/* --- settings ----------------------------------------------------------------------------- */

#define LOCKED(f, ...)                                                                             \
    do {                                                                                           \
        pthread_mutex_lock(&(f)->lock);                                                            \
        __VA_ARGS__;                                                                               \
        pthread_mutex_unlock(&(f)->lock);                                                          \
    } while (0)

void fake_parent_fault(struct fake_parent *f, enum fake_fault fault, unsigned count) {
    LOCKED(f, f->fault = fault; f->fault_count = count);
}

void fake_parent_chain(struct fake_parent *f, uint64_t head, uint64_t since, uint8_t fork) {
    LOCKED(f, f->head = head; f->fork_since = since; f->fork = fork);
}

void fake_parent_final(struct fake_parent *f, uint64_t number) {
    LOCKED(f, f->final = number);
}

void fake_parent_log_span(struct fake_parent *f, uint64_t blocks) {
    LOCKED(f, f->log_span = blocks);
}

void fake_parent_logs(struct fake_parent *f, uint64_t from, uint64_t to, size_t data_len) {
    LOCKED(f, f->logs_from = from; f->logs_to = to; f->log_bytes = data_len);
}

void fake_parent_answer(struct fake_parent *f, const char *method, const char *text) {
    pthread_mutex_lock(&f->lock);
    size_t free_slot = ANSWERS_MAX;
    for (size_t i = ANSWERS_MAX; i-- > 0;) {
        if (f->answers[i].text == NULL) {
            free_slot = i;
        } else if (strcmp(f->answers[i].method, method) == 0) {
            free(f->answers[i].text);
            f->answers[i].text = NULL;
            free_slot = i;
            break;
        }
    }
    CHECK(free_slot < ANSWERS_MAX);
    if (text != NULL) {
        snprintf(f->answers[free_slot].method, sizeof f->answers[free_slot].method, "%s", method);
        f->answers[free_slot].text = strdup(text);
    }
    pthread_mutex_unlock(&f->lock);
}

unsigned fake_parent_requests(struct fake_parent *f) {
    unsigned n;
    LOCKED(f, n = f->requests);
    return n;
}

unsigned fake_parent_calls(struct fake_parent *f, const char *method) {
    unsigned n = 0;
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < ANSWERS_MAX; i++)
        if (f->calls[i].count > 0 && strcmp(f->calls[i].method, method) == 0)
            n = f->calls[i].count;
    pthread_mutex_unlock(&f->lock);
    return n;
}

const char *fake_parent_last_params(struct fake_parent *f) {
    return f->last_params;
}
