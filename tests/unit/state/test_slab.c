/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: pieces keep what is written into them, do not overlap, are aligned as asked for, also
 * across slabs of all three kinds. Method: pieces of random lengths and alignments, each filled
 * with a pattern of its own, all checked at the end. */
#include "state/slab.h"

#include "state/huge_page.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { PIECES = 20000 };

Test(slab, pieces_keep_their_content) {
    struct slabs mem = {.list = NULL};
    struct rng r = {rng_seed(11)};
    struct piece {
        uint8_t *p;
        size_t len;
        uint8_t fill;
    } *pieces = calloc(PIECES, sizeof *pieces);
    cr_assert(pieces != NULL);
    size_t sum = 0;
    for (size_t i = 0; i < PIECES; i++) {
        struct piece *x = &pieces[i];
        size_t align = (size_t)1 << rng_below(&r, 7);
        x->len = 1 + rng_below(&r, i % 1000 == 0 ? 1 << 20 : 600);
        x->fill = (uint8_t)rng_next(&r);
        x->p = slabs_take(&mem, x->len, align);
        cr_assert_eq((uintptr_t)x->p % align, 0);
        memset(x->p, x->fill, x->len);
        sum += x->len;
        cr_assert_geq(mem.bytes, sum);
    }
    cr_assert_gt(mem.bytes, (size_t)6 << 20, "no huge slab was reached: %zu", mem.bytes);
    for (size_t i = 0; i < PIECES; i++)
        for (size_t j = 0; j < pieces[i].len; j++)
            cr_assert_eq(pieces[i].p[j], pieces[i].fill);
    slabs_clear(&mem);
    cr_assert_eq(mem.bytes, 0);
    cr_assert(mem.list == NULL);
    free(pieces);
}

/* Goal: what a delta had is taken again by the next, up to the pool's bound, and not more is mapped
 * meanwhile. */
Test(slab, pool_is_used_again) {
    struct slab_pool pool;
    slab_pool_init(&pool);
    struct slabs one = {.pool = &pool}, two = {.pool = &pool};
    enum { LEN = 60000 };
    size_t per_slab = (HUGE_PAGE_BYTES - SLAB_LINE) / LEN;
    for (size_t i = 0; i < (SLAB_POOL_MAX + 8) * per_slab; i++)
        memset(slabs_take(&one, LEN, 8), 1, LEN);
    cr_assert_eq(slab_pool_bytes(&pool), 0);
    slabs_clear(&one);
    cr_assert_eq(slab_pool_bytes(&pool), (size_t)SLAB_POOL_MAX * HUGE_PAGE_BYTES);
    cr_assert(one.pool == &pool && one.bytes == 0);
    uint8_t *p[3];
    for (size_t i = 0; i < 3; i++) {
        p[i] = slabs_take(&two, LEN, 8);
        memset(p[i], (int)i, LEN);
    }
    cr_assert_eq(slab_pool_bytes(&pool), (size_t)(SLAB_POOL_MAX - 1) * HUGE_PAGE_BYTES);
    cr_assert_eq(two.bytes, HUGE_PAGE_BYTES);
    for (size_t i = 0; i < 3; i++)
        cr_assert(p[i][0] == i && p[i][LEN - 1] == i);
    slabs_clear(&two);
    cr_assert_eq(slab_pool_bytes(&pool), (size_t)SLAB_POOL_MAX * HUGE_PAGE_BYTES);
    slab_pool_clear(&pool);
}
