/* SPDX-License-Identifier: Apache-2.0 */
/* References of what an update left dirty. All trees of a step are queued first; then leaves are
 * hashed, then branches from the deepest up, each depth in one go, those of equal length in Keccak
 * blocks side by side. */
#include "state/trie_internal.h"

enum { CHUNK = 32, BLOCK_CLASSES = 4, RLP_STRIDE = 544 };

static uint32_t add_job(struct state_trie *t, const struct thash_job *job) {
    t->jobs = trie_grow(t->jobs, &t->job_cap, sizeof *t->jobs, t->job_count + 1);
    CHECK(t->job_count < TRIE_NO_INDEX);
    t->jobs[t->job_count] = *job;
    return (uint32_t)t->job_count++;
}

static void queue_row(struct state_trie *t, const struct tree *tree, struct tnode *n) {
    bool low = n->leaves <= TRIE_LOW_LEAVES;
    if (n->changed && !low) {
        trie_add_row(t, tree->id, t->path, n->depth, n);
    } else if (n->stored && low) {
        trie_add_row(t, tree->id, t->path, n->depth, NULL);
        n->stored = false;
    }
}

static void queue_node(struct state_trie *t, struct tree *tree, struct tnode *n,
                       struct tnode *parent, unsigned nib) {
    struct thash_job job = {.tree = tree,
                            .node = n,
                            .parent = parent,
                            .nib = (uint8_t)nib,
                            .next = t->job_head[n->depth]};
    t->job_head[n->depth] = add_job(t, &job);
    if (!trie_in_ram(t))
        queue_row(t, tree, n);
    n->changed = false;
}

static void queue_leaf(struct state_trie *t, struct tree *tree, struct tnode *parent, unsigned nib,
                       uint32_t pending) {
    CHECK(pending < t->pending_count);
    struct thash_job job = {.tree = tree,
                            .parent = parent,
                            .nib = (uint8_t)nib,
                            .pending = pending,
                            .from = (uint8_t)(parent == NULL ? 0 : parent->depth + 1),
                            .next = t->leaf_head};
    t->leaf_head = add_job(t, &job);
}

static void queue_below(struct state_trie *t, struct tree *tree, struct tnode *root) {
    struct {
        struct tnode *node;
        unsigned left;
    } stack[TRIE_NIBBLES];
    size_t top = 0;
    memcpy(t->path, node_ext(root), root->ext_len);
    queue_node(t, tree, root, NULL, 0);
    stack[0].node = root;
    stack[0].left = root->dirty;
    for (;;) {
        if (stack[top].left == 0) {
            if (top-- == 0)
                return;
            continue;
        }
        struct tnode *n = stack[top].node;
        unsigned nib = (unsigned)__builtin_ctz(stack[top].left);
        stack[top].left &= stack[top].left - 1;
        struct tsub s = tnode_get(n, nib);
        if (s.kind == TSUB_LEAF) {
            queue_leaf(t, tree, n, nib, s.pending);
            continue;
        }
        CHECK(s.node != NULL);
        top++;
        CHECK(top < TRIE_NIBBLES);
        t->path[n->depth] = (uint8_t)nib;
        memcpy(t->path + n->depth + 1, node_ext(s.node), s.node->ext_len);
        queue_node(t, tree, s.node, n, nib);
        stack[top].node = s.node;
        stack[top].left = s.node->dirty;
    }
}

void tree_queue(struct state_trie *t, struct tree *tree) {
    switch (tree->root.kind) {
    case TSUB_EMPTY:
        tree->hash = KECCAK_EMPTY_TRIE;
        tree->hashed = true;
        break;
    case TSUB_LEAF:
        queue_leaf(t, tree, NULL, 0, tree->root.pending);
        tree->root.pending = TRIE_NO_INDEX;
        break;
    case TSUB_NODE:
        queue_below(t, tree, tree->root.node);
        break;
    }
}

/* --- results -------------------------------------------------------------------------------- */

/* `rlp` is the whole of what hangs in the slot, `hash` its digest. */
static void set_reference(const struct thash_job *job, bytes rlp, const hash32 *hash) {
    if (job->parent == NULL) {
        job->tree->hash = *hash; /* a root is hashed however short it is */
        job->tree->hashed = true;
        return;
    }
    struct tnode *p = job->parent;
    hash32 *ref = node_ref(p, job->nib);
    uint16_t bit = (uint16_t)(1u << job->nib);
    if (rlp.len < 32) {
        memset(ref, 0, sizeof *ref);
        memcpy(ref, rlp.ptr, rlp.len);
        p->emb |= bit;
    } else {
        *ref = *hash;
        p->emb = (uint16_t)(p->emb & ~bit);
    }
    p->dirty = (uint16_t)(p->dirty & ~bit);
}

