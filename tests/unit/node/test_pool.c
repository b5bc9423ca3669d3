/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: order within a sender and of arrival, gaps, replacement, limits. */
#include "base/check.h"
#include "node/pool.h"
#include "tests/lib/node/chain.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct arena arena;

/* A transaction of sender `who` as the pool holds it; the key's number is in the first byte. */
static struct pool_tx *make_with(uint8_t who, uint64_t nonce, uint64_t max_fee, bytes data) {
    struct tx tx = {.type = TX_DYNAMIC_FEE,
                    .has_chain_id = true,
                    .chain_id = 1,
                    .nonce = nonce,
                    .gas_limit = 21000,
                    .max_fee = u256_from_u64(max_fee),
                    .data = data};
    uint8_t key[32] = {[0] = who, [31] = 1};
    struct pool_tx *t = NULL;
    if (arena.chunk_bytes == 0)
        arena_init(&arena, 65536, 1 << 28);
    CHECK(tx_sign(&tx, &arena, key) == ERR_OK);
    CHECK(pool_tx_new(&t, tx.raw, NULL) == ERR_OK);
    CHECK(tx_recover_sender(&t->tx) == ERR_OK);
    return t;
}

static struct pool_tx *make(uint8_t who, uint64_t nonce, uint64_t max_fee) {
    return make_with(who, nonce, max_fee, bytes_of(NULL, 0));
}

static struct pool_tx *make_in(uint8_t who, uint64_t nonce, uint64_t max_fee, uint64_t universe) {
    struct pool_tx *t = make(who, nonce, max_fee);
    t->universe = universe;
    return t;
}

static struct pool_tx *replaced;
static uint64_t expected;

static enum pool_verdict add(struct pool *p, struct pool_tx *t, uint64_t state_nonce) {
    return pool_add(p, t, state_nonce, &expected, &replaced);
}

static void init(struct pool *p) {
    pool_init(p, (struct pool_limits){.gapped_max = 10, .gapped_per_sender = 4});
}

/* Takes the queue's first and checks which it is. */
static void expect_first(struct pool *p, const struct pool_tx *t) {
    struct pool_tx *first = pool_first_ready(p);
    cr_assert_eq(first, t);
    pool_executed(p, first, 21000);
}

Test(pool, arrival_and_nonce_order) {
    struct pool p;
    init(&p);
    struct pool_tx *a0 = make(1, 5, 10), *b0 = make(2, 0, 10), *a1 = make(1, 6, 10),
                   *a3 = make(1, 8, 10), *a2 = make(1, 7, 10);
    cr_expect_eq(add(&p, a0, 5), POOL_ADDED_READY);
    cr_expect_eq(add(&p, b0, 0), POOL_ADDED_READY);
    cr_expect_eq(add(&p, a1, 5), POOL_ADDED_READY);
    cr_expect_eq(add(&p, a3, 5), POOL_ADDED_GAPPED);
    cr_expect_eq(expected, 7);
    cr_expect_eq(pool_pending_nonce(&p, &a0->tx.sender), 7);
    cr_expect_eq(add(&p, a2, 5), POOL_ADDED_READY); /* and a3 after it */
    cr_expect_eq(pool_pending_nonce(&p, &a0->tx.sender), 9);
    expect_first(&p, a0);
    expect_first(&p, b0);
    expect_first(&p, a1);
    expect_first(&p, a2);
    expect_first(&p, a3);
    cr_expect_null(pool_first_ready(&p));
    cr_expect_eq(pool_pending_nonce(&p, &a0->tx.sender), 9); /* executed, not durable yet */
    pool_remove(&p, a0);
    pool_tx_free(a0);
    cr_expect_eq(pool_pending_nonce(&p, &a1->tx.sender), 9);
    pool_clear(&p);
}

/* What waits is written to the log for nothing: replacing it has an end, and one that must not wait
 * does not get in by replacing. */
