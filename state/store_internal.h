/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind state/store.h share.
 *
 * Blocks are counted as ticks inside: tick = block number + 1, so that 0 is the empty store and
 * UINT64_MAX the writer's newest state. A view at tick t reads the newest version at or below t in
 * the deltas, else LMDB's row.
 *
 * The deltas form a set, oldest first, the last one active. A checkpoint freezes the active one,
 * moves all versions up to the durable tick to LMDB, and then publishes a set without the deltas
 * that hold nothing above it. A delta that stays has versions that LMDB has too: they agree, so it
 * does not matter that both are seen.
 *
 * Locks, in this order: lmdb_lock (one LMDB writer: checkpoint, unwind, prune) > views_lock > a
 * view's lock > commit_lock > set_lock. The writer holds none of them while it adds rows. */
#ifndef STATE_STORE_INTERNAL_H
#define STATE_STORE_INTERNAL_H

#include "base/buf.h"
#include "base/check.h"
#include "state/delta.h"
#include "state/slab.h"
#include "state/store.h"

#include <lmdb.h>
#include <pthread.h>

enum {
    STORE_SCHEMA = 5, /* META's schema; another is ERR_VERSION */
    STORE_PATH_MAX = 4096,
    STORE_DELTAS_MAX = 8,  /* in a set; above, the active one is no longer frozen */
    STORE_PIECES = 4,      /* frozen before any checkpoint wants them */
    STORE_IDLE_VIEWS = 32, /* closed views kept for reuse, with their LMDB reader slot */
    STORE_RAW_KEY_MAX = DELTA_KEY_MAX,
};

struct store_set {
    _Atomic uint64_t refs;
    size_t count;
    struct delta *deltas[STORE_DELTAS_MAX + 1];
    uint64_t rows_before[STORE_DELTAS_MAX + 1]; /* that deltas ever got before each */
    struct backlog *backlog;
};

/* A block in the deltas. */
struct store_block {
    struct store_applied at;
    uint64_t rows; /* that deltas ever got up to its end */
};

struct store {
    char *dir;
    int lock_fd;
    MDB_env *env;
    void *map; /* where LMDB has mapped its file; NULL: not known */
    size_t map_len;
    MDB_dbi dbi[TABLE_COUNT];
    bool allow_wipe;
    size_t backlog_max; /* rows that wait */
    uint64_t seed;
    struct slab_pool pool; /* of the deltas */

    pthread_mutex_t lmdb_lock;

    pthread_mutex_t views_lock;
    struct store_view *views; /* open ones */
    struct store_view *idle;  /* closed ones, a list */
    size_t view_count, idle_count;

    /* commit_lock: block_open, the records of blocks, and the change of the active delta. */
    pthread_mutex_t commit_lock;
    bool block_open, freeze_wanted;
    struct store_block *blocks; /* of ticks (first, first + count], those in the deltas */
    uint64_t blocks_first;      /* tick before blocks[0] */
    size_t blocks_count, blocks_cap;

    pthread_mutex_t set_lock; /* set, applied, counters */
    struct store_set *set;
    struct backlog *backlog;  /* that the next set gets; only who holds lmdb_lock changes it */
    _Atomic uint64_t set_seq; /* of `set`; views compare it with theirs */
    struct store_applied applied;
    uint64_t applied_rows; /* that deltas ever got up to the end of that block */
    uint64_t checkpoint_count, checkpoint_rows, checkpoint_bytes, checkpoint_pages;

    void (*rest)(void *ctx); /* between rows of a checkpoint; may be NULL; lmdb_lock's */
    void *rest_ctx;

    uint64_t pages_max;        /* of a checkpoint's transaction; 0: any number */
    _Atomic uint64_t rows_fit; /* rows of deltas that these are expected to be enough for */

    _Atomic uint64_t head_tick, durable_tick;
    _Atomic uint64_t pruned_tick; /* undo data of ticks up to this is gone */

    /* Writer's own. */
    struct delta *active;
    uint64_t open_tick; /* 0: no block is open */
    bool diff_put;      /* store_put_diff was called in the open block */
    struct store_view *self;
    struct buf row;  /* of an old row */
    struct buf undo; /* of an undo row */
};

struct store_view {
    struct store *store;
    struct store_view *next, *prev;
    uint64_t tick;
    _Atomic bool stale;

    pthread_mutex_t lock; /* all below; taken by each call and by whoever gives an idle view's
                             transaction back */
    bool pinned;
    uint64_t pin_count; /* how often it was pinned: cursors position anew after a change */
    MDB_txn *txn;       /* NULL before the first pin */
    struct store_set *set;
    uint64_t set_seq;
    uint64_t lmdb_tick;    /* of the transaction */
    struct delta *overlay; /* rows at `tick` of what changed up to overlay_tick; NULL: none */
    uint64_t overlay_tick;
    uint32_t overlay_tables; /* bit per table: loaded */
    size_t overlay_rows;
    struct buf row, row2;                     /* rows handed out, and scratch */
    struct store_cursor *source[TABLE_COUNT]; /* of the trie's source, opened when used */
};

