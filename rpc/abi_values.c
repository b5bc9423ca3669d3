/* SPDX-License-Identifier: Apache-2.0 */
/* JSON values to encoded data and back. */
#include "rpc/abi_json.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/u256.h"
#include "rpc/api_schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD = 32 };

/* --- layout -------------------------------------------------------------------------------- */
static bool is_dynamic(const struct abi_type *t) {
    switch (t->kind) {
    case ABI_BYTES:
    case ABI_STRING:
        return true;
    case ABI_LIST:
        return t->any_length || is_dynamic(t->items);
    case ABI_TUPLE:
        for (size_t i = 0; i < t->count; i++)
            if (is_dynamic(&t->items[i]))
                return true;
        return false;
    case ABI_UINT:
    case ABI_INT:
    case ABI_ADDRESS:
    case ABI_BOOL:
    case ABI_FIXED_BYTES:
        break;
    }
    return false;
}

/* Bytes in the head of what holds it. */
static size_t head_len(const struct abi_type *t) {
    size_t len = 0;
    if (is_dynamic(t))
        return WORD;
    if (t->kind == ABI_LIST)
        return t->size * head_len(t->items);
    if (t->kind != ABI_TUPLE)
        return WORD;
    for (size_t i = 0; i < t->count; i++)
        len += head_len(&t->items[i]);
    return len;
}

/* --- encoding ------------------------------------------------------------------------------ */
struct encoder {
    struct buf *out;
    struct err_ctx *ec;
    const char *where; /* the outermost argument, for sentences */
};

static void put_word(struct buf *out, const u256 *v) {
    uint8_t be[WORD];
    u256_to_be32(be, v);
    buf_append(out, be, WORD);
}

static enum err bad(struct encoder *e, const char *want) {
    FAIL(e->ec, ERR_INVALID, "%.100s: %s", e->where, want);
}

static enum err encode_int(struct encoder *e, const struct abi_type *t, const json_t *v) {
    u256 n, limit;
    const char *s = json_string_value(v);
    json_t *magnitude = NULL;
    bool negative = s != NULL && s[0] == '-';
    if (negative)
        magnitude = json_string(s + 1);
    else if (json_is_integer(v) && json_integer_value(v) < 0 &&
             json_integer_value(v) >= -(INT64_C(1) << 53)) {
        negative = true;
        magnitude = json_integer(-json_integer_value(v));
    }
    bool ok = api_uint(magnitude != NULL ? magnitude : v, &n);
    json_decref(magnitude);
    bool is_signed = t->kind == ABI_INT;
    unsigned bits = is_signed ? t->size - 1 : t->size;
    /* Of a negative number one more fits. */
    u256 shift = u256_from_u64(bits);
    limit = bits == 256 ? U256_ZERO : u256_shl(&shift, &U256_ONE);
    if (ok && bits < 256)
        ok = negative ? u256_cmp(&n, &limit) <= 0 : u256_cmp(&n, &limit) < 0;
    if (!ok || (negative && !is_signed))
        return bad(e, "the integer is none, or does not fit its type");
    if (negative)
        n = u256_sub(&U256_ZERO, &n);
    put_word(e->out, &n);
    return ERR_OK;
}

static void pad(struct buf *out, size_t len) {
    static const uint8_t zeros[WORD];
    buf_append(out, zeros, (WORD - len % WORD) % WORD);
}