Test(pool, replacing_what_waits) {
    struct pool p;
    init(&p);
    uint64_t fee = 1000;
    cr_assert_eq(add(&p, make(1, 3, fee), 0), POOL_ADDED_GAPPED);
    struct pool_tx *now = make(1, 3, 2 * fee);
    now->flags = SUBMIT_NO_QUEUE;
    cr_expect_eq(add(&p, now, 0), POOL_GAP_REFUSED);
    pool_tx_free(now);
    for (int i = 0; i < POOL_REPLACEMENTS_MAX; i++) {
        cr_assert_eq(add(&p, make(1, 3, fee *= 2), 0), POOL_ADDED_GAPPED, "%d", i);
        cr_assert_not_null(replaced);
        pool_tx_free(replaced);
    }
    struct pool_tx *more = make(1, 3, 2 * fee);
    cr_expect_eq(add(&p, more, 0), POOL_GAPPED_FULL);
    pool_tx_free(more);
    cr_expect_eq(p.gapped_count, 1);
    pool_clear(&p);
}

Test(pool, refusals) {
    struct pool p;
    init(&p);
    struct pool_tx *a = make(1, 5, 10), *same = make(1, 5, 10), *low = make(1, 4, 10),
                   *gap = make(1, 7, 10);
    cr_expect_eq(add(&p, a, 5), POOL_ADDED_READY);
    cr_expect_eq(add(&p, same, 5), POOL_KNOWN);
    cr_expect_eq(add(&p, low, 5), POOL_NONCE_LOW);
    gap->flags = SUBMIT_NO_QUEUE;
    cr_expect_eq(add(&p, gap, 5), POOL_GAP_REFUSED);
    cr_expect_eq(expected, 6);
    pool_tx_free(same);
    pool_tx_free(low);
    pool_tx_free(gap);
    pool_clear(&p);
}

Test(pool, replacement) {
    struct pool p;
    init(&p);
    struct pool_tx *a = make(1, 0, 100), *b = make(2, 0, 10), *c = make(1, 1, 10),
                   *little = make(1, 0, 109), *enough = make(1, 0, 110), *g = make(1, 5, 10),
                   *g2 = make(1, 5, 11);
    cr_assert_eq(add(&p, a, 0), POOL_ADDED_READY);
    cr_assert_eq(add(&p, b, 0), POOL_ADDED_READY);
    cr_assert_eq(add(&p, c, 0), POOL_ADDED_READY);
    cr_expect_eq(add(&p, little, 0), POOL_UNDERPRICED);
    cr_expect_null(replaced);
    cr_expect_eq(add(&p, enough, 0), POOL_ADDED_READY);
    cr_expect_eq(replaced, a);
    cr_assert_eq(add(&p, g, 0), POOL_ADDED_GAPPED);
    cr_expect_eq(add(&p, g2, 0), POOL_ADDED_GAPPED);
    cr_expect_eq(replaced, g);
    cr_expect_eq(p.gapped_count, 1);
    cr_expect_eq(p.ready.count, 3);
    expect_first(&p, enough); /* at the place of the one it replaced */
    expect_first(&p, b);
    expect_first(&p, c);
    pool_tx_free(a);
    pool_tx_free(little);
    pool_tx_free(g);
    pool_clear(&p);
}

Test(pool, limits_of_gapped_ones) {
    struct pool p;
    init(&p);
    struct pool_tx *t;
    for (uint64_t i = 0; i < 4; i++)
        cr_assert_eq(add(&p, make(1, 10 + 2 * i, 10), 0), POOL_ADDED_GAPPED);
    t = make(1, 30, 10);
    cr_expect_eq(add(&p, t, 0), POOL_GAPPED_FULL); /* of one sender */
    pool_tx_free(t);
    for (uint8_t i = 0; i < 6; i++)
        cr_assert_eq(add(&p, make((uint8_t)(2 + i), 10, 10), 0), POOL_ADDED_GAPPED);
    t = make(9, 10, 10);
    cr_expect_eq(add(&p, t, 0), POOL_GAPPED_FULL); /* of all */
    pool_tx_free(t);
    cr_expect_eq(add(&p, make(9, 0, 10), 0), POOL_ADDED_READY);
    pool_clear(&p);
}

