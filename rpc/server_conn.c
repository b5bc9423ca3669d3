/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/server_internal.h"

#include "base/check.h"
#include "base/limits.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

void server_note_unsent(struct conn *c) {
    size_t now = rpc_wire_unsent(&c->wire);
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

void server_conn_free(struct conn *c) {
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

/* --- input --------------------------------------------------------------------------------- */
/* Many bodies at once, none of them complete, must not fill the memory. */
static void handle_crowd(struct conn *c) {
    server_answer(server_slot_add(c), 503, "text/plain",
                  "too many requests are being sent, try again\n", false);
    c->closing = true;
}

static void handle_broken(struct conn *c) {
    struct slot *t = server_slot_add(c);
    char text[256];
    snprintf(text, sizeof(text), "%s\n", http_reader_error_text(c->reader));
    server_answer(t, http_reader_error_code(c->reader), "text/plain", text, false);
    c->closing = true;
}

static bool must_pause(const struct conn *c) {
    return c->stream.on || c->used == RPC_PIPELINE_MAX || c->unsent > RPC_CONNECTION_UNSENT_BYTES;
}

/* Feeds what has come to the reader, request by request. */
static void read_requests(struct conn *c) {
    uint64_t clock_ns = 0;
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
            if (!server_take_usual(c, &clock_ns)) {
                server_send_round(c, bytes_of(NULL, 0), bytes_of(NULL, 0));
                server_handle_request(c);
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
    server_conn_free(c);
}

void server_pump(struct conn *c) {
    if (c->processing || c->lingering)
        return;
    c->processing = true;
    do {
        read_requests(c);
        server_write_replies(c);
        if (c->server->wires.busy == &c->wire && !c->upgraded)
            rpc_wire_flush(&c->wire);
        server_note_unsent(c);
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
        server_pump(c);
}

static void on_written(void *ctx) {
    struct conn *c = ctx;
    c->moved_ms = rpc_now_ms();
    server_note_unsent(c);
    if (c->stream.on)
        server_stream_ask(c);
    server_pump(c);
}

static void end_conn(struct conn *c) {
    if (c->used > 0)
        rpc_engine_gone(c->server->engine, server_tag_of(c, 0));
    server_conn_free(c);
}

static void on_gone(void *ctx, bool eof) {
    struct conn *c = ctx;
    if (eof && !c->lingering && (c->used > 0 || c->unsent > 0)) {
        /* The client has sent all it wants to and may still read: answer what is in work, then
         * close. */
        c->closing = true;
        return;
    }
    end_conn(c);
}

static const struct rpc_wire_events wire_events = {on_input, on_written, on_gone};

void server_check_conn(struct conn *c, uint64_t now) {
    uint64_t quiet = now - c->moved_ms;
    server_note_unsent(c);
    if (c->lingering) {
        if (quiet > RPC_LINGER_MS)
            server_conn_free(c);
    } else if (c->unsent > 0) {
        if (quiet > RPC_WRITE_MS)
            end_conn(c);
    } else if (c->used > 0 || c->paused) {
        return; /* it waits for us */
    } else if (c->request_ms != 0 && now - c->request_ms > RPC_REQUEST_MS) {
        struct slot *t = server_slot_add(c);
        server_answer(t, 408, "text/plain", "request timeout\n", false);
        c->closing = true;
        server_pump(c);
    } else if (quiet > RPC_IDLE_MS || (c->server->draining && c->request_ms == 0)) {
        server_conn_free(c);
    }
}

void server_conn_open(struct rpc_server *s, evutil_socket_t fd) {
    int one = 1;
    struct conn *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        evutil_closesocket(fd);
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
