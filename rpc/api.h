/* SPDX-License-Identifier: Apache-2.0 */
/* The universes' API: who asks, what is asked for (rpc/api_routes.def), and what goes wrong
 * (rpc/api_problems.def). A route is served as REST and as a JSON-RPC method by one handler, which
 * finds its arguments, checked, in call->args, and either writes its result or calls api_fail. */
#ifndef RPC_API_H
#define RPC_API_H

#include "rpc/api_schema.h"
#include "rpc/call.h"
#include "rpc/http.h"

enum {
    API_REQUEST_ID_MAX = 64,
    API_IDEMPOTENCY_KEY_MAX = 255,
    API_PATH_PARAMS_MAX = 4,
    API_KEY_TEXT_MAX = 96,
    API_LABEL_MAX = 64,
};

/* --- who asks ------------------------------------------------------------------------------ */
enum api_scope {
#define SCOPE(id, bit, name, publishable, what) API_SCOPE_##id = 1 << (bit),
#include "rpc/api_scopes.def"
#undef SCOPE
    API_SCOPE_PUBLIC = 1 << 30, /* of a route: needs no key */
    API_SCOPE_ANY = 1 << 29,    /* of a route: needs any key */
};
enum api_key_kind { API_KEY_NONE, API_KEY_ADMIN, API_KEY_SECRET, API_KEY_PUBLISHABLE };

struct api_principal {
    enum api_key_kind kind; /* NONE: nobody showed a key */
    uint64_t key_id;
    char slug[API_SLUG_MAX + 1]; /* the key's universe; empty for ADMIN */
    uint32_t scopes;
};
/* What came with a request beside its body; lives as long as the call. */
struct api_origin {
    struct api_principal who;
    char slug[API_SLUG_MAX + 1]; /* the URL's universe (/u/<slug>); empty: none */
    char request_id[API_REQUEST_ID_MAX + 1];
    char idempotency_key[API_IDEMPOTENCY_KEY_MAX + 1]; /* empty: none */
    bool forwarded; /* by another node, which says so in a header */
};

/* Without any of that. */
extern const struct api_origin api_nobody;

/* --- what is asked for --------------------------------------------------------------------- */
struct api_route {
    struct rpc_method method; /* name, handler, cost; what a call runs */
    enum http_verb verb;
    const char *path;
    uint32_t scope;
    bool idempotent;
    const char *params, *result;
    int status;
};
extern const struct api_route api_routes[];
extern const size_t api_route_count;

/* The route of a method, NULL: it is none. */
const struct api_route *api_route_of(const struct rpc_method *m);
/* By JSON-RPC name. */
const struct api_route *api_route_find(const char *name, size_t len);
/* By verb and path (without query). *out_args: an object with the path's parameters, to be
 * json_decref'd. NULL: none; *out_other_verb: the path is known under another verb. */
const struct api_route *api_route_match(enum http_verb verb, bytes path, json_t **out_args,
                                        bool *out_other_verb);

/* Adds the parameters of a query ("?a=1&b=2" or empty) to args, which has precedence: texts, but
 * true and false. False: cannot be read, or a name is there twice. */
bool api_add_query(json_t *args, bytes query);

/* Whether `args` (an object) has what the route takes, its path's parameters included, each of its
 * type, and nothing else; on false out_why says what is wrong first. */
bool api_check_args(const struct api_route *r, json_t *args, char *out_why, size_t cap);

/* Gives the call its arguments: checks scope, universe and schema, and sets the call's error where
 * one fails. `args` is taken over. */
void api_begin(struct rpc_call *c, const struct api_route *r, json_t *args);

/* --- what goes wrong ----------------------------------------------------------------------- */
enum api_problem {
    API_OK,
#define PROBLEM(id, status, code, slug, title) API_##id,
#include "rpc/api_problems.def"
#undef PROBLEM
    API_PROBLEM_COUNT
};
/* Sets the call's error; the first one stands. */
void api_fail(struct rpc_call *c, enum api_problem p, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int api_problem_status(enum api_problem p);
/* The problem that stands for a JSON-RPC error code. */
enum api_problem api_problem_of_code(int code);
/* Appends the problem of a failed call (or one without a call) as RFC 9457 has it. */
void api_problem_print(struct buf *out, enum api_problem p, const char *detail, size_t detail_len,
                       const char *slug, const char *request_id, bytes extra);
/* Body and status of the answer to a REST call. */
int api_print(struct buf *out, const struct rpc_call *c);

/* --- arguments, for handlers --------------------------------------------------------------- */
/* NULL when absent or null. */
json_t *api_arg(const struct rpc_call *c, const char *name);
/* Texts; "" when absent. */
const char *api_arg_text(const struct rpc_call *c, const char *name);
/* The universe that the request is about; empty: none. */
const char *api_slug(const struct rpc_call *c);

/* --- documentation ------------------------------------------------------------------------- */
/* "get", ... of the verbs that routes have. */
const char *api_verb_name(enum http_verb v);
void api_openapi(struct buf *out, const char *version);
void api_openrpc(struct buf *out, const char *version);

#endif
