/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups: the rows that each block adds beside its state, and the queries over them. The rows are
 * a pure function of the derived block and of where its records lie; they enter the store with the
 * block's state, so that no reader sees a block without its look-ups.
 *
 * - HDR: block u64 -> header hash 32 | transaction count u32 | size u32 | header RLP
 * - HNUM: header hash -> block u64
 * - TXL: transaction hash -> block u64 | index u32
 * - LOGA: address 20 | block u64, topic 32 | block u64 (at any position) -> places u32 each,
 * rising, in the block's RECEIPTS record of the sections whose logs have it; none when they are
 * more than ROW_LOGA_PLACES_MAX, or when the segments are gone: then any may
 * - BODY: block u64 -> segment u32 | offset u32 of the BLOCK record
 * - RCPT: block u64 -> segment u32 | offset u32 of the RECEIPTS record
 * - SEND: level u8 | index u64 -> item or node 32 | block u64: complete nodes of the tree of
 *   messages to the parent; level 0 has the messages' items
 *
 * Integers are big-endian. Block 0 and blocks without transactions have no RCPT row, block 0 has no
 * BODY row.
 *
 * Queries read through one store view; see the thread rules in state/store.h. Results live in the
 * caller's arena. */
#ifndef INDEX_INDEX_H
#define INDEX_INDEX_H

#include "base/arena.h"
#include "base/err.h"
#include "chain/derive.h"
#include "chain/header.h"
#include "chain/receipt.h"
#include "chain/tx.h"
#include "state/log.h"
#include "state/store.h"

/* --- writing ------------------------------------------------------------------------------- */
struct index_positions {
    bool has_body, has_receipts;
    struct log_pos body, receipts;
    bytes receipts_payload; /* of the RECEIPTS record, if there is one: rows name places in it */
};
/* Puts the rows of a sealed block into the open block of the store, those of universes
 * (index/universe.h) included. b->diff must still stand, its new code too. */
void index_put_block(struct store *s, const struct derived_block *b,
                     const struct index_positions *at);

/* --- blocks -------------------------------------------------------------------------------- */
struct index_head {
    struct header header;
    hash32 hash;
    uint32_t tx_count;
    uint32_t size; /* bytes of the block's RLP: [header, transactions, []] */
};
/* ERR_NOT_FOUND when the view has no such block. */
enum err index_head(struct index_head *out, struct store_view *v, uint64_t number) MUST_USE;
enum err index_number_of(uint64_t *out, struct store_view *v, const hash32 *block_hash) MUST_USE;
/* What logs say of their block. */
struct index_stamp {
    uint64_t number, timestamp;
    hash32 hash;
};
enum err index_stamp(struct index_stamp *out, struct store_view *v, uint64_t number) MUST_USE;
/* Zero when unknown: BLOCKHASH's answer. */
hash32 index_hash_of(struct store_view *v, uint64_t number);
enum err index_find_tx(uint64_t *out_block, uint32_t *out_idx, struct store_view *v,
                       const hash32 *tx_hash) MUST_USE;

/* The segments that bodies and receipts are read from. */
struct index_source {
    struct wal *log;
    struct wal *receipts;
};
struct index_place {
    uint32_t tx_idx;    /* in the block */
    uint32_t first_log; /* logs of the block before the transaction's */
};
/* A block with all of its transactions and receipts, or some of them; arrays and what they point to
 * live in the arena. */
struct index_block {
    struct index_head head;
    struct tx *txs; /* decoded, senders known */
    struct receipt *receipts;
    size_t tx_count; /* of the arrays */
    /* NULL: all are there. Else the rest went with the block's segments, and this is where those
     * that are there lie in the block. */
    const struct index_place *places;
};
static inline uint32_t index_tx_idx(const struct index_block *b, size_t at) {
    return b->places != NULL ? b->places[at].tx_idx : (uint32_t)at;
}
/* O(at). */
static inline uint32_t index_first_log(const struct index_block *b, size_t at) {
    size_t first = 0;
    if (b->places != NULL)
        return b->places[at].first_log;
    for (size_t i = 0; i < at; i++)
        first += b->receipts[i].log_count;
    return (uint32_t)first;
}
/* ERR_NOT_FOUND; ERR_PRUNED when its segments are gone; ERR_CORRUPT when a record is not this
 * block's. */
enum err index_load_block(struct index_block *out, struct arena *a, const struct index_source *src,
                          struct store_view *v, uint64_t number, struct err_ctx *ec) MUST_USE;

/* --- what outlives a block's segments (PROTOCOL §6) ------------------------------------------
 * Old segments are dropped (node/segments.h). Headers and nodes of the tree of messages stay, and:
 * transactions with an L2ToL1Tx, those that schedule tries of tickets, and those of types 0x64,
 * 0x68 and 0x69, with their receipts. Table KEPT has them from the beginning, so that nothing has
 * to be copied when segments go. */
struct index_filter;
bool index_outlives(const struct tx *tx, const struct receipt *r);
/* Whether all that the filter can ever match outlives. */
bool index_filter_outlives(const struct index_filter *f);
/* One transaction, at out->txs[*out_at]; from the segments, else from what outlives them.
 * ERR_NOT_FOUND: the block has none there; ERR_PRUNED: it went; ERR_CORRUPT. */
