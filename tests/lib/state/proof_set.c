/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/state/proof_set.h"

#include "base/check.h"
#include "base/keccak.h"
#include "tests/lib/rng.h"

#include <stdlib.h>

enum { BLOCKS = 10 };

static int key_cmp(const void *a, const void *b) {
    return memcmp(((const struct proof_key *)a)->key.b, ((const struct proof_key *)b)->key.b, 32);
}

static void copy_nibbles(hash32 *to, const hash32 *from, size_t count) {
    memcpy(to->b, from->b, count / 2);
    if (count % 2 == 1)
        to->b[count / 2] = (uint8_t)((from->b[count / 2] & 0xf0) | (to->b[count / 2] & 15));
}

static struct proof_key *make_keys(struct rng *r, size_t n) {
    struct proof_key *k = calloc(n, sizeof *k);
    CHECK(k != NULL);
    for (size_t i = 0; i < n; i++) {
        rng_fill(r, k[i].key.b, 32);
        if (i == 0 || rng_below(r, 8) != 0)
            continue;
        k[i].ground = true;
        size_t share = 8 + rng_below(r, rng_below(r, 10) == 0 ? 55 : 5);
        copy_nibbles(&k[i].key, &k[rng_below(r, i)].key, share);
    }
    /* Two that came out the same: one gets a new ending, until all differ. */
    for (bool again = true; again;) {
        again = false;
        qsort(k, n, sizeof *k, key_cmp);
        for (size_t i = 1; i < n; i++)
            if (key_cmp(&k[i - 1], &k[i]) == 0) {
                rng_fill(r, k[i].key.b + 20, 12);
                again = true;
            }
    }
    return k;
}

static u256 value_of(struct rng *r) {
    if (rng_below(r, 2) == 0)
        return u256_from_u64(1 + rng_below(r, 100));
    return (u256){{rng_next(r), rng_next(r), 0, rng_next(r)}};
}

/* Every key whose turn it is; the contract is changed in each block. */
static void make_block(struct proof_set *p, struct rng *r, size_t block) {
    struct arena a;
    arena_init(&a, 1 << 20, SIZE_MAX);
    struct world_diff d = {arena_alloc(&a, p->account_count * sizeof *d.accounts), 0};
    for (size_t i = 0; i < p->account_count; i++) {
        if (i != 0 && i % BLOCKS != block)
            continue;
        struct world_account_change *c = &d.accounts[d.count++];
        *c = (struct world_account_change){.addr_hash = p->accounts[i].key, .exists = true};
        c->after = (struct account){.nonce = block,
                                    .balance = value_of(r),
                                    .code_hash = KECCAK_EMPTY,
                                    .storage_root = KECCAK_EMPTY_TRIE};
        if (i != 0)
            continue;
        c->existed = block > 0;
        c->before.store_id = block > 0 ? p->store_id : 0;
        c->after.store_id = p->store_id;
        c->slots = arena_alloc(&a, p->slot_count * sizeof *c->slots);
        for (size_t s = 0; s < p->slot_count; s++)
            if (s % BLOCKS == block)
                c->slots[c->slot_count++] = (struct world_slot_change){.slot_hash = p->slots[s].key,
                                                                       .new_value = value_of(r)};
    }
    state_trie_apply(p->trie, &d, &p->state_root);
    state_trie_take_rows(p->trie, map_source_row, &p->source);
    map_source_put_diff(&p->source, &d);
    state_trie_trim(p->trie);
    p->storage_root = d.accounts[0].after.storage_root;
    arena_clear(&a);
}

void proof_set_init(struct proof_set *p, size_t accounts, size_t slots, size_t budget_bytes,
                    uint64_t seed) {
    struct rng r = {seed};
    *p = (struct proof_set){.account_count = accounts, .slot_count = slots, .store_id = 1};
    p->accounts = make_keys(&r, accounts);
    p->slots = make_keys(&r, slots);
    map_source_init(&p->source);
    p->trie = state_trie_new(map_source_source(&p->source), budget_bytes);
    for (size_t b = 0; b < BLOCKS; b++)
        make_block(p, &r, b);
}

void proof_set_clear(struct proof_set *p) {
    state_trie_free(p->trie);
    map_source_clear(&p->source);
    free(p->accounts);
    free(p->slots);
}

bool proof_set_value(const struct proof_set *p, uint64_t store_id, const hash32 *key, bytes *out) {
    uint8_t k[40];
    be64_store(k, store_id);
    memcpy(k + 8, key->b, 32);
    return omap_get(&p->source.leaves, bytes_of(k, sizeof k), out);
}

hash32 proof_set_absent(const struct proof_set *p, uint64_t store_id, const hash32 *key,
                        bool near) {
    hash32 k = *key;
    bytes v;
    if (!near)
        keccak256(&k, key->b, 32);
    while (proof_set_value(p, store_id, &k, &v))
        k.b[31]++;
    return k;
}
