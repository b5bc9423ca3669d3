/* SPDX-License-Identifier: Apache-2.0 */
/* A chain of made-up blocks over a real store and real segments: signed transactions, receipts with
 * logs of few addresses and topics, so that filters hit. State is empty: look-ups are what counts.
 */
#ifndef TESTS_LIB_INDEX_BLOCKS_H
#define TESTS_LIB_INDEX_BLOCKS_H

#include "index/index.h"
#include "index/record.h"

enum { BLOCKS_ADDRESSES = 5, BLOCKS_TOPICS = 6, BLOCKS_TXS_MAX = 5, BLOCKS_LOGS_MAX = 4 };

struct blocks {
    char dir[64];
    struct store *store;
    struct index_source source;
    struct store_view *view;    /* at the newest block */
    struct derived_block *made; /* by number; arrays live in `arena` */
    size_t count;
    struct arena arena;
    uint64_t seed;
    /* Changes each block before it is logged: receipts' logs, attributions. NULL: nothing. */
    void (*alter)(void *ctx, struct derived_block *d);
    void *alter_ctx;
    bool outliving; /* make also transactions that outlive their segments */
};
void blocks_open(struct blocks *b, uint64_t seed);
/* With segments of this size, and transactions that outlive them. */
void blocks_open_outliving(struct blocks *b, uint64_t seed, uint32_t segment_bytes);
void blocks_close(struct blocks *b);
/* Makes, logs and commits `count` more blocks. */
void blocks_add(struct blocks *b, size_t count);
/* Logs synced, all rows in LMDB. */
void blocks_checkpoint(struct blocks *b);
/* Undo data and rows of the blocks below `first` go, as pruning takes them; segments stay. */
void blocks_drop(struct blocks *b, uint64_t first);
/* Back to the end of block `to`. */
void blocks_unwind(struct blocks *b, uint64_t to);

addr20 blocks_address(size_t i);
hash32 blocks_topic(size_t i);
uint64_t blocks_random(struct blocks *b, uint64_t below);

#endif
