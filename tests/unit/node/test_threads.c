/* SPDX-License-Identifier: Apache-2.0 */
/* Covers: threads.c */
#include "node/threads.h"

#include <criterion/criterion.h>
#include <sched.h>

/* Goal: the README's table, and what is asked for instead of it. */
Test(threads, map) {
    static const struct thread_map want[] = {{1, 2, 0}, {2, 2, 1},  {3, 2, 1},  {4, 2, 1},
                                             {8, 4, 3}, {16, 8, 7}, {64, 16, 7}};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        struct thread_map m = thread_map_of(want[i].cores, THREADS_BY_CORES, THREADS_BY_CORES);
        cr_expect_eq(m.cores, want[i].cores);
        cr_expect_eq(m.readers, want[i].readers, "%zu cores: %zu", m.cores, m.readers);
        cr_expect_eq(m.crew, want[i].crew, "%zu cores: %zu", m.cores, m.crew);
    }
    struct thread_map m = thread_map_of(1, 5, 4);
    cr_expect_eq(m.readers, 5);
    cr_expect_eq(m.crew, 4);
}

/* Goal: cores are those of the affinity mask, not those of the machine. */
Test(threads, cores) {
    cpu_set_t all, one;
    cr_assert_eq(sched_getaffinity(0, sizeof all, &all), 0);
    cr_expect_eq(thread_cores(), (size_t)CPU_COUNT(&all));
    size_t first = 0;
    while (!CPU_ISSET(first, &all))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
    cr_expect_eq(thread_cores(), 1);
}
