/* SPDX-License-Identifier: Apache-2.0 */
#include "state/trie_internal.h"

#include <stdlib.h>

unsigned key_common_nibbles(const uint8_t *a, const uint8_t *b) {
    unsigned i = 0;
    while (i < 32 && a[i] == b[i])
        i++;
    if (i == 32)
        return TRIE_NIBBLES;
    return 2 * i + ((a[i] ^ b[i]) < 16 ? 1 : 0);
}

/* --- encodings ------------------------------------------------------------------------------ */

static size_t put_header(uint8_t *out, uint8_t base, size_t len) {
    if (len <= 55) {
        out[0] = (uint8_t)(base + len);
        return 1;
    }
    size_t n = 0;
    for (size_t v = len; v > 0; v >>= 8)
        n++;
    out[0] = (uint8_t)(base + 55 + n);
    for (size_t i = 0; i < n; i++)
        out[1 + i] = (uint8_t)(len >> (8 * (n - 1 - i)));
    return 1 + n;
}

size_t node_list_header(uint8_t *out, size_t payload_len) {
    return put_header(out, 0xc0, payload_len);
}

static size_t put_string(uint8_t *out, bytes s) {
    if (s.len == 1 && s.ptr[0] < 0x80) {
        out[0] = s.ptr[0];
        return 1;
    }
    size_t n = put_header(out, 0x80, s.len);
    memcpy(out + n, s.ptr, s.len);
    return n + s.len;
}

size_t node_put_path(uint8_t *out, const uint8_t *nibbles, size_t count, bool is_leaf) {
    size_t len = count / 2 + 1, n = 0;
    if (len > 1) /* a single byte is below 0x40 and stands for itself */
        n = put_header(out, 0x80, len);
    uint8_t flag = is_leaf ? 0x20 : 0;
    if (count % 2 == 1)
        out[n++] = (uint8_t)(flag | 0x10 | *nibbles++);
    else
        out[n++] = flag;
    for (size_t i = 0; i < count / 2; i++)
        out[n++] = (uint8_t)(nibbles[2 * i] << 4 | nibbles[2 * i + 1]);
    return n;
}

/* As node_put_path, from a packed key of 32 bytes. */
static size_t put_key_tail(uint8_t *out, const uint8_t *key, unsigned from) {
    unsigned count = TRIE_NIBBLES - from;
    size_t len = count / 2 + 1, n = 0;
    if (len > 1)
        out[n++] = (uint8_t)(0x80 + len);
    if (count % 2 == 1)
        out[n++] = (uint8_t)(0x30 | key_nibble(key, from++));
    else
        out[n++] = 0x20;
    memcpy(out + n, key + from / 2, count / 2);
    return n + count / 2;
}

/* Puts the list header before a payload that was written at out + 3. */
static size_t close_list(uint8_t *out, size_t payload_len) {
    uint8_t h[3];
    DCHECK(payload_len <= UINT16_MAX);
    size_t n = node_list_header(h, payload_len);
    memcpy(out, h, n);
    if (n != 3)
        memmove(out + n, out + 3, payload_len);
    return n + payload_len;
}

size_t node_encode_leaf(uint8_t out[TRIE_LEAF_RLP_MAX], const uint8_t *key, unsigned from_nibble,
                        bytes value) {
    CHECK(value.len > 0);
    CHECK(value.len <= TRIE_VALUE_MAX);
    size_t n = put_key_tail(out + 3, key, from_nibble);
    n += put_string(out + 3 + n, value);
    return close_list(out, n);
}

static size_t put_ref(uint8_t *out, bytes ref) {
    size_t n = 0;
    if (ref.len == 32)
        out[n++] = 0xa0;
    memcpy(out + n, ref.ptr, ref.len);
    return n + ref.len;
}

size_t node_encode_ext(uint8_t out[TRIE_EXT_RLP_MAX], const uint8_t *nibbles, size_t count,
                       bytes ref) {
    uint8_t tmp[3 + TRIE_EXT_RLP_MAX];
    size_t n = node_put_path(tmp + 3, nibbles, count, false);
    n += put_ref(tmp + 3 + n, ref);
    n = close_list(tmp, n);
    CHECK(n <= TRIE_EXT_RLP_MAX);
    memcpy(out, tmp, n);
    return n;
}

