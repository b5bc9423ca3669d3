/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/api_schema.h"

#include "base/check.h"
#include "base/hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number that a double holds exactly (RFC 8259 §6). */
#define SAFE_INTEGER ((INT64_C(1) << 53) - 1)

static const struct api_type {
    const char *name, *fields;
} types[] = {
#define TYPE(name, fields) {#name, fields},
#include "rpc/api_types.def"
#undef TYPE
};

static const struct api_type *type_find(const char *name, size_t len) {
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strlen(types[i].name) == len && memcmp(types[i].name, name, len) == 0)
            return &types[i];
    return NULL;
}

bool api_schema_next(const char **cursor, struct api_field *out) {
    const char *s = *cursor;
    while (*s == ' ')
        s++;
    if (*s == '\0')
        return false;
    const char *end = s + strcspn(s, " "), *colon = memchr(s, ':', (size_t)(end - s));
    CHECK(colon != NULL && colon > s);
    out->optional = colon[-1] == '?';
    out->name = s;
    out->name_len = (size_t)(colon - s) - out->optional;
    out->type = colon + 1;
    out->type_len = (size_t)(end - out->type);
    *cursor = end;
    return true;
}

const char *api_schema_fields(const char *type, size_t len) {
    const struct api_type *t = type_find(type, len);
    return t != NULL ? t->fields : NULL;
}

static bool is(const char *type, size_t len, const char *name) {
    return strlen(name) == len && memcmp(type, name, len) == 0;
}

/* "x[]" or "x[MAX]": the element's length and the maximum. */
static bool is_list(const char *type, size_t len, size_t *out_item_len, size_t *out_max) {
    if (len < 3 || type[len - 1] != ']')
        return false;
    const char *open = memrchr(type, '[', len);
    CHECK(open != NULL);
    *out_item_len = (size_t)(open - type);
    *out_max = open[1] == ']' ? (size_t)API_LIST_MAX : strtoul(open + 1, NULL, 10);
    return true;
}

/* --- values -------------------------------------------------------------------------------- */
bool api_uint(const json_t *v, u256 *out) {
    if (json_is_integer(v)) {
        json_int_t n = json_integer_value(v);
        if (n < 0 || n > SAFE_INTEGER)
            return false;
        *out = u256_from_u64((uint64_t)n);
        return true;
    }
    const char *s = json_string_value(v);
    size_t len = json_string_length(v);
    if (s == NULL || len == 0 || strlen(s) != len)
        return false;
    u256 r = U256_ZERO;
    if (len > 2 && s[0] == '0' && s[1] == 'x') {
        if (hex_parse_u256(&r, s, len, true) != ERR_OK)
            return false;
        *out = r;
        return true;
    }
    if (len > 78)
        return false;
    u256 ten = u256_from_u64(10);
    for (size_t i = 0; i < len; i++) {
        u256 digit = u256_from_u64((uint64_t)(s[i] - '0'));
        if (s[i] < '0' || s[i] > '9' || u256_mul_overflow(&r, &r, &ten) ||
            u256_add_overflow(&r, &r, &digit))
            return false;
    }
    *out = r;
    return true;
}

bool api_u64(const json_t *v, uint64_t *out) {
    u256 n;
    if (!api_uint(v, &n) || !u256_fits_u64(&n))
        return false;
    *out = u256_sat_u64(&n);
    return true;
}

static bool fixed_hex(const json_t *v, uint8_t *out, size_t bytes_len) {
    const char *s = json_string_value(v);
    return s != NULL && json_string_length(v) == 2 + 2 * bytes_len && s[0] == '0' && s[1] == 'x' &&
           hex_decode_fixed(out, bytes_len, s) == ERR_OK;
}

bool api_address(const json_t *v, addr20 *out) {
    return fixed_hex(v, out->b, 20);
}

bool api_hash(const json_t *v, hash32 *out) {
    return fixed_hex(v, out->b, 32);
}

bool api_slug_ok(const char *s, size_t len) {
    if (len == 0 || len > API_SLUG_MAX || s[0] == '-' || s[len - 1] == '-')
        return false;
    for (size_t i = 0; i < len; i++)
        if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') || s[i] == '-'))
            return false;
    return true;
}

