/* SPDX-License-Identifier: Apache-2.0 */
/* References of what an update left dirty. An update queues each branch when it is done with it,
 * all trees of a step one after the other; then leaves are hashed, then branches from the deepest
 * up, each depth in one go, those of equal length in Keccak blocks side by side. Of a large update
 * each thread of the crew does so for some first nibbles; branches of depth 0 come last. */
#include "state/trie_internal.h"

enum {
    CHUNK = 8, /* as many as the widest Keccak takes at once */
    BLOCK_CLASSES = 4,
    RLP_STRIDE = 544,
    KECCAK_BLOCK = 136,
    CACHE_LINE = 64,
};

/* --- queueing ------------------------------------------------------------------------------- */

static uint32_t add_job(struct state_trie *t, const struct thash_job *job) {
    t->jobs = array_grow(t->jobs, &t->job_cap, sizeof *t->jobs, t->job_count + 1);
    CHECK(t->job_count < TRIE_NO_INDEX);
    t->jobs[t->job_count] = *job;
    return (uint32_t)t->job_count++;
}

/* The index of the row that the node becomes, if it does. */
static uint32_t queue_row(struct state_trie *t, uint64_t id, struct tnode *n) {
    bool low = n->leaves <= TRIE_LOW_LEAVES;
    if (n->changed && !low) {
        trie_add_row(t, id, t->path, n->depth, n);
        return (uint32_t)(t->row_count - 1);
    }
    if (n->stored && low) {
        trie_add_row(t, id, t->path, n->depth, NULL);
        n->stored = false;
    }
    return TRIE_NO_INDEX;
}

static void queue_leaf(struct state_trie *t, struct tree *tree, uint32_t parent, unsigned nib,
                       unsigned from, uint32_t pending) {
    CHECK(pending < t->pending_count);
    uint32_t *head = &t->leaf_head[key_nibble(t->pending[pending].key, 0)];
    struct thash_job job = {.tree = tree,
                            .parent = parent,
                            .nib = (uint8_t)nib,
                            .index = pending,
                            .from = (uint8_t)from,
                            .next = *head};
    *head = add_job(t, &job);
}

/* `first`: nibble that its path begins with. */
static uint32_t add_node(struct state_trie *t, struct tnode *n, unsigned first, uint32_t row) {
    uint32_t *head = &t->node_head[n->depth == 0 ? 0 : first][n->depth];
    /* Embedded references are rare and may yet change: the order need not be exact. */
    unsigned blocks = (20 + 32 * popcount16(n->mask)) / KECCAK_BLOCK;
    struct thash_job job = {
        .node = n, .parent = TRIE_NO_INDEX, .index = row, .blocks = (uint8_t)blocks, .next = *head};
    return *head = add_job(t, &job);
}

uint32_t trie_queue_node(struct state_trie *t, uint64_t id, struct tnode *n) {
    uint32_t own = add_node(t, n, t->path[0], trie_in_ram(t) ? TRIE_NO_INDEX : queue_row(t, id, n));
    n->changed = false;
    for (unsigned left = n->dirty; left != 0; left &= left - 1) {
        unsigned nib = (unsigned)__builtin_ctz(left);
        struct tsub s = tnode_get(n, nib);
        if (s.kind == TSUB_LEAF) {
            queue_leaf(t, NULL, own, nib, n->depth + 1u, s.pending);
            continue;
        }
        /* Not queued: it got another extension and is else as it was. */
        uint32_t below = s.pending;
        if (below == TRIE_NO_INDEX)
            below = add_node(t, s.node, n->depth == 0 ? nib : t->path[0], TRIE_NO_INDEX);
        CHECK(below < t->job_count);
        t->jobs[below].parent = own;
        t->jobs[below].nib = (uint8_t)nib;
    }
    return own;
}

void trie_node_moved(struct state_trie *t, uint32_t job, struct tnode *n) {
    CHECK(job < t->job_count);
    t->jobs[job].node = n;
    if (t->jobs[job].index != TRIE_NO_INDEX)
        t->rows[t->jobs[job].index].node = n;
}