Test(pool, rebase) {
    struct pool p;
    init(&p);
    struct pool_tx *t[6], *stale, *gapped, *over;
    for (uint64_t i = 0; i < 4; i++) {
        t[i] = make(1, i, 10);
        cr_assert_eq(add(&p, t[i], 0), POOL_ADDED_READY);
    }
    t[5] = make(1, 5, 10);
    cr_assert_eq(add(&p, t[5], 0), POOL_ADDED_GAPPED);
    pool_remove(&p, t[1]); /* it was refused: what follows waits again */
    pool_tx_free(t[1]);
    expect_first(&p, t[0]);
    pool_rebase(&p, &t[0]->tx.sender, 1, &stale, &gapped, &over);
    cr_expect_null(stale);
    cr_expect_not_null(gapped);
    cr_expect_eq(p.ready.count, 0);
    cr_expect_eq(p.gapped_count, 3);
    /* The account's nonce jumps to 3: one is gone, one is next, one still waits. */
    pool_rebase(&p, &t[0]->tx.sender, 3, &stale, &gapped, &over);
    cr_expect_eq(stale, t[2]);
    cr_expect_null(stale->next_ready);
    cr_expect_null(gapped);
    pool_tx_free(t[2]);
    expect_first(&p, t[3]);
    cr_expect_eq(p.gapped_count, 1);
    pool_clear(&p);
}

/* One refusal in front of many must not fill the places of those that wait for a nonce; and what
 * was acknowledged keeps its place. */
Test(pool, rebase_keeps_the_limits) {
    struct pool p;
    init(&p);
    struct pool_tx *t[9], *stale, *gapped, *over;
    for (uint64_t i = 0; i < 9; i++) {
        t[i] = make(1, i, 10);
        cr_assert_eq(add(&p, t[i], 0), POOL_ADDED_READY);
    }
    t[8]->record_seq = 1;
    pool_remove(&p, t[0]);
    pool_tx_free(t[0]);
    pool_rebase(&p, &t[1]->tx.sender, 0, &stale, &gapped, &over);
    cr_expect_null(stale);
    cr_expect_eq(p.ready.count, 0);
    cr_expect_eq(p.gapped_count, 5); /* four a sender, and the acknowledged one */
    size_t refused = 0;
    for (struct pool_tx *next; over != NULL; over = next) {
        next = over->next_ready;
        cr_expect_neq(over, t[8]);
        pool_tx_free(over);
        refused++;
    }
    cr_expect_eq(refused, 3);
    pool_clear(&p);
}

Test(pool, expiry_lookup_floor) {
    struct pool p;
    struct buf envelope;
    addr20 sender;
    init(&p);
    buf_init(&envelope, 1000);
    struct pool_tx *old = make(1, 5, 10), *young = make(1, 6, 10), *ready = make(2, 0, 10);
    old->added_ms = 100;
    young->added_ms = 200;
    old->record_seq = 17;
    young->record_seq = 18;
    cr_assert_eq(add(&p, old, 0), POOL_ADDED_GAPPED);
    cr_assert_eq(add(&p, young, 0), POOL_ADDED_GAPPED);
    cr_assert_eq(add(&p, ready, 0), POOL_ADDED_READY);
    cr_expect_eq(pool_floor(&p), 17);
    cr_expect(pool_lookup(&p, &old->tx.hash, &envelope, &sender));
    cr_expect_eq(envelope.len, old->tx.raw.len);
    cr_expect(addr20_eq(&sender, &old->tx.sender));
    struct pool_tx *gone = pool_expire(&p, 150);
    cr_expect_eq(gone, old);
    cr_expect_null(gone->next_ready);
    cr_expect_not(pool_lookup(&p, &old->tx.hash, &envelope, &sender));
    cr_expect_eq(pool_floor(&p), 18);
    pool_tx_free(gone);
    buf_clear(&envelope);
    pool_clear(&p);
}

