/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: thousands wait for the events of a universe, each is told of the next one and nobody of
 * anything else; they take no room from other requests, nor one universe's those of another.
 * Covers: api_wait.c, and engine.c's part in it. */
#include "rpc/api_wait.h"

#include "index/universe.h"
#include "rpc/engine.h"
#include "tests/lib/rpc/served.h"

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FOLLOWERS = 5000,
    POLLS = 500,
    QUEUE_MAX = 4,
    JOBS_MAX = 4,
    CALLERS_MAX = API_WAITERS_UNIVERSE_MAX + 8,
    PATIENCE_MS = 20000,
    QUIET_MS = 100,
    HOUR_MS = 3600000, /* more than a poll may ask for: its most */
};

struct fixture {
    struct served s;
    struct event_base *base;
    struct rpc_engine *engine;
    struct node_parent parent;
    atomic_size_t runs; /* of the handler */
    size_t answered;
    int status[CALLERS_MAX]; /* 0: not answered */
    char *body[CALLERS_MAX];
};

static void count_run(void *ctx, uint64_t *safe, uint64_t *finalized) {
    struct fixture *f = ctx;
    *safe = *finalized = 0;
    atomic_fetch_add(&f->runs, 1);
}

static void on_reply(void *ctx, uint64_t tag, struct rpc_reply *reply) {
    struct fixture *f = ctx;
    cr_assert_eq(f->status[tag], 0, "answered twice");
    f->status[tag] = reply->status;
    f->body[tag] = strndup((const char *)reply->body.ptr, reply->body.len);
    f->answered++;
    buf_clear(&reply->body);
}

/* Gives the universe an event, of which the waiters are told. */
static void make_event(struct fixture *f, int universe) {
    served_registry(&f->s, "depositGas(uint64)", json_pack("[i]", universe), 7);
    api_waiters_block(f->s.cx.waiters, f->s.head.number);
}

static void fixture_init(struct fixture *f) {
    struct err_ctx ec;
    served_open(&f->s);
    f->base = event_base_new();
    f->parent = (struct node_parent){.ctx = f, .tags = count_run};
    f->s.node.parent = &f->parent;
    f->s.cx.waiters = api_waiters_new(f->s.store);
    cr_assert_not_null(f->s.cx.waiters);
    served_universe(&f->s, "arena"); /* 1 */
    served_universe(&f->s, "other"); /* 2 */
    api_waiters_block(f->s.cx.waiters, f->s.head.number);
    struct rpc_engine_options o = {.base = f->base,
                                   .context = &f->s.cx,
                                   .readers = 1,
                                   .read_queue_max = QUEUE_MAX,
                                   .jobs_max = JOBS_MAX};
    f->engine = rpc_engine_new(&o, on_reply, f, &ec);
    cr_assert_not_null(f->engine);
}

static void fixture_clear(struct fixture *f) {
    rpc_engine_free(f->engine);
    api_waiters_free(f->s.cx.waiters);
    event_base_free(f->base);
    served_close(&f->s);
    for (size_t i = 0; i < CALLERS_MAX; i++)
        free(f->body[i]);
    free(f);
}

static void forget(struct fixture *f, size_t tag) {
    f->answered -= f->status[tag] != 0;
    f->status[tag] = 0;
    free(f->body[tag]);
    f->body[tag] = NULL;
}

/* Until so many have been answered, or a while is over. */
static void turn(struct fixture *f, size_t answered, uint64_t ms) {
    uint64_t until = rpc_now_ms() + ms;
    while (f->answered < answered && rpc_now_ms() < until) {
        event_base_loop(f->base, EVLOOP_NONBLOCK);
        usleep(100);
    }
}

/* Until nothing has run for a while. */
static void settle(struct fixture *f) {
    size_t before = SIZE_MAX;
    while (before != atomic_load(&f->runs)) {
        before = atomic_load(&f->runs);
        turn(f, SIZE_MAX, QUIET_MS);
    }
}

static struct api_origin player(const char *slug) {
    struct api_origin o = {.who = {.kind = API_KEY_PUBLISHABLE, .scopes = API_SCOPE_READ}};
    snprintf(o.who.slug, sizeof(o.who.slug), "%s", slug);
    return o;
}

static const struct api_route *route(void) {
    return api_route_find("universe_events", strlen("universe_events"));
}

static void page(struct fixture *f, size_t tag, const char *slug, const char *after) {
    struct api_origin o = player(slug);
    json_t *args = json_pack("{s:s,s:s,s:i}", "slug", slug, "after", after, "waitMs", HOUR_MS);
    rpc_engine_page(f->engine, route(), args, tag, &o);
}

static void poll(struct fixture *f, size_t tag, const char *slug, const char *after) {
    struct api_origin o = player(slug);
    struct buf none;
    json_t *args = json_pack("{s:s,s:s,s:i}", "slug", slug, "after", after, "waitMs", HOUR_MS);
    buf_init(&none, 0);
    rpc_engine_rest(f->engine, route(), args, bytes_of(NULL, 0), &none, tag, &o);
}

