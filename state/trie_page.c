/* SPDX-License-Identifier: Apache-2.0 */
#include "state/trie_internal.h"

#include <stdlib.h>

enum {
    BUCKETS_MIN = 64,
    SWEEP_NODES = 512, /* visited per step of the clock hand */
};

/* --- the trees ------------------------------------------------------------------------------ */

static size_t bucket_of(const struct state_trie *t, uint64_t id) {
    return (size_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (t->bucket_count - 1);
}

/* With a source it is not known what is in a tree before it is asked; in RAM alone a new tree is
 * empty. */
static void tree_init(const struct state_trie *t, struct tree *tree, uint64_t id) {
    *tree = (struct tree){.id = id,
                          .known = trie_in_ram(t),
                          .hashed = trie_in_ram(t),
                          .used = true,
                          .root = {.kind = TSUB_EMPTY, .pending = TRIE_NO_INDEX},
                          .hash = KECCAK_EMPTY_TRIE};
}

void trees_init(struct state_trie *t) {
    t->bucket_count = BUCKETS_MIN;
    t->buckets = calloc(t->bucket_count, sizeof(struct tree *));
    CHECK(t->buckets != NULL);
    tree_init(t, &t->accounts, 0);
    t->accounts.ring_next = t->accounts.ring_prev = &t->accounts;
    t->hand = &t->accounts;
    memset(t->hand_path, 0, sizeof t->hand_path);
}

void trees_clear(struct state_trie *t) {
    tmem_clear(&t->mem);
    for (struct tree *tree = t->accounts.ring_next; tree != &t->accounts;) {
        struct tree *next = tree->ring_next;
        free(tree);
        tree = next;
    }
    free(t->buckets);
    t->buckets = NULL;
    t->tree_count = 0;
}

static void buckets_grow(struct state_trie *t) {
    free(t->buckets);
    t->bucket_count *= 2;
    t->buckets = calloc(t->bucket_count, sizeof(struct tree *));
    CHECK(t->buckets != NULL);
    for (struct tree *tree = t->accounts.ring_next; tree != &t->accounts; tree = tree->ring_next) {
        size_t at = bucket_of(t, tree->id);
        tree->next = t->buckets[at];
        t->buckets[at] = tree;
    }
}

struct tree *tree_find(const struct state_trie *t, uint64_t id) {
    if (id == 0)
        return (struct tree *)&t->accounts;
    struct tree *tree = t->buckets[bucket_of(t, id)];
    while (tree != NULL && tree->id != id)
        tree = tree->next;
    return tree;
}

struct tree *tree_get(struct state_trie *t, uint64_t id) {
    struct tree *found = tree_find(t, id);
    if (found != NULL) {
        found->used = true;
        return found;
    }
    if (t->tree_count >= t->bucket_count)
        buckets_grow(t);
    struct tree *tree = malloc(sizeof *tree);
    CHECK(tree != NULL);
    tree_init(t, tree, id);
    size_t at = bucket_of(t, id);
    tree->next = t->buckets[at];
    t->buckets[at] = tree;
    tree->ring_prev = t->accounts.ring_prev;
    tree->ring_next = &t->accounts;
    tree->ring_prev->ring_next = tree;
    t->accounts.ring_prev = tree;
    t->tree_count++;
    return tree;
}

void trie_free_subtree(struct state_trie *t, struct tnode *root) {
    struct {
        struct tnode *node;
        unsigned left;
    } stack[TRIE_NIBBLES];
    size_t top = 0;
    stack[0].node = root;
    stack[0].left = root->kid;
    for (;;) {
        struct tnode *n = stack[top].node;
        if (stack[top].left == 0) {
            tnode_free(&t->mem, n);
            if (top-- == 0)
                return;
            continue;
        }
        unsigned nib = (unsigned)__builtin_ctz(stack[top].left);
        stack[top].left &= stack[top].left - 1;
        void *kid = node_kid(n, nib);
        if (!has_bit(n->branch, nib)) {
            tleaf_free(&t->mem, kid);
            continue;
        }
        top++;
        CHECK(top < TRIE_NIBBLES);
        stack[top].node = kid;
        stack[top].left = stack[top].node->kid;
    }
}

void tree_drop(struct state_trie *t, struct tree *tree) {
    CHECK(tree != &t->accounts);
    if (tree->root.kind == TSUB_NODE && tree->root.node != NULL)
        trie_free_subtree(t, tree->root.node);
    if (tree->root.kind == TSUB_LEAF && tree->root.leaf != NULL)
        tleaf_free(&t->mem, tree->root.leaf);
    if (t->hand == tree) {
        t->hand = tree->ring_next;
        memset(t->hand_path, 0, sizeof t->hand_path);
    }
    tree->ring_prev->ring_next = tree->ring_next;
    tree->ring_next->ring_prev = tree->ring_prev;
    struct tree **at = &t->buckets[bucket_of(t, tree->id)];
    while (*at != tree)
        at = &(*at)->next;
    *at = tree->next;
    t->tree_count--;
    free(tree);
}

/* --- the source ----------------------------------------------------------------------------- */

/* What hangs under path[0..len). */
static struct tsub load_sub(struct state_trie *t, uint64_t id, size_t path_len) {
    bytes path, record, prefix = bytes_of(t->path, path_len);
    CHECK(!trie_in_ram(t));
    if (!t->source.ops->branch(t->source.ctx, id, prefix, &path, &record))
        return trie_load_low(t, id, path_len);
    CHECK(path.len >= path_len);
    CHECK(path_len == 0 || memcmp(path.ptr, t->path, path_len) == 0);
    struct tsub s = {.kind = TSUB_NODE, .pending = TRIE_NO_INDEX};
    s.node = trecord_decode(&t->mem, record, (unsigned)path.len, path.ptr + path_len,
                            path.len - path_len);
    return s;
}

void tree_open(struct state_trie *t, struct tree *tree) {
    if (tree->known)
        return;
    tree->root = load_sub(t, tree->id, 0);
    tree->known = true;
    tree->hashed = false;
}

struct tnode *tnode_load(struct state_trie *t, uint64_t id, size_t path_len) {
    struct tsub s = load_sub(t, id, path_len);
    CHECK(s.kind == TSUB_NODE);
    return s.node;
}

struct tpending trie_fetch_leaf(struct state_trie *t, uint64_t id, size_t path_len) {
    hash32 key;
    bytes value;
    CHECK(!trie_in_ram(t));
    CHECK(t->source.ops->leaf(t->source.ctx, id, bytes_of(t->path, path_len), &key, &value));
    for (unsigned i = 0; i < path_len; i++)
        CHECK(key_nibble(key.b, i) == t->path[i]);
    CHECK(value.len > 0);
    CHECK(value.len <= TRIE_VALUE_MAX);
    uint8_t *copy = arena_alloc(&t->scratch, 32 + value.len);
    memcpy(copy, key.b, 32);
    memcpy(copy + 32, value.ptr, value.len);
    return (struct tpending){copy, copy + 32, (uint32_t)value.len};
}

void trie_add_row(struct state_trie *t, uint64_t store_id, const uint8_t *path, size_t path_len,
                  struct tnode *node) {
    t->rows = array_grow(t->rows, &t->row_cap, sizeof *t->rows, t->row_count + 1);
    bytes copy = {NULL, 0};
    if (path_len > 0)
        copy = arena_copy(&t->row_arena, bytes_of(path, path_len));
    t->rows[t->row_count++] = (struct trow){
        .store_id = store_id, .path = copy.ptr, .node = node, .path_len = (uint8_t)path_len};
}

void tree_delete_rows(struct state_trie *t, uint64_t id) {
    struct {
        size_t len;    /* of the branch's path */
        unsigned left; /* slots with branches below */
    } stack[TRIE_NIBBLES + 1];
    size_t top = 0, prefix_len = 0;
    for (;;) {
        bytes path, record;
        bool found =
            t->source.ops->branch(t->source.ctx, id, bytes_of(t->path, prefix_len), &path, &record);
        if (found) {
            CHECK(path.len >= prefix_len);
            CHECK(path.len < TRIE_NIBBLES);
            CHECK(record.len >= TRIE_RECORD_HEAD);
            memcpy(t->path, path.ptr, path.len);
            trie_add_row(t, id, t->path, path.len, NULL);
            stack[top].len = path.len;
            stack[top++].left = (unsigned)(record.ptr[2] << 8 | record.ptr[3]);
        }
        while (top > 0 && stack[top - 1].left == 0)
            top--;
        if (top == 0)
            return;
        t->path[stack[top - 1].len] = (uint8_t)__builtin_ctz(stack[top - 1].left);
        stack[top - 1].left &= stack[top - 1].left - 1;
        prefix_len = stack[top - 1].len + 1;
    }
}

/* --- dropping what has not been used lately ------------------------------------------------- */

struct sweep {
    struct state_trie *t;
    struct tree *tree;
    struct {
        struct tnode *node;
        unsigned nib; /* next slot */
    } stack[TRIE_NIBBLES];
    size_t depth; /* frames */
    uint8_t path[TRIE_NIBBLES];
    size_t visited;
};

/* First slot to look at in a node whose path is path[0..n->depth), when all that is before `hand`
 * in the order of paths is done; 16 if that is all of it. */
static unsigned first_slot(const struct sweep *s, const struct tnode *n, const uint8_t *hand) {
    int c = memcmp(s->path, hand, n->depth);
    return c == 0 ? hand[n->depth] : c > 0 ? 0 : 16;
}

static void sweep_push(struct sweep *s, struct tnode *n, size_t slot_depth, const uint8_t *hand) {
    CHECK(s->depth < TRIE_NIBBLES);
    memcpy(s->path + slot_depth, node_ext(n), n->ext_len);
    s->stack[s->depth].node = n;
    s->stack[s->depth++].nib = first_slot(s, n, hand);
}

/* Takes the node in the top frame's slot out of RAM. */
static void sweep_evict(struct sweep *s, unsigned nib) {
    struct tnode *n = s->stack[s->depth - 1].node;
    tnode_free(&s->t->mem, node_kid(n, nib));
    struct tnode *moved = tnode_set_kid(&s->t->mem, n, nib, NULL);
    if (moved == n)
        return;
    s->stack[s->depth - 1].node = moved;
    if (s->depth == 1) {
        s->tree->root.node = moved;
    } else {
        struct tnode *parent = s->stack[s->depth - 2].node;
        node_kids(parent)[slot_pos(parent->kid, s->stack[s->depth - 2].nib)] = moved;
    }
}

/* Goes on through the tree at t->hand_path, children first; nodes that were not used since the last
 * time and have no children in RAM go. True when the tree's end is reached. */
static bool sweep_some(struct state_trie *t, struct tree *tree) {
    struct sweep s = {.t = t, .tree = tree};
    if (!tree->known || tree->root.kind != TSUB_NODE || tree->root.node == NULL)
        return true;
    sweep_push(&s, tree->root.node, 0, t->hand_path);
    while (s.depth > 0) {
        struct tnode *n = s.stack[s.depth - 1].node;
        unsigned nib = s.stack[s.depth - 1].nib;
        if (nib < 16 && s.visited >= SWEEP_NODES) {
            memset(t->hand_path, 0, sizeof t->hand_path);
            memcpy(t->hand_path, s.path, n->depth);
            t->hand_path[n->depth] = (uint8_t)nib;
            return false;
        }
        if (nib < 16) {
            struct tnode *kid = node_kid(n, nib);
            s.path[n->depth] = (uint8_t)nib;
            if (kid == NULL)
                s.stack[s.depth - 1].nib++;
            else
                sweep_push(&s, kid, n->depth + 1u, t->hand_path);
            continue;
        }
        s.depth--;
        s.visited++;
        bool evict = !n->used && n->kid == 0;
        n->used = false;
        if (s.depth == 0)
            break;
        unsigned at = s.stack[s.depth - 1].nib;
        if (evict)
            sweep_evict(&s, at);
        s.stack[s.depth - 1].nib = at + 1;
    }
    return true;
}

size_t state_trie_bytes(const struct state_trie *t) {
    return t->mem.live_bytes + t->tree_count * sizeof(struct tree);
}

size_t state_trie_held(const struct state_trie *t) {
    return t->mem.slabs.bytes + t->tree_count * sizeof(struct tree);
}

/* What is held never shrinks: by as much as it has passed the budget more is dropped, so that the
 * next block finds room in what is held. */
static size_t trim_target(const struct state_trie *t) {
    size_t held = state_trie_held(t), over = held > t->budget_bytes ? held - t->budget_bytes : 0;
    return over < t->budget_bytes / 2 ? t->budget_bytes - over : t->budget_bytes / 2;
}

void state_trie_trim(struct state_trie *t) {
    if (trie_in_ram(t))
        return;
    CHECK(t->row_count == 0);
    /* The hand comes to each tree at most twice: once to take the marks away, once more for what
     * they kept. */
    size_t trees_left = 2 * t->tree_count + 2, target = trim_target(t);
    while (state_trie_bytes(t) > target && trees_left > 0) {
        struct tree *tree = t->hand;
        if (tree != &t->accounts && !tree->used) {
            tree_drop(t, tree);
            trees_left--;
            continue;
        }
        if (!sweep_some(t, tree))
            continue;
        tree->used = false;
        t->hand = tree->ring_next;
        memset(t->hand_path, 0, sizeof t->hand_path);
        trees_left--;
    }
}
