/* SPDX-License-Identifier: Apache-2.0 */
/* The chain as this node has it: the log, the store behind it, the executor and trie at its head,
 * and the one way to move the head forward. Used by one thread: first recovery, then the sequencer.
 *
 * A block comes to be in two steps. ledger_append writes its BLOCK record, so that syncing can
 * begin; ledger_apply seals it, adds its rows to the store and makes it the head. Recovery applies
 * the blocks of records that are there already. */
#ifndef NODE_LEDGER_H
#define NODE_LEDGER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/disk.h"
#include "base/err.h"
#include "chain/derive.h"
#include "genesis/genesis.h"
#include "node/kv.h"
#include "node/memory.h"
#include "state/log.h"
#include "state/store.h"
#include "state/trie.h"

#include <stdatomic.h>

enum {
    LEDGER_CHECKPOINT_ROWS = 1000000,  /* dirty rows at which a checkpoint is due, by default */
    LEDGER_ROWS_FACTOR = 2,            /* times as many, and new blocks wait for the checkpoint */
    LEDGER_REPLAY_NS_MAX = 1500000000, /* processor time that a restart would take to replay */
};

struct ledger_options {
    struct disk *disk;
    const char *dir;
    const struct genesis *genesis; /* borrowed while the ledger is open */
    size_t cache_bytes;            /* trie, state, code and waiting rows together */
    enum evm_tier tier;            /* interpreter that executes blocks */
    struct evm_profile *profile;   /* evm/profile.h; NULL: nothing is counted */
    uint32_t log_segment_bytes;    /* of new segments of log and receipts; 0 = the default */
    size_t checkpoint_rows;        /* dirty rows at which a checkpoint is due; 0 = the default */
    uint64_t window_s;             /* of history to keep (node/prune.h); 0 = all of it */
    bool no_sync;                  /* tests that never restart */
};

struct ledger {
    const struct genesis *genesis;
    struct store *store;
    struct wal *log, *receipts;
    struct store_view *newest; /* the writer's own */
    struct state_reader rows;  /* of it */
    struct chain *chain;
    struct state_trie *trie;
    struct header head;
    hash32 head_hash;
    hash32 genesis_hash;
    uint64_t head_seq; /* log record of the head */
    uint64_t epoch;
    uint64_t pool_floor; /* lowest record of a transaction that still waits in the pool; 0 none */
    uint64_t stored_pool_floor; /* as the store has it */
    /* Blocks that the parent made void and that are to be made again (node/rerun.h): the first of
     * their records, 0 without any; and after recovery which they are, oldest first, owned until
     * settling takes them over, and whether a REWIND of theirs was for stamps too old. */
    uint64_t again_floor, stored_again_floor;
    struct log_pos *again;
    size_t again_count;
    bool again_restamp;
    bool has_intent;
    struct log_pos intent;       /* the newest INTENT record */
    struct kv *kv;               /* the node's own values */
    size_t checkpoint_rows;      /* as the options say */
    struct memory_shares memory; /* of the options' cache_bytes */
    uint64_t window_s;           /* of history to keep; the checkpoint thread's */
    bool prune_again;            /* the last step of pruning left rows behind; likewise */
    /* Segments may be dropped: who must find transactions of an earlier run has looked for them. */
    _Atomic bool may_drop;
    uint64_t dropped_to;          /* first block that is not dropped (node/segments.h), 0: not
                                     known yet; likewise */
    _Atomic uint64_t final_block; /* see ledger_final */
    struct arena arena;           /* of the block in the making */
    struct buf record;            /* payload in the making */
    struct buf later; /* rows for the next block: table u8 | key length u16 | value length u32
                         | key | value */
};

/* Opens or makes everything; a new store gets block 0. The log is not replayed yet: see
 * node/recover.h. ERR_MISMATCH when folder and genesis do not belong together; ERR_CORRUPT, ERR_IO,
 * ERR_BUSY, ERR_VERSION. On error nothing stays open. */
enum err ledger_open(struct ledger *l, const struct ledger_options *o, struct err_ctx *ec) MUST_USE;
void ledger_close(struct ledger *l);

/* Appends the BLOCK record of a derived, unsealed block; not synced. */
enum err ledger_append(struct ledger *l, const struct derived_block *b, struct log_record *out,
                       struct err_ctx *ec) MUST_USE;
/* Seals the block, writes its receipts, commits its rows and makes it the head. `at` is its BLOCK
 * record. The block's arena may be reset afterwards. */
enum err ledger_apply(struct ledger *l, struct derived_block *b, const struct log_record *at,
                      struct err_ctx *ec) MUST_USE;
/* Appends another record whose payload is in l->record; *out may be NULL. */
enum err ledger_append_record(struct ledger *l, enum log_kind kind, struct log_record *out,
                              struct err_ctx *ec) MUST_USE;
/* Makes changes of the node's own values: appends their KV record, not synced; reads see them at
 * once. As kv_check and ledger_append_record. */
enum err ledger_write_kv(struct ledger *l, const struct kv_op *ops, size_t count,
                         struct log_record *out, struct err_ctx *ec) MUST_USE;
/* A row of a table that no block's message decides (class local, unwind rule NONE): enters the
 * store with the next block or rewind, so that a store never holds what its log does not explain.
 */
void ledger_put_later(struct ledger *l, enum table_id table, bytes key, bytes value);
/* An INTENT record that is in the log; the newest one's place is kept. */
void ledger_note_intent(struct ledger *l, const struct log_record *r);
/* Appends the SEAL of the head; not synced. */
enum err ledger_seal(struct ledger *l, struct err_ctx *ec) MUST_USE;
/* Back to the end of block `to_block`, as a REWIND record says. */
enum err ledger_rewind(struct ledger *l, uint64_t to_block, uint64_t epoch, uint64_t seq,
                       struct err_ctx *ec) MUST_USE;

/* The last block whose batch and delayed messages are final on the parent: no parent event undoes
 * it, so its undo data may go. Without a parent that is every durable block; with one, block 0
 * until whoever follows the parent says otherwise. It never falls. Any thread. */
uint64_t ledger_final(const struct ledger *l);
void ledger_set_final(struct ledger *l, uint64_t block);

/* The lowest record of the log that a restart from the store's last checkpoint reads. Not while a
 * checkpoint runs. */
uint64_t ledger_log_floor(struct store *s);

/* Rows wait in memory, and a checkpoint should begin to move them; so many that it should not let
 * others go first; so many that no block may come before it has. Any thread. */
bool ledger_checkpoint_due(struct ledger *l);
bool ledger_rows_press(struct ledger *l);
bool ledger_rows_full(struct ledger *l);
/* Syncs the receipts, then checkpoints the store, whose rows point to them: what is durable up to
 * `limit`, a block. Any thread but one at a time. */
enum err ledger_checkpoint(struct ledger *l, uint64_t limit, struct err_ctx *ec) MUST_USE;

#endif