static enum err encode_bytes(struct encoder *e, const struct abi_type *t, const json_t *v) {
    const char *s = json_string_value(v);
    size_t len = json_string_length(v);
    struct buf raw;
    if (s == NULL)
        return bad(e, "want a string");
    buf_init(&raw, ABI_DATA_MAX_BYTES);
    enum err r = ERR_OK;
    if (t->kind == ABI_STRING)
        buf_append(&raw, s, len);
    else if (len < 2 || s[0] != '0' || s[1] != 'x' || hex_decode_buf(&raw, s, len) != ERR_OK)
        r = bad(e, "want data such as 0x00ff");
    if (r == ERR_OK && t->kind == ABI_FIXED_BYTES && raw.len != t->size)
        r = bad(e, "the data is not of its type's length");
    if (r == ERR_OK && t->kind != ABI_FIXED_BYTES) {
        u256 n = u256_from_u64(raw.len);
        put_word(e->out, &n);
    }
    if (r == ERR_OK) {
        buf_append(e->out, raw.ptr, raw.len);
        pad(e->out, raw.len);
    }
    if (raw.overflow)
        e->out->overflow = true;
    buf_clear(&raw);
    return r;
}

static enum err encode_value(struct encoder *e, const struct abi_type *t, const json_t *v);

/* Values one after the other: heads with offsets, then what they point to. `item` gives the i-th
 * type, all of them where it is a list's. */
static enum err encode_row(struct encoder *e, const struct abi_type *t, size_t count,
                           json_t *const *values) {
    size_t base = e->out->len, heads = 0;
    for (size_t i = 0; i < count; i++)
        heads += head_len(t->kind == ABI_TUPLE ? &t->items[i] : t->items);
    size_t at = base;
    if (buf_extend(e->out, heads) == NULL)
        return ERR_TOO_LARGE;
    for (size_t i = 0; i < count; i++) {
        const struct abi_type *item = t->kind == ABI_TUPLE ? &t->items[i] : t->items;
        size_t len = head_len(item), tail = e->out->len;
        TRY(encode_value(e, item, values[i]));
        if (e->out->overflow)
            return ERR_TOO_LARGE;
        if (is_dynamic(item)) {
            u256 offset = u256_from_u64(tail - base);
            u256_to_be32(e->out->ptr + at, &offset);
        } else { /* it was written behind: into its place */
            memcpy(e->out->ptr + at, e->out->ptr + tail, len);
            e->out->len = tail;
        }
        at += len;
    }
    return ERR_OK;
}

static enum err encode_list(struct encoder *e, const struct abi_type *t, const json_t *v) {
    size_t count = json_array_size(v);
    if (!json_is_array(v) || (!t->any_length && count != t->size))
        return bad(e, "want a list of the type's length");
    if (count > ABI_DATA_MAX_BYTES / WORD)
        return ERR_TOO_LARGE;
    if (t->any_length) {
        u256 n = u256_from_u64(count);
        put_word(e->out, &n);
    }
    json_t **values = calloc(count + 1, sizeof(json_t *));
    CHECK(values != NULL);
    for (size_t i = 0; i < count; i++)
        values[i] = json_array_get(v, i);
    enum err r = encode_row(e, t, count, values);
    free(values);
    return r;
}

static enum err encode_tuple(struct encoder *e, const struct abi_type *t, const json_t *v) {
    json_t *values[ABI_PARAMS_MAX] = {NULL};
    if (json_is_array(v) ? json_array_size(v) != t->count
                         : !json_is_object(v) || json_object_size(v) != t->count)
        return bad(e, "want as many values as there are members");
    for (size_t i = 0; i < t->count; i++) {
        values[i] = json_is_array(v) ? json_array_get(v, i) : json_object_get(v, t->items[i].name);
        if (values[i] == NULL)
            return bad(e, "a member is missing");
    }
    return encode_row(e, t, t->count, values);
}

static enum err encode_value(struct encoder *e, const struct abi_type *t, const json_t *v) {
    u256 word = U256_ZERO;
    addr20 a;
    switch (t->kind) {
    case ABI_UINT:
    case ABI_INT:
        return encode_int(e, t, v);
    case ABI_ADDRESS:
        if (!api_address(v, &a))
            return bad(e, "want an address");
        word = u256_from_addr(&a);
        put_word(e->out, &word);
        return ERR_OK;
    case ABI_BOOL:
        if (!json_is_boolean(v))
            return bad(e, "want true or false");
        word = u256_from_u64(json_is_true(v));
        put_word(e->out, &word);
        return ERR_OK;
    case ABI_FIXED_BYTES:
    case ABI_BYTES:
    case ABI_STRING:
        return encode_bytes(e, t, v);
    case ABI_LIST:
        return encode_list(e, t, v);
    case ABI_TUPLE:
        return encode_tuple(e, t, v);
    }
    return ERR_INVALID;
}

