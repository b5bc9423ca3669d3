/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: of what was given the newest is kept, within both limits, and is taken back newest first.
 */
#include "rpc/given.h"

#include "rpc/json_writer.h"

#include <criterion/criterion.h>
#include <stdio.h>

static void add(struct rpc_given *g, uint64_t block, size_t filler) {
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_printf(&b, "{\"n\":%llu,\"x\":\"", (unsigned long long)block);
    for (size_t i = 0; i < filler; i++)
        buf_append_byte(&b, 'x');
    buf_append_str(&b, "\",\"removed\":false}");
    rpc_given_add(g, block, buf_bytes(&b));
    buf_clear(&b);
}

static void expect_removed(const struct rpc_given *g, uint64_t above, const char *want) {
    struct json_writer w;
    struct buf b;
    buf_init(&b, 1 << 20);
    jw_init(&w, &b);
    jw_array(&w);
    rpc_given_write_removed(g, &w, above);
    jw_array_end(&w);
    cr_expect(b.len == strlen(want) && memcmp(b.ptr, want, b.len) == 0, "%.*s", (int)b.len,
              (const char *)b.ptr);
    buf_clear(&b);
}

Test(given, newest_first_and_cut) {
    atomic_size_t used = 0;
    struct rpc_given g, more;
    rpc_given_init(&g, &used);
    rpc_given_init(&more, &used);
    expect_removed(&g, 0, "[]");
    add(&g, 1, 0);
    add(&more, 2, 1);
    add(&more, 3, 0);
    rpc_given_append(&g, &more);
    expect_removed(&g, UINT64_MAX, "[]");
    expect_removed(
        &g, 1, "[{\"n\":3,\"x\":\"\",\"removed\":true},{\"n\":2,\"x\":\"x\",\"removed\":true}]");
    rpc_given_cut(&g, 2);
    expect_removed(&g, 1, "[{\"n\":2,\"x\":\"x\",\"removed\":true}]");
    rpc_given_clear(&g);
    rpc_given_clear(&more);
    cr_expect_eq(used, 0);
}

Test(given, limits) {
    atomic_size_t used = 0;
    struct rpc_given g;
    rpc_given_init(&g, &used);
    add(&g, 1, RPC_GIVEN_BYTES);
    cr_expect_eq(used, 0, "one that never fits");
    for (uint64_t n = 1; n <= 1000; n++) {
        add(&g, n, 10000);
        cr_assert_leq(used, RPC_GIVEN_BYTES);
    }
    cr_expect_gt(used, RPC_GIVEN_BYTES / 2);
    rpc_given_cut(&g, 999);
    rpc_given_cut(&g, 990);
    cr_expect_eq(used, 0, "what is older had gone");
    atomic_store(&used, RPC_GIVEN_ALL_BYTES - 10);
    add(&g, 1, 0);
    cr_expect_eq(used, RPC_GIVEN_ALL_BYTES - 10);
    rpc_given_clear(&g);
}
