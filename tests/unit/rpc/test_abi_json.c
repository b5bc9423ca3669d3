/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: encodings equal the specification's own examples and come back; what does not fit is
 * refused; data that points anywhere does no harm. Covers: abi_json.c, abi_values.c */
#include "rpc/abi_json.h"

#include "base/hex.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct arena arena;
static void begin(void) {
    arena_init(&arena, 1 << 16, 16 << 20);
}
static void end(void) {
    arena_clear(&arena);
}
TestSuite(abi_json, .init = begin, .fini = end);

static json_t *load(const char *quoted) {
    char text[8192];
    size_t n = 0;
    for (; quoted[n] != '\0'; n++)
        text[n] = quoted[n] == '\'' ? '"' : quoted[n];
    text[n] = '\0';
    json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
    cr_assert_not_null(v, "%s", text);
    return v;
}

static enum err encode(struct buf *out, const char *signature, const char *args) {
    struct abi_entry e;
    struct err_ctx ec = {.text = ""};
    json_t *v = load(args);
    cr_assert_eq(abi_parse_signature(&e, &arena, signature, &ec), ERR_OK, "%s", ec.text);
    enum err r = abi_encode_call(out, &e, v, &ec);
    json_decref(v);
    return r;
}

/* The examples of the specification ("Examples" and "Use of Dynamic Types"). */
Test(abi_json, specification) {
    static const struct {
        const char *signature, *args, *want;
    } cases[] = {
        {"baz(uint32,bool)", "[69,true]",
         "0xcdcd77c0"
         "0000000000000000000000000000000000000000000000000000000000000045"
         "0000000000000000000000000000000000000000000000000000000000000001"},
        {"bar(bytes3[2])", "[['0x616263','0x646566']]",
         "0xfce353f6"
         "6162630000000000000000000000000000000000000000000000000000000000"
         "6465660000000000000000000000000000000000000000000000000000000000"},
        {"sam(bytes,bool,uint256[])", "['0x64617665',true,[1,2,3]]",
         "0xa5643bf2"
         "0000000000000000000000000000000000000000000000000000000000000060"
         "0000000000000000000000000000000000000000000000000000000000000001"
         "00000000000000000000000000000000000000000000000000000000000000a0"
         "0000000000000000000000000000000000000000000000000000000000000004"
         "6461766500000000000000000000000000000000000000000000000000000000"
         "0000000000000000000000000000000000000000000000000000000000000003"
         "0000000000000000000000000000000000000000000000000000000000000001"
         "0000000000000000000000000000000000000000000000000000000000000002"
         "0000000000000000000000000000000000000000000000000000000000000003"},
        {"g(uint256[][],string[])", "[[[1,2],[3]],['one','two','three']]",
         "0x2289b18c"
         "0000000000000000000000000000000000000000000000000000000000000040"
         "0000000000000000000000000000000000000000000000000000000000000140"
         "0000000000000000000000000000000000000000000000000000000000000002"
         "0000000000000000000000000000000000000000000000000000000000000040"
         "00000000000000000000000000000000000000000000000000000000000000a0"
         "0000000000000000000000000000000000000000000000000000000000000002"
         "0000000000000000000000000000000000000000000000000000000000000001"
         "0000000000000000000000000000000000000000000000000000000000000002"
         "0000000000000000000000000000000000000000000000000000000000000001"
         "0000000000000000000000000000000000000000000000000000000000000003"
         "0000000000000000000000000000000000000000000000000000000000000003"
         "0000000000000000000000000000000000000000000000000000000000000060"
         "00000000000000000000000000000000000000000000000000000000000000a0"
         "00000000000000000000000000000000000000000000000000000000000000e0"
         "0000000000000000000000000000000000000000000000000000000000000003"
         "6f6e650000000000000000000000000000000000000000000000000000000000"
         "0000000000000000000000000000000000000000000000000000000000000003"
         "74776f0000000000000000000000000000000000000000000000000000000000"
         "0000000000000000000000000000000000000000000000000000000000000005"
         "7468726565000000000000000000000000000000000000000000000000000000"},
    };
    struct buf out, text;
    buf_init(&out, 1 << 20);
    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_reset(&out);
        buf_reset(&text);
        cr_assert_eq(encode(&out, cases[i].signature, cases[i].args), ERR_OK);
        hex_put(&text, out.ptr, out.len);
        buf_append_byte(&text, 0);
        cr_expect_str_eq((const char *)text.ptr, cases[i].want, "%s", cases[i].signature);
    }
    buf_clear(&out);
    buf_clear(&text);
}

/* What is encoded comes back the same, in the forms that answers have. */
Test(abi_json, back_and_forth) {
    static const struct {
        const char *signature, *args;
    } cases[] = {
        {"f(uint8,int8,int256,address,bool)",
         "['255','-128','-1','0x00000000000000000000000000000000000000aa',false]"},
        {"f((uint256,(bytes,string)[])[2],bytes32)",
         "[[['1',[['0x','']]],['2',[['0x01','x'],['0x0203','yz']]]],"
         "'0x0100000000000000000000000000000000000000000000000000000000000002']"},
        {"f(uint256[3][])", "[[['1','2','3'],['4','5','6']]]"},
        {"f()", "[]"},
    };
    struct buf out;
    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct abi_entry e;
        json_t *back = NULL, *want = load(cases[i].args);
        buf_reset(&out);
        cr_assert_eq(encode(&out, cases[i].signature, cases[i].args), ERR_OK, "%s",
                     cases[i].signature);
        cr_assert_eq(abi_parse_signature(&e, &arena, cases[i].signature, NULL), ERR_OK);
        cr_assert_eq(abi_decode(&back, &e.inputs, bytes_of(out.ptr + 4, out.len - 4)), ERR_OK);
        cr_expect(json_equal(back, want), "%s", cases[i].signature);
        json_decref(back);
        json_decref(want);
    }
    buf_clear(&out);
}

