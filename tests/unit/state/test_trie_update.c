/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: each way in which a change alters the structure: a leaf pushed down, an extension split at
 * its begin, middle and end, a branch merged into the one below and into a leaf, alone and in
 * chains, from RAM and from the source. Method: one key set per case, changed step by step, the
 * root against mpt_root. Random histories are in test_trie.c. */
#include "state/trie_internal.h"
#include "tests/lib/rng.h"
#include "tests/lib/state/map_source.h"

#include <criterion/criterion.h>
#include <stdio.h>

struct fixture {
    struct map_source source;
    struct state_trie *t;
    bool in_ram, forget;
};

/* Keys in text: nibbles, then zeros. */
static hash32 key_of(const char *nibbles) {
    hash32 k = {{0}};
    for (size_t i = 0; nibbles[i] != 0; i++) {
        unsigned v =
            nibbles[i] <= '9' ? (unsigned)(nibbles[i] - '0') : (unsigned)(nibbles[i] - 'a' + 10);
        k.b[i / 2] = (uint8_t)(k.b[i / 2] | v << (i % 2 == 0 ? 4 : 0));
    }
    return k;
}

static int change_cmp(const void *a, const void *b) {
    const struct world_slot_change *x = a, *y = b;
    return memcmp(x->slot_hash.b, y->slot_hash.b, 32);
}

/* No key that is there is said to be absent. */
static void check_lacks(const struct fixture *f) {
    for (const struct omap_node *n = omap_seek(&f->source.leaves, bytes_of(NULL, 0)); n != NULL;
         n = omap_next(n)) {
        hash32 key;
        bytes k = omap_key(n);
        memcpy(key.b, k.ptr + 8, 32);
        if (be64_load(k.ptr) == 5)
            cr_assert(!state_trie_lacks(f->t, 5, &key));
    }
}