/* Where the universe's events end now. */
static void end_of(struct fixture *f, const char *slug, char out[INDEX_CURSOR_CHARS + 1]) {
    size_t tag = CALLERS_MAX - 1;
    page(f, tag, slug, "");
    turn(f, f->answered + 1, PATIENCE_MS);
    cr_assert_eq(f->status[tag], 200, "%s", f->body[tag]);
    const char *next = strstr(f->body[tag], "\"next\":\"");
    cr_assert_not_null(next);
    snprintf(out, INDEX_CURSOR_CHARS + 1, "%s", next + strlen("\"next\":\""));
    forget(f, tag);
}

static size_t count_of(const char *text, const char *what) {
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
        n++;
    return n;
}

Test(api_wait, thousands_are_told_of_their_universe_alone, .timeout = 120) {
    struct fixture *f = calloc(1, sizeof(*f));
    char end[INDEX_CURSOR_CHARS + 1];
    fixture_init(f);
    end_of(f, "arena", end);
    for (size_t i = 0; i < FOLLOWERS; i++)
        page(f, i, "arena", end);
    settle(f);
    cr_assert_eq(f->answered, 0);
    /* Polls as clients send them: they wait for room to come, and keep none while they wait. */
    uint64_t until = rpc_now_ms() + PATIENCE_MS;
    for (size_t i = FOLLOWERS; i < FOLLOWERS + POLLS && rpc_now_ms() < until;) {
        poll(f, i, "arena", end);
        turn(f, SIZE_MAX, 1);
        if (f->status[i] == 0)
            i++;
        else
            forget(f, i);
    }
    settle(f);
    cr_expect_eq(f->answered, 0);
    cr_expect_eq(rpc_engine_pending(f->engine), FOLLOWERS + POLLS);

    size_t before = atomic_load(&f->runs);
    make_event(f, 2);
    settle(f);
    cr_expect_eq(atomic_load(&f->runs), before, "another universe's event wakes nobody");

    make_event(f, 1);
    turn(f, FOLLOWERS + POLLS, PATIENCE_MS);
    cr_assert_eq(f->answered, FOLLOWERS + POLLS);
    for (size_t i = 0; i < FOLLOWERS + POLLS; i++) {
        cr_assert_eq(f->status[i], 200, "%zu: %s", i, f->body[i]);
        cr_assert_eq(count_of(f->body[i], "\"cursor\""), 1, "%s", f->body[i]);
    }
    cr_expect_eq(atomic_load(&f->runs), before + FOLLOWERS + POLLS);
    fixture_clear(f);
}

Test(api_wait, one_universe_has_its_share, .timeout = 120) {
    struct fixture *f = calloc(1, sizeof(*f));
    char end[INDEX_CURSOR_CHARS + 1], other[INDEX_CURSOR_CHARS + 1];
    size_t over = API_WAITERS_UNIVERSE_MAX, elsewhere = over + 1;
    fixture_init(f);
    end_of(f, "arena", end);
    end_of(f, "other", other);
    for (size_t i = 0; i < over; i++)
        page(f, i, "arena", end);
    settle(f);
    cr_assert_eq(f->answered, 0);
    page(f, over, "arena", end);
    page(f, elsewhere, "other", other);
    settle(f);
    cr_expect_eq(f->answered, 1);
    cr_expect_eq(f->status[over], 429);
    make_event(f, 2);
    turn(f, 2, PATIENCE_MS);
    cr_expect_eq(f->status[elsewhere], 200);
    api_waiters_tick(f->s.cx.waiters, rpc_now_ms() + HOUR_MS); /* their time is over... */
    settle(f); /* ...as far as the waiters know: who looks at the clock itself waits on */
    cr_expect_eq(f->answered, 2);
    api_waiters_close(f->s.cx.waiters);
    turn(f, over + 2, PATIENCE_MS);
    cr_expect_eq(f->answered, over + 2);
    cr_expect_eq(f->status[0], 200);
    fixture_clear(f);
}

/* A block between the look of a poll and its waiting is not missed. */
Test(api_wait, events_that_are_there_are_told_at_once) {
    struct fixture *f = calloc(1, sizeof(*f));
    fixture_init(f);
    struct store_view *v;
    cr_assert_eq(store_view_open(&v, f->s.store, f->s.head.number), ERR_OK);
    cr_expect_eq(index_last_event(v, 1), 1);
    cr_expect_eq(index_last_event(v, 2), 2);
    cr_expect_eq(index_last_event(v, 3), 0);
    store_view_close(v);
    char end[INDEX_CURSOR_CHARS + 1];
    end_of(f, "arena", end);
    for (size_t i = 0; i < 200; i++) {
        page(f, i, "arena", end);
        make_event(f, 1);
        turn(f, f->answered + 1, PATIENCE_MS);
        cr_assert_eq(f->status[i], 200);
        cr_assert_geq(count_of(f->body[i], "\"cursor\""), 1);
    }
    fixture_clear(f);
}
