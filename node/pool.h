/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions that are not durable yet. By sender, in nonce order:
 *
 *   EXECUTED  in a block that is being synced
 *   READY     next in turn; also in its lane (node/lanes.h), in order of arrival
 *   GAPPED    its nonce is ahead; kept until the gap is filled, it is replaced, or POOL_LIFETIME_MS
 * are over
 *
 * The sequencer's thread changes the pool; the one that announces durability takes EXECUTED ones
 * out; any thread may look. One lock, held for short.
 *
 * A transaction takes the place of another with its sender and nonce when its fee cap is at least a
 * tenth higher. Tips are ignored on this chain, and so here.
 *
 * A sender whose transactions are READY in one lane goes on in that lane, wherever the next ones
 * are for, until none is: its nonces go in turn. No lane takes all of what READY ones may have
 * (lanes_share_fits); EXECUTED ones count for their lane's memory. GAPPED ones are in no lane:
 * bounded each sender, and each universe that pays. */
#ifndef NODE_POOL_H
#define NODE_POOL_H

#include "base/arena.h"
#include "base/map.h"
#include "chain/tx.h"
#include "node/lanes.h"
#include "rpc/commands.h"

#include <pthread.h>

enum {
    POOL_READY_MAX = 16384, /* of it, of the bytes and of the memory a lane has its share */
    POOL_READY_BYTES_MAX = 32 << 20,
    POOL_GAPPED_BYTES_MAX = 16 << 20,
    POOL_MEMORY_MAX = 48 << 20, /* of all, EXECUTED ones that wait for the disk included; half of it
                                   when another GAPPED one comes, and GAPPED ones count no more
                                   when another READY one does */
    POOL_REPLACE_PERCENT = 10,
    /* GAPPED ones that only a universe's policy lets in cost their senders nothing: */
    POOL_SPONSORED_PER_UNIVERSE = 256,
    POOL_SPONSORED_PER_SENDER = 16,
    POOL_REPLACEMENTS_MAX = 16, /* at one nonce while it waits: each is a record that nobody pays */
    POOL_LIFETIME_MS = 3 * 3600 * 1000,
    POOL_MARK_EVERY = 64, /* nonces: so far a sender's many are looked through for one */
};

enum pool_state { POOL_NEW, POOL_READY, POOL_GAPPED, POOL_EXECUTED };

/* A transaction and who waits for it. Owned by whoever holds it: the submitter, a ring, the pool.
 */
struct pool_tx {
    struct tx tx; /* raw and lists live in `arena` */
    struct arena arena;
    submit_done_fn done; /* NULL: nobody waits, or has been answered */
    void *done_ctx;
    uint64_t token;
    unsigned flags; /* SUBMIT_... */
    enum pool_state state;
    uint64_t added_ms;
    /* The stages it has come through, monotonic; 0: of an earlier run, or not yet. */
    uint64_t submitted_ns, intake_ns, recovered_ns, taken_ns;
    uint64_t record_seq;   /* its POOL record, 0: none */
    uint64_t universe;     /* of `to`, which is its lane; 0: none, or a creation */
    bool has_universe;     /* that is known */
    uint8_t ingress_share; /* which it counts in while it is in the ring, */
    uint64_t ingress_tag;  /* and how its universe is told apart there */
    struct lane *lane;     /* that it is in: READY or EXECUTED */
    uint64_t sponsor;      /* universe without whose money it would not wait here; 0: none */
    uint8_t replacements;  /* that led to it while its nonce was ahead */
    size_t counted;        /* its bytes in the pool's `memory` */
    struct pool_tx *prev_of_sender, *next_of_sender;
    struct pool_tx *prev_ready, *next_ready; /* also the link of lists outside the pool */
};

/* Decodes an envelope (copied) into a fresh pool_tx; the sender is not recovered. ERR_NOMEM, or as
 * tx_decode. */
enum err pool_tx_new(struct pool_tx **out, bytes envelope, struct err_ctx *ec) MUST_USE;
void pool_tx_free(struct pool_tx *t);
/* Memory that it takes. */
size_t pool_tx_bytes(const struct pool_tx *t);

