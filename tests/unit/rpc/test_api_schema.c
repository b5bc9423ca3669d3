/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the short language of types says yes and no where it should, and prints the schema of what
 * it checks. Covers: api_schema.c */
#include "rpc/api_schema.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static bool fits(const char *fields, const char *args) {
    char why[256], text[4096];
    size_t n = 0;
    for (; args[n] != '\0'; n++)
        text[n] = args[n] == '\'' ? '"' : args[n];
    text[n] = '\0';
    json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
    cr_assert_not_null(v, "%s", text);
    why[0] = '\0';
    bool ok = api_schema_check(fields, v, why, sizeof(why));
    cr_expect_eq(ok, why[0] == '\0', "%s: %s", args, why);
    json_decref(v);
    return ok;
}

Test(api_schema, scalars) {
    static const struct {
        const char *type, *good[6], *bad[8];
    } cases[] = {
        {"uint",
         {"0", "'0'",
          "'115792089237316195423570985008687907853269984665640564039457584007913129639935'",
          "'0xff'", "9007199254740991"},
         {"-1", "'-1'", "1.5", "9007199254740992",
          "'115792089237316195423570985008687907853269984665640564039457584007913129639936'", "''",
          "'0x'", "' 1'"}},
        {"u64", {"0", "'18446744073709551615'"}, {"'18446744073709551616'", "true", "[]"}},
        {"address",
         {"'0x00000000000000000000000000000000000000aA'"},
         {"'0x00000000000000000000000000000000000000a'",
          "'00000000000000000000000000000000000000aa'",
          "'0x00000000000000000000000000000000000000ag'", "1"}},
        {"hash",
         {"'0x0000000000000000000000000000000000000000000000000000000000000001'"},
         {"'0x01'", "''"}},
        {"hex", {"'0x'", "'0x00Ff'"}, {"'0x0'", "'00'", "'0xzz'"}},
        {"slug",
         {"'a'", "'a-1'", "'abcdefghijklmn'"},
         {"''", "'-a'", "'a-'", "'A'", "'a_b'", "'abcdefghijklmno'"}},
        {"bool", {"true", "false"}, {"0", "'true'"}},
        {"text:3", {"''", "'abc'", "'\\u00e9'"}, {"'abcd'", "'a\\n'", "1"}},
        {"uint[2]", {"[1]", "[1,2]"}, {"[]", "[1,2,3]", "['x']", "1"}},
        {"json", {"{'a':[1]}", "1"}, {NULL}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char fields[64], args[256];
        snprintf(fields, sizeof(fields), "v:%s", cases[i].type);
        for (size_t k = 0; k < ARRAY_LEN(cases[i].good) && cases[i].good[k] != NULL; k++) {
            snprintf(args, sizeof(args), "{'v':%s}", cases[i].good[k]);
            cr_expect(fits(fields, args), "%s: %s", fields, args);
        }
        for (size_t k = 0; k < ARRAY_LEN(cases[i].bad) && cases[i].bad[k] != NULL; k++) {
            snprintf(args, sizeof(args), "{'v':%s}", cases[i].bad[k]);
            cr_expect_not(fits(fields, args), "%s: %s", fields, args);
        }
    }
}

Test(api_schema, objects) {
    cr_expect(fits("", "{}"));
    cr_expect_not(fits("", "{'a':1}"));
    cr_expect_not(fits("", "[]"));
    cr_expect(fits("a:uint b?:bool", "{'a':1}"));
    cr_expect(fits("a:uint b?:bool", "{'a':1,'b':null}"));
    cr_expect_not(fits("a:uint b?:bool", "{'b':true}"));
    cr_expect_not(fits("a:uint b?:bool", "{'a':1,'b':1}"));
    cr_expect(fits("items:MintItem[2]",
                   "{'items':[{'to':'0x00000000000000000000000000000000000000aa','id':1}]}"));
    cr_expect_not(fits("items:MintItem[2]", "{'items':[{'id':1}]}"));
    cr_expect_not(fits("items:MintItem[2]",
                       "{'items':[{'to':'0x00000000000000000000000000000000000000aa','x':1}]}"));
}

/* All that is printed is JSON, and every name that it refers to is there. */
Test(api_schema, prints) {
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_append_byte(&b, '{');
    api_schema_types(&b, "#/components/schemas/");
    buf_append_byte(&b, '}');
    json_t *all = json_loadb((const char *)b.ptr, b.len, JSON_REJECT_DUPLICATES, NULL);
    cr_assert_not_null(all);
    cr_expect(json_object_size(all) > 10);
    buf_append_byte(&b, 0);
    for (const char *s = (const char *)b.ptr; (s = strstr(s, "schemas/")) != NULL;) {
        s += strlen("schemas/");
        cr_expect_not_null(json_object_getn(all, s, strcspn(s, "\"")), "%.30s", s);
    }
    json_decref(all);
    buf_clear(&b);
}