static bool hex_ok(const json_t *v) {
    const char *s = json_string_value(v);
    size_t len = json_string_length(v);
    if (s == NULL || len < 2 || len % 2 != 0 || len > 2 + 2 * (size_t)API_HEX_MAX_BYTES ||
        s[0] != '0' || s[1] != 'x')
        return false;
    return strspn(s + 2, "0123456789abcdefABCDEF") == len - 2;
}

static bool text_ok(const json_t *v, size_t max) {
    const char *s = json_string_value(v);
    size_t len = json_string_length(v);
    if (s == NULL || len > max)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((uint8_t)s[i] < 0x20 || s[i] == 0x7f)
            return false;
    return true;
}

static size_t text_max(const char *type, size_t len) {
    return len > 5 ? strtoul(type + 5, NULL, 10) : (size_t)API_TEXT_MAX_BYTES;
}

static bool is_text(const char *type, size_t len) {
    return is(type, len, "text") || (len > 5 && memcmp(type, "text:", 5) == 0);
}

static bool scalar_ok(const char *type, size_t len, const json_t *v) {
    u256 n;
    uint64_t u;
    addr20 a;
    hash32 h;
    if (is_text(type, len))
        return text_ok(v, text_max(type, len));
    if (is(type, len, "slug"))
        return json_is_string(v) && api_slug_ok(json_string_value(v), json_string_length(v));
    if (is(type, len, "address"))
        return api_address(v, &a);
    if (is(type, len, "hash"))
        return api_hash(v, &h);
    if (is(type, len, "hex"))
        return hex_ok(v);
    if (is(type, len, "uint"))
        return api_uint(v, &n);
    if (is(type, len, "u64"))
        return api_u64(v, &u);
    if (is(type, len, "bool"))
        return json_is_boolean(v);
    CHECK(is(type, len, "json"));
    return true;
}

/* --- checking ------------------------------------------------------------------------------ */
/* Where in the request the check is. */
struct place {
    char *why;
    size_t cap;
    char path[160];
};

static bool wrong(struct place *p, const char *what, const char *type, size_t type_len) {
    snprintf(p->why, p->cap, "%s: %s%.*s", p->path[0] != '\0' ? p->path : "request", what,
             (int)type_len, type);
    return false;
}

static bool check_fields(struct place *p, const char *fields, json_t *args);

static size_t enter(struct place *p, const char *name, size_t len) {
    size_t at = strlen(p->path);
    snprintf(p->path + at, sizeof(p->path) - at, "%s%.*s", at > 0 ? "." : "", (int)len, name);
    return at;
}

/* Recurses as deep as types are nested in each other, which the tables bound. */
static bool check_type(struct place *p, const char *type, size_t len, json_t *v) {
    size_t item_len = 0, max = 0;
    if (is_list(type, len, &item_len, &max)) {
        size_t count = json_array_size(v), at = strlen(p->path);
        if (!json_is_array(v) || count == 0 || count > max)
            return wrong(p, "must be a list of 1 to at most so many elements as in ", type, len);
        for (size_t i = 0; i < count; i++) {
            snprintf(p->path + at, sizeof(p->path) - at, "[%zu]", i);
            if (!check_type(p, type, item_len, json_array_get(v, i)))
                return false;
            p->path[at] = '\0';
        }
        return true;
    }
    const struct api_type *named = type_find(type, len);
    if (named != NULL)
        return check_fields(p, named->fields, v);
    return scalar_ok(type, len, v) || wrong(p, "must be of type ", type, len);
}

static bool is_known(const char *fields, const char *name) {
    struct api_field f;
    while (api_schema_next(&fields, &f))
        if (strlen(name) == f.name_len && memcmp(f.name, name, f.name_len) == 0)
            return true;
    return false;
}

static bool check_fields(struct place *p, const char *fields, json_t *args) {
    struct api_field f;
    const char *cursor = fields, *name;
    json_t *v;
    if (!json_is_object(args))
        return wrong(p, "must be an object", "", 0);
    while (api_schema_next(&cursor, &f)) {
        v = json_object_getn(args, f.name, f.name_len);
        if (v == NULL || json_is_null(v)) {
            if (f.optional)
                continue;
            return wrong(p, "lacks ", f.name, f.name_len);
        }
        size_t at = enter(p, f.name, f.name_len);
        if (!check_type(p, f.type, f.type_len, v))
            return false;
        p->path[at] = '\0';
    }
    json_object_foreach(args, name, v) if (!is_known(fields, name)) {
        size_t len = strlen(name);
        return wrong(p, "takes no ", name, len < 40 ? len : 40);
    }
    return true;
}

