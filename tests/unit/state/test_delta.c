/* SPDX-License-Identifier: Apache-2.0 */
#include "state/delta.h"
#include "tests/lib/state/fixture.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

/* A plain model: all keys of a small universe, each with its value per tick. */
enum { KEYS = 600, TICKS = 120 };
struct model {
    int value[KEYS][TICKS + 1]; /* -1 never, -2 absent, else a number */
};

static bytes key_of(int i, uint8_t out[40]) {
    struct fixture_rng r = fixture_rng_of((uint64_t)i + 1);
    size_t len = 4 + fixture_rng_below(&r, 35);
    fixture_rng_fill(&r, out, 40);
    out[0] = (uint8_t)(i % 3);  /* three tables */
    out[1] = (uint8_t)(i >> 4); /* shared prefixes */
    out[2] = (uint8_t)i;
    out[3] = (uint8_t)(i >> 8);
    if (i % 2 != 0) { /* as keys behind one store id: they differ late */
        memcpy(out + 20, out + 1, 3);
        memset(out + 1, 7, 19);
        len = 23 + len % 17;
    }
    return bytes_of(out, len);
}

static void check_key(const struct delta *d, const struct model *m, int i, uint64_t tick) {
    uint8_t kb[40];
    bytes key = key_of(i, kb);
    const struct delta_node *n = delta_find(d, key, true), *s = delta_seek(d, key);
    if (n != NULL)
        cr_assert_eq(n, s);
    const struct delta_version *v = n == NULL ? NULL : delta_at(n, tick);
    int want = m->value[i][tick];
    if (want == -1) {
        cr_assert_null(v);
        return;
    }
    cr_assert_not_null(v);
    cr_assert_eq(v->absent, want == -2);
    if (want >= 0) {
        cr_assert_eq(v->len, sizeof want);
        cr_assert(memcmp(v->data, &want, sizeof want) == 0);
    }
}

static void check_order(const struct delta *d) {
    const struct delta_node *prev = NULL;
    size_t count = 0;
    for (const struct delta_node *n = delta_seek(d, bytes_of(NULL, 0)); n != NULL;
         n = delta_next(n)) {
        if (prev != NULL)
            cr_assert(bytes_cmp(delta_key(prev), delta_key(n)) < 0);
        cr_assert_eq(delta_seek_lt(d, delta_key(n)), prev);
        prev = n;
        count++;
    }
    cr_assert_eq(count, delta_nodes(d));
}

/* Goal: puts, replacements, pops and cuts in random order agree with the model at every tick. */
Test(delta, random_against_model) {
    static struct model m;
    memset(m.value, -1, sizeof m.value);
    struct fixture_rng r = fixture_rng_of(fixture_seed(3));
    struct delta *d = delta_new(99, NULL);
    uint64_t tick = 0;
    for (int round = 0; round < 2000; round++) {
        if (tick == TICKS || (tick > 0 && fixture_rng_below(&r, 12) == 0)) {
            uint64_t to = tick - 1 - fixture_rng_below(&r, tick < 30 ? tick : 30);
            delta_cut(d, to);
            tick = to;
        }
        tick++;
        for (int i = 0; i < KEYS; i++)
            m.value[i][tick] = m.value[i][tick - 1];
        for (uint64_t n = fixture_rng_below(&r, 40); n > 0; n--) {
            int i = (int)fixture_rng_below(&r, KEYS), number = (int)fixture_rng_below(&r, 1 << 30);
            uint8_t kb[40];
            bytes key = key_of(i, kb);
            switch (fixture_rng_below(&r, 4)) {
            case 0:
                delta_put(d, key, true, tick, true, bytes_of(NULL, 0));
                m.value[i][tick] = -2;
                break;
            case 1:
                delta_pop(d, key, true, tick);
                m.value[i][tick] = m.value[i][tick - 1];
                break;
            default:
                delta_put(d, key, true, tick, false, bytes_of(&number, sizeof number));
                m.value[i][tick] = number;
            }
        }
        if (round % 50 == 0) {
            check_order(d);
            for (int i = 0; i < KEYS; i++)
                for (uint64_t t = tick < 20 ? 0 : tick - 20; t <= tick; t++)
                    check_key(d, &m, i, t);
        }
    }
    delta_unref(d);
}

/* Goal: keys out of the index are found by order; ascending and descending insertion keep the
 * order. */
Test(delta, order_without_index) {
    struct delta *d = delta_new(5, NULL);
    for (uint32_t i = 0; i < 5000; i++) {
        uint8_t up[9] = {1}, down[9] = {2};
        be64_store(up + 1, i);
        be64_store(down + 1, 5000 - i);
        delta_put(d, bytes_of(up, 9), false, 1, false, bytes_of(&i, 4));
        delta_put(d, bytes_of(down, 9), false, 1, false, bytes_of(&i, 4));
    }
    check_order(d);
    uint8_t key[9] = {1};
    be64_store(key + 1, 4999);
    cr_assert_not_null(delta_find(d, bytes_of(key, 9), false));
    cr_assert_null(delta_find(d, bytes_of(key, 8), false));
    delta_unref(d);
}

