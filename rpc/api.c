/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/api.h"

#include "base/check.h"
#include "base/hex.h"
#include "rpc/api_handlers.h"
#include "rpc/api_keys.h"
#include "rpc/json_writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct api_origin api_nobody;

/* --- the tables ---------------------------------------------------------------------------- */
#define API_ROUTE_SCOPE(name) (uint32_t) API_SCOPE_##name
const struct api_route api_routes[] = {
#define ROUTE(handler, name, verb, path, scope, cost, idempotent, params, result, status, summary) \
    {{name, api_##handler, 0, 1, RPC_COST_##cost, false, summary},                                 \
     HTTP_VERB_##verb,                                                                             \
     path,                                                                                         \
     API_ROUTE_SCOPE(scope),                                                                       \
     idempotent,                                                                                   \
     params,                                                                                       \
     result,                                                                                       \
     status},
#include "rpc/api_routes.def"
#undef ROUTE
};
const size_t api_route_count = ARRAY_LEN(api_routes);

static const struct problem {
    int status, code;
    const char *slug, *title;
} problems[API_PROBLEM_COUNT] = {
    [API_OK] = {200, 0, "", ""},
#define PROBLEM(id, status, code, slug, title) [API_##id] = {status, code, slug, title},
#include "rpc/api_problems.def"
#undef PROBLEM
};

const struct api_route *api_route_of(const struct rpc_method *m) {
    uintptr_t at = (uintptr_t)m, first = (uintptr_t)api_routes;
    return at >= first && at < first + sizeof(api_routes)
               ? &api_routes[(at - first) / sizeof(api_routes[0])]
               : NULL;
}

const struct api_route *api_route_find(const char *name, size_t len) {
    for (size_t i = 0; i < api_route_count; i++)
        if (strlen(api_routes[i].method.name) == len &&
            memcmp(api_routes[i].method.name, name, len) == 0)
            return &api_routes[i];
    return NULL;
}

/* --- paths and queries --------------------------------------------------------------------- */
static int digit_of(uint8_t c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A piece of a target with %XX taken back, as JSON text; NULL when it is no UTF-8. */
static json_t *decode_piece(bytes in, bool plus_is_space) {
    char text[HTTP_TARGET_BYTES_MAX + 1];
    size_t n = 0;
    CHECK(in.len <= HTTP_TARGET_BYTES_MAX);
    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.ptr[i];
        if (c == '+' && plus_is_space)
            c = ' ';
        if (c == '%') {
            int high = i + 2 < in.len ? digit_of(in.ptr[i + 1]) : -1;
            int low = i + 2 < in.len ? digit_of(in.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return NULL;
            c = (uint8_t)(high << 4 | low);
            i += 2;
        }
        text[n++] = (char)c;
    }
    return memchr(text, '\0', n) != NULL ? NULL : json_stringn(text, n);
}

/* The part up to `stop` or the end; *in moves behind it. */
static bytes take_piece(bytes *in, char stop) {
    const uint8_t *end = in->len > 0 ? memchr(in->ptr, stop, in->len) : NULL;
    size_t len = end != NULL ? (size_t)(end - in->ptr) : in->len;
    bytes piece = bytes_of(in->ptr, len);
    size_t used = end != NULL ? len + 1 : len;
    *in = bytes_of(in->ptr + used, in->len - used);
    return piece;
}

/* Whether `path` is of the route's form; adds its parameters to args, unless that is NULL. */
static bool path_fits(const char *form, bytes path, json_t *args) {
    bytes f = bytes_of(form, strlen(form));
    while (f.len > 0 && path.len > 0) {
        bool f_more = memchr(f.ptr, '/', f.len) != NULL;
        bool path_more = memchr(path.ptr, '/', path.len) != NULL;
        bytes want = take_piece(&f, '/'), have = take_piece(&path, '/');
        if (f_more != path_more)
            return false;
        if (want.len > 0 && want.ptr[0] == '{') {
            json_t *v = have.len > 0 ? decode_piece(have, false) : NULL;
            if (v == NULL)
                return false;
            if (args == NULL)
                json_decref(v);
            else
                (void)json_object_setn_new(args, (const char *)want.ptr + 1, want.len - 2, v);
        } else if (want.len != have.len || memcmp(want.ptr, have.ptr, want.len) != 0) {
            return false;
        }
    }
    return f.len == 0 && path.len == 0;
}

const struct api_route *api_route_match(enum http_verb verb, bytes path, json_t **out_args,
                                        bool *out_other_verb) {
    *out_other_verb = false;
    for (size_t i = 0; i < api_route_count; i++) {
        const struct api_route *r = &api_routes[i];
        if (!path_fits(r->path, path, NULL))
            continue;
        if (r->verb == verb) {
            *out_args = json_object();
            CHECK(*out_args != NULL);
            CHECK(path_fits(r->path, path, *out_args));
            return r;
        }
        *out_other_verb = true;
    }
    return NULL;
}

static json_t *query_value(bytes in) {
    if (in.len == 4 && memcmp(in.ptr, "true", 4) == 0)
        return json_true();
    if (in.len == 5 && memcmp(in.ptr, "false", 5) == 0)
        return json_false();
    return decode_piece(in, true);
}

bool api_add_query(json_t *args, bytes query) {
    json_t *own = json_object();
    bool ok = own != NULL;
    if (query.len > 0 && query.ptr[0] == '?')
        query = bytes_of(query.ptr + 1, query.len - 1);
    while (ok && query.len > 0) {
        bytes pair = take_piece(&query, '&');
        bytes name = take_piece(&pair, '=');
        if (name.len == 0 && pair.len == 0)
            continue;
        json_t *n = decode_piece(name, true), *v = query_value(pair);
        ok = n != NULL && v != NULL && json_object_get(own, json_string_value(n)) == NULL &&
             json_object_set(own, json_string_value(n), v) == 0;
        json_decref(n);
        json_decref(v);
    }
    ok = ok && json_object_update_missing(args, own) == 0;
    json_decref(own);
    return ok;
}

/* --- problems ------------------------------------------------------------------------------ */
void api_fail(struct rpc_call *c, enum api_problem p, const char *fmt, ...) {
    char text[1024];
    va_list ap;
    if (rpc_failed(c))
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    c->problem = (int)p;
    rpc_fail(c, problems[p].code, "%s", text);
}

int api_problem_status(enum api_problem p) {
    return problems[p].status;
}

enum api_problem api_problem_of_code(int code) {
    switch (code) {
    case RPC_INVALID_PARAMS:
    case RPC_PARSE_ERROR:
    case RPC_INVALID_REQUEST:
        return API_INVALID;
    case RPC_LIMIT_EXCEEDED:
        return API_LIMIT;
    case RPC_REVERTED:
        return API_REVERTED;
    case RPC_SERVER_ERROR:
        return API_REFUSED;
    case RPC_PRUNED:
        return API_NOT_FOUND;
    default:
        return API_INTERNAL;
    }
}

void api_problem_print(struct buf *out, enum api_problem p, const char *detail, size_t detail_len,
                       const char *slug, const char *request_id, bytes extra) {
    struct json_writer w;
    char type[64];
    snprintf(type, sizeof(type), "urn:callipter:problem:%s", problems[p].slug);
    jw_init(&w, out);
    jw_object(&w);
    jw_m_text(&w, "type", type);
    jw_m_text(&w, "title", problems[p].title);
    jw_key(&w, "status");
    jw_int(&w, problems[p].status);
    jw_m_text(&w, "code", problems[p].slug);
    jw_key(&w, "detail");
    jw_str(&w, detail, detail_len);
    if (slug != NULL && slug[0] != '\0')
        jw_m_text(&w, "universe", slug);
    if (request_id != NULL && request_id[0] != '\0')
        jw_m_text(&w, "requestId", request_id);
    if (extra.len > 2 && extra.ptr[0] == '{') { /* members of an object */
        buf_append_byte(out, ',');
        buf_append(out, extra.ptr + 1, extra.len - 2);
    }
    jw_object_end(&w);
}

int api_print(struct buf *out, const struct rpc_call *c) {
    if (!rpc_failed(c)) {
        buf_append(out, c->result.ptr, c->result.len);
        return c->status != 0 ? c->status : 200;
    }
    enum api_problem p =
        c->problem != 0 ? (enum api_problem)c->problem : api_problem_of_code(c->code);
    api_problem_print(out, p, (const char *)c->text.ptr, c->text.len, api_slug(c),
                      c->origin != NULL ? c->origin->request_id : NULL, buf_bytes(&c->data));
    return problems[p].status;
}

/* --- calls --------------------------------------------------------------------------------- */
json_t *api_arg(const struct rpc_call *c, const char *name) {
    json_t *v = json_object_get(c->args, name);
    return json_is_null(v) ? NULL : v;
}

const char *api_arg_text(const struct rpc_call *c, const char *name) {
    const char *s = json_string_value(api_arg(c, name));
    return s != NULL ? s : "";
}

const char *api_slug(const struct rpc_call *c) {
    return api_arg_text(c, "slug");
}

/* Over JSON-RPC the universe may go without saying. */
static void fill_slug(const struct rpc_call *c, const struct api_route *r, json_t *args) {
    if (strstr(r->path, "{slug}") == NULL || json_object_get(args, "slug") != NULL)
        return;
    const char *slug = c->origin->slug[0] != '\0' ? c->origin->slug : c->origin->who.slug;
    if (slug[0] != '\0')
        (void)json_object_set_new(args, "slug", json_string(slug));
}

/* A WebSocket or a stream lives longer than the key that opened it may. */
static void check_key(struct rpc_call *c) {
    uint64_t id = c->origin->who.key_id;
    const struct node_commands *node = c->cx->node;
    if (id == 0)
        return;
    enum api_key_verdict v = api_keys_recheck(c->cx->keys, id, node->now(node->ctx) * 1000);
    if (v != API_KEY_OK)
        api_fail(c, API_UNAUTHENTICATED, "%s", api_key_verdict_text(v));
}

static void check_scope(struct rpc_call *c, const struct api_route *r) {
    const struct api_principal *who = &c->origin->who;
    if (r->scope == API_SCOPE_PUBLIC)
        return;
    if (who->kind == API_KEY_NONE) {
        api_fail(c, API_UNAUTHENTICATED, "an API key is needed: Authorization: Bearer sk_...");
        return;
    }
    if (r->scope == API_SCOPE_ANY || who->kind == API_KEY_ADMIN)
        return;
    if ((who->scopes & r->scope) == 0)
        api_fail(c, API_FORBIDDEN, "the API key lacks the scope for this");
    else if (strstr(r->path, "{slug}") != NULL && strcmp(who->slug, api_slug(c)) != 0)
        api_fail(c, API_FORBIDDEN, "the API key is of another universe");
}

/* A parameter of a path, by its name. */
static bool type_ok(const json_t *v, const char *name, size_t len) {
    addr20 a;
    hash32 h;
    if (len == 4 && memcmp(name, "slug", 4) == 0)
        return json_is_string(v) && api_slug_ok(json_string_value(v), json_string_length(v));
    if ((len == 7 && memcmp(name, "address", 7) == 0) ||
        (len == 6 && memcmp(name, "player", 6) == 0))
        return api_address(v, &a);
    if (len == 4 && memcmp(name, "hash", 4) == 0)
        return api_hash(v, &h);
    return json_is_string(v) && json_string_length(v) <= API_TEXT_MAX_BYTES;
}

/* The path's parameters, then the rest without them. */
bool api_check_args(const struct api_route *r, json_t *args, char *out_why, size_t cap) {
    json_t *rest = json_copy(args);
    bool ok = true;
    CHECK(rest != NULL);
    for (const char *s = r->path; (s = strchr(s, '{')) != NULL;) {
        size_t len = strcspn(++s, "}");
        if (ok && !type_ok(json_object_getn(args, s, len), s, len)) {
            snprintf(out_why, cap, "%.*s: missing, or not of its form", (int)len, s);
            ok = false;
        }
        (void)json_object_deln(rest, s, len);
    }
    ok = ok && api_schema_check(r->params, rest, out_why, cap);
    json_decref(rest);
    return ok;
}

void api_begin(struct rpc_call *c, const struct api_route *r, json_t *args) {
    c->method = &r->method;
    c->status = r->status;
    fill_slug(c, r, args);
    json_decref(c->args);
    c->args = args;
    check_key(c);
    check_scope(c, r); /* before what is asked is looked at: nobody learns from its errors */
    char why[256];
    if (!rpc_failed(c) && !api_check_args(r, args, why, sizeof(why)))
        api_fail(c, API_INVALID, "%s", why);
}
