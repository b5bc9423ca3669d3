/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: filters are found by their id alone, expire, are bounded, and survive removal while held.
 * Covers: filters.c */
#include "rpc/filters.h"

#include <criterion/criterion.h>

struct fixture {
    struct rpc_pending pending;
    struct rpc_filters *t;
    atomic_size_t used;
};

static void fixture_init(struct fixture *f) {
    *f = (struct fixture){0};
    cr_assert(rpc_pending_init(&f->pending));
    f->t = rpc_filters_new(&f->pending);
    cr_assert_not_null(f->t);
}

static void fixture_clear(struct fixture *f) {
    rpc_filters_free(f->t);
    cr_expect_eq(atomic_load(&f->used), 0);
    cr_expect_eq(atomic_load(&f->pending.watchers), 0);
    rpc_pending_clear(&f->pending);
}

static enum err add(struct fixture *f, struct rpc_filter_id *id, enum rpc_filter_kind kind,
                    uint64_t owner, uint64_t now) {
    struct rpc_filter spec = {.kind = kind, .owner = owner, .cursor = 7};
    struct filter_args args = {0};
    struct err_ctx ec;
    if (kind == RPC_FILTER_LOGS) {
        spec.criteria = rpc_criteria_new(&args, &f->used);
        cr_assert_not_null(spec.criteria);
    }
    return rpc_filters_add(f->t, id, &spec, now, &ec);
}

static bool there(struct fixture *f, const struct rpc_filter_id *id, uint64_t now) {
    bool poll = false;
    struct rpc_filter *x = rpc_filters_hold(f->t, id, &poll, now);
    if (x != NULL)
        rpc_filters_release(f->t, x, poll);
    return x != NULL;
}

Test(filters, found_until_removed) {
    struct fixture f;
    struct rpc_filter_id a, b, unknown = {{1}};
    fixture_init(&f);
    cr_assert_eq(add(&f, &a, RPC_FILTER_LOGS, 1, 0), ERR_OK);
    cr_assert_eq(add(&f, &b, RPC_FILTER_PENDING, 1, 0), ERR_OK);
    cr_expect_eq(atomic_load(&f.pending.watchers), 1);
    cr_expect_neq(memcmp(&a, &b, sizeof(a)), 0);
    cr_expect_geq(a.b[0], 0x10, "as a quantity the id would lose its leading zeros");
    cr_expect(there(&f, &a, 1) && there(&f, &b, 1) && !there(&f, &unknown, 1));
    cr_expect(rpc_filters_remove(f.t, &a, 2));
    cr_expect(!rpc_filters_remove(f.t, &a, 2));
    cr_expect(!there(&f, &a, 2) && there(&f, &b, 2));
    fixture_clear(&f);
}

Test(filters, expiry_counts_from_the_last_poll) {
    struct fixture f;
    struct rpc_filter_id a, b;
    uint64_t idle = RPC_FILTER_IDLE_MS;
    fixture_init(&f);
    cr_assert_eq(add(&f, &a, RPC_FILTER_BLOCKS, 1, 1000), ERR_OK);
    cr_assert_eq(add(&f, &b, RPC_FILTER_BLOCKS, 1, 1000), ERR_OK);
    cr_expect(there(&f, &a, 1000 + idle));
    cr_expect(!there(&f, &b, 1001 + idle));
    cr_expect(there(&f, &a, 1001 + idle));
    cr_expect(!rpc_filters_remove(f.t, &a, 1002 + 2 * idle));
    cr_expect_eq(rpc_filters_count(f.t), 0);
    fixture_clear(&f);
}

Test(filters, bounds) {
    struct fixture f;
    struct rpc_filter_id id;
    fixture_init(&f);
    for (size_t i = 0; i < RPC_FILTERS_PER_CONNECTION; i++)
        cr_assert_eq(add(&f, &id, RPC_FILTER_LOGS, 1, 0), ERR_OK);
    cr_expect_eq(add(&f, &id, RPC_FILTER_LOGS, 1, 0), ERR_BUSY);
    uint64_t owner = 2;
    for (size_t n = RPC_FILTERS_PER_CONNECTION; n < RPC_FILTERS_MAX; n++) {
        owner = 2 + n / RPC_FILTERS_PER_CONNECTION;
        cr_assert_eq(add(&f, &id, RPC_FILTER_BLOCKS, owner, 5), ERR_OK);
    }
    cr_expect_eq(add(&f, &id, RPC_FILTER_BLOCKS, owner + 1, 5), ERR_BUSY);
    /* Idle ones make room. */
    cr_expect_eq(add(&f, &id, RPC_FILTER_BLOCKS, 1, RPC_FILTER_IDLE_MS + 1), ERR_OK);
    cr_expect_eq(rpc_filters_count(f.t), RPC_FILTERS_MAX - RPC_FILTERS_PER_CONNECTION + 1);
    fixture_clear(&f);
}

Test(filters, one_poll_at_a_time_and_removal_while_held) {
    struct fixture f;
    struct rpc_filter_id id;
    bool first = false, second = true;
    fixture_init(&f);
    cr_assert_eq(add(&f, &id, RPC_FILTER_LOGS, 1, 0), ERR_OK);
    struct rpc_filter *x = rpc_filters_hold(f.t, &id, &first, 1);
    struct rpc_filter *y = rpc_filters_hold(f.t, &id, &second, 1);
    cr_assert(x != NULL && x == y);
    cr_expect(first && !second);
    rpc_filters_release(f.t, y, second);
    y = rpc_filters_hold(f.t, &id, &second, 2);
    cr_expect(!second, "the first still polls");
    cr_expect(rpc_filters_remove(f.t, &id, 3));
    cr_expect_eq(x->cursor, 7);
    rpc_filters_release(f.t, y, second);
    rpc_filters_release(f.t, x, first);
    fixture_clear(&f);
}
