/* SPDX-License-Identifier: Apache-2.0 */
/* Everything persisted but the log: the tables of state/tables.def. A table is an LMDB database
 * plus an ordered delta in RAM whose entries (put or tombstone) are tagged by block; one cursor
 * type merges both at a pinned block.
 *
 * A block's rows enter the delta atomically with store_block_commit when the block is sealed;
 * readers other than the executor see them once store_set_durable reaches the block. The checkpoint
 * moves deltas to LMDB in one synced transaction; META.applied there says up to where. Undo data
 * (change sets, undo rows) is written with each block, so that store_unwind brings every table back
 * as its row in tables.def says.
 *
 * Threads: one writer (block calls and unwind); store_checkpoint on one other thread; any number of
 * readers, which never block the writer and are never blocked by it. LMDB limits: keys <= 511
 * bytes, values <= 1,900 bytes except code (reference: LMDB's overflow pages fragment its free
 * list). */
#ifndef STATE_STORE_H
#define STATE_STORE_H

#include "base/arena.h"
#include "base/disk.h"
#include "base/err.h"
#include "state/account.h"
#include "state/trie.h"
#include "state/world.h"

enum table_class { TABLE_DERIVED, TABLE_LOCAL };
enum table_unwind {
    TABLE_UNWIND_NONE,
    TABLE_UNWIND_CHANGESET,
    TABLE_UNWIND_HISTORY,
    TABLE_UNWIND_RANGE,
    TABLE_UNWIND_UNDO
};
enum table_id {
#define TABLE(id, name, key, value, cls, unwind) TABLE_##id,
#include "state/tables.def"
#undef TABLE
    TABLE_COUNT
};
struct table_info {
    const char *name, *key, *value;
    enum table_class cls;
    enum table_unwind unwind;
};
extern const struct table_info table_info[TABLE_COUNT];

enum {
    STORE_KEY_MAX_BYTES = 502,    /* LMDB's 511 less what an undo row puts before it */
    STORE_VALUE_MAX_BYTES = 1900, /* but code */
    STORE_CODE_MAX_BYTES = 1 << 20,
    STORE_CHECKPOINT_PAGE_BYTES = 4096 + 16, /* a page of LMDB's in memory */
    STORE_HISTORY_ROWS = 1 << 19,
    /* Of a waiting row; and with what it takes at most while rows come and go, which are copied. */
    STORE_HISTORY_ROW_BYTES = 49,
    STORE_HISTORY_ROW_BYTES_MOST = 128,
    STORE_EXPECT_KEYS = 32,
    STORE_VIEWS_MAX = 1000,           /* open at a time, in one process */
    STORE_OVERLAY_ROWS_MAX = 4 << 20, /* rows that differ between a view and a later checkpoint, for
                                         tables without an index, */
    STORE_OVERLAY_BYTES_MAX = 256 << 20, /* and the memory that they may take */
};
#define STORE_NO_BLOCK UINT64_MAX /* block number before block 0: an empty store */

/* Where the store's LMDB part stands in the log. */
struct store_applied {
    uint64_t epoch;
    uint64_t seq;   /* last log record whose effect is in LMDB; 0 = none */
    uint64_t block; /* block whose end the LMDB tables are at; STORE_NO_BLOCK = none */
    hash32 state_root;
    hash32 block_hash;
};

struct store;
struct store_options {
    const char *dir;    /* made if absent */
    uint64_t map_bytes; /* address space of LMDB; 0 = 1 TiB */
    /* Pages that one transaction of a checkpoint changes at most, unless one block alone changes
     * more; 0 = any number. LMDB keeps memory for the most it ever had. */
    size_t checkpoint_pages;
    /* Rows of HIA, HIS and TXL that may wait in memory after a checkpoint, to be written many to a
     * page; 0 = STORE_HISTORY_ROWS. */
    size_t history_rows;
    bool no_sync;    /* tests that never restart */
    bool must_exist; /* ERR_NOT_FOUND instead of making a new one */
    /* Whether a block may wipe storage that was there before it. Since EIP-6780 only a contract
     * made in the same transaction can be destroyed, and EIP-7610 lets none be made where storage
     * is: so it cannot happen on this chain, and without this flag it is a failed CHECK. With it
     * the rows are deleted one by one in the same block, with their change sets, so that every node
     * has the same rows; the cost is that of the contract's slots. */
    bool allow_wipe;
};
/* Locks the folder and opens its tables. ERR_IO, ERR_CORRUPT, ERR_VERSION (another schema),
 * ERR_BUSY (open elsewhere). */
enum err store_open(struct store **out, const struct store_options *o, struct err_ctx *ec) MUST_USE;
/* Ends without a checkpoint: what is not in LMDB is in the log. NULL is allowed. */
void store_close(struct store *s);
struct store_applied store_applied(const struct store *s);

/* --- writer --------------------------------------------------------------------------------- */
/* Opens block `block_num`, the one after the last committed (or the genesis block 0 of an empty
 * store). Block 0 has no undo data: nothing is before it. */
