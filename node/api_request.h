/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the universes' API out of words of a command line, by the tables that serve it
 * (rpc/api_routes.def, rpc/api_types.def): a route's parameters are the flags of the command that
 * asks for it, and are checked by the same types, so that the two cannot differ.
 *
 * A parameter `expiresAt` is the flag --expires-at; members of a parameter of a named type are
 * flags of their own (policy.maxGas: --policy-max-gas). Lists are given with commas between their
 * elements, but for those inside parentheses; a Target as CONTRACT:FUNCTION, the function by its
 * signature or by its four bytes (0x...); times (u64 whose name ends with At) also as 2030-12-31 or
 * 2030-12-31T23:59:59Z, in UTC. */
#ifndef NODE_API_REQUEST_H
#define NODE_API_REQUEST_H

#include "base/buf.h"
#include "base/err.h"
#include "rpc/api.h"

enum {
    API_FLAGS_MAX = 16, /* of one route */
    API_FLAG_NAME_MAX = 40,
    API_TARGET_MAX_BYTES = 16384, /* of a request's target */
    API_BODY_MAX_BYTES = 1 << 20,
};

struct api_flag {
    char name[API_FLAG_NAME_MAX];   /* without the dashes */
    char param[API_FLAG_NAME_MAX];  /* of the route */
    char member[API_FLAG_NAME_MAX]; /* of that parameter; empty: the flag is all of it */
    const char *type;               /* static */
    size_t type_len;
    bool required;     /* of the route; with a member: whenever another member of it is given */
    const char *value; /* for the caller: what the command line gives; NULL: nothing */
};
/* The flags of a route, in the table's order, without those of parameters that `given` (an object)
 * has; how many. */
size_t api_flags(struct api_flag out[API_FLAGS_MAX], const struct api_route *r,
                 const json_t *given);
/* What stands for its value in a usage text: "N", "ADDRESS", ... Static. */
const char *api_flag_hint(const struct api_flag *f);
/* Adds the values of the flags that have one to `args`. ERR_CONFIG with a sentence that names the
 * flag: one that is needed is missing, a value is not of its type. */
enum err api_flags_take(json_t *args, const struct api_flag *flags, size_t count,
                        struct err_ctx *ec) MUST_USE;

struct api_request {
    char verb[8];      /* "POST" */
    struct buf target; /* path and query, NUL-terminated behind its length */
    struct buf body;   /* JSON; has_body: it has one */
    bool has_body;
};
/* The request of a route with these arguments, an object that is used up in any case. ERR_CONFIG:
 * they are not of their types; ERR_TOO_LARGE. api_request_clear also after an error. */
enum err api_request_make(struct api_request *out, const struct api_route *r, json_t *args,
                          struct err_ctx *ec) MUST_USE;
void api_request_clear(struct api_request *q);

#endif
