/* SPDX-License-Identifier: Apache-2.0 */
/* Covers: parent.c
 * Goal: a bad endpoint costs a pause and never a wrong or unbounded answer; breakers open, try and
 * close as their contract says. Method: endpoints on this machine that fail in every way; a clock
 * that the test moves. */
#include "bridge/parent.h"

#include "bridge/metrics.h"
#include "tests/lib/bridge/fake_parent.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <unistd.h>

enum { CHAIN = 412346, OPEN_MS = 1000 };

struct pair {
    struct fake_parent *first, *second;
    struct clock_fake clock;
    atomic_bool stop;
    struct parent *p;
    struct err_ctx ec;
};

static void start(struct pair *t, size_t endpoints) {
    memset(t, 0, sizeof *t);
    clock_fake_init(&t->clock, 0);
    t->first = fake_parent_start(CHAIN);
    t->second = fake_parent_start(CHAIN);
    struct parent_config c = {.urls = {fake_parent_url(t->first), fake_parent_url(t->second)},
                              .url_count = endpoints,
                              .chain_id = CHAIN,
                              .request_timeout_ms = 300,
                              .breaker_open_ms = OPEN_MS,
                              .reply_max_bytes = 1 << 20,
                              .clock = &t->clock.clock,
                              .stop = &t->stop};
    cr_assert_eq(parent_new(&t->p, &c, &t->ec), ERR_OK);
}

static void end(struct pair *t) {
    parent_free(t->p);
    fake_parent_stop(t->first);
    fake_parent_stop(t->second);
}

static enum err head(struct pair *t) {
    struct parent_block b;
    return parent_get_block(t->p, &b, parent_tagged(PARENT_LATEST), &t->ec);
}

static enum parent_breaker breaker(const struct pair *t, size_t idx) {
    return parent_endpoint_state(t->p, idx).breaker;
}

Test(parent, configuration) {
    struct parent *p;
    struct err_ctx ec;
    struct parent_config c = {.url_count = 0};
    cr_expect_eq(parent_new(&p, &c, &ec), ERR_CONFIG);
    c.url_count = PARENT_ENDPOINTS_MAX + 1;
    cr_expect_eq(parent_new(&p, &c, &ec), ERR_CONFIG);
    c = (struct parent_config){.urls = {"file:///secret?key=canary"}, .url_count = 1};
    cr_expect_eq(parent_new(&p, &c, &ec), ERR_CONFIG);
    cr_expect_null(strstr(ec.text, "canary"), "a URL may hold a key");
    parent_free(NULL);
}

Test(parent, uses_the_first_that_works, .timeout = 60) {
    struct pair t;
    start(&t, 2);
    cr_assert_eq(head(&t), ERR_OK);
    cr_expect_eq(fake_parent_requests(t.second), 0u);
    cr_expect_eq(fake_parent_calls(t.first, "eth_chainId"), 1u);
    static const enum fake_fault faults[] = {
        FAKE_STALL, FAKE_GARBAGE, FAKE_WRONG_ID, FAKE_STATUS_500, FAKE_HUGE, FAKE_BUSY, FAKE_CUT};
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        unsigned before = fake_parent_requests(t.second);
        /* libcurl itself tries again when a connection that it kept is found cut. */
        fake_parent_fault(t.first, faults[i], faults[i] == FAKE_CUT ? 2 : 1);
        cr_expect_eq(head(&t), ERR_OK, "fault %d: %s", (int)faults[i], t.ec.text);
        cr_expect_gt(fake_parent_requests(t.second), before, "fault %d", (int)faults[i]);
        cr_expect_eq(breaker(&t, 0), PARENT_BREAKER_CLOSED, "fault %d", (int)faults[i]);
        cr_expect_eq(head(&t), ERR_OK); /* one success ends a row of failures */
    }
    cr_expect_eq(parent_endpoint_state(t.p, 0).errors, ARRAY_LEN(faults));
    cr_expect_eq(metric_get(&bridge_request_errors[0]), ARRAY_LEN(faults));
    end(&t);
}

Test(parent, breaker_opens_tries_and_closes) {
    struct pair t;
    start(&t, 2);
    cr_assert_eq(head(&t), ERR_OK);
    fake_parent_fault(t.first, FAKE_STATUS_500, PARENT_BREAKER_FAILURES + 1);
    for (int i = 0; i < PARENT_BREAKER_FAILURES; i++) {
        cr_expect_eq(breaker(&t, 0), PARENT_BREAKER_CLOSED);
        cr_assert_eq(head(&t), ERR_OK);
    }
    cr_expect_eq(breaker(&t, 0), PARENT_BREAKER_OPEN);
    cr_expect_eq(metric_level(&bridge_breakers_open[0]), 1);
    unsigned before = fake_parent_requests(t.first);
    cr_assert_eq(head(&t), ERR_OK);
    cr_expect_eq(fake_parent_requests(t.first), before, "open: not asked");
    clock_fake_advance(&t.clock, UINT64_C(1000000) * OPEN_MS);
    cr_assert_eq(head(&t), ERR_OK); /* the trial fails */
    cr_expect_eq(fake_parent_requests(t.first), before + 1);
    cr_expect_eq(breaker(&t, 0), PARENT_BREAKER_OPEN);
    clock_fake_advance(&t.clock, UINT64_C(1000000) * (2 * OPEN_MS - 1));
    cr_assert_eq(head(&t), ERR_OK);
    cr_expect_eq(fake_parent_requests(t.first), before + 1, "the pause has doubled");
    clock_fake_advance(&t.clock, UINT64_C(1000000));
    cr_assert_eq(head(&t), ERR_OK);
    cr_expect_eq(fake_parent_requests(t.first), before + 3, "chain id again, then the question");
    cr_expect_eq(breaker(&t, 0), PARENT_BREAKER_CLOSED);
    cr_expect_eq(metric_level(&bridge_breakers_open[0]), 0);
    end(&t);
}

