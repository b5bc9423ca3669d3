/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/typed_data.h"

#include "base/buf.h"
#include "base/hex.h"
#include "base/keccak.h"
#include "rpc/jsonrpc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAME_MAX_BYTES = 128, WORD = 32 };

/* One struct or array whose members are being encoded. Its words lie in the shared buffer from
 * `start` on; when it is whole they are replaced by their hash. */
struct level {
    char type[NAME_MAX_BYTES]; /* of a struct: its name; of an array: its elements' */
    bool is_array;
    const json_t *fields; /* of a struct: its type's */
    const json_t *value;
    size_t next, start;
};

struct encoder {
    const json_t *types;
    struct buf words;
    struct level levels[TYPED_DATA_DEPTH_MAX];
    size_t depth;
    char *why;
};

/* The first reason stands. */
__attribute__((format(printf, 2, 3))) static bool fail(struct encoder *e, const char *fmt, ...) {
    va_list ap;
    if (e->why[0] != '\0')
        return false;
    va_start(ap, fmt);
    vsnprintf(e->why, TYPED_DATA_TEXT_MAX, fmt, ap);
    va_end(ap);
    return false;
}

json_t *typed_data_parse(const char *text, size_t len) {
    return rpc_json_depth_ok(text, len, TYPED_DATA_DEPTH_MAX)
               ? json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL)
               : NULL;
}

/* --- encodeType ----------------------------------------------------------------------------- */
static const char *field_text(const json_t *field, const char *key) {
    const char *s = json_string_value(json_object_get(field, key));
    return s != NULL && strlen(s) < NAME_MAX_BYTES ? s : "";
}

/* The struct that a field's type is made of; NULL when it is of another kind. */
static const char *struct_of(const struct encoder *e, const char *type, char out[NAME_MAX_BYTES]) {
    size_t len = strcspn(type, "[");
    memcpy(out, type, len);
    out[len] = '\0';
    return json_is_array(json_object_get(e->types, out)) ? out : NULL;
}

