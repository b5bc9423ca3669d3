/* SPDX-License-Identifier: Apache-2.0 */
/* Types: out of signatures and ABIs in JSON. rpc/abi_values.c has the values. */
#include "rpc/abi_json.h"

#include "base/check.h"
#include "base/keccak.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- elementary types ---------------------------------------------------------------------- */
/* A number without leading zeros up to `max`; false: none. */
static bool read_size(const char *s, size_t len, unsigned max, unsigned *out) {
    unsigned n = 0;
    if (len == 0 || len > 6 || s[0] == '0')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        n = n * 10 + (unsigned)(s[i] - '0');
    }
    *out = n;
    return n <= max;
}

static bool starts(const char *s, size_t len, const char *with) {
    return len >= strlen(with) && memcmp(s, with, strlen(with)) == 0;
}

static bool is(const char *s, size_t len, const char *what) {
    return len == strlen(what) && starts(s, len, what);
}

static bool parse_integer(struct abi_type *t, const char *s, size_t len, size_t skip) {
    t->size = 256;
    return len == skip || (read_size(s + skip, len - skip, 256, &t->size) && t->size % 8 == 0);
}

static const struct {
    const char *name;
    enum abi_kind kind;
    bool sized; /* a number follows */
} elementary[] = {
    {"address", ABI_ADDRESS, false},  {"bool", ABI_BOOL, false},
    {"string", ABI_STRING, false},    {"bytes", ABI_BYTES, false},
    {"bytes", ABI_FIXED_BYTES, true}, {"uint", ABI_UINT, true},
    {"int", ABI_INT, true},
};

static bool parse_elementary(struct abi_type *t, const char *s, size_t len) {
    for (size_t i = 0; i < ARRAY_LEN(elementary); i++) {
        const char *name = elementary[i].name;
        size_t skip = strlen(name);
        if (elementary[i].sized ? !starts(s, len, name) : !is(s, len, name))
            continue;
        t->kind = elementary[i].kind;
        if (t->kind == ABI_FIXED_BYTES)
            return read_size(s + skip, len - skip, 32, &t->size);
        return !elementary[i].sized || parse_integer(t, s, len, skip);
    }
    return false;
}

/* Takes one "[...]" off the end of a type's text: *t becomes the list, its item is still to be
 * parsed. False: there is none, or (then *bad) it is none. */
static bool take_brackets(struct abi_type *t, struct arena *a, const char *s, size_t *len,
                          bool *bad) {
    if (*len < 2 || s[*len - 1] != ']')
        return false;
    const char *open = memrchr(s, '[', *len);
    if (open == NULL) {
        *bad = true;
        return false;
    }
    size_t digits = *len - 2 - (size_t)(open - s);
    t->kind = ABI_LIST;
    t->any_length = digits == 0;
    *bad = digits > 0 && !read_size(open + 1, digits, 1 << 16, &t->size);
    t->items = arena_zalloc(a, sizeof(*t->items));
    t->count = 1;
    *len = (size_t)(open - s);
    return !*bad;
}

/* --- signatures ---------------------------------------------------------------------------- */
static bool parse_text(struct abi_type *t, struct arena *a, const char *s, size_t len,
                       unsigned depth);

/* The text between a tuple's parentheses. */
static bool parse_members(struct abi_type *t, struct arena *a, const char *s, size_t len,
                          unsigned depth) {
    t->kind = ABI_TUPLE;
    t->items = arena_zalloc(a, ABI_PARAMS_MAX * sizeof(*t->items));
    t->count = 0;
    size_t begin = 0;
    unsigned open = 0;
    for (size_t i = 0; i <= len && len > 0; i++) {
        if (i < len && s[i] == '(')
            open++;
        if (i < len && s[i] == ')' && open-- == 0)
            return false;
        if (i < len && (s[i] != ',' || open > 0))
            continue;
        if (t->count == ABI_PARAMS_MAX)
            return false;
        struct abi_type *item = &t->items[t->count++];
        item->name = "";
        if (!parse_text(item, a, s + begin, i - begin, depth))
            return false;
        begin = i + 1;
    }
    return open == 0;
}

