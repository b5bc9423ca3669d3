/* SPDX-License-Identifier: Apache-2.0 */
/* The system addresses alone, over an empty world in an open transaction: for tests that call them
 * without the machine. */
#ifndef TESTS_LIB_CHAIN_CALL_RIG_H
#define TESTS_LIB_CHAIN_CALL_RIG_H

#include "base/arena.h"
#include "chain/l3_rules.h"
#include "chain/system_call.h"
#include "chain/system_state.h"

struct call_rig {
    struct world *w;
    struct buf out;
    struct chain_config config;
    struct l3_block block;
    struct exec x;
    struct arena arena;
    addr20 sender;  /* of the calls that follow */
    uint64_t value; /* moved to the address before each call, out of nothing */
    int64_t gas;    /* given to each call; after it what is left */
    uint32_t depth;
    bool is_static;
};
/* Block 500 at second 1,000,000, parent block 70, P = 1 gwei; 10,000,000 gas. */
void call_rig_init(struct call_rig *r);
void call_rig_clear(struct call_rig *r);
/* Calls with words after the selector, then `tail`; undone unless it succeeds. The answer lives
 * until the next call. */
struct evm_result call_rig_call(struct call_rig *r, enum system_address at, uint32_t selector,
                                const u256 *words, size_t count, bytes tail);
/* One word of input, and of answer, which must come. */
u256 call_rig_word(struct call_rig *r, enum system_address at, uint32_t selector, uint64_t arg);

#endif
