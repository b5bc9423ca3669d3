/* SPDX-License-Identifier: Apache-2.0 */
/* ArbSys, 0x64: what the chain says about itself, and messages to the parent. */
#include "chain/system_call_internal.h"

#define ERROR_INVALID_BLOCK_NUMBER UINT32_C(0xd5dc642d) /* (uint256 requested, uint256 current) */

enum evm_status arb_block_number(struct call *c) {
    return answer_u64(c, c->block->number);
}

enum evm_status arb_block_hash(struct call *c) {
    u256 wanted = arg(c, 0);
    uint64_t current = c->block->number;
    if (!u256_fits_u64(&wanted) || wanted.w[0] >= current || current - wanted.w[0] > 256) {
        enum evm_status s = custom_error(c, ERROR_INVALID_BLOCK_NUMBER);
        put_word(c, &wanted);
        put_u64(c, current);
        return s;
    }
    u256 slot = u256_from_u64(wanted.w[0] % L3_HISTORY_RING);
    charge_slot(c, &L3_HISTORY_ADDRESS, &slot);
    hash32 h = l3_block_hash(c->x->world, current, wanted.w[0]);
    return answer_hash(c, &h);
}

enum evm_status arb_chain_id(struct call *c) {
    return answer_u64(c, c->x->chain_id);
}

enum evm_status arb_os_version(struct call *c) {
    return answer_u64(c, c->block->version + SYSTEM_ARB_OS_VERSION_OFFSET);
}
