/* SPDX-License-Identifier: Apache-2.0 */
/* What an HTTP request says beside its body: who asks, under which names, for which universe. */
#ifndef RPC_API_HTTP_H
#define RPC_API_HTTP_H

#include "rpc/api_keys.h"

/* The target's path without its query, and the query (with its ?, or empty). */
bytes api_http_path(const struct http_request *q);
bytes api_http_query(const struct http_request *q);
/* Whether the path is of the API (/v1/...). */
bool api_http_is_api(bytes path);
/* Whether the path is /u/<slug>; the slug. */
bool api_http_is_universe(bytes path, char out_slug[API_SLUG_MAX + 1]);

/* Fills in who and ids. A request id is the client's, if it is short and printable, else a fresh
 * one. API_OK, or UNAUTHENTICATED or INVALID with a sentence. `strict`: credentials of another
 * scheme than ours are refused too (elsewhere a proxy's may pass). */
enum api_problem api_http_origin(struct api_origin *out, const struct http_request *q,
                                 struct api_keys *keys, uint64_t now_ms, bool strict,
                                 const char **out_why);

#endif