struct shared {
    struct delta *d;
    _Atomic uint64_t published;
    _Atomic bool stop;
};

/* Each tick t sets keys [0, 64) to t: a reader at t sees t everywhere, whatever is added meanwhile.
 */
static void *reader(void *ctx) {
    struct shared *s = ctx;
    uint64_t rounds = 0;
    while (!atomic_load(&s->stop)) {
        uint64_t t = atomic_load(&s->published);
        for (uint64_t i = 0; i < 64 && t > 0; i++) {
            uint8_t key[9] = {1};
            be64_store(key + 1, i * 977);
            const struct delta_node *n = delta_find(s->d, bytes_of(key, 9), rounds % 2 == 0);
            const struct delta_version *v = n == NULL ? NULL : delta_at(n, t);
            uint64_t got = 0;
            if (v != NULL)
                memcpy(&got, v->data, 8);
            if (got != t)
                return (void *)1;
        }
        size_t count = 0;
        for (const struct delta_node *n = delta_seek(s->d, bytes_of(NULL, 0));
             n != NULL && count < 500; n = delta_next(n))
            count++;
        rounds++;
    }
    return NULL;
}

/* Goal: readers without locks beside a writer that adds keys and versions and lets the index grow.
 */
Test(delta, readers_beside_writer, .timeout = 60) {
    struct shared s = {.d = delta_new(77, NULL)};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, reader, &s), 0);
    for (uint64_t t = 1; t <= 3000; t++) {
        uint8_t key[9] = {1};
        for (uint64_t i = 0; i < 64; i++) {
            be64_store(key + 1, i * 977);
            delta_put(s.d, bytes_of(key, 9), true, t, false, bytes_of(&t, 8));
        }
        for (uint64_t i = 0; i < 8; i++) {
            be64_store(key + 1, 1000000 + t * 31 + i * 7919);
            delta_put(s.d, bytes_of(key, 9), true, t, false, bytes_of(&t, 8));
        }
        atomic_store(&s.published, t);
    }
    atomic_store(&s.stop, true);
    for (int i = 0; i < 2; i++) {
        void *result;
        pthread_join(threads[i], &result);
        cr_assert_null(result);
    }
    delta_unref(s.d);
}

/* Goal: keys that only their lengths tell apart, shorter and longer than what nodes have of them as
 * numbers, stand in order. */
Test(delta, keys_of_zeros) {
    static const uint8_t zeros[40];
    for (int round = 0; round < 2; round++) {
        struct delta *d = delta_new(5, NULL);
        for (size_t i = 0; i < sizeof zeros; i++) {
            size_t len = 1 + (round == 0 ? i : (i * 27) % sizeof zeros);
            delta_put(d, bytes_of(zeros, len), i % 2 == 0, 1, false, bytes_of(zeros, len));
        }
        check_order(d);
        for (size_t len = 1; len <= sizeof zeros; len++) {
            const struct delta_node *n = delta_find(d, bytes_of(zeros, len), false);
            cr_assert_not_null(n);
            cr_assert_eq(delta_at(n, 1)->len, len);
        }
        delta_unref(d);
    }
}

/* Goal: expecting keys, present, absent, indexed or not, in a delta large enough for it, changes
 * nothing. */
Test(delta, expecting_changes_nothing) {
    enum { COUNT = 10000, ASKED = 100 };
    struct delta *d = delta_new(77, NULL);
    struct fixture_rng r = fixture_rng_of(fixture_seed(4));
    static uint8_t keys[COUNT][24];
    for (size_t i = 0; i < COUNT; i++) {
        fixture_rng_fill(&r, keys[i], sizeof keys[i]);
        keys[i][0] = (uint8_t)(i % 2);
        if (i % 3 != 0) /* the others stay absent */
            delta_put(d, bytes_of(keys[i], 24), i % 2 == 0, 1, false, bytes_of(&i, sizeof i));
    }
    size_t nodes = delta_nodes(d);
    for (size_t at = 0; at + ASKED <= COUNT; at += ASKED / 2) {
        bytes even[ASKED / 2], odd[ASKED / 2];
        for (size_t i = 0; i < ASKED / 2; i++) {
            even[i] = bytes_of(keys[at + 2 * i], 24);
            odd[i] = bytes_of(keys[at + 2 * i + 1], 24);
        }
        size_t n = at % (ASKED / 2 + 1);
        delta_expect(d, at % 4 == 0 ? even : odd, n, at % 4 == 0);
        delta_expect(d, at % 4 == 0 ? odd : even, ASKED / 2, at % 4 != 0);
    }
    cr_assert_eq(delta_nodes(d), nodes);
    check_order(d);
    for (size_t i = 0; i < COUNT; i++)
        cr_assert_eq(delta_find(d, bytes_of(keys[i], 24), i % 2 == 0) != NULL, i % 3 != 0);
    delta_unref(d);
}
