/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: routes are found by verb and path alone, names are unique, queries are read in one way, and
 * the documents are JSON that names every route. Covers: api.c, api_docs.c */
#include "rpc/api.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static bytes text(const char *s) {
    return bytes_of(s, strlen(s));
}

Test(api, every_route_is_found) {
    for (size_t i = 0; i < api_route_count; i++) {
        const struct api_route *r = &api_routes[i];
        bool other = false;
        json_t *args = NULL;
        cr_assert_eq(api_route_match(r->verb, text(r->path), &args, &other), r, "%s", r->path);
        json_decref(args);
        cr_expect_eq(api_route_find(r->method.name, strlen(r->method.name)), r);
        cr_expect_eq(api_route_of(&r->method), r);
        cr_expect_eq(strncmp(r->method.name, "universe_", 9), 0);
        cr_expect(r->scope != 0);
    }
    cr_expect_null(api_route_of(&rpc_methods[0]));
}

Test(api, paths) {
    static const char *const none[] = {"/v1/u/",           "/v1/u",     "/v1/u/a/", "/v1//a",
                                       "/v1/u/a/keys/x/y", "/v1/u/%zz", "/v1/u/a%", "/v1/u/a%4",
                                       "/v1/u/%00",        "/v1/u/%ff", "/v2/u/a"};
    bool other = false;
    json_t *args = NULL;
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        cr_expect_null(api_route_match(HTTP_VERB_GET, text(none[i]), &args, &other), "%s", none[i]);
    cr_assert_not_null(api_route_match(HTTP_VERB_GET, text("/v1/u/%61b"), &args, &other));
    cr_expect_str_eq(json_string_value(json_object_get(args, "slug")), "ab");
    json_decref(args);
    cr_expect_null(api_route_match(HTTP_VERB_DELETE, text("/v1/whoami"), &args, &other));
    cr_expect(other);
}

Test(api, queries) {
    json_t *args = json_object();
    cr_expect(api_add_query(args, text("?a=1&b=x%20y+z&c=true&d")));
    cr_expect_str_eq(json_string_value(json_object_get(args, "a")), "1");
    cr_expect_str_eq(json_string_value(json_object_get(args, "b")), "x y z");
    cr_expect(json_is_true(json_object_get(args, "c")));
    cr_expect_str_eq(json_string_value(json_object_get(args, "d")), "");
    cr_expect_not(api_add_query(args, text("?e=1&e=2")));
    cr_expect_not(api_add_query(args, text("?e=%x")));
    cr_expect(api_add_query(args, text("?a=2")));
    cr_expect_str_eq(json_string_value(json_object_get(args, "a")), "1"); /* the path's stands */
    json_decref(args);
}

static json_t *document(void (*print)(struct buf *out, const char *version)) {
    struct buf b;
    buf_init(&b, 1 << 20);
    print(&b, "x");
    json_t *v = json_loadb((const char *)b.ptr, b.len, JSON_REJECT_DUPLICATES, NULL);
    cr_assert_not_null(v);
    buf_clear(&b);
    return v;
}

Test(api, documents) {
    json_t *open_api = document(api_openapi), *open_rpc = document(api_openrpc);
    size_t operations = 0;
    const char *path;
    json_t *verbs;
    json_object_foreach(json_object_get(open_api, "paths"), path, verbs) operations +=
        json_object_size(verbs);
    cr_expect_eq(operations, api_route_count);
    cr_expect(json_array_size(json_object_get(open_rpc, "methods")) > api_route_count);
    json_decref(open_api);
    json_decref(open_rpc);
}

Test(api, problems) {
    struct buf b;
    buf_init(&b, 4096);
    static const char detail[] = "say \"no\"";
    api_problem_print(&b, API_REVERTED, detail, strlen(detail), "arena", "r-1",
                      text("{\"revert\":{\"name\":\"X\"}}"));
    json_t *v = json_loadb((const char *)b.ptr, b.len, JSON_REJECT_DUPLICATES, NULL);
    cr_assert_not_null(v);
    cr_expect_str_eq(json_string_value(json_object_get(v, "detail")), detail);
    cr_expect_str_eq(json_string_value(json_object_get(v, "code")), "reverted");
    cr_expect_eq(json_integer_value(json_object_get(v, "status")), 422);
    cr_expect(json_is_object(json_object_get(v, "revert")));
    json_decref(v);
    buf_clear(&b);
    for (int p = API_OK + 1; p < API_PROBLEM_COUNT; p++)
        cr_expect(api_problem_status((enum api_problem)p) >= 400);
}
