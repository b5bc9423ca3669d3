/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of rpc/methods.def: rpc_<handler>, in the files m_*.c by subject. */
#ifndef RPC_HANDLERS_H
#define RPC_HANDLERS_H

#include "rpc/call.h"

/* A handler may serve several names: repeated identical declarations are fine. */
#define METHOD(name, handler, min, max, cost, dev, summary) void rpc_##handler(struct rpc_call *c);
#include "rpc/methods.def"
#undef METHOD

#endif
