/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: EIP-712's own example, and digests that ethers 6 and eth-sig-util agree on, come out;
 * everything malformed is refused with a reason. */
#include "base/hex.h"
#include "rpc/typed_data.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define DOMAIN_TYPE                                                                                \
    "\"EIP712Domain\":[{\"name\":\"name\",\"type\":\"string\"},"                                   \
    "{\"name\":\"version\",\"type\":\"string\"},{\"name\":\"chainId\",\"type\":\"uint256\"},"      \
    "{\"name\":\"verifyingContract\",\"type\":\"address\"}]"
#define DOMAIN                                                                                     \
    "\"domain\":{\"name\":\"Ether Mail\",\"version\":\"1\",\"chainId\":1,"                         \
    "\"verifyingContract\":\"0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC\"}"
#define PERSON                                                                                     \
    "\"Person\":[{\"name\":\"name\",\"type\":\"string\"},{\"name\":\"wallet\",\"type\":"           \
    "\"address\"}]"

static const char mail[] =
    "{\"types\":{" DOMAIN_TYPE "," PERSON
    ",\"Mail\":[{\"name\":\"from\",\"type\":\"Person\"},{\"name\":\"to\",\"type\":\"Person\"},"
    "{\"name\":\"contents\",\"type\":\"string\"}]},\"primaryType\":\"Mail\"," DOMAIN
    ",\"message\":{\"from\":{\"name\":\"Cow\",\"wallet\":"
    "\"0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826\"},\"to\":{\"name\":\"Bob\",\"wallet\":"
    "\"0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB\"},\"contents\":\"Hello, Bob!\"}}";

static void expect(const char *text, const char *want) {
    char why[TYPED_DATA_TEXT_MAX], got[67] = "0x";
    hash32 h = {{0}};
    json_t *v = typed_data_parse(text, strlen(text));
    cr_assert_not_null(v, "%s", text);
    cr_assert(typed_data_digest(&h, v, why), "%s: %s", text, why);
    hex_encode(got + 2, h.b, 32);
    got[66] = '\0';
    cr_expect_str_eq(got, want);
    json_decref(v);
}

static void refuse(const char *text, const char *want) {
    char why[TYPED_DATA_TEXT_MAX];
    hash32 h;
    json_t *v = typed_data_parse(text, strlen(text));
    cr_assert_not_null(v, "%s", text);
    cr_assert(!typed_data_digest(&h, v, why), "%s", text);
    cr_expect_str_eq(why, want);
    json_decref(v);
}

Test(typed_data, the_standard_s_example) {
    expect(mail, "0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2");
}

/* One field of type `type` with this value. */
static void refuse_value(const char *type, const char *value, const char *want) {
    char text[1024];
    snprintf(text, sizeof(text),
             "{\"types\":{\"EIP712Domain\":[],\"A\":[{\"name\":\"a\",\"type\":\"%s\"}]},"
             "\"primaryType\":\"A\",\"domain\":{},\"message\":{\"a\":%s}}",
             type, value);
    refuse(text, want);
}

Test(typed_data, refusals) {
    refuse("{}", "typed data need types, primaryType, domain and message");
    refuse("{\"types\":{},\"primaryType\":\"A\"}", "a value of type EIP712Domain is no object");
    refuse("{\"types\":{},\"primaryType\":\"A\",\"domain\":{}}",
           "type EIP712Domain is not defined");
    refuse("{\"types\":{\"EIP712Domain\":[{\"name\":\"x\"}]},\"primaryType\":\"A\",\"domain\":{}}",
           "type EIP712Domain has a field without name or type");
    refuse("{\"types\":{\"EIP712Domain\":{}},\"primaryType\":\"A\",\"domain\":{}}",
           "type EIP712Domain is no list of fields, or too long a one");
    refuse_value("uint256", "\"x\"", "a value of type uint256 is no integer");
    refuse_value("uint256", "1.5", "a value of type uint256 is no integer");
    refuse_value("uint256", "-1", "a value of type uint256 is out of its range");
    refuse_value("uint8", "256", "a value of type uint8 is out of its range");
    refuse_value("int8", "128", "a value of type int8 is out of its range");
    refuse_value("int8", "\"-129\"", "a value of type int8 is out of its range");
    refuse_value("uint7", "1", "type uint7 is not known");
    refuse_value("uint264", "1", "type uint264 is not known");
    refuse_value("uintx", "1", "type uintx is not known");
    refuse_value("bytes33", "\"0x\"", "type bytes33 is not known");
    refuse_value("bytes4", "\"0x010203\"", "a value of type bytes4 has another length");
    refuse_value("bytes", "\"01\"", "a value of type bytes is no hexadecimal data");
    refuse_value("bytes", "\"0x1\"", "a value of type bytes is no hexadecimal data");
    refuse_value("string", "1", "a value of type string is no text");
    refuse_value("bool", "1", "a value of type bool is neither true nor false");
    refuse_value("address", "\"0x01\"", "a value of type address is no address");
    refuse_value("string", "null", "a value of type string is missing");
    refuse_value("string[]", "\"a\"", "a value of type string[] is no list");
    refuse_value("string[2]", "[\"a\"]", "a value of type string[2] has another length");
    refuse_value("Nothing", "{}", "type Nothing is not known");
    refuse_value("A", "1", "a value of type A is no object");
    refuse_value("EIP712Domain[]", "[1]", "a value of type EIP712Domain is no object");
    char deep[200];
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    cr_expect_null(typed_data_parse(deep, 200));
    cr_expect_null(typed_data_parse("{\"a\":1,\"a\":2}", 13));
}

#include "tests/unit/rpc/typed_data_vectors.inc"

Test(typed_data, agrees_with_other_implementations) {
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
        expect(vectors[i].typed, vectors[i].digest);
}
