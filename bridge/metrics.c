/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/metrics.h"

#include "base/check.h"

#define METRIC_DEF "bridge/metrics.def"
#define METRIC_TABLE bridge_metrics
#include "base/metric_define.inc"

const char *bridge_metric_endpoint(size_t idx) {
    static const char *const names[] = {"0", "1", "2", "3", "4", "5", "6", "7"};
    _Static_assert(ARRAY_LEN(names) == PARENT_ENDPOINTS_MAX, "a name for each endpoint");
    CHECK(idx < ARRAY_LEN(names));
    return names[idx];
}