/* Alone in its lane a sender may have four fifths; another lane has room then. */
Test(pool, many_of_one_sender_stay_cheap, .timeout = 60) {
    enum { MOST = POOL_READY_MAX * 4 / 5 + 1 };
    struct pool p;
    init(&p);
    for (uint64_t i = 0; i < MOST; i++)
        cr_assert_eq(add(&p, make_in(1, i, 10, 3), 0), POOL_ADDED_READY);
    struct pool_tx *t = make_in(1, MOST, 10, 3), *other = make_in(2, 0, 10, 4);
    cr_expect_not(pool_has_room(&p, t));
    cr_expect_eq(add(&p, t, 0), POOL_FULL);
    cr_expect_eq(t->universe, 3);
    cr_expect(pool_has_room(&p, other));
    cr_expect_eq(add(&p, other, 0), POOL_ADDED_READY);
    pool_tx_free(t);
    t = make_in(1, MOST, 10, 4); /* elsewhere, but its sender waits in the full one */
    cr_expect(pool_has_room(&p, t));
    cr_expect_eq(add(&p, t, 0), POOL_FULL);
    cr_expect_eq(t->universe, 3);
    pool_tx_free(t);
    pool_clear(&p);
}

Test(pool, bytes_of_ready_ones) {
    struct pool p;
    size_t all = 1;
    init(&p);
    cr_expect_eq(pool_ready_bytes(&p, 3, &all), 0);
    cr_expect_eq(all, 0);
    struct pool_tx *first = make_in(1, 0, 10, 3), *other = make_in(2, 0, 10, 0);
    cr_assert_eq(add(&p, first, 0), POOL_ADDED_READY);
    cr_assert_eq(add(&p, other, 0), POOL_ADDED_READY);
    cr_assert_eq(add(&p, make_in(3, 7, 10, 3), 0), POOL_ADDED_GAPPED);
    cr_expect_eq(pool_ready_bytes(&p, 3, &all), first->tx.raw.len);
    cr_expect_eq(all, first->tx.raw.len + other->tx.raw.len);
    cr_expect_eq(pool_ready_bytes(&p, 0, &all), other->tx.raw.len);
    pool_clear(&p);
}

/* Looking for one nonce among many of a sender, some of them behind a gap, takes the same for each:
 * else a few requests would hold the lock, and the sequencer, for as long as they please. */
Test(pool, one_of_many_is_found_at_once, .timeout = 20) {
    enum { MANY = 12000, TIMES = 300000 };
    struct pool p;
    init(&p);
    for (uint64_t i = 0; i < MANY; i++)
        cr_assert_eq(add(&p, make(1, i, 100), 0), POOL_ADDED_READY);
    cr_assert_eq(add(&p, make(1, 2 * MANY, 100), 0), POOL_ADDED_GAPPED);
    struct pool_tx *middle = make(1, MANY / 2, 101), *gap = make(1, 3 * MANY, 10),
                   *first = make(1, 0, 101);
    gap->flags = SUBMIT_NO_QUEUE;
    for (int i = 0; i < TIMES; i++) {
        cr_assert_eq(add(&p, i % 2 == 0 ? middle : first, 0), POOL_UNDERPRICED);
        cr_assert_eq(add(&p, gap, 0), POOL_GAP_REFUSED);
        cr_assert_eq(expected, MANY);
        cr_assert_eq(pool_pending_nonce(&p, &first->tx.sender), MANY);
    }
    pool_tx_free(middle);
    pool_tx_free(first);
    pool_tx_free(gap);
    pool_clear(&p);
}

