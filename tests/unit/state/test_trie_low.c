/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a trie of few leaves is made again from them, and records come and go where a branch gets
 * more than that. Random histories against a plain model: test_trie.c, tests/fuzz/fuzz_trie.c. */
#include "state/trie_internal.h"
#include "tests/lib/rng.h"
#include "tests/lib/state/map_source.h"

#include <criterion/criterion.h>

TestSuite(trie_low, .timeout = 120);

enum { KEYS = 120, STORE = 7 };

struct low_set {
    struct map_source source;
    struct state_trie *trie;
    hash32 keys[KEYS];
    bool in[KEYS];
};

static int key_cmp(const void *a, const void *b) {
    return memcmp(a, b, 32);
}

/* `shared`: of their first nibbles, all keys have this many in common. */
static void set_init(struct low_set *s, struct rng *r, size_t shared) {
    hash32 first;
    map_source_init(&s->source);
    s->trie = state_trie_new(map_source_source(&s->source), 0);
    rng_fill(r, first.b, 32);
    for (size_t i = 0; i < KEYS; i++) {
        rng_fill(r, s->keys[i].b, 32);
        memcpy(s->keys[i].b, first.b, shared / 2);
        s->in[i] = false;
    }
    qsort(s->keys, KEYS, sizeof(hash32), key_cmp);
}

/* Puts or removes these keys in a block, drops what may be dropped, and compares the root. */
static void block(struct low_set *s, const bool in[KEYS], struct rng *r) {
    static struct world_slot_change slots[KEYS];
    struct world_account_change c = {.existed = true, .exists = true, .slots = slots};
    c.before.store_id = c.after.store_id = STORE;
    c.after.code_hash = KECCAK_EMPTY;
    for (size_t i = 0; i < KEYS; i++) {
        if (in[i] == s->in[i])
            continue;
        struct world_slot_change *w = &slots[c.slot_count++];
        *w = (struct world_slot_change){.slot_hash = s->keys[i]};
        u256 v = u256_from_u64(1 + rng_below(r, 100000));
        *(in[i] ? &w->new_value : &w->old_value) = v;
        s->in[i] = in[i];
    }
    if (c.slot_count == 0)
        return;
    struct world_diff d = {&c, 1};
    hash32 root, want;
    state_trie_apply(s->trie, &d, &root);
    state_trie_take_rows(s->trie, map_source_row, &s->source);
    map_source_put_diff(&s->source, &d);
    map_source_root(&s->source, STORE, &want);
    cr_assert(hash32_eq(&c.after.storage_root, &want));
    state_trie_trim(s->trie);
    if (rng_below(r, 3) == 0)
        state_trie_reset(s->trie);
}

static size_t count_rows(const struct low_set *s) {
    uint8_t id[8];
    size_t n = 0;
    be64_store(id, STORE);
    for (const struct omap_node *o = omap_seek(&s->source.rows, bytes_of(id, 8));
         o != NULL && memcmp(omap_key(o).ptr, id, 8) == 0; o = omap_next(o))
        n++;
    return n;
}

Test(trie_low, records_begin_above_the_limit) {
    struct rng r = {rng_seed(41)};
    for (size_t shared = 0; shared <= 40; shared += 20) {
        struct low_set s;
        bool in[KEYS] = {false};
        set_init(&s, &r, shared);
        for (size_t n = 0; n < 2 * KEYS; n++) {
            in[n % KEYS] = n < KEYS;
            block(&s, in, &r);
            size_t have = n < KEYS ? n + 1 : 2 * KEYS - 1 - n;
            cr_assert_eq(count_rows(&s) > 0, have > TRIE_LOW_LEAVES, "%zu leaves", have);
        }
        state_trie_free(s.trie);
        map_source_clear(&s.source);
    }
}

Test(trie_low, jumps_over_the_limit) {
    struct rng r = {rng_seed(42)};
    struct low_set s;
    bool in[KEYS] = {false};
    set_init(&s, &r, 10);
    for (int round = 0; round < 400; round++) {
        size_t most = rng_below(&r, 3) == 0 ? 3 : KEYS;
        size_t have = 0;
        for (size_t i = 0; i < KEYS; i++) {
            in[i] = rng_below(&r, KEYS) < most && rng_below(&r, 2) == 0;
            have += in[i];
        }
        block(&s, in, &r);
        cr_assert_eq(count_rows(&s) > 0, have > TRIE_LOW_LEAVES, "%zu leaves", have);
    }
    state_trie_free(s.trie);
    map_source_clear(&s.source);
}

/* The slots of several branches are embedded in them: values and paths are short. */
Test(trie_low, embedded_leaves) {
    struct rng r = {rng_seed(43)};
    struct low_set s;
    bool in[KEYS] = {false};
    map_source_init(&s.source);
    s.trie = state_trie_new(map_source_source(&s.source), 0);
    rng_fill(&r, s.keys[0].b, 32);
    for (size_t i = 0; i < KEYS; i++) {
        s.keys[i] = s.keys[0];
        s.keys[i].b[31] = (uint8_t)(2 * i);
        s.in[i] = false;
    }
    for (int round = 0; round < 300; round++) {
        for (size_t i = 0; i < KEYS; i++)
            in[i] = rng_below(&r, KEYS) < 25;
        block(&s, in, &r);
    }
    state_trie_free(s.trie);
    map_source_clear(&s.source);
}
