/* SPDX-License-Identifier: Apache-2.0 */
/* What a thread remembers of the blocks that it has searched for logs: the stamps of blocks, and
 * logs as they were read from RECEIPTS records - of whole blocks, or of one transaction. The same
 * newest blocks are asked for again and again, and reading a log anew costs a system call, a
 * checksum and RLP. Nothing here may outlive an unwind: index_cache_clear.
 *
 * Limits: the bytes of logs that it was made for, of which what was put first goes first; a block
 * or transaction of more than their INDEX_CACHE_PARTS-th part is not kept; INDEX_CACHE_STAMPS
 * stamps. Who asks for blocks of his choosing can only push out others. Not thread-safe. */
#ifndef INDEX_LOG_CACHE_H
#define INDEX_LOG_CACHE_H

#include "index/index.h"

enum {
    INDEX_CACHE_PARTS = 8,
    INDEX_CACHE_STAMPS = 4096,
    LOG_CACHE_WHOLE = 0, /* in place of a place: the whole block */
};

/* The logs of one transaction. */
struct log_group {
    hash32 tx_hash;
    uint32_t tx_idx, first_log; /* in the block */
    const struct log_entry *logs;
    size_t log_count;
};
struct log_groups {
    const struct log_group *at;
    size_t count;
};

/* As index_stamp. */
enum err log_cache_stamp(struct index_stamp *out, struct index_cache *c, struct store_view *v,
                         uint64_t number) MUST_USE;
/* False: not there. What *out points to lives until the next put. `c` may be NULL. */
bool log_cache_get(struct log_groups *out, struct index_cache *c, uint64_t number, uint32_t place);
/* Keeps a copy, if it is not too long. `c` may be NULL. */
void log_cache_put(struct index_cache *c, uint64_t number, uint32_t place, struct log_groups g);

#endif