void store_block_begin(struct store *s, uint64_t block_num);
/* Rows of the open block; key and value are copied. A put of the value that is there already is
 * dropped, and so is what a block changes and changes back. Keys of 1 to STORE_KEY_MAX_BYTES. RANGE
 * tables: only keys of the open block. Not for tables that the store itself fills: ACCT, STOR, CSA,
 * CSS, HIA, HIS, UNDO. */
void store_put(struct store *s, enum table_id table, bytes key, bytes value);
/* As store_put, of an UNDO table, for a key that no block before can have: what was there is not
 * looked for. The cheapest in the order of keys. */
void store_put_new(struct store *s, enum table_id table, bytes key, bytes value);
void store_del(struct store *s, enum table_id table, bytes key);
/* Writes the key of row `i`; returns its length. */
typedef size_t (*store_key_fn)(uint8_t out[STORE_KEY_MAX_BYTES], const void *ctx, size_t i);
/* For who puts `count` rows whose keys lie anywhere in a table: called before row `i` of them. At
 * each STORE_EXPECT_KEYS'th it asks for the memory that putting as many reads, for all of them at
 * once. Changes nothing. */
void store_expect(struct store *s, enum table_id table, size_t i, size_t count, store_key_fn key,
                  const void *ctx);
/* The row as the open block has it so far; valid until the writer's next call. */
bool store_own_get(struct store *s, enum table_id table, bytes key, bytes *out_value);
/* State rows of a world's diff (after state_trie_apply): ACCT, STOR, CODE, their change sets and
 * history. At most once per block. The wiped storage's branch records go too. */
void store_put_diff(struct store *s, const struct world_diff *diff);
/* state_trie_take_rows callback: ctx is the store. */
void store_put_trie_row(void *ctx, uint64_t store_id, bytes path, bytes record);
/* The block's rows become one atomic addition to the delta. `at` names the log record that holds
 * the block and the block's results. */
void store_block_commit(struct store *s, const struct store_applied *at);
/* Blocks up to this one may be seen by readers. */
void store_set_durable(struct store *s, uint64_t block_num);
uint64_t store_durable(const struct store *s); /* STORE_NO_BLOCK before block 0 */
uint64_t
store_head(const struct store *s); /* last committed block; STORE_NO_BLOCK before block 0 */
/* Undoes blocks above `to_block`, newest first, in delta and LMDB alike. ERR_PRUNED when undo data
 * is gone. Views of dropped blocks turn stale: store_view_stale. `at` names the log record that
 * ordered it and the head that remains. Waits for a running checkpoint. No block is open. */
enum err store_unwind(struct store *s, uint64_t to_block, const struct store_applied *at,
                      struct err_ctx *ec) MUST_USE;
/* Drops change sets, history and undo rows of blocks up to `block_num` (at most the checkpoint's)
 * in steps of max_rows, each a synced transaction; returns false when none is left or the disk
 * refuses. State below `block_num` is ERR_PRUNED from the first step on. Any thread but the
 * writer's is best: it waits for a running checkpoint. */
bool store_prune(struct store *s, uint64_t block_num, size_t max_rows);
/* Drops rows that go with the log segments of old blocks (index/): in one synced transaction, by
 * which a row of TXL, LOGA, UEVT, BODY or RCPT is removed, or put again. All are of blocks below
 * store_first_block, whose undo data is gone. Neither views nor checkpoints bring them back, but a
 * view may show a removed row for as long as a delta in RAM has it. Threads as store_prune. */
struct store_drop_row {
    enum table_id table;
    bool put;         /* else it is removed, */
    bytes key, value; /* if it has this value; any when value.ptr is NULL */
};
enum err store_drop(struct store *s, const struct store_drop_row *rows, size_t count,
                    struct err_ctx *ec) MUST_USE;
/* A row as the last checkpoint left it, whatever the deltas have. *out_len is its length, of which
 * at most `cap` bytes are copied. */
bool store_get_applied(struct store *s, enum table_id table, bytes key, void *out, size_t cap,
                       size_t *out_len);
/* Lowest block whose state can be read, and to which store_unwind can go. */
uint64_t store_first_block(const struct store *s);

/* --- checkpoint ----------------------------------------------------------------------------- */
/* Keys in RAM that the next checkpoint would move, about. */
size_t store_dirty_rows(struct store *s);
/* Memory of all rows in RAM, those of views that still read what a checkpoint moved apart. What
 * such rows leave for those to come (`spare_bytes`) is taken before any other: both together are
 * never more than rows had at once, but for the lists of their keys (8 to 32 bytes a row). */
size_t store_delta_bytes(struct store *s);
/* A piece: as many rows of whole blocks as one transaction can take, as far as is known before it.
 * True: the oldest is full and durable, *out_block is its last block. False otherwise, and always
 * when any number of pages may change. */
bool store_piece(struct store *s, uint64_t *out_block);
/* Moves the delta of blocks up to the durable one into LMDB, in one synced transaction or, when
 * checkpoint_pages are too few for that, in several, each of which ends at a block. May run beside
 * writer and readers. After an error the delta is as the last of them left it, and the call can be
 * repeated. */
