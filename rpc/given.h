/* SPDX-License-Identifier: Apache-2.0 */
/* The logs that a polled filter's client was given last, so that they can be taken back when the
 * parent makes their blocks void. Kept as the JSON that went out, the oldest first.
 *
 * Limits: RPC_GIVEN_BYTES of one filter, of which the oldest go first, and RPC_GIVEN_ALL_BYTES of
 * all filters, beyond which nothing is added: what is not kept is not told as removed. Of whoever
 * polls the filter. */
#ifndef RPC_GIVEN_H
#define RPC_GIVEN_H

#include "base/buf.h"

#include <stdatomic.h>

struct json_writer;

enum { RPC_GIVEN_BYTES = 64 << 10, RPC_GIVEN_ALL_BYTES = 16 << 20 };

struct rpc_given_log {
    uint64_t block;
    size_t len; /* of its JSON, which lies behind that of the logs before it */
};
struct rpc_given {
    struct buf logs; /* struct rpc_given_log each */
    struct buf json;
    size_t counted;      /* bytes of these in *used */
    atomic_size_t *used; /* what all together have */
};

void rpc_given_init(struct rpc_given *g, atomic_size_t *used);
void rpc_given_clear(struct rpc_given *g);
void rpc_given_add(struct rpc_given *g, uint64_t block, bytes json);
/* Writes the logs of blocks above `block` as values with `removed`: true, the newest first. */
void rpc_given_write_removed(const struct rpc_given *g, struct json_writer *w, uint64_t block);
/* As if what `from` has had been added one by one. */
void rpc_given_append(struct rpc_given *g, const struct rpc_given *from);
/* Forgets the logs of blocks above `block`. */
void rpc_given_cut(struct rpc_given *g, uint64_t block);

#endif
