/* SPDX-License-Identifier: Apache-2.0 */
/* OpenAPI 3.1 and OpenRPC 1.3 documents of what is served, out of the tables that serve it. */
#include "rpc/api.h"

#include "base/check.h"

#include <string.h>
#include <strings.h>

static const char *const openapi_schemas = "#/components/schemas/";

const char *api_verb_name(enum http_verb v) {
    switch (v) {
    case HTTP_VERB_GET:
        return "get";
    case HTTP_VERB_POST:
        return "post";
    case HTTP_VERB_PUT:
        return "put";
    case HTTP_VERB_DELETE:
        return "delete";
    case HTTP_VERB_HEAD:
    case HTTP_VERB_OPTIONS:
    case HTTP_VERB_OTHER:
        break;
    }
    CHECK(false);
    return NULL;
}

static const char *scope_name(uint32_t scope) {
    switch (scope) {
#define SCOPE(id, bit, name, publishable, what)                                                    \
    case API_SCOPE_##id:                                                                           \
        return name;
#include "rpc/api_scopes.def"
#undef SCOPE
    case API_SCOPE_ANY:
        return "any";
    default:
        return "public";
    }
}

/* The type of a path's parameter, which its name says. */
static const char *param_type(const char *name, size_t len) {
    static const char *const typed[] = {"slug", "address", "hash"};
    for (size_t i = 0; i < ARRAY_LEN(typed); i++)
        if (strlen(typed[i]) == len && memcmp(typed[i], name, len) == 0)
            return typed[i];
    return len == 6 && memcmp(name, "player", 6) == 0 ? "address" : "text";
}

static void print_param(struct buf *out, bool *any, const char *where, const char *name, size_t len,
                        bool required, const char *type, size_t type_len) {
    buf_printf(out,
               "%s{\"name\":\"%.*s\",\"in\":\"%s\",\"required\":%s,\"schema\":", *any ? "," : "",
               (int)len, name, where, required ? "true" : "false");
    api_schema_type(out, type, type_len, openapi_schemas);
    buf_append_byte(out, '}');
    *any = true;
}

static void print_params(struct buf *out, const struct api_route *r) {
    bool any = false;
    buf_append_str(out, "\"parameters\":[");
    for (const char *s = r->path; (s = strchr(s, '{')) != NULL;) {
        size_t len = strcspn(++s, "}");
        const char *type = param_type(s, len);
        print_param(out, &any, "path", s, len, true, type, strlen(type));
    }
    struct api_field f;
    const char *cursor = r->params;
    while (r->verb == HTTP_VERB_GET && api_schema_next(&cursor, &f))
        print_param(out, &any, "query", f.name, f.name_len, !f.optional, f.type, f.type_len);
    if (r->idempotent)
        print_param(out, &any, "header", "Idempotency-Key", strlen("Idempotency-Key"), false,
                    "text:255", strlen("text:255"));
    buf_append_str(out, "]");
}

static void print_operation(struct buf *out, const struct api_route *r) {
    buf_printf(out, "\"%s\":{\"operationId\":\"%s\",\"summary\":\"%s\",\"x-scope\":\"%s\",",
               api_verb_name(r->verb), r->method.name, r->method.summary, scope_name(r->scope));
    if (r->scope == API_SCOPE_PUBLIC)
        buf_append_str(out, "\"security\":[],");
    print_params(out, r);
    if (r->verb != HTTP_VERB_GET && r->params[0] != '\0') {
        buf_append_str(out,
                       ",\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{"
                       "\"schema\":");
        api_schema_object(out, r->params, openapi_schemas);
        buf_append_str(out, "}}}");
    }
    buf_printf(out,
               ",\"responses\":{\"%d\":{\"description\":\"%s\",\"content\":{\"application/json\":{"
               "\"schema\":",
               r->status, r->method.summary);
    api_schema_type(out, r->result, strlen(r->result), openapi_schemas);
    buf_printf(out,
               "}}},\"default\":{\"description\":\"a problem (RFC 9457)\",\"content\":{"
               "\"application/problem+json\":{\"schema\":{\"$ref\":\"%sProblem\"}}}}}}",
               openapi_schemas);
}

/* Routes of one path stand together, though they need not in the table. */
static bool is_first_of_path(size_t i) {
    for (size_t k = 0; k < i; k++)
        if (strcmp(api_routes[k].path, api_routes[i].path) == 0)
            return false;
    return true;
}

