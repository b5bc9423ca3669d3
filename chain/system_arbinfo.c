/* SPDX-License-Identifier: Apache-2.0 */
/* ArbInfo, 0x65, and the parts of ArbAddressTable, 0x66, and ArbStatistics, 0x6f, that tools ask
 * for: this chain keeps no table of addresses, and no statistics beside its height. */
#include "chain/system_call_internal.h"

enum evm_status info_get_balance(struct call *c) {
    addr20 a;
    if (!arg_addr(c, 0, &a))
        return EVM_REVERT;
    charge_account(c, &a);
    u256 balance = world_balance(c->x->world, &a);
    return answer_word(c, &balance);
}

enum evm_status info_get_code(struct call *c) {
    addr20 a;
    if (!arg_addr(c, 0, &a))
        return EVM_REVERT;
    charge_account(c, &a);
    put_u64(c, 32);
    put_bytes(c, world_code(c->x->world, &a));
    return EVM_SUCCESS;
}

enum evm_status table_size(struct call *c) {
    return answer_u64(c, 0);
}

enum evm_status table_address_exists(struct call *c) {
    addr20 a;
    return arg_addr(c, 0, &a) ? answer_u64(c, 0) : EVM_REVERT;
}

/* Nitro's six numbers: own blocks, and five of a chain before it. */
enum evm_status statistics_get(struct call *c) {
    put_u64(c, c->block->number);
    for (int i = 0; i < 5; i++)
        put_u64(c, 0);
    return EVM_SUCCESS;
}
