/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a full queue refuses what is new and nothing that was begun. Covers: readers.c */
#include "tests/lib/rpc/served.h"

#include <criterion/criterion.h>
#include <semaphore.h>

enum { QUEUE_MAX = 2, BEGUN = 5, WORKS = 1 + QUEUE_MAX + BEGUN };

static sem_t taken, go, done;
static unsigned runs;

/* Holds the only thread up. */
static void wait_for_go(struct rpc_call *c) {
    (void)c;
    sem_post(&taken);
    sem_wait(&go);
}

static void count_run(struct rpc_call *c) {
    (void)c;
    runs++;
}

static void on_done(struct rpc_work *w) {
    (void)w;
    sem_post(&done);
}

static const struct rpc_method slow = {.name = "slow", .run = wait_for_go, .cost = RPC_COST_READ};
static const struct rpc_method quick = {.name = "quick", .run = count_run, .cost = RPC_COST_READ};

static bool push(struct rpc_readers *p, const struct rpc_context *cx, struct rpc_work *w,
                 struct rpc_call *c, const struct rpc_method *m, bool begun) {
    rpc_call_init(c, cx);
    c->method = m;
    c->phase = RPC_PHASE_RUN;
    *w = (struct rpc_work){.calls = c, .count = 1, .heavy = begun, .begun = begun, .done = on_done};
    return rpc_readers_push(p, w);
}

Test(readers, what_has_begun_is_never_refused) {
    struct served s;
    struct err_ctx ec;
    struct rpc_work w[WORKS];
    struct rpc_call c[WORKS];
    size_t n = 0;
    struct rpc_work refused;
    struct rpc_call refused_call;
    served_open(&s);
    sem_init(&taken, 0, 0);
    sem_init(&go, 0, 0);
    sem_init(&done, 0, 0);
    struct rpc_readers *p = rpc_readers_new(&s.cx, 1, QUEUE_MAX, &ec);
    cr_assert_not_null(p);
    cr_assert(push(p, &s.cx, &w[n], &c[n], &slow, false));
    n++;
    sem_wait(&taken);
    for (; n < 1 + QUEUE_MAX; n++)
        cr_assert(push(p, &s.cx, &w[n], &c[n], &quick, false));
    cr_expect_not(push(p, &s.cx, &refused, &refused_call, &quick, false));
    for (; n < WORKS; n++)
        cr_assert(push(p, &s.cx, &w[n], &c[n], &quick, true));
    cr_expect_not(push(p, &s.cx, &refused, &refused_call, &quick, false));
    sem_post(&go);
    for (size_t i = 0; i < WORKS; i++)
        sem_wait(&done);
    cr_expect_eq(runs, WORKS - 1);
    /* And takes no room from what is new. */
    cr_assert(push(p, &s.cx, &w[0], &c[0], &slow, false));
    sem_wait(&taken);
    for (size_t i = 1; i <= BEGUN; i++)
        cr_assert(push(p, &s.cx, &w[i], &c[i], &quick, true));
    for (size_t i = BEGUN + 1; i < WORKS; i++)
        cr_assert(push(p, &s.cx, &w[i], &c[i], &quick, false));
    sem_post(&go);
    rpc_readers_free(p);
    served_close(&s);
}
