/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the world: cache entries, journal, and what its three files share.
 *
 *   world.c        reads, changes, journal, logs
 *   world_cache.c  look-up tables, loading from the reader, trimming
 *   world_block.c  end of transactions and blocks: clearing, the sorted diff, abandoning
 *
 * Entries live in slabs and never move, so the journal points at them. What holds for one
 * transaction or block is stamped with that transaction's or block's serial number instead of being
 * cleared at its end: a transaction costs what it touched, not what is cached. */
#ifndef STATE_WORLD_INTERNAL_H
#define STATE_WORLD_INTERNAL_H

#include "base/array.h"
#include "base/check.h"
#include "base/keccak.h"
#include "state/world.h"

struct wcode {
    hash32 hash;
    uint8_t *ptr; /* owned */
    size_t len;
    uint32_t refs;    /* cached accounts that point here; entries go in world_trim only */
    uint64_t slot[2]; /* the caller's 16 bytes */
};

/* State of an account when the block began, kept from its first change on. */
struct wbefore {
    struct account acc;
    bool existed;
    uint32_t slot_count; /* scratch of world_block_end */
    struct world_account_change *change;
};

struct wslot;

struct wacct {
    addr20 addr;
    uint32_t idx; /* in the pool */
    bool live;    /* entry in use */
    bool used;    /* looked up since the clock hand passed */
    bool exists;
    bool hashed; /* `hash` is valid */
    bool fresh;  /* wiped in this block: slots that are not cached are zero */
    struct account cur;
    struct wcode *code; /* NULL: not loaded, or none */
    struct wslot *slots;
    struct wbefore *before; /* valid if dirty_block is the running block */
    uint64_t disk_store_id; /* id under which the reader knows the storage; 0 = reader has none */
    uint64_t dirty_block;
    uint64_t warm_tx, touched_tx, created_tx, destroyed_tx;
    hash32 hash; /* keccak(addr) */
};

struct wslot {
    u256 key, cur;
    struct wacct *acct;
    uint64_t warm_tx;
    uint64_t orig_tx;     /* `orig` is valid in this transaction; else the original is `cur` */
    uint64_t dirty_block; /* `block_old` is valid in this block */
    uint32_t idx;
    bool used, hashed;
    bool loaded_fresh; /* loaded while the account was fresh: block_old is what the reader has */
    u256 orig, block_old;
    hash32 hash;               /* keccak(key) */
    struct wslot *next, *prev; /* of the account */
};

struct wtransient {
    u256 key, value;
    struct wacct *acct;
    uint32_t pos; /* index in the table */
};

/* Fixed-size objects in slabs; an index names one for good. */
enum { WPOOL_SLAB_OBJECTS = 256 };
struct wpool {
    uint8_t **slabs;
    uint32_t slab_count, slab_cap;
    uint32_t used; /* indices below were handed out at least once */
    uint32_t free_count, free_cap;
    uint32_t *free_list;
    size_t obj_bytes;
};

/* Open addressing, linear probing; tag is the upper half of the hash, idx_plus_1 is 0 in a free
 * cell. */
struct wtable {
    struct wcell {
        uint32_t tag, idx_plus_1;
    } * cells;
    uint32_t mask, count;
};

enum wjournal_kind {
    WJ_WARM_ACCOUNT, /* aux: stamp before */
    WJ_WARM_SLOT,    /* aux: stamp before */
    WJ_TOUCH,
    WJ_EXISTS,
    WJ_BALANCE,
    WJ_NONCE, /* aux: nonce before */
    WJ_CODE,  /* old: hash before; aux: code entry before */
    WJ_STORAGE,
    WJ_TRANSIENT,
    WJ_CREATE,  /* aux: struct wsaved */
    WJ_DESTROY, /* aux: stamp before */
    WJ_LOG,
};

struct wjournal_entry {
    void *obj;
    uint64_t aux;
    u256 old;
    enum wjournal_kind kind;
};

/* What a creation replaces. */
struct wsaved {
    struct account acc;
    struct wcode *code;
    uint64_t created_tx;
    bool exists, fresh;
};

