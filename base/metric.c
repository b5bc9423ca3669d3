/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metric.h"

#include "base/check.h"
#include "base/metrics.h"

#define METRIC_DEF "base/metrics.def"
#define METRIC_TABLE base_metrics
#include "base/metric_define.inc"

const struct metric_bounds METRIC_US = {
    .count = 16,
    .le = {100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000, 1000000,
           2000000, 5000000, 10000000},
};
const struct metric_bounds METRIC_COUNT = {
    .count = 16,
    .le = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768},
};
const struct metric_bounds METRIC_BYTES = {
    .count = 9,
    .le = {256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216},
};

static const struct metric_table *tables[METRIC_TABLES_MAX];
static size_t table_count;

void metric_observe(struct metric_histogram *h, uint64_t v) {
    size_t i = 0;
    while (i < h->bounds->count && v > h->bounds->le[i])
        i++;
    atomic_fetch_add_explicit(&h->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum, v, memory_order_relaxed);
}

void metric_register(const struct metric_table *t) {
    for (size_t i = 0; i < table_count; i++) {
        if (tables[i] == t)
            return;
    }
    CHECK(table_count < METRIC_TABLES_MAX);
    tables[table_count++] = t;
}

/* Backslash, newline and (in label values) quotes are escaped. */
static void put_escaped(struct buf *b, const char *s, bool quotes) {
    for (; *s != '\0'; s++) {
        if (*s == '\\')
            buf_append_str(b, "\\\\");
        else if (*s == '\n')
            buf_append_str(b, "\\n");
        else if (*s == '"' && quotes)
            buf_append_str(b, "\\\"");
        else
            buf_append_byte(b, (uint8_t)*s);
    }
}

static void put_head(struct buf *b, const struct metric_row *r, const char *suffix,
                     const char *type) {
    buf_printf(b, "# HELP callipter_%s%s ", r->name, suffix);
    put_escaped(b, r->help, false);
    buf_printf(b, "\n# TYPE callipter_%s%s %s\n", r->name, suffix, type);
}

static void put_counters(struct buf *b, const struct metric_row *r) {
    const struct metric_counter *c = r->metric;
    for (size_t i = 0; i < r->label_count; i++) {
        buf_printf(b, "callipter_%s_total{%s=\"", r->name, r->label);
        put_escaped(b, r->label_name(i), true);
        buf_printf(b, "\"} %llu\n", (unsigned long long)metric_get(&c[i]));
    }
}

static void put_gauges(struct buf *b, const struct metric_row *r) {
    const struct metric_gauge *g = r->metric;
    for (size_t i = 0; i < r->label_count; i++) {
        buf_printf(b, "callipter_%s{%s=\"", r->name, r->label);
        put_escaped(b, r->label_name(i), true);
        buf_printf(b, "\"} %lld\n", (long long)metric_level(&g[i]));
    }
}

static void put_histogram(struct buf *b, const struct metric_row *r) {
    const struct metric_histogram *h = r->metric;
    uint64_t below = 0;
    for (size_t i = 0; i <= h->bounds->count; i++) {
        below += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
        if (i < h->bounds->count)
            buf_printf(b, "callipter_%s_bucket{le=\"%llu\"} %llu\n", r->name,
                       (unsigned long long)h->bounds->le[i], (unsigned long long)below);
        else
            buf_printf(b, "callipter_%s_bucket{le=\"+Inf\"} %llu\n", r->name,
                       (unsigned long long)below);
    }
    buf_printf(b, "callipter_%s_sum %llu\n", r->name,
               (unsigned long long)atomic_load_explicit(&h->sum, memory_order_relaxed));
    buf_printf(b, "callipter_%s_count %llu\n", r->name, (unsigned long long)below);
}

static void put_row(struct buf *b, const struct metric_row *r) {
    switch (r->kind) {
    case METRIC_KIND_COUNTER:
        put_head(b, r, "_total", "counter");
        buf_printf(b, "callipter_%s_total %llu\n", r->name,
                   (unsigned long long)metric_get(r->metric));
        break;
    case METRIC_KIND_GAUGE:
        put_head(b, r, "", "gauge");
        buf_printf(b, "callipter_%s %lld\n", r->name, (long long)metric_level(r->metric));
        break;
    case METRIC_KIND_HISTOGRAM:
        put_head(b, r, "", "histogram");
        put_histogram(b, r);
        break;
    case METRIC_KIND_COUNTER_BY:
        put_head(b, r, "_total", "counter");
        put_counters(b, r);
        break;
    case METRIC_KIND_GAUGE_BY:
        put_head(b, r, "", "gauge");
        put_gauges(b, r);
        break;
    }
}

void metric_print(struct buf *b) {
    for (size_t t = 0; t < table_count; t++) {
        for (size_t i = 0; i < tables[t]->count; i++)
            put_row(b, &tables[t]->rows[i]);
    }
}