static size_t branch_payload_len(const struct tnode *n) {
    size_t count = popcount16(n->mask);
    size_t len = 17 - count + 33 * count;
    for (unsigned e = n->emb; e != 0; e &= e - 1)
        len -= 33 - node_ref_bytes(n, (unsigned)__builtin_ctz(e)).len;
    return len;
}

size_t node_branch_rlp_len(const struct tnode *n) {
    size_t len = branch_payload_len(n);
    return len + (len <= 55 ? 1 : len <= 255 ? 2 : 3);
}

size_t node_encode_branch(uint8_t out[TRIE_BRANCH_RLP_MAX], const struct tnode *n) {
    DCHECK(n->dirty == 0);
    uint8_t *p = out + node_list_header(out, branch_payload_len(n));
    const hash32 *ref = node_refs(n);
    for (unsigned nib = 0; nib < 16; nib++) {
        if (!has_bit(n->mask, nib)) {
            *p++ = 0x80;
            continue;
        }
        if (has_bit(n->emb, nib)) {
            size_t len = (size_t)(ref->b[0] - 0xc0) + 1;
            memcpy(p, ref->b, len);
            p += len;
        } else {
            *p++ = 0xa0;
            memcpy(p, ref->b, 32);
            p += 32;
        }
        ref++;
    }
    *p++ = 0x80; /* secure keys have one length: a branch never has a value */
    return (size_t)(p - out);
}

/* --- packed nodes
 * --------------------------------------------------------------------------------- */

enum {
    NODE_BYTES_MAX =
        (int)offsetof(struct tnode, data) + 16 * 32 + 16 * (int)sizeof(void *) + TRIE_NIBBLES,
};
_Static_assert(NODE_BYTES_MAX < TMEM_STEP * TMEM_CLASSES, "the largest node has a size class");

static unsigned class_of(size_t len) {
    return (unsigned)((len + TMEM_STEP - 1) / TMEM_STEP);
}

struct tleaf *tleaf_new(struct tmem *m, const uint8_t *key, bytes value) {
    CHECK(value.len <= TRIE_VALUE_MAX);
    unsigned c = class_of(offsetof(struct tleaf, value) + value.len);
    struct tleaf *l = tmem_take(m, c);
    memcpy(l->key.b, key, 32);
    l->size_class = (uint8_t)c;
    l->value_len = (uint8_t)value.len;
    memcpy(l->value, value.ptr, value.len);
    return l;
}

void tleaf_free(struct tmem *m, struct tleaf *l) {
    tmem_give(m, l, l->size_class);
}

static size_t node_bytes(unsigned refs, unsigned kids, size_t ext_len) {
    return offsetof(struct tnode, data) + (size_t)refs * 32 + (size_t)kids * sizeof(void *) +
           ext_len;
}

static void set_place(struct tnode *n, unsigned size_class, unsigned depth, size_t ext_len) {
    n->size_class = size_class & 31;
    n->depth = depth & 63;
    n->ext_len = ext_len & 63;
    n->used = true;
}

struct tnode *tnode_new(struct tmem *m, unsigned depth, const uint8_t *ext, size_t ext_len) {
    CHECK(depth < TRIE_NIBBLES);
    CHECK(ext_len <= depth);
    /* Room for two leaves, the least that a branch holds. */
    unsigned c = class_of(node_bytes(2, 0, ext_len));
    struct tnode *n = tmem_take(m, c);
    memset(n, 0, sizeof *n);
    set_place(n, c, depth, ext_len);
    memcpy(node_ext(n), ext, ext_len);
    return n;
}

void tnode_free(struct tmem *m, struct tnode *n) {
    tmem_give(m, n, n->size_class);
}

/* Moves the node's parts to where the given counts put them; `add_ref` and `add_kid` (or -1) open a
 * gap at that position, `del_ref` and `del_kid` close one. Masks are the caller's to set. */
struct shape {
    int add_ref, del_ref, add_kid, del_kid;
    size_t ext_len;
};