enum err abi_encode(struct buf *out, const struct abi_type *tuple, const json_t *args,
                    struct err_ctx *ec) {
    struct encoder e = {.out = out, .ec = ec, .where = "args"};
    json_t *none = args == NULL ? json_array() : NULL;
    enum err r = encode_tuple(&e, tuple, args != NULL ? args : none);
    json_decref(none);
    if (r == ERR_TOO_LARGE || out->overflow)
        FAIL(ec, ERR_TOO_LARGE, "the arguments take more than %d bytes", ABI_DATA_MAX_BYTES);
    return r;
}

enum err abi_encode_call(struct buf *out, const struct abi_entry *e, const json_t *args,
                         struct err_ctx *ec) {
    hash32 h = abi_hash(e);
    buf_append(out, h.b, 4);
    struct buf data;
    buf_init(&data, ABI_DATA_MAX_BYTES);
    enum err r = abi_encode(&data, &e->inputs, args, ec);
    if (r == ERR_OK)
        buf_append(out, data.ptr, data.len);
    buf_clear(&data);
    return r != ERR_OK ? r : out->overflow ? ERR_TOO_LARGE : ERR_OK;
}

/* --- decoding ------------------------------------------------------------------------------ */
/* Values that decoding may make in all: data can point at the same place many times. */
enum { DECODED_MAX = ABI_DATA_MAX_BYTES / WORD };
struct decoder {
    bytes data;
    size_t left; /* values that may still be made */
};

static bool word_at(const struct decoder *d, size_t at, u256 *out) {
    if (at > d->data.len || d->data.len - at < WORD)
        return false;
    *out = u256_from_be32(d->data.ptr + at);
    return true;
}

static bool size_at(const struct decoder *d, size_t at, size_t *out) {
    u256 w;
    if (!word_at(d, at, &w) || !u256_fits_u64(&w) || u256_sat_u64(&w) > d->data.len)
        return false;
    *out = u256_sat_u64(&w);
    return true;
}

static json_t *decode_value(struct decoder *d, const struct abi_type *t, size_t at);

static json_t *decode_int(const struct abi_type *t, u256 w) {
    char text[81] = "-";
    bool negative = t->kind == ABI_INT && (w.w[3] >> 63) != 0;
    if (negative)
        w = u256_sub(&U256_ZERO, &w);
    (void)u256_to_dec(text + 1, &w);
    return json_string(negative ? text : text + 1);
}

static json_t *hex_text(const uint8_t *p, size_t len) {
    struct buf b;
    buf_init(&b, 2 * ABI_DATA_MAX_BYTES + 16);
    hex_put(&b, p, len);
    json_t *v = b.overflow ? NULL : json_stringn((const char *)b.ptr, b.len);
    buf_clear(&b);
    return v;
}

/* A string that is no UTF-8 is given as data. */
static json_t *decode_bytes(const struct decoder *d, const struct abi_type *t, size_t at) {
    size_t len = 0;
    if (!size_at(d, at, &len) || len > d->data.len - at - WORD)
        return NULL;
    const uint8_t *p = d->data.ptr + at + WORD;
    json_t *v = t->kind == ABI_STRING ? json_stringn((const char *)p, len) : NULL;
    return v != NULL ? v : hex_text(p, len);
}

