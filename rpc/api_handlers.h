/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of rpc/api_routes.def: api_<handler>, in the files api_*.c by subject. */
#ifndef RPC_API_HANDLERS_H
#define RPC_API_HANDLERS_H

#include "rpc/api.h"

#define ROUTE(handler, name, verb, path, scope, cost, idempotent, params, result, status, summary) \
    void api_##handler(struct rpc_call *c);
#include "rpc/api_routes.def"
#undef ROUTE

#endif