/* --- keys ----------------------------------------------------------------------------------- */
struct raw_key {
    uint8_t b[STORE_RAW_KEY_MAX];
    size_t len;
};
/* The table's byte and the key, as deltas have it. */
static inline bytes raw_key(struct raw_key *k, enum table_id table, bytes key) {
    CHECK(key.len < sizeof k->b);
    k->b[0] = (uint8_t)table;
    if (key.len > 0)
        memcpy(k->b + 1, key.ptr, key.len);
    k->len = key.len + 1;
    return bytes_of(k->b, k->len);
}
static inline bytes raw_key_strip(bytes raw) {
    return bytes_of(raw.ptr + 1, raw.len - 1);
}
/* Rows of RANGE and HISTORY tables are read in order: they stay out of the index. */
static inline bool table_indexed(enum table_id table) {
    enum table_unwind rule = table_info[table].unwind;
    return rule != TABLE_UNWIND_RANGE && rule != TABLE_UNWIND_HISTORY;
}
static inline MDB_val mdb_of(bytes b) {
    return (MDB_val){.mv_size = b.len, .mv_data = (void *)b.ptr};
}
static inline bytes bytes_of_mdb(MDB_val v) {
    return bytes_of(v.mv_data, v.mv_size);
}

/* --- sets ----------------------------------------------------------------------------------- */
struct store_set *store_set_get(struct store *s, uint64_t *out_seq); /* a reference */
void store_set_drop(struct store_set *set);
/* Publishes; takes the reference over. */
void store_set_publish(struct store *s, struct store_set *set);
struct store_set *store_set_new(void);
/* Adds a reference. */
void store_set_add(struct store_set *set, struct delta *d, uint64_t rows_before);
/* Publishes the same deltas with this history; takes the reference over. lmdb_lock is held. */
void store_backlog_publish(struct store *s, struct backlog *h);
/* Rows that deltas ever got: as the set's newest goes on from there. */
uint64_t store_set_rows(const struct store_set *set);
/* Adds an empty active delta. commit_lock is held, no block is open. */
void store_freeze(struct store *s);

/* --- blocks in the deltas (commit_lock is held) --------------------------------------------- */
void store_blocks_push(struct store *s, const struct store_applied *at);
struct store_block *store_blocks_at(struct store *s, uint64_t tick);
/* Forgets ticks above or up to one. */
void store_blocks_cut(struct store *s, uint64_t tick);
void store_blocks_trim(struct store *s, uint64_t tick);

/* --- META in LMDB --------------------------------------------------------------------------- */
/* ERR_NOT_FOUND, ERR_CORRUPT. */
enum err store_applied_load(struct store_applied *out, struct store *s, MDB_txn *txn) MUST_USE;
int store_applied_save(struct store *s, MDB_txn *txn, const struct store_applied *at);
int store_pruned_save(struct store *s, MDB_txn *txn, uint64_t tick);
/* LMDB's error as ours. */
enum err store_lmdb_err(int rc);
static inline uint64_t tick_of_block(uint64_t block) {
    return block + 1;
}
static inline uint64_t block_of_tick(uint64_t tick) {
    return tick - 1;
}

/* --- views ---------------------------------------------------------------------------------- */
/* Gives back the transactions and sets of views that are not in a call, so that LMDB can reuse
 * pages and old deltas end. */
void store_views_rest(struct store *s);
void store_views_free_idle(struct store *s);
/* Marks views above `tick` stale. */
void store_views_cut(struct store *s, uint64_t tick);
/* The view's lock is held: takes transaction and set if it has none or they are old. */
void view_pin(struct store_view *v);
/* What is at the key for the view, without the active delta, which the caller has looked into.
 * `raw` is the table's byte and the key; `*out` is borrowed from delta or LMDB. */
bool view_lookup_older(struct store_view *v, enum table_id table, bytes raw, bytes *out);
/* Rows that a view below the checkpoint needs to read the table; false: too many, the view is stale
 * now. */
bool view_overlay(struct store_view *v, enum table_id table);
/* The same with those that it takes to walk the table: what waits. */
bool view_overlay_all(struct store_view *v, enum table_id table);
/* Whether a row of RANGE and HISTORY tables is of a block that the view sees. */
bool view_sees_key(const struct store_view *v, enum table_id table, bytes key);

/* --- rows that wait ------------------------------------------------------------------------- */
/* A checkpoint writes CSA, CSS and UNDO, whose rows lie behind each other, but not the rows of HIA
 * and HIS for the changes, nor those of TXL, each of which lies on a page of its own. They wait in
 * memory, in sixteen slices of the keys. When there are too many, the slice that waited longest
 * goes to LMDB, many rows to a page, in a transaction of its own or, where the pages are too few,
 * in several; META's `history` says up to which block each slice is there as a whole. What waits is
 * found again in CSA, CSS and UNDO when the store is opened; so undo rows of rows of TXL are not
 * pruned before these went to LMDB.
 *
 * A row of TXL waits if it has the form that the index gives it and names the block that puts it.
 * Such a row is never changed by a later block.
 *
 * Objects do not change once they are in a set. Sets get the rows of a checkpoint before it is
 * committed, and lose those that went to LMDB afterwards: whoever looks has all that his
 * transaction lacks, and passes over blocks above it. Rows that both have are the same. */
