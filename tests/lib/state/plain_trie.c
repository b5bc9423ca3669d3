/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/state/plain_trie.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"

static unsigned nib(bytes key, size_t i) {
    return i % 2 == 0 ? key.ptr[i / 2] >> 4 : key.ptr[i / 2] & 15;
}

static void put_hp(struct buf *b, bytes key, size_t from, size_t to, bool leaf) {
    uint8_t hp[300];
    size_t n = 0;
    unsigned flag = leaf ? 2 : 0;
    CHECK(to - from < 500);
    if ((to - from) % 2 == 1)
        hp[n++] = (uint8_t)((flag + 1) << 4 | nib(key, from++));
    else
        hp[n++] = (uint8_t)(flag << 4);
    for (; from < to; from += 2)
        hp[n++] = (uint8_t)(nib(key, from) << 4 | nib(key, from + 1));
    rlp_put_bytes(b, hp, n);
}

static void put_node(struct buf *b, const struct mpt_pair *p, size_t n, size_t i);

/* n(J, i) of the Yellow Paper. */
static void put_ref(struct buf *b, const struct mpt_pair *p, size_t n, size_t i) {
    if (n == 0) {
        rlp_put_bytes(b, NULL, 0);
        return;
    }
    struct buf c;
    buf_init(&c, SIZE_MAX);
    put_node(&c, p, n, i);
    if (c.len < 32) {
        buf_append(b, c.ptr, c.len);
    } else {
        hash32 h = keccak256_bytes(buf_bytes(&c));
        rlp_put_hash(b, &h);
    }
    buf_clear(&c);
}

/* c(J, i). */
static void put_node(struct buf *b, const struct mpt_pair *p, size_t n, size_t i) {
    size_t list = rlp_list_begin(b);
    if (n == 1) {
        put_hp(b, p[0].key, i, 2 * p[0].key.len, true);
        rlp_put_bytes(b, p[0].value.ptr, p[0].value.len);
        rlp_list_end(b, list);
        return;
    }
    size_t j = i;
    while (j < 2 * p[0].key.len && j < 2 * p[n - 1].key.len &&
           nib(p[0].key, j) == nib(p[n - 1].key, j))
        j++;
    if (j > i) {
        put_hp(b, p[0].key, i, j, false);
        put_ref(b, p, n, j);
        rlp_list_end(b, list);
        return;
    }
    bytes value = {NULL, 0};
    if (2 * p[0].key.len == i) {
        value = p[0].value;
        p++;
        n--;
    }
    for (unsigned k = 0; k < 16; k++) {
        size_t m = 0;
        while (m < n && nib(p[m].key, i) == k)
            m++;
        put_ref(b, p, m, i + 1);
        p += m;
        n -= m;
    }
    CHECK(n == 0);
    rlp_put_bytes(b, value.ptr, value.len);
    rlp_list_end(b, list);
}

void plain_root(hash32 *out, const struct mpt_pair *pairs, size_t count) {
    struct buf b;
    buf_init(&b, SIZE_MAX);
    if (count == 0)
        buf_append_byte(&b, 0x80);
    else
        put_node(&b, pairs, count, 0);
    *out = keccak256_bytes(buf_bytes(&b));
    buf_clear(&b);
}

/* --- proofs --------------------------------------------------------------------------------- */

/* Compares a hex-prefix path with the key from nibble *i on; -1: malformed, 0: leaves it, 1: fits
 * (then *i moves). */
static int match_path(bytes hp, bytes key, size_t *i, bool *leaf) {
    if (hp.len == 0 || hp.ptr[0] >= 0x40)
        return -1;
    *leaf = (hp.ptr[0] & 0x20) != 0;
    size_t from = (hp.ptr[0] & 0x10) != 0 ? 1 : 2, len = 2 * hp.len;
    if (from == 2 && (hp.ptr[0] & 15) != 0)
        return -1;
    if (*leaf && len - from != 2 * key.len - *i)
        return 0;
    for (; from < len; from++, (*i)++)
        if (*i >= 2 * key.len || nib(hp, from) != nib(key, *i))
            return 0;
    return 1;
}

/* Follows the key in one node. Returns false when malformed; else *out_ref is where to go on (an
 * embedded list or a hash; empty: nowhere) or *out_value what was found. */
static bool step(bytes node, bytes key, size_t *i, struct rlp_item *out_ref, bytes *out_value) {
    bytes list, in = node;
    struct rlp_item item[17];
    size_t n = 0;
    *out_ref = (struct rlp_item){.is_list = false};
    *out_value = (bytes){NULL, 0};
    if (rlp_next_list(&in, &list) != ERR_OK || in.len != 0)
        return false;
    for (; list.len > 0; n++)
        if (n == 17 || rlp_next(&list, &item[n]) != ERR_OK)
            return false;
    if (n == 17) {
        if (*i == 2 * key.len)
            *out_value = item[16].payload;
        else
            *out_ref = item[nib(key, (*i)++)];
        return true;
    }
    bool leaf;
    if (n != 2 || item[0].is_list)
        return false;
    int m = match_path(item[0].payload, key, i, &leaf);
    if (m == 1 && leaf)
        *out_value = item[1].payload;
    if (m == 1 && !leaf)
        *out_ref = item[1];
    return m >= 0;
}

bool plain_verify(const hash32 *root, bytes key, const bytes *nodes, size_t count,
                  bytes *out_value) {
    *out_value = (bytes){NULL, 0};
    if (count == 0)
        return hash32_eq(root, &KECCAK_EMPTY_TRIE);
    hash32 want = *root;
    size_t i = 0;
    for (size_t k = 0; k < count; k++) {
        hash32 h = keccak256_bytes(nodes[k]);
        if (!hash32_eq(&h, &want))
            return false;
        bytes node = nodes[k];
        struct rlp_item ref;
        for (;;) {
            if (!step(node, key, &i, &ref, out_value))
                return false;
            if (!ref.is_list)
                break;
            if (ref.raw.len >= 32)
                return false;
            node = ref.raw;
        }
        if (ref.payload.len == 0)
            return k == count - 1;
        if (ref.payload.len != 32)
            return false;
        memcpy(want.b, ref.payload.ptr, 32);
    }
    return false; /* the last node leads on */
}
