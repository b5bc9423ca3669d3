/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a page reaches the server only under names that were allowed, and origins are echoed only
 * when listed. */
#include "rpc/access.h"

#include <criterion/criterion.h>

static bool host_ok(const char *list, const char *host) {
    struct rpc_access a;
    cr_assert_eq(rpc_access_init(&a, list, "", NULL), ERR_OK);
    bool ok =
        rpc_access_host_ok(&a, host != NULL ? bytes_of(host, strlen(host)) : bytes_of(NULL, 0));
    rpc_access_clear(&a);
    return ok;
}

Test(access, hosts) {
    static const char *const always[] = {"localhost",  "localhost:8545", "LOCALHOST", "127.0.0.1:1",
                                         "10.0.0.7:1", "[::1]:8545",     "[fe80::1]", NULL};
    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        cr_expect(host_ok("", always[i]), "%zu", i);
    cr_expect_not(host_ok("", "evil.example"));
    cr_expect_not(host_ok("localhost", "evil.example:8545"));
    cr_expect_not(host_ok("a.example", "b.a.example"));
    cr_expect_not(host_ok("a.example", "a.example.evil"));
    cr_expect_not(host_ok("a.example", ""));
    cr_expect_not(host_ok("a.example", "[::1"));
    cr_expect(host_ok("x,a.example,y", "A.example:99"));
    cr_expect(host_ok("*", "anything"));
}

static void expect_origin(const char *list, const char *origin, const char *want) {
    struct rpc_access a;
    char out[64];
    cr_assert_eq(rpc_access_init(&a, "", list, NULL), ERR_OK);
    rpc_access_origin(&a, origin != NULL ? bytes_of(origin, strlen(origin)) : bytes_of(NULL, 0),
                      out, sizeof(out));
    cr_expect_str_eq(out, want);
    rpc_access_clear(&a);
}

Test(access, origins) {
    expect_origin("*", NULL, "*");
    expect_origin("*", "https://a.example", "*");
    expect_origin("", "https://a.example", "");
    expect_origin("https://a.example,https://b.example", "https://b.example", "https://b.example");
    expect_origin("https://a.example", "https://b.example", "");
    expect_origin("https://a.example", NULL, "");
    char too_long[100];
    memset(too_long, 'a', 99);
    too_long[99] = '\0';
    expect_origin(too_long, too_long, "");
}
