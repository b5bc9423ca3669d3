/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: struct disk over the operating system's files behaves as its header says.
 * Method: a temporary folder; each operation, and the errors of absent and wrong paths. */
#include "base/disk.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[64];
static struct disk *d;

static const char *path_of(const char *name) {
    static char paths[4][256];
    static unsigned next;
    char *p = paths[next++ % 4];
    snprintf(p, sizeof(paths[0]), "%s/%s", dir, name);
    return p;
}

static void set_up(void) {
    snprintf(dir, sizeof(dir), "/tmp/callipter-disk-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    d = disk_posix();
}

static void tear_down(void) {
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(disk, .init = set_up, .fini = tear_down);

Test(disk, write_read_size_truncate) {
    struct disk_file *f;
    cr_assert_eq(d->open(d, &f, path_of("a"), true, NULL), ERR_OK);
    cr_expect_eq(d->pwrite(d, f, "hello", 5, 10), ERR_OK);
    uint64_t size;
    cr_expect_eq(d->size(d, f, &size), ERR_OK);
    cr_expect_eq(size, 15u);
    char text[32];
    size_t n;
    cr_expect_eq(d->pread(d, f, text, sizeof(text), 8, &n), ERR_OK);
    cr_expect_eq(n, 7u);
    cr_expect_eq(memcmp(text, "\0\0hello", 7), 0);
    cr_expect_eq(d->pread(d, f, text, sizeof(text), 100, &n), ERR_OK);
    cr_expect_eq(n, 0u);
    cr_expect_eq(d->sync(d, f), ERR_OK);
    cr_expect_eq(d->truncate(d, f, 12), ERR_OK);
    cr_expect_eq(d->size(d, f, &size), ERR_OK);
    cr_expect_eq(size, 12u);
    cr_expect_eq(d->allocate(d, f, 5000), ERR_OK);
    cr_expect_eq(d->size(d, f, &size), ERR_OK);
    cr_expect_eq(size, 5000u);
    cr_expect_eq(d->allocate(d, f, 100), ERR_OK); /* never shrinks */
    cr_expect_eq(d->size(d, f, &size), ERR_OK);
    cr_expect_eq(size, 5000u);
    cr_expect_eq(d->pwrite(d, f, "x", 1, UINT64_MAX), ERR_TOO_LARGE);
    d->close(d, f);
    cr_assert_eq(d->open(d, &f, path_of("a"), false, NULL), ERR_OK);
    cr_expect_eq(d->pread(d, f, text, 2, 10, &n), ERR_OK);
    cr_expect(n == 2 && memcmp(text, "he", 2) == 0);
    d->close(d, f);
    d->close(d, NULL);
}

Test(disk, absent_files_are_not_found) {
    struct disk_file *f;
    struct err_ctx ec = {0};
    cr_expect_eq(d->open(d, &f, path_of("none"), false, &ec), ERR_NOT_FOUND);
    cr_expect_not_null(strstr(ec.text, "none"), "%s", ec.text);
    cr_expect_eq(d->open(d, &f, path_of("no/such"), true, NULL), ERR_NOT_FOUND);
    cr_expect_eq(d->remove(d, path_of("none")), ERR_NOT_FOUND);
    cr_expect_eq(d->rename(d, path_of("none"), path_of("other")), ERR_NOT_FOUND);
    cr_expect_eq(d->sync_dir(d, path_of("none")), ERR_NOT_FOUND);
    struct buf b;
    buf_init(&b, 100);
    cr_expect_eq(d->list(d, path_of("none"), &b), ERR_NOT_FOUND);
    buf_clear(&b);
}

static void touch(const char *name) {
    struct disk_file *f;
    cr_assert_eq(d->open(d, &f, path_of(name), true, NULL), ERR_OK);
    d->close(d, f);
}

Test(disk, folders) {
    cr_expect_eq(d->mkdir(d, path_of("x/y/z")), ERR_OK);
    cr_expect_eq(d->mkdir(d, path_of("x/y/z")), ERR_OK);
    cr_expect_eq(d->mkdir(d, path_of("x/y/z/")), ERR_OK);
    cr_expect_eq(d->mkdir(d, ""), ERR_INVALID);
    touch("x/b");
    touch("x/a");
    touch("x/B");
    cr_expect_eq(d->mkdir(d, path_of("x/a")), ERR_EXISTS);
    cr_expect_eq(d->mkdir(d, path_of("x/a/c")), ERR_EXISTS);
    cr_expect_eq(d->rename(d, path_of("x/b"), path_of("x/c")), ERR_OK);
    cr_expect_eq(d->sync_dir(d, path_of("x")), ERR_OK);
    struct buf b;
    buf_init(&b, 100);
    cr_expect_eq(d->list(d, path_of("x"), &b), ERR_OK);
    cr_assert_eq(b.len, 8u);
    cr_expect_eq(memcmp(b.ptr, "B\0a\0c\0y\0", 8), 0);
    buf_reset(&b);
    cr_expect_eq(d->list(d, path_of("x/y/z"), &b), ERR_OK);
    cr_expect_eq(b.len, 0u);
    cr_expect_eq(d->remove(d, path_of("x/a")), ERR_OK);
    cr_expect_eq(d->list(d, path_of("x"), &b), ERR_OK);
    cr_expect_eq(b.len, 6u);
    buf_clear(&b);
    buf_init(&b, 3);
    cr_expect_eq(d->list(d, path_of("x"), &b), ERR_TOO_LARGE);
    cr_expect_eq(b.len, 0u);
    buf_clear(&b);
}
