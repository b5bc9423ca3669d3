/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a piece is aligned, zero and wholly writable, and its neighbours outlive it. */
#include "state/huge_page.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

Test(huge_page, aligned_zero_and_apart) {
    enum { COUNT = 5 };
    uint8_t *p[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        p[i] = huge_page_map();
        cr_assert_eq((uintptr_t)p[i] % HUGE_PAGE_BYTES, 0);
        for (size_t j = 0; j < HUGE_PAGE_BYTES; j++)
            cr_assert_eq(p[i][j], 0);
        memset(p[i], (int)i + 1, HUGE_PAGE_BYTES);
    }
    for (size_t i = 0; i < COUNT; i += 2)
        huge_page_unmap(p[i]);
    for (size_t i = 1; i < COUNT; i += 2) {
        cr_assert_eq(p[i][0], i + 1);
        cr_assert_eq(p[i][HUGE_PAGE_BYTES - 1], i + 1);
        huge_page_unmap(p[i]);
    }
}

static size_t mappings(void) {
    size_t lines = 0;
    FILE *f = fopen("/proc/self/maps", "re");
    cr_assert(f != NULL);
    for (int c = fgetc(f); c != EOF; c = fgetc(f))
        lines += c == '\n';
    (void)fclose(f);
    return lines;
}

/* Goal: many pieces are few mappings, of which a process may have 65,530. */
Test(huge_page, neighbours_are_one_mapping) {
    enum { COUNT = 64, OTHERS = 16 };
    uint8_t *p[COUNT];
    size_t before = mappings();
    for (size_t i = 0; i < COUNT; i++) {
        p[i] = huge_page_map();
        p[i][0] = 1;
    }
    size_t most = mappings();
    cr_assert_lt(most, before + OTHERS, "%zu mappings, %zu before", most, before);
    for (size_t i = 0; i < COUNT; i++)
        huge_page_unmap(p[i]);
}
