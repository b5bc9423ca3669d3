/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: debug_trace* show what happened on the chain, in geth's shapes; transactions are found and
 * replayed in their place; limits of size and time hold and are told.
 * Covers: trace.c trace_fault.c trace_four_byte.c m_trace.c trace_struct.c trace_call.c
 * trace_prestate.c */
#include "rpc/trace.h"
#include "tests/lib/rpc/served.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define Z63 "000000000000000000000000000000000000000000000000000000000000000"
#define W(digit) "0x" Z63 #digit
/* Adds 1 to slot 0, logs the sum without topics, returns it. */
#define COUNTER                                                                                    \
    "5f5460010180"                                                                                 \
    "5f555f5260205fa060205ff3"

/* The member at a path of names and indices, "a.0.b". */
static json_t *at(json_t *v, const char *path) {
    char buf[200];
    cr_assert(strlen(path) < sizeof(buf));
    memcpy(buf, path, strlen(path) + 1);
    char *save = NULL;
    for (char *p = strtok_r(buf, ".", &save); p != NULL; p = strtok_r(NULL, ".", &save)) {
        v = json_is_array(v) ? json_array_get(v, (size_t)strtoul(p, NULL, 10))
                             : json_object_get(v, p);
        cr_assert_not_null(v, "%s: %s", path, p);
    }
    return v;
}
static const char *text_at(json_t *v, const char *path) {
    const char *s = json_string_value(at(v, path));
    cr_assert_not_null(s, "%s", path);
    return s;
}
static json_int_t int_at(json_t *v, const char *path) {
    cr_assert(json_is_integer(at(v, path)), "%s", path);
    return json_integer_value(at(v, path));
}

Test(trace, struct_log) {
    struct served s;
    served_open(&s);
    addr20 c = served_deploy(&s, COUNTER);
    (void)served_send(&s, 0, &c, "");
    struct derived_tx d = served_send(&s, 1, &c, "");
    json_t *r = served_call(&s, "debug_traceTransaction", "['%s',{'enableMemory':true}]",
                            served_hash(&d.tx.hash));
    cr_expect_eq(int_at(r, "result.gas"), (json_int_t)d.receipt.gas_used);
    cr_expect(json_is_false(at(r, "result.failed")));
    cr_expect_str_eq(text_at(r, "result.returnValue"), W(2));
    json_t *logs = at(r, "result.structLogs");
    cr_assert_eq(json_array_size(logs), 15);
    /* The first: PUSH0; then SLOAD shows what it read. */
    cr_expect_str_eq(text_at(logs, "0.op"), "PUSH0");
    cr_expect_eq(int_at(logs, "0.gas"), 1000000 - 21000);
    cr_expect_eq(int_at(logs, "0.gasCost"), 2);
    cr_expect(int_at(logs, "0.pc") == 0 && int_at(logs, "0.depth") == 1);
    cr_expect_eq(json_array_size(at(logs, "0.stack")), 0);
    cr_expect_null(json_object_get(at(logs, "0"), "storage"));
    cr_expect_null(json_object_get(at(logs, "0"), "memory"));
    cr_expect_null(json_object_get(at(logs, "0"), "error"));
    cr_expect_eq(int_at(logs, "1.gasCost"), 2100);
    cr_expect_str_eq(text_at(at(logs, "1.storage"), W(0)), W(1));
    /* SSTORE shows what it writes; memory words follow MSTORE. */
    cr_expect_str_eq(text_at(logs, "6.op"), "SSTORE");
    cr_expect_str_eq(text_at(logs, "6.stack.0"), "0x2");
    cr_expect_str_eq(text_at(at(logs, "6.storage"), W(0)), W(2));
    cr_expect_str_eq(text_at(logs, "9.memory.0"), W(2));
    json_decref(r);

    r = served_call(&s, "debug_traceTransaction",
                    "['%s',{'disableStack':true,'disableStorage':true,'limit':2}]",
                    served_hash(&d.tx.hash));
    logs = at(r, "result.structLogs");
    cr_assert_eq(json_array_size(logs), 2);
    cr_expect_null(json_object_get(at(logs, "1"), "stack"));
    cr_expect_null(json_object_get(at(logs, "1"), "storage"));
    json_decref(r);
    served_close(&s);
}

