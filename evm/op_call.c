/* SPDX-License-Identifier: Apache-2.0 */
#include "evm/machine.h"
#include "evm/precompile.h"

/* Finds what a call will run. EIP-7702: one level of delegation is followed and its access paid
 * for; the designator of a designator is run as code, and fails there. */
static int64_t resolve_code(struct evm *vm, struct call *c, int64_t gas) {
    c->delegated = false;
    c->code = (struct evm_code_ref){.handle = NULL};
    c->precompile = precompile_find(vm->cfg->revision, &c->code_addr);
    if (c->precompile >= 0)
        return gas;
    vm->ops->get_code(vm->ctx, &c->code, &c->code_addr);
    addr20 target;
    if (vm->cfg->revision < EVM_PRAGUE || !evm_parse_delegation(&target, c->code.code))
        return gas;
    gas -= vm->ops->access_account(vm->ctx, &target) ? GAS_COLD_ACCOUNT : GAS_WARM_READ;
    if (gas < 0)
        return gas_fail(EVM_OUT_OF_GAS);
    c->delegated = true;
    vm->ops->get_code(vm->ctx, &c->code, &target);
    return gas;
}

/* Who is called by whom, from the operands. `rest` is the operand below the value, if there is one.
 */
static void set_parties(struct call *c, const struct frame *f, enum evm_call_kind kind,
                        const u256 *sp) {
    c->kind = kind;
    c->code_addr = u256_to_addr(&sp[-2]);
    c->is_static = f->is_static || kind == EVM_STATICCALL;
    c->depth = f->depth + 1;
    bool own_context = kind == EVM_CALLCODE || kind == EVM_DELEGATECALL;
    c->recipient = own_context ? f->self : c->code_addr;
    c->sender = kind == EVM_DELEGATECALL ? f->caller : f->self;
    if (kind == EVM_DELEGATECALL)
        c->value = f->value;
    else if (kind == EVM_STATICCALL)
        c->value = U256_ZERO;
    else
        c->value = sp[-3];
}

/* EIP-150: no more than 63/64 of what is left can be given along; a value carries a stipend for
 * free. */
static int64_t give_gas(struct call *c, const struct frame *f, const u256 *requested,
                        bool with_stipend, int64_t gas) {
    int64_t all = gas + f->held;
    int64_t most = all - all / 64;
    uint64_t want = u256_sat_u64(requested);
    c->gas = want < (uint64_t)most ? (int64_t)want : most;
    int64_t now = c->gas < gas ? c->gas : gas;
    c->owed = c->gas - now;
    gas -= now;
    if (with_stipend)
        c->gas += GAS_CALL_STIPEND;
    return gas;
}

int64_t op_call_charge(struct evm *vm, struct frame *f, enum evm_call_kind kind, const u256 *sp,
                       int64_t gas) {
    struct call *c = &vm->call;
    if (vm->cfg->expired != NULL && vm->cfg->expired(vm->cfg->expired_ctx))
        return gas_fail(EVM_OUT_OF_GAS);
    bool takes_value = kind == EVM_CALL || kind == EVM_CALLCODE;
    const u256 *rest =
        takes_value ? sp - 4 : sp - 3; /* in offset, in length, out offset, out length */
    set_parties(c, f, kind, sp);
    bool moves_value = takes_value && !u256_is_zero(&c->value);
    if (kind == EVM_CALL && moves_value && f->is_static)
        return gas_fail(EVM_STATIC_VIOLATION);

    gas = mem_charge(vm, f, &rest[0], &rest[-1], gas);
    if (gas >= 0)
        gas = mem_charge(vm, f, &rest[-2], &rest[-3], gas);
    if (gas < 0)
        return gas;
    c->input = mem_bytes(f, &rest[0], &rest[-1]);
    c->ret_off = rest[-2].w[0];
    c->ret_len = rest[-3].w[0];

    if (vm->ops->access_account(vm->ctx, &c->code_addr))
        gas -= GAS_COLD_ACCOUNT_EXTRA;
    if (moves_value) {
        gas -= GAS_CALL_VALUE;
        if (kind == EVM_CALL && gas >= 0 && vm->ops->is_empty(vm->ctx, &c->recipient))
            gas -= GAS_NEW_ACCOUNT;
    }
    if (gas < 0)
        return gas_fail(EVM_OUT_OF_GAS);
    gas = resolve_code(vm, c, gas);
    if (gas < 0)
        return gas;
    return give_gas(c, f, &sp[-1], moves_value, gas);
}

bool op_call_enter(struct evm *vm, struct frame *f) {
    const struct call *c = &vm->call;
    bool takes_value = c->kind == EVM_CALL || c->kind == EVM_CALLCODE;
    f->sp -= takes_value ? 7 : 6;
    f->gas -= c->owed;
    f->ret_off = c->ret_off;
    f->ret_len = c->ret_len;
    return enter_call(vm);
}
