/* SPDX-License-Identifier: Apache-2.0 */
/* Keys come in order, so at any time only the branches along the last key are open: a stack. A
 * branch is closed when a key arrives that leaves it. The length of a node is known before the
 * hashes in it are, so closed nodes are encoded with holes and hashed later, many at once, children
 * before parents. */
#include "state/trie_internal.h"

#include "base/rlp.h"

#include <stdlib.h>

enum {
    FLUSH_BYTES = 512 << 10, /* encoded nodes that may wait; fits the second-level cache */
    FLUSH_NODES = 4096,
    HASH_CHUNK = 64,
    BLOCK_CLASSES = 8, /* nodes of the same number of Keccak blocks are hashed side by side */
};

/* A reference: embedded (len < 32), a hash (32), or the index of a waiting node. */
struct bref {
    uint8_t len;
    bool waiting;
    union {
        uint8_t b[32];
        uint32_t node;
    };
};

struct open_branch {
    size_t depth; /* nibbles before its slot */
    uint16_t mask;
    struct bref child[16];
    size_t value_off, value_len; /* in mpt_builder.values; 0: no value */
};

struct waiting_node {
    size_t off, len; /* in mpt_builder.enc */
    size_t hole;     /* where in enc its hash goes; SIZE_MAX: nowhere yet */
    uint32_t level;  /* children have lower ones */
};

struct mpt_builder {
    bool any;     /* a key was added */
    uint8_t *key; /* nibbles of the last key, which is not placed yet */
    size_t key_len, key_cap;
    uint8_t *next_key; /* scratch for the key being added */
    size_t next_cap;
    struct buf value;  /* of the last key */
    struct buf values; /* of open branches, a stack */
    struct open_branch *open;
    size_t open_count, open_cap;
    struct buf enc;
    struct waiting_node *nodes;
    size_t node_count, node_cap;
    hash32 *hashes;
    size_t hash_cap;
    uint32_t *order;
    size_t order_cap;
    uint32_t max_level;
};

struct mpt_builder *mpt_builder_new(void) {
    struct mpt_builder *b = calloc(1, sizeof *b);
    CHECK(b != NULL);
    buf_init(&b->value, SIZE_MAX);
    buf_init(&b->values, SIZE_MAX);
    buf_init(&b->enc, SIZE_MAX);
    return b;
}

void mpt_builder_free(struct mpt_builder *b) {
    if (b == NULL)
        return;
    free(b->key);
    free(b->next_key);
    free(b->open);
    free(b->nodes);
    free(b->hashes);
    free(b->order);
    buf_clear(&b->value);
    buf_clear(&b->values);
    buf_clear(&b->enc);
    free(b);
}

void mpt_builder_begin(struct mpt_builder *b) {
    b->any = false;
    b->open_count = b->node_count = b->key_len = 0;
    b->max_level = 0;
    buf_reset(&b->value);
    buf_reset(&b->values);
    buf_reset(&b->enc);
}

/* --- hashing what waits --------------------------------------------------------------------- */

static uint32_t node_class(const struct waiting_node *n) {
    size_t blocks = n->len / 136;
    return n->level * BLOCK_CLASSES +
           (uint32_t)(blocks < BLOCK_CLASSES ? blocks : BLOCK_CLASSES - 1);
}

/* Indices by level, then number of blocks. */
static void order_nodes(struct mpt_builder *b) {
    size_t classes = ((size_t)b->max_level + 1) * BLOCK_CLASSES + 1;
    b->order = array_grow(b->order, &b->order_cap, sizeof *b->order, b->node_count + classes);
    uint32_t *at = b->order + b->node_count;
    memset(at, 0, classes * sizeof *at);
    for (size_t i = 0; i < b->node_count; i++)
        at[node_class(&b->nodes[i]) + 1]++;
    for (size_t c = 1; c < classes; c++)
        at[c] += at[c - 1];
    for (size_t i = 0; i < b->node_count; i++)
        b->order[at[node_class(&b->nodes[i])]++] = (uint32_t)i;
}

static void hash_chunk(struct mpt_builder *b, const uint32_t *idx, size_t n) {
    bytes in[HASH_CHUNK];
    hash32 out[HASH_CHUNK];
    CHECK(n > 0);
    CHECK(n <= HASH_CHUNK);
    for (size_t i = 0; i < n; i++)
        in[i] = bytes_of(b->enc.ptr + b->nodes[idx[i]].off, b->nodes[idx[i]].len);
    keccak256_batch(out, in, n);
    for (size_t i = 0; i < n; i++) {
        b->hashes[idx[i]] = out[i];
        if (b->nodes[idx[i]].hole != SIZE_MAX)
            memcpy(b->enc.ptr + b->nodes[idx[i]].hole, out[i].b, 32);
    }
}

