/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

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

#if defined(__SSE2__)
/* What is above nine gets the distance from '9' + 1 to 'a' more. */
static inline __m128i digits_of(__m128i nibbles) {
    __m128i letters =
        _mm_and_si128(_mm_cmpgt_epi8(nibbles, _mm_set1_epi8(9)), _mm_set1_epi8('a' - '9' - 1));
    return _mm_add_epi8(_mm_add_epi8(nibbles, _mm_set1_epi8('0')), letters);
}

/* The digits of the lower eight bytes. */
static inline __m128i digits_of_eight(__m128i v) {
    const __m128i low = _mm_set1_epi8(15);
    __m128i high = _mm_and_si128(_mm_srli_epi16(v, 4), low);
    return digits_of(_mm_unpacklo_epi8(high, _mm_and_si128(v, low)));
}

/* Whole groups of 16, 8 and 4 bytes; returns how many bytes that were. Hashes, addresses and
 * quantities are nothing else. Every x86-64 has SSE2. */
static inline size_t encode_groups(char *out, const uint8_t *p, size_t len) {
    size_t i = 0;
    for (; i + 16 <= len; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        __m128i *to = (__m128i *)(void *)(out + 2 * i);
        _mm_storeu_si128(to, digits_of_eight(v));
        _mm_storeu_si128(to + 1, digits_of_eight(_mm_srli_si128(v, 8)));
    }
    if (i + 8 <= len) {
        __m128i v = _mm_loadl_epi64((const __m128i *)(const void *)(p + i));
        _mm_storeu_si128((__m128i *)(void *)(out + 2 * i), digits_of_eight(v));
        i += 8;
    }
    if (i + 4 <= len) {
        int four;
        memcpy(&four, p + i, sizeof(four));
        _mm_storel_epi64((__m128i *)(void *)(out + 2 * i),
                         digits_of_eight(_mm_cvtsi32_si128(four)));
        i += 4;
    }
    return i;
}

/* Whole groups of 16 digits; returns how many digits that were, up to the first group with
 * something else in it. */
static size_t decode_groups(uint8_t *out, const char *s, size_t len) {
    size_t i = 0;
    for (; i + 16 <= len; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(s + i));
        __m128i number = _mm_sub_epi8(v, _mm_set1_epi8('0'));
        __m128i letter =
            _mm_sub_epi8(_mm_or_si128(v, _mm_set1_epi8('a' - 'A')), _mm_set1_epi8('a'));
        /* Unsigned: at most so much is what its minimum with that leaves alone. */
        __m128i is_number = _mm_cmpeq_epi8(_mm_min_epu8(number, _mm_set1_epi8(9)), number);
        __m128i is_letter = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(5)), letter);
        if (_mm_movemask_epi8(_mm_or_si128(is_number, is_letter)) != 0xffff)
            break;
        __m128i nibbles =
            _mm_or_si128(_mm_and_si128(number, is_number),
                         _mm_and_si128(_mm_add_epi8(letter, _mm_set1_epi8(10)), is_letter));
        /* The first of two digits is the lower byte of a pair. */
        __m128i wide =
            _mm_and_si128(_mm_or_si128(_mm_slli_epi16(nibbles, 4), _mm_srli_epi16(nibbles, 8)),
                          _mm_set1_epi16(0xff));
        _mm_storel_epi64((__m128i *)(void *)(out + i / 2), _mm_packus_epi16(wide, wide));
    }
    return i;
}
#else
static size_t encode_groups(char *out, const uint8_t *p, size_t len) {
    (void)out;
    (void)p;
    (void)len;
    return 0;
}

static size_t decode_groups(uint8_t *out, const char *s, size_t len) {
    (void)out;
    (void)s;
    (void)len;
    return 0;
}
#endif

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
    for (size_t i = decode_groups(out, s, len) / 2; i < n; i++) {
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

void hex_encode(char *out, const void *ptr, size_t len) {
    const uint8_t *p = ptr;
    for (size_t i = encode_groups(out, p, len); i < len; i++) {
        out[2 * i] = hex_digits[p[i] >> 4];
        out[2 * i + 1] = hex_digits[p[i] & 15];
    }
}

size_t hex_quantity_len(uint64_t v) {
    return 2 + (67 - (size_t)__builtin_clzll(v | 1)) / 4;
}

size_t hex_quantity(char out[HEX_QUANTITY_MAX], uint64_t v) {
    uint8_t be[8];
    size_t len = hex_quantity_len(v), zeros = HEX_QUANTITY_MAX - len;
    be64_store(be, v << (4 * zeros));
    out[0] = '0';
    out[1] = 'x';
    hex_encode(out + 2, be, sizeof(be));
    return len;
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
    char text[HEX_QUANTITY_MAX];
    buf_append(b, text, hex_quantity(text, v));
}

void hex_put_u256(struct buf *b, const u256 *v) {
    if (u256_fits_u64(v)) {
        hex_put_u64(b, v->w[0]);
        return;
    }
    uint8_t be[32];
    char text[2 * sizeof(be)];
    size_t digits = (u256_bit_len(v) + 3) / 4, zeros = sizeof(text) - digits;
    u256_to_be32(be, v);
    hex_encode(text, be, sizeof(be));
    uint8_t *p = buf_extend(b, 2 + digits);
    if (p == NULL)
        return;
    p[0] = '0';
    p[1] = 'x';
    memcpy(p + 2, text + zeros, digits);
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
