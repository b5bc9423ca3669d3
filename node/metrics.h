/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics of this folder, from node/metrics.def, and the print-out of all folders'. */
#ifndef NODE_METRICS_H
#define NODE_METRICS_H

#include "base/clock.h"
#include "base/metric.h"
#include "node/differences.h"
#include "node/memory.h"

#define METRIC_DEF "node/metrics.def"
#include "base/metric_declare.inc"
#undef METRIC_DEF

extern const struct metric_table node_metrics;

/* Registers the tables of all folders. Once, at start. */
void node_metrics_register(void);
/* As struct node_commands has it; `sequencer` is a struct sequencer. Any thread. */
void node_metrics_print(void *sequencer, struct buf *out);

/* Observes the time since `begun_ns`. */
static inline void node_observe_since(struct metric_histogram *h, uint64_t begun_ns,
                                      uint64_t now_ns) {
    metric_observe(h, now_ns > begun_ns ? (now_ns - begun_ns) / 1000 : 0);
}

#endif
