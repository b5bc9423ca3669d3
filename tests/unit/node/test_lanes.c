/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: lanes share gas evenly, whatever the sizes; each is a FIFO; none is left without a
 * transaction; one alone is a plain queue. */
#include "node/lanes.h"

#include "base/check.h"
#include "node/pool.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct lanes lanes;

static struct pool_tx *push(uint64_t universe, uint64_t gas_limit) {
    struct pool_tx *t = calloc(1, sizeof(*t));
    CHECK(t != NULL);
    t->universe = universe;
    t->tx.gas_limit = gas_limit;
    t->tx.raw.len = 100;
    t->counted = 1000;
    t->state = POOL_READY;
    lanes_push(&lanes, t, NULL);
    return t;
}

static void leave(struct pool_tx *t, uint64_t gas) {
    lanes_leave(&lanes, t, gas);
    free(t);
}

/* Executes and answers the next one; its universe. */
static uint64_t step(uint64_t gas_used) {
    struct pool_tx *t = lanes_first(&lanes);
    CHECK(t != NULL && t == lanes_first(&lanes));
    uint64_t universe = t->universe;
    lanes_executed(&lanes, t, gas_used);
    t->state = POOL_EXECUTED;
    leave(t, 0);
    return universe;
}

static void init(void) {
    lanes_init(&lanes, (struct map_seed){1, 2});
}

static void fini(void) {
    cr_expect_null(lanes.turn);
    cr_expect_eq(lanes.count + lanes.bytes + lanes.in_use, 0);
    cr_expect_eq(lanes.by_universe.count, 0, "lanes are left");
    cr_expect_eq(lanes.rest.held + lanes.rest.memory, 0);
    lanes_clear(&lanes);
}

TestSuite(lanes, .init = init, .fini = fini);

Test(lanes, one_alone_is_a_queue) {
    struct pool_tx *t[200];
    for (size_t i = 0; i < 200; i++)
        t[i] = push(5, i % 3 == 0 ? 1 << 24 : 21000);
    for (size_t i = 0; i < 200; i++) {
        cr_assert_eq(lanes_first(&lanes), t[i]);
        step(i % 2 == 0 ? t[i]->tx.gas_limit : 21000);
    }
    cr_expect_null(lanes_first(&lanes));
}

/* A newcomer waits for a turn of each of the others, not for what waits there. */
Test(lanes, a_newcomer_waits_a_turn) {
    for (size_t i = 0; i < 5000; i++)
        push(0, 21000);
    for (size_t i = 0; i < 100; i++)
        cr_assert_eq(step(21000), 0);
    push(7, 100000);
    size_t before = 0;
    while (step(21000) != 7)
        before++;
    cr_expect_leq(before, LANES_QUANTUM_GAS / 21000 + 1);
    cr_expect_eq(lanes_longest(&lanes), lanes.count);
    cr_expect_eq(lanes.in_use, 1);
    while (lanes.count > 0)
        step(21000);
}

/* By gas used: many small ones, few that use all of a large limit, and some that ask for far more
 * than they use. */
Test(lanes, equal_shares_of_gas) {
    uint64_t used[3] = {0};
    for (size_t i = 0; i < 20000; i++)
        push(0, 21000);
    for (size_t i = 0; i < 100; i++)
        push(1, 10000000);
    for (size_t i = 0; i < 20000; i++)
        push(2, 5000000);
    while (used[0] + used[1] + used[2] < 300000000) {
        uint64_t u = lanes_first(&lanes)->universe, gas = u == 1   ? 10000000
                                                          : u == 0 ? 21000
                                                                   : 50000;
        cr_assert_eq(step(gas), u);
        used[u] += gas;
    }
    for (size_t u = 0; u < 3; u++)
        cr_expect(used[u] > 85000000 && used[u] < 115000000, "%zu: %llu", u,
                  (unsigned long long)used[u]);
    while (lanes.count > 0)
        step(21000);
}

/* What is saved by asking for much and using little cannot be spent at once. */
Test(lanes, savings_end) {
    push(1, 1 << 24);
    for (size_t i = 0; i < 1000; i++)
        push(1, 21000);
    for (size_t i = 0; i < 10000; i++)
        push(2, 21000);
    while (step(21000) != 1)
        ;
    size_t in_a_row = 0;
    while (step(21000) == 1)
        in_a_row++;
    cr_expect_leq(in_a_row, 2 * LANES_QUANTUM_GAS / 21000);
    while (lanes.count > 0)
        step(21000);
}

