/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: pieces of all classes keep what is written into them, do not overlap, are aligned, and
 * freed ones come back before new slabs are asked for. Method: random taking and giving through
 * several small and huge slabs, each piece filled with a pattern of its own. */
#include "state/trie_mem.h"

#include "tests/lib/rng.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { PIECES = 20000, STEPS = 100000 };

struct piece {
    uint8_t *p;
    unsigned size_class;
    uint8_t fill;
};

static void check(const struct piece *x) {
    for (size_t i = 0; i < (size_t)x->size_class * TMEM_STEP; i++)
        cr_assert_eq(x->p[i], x->fill);
}

Test(trie_mem, pieces_keep_their_content) {
    struct tmem mem = {.live_bytes = 0};
    struct rng r = {rng_seed(7)};
    struct piece *pieces = calloc(PIECES, sizeof *pieces);
    cr_assert(pieces != NULL);
    size_t live = 0, most = 0;
    for (int step = 0; step < STEPS; step++) {
        struct piece *x = &pieces[rng_below(&r, PIECES)];
        size_t len = (size_t)x->size_class * TMEM_STEP;
        if (x->p != NULL) {
            check(x);
            tmem_give(&mem, x->p, x->size_class);
            live -= len;
            x->p = NULL;
        } else {
            x->size_class = 1 + (unsigned)rng_below(&r, TMEM_CLASSES - 1);
            x->fill = (uint8_t)rng_next(&r);
            x->p = tmem_take(&mem, x->size_class);
            cr_assert_eq((uintptr_t)x->p % TMEM_STEP, 0);
            len = (size_t)x->size_class * TMEM_STEP;
            memset(x->p, x->fill, len);
            live += len;
        }
        cr_assert_eq(mem.live_bytes, live);
        most = live > most ? live : most;
    }
    cr_assert_gt(most, (size_t)3 << 20, "no huge slab was reached: %zu", most);
    for (size_t i = 0; i < PIECES; i++)
        if (pieces[i].p != NULL)
            check(&pieces[i]);
    tmem_clear(&mem);
    cr_assert_eq(mem.live_bytes, 0);
    cr_assert(mem.slabs.list == NULL);
    free(pieces);
}

Test(trie_mem, freed_pieces_are_reused) {
    struct tmem mem = {.live_bytes = 0};
    void *p[64];
    for (size_t i = 0; i < 64; i++)
        p[i] = tmem_take(&mem, 5);
    for (size_t i = 0; i < 64; i++)
        tmem_give(&mem, p[i], 5);
    for (size_t i = 64; i-- > 0;)
        cr_assert(tmem_take(&mem, 5) == p[i]);
    tmem_clear(&mem);
}

/* Goal: what is left of a slab when the next piece does not fit is handed out as a piece of its own
 * class. */
Test(trie_mem, ends_of_slabs_are_used) {
    struct tmem mem = {.live_bytes = 0};
    enum { CLASS = TMEM_CLASSES - 1 };
    uint8_t *last = tmem_take(&mem, CLASS);
    size_t slab = mem.slabs.bytes, rest = mem.slabs.left % ((size_t)CLASS * TMEM_STEP);
    cr_assert_gt(rest, TMEM_STEP - 1, "this class leaves nothing: take another");
    for (uint8_t *p = last; mem.slabs.bytes == slab; p = tmem_take(&mem, CLASS))
        last = p;
    cr_assert(tmem_take(&mem, (unsigned)(rest / TMEM_STEP)) == last + (size_t)CLASS * TMEM_STEP);
    tmem_clear(&mem);
}
