/* SPDX-License-Identifier: Apache-2.0 */
/* A tracer that writes one JSON line per instruction, as EIP-3155 has it: pc, op, gas, gasCost,
 * memSize, stack, depth, returnData, refund, opName, error. */
#ifndef NODE_TRACE_EIP3155_H
#define NODE_TRACE_EIP3155_H

#include "evm/evm.h"

#include <stdio.h>

struct trace_eip3155 {
    struct evm_tracer tracer; /* hand this to the machine, in the reference tier */
    FILE *out;                /* borrowed */
    bool memory;              /* also the memory of each step */
};

void trace_eip3155_init(struct trace_eip3155 *t, FILE *out, bool memory);
/* The closing line of EIP-3155: output, gas used, and an error text or none. */
void trace_eip3155_summary(struct trace_eip3155 *t, const struct evm_result *r, int64_t gas_used);

#endif
