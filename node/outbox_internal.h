/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the outbox: node/outbox.c signs and submits, node/outbox_rows.c remembers. All but what
 * the locks name belongs to the outbox's thread. */
#ifndef NODE_OUTBOX_INTERNAL_H
#define NODE_OUTBOX_INTERNAL_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/map.h"
#include "chain/tx.h"
#include "node/outbox.h"

#include <pthread.h>

enum {
    OUTBOX_SLUG_BYTES = 16, /* a slug and zeros */
    OUTBOX_ID_BYTES = 32,
    OUTBOX_PART_BYTES = 34, /* id and part */
    CLAIMS_MAX = 1 << 16,
    ACCOUNTS_MAX = 1 << 20,
};

struct sending {
    struct node_send *send;
    struct sending *next;
    size_t left;     /* calls without a result */
    bool counts;     /* it has taken one of the universe's share */
    bool in_batch;   /* KV_REQUEST and KV_TIME are in the write under way, */
    bool remembered; /* and now they are there */
    bool done;       /* one of the calls at least is in the chain */
    bool unclean;    /* rows of refused calls must go before it is told */
};

/* One of the accounts that the node signs with. */
struct outbox_account {
    char slug[OUTBOX_SLUG_BYTES];
    addr20 address;
    bool ok; /* there is a key */
    uint64_t next;
    size_t in_flight;       /* submitted, not answered */
    size_t signed_count;    /* signed, not submitted yet */
    bool stalled;           /* nonces are counted anew once none of either is left */
    uint64_t not_before_ns; /* the pool was full */
};

/* One call on its way. */
struct entry {
    struct entry *next;
    struct sending *sending; /* NULL: of an earlier run */
    size_t idx;              /* of the call */
    struct outbox_account *account;
    uint64_t seq; /* order of asking */
    bool has_id;
    hash32 id;
    uint16_t part;
    struct own_call call;
    uint8_t *own; /* storage of the call's data and meta, of an earlier run */
    struct buf envelope;
    hash32 hash;
    uint64_t nonce;
    unsigned tries;
    bool is_kept; /* its rows have this very envelope: signatures are deterministic (RFC 6979) */
};

struct answer {
    struct answer *next;
    struct entry *entry;
    struct submit_result result;
};
struct kv_wait {
    bool done;
    enum err result;
};

struct outbox {
    struct outbox_options o;
    pthread_t thread;
    bool has_thread;

    pthread_mutex_t lock; /* up to `under_way` */
    pthread_cond_t cond;
    struct sending *incoming, **incoming_last;
    struct answer *answers, **answers_last;
    struct kv_wait batch_write, clean_write;
    bool stopping;
    struct map shares;    /* universe -> size_t: requests remembered, or about to be */
    size_t request_count; /* of all */
    size_t forgetting;    /* writes that forget some */
    size_t under_way;     /* calls */

    pthread_mutex_t claims_lock;
    struct map claims; /* ids */

    bool ending; /* as the thread has seen `stopping` */
    uint64_t now_ns, end_ns;
    uint64_t seq;
    struct map accounts;   /* slug -> struct outbox_account * */
    struct entry *waiting; /* by seq */
    struct entry *batch[OUTBOX_BATCH_MAX];
    size_t batch_count; /* signed, being remembered */
    size_t in_flight;
    struct arena arena; /* of one transaction */

    struct buf clean;         /* keys of KV_OPEN to delete, each with a byte: KV_SENT's too */
    struct buf clean_writing; /* those in the write under way */
    bool clean_busy, clean_urgent;
    uint64_t clean_since_ns;                 /* when the oldest came */
    size_t clean_taken;                      /* bytes of clean_writing that are in the write */
    uint64_t clean_not_before_ns;            /* there was no room for it */
    struct sending *cleaning, *cleaning_now; /* wait for their rows to go */
    struct map orphans;                      /* id -> entries of an earlier run */
    uint64_t forget_ns;                      /* next look for requests that are too old */
};

struct outbox_account *outbox_account(struct outbox *o, const char *slug);
/* The slug and zeros: the key of maps by account or universe. */
void outbox_slug_key(char out[OUTBOX_SLUG_BYTES], const char *slug);
/* Puts the entry where its turn is. */
void outbox_wait(struct outbox *o, struct entry *e);
bool outbox_in_chain(struct outbox *o, const hash32 *tx_hash);

/* --- node/outbox_rows.c ---------------------------------------------------------------------- */
/* Takes one of the universe's share; false: it has no more. With the lock held. */
bool outbox_share_take(struct outbox *o, const char *universe);
/* Gives it back. With the lock held. */
void outbox_share_return(struct outbox *o, const char *universe);
/* Writes KV_REQUEST, KV_TIME, KV_SENT and KV_OPEN of the batch; `done` gets token 0. */
void outbox_write_batch(struct outbox *o, kv_done_fn done);
/* The write is done. */
void outbox_batch_written(struct outbox *o, bool ok);
void outbox_clean_init(struct outbox *o);
void outbox_clean_clear(struct outbox *o);
/* The entry's rows are not needed: KV_OPEN's, and KV_SENT's if it was refused. */
void outbox_clean(struct outbox *o, const struct entry *e, bool refused);
bool outbox_clean_due(const struct outbox *o);
/* Nothing of what it asked for is done, so that its request need not be remembered. */
bool outbox_is_void(const struct sending *s);
/* Deletes what outbox_clean named, and requests that are void, if it is due; `done` gets token 1.
 */
void outbox_clean_write(struct outbox *o, kv_done_fn done);
/* The write is done: `finish` gets who waited for it. Where there was no room it is made again. */
void outbox_cleaned(struct outbox *o, enum err e,
                    void (*finish)(struct outbox *o, struct sending *s));
/* Transactions of an earlier run that are not in the chain, to `waiting`; their ids are claimed. */
void outbox_load_open(struct outbox *o);
void outbox_orphan_done(struct outbox *o, const hash32 *id);
void outbox_count_requests(struct outbox *o); /* before anything is written */
/* Deletes requests that are older than OUTBOX_KEEP_MS, once in a while. */
void outbox_forget_old(struct outbox *o);

#endif