static void hash_leaves(struct state_trie *t) {
    uint8_t rlp[CHUNK][TRIE_LEAF_RLP_MAX];
    bytes in[CHUNK];
    hash32 out[CHUNK];
    const struct thash_job *jobs[CHUNK];
    uint32_t at = t->leaf_head;
    while (at != TRIE_NO_INDEX) {
        size_t n = 0;
        for (; n < CHUNK && at != TRIE_NO_INDEX; n++) {
            const struct thash_job *j = jobs[n] = &t->jobs[at];
            const struct tpending *p = &t->pending[j->pending];
            size_t len =
                node_encode_leaf(rlp[n], p->key, j->from, bytes_of(p->value, p->value_len));
            in[n] = bytes_of(rlp[n], len);
            at = j->next;
            if (at != TRIE_NO_INDEX)
                __builtin_prefetch(t->jobs[at].parent);
        }
        keccak256_batch(out, in, n);
        for (size_t i = 0; i < n; i++)
            set_reference(jobs[i], in[i], &out[i]);
    }
    t->leaf_head = TRIE_NO_INDEX;
}

/* The branch is hashed; those with an extension before them get another node around. */
static void finish_branches(struct thash_job *const *jobs, const bytes *rlp, const hash32 *hashes,
                            size_t n) {
    uint8_t ext[CHUNK][TRIE_EXT_RLP_MAX];
    bytes in[CHUNK];
    hash32 out[CHUNK];
    size_t idx[CHUNK], count = 0;
    for (size_t i = 0; i < n; i++) {
        const struct tnode *node = jobs[i]->node;
        if (node->ext_len == 0) {
            set_reference(jobs[i], rlp[i], &hashes[i]);
            continue;
        }
        bytes ref = rlp[i].len < 32 ? rlp[i] : bytes_of(hashes[i].b, 32);
        in[count] =
            bytes_of(ext[count], node_encode_ext(ext[count], node_ext(node), node->ext_len, ref));
        idx[count++] = i;
    }
    if (count == 0)
        return;
    keccak256_batch(out, in, count);
    for (size_t k = 0; k < count; k++)
        set_reference(jobs[idx[k]], in[k], &out[k]);
}

static void hash_branches(struct thash_job *const *jobs, size_t n) {
    uint8_t rlp[CHUNK][RLP_STRIDE];
    bytes in[CHUNK];
    hash32 out[CHUNK];
    CHECK(n > 0);
    CHECK(n <= CHUNK);
    for (size_t i = 0; i < n; i++) {
        if (i + 2 < n)
            for (size_t line = 1; line < 9; line++)
                __builtin_prefetch((const uint8_t *)jobs[i + 2]->node + 64 * line);
        in[i] = bytes_of(rlp[i], node_encode_branch(rlp[i], jobs[i]->node));
    }
    keccak256_batch(out, in, n);
    finish_branches(jobs, in, out, n);
}

/* Jobs of one depth by the number of Keccak blocks of their branch. */
static size_t sort_depth(struct state_trie *t, uint32_t head) {
    size_t count[BLOCK_CLASSES + 1] = {0}, n = 0;
    for (uint32_t at = head; at != TRIE_NO_INDEX; at = t->jobs[at].next) {
        size_t c = node_branch_rlp_len(t->jobs[at].node) / 136;
        t->jobs[at].from = (uint8_t)(c < BLOCK_CLASSES ? c : BLOCK_CLASSES - 1);
        count[t->jobs[at].from + 1]++;
        n++;
    }
    for (size_t c = 1; c <= BLOCK_CLASSES; c++)
        count[c] += count[c - 1];
    t->sorted = trie_grow(t->sorted, &t->sorted_cap, sizeof(struct thash_job *), n);
    for (uint32_t at = head; at != TRIE_NO_INDEX; at = t->jobs[at].next)
        t->sorted[count[t->jobs[at].from]++] = &t->jobs[at];
    return n;
}

void trie_run_hashes(struct state_trie *t) {
    hash_leaves(t);
    for (size_t depth = TRIE_NIBBLES; depth-- > 0;) {
        if (t->job_head[depth] == TRIE_NO_INDEX)
            continue;
        size_t n = sort_depth(t, t->job_head[depth]);
        for (size_t i = 0; i < n; i += CHUNK)
            hash_branches(t->sorted + i, n - i < CHUNK ? n - i : CHUNK);
        t->job_head[depth] = TRIE_NO_INDEX;
    }
    t->job_count = t->pending_count = 0;
}

void tree_hash_root(struct state_trie *t, struct tree *tree) {
    if (tree->hashed)
        return;
    CHECK(t->job_count == 0);
    if (tree->root.kind == TSUB_LEAF) {
        CHECK(tree->root.leaf == NULL);
        t->pending = trie_grow(t->pending, &t->pending_cap, sizeof *t->pending, 1);
        t->pending[0] = trie_fetch_leaf(t, tree->id, 0);
        t->pending_count = 1;
        tree->root.pending = 0;
    }
    tree_queue(t, tree);
    trie_run_hashes(t);
    arena_reset(&t->scratch);
}
