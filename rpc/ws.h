/* SPDX-License-Identifier: Apache-2.0 */
/* JSON-RPC over WebSockets (RFC 6455). A connection comes from the HTTP server after its handshake.
 * Messages are taken up in the order in which they come, up to RPC_PIPELINE_MAX side by side, and
 * answered in that order. Loop's thread only.
 *
 * Limits: messages of message_max (else closed with 1009), text only (1003), whole within
 * RPC_REQUEST_MS of their first frame (1008). No more is read while a connection's output is above
 * RPC_CONNECTION_UNSENT_BYTES. Who leaves more than RPC_WS_UNSENT_MAX_BYTES of notifications unread
 * is closed with 1013, whose reason names the newest block: nothing is ever dropped silently. A
 * quiet connection is pinged after RPC_WS_PING_MS and closed without an answer in as much time,
 * neither of which counts while nothing is read. */
#ifndef RPC_WS_H
#define RPC_WS_H

#include "rpc/engine.h"
#include "rpc/subs.h"

enum {
    RPC_WS_UNSENT_MAX_BYTES = 4 << 20,
    RPC_WS_FOLLOWS_MAX = 16, /* universes' events followed over one connection */
    RPC_WS_PING_MS = 30000,
    RPC_WS_CLOSE_MS = 5000, /* for the other side to finish the closing handshake */
};

struct bufferevent;
struct rpc_ws;

struct rpc_ws_options {
    struct rpc_engine *engine;
    struct rpc_subs *subs; /* whose subscribers the connections are */
    size_t connections_max;
    size_t message_max;
};
struct rpc_ws *rpc_ws_new(const struct rpc_ws_options *o) MUST_USE;
/* Drops all connections. */
void rpc_ws_free(struct rpc_ws *h);

/* Takes a connection over, with what its input and output still hold; false: there is no room, and
 * it stays the caller's. `from` (copied, NULL: nobody) asks over it from now on. */
bool rpc_ws_adopt(struct rpc_ws *h, struct bufferevent *bev,
                  const struct api_origin *from) MUST_USE;
/* The engine's answer to a message. */
void rpc_ws_reply(struct rpc_ws *h, uint64_t tag, struct rpc_reply *reply);
/* The connection that a request came over; NULL: it has gone, or was not one of these. */
struct rpc_subscriber *rpc_ws_subscriber(struct rpc_ws *h, uint64_t tag);
/* Follows universes' events over the connection that asks (rpc/api_stream.h): `args` are those of
 * route `r`. ERR_NOT_FOUND: no such connection; ERR_BUSY: too many; ERR_IO. */
enum err rpc_ws_follow(struct rpc_ws *h, uint64_t tag, const struct api_route *r, json_t *args,
                       char out_id[RPC_SUBSCRIPTION_ID_LEN + 1]) MUST_USE;
/* Whether it was there. */
bool rpc_ws_unfollow(struct rpc_ws *h, uint64_t tag, const char *id);
/* How subscriptions reach these connections; for rpc_subs_new. */
extern const struct rpc_sub_transport rpc_ws_transport;
/* Once in a while, a second apart or less: deadlines and pings. */
void rpc_ws_tick(struct rpc_ws *h, uint64_t now_ms);
size_t rpc_ws_count(const struct rpc_ws *h);
/* Bytes that wait to be sent. */
size_t rpc_ws_unsent(const struct rpc_ws *h);
/* Closes connections with 1001 once they have their replies. */
void rpc_ws_drain(struct rpc_ws *h);
/* Whether anything is in work or unsent. */
bool rpc_ws_busy(const struct rpc_ws *h);

#endif