enum err index_load_tx(struct index_block *out, size_t *out_at, struct arena *a,
                       const struct index_source *src, struct store_view *v, uint64_t number,
                       uint32_t tx_idx, struct err_ctx *ec) MUST_USE;
/* What outlives of a block, whether its segments are there or not. ERR_NOT_FOUND, ERR_CORRUPT. */
enum err index_load_kept(struct index_block *out, struct arena *a, struct store_view *v,
                         uint64_t number, struct err_ctx *ec) MUST_USE;
/* Lowest block that the tables have a BLOCK record of; 0: of none. */
uint64_t index_first_body(struct store_view *v);
/* What to give to store_drop when the block's segments are about to go, lowest block first; in `a`.
 * Of a block that cannot be read any more only BODY and RCPT. ERR_IO, ERR_NOMEM. */
enum err index_drop_rows(struct store_drop_row **out, size_t *out_count, struct arena *a,
                         const struct index_source *src, struct store_view *v, uint64_t number,
                         struct err_ctx *ec) MUST_USE;

/* The message that made a block (not block 0), to derive it again; its data lives in the arena.
 * Errors as index_load_block. */
enum err index_load_message(struct message *out, struct arena *a, const struct index_source *src,
                            struct store_view *v, uint64_t number, struct err_ctx *ec) MUST_USE;

/* --- messages to the parent ------------------------------------------------------------------ */
/* What the parent's Outbox wants for message `leaf` of a tree of `size` messages. */
enum { INDEX_SEND_LEVELS_MAX = 64 };
struct index_send_proof {
    hash32 send; /* the message's item; the leaf is its keccak */
    hash32 root;
    hash32 proof[INDEX_SEND_LEVELS_MAX]; /* siblings from the bottom; zero where there is none */
    size_t count;
};
/* In logarithmic time, for every size up to the view's. ERR_NOT_FOUND: the view has no such
 * message, or not so many. */
enum err index_send_proof(struct index_send_proof *out, struct store_view *v, uint64_t size,
                          uint64_t leaf) MUST_USE;

/* --- logs ---------------------------------------------------------------------------------- */
enum {
    INDEX_FILTER_TOPICS_MAX = 4,
    INDEX_FILTER_ALTERNATIVES_MAX = 1000, /* addresses, and alternatives of one topic position */
    INDEX_FILTER_LOGS_MAX = 10000,        /* results of one query */
    INDEX_FILTER_BLOCKS_MAX = 100000,     /* blocks that one query opens */
    INDEX_FILTER_BARE_RANGE_MAX = 10000,  /* blocks in range of a query without address and topic */
};
struct index_alternatives {
    const hash32 *values;
    size_t count; /* 0: any */
};
struct index_filter {
    uint64_t from, to; /* inclusive */
    const addr20 *addresses;
    size_t address_count; /* 0: any */
    struct index_alternatives topics[INDEX_FILTER_TOPICS_MAX];
    size_t topic_count; /* a log must have at least so many topics */
};
struct index_log {
    const struct index_stamp *block;
    const hash32 *tx_hash;
    uint32_t tx_idx, log_idx; /* in the block */
    const struct log_entry *log;
};
/* Called in order of block, transaction, log; what it points to ends with the call. */
typedef enum err (*index_log_fn)(void *ctx, const struct index_log *l);
/* What a thread remembers of blocks that it has searched (index/log_cache.h), in `ring_bytes`
 * and a fourth more. To be cleared when blocks may have been unwound since it was last used, and
 * used with views that do not go back meanwhile. */
struct index_cache;
struct index_cache *index_cache_new(size_t ring_bytes) MUST_USE; /* NULL: no memory */
void index_cache_free(struct index_cache *c);                    /* NULL is fine */
void index_cache_clear(struct index_cache *c);

struct index_query {
    const struct index_source *source;
    struct index_cache *cache; /* NULL: none */
    struct store_view *view;
    struct index_filter filter;
    size_t logs_max;   /* to give */
    size_t blocks_max; /* to open */
    /* Asked once per block opened, and now and then between; true ends the query with ERR_BUSY.
     * NULL: never. */
    bool (*expired)(void *ctx);
    index_log_fn fn;
    void *ctx; /* of expired and fn */
};
/* Walks the blocks that LOGA says may match - the intersection of the criteria's blocks - and opens
 * only those, and of those only the transactions that LOGA names. A criterion that has agreed with
 * the others for a while is not asked again until a block was opened in vain. Without any
 * criterion, only blocks whose header bloom is not empty. ERR_BUSY with *out_last the last block
 * searched whole (from - 1 when none) when a limit was met. ERR_PRUNED when the range reaches into
 * blocks whose segments are gone, unless index_filter_outlives. `a` is used as scratch and reset to
 * its mark for each block. */
enum err index_logs(uint64_t *out_last, struct arena *a, const struct index_query *q,
                    struct err_ctx *ec) MUST_USE;
/* Whether one log matches the filter's criteria (its range is not looked at). */
bool index_log_matches(const struct index_filter *f, const struct log_entry *log);

#endif
