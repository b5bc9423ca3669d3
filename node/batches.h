/* SPDX-License-Identifier: Apache-2.0 */
/* The batches on the parent that this node has read back and compared with its own blocks, as table
 * `batch` and, for the newest, in RAM: which blocks each holds, where it lies on the parent, and
 * what is needed to follow the parent from there on.
 *
 * A row enters the store with the next block that is committed; until then it is in RAM alone, and
 * after a crash it is read from the parent again. The sequencer's thread writes, any thread reads.
 * Row k, integers big-endian:
 *
 *   acc 32 | delayed acc 32 | data hash 32 | parent block u64 | its l1 block u64 | delayed read u64
 *   | parent block of the last delayed message read u64 | last block of ours u64 | length u32
 *   | nonzeros u32 */
#ifndef NODE_BATCHES_H
#define NODE_BATCHES_H

#include "node/ledger.h"
#include "node/mirror.h"

#include <pthread.h>

enum { BATCHES_IN_RAM_MAX = 1 << 16, BATCH_ROW_BYTES = 32 * 3 + 8 * 5 + 4 * 2 };

struct batch_row {
    hash32 acc, delayed_acc, data_hash;
    uint64_t parent_block, l1_block;
    uint64_t delayed_read;
    uint64_t delayed_block; /* where following goes on after this batch */
    uint64_t last_block;    /* newest block that this or an earlier batch holds */
    uint64_t length, nonzeros;
};

struct batches {
    pthread_mutex_t lock;
    struct store *store;
    struct batch_row *rows; /* of batches from `first` on */
    uint64_t first, count;  /* count: batches in all */
    size_t cap;
};

/* Takes over what the store has. ERR_NOMEM; ERR_CORRUPT. */
enum err batches_open(struct batches *b, struct store *s, struct err_ctx *ec) MUST_USE;
void batches_close(struct batches *b);

/* --- sequencer's thread --- */
/* The next one; the row goes to the store with the ledger's next block. ERR_NOMEM. */
enum err batches_add(struct batches *b, struct ledger *l, const struct batch_row *r) MUST_USE;
/* Batches from `count` on are not on the parent any more. */
void batches_cut(struct batches *b, struct ledger *l, uint64_t count);

/* --- any thread --- */
uint64_t batches_count(struct batches *b);
/* False: there is no such batch, or its row cannot be read. */
bool batches_at(struct batches *b, uint64_t index, struct batch_row *out);
/* The batch that holds a block. False: none yet. Block 0 is batch 0's. */
bool batches_find(struct batches *b, uint64_t block, uint64_t *out_index, struct batch_row *out);
/* How many batches lie in parent blocks up to this one. */
uint64_t batches_up_to(struct batches *b, uint64_t parent_block);

#endif
