/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/state/history.h"
#include "tests/lib/state/store_fixture.h"

#include <criterion/criterion.h>

TestSuite(store_unwind, .init = fixture_store_setup, .fini = fixture_store_teardown,
          .timeout = 120);

/* Goal: after going back, wherever the checkpoint stands, all rows are those of the block; applied
 * again they are those of the first time. Long histories: tests/sim/store_history.c. */
Test(store_unwind, back_and_again) {
    enum { BLOCKS = 40 };
    struct store *s = fixture_store_open(true);
    struct history h;
    struct fixture_rng r = fixture_rng_of(fixture_seed(6));
    history_open(&h, s, 1 << 16, true);
    static hash32 digests[BLOCKS][TABLE_COUNT];
    for (uint64_t b = 0; b < BLOCKS; b++) {
        history_apply(&h, b + 5, NULL);
        store_set_durable(s, b);
        struct store_view *v;
        cr_assert_eq(store_view_open(&v, s, b), ERR_OK);
        history_digests(v, digests[b]);
        store_view_close(v);
    }
    for (int round = 0; round < 30; round++) {
        uint64_t to = fixture_rng_below(&r, BLOCKS);
        history_unwind(&h, to, 1, 99);
        cr_assert_eq(store_head(s), to);
        cr_assert(store_durable(s) <= to);
        store_set_durable(s, to);
        if (fixture_rng_below(&r, 2) == 0)
            cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
        for (;;) {
            uint64_t b = h.count - 1;
            struct store_view *v;
            hash32 now[TABLE_COUNT];
            store_set_durable(s, b);
            cr_assert_eq(store_view_open(&v, s, b), ERR_OK);
            history_digests(v, now);
            cr_assert_eq(history_compare(digests[b], now, "again"), 0, "round %d block %d", round,
                         (int)b);
            store_view_close(v);
            if (b + 1 == BLOCKS)
                break;
            history_apply(&h, b + 1 + 5, NULL);
            if (fixture_rng_below(&r, 15) == 0)
                cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
        }
    }
    history_close(&h);
    store_close(s);
}

/* Goal: unwinds that follow each other without a checkpoint, more than a set has deltas. Rows of
 * NONE tables stay, all others go back. */
Test(store_unwind, without_a_checkpoint_between) {
    struct store *s = fixture_store_open(false);
    fixture_block_begin(s);
    fixture_put(s, "n", "genesis");
    fixture_block_end(s);
    for (int round = 0; round < 40; round++) {
        char text[16];
        uint64_t to = (uint64_t)round; /* a block more each time */
        snprintf(text, sizeof text, "round %d", round);
        for (int b = 0; b < 3; b++) {
            fixture_block_begin(s);
            fixture_put(s, "n", text);
            store_put(s, TABLE_KV, bytes_of("key", 3), bytes_of(text, strlen(text)));
            if (b < 2)
                store_put(s, TABLE_KV, bytes_of(text, strlen(text)), bytes_of("kept", 4));
            fixture_block_end(s);
        }
        struct store_applied at = {.epoch = 2, .seq = (uint64_t)round, .block = to + 1};
        cr_assert_eq(store_unwind(s, to + 1, &at, NULL), ERR_OK);
        store_set_durable(s, to + 1);
        struct store_view *v;
        bytes value;
        cr_assert_eq(store_view_open(&v, s, to + 1), ERR_OK);
        cr_expect_str_eq(fixture_get(v, "n"), text);
        for (int back = 0; back <= round; back++) {
            snprintf(text, sizeof text, "round %d", back);
            cr_expect(store_get(v, TABLE_KV, bytes_of(text, strlen(text)), &value));
        }
        cr_expect(store_get(v, TABLE_KV, bytes_of("key", 3), &value));
        cr_expect(value.len == strlen(text) && memcmp(value.ptr, text, value.len) == 0);
        store_view_close(v);
        cr_expect_str_eq(fixture_get_at(s, 0, "n"), "genesis");
        if (to > 0) {
            snprintf(text, sizeof text, "round %d", round - 1);
            cr_expect_str_eq(fixture_get_at(s, to, "n"), text);
        }
    }
    cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    cr_expect_str_eq(fixture_get_at(s, 40, "n"), "round 39");
    cr_expect_str_eq(fixture_get_at(s, 0, "n"), "genesis");
    store_close(s);
}

