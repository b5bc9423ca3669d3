/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: bytes that are not on the parent are counted by lane and in sum, and leave exactly when
 * their blocks are posted or undone; shares are equal among lanes that flood and leave room for one
 * that does not; what is counted block by block is what a start counts from the log. */
#include "node/unposted.h"

#include "tests/lib/chain/tx_list.h"
#include "tests/lib/node/chain.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { MAX = 1000000, STEPS = 20000, LANES = 5, BLOCKS = 64 };

static struct unposted u;

static void setup(void) {
    unposted_init(&u, (struct map_seed){1, 2});
}

static void teardown(void) {
    unposted_clear(&u);
}

TestSuite(unposted, .init = setup, .fini = teardown);

static void add(uint64_t block, uint64_t universe, size_t size) {
    cr_assert_eq(unposted_add(&u, block, universe, size), ERR_OK);
}

Test(unposted, leaves_with_its_blocks) {
    add(1, 7, 100);
    add(1, 0, 30);
    add(1, 7, 50);
    add(2, 7, 200);
    add(4, 9, 1);
    cr_expect_eq(u.bytes, 381);
    cr_expect_eq(u.end - u.first, 4, "one part per block and lane");
    cr_expect_eq(unposted_of(&u, 7), 350);
    unposted_posted(&u, 0);
    cr_expect_eq(u.bytes, 381);
    unposted_posted(&u, 1);
    cr_expect_eq(u.bytes, 201);
    cr_expect_eq(unposted_of(&u, 7), 200);
    cr_expect_eq(unposted_of(&u, 0), 0);
    unposted_undo(&u, 3);
    cr_expect_eq(u.bytes, 200);
    cr_expect_eq(unposted_of(&u, 9), 0);
    add(3, 9, 5); /* another block of its number */
    add(3, 9, 6);
    cr_expect_eq(unposted_of(&u, 9), 11);
    cr_expect_eq(u.end - u.first, 2);
    unposted_posted(&u, 100);
    cr_expect_eq(u.bytes, 0);
    cr_expect_eq(u.lanes.count, 0, "nothing is left behind");
}

Test(unposted, a_universe_past_32_bits_is_counted_with_the_rest) {
    add(1, UINT64_C(1) << 32, 10);
    add(1, UINT32_MAX, 3);
    cr_expect_eq(unposted_of(&u, 0), 10);
    cr_expect_eq(unposted_of(&u, UINT32_MAX), 3);
}

/* Against one number per block and lane; `posted` and `head` are where the parent and the chain
 * are.
 */
struct plain {
    uint64_t bytes[BLOCKS][LANES];
    uint64_t posted, head;
};

static void next_block(struct plain *p) {
    if (p->head - p->posted >= BLOCKS - 1) {
        p->posted = p->head;
        unposted_posted(&u, p->posted);
    }
    p->head++;
    memset(p->bytes[p->head % BLOCKS], 0, sizeof(p->bytes[0]));
}

static void random_step(struct plain *p, struct rng *r) {
    uint64_t what = rng_below(r, 16), some = rng_below(r, p->head - p->posted + 1);
    if (what == 0) {
        p->posted += some;
        unposted_posted(&u, p->posted);
    } else if (what == 1) {
        p->head -= some;
        unposted_undo(&u, p->head);
    }
    if (what < 4 || p->head == p->posted)
        next_block(p);
    uint64_t lane = rng_below(r, LANES), size = 1 + rng_below(r, 500);
    add(p->head, lane, size);
    p->bytes[p->head % BLOCKS][lane] += size;
}

static void expect_same(const struct plain *p) {
    uint64_t all = 0;
    for (uint64_t lane = 0; lane < LANES; lane++) {
        uint64_t want = 0;
        for (uint64_t b = p->posted + 1; b <= p->head; b++)
            want += p->bytes[b % BLOCKS][lane];
        cr_assert_eq(unposted_of(&u, lane), want);
        all += want;
    }
    cr_assert_eq(u.bytes, all);
    cr_assert_leq(u.end - u.first, (p->head - p->posted) * LANES);
}

