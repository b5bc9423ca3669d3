/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/state/history.h"
#include "tests/lib/state/store_fixture.h"

#include <criterion/criterion.h>

TestSuite(store_checkpoint, .init = fixture_store_setup, .fini = fixture_store_teardown,
          .timeout = 60);

/* Goal: how far checkpoints go: the durable block, or less where asked; nothing to do is no
 * transaction. */
Test(store_checkpoint, how_far) {
    struct store *s = fixture_store_open(true);
    struct history h;
    history_open(&h, s, 1 << 20, true);
    cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    cr_assert_eq(store_applied(s).block, STORE_NO_BLOCK);
    for (uint64_t b = 0; b < 20; b++)
        history_apply(&h, b, NULL);
    cr_assert_eq(store_checkpoint(s, NULL), ERR_OK); /* none is durable */
    cr_assert_eq(store_applied(s).block, STORE_NO_BLOCK);
    store_set_durable(s, 15);
    cr_assert_eq(store_checkpoint_to(s, STORE_NO_BLOCK, NULL), ERR_OK);
    cr_assert_eq(store_applied(s).block, STORE_NO_BLOCK);
    size_t all = store_dirty_rows(s);
    cr_assert_eq(store_checkpoint_to(s, 7, NULL), ERR_OK);
    cr_assert_eq(store_applied(s).block, 7);
    size_t after_7 = store_dirty_rows(s); /* of the same delta */
    cr_assert(after_7 > 0 && after_7 < all);
    cr_assert_eq(store_checkpoint_to(s, 100, NULL), ERR_OK);
    cr_assert_eq(store_applied(s).block, 15);
    size_t after_15 = store_dirty_rows(s);
    cr_assert(after_15 > 0 && after_15 < after_7);
    history_apply(&h, 20, NULL);
    cr_assert(store_dirty_rows(s) > after_15);
    store_set_durable(s, 20);
    cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    struct store_stats st;
    cr_assert_eq(store_stat(s, &st), ERR_OK);
    cr_assert_eq(st.checkpoint_count, 3);
    cr_assert(st.checkpoint_rows > 100 && st.lmdb_bytes_used > 8192);
    cr_assert(st.lmdb_bytes_live > 8192 && st.lmdb_bytes_live < st.lmdb_bytes_used);
    cr_assert_eq(st.rows[TABLE_HDR], 21);
    cr_assert_eq(st.rows[TABLE_CSA] + st.rows[TABLE_CSS],
                 st.rows[TABLE_HIA] + st.rows[TABLE_HIS] + st.history_waiting);
    cr_assert_eq(store_dirty_rows(s), 0);
    history_close(&h);
    store_close(s);
}

/* Goal: a checkpoint while a block is open takes what is durable and leaves the block alone. */
Test(store_checkpoint, beside_an_open_block) {
    struct store *s = fixture_store_open(false);
    fixture_block_begin(s);
    fixture_put(s, "a", "0");
    fixture_block_end(s);
    fixture_block_begin(s);
    fixture_put(s, "a", "1");
    cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    cr_assert_eq(store_applied(s).block, 0);
    fixture_put(s, "b", "1");
    fixture_put(s, "a", "0"); /* back: no change after all */
    fixture_block_end(s);
    cr_assert_str_eq(fixture_get_at(s, 0, "a"), "0");
    cr_assert_str_eq(fixture_get_at(s, 1, "a"), "0");
    cr_assert_str_eq(fixture_get_at(s, 1, "b"), "1");
    cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    cr_assert_eq(store_dirty_rows(s), 0);
    struct store_stats st;
    cr_assert_eq(store_stat(s, &st), ERR_OK);
    cr_assert_eq(st.rows[TABLE_UNDO], 1);
    cr_assert_eq(st.rows[TABLE_TXL], 2);
    store_close(s);
}

/* Goal: when LMDB is full the checkpoint fails with a sentence, nothing is lost, and reading and
 * writing go on. */
