/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: roots from sorted pairs equal those of the plain trie, for keys of any length, prefixes of
 * one another included, and beyond the size at which the builder hashes what it has. */
#include "base/keccak.h"
#include "base/rlp.h"
#include "state/trie.h"
#include "tests/lib/rng.h"
#include "tests/lib/state/plain_trie.h"

#include <criterion/criterion.h>

enum { PAIRS_MAX = 20000, KEY_MAX = 40, VALUE_MAX = 300 };

struct pair {
    uint8_t key[KEY_MAX], value[VALUE_MAX];
    size_t key_len, value_len;
};
static struct pair pairs[PAIRS_MAX];
static struct mpt_pair sorted[PAIRS_MAX];

static int pair_cmp(const void *x, const void *y) {
    const struct mpt_pair *a = x, *b = y;
    size_t n = a->key.len < b->key.len ? a->key.len : b->key.len;
    int c = memcmp(a->key.ptr, b->key.ptr, n);
    return c != 0 ? c : (a->key.len > b->key.len) - (a->key.len < b->key.len);
}

static void compare(size_t n, uint64_t seed) {
    for (size_t i = 0; i < n; i++)
        sorted[i] = (struct mpt_pair){bytes_of(pairs[i].key, pairs[i].key_len),
                                      bytes_of(pairs[i].value, pairs[i].value_len)};
    qsort(sorted, n, sizeof sorted[0], pair_cmp);
    size_t m = 0;
    for (size_t i = 0; i < n; i++)
        if (m == 0 || pair_cmp(&sorted[m - 1], &sorted[i]) != 0)
            sorted[m++] = sorted[i];
    hash32 a, b;
    mpt_root(&a, sorted, m);
    plain_root(&b, sorted, m);
    cr_assert(hash32_eq(&a, &b), "%zu pairs, seed %lu", m, seed);
}

/* Keys that often share beginnings: each continues the beginning of an earlier one. */
static void make_pairs(struct rng *r, size_t n, size_t key_min, size_t key_max, size_t value_max) {
    for (size_t i = 0; i < n; i++) {
        struct pair *p = &pairs[i];
        p->key_len = key_min + rng_below(r, key_max - key_min + 1);
        rng_fill(r, p->key, sizeof p->key);
        if (i > 0 && rng_below(r, 2) == 0) {
            const struct pair *q = &pairs[rng_below(r, i)];
            size_t share = rng_below(r, 2 * p->key_len + 1);
            memcpy(p->key, q->key, share / 2);
            if (share % 2 == 1)
                p->key[share / 2] =
                    (uint8_t)((q->key[share / 2] & 0xf0) | (p->key[share / 2] & 15));
        }
        p->value_len = 1 + rng_below(r, value_max);
        rng_fill(r, p->value, p->value_len);
    }
}

Test(trie_build, random_tries) {
    uint64_t seed = rng_seed(7);
    for (uint64_t round = 0; round < 3000; round++) {
        struct rng r = {seed + round};
        make_pairs(&r, 20, 0, 6, rng_below(&r, 4) == 0 ? 100 : 3);
        compare(rng_below(&r, 20), seed + round);
        make_pairs(&r, 60, 32, 32, 40);
        compare(1 + rng_below(&r, 60), seed + round);
    }
}

Test(trie_build, more_than_one_flush) {
    struct rng r = {rng_seed(8)};
    make_pairs(&r, PAIRS_MAX, 32, 32, 110);
    compare(PAIRS_MAX, r.state);
    make_pairs(&r, PAIRS_MAX, 1, 33, 300);
    compare(PAIRS_MAX, r.state);
}

Test(trie_build, list_roots) {
    struct rng r = {rng_seed(9)};
    static bytes values[600];
    static uint8_t keys[600][4];
    for (size_t n = 0; n <= 600; n = n < 140 ? n + 1 : n * 2) {
        size_t count = n > 600 ? 600 : n;
        for (size_t i = 0; i < count; i++) {
            values[i] = bytes_of(pairs[i].value, 1 + rng_below(&r, VALUE_MAX));
            rng_fill(&r, pairs[i].value, VALUE_MAX);
            struct buf b;
            buf_init(&b, 16);
            rlp_put_u64(&b, i);
            memcpy(keys[i], b.ptr, b.len);
            sorted[i] = (struct mpt_pair){bytes_of(keys[i], b.len), values[i]};
            buf_clear(&b);
        }
        qsort(sorted, count, sizeof sorted[0], pair_cmp);
        hash32 a, b;
        mpt_list_root(&a, values, count);
        plain_root(&b, sorted, count);
        cr_assert(hash32_eq(&a, &b), "%zu values", count);
    }
}

Test(trie_build, empty_and_reuse) {
    hash32 a, b;
    mpt_root(&a, NULL, 0);
    cr_assert(hash32_eq(&a, &KECCAK_EMPTY_TRIE));
    struct mpt_builder *m = mpt_builder_new();
    for (int i = 0; i < 3; i++) {
        mpt_builder_begin(m);
        mpt_builder_add(m, bytes_of("do", 2), bytes_of("verb", 4));
        mpt_builder_add(m, bytes_of("doe", 3), bytes_of("reindeer", 8));
        mpt_builder_end(m, &b);
        cr_assert(i == 0 || hash32_eq(&a, &b));
        a = b;
        mpt_builder_begin(m); /* given up halfway */
        mpt_builder_add(m, bytes_of("dog", 3), bytes_of("puppy", 5));
    }
    mpt_builder_free(m);
}
