/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: hexadecimal text round-trips and malformed text is refused with the right error.
 * Method: tables of texts, round trips of all byte values and of quantities of every width; what is
 * done in groups against a digit at a time, for all lengths, with every wrong character in every
 * place. */
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

enum { GROUPS_MAX = 40 }; /* two groups of 16, one of 8 or 4, and what is left */

Test(hex, encodes_every_length) {
    uint8_t in[GROUPS_MAX];
    for (size_t i = 0; i < GROUPS_MAX; i++)
        in[i] = (uint8_t)(i * 37 + 11);
    for (size_t len = 0; len <= GROUPS_MAX; len++) {
        char out[2 * GROUPS_MAX + 1], want[2 * GROUPS_MAX + 1];
        memset(out, '#', sizeof(out));
        memset(want, '#', sizeof(want));
        for (size_t i = 0; i < len; i++) {
            want[2 * i] = "0123456789abcdef"[in[i] >> 4];
            want[2 * i + 1] = "0123456789abcdef"[in[i] & 15];
        }
        hex_encode(out, in, len);
        cr_expect_eq(memcmp(out, want, sizeof(out)), 0, "%zu bytes", len);
    }
}

static bool is_digit(int c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

Test(hex, decodes_in_groups_what_are_digits) {
    for (size_t len = 2; len <= 2 * GROUPS_MAX; len += 2)
        for (size_t at = 0; at < len; at++)
            for (int c = 1; c < 256; c++) {
                char text[2 * GROUPS_MAX], low = (char)(c >= 'A' && c <= 'F' ? c + 32 : c);
                uint8_t out[GROUPS_MAX];
                size_t n = 99;
                memset(text, '7', len);
                text[at] = (char)c;
                if (len > 1 && at == 1 && c == 'x')
                    continue;
                enum err e = hex_decode(out, sizeof(out), &n, text, len);
                cr_assert_eq(e, is_digit(c) ? ERR_OK : ERR_HEX, "%d at %zu of %zu", c, at, len);
                if (e != ERR_OK)
                    continue;
                char back[2 * GROUPS_MAX];
                text[at] = low;
                hex_encode(back, out, n);
                cr_assert(2 * n == len && memcmp(back, text, len) == 0, "%d at %zu", c, at);
            }
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
    for (unsigned bits = 0; bits < 64; bits++) {
        uint64_t just = UINT64_C(1) << bits;
        char want[24], text[HEX_QUANTITY_MAX];
        snprintf(want, sizeof(want), "0x%llx", (unsigned long long)just);
        v = u256_from_u64(just);
        expect_quantity(&v, want);
        cr_expect_eq(hex_quantity_len(just), strlen(want));
        cr_expect_eq(hex_quantity(text, just), strlen(want));
        cr_expect_eq(memcmp(text, want, strlen(want)), 0);
    }
    for (unsigned bits = 64; bits < 256; bits++) {
        u256 one = u256_from_u64(1);
        char want[80] = "0x";
        u256 shift = u256_from_u64(bits);
        v = u256_shl(&shift, &one);
        snprintf(want, sizeof(want), "0x%c%0*d", "1248"[bits % 4], (int)(bits / 4), 0);
        expect_quantity(&v, want);
    }
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