Test(abi_json, refusals) {
    static const struct {
        const char *signature, *args;
    } cases[] = {
        {"f(uint8)", "['256']"},       {"f(uint8)", "[-1]"},      {"f(int8)", "['128']"},
        {"f(int8)", "['-129']"},       {"f(bool)", "[1]"},        {"f(address)", "['0x01']"},
        {"f(bytes4)", "['0x010203']"}, {"f(bytes)", "['0x1']"},   {"f(uint256[2])", "[[1]]"},
        {"f(uint256)", "[]"},          {"f(uint256)", "[1,2]"},   {"f((uint256,bool))", "[[1]]"},
        {"f(string)", "[null]"},       {"f(uint256)", "{'a':1}"},
    };
    struct buf out;
    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        cr_expect_eq(encode(&out, cases[i].signature, cases[i].args), ERR_INVALID, "%s %s",
                     cases[i].signature, cases[i].args);
    static const char *const bad[] = {"f",
                                      "f(",
                                      "f(uint7)",
                                      "f(uint264)",
                                      "f(bytes33)",
                                      "f(bytes0)",
                                      "f(uint08)",
                                      "f(,)",
                                      "f(uint256",
                                      "f(uint[)",
                                      "f(uint[01])",
                                      "f(x)",
                                      "f(((((((((uint256)))))))))",
                                      "f(uint[][][][][][][][][])"};
    struct abi_entry e;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_expect_eq(abi_parse_signature(&e, &arena, bad[i], NULL), ERR_PARSE, "%s", bad[i]);
    buf_clear(&out);
}

static const char abi_text[] =
    "[{'type':'function','name':'mint','inputs':[{'name':'to','type':'address'},{'name':'items',"
    "'type':'tuple[]','components':[{'name':'id','type':'uint256'},{'name':'ok','type':'bool'}]}],"
    "'outputs':[]},{'type':'function','name':'mint','inputs':[],'outputs':[]},"
    "{'type':'event','name':'Sent','inputs':[{'name':'to','type':'address','indexed':true},"
    "{'name':'what','type':'string','indexed':true},{'name':'id','type':'uint256'}]},"
    "{'type':'error','name':'Bad','inputs':[{'name':'why','type':'string'}]}]";

Test(abi_json, by_name) {
    struct abi_entry e;
    struct err_ctx ec = {.text = ""};
    struct buf out;
    json_t *abi = load(abi_text), *args;
    buf_init(&out, 1 << 20);
    cr_assert_eq(abi_check(&arena, abi, &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(abi_find_function(&e, &arena, abi, "mint", &ec), ERR_INVALID);
    cr_expect_eq(abi_find_function(&e, &arena, abi, "burn", &ec), ERR_NOT_FOUND);
    cr_assert_eq(abi_find_function(&e, &arena, abi, "mint(address,(uint256,bool)[])", &ec), ERR_OK);
    args = load("{'items':[{'ok':true,'id':7}],'to':'0x00000000000000000000000000000000000000aa'}");
    cr_assert_eq(abi_encode_call(&out, &e, args, &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(out.len, 4 + 5 * 32);
    json_decref(args);

    hash32 topics[3] = {{{0}}};
    uint8_t data[32] = {0};
    struct abi_entry by_text;
    cr_assert_eq(abi_parse_signature(&by_text, &arena, "Sent(address,string,uint256)", NULL),
                 ERR_OK);
    topics[0] = abi_hash(&by_text);
    topics[1].b[31] = 0xaa;
    topics[2].b[0] = 1;
    data[31] = 9;
    cr_assert_eq(abi_find_event(&e, &arena, abi, &topics[0]), ERR_OK);
    cr_assert_eq(abi_decode_log(&args, &e, topics, 3, bytes_of(data, 32)), ERR_OK);
    json_t *want = load("{'to':'0x00000000000000000000000000000000000000aa','what':"
                        "'0x0100000000000000000000000000000000000000000000000000000000000000',"
                        "'id':'9'}");
    cr_expect(json_equal(args, want));
    json_decref(args);
    json_decref(want);
    cr_expect_eq(abi_decode_log(&args, &e, topics, 2, bytes_of(data, 32)), ERR_CORRUPT);
    cr_expect_eq(abi_decode_log(&args, &e, topics, 3, bytes_of(data, 31)), ERR_CORRUPT);
    json_decref(abi);
    buf_clear(&out);
}

/* Random data under types of every kind: an error or a value, never harm. */
Test(abi_json, random_data, .timeout = 60) {
    struct abi_entry e;
    struct rng r = {.state = rng_seed(3)};
    uint8_t data[2048];
    size_t decoded = 0;
    cr_assert_eq(abi_parse_signature(
                     &e, &arena, "f(bytes,(string,uint256[])[],uint8[2][],(bool,bytes4))", NULL),
                 ERR_OK);
    for (int i = 0; i < 20000; i++) {
        size_t len = rng_below(&r, sizeof(data));
        memset(data, 0, sizeof(data));
        for (size_t at = 31; at < len; at += 32) { /* small numbers: offsets that mean something */
            data[at] = (uint8_t)(rng_below(&r, 16) * 32);
            data[at - 1] = (uint8_t)rng_below(&r, 2);
        }
        json_t *v = NULL;
        if (abi_decode(&v, &e.inputs, bytes_of(data, len)) == ERR_OK)
            decoded++;
        json_decref(v);
    }
    cr_expect(decoded > 0);
}
