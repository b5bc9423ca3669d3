/* SPDX-License-Identifier: Apache-2.0 */
/* Where the node's own values (rpc/kv.h) are kept. A change is a KV record of the log first; from
 * then on reads find it in a layer in RAM. The next block takes the layer's rows to the store's
 * table KV, which no unwind touches, and the layer goes when that block is durable. A checkpoint
 * that has block N thus has all KV records before N's, and recovery reads those after it.
 *
 * A value of more than KV_ROW_BYTES is cut into rows, since LMDB wants them short.
 *
 * Threads: the ledger's thread changes, any thread reads. Limit: KV_WAITING_MAX_BYTES in layers: an
 * idle chain takes no more changes then until its next block. Uploaded ABIs may fill half of it,
 * API keys and tokens three quarters: the rest is for what sends transactions, and so makes the
 * block that empties the layers. */
#ifndef NODE_KV_H
#define NODE_KV_H

#include "base/buf.h"
#include "index/record.h"
#include "rpc/kv.h"
#include "state/store.h"

enum { KV_ROW_BYTES = 1800, KV_WAITING_MAX_BYTES = 64 << 20 };

struct kv;
struct kv *kv_new(struct store *s) MUST_USE; /* borrowed */
void kv_free(struct kv *kv);

/* --- ledger's thread ------------------------------------------------------------------------ */
/* Whether the changes may be made: ERR_EXISTS, ERR_BUSY; ERR_INVALID: keys, values or spaces that
 * are none. */
enum err kv_check(struct kv *kv, const struct kv_op *ops, size_t count) MUST_USE;
/* Payload of the KV record for the changes. */
void kv_pack(struct buf *out, const struct kv_op *ops, size_t count);
/* Takes in the changes of a record that is in the log. ERR_CORRUPT, ERR_VERSION. */
enum err kv_take(struct kv *kv, bytes payload) MUST_USE;
/* Puts what is new into the open block of the store; `newest` is the writer's view. */
void kv_put_rows(struct kv *kv, struct store_view *newest, uint64_t block);
/* Whether there is anything new. */
bool kv_waiting(const struct kv *kv);
/* Blocks above this one were undone; their rows stand at it. */
void kv_rewound(struct kv *kv, uint64_t to_block);

/* --- any thread ----------------------------------------------------------------------------- */
/* Appends the value; false: there is none. */
bool kv_get(struct kv *kv, enum kv_space space, bytes key, struct buf *out);
/* Calls fn for each key of the space that is not below `from` (of the space's length), in order. */
void kv_each(struct kv *kv, enum kv_space space, bytes from, kv_each_fn fn, void *ctx);

#endif
