/* SPDX-License-Identifier: Apache-2.0 */
/* KIND_<name> for every opcode and every name of fused.def, as fused.def writes them: the opcode's
 * byte or the enum fast_op. Constants only, for tables and macros that are expanded from it. */
#ifndef EVM_KINDS_H
#define EVM_KINDS_H

#include "evm/machine.h"

enum {
#define OP(byte, name, since, gas, pops, pushes, imm, dyn, source) KIND_##name = byte,
#define OP_UNDEF(byte)
#include "evm/opcodes.def"
#undef OP
#undef OP_UNDEF
#define FUSED(name) KIND_##name = FAST_##name,
#include "evm/fused.def"
#undef FUSED
};

#endif
