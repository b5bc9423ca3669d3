/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/state/history.h"
#include "tests/lib/state/store_fixture.h"

#include <criterion/criterion.h>

TestSuite(store_view, .init = fixture_store_setup, .fini = fixture_store_teardown, .timeout = 120);

/* Goal: views opened at every block show it, before, between and after checkpoints, in delta and
 * LMDB. */
Test(store_view, every_block_across_checkpoints) {
    enum { BLOCKS = 60 };
    struct store *s = fixture_store_open(true);
    struct history h;
    struct fixture_rng r = fixture_rng_of(fixture_seed(5));
    history_open(&h, s, 1 << 16, true);
    struct store_view *pinned[BLOCKS];
    static hash32 digests[BLOCKS][TABLE_COUNT];
    for (uint64_t b = 0; b < BLOCKS; b++) {
        history_apply(&h, b + 1000, NULL);
        store_set_durable(s, b);
        cr_assert_eq(store_view_open(&pinned[b], s, b), ERR_OK);
        history_digests(pinned[b], digests[b]);
        if (b == 20 || b == 45)
            cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    }
    for (int round = 0; round < 2; round++) {
        for (uint64_t b = 0; b < BLOCKS; b++) {
            struct store_view *fresh;
            hash32 now[TABLE_COUNT], root;
            cr_assert_eq(history_check_view(&h, pinned[b], &r, 0), 0);
            history_digests(pinned[b], now);
            cr_assert_eq(history_compare(digests[b], now, "pinned"), 0, "block %d", (int)b);
            cr_assert_eq(store_view_open(&fresh, s, b), ERR_OK);
            cr_assert_eq(history_check_view(&h, fresh, &r, 0), 0);
            history_digests(fresh, now);
            cr_assert_eq(history_compare(digests[b], now, "fresh"), 0, "block %d", (int)b);
            cr_assert_eq(store_rebuild_root(fresh, &root, NULL), ERR_OK);
            cr_assert(hash32_eq(&root, &h.blocks[b].root));
            store_view_close(fresh);
        }
        cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    }
    for (uint64_t b = 0; b < BLOCKS; b++)
        store_view_close(pinned[b]);
    history_close(&h);
    store_close(s);
}

/* Goal: limits and refusals. */
Test(store_view, limits) {
    struct store *s = fixture_store_open(false);
    fixture_block_begin(s);
    fixture_block_end(s);
    static struct store_view *views[STORE_VIEWS_MAX];
    size_t open = 0;
    while (open < STORE_VIEWS_MAX && store_view_open(&views[open], s, 0) == ERR_OK)
        open++;
    cr_assert_eq(open, STORE_VIEWS_MAX - 1); /* one is the store's own */
    struct store_view *v;
    cr_assert_eq(store_view_open(&v, s, 0), ERR_BUSY);
    while (open > 0)
        store_view_close(views[--open]);
    cr_assert_eq(store_view_open(&v, s, 1), ERR_NOT_FOUND);
    cr_assert_eq(store_view_open(&v, s, 0), ERR_OK);
    cr_assert_eq(store_view_block(v), 0);
    bytes value;
    cr_assert(!store_get(v, TABLE_TXL, bytes_of(NULL, 0), &value));
    static uint8_t long_key[600];
    cr_assert(!store_get(v, TABLE_TXL, bytes_of(long_key, sizeof long_key), &value));
    store_view_close(v);
    store_view_close(NULL);
    store_close(s);
}

/* Goal: a view is stale exactly when its block was unwound, whatever is put there afterwards. */
Test(store_view, stale_after_unwind) {
    struct store *s = fixture_store_open(false);
    for (int b = 0; b < 10; b++) {
        fixture_block_begin(s);
        fixture_put(s, "n", b % 2 == 0 ? "even" : "odd");
        fixture_block_end(s);
    }
    struct store_view *low, *high;
    cr_assert_eq(store_view_open(&low, s, 4), ERR_OK);
    cr_assert_eq(store_view_open(&high, s, 8), ERR_OK);
    struct store_applied at = {.block = 5};
    cr_assert_eq(store_unwind(s, 5, &at, NULL), ERR_OK);
    cr_assert(!store_view_stale(low));
    cr_assert(store_view_stale(high));
    cr_assert_str_eq(fixture_get(low, "n"), "even");
    (void)fixture_get(high, "n"); /* void, but no harm */
    for (int b = 6; b < 10; b++) {
        fixture_block_begin(s);
        fixture_put(s, "n", "other");
        fixture_block_end(s);
    }
    cr_assert(store_view_stale(high));
    cr_assert_str_eq(fixture_get_at(s, 8, "n"), "other");
    store_view_close(low);
    store_view_close(high);
    store_close(s);
}

/* Goal: a view that rests keeps nothing from being reused: the file stops growing under the same
 * rows. */
Test(store_view, idle_views_do_not_pin_pages) {
    struct store *s = fixture_store_open(false);
    struct store_view *idle = NULL;
    uint64_t sizes[3];
    for (int round = 0; round < 60; round++) {
        fixture_block_begin(s);
        for (int i = 0; i < 200; i++) {
            char key[16], value[200];
            (void)snprintf(key, sizeof key, "key%d", i);
            memset(value, 'a' + round % 20, sizeof value);
            value[sizeof value - 1] = 0;
            fixture_put(s, key, value);
        }
        fixture_block_end(s);
        if (round == 5)
            cr_assert_eq(store_view_open(&idle, s, 5), ERR_OK);
        cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
        (void)store_prune(s, (uint64_t)(round > 2 ? round - 2 : 0), 100000);
        struct store_stats st;
        cr_assert_eq(store_stat(s, &st), ERR_OK);
        sizes[round / 20] = st.lmdb_bytes_used;
    }
    cr_assert(sizes[2] < sizes[0] + sizes[0] / 2, "%llu, then %llu", (unsigned long long)sizes[0],
              (unsigned long long)sizes[2]);
    (void)fixture_get(idle, "key1");
    cr_assert(store_view_stale(idle)); /* pruned meanwhile */
    store_view_close(idle);
    store_close(s);
}