Test(store_checkpoint, full_disk) {
    struct store *s = NULL;
    struct store_options o = {.dir = fixture_store_dir, .map_bytes = 1 << 19, .no_sync = true};
    cr_assert_eq(store_open(&s, &o, NULL), ERR_OK);
    static char value[1500];
    memset(value, 'v', sizeof value - 1);
    for (int b = 0; b < 30; b++) {
        fixture_block_begin(s);
        for (int i = 0; i < 30; i++) {
            char key[16];
            (void)snprintf(key, sizeof key, "%d", b * 30 + i);
            fixture_put(s, key, value);
        }
        fixture_block_end(s);
    }
    struct err_ctx ec = {0};
    for (int i = 0; i < 12; i++) {
        cr_assert_eq(store_checkpoint(s, &ec), ERR_IO);
        cr_assert(strstr(ec.text, "checkpoint of block 29") != NULL, "%s", ec.text);
    }
    cr_assert_eq(store_applied(s).block, STORE_NO_BLOCK);
    cr_assert_str_eq(fixture_get_at(s, 29, "700"), value);
    fixture_block_begin(s);
    fixture_put(s, "more", "1");
    fixture_block_end(s);
    cr_assert_str_eq(fixture_get_at(s, 30, "more"), "1");
    store_close(s);
}

/* Digests of the head's tables; then an empty folder for the next store. */
static void close_digested(struct store *s, struct history *h, hash32 out[TABLE_COUNT]) {
    struct store_view *v;
    cr_assert_eq(store_view_open(&v, s, h->count - 1), ERR_OK);
    history_digests(v, out);
    store_view_close(v);
    history_close(h);
    store_close(s);
    fixture_store_teardown();
    fixture_store_setup();
}

/* Goal: the same chain has the same rows however often checkpoints are made. */
Test(store_checkpoint, rhythm_changes_no_row) {
    hash32 digests[3][TABLE_COUNT];
    static const uint64_t rhythms[3] = {1, 7, 1000};
    for (int run = 0; run < 3; run++) {
        struct store *s = fixture_store_open(true);
        struct history h;
        history_open(&h, s, 1 << 16, false);
        for (uint64_t b = 0; b < 50; b++) {
            history_apply(&h, b * 31, NULL);
            store_set_durable(s, b);
            if (b % rhythms[run] == rhythms[run] - 1)
                cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
        }
        close_digested(s, &h, digests[run]);
        if (run > 0)
            cr_assert_eq(history_compare(digests[0], digests[run], "rhythm"), 0);
    }
}

/* A store whose checkpoints' transactions change so many pages at most. */
static struct store *open_with_pages(size_t pages) {
    struct store *s = NULL;
    struct store_options o = {.dir = fixture_store_dir,
                              .map_bytes = 1ULL << 32,
                              .no_sync = true,
                              .allow_wipe = true,
                              .checkpoint_pages = pages};
    cr_assert_eq(store_open(&s, &o, NULL), ERR_OK);
    return s;
}

/* Goal: a checkpoint with too few pages for all blocks goes there in several transactions, each at
 * the end of a block and none (but that of a single block) of more pages; the rows are the same,
 * and memory of rows is given back. */
Test(store_checkpoint, as_many_pages_as_allowed) {
    static const size_t limits[3] = {0, 80, 1};
    hash32 digests[3][TABLE_COUNT];
    for (int run = 0; run < 3; run++) {
        struct store *s = open_with_pages(limits[run]);
        struct history h;
        struct store_stats st;
        history_open(&h, s, 1 << 16, false);
        size_t empty = store_delta_bytes(s), most = 0, before = 0;
        for (uint64_t round = 0; round < 4; round++) {
            for (uint64_t b = 0; b < 100; b++)
                history_apply(&h, round * 100 + b, NULL);
            store_set_durable(s, h.count - 1);
            cr_assert(store_delta_bytes(s) > empty, "%zu %zu", store_delta_bytes(s), empty);
            cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
            cr_assert_eq(store_applied(s).block, h.count - 1);
            cr_assert_eq(store_dirty_rows(s), 0);
            cr_assert(store_delta_bytes(s) <= empty);
            cr_assert_eq(store_stat(s, &st), ERR_OK);
            most = st.checkpoint_pages_written - before > most
                       ? st.checkpoint_pages_written - before
                       : most;
            before = st.checkpoint_pages_written;
        }
        if (run == 0) {
            cr_assert_eq(st.checkpoint_count, 4);
            cr_assert(most > 80, "the limit of the second run would not be felt: %llu pages",
                      (unsigned long long)most);
        } else if (run == 1) {
            cr_assert(st.checkpoint_count > 4 && st.checkpoint_count < 200);
            cr_assert(st.checkpoint_pages_written <= 80 * st.checkpoint_count);
        } else {
            cr_assert_eq(st.checkpoint_count, 400, "a block each");
        }
        close_digested(s, &h, digests[run]);
        if (run > 0)
            cr_assert_eq(history_compare(digests[0], digests[run], "pages"), 0);
    }
}

