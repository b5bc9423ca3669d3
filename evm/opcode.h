/* SPDX-License-Identifier: Apache-2.0 */
/* The opcode table, generated from opcodes.def and forks.def: what each byte means in each
 * revision. */
#ifndef EVM_OPCODE_H
#define EVM_OPCODE_H

#include "evm/evm.h"

enum opcode {
#define OP(byte, name, since, gas, pops, pushes, imm, dyn, source) OP_##name = byte,
#define OP_UNDEF(byte)
#include "evm/opcodes.def"
#undef OP
#undef OP_UNDEF
};

struct op_info {
    uint16_t gas;      /* static part */
    uint8_t pops;      /* items needed */
    uint8_t pushes;    /* items left in their place */
    uint8_t immediate; /* bytes of code that follow, 0..32 */
    bool dynamic;      /* charges more than `gas` */
    bool defined;      /* exists in this revision */
};

/* 256 entries of a revision. Static, filled on first use; thread-safe. */
const struct op_info *op_table(enum evm_revision rev);

/* "ADD", or NULL for a byte that no revision defines. Static string. */
const char *op_name(uint8_t op);

/* "Cancun"; and back, ignoring case: false when there is no such revision. */
const char *evm_revision_name(enum evm_revision rev);
bool evm_revision_parse(enum evm_revision *out, const char *name) MUST_USE;

#endif
