/* SPDX-License-Identifier: Apache-2.0 */
#include "state/store.h"
#include "state/store_internal.h"
#include "tests/lib/state/fixture.h"
#include "tests/lib/state/history.h"

#include <criterion/criterion.h>
#include <lmdb.h>
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

/* Changes the file as another version would have left it: META's schema, and without a table. */
static void rewrite(const char *path, uint64_t schema, const char *lost_table) {
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi meta, lost;
    uint8_t be[8];
    be64_store(be, schema);
    MDB_val k = {6, (void *)"schema"}, v = {sizeof be, be};
    cr_assert_eq(mdb_env_create(&env), 0);
    cr_assert_eq(mdb_env_set_maxdbs(env, 2), 0);
    cr_assert_eq(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOTLS, 0644), 0);
    cr_assert_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
    cr_assert_eq(mdb_dbi_open(txn, "meta", 0, &meta), 0);
    cr_assert_eq(mdb_put(txn, meta, &k, &v, 0), 0);
    if (lost_table != NULL) {
        cr_assert_eq(mdb_dbi_open(txn, lost_table, 0, &lost), 0);
        cr_assert_eq(mdb_drop(txn, lost, 1), 0);
    }
    cr_assert_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

/* Goal: a store of another version is refused by name of its schema, whatever tables it has, and
 * not a byte of it changes; one of this version that lacks a table is damaged. */
Test(store, other_schemas_are_refused) {
    static const uint64_t others[] = {0, STORE_SCHEMA - 1, STORE_SCHEMA + 1, UINT64_MAX};
    char path[FIXTURE_PATH_MAX + 16], name[32];
    struct store *s = open_store();
    struct store_options o = {.dir = dir};
    store_close(s);
    snprintf(path, sizeof path, "%s/state.mdb", dir);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        struct err_ctx ec = {0};
        size_t len, len_after;
        rewrite(path, others[i], i == 0 ? table_info[TABLE_COUNT - 1].name : NULL);
        uint8_t *before = fixture_file_read(path, &len);
        cr_expect_eq(store_open(&s, &o, &ec), ERR_VERSION);
        snprintf(name, sizeof name, "schema %llu,", (unsigned long long)others[i]);
        cr_expect(strstr(ec.text, name) != NULL && strstr(ec.text, dir) != NULL, "%s", ec.text);
        uint8_t *after = fixture_file_read(path, &len_after);
        cr_expect(len == len_after && memcmp(before, after, len) == 0);
        free(before);
        free(after);
    }
    struct err_ctx ec = {0};
    rewrite(path, STORE_SCHEMA, NULL);
    cr_expect_eq(store_open(&s, &o, &ec), ERR_CORRUPT);
    cr_expect(strstr(ec.text, "lacks tables") != NULL, "%s", ec.text);
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
