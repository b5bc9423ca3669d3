/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/send_tree.h"

#include "base/check.h"
#include "base/keccak.h"

/* SendMerkleUpdate(uint256 indexed reserved, bytes32 indexed hash, uint256 indexed position) */
const hash32 SEND_MERKLE_UPDATE = {{0xe9, 0xe1, 0x3d, 0xa3, 0x64, 0x69, 0x9f, 0xb5,
                                    0xb0, 0x49, 0x6f, 0xf5, 0xa0, 0xfc, 0x70, 0x76,
                                    0x0a, 0xd5, 0x83, 0x6e, 0x93, 0xba, 0x96, 0x56,
                                    0x8a, 0x4e, 0x42, 0xb9, 0x91, 0x4a, 0x8b, 0x95}};
/* L2ToL1Tx(address caller, address indexed destination, uint256 indexed hash, uint256 indexed
 * position, uint256 arbBlockNum, uint256 ethBlockNum, uint256 timestamp, uint256 callvalue, bytes
 * data) */
const hash32 SEND_L2_TO_L1_TX = {{0x3e, 0x7a, 0xaf, 0xa7, 0x7d, 0xbf, 0x18, 0x6b, 0x7f, 0xd4, 0x88,
                                  0x00, 0x6b, 0xef, 0xf8, 0x93, 0x74, 0x4c, 0xaa, 0x3c, 0x4f, 0x6f,
                                  0x29, 0x9e, 0x8a, 0x70, 0x9f, 0xa2, 0x08, 0x73, 0x74, 0xfc}};

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
