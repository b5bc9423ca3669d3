/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what was put is found until it has to make room; those with a universe stay before those
 * without. */
#include "node/lane_map.h"

#include "base/check.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct lane_map *map_new(void) {
    struct lane_map *m = malloc(sizeof(*m));
    CHECK(m != NULL);
    lane_map_init(m);
    return m;
}

static addr20 address(uint32_t n) {
    addr20 a = {{1}};
    be32_store(a.b + 16, n);
    return a;
}

Test(lane_map, known_unknown_forgotten) {
    struct lane_map *m = map_new();
    addr20 a = address(1), b = address(2);
    uint64_t u = 99;
    cr_expect_not(lane_map_get(m, &a, &u));
    cr_expect_eq(u, 99);
    lane_map_put(m, &a, 0);
    lane_map_put(m, &b, 7);
    cr_assert(lane_map_get(m, &a, &u));
    cr_expect_eq(u, 0);
    cr_assert(lane_map_get(m, &b, &u));
    cr_expect_eq(u, 7);
    lane_map_put(m, &a, 3); /* a contract came to be there */
    cr_assert(lane_map_get(m, &a, &u));
    cr_expect_eq(u, 3);
    lane_map_put(m, &b, UINT64_C(1) << 30); /* more than a word holds: not taken */
    cr_assert(lane_map_get(m, &b, &u));
    cr_expect_eq(u, 7);
    lane_map_put(m, &b, (1 << 24) - 2);
    cr_assert(lane_map_get(m, &b, &u));
    cr_expect_eq(u, (1 << 24) - 2);
    lane_map_reset(m);
    cr_expect_not(lane_map_get(m, &a, &u));
    cr_expect_not(lane_map_get(m, &b, &u));
    free(m);
}

Test(lane_map, crowds_of_others_do_not_push_universes_out) {
    enum { ONES = 1000, CROWD = 20 * LANE_MAP_ENTRIES };
    struct lane_map *m = map_new();
    size_t before = 0, after = 0, wrong = 0;
    uint64_t u;
    for (uint32_t i = 0; i < ONES; i++) {
        addr20 a = address(i);
        lane_map_put(m, &a, 1 + i);
    }
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < ONES; i++) {
            addr20 a = address(i);
            if (!lane_map_get(m, &a, &u))
                continue;
            *(pass == 0 ? &before : &after) += 1;
            wrong += u != 1 + i;
        }
        for (uint32_t i = 0; i < CROWD && pass == 0; i++) {
            addr20 a = address(ONES + i);
            lane_map_put(m, &a, 0);
        }
    }
    cr_expect_eq(wrong, 0);
    cr_expect_gt(before, ONES * 9 / 10);
    cr_expect_eq(after, before);
    free(m);
}
