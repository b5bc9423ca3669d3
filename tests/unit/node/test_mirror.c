/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the mirror takes entries in their order alone, copies them, is cut where the parent forks,
 * and forgets from below without losing its place. */
#include "node/mirror.h"

#include "tests/lib/temp_dir.h"

#include <criterion/criterion.h>
#include <unistd.h>

static struct mirror_delayed delayed(uint64_t index, uint64_t parent_block, const char *text) {
    struct mirror_delayed d = {.parent_block = parent_block};
    d.acc.b[0] = (uint8_t)(index + 1);
    d.message.delayed_read = index + 1;
    d.message.data = bytes_of(text, strlen(text));
    return d;
}

static struct mirror_batch batch(uint64_t index, uint64_t parent_block) {
    struct mirror_batch b = {.parent_block = parent_block, .data = bytes_of("batch", 5)};
    b.acc.b[31] = (uint8_t)(index + 1);
    return b;
}

static void fill(struct mirror *m) {
    struct mirror_point at = {.parent_block = 10, .scan_from = 10};
    cr_assert_eq(mirror_init(m, NULL), ERR_OK);
    mirror_restart(m, &at);
    for (uint64_t i = 0; i < 6; i++) {
        struct mirror_delayed d = delayed(i, 10 + i, "delayed");
        struct mirror_batch b = batch(i, 10 + i);
        cr_assert_eq(mirror_add_delayed(m, &d), ERR_OK);
        cr_assert_eq(mirror_add_batch(m, i, &b), ERR_OK);
    }
}

Test(mirror, order_is_kept_and_data_copied) {
    struct mirror m;
    struct arena a;
    struct mirror_delayed d = delayed(7, 20, "late"), got;
    struct mirror_batch b = batch(9, 20), got_batch;
    fill(&m);
    arena_init(&a, 4096, 1 << 20);
    cr_expect_eq(mirror_add_delayed(&m, &d), ERR_MISMATCH);
    cr_expect_eq(mirror_add_batch(&m, 9, &b), ERR_MISMATCH);
    cr_assert_eq(mirror_delayed_at(&m, &a, 5, &got), ERR_OK);
    cr_expect_eq(got.parent_block, 15);
    cr_expect_eq(got.message.data.len, 7);
    cr_expect_eq(memcmp(got.message.data.ptr, "delayed", 7), 0);
    cr_expect_eq(mirror_delayed_at(&m, &a, 6, &got), ERR_NOT_FOUND);
    cr_assert_eq(mirror_batch_at(&m, &a, 0, &got_batch), ERR_OK);
    cr_expect_eq(got_batch.data.len, 5);
    struct mirror_point end = mirror_end(&m);
    cr_expect_eq(end.batch_count, 6);
    cr_expect_eq(end.delayed_acc.b[0], 6);
    arena_clear(&a);
    mirror_clear(&m);
}

/* What anybody may enqueue without end does not keep the mirror from what lies behind it. */
Test(mirror, what_is_over_its_share_of_memory_lies_in_a_file) {
    struct mirror m;
    struct arena a;
    char dir[64];
    struct mirror_delayed got;
    struct mirror_batch got_batch;
    struct mirror_point at = {.parent_block = 10};
    temp_dir_make(dir, sizeof(dir), "mirror");
    arena_init(&a, 4096, 1 << 20);
    cr_assert_eq(mirror_init(&m, dir), ERR_OK);
    mirror_restart(&m, &at);
    m.data_max = 8;
    for (uint64_t i = 0; i < 6; i++) {
        char text[8];
        snprintf(text, sizeof(text), "text %d", (int)i);
        struct mirror_delayed d = delayed(i, 10 + i, text);
        struct mirror_batch b = batch(i, 10 + i);
        cr_expect_not(mirror_full(&m));
        cr_assert_eq(mirror_add_delayed(&m, &d), ERR_OK);
        cr_assert_eq(mirror_add_batch(&m, i, &b), ERR_OK);
    }
    cr_expect_eq(m.data_bytes, 6u + 5u);
    cr_expect_eq(m.file_bytes, 5u * (6 + 5));
    cr_assert_eq(mirror_delayed_at(&m, &a, 5, &got), ERR_OK);
    cr_expect_eq(memcmp(got.message.data.ptr, "text 5", 6), 0);
    cr_assert_eq(mirror_batch_at(&m, &a, 3, &got_batch), ERR_OK);
    cr_expect_eq(memcmp(got_batch.data.ptr, "batch", 5), 0);
    cr_assert_eq(mirror_delayed_at(&m, NULL, 5, &got), ERR_OK);
    cr_expect_eq(got.message.data.len, 0u);
    cr_assert(mirror_cut(&m, 14));
    cr_expect_eq(m.file_bytes, 4u * (6 + 5));
    mirror_forget(&m, 5, 5);
    cr_expect(m.file_bytes == 0 && m.file_end == 0 && m.data_bytes == 0);
    m.data_max = 0;
    struct mirror_delayed d = delayed(5, 16, "again");
    cr_assert_eq(mirror_add_delayed(&m, &d), ERR_OK);
    cr_assert_eq(mirror_delayed_at(&m, &a, 5, &got), ERR_OK);
    cr_expect_eq(memcmp(got.message.data.ptr, "again", 5), 0);
    mirror_clear(&m);
    cr_expect_eq(rmdir(dir), 0, "it left no file behind");
    arena_clear(&a);
}

