/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: copies of a store and of logs that are open for writing are whole. Method: copy, write on,
 * open the copies, compare with what was there. Covers: store_copy.c wal_copy.c */
#include "state/copy.h"

#include "state/log.h"
#include "state/store.h"
#include "tests/lib/state/fixture.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { SEGMENT = 8192, PATH = FIXTURE_PATH_MAX + 16 };
static char dir[FIXTURE_PATH_MAX], from[PATH], to[PATH];

static void setup(void) {
    struct disk *d = disk_posix();
    fixture_dir_make(dir);
    (void)snprintf(from, sizeof from, "%s/from", dir);
    (void)snprintf(to, sizeof to, "%s/to", dir);
    cr_assert_eq(d->mkdir(d, from), ERR_OK);
    cr_assert_eq(d->mkdir(d, to), ERR_OK);
}
static void teardown(void) {
    fixture_dir_remove(dir);
}
TestSuite(copy, .init = setup, .fini = teardown, .timeout = 60);

static struct wal *open_log(const char *path, bool read_only) {
    struct wal *l = NULL;
    struct err_ctx ec = {.text = ""};
    struct wal_options o = {.disk = disk_posix(),
                            .dir = path,
                            .prefix = "wal",
                            .segment_bytes = SEGMENT,
                            .read_only = read_only};
    cr_assert_eq(wal_open(&l, &o, &ec), ERR_OK, "%s", ec.text);
    return l;
}

/* Record i holds i in all of its bytes. */
static void append(struct wal *l, uint64_t count) {
    uint8_t b[300];
    for (uint64_t i = 0; i < count; i++) {
        uint64_t seq = wal_last_seq(l) + 1;
        memset(b, (int)(seq & 0xff), sizeof b);
        cr_assert_eq(wal_append(l, LOG_BLOCK, 1, bytes_of(b, 1 + seq % sizeof b), NULL), ERR_OK);
    }
}

static enum err check_record(void *ctx, const struct log_record *r) {
    uint64_t *count = ctx;
    cr_assert_eq(r->seq, ++*count);
    cr_assert_eq(r->payload.len, 1 + r->seq % 300);
    for (size_t i = 0; i < r->payload.len; i++)
        cr_assert_eq(r->payload.ptr[i], r->seq & 0xff);
    return ERR_OK;
}

static void expect_records(const char *path, uint64_t want) {
    struct err_ctx ec = {.text = ""};
    struct wal *l = open_log(path, false);
    uint64_t count = 0;
    cr_expect_eq(wal_last_seq(l), want);
    cr_assert_eq(wal_each(l, 1, check_record, &count, &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(count, want);
    append(l, 3); /* the copy goes on like any other */
    cr_assert_eq(wal_sync(l, NULL, &ec), ERR_OK);
    wal_close(l);
}

Test(copy, log) {
    struct err_ctx ec = {.text = ""};
    struct wal *l = open_log(from, false);
    uint64_t last = 0;
    append(l, 200); /* some segments, the end not synced */
    cr_assert_eq(wal_copy(disk_posix(), from, "wal", to, &last, &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(last, 200);
    append(l, 50);
    wal_close(l);
    expect_records(to, 200);
}

Test(copy, log_of_none) {
    struct err_ctx ec = {.text = ""};
    uint64_t last = 0;
    cr_expect_eq(wal_copy(disk_posix(), from, "wal", to, &last, &ec), ERR_NOT_FOUND);
}

struct writer {
    struct wal *l;
    atomic_bool stop;
};

static void *write_on(void *arg) {
    struct writer *w = arg;
    struct err_ctx ec;
    while (!atomic_load(&w->stop) && wal_last_seq(w->l) < 20000) {
        append(w->l, 7);
        cr_assert_eq(wal_sync(w->l, NULL, &ec), ERR_OK);
    }
    return NULL;
}

/* Under a writer each copy holds a run of records that reaches at least what was synced before. */
Test(copy, log_under_load) {
    struct err_ctx ec = {.text = ""};
    struct writer w = {.l = open_log(from, false)};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, write_on, &w), 0);
    for (int i = 0; i < 5; i++) {
        struct disk *d = disk_posix();
        char into[PATH + 16];
        uint64_t synced = wal_synced_seq(w.l), last = 0;
        (void)snprintf(into, sizeof into, "%s/%d", to, i);
        cr_assert_eq(d->mkdir(d, into), ERR_OK);
        cr_assert_eq(wal_copy(d, from, "wal", into, &last, &ec), ERR_OK, "%s", ec.text);
        cr_expect_geq(last, synced);
        expect_records(into, last);
    }
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    wal_close(w.l);
}

static void put_block(struct store *s, uint64_t block, const char *value) {
    const struct store_applied at = {.epoch = 1, .seq = block + 1, .block = block};
    store_block_begin(s, block);
    store_put(s, TABLE_META, bytes_of("k", 1), bytes_of(value, strlen(value)));
    store_block_commit(s, &at);
    store_set_durable(s, block);
}

Test(copy, store) {
    struct err_ctx ec = {.text = ""};
    struct store *s = NULL, *copied = NULL;
    struct store_options o = {.dir = from};
    bytes value;
    cr_assert_eq(store_open(&s, &o, &ec), ERR_OK, "%s", ec.text);
    put_block(s, 0, "one");
    cr_assert_eq(store_checkpoint(s, &ec), ERR_OK);
    put_block(s, 1, "two"); /* only in memory */
    cr_assert_eq(store_copy(from, to, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(store_checkpoint(s, &ec), ERR_OK);

    o.dir = to;
    o.must_exist = true;
    cr_assert_eq(store_open(&copied, &o, &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(store_applied(copied).block, 0);
    cr_expect_eq(store_applied(copied).seq, 1);
    struct store_view *v = NULL;
    cr_assert_eq(store_view_open(&v, copied, 0), ERR_OK);
    cr_assert(store_get(v, TABLE_META, bytes_of("k", 1), &value));
    cr_expect(value.len == 3 && memcmp(value.ptr, "one", 3) == 0);
    store_view_close(v);
    store_close(copied);
    store_close(s);
    cr_expect_eq(store_copy("/nonexistent", to, &ec), ERR_NOT_FOUND);
}
