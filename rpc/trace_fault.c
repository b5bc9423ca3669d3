/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/trace_fault.h"

#include "evm/opcode.h"

#include <stdio.h>

void op_text(char out[OP_TEXT_MAX], uint8_t op) {
    /* The name from before the merge, which geth has kept. */
    const char *name = op == OP_PREVRANDAO ? "DIFFICULTY" : op_name(op);
    if (name != NULL)
        snprintf(out, OP_TEXT_MAX, "%s", name);
    else
        snprintf(out, OP_TEXT_MAX, "opcode %#x not defined", op);
}

void fault_text(char out[FAULT_TEXT_MAX], enum evm_status status, const struct fault_step *at) {
    const struct op_info *info = &op_table(EVM_OSAKA)[at->op];
    char op[OP_TEXT_MAX];
    if (status == EVM_STACK_UNDERFLOW) {
        snprintf(out, FAULT_TEXT_MAX, "stack underflow (%u <=> %u)", at->stack_len, info->pops);
    } else if (status == EVM_STACK_OVERFLOW) {
        snprintf(out, FAULT_TEXT_MAX, "stack limit reached %u (%d)", at->stack_len,
                 EVM_STACK_MAX + info->pops - info->pushes);
    } else if (status == EVM_INVALID_OPCODE) {
        op_text(op, at->op);
        snprintf(out, FAULT_TEXT_MAX, "invalid opcode: %s", op);
    } else {
        snprintf(out, FAULT_TEXT_MAX, "%s", evm_status_text(status));
    }
}

static void on_step(void *ctx, const struct evm_step *s) {
    struct fault_watch *f = ctx;
    fault_note(&f->last, s);
}

static void on_exit_frame(void *ctx, enum evm_status status, bytes output, int64_t gas_used,
                          uint32_t depth) {
    struct fault_watch *f = ctx;
    (void)output;
    (void)gas_used;
    if (depth == 0 && status != EVM_SUCCESS)
        fault_text(f->text, status, &f->last);
}

void fault_watch_init(struct fault_watch *f) {
    *f = (struct fault_watch){
        .watch = exec_watch_through(&f->hooks),
        .hooks = {.ctx = f, .on_step = on_step, .on_exit = on_exit_frame},
    };
}
