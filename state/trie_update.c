/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the sorted changes, down to where they differ from what is there and up again. On
 * the way down, slots that get several keys become branches and extensions that a key leaves are
 * split; on the way up, branches that are left with one child are merged into it, and the others
 * are queued to be hashed. */
#include "state/trie_internal.h"

enum { WARM_KEYS = 64 };

struct update {
    struct state_trie *t;
    uint64_t id;
    const struct titem *items;
    size_t depth; /* frames on t->stack */
};

static uint32_t add_pending(struct state_trie *t, const struct tpending *p) {
    t->pending = array_grow(t->pending, &t->pending_cap, sizeof *t->pending, t->pending_count + 1);
    CHECK(t->pending_count < TRIE_NO_INDEX);
    t->pending[t->pending_count] = *p;
    return (uint32_t)t->pending_count++;
}

static struct tsub new_leaf(struct state_trie *t, const struct tpending *p) {
    struct tsub s = {.kind = TSUB_LEAF, .pending = add_pending(t, p)};
    if (trie_in_ram(t))
        s.leaf = tleaf_new(&t->mem, p->key, bytes_of(p->value, p->value_len));
    return s;
}

/* The leaf in a slot that was not changed yet. path[0..depth) leads to the slot. */
static struct tpending read_leaf(struct state_trie *t, uint64_t id, const struct tsub *s,
                                 size_t depth) {
    if (s->leaf == NULL)
        return trie_fetch_leaf(t, id, depth);
    uint8_t *copy = arena_alloc(&t->scratch, 32 + s->leaf->value_len);
    memcpy(copy, s->leaf->key.b, 32);
    memcpy(copy + 32, s->leaf->value, s->leaf->value_len);
    return (struct tpending){copy, copy + 32, s->leaf->value_len};
}

static void push_frame(struct update *u, struct tnode *n, uint32_t lo, uint32_t hi,
                       const struct tpending *extra) {
    CHECK(u->depth <= TRIE_NIBBLES);
    memcpy(u->t->path + n->depth - n->ext_len, node_ext(n), n->ext_len);
    u->t->stack[u->depth++] = (struct tframe){.node = n, .extra = extra, .lo = lo, .hi = hi};
}

/* --- entering a slot: each returns true if a frame was pushed, else the result is in *out --- */

/* An empty slot at `depth` gets the keys of items [lo, hi) and of the leaf that was there. */
static bool enter_empty(struct update *u, unsigned depth, uint32_t lo, uint32_t hi,
                        const struct tpending *extra, struct tsub *out) {
    const struct titem *it = u->items;
    while (lo < hi && it[lo].value == NULL)
        lo++;
    while (lo < hi && it[hi - 1].value == NULL)
        hi--;
    *out = (struct tsub){.kind = TSUB_EMPTY, .pending = TRIE_NO_INDEX};
    if (lo == hi) {
        if (extra != NULL)
            *out = new_leaf(u->t, extra);
        return false;
    }
    if (hi - lo == 1 && extra == NULL) {
        struct tpending p = {it[lo].key, it[lo].value, it[lo].value_len};
        *out = new_leaf(u->t, &p);
        return false;
    }
    const uint8_t *first = it[lo].key, *last = it[hi - 1].key;
    if (extra != NULL && memcmp(extra->key, first, 32) < 0)
        first = extra->key;
    if (extra != NULL && memcmp(extra->key, last, 32) > 0)
        last = extra->key;
    unsigned shared = key_common_nibbles(first, last);
    CHECK(shared >= depth);
    CHECK(shared < TRIE_NIBBLES);
    uint8_t ext[TRIE_NIBBLES];
    for (unsigned i = depth; i < shared; i++)
        ext[i - depth] = (uint8_t)key_nibble(first, i);
    push_frame(u, tnode_new(&u->t->mem, shared, ext, shared - depth), lo, hi, extra);
    return true;
}

/* If one of the changed keys was in the trie before, it is this leaf. */
static bool enter_leaf(struct update *u, const struct tsub *s, unsigned depth, uint32_t lo,
                       uint32_t hi, struct tsub *out) {
    struct tpending *extra = NULL;
    bool replaced = false;
    for (uint32_t i = lo; i < hi && !replaced; i++)
        replaced = u->items[i].existed;
    if (!replaced) {
        extra = arena_alloc(&u->t->scratch, sizeof *extra);
        *extra = read_leaf(u->t, u->id, s, depth);
        for (uint32_t i = lo; i < hi; i++)
            CHECK(memcmp(extra->key, u->items[i].key, 32) != 0);
    }
    if (s->leaf != NULL)
        tleaf_free(&u->t->mem, s->leaf);
    return enter_empty(u, depth, lo, hi, extra, out);
}

