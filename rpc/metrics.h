/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics of this folder, from rpc/metrics.def. */
#ifndef RPC_METRICS_H
#define RPC_METRICS_H

#include "base/metric.h"

enum {
    RPC_METRIC_METHODS = 1 /* unknown ones */
#define METHOD(name, handler, min, max, cost, dev, summary) +1
#include "rpc/methods.def"
#undef METHOD
};
enum {
    RPC_METRIC_ROUTES = 0
#define ROUTE(handler, name, verb, path, scope, cost, idempotent, params, result, status, summary) \
    +1
#include "rpc/api_routes.def"
#undef ROUTE
};
/* The same of the universes' API. */
const char *rpc_metric_route(size_t idx);
/* Label of the counters by method: place in rpc_methods, then "unknown". */
const char *rpc_metric_method(size_t idx);

#define METRIC_DEF "rpc/metrics.def"
#include "base/metric_declare.inc"
#undef METRIC_DEF

extern const struct metric_table rpc_metrics;

struct rpc_method;
/* Counts one call of `m`; NULL: unknown. */
void rpc_metric_call(const struct rpc_method *m);

#endif
