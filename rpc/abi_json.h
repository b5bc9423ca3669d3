/* SPDX-License-Identifier: Apache-2.0 */
/* Solidity's ABI (Contract ABI Specification, solidity 0.8) for JSON values: arguments in, outputs,
 * errors and events out. Types come from an ABI in JSON or from a signature such as
 * "mint((bytes32,address,uint256)[],bool)".
 *
 * Values: integers as decimal or 0x strings or safe JSON numbers (negative ones with a sign), out
 * as decimal strings; bytes as 0x strings; tuples as lists, or as objects where all members have
 * names; arguments as a list, or as an object by name. Everything is checked: a number that does
 * not fit its type, a list of another length, dirty or missing data are errors.
 *
 * Limits: ABI_DEPTH_MAX nested types (recursion is that deep), ABI_PARAMS_MAX members of a tuple,
 * ABI_DATA_MAX_BYTES encoded. */
#ifndef RPC_ABI_JSON_H
#define RPC_ABI_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>

enum {
    ABI_DEPTH_MAX = 8,
    ABI_PARAMS_MAX = 64,
    ABI_DATA_MAX_BYTES = 1 << 18,
    ABI_SIGNATURE_MAX = 1024,
    ABI_TOPICS_MAX = 4,
};

enum abi_kind {
    ABI_UINT,
    ABI_INT,
    ABI_ADDRESS,
    ABI_BOOL,
    ABI_FIXED_BYTES,
    ABI_BYTES,
    ABI_STRING,
    ABI_LIST,  /* T[] and T[n] */
    ABI_TUPLE, /* also a function's parameters */
};
struct abi_type {
    enum abi_kind kind;
    unsigned size;          /* bits of integers, bytes of FIXED_BYTES, elements of T[n] */
    bool any_length;        /* T[] */
    bool indexed;           /* of an event's parameter */
    const char *name;       /* may be empty */
    struct abi_type *items; /* of a LIST one, of a TUPLE count */
    size_t count;
};
struct abi_entry {
    const char *name;
    char signature[ABI_SIGNATURE_MAX]; /* canonical: what is hashed */
    struct abi_type inputs, outputs;   /* tuples */
    bool anonymous;
};

/* A signature without names. In `a`. ERR_PARSE with a sentence. */
enum err abi_parse_signature(struct abi_entry *out, struct arena *a, const char *text,
                             struct err_ctx *ec) MUST_USE;
/* An element of an ABI in JSON. ERR_PARSE. */
enum err abi_parse_entry(struct abi_entry *out, struct arena *a, const json_t *entry,
                         struct err_ctx *ec) MUST_USE;
/* The function of this name, or of this whole signature where names are overloaded. ERR_NOT_FOUND,
 * ERR_INVALID (ambiguous), ERR_PARSE. */
enum err abi_find_function(struct abi_entry *out, struct arena *a, const json_t *abi,
                           const char *name, struct err_ctx *ec) MUST_USE;
/* The error or event whose hash begins with (or is) these bytes. ERR_NOT_FOUND. */
enum err abi_find_error(struct abi_entry *out, struct arena *a, const json_t *abi,
                        const uint8_t selector[4]) MUST_USE;
enum err abi_find_event(struct abi_entry *out, struct arena *a, const json_t *abi,
                        const hash32 *topic) MUST_USE;
/* Whether the text is an ABI that all of this can read. */
enum err abi_check(struct arena *a, const json_t *abi, struct err_ctx *ec) MUST_USE;

hash32 abi_hash(const struct abi_entry *e);
/* Appends the arguments' encoding. ERR_INVALID says which does not fit; ERR_TOO_LARGE. */
enum err abi_encode(struct buf *out, const struct abi_type *tuple, const json_t *args,
                    struct err_ctx *ec) MUST_USE;
/* Selector and arguments. */
enum err abi_encode_call(struct buf *out, const struct abi_entry *e, const json_t *args,
                         struct err_ctx *ec) MUST_USE;
/* The values as a list, or an object if all have names; to be json_decref'd. ERR_CORRUPT. */
enum err abi_decode(json_t **out, const struct abi_type *tuple, bytes data) MUST_USE;
/* An event's parameters by name (by number where there is none); indexed ones that are hashed are
 * given as their hash. ERR_CORRUPT. */
enum err abi_decode_log(json_t **out, const struct abi_entry *e, const hash32 *topics,
                        size_t topic_count, bytes data) MUST_USE;

#endif
