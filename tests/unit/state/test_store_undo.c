/* SPDX-License-Identifier: Apache-2.0 */
#include "state/store_internal.h"
#include "tests/lib/state/store_fixture.h"

#include <criterion/criterion.h>

TestSuite(store_undo, .timeout = 60);

enum { ROW_MAX = 522 };

static void fill(struct fixture_rng *r, uint8_t *b, size_t len) {
    for (size_t i = 0; i < len; i++)
        b[i] = (uint8_t)fixture_rng_below(r, 256);
}

static bool side_eq(struct undo_side a, struct undo_side b) {
    return a.absent == b.absent && (a.absent || bytes_cmp(a.row, b.row) == 0);
}

/* Goal: what is encoded comes back, from rows that differ in any number of places, in length, or
 * are absent; into scratch that holds the later row itself, as a walk through several blocks does.
 */
Test(store_undo, comes_back) {
    struct fixture_rng r = fixture_rng_of(fixture_seed(31));
    struct buf b;
    struct undo_scratch scratch;
    buf_init(&b, 1 << 12);
    for (int i = 0; i < 20000; i++) {
        uint8_t old_row[ROW_MAX], row[ROW_MAX];
        size_t len = fixture_rng_below(&r, ROW_MAX + 1);
        fill(&r, old_row, sizeof old_row);
        memcpy(row, old_row, sizeof row);
        for (uint64_t runs = fixture_rng_below(&r, 5); len > 0 && runs > 0; runs--) {
            size_t at = fixture_rng_below(&r, len), n = 1 + fixture_rng_below(&r, 40);
            fill(&r, row + at, at + n < len ? n : len - at);
        }
        size_t row_len = fixture_rng_below(&r, 4) == 0 ? fixture_rng_below(&r, ROW_MAX + 1) : len;
        struct undo_side old = {fixture_rng_below(&r, 8) == 0, bytes_of(old_row, len)};
        struct undo_side now = {fixture_rng_below(&r, 8) == 0, bytes_of(row, row_len)};
        enum table_id table = fixture_rng_below(&r, 2) == 0 ? TABLE_TRI_A : TABLE_TXL;
        undo_encode(&b, table, old, now);
        cr_assert(b.len <= 1 + len);
        cr_assert(side_eq(undo_decode(&scratch, buf_bytes(&b), now), old), "round %d", i);
        memcpy(scratch.b, row, row_len);
        now.row = bytes_of(scratch.b, row_len);
        cr_assert(side_eq(undo_decode(&scratch, buf_bytes(&b), now), old), "in place, %d", i);
    }
    buf_clear(&b);
}

/* Goal: one changed reference of a full branch record costs about a reference, in tables of branch
 * records alone. */
Test(store_undo, costs_what_changed) {
    struct fixture_rng r = fixture_rng_of(fixture_seed(32));
    uint8_t old_row[ROW_MAX], row[ROW_MAX];
    struct buf b;
    buf_init(&b, 1 << 12);
    fill(&r, old_row, sizeof old_row);
    memcpy(row, old_row, sizeof row);
    for (size_t i = 0; i < 32; i++)
        row[100 + i] ^= 0x55;
    struct undo_side old = {.row = bytes_of(old_row, sizeof old_row)};
    struct undo_side now = {.row = bytes_of(row, sizeof row)};
    undo_encode(&b, TABLE_TRI_S, old, now);
    cr_assert_eq(b.len, 1 + 4 + 32);
    undo_encode(&b, TABLE_TXL, old, now);
    cr_assert_eq(b.len, 1 + sizeof old_row);
    fill(&r, row, sizeof row);
    undo_encode(&b, TABLE_TRI_S, old, now);
    cr_assert_eq(b.len, 1 + sizeof old_row);
    cr_assert_eq(b.ptr[0], UNDO_ROW);
    buf_clear(&b);
}
