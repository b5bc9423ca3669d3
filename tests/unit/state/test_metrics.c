/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the gauges say what store and logs say. Method: an empty store, then a block and records
 * beside it, before and after sync and checkpoint. */
#include "state/metrics.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct wal *open_log(const char *dir, const char *prefix) {
    struct wal *l = NULL;
    struct err_ctx ec = {.text = ""};
    struct wal_options o = {
        .disk = disk_posix(), .dir = dir, .prefix = prefix, .segment_bytes = 1 << 16};
    cr_assert_eq(wal_open(&l, &o, &ec), ERR_OK, "%s", ec.text);
    return l;
}

Test(state_metrics, follow_store_and_logs) {
    char dir[] = "/tmp/callipter-metrics-XXXXXX";
    struct err_ctx ec = {.text = ""};
    struct store *s = NULL;
    cr_assert_not_null(mkdtemp(dir));
    struct store_options so = {.dir = dir, .no_sync = true};
    cr_assert_eq(store_open(&s, &so, &ec), ERR_OK, "%s", ec.text);
    struct wal *log = open_log(dir, "blocks"), *receipts = open_log(dir, "receipts");

    state_metrics_update(s, log, receipts);
    cr_expect_eq(metric_level(&state_durable_block), -1);
    cr_expect_eq(metric_level(&state_checkpoint_block), -1);
    cr_expect_eq(metric_level(&state_log_records), 0);
    cr_expect_eq(metric_level(&state_log_bytes), 1 << 16);
    cr_expect_eq(metric_level(&state_receipts_bytes), 1 << 16);
    cr_expect_gt(metric_level(&state_lmdb_bytes), 0);

    const struct store_applied at = {.epoch = 1, .seq = 2};
    store_block_begin(s, 0);
    store_put(s, TABLE_META, bytes_of("k", 1), bytes_of("v", 1));
    store_block_commit(s, &at);
    store_set_durable(s, 0);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(wal_append(log, LOG_KV, 1, bytes_of("x", 1), NULL), ERR_OK);
    state_metrics_update(s, log, receipts);
    cr_expect_eq(metric_level(&state_durable_block), 0);
    cr_expect_eq(metric_level(&state_checkpoint_block), -1);
    cr_expect_gt(metric_level(&state_dirty_rows), 0);
    cr_expect_eq(metric_level(&state_log_records), 2);
    cr_expect_eq(metric_level(&state_log_unsynced_records), 2);

    cr_assert_eq(wal_sync(log, NULL, &ec), ERR_OK);
    cr_assert_eq(store_checkpoint(s, &ec), ERR_OK, "%s", ec.text);
    state_metrics_update(s, log, receipts);
    cr_expect_eq(metric_level(&state_log_unsynced_records), 0);
    cr_expect_eq(metric_level(&state_checkpoint_block), 0);
    cr_expect_eq(metric_level(&state_dirty_rows), 0);
    cr_expect_eq(metric_level(&state_checkpoints), 1);
    wal_close(log);
    wal_close(receipts);
    store_close(s);
    char command[128];
    snprintf(command, sizeof(command), "rm -r '%s'", dir);
    cr_assert_eq(system(command), 0);
}
