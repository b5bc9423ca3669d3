/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: proofs of presence and absence of every key of a large state verify from the root alone,
 * with embedded nodes and extensions among them, and whether nodes are in RAM or not; a proof with
 * a changed byte proves nothing. */
#include "base/keccak.h"
#include "base/rlp.h"
#include "tests/lib/rng.h"
#include "tests/lib/state/plain_trie.h"
#include "tests/lib/state/proof_set.h"

#include <criterion/criterion.h>

enum { KEYS = 100000 };

struct counts {
    uint64_t embedded, extensions, absent_at_leaf;
};

static void prove(struct proof_set *p, struct arena *a, uint64_t id, const hash32 *key,
                  struct trie_proof *out) {
    enum err e = id == 0 ? state_trie_prove_account(p->trie, a, key, out)
                         : state_trie_prove_slot(p->trie, a, id, key, out);
    cr_assert_eq(e, ERR_OK);
}

static void check_key(struct proof_set *p, struct arena *a, uint64_t id, const hash32 *key,
                      struct counts *n) {
    struct trie_proof proof;
    bytes want = {NULL, 0}, got;
    bool present = proof_set_value(p, id, key, &want);
    arena_reset(a);
    prove(p, a, id, key, &proof);
    const hash32 *root = id == 0 ? &p->state_root : &p->storage_root;
    cr_assert(plain_verify(root, bytes_of(key->b, 32), proof.nodes, proof.count, &got));
    cr_assert_eq(got.len, want.len);
    cr_assert(!present || memcmp(got.ptr, want.ptr, want.len) == 0);
    bytes last = proof.nodes[proof.count - 1];
    bytes items;
    size_t count;
    cr_assert(rlp_next_list(&last, &items) == ERR_OK && rlp_count(items, &count) == ERR_OK);
    n->embedded += present && count == 17; /* the leaf is inside the branch */
    for (size_t i = 0; i < proof.count; i++)
        n->extensions +=
            proof.nodes[i].len > 33 && proof.nodes[i].ptr[1] < 0x90 && proof.nodes[i].len < 60;
    n->absent_at_leaf += !present && count == 2;
}

static void check_all(struct proof_set *p, uint64_t id, const struct proof_key *keys, size_t count,
                      struct counts *n) {
    struct arena a;
    arena_init(&a, 1 << 16, SIZE_MAX);
    for (size_t i = 0; i < count; i++) {
        hash32 near = proof_set_absent(p, id, &keys[i].key, true);
        hash32 far = proof_set_absent(p, id, &keys[i].key, false);
        check_key(p, &a, id, &keys[i].key, n);
        check_key(p, &a, id, &near, n);
        check_key(p, &a, id, &far, n);
    }
    arena_clear(&a);
}

Test(trie_proof, every_key_of_a_large_state, .timeout = 400) {
    struct proof_set p;
    struct counts accounts = {0}, slots = {0};
    proof_set_init(&p, KEYS, KEYS, 4 << 20, rng_seed(77));
    check_all(&p, 0, p.accounts, p.account_count, &accounts);
    check_all(&p, p.store_id, p.slots, p.slot_count, &slots);
    cr_assert_gt(slots.embedded, 100);
    cr_assert_gt(slots.extensions, 100);
    cr_assert_gt(slots.absent_at_leaf, 100);
    cr_assert_gt(accounts.extensions, 100);
    proof_set_clear(&p);
}

Test(trie_proof, changed_bytes_prove_nothing) {
    struct proof_set p;
    struct arena a;
    struct trie_proof proof;
    bytes got;
    struct rng r = {rng_seed(78)};
    arena_init(&a, 1 << 16, SIZE_MAX);
    proof_set_init(&p, 300, 300, SIZE_MAX, 79);
    for (size_t i = 0; i < 300; i++) {
        const hash32 *key = &p.slots[i].key;
        prove(&p, &a, p.store_id, key, &proof);
        size_t k = rng_below(&r, proof.count);
        uint8_t *at = (uint8_t *)(uintptr_t)proof.nodes[k].ptr + rng_below(&r, proof.nodes[k].len);
        *at ^= (uint8_t)(1 + rng_below(&r, 255));
        cr_assert(
            !plain_verify(&p.storage_root, bytes_of(key->b, 32), proof.nodes, proof.count, &got));
    }
    arena_clear(&a);
    proof_set_clear(&p);
}

Test(trie_proof, small_tries) {
    struct state_trie *t = state_trie_new((struct trie_source){NULL, NULL}, 0);
    struct arena a;
    struct trie_proof proof;
    bytes got;
    hash32 root, key = {{1, 2, 3}}, other = {{9}};
    arena_init(&a, 1 << 12, SIZE_MAX);
    cr_assert_eq(state_trie_prove_account(t, &a, &key, &proof), ERR_OK);
    cr_assert_eq(proof.count, 0);
    cr_assert(plain_verify(&KECCAK_EMPTY_TRIE, bytes_of(key.b, 32), NULL, 0, &got));
    cr_assert_eq(state_trie_prove_slot(t, &a, 0, &key, &proof), ERR_OK);
    cr_assert_eq(proof.count, 0);
    struct world_account_change c = {.addr_hash = key, .exists = true};
    c.after = (struct account){.nonce = 1, .code_hash = KECCAK_EMPTY};
    struct world_diff d = {&c, 1};
    state_trie_apply(t, &d, &root);
    cr_assert_eq(state_trie_prove_account(t, &a, &key, &proof), ERR_OK);
    cr_assert_eq(proof.count, 1);
    cr_assert(plain_verify(&root, bytes_of(key.b, 32), proof.nodes, 1, &got));
    cr_assert_gt(got.len, 0);
    cr_assert_eq(state_trie_prove_account(t, &a, &other, &proof), ERR_OK);
    cr_assert(plain_verify(&root, bytes_of(other.b, 32), proof.nodes, proof.count, &got));
    cr_assert_eq(got.len, 0);
    arena_clear(&a);
    state_trie_free(t);
}
