/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/server_internal.h"

#include "rpc/api_universe.h"
#include "rpc/metrics.h"
#include "rpc/ws_handshake.h"

#include <stdio.h>
#include <strings.h>

enum { METRICS_BYTES_MAX = 1 << 20, DOCUMENT_BYTES_MAX = 1 << 20 };

bool server_content_type_ok(bytes type) {
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

bool server_path_is(const struct http_request *q, const char *path) {
    size_t len = 0;
    while (len < q->target.len && q->target.ptr[len] != '?')
        len++;
    return len == strlen(path) && memcmp(q->target.ptr, path, len) == 0;
}

static void answer_problem(struct slot *t, enum api_problem p, const char *why, bool keep_alive) {
    server_answer(t, api_problem_status(p), SERVER_PROBLEM_TYPE, "", keep_alive);
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
    server_answer(t, 200, "application/json", "", keep_alive);
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
    if (verb == HTTP_VERB_GET && server_path_is(q, "/v1/openapi.json")) {
        answer_openapi(s, t, q->keep_alive);
        return;
    }
    const struct api_route *r = api_route_match(verb, api_http_path(q), &args, &other_verb);
    if (r == NULL) {
        answer_problem(t, other_verb ? API_METHOD : API_NOT_FOUND,
                       other_verb ? "the address takes other methods" : "there is no such address",
                       q->keep_alive);
    } else if (verb != HTTP_VERB_GET &&
               !server_content_type_ok(q->fields[HTTP_FIELD_CONTENT_TYPE])) {
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
        server_stream_ask(c);
    } else {
        struct buf body;
        t->close_after = !q->keep_alive;
        t->gzip_ok = rpc_gzip_accepted(q->fields[HTTP_FIELD_ACCEPT_ENCODING]);
        http_reader_take_body(c->reader, &body);
        rpc_engine_rest(s->engine, r, args, api_http_query(q), &body,
                        server_tag_of(c, (size_t)(t - c->slots)), &origin);
    }
}

static void answer_metrics(struct rpc_server *s, struct slot *t, bool keep_alive) {
    buf_clear(&t->body);
    buf_init(&t->body, METRICS_BYTES_MAX);
    metric_set(&rpc_connections, (int64_t)s->conn_count);
    metric_set(&rpc_websockets, (int64_t)rpc_ws_count(s->ws));
    metric_set(&rpc_unsent_bytes, (int64_t)s->unsent);
    s->cx.node->metrics(s->cx.node->ctx, &t->body);
    server_answer(t, 200, "text/plain; version=0.0.4; charset=utf-8", "", keep_alive);
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
    server_answer(t, ready ? 200 : 503, "text/plain", text, keep_alive);
}

static void handle_get(struct rpc_server *s, struct slot *t, const struct http_request *q) {
    char slug[API_SLUG_MAX + 1];
    t->is_head = q->verb == HTTP_VERB_HEAD;
    if (server_path_is(q, "/livez") || server_path_is(q, "/healthz"))
        server_answer(t, 200, "text/plain", "ok\n", q->keep_alive);
    else if (server_path_is(q, "/readyz"))
        answer_ready(s, t, q->keep_alive);
    else if (server_path_is(q, "/metrics") && s->cx.node->metrics != NULL)
        answer_metrics(s, t, q->keep_alive);
    else if (server_path_is(q, "/") || is_universe(s, q, slug))
        server_answer(t, 200, "text/plain", "",
                      q->keep_alive); /* load balancers ask here whether somebody is at home */
    else
        server_answer(t, 404, "text/plain", "not found\n", q->keep_alive);
}

static void handle_post(struct conn *c, struct slot *t, const struct http_request *q) {
    struct rpc_server *s = c->server;
    struct api_origin origin;
    char slug[API_SLUG_MAX + 1] = "";
    if (!server_path_is(q, "/") && !is_universe(s, q, slug)) {
        server_answer(t, 404, "text/plain", "not found\n", q->keep_alive);
    } else if (!read_origin(s, t, q, false, &origin)) {
        return;
    } else if (!server_content_type_ok(q->fields[HTTP_FIELD_CONTENT_TYPE])) {
        server_answer(t, 415, "text/plain",
                      "invalid content type, only application/json is supported\n", q->keep_alive);
    } else if (s->unsent > RPC_UNSENT_MAX_BYTES) {
        server_answer(t, 503, "text/plain", "too many replies wait to be read\n", q->keep_alive);
    } else {
        struct buf body;
        t->close_after = !q->keep_alive;
        t->gzip_ok = rpc_gzip_accepted(q->fields[HTTP_FIELD_ACCEPT_ENCODING]);
        http_reader_take_body(c->reader, &body);
        memcpy(origin.slug, slug, sizeof(slug));
        rpc_engine_run(s->engine, &body, server_tag_of(c, (size_t)(t - c->slots)), &origin, NULL);
    }
}

/* Agrees to go on as a WebSocket, or says why not. Pages may open one under the rules of CORS,
 * which browsers do not apply to it by themselves. */
static void handle_upgrade(struct conn *c, struct slot *t, const struct http_request *q) {
    char key[WS_ACCEPT_LEN + 1];
    int status = 0;
    const char *why = NULL;
    char slug[API_SLUG_MAX + 1] = "";
    if (!server_path_is(q, "/") && !is_universe(c->server, q, slug)) {
        server_answer(t, 404, "text/plain", "not found\n", q->keep_alive);
    } else if (!read_origin(c->server, t, q, false, &c->origin)) {
        return;
    } else if (q->fields[HTTP_FIELD_ORIGIN].ptr != NULL && t->allow_origin[0] == '\0') {
        server_answer(t, 403, "text/plain", "origin not allowed (see --http-cors)\n",
                      q->keep_alive);
    } else if (!ws_handshake_accept(q, key, &status, &why)) {
        server_answer(t, status, "text/plain", why, q->keep_alive);
    } else if (c->used > 1 || evbuffer_get_length(rpc_wire_output(&c->wire)) > 0) {
        server_answer(t, 400, "text/plain", "requests are still in work\n", q->keep_alive);
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

void server_handle_request(struct conn *c) {
    struct rpc_server *s = c->server;
    const struct http_request *q = http_reader_request(c->reader);
    struct slot *t = server_slot_add(c);
    metric_add(&rpc_http_requests, 1);
    rpc_access_origin(&s->access, q->fields[HTTP_FIELD_ORIGIN], t->allow_origin,
                      sizeof(t->allow_origin));
    if (!q->keep_alive || s->draining)
        c->closing = true;
    if (!rpc_access_host_ok(&s->access, q->fields[HTTP_FIELD_HOST])) {
        server_answer(t, 403, "text/plain", "invalid host specified (see --http-vhosts)\n",
                      q->keep_alive);
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
        server_answer(t, 204, "text/plain", "", q->keep_alive);
    } else {
        server_answer(t, 405, "text/plain", "method not allowed\n", q->keep_alive);
    }
}
