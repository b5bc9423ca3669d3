/* SPDX-License-Identifier: Apache-2.0 */
/* Covers: crew.c */
#include "base/crew.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { PARTS = 1000, ROUNDS = 200 };

TestSuite(crew, .timeout = 60);

struct job {
    atomic_size_t calls[PARTS];
    size_t plain[PARTS]; /* written without a lock */
    atomic_size_t order, out_of_order;
    atomic_bool elsewhere;
    pthread_t caller;
};

static void part(void *ctx, size_t i) {
    struct job *j = ctx;
    atomic_fetch_add(&j->calls[i], 1);
    j->plain[i] += i;
    if (atomic_fetch_add(&j->order, 1) != i)
        atomic_fetch_add(&j->out_of_order, 1);
    if (!pthread_equal(pthread_self(), j->caller))
        atomic_store(&j->elsewhere, true);
}

static void run(struct crew *c, size_t parts, struct job *j) {
    *j = (struct job){.caller = pthread_self()};
    crew_run(c, part, j, parts);
    for (size_t i = 0; i < PARTS; i++) {
        cr_assert_eq(atomic_load(&j->calls[i]), i < parts ? 1 : 0, "part %zu of %zu", i, parts);
        cr_assert_eq(j->plain[i], i < parts ? i : 0);
    }
}

/* Goal: each part is done once before the call returns, job after job, with any number of hands. */
Test(crew, each_part_once) {
    static struct job j;
    for (size_t helpers = 0; helpers <= CREW_HELPERS_MAX; helpers += 1 + helpers) {
        struct crew *c = crew_start(helpers, "crew");
        cr_assert_not_null(c);
        cr_assert_eq(crew_hands(c), helpers + 1);
        for (size_t round = 0; round < ROUNDS; round++)
            run(c, round * 7 % (PARTS + 1), &j);
        cr_assert(helpers > 0 || !atomic_load(&j.elsewhere));
        crew_stop(c);
    }
}

/* Does not return before so many parts are at work. */
static void meet(void *ctx, size_t i) {
    atomic_size_t *missing = ctx;
    (void)i;
    atomic_fetch_sub(missing, 1);
    while (atomic_load(missing) > 0)
        sched_yield();
}

/* Goal: all hands work at the same time. */
Test(crew, hands_work_side_by_side) {
    for (size_t helpers = 1; helpers <= CREW_HELPERS_MAX; helpers++) {
        struct crew *c = crew_start(helpers, "crew");
        cr_assert_not_null(c);
        for (size_t round = 0; round < 3; round++) {
            atomic_size_t missing = helpers + 1;
            crew_run(c, meet, &missing, helpers + 1);
            cr_assert_eq(atomic_load(&missing), 0);
        }
        crew_stop(c);
    }
}

/* Goal: alone, parts are done in order on the caller's thread. */
Test(crew, alone) {
    static struct job j;
    cr_assert_eq(crew_hands(NULL), 1);
    run(NULL, PARTS, &j);
    cr_assert(!atomic_load(&j.elsewhere) && atomic_load(&j.out_of_order) == 0);
    struct crew *c = crew_start(2, "crew");
    cr_assert_not_null(c);
    run(c, 1, &j);
    cr_assert_not(atomic_load(&j.elsewhere));
    crew_stop(c);
    crew_stop(NULL);
}
