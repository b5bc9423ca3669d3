/* SPDX-License-Identifier: Apache-2.0 */
#include "node/api_request.h"

#include "base/check.h"

#include <ctype.h>
#include <stdio.h>

enum { WHY_MAX = 256, FIELD_MAX = 64 };

/* --- flags --------------------------------------------------------------------------------- */
static bool is_type(const struct api_flag *f, const char *name) {
    return f->type_len == strlen(name) && memcmp(f->type, name, f->type_len) == 0;
}

static bool is_list(const struct api_flag *f) {
    return f->type[f->type_len - 1] == ']';
}

static bool is_time(const struct api_flag *f) {
    const char *name = f->member[0] != '\0' ? f->member : f->param;
    size_t len = strlen(name);
    return is_type(f, "u64") && len > 2 && strcmp(name + len - 2, "At") == 0;
}

/* maxGas to max-gas, behind what is there. */
static void add_kebab(char out[API_FLAG_NAME_MAX], const char *name, size_t len) {
    size_t n = strlen(out);
    for (size_t i = 0; i < len; i++) {
        CHECK(n + 3 < API_FLAG_NAME_MAX);
        if (isupper((unsigned char)name[i]))
            out[n++] = '-';
        out[n++] = (char)tolower((unsigned char)name[i]);
    }
    out[n] = '\0';
}

static void copy_name(char out[API_FLAG_NAME_MAX], const char *name, size_t len) {
    CHECK(len < API_FLAG_NAME_MAX);
    memcpy(out, name, len);
    out[len] = '\0';
}

static struct api_flag flag_of(const struct api_field *f) {
    struct api_flag flag = {.type = f->type, .type_len = f->type_len, .required = !f->optional};
    copy_name(flag.param, f->name, f->name_len);
    add_kebab(flag.name, f->name, f->name_len);
    return flag;
}

/* A flag for each member of a parameter of a named type. */
static size_t add_members(struct api_flag *out, size_t count, const struct api_field *param,
                          const char *fields) {
    struct api_field f;
    while (api_schema_next(&fields, &f)) {
        struct api_flag flag = flag_of(param);
        CHECK(count < API_FLAGS_MAX);
        flag.type = f.type;
        flag.type_len = f.type_len;
        flag.required = !f.optional;
        copy_name(flag.member, f.name, f.name_len);
        add_kebab(flag.name, "-", 1);
        add_kebab(flag.name, f.name, f.name_len);
        out[count++] = flag;
    }
    return count;
}

size_t api_flags(struct api_flag out[API_FLAGS_MAX], const struct api_route *r,
                 const json_t *given) {
    const char *cursor = r->params;
    struct api_field f;
    size_t count = 0;
    while (api_schema_next(&cursor, &f)) {
        const char *fields = api_schema_fields(f.type, f.type_len);
        if (json_object_getn(given, f.name, f.name_len) != NULL)
            continue;
        if (fields != NULL) {
            count = add_members(out, count, &f, fields);
            continue;
        }
        CHECK(count < API_FLAGS_MAX);
        out[count++] = flag_of(&f);
    }
    return count;
}

const char *api_flag_hint(const struct api_flag *f) {
    if (is_list(f))
        return "LIST";
    if (is_time(f))
        return "TIME";
    if (is_type(f, "bool"))
        return "true|false";
    if (is_type(f, "address"))
        return "ADDRESS";
    if (is_type(f, "slug"))
        return "SLUG";
    return is_type(f, "u64") || is_type(f, "uint") ? "N" : "TEXT";
}

/* --- values -------------------------------------------------------------------------------- */
/* Milliseconds since 1970 as text, of a date; NULL: it is none. */
static json_t *time_value(const char *text) {
    static const char *const forms[] = {"%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct tm tm = {0};
        const char *end = strptime(text, forms[i], &tm);
        int day = tm.tm_mday, month = tm.tm_mon;
        long long seconds = end != NULL && *end == '\0' ? (long long)timegm(&tm) : -1;
        if (seconds >= 0 && tm.tm_mday == day && tm.tm_mon == month) /* there is such a day */
            return json_sprintf("%lld000", seconds);
    }
    return json_string(text);
}