/* What is told of faults, refunds and return data. */
Test(trace, struct_log_corners) {
    struct served s;
    served_open(&s);
    static const struct {
        const char *code, *op, *error; /* last entry */
        json_int_t entries;
    } rows[] = {
        {"5f01", "ADD", "stack underflow (1 <=> 2)", 2},
        {"0c", "opcode 0xc not defined", NULL, 1},
        {"fe", "INVALID", NULL, 1},
        {"600556", "JUMP", NULL, 2},
        {"5f5ffd", "REVERT", NULL, 3},
        {"63ffffffff5f20", "KECCAK256", "out of gas", 3},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *r = served_call(
            &s, "debug_traceCall",
            "[{'to':'0x00000000000000000000000000000000000000aa'},'latest',{'stateOverrides':{"
            "'0x00000000000000000000000000000000000000aa':{'code':'0x%s'}}}]",
            rows[i].code);
        json_t *logs = at(r, "result.structLogs");
        cr_assert_eq((json_int_t)json_array_size(logs), rows[i].entries, "%s", rows[i].code);
        json_t *last = json_array_get(logs, json_array_size(logs) - 1);
        cr_expect_str_eq(text_at(last, "op"), rows[i].op);
        const char *error = json_string_value(json_object_get(last, "error"));
        cr_expect((error == NULL) == (rows[i].error == NULL) &&
                      (error == NULL || strcmp(error, rows[i].error) == 0),
                  "%s: %s", rows[i].code, error == NULL ? "none" : error);
        json_decref(r);
    }
    /* Clearing a slot: the refund is there at the SSTORE and after it. The call's data is shown. */
    json_t *r = served_call(
        &s, "debug_traceCall",
        "[{'to':'0x00000000000000000000000000000000000000aa'},'latest',{'enableReturnData':true,"
        "'stateOverrides':{'0x00000000000000000000000000000000000000aa':{'code':"
        "'0x5f5f555f5f5f5f5f60bb5af1','state':{'" W(0) "':'" W(
            1) "'}},"
               "'0x00000000000000000000000000000000000000bb':{'code':'0x60aa5f5360015ff3'}}}]");
    json_t *logs = at(r, "result.structLogs");
    cr_expect_null(json_object_get(at(logs, "1"), "refund"));
    cr_expect_str_eq(text_at(logs, "2.op"), "SSTORE");
    cr_expect_eq(int_at(logs, "2.refund"), 4800);
    cr_expect_eq(int_at(logs, "3.refund"), 4800);
    json_t *last = json_array_get(logs, json_array_size(logs) - 1);
    cr_expect_str_eq(text_at(last, "op"), "STOP");
    cr_expect_str_eq(text_at(last, "returnData"), "0xaa");
    cr_expect_eq(int_at(logs, "11.depth"), 2);
    json_decref(r);
    served_close(&s);
}

