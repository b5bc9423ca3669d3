/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: root and updates of the send tree equal the plain definition - a binary tree whose missing
 * right siblings are 32 zero bytes - for every size up to 300. */
#include "chain/send_tree.h"

#include "base/hex.h"
#include "base/keccak.h"

#include <criterion/criterion.h>
#include <jansson.h>

enum { SIZE_MAX_TESTED = 300 };

static hash32 join(const hash32 *l, const hash32 *r) {
    uint8_t both[64];
    memcpy(both, l->b, 32);
    memcpy(both + 32, r->b, 32);
    hash32 h;
    keccak256(&h, both, 64);
    return h;
}

static hash32 plain_root(const hash32 *leaves, size_t n) {
    hash32 row[SIZE_MAX_TESTED + 1] = {0};
    if (n == 0)
        return row[0];
    memcpy(row, leaves, n * sizeof *leaves);
    while (n > 1) {
        memset(&row[n], 0, sizeof row[n]);
        for (size_t i = 0; i < (n + 1) / 2; i++)
            row[i] = join(&row[2 * i], &row[2 * i + 1]);
        n = (n + 1) / 2;
    }
    return row[0];
}

Test(send_tree, roots_and_updates) {
    static hash32 leaves[SIZE_MAX_TESTED], partials[SEND_TREE_LEVELS_MAX];
    struct send_tree_update up[SEND_TREE_LEVELS_MAX];
    for (uint64_t n = 0; n < SIZE_MAX_TESTED; n++) {
        hash32 want = plain_root(leaves, n), got = send_tree_root(n, partials);
        cr_assert(hash32_eq(&want, &got), "size %llu", (unsigned long long)n);
        hash32 item = {{(uint8_t)n, (uint8_t)(n >> 8), 0x5e}};
        keccak256(&leaves[n], item.b, 32);
        unsigned top;
        size_t count = send_tree_append(partials, n, &item, up, &top);
        cr_assert_eq(top, (unsigned)__builtin_ctzll(n + 1));
        cr_assert_eq(count, top);
        for (size_t i = 0; i < count; i++) {
            size_t width = (size_t)1 << up[i].level;
            want = plain_root(leaves + (n + 1 - width), width);
            cr_assert_eq(up[i].level, i + 1);
            cr_assert(hash32_eq(&want, &up[i].hash));
        }
    }
}

static hash32 hash_member(const json_t *o, const char *key) {
    hash32 h;
    cr_assert_eq(hex_decode_fixed(h.b, 32, json_string_value(json_object_get(o, key))), ERR_OK);
    return h;
}

/* What the parent's real Outbox accepted. */
Test(send_tree, vectors) {
    json_t *doc = json_load_file("tests/vectors/orbit/vectors.json", 0, NULL), *s;
    static hash32 partials[SEND_TREE_LEVELS_MAX];
    struct send_tree_update up[SEND_TREE_LEVELS_MAX];
    size_t n;
    json_array_foreach(json_object_get(doc, "sends"), n, s) {
        hash32 item = hash_member(s, "item"), want = hash_member(s, "rootAfter");
        unsigned top;
        size_t count = send_tree_append(partials, n, &item, up, &top);
        const json_t *updates = json_object_get(s, "merkleUpdates");
        cr_assert_eq(count, json_array_size(updates));
        for (size_t i = 0; i < count; i++) {
            const json_t *u = json_array_get(updates, i);
            hash32 h = hash_member(u, "hash");
            cr_expect(hash32_eq(&h, &up[i].hash));
            cr_expect_eq(up[i].level, json_integer_value(json_object_get(u, "level")));
        }
        hash32 got = send_tree_root(n + 1, partials);
        cr_expect(hash32_eq(&got, &want), "%zu", n);
    }
    cr_assert_eq(n, 9);
    json_decref(doc);
}
