/* SPDX-License-Identifier: Apache-2.0 */
/* ArbGasInfo, 0x6c: prices, in the terms of Nitro's callers. The cost of data on the parent lies in
 * P here (PROTOCOL §3), so the parts that Nitro charges beside the price of gas are 0. */
#include "base/limits.h"
#include "chain/system_call_internal.h"

enum { NITRO_CALLDATA_GAS = 16 /* per byte of parent data, in its unit of a price */ };

enum evm_status gas_prices_in_wei(struct call *c) {
    u256 price = c->block->price, base = call_get(c, SYS_MIN_BASE_FEE, NULL);
    u256 slot_gas = u256_from_u64(GAS_SSTORE_SET);
    u256 per_slot = u256_mul(&price, &slot_gas);
    if (u256_lt(&price, &base)) /* a call may have lowered the price */
        base = price;
    u256 congestion = u256_sub(&price, &base);
    put_u64(c, 0); /* per transaction */
    put_u64(c, 0); /* per byte of calldata */
    put_word(c, &per_slot);
    put_word(c, &base);
    put_word(c, &congestion);
    put_word(c, &price);
    return EVM_SUCCESS;
}

enum evm_status gas_prices_in_gas(struct call *c) {
    put_u64(c, 0);
    put_u64(c, 0);
    put_u64(c, GAS_SSTORE_SET);
    return EVM_SUCCESS;
}

enum evm_status gas_minimum_price(struct call *c) {
    u256 v = call_get(c, SYS_MIN_BASE_FEE, NULL);
    return answer_word(c, &v);
}

enum evm_status gas_l1_base_fee_estimate(struct call *c) {
    u256 v = call_get(c, SYS_PARENT_WEI_PER_BYTE, NULL), unit = u256_from_u64(NITRO_CALLDATA_GAS);
    v = u256_div(&v, &unit);
    return answer_word(c, &v);
}

enum evm_status gas_current_tx_l1_fees(struct call *c) {
    return answer_u64(c, 0);
}

enum evm_status gas_accounting_params(struct call *c) {
    put_u64(c, call_get_u64(c, SYS_SPEED_LIMIT, NULL));
    put_u64(c, call_get_u64(c, SYS_BLOCK_GAS_LIMIT, NULL));
    put_u64(c, L3_TX_GAS_CAP);
    return EVM_SUCCESS;
}

enum evm_status gas_backlog(struct call *c) {
    return answer_u64(c, call_get_u64(c, SYS_GAS_BACKLOG, NULL));
}

enum evm_status gas_backlog_tolerance(struct call *c) {
    return answer_u64(c, call_get_u64(c, SYS_TOLERANCE, NULL));
}

enum evm_status gas_pricing_inertia(struct call *c) {
    return answer_u64(c, call_get_u64(c, SYS_INERTIA, NULL));
}

enum evm_status gas_max_tx(struct call *c) {
    return answer_u64(c, L3_TX_GAS_CAP);
}

enum evm_status gas_max_block(struct call *c) {
    return answer_u64(c, call_get_u64(c, SYS_BLOCK_GAS_LIMIT, NULL));
}

/* This chain's own. */
enum evm_status gas_parent_wei_per_byte(struct call *c) {
    u256 v = call_get(c, SYS_PARENT_WEI_PER_BYTE, NULL);
    return answer_word(c, &v);
}

enum evm_status gas_data_backlog(struct call *c) {
    return answer_u64(c, call_get_u64(c, SYS_DA_BACKLOG, NULL));
}

enum evm_status gas_congestion_unit(struct call *c) {
    u256 v = call_get(c, SYS_CONGESTION_UNIT, NULL);
    return answer_word(c, &v);
}