/* Goal: the position in the log: below the checkpoint LMDB's own, above it the next checkpoint's.
 */
Test(store_unwind, position) {
    struct store *s = fixture_store_open(false);
    for (int b = 0; b < 10; b++) {
        fixture_block_begin(s);
        fixture_put(s, "n", b < 5 ? "low" : "high");
        fixture_block_end(s);
    }
    cr_assert_eq(store_checkpoint_to(s, 6, NULL), ERR_OK);
    struct store_applied at = {.epoch = 2, .seq = 50, .block = 8};
    cr_assert_eq(store_unwind(s, 8, &at, NULL), ERR_OK);
    cr_assert_eq(store_applied(s).block, 6);
    cr_assert_eq(store_applied(s).epoch, 0);
    store_set_durable(s, 8);
    cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    cr_assert_eq(store_applied(s).seq, 50);
    cr_assert_eq(store_applied(s).epoch, 2);
    at = (struct store_applied){.epoch = 3, .seq = 51, .block = 2};
    cr_assert_eq(store_unwind(s, 2, &at, NULL), ERR_OK);
    cr_assert_eq(store_applied(s).block, 2);
    cr_assert_eq(store_applied(s).seq, 51);
    cr_assert_eq(store_unwind(s, 2, &at, NULL), ERR_OK); /* nothing to do */
    cr_assert_str_eq(fixture_get_at(s, 2, "n"), "low");
    store_close(s);
    s = fixture_store_open(false);
    cr_assert_eq(store_head(s), 2);
    cr_assert_eq(store_applied(s).seq, 51);
    store_close(s);
}

static const char *meta(struct store *s, const char *name) {
    static char text[32];
    struct store_view *v;
    bytes value;
    cr_assert_eq(store_view_open(&v, s, UINT64_MAX), ERR_OK);
    bool found = store_get(v, TABLE_META, bytes_of(name, strlen(name)), &value);
    if (found) {
        memcpy(text, value.ptr, value.len);
        text[value.len] = 0;
    }
    store_view_close(v);
    return found ? text : NULL;
}

/* Goal: rows of class NONE outlive the blocks that wrote them, in delta and LMDB. */
Test(store_unwind, none_rows_stay) {
    struct store *s = fixture_store_open(false);
    for (int b = 0; b < 10; b++) {
        char value[16];
        (void)snprintf(value, sizeof value, "v%d", b);
        fixture_block_begin(s);
        store_put(s, TABLE_META, bytes_of("note", 4), bytes_of(value, 2));
        fixture_block_end(s);
    }
    struct store_applied at = {.block = 7};
    cr_assert_eq(store_unwind(s, 7, &at, NULL), ERR_OK);
    cr_assert_str_eq(meta(s, "note"), "v9");
    store_set_durable(s, 7);
    cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    cr_assert_str_eq(meta(s, "note"), "v9");
    fixture_block_begin(s);
    store_put(s, TABLE_META, bytes_of("note", 4), bytes_of("w8", 2));
    fixture_block_end(s);
    at.block = 3;
    cr_assert_eq(store_unwind(s, 3, &at, NULL),
                 ERR_OK); /* below the checkpoint, the newest note in the delta */
    cr_assert_str_eq(meta(s, "note"), "w8");
    store_close(s);
}

