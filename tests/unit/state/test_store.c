/* SPDX-License-Identifier: Apache-2.0 */
#include "state/store.h"
#include "tests/lib/state/fixture.h"
#include "tests/lib/state/history.h"

#include <criterion/criterion.h>
#include <stdio.h>

static char dir[FIXTURE_PATH_MAX];
static void setup(void) {
    fixture_dir_make(dir);
}
static void teardown(void) {
    fixture_dir_remove(dir);
}

static struct store *open_store(void) {
    struct store *s = NULL;
    struct err_ctx ec = {0};
    struct store_options o = {.dir = dir, .allow_wipe = true};
    cr_assert_eq(store_open(&s, &o, &ec), ERR_OK, "%s", ec.text);
    return s;
}

TestSuite(store, .init = setup, .fini = teardown, .timeout = 120);

/* Goal: a new store is empty, a second opener is refused, META survives. */
Test(store, open_close) {
    struct store *s = open_store(), *other = NULL;
    cr_assert_eq(store_head(s), STORE_NO_BLOCK);
    cr_assert_eq(store_durable(s), STORE_NO_BLOCK);
    cr_assert_eq(store_applied(s).block, STORE_NO_BLOCK);
    cr_assert_eq(store_applied(s).seq, 0);
    struct store_options o = {.dir = dir};
    struct err_ctx ec = {0};
    cr_assert_eq(store_open(&other, &o, &ec), ERR_BUSY);
    cr_assert(strstr(ec.text, dir) != NULL);
    struct store_view *v;
    cr_assert_eq(store_view_open(&v, s, 0), ERR_NOT_FOUND);
    store_close(s);
    s = open_store();
    store_close(s);
    store_close(NULL);
}

/* Goal: what a checkpoint has moved is there after a restart, and nothing else. */
Test(store, restart_has_the_checkpoint) {
    struct store *s = open_store();
    struct history h;
    history_open(&h, s, 1 << 20, true);
    for (uint64_t b = 0; b < 30; b++)
        history_apply(&h, b * 7, NULL);
    store_set_durable(s, 20);
    cr_assert_eq(store_durable(s), 20);
    cr_assert(store_dirty_rows(s) > 0);
    cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    cr_assert_eq(store_applied(s).block, 20);
    cr_assert_eq(store_applied(s).seq, 21);
    struct store_view *v;
    hash32 before[TABLE_COUNT], after[TABLE_COUNT];
    cr_assert_eq(store_view_open(&v, s, 20), ERR_OK);
    history_digests(v, before);
    store_view_close(v);
    cr_assert_eq(store_view_open(&v, s, 21), ERR_NOT_FOUND);
    hash32 want = h.blocks[20].root;
    history_close(&h);
    store_close(s);
    s = open_store();
    cr_assert_eq(store_head(s), 20);
    cr_assert_eq(store_durable(s), 20);
    cr_assert_eq(store_dirty_rows(s), 0);
    struct store_applied at = store_applied(s);
    cr_assert(hash32_eq(&at.state_root, &want));
    cr_assert_eq(store_view_open(&v, s, 20), ERR_OK);
    history_digests(v, after);
    cr_assert_eq(history_compare(before, after, "restart"), 0);
    hash32 root;
    struct err_ctx ec = {0};
    cr_assert_eq(store_rebuild_root(v, &root, &ec), ERR_OK, "%s", ec.text);
    cr_assert(hash32_eq(&root, &want));
    store_view_close(v);
    store_close(s);
}
