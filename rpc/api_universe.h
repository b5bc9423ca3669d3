/* SPDX-License-Identifier: Apache-2.0 */
/* Universes as the registry has them at the newest durable block, for the API's handlers. */
#ifndef RPC_API_UNIVERSE_H
#define RPC_API_UNIVERSE_H

#include "chain/system_state.h"
#include "chain/universe.h"
#include "rpc/api.h"
#include "rpc/reader.h"

/* Id of the universe with this slug, 0: there is none. Any thread; at most two reads of the store,
 * none when it was found before. */
uint64_t api_universe_id(const struct rpc_context *cx, const char *slug);

struct api_universe {
    uint64_t id;
    const char *slug; /* the call's argument */
    addr20 owner, pending_owner;
    enum universe_status status;
    uint64_t created_at; /* seconds */
    u256 gas_account;
};
/* --- on a reader --- */
/* The state at the head, for chain/system_state.h. NULL with the error set. */
struct world *api_world(struct rpc_call *c);
/* The call's universe; false with the error set. */
bool api_universe_load(struct rpc_call *c, struct api_universe *out);
struct json_writer;
/* Writes type Universe. */
void api_universe_print(struct rpc_call *c, struct json_writer *w, const struct api_universe *u);
/* The contract of the path (or of the argument "address"), which must belong to `u`. */
bool api_contract(struct rpc_call *c, const struct api_universe *u, addr20 *out);
/* P of the next block. False with the error set. */
bool api_next_price(struct rpc_call *c, u256 *out);

#endif
