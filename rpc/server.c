/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/rpc.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "rpc/access.h"
#include "rpc/api_http.h"
#include "rpc/api_stream.h"
#include "rpc/api_universe.h"
#include "rpc/api_wait.h"
#include "rpc/engine.h"
#include "rpc/gzip.h"
#include "rpc/http.h"
#include "rpc/live.h"
#include "rpc/tag.h"
#include "rpc/tls.h"
#include "rpc/wire.h"
#include "rpc/ws.h"
#include "rpc/ws_handshake.h"
#include "rpc/metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

/* A request's place in the order of replies. */
struct slot {
    bool ready;
    bool close_after;
    bool is_head; /* HEAD: no body */
    int status;
    const char *type; /* of the body */
    char allow_origin[256];
    bool preflight, private_network;
    bool gzip_ok, gzip; /* the client takes it; the body is */
    bool replayed, in_flight;
    struct api_quota_state quota;
    uint32_t known_head; /* whose answers have the head that struct known has; 0: none */
    char request_id[API_REQUEST_ID_MAX + 1]; /* of API requests */
    struct buf body;
};

/* What follows from the head of a connection's requests, for those that rpc_engine_answer may take.
 */
struct known {
    uint32_t head, policy; /* its number (rpc/http.h), and that of the policy then; 0: none */
    bool ok;
    bool gzip_ok;
    char allow_origin[256];
    char tail[768]; /* of the answer's head, from the end of its length on */
    size_t tail_len;
};

struct conn {
    struct rpc_server *server;
    uint32_t index, generation;
    struct rpc_wire wire;
    struct http_reader *reader;
    struct slot slots[RPC_PIPELINE_MAX]; /* a ring of the requests in work, oldest at `first` */
    size_t first, used;
    bool closing;      /* no more requests are read */
    bool paused;       /* until replies have gone out */
    bool continue_due; /* 100 Continue, once it is this request's turn */
    bool lingering;
    bool upgraded;            /* the answer to a WebSocket's handshake is out */
    struct api_origin origin; /* of the WebSocket to be */
    struct api_stream stream; /* the connection's last request is answered with a stream */
    bool processing;          /* inside pump */
    struct known *known;      /* NULL: nothing yet */
    uint64_t request_ms;      /* when the present request began; 0: between requests */
    uint64_t moved_ms;        /* last byte in or out */
    size_t unread;            /* bytes of a body that is still coming */
    size_t unsent;            /* as last seen */
};

struct rpc_server {
    struct rpc_context cx;
    struct rpc_dev_nonces dev_nonces;
    struct rpc_live live;
    struct rpc_access access;
    struct api_keys *keys;
    struct api_quota *quota;
    struct api_waiters *waiters;
    struct rpc_engine *engine;
    struct rpc_ws *ws;
    struct rpc_gzip *gzip;
    struct rpc_tls *tls; /* NULL: plain sockets */
    struct rpc_wire_hub wires;
    uint32_t policy;  /* changes with what `access` allows */
    struct buf reply; /* of rpc_engine_answer */
    struct buf round; /* answers of the connection inside pump, to be sent at once */
    char *tls_cert, *tls_key;
    struct event_base *base;
    struct evconnlistener *listener;
    struct event *tick;
    struct conn **conns;
    uint32_t *generations;
    uint32_t *free_idx;
    size_t conn_max, free_count, conn_count;
    size_t unsent; /* bytes of replies in all connections' output */
    size_t unread; /* bytes of bodies that are still coming, of all connections */
    bool draining;
    char address[64];
};

enum {
    TICK_MS = 250,
    METRICS_BYTES_MAX = 1 << 20,
    DOCUMENT_BYTES_MAX = 1 << 20,
    ROUND_BYTES = 64 << 10, /* answers that are sent before further requests are read */
};

static const char PROBLEM_TYPE[] = "application/problem+json";

static uint64_t tag_of(const struct conn *c, size_t slot) {
    return rpc_tag_of(c->generation, c->index, slot, false);
}

static void pump(struct conn *c);
static bool is_usual(struct conn *c);

/* --- connections --------------------------------------------------------------------------- */
static void note_unsent(struct conn *c) {
    size_t now = evbuffer_get_length(rpc_wire_output(&c->wire));
    c->server->unsent += now - c->unsent;
    c->unsent = now;
}

static void note_unread(struct conn *c) {
    size_t now = http_reader_body_bytes(c->reader);
    c->server->unread += now - c->unread;
    c->unread = now;
}

/* A long reply may take a slow client longer than RPC_WRITE_MS, as long as it moves. */
static void on_moved(struct evbuffer *out, const struct evbuffer_cb_info *info, void *ctx) {
    struct conn *c = ctx;
    (void)out;
    if (info->n_deleted > 0)
        c->moved_ms = rpc_now_ms();
}

/* Its bufferevent is no longer this connection's. */
static void let_go(struct conn *c) {
    evbuffer_remove_cb(rpc_wire_output(&c->wire), on_moved, c);
}

static void conn_free(struct conn *c) {
    struct rpc_server *s = c->server;
    s->unsent -= c->unsent;
    s->unread -= c->unread;
    if (c->wire.bev != NULL) {
        let_go(c);
        rpc_wire_close(&c->wire);
    }
    http_reader_free(c->reader);
    free(c->known);
    api_stream_end(&c->stream);
    for (size_t i = 0; i < c->used; i++)
        buf_clear(&c->slots[(c->first + i) % RPC_PIPELINE_MAX].body);
    s->conns[c->index] = NULL;
    s->free_idx[s->free_count++] = c->index;
    s->conn_count--;
    free(c);
}

/* Ends a connection whose replies have all gone out. After a refusal the client may still be
 * sending: closing with unread input would reset the connection and take the reply with it, so the
 * rest is read and dropped for a while. */
static void finish_conn(struct conn *c) {
    if (c->lingering)
        return;
    c->lingering = true;
    c->moved_ms = rpc_now_ms();
    rpc_wire_drop_input(&c->wire);
    rpc_wire_finish(&c->wire);
    rpc_wire_read(&c->wire, true);
}

