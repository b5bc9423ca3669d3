/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: blocks do not overlap, are aligned, end at their mark, and never exceed the limit.
 * Method: many sizes with a pattern each, marks at several depths, limits at the edge. */
#include "base/arena.h"

#include <criterion/criterion.h>
#include <signal.h>

Test(arena, blocks_are_aligned_and_apart) {
    struct arena a;
    arena_init(&a, 4096, 1 << 22);
    uint8_t *blocks[400];
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
        size_t len = i * 7 % 900;
        blocks[i] = arena_alloc(&a, len);
        cr_assert_eq((uintptr_t)blocks[i] % 32, 0u);
        memset(blocks[i], (int)(i & 0xff), len);
    }
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
        for (size_t k = 0; k < i * 7 % 900; k++)
            cr_assert_eq(blocks[i][k], i & 0xff);
    }
    uint8_t *big = arena_zalloc(&a, 100000); /* a chunk of its own */
    cr_expect_eq(big[0] | big[99999], 0);
    bytes copy = arena_copy(&a, bytes_of("hello", 5));
    cr_expect_eq(memcmp(copy.ptr, "hello", 5), 0);
    cr_expect_eq(arena_copy(&a, bytes_of(NULL, 0)).len, 0u);
    arena_clear(&a);
    cr_expect_eq(a.total_bytes, 0u);
}

Test(arena, marks) {
    struct arena a;
    arena_init(&a, 1024, 1 << 20);
    struct arena_mark empty = arena_mark(&a);
    uint8_t *keep = arena_alloc(&a, 100);
    memset(keep, 1, 100);
    struct arena_mark m = arena_mark(&a);
    for (int round = 0; round < 50; round++) {
        uint8_t *first = arena_alloc(&a, 64);
        cr_expect_eq(first - keep, 128);
        for (int i = 0; i < 30; i++)
            memset(arena_alloc(&a, 500), 2, 500);
        arena_reset_to(&a, m);
    }
    for (int i = 0; i < 100; i++)
        cr_assert_eq(keep[i], 1);
    cr_expect_leq(a.total_bytes, 2 * (1024 + 64u)); /* the first chunk and the spare */
    arena_reset_to(&a, empty);
    cr_expect_null(a.head);
    arena_reset(&a);
    cr_expect_leq(a.total_bytes, 1024 + 64u);
    arena_clear(&a);
}

static bool is_one_of(void *const all[8], const void *p) {
    for (int i = 0; i < 8; i++)
        if (all[i] == p)
            return true;
    return false;
}

/* Goal: as many emptied chunks as asked for are handed out again, and no more are kept. */
Test(arena, keeps_chunks) {
    struct arena a;
    void *before[8] = {NULL}, *now[8];
    arena_init(&a, 1024, 1 << 20);
    arena_keep(&a, 5);
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 8; i++) {
            now[i] = arena_alloc(&a, 1000);
            if (round > 0 && i < 5)
                cr_expect(is_one_of(before, now[i]));
            memset(now[i], round, 1000);
        }
        memcpy(before, now, sizeof before);
        arena_reset(&a);
        cr_expect_eq(a.spares, 5u);
        cr_expect_leq(a.total_bytes, 5 * (1024 + 64u));
    }
    arena_clear(&a);
    cr_expect_eq(a.total_bytes, 0u);
}

Test(arena, limit) {
    struct arena a;
    arena_init(&a, 4096, 10000);
    size_t got = 0;
    while (arena_try_alloc(&a, 1000) != NULL)
        got += 1000;
    cr_expect_geq(got, 8000u);
    cr_expect_leq(a.total_bytes, 10000u);
    cr_expect_null(arena_try_alloc(&a, SIZE_MAX));
    cr_expect_null(arena_try_alloc(&a, SIZE_MAX / 2));
    arena_reset(&a);
    /* The spare chunk gives way to a request that fits only without it. */
    cr_expect_not_null(arena_try_alloc(&a, 9000));
    cr_expect_null(arena_try_alloc(&a, 9000));
    arena_clear(&a);
}

Test(arena, over_the_limit_is_a_bug_for_alloc, .signal = SIGABRT) {
    struct arena a;
    arena_init(&a, 4096, 10000);
    void *p = arena_alloc(&a, 20000);
    cr_expect_null(p);
}
