/* SPDX-License-Identifier: Apache-2.0 */
/* Branches with few leaves below have no record: they are made from the leaves when they are needed
 * again. Branches are found from the top down and hashed from the bottom up. */
#include "state/trie_internal.h"

struct low_leaf {
    uint8_t key[32];
    uint8_t value[TRIE_VALUE_MAX];
    size_t value_len;
    unsigned from; /* nibble at which its own path begins */
    bytes ref;
};

struct low_branch {
    size_t lo, hi; /* leaves below */
    unsigned from; /* nibble after the slot that it hangs in */
    unsigned depth;
    size_t first_child; /* its branches stand side by side */
    struct tnode *node;
    uint8_t ref_bytes[32];
    size_t ref_len;
};

struct low {
    struct state_trie *t;
    struct low_leaf leaves[TRIE_LOW_LEAVES];
    size_t leaf_count;
    struct low_branch branches[TRIE_LOW_LEAVES];
    size_t branch_count;
    uint8_t rlp[TRIE_LOW_LEAVES][TRIE_LEAF_RLP_MAX];
    hash32 hashes[TRIE_LOW_LEAVES];
};

static void read_leaves(struct low *l, uint64_t id, bytes prefix) {
    const struct trie_source *s = &l->t->source;
    hash32 key;
    bytes value;
    for (bool more = s->ops->leaf(s->ctx, id, prefix, &key, &value); more;
         more = s->ops->next_leaf(s->ctx, id, prefix, &key, &value)) {
        CHECK(l->leaf_count < TRIE_LOW_LEAVES); /* more would have a record */
        struct low_leaf *leaf = &l->leaves[l->leaf_count++];
        CHECK(value.len > 0);
        CHECK(value.len <= TRIE_VALUE_MAX);
        memcpy(leaf->key, key.b, 32);
        memcpy(leaf->value, value.ptr, value.len);
        leaf->value_len = value.len;
    }
}

/* First leaf after those that share the slot of leaf `at` in the branch. */
static size_t slot_end(const struct low *l, const struct low_branch *b, size_t at) {
    size_t end = at + 1;
    unsigned nib = key_nibble(l->leaves[at].key, b->depth);
    while (end < b->hi && key_nibble(l->leaves[end].key, b->depth) == nib)
        end++;
    return end;
}

/* Appends the branches below the one at `i`. */
static void split(struct low *l, size_t i) {
    struct low_branch *b = &l->branches[i];
    b->depth = key_common_nibbles(l->leaves[b->lo].key, l->leaves[b->hi - 1].key);
    b->first_child = l->branch_count;
    CHECK(b->depth >= b->from);
    CHECK(b->depth < TRIE_NIBBLES);
    for (size_t at = b->lo, end; at < b->hi; at = end) {
        end = slot_end(l, b, at);
        if (end - at == 1)
            l->leaves[at].from = b->depth + 1;
        else
            l->branches[l->branch_count++] =
                (struct low_branch){.lo = at, .hi = end, .from = b->depth + 1};
    }
}

static void hash_leaves(struct low *l) {
    bytes in[TRIE_LOW_LEAVES];
    for (size_t i = 0; i < l->leaf_count; i++) {
        const struct low_leaf *leaf = &l->leaves[i];
        in[i] = bytes_of(l->rlp[i], node_encode_leaf(l->rlp[i], leaf->key, leaf->from,
                                                     bytes_of(leaf->value, leaf->value_len)));
    }
    keccak256_batch(l->hashes, in, l->leaf_count);
    for (size_t i = 0; i < l->leaf_count; i++)
        l->leaves[i].ref = in[i].len < 32 ? in[i] : bytes_of(l->hashes[i].b, 32);
}

static void make_reference(struct low_branch *b) {
    uint8_t rlp[TRIE_BRANCH_RLP_MAX], ext[TRIE_EXT_RLP_MAX];
    hash32 h;
    bytes ref = bytes_of(rlp, node_encode_branch(rlp, b->node));
    for (bool with_ext = b->node->ext_len > 0;; with_ext = false) {
        if (ref.len >= 32) {
            keccak256(&h, ref.ptr, ref.len);
            ref = bytes_of(h.b, 32);
        }
        if (!with_ext)
            break;
        size_t len = node_encode_ext(ext, node_ext(b->node), b->node->ext_len, ref);
        ref = bytes_of(ext, len);
    }
    memcpy(b->ref_bytes, ref.ptr, ref.len);
    b->ref_len = ref.len;
}

/* The branch's node, by way of the record that it would have. Its children are made. */
static void make_node(struct low *l, struct low_branch *b) {
    uint8_t record[TRIE_RECORD_MAX], *p = record + TRIE_RECORD_HEAD, ext[TRIE_NIBBLES];
    uint16_t mask = 0, nodes = 0, embedded = 0;
    size_t child = b->first_child;
    for (size_t at = b->lo, end; at < b->hi; at = end) {
        end = slot_end(l, b, at);
        uint16_t bit = (uint16_t)(1u << key_nibble(l->leaves[at].key, b->depth));
        bytes ref = l->leaves[at].ref;
        if (end - at > 1) {
            ref = bytes_of(l->branches[child].ref_bytes, l->branches[child].ref_len);
            nodes |= bit;
            child++;
        }
        mask |= bit;
        embedded |= ref.len < 32 ? bit : 0;
        memcpy(p, ref.ptr, ref.len);
        p += ref.len;
    }
    trecord_put_head(record, mask, nodes, embedded, (uint32_t)(b->hi - b->lo));
    for (unsigned i = b->from; i < b->depth; i++)
        ext[i - b->from] = (uint8_t)key_nibble(l->leaves[b->lo].key, i);
    struct tmem *m = &l->t->mem;
    b->node = trecord_decode(m, bytes_of(record, (size_t)(p - record)), b->depth, ext,
                             b->depth - b->from);
    b->node->stored = false;
    child = b->first_child;
    for (unsigned left = nodes; left != 0; left &= left - 1)
        b->node =
            tnode_set_kid(m, b->node, (unsigned)__builtin_ctz(left), l->branches[child++].node);
}

struct tsub trie_load_low(struct state_trie *t, uint64_t id, size_t path_len) {
    struct low l;
    struct tsub s = {.kind = TSUB_EMPTY, .pending = TRIE_NO_INDEX};
    l.t = t;
    l.leaf_count = l.branch_count = 0;
    read_leaves(&l, id, bytes_of(t->path, path_len));
    if (l.leaf_count == 0)
        return s;
    s.kind = TSUB_LEAF;
    if (l.leaf_count == 1)
        return s;
    l.branches[l.branch_count++] =
        (struct low_branch){.lo = 0, .hi = l.leaf_count, .from = (unsigned)path_len};
    for (size_t i = 0; i < l.branch_count; i++)
        split(&l, i);
    hash_leaves(&l);
    for (size_t i = l.branch_count; i-- > 0;) {
        make_node(&l, &l.branches[i]);
        if (i > 0) /* the first one's is in its parent */
            make_reference(&l.branches[i]);
    }
    s.kind = TSUB_NODE;
    s.node = l.branches[0].node;
    return s;
}
