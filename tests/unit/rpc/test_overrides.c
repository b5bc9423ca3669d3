/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: calls and estimates see what is overridden and nothing else, and what cannot be overridden
 * is refused in geth's words. Covers: overrides.c simulate.c m_call.c */
#include "base/hex.h"
#include "rpc/overrides.h"
#include "tests/lib/rpc/served.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define AA "0x00000000000000000000000000000000000000aa"
#define ZERO63 "000000000000000000000000000000000000000000000000000000000000000"
#define WORD(digit) "0x" ZERO63 #digit
#define Z48 "000000000000000000000000000000000000000000000000"
#define ZERO56 "00000000000000000000000000000000000000000000000000000000"
/* Returns the word on the stack. */
#define RETURN_WORD "5f5260205ff3"
/* Error("nope"), and code that reverts with it. */
#define NOPE                                                                                       \
    "08c379a0" ZERO56 "00000020" ZERO63 "4"                                                        \
    "6e6f7065" ZERO56
#define REVERT_NOPE "6064600a5f3960645ffd" NOPE

Test(overrides, addresses_in_mixed_case) {
    /* Vectors of EIP-55. */
    static const char *const want[] = {"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
                                       "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
                                       "0x52908400098527886E0F7030069857D2E4169EE7"};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        addr20 a;
        char text[ADDR_TEXT_MAX];
        cr_assert_eq(hex_decode_fixed(a.b, 20, want[i]), ERR_OK);
        cr_expect_str_eq(addr_text_eip55(text, &a), want[i]);
    }
}

Test(overrides, state_of_calls) {
    struct served s;
    served_open(&s);
    served_expect(&s, "'0x'", "eth_call", "[{'to':'" AA "'},'latest',{}]");
    served_expect(&s, "'" WORD(7) "'", "eth_call",
                  "[{'to':'" AA "'},'latest',{'" AA "':{'code':'0x5f54" RETURN_WORD
                  "','state':{'" WORD(0) "':'" WORD(7) "'}}}]");
    served_expect(&s, "'" WORD(9) "'", "eth_call",
                  "[{'to':'" AA "'},'latest',{'" AA "':{'code':'0x47" RETURN_WORD
                  "','balance':'0x9'}}]");
    /* A sender without money sends some of what it is said to have; blocks may be null. */
    served_expect(&s, "'" WORD(5) "'", "eth_call",
                  "[{'from':'" AA "','to':'0x00000000000000000000000000000000000000bb',"
                  "'value':'0x5'},null,{'" AA "':{'balance':'0x5'},"
                  "'0x00000000000000000000000000000000000000bb':{'code':'0x34" RETURN_WORD
                  "'}},null]");
    served_expect_error(&s, -32000,
                        "err: insufficient funds for gas * price + value: address " AA
                        " have 4 want 5 (supplied gas 50000000)",
                        "eth_call",
                        "[{'from':'" AA "','to':'" AA "','value':'0x5'},'latest',{'" AA
                        "':{'balance':'0x4'}}]");
    /* A counter of the chain itself: its slot patched, then replaced by another. */
    addr20 at = served_deploy(&s, "5f54" RETURN_WORD);
    const char *a = served_addr(&at);
    served_expect(&s, "'" WORD(3) "'", "eth_call",
                  "[{'to':'%s'},'latest',{'%s':{'stateDiff':{'" WORD(0) "':'" WORD(3) "'}}}]", a,
                  a);
    served_expect(&s, "'" WORD(0) "'", "eth_call",
                  "[{'to':'%s'},'latest',{'%s':{'state':{'" WORD(1) "':'" WORD(3) "'}}}]", a, a);
    served_close(&s);
}

/* Code that calls without end stops when the call's time is up, in whichever frame it is. */
Test(overrides, calls_have_a_time) {
    struct served s;
    served_open(&s);
    static const char *const params[] = {
        /* calls the identity precompile for ever; calls an account that does so, for ever */
        "[{'to':'" AA "'},'latest',{'" AA "':{'code':'0x5b5f5f5f5f5f60045af1505f56'}}]",
        "[{'to':'" AA "'},'latest',{'" AA "':{'code':'0x5b5f5f5f5f5f60bb5af1505f56'},"
        "'0x00000000000000000000000000000000000000bb':{'code':'0x5b5f5f5f5f5f60045af1505f56'}}]",
    };
    for (size_t i = 0; i < ARRAY_LEN(params); i++) {
        s.cx.call_time_ms = 60000;
        served_expect_error(&s, -32000, "out of gas", "eth_call", "%s", params[i]);
        s.cx.call_time_ms = 1;
        served_expect_error(&s, -32000, "execution aborted (timeout = 1ms)", "eth_call", "%s",
                            params[i]);
        served_expect_error(&s, -32000, "execution aborted (timeout = 1ms)", "eth_estimateGas",
                            "%s", params[i]);
    }
    s.cx.call_time_ms = 60000;
    served_expect(&s, "'0x'", "eth_call", "[{'to':'" AA "'},'latest']");
    served_close(&s);
}

