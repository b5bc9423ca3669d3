/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what a transaction lacks is filled in as geth does; signatures of development accounts
 * recover to them; nobody else's are given. Covers: fill.c m_sign.c */
#include "base/hex.h"
#include "base/keccak.h"
#include "chain/tx.h"
#include "tests/lib/rpc/served.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define AA "0x00000000000000000000000000000000000000aa"

static const char *text_at(json_t *v, const char *a, const char *b, const char *c) {
    v = json_object_get(json_object_get(v, a), b);
    return json_string_value(c == NULL ? v : json_object_get(v, c));
}

/* The envelope in a result, decoded. */
static struct tx decode(struct served *s, const char *raw) {
    uint8_t *p = arena_alloc(&s->arena, strlen(raw));
    size_t len = 0;
    struct tx tx;
    cr_assert_eq(hex_decode(p, strlen(raw), &len, raw, strlen(raw)), ERR_OK);
    cr_assert_eq(tx_decode(&tx, &s->arena, bytes_of(p, len), false, NULL), ERR_OK);
    return tx;
}

Test(sign, fill_transaction) {
    struct served s;
    served_open(&s);
    const char *from = served_addr(&s.accounts[1].address);
    json_t *r =
        served_call(&s, "eth_fillTransaction", "[{'from':'%s','to':'" AA "','value':'0x5'}]", from);
    cr_expect_str_eq(text_at(r, "result", "tx", "gas"), "0x5208");
    cr_expect_str_eq(text_at(r, "result", "tx", "nonce"), "0x0");
    cr_expect_str_eq(text_at(r, "result", "tx", "maxFeePerGas"), "0x1312d00"); /* twice 0.01 gwei */
    cr_expect_str_eq(text_at(r, "result", "tx", "maxPriorityFeePerGas"), "0x0");
    cr_expect_str_eq(text_at(r, "result", "tx", "type"), "0x2");
    cr_expect_str_eq(text_at(r, "result", "tx", "chainId"), "0xa179");
    cr_expect_str_eq(text_at(r, "result", "tx", "v"), "0x0");
    cr_expect_str_eq(text_at(r, "result", "tx", "from"), from);
    json_decref(r);
    (void)served_send(&s, 1, &s.accounts[2].address, "");
    r = served_call(&s, "eth_fillTransaction",
                    "[{'from':'%s','to':'" AA "','gasPrice':'0x3b9aca00','gas':'0x7530'}]",
                    served_addr(&s.accounts[1].address));
    cr_expect_str_eq(text_at(r, "result", "tx", "nonce"), "0x1");
    cr_expect_str_eq(text_at(r, "result", "tx", "gas"), "0x7530");
    cr_expect_str_eq(text_at(r, "result", "tx", "gasPrice"), "0x3b9aca00");
    cr_expect_str_eq(text_at(r, "result", "tx", "type"), "0x0");
    /* geth's unsigned legacy form: [nonce, price, gas, to, value, data, 0, 0, 0] */
    cr_expect_str_eq(text_at(r, "result", "raw", NULL), "0xe301843b9aca0082753094"
                                                        "00000000000000000000000000000000000000aa"
                                                        "8080808080");
    json_decref(r);
    served_expect_error(&s, -32000, "contract creation without any data provided",
                        "eth_fillTransaction", "[{'from':'%s'}]", from);
    served_expect_error(&s, -32000, "maxFeePerGas must be non-zero", "eth_fillTransaction",
                        "[{'to':'" AA "','maxFeePerGas':'0x0'}]");
    served_expect_error(&s, -32000, "gasPrice must be non-zero after london fork",
                        "eth_fillTransaction", "[{'to':'" AA "','gasPrice':'0x0'}]");
    served_close(&s);
}