/* A calls B thrice: B logs and returns; B logs and reverts with a reason; a creation fails. */
Test(trace, calls) {
    struct served s;
    served_open(&s);
    addr20 b = served_deploy(&s, "365f5fa0"
                                 "3615600f57"
                                 "5f5ffd"
                                 "00"
                                 "00"
                                 "00"
                                 "5b"
                                 "60015f5360015ff3");
    const char *ba = served_addr(&b) + 2;
    char code[600];
    snprintf(code, sizeof(code),
             "5f5f5fa0"               /* LOG0 */
             "5f5f5f5f600373%s5af150" /* CALL B with 3 wei */
             "5f5f60015f5f73%s5af150" /* CALL B with a byte: it reverts */
             "5f5f5f5f73%s5af450"     /* DELEGATECALL B */
             "5f5f5f5f73%s61fffffa50" /* STATICCALL B: its LOG fails */
             "63fe5f5f5f5f5260046"
             "01c5ff050" /* CREATE whose code is INVALID */
             "5f5f5fa000",
             ba, ba, ba, ba);
    addr20 a = served_deploy(&s, code);
    struct tx *first = served_tx(&s, 0, &a, 0, bytes_of(NULL, 0), 1000000);
    struct tx *tx = served_tx(&s, 1, &a, 50, bytes_of("\1\2", 2), 1000000);
    struct tx *both[] = {first, tx};
    struct derived_block blk = served_block(&s, both, 2);
    cr_assert(blk.txs[1].receipt.success);
    json_t *r = served_call(&s, "debug_traceTransaction",
                            "['%s',{'tracer':'callTracer','tracerConfig':{'withLog':true}}]",
                            served_hash(&tx->hash));
    json_t *v = at(r, "result");
    cr_expect_str_eq(text_at(v, "type"), "CALL");
    cr_expect_str_eq(text_at(v, "from"), served_addr(&s.accounts[1].address));
    cr_expect_str_eq(text_at(v, "to"), served_addr(&a));
    cr_expect_str_eq(text_at(v, "gas"), "0xf4240");
    cr_expect_eq(strtoull(text_at(v, "gasUsed"), NULL, 16), blk.txs[1].receipt.gas_used);
    cr_expect_str_eq(text_at(v, "input"), "0x0102");
    cr_expect_str_eq(text_at(v, "value"), "0x32");
    cr_expect_null(json_object_get(v, "output"));
    cr_expect_null(json_object_get(v, "error"));
    cr_assert_eq(json_array_size(at(v, "calls")), 5);
    cr_expect_str_eq(text_at(v, "calls.0.output"), "0x01");
    cr_expect_str_eq(text_at(v, "calls.0.value"), "0x3");
    cr_expect_str_eq(text_at(v, "calls.1.error"), "execution reverted");
    cr_expect_null(json_object_get(at(v, "calls.1"), "logs"));
    cr_expect_str_eq(text_at(v, "calls.2.type"), "DELEGATECALL");
    cr_expect_str_eq(text_at(v, "calls.2.from"), served_addr(&a));
    cr_expect_str_eq(text_at(v, "calls.2.value"), "0x32"); /* its caller's */
    cr_expect_str_eq(text_at(v, "calls.3.error"), "write protection");
    cr_expect_null(json_object_get(at(v, "calls.3"), "value"));
    cr_expect_str_eq(text_at(v, "calls.4.type"), "CREATE");
    cr_expect_str_eq(text_at(v, "calls.4.error"), "invalid opcode: INVALID");
    cr_expect_null(json_object_get(at(v, "calls.4"), "to"));
    /* Logs keep their index in the block: the first transaction had as many as this one. */
    size_t before = blk.txs[0].receipt.log_count;
    cr_assert_eq(blk.txs[1].receipt.log_count, 4);
    cr_expect_eq(strtoull(text_at(v, "logs.0.index"), NULL, 16), before);
    cr_expect_str_eq(text_at(v, "logs.0.position"), "0x0");
    cr_expect_eq(strtoull(text_at(v, "calls.0.logs.0.index"), NULL, 16), before + 1);
    cr_expect_eq(strtoull(text_at(v, "calls.2.logs.0.index"), NULL, 16), before + 2);
    cr_expect_str_eq(text_at(v, "calls.2.logs.0.address"), served_addr(&a));
    cr_expect_eq(strtoull(text_at(v, "logs.1.index"), NULL, 16), before + 3);
    cr_expect_str_eq(text_at(v, "logs.1.position"), "0x5");
    json_decref(r);

    r = served_call(
        &s, "debug_traceTransaction",
        "['%s',{'tracer':'callTracer','tracerConfig':{'withLog':true,'onlyTopCall':true}}]",
        served_hash(&tx->hash));
    v = at(r, "result");
    cr_expect_null(json_object_get(v, "calls"));
    cr_assert_eq(json_array_size(at(v, "logs")), 2);
    cr_expect_eq(strtoull(text_at(v, "logs.1.index"), NULL, 16), before + 3);
    cr_expect_str_eq(text_at(v, "logs.1.position"), "0x0");
    json_decref(r);

    r = served_call(&s, "debug_traceTransaction", "['%s',{'tracer':'4byteTracer'}]",
                    served_hash(&tx->hash));
    cr_expect_eq(json_object_size(at(r, "result")), 0);
    json_decref(r);
    r = served_call(&s, "debug_traceBlockByNumber", "['latest',{'tracer':'noopTracer'}]");
    cr_assert_eq(json_array_size(at(r, "result")), 2);
    cr_expect_str_eq(text_at(r, "result.1.txHash"), served_hash(&tx->hash));
    cr_expect_eq(json_object_size(at(r, "result.1.result")), 0);
    json_decref(r);
    served_close(&s);
}

