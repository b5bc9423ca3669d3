/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: metrics count across threads and print as Prometheus reads them.
 * Method: a table of this test's own with each kind; exact text. */
#include "base/metric.h"

#include "base/metrics.h"

#include <criterion/criterion.h>
#include <pthread.h>

static const struct metric_bounds small_bounds = {.count = 3, .le = {1, 10, 100}};
static const char *method_name(size_t idx) {
    static const char *const names[] = {"eth_call", "a\"b\\c"};
    return names[idx];
}

#define METRIC_DEF "tests/unit/base/metric_test.def"
#include "base/metric_declare.inc"
extern const struct metric_table test_metrics;
#define METRIC_TABLE test_metrics
#include "base/metric_define.inc"

static void *count_many(void *arg) {
    (void)arg;
    for (int i = 0; i < 10000; i++) {
        metric_add(&test_things, 1);
        metric_move(&test_level, i % 2 == 0 ? 3 : -2);
        metric_observe(&test_sizes, (uint64_t)(i % 4 == 0   ? 1
                                               : i % 4 == 1 ? 10
                                               : i % 4 == 2 ? 11
                                                            : 101));
    }
    return NULL;
}

Test(metric, counts_and_prints) {
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, count_many, NULL), 0);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    cr_expect_eq(metric_get(&test_things), 20000u);
    cr_expect_eq(metric_level(&test_level), 10000);
    metric_set(&test_level, -5);
    metric_add(&test_calls[1], 2);
    metric_move(&test_levels[0], -3);
    metric_register(&test_metrics);
    metric_register(&test_metrics);
    struct buf b;
    buf_init(&b, 1 << 16);
    metric_print(&b);
    buf_append_byte(&b, '\0');
    cr_assert_str_eq((char *)b.ptr,
                     "# HELP callipter_test_things_total Things\\nof two lines \\\\.\n"
                     "# TYPE callipter_test_things_total counter\n"
                     "callipter_test_things_total 20000\n"
                     "# HELP callipter_test_level Level.\n"
                     "# TYPE callipter_test_level gauge\n"
                     "callipter_test_level -5\n"
                     "# HELP callipter_test_sizes Sizes.\n"
                     "# TYPE callipter_test_sizes histogram\n"
                     "callipter_test_sizes_bucket{le=\"1\"} 5000\n"
                     "callipter_test_sizes_bucket{le=\"10\"} 10000\n"
                     "callipter_test_sizes_bucket{le=\"100\"} 15000\n"
                     "callipter_test_sizes_bucket{le=\"+Inf\"} 20000\n"
                     "callipter_test_sizes_sum 615000\n"
                     "callipter_test_sizes_count 20000\n"
                     "# HELP callipter_test_calls_total Calls.\n"
                     "# TYPE callipter_test_calls_total counter\n"
                     "callipter_test_calls_total{method=\"eth_call\"} 0\n"
                     "callipter_test_calls_total{method=\"a\\\"b\\\\c\"} 2\n"
                     "# HELP callipter_test_levels Levels.\n"
                     "# TYPE callipter_test_levels gauge\n"
                     "callipter_test_levels{method=\"eth_call\"} -3\n"
                     "callipter_test_levels{method=\"a\\\"b\\\\c\"} 0\n");
    buf_clear(&b);
}

Test(metric, shared_bounds_ascend) {
    const struct metric_bounds *all[] = {&METRIC_US, &METRIC_COUNT, &METRIC_BYTES};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        cr_expect(all[i]->count > 0 && all[i]->count <= METRIC_BUCKETS_MAX);
        for (size_t k = 1; k < all[i]->count; k++)
            cr_expect_lt(all[i]->le[k - 1], all[i]->le[k]);
    }
}

Test(metric, own_table_prints) {
    metric_register(&base_metrics);
    struct buf b;
    buf_init(&b, 1 << 16);
    metric_print(&b);
    buf_append_byte(&b, '\0');
    cr_expect_not_null(strstr((char *)b.ptr, "callipter_base_log_lines_total 0\n"));
    buf_clear(&b);
}
