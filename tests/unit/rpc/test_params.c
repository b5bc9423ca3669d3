/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: arguments are read as geth reads them, and what it refuses is refused in its words.
 * Covers: params.c call.c */
#include "rpc/params.h"

#include <criterion/criterion.h>

static struct rpc_context cx = {.chain = {.chain_id = 41337}, .reply_bytes_max = 4096};

/* A call whose argument 0 is this JSON. */
static struct rpc_call call_with(const char *json) {
    struct rpc_call c;
    rpc_call_init(&c, &cx);
    json_t *v = json_loads(json, JSON_DECODE_ANY, NULL);
    cr_assert_not_null(v, "%s", json);
    c.params = json_array();
    json_array_append_new(c.params, v);
    return c;
}

static void done(struct rpc_call *c) {
    json_decref(c->params);
    rpc_call_clear(c);
}

static void expect_error(struct rpc_call *c, int code, const char *text) {
    buf_append_byte(&c->text, 0);
    cr_expect_eq(c->code, code, "%d", c->code);
    cr_expect_str_eq((const char *)c->text.ptr, text);
}

Test(params, addresses_and_hashes) {
    static const struct {
        const char *json, *error;
    } cases[] = {
        {"\"0xABCDEFabcdef0000000000000000000000000001\"", NULL},
        {"\"0x00\"", "invalid argument 0: hex string has length 2, want 40 for common.Address"},
        {"\"abcd\"", "invalid argument 0: hex string without 0x prefix"},
        {"\"\"", "invalid argument 0: empty hex string"},
        {"\"0xzz00000000000000000000000000000000000001\"",
         "invalid argument 0: invalid hex string"},
        {"5", "invalid argument 0: json: cannot unmarshal non-string into Go value of type "
              "common.Address"},
        {"null", "invalid argument 0: json: cannot unmarshal non-string into Go value of type "
                 "common.Address"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rpc_call c = call_with(cases[i].json);
        addr20 a;
        cr_expect_eq(param_addr(&c, 0, &a), cases[i].error == NULL, "case %zu", i);
        if (cases[i].error != NULL)
            expect_error(&c, -32602, cases[i].error);
        else
            cr_expect_eq(a.b[0], 0xab);
        done(&c);
    }
}

Test(params, quantities) {
    static const struct {
        const char *json;
        uint64_t want;
        bool ok;
    } cases[] = {
        {"\"0x0\"", 0, true},
        {"\"0x10\"", 16, true},
        {"\"0x0010\"", 16, true},
        {"16", 16, true},
        {"\"0xffffffffffffffff\"", UINT64_MAX, true},
        {"\"0x10000000000000000\"", 0, false},
        {"\"0x\"", 0, false},
        {"\"10\"", 0, false},
        {"-1", 0, false},
        {"1.5", 0, false},
        {"{}", 0, false},
        {"true", 0, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rpc_call c = call_with(cases[i].json);
        uint64_t v = 0;
        cr_expect_eq(param_u64(&c, 0, &v), cases[i].ok, "%s", cases[i].json);
        cr_expect_eq(rpc_failed(&c), !cases[i].ok);
        if (cases[i].ok)
            cr_expect_eq(v, cases[i].want);
        done(&c);
    }
}

Test(params, blocks) {
    static const struct {
        const char *json;
        int kind; /* -1: refused */
        uint64_t number;
    } cases[] = {
        {"null", BLOCK_REF_LATEST, 0},
        {"\"latest\"", BLOCK_REF_LATEST, 0},
        {"\"pending\"", BLOCK_REF_PENDING, 0},
        {"\"safe\"", BLOCK_REF_SAFE, 0},
        {"\"finalized\"", BLOCK_REF_FINALIZED, 0},
        {"\"earliest\"", BLOCK_REF_NUMBER, 0},
        {"\"0x1f\"", BLOCK_REF_NUMBER, 31},
        {"{\"blockNumber\":\"0x1f\"}", BLOCK_REF_NUMBER, 31},
        {"{\"blockNumber\":\"latest\"}", BLOCK_REF_LATEST, 0},
        {"{\"blockHash\":\"0x1111111111111111111111111111111111111111111111111111111111111111\"}",
         BLOCK_REF_HASH, 0},
        {"\"0x1111111111111111111111111111111111111111111111111111111111111111\"", BLOCK_REF_HASH,
         0},
        {"{\"blockNumber\":\"0x1\",\"blockHash\":\"0x11\"}", -1, 0},
        {"{}", -1, 0},
        {"\"newest\"", -1, 0},
        {"[]", -1, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rpc_call c = call_with(cases[i].json);
        struct block_ref ref;
        bool ok = param_block(&c, 0, &ref, true);
        cr_expect_eq(ok, cases[i].kind >= 0, "%s", cases[i].json);
        if (ok && cases[i].kind >= 0) {
            cr_expect_eq((int)ref.kind, cases[i].kind, "%s", cases[i].json);
            if (ref.kind == BLOCK_REF_NUMBER)
                cr_expect_eq(ref.number, cases[i].number);
        }
        done(&c);
    }
}

Test(params, storage_keys) {
    static const struct {
        const char *json;
        uint64_t want;
        const char *error;
    } cases[] = {
        {"\"0x5\"", 5, NULL},
        {"\"5\"", 5, NULL},
        {"\"0x\"", 0, NULL},
        {"\"0x0000000000000000000000000000000000000000000000000000000000000010\"", 16, NULL},
        {"\"0xg\"", 0, "invalid hex in storage key: \"0xg\""},
        {"\"0x00000000000000000000000000000000000000000000000000000000000000001\"", 0,
         "storage key too long (want at most 32 bytes): "
         "\"0x00000000000000000000000000000000000000000000000000000000000000001\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rpc_call c = call_with(cases[i].json);
        u256 v;
        bool ok = param_storage_key(&c, 0, &v);
        cr_expect_eq(ok, cases[i].error == NULL, "case %zu", i);
        if (cases[i].error != NULL)
            expect_error(&c, -32602, cases[i].error);
        else
            cr_expect_eq(v.w[0], cases[i].want);
        done(&c);
    }
}

Test(params, transactions) {
    struct arena a;
    struct tx_args t;
    arena_init(&a, 65536, 1 << 20);
    struct rpc_call c =
        call_with("{\"to\":\"0x00000000000000000000000000000000000000aa\",\"input\":\"0x0102\","
                  "\"data\":\"0x0102\",\"gas\":\"0x5208\",\"maxFeePerGas\":\"0x9\","
                  "\"accessList\":[{\"address\":\"0x00000000000000000000000000000000000000bb\","
                  "\"storageKeys\":[\"0x"
                  "0000000000000000000000000000000000000000000000000000000000000001\"]}]}");
    cr_assert(param_tx(&c, 0, &t, &a));
    cr_expect_not(t.tx.is_create);
    cr_expect_eq(t.tx.type, TX_DYNAMIC_FEE);
    cr_expect_eq(t.tx.data.len, 2);
    cr_expect_eq(t.tx.gas_limit, 21000);
    cr_expect_eq(t.tx.max_fee.w[0], 9);
    cr_expect_eq(t.tx.access_count, 1);
    cr_expect_eq(t.tx.access[0].keys[0].b[31], 1);
    cr_expect_eq(t.tx.chain_id, 41337);
    done(&c);

    static const struct {
        const char *json, *error;
        int code;
    } refused[] = {
        {"{\"data\":\"0x01\",\"input\":\"0x02\"}",
         "both \"data\" and \"input\" are set and not equal. Please use \"input\" to pass "
         "transaction call data",
         -32000},
        {"{\"gasPrice\":\"0x1\",\"maxFeePerGas\":\"0x1\"}",
         "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified", -32000},
        {"{\"maxFeePerGas\":\"0x1\",\"maxPriorityFeePerGas\":\"0x2\"}",
         "maxFeePerGas (1) < maxPriorityFeePerGas (2)", -32000},
        {"{\"chainId\":\"0x1\"}", "chainId does not match node's (have=1, want=41337)", -32000},
        {"{\"data\":\"0x0\"}", "invalid argument 0: hex string of odd length", -32602},
        {"{\"type\":\"0x3\"}", "transaction type not supported: transaction type not valid",
         -32000},
        {"[]",
         "invalid argument 0: json: cannot unmarshal value into Go value of type "
         "ethapi.TransactionArgs",
         -32602},
    };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        c = call_with(refused[i].json);
        cr_expect_not(param_tx(&c, 0, &t, &a), "case %zu", i);
        expect_error(&c, refused[i].code, refused[i].error);
        done(&c);
    }
    arena_clear(&a);
}

#define TOPIC "\"0x1111111111111111111111111111111111111111111111111111111111111111\""
Test(params, filters) {
    struct arena a;
    struct filter_args f;
    arena_init(&a, 65536, 1 << 20);
    struct rpc_call c = call_with(
        "{\"fromBlock\":\"0x1\",\"address\":[\"0x00000000000000000000000000000000000000aa\"],"
        "\"topics\":[null,[" TOPIC "," TOPIC "]," TOPIC ",[" TOPIC ",null]]}");
    cr_assert(param_filter(&c, 0, &f, &a));
    cr_expect_eq(f.from.kind, BLOCK_REF_NUMBER);
    cr_expect_eq(f.to.kind, BLOCK_REF_LATEST);
    cr_expect_eq(f.filter.address_count, 1);
    cr_expect_eq(f.filter.topic_count, 4);
    cr_expect_eq(f.filter.topics[0].count, 0);
    cr_expect_eq(f.filter.topics[1].count, 2);
    cr_expect_eq(f.filter.topics[2].count, 1);
    cr_expect_eq(f.filter.topics[3].count, 0); /* null among alternatives: any */
    done(&c);
    c = call_with("{\"blockHash\":" TOPIC ",\"toBlock\":\"0x1\"}");
    cr_expect_not(param_filter(&c, 0, &f, &a));
    expect_error(&c, -32602,
                 "invalid argument 0: cannot specify both BlockHash and FromBlock/ToBlock, choose "
                 "one or the other");
    done(&c);
    c = call_with("{\"topics\":[null,null,null,null,null]}");
    cr_expect_not(param_filter(&c, 0, &f, &a));
    expect_error(&c, -32602, "exceed max topics");
    done(&c);
    arena_clear(&a);
}

Test(params, errors_keep_the_first) {
    struct rpc_call c = call_with("1");
    rpc_fail(&c, -32000, "first %d", 1);
    rpc_fail(&c, -32603, "second");
    expect_error(&c, -32000, "first 1");
    done(&c);
    c = call_with("1");
    rpc_fail_err(&c, ERR_PRUNED, NULL);
    expect_error(&c, 4444, "pruned history unavailable");
    done(&c);
}