struct pool_limits {
    size_t ready_max; /* at most POOL_READY_MAX; 0: that many */
    size_t gapped_max;
    size_t gapped_per_sender;
};
struct pool {
    pthread_mutex_t lock;
    struct pool_limits limits;
    struct map by_hash;   /* hash -> struct pool_tx * */
    struct map by_sender; /* address -> its transactions, in nonce order */
    struct map marks;     /* sender 20 | nonce u64, one of POOL_MARK_EVERY -> struct pool_tx * */
    struct map sponsored; /* universe -> how many GAPPED ones it would pay for */
    struct lanes ready;
    size_t gapped_count, gapped_bytes; /* bytes of envelopes */
    size_t memory, gapped_memory;      /* of all; of GAPPED ones */
};
void pool_init(struct pool *p, struct pool_limits limits);
/* Limits from now on; what is in the pool stays. Any thread. */
void pool_set_limits(struct pool *p, struct pool_limits limits);
/* Frees all transactions in it; nobody is answered. */
void pool_clear(struct pool *p);
size_t pool_bytes(struct pool *p); /* of its transactions in memory */

enum pool_verdict {
    POOL_ADDED_READY,
    POOL_ADDED_GAPPED,
    POOL_KNOWN, /* the very same is there */
    POOL_NONCE_LOW,
    POOL_UNDERPRICED, /* another with this nonce pays as much */
    POOL_GAP_REFUSED, /* flag SUBMIT_NO_QUEUE */
    POOL_FULL,        /* too many are ready in its lane, which is t->universe now */
    POOL_GAPPED_FULL, /* too many wait for a nonce */
};
/* Adds a transaction with a known sender, whose nonce in state is `state_nonce`. *out_expected: the
 * nonce that would be next in turn; *out_replaced: the one that had to go, now the caller's. When
 * not added, `t` stays the caller's. */
enum pool_verdict pool_add(struct pool *p, struct pool_tx *t, uint64_t state_nonce,
                           uint64_t *out_expected, struct pool_tx **out_replaced) MUST_USE;

/* Takes over one that waited in an earlier run, with sender and record: GAPPED whatever its nonce,
 * until pool_rebase, and whatever the limits. It takes the place of another of its sender with its
 * nonce, which is freed. The very same is not added twice: the newer record stands. */
void pool_readmit(struct pool *p, struct pool_tx *t);

/* Whether its universe's lane has room for one like `t`, of which the sender may be unknown. */
bool pool_has_room(struct pool *p, const struct pool_tx *t);
bool pool_has(struct pool *p, const hash32 *hash);
bool pool_has_gapped(struct pool *p);
/* Bytes of envelopes of READY ones in a universe's lane; *out_all: in all. */
size_t pool_ready_bytes(struct pool *p, uint64_t universe, size_t *out_all);
/* The one whose turn it is, or NULL. Sequencer's thread; it stays READY and in the pool. */
struct pool_tx *pool_first_ready(struct pool *p);
/* That one is in a block now, where it used so much gas. */
void pool_executed(struct pool *p, struct pool_tx *t, uint64_t gas_used);
/* Takes a transaction out; it is the caller's then. A READY one costs its lane LANES_REFUSED_GAS.
 */
void pool_remove(struct pool *p, struct pool_tx *t);
/* Sorts a sender's transactions anew after its nonce in state moved other than by the turn:
 * *out_stale, a list by next_ready, have a nonce that is gone and are the caller's; *out_gapped, a
 * list by next_ready (they stay in the pool), were READY and are not; *out_over, the caller's like
 * the stale ones, would wait too but are beyond the limits. */
void pool_rebase(struct pool *p, const addr20 *sender, uint64_t state_nonce,
                 struct pool_tx **out_stale, struct pool_tx **out_gapped,
                 struct pool_tx **out_over);
/* All senders that have transactions here: a list that the caller frees; NULL: none, or no
 * memory. */
addr20 *pool_senders(struct pool *p, size_t *out_count) MUST_USE;
/* Takes out GAPPED ones that were added before `before_ms`: a list by next_ready. */
struct pool_tx *pool_expire(struct pool *p, uint64_t before_ms);
/* The one with the lowest POOL record of those that are in no block, NULL without. It stays in the
 * pool; sequencer's thread. O(transactions). */
struct pool_tx *pool_oldest_record(struct pool *p);
/* Lowest POOL record of a transaction that is in no block, 0 without. O(transactions). */
uint64_t pool_floor(struct pool *p);

/* As struct node_commands has them. */
uint64_t pool_pending_nonce(struct pool *p, const addr20 *sender);
bool pool_lookup(struct pool *p, const hash32 *hash, struct buf *out_envelope, addr20 *out_sender);

#endif
