/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what comes out of the cache is what was put in, or nothing. Method: random entries, some of
 * them too long, many times what fits, each compared with how it is made again from its key. */
#include "index/log_cache.h"

#include <criterion/criterion.h>

enum { CACHE_BYTES = 8 << 20, GROUPS_MAX = 3, LOGS_MAX = 4, DATA_MAX = 6000 };

struct made {
    struct log_group groups[GROUPS_MAX];
    struct log_entry logs[GROUPS_MAX][LOGS_MAX];
    uint8_t data[DATA_MAX];
    struct log_groups all;
};

static uint64_t mix(uint64_t v) {
    v = (v ^ v >> 31) * UINT64_C(0xbf58476d1ce4e5b9);
    return v ^ v >> 29;
}

/* The logs that belong to a key. */
static void make(struct made *m, uint64_t number, uint32_t place) {
    uint64_t r = mix(number * 1000003 + place);
    memset(m->data, (int)(r & 0xff), sizeof(m->data));
    m->all = (struct log_groups){.at = m->groups, .count = 1 + r % GROUPS_MAX};
    for (size_t i = 0; i < m->all.count; i++) {
        struct log_group *g = &m->groups[i];
        *g = (struct log_group){.tx_idx = (uint32_t)(place + i),
                                .first_log = (uint32_t)(r >> 8 & 0xff),
                                .logs = m->logs[i],
                                .log_count = (r >> (16 + i)) % (LOGS_MAX + 1)};
        be64_store(g->tx_hash.b, r + i);
        for (size_t j = 0; j < g->log_count; j++) {
            struct log_entry *l = &m->logs[i][j];
            memset(l, 0, sizeof(*l));
            l->topic_count = (uint8_t)(j % 5);
            be64_store(l->address.b, number);
            be64_store(l->topics[3].b, r ^ j);
            l->data = bytes_of(m->data, mix(r + j) % DATA_MAX);
        }
    }
}

static void same(struct log_groups a, struct log_groups b) {
    cr_assert_eq(a.count, b.count);
    for (size_t i = 0; i < a.count; i++) {
        const struct log_group *x = &a.at[i], *y = &b.at[i];
        cr_assert(hash32_eq(&x->tx_hash, &y->tx_hash));
        cr_assert_eq(x->tx_idx, y->tx_idx);
        cr_assert_eq(x->first_log, y->first_log);
        cr_assert_eq(x->log_count, y->log_count);
        for (size_t j = 0; j < x->log_count; j++) {
            cr_assert(addr20_eq(&x->logs[j].address, &y->logs[j].address));
            cr_assert_eq(x->logs[j].topic_count, y->logs[j].topic_count);
            cr_assert(hash32_eq(&x->logs[j].topics[3], &y->logs[j].topics[3]));
            cr_assert_eq(x->logs[j].data.len, y->logs[j].data.len);
            cr_assert_eq(memcmp(x->logs[j].data.ptr, y->logs[j].data.ptr, x->logs[j].data.len), 0);
        }
    }
}

Test(log_cache, gives_what_was_put) {
    static struct made m;
    struct index_cache *c = index_cache_new(CACHE_BYTES);
    struct log_groups got;
    size_t hits = 0, asked = 0;
    cr_assert_not_null(c);
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t number = 1 + mix(i) % 400;
        uint32_t place = (uint32_t)(mix(i + 7) % 5 * 100);
        make(&m, number, place);
        asked++;
        if (log_cache_get(&got, c, number, place)) {
            hits++;
            same(got, m.all);
        } else {
            log_cache_put(c, number, place, m.all);
            cr_assert(log_cache_get(&got, c, number, place));
            same(got, m.all);
        }
    }
    cr_expect_gt(hits, asked / 20, "%zu of %zu", hits, asked);
    cr_expect_lt(hits, asked * 19 / 20, "all fits, which proves little: %zu", hits);
    index_cache_clear(c);
    for (uint64_t number = 1; number <= 400; number++)
        cr_expect_not(log_cache_get(&got, c, number, 100));
    index_cache_free(c);
}

Test(log_cache, keeps_nothing_too_long) {
    struct index_cache *c = index_cache_new(CACHE_BYTES);
    struct log_groups got;
    static uint8_t data[CACHE_BYTES / INDEX_CACHE_PARTS];
    struct log_entry log = {.data = bytes_of(data, sizeof(data))};
    struct log_group g = {.logs = &log, .log_count = 1};
    struct log_groups one = {.at = &g, .count = 1}, none = {.at = &g, .count = 0};
    cr_assert_not_null(c);
    log_cache_put(c, 1, 8, one);
    log_cache_put(c, 2, 8, none);
    cr_expect_not(log_cache_get(&got, c, 1, 8));
    cr_expect_not(log_cache_get(&got, c, 2, 8));
    log.data.len = 1000;
    log_cache_put(c, 1, 8, one);
    cr_expect(log_cache_get(&got, c, 1, 8));
    same(got, one);
    log_cache_put(NULL, 1, 8, one);
    cr_expect_not(log_cache_get(&got, NULL, 1, 8));
    index_cache_free(c);
}
