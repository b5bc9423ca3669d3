/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a copy of criteria owes nothing to the original, matches the same logs, and is accounted.
 * Covers: criteria.c */
#include "rpc/criteria.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(criteria, copy) {
    atomic_size_t used = 0;
    addr20 addrs[2] = {{{1}}, {{2}}};
    hash32 topics[3] = {{{3}}, {{4}}, {{5}}};
    struct filter_args args = {
        .filter = {
            .addresses = addrs,
            .address_count = 2,
            .topics = {{.values = topics, .count = 1}, {0}, {.values = topics + 1, .count = 2}},
            .topic_count = 3}};
    struct rpc_criteria *c = rpc_criteria_new(&args, &used);
    cr_assert_not_null(c);
    cr_expect_eq(atomic_load(&used), sizeof(*c) + 2 * 20 + 3 * 32);
    hash32 log_topics[3] = {{{3}}, {{9}}, {{5}}};
    struct log_entry log = {.address = {{2}}, .topic_count = 3};
    memcpy(log.topics, log_topics, sizeof(log_topics));
    memset(addrs, 0xff, sizeof(addrs));
    memset(topics, 0xff, sizeof(topics));
    cr_expect(index_log_matches(&c->args.filter, &log));
    log.topics[2].b[0] = 6;
    cr_expect(!index_log_matches(&c->args.filter, &log));
    rpc_criteria_free(c);
    rpc_criteria_free(NULL);
    cr_expect_eq(atomic_load(&used), 0);
}

Test(criteria, bound) {
    enum { ADDRS = INDEX_FILTER_ALTERNATIVES_MAX, MANY = 8192 };
    atomic_size_t used = 0;
    addr20 *addrs = calloc(ADDRS, sizeof(*addrs));
    struct rpc_criteria **all = calloc(MANY, sizeof(struct rpc_criteria *));
    struct filter_args args = {.filter = {.addresses = addrs, .address_count = ADDRS}};
    size_t n = 0;
    while (n < MANY && (all[n] = rpc_criteria_new(&args, &used)) != NULL)
        n++;
    cr_expect_lt(n, MANY);
    cr_expect_leq(atomic_load(&used), RPC_CRITERIA_BYTES_MAX);
    cr_expect_gt(atomic_load(&used), RPC_CRITERIA_BYTES_MAX - 40000);
    for (size_t i = 0; i < n; i++)
        rpc_criteria_free(all[i]);
    cr_expect_eq(atomic_load(&used), 0);
    free(addrs);
    free(all);
}