static bool parse_text(struct abi_type *t, struct arena *a, const char *s, size_t len,
                       unsigned depth) {
    bool bad = false;
    while (depth < ABI_DEPTH_MAX && take_brackets(t, a, s, &len, &bad)) {
        t = t->items;
        t->name = "";
        depth++;
    }
    if (bad || depth >= ABI_DEPTH_MAX)
        return false;
    if (len >= 2 && s[0] == '(' && s[len - 1] == ')')
        return parse_members(t, a, s + 1, len - 2, depth + 1);
    return parse_elementary(t, s, len);
}

enum err abi_parse_signature(struct abi_entry *out, struct arena *a, const char *text,
                             struct err_ctx *ec) {
    size_t len = strlen(text);
    const char *open = strchr(text, '(');
    memset(out, 0, sizeof(*out));
    if (open == NULL || len >= ABI_SIGNATURE_MAX || text[len - 1] != ')' ||
        !parse_members(&out->inputs, a, open + 1, len - 2 - (size_t)(open - text), 1))
        FAIL(ec, ERR_PARSE, "'%.200s' is no signature such as mint(address,uint256)", text);
    memcpy(out->signature, text, len + 1);
    bytes name = arena_copy(a, bytes_of(text, (size_t)(open - text) + 1));
    ((char *)(uintptr_t)name.ptr)[open - text] = '\0';
    out->name = (const char *)name.ptr;
    out->outputs.kind = ABI_TUPLE;
    return ERR_OK;
}

/* --- ABIs in JSON -------------------------------------------------------------------------- */
static bool parse_json(struct abi_type *t, struct arena *a, const json_t *param, unsigned depth);

static bool parse_list(struct abi_type *t, struct arena *a, const json_t *params, unsigned depth) {
    size_t count = json_array_size(params);
    t->kind = ABI_TUPLE;
    t->count = count;
    if (count > ABI_PARAMS_MAX || depth >= ABI_DEPTH_MAX)
        return false;
    t->items = arena_zalloc(a, (count + 1) * sizeof(*t->items));
    for (size_t i = 0; i < count; i++)
        if (!parse_json(&t->items[i], a, json_array_get(params, i), depth))
            return false;
    return true;
}

