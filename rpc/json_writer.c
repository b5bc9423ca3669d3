/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/json_writer.h"

#include "base/check.h"
#include "base/hex.h"

#include <inttypes.h>

void jw_init(struct json_writer *w, struct buf *b) {
    *w = (struct json_writer){.buf = b};
}

static bool get_has_member(const struct json_writer *w, unsigned level) {
    return (w->has_member[level / 64] >> level % 64 & 1) != 0;
}

static void set_has_member(struct json_writer *w, unsigned level, bool v) {
    uint64_t bit = UINT64_C(1) << level % 64;
    if (v)
        w->has_member[level / 64] |= bit;
    else
        w->has_member[level / 64] &= ~bit;
}

/* Before a value or a key: the comma, if one is due. */
static void separate(struct json_writer *w) {
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->depth > 0 && get_has_member(w, w->depth - 1))
        buf_append_byte(w->buf, ',');
    if (w->depth > 0)
        set_has_member(w, w->depth - 1, true);
}

static void open_level(struct json_writer *w, char c) {
    separate(w);
    CHECK(w->depth < JSON_WRITER_DEPTH_MAX);
    set_has_member(w, w->depth++, false);
    buf_append_byte(w->buf, (uint8_t)c);
}

static void close_level(struct json_writer *w, char c) {
    CHECK(w->depth > 0);
    CHECK(!w->after_key);
    w->depth--;
    buf_append_byte(w->buf, (uint8_t)c);
}

void jw_object(struct json_writer *w) {
    open_level(w, '{');
}

void jw_object_end(struct json_writer *w) {
    close_level(w, '}');
}

void jw_array(struct json_writer *w) {
    open_level(w, '[');
}

void jw_array_end(struct json_writer *w) {
    close_level(w, ']');
}

void jw_key(struct json_writer *w, const char *key) {
    separate(w);
    buf_append_byte(w->buf, '"');
    buf_append_str(w->buf, key);
    buf_append(w->buf, "\":", 2);
    w->after_key = true;
}

void jw_null(struct json_writer *w) {
    separate(w);
    buf_append(w->buf, "null", 4);
}

void jw_bool(struct json_writer *w, bool v) {
    separate(w);
    buf_append_str(w->buf, v ? "true" : "false");
}

/* Length of the well-formed UTF-8 sequence at s (RFC 3629), 0 if there is none. */
static size_t utf8_len(const unsigned char *s, size_t left) {
    unsigned char c = s[0];
    size_t len = c < 0x80                ? 1
                 : c >= 0xc2 && c < 0xe0 ? 2
                 : c >= 0xe0 && c < 0xf0 ? 3
                 : c >= 0xf0 && c < 0xf5 ? 4
                                         : 0;
    if (len == 0 || len > left)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (c == 0xe0 && s[1] < 0xa0) || (c == 0xf0 && s[1] < 0x90);
    bool surrogate = c == 0xed && s[1] >= 0xa0;
    bool too_high = c == 0xf4 && s[1] >= 0x90;
    return overlong || surrogate || too_high ? 0 : len;
}

void jw_str(struct json_writer *w, const char *s, size_t len) {
    const unsigned char *u = (const unsigned char *)s;
    separate(w);
    buf_append_byte(w->buf, '"');
    size_t plain = 0; /* start of the run that needs no escapes */
    for (size_t i = 0; i < len;) {
        unsigned char c = u[i];
        size_t n = utf8_len(u + i, len - i);
        if (n > 0 && c >= 0x20 && c != '"' && c != '\\') {
            i += n;
            continue;
        }
        buf_append(w->buf, s + plain, i - plain);
        plain = ++i;
        if (n == 0)
            buf_append_str(w->buf, "\\ufffd");
        else if (c < 0x20)
            buf_printf(w->buf, "\\u%04x", c);
        else
            buf_printf(w->buf, "\\%c", c);
    }
    buf_append(w->buf, s + plain, len - plain);
    buf_append_byte(w->buf, '"');
}

void jw_text(struct json_writer *w, const char *s) {
    jw_str(w, s, strlen(s));
}

void jw_raw(struct json_writer *w, bytes json) {
    separate(w);
    buf_append(w->buf, json.ptr, json.len);
}

char *jw_place(struct json_writer *w, size_t len) {
    separate(w);
    return (char *)buf_extend(w->buf, len);
}

void jw_int(struct json_writer *w, int64_t v) {
    separate(w);
    buf_printf(w->buf, "%" PRId64, v);
}

void jw_double(struct json_writer *w, double v) {
    separate(w);
    buf_printf(w->buf, "%.17g", v);
}

void jw_u64(struct json_writer *w, uint64_t v) {
    separate(w);
    buf_append_byte(w->buf, '"');
    hex_put_u64(w->buf, v);
    buf_append_byte(w->buf, '"');
}

void jw_u256(struct json_writer *w, const u256 *v) {
    separate(w);
    buf_append_byte(w->buf, '"');
    hex_put_u256(w->buf, v);
    buf_append_byte(w->buf, '"');
}

void jw_data(struct json_writer *w, const void *ptr, size_t len) {
    separate(w);
    buf_append_byte(w->buf, '"');
    hex_put(w->buf, ptr, len);
    buf_append_byte(w->buf, '"');
}