static bool enter_node(struct update *u, struct tnode *n, unsigned depth, uint32_t lo,
                       uint32_t hi) {
    struct state_trie *t = u->t;
    n->used = true;
    CHECK(n->depth == depth + n->ext_len);
    unsigned a = node_shared_ext(n, u->items[lo].key), b = node_shared_ext(n, u->items[hi - 1].key);
    unsigned shared = a < b ? a : b;
    if (shared < n->ext_len) {
        uint8_t ext[TRIE_NIBBLES];
        size_t len = n->ext_len;
        memcpy(ext, node_ext(n), len);
        struct tnode *upper = tnode_new(&t->mem, depth + shared, ext, shared);
        struct tsub lower = {.kind = TSUB_NODE, .pending = TRIE_NO_INDEX};
        lower.node = tnode_set_ext(&t->mem, n, ext + shared + 1, len - shared - 1);
        upper->leaves = lower.node->leaves;
        n = tnode_set(&t->mem, upper, ext[shared], &lower);
    }
    push_frame(u, n, lo, hi, NULL);
    return true;
}

static bool enter(struct update *u, const struct tsub *s, unsigned depth, uint32_t lo, uint32_t hi,
                  const struct tpending *extra, struct tsub *out) {
    switch (s->kind) {
    case TSUB_EMPTY:
        return enter_empty(u, depth, lo, hi, extra, out);
    case TSUB_LEAF:
        CHECK(extra == NULL);
        return enter_leaf(u, s, depth, lo, hi, out);
    case TSUB_NODE:
        CHECK(extra == NULL);
        return enter_node(u, s->node, depth, lo, hi);
    }
    CHECK(false);
    return false;
}

/* --- leaving a branch ----------------------------------------------------------------------- */

/* A branch with one child is none: the leaf below moves up, or the branch below gets a longer
 * extension. */
static struct tsub merge_only_child(struct update *u, struct tnode *n) {
    struct state_trie *t = u->t;
    unsigned nib = (unsigned)__builtin_ctz(n->mask);
    struct tsub s = tnode_get(n, nib);
    unsigned below = n->depth + 1u;
    t->path[n->depth] = (uint8_t)nib;
    if (s.kind == TSUB_LEAF) {
        if (s.pending == TRIE_NO_INDEX) {
            struct tpending p = read_leaf(t, u->id, &s, below);
            s.pending = add_pending(t, &p);
        }
        return s;
    }
    if (s.node == NULL)
        s.node = tnode_load(t, u->id, below);
    uint8_t ext[TRIE_NIBBLES];
    size_t len = n->ext_len;
    memcpy(ext, node_ext(n), len);
    ext[len++] = (uint8_t)nib;
    memcpy(ext + len, node_ext(s.node), s.node->ext_len);
    len += s.node->ext_len;
    s.node = tnode_set_ext(&t->mem, s.node, ext, len);
    if (s.pending != TRIE_NO_INDEX)
        trie_node_moved(t, s.pending, s.node);
    return s;
}

static struct tsub leave(struct update *u) {
    struct state_trie *t = u->t;
    struct tnode *n = t->stack[--u->depth].node;
    struct tsub out = {.kind = TSUB_NODE, .node = n, .pending = TRIE_NO_INDEX};
    if ((n->mask & (n->mask - 1)) != 0) {
        out.pending = trie_queue_node(t, u->id, n);
        return out;
    }
    out.kind = TSUB_EMPTY;
    out.node = NULL;
    if (n->stored)
        trie_add_row(t, u->id, t->path, n->depth, NULL);
    if (n->mask != 0)
        out = merge_only_child(u, n);
    tnode_free(&t->mem, n);
    return out;
}

/* The slot in work of the frame is done. */
static void set_slot(struct update *u, struct tframe *f, const struct tsub *s) {
    struct tnode *n = f->node = tnode_set(&u->t->mem, f->node, f->nib, s);
    uint64_t leaves = (uint64_t)n->leaves - f->before + tsub_leaves(s);
    if (n->leaves < TRIE_LEAVES_MAX)
        n->leaves =
            (uint32_t)(leaves < TRIE_LEAVES_MAX ? leaves : TRIE_LEAVES_MAX) & TRIE_LEAVES_MAX;
}

