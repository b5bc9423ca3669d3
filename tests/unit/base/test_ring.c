/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: nothing is lost, doubled or reordered per producer, and no wake-up is missed.
 * Method: bounds on one thread; then producers and a consumer on their own threads, polling,
 * sleeping with every item, and with a ring so small that it is full and empty all the time. */
#include "base/ring.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>

Test(ring, bounds_and_order) {
    for (int kind = RING_SPSC; kind <= RING_MPSC; kind++) {
        struct ring r;
        cr_assert_eq(ring_init(&r, (enum ring_kind)kind, 8, 12, false), ERR_OK);
        uint32_t next_in = 0, next_out = 0;
        for (int round = 0; round < 100; round++) {
            uint32_t item[3];
            while (item[0] = next_in, item[1] = ~next_in, item[2] = 7, ring_push(&r, item))
                next_in++;
            cr_assert_eq(ring_len(&r), 8u);
            cr_assert_eq(next_in - next_out, 8u);
            uint32_t many[5][3];
            size_t n = ring_pop_many(&r, many, 5);
            cr_assert_eq(n, 5u);
            for (size_t i = 0; i < n; i++, next_out++)
                cr_assert(many[i][0] == next_out && many[i][1] == ~next_out && many[i][2] == 7);
            cr_assert_eq(ring_pop_many(&r, item, 1), 1);
            cr_assert_eq(item[0], next_out++);
            if (round % 10 == 9) {
                while (ring_pop_many(&r, item, 1) == 1)
                    next_out++;
                cr_assert_eq(ring_len(&r), 0u);
                cr_assert_eq(next_in, next_out);
            }
        }
        ring_clear(&r);
    }
    struct ring zero = {0};
    ring_clear(&zero);
}

Test(ring, arming) {
    struct ring r;
    cr_assert_eq(ring_init(&r, RING_MPSC, 4, 4, true), ERR_OK);
    struct pollfd p = {.fd = r.wake_fd, .events = POLLIN};
    uint32_t v = 1;
    cr_assert(ring_push(&r, &v)); /* nobody sleeps: no signal */
    cr_expect_eq(poll(&p, 1, 0), 0);
    cr_expect_not(ring_arm(&r));
    cr_assert_eq(ring_pop_many(&r, &v, 1), 1);
    cr_expect(ring_arm(&r));
    cr_assert(ring_push(&r, &v));
    cr_assert(ring_push(&r, &v));
    cr_expect_eq(poll(&p, 1, 0), 1);
    ring_disarm(&r);
    cr_expect_eq(poll(&p, 1, 0), 0);
    cr_assert_eq(ring_pop_many(&r, &v, 1), 1);
    cr_assert_eq(ring_pop_many(&r, &v, 1), 1);
    cr_expect_not(ring_wait(&r, 0));
    ring_kick(&r);
    cr_expect_not(ring_wait(&r, -1)); /* returns at once, though empty */
    ring_clear(&r);
}

enum { ITEMS = 60000, PRODUCERS = 3 };

struct producer {
    struct ring *ring;
    uint32_t id;
};

static void *produce(void *arg) {
    const struct producer *p = arg;
    for (uint32_t i = 0; i < ITEMS; i++) {
        uint32_t item[2] = {p->id, i};
        while (!ring_push(p->ring, item))
            sched_yield();
    }
    return NULL;
}

/* Waking up early is allowed; a wake-up that was lost would take the whole time. */
static void wait_for_item(struct ring *r) {
    uint64_t from = clock_monotonic_ns(clock_posix());
    if (!ring_wait(r, 20000))
        cr_assert_lt(clock_monotonic_ns(clock_posix()) - from, 20000000000u);
}

static void run_threads(enum ring_kind kind, size_t cap, bool sleep) {
    struct ring r;
    uint32_t producers = kind == RING_SPSC ? 1 : PRODUCERS;
    cr_assert_eq(ring_init(&r, kind, cap, 8, sleep), ERR_OK);
    pthread_t threads[PRODUCERS];
    struct producer args[PRODUCERS];
    for (uint32_t i = 0; i < producers; i++) {
        args[i] = (struct producer){&r, i};
        cr_assert_eq(pthread_create(&threads[i], NULL, produce, &args[i]), 0);
    }
    uint32_t next[PRODUCERS] = {0};
    size_t got = 0;
    while (got < (size_t)producers * ITEMS) {
        uint32_t items[16][2];
        size_t n = ring_pop_many(&r, items, got % 16 + 1);
        for (size_t i = 0; i < n; i++) {
            cr_assert(items[i][0] < producers);
            cr_assert_eq(items[i][1], next[items[i][0]]++);
        }
        got += n;
        if (n > 0)
            continue;
        if (sleep)
            wait_for_item(&r);
        else
            sched_yield();
    }
    for (uint32_t i = 0; i < producers; i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    cr_assert_eq(ring_len(&r), 0u);
    ring_clear(&r);
}

Test(ring, spsc_threads, .timeout = 60) {
    run_threads(RING_SPSC, 2, false);
    run_threads(RING_SPSC, 256, false);
    run_threads(RING_SPSC, 4, true);
    run_threads(RING_SPSC, 256, true);
}

Test(ring, mpsc_threads, .timeout = 60) {
    run_threads(RING_MPSC, 2, false);
    run_threads(RING_MPSC, 256, false);
    run_threads(RING_MPSC, 4, true);
    run_threads(RING_MPSC, 256, true);
}
