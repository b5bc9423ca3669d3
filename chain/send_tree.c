/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/send_tree.h"

#include "base/check.h"
#include "base/keccak.h"

static hash32 parent_of(const hash32 *left, const hash32 *right) {
    uint8_t both[64];
    memcpy(both, left->b, 32);
    memcpy(both + 32, right->b, 32);
    hash32 h;
    keccak256(&h, both, sizeof both);
    return h;
}

hash32 send_tree_root(uint64_t size, const hash32 partials[SEND_TREE_LEVELS_MAX]) {
    static const hash32 zero;
    if (size == 0)
        return zero;
    unsigned top = 63U - (unsigned)__builtin_clzll(size);
    hash32 node = zero; /* the incomplete right edge at the current level */
    bool has_node = false;
    for (unsigned level = 0; level <= top; level++) {
        bool has_partial = (size >> level & 1) != 0;
        if (has_partial && has_node)
            node = parent_of(&partials[level], &node);
        else if (has_partial && level == top)
            node = partials[level]; /* the tree is full: its one partial is the root */
        else if (has_partial)
            node = parent_of(&partials[level], &zero);
        else if (has_node)
            node = parent_of(&node, &zero);
        has_node = has_node || has_partial;
    }
    return node;
}

size_t send_tree_append(hash32 partials[SEND_TREE_LEVELS_MAX], uint64_t size, const hash32 *item,
                        struct send_tree_update out[SEND_TREE_LEVELS_MAX], unsigned *out_top) {
    static const hash32 zero;
    hash32 node;
    size_t count = 0;
    unsigned level = 0;
    CHECK(size < UINT64_MAX);
    keccak256(&node, item->b, sizeof item->b);
    for (; (size >> level & 1) != 0; level++) {
        node = parent_of(&partials[level], &node);
        partials[level] = zero;
        out[count++] = (struct send_tree_update){.level = (uint8_t)(level + 1), .hash = node};
    }
    partials[level] = node;
    *out_top = level;
    return count;
}
