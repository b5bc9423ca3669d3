/* SPDX-License-Identifier: Apache-2.0 */
/* TLS for the server's sockets (1.2 and up): a certificate chain and its key from PEM files, read
 * when it is made. */
#ifndef RPC_TLS_H
#define RPC_TLS_H

#include "base/err.h"

struct bufferevent;
struct event_base;
struct rpc_tls;

/* ERR_CONFIG with a sentence when a file cannot be used or the two do not belong together. */
enum err rpc_tls_new(struct rpc_tls **out, const char *cert_file, const char *key_file,
                     struct err_ctx *ec) MUST_USE;
void rpc_tls_free(struct rpc_tls *t);

/* A stream over an accepted socket, which it closes when freed; NULL: out of memory, the socket
 * stays the caller's. `t` NULL: without TLS. */
struct bufferevent *rpc_tls_accept(struct rpc_tls *t, struct event_base *base, int fd) MUST_USE;
/* Whether the stream's bytes go over its socket as they are. */
bool rpc_tls_is_plain(struct bufferevent *bev);
/* Says that nothing more will be sent; all that was written has gone out. */
void rpc_tls_finish(struct bufferevent *bev);

#endif
