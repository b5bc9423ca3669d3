/* SPDX-License-Identifier: Apache-2.0 */
/* Prints proofs of a large state, one line each: root, key, value or "-", nodes; all in hex, nodes
 * apart by commas, "-" for no node. Of the accounts and of the slots of one contract: keys that are
 * there (all ground ones, and every n-th of the rest), and for each of these two that are not.
 *
 *   proof-dump [KEYS [N]]     default: 100000 accounts and as many slots, every 10th */
#include "tests/lib/state/proof_set.h"

#include <stdio.h>
#include <stdlib.h>

static void put_hex(bytes b) {
    for (size_t i = 0; i < b.len; i++)
        printf("%02x", b.ptr[i]);
    if (b.len == 0)
        printf("-");
}

static int dump(struct proof_set *p, struct arena *a, uint64_t id, hash32 key) {
    struct trie_proof proof;
    bytes value = {NULL, 0};
    const hash32 *root = id == 0 ? &p->state_root : &p->storage_root;
    arena_reset(a);
    enum err e = id == 0 ? state_trie_prove_account(p->trie, a, &key, &proof)
                         : state_trie_prove_slot(p->trie, a, id, &key, &proof);
    if (e != ERR_OK)
        return 1;
    (void)proof_set_value(p, id, &key, &value);
    put_hex(bytes_of(root->b, 32));
    printf(" ");
    put_hex(bytes_of(key.b, 32));
    printf(" ");
    put_hex(value);
    printf(" ");
    for (size_t i = 0; i < proof.count; i++) {
        if (i > 0)
            printf(",");
        put_hex(proof.nodes[i]);
    }
    printf("%s\n", proof.count == 0 ? "-" : "");
    return 0;
}

static int dump_all(struct proof_set *p, uint64_t id, const struct proof_key *keys, size_t count,
                    size_t every) {
    struct arena a;
    int failed = 0;
    arena_init(&a, 1 << 16, SIZE_MAX);
    for (size_t i = 0; i < count && failed == 0; i++) {
        if (!keys[i].ground && i % every != 0)
            continue;
        failed |= dump(p, &a, id, keys[i].key);
        failed |= dump(p, &a, id, proof_set_absent(p, id, &keys[i].key, true));
        failed |= dump(p, &a, id, proof_set_absent(p, id, &keys[i].key, false));
    }
    arena_clear(&a);
    return failed;
}

int main(int argc, char **argv) {
    size_t keys = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    size_t every = argc > 2 ? strtoull(argv[2], NULL, 10) : 10;
    struct proof_set p;
    if (keys == 0 || every == 0) {
        fprintf(stderr, "usage: proof-dump [KEYS [N]]\n");
        return 2;
    }
    proof_set_init(&p, keys, keys, 8 << 20, 20240707);
    int failed = dump_all(&p, 0, p.accounts, p.account_count, every);
    failed |= dump_all(&p, p.store_id, p.slots, p.slot_count, every);
    proof_set_clear(&p);
    return failed;
}
