/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the tries.
 *
 *   trie_node.c    encodings of leaf, extension and branch; packed nodes
 *   trie_mem.c     their memory
 *   trie_build.c   roots from sorted pairs
 *   trie.c         the state trie's public face: apply, root, rows
 *   trie_update.c  changes to the structure
 *   trie_hash.c    references of what changed, level by level
 *   trie_page.c    branch records, loading, dropping
 *   trie_low.c     branches without a record, from their leaves
 *   trie_proof.c   proofs
 *
 * Terms: a *slot* is one of a branch's sixteen places; what hangs there is a *sub*: nothing, a
 * leaf, or a *node*, which is a branch with the nibbles of the extension before it, if any. A
 * *reference* is what the parent's RLP holds: a hash, or the node itself when its RLP is shorter
 * than 32 bytes (embedded). *depth* counts nibbles from the root. */
#ifndef STATE_TRIE_INTERNAL_H
#define STATE_TRIE_INTERNAL_H

#include "base/array.h"
#include "base/check.h"
#include "base/crew.h"
#include "base/keccak.h"
#include "state/trie.h"
#include "state/trie_mem.h"

enum {
    TRIE_NIBBLES = 64,         /* of a secure key */
    TRIE_BRANCH_RLP_MAX = 532, /* 3 + 16 * 33 + 1 */
    TRIE_VALUE_MAX = 128,      /* account bodies are at most 110 bytes, slots 33 */
    TRIE_LEAF_RLP_MAX = 3 + 34 + 2 + TRIE_VALUE_MAX,
    TRIE_EXT_RLP_MAX = 1 + 34 + 33,
    TRIE_RECORD_HEAD = 10,
    TRIE_RECORD_MAX = TRIE_RECORD_HEAD + 16 * 32,
    TRIE_LEAVES_MAX = (1 << 27) - 1, /* a count that has come so far stays there */
    TRIE_NO_INDEX = UINT32_MAX,
    TRIE_PARTS = 16, /* by first nibble: nothing but branches of depth 0 has parts in common */
};

static inline unsigned key_nibble(const uint8_t *key, unsigned i) {
    return (i & 1) != 0 ? key[i / 2] & 15 : key[i / 2] >> 4;
}
/* Number of nibbles that two keys of 32 bytes share. */
unsigned key_common_nibbles(const uint8_t *a, const uint8_t *b);

/* --- encodings; each returns the length written --------------------------------------------- */

/* List header for a payload. */
size_t node_list_header(uint8_t *out, size_t payload_len);
/* Hex-prefix form of nibbles (one per byte) as an RLP string; at most count / 2 + 10 bytes. */
size_t node_put_path(uint8_t *out, const uint8_t *nibbles, size_t count, bool is_leaf);
size_t node_encode_leaf(uint8_t out[TRIE_LEAF_RLP_MAX], const uint8_t *key, unsigned from_nibble,
                        bytes value);
/* ref: an embedded node of less than 32 bytes, or a hash of 32. */
size_t node_encode_ext(uint8_t out[TRIE_EXT_RLP_MAX], const uint8_t *nibbles, size_t count,
                       bytes ref);

/* --- packed nodes --------------------------------------------------------------------------- */

/* A branch in RAM. After the header: a pointer per slot of `kid`, next to the header because the
 * way down reads no more than these two; then a reference of 32 bytes per present slot (an embedded
 * one begins with its list header, which tells its length; a dirty slot's holds the index that its
 * tsub has instead), then ext_len nibbles. */
struct tnode {
    uint16_t mask;        /* slots present */
    uint16_t branch;      /* of these, nodes; the rest are leaves */
    uint16_t kid;         /* of these, in RAM: struct tnode, or struct tleaf without a source */
    uint16_t emb;         /* of these, embedded */
    uint16_t dirty;       /* of these, reference to be computed */
    uint16_t depth : 6;   /* of the branch itself */
    uint16_t ext_len : 6; /* nibbles between the slot that it hangs in and `depth` */
    uint16_t used : 1;    /* since the clock hand passed */
    uint16_t changed : 1; /* the record differs from the stored one */
    uint16_t stored : 1;  /* a record is stored */
    uint32_t size_class : 5;
    uint32_t leaves : 27; /* below */
    _Alignas(8) uint8_t data[];
};

/* A leaf in RAM: only in a trie without a source. */
struct tleaf {
    hash32 key;
    uint8_t size_class;
    uint8_t value_len;
    uint8_t value[];
};

