/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a universe gets its rate and two seconds' worth at once, and nobody else's. Covers:
 * api_quota.c */
#include "rpc/api_quota.h"

#include <criterion/criterion.h>
#include <stdio.h>

Test(api_quota, shares) {
    struct api_quota *q = api_quota_new(100);
    struct api_quota_state s;
    size_t taken = 0;
    while (api_quota_take(q, "a", true, 1, 1000, &s))
        taken++;
    cr_expect_eq(taken, 200);
    cr_expect_eq(s.limit, 200);
    cr_expect_eq(s.remaining, 0);
    cr_expect_eq(s.reset_s, 2);
    cr_expect(api_quota_take(q, "a", false, 200, 1000, NULL)); /* wallets have their own */
    cr_expect(api_quota_take(q, "b", true, 200, 1000, NULL));
    cr_expect_not(api_quota_take(q, "b", true, 1, 1009, NULL));
    cr_expect(api_quota_take(q, "b", true, 1, 1010, NULL));
    cr_expect_not(api_quota_take(q, "b", true, 1, 1010, NULL));
    for (uint64_t ms = 1011; ms < 11011; ms++) /* asked for all the time: the rate, no more */
        taken += api_quota_take(q, "a", true, 1, ms, NULL);
    cr_expect_eq(taken, 200 + 1001);
    cr_expect(api_quota_take(q, "a", true, 200, 99999999, NULL));
    cr_expect_not(
        api_quota_take(q, "a", true, 201, 199999999, NULL)); /* never more than it holds */
    api_quota_free(q);
}

/* By its bytes, but what one asks for is always less than a full bucket. */
Test(api_quota, kept) {
    struct api_quota *q = api_quota_new(100);
    struct api_quota_state s;
    cr_expect(api_quota_take_kept(q, "a", true, 50 * QUOTA_KEPT_BYTES, 1000));
    cr_expect(api_quota_take(q, "a", true, 1, 1000, &s));
    cr_expect_eq(s.remaining, 149);
    cr_expect(api_quota_take_kept(q, "a", true, SIZE_MAX, 1000));
    cr_expect_not(api_quota_take_kept(q, "a", true, SIZE_MAX, 1000));
    cr_expect(api_quota_take_kept(q, "a", true, SIZE_MAX, 1510));
    cr_expect(api_quota_take_kept(NULL, "a", true, SIZE_MAX, 0));
    api_quota_free(q);
}

/* Anybody can ask for names that nobody has. */
Test(api_quota, names_do_not_fill_the_backends_buckets) {
    struct api_quota *q = api_quota_new(1);
    cr_expect(api_quota_take(q, "a", true, 2, 0, NULL));
    for (size_t i = 0; i <= QUOTA_BUCKETS_MAX; i++) {
        char name[API_SLUG_MAX + 1];
        snprintf(name, sizeof(name), "n%zu", i);
        cr_expect(api_quota_take(q, name, false, 1, 0, NULL));
    }
    cr_expect_not(api_quota_take(q, "a", true, 1, 0, NULL));
    api_quota_free(q);
}

Test(api_quota, none) {
    struct api_quota *q = api_quota_new(0);
    struct api_quota_state s = {.limit = 7};
    cr_expect(api_quota_take(q, "a", true, UINT64_MAX, 0, &s));
    cr_expect_eq(s.limit, 7);
    cr_expect(api_quota_take(NULL, "a", true, 1, 0, NULL));
    api_quota_free(q);
}