static void move_array(uint8_t *to, const uint8_t *from, size_t elem, unsigned count, int add,
                       int del) {
    if (add >= 0) {
        size_t at = (size_t)add * elem;
        memcpy(to, from, at);
        memcpy(to + at + elem, from + at, (size_t)count * elem - at);
    } else if (del >= 0) {
        size_t at = (size_t)del * elem;
        memcpy(to, from, at);
        memcpy(to + at, from + at + elem, (size_t)count * elem - at - elem);
    } else {
        memcpy(to, from, (size_t)count * elem);
    }
}

/* The result has the header of `n` with its old masks, and room for the new shape; `ext` is copied.
 */
static struct tnode *reshape(struct tmem *m, struct tnode *n, const struct shape *sh,
                             const uint8_t *ext) {
    _Alignas(8) uint8_t old[NODE_BYTES_MAX];
    unsigned refs = popcount16(n->mask), kids = popcount16(n->kid);
    memcpy(old, n, node_bytes(refs, kids, n->ext_len));
    unsigned new_refs = refs + (sh->add_ref >= 0) - (sh->del_ref >= 0);
    unsigned new_kids = kids + (sh->add_kid >= 0) - (sh->del_kid >= 0);
    unsigned c = class_of(node_bytes(new_refs, new_kids, sh->ext_len));
    uint8_t ext_copy[TRIE_NIBBLES];
    memcpy(ext_copy, ext, sh->ext_len);
    if (c != n->size_class) {
        tnode_free(m, n);
        n = tmem_take(m, c);
        memcpy(n, old, sizeof *n);
        n->size_class = c & 31;
    }
    uint8_t *p = n->data;
    const uint8_t *q = old + offsetof(struct tnode, data);
    move_array(p, q, sizeof(void *), kids, sh->add_kid, sh->del_kid);
    p += (size_t)new_kids * sizeof(void *);
    q += (size_t)kids * sizeof(void *);
    move_array(p, q, 32, refs, sh->add_ref, sh->del_ref);
    p += (size_t)new_refs * 32;
    memcpy(p, ext_copy, sh->ext_len);
    n->ext_len = sh->ext_len & 63;
    return n;
}

struct tsub tnode_get(const struct tnode *n, unsigned nib) {
    struct tsub s = {.kind = TSUB_EMPTY, .pending = TRIE_NO_INDEX};
    if (!has_bit(n->mask, nib))
        return s;
    if (has_bit(n->branch, nib)) {
        s.kind = TSUB_NODE;
        s.node = node_kid(n, nib);
    } else {
        s.kind = TSUB_LEAF;
        s.leaf = node_kid(n, nib);
    }
    if (has_bit(n->dirty, nib))
        memcpy(&s.pending, node_ref(n, nib), sizeof s.pending);
    return s;
}

static void set_bit(uint16_t *mask, unsigned nib, bool on) {
    *mask = (uint16_t)(on ? *mask | 1u << nib : *mask & ~(1u << nib));
}

/* Makes the slot present or absent, with or without a pointer. */
static struct tnode *fit_slot(struct tmem *m, struct tnode *n, unsigned nib, bool present,
                              bool kid) {
    bool had = has_bit(n->mask, nib), had_kid = has_bit(n->kid, nib);
    if (had == present && had_kid == kid)
        return n;
    struct shape sh = {-1, -1, -1, -1, n->ext_len};
    int ref_pos = (int)slot_pos(n->mask, nib), kid_pos = (int)slot_pos(n->kid, nib);
    if (present && !had)
        sh.add_ref = ref_pos;
    if (!present && had)
        sh.del_ref = ref_pos;
    if (kid && !had_kid)
        sh.add_kid = kid_pos;
    if (!kid && had_kid)
        sh.del_kid = kid_pos;
    n = reshape(m, n, &sh, node_ext(n));
    set_bit(&n->mask, nib, present);
    set_bit(&n->kid, nib, kid);
    return n;
}

