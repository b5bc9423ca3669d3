/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the system's clock runs forward and knows the year; the fake one moves only when told.
 * Method: two readings of each. */
#include "base/clock.h"

#include <criterion/criterion.h>

Test(clock, posix) {
    struct clock *c = clock_posix();
    uint64_t a = clock_monotonic_ns(c), b = clock_monotonic_ns(c);
    cr_expect_leq(a, b);
    cr_expect_gt(clock_realtime_ms(c), 1700000000000u); /* late in 2023, in milliseconds */
}

Test(clock, fake) {
    struct clock_fake f;
    clock_fake_init(&f, 1000);
    struct clock *c = &f.clock;
    cr_expect_eq(clock_realtime_ms(c), 1000u);
    cr_expect_eq(clock_monotonic_ns(c), 0u);
    for (int i = 0; i < 4; i++)
        clock_fake_advance(&f, 250000);
    cr_expect_eq(clock_realtime_ms(c), 1001u); /* quarters of a millisecond add up */
    cr_expect_eq(clock_monotonic_ns(c), 1000000u);
    clock_fake_advance(&f, 5000000999);
    cr_expect_eq(clock_realtime_ms(c), 6001u);
    clock_fake_set_realtime(&f, 10);
    cr_expect_eq(clock_realtime_ms(c), 10u);
    cr_expect_eq(clock_monotonic_ns(c), 5001000999u);
}
