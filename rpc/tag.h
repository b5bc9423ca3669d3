/* SPDX-License-Identifier: Apache-2.0 */
/* Names of requests in work: generation | index of the connection | slot among its requests. The
 * generation tells a connection from those that had its index before. */
#ifndef RPC_TAG_H
#define RPC_TAG_H

#include "base/types.h"

enum {
    RPC_TAG_SLOT_BITS = 7,
    RPC_TAG_WEBSOCKET = 1 << RPC_TAG_SLOT_BITS, /* else HTTP; the two count connections apart */
    RPC_TAG_INDEX_SHIFT = RPC_TAG_SLOT_BITS + 1,
    RPC_TAG_INDEX_BITS = 24,
    RPC_TAG_GENERATION_SHIFT = RPC_TAG_INDEX_SHIFT + RPC_TAG_INDEX_BITS,
};

static inline uint64_t rpc_tag_of(uint32_t generation, uint32_t index, size_t slot,
                                  bool websocket) {
    return ((uint64_t)generation << RPC_TAG_GENERATION_SHIFT) |
           ((uint64_t)index << RPC_TAG_INDEX_SHIFT) | (websocket ? RPC_TAG_WEBSOCKET : 0u) | slot;
}
static inline size_t rpc_tag_slot(uint64_t tag) {
    return tag & (RPC_TAG_WEBSOCKET - 1);
}
static inline size_t rpc_tag_index(uint64_t tag) {
    return (tag >> RPC_TAG_INDEX_SHIFT) & ((1u << RPC_TAG_INDEX_BITS) - 1);
}
static inline uint32_t rpc_tag_generation(uint64_t tag) {
    return (uint32_t)(tag >> RPC_TAG_GENERATION_SHIFT);
}
static inline bool rpc_tag_is_websocket(uint64_t tag) {
    return (tag & RPC_TAG_WEBSOCKET) != 0;
}
/* The same for all requests of a connection. */
static inline uint64_t rpc_tag_connection(uint64_t tag) {
    return tag & ~(uint64_t)(RPC_TAG_WEBSOCKET - 1);
}

#endif
