/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/metrics.h"

#include "base/check.h"
#include "rpc/api.h"
#include "rpc/call.h"

#define METRIC_DEF "rpc/metrics.def"
#define METRIC_TABLE rpc_metrics
#include "base/metric_define.inc"

const char *rpc_metric_method(size_t idx) {
    CHECK(idx < RPC_METRIC_METHODS);
    return idx < rpc_method_count ? rpc_methods[idx].name : "unknown";
}

const char *rpc_metric_route(size_t idx) {
    CHECK(idx < api_route_count);
    return api_routes[idx].method.name;
}

void rpc_metric_call(const struct rpc_method *m) {
    const struct api_route *r = m != NULL ? api_route_of(m) : NULL;
    if (r != NULL) {
        metric_add(&rpc_api_calls[r - api_routes], 1);
        return;
    }
    size_t idx = m == NULL ? RPC_METRIC_METHODS - 1 : (size_t)(m - rpc_methods);
    CHECK(idx < RPC_METRIC_METHODS);
    metric_add(&rpc_calls[idx], 1);
}
