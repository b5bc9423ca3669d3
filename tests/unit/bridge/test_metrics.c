/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every endpoint has its line. Method: the printed table. */
#include "bridge/metrics.h"

#include <criterion/criterion.h>

Test(metrics, one_line_an_endpoint) {
    metric_register(&bridge_metrics);
    metric_add(&bridge_requests[PARENT_ENDPOINTS_MAX - 1], 3);
    struct buf b;
    buf_init(&b, 1 << 16);
    metric_print(&b);
    buf_append_byte(&b, '\0');
    cr_expect_not_null(
        strstr((char *)b.ptr, "callipter_bridge_requests_total{endpoint=\"7\"} 3\n"));
    cr_expect_not_null(strstr((char *)b.ptr, "callipter_bridge_breakers_open{endpoint=\"0\"} 0\n"));
    buf_clear(&b);
}