void tree_queue_root(struct state_trie *t, struct tree *tree) {
    struct tsub *root = &tree->root;
    switch (root->kind) {
    case TSUB_EMPTY:
        tree->hash = KECCAK_EMPTY_TRIE;
        tree->hashed = true;
        break;
    case TSUB_LEAF:
        queue_leaf(t, tree, TRIE_NO_INDEX, 0, 0, root->pending);
        break;
    case TSUB_NODE:
        if (root->pending == TRIE_NO_INDEX)
            root->pending = add_node(
                t, root->node, root->node->ext_len == 0 ? 0 : *node_ext(root->node), TRIE_NO_INDEX);
        t->jobs[root->pending].tree = tree;
        break;
    }
    root->pending = TRIE_NO_INDEX;
}

/* --- results -------------------------------------------------------------------------------- */

/* Branches of depth 0 are the parents of several parts. */
static void set_bit(const struct tnode *n, uint16_t *mask, unsigned nib, bool on) {
    uint16_t bit = (uint16_t)(1u << nib);
    if (n->depth > 0)
        *mask = (uint16_t)(on ? *mask | bit : *mask & ~bit);
    else if (on)
        (void)__atomic_fetch_or(mask, bit, __ATOMIC_RELAXED);
    else
        (void)__atomic_fetch_and(mask, (uint16_t)~bit, __ATOMIC_RELAXED);
}

/* `rlp` is the whole of what hangs in the slot, `hash` its digest. */
static void set_reference(struct state_trie *t, const struct thash_job *job, bytes rlp,
                          const hash32 *hash) {
    if (job->tree != NULL) {
        job->tree->hash = *hash; /* a root is hashed however short it is */
        job->tree->hashed = true;
        return;
    }
    CHECK(job->parent < t->job_count);
    struct tnode *p = t->jobs[job->parent].node;
    hash32 *ref = node_ref(p, job->nib);
    bool embedded = rlp.len < 32;
    if (embedded) {
        memset(ref, 0, sizeof *ref);
        memcpy(ref, rlp.ptr, rlp.len);
    } else {
        *ref = *hash;
    }
    set_bit(p, &p->emb, job->nib, embedded);
    set_bit(p, &p->dirty, job->nib, false);
}

static void hash_chunk(struct state_trie *t, const struct thash_job *const *jobs, size_t n) {
    uint8_t rlp[CHUNK][TRIE_LEAF_RLP_MAX];
    bytes in[CHUNK] = {{0}};
    hash32 out[CHUNK];
    for (size_t i = 0; i < n; i++) {
        const struct tpending *p = &t->pending[jobs[i]->index];
        in[i] = bytes_of(rlp[i], node_encode_leaf(rlp[i], p->key, jobs[i]->from,
                                                  bytes_of(p->value, p->value_len)));
        if (jobs[i]->tree == NULL)
            __builtin_prefetch(t->jobs[jobs[i]->parent].node);
    }
    keccak256_batch(out, in, n);
    for (size_t i = 0; i < n; i++)
        set_reference(t, jobs[i], in[i], &out[i]);
}

/* Those of parts [first, end). */
static void hash_leaves(struct state_trie *t, size_t first, size_t end) {
    const struct thash_job *jobs[CHUNK];
    size_t n = 0;
    for (size_t part = first; part < end; part++) {
        for (uint32_t at = t->leaf_head[part]; at != TRIE_NO_INDEX; at = t->jobs[at].next) {
            jobs[n++] = &t->jobs[at];
            if (n == CHUNK) {
                hash_chunk(t, jobs, n);
                n = 0;
            }
        }
        t->leaf_head[part] = TRIE_NO_INDEX;
    }
    if (n > 0)
        hash_chunk(t, jobs, n);
}

