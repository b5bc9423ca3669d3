/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a transaction is never unknown between the pool and its block. Covers: api_calls.c */
#include "rpc/api.h"
#include "tests/lib/rpc/served.h"

#include <criterion/criterion.h>

static struct tx *moving; /* leaves the pool for a block when somebody looks for it there */

static bool leaves(void *ctx, const hash32 *hash, struct buf *out, addr20 *out_sender) {
    (void)hash;
    (void)out;
    (void)out_sender;
    if (moving != NULL)
        (void)served_block(ctx, &moving, 1);
    moving = NULL;
    return false;
}

static const char *status_of(struct served *s, const hash32 *hash, struct rpc_call *c) {
    static const struct api_origin nobody = {.who = {.kind = API_KEY_ADMIN}};
    const struct api_route *r = api_route_find("universe_txStatus", strlen("universe_txStatus"));
    rpc_call_init(c, &s->cx);
    c->origin = &nobody;
    api_begin(c, r, json_pack("{s:s,s:s}", "slug", "arena", "hash", served_hash(hash)));
    cr_assert_eq(c->code, 0);
    c->phase = RPC_PHASE_RUN;
    rpc_reader_run(s->reader, c, 1);
    buf_append_byte(&c->result, 0);
    return (const char *)c->result.ptr;
}

Test(api_calls, a_transaction_that_becomes_durable) {
    struct served s;
    struct rpc_call c;
    addr20 to = {{7}};
    hash32 unknown = {{1}};
    served_open(&s);
    served_universe(&s, "arena");
    s.node.pooled = leaves;
    moving = served_tx(&s, 1, &to, 1, bytes_of(NULL, 0), 21000);
    hash32 hash = moving->hash;
    const char *text = status_of(&s, &hash, &c);
    cr_assert_eq(c.code, 0, "%.*s", (int)c.text.len, (const char *)c.text.ptr);
    cr_expect_not_null(strstr(text, "\"status\":\"success\""), "%s", text);
    rpc_call_clear(&c);
    (void)status_of(&s, &unknown, &c);
    cr_expect_eq(c.problem, API_NOT_FOUND);
    rpc_call_clear(&c);
    served_close(&s);
}
