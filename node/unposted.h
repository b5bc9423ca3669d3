/* SPDX-License-Identifier: Apache-2.0 */
/* What the chain holds and its parent does not: bytes of sequenced transactions in blocks that no
 * batch on the parent covers yet, by lane (the universe of `to`, 0 for all else) and in sum. A
 * chain can take on more than it gets onto its parent: this is what admission stands back by
 * (--da-backlog-max, PROTOCOL §8).
 *
 * Bytes are what a batch holds of a transaction before compression: its envelope and what frames it
 * in its message (UNPOSTED_FRAME_BYTES). That is known when its block is made and the same when it
 * is read from the log again; what compression makes of it depends on its neighbours, and is less.
 * Deposits and other delayed messages count nothing: the parent has them. A transaction that its
 * block left out (a batch of somebody else's may have brought it) counts after unposted_recount
 * alone, which reads messages.
 *
 * Here a transaction counts for the universe of its `to`. What is READY counts for the lane where
 * it waits, which is that of its sender's others (node/pool.h): a sender can move its bytes from
 * one share to another, never out of the sum.
 *
 * Memory: 16 bytes per block and lane, in a ring that grows twofold, and 30 to 50 a lane. No signed
 * transaction counts less than 80 bytes, so the ring is at most two fifths of the bytes counted,
 * three while it grows. Both are in the part `rest` (node/memory.def). The bytes are at most twice
 * the bound, and what was admitted without regard to it: what waited for a nonce
 * (POOL_GAPPED_BYTES_MAX), the open block, blocks that are made again.
 *
 * Sequencer's thread, or none. Source of the share: Choudhury and Hahne, Dynamic Queue Length
 * Thresholds (1998). */
#ifndef NODE_UNPOSTED_H
#define NODE_UNPOSTED_H

#include "base/map.h"
#include "node/lane_map.h"
#include "node/ledger.h"

#include <stdatomic.h>

enum {
    UNPOSTED_FRAME_BYTES = 9, /* length u64 | 04 */
    UNPOSTED_LANES_MAX = 1 << 24,
};

struct unposted_part {
    uint64_t block;
    uint32_t universe, bytes;
};
struct unposted {
    struct map lanes;            /* universe u32 -> struct unposted_lane; none with 0 bytes */
    struct unposted_part *parts; /* a ring, by block: part number n is at n % cap */
    uint64_t first, end;         /* numbers of parts */
    size_t cap;                  /* 0 or a power of two */
    uint64_t bytes;              /* of all */
};
void unposted_init(struct unposted *u, struct map_seed seed);
void unposted_clear(struct unposted *u);

/* Adds a transaction of `size` bytes in `block`, which is not below any that was added. ERR_NOMEM.
 */
enum err unposted_add(struct unposted *u, uint64_t block, uint64_t universe, size_t size) MUST_USE;
/* Blocks up to `block` are on the parent. */
void unposted_posted(struct unposted *u, uint64_t block);
/* Blocks above `block` are undone. */
void unposted_undo(struct unposted *u, uint64_t block);
uint64_t unposted_of(const struct unposted *u, uint64_t universe);
/* Whether a lane may have so much while `max` is the bound: `own` on top of what it has here, when
 * all lanes together get `all`, that included. It may have as much as is free then up to twice the
 * bound. So up to the bound anything fits; alone a lane has the bound itself, with others that want
 * as much an equal part, and who has little finds room until nothing is free. */
bool unposted_fits(const struct unposted *u, uint64_t universe, uint64_t own, uint64_t all,
                   uint64_t max);

/* The block that is the head now: its sequenced transactions. ERR_NOMEM. */
enum err unposted_add_block(struct unposted *u, struct ledger *l, struct lane_map *universes,
                            const struct derived_block *b) MUST_USE;
/* Counts anew: the blocks of the chain above `posted`, as the log has them, under the universes of
 * the head's state. A second or two for 64 MiB of small transactions, so up to sixteen at the
 * largest bound. ERR_NOMEM, ERR_CORRUPT, ERR_CLOSED: `*stop`, not all is counted. */
enum err unposted_recount(struct unposted *u, struct ledger *l, uint64_t posted, atomic_bool *stop,
                          struct err_ctx *ec) MUST_USE;

#endif
