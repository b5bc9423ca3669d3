/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "eight digits are stored as a word");

static const char hex_digits[16] = "0123456789abcdef";

/* Value + 1 by character, 0 for what is no digit. */
static const uint8_t digit_values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

/* 0..15, or -1. */
static inline int digit_value(char c) {
    return (int)digit_values[(uint8_t)c] - 1;
}

static bool has_prefix(const char *s, size_t len) {
    return len >= 2 && s[0] == '0' && s[1] == 'x';
}

enum err hex_decode(uint8_t *out, size_t out_cap, size_t *out_len, const char *s, size_t len) {
    if (has_prefix(s, len)) {
        s += 2;
        len -= 2;
    }
    if (len % 2 != 0)
        return ERR_HEX;
    size_t n = len / 2;
    if (n > out_cap)
        return ERR_TOO_LARGE;
    for (size_t i = 0; i < n; i++) {
        int hi = digit_value(s[2 * i]);
        int lo = digit_value(s[2 * i + 1]);
        if ((hi | lo) < 0)
            return ERR_HEX;
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    *out_len = n;
    return ERR_OK;
}

enum err hex_decode_fixed(uint8_t *out, size_t out_len, const char *s) {
    size_t len = strlen(s);
    size_t prefix = has_prefix(s, len) ? 2 : 0;
    if (len - prefix != 2 * out_len)
        return ERR_HEX;
    size_t n;
    return hex_decode(out, out_len, &n, s, len);
}

enum err hex_decode_buf(struct buf *b, const char *s, size_t len) {
    size_t start = b->len;
    size_t digits = has_prefix(s, len) ? len - 2 : len;
    if (digits % 2 != 0)
        return ERR_HEX;
    if (digits == 0)
        return ERR_OK;
    uint8_t *p = buf_extend(b, digits / 2);
    if (p == NULL)
        return ERR_TOO_LARGE;
    size_t n;
    enum err e = hex_decode(p, digits / 2, &n, s, len);
    if (e != ERR_OK)
        b->len = start;
    return e;
}

/* Eight digits of four bytes, the first byte's lowest: the nibbles are spread over the bytes of a
 * word, and those above nine get the distance from '9' + 1 to 'a' more. */
static uint64_t digits_of(uint32_t four) {
    uint64_t v = four;
    v = (v | v << 16) & UINT64_C(0x0000ffff0000ffff);
    v = (v | v << 8) & UINT64_C(0x00ff00ff00ff00ff);
    v = (v >> 4 & UINT64_C(0x000f000f000f000f)) | (v & UINT64_C(0x000f000f000f000f)) << 8;
    uint64_t letters = (v + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
    return v + UINT64_C(0x3030303030303030) + letters * ('a' - '9' - 1);
}

void hex_encode(char *out, const void *ptr, size_t len) {
    const uint8_t *p = ptr;
    size_t i = 0;
    for (; i + 4 <= len; i += 4) {
        uint64_t digits = digits_of((uint32_t)p[i] | (uint32_t)p[i + 1] << 8 |
                                    (uint32_t)p[i + 2] << 16 | (uint32_t)p[i + 3] << 24);
        memcpy(out + 2 * i, &digits, 8);
    }
    for (; i < len; i++) {
        out[2 * i] = hex_digits[p[i] >> 4];
        out[2 * i + 1] = hex_digits[p[i] & 15];
    }
}

void hex_put(struct buf *b, const void *ptr, size_t len) {
    if (len > (SIZE_MAX - 2) / 2) {
        b->overflow = true;
        return;
    }
    uint8_t *p = buf_extend(b, 2 + 2 * len);
    if (p == NULL)
        return;
    p[0] = '0';
    p[1] = 'x';
    hex_encode((char *)p + 2, ptr, len);
}

void hex_put_u64(struct buf *b, uint64_t v) {
    u256 wide = u256_from_u64(v);
    hex_put_u256(b, &wide);
}

void hex_put_u256(struct buf *b, const u256 *v) {
    char text[2 + 64] = {'0', 'x'};
    unsigned digits = (u256_bit_len(v) + 3) / 4;
    if (digits == 0)
        digits = 1;
    for (unsigned i = 0; i < digits; i++) {
        unsigned nibble = digits - 1 - i; /* counted from the lowest */
        text[2 + i] = hex_digits[v->w[nibble / 16] >> (nibble % 16 * 4) & 15];
    }
    buf_append(b, text, 2 + digits);
}

enum err hex_parse_u256(u256 *out, const char *s, size_t len, bool lax) {
    if (!has_prefix(s, len) || len == 2)
        return ERR_HEX;
    s += 2;
    len -= 2;
    if (!lax && len > 1 && s[0] == '0')
        return ERR_HEX;
    u256 v = U256_ZERO;
    for (size_t i = 0; i < len; i++) {
        int d = digit_value(s[i]);
        if (d < 0)
            return ERR_HEX;
        if (i < 64) {
            v.w[3] = v.w[3] << 4 | v.w[2] >> 60;
            v.w[2] = v.w[2] << 4 | v.w[1] >> 60;
            v.w[1] = v.w[1] << 4 | v.w[0] >> 60;
            v.w[0] = v.w[0] << 4 | (uint64_t)d;
        }
    }
    if (len > 64)
        return ERR_TOO_LARGE;
    *out = v;
    return ERR_OK;
}

enum err hex_parse_u64(uint64_t *out, const char *s, size_t len, bool lax) {
    u256 v;
    TRY(hex_parse_u256(&v, s, len, lax));
    if (!u256_fits_u64(&v))
        return ERR_TOO_LARGE;
    *out = v.w[0];
    return ERR_OK;
}
