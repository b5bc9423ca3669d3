/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/server_internal.h"

#include "base/check.h"
#include "rpc/jsonrpc.h"
#include "rpc/metrics.h"

#include <stdlib.h>

enum {
    ROUND_BYTES = 64 << 10, /* answers that are sent before further requests are read */
    COPY_BYTES_MAX = 8192,  /* a longer result is not copied behind the round's other answers */
};

/* Whether requests with this head are plain calls of JSON-RPC that anybody may make, and what their
 * answers begin with. */
static void learn_head(struct conn *c, struct known *k, const struct http_request *q) {
    struct rpc_server *s = c->server;
    static const enum http_field personal[] = {
        HTTP_FIELD_AUTHORIZATION,     HTTP_FIELD_API_KEY, HTTP_FIELD_IDEMPOTENCY_KEY,
        HTTP_FIELD_X_IDEMPOTENCY_KEY, HTTP_FIELD_UPGRADE, HTTP_FIELD_FORWARDED};
    k->ok = q->verb == HTTP_VERB_POST && q->keep_alive && server_path_is(q, "/") &&
            rpc_access_host_ok(&s->access, q->fields[HTTP_FIELD_HOST]) &&
            server_content_type_ok(q->fields[HTTP_FIELD_CONTENT_TYPE]);
    for (size_t i = 0; i < ARRAY_LEN(personal); i++)
        k->ok = k->ok && q->fields[personal[i]].ptr == NULL;
    k->gzip_ok = rpc_gzip_accepted(q->fields[HTTP_FIELD_ACCEPT_ENCODING]);
    rpc_access_origin(&s->access, q->fields[HTTP_FIELD_ORIGIN], k->allow_origin,
                      sizeof(k->allow_origin));
    struct slot t = {.status = 200, .type = "application/json", .body = {.len = 1}};
    memcpy(t.allow_origin, k->allow_origin, sizeof(t.allow_origin));
    struct evbuffer *head = evbuffer_new();
    char text[sizeof(k->tail) + sizeof(SERVER_HEAD_BEGIN)] = "";
    CHECK(head != NULL);
    server_write_head(head, &t);
    size_t len = evbuffer_get_length(head), skip = sizeof(SERVER_HEAD_BEGIN) - 1 + 1;
    if (len > skip && len < sizeof(text) && evbuffer_remove(head, text, len) == (int)len &&
        memcmp(text, SERVER_HEAD_BEGIN, skip - 1) == 0) {
        k->tail_len = len - skip;
        memcpy(k->tail, text + skip, k->tail_len);
    } else {
        k->ok = false;
    }
    evbuffer_free(head);
}

/* Whether the request's head says: a plain call of JSON-RPC that anybody may make. */
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

/* The answer of the first look: what is long is sent from where it is. */
static void send_answer(struct conn *c, const struct rpc_look *look) {
    struct buf *round = &c->server->round;
    bool is_long = look->result.len > COPY_BYTES_MAX;
    server_append_known_head(round, c->known, rpc_answer_len(look->id, look->result));
    rpc_answer_begin(round, look->id);
    if (!is_long) {
        buf_append(round, look->result.ptr, look->result.len);
        buf_append_byte(round, '}');
    }
    if (is_long)
        server_send_round(c, look->result, bytes_of("}", 1));
    else if (round->len > ROUND_BYTES)
        server_send_round(c, bytes_of(NULL, 0), bytes_of(NULL, 0));
}

/* The place of a usual request whose answer comes later. */
static struct slot *add_slot(struct conn *c) {
    struct slot *t = server_slot_add(c);
    memcpy(t->allow_origin, c->known->allow_origin, sizeof(t->allow_origin));
    t->status = 200;
    t->gzip_ok = c->known->gzip_ok;
    t->known_head = c->known->head;
    return t;
}

static void compress_answer(struct conn *c, const struct rpc_look *look) {
    struct slot *t = add_slot(c);
    struct buf reply;
    buf_init(&reply, c->server->cx.reply_bytes_max);
    rpc_answer_begin(&reply, look->id);
    buf_append(&reply, look->result.ptr, look->result.len);
    buf_append_byte(&reply, '}');
    rpc_gzip_run(c->server->gzip, server_tag_of(c, (size_t)(t - c->slots)), &reply);
}

bool server_take_usual(struct conn *c, uint64_t *clock_ns) {
    struct rpc_server *s = c->server;
    if (c->used > 0)
        server_write_replies(c);
    if (c->closing || !is_usual(c))
        return false;
    bytes text = http_reader_body(c->reader);
    struct rpc_look look;
    look.clock_ns = *clock_ns;
    look.tried = look.is_submission = false;
    bool answered = c->used == 0 && rpc_engine_answer(s->engine, &look, text);
    *clock_ns = look.clock_ns;
    metric_add(&rpc_http_requests, 1);
    if (answered && c->known->gzip_ok &&
        rpc_answer_len(look.id, look.result) > RPC_GZIP_MIN_BYTES) {
        compress_answer(c, &look);
    } else if (answered) {
        send_answer(c, &look);
    } else {
        struct buf body;
        server_send_round(c, bytes_of(NULL, 0), bytes_of(NULL, 0));
        struct slot *t = add_slot(c);
        http_reader_take_body(c->reader, &body);
        rpc_engine_run(s->engine, &body, server_tag_of(c, (size_t)(t - c->slots)), NULL, &look);
    }
    return true;
}
