/* SPDX-License-Identifier: Apache-2.0 */
#include "state/metrics.h"

#define METRIC_DEF "state/metrics.def"
#define METRIC_TABLE state_metrics
#include "base/metric_define.inc"

/* STORE_NO_BLOCK as -1. */
static int64_t block_of(uint64_t block) {
    return block == STORE_NO_BLOCK ? -1 : (int64_t)block;
}

void state_metrics_update(struct store *s, const struct wal *log, const struct wal *receipts) {
    struct store_stats stats;
    /* The synced number first: read the other way round it could be ahead. */
    uint64_t synced = wal_synced_seq(log), last = wal_last_seq(log);
    metric_set(&state_durable_block, block_of(store_durable(s)));
    metric_set(&state_checkpoint_block, block_of(store_applied(s).block));
    metric_set(&state_dirty_rows, (int64_t)store_dirty_rows(s));
    metric_set(&state_log_bytes, (int64_t)wal_bytes(log));
    metric_set(&state_log_records, (int64_t)last);
    metric_set(&state_log_unsynced_records, (int64_t)(last - synced));
    metric_set(&state_receipts_bytes, (int64_t)wal_bytes(receipts));
    if (store_stat(s, &stats) != ERR_OK)
        return; /* the figures of before stay */
    metric_set(&state_lmdb_bytes, (int64_t)stats.lmdb_bytes_used);
    metric_set(&state_checkpoints, (int64_t)stats.checkpoint_count);
    metric_set(&state_checkpoint_rows, (int64_t)stats.checkpoint_rows);
}