/* Without the POPCNT instruction, which not all builds may use, this beats a call into libgcc. */
static inline unsigned popcount16(unsigned x) {
    x = x - ((x >> 1) & 0x5555u);
    x = (x & 0x3333u) + ((x >> 2) & 0x3333u);
    x = (x + (x >> 4)) & 0x0f0fu;
    return (x + (x >> 8)) & 0x1fu;
}
static inline unsigned slot_pos(uint16_t mask, unsigned nib) {
    return popcount16(mask & ((1u << nib) - 1));
}
static inline bool has_bit(uint16_t mask, unsigned nib) {
    return ((mask >> nib) & 1) != 0;
}
static inline void **node_kids(const struct tnode *n) {
    return (void **)(uintptr_t)n->data;
}
static inline hash32 *node_refs(const struct tnode *n) {
    return (hash32 *)(node_kids(n) + popcount16(n->kid));
}
static inline uint8_t *node_ext(const struct tnode *n) {
    return (uint8_t *)(node_refs(n) + popcount16(n->mask));
}
static inline hash32 *node_ref(const struct tnode *n, unsigned nib) {
    return node_refs(n) + slot_pos(n->mask, nib);
}
static inline void *node_kid(const struct tnode *n, unsigned nib) {
    return has_bit(n->kid, nib) ? node_kids(n)[slot_pos(n->kid, nib)] : NULL;
}
/* The slot's reference as it stands in the parent's RLP, without a hash's header. */
static inline bytes node_ref_bytes(const struct tnode *n, unsigned nib) {
    const hash32 *r = node_ref(n, nib);
    return bytes_of(r->b, has_bit(n->emb, nib) ? (size_t)(r->b[0] - 0xc0) + 1 : 32);
}
/* Nibbles of the node's extension that the key has too. */
static inline unsigned node_shared_ext(const struct tnode *n, const uint8_t *key) {
    const uint8_t *ext = node_ext(n);
    unsigned from = (unsigned)n->depth - n->ext_len, i = 0;
    while (i < n->ext_len && ext[i] == key_nibble(key, from + i))
        i++;
    return i;
}
size_t node_branch_rlp_len(const struct tnode *n);
/* Needs all references. */
size_t node_encode_branch(uint8_t out[TRIE_BRANCH_RLP_MAX], const struct tnode *n);

struct tleaf *tleaf_new(struct tmem *m, const uint8_t *key, bytes value);
void tleaf_free(struct tmem *m, struct tleaf *l);
struct tnode *tnode_new(struct tmem *m, unsigned depth, const uint8_t *ext, size_t ext_len);
void tnode_free(struct tmem *m, struct tnode *n);

/* What hangs in a slot or at a root. */
enum tsub_kind { TSUB_EMPTY, TSUB_LEAF, TSUB_NODE };
struct tsub {
    enum tsub_kind kind;
    struct tnode *node; /* TSUB_NODE: NULL when not in RAM */
    struct tleaf *leaf; /* TSUB_LEAF without a source */
    /* What waits to be hashed, or TRIE_NO_INDEX: a leaf's index in `pending`, a node's in `jobs`.
     */
    uint32_t pending;
};
static inline uint32_t tsub_leaves(const struct tsub *s) {
    return s->kind == TSUB_EMPTY ? 0 : s->kind == TSUB_LEAF ? 1 : s->node->leaves;
}
struct tsub tnode_get(const struct tnode *n, unsigned nib);
/* Puts `s` into the slot and marks it dirty; an empty one clears the slot. The node may move. */
struct tnode *tnode_set(struct tmem *m, struct tnode *n, unsigned nib,
                        const struct tsub *s) MUST_USE;
/* Only notes that the slot's node is in RAM (NULL: no longer). */
struct tnode *tnode_set_kid(struct tmem *m, struct tnode *n, unsigned nib,
                            struct tnode *kid) MUST_USE;
struct tnode *tnode_set_ext(struct tmem *m, struct tnode *n, const uint8_t *ext,
                            size_t ext_len) MUST_USE;

/* --- branch records ------------------------------------------------------------------------- */

/* mask u16 | nodes u16 | embedded u16 | leaves u32 (big-endian), then the references in slot order,
 * an embedded one in its own length. */
void trecord_put_head(uint8_t out[TRIE_RECORD_HEAD], uint16_t mask, uint16_t nodes,
                      uint16_t embedded, uint32_t leaves);
size_t trecord_encode(uint8_t out[TRIE_RECORD_MAX], const struct tnode *n);
/* CHECKs the form: records come from our own store. */
struct tnode *trecord_decode(struct tmem *m, bytes record, unsigned depth, const uint8_t *ext,
                             size_t ext_len);

/* --- the state trie ------------------------------------------------------------------------- */

/* One trie: the account trie (id 0) or the storage under a store id. */
struct tree {
    uint64_t id;
    struct tree *next;                  /* in its bucket */
    struct tree *ring_next, *ring_prev; /* all trees; the clock hand goes round */
    bool known;                         /* `root` says what is there; else it is with the source */
    bool hashed;                        /* `hash` is the root's */
    bool used;
    struct tsub root;
    hash32 hash;
};

/* A changed key. Sorted by key within a tree. */
struct titem {
    const uint8_t *key;   /* 32 bytes */
    const uint8_t *value; /* NULL: deleted */
    uint32_t value_len;
    bool existed; /* the key was in the trie before */
};

/* A leaf whose reference is to be computed. */
struct tpending {
    const uint8_t *key;
    const uint8_t *value;
    uint32_t value_len;
};