bool api_schema_check(const char *fields, json_t *args, char *out_why, size_t cap) {
    struct place p = {.why = out_why, .cap = cap};
    return check_fields(&p, fields, args);
}

/* --- printing ------------------------------------------------------------------------------ */
static void print_scalar(struct buf *out, const char *type, size_t len) {
    if (is_text(type, len))
        buf_printf(out, "{\"type\":\"string\",\"maxLength\":%zu}", text_max(type, len));
    else if (is(type, len, "slug"))
        buf_append_str(out, "{\"type\":\"string\",\"minLength\":1,\"maxLength\":14,\"pattern\":"
                            "\"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$\"}");
    else if (is(type, len, "address"))
        buf_append_str(out, "{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"}");
    else if (is(type, len, "hash"))
        buf_append_str(out, "{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{64}$\"}");
    else if (is(type, len, "hex"))
        buf_append_str(out, "{\"type\":\"string\",\"pattern\":\"^0x([0-9a-fA-F]{2})*$\"}");
    else if (is(type, len, "uint"))
        buf_append_str(out, "{\"oneOf\":[{\"type\":\"string\",\"pattern\":\"^([0-9]{1,78}|"
                            "0x[0-9a-fA-F]{1,64})$\"},{\"type\":\"integer\",\"minimum\":0,"
                            "\"maximum\":9007199254740991}]}");
    else if (is(type, len, "u64"))
        buf_append_str(out, "{\"oneOf\":[{\"type\":\"integer\",\"minimum\":0,"
                            "\"maximum\":9007199254740991},{\"type\":\"string\",\"pattern\":"
                            "\"^([0-9]{1,20}|0x[0-9a-fA-F]{1,16})$\"}]}");
    else if (is(type, len, "bool"))
        buf_append_str(out, "{\"type\":\"boolean\"}");
    else
        buf_append_str(out, "{}");
}

void api_schema_type(struct buf *out, const char *type, size_t len, const char *prefix) {
    size_t item_len = 0, max = 0;
    if (is_list(type, len, &item_len, &max)) {
        buf_append_str(out, "{\"type\":\"array\",\"items\":");
        if (type_find(type, item_len) != NULL)
            buf_printf(out, "{\"$ref\":\"%s%.*s\"}", prefix, (int)item_len, type);
        else
            print_scalar(out, type, item_len);
        buf_printf(out, ",\"maxItems\":%zu}", max);
    } else if (type_find(type, len) != NULL) {
        buf_printf(out, "{\"$ref\":\"%s%.*s\"}", prefix, (int)len, type);
    } else if (memchr(type, ' ', len) != NULL ||
               (memchr(type, ':', len) != NULL && !is_text(type, len))) {
        api_schema_object(out, type, prefix);
    } else {
        print_scalar(out, type, len);
    }
}

void api_schema_object(struct buf *out, const char *fields, const char *prefix) {
    struct api_field f;
    bool any = false;
    const char *cursor = fields;
    buf_append_str(out, "{\"type\":\"object\",\"properties\":{");
    for (; api_schema_next(&cursor, &f); any = true) {
        buf_printf(out, "%s\"%.*s\":", any ? "," : "", (int)f.name_len, f.name);
        api_schema_type(out, f.type, f.type_len, prefix);
    }
    buf_append_str(out, "},\"required\":[");
    any = false;
    cursor = fields;
    while (api_schema_next(&cursor, &f)) {
        if (f.optional)
            continue;
        buf_printf(out, "%s\"%.*s\"", any ? "," : "", (int)f.name_len, f.name);
        any = true;
    }
    buf_append_str(out, "],\"additionalProperties\":false}");
}

void api_schema_types(struct buf *out, const char *prefix) {
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        buf_printf(out, "%s\"%s\":", i > 0 ? "," : "", types[i].name);
        api_schema_object(out, types[i].fields, prefix);
    }
}
