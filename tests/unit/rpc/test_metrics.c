/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every method has its own counter with its own label, and unknown ones share the last. */
#include "rpc/metrics.h"

#include "rpc/call.h"

#include <criterion/criterion.h>
#include <string.h>

Test(rpc_metrics, a_counter_per_method) {
    cr_assert_eq(RPC_METRIC_METHODS, rpc_method_count + 1);
    for (size_t i = 0; i < rpc_method_count; i++)
        for (size_t n = 0; n <= i; n++)
            rpc_metric_call(&rpc_methods[i]);
    rpc_metric_call(NULL);
    for (size_t i = 0; i < rpc_method_count; i++) {
        cr_expect_str_eq(rpc_metric_method(i), rpc_methods[i].name);
        cr_expect_eq(metric_get(&rpc_calls[i]), i + 1, "%s", rpc_methods[i].name);
    }
    cr_expect_str_eq(rpc_metric_method(rpc_method_count), "unknown");
    cr_expect_eq(metric_get(&rpc_calls[rpc_method_count]), 1);
}

Test(rpc_metrics, print) {
    struct buf b;
    buf_init(&b, 1 << 20);
    metric_register(&rpc_metrics);
    rpc_metric_call(rpc_method_find("eth_chainId", 11, false));
    metric_print(&b);
    buf_append_byte(&b, 0);
    cr_expect_not_null(
        strstr((const char *)b.ptr, "\ncallipter_rpc_calls_total{method=\"eth_chainId\"} 1\n"));
    cr_expect_not_null(strstr((const char *)b.ptr, "# TYPE callipter_rpc_request_us histogram\n"));
    buf_clear(&b);
}