/* What is executed and waits for the disk counts for its lane. */
Test(pool, lanes_have_their_memory, .timeout = 60) {
    static uint8_t data[80000];
    struct pool p;
    struct pool_tx *t;
    init(&p);
    uint64_t nonce = 0;
    for (;; nonce++) {
        t = make_with(1, nonce, 10, bytes_of(data, sizeof data));
        t->universe = 3;
        if (add(&p, t, nonce) != POOL_ADDED_READY)
            break;
        expect_first(&p, t);
    }
    cr_expect_eq(p.ready.count, 0);
    cr_expect_not(pool_has_room(&p, t));
    cr_expect_gt(pool_bytes(&p), (size_t)POOL_MEMORY_MAX * 7 / 10);
    t->universe = 4;
    cr_expect_eq(add(&p, t, nonce), POOL_ADDED_READY);
    pool_clear(&p);
}

Test(pool, lanes_take_turns) {
    struct pool p;
    init(&p);
    for (uint64_t i = 0; i < 100; i++)
        cr_assert_eq(add(&p, make_in(1, i, 10, 1), 0), POOL_ADDED_READY);
    struct pool_tx *other = make_in(2, 0, 10, 2);
    cr_assert_eq(add(&p, other, 0), POOL_ADDED_READY);
    size_t before = 0;
    for (struct pool_tx *t; (t = pool_first_ready(&p)) != other; before++)
        expect_first(&p, t);
    cr_expect_leq(before, LANES_QUANTUM_GAS / 21000);
    pool_clear(&p);
}

/* A sender goes on where it waits, what fills its gap takes along what waited, and a replacement
 * changes no lane; when nothing of it is ready, it is free again. */
Test(pool, a_sender_stays_in_its_lane) {
    struct pool p;
    init(&p);
    struct pool_tx *a = make_in(1, 0, 100, 1), *b = make_in(1, 1, 10, 2), *d = make_in(1, 3, 10, 3),
                   *c = make_in(1, 2, 10, 4), *a2 = make_in(1, 0, 200, 5);
    cr_assert_eq(add(&p, a, 0), POOL_ADDED_READY);
    cr_assert_eq(add(&p, b, 0), POOL_ADDED_READY);
    cr_assert_eq(add(&p, d, 0), POOL_ADDED_GAPPED);
    cr_assert_eq(add(&p, c, 0), POOL_ADDED_READY);
    cr_assert_eq(add(&p, a2, 0), POOL_ADDED_READY);
    cr_expect_eq(replaced, a);
    cr_expect_eq(p.ready.in_use, 1);
    cr_expect_eq(a2->lane->universe, 1);
    expect_first(&p, a2);
    expect_first(&p, b);
    expect_first(&p, c);
    expect_first(&p, d);
    struct pool_tx *e = make_in(1, 4, 10, 6);
    cr_assert_eq(add(&p, e, 4), POOL_ADDED_READY);
    cr_expect_eq(e->lane->universe, 6);
    pool_tx_free(a);
    pool_clear(&p);
}

/* --- any order of everything, against what must hold ---------------------------------------- */
enum { WALK_SENDERS = 6, WALK_UNIVERSES = 4, WALK_STEPS = 60000 };

struct walk {
    struct pool pool;
    uint64_t rng, hashes;
    uint64_t nonce[WALK_SENDERS];
    struct pool_tx *executed[WALK_STEPS]; /* to be durable, in order */
    size_t first, last;
};

static uint64_t roll(struct walk *w, uint64_t below) {
    w->rng = w->rng * 6364136223846793005u + 1442695040888963407u;
    return (w->rng >> 33) % below;
}

/* As one that came through submission and recovery; nobody looks at its bytes. */
static struct pool_tx *walk_tx(struct walk *w) {
    static const uint8_t raw[3000];
    struct pool_tx *t = calloc(1, sizeof(*t));
    CHECK(t != NULL);
    arena_init(&t->arena, 64, 64);
    size_t who = roll(w, WALK_SENDERS);
    t->tx.sender.b[0] = (uint8_t)(1 + who);
    t->tx.has_sender = true;
    be64_store(t->tx.hash.b, ++w->hashes);
    t->tx.nonce = w->nonce[who] + roll(w, 6);
    t->tx.gas_limit = 21000 + roll(w, 3) * 900000;
    t->tx.max_fee = u256_from_u64(1 + roll(w, 1000));
    t->tx.raw = bytes_of(raw, 100 + roll(w, 2900));
    t->universe = roll(w, WALK_UNIVERSES);
    t->added_ms = w->hashes;
    t->record_seq = roll(w, 4) == 0 ? w->hashes : 0;
    return t;
}