Test(trace, deep_calls_do_not_recurse) {
    struct served s;
    served_open(&s);
    /* Calls itself with all its gas until the depth or the gas ends. */
    json_t *r = served_call(
        &s, "debug_traceCall",
        "[{'to':'0x00000000000000000000000000000000000000aa','gas':'0x%x'},'latest',{"
        "'tracer':'callTracer','stateOverrides':{'0x00000000000000000000000000000000000000aa':"
        "{'code':'0x5f5f5f5f5f305af1'}}}]",
        50000000);
    json_t *v = at(r, "result");
    size_t depth = 0;
    while ((v = json_array_get(json_object_get(v, "calls"), 0)) != NULL)
        depth++;
    cr_expect_gt(depth, 500);
    json_decref(r);
    served_close(&s);
}

Test(trace, prestate) {
    struct served s;
    served_open(&s);
    addr20 c = served_deploy(&s, COUNTER);
    struct derived_tx d = served_send(&s, 1, &c, "");
    char ca[43], from[43], fee[43];
    memcpy(ca, served_addr(&c), 43);
    memcpy(from, served_addr(&s.accounts[1].address), 43);
    memcpy(fee, served_addr(&s.genesis.params.network_fee_account), 43);
    json_t *r = served_call(&s, "debug_traceTransaction", "['%s',{'tracer':'prestateTracer'}]",
                            served_hash(&d.tx.hash));
    json_t *v = at(r, "result");
    cr_expect_str_eq(text_at(at(v, from), "balance"), "0x21e19e0c9bab2400000");
    cr_expect_null(json_object_get(at(v, from), "nonce"));
    cr_expect_str_eq(text_at(at(v, ca), "code"), "0x" COUNTER);
    cr_expect_eq(int_at(at(v, ca), "nonce"), 1);
    cr_expect_str_eq(text_at(at(v, ca), "storage." W(0)), W(0)); /* met, and empty */
    cr_expect_not_null(json_object_get(v, fee));
    json_decref(r);

    r = served_call(&s, "debug_traceTransaction",
                    "['%s',{'tracer':'prestateTracer','tracerConfig':{'diffMode':true}}]",
                    served_hash(&d.tx.hash));
    json_t *pre = at(r, "result.pre"), *post = at(r, "result.post");
    cr_assert_eq(json_object_size(pre), 3);
    cr_assert_eq(json_object_size(post), 3);
    cr_expect_null(json_object_get(at(pre, ca), "storage"));
    cr_expect_str_eq(text_at(at(post, ca), "storage." W(0)), W(1));
    cr_expect_null(json_object_get(at(post, ca), "code"));
    cr_expect_null(json_object_get(at(post, ca), "balance"));
    cr_expect_eq(int_at(at(post, from), "nonce"), 1);
    cr_expect_str_neq(text_at(at(post, fee), "balance"), text_at(at(pre, fee), "balance"));
    json_decref(r);

    /* A creation: nothing of it before, and with includeEmpty an account without anything. */
    struct tx *tx = served_tx(&s, 2, NULL, 0, bytes_of("\x5f\x5f\xf3", 3), 100000);
    struct derived_block blk = served_block(&s, &tx, 1);
    char made[43];
    memcpy(made, served_addr(&blk.txs[0].result.created), 43);
    r = served_call(&s, "debug_traceTransaction", "['%s',{'tracer':'prestateTracer'}]",
                    served_hash(&tx->hash));
    cr_expect_null(json_object_get(at(r, "result"), made));
    json_decref(r);
    r = served_call(&s, "debug_traceTransaction",
                    "['%s',{'tracer':'prestateTracer','tracerConfig':{'includeEmpty':true}}]",
                    served_hash(&tx->hash));
    cr_expect_str_eq(text_at(at(at(r, "result"), made), "balance"), "0x0");
    json_decref(r);
    served_close(&s);
}