/* A node or leaf to be hashed. */
struct thash_job {
    struct tree *tree;  /* of a root, else NULL */
    struct tnode *node; /* NULL: a leaf */
    uint32_t
        parent;    /* job of the branch that it hangs in; TRIE_NO_INDEX: a root, or not yet known */
    uint32_t next; /* in its list */
    uint32_t index; /* of a leaf in `pending`; of a node's row, or TRIE_NO_INDEX */
    uint8_t nib;
    uint8_t from;   /* leaf: first nibble of its path */
    uint8_t blocks; /* node: about as many Keccak blocks, less one; orders those of a depth */
};

/* What a thread needs that hashes. */
struct thash_hand {
    struct thash_job **sorted; /* of one depth */
    size_t cap;
};

struct trow {
    uint64_t store_id;
    const uint8_t *path;
    struct tnode *node; /* NULL: deleted */
    uint8_t path_len;
};

/* A branch that the update is inside of. */
struct tframe {
    struct tnode *node;
    const struct tpending *extra; /* leaf that stood where this branch is now */
    uint32_t lo, hi;              /* items to come */
    uint32_t before;              /* leaves that were in the slot in work */
    uint8_t nib;                  /* slot in work */
};

struct state_trie {
    struct trie_source source;
    size_t budget_bytes;
    struct tmem mem;
    struct tree accounts;
    struct tree **buckets; /* storage trees by id */
    size_t bucket_count, tree_count;
    struct tree *hand;               /* of the clock: the tree it is in, */
    uint8_t hand_path[TRIE_NIBBLES]; /* and where there */
    uint8_t path[TRIE_NIBBLES + 1];
    struct tframe stack[TRIE_NIBBLES + 1];

    struct arena scratch; /* of one apply */
    struct titem *items;
    size_t item_cap;
    struct tpending *pending;
    size_t pending_count, pending_cap;
    struct thash_job *jobs;
    size_t job_count, job_cap;
    uint32_t node_head[TRIE_PARTS][TRIE_NIBBLES]; /* by depth; those of depth 0 in part 0 */
    uint32_t leaf_head[TRIE_PARTS];
    struct crew *crew;                       /* that shares in hashing; NULL: none */
    size_t shared_jobs;                      /* fewer are hashed alone */
    struct thash_hand hands[CREW_HANDS_MAX]; /* of who hashes */

    struct arena row_arena; /* paths */
    struct trow *rows;
    size_t row_count, row_cap;
};

static inline bool trie_in_ram(const struct state_trie *t) {
    return t->source.ops == NULL;
}
void trie_add_row(struct state_trie *t, uint64_t store_id, const uint8_t *path, size_t path_len,
                  struct tnode *node);

/* trie_page.c */
struct tree *tree_get(struct state_trie *t, uint64_t id); /* made if absent, root not known */
struct tree *tree_find(const struct state_trie *t, uint64_t id); /* NULL: not in RAM */
/* Forgets what is in RAM; the tree itself ends. Not for the account tree. */
void tree_drop(struct state_trie *t, struct tree *tree);
/* Makes root.kind valid, and root.node too when it is a node. */
void tree_open(struct state_trie *t, struct tree *tree);
void trees_init(struct state_trie *t);
void trees_clear(struct state_trie *t);
/* The branch under path[0..len), which the source has a record or leaves of. It may come with
 * branches below it. */
struct tnode *tnode_load(struct state_trie *t, uint64_t id, size_t path_len);
void trie_free_subtree(struct state_trie *t, struct tnode *root);
/* The only leaf under path[0..len); copied into scratch. */
struct tpending trie_fetch_leaf(struct state_trie *t, uint64_t id, size_t path_len);
/* Adds deletes for all stored records of a storage trie. */
void tree_delete_rows(struct state_trie *t, uint64_t id);

/* trie_low.c: what the source's leaves under path[0..len) make, when no branch there has a record:
 * TSUB_LEAF for a single one. */
struct tsub trie_load_low(struct state_trie *t, uint64_t id, size_t path_len);

/* trie_update.c: applies items (sorted, distinct) to the tree's structure, and queues what that
 * leaves to be hashed, the root included. */
void tree_update(struct state_trie *t, struct tree *tree, const struct titem *items, size_t count);
/* trie_hash.c */
/* Queues a branch at t->path that is as it will be, with its dirty leaves and its row. Its dirty
 * branches were queued before. Returns the job. */
uint32_t trie_queue_node(struct state_trie *t, uint64_t id, struct tnode *n);
/* The queued node has moved in memory. */
void trie_node_moved(struct state_trie *t, uint32_t job, struct tnode *n);
/* Queues the root, if its branch was not queued yet. */
void tree_queue_root(struct state_trie *t, struct tree *tree);
/* Computes all that was queued. */
void trie_run_hashes(struct state_trie *t);
void tree_hash_root(struct state_trie *t, struct tree *tree); /* of a clean tree, opened */

#endif
