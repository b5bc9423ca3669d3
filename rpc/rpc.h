/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON-RPC server over HTTP/1.1 and WebSockets: what node/ starts and stops. It lives on the
 * caller's event base, plus its reader threads.
 *
 * Limits: connections_max sockets; RPC_PIPELINE_MAX requests of one connection in work; a request
 * must be complete within RPC_REQUEST_MS of its first byte, a reply must move within RPC_WRITE_MS,
 * an idle connection lives RPC_IDLE_MS; bodies of LIMIT_RPC_BODY_BYTES; replies of reply_bytes_max
 * each (of batches: the answers, rpc/batch.h) and RPC_UNSENT_MAX_BYTES together; incomplete bodies
 * of RPC_UNREAD_MAX_BYTES together. */
#ifndef RPC_RPC_H
#define RPC_RPC_H

#include "base/err.h"
#include "chain/derive.h"
#include "index/index.h"
#include "rpc/commands.h"
#include "state/store.h"

enum {
    RPC_PIPELINE_MAX = 16,
    RPC_REQUEST_MS = 30000,
    RPC_WRITE_MS = 30000,
    RPC_IDLE_MS = 120000,
    RPC_LINGER_MS = 1000, /* reading on after a refusal, so that it arrives */
    RPC_UNSENT_MAX_BYTES = 256 << 20,
    RPC_UNREAD_MAX_BYTES = 64 << 20,  /* of incomplete bodies together; above it those that are */
    RPC_UNREAD_FREE_BYTES = 64 << 10, /* longer than this are answered with 503 */
    RPC_CONNECTION_UNSENT_BYTES =
        1 << 20, /* above it no further request of the connection is taken up */
};

struct event_base;
struct rpc_server;

/* What may change while the server runs. */
struct rpc_policy {
    const char *vhosts; /* host names that may be asked for, by commas; "*": any. IP addresses and
                           localhost always */
    const char *cors_origins; /* by commas; "*": any; "": none */
    size_t reply_bytes_max;
    uint64_t universe_rate; /* units a second that one universe may ask for; 0: any */
    uint64_t call_gas_cap;
    uint32_t call_time_ms;
};
struct rpc_options {
    struct event_base *base;
    const char *listen;             /* "ADDRESS:PORT", IPv6 in brackets; port 0: a free one */
    const char *tls_cert, *tls_key; /* PEM files; tls_cert "": plain HTTP */
    size_t connections_max;         /* HTTP and WebSocket together */
    size_t readers;                 /* threads */
    struct rpc_policy policy;
    struct store *store;
    struct index_source source;
    struct chain_config chain;
    const struct node_commands *commands; /* borrowed */
    const char *client_version;           /* static */
};

/* Listens and serves. Strings are copied. ERR_CONFIG (address), ERR_IO, ERR_NOMEM. */
enum err rpc_server_open(struct rpc_server **out, const struct rpc_options *o,
                         struct err_ctx *ec) MUST_USE;
/* Takes up a new policy, and reads the TLS files that it was opened with again; connections that
 * are open keep their certificate, calls in work may keep their limits. On the event base's thread.
 * On error nothing has changed: ERR_CONFIG (a TLS file), ERR_NOMEM. */
enum err rpc_server_set_policy(struct rpc_server *s, const struct rpc_policy *p,
                               struct err_ctx *ec) MUST_USE;
/* "ADDRESS:PORT" as bound; lives as long as the server. */
const char *rpc_server_address(const struct rpc_server *s);
/* Takes no more connections and requests; what is in work is answered. */
void rpc_server_drain(struct rpc_server *s);
/* Whether anything is in work or unsent. */
bool rpc_server_busy(const struct rpc_server *s);
void rpc_server_close(struct rpc_server *s);

#endif
