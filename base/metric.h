/* SPDX-License-Identifier: Apache-2.0 */
/* Counters, gauges and histograms that any thread changes without locks, and their print-out in
 * Prometheus' text format (version 0.0.4).
 *
 * Each folder declares its metrics once, in <folder>/metrics.def, with rows
 *
 *     COUNTER(name, help)                      only grows; exported with _total
 *     GAUGE(name, help)                        goes up and down
 *     HISTOGRAM(name, bounds, help)            how many values were <= each bound, their sum and
 *                                              count; `bounds` is one of the lists below
 *     COUNTER_BY(name, label, count, names, help)
 *     GAUGE_BY(name, label, count, names, help)
 *                                              `count` of them, told apart by a label whose value
 *                                              for index i is names(i): size_t to text
 *
 * whose header is  #define METRIC_DEF "<folder>/metrics.def"  and  #include
 * "base/metric_declare.inc", and whose one source file adds  #define METRIC_TABLE <folder>_metrics
 * and #include "base/metric_define.inc". node/ registers the tables and prints them.
 *
 * A name is <folder>_<what>_<unit>; on export "callipter_" goes in front. Names never change. */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include "base/buf.h"
#include "base/types.h"

#include <stdatomic.h>

enum { METRIC_BUCKETS_MAX = 16, METRIC_TABLES_MAX = 16 };

struct metric_counter {
    _Atomic uint64_t value;
};
struct metric_gauge {
    _Atomic int64_t value;
};
struct metric_bounds {
    size_t count;                    /* <= METRIC_BUCKETS_MAX */
    uint64_t le[METRIC_BUCKETS_MAX]; /* ascending */
};
struct metric_histogram {
    const struct metric_bounds *bounds;
    _Atomic uint64_t
        buckets[METRIC_BUCKETS_MAX + 1]; /* each value in one; the last is above all bounds */
    _Atomic uint64_t sum;
};

/* 100 us to 10 s; 1 to 32768 things; 256 B to 16 MiB. */
extern const struct metric_bounds METRIC_US;
extern const struct metric_bounds METRIC_COUNT;
extern const struct metric_bounds METRIC_BYTES;

static inline void metric_add(struct metric_counter *c, uint64_t n) {
    atomic_fetch_add_explicit(&c->value, n, memory_order_relaxed);
}
static inline uint64_t metric_get(const struct metric_counter *c) {
    return atomic_load_explicit(&c->value, memory_order_relaxed);
}
static inline void metric_set(struct metric_gauge *g, int64_t v) {
    atomic_store_explicit(&g->value, v, memory_order_relaxed);
}
static inline void metric_move(struct metric_gauge *g, int64_t by) {
    atomic_fetch_add_explicit(&g->value, by, memory_order_relaxed);
}
static inline int64_t metric_level(const struct metric_gauge *g) {
    return atomic_load_explicit(&g->value, memory_order_relaxed);
}
void metric_observe(struct metric_histogram *h, uint64_t v);

enum metric_kind {
    METRIC_KIND_COUNTER,
    METRIC_KIND_GAUGE,
    METRIC_KIND_HISTOGRAM,
    METRIC_KIND_COUNTER_BY,
    METRIC_KIND_GAUGE_BY,
};

/* One row of a table: made by base/metric_define.inc. */
struct metric_row {
    enum metric_kind kind;
    const char *name;
    const char *help;
    const void *metric; /* struct metric_counter (an array for COUNTER_BY), _gauge, ... */
    const char *label;  /* COUNTER_BY and GAUGE_BY only */
    size_t label_count;
    const char *(*label_name)(size_t idx);
};
struct metric_table {
    size_t count;
    const struct metric_row *rows;
};

/* At start, by one thread; a table that is there already is not added twice. */
void metric_register(const struct metric_table *t);
/* Appends all registered metrics. Any thread. */
void metric_print(struct buf *b);

#endif