Test(sign, sign_transaction) {
    struct served s;
    served_open(&s);
    const char *from = served_addr(&s.accounts[3].address);
    json_t *r = served_call(&s, "eth_signTransaction",
                            "[{'from':'%s','to':'" AA "','gas':'0x5208','nonce':'0x7',"
                            "'maxFeePerGas':'0x9','maxPriorityFeePerGas':'0x0','value':'0x1'}]",
                            from);
    struct tx tx = decode(&s, text_at(r, "result", "raw", NULL));
    cr_assert_eq(tx_recover_sender(&tx), ERR_OK);
    cr_expect(addr20_eq(&tx.sender, &s.accounts[3].address));
    cr_expect(tx.nonce == 7 && tx.gas_limit == 21000 && tx.type == TX_DYNAMIC_FEE);
    cr_expect_str_eq(text_at(r, "result", "tx", "hash"), served_hash(&tx.hash));
    json_decref(r);
    static const struct {
        const char *fields, *want;
    } rows[] = {
        {"'nonce':'0x1','gasPrice':'0x1'", "gas not specified"},
        {"'nonce':'0x1','gas':'0x1','maxFeePerGas':'0x2'",
         "missing gasPrice or maxFeePerGas/maxPriorityFeePerGas"},
        {"'gas':'0x1','gasPrice':'0x1'", "nonce not specified"},
        {"'gas':'0x1','gasPrice':'0x1','nonce':'0x1'", "unknown account"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        served_expect_error(&s, -32000, rows[i].want, "eth_signTransaction",
                            "[{'from':'" AA "',%s}]", rows[i].fields);
    served_close(&s);
}

/* Whose signature it is. */
static addr20 signer_of(const char *text, const hash32 *digest) {
    uint8_t raw[65];
    addr20 a;
    cr_assert_not_null(text);
    cr_assert_eq(hex_decode_fixed(raw, 65, text), ERR_OK);
    cr_assert(raw[64] == 27 || raw[64] == 28);
    struct secp_sig sig = {
        .r = u256_from_be32(raw), .s = u256_from_be32(raw + 32), .recid = (uint8_t)(raw[64] - 27)};
    cr_assert_eq(secp_recover(&a, digest, &sig), ERR_OK);
    return a;
}

Test(sign, messages) {
    struct served s;
    served_open(&s);
    const char *a = served_addr(&s.accounts[0].address);
    static const char text[] = "\x19"
                               "Ethereum Signed Message:\n5hello";
    hash32 digest;
    keccak256(&digest, text, sizeof(text) - 1);
    json_t *r = served_call(&s, "eth_sign", "['%s','0x68656c6c6f']", a);
    json_t *p = served_call(&s, "personal_sign", "['0x68656c6c6f','%s','password']", a);
    cr_expect(json_equal(r, p));
    addr20 who = signer_of(json_string_value(json_object_get(r, "result")), &digest);
    cr_expect(addr20_eq(&who, &s.accounts[0].address));
    json_decref(r);
    json_decref(p);
    served_expect_error(&s, -32000, "unknown account", "eth_sign", "['" AA "','0x00']");
    served_expect_error(&s, -32602, "invalid argument 1: hex string without 0x prefix", "eth_sign",
                        "['%s','hello']", a);
    /* Typed data as an object, and as the text that wallets send. */
    static const char typed[] = "{'types':{'EIP712Domain':[],'A':[{'name':'a','type':'bool'}]},"
                                "'primaryType':'A','domain':{},'message':{'a':true}}";
    r = served_call(&s, "eth_signTypedData_v4", "['%s',%s]", a, typed);
    char escaped[400];
    size_t n = 0;
    for (const char *c = typed; *c != '\0'; c++) {
        if (*c == '\'')
            escaped[n++] = '\\';
        escaped[n++] = *c;
    }
    escaped[n] = '\0';
    p = served_call(&s, "eth_signTypedData_v4", "['%s','%s']", a, escaped);
    cr_expect_not_null(json_object_get(r, "result"));
    cr_expect(json_equal(r, p));
    json_decref(r);
    json_decref(p);
    served_expect_error(
        &s, -32602, "invalid argument 1: typed data need types, primaryType, domain and message",
        "eth_signTypedData_v4", "['%s','nonsense']", a);
    served_close(&s);
}

/* Without --dev there is nobody to sign. */
Test(sign, development_only) {
    static const char *const names[] = {"eth_sign", "personal_sign", "eth_signTransaction",
                                        "eth_signTypedData_v4", "eth_sendTransaction"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        cr_expect_not_null(rpc_method_find(names[i], strlen(names[i]), true));
        cr_expect_null(rpc_method_find(names[i], strlen(names[i]), false));
    }
}
