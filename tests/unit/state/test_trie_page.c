/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: dropping and loading of branches. The budget is kept, what is used stays, what is asked for
 * is read again and no more than that, wiped storage leaves no record, and small tries cost little.
 */
#include "state/trie_internal.h"
#include "tests/lib/rng.h"
#include "tests/lib/state/proof_set.h"

#include <criterion/criterion.h>

enum { CHANGES_MAX = 400 };

/* Changes the balance of accounts[i]. */
static void change(struct proof_set *p, const size_t *idx, size_t n) {
    static struct world_account_change c[CHANGES_MAX];
    hash32 root, want;
    cr_assert_leq(n, (size_t)CHANGES_MAX);
    for (size_t i = 0; i < n; i++) {
        c[i] = (struct world_account_change){
            .addr_hash = p->accounts[idx[i]].key, .existed = true, .exists = true};
        c[i].before.storage_root = idx[i] == 0 ? p->storage_root : KECCAK_EMPTY_TRIE;
        c[i].after.balance = u256_from_u64(idx[i] * 3 + n);
        c[i].after.code_hash = KECCAK_EMPTY;
    }
    struct world_diff d = {c, n};
    state_trie_apply(p->trie, &d, &root);
    state_trie_take_rows(p->trie, map_source_row, &p->source);
    map_source_put_diff(&p->source, &d);
    map_source_root(&p->source, 0, &want);
    cr_assert(hash32_eq(&root, &want));
}

Test(trie_page, the_budget_is_kept) {
    struct proof_set p;
    proof_set_init(&p, 5000, 5000, SIZE_MAX, rng_seed(5));
    size_t all = state_trie_bytes(p.trie);
    cr_assert_gt(all, 500000);
    for (size_t budget = all / 2; budget > 3000; budget /= 2) {
        p.trie->budget_bytes = budget;
        state_trie_trim(p.trie);
        cr_assert_leq(state_trie_bytes(p.trie), budget);
        size_t idx[3] = {0, 100, 4000};
        change(&p, idx, 3);
    }
    p.trie->budget_bytes = 0;
    state_trie_trim(p.trie);
    cr_assert_lt(state_trie_bytes(p.trie), 1000, "the root is left");
    state_trie_reset(p.trie);
    cr_assert_eq(state_trie_bytes(p.trie), 0);
    proof_set_clear(&p);
}

/* Goal: what is held of the system stops growing, though nodes of other sizes come and go. */
Test(trie_page, memory_stays) {
    struct proof_set p;
    proof_set_init(&p, 20000, 10, SIZE_MAX, rng_seed(7));
    state_trie_reset(p.trie);
    size_t all = 0, idx[CHANGES_MAX], half = 0;
    for (size_t round = 0; round < 200; round++) {
        for (size_t i = 0; i < CHANGES_MAX; i++)
            idx[i] = i * 49 + round * 97 % 49;
        change(&p, idx, CHANGES_MAX);
        if (round == 0)
            p.trie->budget_bytes = all = state_trie_bytes(p.trie);
        state_trie_trim(p.trie);
        if (round == 100)
            half = state_trie_held(p.trie);
    }
    cr_assert_gt(all, 100000);
    cr_assert_geq(half, state_trie_bytes(p.trie));
    cr_assert_eq(state_trie_held(p.trie), half);
    proof_set_clear(&p);
}

Test(trie_page, what_is_used_stays) {
    struct proof_set p;
    proof_set_init(&p, 20000, 10, SIZE_MAX, rng_seed(6));
    p.trie->budget_bytes = state_trie_bytes(p.trie) / 4;
    size_t hot[20];
    for (size_t i = 0; i < 20; i++)
        hot[i] = i * 999 + 7;
    for (size_t round = 0; round < 60; round++) {
        size_t cold[30];
        for (size_t i = 0; i < 30; i++)
            cold[i] = i * 600 + round * 10 + 1;
        change(&p, cold, 30);
        change(&p, hot, 20);
        state_trie_trim(p.trie);
    }
    p.source.branch_reads = p.source.leaf_reads = 0;
    change(&p, hot, 20);
    cr_assert_lt(p.source.branch_reads, 10);
    cr_assert_eq(p.source.leaf_reads, 0);
    proof_set_clear(&p);
}

Test(trie_page, changed_leaves_are_not_read) {
    struct proof_set p;
    proof_set_init(&p, 3000, 10, SIZE_MAX, rng_seed(8));
    state_trie_reset(p.trie);
    p.source.branch_reads = p.source.leaf_reads = 0;
    size_t idx[] = {5};
    change(&p, idx, 1);
    cr_assert_leq(p.source.leaf_reads, 1 + TRIE_LOW_LEAVES, "those beside it, once each");
    cr_assert_lt(p.source.branch_reads, 10, "the branches on the way, once each");
    p.source.leaf_reads = 0;
    change(&p, idx, 1);
    cr_assert_eq(p.source.leaf_reads, 0);
    proof_set_clear(&p);
}

Test(trie_page, wiped_storage_leaves_no_record) {
    struct proof_set p;
    proof_set_init(&p, 50, 3000, 0, rng_seed(9));
    uint8_t id[8];
    be64_store(id, p.store_id);
    const struct omap_node *n = omap_seek(&p.source.rows, bytes_of(id, 8));
    cr_assert(n != NULL && memcmp(omap_key(n).ptr, id, 8) == 0);
    struct world_account_change c = {
        .addr_hash = p.accounts[0].key, .existed = true, .exists = false, .wiped = true};
    c.before.store_id = p.store_id;
    struct world_diff d = {&c, 1};
    hash32 root, want;
    state_trie_apply(p.trie, &d, &root);
    state_trie_take_rows(p.trie, map_source_row, &p.source);
    map_source_put_diff(&p.source, &d);
    map_source_root(&p.source, 0, &want);
    cr_assert(hash32_eq(&root, &want));
    n = omap_seek(&p.source.rows, bytes_of(id, 8));
    cr_assert(n == NULL || memcmp(omap_key(n).ptr, id, 8) != 0);
    proof_set_clear(&p);
}

Test(trie_page, many_small_tries) {
    struct map_source source;
    map_source_init(&source);
    struct state_trie *t = state_trie_new(map_source_source(&source), 20000);
    struct rng r = {rng_seed(10)};
    for (uint64_t block = 1; block < 40; block++) {
        static struct world_account_change c[50];
        static struct world_slot_change s[50][2];
        for (uint64_t i = 0; i < 50; i++) {
            c[i] = (struct world_account_change){.exists = true, .slots = s[i], .slot_count = 2};
            be64_store(c[i].addr_hash.b, i << 50 | block);
            c[i].after.store_id = block << 20 | (i + 1);
            for (uint64_t k = 0; k < 2; k++) {
                rng_fill(&r, s[i][k].slot_hash.b, 32);
                s[i][k].slot_hash.b[0] = (uint8_t)k;
                s[i][k].new_value = u256_from_u64(1 + rng_below(&r, 300));
            }
        }
        struct world_diff d = {c, 50};
        hash32 root, want;
        state_trie_apply(t, &d, &root);
        state_trie_take_rows(t, map_source_row, &source);
        map_source_put_diff(&source, &d);
        for (int i = 0; i < 50; i++) {
            map_source_root(&source, c[i].after.store_id, &want);
            cr_assert(hash32_eq(&want, &c[i].after.storage_root));
        }
        map_source_root(&source, 0, &want);
        cr_assert(hash32_eq(&want, &root));
        state_trie_trim(t);
        cr_assert_leq(state_trie_bytes(t), 20000);
    }
    state_trie_free(t);
    map_source_clear(&source);
}