static bool add_name(struct encoder *e, const char **names, size_t *count, const char *name) {
    for (size_t i = 0; i < *count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    if (*count == TYPED_DATA_TYPES_MAX)
        return fail(e, "type %s refers to too many others", names[0]);
    names[(*count)++] = name;
    return true;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The key of `types` with this text: lives as long as the document. */
static const char *type_key(const struct encoder *e, const char *name) {
    void *it = json_object_iter_at((json_t *)(uintptr_t)e->types, name);
    return it == NULL ? NULL : json_object_iter_key(it);
}

/* Primary type first, then all that it refers to, in order of names. */
static bool collect(struct encoder *e, const char **names, size_t *out_count, const char *primary) {
    size_t count = 1;
    names[0] = type_key(e, primary);
    if (names[0] == NULL)
        return fail(e, "type %.80s is not defined", primary);
    for (size_t i = 0; i < count; i++) {
        const json_t *fields = json_object_get(e->types, names[i]), *f;
        size_t k;
        if (!json_is_array(fields) || json_array_size(fields) > TYPED_DATA_FIELDS_MAX)
            return fail(e, "type %.80s is no list of fields, or too long a one", names[i]);
        json_array_foreach(fields, k, f) {
            char base[NAME_MAX_BYTES];
            if (field_text(f, "name")[0] == '\0' || field_text(f, "type")[0] == '\0')
                return fail(e, "type %.80s has a field without name or type", names[i]);
            if (struct_of(e, field_text(f, "type"), base) != NULL &&
                !add_name(e, names, &count, type_key(e, base)))
                return false;
        }
    }
    qsort(names + 1, count - 1, sizeof(*names), compare_names);
    *out_count = count;
    return true;
}

static bool type_hash(struct encoder *e, hash32 *out, const char *primary) {
    const char *names[TYPED_DATA_TYPES_MAX];
    size_t count = 0;
    struct buf text;
    if (!collect(e, names, &count, primary))
        return false;
    buf_init(&text, TYPED_DATA_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        const json_t *fields = json_object_get(e->types, names[i]), *f;
        size_t k;
        buf_append_str(&text, names[i]);
        buf_append_byte(&text, '(');
        json_array_foreach(fields, k, f) buf_printf(&text, "%s%s %s", k == 0 ? "" : ",",
                                                    field_text(f, "type"), field_text(f, "name"));
        buf_append_byte(&text, ')');
    }
    *out = keccak256_bytes(buf_bytes(&text));
    bool ok = !text.overflow;
    buf_clear(&text);
    return ok || fail(e, "type %.80s is too long", primary);
}

/* --- values --------------------------------------------------------------------------------- */
static void put_word(struct encoder *e, const uint8_t word[WORD]) {
    buf_append(&e->words, word, WORD);
}

static void put_u256(struct encoder *e, const u256 *v) {
    uint8_t word[WORD];
    u256_to_be32(word, v);
    put_word(e, word);
}

/* Decimal digits; false on anything else and above 256 bits. */
static bool decimal(u256 *out, const char *s) {
    const u256 ten = u256_from_u64(10);
    *out = U256_ZERO;
    if (*s == '\0')
        return false;
    for (; *s != '\0'; s++) {
        u256 digit = u256_from_u64((uint64_t)(*s - '0'));
        if (*s < '0' || *s > '9' || u256_mul_overflow(out, out, &ten) ||
            u256_add_overflow(out, out, &digit))
            return false;
    }
    return true;
}

/* A number as magnitude and sign. */
static bool number(u256 *out, bool *out_negative, const json_t *v) {
    *out_negative = false;
    if (json_is_integer(v)) {
        json_int_t i = json_integer_value(v);
        *out_negative = i < 0;
        *out = u256_from_u64(i < 0 ? 0 - (uint64_t)i : (uint64_t)i);
        return true;
    }
    const char *s = json_string_value(v);
    if (s == NULL)
        return false;
    *out_negative = *s == '-';
    s += *out_negative;
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
        return hex_parse_u256(out, s, strlen(s), true) == ERR_OK;
    return decimal(out, s);
}

/* intN and uintN: N of 8 to 256 in steps of 8, 256 without one. */
static bool put_integer(struct encoder *e, const char *type, const json_t *v) {
    bool is_signed = type[0] == 'i', negative;
    const char *digits = type + (is_signed ? 3 : 4);
    char *end;
    unsigned long bits = *digits == '\0' ? 256 : strtoul(digits, &end, 10);
    u256 m;
    if (*digits != '\0' && (*end != '\0' || *digits < '1' || *digits > '9'))
        return fail(e, "type %.80s is not known", type);
    if (bits == 0 || bits > 256 || bits % 8 != 0)
        return fail(e, "type %.80s is not known", type);
    if (!number(&m, &negative, v))
        return fail(e, "a value of type %.80s is no integer", type);
    /* Largest magnitude: 2^bits - 1; signed 2^(bits-1) - 1, or one more below zero. */
    u256 below = u256_sub(&m, &U256_ONE);
    const u256 *sized = negative && !u256_is_zero(&m) ? &below : &m;
    if (u256_bit_len(sized) > bits - (is_signed ? 1 : 0) ||
        (negative && !is_signed && !u256_is_zero(&m)))
        return fail(e, "a value of type %.80s is out of its range", type);
    if (negative)
        m = u256_sub(&U256_ZERO, &m);
    put_u256(e, &m);
    return true;
}

/* Hexadecimal text into `b`. */
static bool data(struct encoder *e, struct buf *b, const char *type, const json_t *v) {
    const char *s = json_string_value(v);
    if (s == NULL || s[0] != '0' || s[1] != 'x' ||
        hex_decode_buf(b, s, json_string_length(v)) != ERR_OK || b->overflow)
        return fail(e, "a value of type %.80s is no hexadecimal data", type);
    return true;
}

static bool put_bytes(struct encoder *e, const char *type, const json_t *v) {
    struct buf b;
    buf_init(&b, TYPED_DATA_BYTES_MAX);
    bool ok = data(e, &b, type, v);
    if (ok && type[5] == '\0') {
        hash32 h = keccak256_bytes(buf_bytes(&b));
        put_word(e, h.b);
    } else if (ok) {
        uint8_t word[WORD] = {0};
        char *end;
        unsigned long len = strtoul(type + 5, &end, 10);
        if (*end != '\0' || type[5] < '1' || type[5] > '9' || len > WORD)
            ok = fail(e, "type %.80s is not known", type);
        else if (b.len != len)
            ok = fail(e, "a value of type %.80s has another length", type);
        else if (len != 0)
            memcpy(word, b.ptr, len);
        if (ok)
            put_word(e, word);
    }
    buf_clear(&b);
    return ok;
}

static bool put_address(struct encoder *e, const json_t *v) {
    addr20 a;
    const char *s = json_string_value(v);
    if (s == NULL || strlen(s) != 42 || hex_decode_fixed(a.b, 20, s) != ERR_OK)
        return fail(e, "a value of type address is no address");
    u256 word = u256_from_addr(&a);
    put_u256(e, &word);
    return true;
}

static bool put_atom(struct encoder *e, const char *type, const json_t *v) {
    if (v == NULL || json_is_null(v))
        return fail(e, "a value of type %.80s is missing", type);
    if (strcmp(type, "string") == 0) {
        if (!json_is_string(v))
            return fail(e, "a value of type string is no text");
        hash32 h = keccak256_bytes(bytes_of(json_string_value(v), json_string_length(v)));
        put_word(e, h.b);
        return true;
    }
    if (strcmp(type, "bool") == 0) {
        if (!json_is_boolean(v))
            return fail(e, "a value of type bool is neither true nor false");
        put_u256(e, json_is_true(v) ? &U256_ONE : &U256_ZERO);
        return true;
    }
    if (strcmp(type, "address") == 0)
        return put_address(e, v);
    if (strncmp(type, "bytes", 5) == 0)
        return put_bytes(e, type, v);
    if (strncmp(type, "uint", 4) == 0 || strncmp(type, "int", 3) == 0)
        return put_integer(e, type, v);
    return fail(e, "type %.80s is not known", type);
}

/* --- structs and arrays --------------------------------------------------------------------- */
static struct level *push(struct encoder *e, const json_t *v) {
    if (e->depth == TYPED_DATA_DEPTH_MAX) {
        (void)fail(e, "values nest too deep");
        return NULL;
    }
    struct level *l = &e->levels[e->depth++];
    *l = (struct level){.value = v, .start = e->words.len};
    return l;
}

static bool push_struct(struct encoder *e, const char *name, const json_t *v) {
    hash32 h;
    if (!json_is_object(v))
        return fail(e, "a value of type %.80s is no object", name);
    if (!type_hash(e, &h, name))
        return false;
    struct level *l = push(e, v);
    if (l == NULL)
        return false;
    snprintf(l->type, sizeof(l->type), "%s", name);
    l->fields = json_object_get(e->types, name);
    put_word(e, h.b);
    return true;
}

/* "type[n]" or "type[]": the last pair of brackets is the outermost array. */
static bool push_array(struct encoder *e, const char *type, const json_t *v) {
    const char *bracket = strrchr(type, '[');
    size_t n = json_array_size(v);
    if (!json_is_array(v))
        return fail(e, "a value of type %.80s is no list", type);
    if (bracket[1] != ']') {
        char *end;
        unsigned long want = strtoul(bracket + 1, &end, 10);
        if (*end != ']' || want != n)
            return fail(e, "a value of type %.80s has another length", type);
    }
    struct level *l = push(e, v);
    if (l == NULL)
        return false;
    snprintf(l->type, sizeof(l->type), "%.*s", (int)(bracket - type), type);
    l->is_array = true;
    return true;
}

/* One value: a word, or a level that will become one. */
static bool put_value(struct encoder *e, const char *type, const json_t *v) {
    static const uint8_t zero[WORD];
    if (type[0] != '\0' && type[strlen(type) - 1] == ']')
        return push_array(e, type, v);
    if (json_object_get(e->types, type) == NULL)
        return put_atom(e, type, v);
    if (v == NULL || json_is_null(v)) {
        put_word(e, zero);
        return true;
    }
    return push_struct(e, type, v);
}

static bool level_done(const struct level *l) {
    return l->next == json_array_size(l->is_array ? l->value : l->fields);
}

static bool next_member(struct encoder *e, struct level *l) {
    size_t i = l->next++;
    if (l->is_array)
        return put_value(e, l->type, json_array_get(l->value, i));
    const json_t *f = json_array_get(l->fields, i);
    const char *name = field_text(f, "name");
    return put_value(e, field_text(f, "type"), json_object_get(l->value, name));
}

static bool hash_struct(struct encoder *e, hash32 *out, const char *name, const json_t *v) {
    e->depth = 0;
    buf_reset(&e->words);
    if (!push_struct(e, name, v))
        return false;
    while (e->depth > 0) {
        struct level *l = &e->levels[e->depth - 1];
        if (!level_done(l)) {
            if (!next_member(e, l))
                return false;
            if (e->words.overflow)
                return fail(e, "the data are too long");
            continue;
        }
        *out = keccak256_bytes(bytes_of(e->words.ptr + l->start, e->words.len - l->start));
        e->words.len = l->start;
        if (--e->depth > 0)
            put_word(e, out->b);
    }
    return true;
}

bool typed_data_digest(hash32 *out, const json_t *typed, char why[TYPED_DATA_TEXT_MAX]) {
    static const char domain[] = "EIP712Domain";
    uint8_t text[2 + 2 * WORD] = {0x19, 0x01};
    struct encoder *e = calloc(1, sizeof(*e));
    why[0] = '\0';
    if (e == NULL) {
        snprintf(why, TYPED_DATA_TEXT_MAX, "out of memory");
        return false;
    }
    e->why = why;
    e->types = json_object_get(typed, "types");
    buf_init(&e->words, TYPED_DATA_BYTES_MAX);
    const char *primary = json_string_value(json_object_get(typed, "primaryType"));
    hash32 h;
    bool ok = json_is_object(e->types) && primary != NULL && strlen(primary) < NAME_MAX_BYTES;
    if (!ok)
        (void)fail(e, "typed data need types, primaryType, domain and message");
    ok = ok && hash_struct(e, &h, domain, json_object_get(typed, "domain"));
    size_t len = 2 + WORD;
    if (ok)
        memcpy(text + 2, h.b, WORD);
    if (ok && strcmp(primary, domain) != 0) {
        ok = hash_struct(e, &h, primary, json_object_get(typed, "message"));
        if (ok)
            memcpy(text + len, h.b, WORD);
        len += WORD;
    }
    if (ok)
        keccak256(out, text, len);
    buf_clear(&e->words);
    free(e);
    return ok;
}
