/* SPDX-License-Identifier: Apache-2.0 */
/* The reference tier, from the code's bytes: gas and stack are checked at each instruction.
 * Expanded twice: plain, and with the tracer's hooks. The plain loop also runs the fast tier's init
 * code and code that is not hot yet. */
#include "evm/interp_common.h"

/* PUSH data that the code's end cuts off reads as zeros (YP §9.4.1). */
static u256 push_value(bytes code, size_t pc, unsigned len) {
    size_t have = code.len - pc - 1;
    if (have >= len)
        return u256_from_be(code.ptr + pc + 1, len);
    uint8_t raw[32] = {0};
    memcpy(raw, code.ptr + pc + 1, have);
    return u256_from_be(raw, len);
}

/* The map of JUMPDESTs, made at a frame's first jump. NULL when memory runs out. */
static const uint8_t *jumpdests_of(struct evm *vm, struct frame *f) {
    if (f->jumpdests != NULL)
        return f->jumpdests;
    if (f->entry != NULL) {
        f->jumpdests = code_entry_jumpdests(vm->cache, f->entry, f->code);
    } else {
        mark_jumpdests(f->jumpdest_room, f->code);
        f->jumpdests = f->jumpdest_room;
    }
    return f->jumpdests;
}

static bool is_jumpdest(const uint8_t *map, size_t len, uint64_t pc) {
    return pc < len && (map[pc / 8] >> (pc % 8) & 1) != 0;
}

/* What the tracer is told of an instruction: the machine as it was before. */
struct trace_point {
    size_t pc;
    int64_t gas;
    uint64_t mem_size;
    uint32_t height;
    uint8_t op;
    bool told;
};

static struct trace_point trace_begin(const struct frame *f, size_t pc, uint8_t op, const u256 *sp,
                                      int64_t gas) {
    return (struct trace_point){.pc = pc,
                                .gas = gas,
                                .mem_size = f->mem_size,
                                .height = (uint32_t)(sp - f->stack),
                                .op = op};
}

static void trace_step(struct evm *vm, const struct frame *f, struct trace_point *at, int64_t gas,
                       enum evm_status error) {
    at->told = true;
    if (vm->tracer->on_step == NULL)
        return;
    struct evm_step step = {
        .pc = (uint32_t)at->pc,
        .op = at->op,
        .depth = f->depth,
        .gas = at->gas,
        .gas_cost = at->gas - gas,
        .refund = f->refund,
        .stack = f->stack,
        .stack_len = at->height,
        .memory = bytes_of(f->mem, at->mem_size),
        .return_data = vm->return_data,
        .address = &f->self,
        .error = error,
    };
    vm->tracer->on_step(vm->tracer->ctx, &step);
}

/* The frame has halted: tells of an instruction that could not run. */
static void trace_fault(struct evm *vm, const struct frame *f, struct trace_point *at,
                        int64_t gas) {
    bool failed = f->status != EVM_SUCCESS && f->status != EVM_REVERT;
    if (failed && !at->told)
        trace_step(vm, f, at, gas, f->status);
}

#define OP_BODY(name) case OP_##name:
#define NEXT() goto next
#define PC_VALUE() ((uint64_t)pc)
#define JUMP(dst)                                                                                  \
    do {                                                                                           \
        const u256 *to_ = (dst);                                                                   \
        const uint8_t *map_ = jumpdests_of(vm, f);                                                 \
        if (UNLIKELY(map_ == NULL))                                                                \
            HALT(EVM_INTERNAL_ERROR);                                                              \
        if (!is_jumpdest(map_, code.len, u256_sat_u64(to_)))                                       \
            HALT(EVM_BAD_JUMP);                                                                    \
        pc = (size_t)to_->w[0];                                                                    \
        goto jumped;                                                                               \
    } while (0)
#define SKIP_JUMP() NEXT()
#define SUSPEND()                                                                                  \
    do {                                                                                           \
        f->pc = (uint32_t)pc + 1;                                                                  \
        f->sp = sp;                                                                                \
        f->gas = gas;                                                                              \
    } while (0)
#define RESUME()                                                                                   \
    do {                                                                                           \
        pc = f->pc;                                                                                \
        sp = f->sp;                                                                                \
        gas = f->gas;                                                                              \
        goto fetch;                                                                                \
    } while (0)

#define LOOP_NAME interp_reference
#define TRACED 0
#include "evm/interp_ref_loop.inc"
#undef LOOP_NAME
#undef TRACED

#define LOOP_NAME interp_traced
#define TRACED 1
#include "evm/interp_ref_loop.inc"