enum { BACKLOG_SLICES = 16, BACKLOG_RUNS_MAX = 32 };
enum { TXL_KEY_BYTES = 32, TXL_VALUE_BYTES = 12 };
/* A row of HIA or HIS, or key and value of one of TXL: zeros behind a shorter one. */
struct backlog_key {
    uint8_t table;
    uint8_t key[8 + 32 + 8];
};
struct backlog_run {
    _Atomic uint64_t refs;
    size_t count, lookups;     /* of these rows of TXL */
    struct backlog_key keys[]; /* in order */
};
struct backlog {
    _Atomic uint64_t refs;
    struct backlog_slice {
        uint64_t tick; /* LMDB has the slice's rows of blocks up to here */
        size_t count;
        struct backlog_run *runs[BACKLOG_RUNS_MAX];
    } slices[BACKLOG_SLICES];
};
_Static_assert(sizeof(struct backlog_key) == STORE_HISTORY_ROW_BYTES, "what the node accounts for");
struct backlog *backlog_ref(struct backlog *h);
void backlog_drop(struct backlog *h); /* NULL is allowed */
size_t backlog_rows(const struct backlog *h);
size_t backlog_lookups(const struct backlog *h); /* of them rows of TXL */
/* The row for a key of CSA or CSS. */
void backlog_key_of(struct backlog_key *out, enum table_id table, bytes change);
/* Whether a row that a block puts is one of TXL that waits; and it as such. */
bool backlog_takes(enum table_id table, bytes key, bytes value, uint64_t tick);
void backlog_key_of_lookup(struct backlog_key *out, bytes key, bytes value);
/* The row as the table has it. */
bytes backlog_key_bytes(const struct backlog_key *k);
bytes backlog_value_bytes(const struct backlog_key *k);
uint64_t backlog_tick(const struct backlog_key *k);
/* `from` and these keys, which are sorted. Results here and below: 0, ENOMEM, LMDB's. */
int backlog_add(struct backlog **out, const struct backlog *from, struct backlog_key *keys,
                size_t count);
/* The lowest block in [from, end) with a row for this key of ACCT or STOR. */
bool backlog_find(uint64_t *out, const struct backlog *h, enum table_id table, bytes key,
                  uint64_t from, uint64_t end);
/* The newest row of TXL with this key of a block up to `tick`; borrowed from `h`. */
bool backlog_find_lookup(bytes *out, const struct backlog *h, bytes key, uint64_t tick);
/* Rows of a table of blocks below `end`, in no order. */
void backlog_each(const struct backlog *h, enum table_id table, uint64_t end,
                  void (*take)(void *ctx, const struct backlog_key *k), void *ctx);
/* Whether a slice may have rows of blocks up to `tick`. */
bool backlog_reaches(const struct backlog *h, uint64_t tick);
/* *out: `from` without the slice that waited longest, of which *run has all rows in order, at least
 * one; to be published when LMDB has them. `tick` is the last that `from` has. */
int backlog_take_oldest(struct backlog **out, struct backlog_run **run, const struct backlog *from,
                        uint64_t tick);
void backlog_run_drop(struct backlog_run *r); /* NULL is allowed */
/* What waits, as LMDB tells, with no slice being ahead of `tick`. */
int backlog_load(struct backlog **out, struct store *s, MDB_txn *txn, uint64_t tick);
int backlog_save(struct store *s, MDB_txn *txn, const struct backlog *h); /* NULL: nothing yet */
/* Writes the slices that may have rows of blocks up to `tick`. lmdb_lock is held. */
enum err store_backlog_write(struct store *s, uint64_t tick, struct err_ctx *ec) MUST_USE;

/* --- undo rows: what stood before a block --------------------------------------------------- */
/* 0: absent; of a row of TXL that may wait with what it became | 1, row | 2, then {offset u16,
 * length u16, bytes}...: the row after the block with these bytes put back. The last only in TRI_A
 * and TRI_S, where a block changes some references of a long record, and whose rows nothing but
 * blocks changes. */
enum { UNDO_ABSENT = 0, UNDO_ROW = 1, UNDO_RUNS = 2, UNDO_KEY_PREFIX = 9 };
struct undo_side {
    bool absent;
    bytes row;
};
struct undo_scratch {
    uint8_t b[STORE_VALUE_MAX_BYTES];
};
static inline bool undo_has_runs(enum table_id table) {
    return table == TABLE_TRI_A || table == TABLE_TRI_S;
}
/* Whether an undo row depends on what stands after the block. */
static inline bool undo_has_new(enum table_id table) {
    return undo_has_runs(table) || table == TABLE_TXL;
}
/* The undo row of a change from `old` to `row`; `out` is reset first. */
void undo_encode(struct buf *out, enum table_id table, struct undo_side old, struct undo_side row);
/* What stood before the block, from what stands after it. Borrowed from `undo` or `s`; `row` may
 * lie in `s`. */
struct undo_side undo_decode(struct undo_scratch *s, bytes undo, struct undo_side row);

#endif
