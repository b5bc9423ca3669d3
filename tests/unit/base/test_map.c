/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a map is what was put less what was deleted, within its limit; SipHash is SipHash.
 * Method: random operations against a plain array over few keys (so that runs collide and wrap),
 * the hash authors' vectors, and bad luck forced by filling to the limit. */
#include "base/map.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static const struct map_seed fixed = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

static uint64_t random_state = 1;
static uint64_t next_random(void) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return random_state >> 33;
}

/* SipHash-1-3 of 0, 1, 2, ... under the key 00 01 .. 0f, from the reference code's table. */
Test(map, hash_is_siphash_1_3) {
    static const uint64_t want[] = {0xabac0158050fc4dc, 0xc9f49bf37d57ca93, 0x82cb9b024dc7d44d,
                                    0x8bf80ab8e7ddf7fb};
    uint8_t data[64];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)i;
    for (size_t len = 0; len < ARRAY_LEN(want); len++)
        cr_expect_eq(map_hash(fixed, data, len), want[len], "length %zu", len);
}

enum { KEYS = 3000 };

struct model {
    bool present[KEYS];
    uint64_t values[KEYS];
    size_t count;
};

static void key_of(uint8_t key[20], uint64_t i) {
    memset(key, 0xab, 20);
    memcpy(key + 3, &i, sizeof(i));
}

static void expect_equal(struct map *m, const struct model *model) {
    cr_assert_eq(m->count, model->count);
    const void *key;
    void *value;
    static bool seen[KEYS];
    memset(seen, 0, sizeof(seen));
    size_t n = 0;
    for (size_t it = 0; map_next(m, &it, &key, &value);) {
        uint64_t i;
        memcpy(&i, (const uint8_t *)key + 3, sizeof(i));
        cr_assert(i < KEYS && model->present[i] && !seen[i]);
        cr_assert_eq(*(uint64_t *)value, model->values[i]);
        seen[i] = true;
        n++;
    }
    cr_assert_eq(n, model->count);
}

Test(map, random_operations_against_a_plain_array, .timeout = 60) {
    static struct model model;
    struct map m;
    map_init(&m, 20, 8, KEYS, fixed);
    for (int step = 0; step < 400000; step++) {
        uint64_t i = next_random() % KEYS, v = next_random();
        uint8_t key[20];
        key_of(key, i);
        /* Phases of growth and of decay. */
        bool del = next_random() % 100 < (step / 50000 % 2 == 0 ? 30u : 65u);
        if (del) {
            cr_assert_eq(map_del(&m, key), model.present[i]);
            model.count -= model.present[i];
            model.present[i] = false;
        } else {
            cr_assert_eq(map_put(&m, key, &v), ERR_OK);
            model.count += !model.present[i];
            model.present[i] = true;
            model.values[i] = v;
        }
        key_of(key, next_random() % KEYS);
        memcpy(&i, key + 3, sizeof(i));
        uint64_t *got = map_get(&m, key);
        cr_assert_eq(got != NULL, model.present[i]);
        cr_assert(got == NULL || *got == model.values[i]);
        if (step % 20000 == 0)
            expect_equal(&m, &model);
    }
    expect_equal(&m, &model);
    map_reset(&m);
    cr_expect_eq(m.count, 0u);
    memset(&model, 0, sizeof(model));
    expect_equal(&m, &model);
    map_clear(&m);
}

Test(map, limit) {
    struct map m;
    map_init(&m, 8, 4, 100, map_seed_random());
    for (uint64_t i = 0; i < 100; i++)
        cr_assert_eq(map_put(&m, &i, &(uint32_t){(uint32_t)i}), ERR_OK);
    uint64_t key = 100;
    cr_expect_eq(map_put(&m, &key, &(uint32_t){1}), ERR_TOO_LARGE);
    cr_expect_eq(m.count, 100u);
    cr_expect_not(map_has(&m, &key));
    uint64_t known = 50;
    cr_expect_eq(map_put(&m, &known, &(uint32_t){7}), ERR_OK); /* replacing is no growth */
    cr_expect_eq(*(uint32_t *)map_get(&m, &known), 7u);
    cr_expect(map_del(&m, &known));
    cr_expect_eq(map_put(&m, &key, &(uint32_t){1}), ERR_OK);
    map_clear(&m);
}

Test(map, ensure) {
    struct map m;
    map_init(&m, 1, 24, 256, fixed);
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 256; i++) {
            uint8_t key = (uint8_t)i;
            void *value;
            bool is_new;
            cr_assert_eq(map_ensure(&m, &key, &value, &is_new), ERR_OK);
            cr_assert_eq(is_new, round == 0);
            uint64_t *w = value;
            cr_assert_eq((uintptr_t)w % 8, 0u);
            cr_assert_eq(w[0] | w[1] | w[2], round == 0 ? 0u : i + 1);
            w[1] = i + 1;
        }
    }
    map_clear(&m);
}

Test(map, sets_and_empty_maps) {
    struct map m;
    map_init(&m, 32, 0, 1000, map_seed_random());
    hash32 key = {{9}};
    cr_expect_not(map_has(&m, &key));
    cr_expect_not(map_del(&m, &key));
    size_t it = 0;
    cr_expect_not(map_next(&m, &it, NULL, NULL));
    cr_expect_eq(map_put(&m, &key, NULL), ERR_OK);
    cr_expect(map_has(&m, &key));
    cr_expect(map_next(&m, &it, NULL, NULL));
    cr_expect(map_del(&m, &key));
    cr_expect_not(map_has(&m, &key));
    map_clear(&m);
    map_clear(&m);
}