enum err store_checkpoint(struct store *s, struct err_ctx *ec) MUST_USE;
/* The same, but not above `block_num`: for a caller that has made something else durable up to
 * there (receipts), while the durable block moves on. STORE_NO_BLOCK does nothing. */
enum err store_checkpoint_to(struct store *s, uint64_t block_num, struct err_ctx *ec) MUST_USE;
/* From now on a checkpoint calls `rest` on its thread every few rows, which may sleep but not use
 * the store's checkpoint, prune or drop. NULL: it never does. Not while a checkpoint runs. */
void store_set_rest(struct store *s, void (*rest)(void *ctx), void *ctx);
struct store_stats {
    uint64_t lmdb_bytes_used;   /* of the file, free pages included */
    uint64_t lmdb_bytes_live;   /* of the tables' pages, free ones left out */
    uint64_t rows[TABLE_COUNT]; /* in LMDB */
    uint64_t history_waiting;   /* rows of HIA and HIS that are not there yet, */
    uint64_t lookups_waiting;   /* and of TXL */
    uint64_t spare_bytes;       /* memory kept for rows to come; at most 64 MiB */
    /* Since the store was opened. */
    uint64_t checkpoint_count, checkpoint_rows;
    uint64_t checkpoint_pages_most, /* that one transaction was expected to change, at most */
        checkpoint_pages_written; /* bytes that the checkpoints' threads wrote, in pages of 4 KiB */
};
enum err store_stat(struct store *s, struct store_stats *out) MUST_USE;

/* --- readers -------------------------------------------------------------------------------- */
/* A consistent sight of all tables at one block. Not thread-safe: one thread per view. The LMDB
 * transaction in it is given back before each checkpoint and taken again inside, so a view may live
 * long and pins nothing. A row handed out is valid until the next call on the view; one of a cursor
 * until the next call on the cursor.
 *
 * When a checkpoint has passed the view's block: ACCT and STOR are read through the change sets
 * (O(log n) at any depth), look-ups by block hide what is above, and UNDO tables (and all cursors
 * over ACCT and STOR) take the rows that changed since into RAM once. If those are more than
 * STORE_OVERLAY_ROWS_MAX or STORE_OVERLAY_BYTES_MAX, the view turns stale. NONE tables always show
 * their newest row. HIA and HIS are made from CSA and CSS; a view of a block shows them whole, the
 * writer's own has only those that are in LMDB. */
struct store_view;
/* At `block_num` <= durable, or the writer's own newest state, rows of the open block included,
 * with block_num = UINT64_MAX (writer thread only). ERR_NOT_FOUND above durable, ERR_PRUNED,
 * ERR_BUSY beyond STORE_VIEWS_MAX. */
enum err store_view_open(struct store_view **out, struct store *s, uint64_t block_num) MUST_USE;
void store_view_close(struct store_view *v);
uint64_t store_view_block(const struct store_view *v);
/* Memory of the rows that the view has taken for itself. */
size_t store_view_bytes(struct store_view *v);
/* The block it was opened at was unwound since, or its undo data is gone: answers are void. Ask
 * after reading. */
bool store_view_stale(const struct store_view *v);
/* The row is the view's own copy, good until its next store_get. A key of no or more bytes than
 * keys have is of no row. */
bool store_get(struct store_view *v, enum table_id table, bytes key, bytes *out_value);

/* Close cursors before their view. */
struct store_cursor;
struct store_cursor *store_cursor_open(struct store_view *v, enum table_id table) MUST_USE;
void store_cursor_close(struct store_cursor *c);
/* First row with key >= `key`; last row with key <= `key`; neighbours of the row found last. False
 * at the end. Key and value are the cursor's own copies, good until its next call. */
bool store_cursor_seek(struct store_cursor *c, bytes key, bytes *out_key, bytes *out_value);
bool store_cursor_seek_le(struct store_cursor *c, bytes key, bytes *out_key, bytes *out_value);
bool store_cursor_next(struct store_cursor *c, bytes *out_key, bytes *out_value);
bool store_cursor_prev(struct store_cursor *c, bytes *out_key, bytes *out_value);

/* Flat state at the view's block for a world; and the trie's source. Both live as long as the view
 * and are calls on it. */
struct state_reader store_state_reader(struct store_view *v);
struct trie_source store_trie_source(struct store_view *v);

/* Rebuilds the state root from ACCT and STOR at the view's block, storage roots included. O(state).
 * ERR_CORRUPT names the first account whose row has another storage root than its slots give. */
enum err store_rebuild_root(struct store_view *v, hash32 *out_root, struct err_ctx *ec) MUST_USE;

/* ACCT's packed form. account_unpack: ERR_CORRUPT. */
enum { ACCOUNT_PACKED_MAX = 128 };
size_t account_pack(uint8_t out[ACCOUNT_PACKED_MAX], const struct account *a);
enum err account_unpack(struct account *out, bytes packed) MUST_USE;

#endif