static void walk_free(struct pool_tx *list) {
    for (struct pool_tx *next; list != NULL; list = next) {
        next = list->next_ready;
        pool_tx_free(list);
    }
}

static void walk_rebase(struct walk *w, const addr20 *sender) {
    struct pool_tx *stale, *gapped, *over;
    pool_rebase(&w->pool, sender, w->nonce[sender->b[0] - 1], &stale, &gapped, &over);
    walk_free(stale);
    walk_free(over);
    for (struct pool_tx *next; gapped != NULL; gapped = next) {
        next = gapped->next_ready;
        gapped->next_ready = NULL;
    }
}

static void walk_add(struct walk *w) {
    struct pool_tx *t = walk_tx(w), *gone = NULL;
    uint64_t next;
    enum pool_verdict v = pool_add(&w->pool, t, w->nonce[t->tx.sender.b[0] - 1], &next, &gone);
    pool_tx_free(gone);
    if (v != POOL_ADDED_READY && v != POOL_ADDED_GAPPED)
        pool_tx_free(t);
}

static void walk_turn(struct walk *w, bool refuse) {
    struct pool_tx *t = pool_first_ready(&w->pool);
    if (t == NULL)
        return;
    addr20 sender = t->tx.sender;
    uint64_t *nonce = &w->nonce[sender.b[0] - 1];
    cr_assert_eq(t->tx.nonce, *nonce, "out of turn");
    if (refuse) {
        pool_remove(&w->pool, t);
        pool_tx_free(t);
        walk_rebase(w, &sender);
        return;
    }
    pool_executed(&w->pool, t, 21000 + roll(w, t->tx.gas_limit - 20999));
    w->executed[w->last++] = t;
    ++*nonce;
}

/* What the pool says of itself, counted anew. */
static void walk_check(const struct walk *w) {
    const struct pool *p = &w->pool;
    const void *key;
    void *value;
    size_t ready = 0, len = 0, memory = 0, gapped = 0, held = 0, lanes_held = 0, lanes_ready = 0,
           marks = 0;
    for (size_t it = 0; map_next(&p->by_hash, &it, &key, &value);) {
        const struct pool_tx *t = *(struct pool_tx **)value, *prev = t->prev_of_sender;
        memory += t->counted;
        ready += t->state == POOL_READY;
        len += t->state == POOL_READY ? t->tx.raw.len : 0;
        gapped += t->state == POOL_GAPPED;
        held += t->state == POOL_READY || t->state == POOL_EXECUTED;
        cr_assert_eq(t->lane != NULL, t->state == POOL_READY || t->state == POOL_EXECUTED);
        if (t->state == POOL_READY && prev != NULL && prev->state == POOL_READY)
            cr_assert_eq(t->lane, prev->lane, "one sender in two lanes");
        if (prev != NULL) {
            cr_assert_gt(t->tx.nonce, prev->tx.nonce);
            cr_assert(t->state == POOL_GAPPED || prev->state != POOL_GAPPED);
        }
        if (t->tx.nonce % POOL_MARK_EVERY == 0) {
            uint8_t mark[28];
            memcpy(mark, t->tx.sender.b, 20);
            be64_store(mark + 20, t->tx.nonce);
            struct pool_tx *const *marked = map_get(&p->marks, mark);
            cr_assert(marked != NULL && *marked == t);
            marks++;
        }
    }
    cr_assert_eq(p->marks.count, marks);
    cr_assert_eq(p->memory, memory);
    cr_assert_eq(p->gapped_count, gapped);
    cr_assert_eq(p->ready.count, ready);
    cr_assert_eq(p->ready.bytes, len);
    for (uint64_t u = 0; u < WALK_UNIVERSES; u++) {
        const struct lane *lane = lanes_find(&p->ready, u);
        if (lane == NULL)
            continue;
        size_t queue = 0;
        for (const struct pool_tx *t = lane->first; t != NULL; t = t->next_ready, queue++)
            cr_assert(t->lane == lane && t->state == POOL_READY);
        cr_assert_eq(queue, lane->count);
        cr_assert_gt(lane->held, 0);
        lanes_held += lane->held;
        lanes_ready += lane->count > 0;
    }
    cr_assert_eq(lanes_held, held);
    cr_assert_eq(lanes_ready, p->ready.in_use);
}

