/* SPDX-License-Identifier: Apache-2.0 */
/* What stopped a frame, in geth's words: some of them name the instruction or count the stack,
 * which the machine's status does not hold. */
#ifndef RPC_TRACE_FAULT_H
#define RPC_TRACE_FAULT_H

#include "chain/watch.h"

enum { FAULT_TEXT_MAX = 96 };

/* The instruction that a frame came to last. */
struct fault_step {
    uint8_t op;
    uint32_t stack_len;
};
static inline void fault_note(struct fault_step *f, const struct evm_step *s) {
    f->op = s->op;
    f->stack_len = s->stack_len;
}
/* "stack underflow (1 <=> 2)", "invalid opcode: INVALID", else evm_status_text. */
void fault_text(char out[FAULT_TEXT_MAX], enum evm_status status, const struct fault_step *at);

/* "ADD", "opcode 0xc not defined": geth's name of any byte. */
enum { OP_TEXT_MAX = 32 };
void op_text(char out[OP_TEXT_MAX], uint8_t op);

/* Finds the text for the outermost frame of one transaction; empty when it succeeds. */
struct fault_watch {
    struct exec_watch watch;
    struct evm_tracer hooks;
    struct fault_step last;
    char text[FAULT_TEXT_MAX];
};
void fault_watch_init(struct fault_watch *f);

#endif