static const char *copy_text(struct arena *a, const json_t *v) {
    const char *s = json_string_value(v);
    size_t len = s != NULL ? strlen(s) : 0;
    char *copy = arena_alloc(a, len + 1);
    if (len > 0)
        memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

static bool parse_json(struct abi_type *t, struct arena *a, const json_t *param, unsigned depth) {
    const char *s = json_string_value(json_object_get(param, "type"));
    bool bad = false;
    if (s == NULL)
        return false;
    size_t len = strlen(s);
    t->name = copy_text(a, json_object_get(param, "name"));
    t->indexed = json_is_true(json_object_get(param, "indexed"));
    while (depth < ABI_DEPTH_MAX && take_brackets(t, a, s, &len, &bad)) {
        t = t->items;
        t->name = "";
        depth++;
    }
    if (bad || depth >= ABI_DEPTH_MAX)
        return false;
    if (is(s, len, "tuple"))
        return parse_list(t, a, json_object_get(param, "components"), depth + 1);
    return parse_elementary(t, s, len);
}

static void print_type(struct buf *out, const struct abi_type *t) {
    if (t->kind == ABI_LIST) {
        print_type(out, t->items);
        if (t->any_length)
            buf_append_str(out, "[]");
        else
            buf_printf(out, "[%u]", t->size);
    } else if (t->kind == ABI_TUPLE) {
        buf_append_byte(out, '(');
        for (size_t i = 0; i < t->count; i++) {
            if (i > 0)
                buf_append_byte(out, ',');
            print_type(out, &t->items[i]);
        }
        buf_append_byte(out, ')');
    } else {
        size_t i = 0;
        while (elementary[i].kind != t->kind)
            i++;
        buf_append_str(out, elementary[i].name);
        if (elementary[i].sized)
            buf_printf(out, "%u", t->size);
    }
}

enum err abi_parse_entry(struct abi_entry *out, struct arena *a, const json_t *entry,
                         struct err_ctx *ec) {
    memset(out, 0, sizeof(*out));
    out->name = copy_text(a, json_object_get(entry, "name"));
    out->anonymous = json_is_true(json_object_get(entry, "anonymous"));
    if (!parse_list(&out->inputs, a, json_object_get(entry, "inputs"), 0) ||
        !parse_list(&out->outputs, a, json_object_get(entry, "outputs"), 0))
        FAIL(ec, ERR_PARSE, "'%.100s' has a type that is none, or too many of them", out->name);
    struct buf text;
    buf_init(&text, ABI_SIGNATURE_MAX);
    buf_append_str(&text, out->name);
    print_type(&text, &out->inputs);
    buf_append_byte(&text, 0);
    bool ok = !text.overflow;
    if (ok)
        memcpy(out->signature, text.ptr, text.len);
    buf_clear(&text);
    if (!ok)
        FAIL(ec, ERR_PARSE, "the signature of '%.100s' is longer than %d characters", out->name,
             ABI_SIGNATURE_MAX - 1);
    return ERR_OK;
}

static bool is_a(const json_t *entry, const char *type) {
    const char *t = json_string_value(json_object_get(entry, "type"));
    return t != NULL && strcmp(t, type) == 0;
}

enum err abi_find_function(struct abi_entry *out, struct arena *a, const json_t *abi,
                           const char *name, struct err_ctx *ec) {
    bool whole = strchr(name, '(') != NULL;
    size_t found = 0;
    for (size_t i = 0; i < json_array_size(abi); i++) {
        const json_t *entry = json_array_get(abi, i);
        const char *n = json_string_value(json_object_get(entry, "name"));
        struct abi_entry e;
        if (!is_a(entry, "function") || n == NULL || strncmp(n, name, strlen(n)) != 0)
            continue;
        TRY(abi_parse_entry(&e, a, entry, ec));
        if (strcmp(whole ? e.signature : n, name) != 0)
            continue;
        *out = e;
        found++;
    }
    if (found == 0)
        FAIL(ec, ERR_NOT_FOUND, "the ABI has no function '%.200s'", name);
    if (found > 1)
        FAIL(ec, ERR_INVALID, "the ABI has %zu functions '%.200s': give the whole signature", found,
             name);
    return ERR_OK;
}

hash32 abi_hash(const struct abi_entry *e) {
    return keccak256_bytes(bytes_of(e->signature, strlen(e->signature)));
}

static enum err find_by_hash(struct abi_entry *out, struct arena *a, const json_t *abi,
                             const char *type, const uint8_t *hash, size_t len) {
    for (size_t i = 0; i < json_array_size(abi); i++) {
        const json_t *entry = json_array_get(abi, i);
        if (!is_a(entry, type) || abi_parse_entry(out, a, entry, NULL) != ERR_OK)
            continue;
        hash32 h = abi_hash(out);
        if (memcmp(h.b, hash, len) == 0 && !out->anonymous)
            return ERR_OK;
    }
    return ERR_NOT_FOUND;
}

enum err abi_find_error(struct abi_entry *out, struct arena *a, const json_t *abi,
                        const uint8_t selector[4]) {
    return find_by_hash(out, a, abi, "error", selector, 4);
}

enum err abi_find_event(struct abi_entry *out, struct arena *a, const json_t *abi,
                        const hash32 *topic) {
    return find_by_hash(out, a, abi, "event", topic->b, 32);
}

enum err abi_check(struct arena *a, const json_t *abi, struct err_ctx *ec) {
    struct abi_entry e;
    if (!json_is_array(abi))
        FAIL(ec, ERR_PARSE, "an ABI is a list of functions, events and errors");
    for (size_t i = 0; i < json_array_size(abi); i++) {
        const json_t *entry = json_array_get(abi, i);
        struct arena_mark mark = arena_mark(a);
        if (!json_is_object(entry) || !json_is_string(json_object_get(entry, "type")))
            FAIL(ec, ERR_PARSE, "element %zu of the ABI is no function, event or error", i);
        enum err err = abi_parse_entry(&e, a, entry, ec);
        arena_reset_to(a, mark);
        TRY(err);
    }
    return ERR_OK;
}
