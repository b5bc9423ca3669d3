/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the sequencer; see node/sequencer.h for who runs what. */
#ifndef NODE_SEQUENCER_INTERNAL_H
#define NODE_SEQUENCER_INTERNAL_H

#include "base/ring.h"
#include "node/checkpoint.h"
#include "node/lane_map.h"
#include "node/prepare.h"
#include "node/senders.h"
#include "node/sequencer.h"
#include "node/unposted.h"

#include <pthread.h>
#include <stdatomic.h>

/* What the sequencer's thread tells the durable thread, in log order. */
enum durable_kind {
    DURABLE_SYNC,   /* a record was written: sync it soon */
    DURABLE_BLOCK,  /* block `block` is sealed; its transactions are `txs` */
    DURABLE_QUEUED, /* a POOL record: answer its client */
    DURABLE_KV,     /* a KV record: answer whoever wrote it */
    DURABLE_END,
};
struct durable_item {
    enum durable_kind kind;
    uint64_t seq; /* record that must be synced first */
    uint64_t block;
    struct pool_tx *txs; /* by next_ready */
    submit_done_fn done; /* of DURABLE_QUEUED */
    kv_done_fn kv_done;  /* of DURABLE_KV */
    void *done_ctx;
    uint64_t token;
    hash32 hash;
};

/* Changes of the node's own values that wait for the sequencer's thread. */
struct kv_write;
struct kv_queue {
    pthread_mutex_t lock;
    struct kv_write *first, **last;
    size_t count, bytes;
    bool closed;
};
void kv_queue_init(struct kv_queue *q);
/* Nothing waits any more. */
void kv_queue_clear(struct kv_queue *q);

/* The ring is one queue for all lanes; what each may have there is counted, universes by their
 * number, several in one share; number 0 is lane 0's, the last one's lane is not known yet. */
enum { INGRESS_SHARES = 256, INGRESS_UNKNOWN = INGRESS_SHARES - 1 };
struct ingress_share {
    atomic_size_t count, bytes;
    _Atomic uint64_t tags; /* sum of their universes' keyed hashes: it tells whether all are of one
                              universe */
};

struct sequencer {
    struct sequencer_options o; /* but for its policy, which is in the three below */
    _Atomic uint64_t block_gap_ms, tx_fee_cap_milli, da_backlog_max;
    struct kv_queue kv;
    struct ring ingress; /* struct pool_tx *, from any thread */
    struct ingress_share ingress_all,
        ingress_shares[INGRESS_SHARES]; /* what is in the ring, about */
    struct lane_map universes;
    struct ring durable; /* struct durable_item */
    pthread_t thread, durable_thread;
    bool has_thread, has_durable_thread;
    struct checkpointer *checkpointer;
    struct preparer *preparer;
    struct crew *crew;
    atomic_bool stopping, failed;
    atomic_bool backlog_refused;
    _Atomic(const struct node_watcher *) watcher; /* NULL: nobody watches */
    atomic_uint unsynced; /* blocks handed to the durable thread and not announced */

    struct err_ctx why; /* of the failure; set before `failed_told` */
    atomic_bool failed_told;

    /* Of the sequencer's thread: */
    uint64_t last_block_ns; /* when the newest block was closed */
    uint64_t gap_ends_ns;   /* until when the open block waits for transactions */
    uint64_t closes_ns;     /* when it closes, whatever is ready */
    size_t tried;           /* transactions that the open block was given, refused ones too */
    size_t given;           /* transactions since the ring was looked at */
    uint64_t stop_ns;       /* when to give up executing at a stop; 0: not stopping */
    uint64_t fed_ns;        /* spent on waiting for transactions of the open block */
    uint64_t intake_cpu_ns; /* of the processor, for intake while the block was open */
    uint64_t resort_ns;     /* next look at transactions that wait for a nonce */
    uint64_t resorted_at;   /* head at the last one */
    uint64_t expire_ns;     /* next look for transactions that waited too long */
    bool seal_due;          /* the head has neither SEAL nor successor */
    bool pool_changed;      /* pool_floor may have moved */
    struct derived_block block;
    struct pool_tx *in_block_first, **in_block_last; /* transactions of the open block */
    struct unposted unposted;                        /* empty without a parent */