Test(mirror, a_fork_cuts_what_lies_above) {
    struct mirror m;
    fill(&m);
    mirror_set_synced(&m);
    struct mirror_state before = mirror_state(&m);
    cr_expect(before.synced);
    cr_assert(mirror_cut(&m, 12));
    struct mirror_state s = mirror_state(&m);
    cr_expect_eq(s.batch_count, 3);
    cr_expect_eq(s.delayed_count, 3);
    cr_expect_eq(s.cuts, before.cuts + 1);
    cr_expect_not(s.synced, "what was read anew is not known to be all");
    struct mirror_delayed d = delayed(3, 13, "another");
    cr_expect_eq(mirror_add_delayed(&m, &d), ERR_OK);
    cr_expect_not(mirror_cut(&m, 9), "it begins at 10");
    mirror_clear(&m);
}

Test(mirror, forgets_from_below) {
    struct mirror m;
    struct arena a;
    struct mirror_batch b;
    struct mirror_delayed d;
    fill(&m);
    arena_init(&a, 4096, 1 << 20);
    mirror_forget(&m, 4, 2);
    struct mirror_state s = mirror_state(&m);
    cr_expect_eq(s.batch_first, 4);
    cr_expect_eq(s.delayed_first, 2);
    cr_expect_eq(s.batch_count, 6);
    cr_expect_eq(mirror_batch_at(&m, &a, 3, &b), ERR_NOT_FOUND);
    cr_expect_eq(mirror_batch_at(&m, &a, 4, &b), ERR_OK);
    cr_expect_eq(mirror_delayed_at(&m, &a, 1, &d), ERR_NOT_FOUND);
    cr_expect_eq(mirror_delayed_at(&m, &a, 2, &d), ERR_OK);
    cr_expect_not(mirror_cut(&m, 12), "the batch of block 13 is forgotten");
    mirror_forget(&m, 100, 100);
    struct mirror_point end = mirror_end(&m);
    cr_expect_eq(end.batch_count, 6);
    cr_expect_eq(end.batch_acc.b[31], 6);
    cr_expect_eq(end.delayed_acc.b[0], 6);
    cr_expect_eq(m.data_bytes, 0);
    arena_clear(&a);
    mirror_clear(&m);
}

Test(mirror, heads_change_the_version_once) {
    struct mirror m;
    struct mirror_heads h = {.latest = {.number = 5}, .seen_ms = 1000}, got;
    cr_assert_eq(mirror_init(&m, NULL), ERR_OK);
    cr_expect_not(mirror_heads(&m, &got));
    mirror_set_heads(&m, &h);
    uint64_t version = m.version;
    h.seen_ms = 2000;
    mirror_set_heads(&m, &h);
    cr_expect_eq(m.version, version);
    cr_assert(mirror_heads(&m, &got));
    cr_expect_eq(got.seen_ms, 1000, "when it was first seen");
    h.safe = 3;
    mirror_set_heads(&m, &h);
    cr_expect_neq(m.version, version);
    mirror_clear(&m);
}
