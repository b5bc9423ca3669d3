/* SPDX-License-Identifier: Apache-2.0 */
/* The node's own values: what no message says and no block depends on (API keys, idempotency,
 * uploaded ABIs). They are written to the log as KV records, so that they survive crashes, stand
 * when blocks are undone, and are in a backup; rpc/kv_spaces.def lists what there is. This floor
 * gives them meaning, the node keeps them (node/kv.h). */
#ifndef RPC_KV_H
#define RPC_KV_H

#include "base/err.h"
#include "base/types.h"

enum kv_space {
    KV_SPACE_NONE,
#define SPACE(id, number, key_len, key, value) KV_##id = (number),
#include "rpc/kv_spaces.def"
#undef SPACE
    KV_SPACE_END
};

enum {
    KV_VALUE_MAX_BYTES = 1 << 20,
    KV_OPS_MAX = 4096, /* of one write */
    KV_WRITE_MAX_BYTES = 8 << 20,
};

/* One change. A write is atomic: all of its changes or none. */
struct kv_op {
    enum kv_space space;
    bool del;
    bool if_absent; /* the whole write is refused with ERR_EXISTS when the key is there */
    bytes key;      /* of the space's length */
    bytes value;    /* at most KV_VALUE_MAX_BYTES; empty when deleted */
};

/* Bytes of a key of the space; 0: there is no such space. */
size_t kv_key_len(uint8_t space);

/* ERR_OK: durable. ERR_EXISTS, ERR_BUSY (too much waits), ERR_CLOSED (stopping): nothing was
 * written. Called once per write, on any thread, possibly before the write returns; must not block.
 */
typedef void (*kv_done_fn)(void *ctx, uint64_t token, enum err e);
/* False ends the walk. Key and value end with the call. */
typedef bool (*kv_each_fn)(void *ctx, bytes key, bytes value);

#endif