Test(overrides, block_of_calls) {
    struct served s;
    served_open(&s);
    static const struct {
        const char *op, *override, *want;
    } rows[] = {
        {"43", "'number':'0x5'", WORD(5)},
        {"42", "'time':'0x6'", WORD(6)},
        {"45", "'gasLimit':'0x7'", WORD(7)},
        {"41", "'feeRecipient':'0x0000000000000000000000000000000000000008'", WORD(8)},
        {"44", "'prevRandao':'" WORD(9) "'", WORD(9)},
        {"48", "'baseFeePerGas':'0x3'", WORD(0)}, /* a call without a price sees none */
        {"4a", "'blobBaseFee':'0x2'", WORD(2)},
        {"43", "'number':1,'difficulty':'0x1','nothing':{}", WORD(1)},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char want[80];
        snprintf(want, sizeof(want), "'%s'", rows[i].want);
        served_expect(&s, want, "eth_call",
                      "[{'to':'" AA "'},'latest',{'" AA "':{'code':'0x%s" RETURN_WORD "'}},{%s}]",
                      rows[i].op, rows[i].override);
    }
    served_expect(&s, "'" WORD(3) "'", "eth_call",
                  "[{'from':'%s','to':'" AA "','maxFeePerGas':'0x3'},'latest',{'" AA
                  "':{'code':'0x48" RETURN_WORD "'}},{'baseFeePerGas':'0x3'}]",
                  served_addr(&s.accounts[0].address));
    served_close(&s);
}

Test(overrides, refusals) {
    struct served s;
    served_open(&s);
    static const struct {
        int code;
        const char *state, *block, *want;
    } rows[] = {
        {-32000, "{'" AA "':{'state':{},'stateDiff':{}}}", "null",
         "account 0x00000000000000000000000000000000000000AA has both 'state' and 'stateDiff'"},
        {-32000, "{'" AA "':{'movePrecompileToAddress':'" AA "'}}", "null",
         "account 0x00000000000000000000000000000000000000AA: movePrecompileToAddress is not "
         "supported"},
        {-32000, "{'0x0000000000000000000000000000000000000001':{'code':'0x00'}}", "null",
         "account 0x0000000000000000000000000000000000000001 is a precompile: overriding its code "
         "is not supported"},
        {-32000, "{'0x0000000000000000000000000000000000000064':{'code':'0x'}}", "null",
         "account 0x0000000000000000000000000000000000000064 is the chain's own: overriding its "
         "code and storage is not supported"},
        {-32602, "{'0xaa':{}}", "null", "invalid argument 2: 0xaa is not a common.Address"},
        {-32602, "[]", "null",
         "invalid argument 2: json: cannot unmarshal value into Go value of type "
         "override.StateOverride"},
        {-32602, "{'" AA "':{'state':{'0x1':'" WORD(1) "'}}}", "null",
         "invalid argument 2: 0x1 is not a common.Hash"},
        {-32602, "{'" AA "':{'state':{'" WORD(1) "':'0x1'}}}", "null",
         "invalid argument 2: hex string has length 1, want 64 for common.Hash"},
        {-32602, "{'" AA "':{'balance':'1'}}", "null",
         "invalid argument 2: hex string without 0x prefix"},
        {-32602, "{'" AA "':{'code':'0x1'}}", "null",
         "invalid argument 2: hex string of odd length"},
        {-32000, "{}", "{'beaconRoot':'" WORD(1) "'}",
         "block override \"beaconRoot\" is not supported for this RPC method"},
        {-32000, "{}", "{'withdrawals':[]}",
         "block override \"withdrawals\" is not supported for this RPC method"},
        {-32602, "{}", "{'number':'x'}", "invalid argument 3: hex string without 0x prefix"},
        {-32602, "{}", "{'time':'0x10000000000000000'}",
         "invalid argument 3: hex number > 64 bits"},
    };
    static const char *const methods[] = {"eth_call", "eth_estimateGas", "eth_createAccessList"};
    for (size_t m = 0; m < ARRAY_LEN(methods); m++)
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
            served_expect_error(&s, rows[i].code, rows[i].want, methods[m],
                                "[{'to':'" AA "'},'latest',%s,%s]", rows[i].state, rows[i].block);
    served_close(&s);
}