static void flush(struct mpt_builder *b) {
    order_nodes(b);
    b->hashes = array_grow(b->hashes, &b->hash_cap, sizeof *b->hashes, b->node_count);
    for (size_t i = 0; i < b->node_count;) {
        uint32_t level = b->nodes[b->order[i]].level;
        size_t n = 1;
        while (n < HASH_CHUNK && i + n < b->node_count && b->nodes[b->order[i + n]].level == level)
            n++;
        hash_chunk(b, b->order + i, n);
        i += n;
    }
    for (size_t i = 0; i < b->open_count; i++)
        for (unsigned nib = 0; nib < 16; nib++) {
            struct bref *r = &b->open[i].child[nib];
            if (!has_bit(b->open[i].mask, nib) || !r->waiting)
                continue;
            hash32 h = b->hashes[r->node];
            *r = (struct bref){.len = 32};
            memcpy(r->b, h.b, 32);
        }
    b->node_count = 0;
    b->max_level = 0;
    buf_reset(&b->enc);
}

/* --- nodes: payload first, then the header in front of it ----------------------------------- */

enum { HEADER_ROOM = 9 };

static void put_payload_ref(struct mpt_builder *b, const struct bref *r, uint32_t *level) {
    if (r->waiting) {
        buf_append_byte(&b->enc, 0xa0);
        b->nodes[r->node].hole = b->enc.len;
        CHECK(buf_extend(&b->enc, 32) != NULL);
        if (b->nodes[r->node].level >= *level)
            *level = b->nodes[r->node].level + 1;
        return;
    }
    if (r->len == 32)
        buf_append_byte(&b->enc, 0xa0);
    buf_append(&b->enc, r->b, r->len);
}

static void put_payload_path(struct mpt_builder *b, const uint8_t *nibbles, size_t count,
                             bool is_leaf) {
    uint8_t *p = buf_extend(&b->enc, count / 2 + 10);
    CHECK(p != NULL);
    size_t n = node_put_path(p, nibbles, count, is_leaf);
    b->enc.len -= count / 2 + 10 - n;
}

/* Where a node begins; room for its list header is left. */
static size_t node_begin(struct mpt_builder *b) {
    size_t start = b->enc.len;
    CHECK(buf_extend(&b->enc, HEADER_ROOM) != NULL);
    return start;
}

/* The header goes right before the payload, so that holes stay where they are. */
static struct bref node_end(struct mpt_builder *b, size_t start, uint32_t level) {
    size_t payload = b->enc.len - start - HEADER_ROOM;
    uint8_t h[HEADER_ROOM];
    size_t n = node_list_header(h, payload);
    size_t off = start + HEADER_ROOM - n;
    memcpy(b->enc.ptr + off, h, n);
    struct bref r = {.len = (uint8_t)(n + payload < 32 ? n + payload : 32)};
    if (n + payload < 32) {
        memcpy(r.b, b->enc.ptr + off, n + payload);
        b->enc.len = start;
        return r;
    }
    b->nodes = array_grow(b->nodes, &b->node_cap, sizeof *b->nodes, b->node_count + 1);
    r.waiting = true;
    r.node = (uint32_t)b->node_count;
    if (level > b->max_level)
        b->max_level = level;
    b->nodes[b->node_count++] =
        (struct waiting_node){.off = off, .len = n + payload, .hole = SIZE_MAX, .level = level};
    return r;
}

static struct bref make_leaf(struct mpt_builder *b, size_t from) {
    size_t start = node_begin(b);
    put_payload_path(b, b->key + from, b->key_len - from, true);
    rlp_put_bytes(&b->enc, b->value.ptr, b->value.len);
    return node_end(b, start, 0);
}

static struct bref make_ext(struct mpt_builder *b, size_t from, size_t to, const struct bref *ref) {
    size_t start = node_begin(b);
    uint32_t level = 0;
    put_payload_path(b, b->key + from, to - from, false);
    put_payload_ref(b, ref, &level);
    return node_end(b, start, level);
}

static struct bref make_branch(struct mpt_builder *b, const struct open_branch *o) {
    size_t start = node_begin(b);
    uint32_t level = 0;
    for (unsigned nib = 0; nib < 16; nib++) {
        if (has_bit(o->mask, nib))
            put_payload_ref(b, &o->child[nib], &level);
        else
            buf_append_byte(&b->enc, 0x80);
    }
    const uint8_t *value = o->value_len == 0 ? NULL : b->values.ptr + o->value_off;
    rlp_put_bytes(&b->enc, value, o->value_len);
    return node_end(b, start, level);
}

/* --- the stack ------------------------------------------------------------------------------ */

static struct open_branch *push_branch(struct mpt_builder *b, size_t depth) {
    b->open = array_grow(b->open, &b->open_cap, sizeof *b->open, b->open_count + 1);
    struct open_branch *o = &b->open[b->open_count++];
    *o = (struct open_branch){.depth = depth, .value_off = b->values.len};
    return o;
}

/* The branch at `depth`, which is the top of the stack or above it. */
static struct open_branch *branch_at(struct mpt_builder *b, size_t depth) {
    if (b->open_count == 0 || b->open[b->open_count - 1].depth < depth)
        return push_branch(b, depth);
    return &b->open[b->open_count - 1];
}

static void set_child(struct open_branch *o, unsigned nib, const struct bref *r) {
    CHECK(!has_bit(o->mask, nib));
    o->mask = (uint16_t)(o->mask | 1u << nib);
    o->child[nib] = *r;
}

