/* SPDX-License-Identifier: Apache-2.0 */
/* A log entry of the parent chain, as eth_getLogs gives it, and the checks that all its readers
 * need. */
#ifndef BRIDGE_PARENT_LOG_H
#define BRIDGE_PARENT_LOG_H

#include "base/err.h"
#include "base/types.h"
#include "bridge/abi.h"

enum { PARENT_LOG_TOPICS_MAX = 4 };

struct parent_log {
    addr20 address; /* the contract that emitted it */
    hash32 topics[PARENT_LOG_TOPICS_MAX];
    size_t topic_count;
    bytes data; /* owned by the arena that the log was read into */
    uint64_t block_num;
    hash32 block_hash;
    hash32 tx_hash;
    uint64_t log_idx; /* in its block */
};

/* Whether this is event `e` with `topic_count` topics, its own hash included. */
bool parent_log_is(const struct parent_log *l, enum abi_event e, size_t topic_count);
/* The value of an indexed integer. ERR_PARSE: over 64 bits, or no such topic. */
enum err parent_log_topic_u64(uint64_t *out, const struct parent_log *l, size_t idx) MUST_USE;

#endif
