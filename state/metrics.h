/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics of this folder, from state/metrics.def. */
#ifndef STATE_METRICS_H
#define STATE_METRICS_H

#include "base/metric.h"
#include "state/log.h"
#include "state/store.h"

#define METRIC_DEF "state/metrics.def"
#include "base/metric_declare.inc"
#undef METRIC_DEF

extern const struct metric_table state_metrics;

/* Sets the gauges. Any thread; takes one LMDB read transaction, which it gives back. */
void state_metrics_update(struct store *s, const struct wal *log, const struct wal *receipts);

#endif
