/* SPDX-License-Identifier: Apache-2.0 */
/* ArbOwner, 0x70, for the chain's owners, and ArbOwnerPublic, 0x6b, for everybody. Each change logs
 * OwnerActs(bytes4 indexed method, address indexed owner, bytes data), data being the whole
 * calldata. Who is no owner gets a revert with empty data. A chain whose last owner resigned stays
 * as it is. */
#include "base/check.h"
#include "base/limits.h"
#include "chain/system_call_internal.h"

enum {
    OWNERS_MAX = 64,
    PRICE_BITS_MAX = 128, /* of what an owner may set: any product with gas fits */
};

/* OwnerActs(bytes4 indexed method, address indexed owner, bytes data) */
static const hash32 OWNER_ACTS = {{0x3c, 0x9e, 0x6a, 0x77, 0x27, 0x55, 0x40, 0x73, 0x11, 0xe3, 0xb3,
                                   0x5b, 0x3e, 0xe5, 0x67, 0x99, 0xdf, 0x8f, 0x87, 0x39, 0x59, 0x41,
                                   0xb3, 0xa6, 0x58, 0xee, 0xe9, 0xe0, 0x8a, 0x67, 0xeb, 0xda}};

/* The end of a change that an owner made. */
static enum evm_status done(struct call *c) {
    hash32 topics[3] = {OWNER_ACTS, {{0}}, {{0}}};
    memcpy(topics[1].b, c->msg->input.ptr, 4);
    memcpy(topics[2].b + 12, c->msg->sender.b, sizeof c->msg->sender.b);
    put_u64(c, 32);
    put_bytes(c, c->msg->input);
    emit_log(c, topics, ARRAY_LEN(topics), buf_bytes(c->out));
    buf_reset(c->out);
    return EVM_SUCCESS;
}

static bool by_owner(struct call *c) {
    return call_is_owner(c, &c->msg->sender);
}

/* --- owners -------------------------------------------------------------------------------- */

enum evm_status owner_is(struct call *c) {
    addr20 a;
    return arg_addr(c, 0, &a) ? answer_u64(c, call_is_owner(c, &a)) : EVM_REVERT;
}

enum evm_status owner_all(struct call *c) {
    uint64_t count = call_get_u64(c, SYS_OWNER_COUNT, NULL);
    put_u64(c, 32);
    put_u64(c, count);
    for (uint64_t i = 0; i < count && !call_is_spent(c); i++) {
        u256 key = u256_from_u64(i);
        addr20 a = call_get_addr(c, SYS_OWNER_AT, &key);
        put_addr(c, &a);
    }
    return EVM_SUCCESS;
}

enum evm_status owner_add(struct call *c) {
    addr20 a;
    if (!by_owner(c) || !arg_addr(c, 0, &a))
        return EVM_REVERT;
    uint64_t count = call_get_u64(c, SYS_OWNER_COUNT, NULL);
    if (!call_is_owner(c, &a)) {
        if (count == OWNERS_MAX)
            return EVM_REVERT;
        u256 at = u256_from_u64(count), key = u256_from_addr(&a);
        call_set_addr(c, SYS_OWNER_AT, &at, &a);
        call_set_u64(c, SYS_OWNER_INDEX_PLUS_1, &key, count + 1);
        call_set_u64(c, SYS_OWNER_COUNT, NULL, count + 1);
    }
    return done(c);
}

/* The last in the list takes the place. */
enum evm_status owner_remove(struct call *c) {
    addr20 a;
    if (!by_owner(c) || !arg_addr(c, 0, &a) || !call_is_owner(c, &a))
        return EVM_REVERT;
    uint64_t count = call_get_u64(c, SYS_OWNER_COUNT, NULL);
    u256 key = u256_from_addr(&a), last = u256_from_u64(count - 1);
    u256 at = u256_from_u64(call_get_u64(c, SYS_OWNER_INDEX_PLUS_1, &key) - 1);
    addr20 moved = call_get_addr(c, SYS_OWNER_AT, &last);
    u256 moved_key = u256_from_addr(&moved);
    call_set_addr(c, SYS_OWNER_AT, &at, &moved);
    call_set_u64(c, SYS_OWNER_INDEX_PLUS_1, &moved_key, at.w[0] + 1);
    call_set(c, SYS_OWNER_AT, &last, &U256_ZERO);
    call_set_u64(c, SYS_OWNER_INDEX_PLUS_1, &key, 0);
    call_set_u64(c, SYS_OWNER_COUNT, NULL, count - 1);
    return done(c);
}

/* --- parameters ---------------------------------------------------------------------------- */

