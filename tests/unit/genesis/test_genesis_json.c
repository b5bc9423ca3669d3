/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: numbers in all their spellings, and the paths of values. */
#include "genesis/genesis_internal.h"

#include <criterion/criterion.h>

Test(genesis_json, numbers) {
    static const struct {
        const char *text;
        enum err err;
        uint64_t low;
    } cases[] = {
        {"0", ERR_OK, 0},
        {"18446744073709551615", ERR_OK, UINT64_MAX},
        {"0x10", ERR_OK, 16},
        {"0x0010", ERR_OK, 16},
        {"", ERR_INVALID, 0},
        {"0x", ERR_HEX, 0},
        {"-1", ERR_INVALID, 0},
        {"1e3", ERR_INVALID, 0},
        {" 1", ERR_INVALID, 0},
        {"115792089237316195423570985008687907853269984665640564039457584007913129639935", ERR_OK,
         UINT64_MAX},
        {"115792089237316195423570985008687907853269984665640564039457584007913129639936",
         ERR_TOO_LARGE, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        u256 v = U256_ONE;
        enum err e = gtext_u256(cases[i].text, &v);
        if (cases[i].err == ERR_OK)
            cr_expect(e == ERR_OK && v.w[0] == cases[i].low, "%s", cases[i].text);
        else
            cr_expect_neq(e, ERR_OK, "%s", cases[i].text);
    }
}

Test(genesis_json, paths) {
    json_t *doc = json_loads("{\"a\":{\"b\":[1,{\"c\":\"0x\"}]}}", 0, NULL);
    struct err_ctx ec;
    struct gvalue root = gvalue_root(doc, &ec), a = gvalue_member(&root, "a"),
                  b = gvalue_member(&a, "b");
    struct gvalue second = gvalue_element(&b, 1), c = gvalue_member(&second, "c"),
                  none = gvalue_member(&c, "d");
    cr_assert_str_eq(c.path, "a.b[1].c");
    cr_assert_null(none.json);
    struct arena arena;
    arena_init(&arena, 4096, 1 << 20);
    bytes v;
    cr_assert_eq(gvalue_bytes(&c, &arena, &v, 10), ERR_OK);
    cr_assert_eq(v.len, 0);
    cr_assert_eq(gvalue_bytes(&b, &arena, &v, 10), ERR_CONFIG);
    cr_assert_str_eq(
        ec.text, "genesis: a.b is [1,{\"c\":\"0x\"}], but must be at most 10 bytes in hexadecimal");
    cr_assert_eq(gvalue_array(&b, 1), ERR_CONFIG);
    cr_assert_eq(gvalue_array(&b, 2), ERR_OK);
    arena_clear(&arena);
    json_decref(doc);
}
