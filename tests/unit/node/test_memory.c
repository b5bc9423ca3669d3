/* SPDX-License-Identifier: Apache-2.0 */
#include "node/memory.h"

#include <criterion/criterion.h>
#include <stdlib.h>

TestSuite(memory, .timeout = 10);

/* Goal: the shares are the cache and 256 MiB, whatever its size; none is too small to work with,
 * and what waits for a checkpoint stops growing. */
Test(memory, shares_are_all_of_it) {
    static const size_t mib = (size_t)1 << 20;
    static const size_t caches[] = {64, 128, 512, 1000, 4096, 1 << 20};
    struct memory_shares s, before = {0};
    for (size_t i = 0; i < ARRAY_LEN(caches); i++) {
        memory_share(&s, caches[i] * mib);
        size_t cache = 0, beside = 0;
        for (size_t p = 0; p < MEMORY_PARTS; p++)
            *(p < MEMORY_OF_CACHE ? &cache : &beside) += s.most[p];
        cr_assert_eq(cache, caches[i] * mib);
        cr_assert_eq(beside, 256 * mib);
        for (size_t p = 0; p < MEMORY_OF_CACHE; p++)
            cr_assert(s.most[p] >= before.most[p]);
        cr_assert(s.most[MEMORY_ROWS] >= 12 * mib && s.most[MEMORY_ROWS] <= 384 * mib);
        cr_assert(s.most[MEMORY_PAGES] >= 8 * mib && s.most[MEMORY_PAGES] <= 512 * mib);
        cr_assert(s.most[MEMORY_HISTORY] >= 4 * mib && s.most[MEMORY_HISTORY] <= 64 * mib);
        cr_assert(s.most[MEMORY_REST] >= 48 * mib);
        before = s;
    }
    memory_share(&s, 0);
    cr_assert(s.most[MEMORY_ROWS] >= 6 * mib && s.most[MEMORY_PAGES] >= 4 * mib);
    cr_assert(s.most[MEMORY_HISTORY] >= 2 * mib);
    cr_assert(s.most[MEMORY_WORLD] >= 7 * mib && s.most[MEMORY_TRIE] >= 7 * mib);
}

/* Goal: the process's own memory is seen, and that more of it is more. */
Test(memory, anonymous) {
    size_t before = memory_anonymous(), len = (size_t)64 << 20;
    cr_assert(before > 0);
    volatile char *p = malloc(len); /* else a compiler leaves out what nobody reads */
    cr_assert_not_null((const void *)p);
    for (size_t i = 0; i < len; i += 1024)
        p[i] = 1;
    cr_assert(memory_anonymous() >= before + len / 2);
    free((void *)p);
    cr_assert_str_eq(memory_part_name(MEMORY_WORLD), "world");
    cr_assert_str_eq(memory_part_name(MEMORY_REST), "rest");
}
