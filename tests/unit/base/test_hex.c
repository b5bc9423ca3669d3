/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: hexadecimal text round-trips and malformed text is refused with the right error.
 * Method: tables of texts, round trips of all byte values and of quantities of every width. */
#include "base/hex.h"

#include <criterion/criterion.h>

static void expect_decode(const char *s, enum err want, const char *bytes_text, size_t len) {
    uint8_t out[8];
    size_t n = 99;
    cr_expect_eq(hex_decode(out, sizeof(out), &n, s, strlen(s)), want, "%s", s);
    if (want != ERR_OK) {
        cr_expect_eq(n, 99u);
        return;
    }
    cr_expect_eq(n, len);
    cr_expect_eq(memcmp(out, bytes_text, len), 0, "%s", s);
}

Test(hex, decode) {
    expect_decode("", ERR_OK, "", 0);
    expect_decode("0x", ERR_OK, "", 0);
    expect_decode("0x00ff", ERR_OK, "\x00\xff", 2);
    expect_decode("aBcD", ERR_OK, "\xab\xcd", 2);
    expect_decode("0x1", ERR_HEX, NULL, 0);
    expect_decode("0X11", ERR_HEX, NULL, 0);
    expect_decode("0x0g", ERR_HEX, NULL, 0);
    expect_decode("0x-1", ERR_HEX, NULL, 0);
    expect_decode(" 11", ERR_HEX, NULL, 0);
    expect_decode("112233445566778899", ERR_TOO_LARGE, NULL, 0);
}

Test(hex, decode_fixed) {
    uint8_t out[2];
    cr_expect_eq(hex_decode_fixed(out, 2, "0x1234"), ERR_OK);
    cr_expect(out[0] == 0x12 && out[1] == 0x34);
    cr_expect_eq(hex_decode_fixed(out, 2, "1234"), ERR_OK);
    cr_expect_eq(hex_decode_fixed(out, 2, "0x123"), ERR_HEX);
    cr_expect_eq(hex_decode_fixed(out, 2, "0x12345"), ERR_HEX);
    cr_expect_eq(hex_decode_fixed(out, 2, ""), ERR_HEX);
    cr_expect_eq(hex_decode_fixed(out, 2, "0xzz34"), ERR_HEX);
}

Test(hex, all_bytes_round_trip) {
    uint8_t all[256], back[256];
    for (size_t i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    struct buf b, out;
    buf_init(&b, 514);
    hex_put(&b, all, 256);
    cr_assert_eq(b.len, 514u);
    cr_expect_not(b.overflow);
    size_t n;
    cr_assert_eq(hex_decode(back, 256, &n, (const char *)b.ptr, b.len), ERR_OK);
    cr_expect(n == 256 && memcmp(all, back, 256) == 0);
    buf_init(&out, 300);
    buf_append_str(&out, "keep");
    cr_assert_eq(hex_decode_buf(&out, (const char *)b.ptr, b.len), ERR_OK);
    cr_expect(out.len == 260 && memcmp(out.ptr + 4, all, 256) == 0);
    cr_expect_eq(hex_decode_buf(&out, "0xabxx", 6), ERR_HEX);
    cr_expect_eq(out.len, 260u);
    cr_expect_eq(hex_decode_buf(&out, "abc", 3), ERR_HEX);
    cr_expect_eq(hex_decode_buf(&out, "0x", 2), ERR_OK);
    cr_expect_eq(hex_decode_buf(&out, (const char *)b.ptr, b.len), ERR_TOO_LARGE);
    buf_clear(&out);
    buf_clear(&b);
}

static void expect_quantity(const u256 *v, const char *text) {
    struct buf b;
    buf_init(&b, 66);
    hex_put_u256(&b, v);
    cr_expect_eq(b.len, strlen(text));
    cr_expect_eq(memcmp(b.ptr, text, b.len), 0, "%s", text);
    u256 back;
    cr_assert_eq(hex_parse_u256(&back, text, strlen(text), false), ERR_OK);
    cr_expect(u256_eq(&back, v));
    buf_clear(&b);
}

Test(hex, quantities) {
    u256 v = U256_ZERO;
    expect_quantity(&v, "0x0");
    v = u256_from_u64(0xa179);
    expect_quantity(&v, "0xa179");
    v = (u256){{0, 0, 0, 1}};
    expect_quantity(&v, "0x10000000000000000"
                        "00000000000000000000000000000000");
    v = U256_MAX;
    expect_quantity(&v, "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff");
    struct buf b;
    buf_init(&b, 20);
    hex_put_u64(&b, UINT64_MAX);
    cr_expect_eq(memcmp(b.ptr, "0xffffffffffffffff", 18), 0);
    buf_clear(&b);
}

Test(hex, malformed_quantities) {
    static const struct {
        const char *text;
        enum err strict, lax;
    } rows[] = {
        {"0x", ERR_HEX, ERR_HEX},
        {"", ERR_HEX, ERR_HEX},
        {"12", ERR_HEX, ERR_HEX},
        {"0x00", ERR_HEX, ERR_OK},
        {"0x01", ERR_HEX, ERR_OK},
        {"0x1g", ERR_HEX, ERR_HEX},
        {"0x 1", ERR_HEX, ERR_HEX},
        {"0x0000000000000000000000000000000000000000000000000000000000000001", ERR_HEX, ERR_OK},
        {"0x00000000000000000000000000000000000000000000000000000000000000001", ERR_HEX,
         ERR_TOO_LARGE},
        {"0x10000000000000000000000000000000000000000000000000000000000000000", ERR_TOO_LARGE,
         ERR_TOO_LARGE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        u256 v;
        size_t len = strlen(rows[i].text);
        cr_expect_eq(hex_parse_u256(&v, rows[i].text, len, false), rows[i].strict, "%s",
                     rows[i].text);
        cr_expect_eq(hex_parse_u256(&v, rows[i].text, len, true), rows[i].lax, "%s", rows[i].text);
    }
    uint64_t u;
    cr_expect_eq(hex_parse_u64(&u, "0xffffffffffffffff", 18, false), ERR_OK);
    cr_expect_eq(u, UINT64_MAX);
    cr_expect_eq(hex_parse_u64(&u, "0x10000000000000000", 19, false), ERR_TOO_LARGE);
}
