/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: after each of many random blocks the state trie's root, storage roots and branch records
 * are those of the content alone. Method: three tries side by side - paged under a tiny budget from
 * a source fed by take_rows, paged and reset at random and hashed by a crew, and in RAM without a
 * source - against mpt_root over all leaves; keys that share up to 63 nibbles, so that extensions
 * and embedded leaves, branches and extensions all occur. */
#include "state/trie_internal.h"
#include "tests/lib/rng.h"
#include "tests/lib/state/map_source.h"

#include <criterion/criterion.h>

enum { ACCTS = 48, SLOTS = 24 };

struct m_account {
    bool exists;
    hash32 key;
    struct account acc;
    u256 slot[SLOTS];
    u256 old[SLOTS];
};

struct fixture {
    struct rng rng;
    uint64_t seed, block;
    struct m_account m[ACCTS]; /* sorted by key */
    hash32 slot_key[SLOTS];    /* sorted */
    struct map_source paged, reset;
    struct crew *crew; /* of trie[1] */
    struct state_trie *trie[3];
    struct arena arena;
};

static int hash_cmp(const void *a, const void *b) {
    return memcmp(a, b, 32);
}

/* Keys in groups that share a random number of nibbles. */
static void make_keys(struct rng *r, hash32 *out, size_t n, size_t share_max) {
    for (size_t i = 0; i < n; i++) {
        rng_fill(r, out[i].b, 32);
        if (i > 0 && rng_below(r, 3) != 0) {
            const hash32 *base = &out[rng_below(r, i)];
            size_t share = rng_below(r, share_max + 1);
            memcpy(out[i].b, base->b, share / 2);
            if (share % 2 == 1)
                out[i].b[share / 2] =
                    (uint8_t)((base->b[share / 2] & 0xf0) | (out[i].b[share / 2] & 15));
        }
    }
    qsort(out, n, sizeof *out, hash_cmp);
    for (size_t i = 1; i < n; i++)
        if (memcmp(out[i - 1].b, out[i].b, 32) == 0)
            out[i].b[31]++; /* rare; the order holds unless it wraps, and then the test says so */
}

static void fixture_init(struct fixture *f, uint64_t seed) {
    memset(f, 0, sizeof *f);
    f->seed = seed;
    f->rng.state = seed;
    hash32 keys[ACCTS];
    size_t share[] = {3, 12, 40, 63};
    make_keys(&f->rng, keys, ACCTS, share[seed % 4]);
    make_keys(&f->rng, f->slot_key, SLOTS, share[seed / 4 % 4]);
    for (size_t i = 0; i < ACCTS; i++)
        f->m[i].key = keys[i];
    map_source_init(&f->paged);
    map_source_init(&f->reset);
    size_t budgets[] = {0, 4096, 20000, SIZE_MAX};
    f->trie[0] = state_trie_new(map_source_source(&f->paged), budgets[seed / 16 % 4]);
    f->trie[1] = state_trie_new(map_source_source(&f->reset), SIZE_MAX);
    f->trie[2] = state_trie_new((struct trie_source){NULL, NULL}, 0);
    f->crew = crew_start(seed % 4, "crew");
    cr_assert_not_null(f->crew);
    state_trie_share(f->trie[1], f->crew);
    f->trie[1]->shared_jobs = 0;
    arena_init(&f->arena, 1 << 16, SIZE_MAX);
}

static void fixture_clear(struct fixture *f) {
    for (int i = 0; i < 3; i++)
        state_trie_free(f->trie[i]);
    crew_stop(f->crew);
    map_source_clear(&f->paged);
    map_source_clear(&f->reset);
    arena_clear(&f->arena);
}

static u256 random_value(struct rng *r) {
    switch (rng_below(r, 4)) {
    case 0:
        return U256_ZERO;
    case 1:
        return u256_from_u64(1 +
                             rng_below(r, 127)); /* one byte: embedded where the path is short */
    case 2:
        return u256_from_u64(rng_next(r));
    }
    return (u256){{rng_next(r), rng_next(r), rng_next(r), rng_next(r)}};
}

/* Changes an account's slots; fills c->slots. */
static void change_slots(struct fixture *f, struct m_account *m, struct world_account_change *c,
                         uint64_t density) {
    c->slots = arena_alloc(&f->arena, SLOTS * sizeof *c->slots);
    for (size_t s = 0; s < SLOTS; s++) {
        if (rng_below(&f->rng, density) == 0)
            m->slot[s] = random_value(&f->rng);
        if (!u256_eq(&m->slot[s], &m->old[s]))
            c->slots[c->slot_count++] = (struct world_slot_change){
                .slot_hash = f->slot_key[s], .old_value = m->old[s], .new_value = m->slot[s]};
    }
}

static bool change_account(struct fixture *f, struct m_account *m, struct world_account_change *c,
                           uint64_t *ids) {
    struct rng *r = &f->rng;
    *c = (struct world_account_change){.addr_hash = m->key, .existed = m->exists, .before = m->acc};
    memcpy(m->old, m->slot, sizeof m->old);
    if (rng_below(r, 4) == 0 && m->exists) { /* deleted, and perhaps made again in the same block */
        c->wiped = m->acc.store_id != 0;
        memset(m->slot, 0, sizeof m->slot);
        memset(m->old, 0, sizeof m->old);
        m->exists = false;
        m->acc = (struct account){.nonce = 0};
        if (rng_below(r, 3) != 0)
            return true;
    }
    if (!m->exists)
        m->acc = (struct account){.code_hash = KECCAK_EMPTY, .storage_root = KECCAK_EMPTY_TRIE};
    m->exists = true;
    if (rng_below(r, 2) == 0)
        m->acc.nonce = rng_next(r);
    m->acc.balance = random_value(r);
    if (rng_below(r, 2) == 0)
        change_slots(f, m, c, 1 + rng_below(r, 8));
    if (c->slot_count > 0 && m->acc.store_id == 0)
        m->acc.store_id = f->block << 20 | ++*ids;
    c->exists = true;
    c->after = m->acc;
    return true;
}