/* One that is refused at its turn has cost something; another's order stands. */
Test(lanes, refused_ones_cost) {
    for (size_t i = 0; i < 1000; i++)
        push(1, 1000000);
    for (size_t i = 0; i < 1000; i++)
        push(2, 21000);
    size_t refused = 0, executed = 0;
    while (lanes.count > 0 && executed < 500) {
        struct pool_tx *t = lanes_first(&lanes);
        if (t->universe == 1) {
            leave(t, LANES_REFUSED_GAS);
            refused++;
        } else {
            step(21000);
            executed++;
        }
    }
    cr_expect(refused > 400 && refused < 600, "%zu", refused);
    while (lanes.count > 0)
        step(21000);
}

Test(lanes, replaced_in_its_place) {
    struct pool_tx *t[3], *other = push(9, 21000);
    for (size_t i = 0; i < 3; i++)
        t[i] = push(4, 21000);
    for (size_t i = 0; i < 3; i++) {
        struct pool_tx *n = calloc(1, sizeof(*n));
        CHECK(n != NULL);
        *n = (struct pool_tx){.universe = 6, .counted = 500, .state = POOL_READY};
        n->tx.gas_limit = 30000 + i;
        n->tx.raw.len = 50;
        lanes_replace(&lanes, n, t[i]);
        free(t[i]);
        t[i] = n;
    }
    cr_expect_eq(lanes_find(&lanes, 4)->memory, 1500);
    cr_expect_eq(lanes_find(&lanes, 4)->bytes, 150);
    cr_expect_null(lanes_find(&lanes, 6));
    cr_expect_eq(lanes_first(&lanes), other);
    step(21000);
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(lanes_first(&lanes), t[i]);
        step(30000);
    }
}

/* The only one of its lane is replaced at its lane's turn. */
Test(lanes, replaced_alone) {
    struct pool_tx *old = push(4, 21000), *n = calloc(1, sizeof(*n));
    push(5, 21000);
    CHECK(n != NULL);
    *n = (struct pool_tx){.universe = 4, .counted = 500, .state = POOL_READY};
    n->tx.gas_limit = 21000;
    lanes_replace(&lanes, n, old);
    free(old);
    cr_expect_eq(step(21000), 4);
    cr_expect_eq(step(21000), 5);
}

Test(lanes, out_of_the_middle) {
    struct pool_tx *t[4];
    for (size_t i = 0; i < 4; i++)
        t[i] = push(i % 2, 21000);
    leave(t[0], 0); /* of the lane whose turn it is */
    leave(t[3], 0);
    cr_expect_eq(step(21000), 0);
    cr_expect_eq(step(21000), 1);
}

/* Executed ones keep their lane's memory counted, and the lane. */
Test(lanes, executed_ones_hold_the_lane) {
    struct pool_tx *t = push(3, 21000);
    lanes_executed(&lanes, t, 21000);
    t->state = POOL_EXECUTED;
    cr_expect_eq(lanes.in_use, 0);
    cr_assert_not_null(lanes_find(&lanes, 3));
    cr_expect_eq(lanes_find(&lanes, 3)->memory, 1000);
    leave(t, 0);
    cr_expect_null(lanes_find(&lanes, 3));
}

Test(lanes, many_lanes) {
    enum { LANES = 5000 };
    for (uint64_t round = 0; round < 2; round++)
        for (uint64_t u = 0; u < LANES; u++)
            push(u, 1 << 24);
    cr_expect_eq(lanes.in_use, LANES);
    for (size_t round = 0; round < 2; round++)
        for (uint64_t u = 0; u < LANES; u++)
            step(1 << 24);
}

Test(lanes, shares) {
    size_t own = 0;
    while (lanes_share_fits(own, own, 1, 1000))
        own++;
    cr_expect_eq(own, 800); /* alone */
    size_t second = 0;
    while (lanes_share_fits(second, own + second, 1, 1000))
        second++;
    cr_expect_eq(second, 160); /* of what was left */
    cr_expect(lanes_share_fits(0, own + second, 1, 1000));
    cr_expect(lanes_share_fits(0, 0, 1, 1));
    cr_expect_not(lanes_share_fits(1, 1, 1, 1));
    cr_expect_not(lanes_share_fits(0, 990, 11, 1000));
}
