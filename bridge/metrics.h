/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics of this folder, from bridge/metrics.def. */
#ifndef BRIDGE_METRICS_H
#define BRIDGE_METRICS_H

#include "base/metric.h"
#include "bridge/parent.h"

/* Label of the metrics by endpoint: its place in the list. */
const char *bridge_metric_endpoint(size_t idx);

#define METRIC_DEF "bridge/metrics.def"
#include "base/metric_declare.inc"
#undef METRIC_DEF

extern const struct metric_table bridge_metrics;

#endif