static void make_diff(struct fixture *f, struct world_diff *diff) {
    uint64_t density = 1 + rng_below(&f->rng, 20), ids = 0;
    diff->accounts = arena_alloc(&f->arena, ACCTS * sizeof *diff->accounts);
    diff->count = 0;
    f->block++;
    for (size_t i = 0; i < ACCTS; i++)
        if (rng_below(&f->rng, density) == 0 &&
            change_account(f, &f->m[i], &diff->accounts[diff->count], &ids))
            diff->count++;
}

static struct world_diff copy_diff(struct arena *a, const struct world_diff *d) {
    bytes b = arena_copy(a, bytes_of(d->accounts, d->count * sizeof *d->accounts));
    return (struct world_diff){(struct world_account_change *)(uintptr_t)b.ptr, d->count};
}

static void run_block(struct fixture *f) {
    struct world_diff diff[3];
    hash32 root[3], want;
    arena_reset(&f->arena);
    make_diff(f, &diff[0]);
    if (rng_below(&f->rng, 4) == 0)
        state_trie_reset(f->trie[1]);
    for (int i = 1; i < 3; i++)
        diff[i] = copy_diff(&f->arena, &diff[0]);
    for (int i = 0; i < 3; i++)
        state_trie_apply(f->trie[i], &diff[i], &root[i]);
    state_trie_take_rows(f->trie[0], map_source_row, &f->paged);
    state_trie_take_rows(f->trie[1], map_source_row, &f->reset);
    state_trie_trim(f->trie[0]);
    state_trie_trim(f->trie[2]);
    map_source_put_diff(&f->paged, &diff[0]);
    map_source_put_diff(&f->reset, &diff[1]);
    for (size_t k = 0; k < diff[0].count; k++) {
        const struct world_account_change *c = &diff[0].accounts[k];
        for (size_t i = 0; i < ACCTS; i++)
            if (hash32_eq(&f->m[i].key, &c->addr_hash) && c->exists)
                f->m[i].acc.storage_root = c->after.storage_root;
        if (!c->exists)
            continue;
        if (c->after.store_id != 0)
            map_source_root(&f->paged, c->after.store_id, &want);
        else
            want = KECCAK_EMPTY_TRIE;
        cr_assert(hash32_eq(&want, &c->after.storage_root), "storage root, seed %lu block %lu",
                  f->seed, f->block);
    }
    map_source_root(&f->paged, 0, &want);
    for (int i = 0; i < 3; i++)
        cr_assert(hash32_eq(&root[i], &want), "trie %d, seed %lu block %lu", i, f->seed, f->block);
}

/* The same content in one block gives the same rows as its history did. */
static void check_rows_are_canonical(struct fixture *f) {
    struct map_source fresh;
    struct world_diff diff = {NULL, 0};
    hash32 root, want;
    map_source_init(&fresh);
    struct state_trie *t = state_trie_new(map_source_source(&fresh), SIZE_MAX);
    arena_reset(&f->arena);
    diff.accounts = arena_alloc(&f->arena, ACCTS * sizeof *diff.accounts);
    for (size_t i = 0; i < ACCTS; i++) {
        struct m_account *m = &f->m[i];
        struct world_account_change *c = &diff.accounts[diff.count];
        if (!m->exists)
            continue;
        diff.count++;
        *c = (struct world_account_change){.addr_hash = m->key, .exists = true, .after = m->acc};
        memset(m->old, 0, sizeof m->old);
        change_slots(f, m, c, UINT64_MAX);
    }
    state_trie_apply(t, &diff, &root);
    state_trie_take_rows(t, map_source_row, &fresh);
    map_source_root(&f->paged, 0, &want);
    cr_assert(hash32_eq(&root, &want));
    cr_assert(omap_equal(&fresh.rows, &f->paged.rows), "rows, seed %lu", f->seed);
    cr_assert(omap_equal(&f->reset.rows, &f->paged.rows), "rows, seed %lu", f->seed);
    state_trie_free(t);
    map_source_clear(&fresh);
}

Test(trie, random_blocks, .timeout = 240) {
    static struct fixture f;
    uint64_t seed = rng_seed(1);
    for (uint64_t round = 0; round < 64; round++) {
        fixture_init(&f, seed + round);
        for (int b = 0; b < 40; b++)
            run_block(&f);
        check_rows_are_canonical(&f);
        fixture_clear(&f);
    }
}

Test(trie, nothing_in_it) {
    struct state_trie *t = state_trie_new((struct trie_source){NULL, NULL}, 0);
    struct world_diff diff = {NULL, 0};
    hash32 root;
    state_trie_root(t, &root);
    cr_assert(hash32_eq(&root, &KECCAK_EMPTY_TRIE));
    state_trie_apply(t, &diff, &root);
    cr_assert(hash32_eq(&root, &KECCAK_EMPTY_TRIE));
    state_trie_free(t);
    struct map_source s;
    map_source_init(&s);
    t = state_trie_new(map_source_source(&s), 0);
    state_trie_root(t, &root);
    cr_assert(hash32_eq(&root, &KECCAK_EMPTY_TRIE));
    state_trie_trim(t);
    state_trie_free(t);
    map_source_clear(&s);
    state_trie_free(NULL);
}