struct tnode *tnode_set(struct tmem *m, struct tnode *n, unsigned nib, const struct tsub *s) {
    void *kid = s->kind == TSUB_NODE ? (void *)s->node : (void *)s->leaf;
    bool present = s->kind != TSUB_EMPTY;
    CHECK(s->kind != TSUB_NODE || kid != NULL);
    n = fit_slot(m, n, nib, present, present && kid != NULL);
    n->changed = true;
    set_bit(&n->branch, nib, s->kind == TSUB_NODE);
    set_bit(&n->emb, nib, false);
    set_bit(&n->dirty, nib, present);
    if (present && kid != NULL)
        node_kids(n)[slot_pos(n->kid, nib)] = kid;
    CHECK(s->kind != TSUB_LEAF || s->pending != TRIE_NO_INDEX);
    if (present)
        memcpy(node_ref(n, nib), &s->pending, sizeof s->pending);
    return n;
}

struct tnode *tnode_set_kid(struct tmem *m, struct tnode *n, unsigned nib, struct tnode *kid) {
    DCHECK(has_bit(n->branch, nib));
    n = fit_slot(m, n, nib, true, kid != NULL);
    if (kid != NULL)
        node_kids(n)[slot_pos(n->kid, nib)] = kid;
    return n;
}

struct tnode *tnode_set_ext(struct tmem *m, struct tnode *n, const uint8_t *ext, size_t ext_len) {
    CHECK(ext_len <= n->depth);
    return reshape(m, n, &(struct shape){-1, -1, -1, -1, ext_len}, ext);
}

/* --- records -------------------------------------------------------------------------------- */

static void put16(uint8_t *out, uint16_t v) {
    out[0] = (uint8_t)(v >> 8);
    out[1] = (uint8_t)v;
}
static uint16_t get16(const uint8_t *in) {
    return (uint16_t)(in[0] << 8 | in[1]);
}

void trecord_put_head(uint8_t out[TRIE_RECORD_HEAD], uint16_t mask, uint16_t nodes,
                      uint16_t embedded, uint32_t leaves) {
    put16(out, mask);
    put16(out + 2, nodes);
    put16(out + 4, embedded);
    be32_store(out + 6, leaves);
}

size_t trecord_encode(uint8_t out[TRIE_RECORD_MAX], const struct tnode *n) {
    CHECK(n->dirty == 0);
    CHECK(popcount16(n->mask) >= 2);
    trecord_put_head(out, n->mask, n->branch, n->emb, n->leaves);
    uint8_t *p = out + TRIE_RECORD_HEAD;
    for (unsigned left = n->mask; left != 0; left &= left - 1) {
        bytes ref = node_ref_bytes(n, (unsigned)__builtin_ctz(left));
        memcpy(p, ref.ptr, ref.len);
        p += ref.len;
    }
    return (size_t)(p - out);
}

struct tnode *trecord_decode(struct tmem *m, bytes record, unsigned depth, const uint8_t *ext,
                             size_t ext_len) {
    CHECK(record.len >= TRIE_RECORD_HEAD);
    CHECK(depth < TRIE_NIBBLES);
    CHECK(ext_len <= depth);
    uint16_t mask = get16(record.ptr);
    unsigned refs = popcount16(mask);
    unsigned c = class_of(node_bytes(refs, 0, ext_len));
    struct tnode *n = tmem_take(m, c);
    memset(n, 0, sizeof *n);
    n->mask = mask;
    n->branch = get16(record.ptr + 2);
    n->emb = get16(record.ptr + 4);
    set_place(n, c, depth, ext_len);
    n->stored = true;
    n->leaves = be32_load(record.ptr + 6) & TRIE_LEAVES_MAX;
    CHECK(refs >= 2);
    CHECK(n->leaves >= refs);
    CHECK(((n->branch | n->emb) & ~mask) == 0);
    const uint8_t *p = record.ptr + TRIE_RECORD_HEAD, *end = record.ptr + record.len;
    hash32 *ref = node_refs(n);
    for (unsigned left = mask; left != 0; left &= left - 1, ref++) {
        size_t len = 32;
        if (has_bit(n->emb, (unsigned)__builtin_ctz(left))) {
            CHECK(p < end);
            CHECK(*p >= 0xc0 && *p < 0xc0 + 31);
            len = (size_t)(*p - 0xc0) + 1;
            memset(ref, 0, sizeof *ref);
        }
        CHECK((size_t)(end - p) >= len);
        memcpy(ref, p, len);
        p += len;
    }
    CHECK(p == end);
    memcpy(node_ext(n), ext, ext_len);
    return n;
}