/* --- replies ------------------------------------------------------------------------------- */
static struct slot *slot_add(struct conn *c) {
    CHECK(c->used < RPC_PIPELINE_MAX);
    struct slot *s = &c->slots[(c->first + c->used++) % RPC_PIPELINE_MAX];
    memset(s, 0, sizeof(*s));
    s->type = "application/json";
    buf_init(&s->body, 4096);
    return s;
}

static void free_body(const void *data, size_t len, void *ctx) {
    (void)data;
    (void)len;
    free(ctx);
}

static const char quick_begin[] = "HTTP/1.1 200 OK\r\nContent-Length: ";

static void write_head(struct evbuffer *out, const struct slot *s) {
    evbuffer_add_printf(out, "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\n", s->status,
                        http_reason(s->status), s->body.len);
    if (s->body.len > 0)
        evbuffer_add_printf(out, "Content-Type: %s\r\n", s->type);
    if (s->gzip)
        evbuffer_add_printf(out, "Content-Encoding: gzip\r\n");
    evbuffer_add_printf(out, "Vary: Accept-Encoding, Origin\r\n");
    if (s->allow_origin[0] != '\0')
        evbuffer_add_printf(out, "Access-Control-Allow-Origin: %s\r\n", s->allow_origin);
    if (s->preflight)
        evbuffer_add_printf(out,
                            "Access-Control-Allow-Methods: POST, GET, PUT, DELETE, OPTIONS\r\n"
                            "Access-Control-Allow-Headers: %s\r\nAccess-Control-Max-Age: 600\r\n",
                            RPC_CORS_HEADERS);
    else if (s->allow_origin[0] != '\0')
        evbuffer_add_printf(out, "Access-Control-Expose-Headers: Retry-After, X-Request-Id, "
                                 "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, "
                                 "Idempotent-Replayed\r\n");
    if (s->request_id[0] != '\0')
        evbuffer_add_printf(out, "X-Request-Id: %s\r\n", s->request_id);
    if (s->replayed)
        evbuffer_add_printf(out, "Idempotent-Replayed: true\r\n");
    if (s->quota.limit != 0)
        evbuffer_add_printf(out,
                            "X-RateLimit-Limit: %llu\r\nX-RateLimit-Remaining: %llu\r\n"
                            "X-RateLimit-Reset: %llu\r\n",
                            (unsigned long long)s->quota.limit,
                            (unsigned long long)s->quota.remaining,
                            (unsigned long long)s->quota.reset_s);
    if (s->status == 401)
        evbuffer_add_printf(out, "WWW-Authenticate: Bearer\r\n");
    if (s->private_network)
        evbuffer_add_printf(out, "Access-Control-Allow-Private-Network: true\r\n");
    if (s->status == 405)
        evbuffer_add_printf(out, "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS\r\n");
    if (s->status == 426)
        evbuffer_add_printf(out, "Sec-WebSocket-Version: 13\r\n");
    if (s->status == 429 || s->status == 503 || s->in_flight)
        evbuffer_add_printf(out, "Retry-After: 1\r\n");
    if (s->close_after)
        evbuffer_add_printf(out, "Connection: close\r\n");
    evbuffer_add(out, "\r\n", 2);
}

static void append_number(struct buf *out, size_t n) {
    char digits[24];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    buf_append(out, digits + at, sizeof(digits) - at);
}

/* The head of a 200 answer with JSON to a request of the known head. */
static void append_known_head(struct buf *out, const struct known *k, size_t body_len) {
    buf_append(out, quick_begin, sizeof(quick_begin) - 1);
    append_number(out, body_len);
    buf_append(out, k->tail, k->tail_len);
}

static bool has_known_head(const struct conn *c, const struct slot *s) {
    return s->known_head != 0 && s->known_head == c->known->head && s->status == 200 && !s->gzip &&
           !s->close_after && s->body.len > 0;
}

static void write_slot(struct conn *c, struct evbuffer *out, struct slot *s) {
    if (has_known_head(c, s)) {
        struct buf *round = &c->server->round;
        append_known_head(round, c->known, s->body.len);
        evbuffer_add(out, round->ptr, round->len);
        buf_reset(round);
    } else {
        write_head(out, s);
    }
    if (s->is_head || s->body.len == 0) {
        buf_clear(&s->body);
        return;
    }
    /* The body is not copied: the output owns its storage from here. */
    uint8_t *storage = s->body.ptr;
    size_t len = s->body.len;
    buf_init(&s->body, 0);
    if (evbuffer_add_reference(out, storage, len, free_body, storage) != 0)
        free(storage);
}

/* Sends the answers of this round. */
static void send_round(struct conn *c) {
    struct buf *round = &c->server->round;
    if (round->len == 0)
        return;
    CHECK(!round->overflow);
    rpc_wire_send(&c->wire, buf_bytes(round));
    buf_reset(round);
    c->moved_ms = rpc_now_ms();
    note_unsent(c);
}

/* Writes the replies whose turn it is. */
static void write_replies(struct conn *c) {
    struct evbuffer *out = rpc_wire_output(&c->wire);
    bool close_after = false;
    send_round(c);
    while (c->used > 0 && c->slots[c->first].ready && !close_after) {
        struct slot *s = &c->slots[c->first];
        close_after = s->close_after;
        write_slot(c, out, s);
        c->first = (c->first + 1) % RPC_PIPELINE_MAX;
        c->used--;
        c->moved_ms = rpc_now_ms();
    }
    if (close_after)
        c->closing = true;
    if (c->used == 0 && c->continue_due && !c->closing) {
        c->continue_due = false;
        evbuffer_add_printf(out, "HTTP/1.1 100 Continue\r\n\r\n");
    }
    note_unsent(c);
}

/* An answer of the server itself. */
static void answer(struct slot *s, int status, const char *type, const char *text,
                   bool keep_alive) {
    s->status = status;
    s->type = type;
    s->close_after = !keep_alive;
    buf_append_str(&s->body, text);
    s->ready = true;
}

