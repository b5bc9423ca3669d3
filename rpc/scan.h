/* SPDX-License-Identifier: Apache-2.0 */
/* A scanner for the usual shape of a JSON-RPC request: one object of "jsonrpc", "id", "method" and
 * "params", each at most once and in any order, whose strings are printable ASCII without escapes,
 * whose id is a string or a number of up to SCAN_ID_DIGITS_MAX digits, and whose params are an
 * array of strings, before which one object may stand: of strings, and of lists of strings, nulls
 * and once more such lists, as log filters have them. That is what nearly all hot calls look like.
 * It takes no memory and copies nothing.
 *
 * It decides nothing else: everything it does not know, errors included, is for the JSON library
 * behind it. What it does take is a request that the library would have read the same way. */
#ifndef RPC_SCAN_H
#define RPC_SCAN_H

#include "base/types.h"

enum { SCAN_ARGS_MAX = 4, SCAN_MEMBERS_MAX = 8, SCAN_ID_DIGITS_MAX = 15, SCAN_ID_LEN_MAX = 64 };

struct rpc_scan_member {
    bytes key, value; /* texts, without quotes; of a list what is between its brackets */
    bool is_list;     /* see rpc_scan_item */
};

struct rpc_scan {
    bytes id; /* as written, with its quotes */
    bytes method;
    bytes args[SCAN_ARGS_MAX]; /* texts, without quotes */
    size_t arg_count;
    bool
        has_object; /* argument 0 is an object, args[0] is empty with ptr NULL, and these are it: */
    struct rpc_scan_member members[SCAN_MEMBERS_MAX];
    size_t member_count;
    bool unfit; /* a handler has asked for an argument as JSON: rpc_call's params are needed */
};

/* Whether all of `text`, white space around it apart, is such a request. The slices point into it.
 */
bool rpc_scan_request(struct rpc_scan *out, bytes text);

/* The same text lies at `to` now. */
void rpc_scan_move(struct rpc_scan *s, const uint8_t *from, const uint8_t *to);

/* The next item of a list that was scanned; takes it off *list. False: there is none. */
enum rpc_scan_kind { RPC_SCAN_TEXT, RPC_SCAN_NULL, RPC_SCAN_LIST };
struct rpc_scan_item {
    enum rpc_scan_kind kind;
    bytes text; /* without quotes; of a list what is between its brackets; of a null empty */
};
bool rpc_scan_item(struct rpc_scan_item *out, bytes *list);

/* A body, request by request: one, or a batch that is not empty. */
struct rpc_scan_body {
    const uint8_t *at, *end;
    bool is_batch;
    bool begun;
};
enum rpc_scan_step {
    RPC_SCAN_UNUSUAL, /* at some place; what came before says nothing about the body as a whole */
    RPC_SCAN_REQUEST,
    RPC_SCAN_END, /* all of the body was usual */
};
void rpc_scan_begin(struct rpc_scan_body *b, bytes text);
/* Not to be called again after UNUSUAL or END. */
enum rpc_scan_step rpc_scan_next(struct rpc_scan_body *b, struct rpc_scan *out);

#endif