static void walk_step(struct walk *w) {
    uint64_t dice = roll(w, 100);
    if (dice < 50) {
        walk_add(w);
    } else if (dice < 85) {
        walk_turn(w, dice < 55);
    } else if (dice < 96) {
        if (w->first < w->last) {
            pool_remove(&w->pool, w->executed[w->first]);
            pool_tx_free(w->executed[w->first++]);
        }
    } else if (dice < 99) { /* its nonce moved other than by its turn */
        addr20 sender = {{(uint8_t)(1 + roll(w, WALK_SENDERS))}};
        w->nonce[sender.b[0] - 1] += roll(w, 3);
        walk_rebase(w, &sender);
    } else {
        walk_free(pool_expire(&w->pool, w->hashes > 200 ? w->hashes - 200 : 0));
    }
}

Test(pool, any_walk, .timeout = 120) {
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct walk *w = calloc(1, sizeof(*w));
        cr_assert_not_null(w);
        w->rng = seed;
        pool_init(&w->pool,
                  (struct pool_limits){.ready_max = 40, .gapped_max = 20, .gapped_per_sender = 6});
        for (size_t i = 0; i < WALK_STEPS; i++) {
            walk_step(w);
            if (i % 16 == 0)
                walk_check(w);
        }
        cr_expect_gt(w->last, WALK_STEPS / 20, "it hardly did anything");
        pool_clear(&w->pool);
        free(w);
    }
}

Test(pool, limits_move) {
    struct pool p;
    init(&p);
    pool_set_limits(&p, (struct pool_limits){.gapped_max = 10, .gapped_per_sender = 1});
    cr_expect_eq(add(&p, make(1, 7, 10), 5), POOL_ADDED_GAPPED);
    struct pool_tx *second = make(1, 8, 10);
    cr_expect_eq(add(&p, second, 5), POOL_GAPPED_FULL);
    pool_set_limits(&p, (struct pool_limits){.gapped_max = 2, .gapped_per_sender = 2});
    cr_expect_eq(add(&p, second, 5), POOL_ADDED_GAPPED);
    /* What is in it stays under a lower limit. */
    pool_set_limits(&p, (struct pool_limits){.gapped_max = 0, .gapped_per_sender = 0});
    struct pool_tx *third = make(2, 8, 10);
    cr_expect_eq(add(&p, third, 5), POOL_GAPPED_FULL);
    cr_expect_eq(p.gapped_count, 2);
    pool_set_limits(&p, (struct pool_limits){.ready_max = 1});
    cr_expect_eq(add(&p, make(3, 0, 10), 0), POOL_ADDED_READY);
    struct pool_tx *fourth = make(3, 1, 10);
    cr_expect_eq(add(&p, fourth, 0), POOL_FULL);
    pool_tx_free(fourth);
    pool_tx_free(third);
    pool_clear(&p);
}

