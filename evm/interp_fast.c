/* SPDX-License-Identifier: Apache-2.0 */
/* The fast tier: threaded code over decoded slots. Gas and stack were summed per basic block by
 * analysis.c, so the bodies check neither. Compiled with the flags that rules.mk gives this file.
 */
#include "evm/interp_common.h"

#include <pthread.h>

static const void *const *label_table;

/* Why a block cannot run: too few items, or (also where no stack would do) too many. */
static enum evm_status stack_fault(uint32_t height, uint32_t need) {
    return height < need && need <= EVM_STACK_MAX ? EVM_STACK_UNDERFLOW : EVM_STACK_OVERFLOW;
}

#define OP_BODY(name) L_##name:
#define DISPATCH() goto * ip->op
#define NEXT()                                                                                     \
    do {                                                                                           \
        ip++;                                                                                      \
        DISPATCH();                                                                                \
    } while (0)
#define CHARGED() ((void)0)
#define PC_VALUE() (ip->imm)

/* Runs the block header at ip and goes to the slot behind it. */
#define ENTER_BLOCK()                                                                              \
    do {                                                                                           \
        gas -= ip->blk.gas;                                                                        \
        if (UNLIKELY(gas < 0))                                                                     \
            HALT(EVM_OUT_OF_GAS);                                                                  \
        uint32_t height_ = (uint32_t)(sp - stack);                                                 \
        if (UNLIKELY(height_ - ip->blk.need > ip->blk.slack))                                      \
            HALT(stack_fault(height_, ip->blk.need));                                              \
        NEXT();                                                                                    \
    } while (0)
#define JUMP_SLOT(slot)                                                                            \
    do {                                                                                           \
        ip = (slot);                                                                               \
        ENTER_BLOCK();                                                                             \
    } while (0)
#define JUMP(dst)                                                                                  \
    do {                                                                                           \
        const u256 *to_ = (dst);                                                                   \
        const struct decoded *d_ = f->decoded;                                                     \
        uint64_t pc_ = u256_sat_u64(to_);                                                          \
        JUMP_SLOT(d_->insns + (pc_ < d_->code_len ? d_->jumps[pc_] : 0));                          \
    } while (0)
/* A block ends at a jump not taken. */
#define SKIP_JUMP() JUMP_SLOT(ip + 1)

#define SUSPEND()                                                                                  \
    do {                                                                                           \
        f->ip = ip + 1;                                                                            \
        f->sp = sp;                                                                                \
        f->gas = gas;                                                                              \
    } while (0)
#define RESUME()                                                                                   \
    do {                                                                                           \
        ip = f->ip;                                                                                \
        sp = f->sp;                                                                                \
        gas = f->gas;                                                                              \
        DISPATCH();                                                                                \
    } while (0)

/* Without a frame it only publishes the addresses of its labels. */
enum loop_exit interp_fast(struct evm *vm, struct frame *f) {
    static const void *const labels[FAST_OP_COUNT] = {
#define OP(byte, name, since, gas, pops, pushes, imm, dyn, source) [byte] = &&L_##name,
#define OP_UNDEF(byte) [byte] = &&L_UNDEFINED,
#include "evm/opcodes.def"
#undef OP
#undef OP_UNDEF
#define FUSED(name) [FAST_##name] = &&L_##name,
#define FUSE(name, first, second) FUSED(name)
#define BRANCH(name, first, second) FUSED(name)
#define PAIR(name, first, second) FUSED(name)
#include "evm/fused.def"
#undef FUSED
#undef FUSE
#undef BRANCH
#undef PAIR
    };
    if (f == NULL) {
        label_table = labels;
        return EXIT_HALT;
    }
    const struct insn *ip;
    u256 *sp;
    int64_t gas;
    u256 *const stack = f->stack;
    RESUME();

#include "evm/op_arith.inc"
#include "evm/op_env.inc"
#include "evm/op_mem.inc"
#include "evm/op_stack.inc"
#include "evm/op_flow.inc"
#include "evm/op_fused.inc"

halted:
    f->sp = sp;
    f->gas = gas;
    return EXIT_HALT;
}

static pthread_once_t labels_once = PTHREAD_ONCE_INIT;
static void publish_labels(void) {
    (void)interp_fast(NULL, NULL);
}

const void *const *fast_labels(void) {
    pthread_once(&labels_once, publish_labels);
    return label_table;
}
