/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: flags follow from a route's parameters, values become JSON of the parameter's type or are
 * refused by the flag's name, and the request is what the route's table says. */
#include "node/api_request.h"

#include <criterion/criterion.h>

#define ADDRESS "0x00000000000000000000000000000000000000aa"

static const struct api_route *route(const char *name) {
    const struct api_route *r = api_route_find(name, strlen(name));
    cr_assert_not_null(r, "%s", name);
    return r;
}

/* Sets flags by "name=value" and makes the request with `given` (JSON). */
static enum err make(struct api_request *out, const char *name, const char *given,
                     const char *const *values, struct err_ctx *ec) {
    struct api_flag flags[API_FLAGS_MAX];
    const struct api_route *r = route(name);
    json_t *args = json_loads(given, 0, NULL);
    cr_assert_not_null(args);
    size_t count = api_flags(flags, r, args);
    for (; *values != NULL; values++) {
        size_t len = strcspn(*values, "="), i = 0;
        while (i < count &&
               (strlen(flags[i].name) != len || memcmp(flags[i].name, *values, len) != 0))
            i++;
        cr_assert_lt(i, count, "no flag for %s", *values);
        flags[i].value = *values + len + 1;
    }
    *out = (struct api_request){.verb = ""};
    ec->text[0] = '\0';
    enum err e = api_flags_take(args, flags, count, ec);
    if (e == ERR_OK)
        return api_request_make(out, r, args, ec);
    json_decref(args);
    return e;
}

Test(api_request, flags) {
    static const struct {
        const char *name, *member, *hint;
        bool required;
    } cases[] = {{"policy-active", "active", "true|false", false},
                 {"policy-allow-value", "allowValue", "true|false", false},
                 {"policy-allow-set-code", "allowSetCode", "true|false", false},
                 {"policy-allow-create", "allowCreate", "true|false", false},
                 {"policy-max-data-bytes", "maxDataBytes", "N", false},
                 {"policy-expiry", "expiry", "N", false},
                 {"policy-max-gas", "maxGas", "N", false},
                 {"policy-max-cost", "maxCost", "N", false},
                 {"budget-limit", "limit", "N", true},
                 {"budget-window", "window", "N", true},
                 {"user-budget-limit", "limit", "N", true},
                 {"user-budget-window", "window", "N", true}};
    struct api_flag flags[API_FLAGS_MAX];
    cr_assert_eq(api_flags(flags, route("universe_setPolicy"), NULL), ARRAY_LEN(cases));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_str_eq(flags[i].name, cases[i].name);
        cr_expect_str_eq(flags[i].member, cases[i].member);
        cr_expect_str_eq(api_flag_hint(&flags[i]), cases[i].hint);
        cr_expect_eq(flags[i].required, cases[i].required);
    }
    json_t *given = json_pack("{s:s, s:s}", "slug", "", "gas", "");
    cr_assert_eq(api_flags(flags, route("universe_create"), given), 2);
    json_decref(given);
    cr_expect_str_eq(flags[0].name, "owner");
    cr_expect_str_eq(api_flag_hint(&flags[0]), "ADDRESS");
    cr_expect_str_eq(flags[1].name, "metadata-uri");
    cr_assert_eq(api_flags(flags, route("universe_createKey"), NULL), 4);
    cr_expect_str_eq(flags[0].name, "kind");
    cr_expect(flags[0].required);
    cr_expect_str_eq(api_flag_hint(&flags[2]), "LIST");
    cr_expect_str_eq(flags[3].name, "expires-at");
    cr_expect_str_eq(api_flag_hint(&flags[3]), "TIME");
}

Test(api_request, every_route_has_its_flags) {
    struct api_flag flags[API_FLAGS_MAX];
    for (size_t i = 0; i < api_route_count; i++) {
        size_t count = api_flags(flags, &api_routes[i], NULL);
        for (size_t k = 0; k < count; k++)
            for (size_t j = 0; j < k; j++)
                cr_expect_str_neq(flags[j].name, flags[k].name, "%s", api_routes[i].method.name);
    }
}