/* The request's place, NULL when its client has gone. */
static struct slot *slot_of(struct rpc_server *s, uint64_t tag) {
    struct conn *c = s->conns[rpc_tag_index(tag)];
    bool there = c != NULL && c->generation == rpc_tag_generation(tag);
    return there ? &c->slots[rpc_tag_slot(tag)] : NULL;
}

/* A body is as it goes out. */
static void on_body(void *ctx, uint64_t tag, struct buf *body, bool gzip) {
    struct rpc_server *s = ctx;
    struct slot *t = slot_of(s, tag);
    if (t == NULL) {
        buf_clear(body);
        return;
    }
    buf_clear(&t->body);
    t->body = *body;
    t->gzip = gzip;
    t->ready = true;
    pump(s->conns[rpc_tag_index(tag)]);
}

/* --- streams ------------------------------------------------------------------------------- */
/* Asks for the stream's next page, once the client has taken the last. */
static void stream_ask(struct conn *c) {
    struct buf none;
    if (!c->stream.ready || c->unsent > 0)
        return;
    c->stream.ready = false;
    buf_init(&none, 0);
    rpc_engine_rest(c->server->engine, c->stream.route, api_stream_args(&c->stream),
                    bytes_of(NULL, 0), &none, tag_of(c, c->first), &c->stream.origin);
}

/* A page is there. What is no success before the first page is an ordinary answer; after it the
 * stream ends, and the client comes again with the last id. */
static void stream_reply(struct conn *c, struct slot *t, struct rpc_reply *reply) {
    struct evbuffer *out = rpc_wire_output(&c->wire);
    struct buf frames;
    bool ok = reply->status == 200 && !c->closing;
    buf_init(&frames, SIZE_MAX / 2);
    ok = ok && api_stream_page(&c->stream, &frames, buf_bytes(&reply->body));
    if (ok) {
        if (!c->stream.begun)
            evbuffer_add_printf(out,
                                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                "Cache-Control: no-store\r\nConnection: close\r\n"
                                "X-Request-Id: %s\r\n%s%s%s\r\n",
                                t->request_id,
                                t->allow_origin[0] != '\0' ? "Access-Control-Allow-Origin: " : "",
                                t->allow_origin, t->allow_origin[0] != '\0' ? "\r\n" : "");
        c->stream.begun = true;
        evbuffer_add(out, frames.ptr, frames.len);
        note_unsent(c);
        c->stream.ready = true;
    } else if (c->stream.begun) {
        c->used = 0;
        c->closing = true;
        api_stream_end(&c->stream);
    } else {
        api_stream_end(&c->stream);
        t->status = reply->status;
        t->type = PROBLEM_TYPE;
        t->close_after = true;
        buf_clear(&t->body);
        t->body = reply->body;
        buf_init(&reply->body, 0);
        t->ready = true;
    }
    buf_clear(&frames);
    buf_clear(&reply->body);
    pump(c);
}

static void on_engine_reply(void *ctx, uint64_t tag, struct rpc_reply *reply) {
    struct rpc_server *s = ctx;
    if (rpc_tag_is_websocket(tag)) {
        rpc_ws_reply(s->ws, tag, reply);
        return;
    }
    struct slot *t = slot_of(s, tag);
    struct conn *c = t != NULL ? s->conns[rpc_tag_index(tag)] : NULL;
    if (c != NULL && c->stream.on && t == &c->slots[c->first]) {
        stream_reply(c, t, reply);
        return;
    }
    if (t != NULL) {
        t->status = reply->status != 0 ? reply->status : reply->busy ? 429 : 200;
        t->replayed = reply->replayed;
        t->in_flight = reply->in_flight;
        t->quota = reply->quota;
        if (reply->status >= 400)
            t->type = PROBLEM_TYPE;
    }
    if (t != NULL && t->gzip_ok)
        rpc_gzip_run(s->gzip, tag, &reply->body);
    else
        on_body(s, tag, &reply->body, false);
}

/* --- requests ------------------------------------------------------------------------------ */
static bool content_type_ok(bytes type) {
    static const char *const accepted[] = {"application/json", "application/json-rpc",
                                           "application/jsonrequest", "application/json-seq"};
    size_t len = 0;
    if (type.ptr == NULL || type.len == 0)
        return true; /* curl's and Unity's simplest calls name none */
    while (len < type.len && type.ptr[len] != ';' && type.ptr[len] != ' ')
        len++;
    for (size_t i = 0; i < ARRAY_LEN(accepted); i++)
        if (len == strlen(accepted[i]) &&
            strncasecmp((const char *)type.ptr, accepted[i], len) == 0)
            return true;
    return false;
}

static bool path_is(const struct http_request *q, const char *path) {
    size_t len = 0;
    while (len < q->target.len && q->target.ptr[len] != '?')
        len++;
    return len == strlen(path) && memcmp(q->target.ptr, path, len) == 0;
}

static void answer_problem(struct slot *t, enum api_problem p, const char *why, bool keep_alive) {
    answer(t, api_problem_status(p), PROBLEM_TYPE, "", keep_alive);
    api_problem_print(&t->body, p, why, strlen(why), NULL, t->request_id, bytes_of(NULL, 0));
}

/* Whether the target is the URL of a universe that there is. */
static bool is_universe(const struct rpc_server *s, const struct http_request *q,
                        char slug[API_SLUG_MAX + 1]) {
    return api_http_is_universe(api_http_path(q), slug) && api_universe_id(&s->cx, slug) != 0;
}

/* Who asks, by credentials and URL; false: answered already. */
static bool read_origin(struct rpc_server *s, struct slot *t, const struct http_request *q,
                        bool strict, struct api_origin *out) {
    const char *why = NULL;
    enum api_problem p =
        api_http_origin(out, q, s->keys, s->cx.node->now(s->cx.node->ctx) * 1000, strict, &why);
    if (strict)
        memcpy(t->request_id, out->request_id, sizeof(t->request_id));
    if (p != API_OK)
        answer_problem(t, p, why, q->keep_alive);
    return p == API_OK;
}