/* Goal: memory of rows that a checkpoint moved is told of while it is kept for those to come, and
 * both together are never more than rows had at once. */
Test(store_checkpoint, spare_memory_is_told) {
    static const uint8_t value[STORE_VALUE_MAX_BYTES] = {1};
    struct store *s = fixture_store_open(false);
    struct store_stats st;
    char key[32];
    for (int round = 0; round < 3; round++) {
        fixture_block_begin(s);
        for (int i = 0; i < 4000; i++) {
            snprintf(key, sizeof key, "%d.%d", round, i);
            store_put(s, TABLE_TXL, bytes_of(key, strlen(key)), bytes_of(value, sizeof value));
        }
        fixture_block_end(s);
        size_t used = store_delta_bytes(s);
        cr_assert_eq(store_stat(s, &st), ERR_OK);
        cr_assert_gt(used, sizeof value * 4000);
        cr_assert_leq(st.spare_bytes, round == 0 ? 0 : (size_t)4 << 20, "round %d", round);
        cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
        cr_assert_eq(store_stat(s, &st), ERR_OK);
        cr_assert_geq(st.spare_bytes, (size_t)4 << 20, "round %d", round);
        cr_assert_leq(store_delta_bytes(s) + st.spare_bytes, used + ((size_t)1 << 20));
    }
    store_close(s);
}

/* Goal: rows are cut in pieces of about one transaction while blocks come, also when nothing is
 * moved; a piece is told of once it is durable, and moving it is one transaction. */
Test(store_checkpoint, pieces_of_one_transaction) {
    struct store *s = open_with_pages(100);
    struct history h;
    struct store_stats st;
    uint64_t end, moved = 0, block = 0, transactions = 0;
    history_open(&h, s, 1 << 16, false);
    for (uint64_t round = 0; round < 20; round++) {
        for (; !store_piece(s, &end); block++) {
            cr_assert(block < 10000, "no piece is ever full");
            history_apply(&h, block, NULL);
            store_set_durable(s, block);
        }
        cr_assert(end < block && (round == 0 || end > moved));
        cr_assert_eq(store_checkpoint_to(s, end, NULL), ERR_OK);
        moved = end;
        cr_assert_eq(store_applied(s).block, end);
        cr_assert_eq(store_stat(s, &st), ERR_OK);
        cr_assert(st.checkpoint_count - transactions <= (round < 2 ? 8 : 2));
        transactions = st.checkpoint_count;
    }
    for (uint64_t b = 0; b < 1000; b++, block++)
        history_apply(&h, block, NULL);
    cr_assert_not(store_piece(s, &end), "not durable");
    store_set_durable(s, block - 1);
    cr_assert(store_piece(s, &end));
    cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    cr_assert_eq(store_applied(s).block, block - 1);
    cr_assert_not(store_piece(s, &end));
    history_close(&h);
    store_close(s);
    struct store *any = open_with_pages(0);
    cr_assert_not(store_piece(any, &end));
    store_close(any);
}

static void count_rest(void *ctx) {
    ++*(uint64_t *)ctx;
}

/* Goal: `rest` is called in every checkpoint that moves rows, as often as they are many, until it
 * is taken away. */
Test(store_checkpoint, rests_between_rows) {
    struct store *s = open_with_pages(0);
    struct history h;
    struct store_stats st;
    uint64_t rests = 0;
    history_open(&h, s, 1 << 16, false);
    for (uint64_t b = 0; b < 100; b++)
        history_apply(&h, b, NULL);
    store_set_durable(s, 99);
    store_set_rest(s, count_rest, &rests);
    cr_assert_eq(store_checkpoint_to(s, 49, NULL), ERR_OK);
    cr_assert_eq(store_stat(s, &st), ERR_OK);
    cr_assert(rests >= st.checkpoint_rows / 16 && rests <= st.checkpoint_rows,
              "%llu rests of %llu rows", (unsigned long long)rests,
              (unsigned long long)st.checkpoint_rows);
    cr_assert(rests > 10);
    store_set_rest(s, NULL, NULL);
    uint64_t before = rests;
    cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    cr_assert_eq(rests, before);
    history_close(&h);
    store_close(s);
}
