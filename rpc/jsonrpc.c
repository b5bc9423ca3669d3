/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/jsonrpc.h"

#include "rpc/api.h"
#include "rpc/json_writer.h"
#include "rpc/metrics.h"
#include "rpc/params.h"

#include <stdlib.h>

/* --- requests ------------------------------------------------------------------------------ */
bool rpc_json_depth_ok(const char *s, size_t len, unsigned max) {
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        char ch = s[i];
        if (in_string) {
            if (ch == '\\')
                i++;
            else if (ch == '"')
                in_string = false;
        } else if (ch == '"') {
            in_string = true;
        } else if (ch == '{' || ch == '[') {
            if (++depth > max)
                return false;
        } else if ((ch == '}' || ch == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

json_t *rpc_parse(const struct buf *body, int *out_code, const char **out_text) {
    *out_code = RPC_PARSE_ERROR;
    *out_text = "parse error";
    const char *s = (const char *)body->ptr;
    if (body->len == 0)
        return NULL;
    if (!rpc_json_depth_ok(s, body->len, RPC_JSON_DEPTH_MAX)) {
        *out_code = RPC_INVALID_REQUEST;
        *out_text = "invalid request: nested too deep";
        return NULL;
    }
    json_error_t error;
    json_t *root = json_loadb(s, body->len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (root == NULL && json_error_code(&error) == json_error_duplicate_key) {
        *out_code = RPC_INVALID_REQUEST;
        *out_text = "invalid request: duplicate key";
    }
    return root;
}

bool rpc_id_ok(const json_t *id) {
    return id == NULL || json_is_string(id) || json_is_number(id) || json_is_null(id);
}

void rpc_check_arity(struct rpc_call *c) {
    size_t n = param_count(c);
    for (size_t i = 0; i < c->method->min_args; i++) {
        if (!param_is_null(c, i))
            continue;
        rpc_fail(c, RPC_INVALID_PARAMS, "missing value for required argument %zu", i);
        return;
    }
    if (n > c->method->max_args)
        rpc_fail(c, RPC_INVALID_PARAMS, "too many arguments, want at most %u", c->method->max_args);
}

/* A call of the universes' API: its parameters are one object, bare or in an array. */
static void read_api_request(struct rpc_call *c, const struct api_route *route, json_t *params) {
    json_t *args = json_array_size(params) == 1 ? json_array_get(params, 0) : params;
    bool none = params == NULL || json_is_null(params) ||
                (json_is_array(params) && json_array_size(params) == 0);
    if (!none && !json_is_object(args)) {
        rpc_fail(c, RPC_INVALID_PARAMS, "want one object with the parameters");
        return;
    }
    api_begin(c, route, none ? json_object() : json_copy(args));
    if (rpc_failed(c))
        c->method = NULL;
}

void rpc_read_request(struct rpc_call *c, json_t *o) {
    json_t *id = json_object_get(o, "id"), *method = json_object_get(o, "method");
    json_t *version = json_object_get(o, "jsonrpc"), *params = json_object_get(o, "params");
    bool version_ok = version == NULL ||
                      (json_is_string(version) && strcmp(json_string_value(version), "2.0") == 0);
    if (!json_is_object(o) || !rpc_id_ok(id) || !json_is_string(method) || !version_ok) {
        c->id = rpc_id_ok(id) ? id : NULL;
        rpc_fail(c, RPC_INVALID_REQUEST, "invalid request");
        return;
    }
    c->id = id;
    c->notification = id == NULL;
    const char *name = json_string_value(method);
    const struct api_route *route =
        c->cx->keys != NULL ? api_route_find(name, json_string_length(method)) : NULL;
    if (route != NULL) {
        rpc_metric_call(&route->method);
        read_api_request(c, route, params);
        return;
    }
    if (params != NULL && !json_is_null(params) && !json_is_array(params)) {
        rpc_fail(c, RPC_INVALID_PARAMS, "non-array args");
        return;
    }
    c->params = json_is_array(params) ? params : NULL;
    c->method = rpc_method_find(name, json_string_length(method), c->cx->dev);
    rpc_metric_call(c->method);
    if (c->method == NULL)
        rpc_fail(c, RPC_METHOD_NOT_FOUND, "the method %.100s does not exist/is not available",
                 name);
    else
        rpc_check_arity(c);
    if (rpc_failed(c))
        c->method = NULL;
}

/* --- replies ------------------------------------------------------------------------------- */
static void write_id(struct buf *out, json_t *id, bytes scanned) {
    if (scanned.ptr != NULL) {
        buf_append(out, scanned.ptr, scanned.len);
        return;
    }
    char *text = id == NULL ? NULL : json_dumps(id, JSON_ENCODE_ANY | JSON_COMPACT);
    buf_append_str(out, text != NULL ? text : "null");
    free(text);
}

void rpc_answer_begin(struct buf *out, bytes id) {
    buf_append(out, RPC_ANSWER_ID, sizeof(RPC_ANSWER_ID) - 1);
    buf_append(out, id.ptr, id.len);
    buf_append(out, RPC_ANSWER_RESULT, sizeof(RPC_ANSWER_RESULT) - 1);
}

void rpc_write_reply(struct buf *out, const struct rpc_call *c) {
    buf_append(out, RPC_ANSWER_ID, sizeof(RPC_ANSWER_ID) - 1);
    write_id(out, c->id, c->id_text);
    if (!rpc_failed(c)) {
        buf_append(out, RPC_ANSWER_RESULT, sizeof(RPC_ANSWER_RESULT) - 1);
        buf_append(out, c->result.ptr, c->result.len);
    } else {
        struct json_writer w;
        buf_printf(out, ",\"error\":{\"code\":%d,\"message\":", c->code);
        jw_init(&w, out);
        jw_str(&w, (const char *)c->text.ptr, c->text.len);
        if (c->data.len > 0) {
            buf_append_str(out, ",\"data\":");
            buf_append(out, c->data.ptr, c->data.len);
        }
        buf_append_byte(out, '}');
    }
    buf_append_byte(out, '}');
}

void rpc_write_error(struct buf *out, json_t *id, bytes scanned, int code, const char *text) {
    buf_append(out, RPC_ANSWER_ID, sizeof(RPC_ANSWER_ID) - 1);
    write_id(out, id, scanned);
    buf_printf(out, ",\"error\":{\"code\":%d,\"message\":\"%s\"}}", code, text);
}