static void answer_openapi(struct rpc_server *s, struct slot *t, bool keep_alive) {
    buf_clear(&t->body);
    buf_init(&t->body, DOCUMENT_BYTES_MAX);
    api_openapi(&t->body, s->cx.client_version);
    answer(t, 200, "application/json", "", keep_alive);
}

static void handle_api(struct conn *c, struct slot *t, const struct http_request *q) {
    struct rpc_server *s = c->server;
    struct api_origin origin;
    json_t *args = NULL;
    bool other_verb = false;
    enum http_verb verb = q->verb == HTTP_VERB_HEAD ? HTTP_VERB_GET : q->verb;
    t->is_head = q->verb == HTTP_VERB_HEAD;
    if (!read_origin(s, t, q, true, &origin))
        return;
    if (verb == HTTP_VERB_GET && path_is(q, "/v1/openapi.json")) {
        answer_openapi(s, t, q->keep_alive);
        return;
    }
    const struct api_route *r = api_route_match(verb, api_http_path(q), &args, &other_verb);
    if (r == NULL) {
        answer_problem(t, other_verb ? API_METHOD : API_NOT_FOUND,
                       other_verb ? "the address takes other methods" : "there is no such address",
                       q->keep_alive);
    } else if (verb != HTTP_VERB_GET && !content_type_ok(q->fields[HTTP_FIELD_CONTENT_TYPE])) {
        json_decref(args);
        answer_problem(t, API_INVALID, "the body must be application/json", q->keep_alive);
    } else if (s->unsent > RPC_UNSENT_MAX_BYTES) {
        json_decref(args);
        answer_problem(t, API_UNAVAILABLE, "too many replies wait to be read", q->keep_alive);
    } else if (q->verb == HTTP_VERB_GET && c->used == 1 &&
               api_stream_asked(r, q->fields[HTTP_FIELD_ACCEPT])) {
        if (!api_add_query(args, api_http_query(q))) {
            json_decref(args);
            answer_problem(t, API_INVALID, "the query cannot be read", q->keep_alive);
            return;
        }
        api_stream_begin(&c->stream, r, args, &origin, q->fields[HTTP_FIELD_LAST_EVENT_ID]);
        c->closing = false; /* until the stream ends; nothing further is read */
        c->stream.ready = true;
        stream_ask(c);
    } else {
        struct buf body;
        t->close_after = !q->keep_alive;
        t->gzip_ok = rpc_gzip_accepted(q->fields[HTTP_FIELD_ACCEPT_ENCODING]);
        http_reader_take_body(c->reader, &body);
        rpc_engine_rest(s->engine, r, args, api_http_query(q), &body,
                        tag_of(c, (size_t)(t - c->slots)), &origin);
    }
}

static void answer_metrics(struct rpc_server *s, struct slot *t, bool keep_alive) {
    buf_clear(&t->body);
    buf_init(&t->body, METRICS_BYTES_MAX);
    metric_set(&rpc_connections, (int64_t)s->conn_count);
    metric_set(&rpc_websockets, (int64_t)rpc_ws_count(s->ws));
    metric_set(&rpc_unsent_bytes, (int64_t)s->unsent);
    s->cx.node->metrics(s->cx.node->ctx, &t->body);
    answer(t, 200, "text/plain; version=0.0.4; charset=utf-8", "", keep_alive);
}

static void answer_ready(struct rpc_server *s, struct slot *t, bool keep_alive) {
    const struct node_parent *p = s->cx.node->parent;
    char text[NODE_REASON_MAX + 2] = "ok";
    bool ready = !s->draining;
    if (s->draining)
        snprintf(text, sizeof(text), "stopping");
    else if (p != NULL && p->differs(p->ctx, text))
        ready = false;
    size_t len = strlen(text);
    text[len] = '\n';
    text[len + 1] = '\0';
    answer(t, ready ? 200 : 503, "text/plain", text, keep_alive);
}

static void handle_get(struct rpc_server *s, struct slot *t, const struct http_request *q) {
    char slug[API_SLUG_MAX + 1];
    t->is_head = q->verb == HTTP_VERB_HEAD;
    if (path_is(q, "/livez") || path_is(q, "/healthz"))
        answer(t, 200, "text/plain", "ok\n", q->keep_alive);
    else if (path_is(q, "/readyz"))
        answer_ready(s, t, q->keep_alive);
    else if (path_is(q, "/metrics") && s->cx.node->metrics != NULL)
        answer_metrics(s, t, q->keep_alive);
    else if (path_is(q, "/") || is_universe(s, q, slug))
        answer(t, 200, "text/plain", "",
               q->keep_alive); /* load balancers ask here whether somebody is at home */
    else
        answer(t, 404, "text/plain", "not found\n", q->keep_alive);
}

static void handle_post(struct conn *c, struct slot *t, const struct http_request *q) {
    struct rpc_server *s = c->server;
    struct api_origin origin;
    char slug[API_SLUG_MAX + 1] = "";
    if (!path_is(q, "/") && !is_universe(s, q, slug)) {
        answer(t, 404, "text/plain", "not found\n", q->keep_alive);
    } else if (!read_origin(s, t, q, false, &origin)) {
        return;
    } else if (!content_type_ok(q->fields[HTTP_FIELD_CONTENT_TYPE])) {
        answer(t, 415, "text/plain", "invalid content type, only application/json is supported\n",
               q->keep_alive);
    } else if (s->unsent > RPC_UNSENT_MAX_BYTES) {
        answer(t, 503, "text/plain", "too many replies wait to be read\n", q->keep_alive);
    } else {
        struct buf body;
        t->close_after = !q->keep_alive;
        t->gzip_ok = rpc_gzip_accepted(q->fields[HTTP_FIELD_ACCEPT_ENCODING]);
        http_reader_take_body(c->reader, &body);
        memcpy(origin.slug, slug, sizeof(slug));
        t->known_head = is_usual(c) ? c->known->head : 0;
        rpc_engine_run(s->engine, &body, tag_of(c, (size_t)(t - c->slots)), &origin);
    }
}

/* Agrees to go on as a WebSocket, or says why not. Pages may open one under the rules of CORS,
 * which browsers do not apply to it by themselves. */