Test(api_request, made) {
    static const struct {
        const char *route, *given, *values[6];
        const char *verb, *target, *body; /* body NULL: none */
    } cases[] = {
        {"universe_list", "{}", {NULL}, "GET", "/v1/universes", NULL},
        {"universe_list",
         "{}",
         {"after=7", "limit=0x10"},
         "GET",
         "/v1/universes?after=7&limit=0x10",
         NULL},
        {"universe_listContracts",
         "{\"slug\":\"arena\"}",
         {"after=a b/&\xc3\xa4"},
         "GET",
         "/v1/u/arena/contracts?after=a%20b%2F%26%C3%A4",
         NULL},
        {"universe_createKey",
         "{\"slug\":\"arena\"}",
         {"kind=secret", "label=my \"shop\"", "scopes=read,mint", "expires-at=2030-12-31"},
         "POST",
         "/v1/u/arena/keys",
         "{\"kind\":\"secret\",\"label\":\"my \\\"shop\\\"\",\"scopes\":[\"read\",\"mint\"],"
         "\"expiresAt\":\"1924905600000\"}"},
        {"universe_createKey",
         "{\"slug\":\"arena\"}",
         {"kind=secret", "expires-at=2030-12-31T23:59:59Z"},
         "POST",
         "/v1/u/arena/keys",
         "{\"kind\":\"secret\",\"expiresAt\":\"1924991999000\"}"},
        {"universe_createKey",
         "{\"slug\":\"arena\"}",
         {"kind=secret", "expires-at=1924991999001"},
         "POST",
         "/v1/u/arena/keys",
         "{\"kind\":\"secret\",\"expiresAt\":\"1924991999001\"}"},
        {"universe_revokeKey",
         "{\"slug\":\"arena\",\"key\":\"../x?y\"}",
         {NULL},
         "DELETE",
         "/v1/u/arena/keys/..%2Fx%3Fy",
         NULL},
        {"universe_rotateKey",
         "{\"slug\":\"arena\",\"key\":\"00\"}",
         {NULL},
         "POST",
         "/v1/u/arena/keys/00/rotate",
         "{}"},
        {"universe_setPaused",
         "{\"slug\":\"arena\",\"paused\":true}",
         {NULL},
         "PUT",
         "/v1/u/arena/paused",
         "{\"paused\":true}"},
        {"universe_setPolicy",
         "{\"slug\":\"arena\"}",
         {"policy-active=false", "budget-window=60", "budget-limit=5"},
         "PUT",
         "/v1/u/arena/policy",
         "{\"policy\":{\"active\":false},\"budget\":{\"limit\":\"5\",\"window\":\"60\"}}"},
        {"universe_setTargets",
         "{\"slug\":\"arena\"}",
         {"add=" ADDRESS ":f(uint256,(bool,bytes)[]),x:0x12345678"},
         "PUT",
         "/v1/u/arena/targets",
         NULL},
        {"universe_setTargets",
         "{\"slug\":\"arena\"}",
         {"add=" ADDRESS ":f(uint256,(bool,bytes)[])," ADDRESS ":0x12345678"},
         "PUT",
         "/v1/u/arena/targets",
         "{\"add\":[{\"contract\":\"" ADDRESS "\",\"fn\":\"f(uint256,(bool,bytes)[])\"},"
         "{\"contract\":\"" ADDRESS "\",\"selector\":\"0x12345678\"}]}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct api_request q;
        struct err_ctx ec;
        enum err e = make(&q, cases[i].route, cases[i].given, cases[i].values, &ec);
        bool refused = strcmp(cases[i].verb, "PUT") == 0 && cases[i].body == NULL;
        if (refused) { /* x is no address */
            cr_expect_eq(e, ERR_CONFIG);
            cr_expect_not_null(strstr(ec.text, "--add[1].contract"), "%s", ec.text);
            api_request_clear(&q);
            continue;
        }
        cr_assert_eq(e, ERR_OK, "case %zu: %s", i, ec.text);
        cr_expect_str_eq(q.verb, cases[i].verb);
        cr_expect_str_eq((const char *)q.target.ptr, cases[i].target);
        cr_expect_eq(q.has_body, cases[i].body != NULL);
        if (cases[i].body != NULL) {
            buf_append_byte(&q.body, 0);
            cr_expect_str_eq((const char *)q.body.ptr, cases[i].body);
        }
        api_request_clear(&q);
    }
}

Test(api_request, refused) {
    static const struct {
        const char *route, *given, *values[4], *says;
    } cases[] = {
        {"universe_createKey", "{\"slug\":\"arena\"}", {NULL}, "--kind is needed"},
        {"universe_createKey", "{\"slug\":\"arena\"}", {"kind=01234567890123456"}, "--kind"},
        {"universe_createKey", "{\"slug\":\"arena\"}", {"kind=a\nb"}, "--kind"},
        {"universe_createKey", "{\"slug\":\"arena\"}", {"kind=\xff"}, "--kind: is no UTF-8"},
        {"universe_createKey", "{\"slug\":\"arena\"}", {"kind=x", "scopes=a,\xff"}, "--scopes"},
        {"universe_createKey",
         "{\"slug\":\"arena\"}",
         {"kind=secret", "expires-at=2030-12-31x"},
         "--expires-at: must be of type u64"},
        {"universe_createKey",
         "{\"slug\":\"arena\"}",
         {"kind=secret", "expires-at=1969-01-01"},
         "--expires-at"},
        {"universe_createKey",
         "{\"slug\":\"arena\"}",
         {"kind=secret", "expires-at=2030-02-31"},
         "--expires-at: must be of type u64"},
        {"universe_createKey", "{\"slug\":\"Arena\"}", {"kind=secret"}, "slug"},
        {"universe_createKey", "{\"slug\":null}", {"kind=secret"}, "slug"},
        {"universe_createKey", "{}", {"kind=secret"}, "slug"},
        {"universe_list", "{}", {"limit=-1"}, "--limit: must be of type u64"},
        {"universe_create", "{\"slug\":\"arena\"}", {"owner=0x12"}, "--owner"},
        {"universe_create", "{\"slug\":\"arena\"}", {"gas=1.5"}, "--gas: must be of type uint"},
        {"universe_setPolicy", "{\"slug\":\"arena\"}", {"policy-active=yes"}, "--policy-active"},
        {"universe_setPolicy",
         "{\"slug\":\"arena\"}",
         {"budget-limit=5"},
         "--budget-window is needed"},
        {"universe_setPolicy",
         "{\"slug\":\"arena\"}",
         {"user-budget-window=5"},
         "--user-budget-limit is needed"},
        {"universe_setTargets", "{\"slug\":\"arena\"}", {"add=x"}, "CONTRACT:FUNCTION"},
        {"universe_setTargets", "{\"slug\":\"arena\"}", {"remove="}, "--remove"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct api_request q;
        struct err_ctx ec;
        cr_expect_eq(make(&q, cases[i].route, cases[i].given, cases[i].values, &ec), ERR_CONFIG,
                     "case %zu", i);
        cr_expect_not_null(strstr(ec.text, cases[i].says), "case %zu: %s", i, ec.text);
        api_request_clear(&q);
    }
}

Test(api_request, too_long) {
    static char value[API_TARGET_MAX_BYTES];
    const char *values[] = {value, NULL};
    struct api_request q;
    struct err_ctx ec;
    memset(value, 'a', sizeof(value) - 1);
    memcpy(value, "after=", 6);
    cr_expect_eq(make(&q, "universe_listContracts", "{\"slug\":\"arena\"}", values, &ec),
                 ERR_CONFIG);
    api_request_clear(&q);
}