/* CONTRACT:FUNCTION. */
static json_t *target_value(const char *text, size_t len) {
    const char *colon = memchr(text, ':', len);
    if (colon == NULL)
        return json_stringn(text, len); /* of no type: the check says so */
    size_t contract_len = (size_t)(colon - text), rest = len - contract_len - 1;
    bool by_bytes = rest > 1 && colon[1] == '0' && colon[2] == 'x';
    return json_pack("{s:s%, s:s%}", "contract", text, contract_len, by_bytes ? "selector" : "fn",
                     colon + 1, rest);
}

/* How long the first element of a list is: up to a comma outside of parentheses. */
static size_t element_len(const char *text) {
    size_t depth = 0, i = 0;
    for (; text[i] != '\0' && (text[i] != ',' || depth > 0); i++) {
        depth += text[i] == '(';
        depth -= text[i] == ')' && depth > 0;
    }
    return i;
}

static bool is_target_list(const struct api_flag *f) {
    static const char target[] = "Target[";
    return f->type_len > sizeof(target) && memcmp(f->type, target, sizeof(target) - 1) == 0;
}

static json_t *list_value(const struct api_flag *f, const char *text) {
    bool targets = is_target_list(f);
    json_t *list = json_array();
    CHECK(list != NULL);
    for (;;) {
        size_t len = element_len(text);
        json_t *v = targets ? target_value(text, len) : json_stringn(text, len);
        if (v == NULL || json_array_append_new(list, v) != 0) {
            json_decref(list);
            return NULL;
        }
        if (text[len] == '\0')
            return list;
        text += len + 1;
    }
}

/* NULL: it is no UTF-8. */
static json_t *value_of(const struct api_flag *f) {
    const char *text = f->value;
    if (is_list(f))
        return list_value(f, text);
    if (is_type(f, "bool") && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0))
        return json_boolean(text[0] == 't');
    return is_time(f) ? time_value(text) : json_string(text);
}

/* A value of its type, by itself, so that what is wrong can be told by the flag's name. */
static enum err checked_value(json_t **out, const struct api_flag *f, struct err_ctx *ec) {
    char fields[FIELD_MAX], why[WHY_MAX] = "value: is no UTF-8";
    json_t *v = value_of(f), *o = json_object();
    CHECK(f->type_len + sizeof("value:") <= sizeof(fields));
    snprintf(fields, sizeof(fields), "value:%.*s", (int)f->type_len, f->type);
    CHECK(o != NULL);
    bool ok = v != NULL && json_object_set(o, "value", v) == 0 &&
              api_schema_check(fields, o, why, sizeof(why));
    json_decref(o);
    if (!ok) {
        json_decref(v);
        FAIL(ec, ERR_CONFIG, "--%s%s%s", f->name, why + strlen("value"),
             is_target_list(f) ? " (want CONTRACT:FUNCTION)" : "");
    }
    *out = v;
    return ERR_OK;
}

/* Whether the route, or another member that is given, needs this flag. */
static bool is_needed(const json_t *args, const struct api_flag *f, const struct api_flag *flags,
                      size_t count) {
    bool together = json_object_get(args, f->param) != NULL;
    for (size_t i = 0; i < count; i++)
        together |= flags[i].value != NULL && strcmp(flags[i].param, f->param) == 0;
    return f->required && (f->member[0] == '\0' || together);
}

