/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a request that is repeated is done once, also while blocks are made again. Method: the
 * development chain; an outbox that says of whatever it is given that it is durable, and remembers
 * it as node/outbox.h does. Covers: api_task.c */
#include "rpc/api_task.h"
#include "tests/lib/rpc/served.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { ROWS_MAX = 8, SENDER = 1 };

static struct fixture {
    struct served s;
    struct api_origin origin;
    struct row {
        enum kv_space space;
        struct buf key, value;
    } rows[ROWS_MAX];
    size_t row_count;
    hash32 hash; /* of what is sent */
    uint64_t nonce;
    bool tomb;
    /* What the last run saw. */
    enum api_part_state state;
    size_t parts;
} f;

static void keep(enum kv_space space, bytes key, bytes value) {
    struct row *r = &f.rows[f.row_count++];
    cr_assert_leq(f.row_count, ROWS_MAX);
    r->space = space;
    buf_init(&r->key, 64);
    buf_init(&r->value, 4096);
    buf_append(&r->key, key.ptr, key.len);
    buf_append(&r->value, value.ptr, value.len);
}

static bool kv_get_value(void *ctx, enum kv_space space, bytes key, struct buf *out) {
    (void)ctx;
    for (size_t i = f.row_count; i-- > 0;) {
        const struct row *r = &f.rows[i];
        if (r->space != space || r->key.len != key.len || memcmp(r->key.ptr, key.ptr, key.len) != 0)
            continue;
        if (out != NULL)
            buf_append(out, r->value.ptr, r->value.len);
        return true;
    }
    return false;
}

static void send_parts(void *outbox, struct node_send *s) {
    (void)outbox;
    uint8_t key[34] = {0}, row[NODE_SENT_FIXED_BYTES] = {NODE_SENT_VERSION};
    cr_assert(s->has_id && s->count == 1);
    memcpy(key, s->id.b, 32);
    key[33] = (uint8_t)s->first_part;
    memcpy(row + 1, f.hash.b, 32);
    be64_store(row + 33, f.nonce);
    memcpy(row + 41, f.s.accounts[SENDER].address.b, 20);
    keep(KV_REQUEST, bytes_of(s->id.b, 32), s->request);
    keep(KV_SENT, bytes_of(key, sizeof(key)), bytes_of(row, sizeof(row)));
}

static bool claim(void *outbox, const hash32 *id) {
    (void)outbox;
    (void)id;
    return true;
}

static void release(void *outbox, const hash32 *id) {
    (void)outbox;
    (void)id;
}

static bool tombstone(void *ctx, const hash32 *tx_hash, const char **out_reason) {
    (void)ctx;
    *out_reason = "invalid";
    return f.tomb && hash32_eq(tx_hash, &f.hash);
}
static const struct node_parent parent = {.tombstone = tombstone};

static void handler(struct rpc_call *c) {
    static const char name[] = "universe_setPaused";
    c->method = &api_route_find(name, sizeof(name) - 1)->method;
    struct api_task *t = api_task(c);
    if (t == NULL)
        return;
    f.parts = t->part_count;
    if (t->part_count > 0)
        f.state = t->parts[0].state;
    const struct api_call_spec call = {.trust = true, .gas = 21000};
    if (t->part_count == 0 && api_task_add(c, &call))
        api_task_send(c, "arena");
    else
        buf_append_str(&c->result, "true");
}

/* The request is made (once more); the problem that it meets. */
static int request(void) {
    static const struct rpc_method m = {.name = "test", .run = handler, .cost = RPC_COST_HEAVY};
    struct rpc_call c;
    f.parts = 0;
    rpc_call_init(&c, &f.s.cx);
    c.method = &m;
    c.origin = &f.origin;
    c.args = json_pack("{s:s}", "slug", "arena");
    c.phase = RPC_PHASE_RUN;
    rpc_reader_run(f.s.reader, &c, 1);
    if (c.ask != NULL)
        c.ask(&c, (struct rpc_wake){0});
    int problem = c.problem;
    rpc_call_clear(&c);
    return problem;
}

static void set_up(void) {
    served_open(&f.s);
    f.origin = (struct api_origin){.idempotency_key = "a key"};
    f.s.node.kv_get = kv_get_value;
    f.s.node.send = send_parts;
    f.s.node.claim = claim;
    f.s.node.release = release;
    f.s.node.parent = &parent;
}

static void tear_down(void) {
    for (size_t i = 0; i < f.row_count; i++) {
        buf_clear(&f.rows[i].key);
        buf_clear(&f.rows[i].value);
    }
    served_close(&f.s);
}

/* A transfer of the account that signs, in a block or not. */
static struct tx *transfer(uint64_t value) {
    return served_tx(&f.s, SENDER, &f.s.accounts[0].address, value, bytes_of(NULL, 0), 21000);
}

TestSuite(api_task, .init = set_up, .fini = tear_down);

/* What was sent is not in the chain, its nonce is free: it comes back, unless there is a tombstone.
 */
Test(api_task, while_blocks_are_made_again) {
    struct tx *sent = transfer(1);
    f.hash = sent->hash;
    f.nonce = sent->nonce;
    cr_expect_eq(request(), API_OK);
    cr_expect_eq(f.parts, 0);
    cr_assert_eq(f.row_count, 2);
    cr_expect_eq(request(), API_IN_FLIGHT);
    f.tomb = true;
    cr_expect_eq(request(), API_OK);
    cr_expect_eq(f.state, API_PART_LOST);
    f.tomb = false;
    cr_expect_eq(request(), API_IN_FLIGHT);
    served_block(&f.s, &sent, 1);
    cr_expect_eq(request(), API_OK);
    cr_expect_eq(f.parts, 1);
    cr_expect_eq(f.state, API_PART_DONE);
    cr_expect_eq(f.row_count, 2);
}

/* Another transaction has the nonce. */
Test(api_task, its_nonce_is_taken) {
    struct tx *other = transfer(2);
    f.hash = (hash32){{1}};
    f.nonce = other->nonce;
    cr_expect_eq(request(), API_OK);
    served_block(&f.s, &other, 1);
    cr_expect_eq(request(), API_OK);
    cr_expect_eq(f.state, API_PART_LOST);
}

/* Those before it are not back yet: also with a tombstone, it may come back behind them. */
Test(api_task, behind_others) {
    f.hash = (hash32){{1}};
    f.nonce = 1;
    cr_expect_eq(request(), API_OK);
    cr_expect_eq(request(), API_IN_FLIGHT);
    f.tomb = true;
    cr_expect_eq(request(), API_IN_FLIGHT);
}

/* The same key with another request. */
Test(api_task, another_request) {
    f.hash = (hash32){{1}};
    cr_expect_eq(request(), API_OK);
    f.rows[0].value.ptr[1] ^= 1; /* the hash of what was asked */
    cr_expect_eq(request(), API_MISMATCH);
}
