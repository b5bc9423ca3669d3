/* SPDX-License-Identifier: Apache-2.0 */
/* Types of what the API takes and gives, in a short language that rpc/api_routes.def and
 * rpc/api_types.def are written in. The same text checks requests and prints JSON Schema, so that
 * documentation cannot differ from what is done.
 *
 *   fields := field (' ' field)*         field := name '?'? ':' type
 *   type   := 'text' | 'text:MAX' | 'slug' | 'address' | 'hash' | 'hex' | 'uint' | 'u64' | 'bool'
 *           | 'json' | Name | type '[]' | type '[MAX]'
 *
 * `uint` is up to 256 bits: a decimal or 0x string, or a JSON number that every reader keeps whole;
 * answers have decimal strings. `u64` is a JSON number up to 2^53 or such a string. `hex` is data.
 * A list of requests has at least one element. A Name is of rpc/api_types.def. Texts may have no
 * control bytes. Types do not contain themselves: a chain of names ends. */
#ifndef RPC_API_SCHEMA_H
#define RPC_API_SCHEMA_H

#include "base/buf.h"
#include "base/err.h"
#include "base/u256.h"

#include <jansson.h>

enum {
    API_TEXT_MAX_BYTES = 1024, /* of `text` without a maximum of its own */
    API_HEX_MAX_BYTES = 65536,
    API_LIST_MAX = 1000, /* of lists without a maximum of their own */
    API_SLUG_MAX = 14,
};

/* Whether `args` (an object) has what `fields` says and nothing else; on false out_why names the
 * first that is wrong. */
bool api_schema_check(const char *fields, json_t *args, char *out_why, size_t cap);
/* Appends the JSON Schema of an object with these fields; references go to "<prefix>Name". */
void api_schema_object(struct buf *out, const char *fields, const char *prefix);
/* One field: its name (not terminated), whether it is optional, its type. `*cursor` begins at the
 * text and moves on. False: no more. */
struct api_field {
    const char *name, *type;
    size_t name_len, type_len;
    bool optional;
};
bool api_schema_next(const char **cursor, struct api_field *out);
/* Fields of a type of rpc/api_types.def; NULL: it is none of them. */
const char *api_schema_fields(const char *type, size_t len);
/* Appends the schema of a type, or of a whole named result: "Name", "Name[]" or fields. */
void api_schema_type(struct buf *out, const char *type, size_t len, const char *prefix);
/* Appends the schemas of all named types as members of an object: "Name":{...},... */
void api_schema_types(struct buf *out, const char *prefix);

/* Values that have been checked. */
bool api_uint(const json_t *v, u256 *out);
bool api_u64(const json_t *v, uint64_t *out);
bool api_address(const json_t *v, addr20 *out);
bool api_hash(const json_t *v, hash32 *out);
bool api_slug_ok(const char *s, size_t len);

#endif