Test(unposted, random_histories) {
    static struct plain p;
    struct rng r = {rng_seed(1)};
    for (size_t step = 0; step < STEPS; step++) {
        random_step(&p, &r);
        expect_same(&p);
    }
    cr_expect_gt(p.head, BLOCKS);
    unposted_posted(&u, p.head);
    cr_expect_eq(u.lanes.count, 0);
}

static bool fits(uint64_t universe, uint64_t more) {
    return unposted_fits(&u, universe, more, more, MAX);
}

/* Lane `universe` takes `step` at a time for as long as it may; what it then has. */
static uint64_t flood(uint64_t universe, size_t step) {
    while (fits(universe, step))
        add(1, universe, step);
    return unposted_of(&u, universe);
}

static void expect_about(uint64_t have, uint64_t want) {
    cr_expect(have + MAX / 100 >= want && have <= want, "%llu, not %llu", (unsigned long long)have,
              (unsigned long long)want);
}

Test(unposted, one_alone_has_the_bound) {
    expect_about(flood(1, 1000), MAX);
    cr_expect_not(fits(1, 1000));
    cr_expect(unposted_fits(&u, 1, 1000, 1000, 2 * MAX), "the bound may move");
    cr_expect(fits(2, 1000), "who has little is served");
    expect_about(flood(2, 1000), MAX / 2);
    cr_expect(fits(3, 1000));
    cr_expect_not(fits(1, 1));
}

Test(unposted, those_that_flood_have_equal_parts) {
    for (bool any = true; any;) {
        any = false;
        for (uint64_t lane = 1; lane <= 3; lane++)
            if (fits(lane, 1000)) {
                add(1, lane, 1000);
                any = true;
            }
    }
    for (uint64_t lane = 1; lane <= 3; lane++)
        expect_about(unposted_of(&u, lane), 2 * MAX / 4);
    cr_expect(fits(4, 1000));
}

/* Up to the bound nobody is refused, at twice the bound everybody is. */
Test(unposted, the_bound_and_twice_it) {
    cr_expect(fits(1, MAX));
    cr_expect_not(fits(1, MAX + 1));
    add(1, 1, MAX);
    cr_expect_not(fits(1, 1));
    cr_expect(fits(2, MAX / 2));
    cr_expect_not(fits(2, MAX / 2 + 1));
    add(1, 1, MAX - 2);
    cr_expect(fits(2, 1));
    cr_expect_not(fits(2, 2));
    add(1, 1, MAX); /* what waited for a nonce came on top */
    cr_expect_not(fits(2, 1));
}

/* It stands for what is about to be made. */
Test(unposted, what_waits_counts_for_its_lane) {
    add(1, 1, MAX / 2);
    cr_expect(unposted_fits(&u, 1, MAX / 2, MAX / 2, MAX));
    cr_expect_not(unposted_fits(&u, 1, MAX / 2, MAX / 2 + 1, MAX));
    cr_expect(unposted_fits(&u, 2, 1, MAX, MAX));
    cr_expect_not(unposted_fits(&u, 2, MAX / 2, MAX + MAX / 2, MAX));
}

/* As the sequencer makes it; the bytes of its envelopes, framed. */
static size_t block(struct node_chain *c, struct lane_map *universes, uint64_t nonce,
                    size_t count) {
    struct ledger *l = &c->ledger;
    struct err_ctx ec = {.text = ""};
    struct tx *txs[8];
    struct derived_block b;
    struct log_record rec;
    size_t sum = 0;
    cr_assert_leq(count, ARRAY_LEN(txs));
    for (size_t i = 0; i < count; i++) {
        txs[i] = node_chain_transfer(c, 0, 1, nonce + i, 10);
        sum += txs[i]->raw.len + UNPOSTED_FRAME_BYTES;
    }
    struct tx_list list = {.txs = txs, .count = count};
    struct tx_feed feed = tx_list_feed(&list);
    cr_assert_eq(chain_sequence_block(&b, l->chain, &l->arena, &l->head, 1700000000, 1, &feed, &ec),
                 ERR_OK);
    cr_assert_eq(ledger_append(l, &b, &rec, &ec), ERR_OK);
    cr_assert_eq(ledger_apply(l, &b, &rec, &ec), ERR_OK);
    cr_assert_eq(unposted_add_block(&u, l, universes, &b), ERR_OK);
    b.message.has_request_id = true; /* had it come from the parent */
    cr_assert_eq(unposted_add_block(&u, l, universes, &b), ERR_OK);
    arena_reset(&l->arena);
    return sum;
}