Test(overrides, estimates) {
    struct served s;
    served_open(&s);
    const char *from = served_addr(&s.accounts[0].address);
    served_expect(&s, "'0x5208'", "eth_estimateGas", "[{'from':'%s','to':'" AA "'}]", from);
    /* Code at the target: no plain transfer any more. It uses 23,104; 1.5 % are let go. */
    served_expect(&s, "'0x5b91'", "eth_estimateGas",
                  "[{'from':'%s','to':'" AA "'},'latest',{'" AA "':{'code':'0x5f5450'}}]", from);
    served_expect_error(&s, -32000, "insufficient funds for transfer", "eth_estimateGas",
                        "[{'from':'" AA "','to':'%s','value':'0x2','maxFeePerGas':'0x5f5e100'}]",
                        from);
    served_expect(&s, "'0x5208'", "eth_estimateGas",
                  "[{'from':'" AA "','to':'%s','value':'0x2','maxFeePerGas':'0x5f5e100'},'latest',"
                  "{'" AA "':{'balance':'0xde0b6b3a7640000'}}]",
                  from);
    /* What the balance cannot pay at the offered price is not allowed. */
    served_expect_error(&s, -32000, "gas required exceeds allowance (21000)", "eth_estimateGas",
                        "[{'from':'" AA "','to':'%s','data':'0x01','maxFeePerGas':'0x5f5e100'},"
                        "'latest',{'" AA "':{'balance':'0x1e8f1c10800'}}]",
                        from);
    served_close(&s);
}

/* What stops code is told as geth tells it, although the fast tier does not know. */
Test(overrides, failures) {
    struct served s;
    served_open(&s);
    static const struct {
        const char *code, *want;
    } rows[] = {
        {"fe", "invalid opcode: INVALID"},
        {"0c", "invalid opcode: opcode 0xc not defined"},
        {"5f01", "stack underflow (1 <=> 2)"},
        {"5b5f600056", "stack limit reached 1024 (1023)"},
        {"600456", "invalid jump destination"},
        {"5f5f5f3e5f600160003e", "return data out of bounds"},
        {"5b600056", "out of gas"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        served_expect_error(&s, -32000, rows[i].want, "eth_call",
                            "[{'to':'" AA "'},'latest',{'" AA "':{'code':'0x%s'}}]", rows[i].code);
    json_t *r = served_call(&s, "eth_call",
                            "[{'to':'" AA "'},'latest',{'" AA "':{'code':'0x" REVERT_NOPE "'}}]");
    json_t *e = json_object_get(r, "error");
    cr_expect_eq(json_integer_value(json_object_get(e, "code")), 3);
    cr_expect_str_eq(json_string_value(json_object_get(e, "message")), "execution reverted: nope");
    cr_expect_str_eq(json_string_value(json_object_get(e, "data")), "0x" NOPE);
    json_decref(r);
    served_close(&s);
}

/* What no real state can hold must not bring the node down. */
Test(overrides, impossible_states) {
    struct served s;
    served_open(&s);
#define MAX64 "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    /* Two accounts with all the money there could be: the sum wraps around, as in geth. */
    served_expect(&s, "'" WORD(4) "'", "eth_call",
                  "[{'from':'0x00000000000000000000000000000000000000bb','to':'" AA
                  "','value':'0x5'},'latest',{'" AA "':{'balance':'0x" MAX64
                  "','code':'0x47" RETURN_WORD
                  "'},'0x00000000000000000000000000000000000000bb':{'balance':'0x" MAX64 "'}}]");
    /* The same by SELFDESTRUCT, and to itself. */
    served_expect(&s, "'0x'", "eth_call",
                  "[{'to':'" AA "'},'latest',{'" AA "':{'balance':'0x" MAX64
                  "','code':'0x60bbff'},'0x00000000000000000000000000000000000000bb':{'balance':"
                  "'0x" MAX64 "'}}]");
    served_expect(&s, "'0x'", "eth_call",
                  "[{'from':'" AA "','to':'" AA "','value':'0x" MAX64 "'},'latest',{'" AA
                  "':{'balance':'0x" MAX64 "'}}]");
    /* The last nonce there is, of a sender and of a contract that creates. */
    served_expect_error(&s, -32000, "err: nonce has max value (supplied gas 50000000)", "eth_call",
                        "[{'from':'" AA "','to':'" AA "'},'latest',{'" AA
                        "':{'nonce':'0xffffffffffffffff'}}]");
    served_expect(&s, "'" WORD(0) "'", "eth_call",
                  "[{'to':'" AA "'},'latest',{'" AA
                  "':{'nonce':'0xffffffffffffffff','code':'0x5f5f5ff0" RETURN_WORD "'}}]");
    /* Numbers of blocks and times at their ends; a fee cap beyond all money. */
    served_expect(&s, "'0x" Z48 "ffffffffffffffff'", "eth_call",
                  "[{'to':'" AA "'},'latest',{'" AA "':{'code':'0x5f4050"
                  "43" RETURN_WORD "'}},{'number':'0xffffffffffffffff','time':'0xffffffffffffffff',"
                  "'gasLimit':'0xffffffffffffffff'}]");
    json_t *r = served_call(&s, "eth_call",
                            "[{'to':'" AA "','maxFeePerGas':'0x" MAX64 "'},'latest',{},"
                            "{'baseFeePerGas':'0x" MAX64 "'}]");
    cr_expect_not_null(json_object_get(r, "error"));
    json_decref(r);
    served_close(&s);
}