/* Goal: pruned blocks can be neither read nor reached, and pruning goes in steps to its end. */
Test(store_unwind, pruned) {
    struct store *s = fixture_store_open(true);
    struct history h;
    history_open(&h, s, 1 << 16, true);
    for (uint64_t b = 0; b < 40; b++)
        history_apply(&h, b, NULL);
    store_set_durable(s, 39);
    cr_assert_eq(store_checkpoint_to(s, 30, NULL), ERR_OK);
    cr_assert_eq(store_first_block(s), 0);
    cr_assert(store_prune(s, 20, 10));
    cr_assert_eq(store_first_block(s), 20);
    while (store_prune(s, 20, 50))
        continue;
    struct store_stats st;
    cr_assert_eq(store_stat(s, &st), ERR_OK);
    cr_assert(st.lookups_waiting == 0 && st.rows[TABLE_HIA] > 0);
    cr_assert_leq(st.rows[TABLE_HIA], st.rows[TABLE_CSA]);
    cr_assert_leq(st.rows[TABLE_HIS], st.rows[TABLE_CSS]);
    struct store_view *v;
    cr_assert_eq(store_view_open(&v, s, 19), ERR_PRUNED);
    struct store_applied at = {.block = 19};
    struct err_ctx ec = {0};
    cr_assert_eq(store_unwind(s, 19, &at, &ec), ERR_PRUNED);
    cr_assert(strstr(ec.text, "from block 20 on") != NULL, "%s", ec.text);
    (void)store_prune(s, 1000, 100000); /* no further than the checkpoint */
    cr_assert_eq(store_first_block(s), 30);
    struct fixture_rng r = fixture_rng_of(1);
    cr_assert_eq(store_view_open(&v, s, 30), ERR_OK);
    cr_assert_eq(history_check_view(&h, v, &r, 0), 0);
    store_view_close(v);
    history_unwind(&h, 30, 0, 0);
    history_close(&h);
    store_close(s);
    s = fixture_store_open(true);
    cr_assert_eq(store_first_block(s), 30);
    store_close(s);
}

/* Goal: rows of NONE tables outlive an unwind below the checkpoint even when the process dies right
 * after it, and one to the checkpoint's own block at the next checkpoint. Method: rows that only
 * the deltas have; then a reopened store. */
Test(store_unwind, none_rows_outlive) {
    struct store *s = fixture_store_open(false);
    for (int b = 0; b < 6; b++) {
        char value[8];
        snprintf(value, sizeof(value), "v%d", b);
        fixture_block_begin(s);
        fixture_put(s, "n", value);
        store_put(s, TABLE_KV, bytes_of("key", 3), bytes_of(value, 2));
        fixture_block_end(s);
        if (b == 3)
            cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    }
    struct store_applied at = {.epoch = 2, .seq = 50, .block = 1};
    cr_assert_eq(store_unwind(s, 1, &at, NULL), ERR_OK);
    store_close(s);
    s = fixture_store_open(false);
    struct store_view *v;
    bytes value;
    store_set_durable(s, 1);
    cr_assert_eq(store_view_open(&v, s, 1), ERR_OK);
    cr_assert(store_get(v, TABLE_KV, bytes_of("key", 3), &value));
    cr_assert_eq(value.len, 2);
    cr_assert_eq(memcmp(value.ptr, "v5", 2), 0);
    store_view_close(v);
    cr_assert_str_eq(fixture_get_at(s, 1, "n"), "v1");

    fixture_block_begin(s);
    fixture_block_end(s);
    cr_assert_eq(store_checkpoint(s, NULL), ERR_OK); /* LMDB is at block 2 */
    fixture_block_begin(s);
    store_put(s, TABLE_KV, bytes_of("key", 3), bytes_of("v9", 2));
    fixture_block_end(s);
    at = (struct store_applied){.epoch = 3, .seq = 60, .block = 2};
    cr_assert_eq(store_unwind(s, 2, &at, NULL), ERR_OK);
    fixture_block_begin(s);
    fixture_block_end(s);
    cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    store_close(s);
    s = fixture_store_open(false);
    store_set_durable(s, 3);
    cr_assert_eq(store_view_open(&v, s, 3), ERR_OK);
    cr_assert(store_get(v, TABLE_KV, bytes_of("key", 3), &value));
    cr_assert_eq(memcmp(value.ptr, "v9", 2), 0);
    store_view_close(v);
    store_close(s);
}
