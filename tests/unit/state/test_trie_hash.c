/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: only what changed is hashed and reported, references are embedded exactly when they are
 * shorter than 32 bytes, and the root of a trie that was not in RAM is computed from its records.
 */
#include "state/trie_internal.h"
#include "tests/lib/rng.h"
#include "tests/lib/state/proof_set.h"

#include <criterion/criterion.h>

struct rows {
    size_t puts, deletes;
    size_t longest_path;
};
static void count_row(void *ctx, uint64_t store_id, bytes path, bytes record) {
    struct rows *r = ctx;
    (void)store_id;
    if (record.len == 0)
        r->deletes++;
    else
        r->puts++;
    if (path.len > r->longest_path)
        r->longest_path = path.len;
}

Test(trie_hash, rows_of_one_change_are_those_of_its_path) {
    struct proof_set p;
    proof_set_init(&p, 4000, 10, SIZE_MAX, rng_seed(11));
    struct world_account_change c = {
        .addr_hash = p.accounts[1234].key, .existed = true, .exists = true};
    c.after.code_hash = KECCAK_EMPTY;
    struct world_diff d = {&c, 1};
    hash32 root;
    struct rows r = {0};
    struct trie_proof proof;
    struct arena a;
    arena_init(&a, 1 << 16, SIZE_MAX);
    state_trie_apply(p.trie, &d, &root);
    state_trie_take_rows(p.trie, count_row, &r);
    cr_assert_eq(r.deletes, 0);
    cr_assert_geq(r.puts, 2);
    cr_assert_eq(state_trie_prove_account(p.trie, &a, &p.accounts[1].key, &proof), ERR_OK);
    state_trie_take_rows(p.trie, count_row, &r);
    cr_assert_leq(r.puts, 20);
    struct rows again = {0};
    state_trie_take_rows(p.trie, count_row, &again);
    cr_assert_eq(again.puts + again.deletes, 0);
    arena_clear(&a);
    proof_set_clear(&p);
}

Test(trie_hash, root_from_records) {
    struct proof_set p;
    hash32 root;
    for (size_t n = 1; n < 40; n += 3) {
        proof_set_init(&p, n, n, SIZE_MAX, n);
        state_trie_reset(p.trie);
        state_trie_root(p.trie, &root);
        cr_assert(hash32_eq(&root, &p.state_root), "%zu accounts", n);
        state_trie_root(p.trie, &root);
        cr_assert(hash32_eq(&root, &p.state_root));
        proof_set_clear(&p);
    }
}

/* Two slots that differ in the last nibble of `shared` + 1: leaves of every length. */
Test(trie_hash, embedded_at_every_depth) {
    for (unsigned shared = 0; shared < 64; shared++)
        for (uint64_t value = 1; value < 400; value = value * 3 + 1) {
            struct map_source source;
            map_source_init(&source);
            struct state_trie *t = state_trie_new(map_source_source(&source), SIZE_MAX);
            struct world_slot_change s[3] = {{.new_value = u256_from_u64(value)},
                                             {.new_value = u256_from_u64(value)},
                                             {.new_value = u256_from_u64(value)}};
            memset(s[0].slot_hash.b, 0x77, 32);
            s[1] = s[2] = s[0];
            s[1].slot_hash.b[shared / 2] ^= shared % 2 == 0 ? 0x80 : 0x08;
            s[2].slot_hash.b[0] ^= 0xf0; /* 0x8... after 0x7..., before 0xf... */
            if (memcmp(s[1].slot_hash.b, s[2].slot_hash.b, 32) >= 0) {
                struct world_slot_change x = s[1];
                s[1] = s[2];
                s[2] = x;
            }
            struct world_account_change c = {.exists = true, .slots = s, .slot_count = 3};
            c.after.store_id = 1;
            struct world_diff d = {&c, 1};
            hash32 root, want;
            state_trie_apply(t, &d, &root);
            state_trie_take_rows(t, map_source_row, &source);
            map_source_put_diff(&source, &d);
            map_source_root(&source, 1, &want);
            cr_assert(hash32_eq(&want, &c.after.storage_root), "%u shared, value %lu", shared,
                      value);
            state_trie_free(t);
            map_source_clear(&source);
        }
}

enum { MANY = 3000 };

static int change_cmp(const void *a, const void *b) {
    const struct world_account_change *x = a, *y = b;
    return memcmp(x->addr_hash.b, y->addr_hash.b, 32);
}
static int slot_cmp(const void *a, const void *b) {
    const struct world_slot_change *x = a, *y = b;
    return memcmp(x->slot_hash.b, y->slot_hash.b, 32);
}

/* Goal: a large update has the same root and rows whoever hashes it: many accounts, and many slots
 * of one of them. */
Test(trie_hash, shared_with_a_crew) {
    struct map_source sources[2];
    struct state_trie *tries[2];
    struct rng rng = {.state = rng_seed(21)};
    struct crew *crew = crew_start(3, "crew");
    struct world_account_change *c = calloc(MANY, sizeof *c);
    struct world_slot_change *s = calloc(MANY, sizeof *s);
    cr_assert(crew != NULL && c != NULL && s != NULL);
    for (int i = 0; i < 2; i++) {
        map_source_init(&sources[i]);
        tries[i] = state_trie_new(map_source_source(&sources[i]), SIZE_MAX);
    }
    state_trie_share(tries[1], crew);
    for (uint64_t block = 0; block < 20; block++) {
        for (size_t i = 0; i < MANY; i++) {
            c[i] = (struct world_account_change){.exists = true};
            rng_fill(&rng, c[i].addr_hash.b, 32);
            c[i].after.code_hash = KECCAK_EMPTY;
            c[i].after.nonce = block;
            s[i] = (struct world_slot_change){.new_value = u256_from_u64(rng_below(&rng, 99) + 1)};
            rng_fill(&rng, s[i].slot_hash.b, 32);
        }
        qsort(c, MANY, sizeof *c, change_cmp);
        qsort(s, MANY, sizeof *s, slot_cmp);
        c[MANY / 2].after.store_id = block + 1;
        c[MANY / 2].slots = s;
        c[MANY / 2].slot_count = MANY;
        hash32 roots[2], storage[2];
        for (int i = 0; i < 2; i++) {
            struct world_diff d = {c, MANY};
            state_trie_apply(tries[i], &d, &roots[i]);
            storage[i] = c[MANY / 2].after.storage_root;
            map_source_put_diff(&sources[i], &d);
            state_trie_take_rows(tries[i], map_source_row, &sources[i]);
        }
        cr_assert(hash32_eq(&roots[0], &roots[1]), "block %llu", (unsigned long long)block);
        cr_assert(hash32_eq(&storage[0], &storage[1]), "block %llu", (unsigned long long)block);
    }
    hash32 plain, root;
    map_source_root(&sources[1], 0, &plain);
    state_trie_root(tries[1], &root);
    cr_assert(hash32_eq(&plain, &root));
    for (int i = 0; i < 2; i++) {
        state_trie_free(tries[i]);
        map_source_clear(&sources[i]);
    }
    crew_stop(crew);
    free(c);
    free(s);
}
