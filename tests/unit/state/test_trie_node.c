/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: packed nodes keep what is put into them through all growth and shrinking, and records and
 * encodings have their form. Method: random operations on one node against a plain array of sixteen
 * slots. */
#include "state/trie_internal.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>

struct plain_slot {
    bool present, node, kid;
    uint32_t pending;
    struct tnode *ptr;
};

static void compare(const struct tnode *n, const struct plain_slot *s, const uint8_t *ext,
                    size_t ext_len) {
    cr_assert_eq(n->ext_len, ext_len);
    cr_assert_eq(memcmp(node_ext(n), ext, ext_len), 0);
    for (unsigned i = 0; i < 16; i++) {
        struct tsub sub = tnode_get(n, i);
        cr_assert_eq(sub.kind != TSUB_EMPTY, s[i].present);
        if (!s[i].present)
            continue;
        cr_assert_eq(sub.kind == TSUB_NODE, s[i].node);
        if (s[i].node)
            cr_assert_eq(sub.node, s[i].kid ? s[i].ptr : NULL);
        else
            cr_assert_eq(sub.pending, s[i].pending);
    }
}

Test(trie_node, random_changes_of_one_node) {
    struct tmem mem = {.live_bytes = 0};
    static struct tnode *other[8];
    struct rng r = {rng_seed(3)};
    uint8_t ext[64];
    for (unsigned i = 0; i < 8; i++)
        other[i] = tnode_new(&mem, 63, ext, 0);
    size_t before = mem.live_bytes;
    for (int round = 0; round < 200; round++) {
        struct plain_slot s[16] = {{.present = false}};
        size_t ext_len = rng_below(&r, 60);
        for (size_t i = 0; i < sizeof ext; i++)
            ext[i] = (uint8_t)rng_below(&r, 16);
        struct tnode *n = tnode_new(&mem, 60, ext, ext_len);
        for (int k = 0; k < 200; k++) {
            unsigned nib = (unsigned)rng_below(&r, 16);
            struct plain_slot *p = &s[nib];
            struct tsub sub = {.kind = TSUB_EMPTY, .pending = TRIE_NO_INDEX};
            switch (rng_below(&r, 6)) {
            case 0:
                n = tnode_set(&mem, n, nib, &sub);
                *p = (struct plain_slot){.present = false};
                break;
            case 1:
            case 2:
                sub.kind = TSUB_LEAF;
                sub.pending = (uint32_t)rng_next(&r) >> 1;
                n = tnode_set(&mem, n, nib, &sub);
                *p = (struct plain_slot){.present = true, .pending = sub.pending};
                break;
            case 3:
                sub.kind = TSUB_NODE;
                sub.node = other[rng_below(&r, 8)];
                n = tnode_set(&mem, n, nib, &sub);
                *p = (struct plain_slot){
                    .present = true, .node = true, .kid = true, .ptr = sub.node};
                break;
            case 4:
                if (p->node) {
                    p->kid = rng_below(&r, 2) == 0;
                    p->ptr = other[rng_below(&r, 8)];
                    n = tnode_set_kid(&mem, n, nib, p->kid ? p->ptr : NULL);
                }
                break;
            case 5:
                ext_len = rng_below(&r, 60);
                n = tnode_set_ext(&mem, n, ext, ext_len);
                break;
            }
            compare(n, s, ext, ext_len);
        }
        tnode_free(&mem, n);
        cr_assert_eq(mem.live_bytes, before);
    }
    tmem_clear(&mem);
}

Test(trie_node, records_come_back) {
    struct tmem mem = {.live_bytes = 0};
    struct rng r = {rng_seed(4)};
    uint8_t rec[TRIE_RECORD_MAX], again[TRIE_RECORD_MAX], rlp[TRIE_BRANCH_RLP_MAX];
    for (int round = 0; round < 2000; round++) {
        uint16_t mask = 0, branch, emb;
        while (popcount16(mask) < 2)
            mask = (uint16_t)rng_next(&r);
        branch = (uint16_t)(mask & rng_next(&r));
        emb = (uint16_t)(mask & rng_next(&r) & rng_next(&r));
        size_t len = TRIE_RECORD_HEAD;
        rng_fill(&r, rec, sizeof rec);
        trecord_put_head(rec, mask, branch, emb, 16 + (uint32_t)rng_below(&r, 1 << 26));
        for (unsigned nib = 0; nib < 16; nib++) {
            if (!has_bit(mask, nib))
                continue;
            size_t body = has_bit(emb, nib) ? rng_below(&r, 31) : 32;
            if (body < 32)
                rec[len++] = (uint8_t)(0xc0 + body);
            len += body;
        }
        uint8_t ext[3] = {1, 2, 3};
        struct tnode *n = trecord_decode(&mem, bytes_of(rec, len), 7, ext, 3);
        cr_assert_eq(trecord_encode(again, n), len);
        cr_assert_eq(memcmp(rec, again, len), 0);
        cr_assert_eq(n->leaves, be32_load(rec + 6));
        cr_assert_eq(memcmp(node_ext(n), ext, 3), 0);
        cr_assert_eq(node_encode_branch(rlp, n), node_branch_rlp_len(n));
        tnode_free(&mem, n);
    }
    cr_assert_eq(mem.live_bytes, 0);
    tmem_clear(&mem);
}

Test(trie_node, paths_and_leaves) {
    /* Yellow Paper, appendix C. */
    uint8_t out[TRIE_LEAF_RLP_MAX], odd[] = {1, 2, 3, 4, 5}, even[] = {0, 1, 2, 3, 4, 5};
    uint8_t want_odd[] = {0x83, 0x11, 0x23, 0x45}, want_even[] = {0x84, 0x20, 0x01, 0x23, 0x45};
    cr_assert_eq(node_put_path(out, odd, 5, false), 4);
    cr_assert_eq(memcmp(out, want_odd, 4), 0);
    cr_assert_eq(node_put_path(out, even, 6, true), 5);
    cr_assert_eq(memcmp(out, want_even, 5), 0);
    uint8_t key[32] = {0}, one = 7;
    key[31] = 0xab;
    uint8_t want_leaf[] = {0xc2, 0x3b, 0x07};
    cr_assert_eq(node_encode_leaf(out, key, 63, bytes_of(&one, 1)), 3);
    cr_assert_eq(memcmp(out, want_leaf, 3), 0);
    uint8_t want_empty_path[] = {0xc2, 0x20, 0x07};
    cr_assert_eq(node_encode_leaf(out, key, 64, bytes_of(&one, 1)), 3);
    cr_assert_eq(memcmp(out, want_empty_path, 3), 0);
    hash32 h = {{0}};
    cr_assert_eq(node_encode_ext(out, odd, 5, bytes_of(h.b, 32)), 1 + 4 + 33);
    cr_assert_eq(out[0], 0xc0 + 37);
}

Test(trie_node, shared_nibbles) {
    uint8_t a[32] = {0}, b[32] = {0};
    cr_assert_eq(key_common_nibbles(a, b), 64);
    for (unsigned i = 0; i < 64; i++) {
        memset(b, 0, sizeof b);
        b[i / 2] = i % 2 == 0 ? 0x10 : 0x01;
        cr_assert_eq(key_common_nibbles(a, b), i);
        cr_assert_eq(key_nibble(b, i), 1);
    }
    for (unsigned x = 0; x < 65536; x++)
        cr_assert_eq(popcount16(x), (unsigned)__builtin_popcount(x));
}