void api_openapi(struct buf *out, const char *version) {
    bool any_path = false;
    buf_printf(out,
               "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Callipter universes\",\"version\":"
               "\"%s\",\"license\":{\"name\":\"Apache-2.0\",\"identifier\":\"Apache-2.0\"}},"
               "\"security\":[{\"bearer\":[]},{\"apiKey\":[]}],\"paths\":{",
               version);
    for (size_t i = 0; i < api_route_count; i++) {
        if (!is_first_of_path(i))
            continue;
        buf_printf(out, "%s\"%s\":{", any_path ? "," : "", api_routes[i].path);
        any_path = true;
        bool any = false;
        for (size_t k = i; k < api_route_count; k++) {
            if (strcmp(api_routes[k].path, api_routes[i].path) != 0)
                continue;
            if (any)
                buf_append_byte(out, ',');
            print_operation(out, &api_routes[k]);
            any = true;
        }
        buf_append_byte(out, '}');
    }
    buf_append_str(out, "},\"components\":{\"securitySchemes\":{\"bearer\":{\"type\":\"http\","
                        "\"scheme\":\"bearer\"},\"apiKey\":{\"type\":\"apiKey\",\"in\":\"header\","
                        "\"name\":\"X-Api-Key\"}},\"schemas\":{");
    api_schema_types(out, openapi_schemas);
    buf_append_str(out, "}}}");
}

/* --- OpenRPC ------------------------------------------------------------------------------- */
/* All parameters, the path's included: they are members of the one object that a call takes. */
static void print_rpc_method(struct buf *out, const struct api_route *r) {
    bool any = false;
    buf_printf(out,
               "{\"name\":\"%s\",\"summary\":\"%s\",\"x-scope\":\"%s\",\"paramStructure\":"
               "\"by-name\",\"params\":[",
               r->method.name, r->method.summary, scope_name(r->scope));
    for (const char *s = r->path; (s = strchr(s, '{')) != NULL;) {
        size_t len = strcspn(++s, "}");
        const char *type = param_type(s, len);
        buf_printf(out, "%s{\"name\":\"%.*s\",\"required\":%s,\"schema\":", any ? "," : "",
                   (int)len, s, strcmp(type, "slug") == 0 ? "false" : "true");
        api_schema_type(out, type, strlen(type), openapi_schemas);
        buf_append_byte(out, '}');
        any = true;
    }
    struct api_field f;
    const char *cursor = r->params;
    while (api_schema_next(&cursor, &f)) {
        buf_printf(out, "%s{\"name\":\"%.*s\",\"required\":%s,\"schema\":", any ? "," : "",
                   (int)f.name_len, f.name, f.optional ? "false" : "true");
        api_schema_type(out, f.type, f.type_len, openapi_schemas);
        buf_append_byte(out, '}');
        any = true;
    }
    buf_append_str(out, "],\"result\":{\"name\":\"result\",\"schema\":");
    api_schema_type(out, r->result, strlen(r->result), openapi_schemas);
    buf_append_str(out, "}}");
}

/* Ethereum's own methods, whose arguments the execution-apis specification describes. */
static void print_plain_method(struct buf *out, const struct rpc_method *m) {
    buf_printf(out,
               ",{\"name\":\"%s\",\"summary\":\"%s\",\"paramStructure\":\"by-position\","
               "\"params\":[",
               m->name, m->summary);
    for (unsigned i = 0; i < m->max_args; i++)
        buf_printf(out, "%s{\"name\":\"argument%u\",\"required\":%s,\"schema\":{}}",
                   i > 0 ? "," : "", i + 1, i < m->min_args ? "true" : "false");
    buf_append_str(out, "],\"result\":{\"name\":\"result\",\"schema\":{}}}");
}

void api_openrpc(struct buf *out, const char *version) {
    buf_printf(out,
               "{\"openrpc\":\"1.3.2\",\"info\":{\"title\":\"Callipter\",\"version\":\"%s\"},"
               "\"methods\":[",
               version);
    for (size_t i = 0; i < api_route_count; i++) {
        if (i > 0)
            buf_append_byte(out, ',');
        print_rpc_method(out, &api_routes[i]);
    }
    for (size_t i = 0; i < rpc_method_count; i++)
        if (!rpc_methods[i].dev_only)
            print_plain_method(out, &rpc_methods[i]);
    buf_append_str(out, "],\"components\":{\"schemas\":{");
    api_schema_types(out, openapi_schemas);
    buf_append_str(out, "}}}");
}
