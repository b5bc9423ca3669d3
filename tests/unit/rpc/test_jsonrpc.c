/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: bodies become JSON or an error, request objects calls, calls reply objects; what the loop
 * makes of them is test_engine.c's.
 * Covers: jsonrpc.c */
#include "rpc/jsonrpc.h"

#include <criterion/criterion.h>

static struct rpc_context cx = {.reply_bytes_max = 1000};

Test(jsonrpc, depth) {
    cr_expect(rpc_json_depth_ok("[[[]]]", 6, 3));
    cr_expect_not(rpc_json_depth_ok("[[[]]]", 6, 2));
    cr_expect(rpc_json_depth_ok("[\"[[[[\\\"[[\"]", 12, 1));
    cr_expect(rpc_json_depth_ok("[][][]", 6, 1));
}

static int parse_code(const char *text) {
    struct buf body;
    const char *why = "";
    int code = 0;
    buf_init(&body, 1 << 16);
    buf_append_str(&body, text);
    json_t *root = rpc_parse(&body, &code, &why);
    int got = root != NULL ? 0 : code;
    json_decref(root);
    buf_clear(&body);
    return got;
}

Test(jsonrpc, bodies) {
    cr_expect_eq(parse_code("{\"id\":1}"), 0);
    cr_expect_eq(parse_code("1"), 0, "what is no request is told later");
    cr_expect_eq(parse_code(""), RPC_PARSE_ERROR);
    cr_expect_eq(parse_code("{\"id\":1"), RPC_PARSE_ERROR);
    cr_expect_eq(parse_code("{\"id\":1,\"id\":2}"), RPC_INVALID_REQUEST);
}

/* The reply to a request, as far as reading it says already. */
static void expect(const char *request, const char *want) {
    struct rpc_call c;
    struct buf out;
    json_t *o = json_loads(request, JSON_DECODE_ANY, NULL);
    cr_assert_not_null(o);
    rpc_call_init(&c, &cx);
    buf_init(&out, 1 << 16);
    rpc_read_request(&c, o);
    cr_expect_eq(c.method == NULL, rpc_failed(&c));
    rpc_write_reply(&out, &c);
    cr_expect(out.len == strlen(want) && memcmp(out.ptr, want, out.len) == 0, "%.*s", (int)out.len,
              (const char *)out.ptr);
    buf_clear(&out);
    rpc_call_clear(&c);
    json_decref(o);
}

Test(jsonrpc, requests) {
    expect("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"eth_chainId\"}",
           "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":}");
    expect("{\"id\":[],\"method\":\"eth_chainId\"}",
           "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"invalid "
           "request\"}}");
    expect("{\"id\":7,\"method\":\"eth_chainId\",\"params\":[1]}",
           "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32602,\"message\":\"too many "
           "arguments, want at most 0\"}}");
    expect("{\"id\":7,\"method\":\"eth_getBlockByHash\",\"params\":[]}",
           "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32602,\"message\":\"missing value "
           "for required argument 0\"}}");
    expect("{\"id\":7,\"method\":\"eth_no\"}",
           "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32601,\"message\":\"the method "
           "eth_no does not exist/is not available\"}}");
}