enum err api_flags_take(json_t *args, const struct api_flag *flags, size_t count,
                        struct err_ctx *ec) {
    for (size_t i = 0; i < count; i++) {
        const struct api_flag *f = &flags[i];
        json_t *v = NULL, *into = args;
        if (f->value == NULL && is_needed(args, f, flags, count))
            FAIL(ec, ERR_CONFIG, "--%s is needed", f->name);
        if (f->value == NULL)
            continue;
        TRY(checked_value(&v, f, ec));
        if (f->member[0] != '\0') {
            into = json_object_get(args, f->param);
            if (into == NULL) {
                CHECK(json_object_set_new(args, f->param, json_object()) == 0);
                into = json_object_get(args, f->param);
            }
        }
        CHECK(json_object_set_new(into, f->member[0] != '\0' ? f->member : f->param, v) == 0);
    }
    return ERR_OK;
}

/* --- requests ------------------------------------------------------------------------------ */
/* RFC 3986 §2.3. */
static void add_escaped(struct buf *out, const char *text) {
    for (; *text != '\0'; text++) {
        uint8_t c = (uint8_t)*text;
        if (isalnum(c) || strchr("-._~", c) != NULL)
            buf_append_byte(out, c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

/* The path with its parameters, which leave `args`. */
static void put_path(struct buf *out, const char *form, json_t *args) {
    char name[FIELD_MAX];
    while (*form != '\0') {
        size_t plain = strcspn(form, "{");
        buf_append(out, form, plain);
        form += plain;
        if (*form == '\0')
            break;
        size_t len = strcspn(++form, "}");
        CHECK(len < sizeof(name));
        memcpy(name, form, len);
        name[len] = '\0';
        add_escaped(out, json_string_value(json_object_get(args, name)));
        (void)json_object_del(args, name);
        form += len + 1;
    }
}

static void put_query(struct buf *out, json_t *args) {
    const char *name;
    json_t *v;
    char mark = '?';
    json_object_foreach(args, name, v) {
        buf_append_byte(out, (uint8_t)mark);
        mark = '&';
        buf_append_str(out, name);
        buf_append_byte(out, '=');
        CHECK(json_is_string(v)); /* flags of queries are texts and numbers */
        add_escaped(out, json_string_value(v));
    }
}

static enum err make(struct api_request *out, const struct api_route *r, json_t *args,
                     struct err_ctx *ec) {
    char why[WHY_MAX];
    if (!api_check_args(r, args, why, sizeof(why)))
        FAIL(ec, ERR_CONFIG, "%s", why);
    const char *verb = api_verb_name(r->verb);
    for (size_t i = 0; verb[i] != '\0' && i + 1 < sizeof(out->verb); i++)
        out->verb[i] = (char)toupper((unsigned char)verb[i]);
    put_path(&out->target, r->path, args);
    if (r->verb == HTTP_VERB_GET)
        put_query(&out->target, args);
    buf_append_byte(&out->target, 0);
    if (out->target.overflow)
        FAIL(ec, ERR_TOO_LARGE, "the request is over %d bytes", API_TARGET_MAX_BYTES);
    out->target.len--;
    out->has_body = r->verb == HTTP_VERB_POST || r->verb == HTTP_VERB_PUT;
    if (!out->has_body)
        return ERR_OK;
    char *text = json_dumps(args, JSON_COMPACT);
    CHECK(text != NULL);
    buf_append_str(&out->body, text);
    free(text);
    if (out->body.overflow)
        FAIL(ec, ERR_TOO_LARGE, "the request is over %d bytes", API_BODY_MAX_BYTES);
    return ERR_OK;
}

enum err api_request_make(struct api_request *out, const struct api_route *r, json_t *args,
                          struct err_ctx *ec) {
    *out = (struct api_request){.verb = ""};
    buf_init(&out->target, API_TARGET_MAX_BYTES);
    buf_init(&out->body, API_BODY_MAX_BYTES);
    enum err e = make(out, r, args, ec);
    json_decref(args);
    return e;
}

void api_request_clear(struct api_request *q) {
    buf_clear(&q->target);
    buf_clear(&q->body);
}
