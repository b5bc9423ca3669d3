/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the order of endpoints; a breaker opens, lets one request try, closes or waits longer; URLs
 * that cannot be used are refused without being told. */
#include "node/metrics.h"
#include "node/targets.h"

#include <criterion/criterion.h>
#include <string.h>

#define MS UINT64_C(1000000)

static void open_breaker(struct targets *t, size_t idx) {
    for (int i = 0; i < TARGETS_FAILURES; i++)
        targets_failed(t, idx);
}

Test(targets, urls) {
    static const char *const bad[] = {
        "",
        ",",
        "ftp://canary",
        "http://a,canary",
        "http://a/?canary",
        "http://a/#canary",
        "http://1,http://2,http://3,http://4,http://5,http://6,http://7,http://8,http://canary"};
    struct targets t;
    struct err_ctx ec;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        ec.text[0] = '\0';
        cr_expect_eq(targets_init(&t, bad[i], clock_posix(), &ec), ERR_CONFIG, "%s", bad[i]);
        cr_expect_not_null(strstr(ec.text, "--forward-urls"));
        cr_expect_null(strstr(ec.text, "canary"), "%s", ec.text);
    }
    cr_assert_eq(targets_init(&t, "http://a:1/,,https://b/key//", clock_posix(), &ec), ERR_OK);
    cr_assert_eq(t.count, 2);
    cr_expect_str_eq(t.at[0].url, "http://a:1");
    cr_expect_str_eq(t.at[1].url, "https://b/key");
    targets_clear(&t);
}

Test(targets, a_breaker_opens_tries_and_closes) {
    struct clock_fake clock;
    struct targets t;
    struct err_ctx ec;
    clock_fake_init(&clock, 0);
    cr_assert_eq(targets_init(&t, "http://a,http://b", &clock.clock, &ec), ERR_OK);
    for (int i = 0; i < TARGETS_FAILURES - 1; i++)
        targets_failed(&t, 0);
    targets_answered(&t, 0);
    for (int i = 0; i < TARGETS_FAILURES - 1; i++)
        targets_failed(&t, 0);
    cr_expect_eq(targets_next(&t, 0), 0, "not that many in a row");
    targets_failed(&t, 0);
    cr_expect_eq(metric_level(&node_forward_breakers_open), 1);
    cr_expect_eq(targets_next(&t, 0), 1);
    cr_expect_eq(targets_next(&t, 2), 2);
    targets_failed(&t, 0); /* one that began before */
    clock_fake_advance(&clock, TARGETS_OPEN_MS * MS - 1);
    cr_expect_eq(targets_next(&t, 0), 1);
    clock_fake_advance(&clock, 1);
    cr_expect_eq(targets_next(&t, 0), 0, "its trial");
    cr_expect_eq(targets_next(&t, 0), 1, "which one makes alone");
    targets_answered(&t, 0);
    cr_expect_eq(targets_next(&t, 0), 0);
    cr_expect_eq(targets_next(&t, 0), 0);
    cr_expect_eq(metric_level(&node_forward_breakers_open), 0);
    open_breaker(&t, 1);
    targets_clear(&t);
    cr_expect_eq(metric_level(&node_forward_breakers_open), 0);
}

Test(targets, pauses_double_up_to_a_bound) {
    struct clock_fake clock;
    struct targets t;
    struct err_ctx ec;
    clock_fake_init(&clock, 0);
    cr_assert_eq(targets_init(&t, "http://a", &clock.clock, &ec), ERR_OK);
    open_breaker(&t, 0);
    uint64_t pause_ms = TARGETS_OPEN_MS;
    for (int i = 0; i < 8; i++) {
        clock_fake_advance(&clock, pause_ms * MS - 1);
        cr_expect_eq(targets_next(&t, 0), 1, "%d", i);
        clock_fake_advance(&clock, 1);
        cr_expect_eq(targets_next(&t, 0), 0, "%d", i);
        targets_failed(&t, 0);
        pause_ms = 2 * pause_ms < TARGETS_OPEN_MAX_MS ? 2 * pause_ms : TARGETS_OPEN_MAX_MS;
    }
    cr_expect_eq(pause_ms, TARGETS_OPEN_MAX_MS);
    targets_clear(&t);
}
