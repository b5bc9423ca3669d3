/* SPDX-License-Identifier: Apache-2.0 */
/* The opening handshake of a WebSocket (RFC 6455 §4.2), server's side. Extensions and subprotocols
 * that a client offers are not taken up. */
#ifndef RPC_WS_HANDSHAKE_H
#define RPC_WS_HANDSHAKE_H

#include "rpc/http.h"

enum { WS_ACCEPT_LEN = 28 };

/* Whether a GET request asks to go on as a WebSocket: both Upgrade and Connection say so. */
bool ws_handshake_asked(const struct http_request *q);
/* Sec-WebSocket-Accept for the request, NUL-terminated. True, or false with *out_status (400, 426)
 * and *out_why, static, to answer. */
bool ws_handshake_accept(const struct http_request *q, char out[WS_ACCEPT_LEN + 1], int *out_status,
                         const char **out_why);

#endif