Test(parent, retry_after_is_kept) {
    struct pair t;
    start(&t, 1);
    cr_assert_eq(head(&t), ERR_OK);
    fake_parent_fault(t.first, FAKE_TOO_MANY, 1);
    cr_expect_eq(head(&t), ERR_IO);
    cr_expect_eq(breaker(&t, 0), PARENT_BREAKER_OPEN);
    cr_expect_eq(parent_endpoint_state(t.p, 0).opens_until_ms, 1000u);
    clock_fake_advance(&t.clock, UINT64_C(1000000000));
    cr_expect_eq(head(&t), ERR_OK);
    end(&t);
}

Test(parent, fails_when_nobody_answers, .timeout = 60) {
    struct pair t;
    start(&t, 2);
    fake_parent_fault(t.first, FAKE_GARBAGE, 1000);
    fake_parent_fault(t.second, FAKE_STATUS_500, 1000);
    cr_expect_eq(head(&t), ERR_IO);
    cr_expect_not_null(strstr(t.ec.text, "HTTP status 500"), "%s", t.ec.text);
    while (breaker(&t, 0) != PARENT_BREAKER_OPEN || breaker(&t, 1) != PARENT_BREAKER_OPEN)
        cr_expect_eq(head(&t), ERR_IO);
    unsigned before = fake_parent_requests(t.first) + fake_parent_requests(t.second);
    cr_expect_eq(head(&t), ERR_IO);
    cr_expect_not_null(strstr(t.ec.text, "out of use"), "%s", t.ec.text);
    cr_expect_eq(fake_parent_requests(t.first) + fake_parent_requests(t.second), before);
    end(&t);
}

/* A second wind: rounds over the endpoints outlast a short fault of both. */
Test(parent, tries_again) {
    struct pair t;
    start(&t, 2);
    fake_parent_fault(t.first, FAKE_CUT, 2);
    fake_parent_fault(t.second, FAKE_CUT, 2);
    cr_expect_eq(head(&t), ERR_OK);
    end(&t);
}

Test(parent, reply_is_bounded) {
    struct pair t;
    start(&t, 1);
    fake_parent_answer(t.first, "eth_getBlockByNumber", "\"result\":null");
    cr_assert_eq(head(&t), ERR_NOT_FOUND);
    fake_parent_fault(t.first, FAKE_HUGE, 1);
    cr_expect_eq(head(&t), ERR_TOO_LARGE);
    end(&t);
}

Test(parent, another_chain_is_not_used) {
    struct pair t;
    start(&t, 2);
    fake_parent_answer(t.first, "eth_chainId", "\"result\":\"0x1\"");
    cr_expect_eq(head(&t), ERR_OK);
    cr_expect_eq(fake_parent_calls(t.first, "eth_getBlockByNumber"), 0u);
    cr_expect(parent_endpoint_state(t.p, 0).wrong_chain);
    fake_parent_answer(t.first, "eth_chainId", NULL);
    clock_fake_advance(&t.clock, UINT64_C(1000000000) * PARENT_RETRY_AFTER_MAX_S);
    cr_expect_eq(head(&t), ERR_OK);
    cr_expect_eq(fake_parent_calls(t.first, "eth_getBlockByNumber"), 1u);
    cr_expect(!parent_endpoint_state(t.p, 0).wrong_chain);
    end(&t);
}

static void *stop_soon(void *ctx) {
    struct pair *t = ctx;
    while (fake_parent_requests(t->first) == 0)
        usleep(1000);
    atomic_store(&t->stop, true);
    return NULL;
}

Test(parent, stops_when_told, .timeout = 20) {
    struct pair t;
    start(&t, 1);
    parent_free(t.p);
    struct parent_config c = {
        .urls = {fake_parent_url(t.first)}, .url_count = 1, .chain_id = CHAIN, .stop = &t.stop};
    cr_assert_eq(parent_new(&t.p, &c, NULL), ERR_OK);
    fake_parent_fault(t.first, FAKE_STALL, 100);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, stop_soon, &t), 0);
    uint64_t before = clock_monotonic_ns(clock_posix());
    cr_expect_eq(head(&t), ERR_CLOSED);
    cr_expect_lt(clock_monotonic_ns(clock_posix()) - before, UINT64_C(5000000000));
    cr_expect_eq(parent_sleep(t.p, 100000), ERR_CLOSED);
    pthread_join(thread, NULL);
    end(&t);
}
