/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of lists out of read models: `limit` items after a place, which is opaque text, as an
 * object {items, next?}. */
#ifndef RPC_API_READS_H
#define RPC_API_READS_H

#include "index/universe.h"
#include "rpc/api.h"

size_t api_page_limit(const struct rpc_call *c);
/* The place of argument "after". False with the error set. */
bool api_page_place(struct rpc_call *c, struct index_page *out);
/* Sets the error that a list's reading gave. */
bool api_page_ok(struct rpc_call *c, enum err e);
/* Begins object and list, as the call's result. */
struct json_writer;
void api_page_begin(struct json_writer *w, struct rpc_call *c);
/* Ends them. */
void api_page_end(struct json_writer *w, const struct index_page *at);

#endif