/* The i-th of values that begin at `base`; *at is its place in the heads and moves on. */
static json_t *decode_item(struct decoder *d, const struct abi_type *item, size_t base,
                           size_t *at) {
    size_t offset = 0, place = *at;
    if (is_dynamic(item)) {
        if (!size_at(d, place, &offset) || offset > d->data.len - base)
            return NULL;
        place = base + offset;
    }
    *at += head_len(item);
    return decode_value(d, item, place);
}

static json_t *decode_list(struct decoder *d, const struct abi_type *t, size_t at) {
    size_t count = t->size, base = at;
    if (t->any_length) {
        if (!size_at(d, at, &count))
            return NULL;
        base = at + WORD;
    }
    json_t *list = json_array();
    size_t place = base;
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(list, decode_item(d, t->items, base, &place)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static bool all_named(const struct abi_type *t) {
    for (size_t i = 0; i < t->count; i++)
        if (t->items[i].name == NULL || t->items[i].name[0] == '\0')
            return false;
    return t->count > 0;
}

static json_t *decode_tuple(struct decoder *d, const struct abi_type *t, size_t at) {
    bool named = all_named(t);
    json_t *out = named ? json_object() : json_array();
    size_t place = at;
    for (size_t i = 0; i < t->count; i++) {
        json_t *v = decode_item(d, &t->items[i], at, &place);
        int rc =
            named ? json_object_set_new(out, t->items[i].name, v) : json_array_append_new(out, v);
        if (rc != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

static json_t *decode_word(const struct abi_type *t, const u256 *w) {
    uint8_t be[WORD];
    addr20 a;
    u256_to_be32(be, w);
    switch (t->kind) {
    case ABI_UINT:
    case ABI_INT:
        return decode_int(t, *w);
    case ABI_ADDRESS:
        a = u256_to_addr(w);
        return hex_text(a.b, 20);
    case ABI_BOOL:
        return json_boolean(!u256_is_zero(w));
    case ABI_FIXED_BYTES:
        return hex_text(be, t->size);
    case ABI_BYTES:
    case ABI_STRING:
    case ABI_LIST:
    case ABI_TUPLE:
        break;
    }
    return hex_text(be, WORD); /* of an event: the hash of the value */
}

static json_t *decode_value(struct decoder *d, const struct abi_type *t, size_t at) {
    u256 w;
    if (at > d->data.len || d->left == 0)
        return NULL;
    d->left--;
    if (t->kind == ABI_TUPLE)
        return decode_tuple(d, t, at);
    if (t->kind == ABI_LIST)
        return decode_list(d, t, at);
    if (t->kind == ABI_BYTES || t->kind == ABI_STRING)
        return decode_bytes(d, t, at);
    return word_at(d, at, &w) ? decode_word(t, &w) : NULL;
}

enum err abi_decode(json_t **out, const struct abi_type *tuple, bytes data) {
    struct decoder d = {.data = data, .left = DECODED_MAX};
    *out = decode_tuple(&d, tuple, 0);
    return *out != NULL ? ERR_OK : ERR_CORRUPT;
}

enum err abi_decode_log(json_t **out, const struct abi_entry *e, const hash32 *topics,
                        size_t topic_count, bytes data) {
    struct decoder d = {.data = data, .left = DECODED_MAX};
    json_t *args = json_object();
    size_t topic = e->anonymous ? 0 : 1, place = 0;
    for (size_t i = 0; i < e->inputs.count; i++) {
        const struct abi_type *t = &e->inputs.items[i];
        char number[24];
        snprintf(number, sizeof(number), "%zu", i);
        json_t *v = NULL;
        if (t->indexed && topic < topic_count) {
            u256 w = u256_from_be32(topics[topic++].b);
            v = decode_word(t, &w);
        } else if (!t->indexed) {
            v = decode_item(&d, t, 0, &place);
        }
        if (json_object_set_new(args, t->name[0] != '\0' ? t->name : number, v) != 0) {
            json_decref(args);
            return ERR_CORRUPT;
        }
    }
    *out = args;
    return ERR_OK;
}
