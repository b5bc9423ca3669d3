/* SPDX-License-Identifier: Apache-2.0 */
/* Who may ask: host names (against DNS rebinding: a page must not reach this server under a name of
 * its own) and origins (CORS). */
#ifndef RPC_ACCESS_H
#define RPC_ACCESS_H

#include "base/err.h"
#include "base/types.h"

/* What a page may send: `*` does not stand for Authorization, and old browsers do not know it. */
#define RPC_CORS_HEADERS                                                                           \
    "content-type, authorization, x-api-key, idempotency-key, traceparent, tracestate, "           \
    "last-event-id, x-request-id, x-idempotency-key, *"

struct rpc_access {
    char *vhosts; /* owned copies of the lists */
    char *origins;
};

/* Lists by commas; "*": any. ERR_NOMEM. */
enum err rpc_access_init(struct rpc_access *a, const char *vhosts, const char *origins,
                         struct err_ctx *ec) MUST_USE;
void rpc_access_clear(struct rpc_access *a);

/* Whether a Host header names an IP address, localhost or one of the list; absent (HTTP/1.0) is
 * fine. */
bool rpc_access_host_ok(const struct rpc_access *a, bytes host);
/* Value of Access-Control-Allow-Origin for a request's Origin; empty for none. */
void rpc_access_origin(const struct rpc_access *a, bytes origin, char *out, size_t out_cap);

#endif
