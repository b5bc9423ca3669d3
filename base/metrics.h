/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics of this folder, from base/metrics.def. */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "base/metric.h"

#define METRIC_DEF "base/metrics.def"
#include "base/metric_declare.inc"
#undef METRIC_DEF

extern const struct metric_table base_metrics;

#endif