struct wptrs {
    void **at;
    size_t count, cap;
};

struct world {
    struct state_reader reader;
    uint64_t tx_serial, block_serial, block_num;
    struct wacct *last; /* the account looked up last */

    struct wpool accounts, slots;
    struct wtable account_table, slot_table, transient_table;
    uint64_t seed[4];
    uint32_t account_hand, slot_hand;

    struct wcode **codes; /* open addressing by hash */
    size_t code_mask, code_count, code_bytes;
    size_t code_orphan_bytes; /* of evicted accounts, not yet swept */
    size_t code_swept_bytes;  /* code_bytes after the last sweep */

    struct wtransient *transients;
    uint32_t transient_count, transient_cap;

    struct wjournal_entry *journal;
    size_t journal_len, journal_cap;
    struct wptrs touched, destroyed;          /* of the transaction */
    struct wptrs dirty_accounts, dirty_slots; /* of the block */

    struct world_log *logs;
    struct arena_mark *log_marks;
    size_t log_count, log_cap;
    struct arena tx_arena;    /* log data and saved accounts, in journal order */
    struct arena block_arena; /* struct wbefore */
};

static inline void wptrs_push(struct wptrs *v, void *p) {
    if (v->count == v->cap)
        v->at = array_grow(v->at, &v->cap, sizeof *v->at, v->count + 1);
    v->at[v->count++] = p;
}

static inline void *wpool_at(const struct wpool *p, uint32_t idx) {
    return p->slabs[idx / WPOOL_SLAB_OBJECTS] + (size_t)(idx % WPOOL_SLAB_OBJECTS) * p->obj_bytes;
}

void wcache_init(struct world *w);
void wcache_clear(struct world *w);
/* Drops every entry; keeps some memory. */
void wcache_reset(struct world *w);

/* The cached entry, loaded if need be. */
struct wacct *wacct_find_slow(struct world *w, const addr20 *a);
static inline struct wacct *wacct_find(struct world *w, const addr20 *a) {
    if (w->last != NULL && addr20_eq(&w->last->addr, a))
        return w->last;
    return wacct_find_slow(w, a);
}
struct wslot *wslot_find(struct world *w, struct wacct *acct, const u256 *key);
/* NULL when absent and `add` is false. */
struct wtransient *wtransient_find(struct world *w, struct wacct *acct, const u256 *key, bool add);
void wtransient_reset(struct world *w);

/* The code entry of a hash, from cache or reader; CHECKs that it exists. */
struct wcode *wcode_load(struct world *w, const hash32 *hash);
struct wcode *wcode_add(struct world *w, const hash32 *hash, bytes code);
static inline void wacct_set_code_ref(struct wacct *acct, struct wcode *code) {
    if (code != NULL)
        code->refs++;
    if (acct->code != NULL)
        acct->code->refs--;
    acct->code = code;
}

/* Saves the state at the block's begin before the first change. */
void wacct_mark_dirty_slow(struct world *w, struct wacct *acct);
static inline void wacct_mark_dirty(struct world *w, struct wacct *acct) {
    if (acct->dirty_block != w->block_serial)
        wacct_mark_dirty_slow(w, acct);
}
static inline void wslot_mark_dirty(struct world *w, struct wslot *s) {
    if (s->dirty_block != w->block_serial) {
        s->dirty_block = w->block_serial;
        s->block_old = s->cur;
        wptrs_push(&w->dirty_slots, s);
        wacct_mark_dirty(w, s->acct);
    }
}
/* Storage, nonce, balance and code go, outside the journal. */
void wacct_delete(struct world *w, struct wacct *acct);

static inline void account_set_absent(struct account *a) {
    *a = (struct account){.code_hash = KECCAK_EMPTY, .storage_root = KECCAK_EMPTY_TRIE};
}
static inline bool wacct_is_empty(const struct wacct *a) {
    return a->cur.nonce == 0 && u256_is_zero(&a->cur.balance) &&
           hash32_eq(&a->cur.code_hash, &KECCAK_EMPTY);
}
/* Forgets journal, warm marks and lists of the transaction. */
void wtx_forget(struct world *w);

#endif