/* Enters the next slot of the top frame that has changes. */
static void next_slot(struct update *u) {
    struct state_trie *t = u->t;
    struct tframe *f = &t->stack[u->depth - 1];
    unsigned depth = f->node->depth;
    unsigned item_nib = f->lo < f->hi ? key_nibble(u->items[f->lo].key, depth) : 16;
    unsigned extra_nib = f->extra != NULL ? key_nibble(f->extra->key, depth) : 16;
    unsigned nib = item_nib < extra_nib ? item_nib : extra_nib;
    uint32_t lo = f->lo, hi = lo;
    while (hi < f->hi && key_nibble(u->items[hi].key, depth) == nib)
        hi++;
    const struct tpending *extra = nib == extra_nib ? f->extra : NULL;
    f->lo = hi;
    if (extra != NULL)
        f->extra = NULL;
    f->nib = (uint8_t)nib;
    t->path[depth] = (uint8_t)nib;
    struct tsub s = tnode_get(f->node, nib), out;
    if (s.kind == TSUB_NODE && s.node == NULL)
        s.node = tnode_load(t, u->id, depth + 1);
    f->before = tsub_leaves(&s);
    if (!enter(u, &s, depth + 1, lo, hi, extra, &out))
        set_slot(u, f, &out);
}

/* Asks for the nodes on the ways to all keys at once, so that the misses of different keys overlap
 * instead of following one another. Changes nothing. ends[i]: the last node on the way to key i. */
static void warm_nodes(const struct tnode **ends, struct tnode *root, const struct titem *items,
                       size_t count) {
    const struct tnode *cur[WARM_KEYS];
    size_t live = count;
    for (size_t i = 0; i < count; i++)
        cur[i] = ends[i] = root;
    while (live > 0) {
        live = 0;
        for (size_t i = 0; i < count; i++) {
            const struct tnode *n = cur[i];
            if (n == NULL)
                continue;
            ends[i] = n;
            unsigned nib = key_nibble(items[i].key, n->depth);
            __builtin_prefetch(node_ref(n, nib), 1); /* it will be dirty */
            cur[i] = has_bit(n->branch, nib) ? node_kid(n, nib) : NULL;
            if (cur[i] == NULL)
                continue;
            for (size_t line = 0; line < 4; line++)
                __builtin_prefetch((const uint8_t *)cur[i] + 64 * line);
            live++;
        }
    }
}

/* Tells the source of the leaves that new keys will move. */
static void warm_leaves(const struct state_trie *t, uint64_t id, const struct tnode *const *ends,
                        const struct titem *items, size_t count) {
    const uint8_t *keys[TRIE_EXPECT];
    size_t n = 0;
    if (trie_in_ram(t) || t->source.ops->expect_leaves == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        const struct tnode *end = ends[i];
        unsigned nib = key_nibble(items[i].key, end->depth);
        if (items[i].existed || !has_bit(end->mask, nib) || has_bit(end->branch, nib))
            continue;
        keys[n++] = items[i].key;
        if (n == TRIE_EXPECT) {
            t->source.ops->expect_leaves(t->source.ctx, id, keys, n);
            n = 0;
        }
    }
    if (n > 0)
        t->source.ops->expect_leaves(t->source.ctx, id, keys, n);
}

static void warm_keys(const struct state_trie *t, const struct tree *tree,
                      const struct titem *items, size_t count) {
    const struct tnode *ends[WARM_KEYS];
    if (tree->root.kind != TSUB_NODE || tree->root.node == NULL)
        return;
    for (size_t i = 0; i < count; i += WARM_KEYS) {
        size_t n = count - i < WARM_KEYS ? count - i : WARM_KEYS;
        warm_nodes(ends, tree->root.node, items + i, n);
        warm_leaves(t, tree->id, ends, items + i, n);
    }
}

void tree_update(struct state_trie *t, struct tree *tree, const struct titem *items, size_t count) {
    if (count == 0)
        return;
    CHECK(count < UINT32_MAX);
    tree_open(t, tree);
    struct update u = {.t = t, .id = tree->id, .items = items};
    warm_keys(t, tree, items, count);
    struct tsub root = tree->root, out;
    tree->hashed = false;
    tree->used = true;
    bool inside = enter(&u, &root, 0, 0, (uint32_t)count, NULL, &out);
    while (inside) {
        struct tframe *f = &t->stack[u.depth - 1];
        if (f->lo < f->hi || f->extra != NULL) {
            next_slot(&u);
            continue;
        }
        out = leave(&u);
        if (u.depth == 0)
            break;
        set_slot(&u, &t->stack[u.depth - 1], &out);
    }
    tree->root = out;
    tree_queue_root(t, tree);
}
