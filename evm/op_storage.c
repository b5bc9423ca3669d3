/* SPDX-License-Identifier: Apache-2.0 */
#include "evm/machine.h"

int64_t op_sstore_charge(struct evm *vm, struct frame *f, const u256 *sp, int64_t gas) {
    if (f->is_static)
        return gas_fail(EVM_STATIC_VIOLATION);
    if (gas + f->held <= GAS_SSTORE_SENTRY)
        return gas_fail(EVM_OUT_OF_GAS);
    u256 original, current;
    if (vm->ops->sstore_peek(vm->ctx, &original, &current, &f->self, &sp[-1]))
        gas -= GAS_COLD_SLOAD;
    int64_t refund = 0;
    gas -= gas_sstore(&refund, &original, &current, &sp[-2]);
    if (gas < 0)
        return gas_fail(EVM_OUT_OF_GAS);
    f->refund += refund;
    return gas;
}

int64_t op_log_charge(struct evm *vm, struct frame *f, const u256 *sp, int64_t gas) {
    if (f->is_static)
        return gas_fail(EVM_STATIC_VIOLATION);
    gas = mem_charge(vm, f, &sp[-1], &sp[-2], gas);
    if (gas < 0)
        return gas;
    int64_t cost =
        (int64_t)sp[-2].w[0] * GAS_LOG_BYTE; /* the length is a memory size: below 2^38 */
    return cost > gas ? gas_fail(EVM_OUT_OF_GAS) : gas - cost;
}

void op_log(struct evm *vm, struct frame *f, const u256 *sp, unsigned topics) {
    struct evm_log log = {
        .address = f->self,
        .topic_count = (uint8_t)topics,
        .data = mem_bytes(f, &sp[-1], &sp[-2]),
    };
    for (unsigned i = 0; i < topics; i++)
        u256_to_be32(log.topics[i].b, &sp[-3 - (int)i]);
    vm->ops->emit_log(vm->ctx, &log);
    if (vm->tracer != NULL && vm->tracer->on_log != NULL)
        vm->tracer->on_log(vm->tracer->ctx, &log, f->depth);
}
