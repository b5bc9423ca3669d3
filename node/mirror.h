/* SPDX-License-Identifier: Apache-2.0 */
/* What the parent chain has told this node and is not settled for good: delayed messages, batches
 * and heads, in the parent's order. The follower's thread adds to it and cuts it back when the
 * parent re-organises; the sequencer's thread reads, and forgets what it needs no more.
 * Accumulators are verified before anything is added.
 *
 * One lock, held for short; entries are copied out. Limits: MIRROR_BYTES_MAX of data in RAM; what
 * comes then lies in a file without a name, of which MIRROR_FILE_BYTES_MAX are in use at most; past
 * that the follower waits. What waits for finality is not ours to bound: without the file, messages
 * that anybody pays for could hide the batch that lies behind them. */
#ifndef NODE_MIRROR_H
#define NODE_MIRROR_H

#include "base/arena.h"
#include "base/err.h"
#include "chain/message.h"

#include <pthread.h>
#include <stdatomic.h>

enum { MIRROR_BYTES_MAX = 256 << 20 };
#define MIRROR_FILE_BYTES_MAX (UINT64_C(64) << 30)

/* A block of the parent. l1_block: what NUMBER gives there, the header's l1BlockNumber on an
 * Arbitrum chain. */
struct parent_head {
    uint64_t number;
    hash32 hash;
    uint64_t timestamp;
    uint64_t l1_block;
};

struct mirror_delayed {
    uint64_t parent_block; /* that delivered it */
    hash32 acc;            /* of the delayed inbox, with it */
    hash32 message_hash;
    struct message message; /* delayed_read is its index + 1 */
    uint64_t file_at;       /* of the implementation */
};

enum mirror_location { MIRROR_DATA_IN_TX = 0, MIRROR_DATA_IN_EVENT = 1, MIRROR_NO_DATA = 2 };
struct mirror_batch {
    uint64_t parent_block;
    uint64_t l1_block; /* of that block */
    hash32 acc;        /* of the sequencer inbox, with it */
    hash32 delayed_acc;
    uint64_t delayed_read;
    uint64_t min_timestamp, max_timestamp, min_block, max_block;
    hash32 data_hash;          /* keccak(header | data) */
    uint64_t length, nonzeros; /* of header | data */
    bytes data;                /* without the header */
    uint64_t file_at;          /* of the implementation */
};

/* Where the parent is, and how far it is final. */
struct mirror_heads {
    struct parent_head latest;
    uint64_t safe, finalized; /* block numbers */
    uint64_t settled; /* delayed messages up to this parent block are final enough to take */
    uint64_t seen_ms; /* wall clock when `latest` was first seen */
};

/* Everything before it is known: where following begins, or goes on. */
struct mirror_point {
    uint64_t batch_count, delayed_count;
    hash32 batch_acc, delayed_acc;
    uint64_t parent_block; /* of the last batch before it: a fork below makes it void */
    uint64_t scan_from;    /* parent block whose events come first; those of entries before the
                              counts are passed over */
};

struct mirror {
    pthread_mutex_t lock;
    struct mirror_heads heads;
    struct mirror_point base; /* before the first entries */
    struct mirror_delayed *delayed;
    struct mirror_batch *batches;
    size_t delayed_len, delayed_cap, batch_len, batch_cap;
    size_t data_bytes, data_max;   /* in RAM */
    char *dir;                     /* of the file; NULL: there is none */
    int fd;                        /* of the file; -1: not made yet */
    uint64_t file_end, file_bytes; /* file_bytes: in use */
    uint64_t cuts;                 /* how often it was cut back or begun anew */
    bool has_heads, synced;        /* synced: all up to the parent's head was read at least once */
    atomic_uint_fast64_t version;  /* moves with every change */
};

/* dir: where a file may be made, copied; NULL: RAM alone. ERR_NOMEM. */
enum err mirror_init(struct mirror *b, const char *dir) MUST_USE;
void mirror_clear(struct mirror *b);

/* --- the follower's side --------------------------------------------------------------------- */
/* Empties it; entries follow `at`. */
void mirror_restart(struct mirror *b, const struct mirror_point *at);
/* The next one in turn; data is copied. ERR_MISMATCH when it is not the next, ERR_NOMEM, ERR_IO
 * (of the file). */
enum err mirror_add_delayed(struct mirror *b, const struct mirror_delayed *d) MUST_USE;
enum err mirror_add_batch(struct mirror *b, uint64_t index, const struct mirror_batch *e) MUST_USE;
/* Drops what came in parent blocks above `parent_block`. False when that is below where it begins:
 * mirror_restart is due. */
bool mirror_cut(struct mirror *b, uint64_t parent_block) MUST_USE;
void mirror_set_heads(struct mirror *b, const struct mirror_heads *h);
/* All up to heads.latest is in it. */
void mirror_set_synced(struct mirror *b);
/* Whether there is no room for more data. */
bool mirror_full(struct mirror *b);
/* Behind the last entries. */
struct mirror_point mirror_end(struct mirror *b);

/* --- readers' side --------------------------------------------------------------------------- */
/* False before the first set_heads. */
bool mirror_heads(struct mirror *b, struct mirror_heads *out);
struct mirror_state {
    uint64_t cuts;
    uint64_t batch_count, delayed_count; /* on the parent, as far as read */
    uint64_t batch_first, delayed_first; /* lowest that is still here */
    bool synced;
};
struct mirror_state mirror_state(struct mirror *b);
/* Copies with data into `a` (NULL: without). ERR_NOT_FOUND: not there yet, or forgotten. ERR_IO: of
 * the file, if data is asked for. */
enum err mirror_delayed_at(struct mirror *b, struct arena *a, uint64_t index,
                           struct mirror_delayed *out) MUST_USE;
enum err mirror_batch_at(struct mirror *b, struct arena *a, uint64_t index,
                         struct mirror_batch *out) MUST_USE;
/* Entries below these are needed no more, and their parent blocks are final. */
void mirror_forget(struct mirror *b, uint64_t batch_index, uint64_t delayed_index);

#endif
