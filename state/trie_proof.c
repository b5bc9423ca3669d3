/* SPDX-License-Identifier: Apache-2.0 */
/* A proof reads and changes nothing: nodes that are not in RAM are decoded for the moment only. */
#include "state/trie_internal.h"

/* An extension and a branch per nibble at most, and a leaf. */
enum { PROOF_NODES_MAX = 2 * TRIE_NIBBLES + 1 };

struct prover {
    struct state_trie *t;
    struct arena *a;
    struct trie_proof *out;
    const uint8_t *key;
    uint64_t id;
};

/* An embedded node is inside its parent's RLP and not listed; the root always is. */
static void add_node(struct prover *p, const uint8_t *rlp, size_t len) {
    if (len < 32 && p->out->count > 0)
        return;
    CHECK(p->out->count < PROOF_NODES_MAX);
    p->out->nodes[p->out->count++] = arena_copy(p->a, bytes_of(rlp, len));
}

static void add_leaf(struct prover *p, const struct tsub *s, unsigned depth) {
    uint8_t rlp[TRIE_LEAF_RLP_MAX];
    struct tpending leaf;
    if (s->leaf != NULL)
        leaf = (struct tpending){s->leaf->key.b, s->leaf->value, s->leaf->value_len};
    else
        leaf = trie_fetch_leaf(p->t, p->id, depth);
    add_node(p, rlp, node_encode_leaf(rlp, leaf.key, depth, bytes_of(leaf.value, leaf.value_len)));
}

/* Lists the node; false if the key leaves the trie in its extension. */
static bool add_branch(struct prover *p, const struct tnode *n, unsigned depth) {
    uint8_t rlp[TRIE_BRANCH_RLP_MAX], ext[TRIE_EXT_RLP_MAX];
    size_t len = node_encode_branch(rlp, n);
    const uint8_t *nibbles = node_ext(n);
    if (n->ext_len > 0) {
        hash32 h;
        keccak256(&h, rlp, len);
        bytes ref = len < 32 ? bytes_of(rlp, len) : bytes_of(h.b, 32);
        add_node(p, ext, node_encode_ext(ext, nibbles, n->ext_len, ref));
    }
    for (unsigned i = 0; i < n->ext_len; i++) {
        if (nibbles[i] != key_nibble(p->key, depth + i))
            return false;
        p->t->path[depth + i] = nibbles[i];
    }
    add_node(p, rlp, len);
    return true;
}

static void prove(struct prover *p, struct tree *tree) {
    struct state_trie *t = p->t;
    tree_open(t, tree);
    struct tsub s = tree->root;
    struct tnode *decoded = NULL;
    unsigned depth = 0;
    while (s.kind != TSUB_EMPTY) {
        if (s.kind == TSUB_LEAF) {
            add_leaf(p, &s, depth);
            break;
        }
        struct tnode *n = s.node;
        if (n == NULL) {
            n = tnode_load(t, p->id, depth);
            if (decoded != NULL)
                trie_free_subtree(t, decoded);
            decoded = n;
        }
        if (!add_branch(p, n, depth))
            break;
        unsigned nib = key_nibble(p->key, n->depth);
        t->path[n->depth] = (uint8_t)nib;
        depth = n->depth + 1u;
        s = tnode_get(n, nib);
    }
    if (decoded != NULL)
        trie_free_subtree(t, decoded);
    arena_reset(&t->scratch);
}

static void prove_in(struct state_trie *t, struct arena *a, uint64_t id, const hash32 *key,
                     struct trie_proof *out) {
    out->nodes = arena_alloc(a, PROOF_NODES_MAX * sizeof *out->nodes);
    out->count = 0;
    struct prover p = {.t = t, .a = a, .out = out, .key = key->b, .id = id};
    prove(&p, tree_get(t, id));
}

enum err state_trie_prove_account(struct state_trie *t, struct arena *a, const hash32 *addr_hash,
                                  struct trie_proof *out) {
    prove_in(t, a, 0, addr_hash, out);
    return ERR_OK;
}

enum err state_trie_prove_slot(struct state_trie *t, struct arena *a, uint64_t store_id,
                               const hash32 *slot_hash, struct trie_proof *out) {
    if (store_id == 0) /* an account without storage */
        *out = (struct trie_proof){.nodes = NULL, .count = 0};
    else
        prove_in(t, a, store_id, slot_hash, out);
    return ERR_OK;
}
