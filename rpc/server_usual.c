/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/server_internal.h"

#include "base/check.h"
#include "rpc/metrics.h"

#include <stdlib.h>

enum { ROUND_BYTES = 64 << 10 /* answers that are sent before further requests are read */ };

/* Whether requests with this head are plain calls of JSON-RPC that anybody may make, and what their
 * answers begin with. */
static void learn_head(struct conn *c, struct known *k, const struct http_request *q) {
    struct rpc_server *s = c->server;
    static const enum http_field personal[] = {HTTP_FIELD_AUTHORIZATION, HTTP_FIELD_API_KEY,
                                               HTTP_FIELD_IDEMPOTENCY_KEY,
                                               HTTP_FIELD_X_IDEMPOTENCY_KEY, HTTP_FIELD_UPGRADE};
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

bool server_is_usual(struct conn *c) {
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
bool server_answer_usual(struct conn *c) {
    struct rpc_server *s = c->server;
    if (c->used > 0)
        server_write_replies(c);
    if (c->used > 0 || c->closing || !server_is_usual(c))
        return false;
    buf_reset(&s->reply);
    s->reply.max = s->cx.reply_bytes_max;
    if (!rpc_engine_answer(s->engine, &s->reply, http_reader_body(c->reader)))
        return false;
    metric_add(&rpc_http_requests, 1);
    if (c->known->gzip_ok && s->reply.len > RPC_GZIP_MIN_BYTES) {
        struct slot *t = server_slot_add(c);
        memcpy(t->allow_origin, c->known->allow_origin, sizeof(t->allow_origin));
        t->status = 200;
        rpc_gzip_run(s->gzip, server_tag_of(c, (size_t)(t - c->slots)), &s->reply);
        buf_init(&s->reply, s->cx.reply_bytes_max);
        return true;
    }
    server_append_known_head(&s->round, c->known, s->reply.len);
    buf_append(&s->round, s->reply.ptr, s->reply.len);
    if (s->round.len > ROUND_BYTES)
        server_send_round(c);
    return true;
}
