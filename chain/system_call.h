/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to the system addresses, which the chain itself answers: what chain/system_calls.def lists,
 * at its prices.
 *
 * An unknown selector, short input, value where none may come, a static context for a writer, or
 * code that would run for another account: revert with empty data, the base gas charged, the rest
 * returned. Too little gas takes all of it. */
#ifndef CHAIN_SYSTEM_CALL_H
#define CHAIN_SYSTEM_CALL_H

#include "chain/exec.h"

enum { SYSTEM_CALL_UNKNOWN_GAS = 40 };

/* What arbOSVersion adds to the state-transition version: Nitro's own offset of 55, and 50 because
 * version 1 has the EVM of ArbOS 51, which tools compare with. */
enum { SYSTEM_ARB_OS_VERSION_OFFSET = 55 + 50 };

/* struct tx_rules.system_call for both of the L3's rules; x->rules_ctx is a struct l3_block. */
bool system_call(struct exec *x, struct evm_result *out, const struct evm_message *msg,
                 const addr20 *code_addr, bool is_static, uint32_t depth);

enum system_mutability { SYSTEM_PURE, SYSTEM_VIEW, SYSTEM_WRITE, SYSTEM_PAYABLE };
/* A row of the table, for listings and tests. NULL past the end. */
struct system_call_info {
    int address; /* enum system_address */
    uint32_t selector;
    const char *signature;
    uint32_t arg_words;
    int64_t base_gas, in_word_gas, out_word_gas;
    enum system_mutability mutability;
};
const struct system_call_info *system_call_info(size_t idx);

#endif