/* Applies "+key" and "-key" (a space between) as one block to storage 5, which always exists. */
static void block(struct fixture *f, const char *changes) {
    struct world_slot_change s[64];
    struct world_account_change c = {.addr_hash = {{1}}, .exists = true, .slots = s};
    char text[1024];
    (void)snprintf(text, sizeof text, "%s", changes);
    char *save = NULL;
    c.after.store_id = 5;
    c.before = c.after;
    for (char *w = strtok_r(text, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
        uint8_t k[40];
        bytes v;
        struct world_slot_change *x = &s[c.slot_count++];
        *x = (struct world_slot_change){.slot_hash = key_of(w + 1)};
        be64_store(k, 5);
        memcpy(k + 8, x->slot_hash.b, 32);
        if (omap_get(&f->source.leaves, bytes_of(k, 40), &v))
            x->old_value = u256_from_u64(v.ptr[0]);
        x->new_value = u256_from_u64(w[0] == '+' ? 1 + (uint64_t)strlen(w) : 0);
    }
    qsort(s, c.slot_count, sizeof s[0], change_cmp);
    struct world_diff d = {&c, 1};
    hash32 root, want;
    c.existed = omap_seek(&f->source.leaves, bytes_of("\0\0\0\0\0\0\0\0", 8)) != NULL;
    state_trie_apply(f->t, &d, &root);
    state_trie_take_rows(f->t, map_source_row, &f->source);
    map_source_put_diff(&f->source, &d);
    map_source_root(&f->source, 5, &want);
    cr_assert(hash32_eq(&want, &c.after.storage_root), "after %s", changes);
    check_lacks(f);
    if (f->forget)
        state_trie_reset(f->t);
}

static void run(const char *const *blocks) {
    for (int mode = 0; mode < 3; mode++) {
        struct fixture f = {.in_ram = mode == 2, .forget = mode == 1};
        map_source_init(&f.source);
        f.t = state_trie_new(
            f.in_ram ? (struct trie_source){NULL, NULL} : map_source_source(&f.source), SIZE_MAX);
        for (size_t i = 0; blocks[i] != NULL; i++)
            block(&f, blocks[i]);
        state_trie_free(f.t);
        map_source_clear(&f.source);
    }
}

Test(trie_update, leaf_pushed_down_and_up) {
    run((const char *const[]){"+1", "+12", "+123", "-12", "-1", "+1", "-123", "-1", NULL});
    run((const char *const[]){"+aaaa1", "+aaaa2", "+aaaa3", "-aaaa1 -aaaa2", "-aaaa3", NULL});
}

Test(trie_update, extension_split) {
    run((const char *const[]){"+abcdef1 +abcdef2", "+b", "-b", "+abd", "-abd", "+abcdee", "-abcdee",
                              "+abcdef12", "+1 +abc1 +abcd1", NULL});
    run((const char *const[]){"+abcdef1 +abcdef2", "+abcd +abcdef15", "-abcd -abcdef15", NULL});
}

Test(trie_update, branches_merge) {
    run((const char *const[]){"+1 +2", "-1", "+1", "-2", "-1", NULL});
    run((const char *const[]){"+11 +12 +2", "-2", "-11", NULL});
    run((const char *const[]){"+111 +112 +12 +2", "-12 -2", "+2", "-111 -2", NULL});
    run((const char *const[]){"+1111 +1112 +2221 +2222 +3", "-2221 -2222 -3", "-1111 -1112", NULL});
    run((const char *const[]){"+11 +12 +21 +22", "-11 -12 +23 -21", "-22 -23", "+5", NULL});
}

Test(trie_update, changes_that_cancel_structure) {
    run((const char *const[]){"+abc1 +abc2", "-abc1 +abd -abc2", "+abc1 -abd", NULL});
    run((const char *const[]){"+abc1 +abc2", "-abc1 -abc2 +b", "-b +abc1 +abc2 +c", NULL});
    run((const char *const[]){"+abc1 +abc2 +abd1 +abd2", "-abc1 -abc2", "+abc1", "-abd1", NULL});
}

Test(trie_update, last_nibbles) {
    static const char K[] = "+000000000000000000000000000000000000000000000000000000000000000";
    char a[70], b[70], both[160], out[160];
    snprintf(a, sizeof a, "%s1", K);
    snprintf(b, sizeof b, "%s2", K);
    snprintf(both, sizeof both, "%s %s", a, b);
    snprintf(out, sizeof out, "-%s +1", a + 1);
    run((const char *const[]){a, b, out, "-1", both, "+1 +2", NULL});
}

Test(trie_update, deletes_of_absent_keys_change_nothing) {
    struct state_trie *t = state_trie_new((struct trie_source){NULL, NULL}, 0);
    struct rng r = {1};
    uint8_t keys[8][32], value = 9;
    hash32 before, after;
    for (int i = 0; i < 8; i++)
        rng_fill(&r, keys[i], 32);
    for (int i = 0; i < 6; i++) {
        struct titem it = {keys[i], &value, 1, false};
        tree_update(t, &t->accounts, &it, 1);
        trie_run_hashes(t);
    }
    state_trie_root(t, &before);
    for (int i = 6; i < 8; i++) {
        memcpy(keys[i], keys[0], (size_t)(i - 6) * 5);
        struct titem it = {keys[i], NULL, 0, false};
        tree_update(t, &t->accounts, &it, 1);
        trie_run_hashes(t);
        state_trie_root(t, &after);
        cr_assert(hash32_eq(&before, &after));
    }
    state_trie_free(t);
}

/* Goal: what the nodes show not to be there is said to be absent, at an empty slot, beside an
 * extension and in an empty tree; beside a leaf and without nodes that is not known. */
Test(trie_update, lacks_what_nodes_exclude) {
    struct fixture f = {.in_ram = false};
    map_source_init(&f.source);
    f.t = state_trie_new(map_source_source(&f.source), SIZE_MAX);
    hash32 beside_leaf = key_of("123"), empty_slot = key_of("3"), beside_ext = key_of("abd"),
           in_ext = key_of("abc5");
    cr_assert(!state_trie_lacks(f.t, 5, &empty_slot));
    block(&f, "+124 +abc1 +abc2");
    cr_assert(state_trie_lacks(f.t, 5, &empty_slot));
    cr_assert(state_trie_lacks(f.t, 5, &beside_ext));
    cr_assert(state_trie_lacks(f.t, 5, &in_ext));
    cr_assert(!state_trie_lacks(f.t, 5, &beside_leaf));
    block(&f, "-124 -abc1 -abc2");
    cr_assert(state_trie_lacks(f.t, 5, &beside_leaf));
    cr_assert(!state_trie_lacks(f.t, 6, &beside_leaf), "a tree that was never opened");
    state_trie_reset(f.t);
    cr_assert(!state_trie_lacks(f.t, 5, &beside_leaf));
    state_trie_free(f.t);
    map_source_clear(&f.source);
}