    /* An INTENT record that another thread wants written. */
    pthread_mutex_t intent_lock;
    pthread_cond_t intent_done;
    bytes intent; /* ptr NULL: none */
    uint64_t intent_seq;
    bool ended; /* no more records are written */
};

/* Reports a failure once and asks for the end. Any thread. */
void sequencer_fail(struct sequencer *s, enum err e, const struct err_ctx *ec);

/* --- what settling makes; sequencer's thread --- */
/* The block of a message, on top of the head. */
enum err sequencer_derive(struct sequencer *s, const struct message *m,
                          struct err_ctx *ec) MUST_USE;
/* A block from a feed of transactions that have no place in the pool. No block if none is valid. */
enum err sequencer_make_again(struct sequencer *s, const struct tx_feed *feed, uint64_t timestamp,
                              uint64_t l1_block, struct err_ctx *ec) MUST_USE;
/* REWIND: all blocks above `to_block` are gone afterwards, for readers too. */
enum err sequencer_rewind(struct sequencer *s, uint64_t to_block, enum rewind_reason reason,
                          struct err_ctx *ec) MUST_USE;
/* Waits while too many blocks are unsynced. ERR_CLOSED: failed, or told to stop. */
enum err sequencer_await_disk(struct sequencer *s) MUST_USE;
/* Writes the record that sequencer_write_intent waits for. */
void sequencer_serve_intent(struct sequencer *s);
/* No record will be written any more. */
void sequencer_end_intents(struct sequencer *s);
/* Writes, lets sync, seals and hands over s->block, whose pool transactions are in_block_first. */
enum err sequencer_finish_block(struct sequencer *s, struct err_ctx *ec) MUST_USE;

/* Answers and forgets the waiter, if there is one. */
void submit_answer(struct pool_tx *t, const struct submit_result *r);
void submit_refuse(struct pool_tx *t, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* What a verdict needs no state for, nor the sender: TX_OK, or why the transaction can never be
 * valid. */
enum tx_verdict submit_form_verdict(const struct tx *tx) MUST_USE;
/* Says that too many of `what` wait ("" or " for ..."), in the lane of t->universe, and when to
 * come again. */
void submit_refuse_waiting(struct pool_tx *t, const char *what, const char *for_what,
                           unsigned retry_ms);
/* Says that its lane is full. */
void submit_refuse_full(struct pool_tx *t);
/* Takes up to `max` submissions out of the ring. Sequencer's thread, and after its end. */
size_t submit_take(struct sequencer *s, struct pool_tx **out, size_t max);
/* Whether the ring has any that are not known to be for `universe`'s lane. */
bool submit_others_wait(struct sequencer *s, uint64_t universe);

/* Takes submissions from the ingress ring into the pool; how many. Sequencer's thread. */
size_t intake_run(struct sequencer *s);
/* As much as there is, at most about INTAKE_AT_ONCE: for one turn between transactions. */
void intake_run_all(struct sequencer *s);
/* A transaction of the open block was refused with a verdict other than OK. Owns `t` afterwards. */
void intake_refuse_verdict(struct sequencer *s, struct pool_tx *t, enum tx_verdict v);
/* Writes POOL records anew that are so old that a start would have to read far back. */
void intake_refresh_records(struct sequencer *s);
/* The sender's nonce moved other than by its turn; all senders' may have. */
void intake_rebase(struct sequencer *s, const addr20 *sender);
void intake_rebase_all(struct sequencer *s);

/* The commands of struct node_commands, `ctx` is the sequencer. Any thread. */
void kv_queue_write(void *ctx, const struct kv_op *ops, size_t count, kv_done_fn done,
                    void *done_ctx, uint64_t token);
bool kv_queue_get(void *ctx, enum kv_space space, bytes key, struct buf *out);
void kv_queue_each(void *ctx, enum kv_space space, bytes from, kv_each_fn fn, void *fn_ctx);
/* Logs what waits. Sequencer's thread. */
void kv_queue_run(struct sequencer *s);
/* Refuses what waits and all that comes. */
void kv_queue_close(struct kv_queue *q);

void *durable_main(void *sequencer);
/* Hands an item over; waits while the ring is full. Sequencer's thread. */
void durable_push(struct sequencer *s, const struct durable_item *item);

#endif
