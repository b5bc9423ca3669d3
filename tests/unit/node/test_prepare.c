/* SPDX-License-Identifier: Apache-2.0 */
/* Covers: prepare.c */
#include "node/prepare.h"
#include "tests/lib/temp_dir.h"

#include <criterion/criterion.h>
#include <unistd.h>

enum { SEGMENT = 4 << 20, RECORD = 64 << 10, WAIT_STEPS = 20000, STEP_US = 500 };

static char dir[64];
static void setup(void) {
    temp_dir_make(dir, sizeof dir, "prepare");
}
static void teardown(void) {
    temp_dir_remove(dir);
}
TestSuite(prepare, .init = setup, .fini = teardown, .timeout = 60);

static struct wal *open_log(const char *prefix) {
    struct wal *l = NULL;
    struct wal_options o = {
        .disk = disk_posix(), .dir = dir, .prefix = prefix, .segment_bytes = SEGMENT};
    cr_assert_eq(wal_open(&l, &o, NULL), ERR_OK);
    return l;
}

static void append_until_due(struct wal *l) {
    static uint8_t payload[RECORD];
    while (!wal_prepare_due(l))
        cr_assert_eq(wal_append(l, LOG_KV, 0, bytes_of(payload, sizeof payload), NULL), ERR_OK);
}

static bool comes_about(struct wal *l) {
    for (int i = 0; i < WAIT_STEPS && wal_prepare_due(l); i++)
        usleep(STEP_US);
    return !wal_prepare_due(l);
}

/* Goal: a step that is due in either log is done upon a look, and nothing without one. */
Test(prepare, steps_of_both) {
    struct wal *log = open_log("log"), *receipts = open_log("receipts");
    struct preparer *p = preparer_start(log, receipts);
    cr_assert_not_null(p);
    for (int i = 0; i < 3; i++) {
        append_until_due(log);
        preparer_look(p);
        cr_assert(comes_about(log));
        append_until_due(receipts);
        preparer_look(p);
        cr_assert(comes_about(receipts));
    }
    preparer_look(p);
    append_until_due(log);
    preparer_stop(p);
    cr_assert(wal_prepare_due(log));
    wal_close(log);
    wal_close(receipts);
}
