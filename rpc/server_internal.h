/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind rpc/rpc.h share: server.c (life, listening), server_conn.c (connections:
 * their input, their deadlines), server_request.c (what is asked for), server_usual.c (the requests
 * that take no detour), server_reply.c (answers, in the order of their requests). All of it runs on
 * the event loop's thread. */
#ifndef RPC_SERVER_INTERNAL_H
#define RPC_SERVER_INTERNAL_H

#include "rpc/access.h"
#include "rpc/api_http.h"
#include "rpc/api_stream.h"
#include "rpc/engine.h"
#include "rpc/gzip.h"
#include "rpc/http.h"
#include "rpc/live.h"
#include "rpc/rpc.h"
#include "rpc/tag.h"
#include "rpc/tls.h"
#include "rpc/wire.h"
#include "rpc/ws.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/listener.h>

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

#define SERVER_PROBLEM_TYPE "application/problem+json"
#define SERVER_HEAD_BEGIN "HTTP/1.1 200 OK\r\nContent-Length: "

static inline uint64_t server_tag_of(const struct conn *c, size_t slot) {
    return rpc_tag_of(c->generation, c->index, slot, false);
}

/* --- server_conn.c ------------------------------------------------------------------------- */
/* Takes an accepted socket; closes it when there is no memory. */
void server_conn_open(struct rpc_server *s, evutil_socket_t fd);
void server_conn_free(struct conn *c);
/* Counts anew what waits to be sent. */
void server_note_unsent(struct conn *c);
/* Takes up requests and sends replies until nothing moves. Does nothing when called from within
 * itself: a reply that is ready at once is sent by the round that asked for it. */
void server_pump(struct conn *c);
/* Deadlines of one connection. */
void server_check_conn(struct conn *c, uint64_t now);

/* --- server_request.c ---------------------------------------------------------------------- */
void server_handle_request(struct conn *c);
bool server_content_type_ok(bytes type);
bool server_path_is(const struct http_request *q, const char *path);

/* --- server_usual.c ------------------------------------------------------------------------ */
/* Answers the request at once, or begins it, if it is a usual one; false: nothing has happened.
 * *clock_ns: rpc/engine.h. */
bool server_take_usual(struct conn *c, uint64_t *clock_ns);

/* --- server_reply.c ------------------------------------------------------------------------ */
struct slot *server_slot_add(struct conn *c);
/* The answer's head as it goes out. */
void server_write_head(struct evbuffer *out, const struct slot *s);
/* The head of a 200 answer with JSON to a request of the known head. */
void server_append_known_head(struct buf *out, const struct known *k, size_t body_len);
/* Sends the answers of this round, if there are any; `more` and `last`, empty or not, belong to
 * them, behind what the round's buffer has. */
void server_send_round(struct conn *c, bytes more, bytes last);
/* Writes the replies whose turn it is. */
void server_write_replies(struct conn *c);
/* An answer of the server itself. */
void server_answer(struct slot *s, int status, const char *type, const char *text, bool keep_alive);
/* A body is as it goes out (rpc/gzip.h); `ctx` is the server, and of the next, too. */
void server_on_body(void *ctx, uint64_t tag, struct buf *body, bool gzip);
void server_on_reply(void *ctx, uint64_t tag, struct rpc_reply *reply);
/* Asks for the stream's next page, once the client has taken the last. */
void server_stream_ask(struct conn *c);

#endif