Test(unposted, a_start_counts_from_the_log) {
    static struct node_chain c;
    static struct lane_map universes;
    atomic_bool stop = false;
    struct err_ctx ec = {.text = ""};
    node_chain_init(&c);
    lane_map_init(&universes);
    size_t first = block(&c, &universes, 0, 1), rest = block(&c, &universes, 1, 8),
           last = block(&c, &universes, 9, 2);
    cr_expect_eq(unposted_of(&u, 0), first + rest + last);
    add(4, 3, 12345);
    cr_assert_eq(unposted_recount(&u, &c.ledger, 1, &stop, &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(u.bytes, rest + last, "what was counted before is forgotten");
    unposted_posted(&u, 2);
    cr_expect_eq(unposted_of(&u, 0), last);
    cr_assert_eq(unposted_recount(&u, &c.ledger, 3, &stop, &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(u.bytes, 0);
    cr_assert_eq(wal_sync(c.ledger.log, NULL, &ec), ERR_OK);
    cr_assert_eq(node_chain_reopen(&c, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(node_chain_recover(&c, NULL, NULL, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(unposted_recount(&u, &c.ledger, 0, &stop, &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(unposted_of(&u, 0), first + rest + last);
    c.ledger.head.number++; /* a block that is not there */
    cr_expect_eq(unposted_recount(&u, &c.ledger, 0, &stop, &ec), ERR_CORRUPT);
    c.ledger.head.number--;
    stop = true;
    cr_expect_eq(unposted_recount(&u, &c.ledger, 0, &stop, &ec), ERR_CLOSED);
    node_chain_clear(&c);
}

/* A batch of the parent may hold a message that only others would make. */
static void derive(struct node_chain *c, size_t data_len) {
    struct ledger *l = &c->ledger;
    struct err_ctx ec = {.text = ""};
    struct derived_block b;
    struct log_record rec;
    struct tx tx = *node_chain_transfer(c, 0, 1, 0, 10);
    uint8_t *data = calloc(1, data_len), *m = malloc(data_len + 1024);
    cr_assert(data != NULL && m != NULL);
    struct arena a;
    arena_init(&a, 1 << 20, 64 << 20);
    tx.data = bytes_of(data, data_len);
    cr_assert_eq(tx_sign(&tx, &a, c->keys[0]), ERR_OK);
    m[0] = L2_SIGNED_TX;
    memcpy(m + 1, tx.raw.ptr, tx.raw.len);
    struct message message = {.kind = MESSAGE_L2,
                              .timestamp = 1700000000,
                              .l1_block = 1,
                              .delayed_read = 1,
                              .data = bytes_of(m, 1 + tx.raw.len)};
    cr_assert_eq(chain_derive_block(&b, l->chain, &l->arena, &l->head, &message, &ec), ERR_OK);
    cr_assert_eq(ledger_append(l, &b, &rec, &ec), ERR_OK);
    cr_assert_eq(ledger_apply(l, &b, &rec, &ec), ERR_OK);
    cr_assert_eq(b.tx_count, 0);
    arena_reset(&l->arena);
    arena_clear(&a);
    free(data);
    free(m);
}

Test(unposted, a_message_over_the_size_counts_nothing) {
    static struct node_chain c;
    struct err_ctx ec = {.text = ""};
    atomic_bool stop = false;
    node_chain_init(&c);
    derive(&c, MESSAGE_DATA_MAX_BYTES);
    derive(&c, MESSAGE_STORED_DATA_MAX_BYTES - 200);
    cr_assert_eq(unposted_recount(&u, &c.ledger, 0, &stop, &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(u.bytes, 0);
    add(3, 0, MESSAGE_STORED_DATA_MAX_BYTES + UNPOSTED_FRAME_BYTES);
    node_chain_clear(&c);
}
