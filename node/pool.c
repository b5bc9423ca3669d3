/* SPDX-License-Identifier: Apache-2.0 */
#include "node/pool.h"

#include "base/check.h"

#include <stdlib.h>

enum { TX_ARENA_CHUNK_BYTES = 1024, POOL_ENTRIES_MAX = 1 << 24 };

/* Transactions of one sender, by nonce. */
struct sender {
    struct pool_tx *first, *last;
    size_t gapped;
};
struct mark {
    addr20 sender;
    uint8_t nonce[8];
};

enum err pool_tx_new(struct pool_tx **out, bytes envelope, struct err_ctx *ec) {
    struct pool_tx *t = calloc(1, sizeof(*t));
    if (t == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory for a transaction");
    /* Decoded lists take less than eight times their encoding: an empty access list entry is 22
     * bytes. */
    arena_init(&t->arena, TX_ARENA_CHUNK_BYTES, 65536 + 16 * envelope.len);
    bytes copy = arena_copy(&t->arena, envelope);
    enum err e = tx_decode(&t->tx, &t->arena, copy, false, ec);
    if (e != ERR_OK) {
        pool_tx_free(t);
        return e;
    }
    *out = t;
    return ERR_OK;
}

void pool_tx_free(struct pool_tx *t) {
    if (t == NULL)
        return;
    arena_clear(&t->arena);
    free(t);
}

size_t pool_tx_bytes(const struct pool_tx *t) {
    return sizeof(*t) + t->arena.total_bytes;
}

size_t pool_bytes(struct pool *p) {
    pthread_mutex_lock(&p->lock);
    size_t n = p->memory;
    pthread_mutex_unlock(&p->lock);
    return n;
}

void pool_init(struct pool *p, struct pool_limits limits) {
    *p = (struct pool){.limits = limits};
    pthread_mutex_init(&p->lock, NULL);
    struct map_seed seed = map_seed_random(); /* hashes and addresses are outsiders' choice */
    map_init(&p->by_hash, sizeof(hash32), sizeof(struct pool_tx *), POOL_ENTRIES_MAX, seed);
    map_init(&p->by_sender, sizeof(addr20), sizeof(struct sender), POOL_ENTRIES_MAX, seed);
    map_init(&p->marks, sizeof(struct mark), sizeof(struct pool_tx *), POOL_ENTRIES_MAX, seed);
    lanes_init(&p->ready, seed);
    map_init(&p->sponsored, sizeof(uint64_t), sizeof(size_t), POOL_ENTRIES_MAX, seed);
}

void pool_set_limits(struct pool *p, struct pool_limits limits) {
    pthread_mutex_lock(&p->lock);
    p->limits = limits;
    pthread_mutex_unlock(&p->lock);
}

void pool_clear(struct pool *p) {
    const void *key;
    void *value;
    for (size_t it = 0; map_next(&p->by_hash, &it, &key, &value);)
        pool_tx_free(*(struct pool_tx **)value);
    map_clear(&p->by_hash);
    map_clear(&p->by_sender);
    map_clear(&p->marks);
    map_clear(&p->sponsored);
    lanes_clear(&p->ready);
    pthread_mutex_destroy(&p->lock);
}

/* --- lists; the lock is held --------------------------------------------------------------- */
static struct sender *sender_of(const struct pool *p, const addr20 *a) {
    return map_get(&p->by_sender, a->b);
}

static struct pool_tx *first_of(const struct pool *p, const addr20 *a) {
    const struct sender *s = sender_of(p, a);
    return s != NULL ? s->first : NULL;
}

/* Into `lane`, or that of its universe (NULL). */
static void ready_push(struct pool *p, struct pool_tx *t, struct lane *lane) {
    t->state = POOL_READY;
    lanes_push(&p->ready, t, lane);
}

static size_t sponsored_of(const struct pool *p, uint64_t universe) {
    const size_t *n = map_get(&p->sponsored, &universe);
    return n != NULL ? *n : 0;
}

static void sponsored_count(struct pool *p, uint64_t universe, bool enters) {
    if (universe == 0)
        return;
    size_t n = sponsored_of(p, universe) + (enters ? 1 : (size_t)-1);
    if (n == 0)
        map_del(&p->sponsored, &universe);
    else
        CHECK(map_put(&p->sponsored, &universe, &n) == ERR_OK);
}

static void gapped_enter(struct pool *p, struct pool_tx *t) {
    t->state = POOL_GAPPED;
    sponsored_count(p, t->sponsor, true);
    sender_of(p, &t->tx.sender)->gapped++;
    p->gapped_count++;
    p->gapped_bytes += t->tx.raw.len;
    p->gapped_memory += t->counted;
}

static void gapped_leave(struct pool *p, struct pool_tx *t) {
    CHECK(t->state == POOL_GAPPED);
    sponsored_count(p, t->sponsor, false);
    sender_of(p, &t->tx.sender)->gapped--;
    p->gapped_count--;
    p->gapped_bytes -= t->tx.raw.len;
    p->gapped_memory -= t->counted;
}

/* `gas`: what it costs its lane if it was READY. */
static void leave_state(struct pool *p, struct pool_tx *t, uint64_t gas) {
    if (t->state == POOL_READY || t->state == POOL_EXECUTED)
        lanes_leave(&p->ready, t, gas);
    else if (t->state == POOL_GAPPED)
        gapped_leave(p, t);
    t->state = POOL_NEW;
}

static struct mark mark_of(const addr20 *sender, uint64_t nonce) {
    struct mark m = {.sender = *sender};
    be64_store(m.nonce, nonce);
    return m;
}

/* The last one of a sender that waits for no nonce, or NULL. Those that do come after it. */
static struct pool_tx *last_in_turn(const struct sender *s) {
    struct pool_tx *t = s->last;
    while (t != NULL && t->state == POOL_GAPPED)
        t = t->prev_of_sender;
    return t;
}

/* Into the sender's list after `prev` (NULL: first), and the index. */
static void link_tx(struct pool *p, struct pool_tx *t, struct pool_tx *prev) {
    void *value;
    CHECK(map_ensure(&p->by_sender, t->tx.sender.b, &value, NULL) == ERR_OK);
    struct sender *s = value;
    struct pool_tx *next = prev != NULL ? prev->next_of_sender : s->first;
    t->prev_of_sender = prev;
    t->next_of_sender = next;
    *(next != NULL ? &next->prev_of_sender : &s->last) = t;
    *(prev != NULL ? &prev->next_of_sender : &s->first) = t;
    CHECK(map_put(&p->by_hash, t->tx.hash.b, &t) == ERR_OK);
    struct mark m = mark_of(&t->tx.sender, t->tx.nonce);
    if (t->tx.nonce % POOL_MARK_EVERY == 0)
        CHECK(map_put(&p->marks, &m, &t) == ERR_OK);
    t->counted = pool_tx_bytes(t);
    p->memory += t->counted;
}

static void unlink_tx(struct pool *p, struct pool_tx *t) {
    leave_state(p, t, 0);
    p->memory -= t->counted;
    struct sender *s = sender_of(p, &t->tx.sender);
    struct pool_tx *prev = t->prev_of_sender, *next = t->next_of_sender;
    *(next != NULL ? &next->prev_of_sender : &s->last) = prev;
    *(prev != NULL ? &prev->next_of_sender : &s->first) = next;
    if (s->first == NULL)
        map_del(&p->by_sender, t->tx.sender.b);
    t->prev_of_sender = t->next_of_sender = NULL;
    map_del(&p->by_hash, t->tx.hash.b);
    struct mark m = mark_of(&t->tx.sender, t->tx.nonce);
    struct pool_tx **marked = t->tx.nonce % POOL_MARK_EVERY == 0 ? map_get(&p->marks, &m) : NULL;
    if (marked != NULL && *marked == t) /* not what has replaced it */
        map_del(&p->marks, &m);
}

/* --- adding -------------------------------------------------------------------------------- */
/* Where a nonce belongs in its sender's list. */
struct place {
    struct pool_tx *prev; /* last with a lower nonce */
    struct pool_tx *same; /* the one with this nonce, not executed */
    uint64_t expected;    /* next in turn */
    size_t gapped;        /* of the sender */
};

/* From where to look backwards for a nonce: those in turn follow each other, so that it is at most
 * POOL_MARK_EVERY further on, or among the last ones. */
static struct pool_tx *near_nonce(const struct pool *p, const struct sender *s,
                                  const addr20 *sender, uint64_t nonce) {
    uint64_t over = nonce % POOL_MARK_EVERY;
    if (nonce < s->last->tx.nonce && s->last->tx.nonce - nonce > POOL_MARK_EVERY) {
        struct mark m = mark_of(sender, over == 0 ? nonce : nonce - over + POOL_MARK_EVERY);
        struct pool_tx *const *marked = map_get(&p->marks, &m);
        if (marked != NULL)
            return *marked;
    }
    return s->last;
}

/* Without what is expected. */
static struct place find_nonce(const struct pool *p, const struct sender *s, const addr20 *sender,
                               uint64_t nonce) {
    struct place at = {.gapped = s->gapped};
    struct pool_tx *t = near_nonce(p, s, sender, nonce);
    for (; t != NULL && t->tx.nonce >= nonce; t = t->prev_of_sender)
        if (t->tx.nonce == nonce && t->state != POOL_EXECUTED)
            at.same = t;
    at.prev = t;
    return at;
}

static struct place find_place(const struct pool *p, const addr20 *sender, uint64_t nonce,
                               uint64_t state_nonce) {
    const struct sender *s = sender_of(p, sender);
    if (s == NULL)
        return (struct place){.expected = state_nonce};
    const struct pool_tx *turn = last_in_turn(s);
    struct place at = find_nonce(p, s, sender, nonce);
    bool follows = turn != NULL && turn->state == POOL_READY && turn->tx.nonce >= state_nonce;
    at.expected = follows ? turn->tx.nonce + 1 : state_nonce;
    return at;
}

static bool pays_more(const struct tx *t, const struct tx *than) {
    u256 percent = u256_from_u64(100 + POOL_REPLACE_PERCENT), hundred = u256_from_u64(100), scaled,
         offered;
    if (u256_cmp(&t->max_fee, &than->max_fee) <= 0)
        return false;
    if (u256_mul_overflow(&scaled, &than->max_fee, &percent))
        return false;
    return u256_mul_overflow(&offered, &t->max_fee, &hundred) || u256_cmp(&offered, &scaled) >= 0;
}

/* What is taken of POOL_MEMORY_MAX. Those that wait count half of it at the most: beyond that are
 * only those of an earlier run, which must not keep everybody out. */
static size_t memory_taken(const struct pool *p) {
    size_t most = POOL_MEMORY_MAX / 2;
    return p->memory - (p->gapped_memory > most ? p->gapped_memory - most : 0);
}

/* Whether a lane (NULL: a new one) may have one more READY one like `t`, `old` (or NULL) being
 * gone. */
static bool ready_fits(const struct pool *p, const struct lane *lane, const struct pool_tx *t,
                       const struct pool_tx *old) {
    static const struct lane none;
    const struct lane *own = lane != NULL ? lane : &none;
    const struct lanes *all = &p->ready;
    size_t max = p->limits.ready_max != 0 ? p->limits.ready_max : POOL_READY_MAX;
    size_t count = old != NULL, len = old != NULL ? old->tx.raw.len : 0,
           memory = old != NULL ? old->counted : 0;
    return lanes_share_fits(own->count - count, all->count - count, 1, max) &&
           lanes_share_fits(own->bytes - len, all->bytes - len, t->tx.raw.len,
                            POOL_READY_BYTES_MAX) &&
           lanes_share_fits(own->memory - memory, memory_taken(p) - memory, pool_tx_bytes(t),
                            POOL_MEMORY_MAX);
}

/* Whether the bytes of its state have room for `t` where `old` is. */
static bool fits_in_place(const struct pool *p, const struct pool_tx *t,
                          const struct pool_tx *old) {
    if (old->state == POOL_READY)
        return ready_fits(p, old->lane, t, old);
    return p->memory - old->counted + pool_tx_bytes(t) <= POOL_MEMORY_MAX &&
           p->gapped_bytes - old->tx.raw.len + t->tx.raw.len <= POOL_GAPPED_BYTES_MAX;
}

/* Takes the place of `old` in every list. */
static void replace(struct pool *p, struct pool_tx *t, struct pool_tx *old) {
    enum pool_state state = old->state;
    link_tx(p, t, old->prev_of_sender);
    if (state == POOL_READY) {
        /* At the old one's turn: replacing is no way to the front, nor to the back. */
        lanes_replace(&p->ready, t, old);
        t->state = POOL_READY;
        old->state = POOL_NEW;
    }
    unlink_tx(p, old);
    if (state == POOL_GAPPED)
        gapped_enter(p, t);
}

/* Those whose turn has come since the one before them is ready; they follow it in its lane. */
static void promote_after(struct pool *p, struct pool_tx *t) {
    uint64_t nonce = t->tx.nonce;
    struct lane *lane = t->lane;
    for (t = t->next_of_sender; t != NULL && t->state == POOL_GAPPED && t->tx.nonce == nonce + 1;
         t = t->next_of_sender) {
        gapped_leave(p, t);
        ready_push(p, t, lane);
        nonce++;
    }
}

/* Whether one more may wait at a universe's expense, `gapped` of its sender waiting already. */
static bool sponsored_fits(const struct pool *p, const struct pool_tx *t, size_t gapped) {
    return t->sponsor == 0 || (gapped < POOL_SPONSORED_PER_SENDER &&
                               sponsored_of(p, t->sponsor) < POOL_SPONSORED_PER_UNIVERSE);
}

/* Whether one more may wait for a nonce, `gapped` of its sender waiting already. */
static bool gapped_fits(const struct pool *p, const struct pool_tx *t, size_t gapped) {
    return gapped < p->limits.gapped_per_sender && p->gapped_count < p->limits.gapped_max &&
           p->gapped_bytes + t->tx.raw.len <= POOL_GAPPED_BYTES_MAX &&
           p->memory + pool_tx_bytes(t) <= POOL_MEMORY_MAX / 2 && sponsored_fits(p, t, gapped);
}

static enum pool_verdict add_gapped(struct pool *p, struct pool_tx *t, const struct place *at) {
    if ((t->flags & SUBMIT_NO_QUEUE) != 0)
        return POOL_GAP_REFUSED;
    if (!gapped_fits(p, t, at->gapped))
        return POOL_GAPPED_FULL;
    link_tx(p, t, at->prev);
    gapped_enter(p, t);
    return POOL_ADDED_GAPPED;
}

static enum pool_verdict add_locked(struct pool *p, struct pool_tx *t, uint64_t state_nonce,
                                    uint64_t *out_expected, struct pool_tx **out_replaced) {
    if (map_has(&p->by_hash, t->tx.hash.b))
        return POOL_KNOWN;
    if (t->tx.nonce < state_nonce)
        return POOL_NONCE_LOW;
    struct place at = find_place(p, &t->tx.sender, t->tx.nonce, state_nonce);
    *out_expected = at.expected;
    if (at.same != NULL) {
        bool waits = at.same->state == POOL_GAPPED;
        if (waits && (t->flags & SUBMIT_NO_QUEUE) != 0)
            return POOL_GAP_REFUSED;
        if (!pays_more(&t->tx, &at.same->tx))
            return POOL_UNDERPRICED;
        if (waits && at.same->replacements >= POOL_REPLACEMENTS_MAX)
            return POOL_GAPPED_FULL;
        bool more = at.same->state == POOL_GAPPED && t->sponsor != at.same->sponsor;
        if (!fits_in_place(p, t, at.same) || (more && !sponsored_fits(p, t, 0))) {
            t->universe = waits ? t->universe : at.same->lane->universe;
            return waits ? POOL_GAPPED_FULL : POOL_FULL;
        }
        t->replacements = (uint8_t)(waits ? at.same->replacements + 1 : 0);
        replace(p, t, at.same);
        *out_replaced = at.same;
        return t->state == POOL_READY ? POOL_ADDED_READY : POOL_ADDED_GAPPED;
    }
    if (t->tx.nonce != at.expected)
        return add_gapped(p, t, &at);
    /* One that is READY before it keeps the sender in that lane. */
    struct lane *lane = at.prev != NULL && at.prev->state == POOL_READY
                            ? at.prev->lane
                            : lanes_find(&p->ready, t->universe);
    if (!ready_fits(p, lane, t, NULL)) {
        t->universe = lane != NULL ? lane->universe : t->universe;
        return POOL_FULL;
    }
    link_tx(p, t, at.prev);
    ready_push(p, t, lane);
    promote_after(p, t);
    return POOL_ADDED_READY;
}

enum pool_verdict pool_add(struct pool *p, struct pool_tx *t, uint64_t state_nonce,
                           uint64_t *out_expected, struct pool_tx **out_replaced) {
    CHECK(t->tx.has_sender);
    CHECK(t->state == POOL_NEW);
    *out_replaced = NULL;
    *out_expected = state_nonce;
    pthread_mutex_lock(&p->lock);
    enum pool_verdict v = add_locked(p, t, state_nonce, out_expected, out_replaced);
    pthread_mutex_unlock(&p->lock);
    return v;
}

void pool_readmit(struct pool *p, struct pool_tx *t) {
    CHECK(t->tx.has_sender && t->record_seq != 0 && t->state == POOL_NEW);
    pthread_mutex_lock(&p->lock);
    struct pool_tx **known = map_get(&p->by_hash, t->tx.hash.b), *gone;
    if (known != NULL) {
        gone = t;
        if ((*known)->record_seq < t->record_seq)
            (*known)->record_seq = t->record_seq;
    } else {
        const struct sender *s = sender_of(p, &t->tx.sender);
        struct place at = {0};
        if (s != NULL)
            at = find_nonce(p, s, &t->tx.sender, t->tx.nonce);
        gone = at.same;
        if (gone != NULL) {
            bool more = gone->replacements < POOL_REPLACEMENTS_MAX;
            t->replacements = (uint8_t)(gone->replacements + more);
            replace(p, t, gone);
        } else {
            link_tx(p, t, at.prev);
            gapped_enter(p, t);
        }
    }
    pthread_mutex_unlock(&p->lock);
    pool_tx_free(gone);
}

/* --- the sequencer's ----------------------------------------------------------------------- */
bool pool_has_room(struct pool *p, const struct pool_tx *t) {
    pthread_mutex_lock(&p->lock);
    bool fits = ready_fits(p, lanes_find(&p->ready, t->universe), t, NULL);
    pthread_mutex_unlock(&p->lock);
    return fits;
}

bool pool_has(struct pool *p, const hash32 *hash) {
    pthread_mutex_lock(&p->lock);
    bool has = map_has(&p->by_hash, hash->b);
    pthread_mutex_unlock(&p->lock);
    return has;
}

bool pool_has_gapped(struct pool *p) {
    pthread_mutex_lock(&p->lock);
    bool any = p->gapped_count > 0;
    pthread_mutex_unlock(&p->lock);
    return any;
}

size_t pool_ready_bytes(struct pool *p, uint64_t universe, size_t *out_all) {
    pthread_mutex_lock(&p->lock);
    const struct lane *lane = lanes_find(&p->ready, universe);
    size_t own = lane != NULL ? lane->bytes : 0;
    *out_all = p->ready.bytes;
    pthread_mutex_unlock(&p->lock);
    return own;
}

struct pool_tx *pool_first_ready(struct pool *p) {
    pthread_mutex_lock(&p->lock);
    struct pool_tx *t = lanes_first(&p->ready);
    pthread_mutex_unlock(&p->lock);
    return t;
}

void pool_executed(struct pool *p, struct pool_tx *t, uint64_t gas_used) {
    pthread_mutex_lock(&p->lock);
    lanes_executed(&p->ready, t, gas_used);
    t->state = POOL_EXECUTED;
    pthread_mutex_unlock(&p->lock);
}

void pool_remove(struct pool *p, struct pool_tx *t) {
    pthread_mutex_lock(&p->lock);
    leave_state(p, t, LANES_REFUSED_GAS);
    unlink_tx(p, t);
    pthread_mutex_unlock(&p->lock);
}

static void list_add(struct pool_tx **list, struct pool_tx *t) {
    t->next_ready = *list;
    *list = t;
}

void pool_rebase(struct pool *p, const addr20 *sender, uint64_t state_nonce,
                 struct pool_tx **out_stale, struct pool_tx **out_gapped,
                 struct pool_tx **out_over) {
    *out_stale = *out_gapped = *out_over = NULL;
    uint64_t expected = state_nonce;
    struct lane *lane = NULL; /* of the READY one before */
    pthread_mutex_lock(&p->lock);
    for (struct pool_tx *t = first_of(p, sender), *next; t != NULL; t = next) {
        next = t->next_of_sender;
        if (t->state == POOL_EXECUTED)
            continue;
        if (t->tx.nonce < state_nonce) {
            unlink_tx(p, t);
            list_add(out_stale, t);
        } else if (t->tx.nonce == expected) {
            expected++;
            if (t->state == POOL_GAPPED) {
                gapped_leave(p, t);
                ready_push(p, t, lane);
            }
            lane = t->lane;
        } else if (t->state == POOL_READY) {
            /* What has a record was acknowledged: no limit takes it back. */
            if (t->record_seq == 0 && !gapped_fits(p, t, sender_of(p, sender)->gapped)) {
                unlink_tx(p, t);
                list_add(out_over, t);
                continue;
            }
            lanes_leave(&p->ready, t, 0);
            gapped_enter(p, t);
            list_add(out_gapped, t);
        }
    }
    pthread_mutex_unlock(&p->lock);
}

addr20 *pool_senders(struct pool *p, size_t *out_count) {
    pthread_mutex_lock(&p->lock);
    addr20 *list = malloc((p->by_sender.count + 1) * sizeof(*list));
    size_t n = 0;
    const void *key;
    void *value;
    for (size_t it = 0; list != NULL && map_next(&p->by_sender, &it, &key, &value);)
        memcpy(list[n++].b, key, sizeof(list[0].b));
    pthread_mutex_unlock(&p->lock);
    *out_count = n;
    return list;
}

struct pool_tx *pool_expire(struct pool *p, uint64_t before_ms) {
    struct pool_tx *expired = NULL;
    const void *key;
    void *value;
    pthread_mutex_lock(&p->lock);
    for (size_t it = 0; map_next(&p->by_hash, &it, &key, &value);) {
        struct pool_tx *t = *(struct pool_tx **)value;
        if (t->state == POOL_GAPPED && t->added_ms < before_ms)
            list_add(&expired, t);
    }
    for (struct pool_tx *t = expired; t != NULL; t = t->next_ready)
        unlink_tx(p, t);
    pthread_mutex_unlock(&p->lock);
    return expired;
}

struct pool_tx *pool_oldest_record(struct pool *p) {
    struct pool_tx *oldest = NULL;
    const void *key;
    void *value;
    pthread_mutex_lock(&p->lock);
    for (size_t it = 0; map_next(&p->by_hash, &it, &key, &value);) {
        struct pool_tx *t = *(struct pool_tx **)value;
        if (t->state != POOL_EXECUTED && t->record_seq != 0 &&
            (oldest == NULL || t->record_seq < oldest->record_seq))
            oldest = t;
    }
    pthread_mutex_unlock(&p->lock);
    return oldest;
}

uint64_t pool_floor(struct pool *p) {
    const struct pool_tx *t = pool_oldest_record(p);
    return t == NULL ? 0 : t->record_seq;
}

/* --- looks --------------------------------------------------------------------------------- */
uint64_t pool_pending_nonce(struct pool *p, const addr20 *sender) {
    uint64_t nonce = 0;
    pthread_mutex_lock(&p->lock);
    const struct sender *s = sender_of(p, sender);
    const struct pool_tx *t = s != NULL ? last_in_turn(s) : NULL;
    if (t != NULL)
        nonce = t->tx.nonce + 1; /* those in turn have no gap */
    pthread_mutex_unlock(&p->lock);
    return nonce;
}

bool pool_lookup(struct pool *p, const hash32 *hash, struct buf *out_envelope, addr20 *out_sender) {
    pthread_mutex_lock(&p->lock);
    struct pool_tx **v = map_get(&p->by_hash, hash->b);
    if (v != NULL) {
        buf_append(out_envelope, (*v)->tx.raw.ptr, (*v)->tx.raw.len);
        *out_sender = (*v)->tx.sender;
    }
    pthread_mutex_unlock(&p->lock);
    return v != NULL;
}