static enum evm_status set_price(struct call *c, enum system_field f) {
    u256 v = arg(c, 0);
    if (!by_owner(c) || u256_bit_len(&v) > PRICE_BITS_MAX)
        return EVM_REVERT;
    call_set(c, f, NULL, &v);
    return done(c);
}

static enum evm_status set_number(struct call *c, enum system_field f, uint64_t min, uint64_t max) {
    uint64_t v;
    if (!by_owner(c) || !arg_u64(c, 0, &v) || v < min || v > max)
        return EVM_REVERT;
    call_set_u64(c, f, NULL, v);
    return done(c);
}

enum evm_status owner_set_min_base_fee(struct call *c) {
    return set_price(c, SYS_MIN_BASE_FEE);
}

enum evm_status owner_set_congestion_unit(struct call *c) {
    return set_price(c, SYS_CONGESTION_UNIT);
}

enum evm_status owner_set_parent_wei_per_byte(struct call *c) {
    return set_price(c, SYS_PARENT_WEI_PER_BYTE);
}

enum evm_status owner_set_surcharge_cap(struct call *c) {
    return set_price(c, SYS_SURCHARGE_CAP);
}

enum evm_status owner_set_speed_limit(struct call *c) {
    return set_number(c, SYS_SPEED_LIMIT, 1, UINT64_MAX);
}

enum evm_status owner_set_inertia(struct call *c) {
    return set_number(c, SYS_INERTIA, 1, UINT64_MAX);
}

enum evm_status owner_set_tolerance(struct call *c) {
    return set_number(c, SYS_TOLERANCE, 0, UINT64_MAX);
}

enum evm_status owner_set_block_gas_limit(struct call *c) {
    return set_number(c, SYS_BLOCK_GAS_LIMIT, LIMIT_BLOCK_GAS_MIN, LIMIT_BLOCK_GAS_MAX);
}

/* Bytes of parent data per gas, as a fraction. */
enum evm_status owner_set_data_per_gas(struct call *c) {
    uint64_t num, den;
    if (!by_owner(c) || !arg_u64(c, 0, &num) || !arg_u64(c, 1, &den) || den == 0)
        return EVM_REVERT;
    call_set_u64(c, SYS_K_NUM, NULL, num);
    call_set_u64(c, SYS_K_DEN, NULL, den);
    return done(c);
}

/* Speed limit, tolerance and inertia of the data backlog. */
enum evm_status owner_set_data_meter(struct call *c) {
    uint64_t speed, tolerance, inertia;
    if (!by_owner(c) || !arg_u64(c, 0, &speed) || !arg_u64(c, 1, &tolerance) ||
        !arg_u64(c, 2, &inertia) || speed == 0 || inertia == 0)
        return EVM_REVERT;
    call_set_u64(c, SYS_DA_SPEED_LIMIT, NULL, speed);
    call_set_u64(c, SYS_DA_TOLERANCE, NULL, tolerance);
    call_set_u64(c, SYS_DA_INERTIA, NULL, inertia);
    return done(c);
}

enum evm_status owner_set_network_fee_account(struct call *c) {
    addr20 a;
    if (!by_owner(c) || !arg_addr(c, 0, &a))
        return EVM_REVERT;
    call_set_addr(c, SYS_NETWORK_FEE_ACCOUNT, NULL, &a);
    return done(c);
}

enum evm_status owner_network_fee_account(struct call *c) {
    addr20 a = call_get_addr(c, SYS_NETWORK_FEE_ACCOUNT, NULL);
    return answer_addr(c, &a);
}

/* There is one fee account: P is not split. */
enum evm_status owner_infra_fee_account(struct call *c) {
    addr20 nobody = {{0}};
    return answer_addr(c, &nobody);
}

/* --- upgrades ------------------------------------------------------------------------------ */

/* A state-transition version from a block on; (0, 0) takes the plan back. A node that lacks the
 * version stops before that block. */
enum evm_status owner_schedule_upgrade(struct call *c) {
    uint64_t version, block;
    if (!by_owner(c) || !arg_u64(c, 0, &version) || !arg_u64(c, 1, &block))
        return EVM_REVERT;
    bool cancels = version == 0 && block == 0;
    if (!cancels && (version <= c->block->version || block <= c->block->number))
        return EVM_REVERT;
    call_set_u64(c, SYS_SCHEDULED_VERSION, NULL, version);
    call_set_u64(c, SYS_SCHEDULED_BLOCK, NULL, block);
    return done(c);
}

enum evm_status owner_scheduled_upgrade(struct call *c) {
    put_u64(c, call_get_u64(c, SYS_SCHEDULED_VERSION, NULL));
    put_u64(c, call_get_u64(c, SYS_SCHEDULED_BLOCK, NULL));
    return EVM_SUCCESS;
}