/* The branch is hashed; those with an extension before them get another node around. */
static void finish_branches(struct state_trie *t, struct thash_job *const *jobs, const bytes *rlp,
                            const hash32 *hashes, size_t n) {
    uint8_t ext[CHUNK][TRIE_EXT_RLP_MAX];
    bytes in[CHUNK];
    hash32 out[CHUNK];
    size_t idx[CHUNK], count = 0;
    for (size_t i = 0; i < n; i++) {
        const struct tnode *node = jobs[i]->node;
        if (node->ext_len == 0) {
            set_reference(t, jobs[i], rlp[i], &hashes[i]);
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
        set_reference(t, jobs[idx[k]], in[k], &out[k]);
}

/* A node has a reference of 32 bytes and up to a pointer of 8 per slot. */
static void prefetch_node(const struct thash_job *job) {
    size_t len = (size_t)(job->blocks + 1) * (KECCAK_BLOCK + KECCAK_BLOCK / 4);
    for (size_t at = 0; at < len; at += CACHE_LINE)
        __builtin_prefetch((const uint8_t *)job->node + at);
}

/* Jobs [from, to) of the `count` of one depth. Those that come next are on their way from memory
 * while these are hashed. */
static void hash_branches(struct state_trie *t, struct thash_job *const *sorted, size_t from,
                          size_t to, size_t count) {
    uint8_t rlp[CHUNK][RLP_STRIDE];
    bytes in[CHUNK];
    hash32 out[CHUNK];
    struct thash_job *const *jobs = sorted + from;
    size_t n = to - from;
    CHECK(n > 0);
    CHECK(n <= CHUNK);
    for (size_t i = 0; i < n; i++)
        in[i] = bytes_of(rlp[i], node_encode_branch(rlp[i], jobs[i]->node));
    for (size_t i = to + CHUNK; i < count && i < to + 2 * CHUNK; i++)
        prefetch_node(sorted[i]);
    keccak256_batch(out, in, n);
    finish_branches(t, jobs, in, out, n);
}

/* Jobs of one depth in parts [first, end) by the number of Keccak blocks of their branch. */
static size_t sort_depth(struct state_trie *t, struct thash_hand *hand, size_t first, size_t end,
                         size_t depth) {
    size_t count[BLOCK_CLASSES + 1] = {0}, n = 0;
    for (size_t part = first; part < end; part++) {
        uint32_t at = t->node_head[part][depth];
        for (; at != TRIE_NO_INDEX; at = t->jobs[at].next) {
            CHECK(t->jobs[at].blocks < BLOCK_CLASSES);
            count[t->jobs[at].blocks + 1]++;
            n++;
        }
    }
    if (n == 0)
        return 0;
    for (size_t c = 1; c <= BLOCK_CLASSES; c++)
        count[c] += count[c - 1];
    hand->sorted = array_grow(hand->sorted, &hand->cap, sizeof(struct thash_job *), n);
    for (size_t part = first; part < end; part++) {
        uint32_t at = t->node_head[part][depth];
        for (; at != TRIE_NO_INDEX; at = t->jobs[at].next)
            hand->sorted[count[t->jobs[at].blocks]++] = &t->jobs[at];
        t->node_head[part][depth] = TRIE_NO_INDEX;
    }
    return n;
}

static void hash_depth(struct state_trie *t, struct thash_hand *hand, size_t first, size_t end,
                       size_t depth) {
    size_t n = sort_depth(t, hand, first, end, depth);
    for (size_t i = 0; i < n && i < 2 * CHUNK; i++)
        prefetch_node(hand->sorted[i]);
    for (size_t i = 0; i < n; i += CHUNK)
        hash_branches(t, hand->sorted, i, n - i < CHUNK ? n : i + CHUNK, n);
}

struct shared {
    struct state_trie *t;
    size_t hands;
};

static void hash_share(void *ctx, size_t i) {
    const struct shared *s = ctx;
    size_t first = TRIE_PARTS * i / s->hands, end = TRIE_PARTS * (i + 1) / s->hands;
    hash_leaves(s->t, first, end);
    for (size_t depth = TRIE_NIBBLES; depth-- > 1;)
        hash_depth(s->t, &s->t->hands[i], first, end, depth);
}

void trie_run_hashes(struct state_trie *t) {
    struct shared s = {t, t->job_count < t->shared_jobs ? 1 : crew_hands(t->crew)};
    crew_run(t->crew, hash_share, &s, s.hands);
    hash_depth(t, &t->hands[0], 0, 1, 0);
    t->job_count = t->pending_count = 0;
}

void tree_hash_root(struct state_trie *t, struct tree *tree) {
    if (tree->hashed)
        return;
    CHECK(t->job_count == 0);
    if (tree->root.kind == TSUB_LEAF) {
        CHECK(tree->root.leaf == NULL);
        t->pending = array_grow(t->pending, &t->pending_cap, sizeof *t->pending, 1);
        t->pending[0] = trie_fetch_leaf(t, tree->id, 0);
        t->pending_count = 1;
        tree->root.pending = 0;
    }
    tree_queue_root(t, tree);
    trie_run_hashes(t);
    arena_reset(&t->scratch);
}