/* What a universe alone lets in is bounded per universe and sender, whoever the senders are. */
Test(pool, sponsored_gapped_ones) {
    struct pool p;
    pool_init(&p, (struct pool_limits){.gapped_max = 10000, .gapped_per_sender = 1000});
    struct pool_tx *first = NULL;
    for (int i = 0; i <= POOL_SPONSORED_PER_SENDER; i++) {
        struct pool_tx *t = make(1, 10 + (uint64_t)i, 0);
        t->sponsor = 7;
        bool fits = i < POOL_SPONSORED_PER_SENDER;
        cr_expect_eq(add(&p, t, 0), fits ? POOL_ADDED_GAPPED : POOL_GAPPED_FULL);
        if (!fits)
            pool_tx_free(t);
        else if (first == NULL)
            first = t;
    }
    for (int i = POOL_SPONSORED_PER_SENDER; i <= POOL_SPONSORED_PER_UNIVERSE; i++) {
        struct pool_tx *t = make((uint8_t)(2 + i % 250), 1000 + (uint64_t)i, 0);
        t->sponsor = 7;
        bool fits = i < POOL_SPONSORED_PER_UNIVERSE;
        cr_expect_eq(add(&p, t, 0), fits ? POOL_ADDED_GAPPED : POOL_GAPPED_FULL, "%d", i);
        if (!fits)
            pool_tx_free(t);
    }
    struct pool_tx *other = make(1, 900, 0), *own = make(1, 901, 10), *again = make(9, 5, 0);
    other->sponsor = 8;
    cr_expect_eq(add(&p, other, 0), POOL_GAPPED_FULL); /* the sender's own bound */
    cr_expect_eq(add(&p, own, 0), POOL_ADDED_GAPPED);  /* who pays for itself */
    pool_tx_free(other);
    again->sponsor = 7;
    cr_expect_eq(add(&p, again, 0), POOL_GAPPED_FULL);
    pool_remove(&p, first); /* one place is free again */
    pool_tx_free(first);
    cr_expect_eq(add(&p, again, 0), POOL_ADDED_GAPPED);
    pool_clear(&p);
}

/* Goal: what is executed and waits for the disk has memory too: all of it together is bounded, and
 * those that wait for a nonce leave half of that to the others. */
Test(pool, memory, .timeout = 60) {
    static uint8_t data[80000];
    struct pool p;
    pool_init(&p, (struct pool_limits){.gapped_max = 1000, .gapped_per_sender = 1000});
    enum pool_verdict v;
    struct pool_tx *first = NULL, *t;
    uint64_t nonce = 0, gapped = 0;
    for (;; nonce++) {
        t = make_with(1, nonce, 10, bytes_of(data, sizeof data));
        v = add(&p, t, nonce);
        if (v != POOL_ADDED_READY)
            break;
        first = first != NULL ? first : t;
        expect_first(&p, t);
        cr_assert(pool_bytes(&p) <= POOL_MEMORY_MAX);
        cr_assert(pool_bytes(&p) >= (nonce + 1) * sizeof data);
    }
    cr_assert_eq(v, POOL_FULL);
    cr_assert_eq(p.ready.count, 0);
    cr_assert(POOL_MEMORY_MAX - pool_bytes(&p) < POOL_MEMORY_MAX / 5 + 2 * sizeof data);
    struct pool_tx *waits = make(2, 5, 10);
    cr_expect_eq(add(&p, waits, 0), POOL_GAPPED_FULL);
    pool_tx_free(waits);
    pool_remove(&p, first);
    pool_tx_free(first);
    cr_assert_eq(add(&p, t, nonce), POOL_ADDED_READY);
    pool_clear(&p);

    pool_init(&p, (struct pool_limits){.gapped_max = 1000, .gapped_per_sender = 1000});
    for (;; gapped++) {
        t = make_with(1, 1 + gapped, 10, bytes_of(data, sizeof data));
        v = add(&p, t, 0);
        if (v != POOL_ADDED_GAPPED)
            break;
    }
    cr_assert_eq(v, POOL_GAPPED_FULL);
    cr_assert(gapped > 100 && pool_bytes(&p) <= POOL_MEMORY_MAX / 2);
    pool_tx_free(t);
    t = make_with(3, 0, 10, bytes_of(data, sizeof data));
    cr_assert_eq(add(&p, t, 0), POOL_ADDED_READY);
    pool_clear(&p);
}
