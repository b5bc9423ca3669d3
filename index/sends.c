/* SPDX-License-Identifier: Apache-2.0 */
#include "base/keccak.h"
#include "chain/send_tree.h"
#include "chain/system_state.h"
#include "index/rows.h"

/* --- rows ---------------------------------------------------------------------------------- */

void row_send_key(uint8_t out[ROW_SEND_KEY_BYTES], unsigned level, uint64_t index) {
    out[0] = (uint8_t)level;
    be64_store(out + 1, index);
}

static void put_node(struct store *s, unsigned level, uint64_t index, const hash32 *h,
                     uint64_t block) {
    uint8_t key[ROW_SEND_KEY_BYTES], value[ROW_SEND_BYTES];
    row_send_key(key, level, index);
    memcpy(value, h->b, 32);
    be64_store(value + 32, block);
    store_put(s, TABLE_SEND, bytes_of(key, sizeof(key)), bytes_of(value, sizeof(value)));
}

void row_put_sends(struct store *s, const struct log_entry *l, uint64_t block) {
    const addr20 arbsys = system_address(SYSTEM_ARBSYS);
    if (l->topic_count != 4 || !addr20_eq(&l->address, &arbsys))
        return;
    const uint8_t *position = l->topics[3].b; /* level << 192 | newest leaf */
    uint64_t level = be64_load(position), leaf = be64_load(position + 24);
    if (hash32_eq(&l->topics[0], &SEND_MERKLE_UPDATE))
        put_node(s, (unsigned)level, leaf >> level, &l->topics[2], block);
    else if (hash32_eq(&l->topics[0], &SEND_L2_TO_L1_TX))
        put_node(s, 0, leaf, &l->topics[2], block);
}

/* --- proofs -------------------------------------------------------------------------------- */

static enum err stored(hash32 *out, struct store_view *v, unsigned level, uint64_t index) {
    uint8_t key[ROW_SEND_KEY_BYTES];
    bytes value;
    row_send_key(key, level, index);
    if (!store_get(v, TABLE_SEND, bytes_of(key, sizeof(key)), &value))
        return ERR_NOT_FOUND;
    if (value.len != ROW_SEND_BYTES)
        return ERR_CORRUPT;
    memcpy(out->b, value.ptr, 32);
    return ERR_OK;
}

/* A node below which every leaf exists. */
static enum err full_node(hash32 *out, struct store_view *v, unsigned level, uint64_t index) {
    TRY(stored(out, v, level, index));
    if (level == 0)
        keccak256(out, out->b, sizeof(out->b));
    return ERR_OK;
}

static hash32 hash_pair(const hash32 *left, const hash32 *right) {
    uint8_t both[64];
    memcpy(both, left->b, 32);
    memcpy(both + 32, right->b, 32);
    hash32 h;
    keccak256(&h, both, sizeof(both));
    return h;
}

/* The node on the right edge of a tree, at one level: the only one whose leaves are not all there.
 */
struct edge {
    bool present;
    hash32 hash;
};

/* From `level` to the level above. A missing right sibling is 32 zero bytes. */
static enum err climb(struct edge *e, struct store_view *v, uint64_t size, unsigned level) {
    const hash32 zero = {{0}};
    if ((size >> level & 1) != 0) {
        hash32 left;
        TRY(full_node(&left, v, level, (size >> level) - 1));
        e->hash = hash_pair(&left, e->present ? &e->hash : &zero);
        e->present = true;
    } else if (e->present) {
        e->hash = hash_pair(&e->hash, &zero);
    }
    return ERR_OK;
}

enum err index_send_proof(struct index_send_proof *out, struct store_view *v, uint64_t size,
                          uint64_t leaf) {
    struct index_send_proof p = {.count = 0};
    if (leaf >= size || size > UINT64_C(1) << 63)
        return ERR_NOT_FOUND;
    hash32 newest;
    TRY(stored(&newest, v, 0, size - 1)); /* the tree has reached this size */
    TRY(stored(&p.send, v, 0, leaf));
    struct edge e = {.present = false};
    unsigned level = 0;
    for (; size > UINT64_C(1) << level; level++) {
        uint64_t sibling = (leaf >> level) ^ 1, complete = size >> level;
        hash32 *to = &p.proof[p.count++];
        if (sibling < complete)
            TRY(full_node(to, v, level, sibling));
        else if (sibling == complete && e.present)
            *to = e.hash;
        TRY(climb(&e, v, size, level));
    }
    if (e.present)
        p.root = e.hash;
    else
        TRY(full_node(&p.root, v, level, 0));
    *out = p;
    return ERR_OK;
}
