/* SPDX-License-Identifier: Apache-2.0 */
/* Replies compressed with gzip (RFC 1952). Short ones on the spot; longer ones on a thread, so that
 * the event loop is never held up by them. */
#ifndef RPC_GZIP_H
#define RPC_GZIP_H

#include "base/buf.h"
#include "base/err.h"

enum {
    RPC_GZIP_MIN_BYTES = 1024,         /* below it a packet is a packet */
    RPC_GZIP_AT_ONCE_BYTES = 32 << 10, /* less than a millisecond's work */
    RPC_GZIP_WAITING_BYTES = 64 << 20, /* for the thread; past it replies go out as they are */
};

/* Whether an Accept-Encoding header (ptr NULL: none) lists gzip or * with a weight above 0. */
bool rpc_gzip_accepted(bytes header);

/* A body is done: `gzip` tells whether it is compressed, or was better left as it is. Takes the
 * body. On the loop's thread. */
typedef void (*rpc_gzip_fn)(void *ctx, uint64_t tag, struct buf *body, bool gzip);

struct event_base;
struct rpc_gzip;
struct rpc_gzip *rpc_gzip_new(struct event_base *base, rpc_gzip_fn fn, void *ctx,
                              struct err_ctx *ec) MUST_USE;
/* Drops what waits. */
void rpc_gzip_free(struct rpc_gzip *g);
/* Takes the body; answers now or later. */
void rpc_gzip_run(struct rpc_gzip *g, uint64_t tag, struct buf *body);
/* Bodies that have not been answered. */
size_t rpc_gzip_pending(const struct rpc_gzip *g);

#endif
