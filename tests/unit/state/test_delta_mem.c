/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: pieces keep what is written into them, do not overlap, are aligned as asked for, also
 * across slabs of all three kinds. Method: pieces of random lengths and alignments, each filled
 * with a pattern of its own, all checked at the end. */
#include "state/delta_mem.h"

#include "tests/lib/rng.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { PIECES = 20000 };

Test(delta_mem, pieces_keep_their_content) {
    struct dmem mem = {.slabs = NULL};
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
        x->p = dmem_take(&mem, x->len, align);
        cr_assert_eq((uintptr_t)x->p % align, 0);
        memset(x->p, x->fill, x->len);
        sum += x->len;
        cr_assert_geq(mem.bytes, sum);
    }
    cr_assert_gt(mem.bytes, (size_t)6 << 20, "no huge slab was reached: %zu", mem.bytes);
    for (size_t i = 0; i < PIECES; i++)
        for (size_t j = 0; j < pieces[i].len; j++)
            cr_assert_eq(pieces[i].p[j], pieces[i].fill);
    dmem_clear(&mem);
    cr_assert_eq(mem.bytes, 0);
    cr_assert(mem.slabs == NULL);
    free(pieces);
}

/* Goal: what a delta had is taken again by the next, up to the pool's bound, and not more is mapped
 * meanwhile. */
Test(delta_mem, pool_is_used_again) {
    struct dmem_pool pool;
    dmem_pool_init(&pool);
    struct dmem one = {.pool = &pool}, two = {.pool = &pool};
    enum { LEN = 60000 };
    size_t per_slab = ((2 << 20) - DMEM_LINE) / LEN;
    for (size_t i = 0; i < (DMEM_POOL_SLABS + 8) * per_slab; i++)
        memset(dmem_take(&one, LEN, 8), 1, LEN);
    cr_assert_eq(pool.count, 0);
    dmem_clear(&one);
    cr_assert_eq(pool.count, DMEM_POOL_SLABS);
    cr_assert(one.pool == &pool && one.bytes == 0);
    uint8_t *p[3];
    for (size_t i = 0; i < 3; i++) {
        p[i] = dmem_take(&two, LEN, 8);
        memset(p[i], (int)i, LEN);
    }
    cr_assert_eq(pool.count, DMEM_POOL_SLABS - 1);
    cr_assert_eq(two.bytes, 2 << 20);
    for (size_t i = 0; i < 3; i++)
        cr_assert(p[i][0] == i && p[i][LEN - 1] == i);
    dmem_clear(&two);
    cr_assert_eq(pool.count, DMEM_POOL_SLABS);
    dmem_pool_clear(&pool);
}
