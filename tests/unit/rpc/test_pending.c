/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: each follower sees every hash once and in order, or the newest when it falls behind.
 * Covers: pending.c */
#include "rpc/pending.h"

#include <criterion/criterion.h>

static hash32 hash_of(uint64_t n) {
    hash32 h = {{0}};
    be64_store(h.b + 24, n);
    return h;
}

Test(pending, followers) {
    struct rpc_pending p;
    hash32 got[4], h = hash_of(1);
    cr_assert(rpc_pending_init(&p));
    rpc_pending_add(&p, &h);
    cr_expect_eq(rpc_pending_next(&p), 0, "nobody follows: nothing is kept");
    rpc_pending_watch(&p);
    uint64_t a = rpc_pending_next(&p), b = a;
    for (uint64_t i = 0; i < 6; i++) {
        h = hash_of(i);
        rpc_pending_add(&p, &h);
    }
    cr_expect_eq(rpc_pending_read(&p, &a, got, 4), 4);
    cr_expect_eq(got[3].b[31], 3);
    cr_expect_eq(rpc_pending_read(&p, &a, got, 4), 2);
    cr_expect_eq(got[1].b[31], 5);
    cr_expect_eq(rpc_pending_read(&p, &a, got, 4), 0);
    cr_expect_eq(rpc_pending_read(&p, &b, got, 1), 1);
    cr_expect_eq(got[0].b[31], 0);
    for (uint64_t i = 6; i < RPC_PENDING_KEPT + 10; i++) {
        h = hash_of(i);
        rpc_pending_add(&p, &h);
    }
    cr_expect_eq(rpc_pending_read(&p, &b, got, 1), 1);
    cr_expect_eq(be64_load(got[0].b + 24), 10, "what lies further back is gone");
    rpc_pending_unwatch(&p);
    rpc_pending_clear(&p);
}
