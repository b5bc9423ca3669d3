/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/server_internal.h"

#include "base/check.h"

#include <stdlib.h>

struct slot *server_slot_add(struct conn *c) {
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

void server_write_head(struct evbuffer *out, const struct slot *s) {
    evbuffer_add_printf(out, "HTTP/1.1 %d %s\r\n", s->status, http_reason(s->status));
    if (s->status != 204) /* RFC 9110 8.6 */
        evbuffer_add_printf(out, "Content-Length: %zu\r\n", s->body.len);
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
void server_append_known_head(struct buf *out, const struct known *k, size_t body_len) {
    buf_append(out, SERVER_HEAD_BEGIN, sizeof(SERVER_HEAD_BEGIN) - 1);
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
        server_append_known_head(round, c->known, s->body.len);
        evbuffer_add(out, round->ptr, round->len);
        buf_reset(round);
    } else {
        server_write_head(out, s);
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
void server_send_round(struct conn *c, bytes more, bytes last) {
    struct buf *round = &c->server->round;
    if (round->len == 0)
        return;
    CHECK(!round->overflow);
    bytes parts[] = {buf_bytes(round), more, last};
    rpc_wire_send(&c->wire, parts, more.len == 0 ? 1 : ARRAY_LEN(parts));
    buf_reset(round);
    c->moved_ms = rpc_now_ms();
    server_note_unsent(c);
}

/* Writes the replies whose turn it is. */
void server_write_replies(struct conn *c) {
    bool close_after = false;
    server_send_round(c, bytes_of(NULL, 0), bytes_of(NULL, 0));
    bool any = (c->used > 0 && c->slots[c->first].ready) || c->continue_due;
    struct evbuffer *out = any ? rpc_wire_output(&c->wire) : NULL;
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
    server_note_unsent(c);
}

/* An answer of the server itself. */
void server_answer(struct slot *s, int status, const char *type, const char *text,
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
void server_on_body(void *ctx, uint64_t tag, struct buf *body, bool gzip) {
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
    server_pump(s->conns[rpc_tag_index(tag)]);
}
/* --- streams ------------------------------------------------------------------------------- */
/* Asks for the stream's next page, once the client has taken the last. */
void server_stream_ask(struct conn *c) {
    struct rpc_engine *e = c->server->engine;
    struct api_stream *s = &c->stream;
    struct buf none;
    uint64_t tag = server_tag_of(c, c->first);
    if (!s->ready || c->unsent > 0)
        return;
    s->ready = false;
    buf_init(&none, 0);
    if (s->begun)
        rpc_engine_page(e, s->route, api_stream_args(s), tag, &s->origin);
    else
        rpc_engine_rest(e, s->route, api_stream_args(s), bytes_of(NULL, 0), &none, tag, &s->origin);
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
        server_note_unsent(c);
        c->stream.ready = true;
    } else if (c->stream.begun) {
        c->used = 0;
        c->closing = true;
        api_stream_end(&c->stream);
    } else {
        api_stream_end(&c->stream);
        t->status = reply->status;
        t->type = SERVER_PROBLEM_TYPE;
        t->close_after = true;
        buf_clear(&t->body);
        t->body = reply->body;
        buf_init(&reply->body, 0);
        t->ready = true;
    }
    buf_clear(&frames);
    buf_clear(&reply->body);
    server_pump(c);
}

void server_on_reply(void *ctx, uint64_t tag, struct rpc_reply *reply) {
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
            t->type = SERVER_PROBLEM_TYPE;
    }
    if (t != NULL && t->gzip_ok)
        rpc_gzip_run(s->gzip, tag, &reply->body);
    else
        server_on_body(s, tag, &reply->body, false);
}