/* Depth of the branch below the top that is or will be the top's parent; `shared` is a lower bound.
 */
static size_t parent_depth(const struct mpt_builder *b, size_t shared) {
    size_t below = b->open_count >= 2 ? b->open[b->open_count - 2].depth : 0;
    return below > shared ? below : shared;
}

static void place_last_key(struct mpt_builder *b, size_t shared) {
    struct open_branch *o = branch_at(b, shared);
    if (o->depth == b->key_len) {
        o->value_len = b->value.len;
        buf_append(&b->values, b->value.ptr, b->value.len);
        return;
    }
    struct bref r = make_leaf(b, o->depth + 1);
    set_child(o, b->key[o->depth], &r);
}

/* Closes the top branch; it becomes a child of the branch at `to`, which is opened if need be. */
static void close_into(struct mpt_builder *b, size_t to) {
    const struct open_branch *top = &b->open[b->open_count - 1];
    size_t depth = top->depth;
    struct bref r = make_branch(b, top);
    b->values.len = top->value_off;
    b->open_count--;
    if (depth > to + 1)
        r = make_ext(b, to + 1, depth, &r);
    struct open_branch *o = branch_at(b, to);
    CHECK(o->depth == to);
    set_child(o, b->key[to], &r);
}

static size_t to_nibbles(uint8_t **out, size_t *cap, bytes key) {
    *out = array_grow(*out, cap, 1, 2 * key.len + 1);
    for (size_t i = 0; i < key.len; i++) {
        (*out)[2 * i] = key.ptr[i] >> 4;
        (*out)[2 * i + 1] = key.ptr[i] & 15;
    }
    return 2 * key.len;
}

void mpt_builder_add(struct mpt_builder *b, bytes key, bytes value) {
    CHECK(value.len > 0);
    if (b->node_count >= FLUSH_NODES || b->enc.len >= FLUSH_BYTES)
        flush(b);
    size_t len = to_nibbles(&b->next_key, &b->next_cap, key);
    if (b->any) {
        size_t shared = 0;
        while (shared < len && shared < b->key_len && b->next_key[shared] == b->key[shared])
            shared++;
        CHECK(shared < len);
        CHECK(shared == b->key_len || b->next_key[shared] > b->key[shared]);
        place_last_key(b, shared);
        while (b->open[b->open_count - 1].depth > shared)
            close_into(b, parent_depth(b, shared));
    }
    uint8_t *p = b->key;
    size_t cap = b->key_cap;
    b->key = b->next_key;
    b->key_cap = b->next_cap;
    b->next_key = p;
    b->next_cap = cap;
    b->key_len = len;
    buf_reset(&b->value);
    buf_append(&b->value, value.ptr, value.len);
    b->any = true;
}

/* What is left when no branch is open any more is the root: always hashed, however short. */
void mpt_builder_end(struct mpt_builder *b, hash32 *out_root) {
    if (!b->any) {
        *out_root = KECCAK_EMPTY_TRIE;
        return;
    }
    struct bref r;
    if (b->open_count == 0) {
        r = make_leaf(b, 0);
    } else {
        place_last_key(b, b->open[b->open_count - 1].depth);
        while (b->open_count > 1)
            close_into(b, b->open[b->open_count - 2].depth);
        size_t depth = b->open[0].depth;
        r = make_branch(b, &b->open[0]);
        b->open_count = 0;
        if (depth > 0)
            r = make_ext(b, 0, depth, &r);
    }
    if (r.waiting) {
        flush(b);
        *out_root = b->hashes[r.node];
    } else {
        keccak256(out_root, r.b, r.len);
    }
}

/* --- whole ---------------------------------------------------------------------------------- */

void mpt_root(hash32 *out, const struct mpt_pair *pairs, size_t count) {
    struct mpt_builder *b = mpt_builder_new();
    mpt_builder_begin(b);
    for (size_t i = 0; i < count; i++)
        mpt_builder_add(b, pairs[i].key, pairs[i].value);
    mpt_builder_end(b, out);
    mpt_builder_free(b);
}

static void add_indexed(struct mpt_builder *b, struct buf *key, const bytes *values, size_t i) {
    buf_reset(key);
    rlp_put_u64(key, i);
    mpt_builder_add(b, buf_bytes(key), values[i]);
}

void mpt_list_root(hash32 *out, const bytes *values, size_t count) {
    struct mpt_builder *b = mpt_builder_new();
    struct buf key;
    buf_init(&key, 16);
    mpt_builder_begin(b);
    /* RLP(0) is 0x80 and comes after 0x01..0x7f; from 128 on, keys are longer and in order. */
    for (size_t i = 1; i < count && i < 128; i++)
        add_indexed(b, &key, values, i);
    if (count > 0)
        add_indexed(b, &key, values, 0);
    for (size_t i = 128; i < count; i++)
        add_indexed(b, &key, values, i);
    mpt_builder_end(b, out);
    buf_clear(&key);
    mpt_builder_free(b);
}
