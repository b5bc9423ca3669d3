/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of interp_ref.c, once per value of TRACED. No include guard. */
#if TRACED
/* Dynamic gas has been taken: the instruction's cost is known, and nothing else has changed yet. */
#define CHARGED() trace_step(vm, f, &at, gas, EVM_SUCCESS)
#define TRACE_STATIC()                                                                             \
    do {                                                                                           \
        if (!info->dynamic)                                                                        \
            CHARGED();                                                                             \
    } while (0)
#else
#define CHARGED() ((void)0)
#define TRACE_STATIC() ((void)0)
#endif

enum loop_exit LOOP_NAME(struct evm *vm, struct frame *f) {
    const struct op_info *const table = vm->table;
    const bytes code = f->code;
    u256 *const stack = f->stack;
    const struct op_info *info;
    size_t pc;
    u256 *sp;
    int64_t gas;
#if TRACED
    struct trace_point at;
#endif
    RESUME();

jumped:
    if (!TRACED && UNLIKELY(f->heats && gas < f->switch_gas)) {
        f->pc = (uint32_t)pc;
        f->sp = sp;
        f->gas = gas;
        return EXIT_HOT;
    }
    goto fetch;
next:
    pc++;
fetch:;
    uint8_t op = pc < code.len ? code.ptr[pc] : (uint8_t)OP_STOP;
    info = &table[op];
#if TRACED
    at = trace_begin(f, pc, op, sp, gas);
#endif
    if (UNLIKELY(!info->defined))
        HALT(EVM_INVALID_OPCODE);
    size_t height = (size_t)(sp - stack);
    if (UNLIKELY(height < info->pops))
        HALT(EVM_STACK_UNDERFLOW);
    if (UNLIKELY(height - info->pops + info->pushes > EVM_STACK_MAX))
        HALT(EVM_STACK_OVERFLOW);
    CHARGE(info->gas);
    TRACE_STATIC();

    switch (op) {
#include "evm/op_arith.h"
#include "evm/op_env.h"
#include "evm/op_mem.h"
#include "evm/op_stack.h"
#include "evm/op_flow.h"
    OP_BODY(JUMPDEST) {
        NEXT();
    }
    /* One body for PUSH1-32: those bytes are consecutive. */
    case OP_PUSH1 ... OP_PUSH32: {
        unsigned len = info->immediate;
        *sp++ = push_value(code, pc, len);
        pc += len;
        NEXT();
    }
    default:
        HALT(EVM_INVALID_OPCODE);
    }

halted:
#if TRACED
    trace_fault(vm, f, &at, gas);
#endif
    f->sp = sp;
    f->gas = gas;
    return EXIT_HALT;
}

#undef CHARGED
#undef TRACE_STATIC
