/* SPDX-License-Identifier: Apache-2.0 */
/* JSON-RPC 2.0: from the text of a body to calls, and from calls to the text of replies. Knows
 * neither threads nor connections. */
#ifndef RPC_JSONRPC_H
#define RPC_JSONRPC_H

#include "rpc/call.h"

enum { RPC_JSON_DEPTH_MAX = 64 };

/* --- requests ------------------------------------------------------------------------------ */
/* Whether a text nests no deeper than `max`: the recursive parser behind it must not be led deep.
 */
bool rpc_json_depth_ok(const char *s, size_t len, unsigned max);
/* The body as JSON, for the caller to free; NULL with the code and text of the error, which is
 * static: malformed, too deep, a key twice. */
json_t *rpc_parse(const struct buf *body, int *out_code, const char **out_text);
/* Whether it may be a request's id: text, number, null, or absent (NULL). */
bool rpc_id_ok(const json_t *id);
/* Fills in a call from its request object, from which it borrows; on a bad one the call has failed
 * and no method. */
void rpc_read_request(struct rpc_call *c, json_t *o);
/* Fails a call with fewer or more arguments than its method takes. */
void rpc_check_arity(struct rpc_call *c);

/* --- replies ------------------------------------------------------------------------------- */
/* An answer is RPC_ANSWER_ID, id, RPC_ANSWER_RESULT, result and a brace. */
#define RPC_ANSWER_ID "{\"jsonrpc\":\"2.0\",\"id\":"
#define RPC_ANSWER_RESULT ",\"result\":"
static inline size_t rpc_answer_len(bytes id, bytes result) {
    return sizeof(RPC_ANSWER_ID) - 1 + id.len + sizeof(RPC_ANSWER_RESULT) - 1 + result.len + 1;
}
/* All of it but the result and the brace. */
void rpc_answer_begin(struct buf *out, bytes id);
/* The reply object of a call that is done: result or error. */
void rpc_write_reply(struct buf *out, const struct rpc_call *c);
/* The reply object of an error; the id as JSON, or as its text where it was scanned; text: needs no
 * escapes. */
void rpc_write_error(struct buf *out, json_t *id, bytes scanned, int code, const char *text);

#endif