static void handle_upgrade(struct conn *c, struct slot *t, const struct http_request *q) {
    char key[WS_ACCEPT_LEN + 1];
    int status = 0;
    const char *why = NULL;
    char slug[API_SLUG_MAX + 1] = "";
    if (!path_is(q, "/") && !is_universe(c->server, q, slug)) {
        answer(t, 404, "text/plain", "not found\n", q->keep_alive);
    } else if (!read_origin(c->server, t, q, false, &c->origin)) {
        return;
    } else if (q->fields[HTTP_FIELD_ORIGIN].ptr != NULL && t->allow_origin[0] == '\0') {
        answer(t, 403, "text/plain", "origin not allowed (see --http-cors)\n", q->keep_alive);
    } else if (!ws_handshake_accept(q, key, &status, &why)) {
        answer(t, status, "text/plain", why, q->keep_alive);
    } else if (c->used > 1 || evbuffer_get_length(rpc_wire_output(&c->wire)) > 0) {
        answer(t, 400, "text/plain", "requests are still in work\n", q->keep_alive);
    } else {
        memcpy(c->origin.slug, slug, sizeof(slug));
        c->used = 0;
        c->closing = c->upgraded = true;
        evbuffer_add_printf(rpc_wire_output(&c->wire),
                            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                            "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                            key);
    }
}

static void handle_request(struct conn *c) {
    struct rpc_server *s = c->server;
    const struct http_request *q = http_reader_request(c->reader);
    struct slot *t = slot_add(c);
    metric_add(&rpc_http_requests, 1);
    rpc_access_origin(&s->access, q->fields[HTTP_FIELD_ORIGIN], t->allow_origin,
                      sizeof(t->allow_origin));
    if (!q->keep_alive || s->draining)
        c->closing = true;
    if (!rpc_access_host_ok(&s->access, q->fields[HTTP_FIELD_HOST])) {
        answer(t, 403, "text/plain", "invalid host specified (see --http-vhosts)\n", q->keep_alive);
    } else if (ws_handshake_asked(q) && !s->draining) {
        handle_upgrade(c, t, q);
    } else if (api_http_is_api(api_http_path(q)) && s->keys != NULL &&
               q->verb != HTTP_VERB_OPTIONS) {
        handle_api(c, t, q);
    } else if (q->verb == HTTP_VERB_POST) {
        handle_post(c, t, q);
    } else if (q->verb == HTTP_VERB_GET || q->verb == HTTP_VERB_HEAD) {
        handle_get(s, t, q);
    } else if (q->verb == HTTP_VERB_OPTIONS) {
        t->preflight = t->allow_origin[0] != '\0';
        t->private_network = t->preflight && q->fields[HTTP_FIELD_ACR_PRIVATE].ptr != NULL;
        answer(t, 204, "text/plain", "", q->keep_alive);
    } else {
        answer(t, 405, "text/plain", "method not allowed\n", q->keep_alive);
    }
}

/* --- the usual requests -------------------------------------------------------------------- */
/* Whether requests with this head are plain calls of JSON-RPC that anybody may make, and what their
 * answers begin with. */
static void learn_head(struct conn *c, struct known *k, const struct http_request *q) {
    struct rpc_server *s = c->server;
    static const enum http_field personal[] = {HTTP_FIELD_AUTHORIZATION, HTTP_FIELD_API_KEY,
                                               HTTP_FIELD_IDEMPOTENCY_KEY,
                                               HTTP_FIELD_X_IDEMPOTENCY_KEY, HTTP_FIELD_UPGRADE};
    k->ok = q->verb == HTTP_VERB_POST && q->keep_alive && path_is(q, "/") &&
            rpc_access_host_ok(&s->access, q->fields[HTTP_FIELD_HOST]) &&
            content_type_ok(q->fields[HTTP_FIELD_CONTENT_TYPE]);
    for (size_t i = 0; i < ARRAY_LEN(personal); i++)
        k->ok = k->ok && q->fields[personal[i]].ptr == NULL;
    k->gzip_ok = rpc_gzip_accepted(q->fields[HTTP_FIELD_ACCEPT_ENCODING]);
    rpc_access_origin(&s->access, q->fields[HTTP_FIELD_ORIGIN], k->allow_origin,
                      sizeof(k->allow_origin));
    struct slot t = {.status = 200, .type = "application/json", .body = {.len = 1}};
    memcpy(t.allow_origin, k->allow_origin, sizeof(t.allow_origin));
    struct evbuffer *head = evbuffer_new();
    char text[sizeof(k->tail) + sizeof(quick_begin)] = "";
    CHECK(head != NULL);
    write_head(head, &t);
    size_t len = evbuffer_get_length(head), skip = sizeof(quick_begin) - 1 + 1;
    if (len > skip && len < sizeof(text) && evbuffer_remove(head, text, len) == (int)len &&
        memcmp(text, quick_begin, skip - 1) == 0) {
        k->tail_len = len - skip;
        memcpy(k->tail, text + skip, k->tail_len);
    } else {
        k->ok = false;
    }
    evbuffer_free(head);
}

static bool is_usual(struct conn *c) {
    struct rpc_server *s = c->server;
    uint32_t head = http_reader_head(c->reader);
    if (head == 0 || s->draining || s->unsent > RPC_UNSENT_MAX_BYTES)
        return false;
    if (c->known == NULL && (c->known = calloc(1, sizeof(*c->known))) == NULL)
        return false;
    if (c->known->head != head || c->known->policy != s->policy) {
        learn_head(c, c->known, http_reader_request(c->reader));
        c->known->head = head;
        c->known->policy = s->policy;
    }
    return c->known->ok;
}

/* Answers the request if that can be done here and now; false: nothing has happened. */
static bool answer_usual(struct conn *c) {
    struct rpc_server *s = c->server;
    if (c->used > 0)
        write_replies(c);
    if (c->used > 0 || c->closing || !is_usual(c))
        return false;
    buf_reset(&s->reply);
    s->reply.max = s->cx.reply_bytes_max;
    if (!rpc_engine_answer(s->engine, &s->reply, http_reader_body(c->reader)))
        return false;
    metric_add(&rpc_http_requests, 1);
    if (c->known->gzip_ok && s->reply.len > RPC_GZIP_MIN_BYTES) {
        struct slot *t = slot_add(c);
        memcpy(t->allow_origin, c->known->allow_origin, sizeof(t->allow_origin));
        t->status = 200;
        rpc_gzip_run(s->gzip, tag_of(c, (size_t)(t - c->slots)), &s->reply);
        buf_init(&s->reply, s->cx.reply_bytes_max);
        return true;
    }
    append_known_head(&s->round, c->known, s->reply.len);
    buf_append(&s->round, s->reply.ptr, s->reply.len);
    if (s->round.len > ROUND_BYTES)
        send_round(c);
    return true;
}

/* Many bodies at once, none of them complete, must not fill the memory. */
static void handle_crowd(struct conn *c) {
    answer(slot_add(c), 503, "text/plain", "too many requests are being sent, try again\n", false);
    c->closing = true;
}

static void handle_broken(struct conn *c) {
    struct slot *t = slot_add(c);
    char text[256];
    snprintf(text, sizeof(text), "%s\n", http_reader_error_text(c->reader));
    answer(t, http_reader_error_code(c->reader), "text/plain", text, false);
    c->closing = true;
}

static bool must_pause(const struct conn *c) {
    return c->stream.on || c->used == RPC_PIPELINE_MAX || c->unsent > RPC_CONNECTION_UNSENT_BYTES;
}

/* Feeds what has come to the reader, request by request. */
static void read_requests(struct conn *c) {
    while (!c->closing) {
        c->paused = must_pause(c);
        bytes in = rpc_wire_input(&c->wire);
        size_t consumed = 0;
        if (in.len == 0 || c->paused)
            break;
        enum http_progress p = http_reader_feed(c->reader, in, &consumed);
        if (c->request_ms == 0 && http_reader_in_request(c->reader))
            c->request_ms = rpc_now_ms();
        if (p == HTTP_HAS_HEAD)
            c->continue_due = http_reader_request(c->reader)->expects_continue;
        if (p == HTTP_BROKEN)
            handle_broken(c);
        if (p == HTTP_HAS_REQUEST) {
            c->continue_due = false;
            c->request_ms = 0;
            if (!answer_usual(c)) {
                send_round(c);
                handle_request(c);
            }
            http_reader_next(c->reader);
        }
        rpc_wire_consume(&c->wire, consumed);
        note_unread(c);
        if ((p == HTTP_NEEDS_MORE || p == HTTP_HAS_HEAD) && c->unread > RPC_UNREAD_FREE_BYTES &&
            c->server->unread > RPC_UNREAD_MAX_BYTES)
            handle_crowd(c);
    }
}

/* The socket goes on as a WebSocket; this connection ends. */
static void hand_over(struct conn *c) {
    let_go(c);
    struct bufferevent *bev = rpc_wire_release(&c->wire);
    if (!rpc_ws_adopt(c->server->ws, bev, &c->origin))
        bufferevent_free(bev);
    conn_free(c);
}

/* Takes up requests and sends replies until nothing moves. Does nothing when called from within
 * itself: a reply that is ready at once is sent by the round that asked for it. */
static void pump(struct conn *c) {
    if (c->processing || c->lingering)
        return;
    c->processing = true;
    do {
        read_requests(c);
        write_replies(c);
        if (c->server->wires.busy == &c->wire && !c->upgraded)
            rpc_wire_flush(&c->wire);
        note_unsent(c);
    } while (c->paused && !must_pause(c) && !c->closing);
    c->processing = false;
    if (!c->upgraded)
        rpc_wire_flush_later(&c->wire);
    if (c->upgraded)
        hand_over(c);
    else if (c->closing && c->used == 0 && c->unsent == 0)
        finish_conn(c);
    else
        rpc_wire_read(&c->wire, !c->closing && !c->paused);
}

/* --- events -------------------------------------------------------------------------------- */
static void on_input(void *ctx) {
    struct conn *c = ctx;
    c->moved_ms = rpc_now_ms();
    if (c->lingering)
        rpc_wire_drop_input(&c->wire);
    else
        pump(c);
}

static void on_written(void *ctx) {
    struct conn *c = ctx;
    c->moved_ms = rpc_now_ms();
    note_unsent(c);
    if (c->stream.on)
        stream_ask(c);
    pump(c);
}

static void on_gone(void *ctx, bool eof) {
    struct conn *c = ctx;
    if (eof && !c->lingering && (c->used > 0 || c->unsent > 0)) {
        /* The client has sent all it wants to and may still read: answer what is in work, then
         * close. */
        c->closing = true;
        return;
    }
    conn_free(c);
}

static const struct rpc_wire_events wire_events = {on_input, on_written, on_gone};

/* Deadlines of one connection. */
static void check_conn(struct conn *c, uint64_t now) {
    uint64_t quiet = now - c->moved_ms;
    note_unsent(c);
    if (c->lingering) {
        if (quiet > RPC_LINGER_MS)
            conn_free(c);
    } else if (c->unsent > 0) {
        if (quiet > RPC_WRITE_MS)
            conn_free(c);
    } else if (c->used > 0 || c->paused) {
        return; /* it waits for us */
    } else if (c->request_ms != 0 && now - c->request_ms > RPC_REQUEST_MS) {
        struct slot *t = slot_add(c);
        answer(t, 408, "text/plain", "request timeout\n", false);
        c->closing = true;
        pump(c);
    } else if (quiet > RPC_IDLE_MS || (c->server->draining && c->request_ms == 0)) {
        conn_free(c);
    }
}

static void on_tick(evutil_socket_t fd, short what, void *ctx) {
    struct rpc_server *s = ctx;
    (void)fd;
    (void)what;
    uint64_t now = rpc_now_ms();
    rpc_ws_tick(s->ws, now);
    if (s->waiters != NULL)
        api_waiters_tick(s->waiters, now);
    for (size_t i = 0; i < s->conn_max; i++)
        if (s->conns[i] != NULL)
            check_conn(s->conns[i], now);
}

static void refuse_conn(evutil_socket_t fd) {
    static const char reply[] =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\n"
        "Connection: close\r\n\r\n";
    ssize_t n = send(fd, reply, sizeof(reply) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)n; /* best effort */
    evutil_closesocket(fd);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *addr, int len,
                      void *ctx) {
    struct rpc_server *s = ctx;
    (void)l;
    (void)addr;
    (void)len;
    int one = 1;
    bool full = s->conn_count + rpc_ws_count(s->ws) >= s->conn_max;
    struct conn *c = full ? NULL : calloc(1, sizeof(*c));
    if (c == NULL) {
        metric_add(&rpc_connections_refused, 1);
        refuse_conn(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct bufferevent *bev = rpc_tls_accept(s->tls, s->base, fd);
    c->reader = http_reader_new(LIMIT_RPC_BODY_BYTES);
    if (bev == NULL || c->reader == NULL ||
        !rpc_wire_open(&c->wire, &s->wires, bev, &wire_events, c)) {
        if (bev != NULL)
            bufferevent_free(bev);
        else
            evutil_closesocket(fd);
        http_reader_free(c->reader);
        free(c);
        return;
    }
    c->server = s;
    c->index = s->free_idx[--s->free_count];
    c->generation = ++s->generations[c->index];
    c->moved_ms = rpc_now_ms();
    s->conns[c->index] = c;
    s->conn_count++;
    if (evbuffer_add_cb(rpc_wire_output(&c->wire), on_moved, c) == NULL)
        CHECK(false);
    rpc_wire_read(&c->wire, true);
}

/* --- life ---------------------------------------------------------------------------------- */
/* "127.0.0.1:8545", "[::1]:8545" or "localhost:8545". */
static bool parse_address(const char *text, struct sockaddr_storage *out, socklen_t *out_len) {
    char host[INET6_ADDRSTRLEN + 1];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon[1] == '\0')
        return false;
    char *end = NULL;
    unsigned long port = strtoul(colon + 1, &end, 10);
    size_t len = (size_t)(colon - text);
    bool brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    if (brackets) {
        text++;
        len -= 2;
    }
    if (*end != '\0' || port > UINT16_MAX || len == 0 || len >= sizeof(host))
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    memset(out, 0, sizeof(*out));
    struct sockaddr_in *in4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    const char *name = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if (!brackets && inet_pton(AF_INET, name, &in4->sin_addr) == 1) {
        in4->sin_family = AF_INET;
        in4->sin_port = htons((uint16_t)port);
        *out_len = sizeof(*in4);
        return true;
    }
    if (brackets && inet_pton(AF_INET6, name, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((uint16_t)port);
        *out_len = sizeof(*in6);
        return true;
    }
    return false;
}

static void print_address(char *out, size_t cap, const struct sockaddr_storage *addr) {
    char host[INET6_ADDRSTRLEN] = "";
    if (addr->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        snprintf(out, cap, "[%s]:%u", host, ntohs(in6->sin6_port));
    } else {
        const struct sockaddr_in *in4 = (const struct sockaddr_in *)addr;
        inet_ntop(AF_INET, &in4->sin_addr, host, sizeof(host));
        snprintf(out, cap, "%s:%u", host, ntohs(in4->sin_port));
    }
}

static enum err bind_address(struct rpc_server *s, const char *text, struct err_ctx *ec) {
    struct sockaddr_storage addr;
    socklen_t len = 0;
    if (!parse_address(text, &addr, &len))
        FAIL(ec, ERR_CONFIG, "'%s' is not an address: want ADDRESS:PORT such as 127.0.0.1:8545",
             text);
    s->listener =
        evconnlistener_new_bind(s->base, on_accept, s, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE,
                                1024, (struct sockaddr *)&addr, (int)len);
    if (s->listener == NULL)
        FAIL(ec, ERR_IO, "cannot listen on %s: %s", text, strerror(errno));
    len = sizeof(addr);
    if (getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&addr, &len) != 0)
        FAIL(ec, ERR_IO, "cannot read the bound address of %s: %s", text, strerror(errno));
    print_address(s->address, sizeof(s->address), &addr);
    return ERR_OK;
}

static enum err start_engine(struct rpc_server *s, const struct rpc_options *o,
                             struct err_ctx *ec) {
    if (o->commands->kv_write != NULL && o->commands->api_pepper != NULL) {
        s->keys = api_keys_new(o->commands);
        s->waiters = s->live.waiters = api_waiters_new();
        s->quota = api_quota_new(o->policy.universe_rate);
        if (s->keys == NULL || s->quota == NULL || s->waiters == NULL)
            FAIL(ec, ERR_NOMEM, "out of memory for API keys");
    }
    s->cx = (struct rpc_context){
        .store = o->store,
        .source = o->source,
        .chain = o->chain,
        .node = o->commands,
        .client_version = o->client_version,
        .reader_count = o->readers + 2, /* the event loop's and the feed's */
        .call_gas_cap = o->policy.call_gas_cap,
        .call_time_ms = o->policy.call_time_ms,
        .reply_bytes_max = o->policy.reply_bytes_max,
        .dev = o->commands->dev_account_count > 0,
        .dev_nonces = &s->dev_nonces,
        .live = &s->live,
        .keys = s->keys,
        .quota = s->quota,
        .waiters = s->waiters,
    };
    CHECK(o->commands->dev_account_count <= RPC_DEV_ACCOUNTS_MAX);
    TRY(rpc_live_init(&s->live, &s->cx, o->base, ec));
    struct rpc_engine_options eo = {
        .base = o->base,
        .context = &s->cx,
        .readers = o->readers,
        .read_queue_max = 1024,
        .jobs_max = 4096,
    };
    s->engine = rpc_engine_new(&eo, on_engine_reply, s, ec);
    if (s->engine == NULL)
        return ERR_NOMEM;
    struct rpc_ws_options wo = {.engine = s->engine,
                                .subs = s->live.subs,
                                .connections_max = o->connections_max,
                                .message_max = LIMIT_RPC_BODY_BYTES};
    s->ws = rpc_ws_new(&wo);
    if (s->ws == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory for %zu connections", o->connections_max);
    s->live.ws = s->ws;
    return ERR_OK;
}

static enum err start_server(struct rpc_server *s, const struct rpc_options *o,
                             struct err_ctx *ec) {
    s->conn_max = o->connections_max;
    s->conns = calloc(s->conn_max, sizeof(struct conn *));
    s->generations = calloc(s->conn_max, sizeof(uint32_t));
    s->free_idx = calloc(s->conn_max, sizeof(uint32_t));
    if (!rpc_wire_hub_init(&s->wires, s->base))
        FAIL(ec, ERR_NOMEM, "out of memory");
    s->tick = event_new(s->base, -1, EV_PERSIST, on_tick, s);
    struct timeval every = {.tv_usec = TICK_MS * 1000};
    if (s->conns == NULL || s->generations == NULL || s->free_idx == NULL || s->tick == NULL ||
        event_add(s->tick, &every) != 0)
        FAIL(ec, ERR_NOMEM, "out of memory for %zu connections", s->conn_max);
    for (size_t i = 0; i < s->conn_max; i++)
        s->free_idx[s->free_count++] = (uint32_t)(s->conn_max - 1 - i);
    if (o->tls_cert[0] != '\0') {
        s->tls_cert = strdup(o->tls_cert);
        s->tls_key = strdup(o->tls_key);
        if (s->tls_cert == NULL || s->tls_key == NULL)
            FAIL(ec, ERR_NOMEM, "out of memory");
        TRY(rpc_tls_new(&s->tls, s->tls_cert, s->tls_key, ec));
    }
    s->gzip = rpc_gzip_new(s->base, on_body, s, ec);
    if (s->gzip == NULL)
        return ERR_NOMEM;
    TRY(rpc_access_init(&s->access, o->policy.vhosts, o->policy.cors_origins, ec));
    TRY(start_engine(s, o, ec));
    TRY(bind_address(s, o->listen, ec));
    rpc_live_start(&s->live, o->commands);
    return ERR_OK;
}

enum err rpc_server_open(struct rpc_server **out, const struct rpc_options *o, struct err_ctx *ec) {
    CHECK(o->connections_max > 0 && o->connections_max < (1u << RPC_TAG_INDEX_BITS));
    struct rpc_server *s = calloc(1, sizeof(*s));
    if (s == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory");
    s->base = o->base;
    s->policy = 1;
    buf_init(&s->reply, o->policy.reply_bytes_max);
    buf_init(&s->round, SIZE_MAX / 2);
    pthread_mutex_init(&s->dev_nonces.lock, NULL);
    enum err e = start_server(s, o, ec);
    if (e != ERR_OK) {
        rpc_server_close(s);
        return e;
    }
    log_info("rpc", "listening", log_str("address", s->address));
    *out = s;
    return ERR_OK;
}

enum err rpc_server_set_policy(struct rpc_server *s, const struct rpc_policy *p,
                               struct err_ctx *ec) {
    struct rpc_tls *tls = NULL;
    struct rpc_access access = {0};
    if (s->tls != NULL)
        TRY(rpc_tls_new(&tls, s->tls_cert, s->tls_key, ec));
    enum err e = rpc_access_init(&access, p->vhosts, p->cors_origins, ec);
    if (e != ERR_OK) {
        rpc_access_clear(&access);
        rpc_tls_free(tls);
        return e;
    }
    rpc_tls_free(s->tls);
    s->tls = tls;
    rpc_access_clear(&s->access);
    s->access = access;
    s->policy++;
    s->cx.call_gas_cap = p->call_gas_cap;
    s->cx.call_time_ms = p->call_time_ms;
    s->cx.reply_bytes_max = p->reply_bytes_max;
    if (s->quota != NULL)
        api_quota_set_rate(s->quota, p->universe_rate);
    return ERR_OK;
}

const char *rpc_server_address(const struct rpc_server *s) {
    return s->address;
}

void rpc_server_drain(struct rpc_server *s) {
    s->draining = true;
    if (s->listener != NULL)
        evconnlistener_free(s->listener);
    s->listener = NULL;
    for (size_t i = 0; i < s->conn_max; i++) {
        struct conn *c = s->conns[i];
        if (c == NULL)
            continue;
        if (c->used == 0 && evbuffer_get_length(rpc_wire_output(&c->wire)) == 0) {
            conn_free(c);
            continue;
        }
        c->closing = true; /* after the replies in work */
        rpc_wire_read(&c->wire, false);
    }
    rpc_ws_drain(s->ws);
    if (s->waiters != NULL)
        api_waiters_close(s->waiters);
}

bool rpc_server_busy(const struct rpc_server *s) {
    if (rpc_engine_pending(s->engine) > 0 || rpc_gzip_pending(s->gzip) > 0 || rpc_ws_busy(s->ws))
        return true;
    for (size_t i = 0; i < s->conn_max; i++)
        if (s->conns[i] != NULL && (s->conns[i]->used > 0 || s->conns[i]->unsent > 0))
            return true;
    return false;
}

void rpc_server_close(struct rpc_server *s) {
    if (s == NULL)
        return;
    if (s->listener != NULL)
        evconnlistener_free(s->listener);
    rpc_engine_free(s->engine);
    rpc_ws_free(s->ws);
    rpc_gzip_free(s->gzip);
    for (size_t i = 0; s->conns != NULL && i < s->conn_max; i++)
        if (s->conns[i] != NULL)
            conn_free(s->conns[i]);
    rpc_wire_hub_clear(&s->wires);
    buf_clear(&s->reply);
    buf_clear(&s->round);
    if (s->tick != NULL)
        event_free(s->tick);
    rpc_live_clear(&s->live);
    rpc_tls_free(s->tls);
    free(s->tls_cert);
    free(s->tls_key);
    rpc_access_clear(&s->access);
    api_keys_free(s->keys);
    api_quota_free(s->quota);
    api_waiters_free(s->waiters);
    pthread_mutex_destroy(&s->dev_nonces.lock);
    free(s->conns);
    free(s->generations);
    free(s->free_idx);
    free(s);
}