Test(trace, errors_and_limits) {
    struct served s;
    served_open(&s);
    addr20 c = served_deploy(&s, COUNTER);
    struct derived_tx d = served_send(&s, 0, &c, "");
    char hash[67];
    memcpy(hash, served_hash(&d.tx.hash), 67);
    served_expect_error(&s, -32000, "transaction not found", "debug_traceTransaction",
                        "['" W(1) "']");
    served_expect_error(&s, -32000, "genesis is not traceable", "debug_traceBlockByNumber",
                        "['0x0']");
    served_expect_error(&s, -32000, "block #9 not found", "debug_traceBlockByNumber", "['0x9']");
    served_expect_error(&s, -32000, "block " W(1) " not found", "debug_traceBlockByHash",
                        "['" W(1) "']");
    served_expect_error(&s, -32000, "cannot use diffMode with includeEmpty",
                        "debug_traceTransaction",
                        "['%s',{'tracer':'prestateTracer','tracerConfig':{'diffMode':true,"
                        "'includeEmpty':true}}]",
                        hash);
    served_expect_error(&s, -32000,
                        "tracing failed: intrinsic gas too low: gas 5, minimum needed 21000",
                        "debug_traceCall", "[{'to':'%s','gas':'0x5'},'latest']", served_addr(&c));
    served_expect_error(&s, -32000, "txIndex is not supported: calls run at the block's end",
                        "debug_traceCall", "[{'to':'%s'},'latest',{'txIndex':'0x0'}]",
                        served_addr(&c));
    served_expect_error(&s, -32000, "header not found", "debug_traceCall", "[{'to':'%s'},'0x99']",
                        served_addr(&c));
    json_t *r = served_call(&s, "debug_traceBlockByHash", "['%s']", served_hash(&s.head_hash));
    cr_assert_eq(json_array_size(at(r, "result")), 1);
    json_decref(r);
    /* A reply that does not fit: told instead of sent. */
    s.cx.reply_bytes_max = 600;
    rpc_reader_free(s.reader);
    s.reader = rpc_reader_new(&s.cx, 1 << 20);
    served_expect_error(&s, -32005, "response too large", "debug_traceTransaction", "['%s']", hash);
    served_expect(
        &s,
        "{'gas':43762,'failed':false,'returnValue':'" W(
            1) "','structLogs':[{'pc':0,'op':'PUSH0','gas':979000,'gasCost':2,'depth':1}]}",
        "debug_traceTransaction", "['%s',{'limit':1,'disableStack':true}]", hash);
    s.cx.reply_bytes_max = 25 << 20;
    /* Time that is over before the first event. */
    struct trace_options o = {.kind = TRACE_STRUCT_LOG};
    struct trace *t = trace_new(&o, 1000);
    struct exec x = {.world = chain_world(s.chain)};
    const struct evm_tracer *hooks = trace_begin(t, &x, &d.tx, 0, 1);
    struct evm_step step = {.address = &c};
    hooks->on_step(hooks->ctx, &step);
    cr_assert_eq(trace_outcome(t), TRACE_TIMED_OUT);
    cr_assert_str_eq(trace_outcome_text(TRACE_TIMED_OUT), "execution timeout");
    trace_free(t);
    served_close(&s);
}
