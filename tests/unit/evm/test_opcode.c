/* SPDX-License-Identifier: Apache-2.0 */
/* The generated tables: which opcodes each revision has, and what they take and leave. */
#include "evm/opcode.h"

#include <criterion/criterion.h>

static unsigned defined_ops(enum evm_revision rev) {
    unsigned n = 0;
    for (unsigned op = 0; op < 256; op++)
        n += op_table(rev)[op].defined;
    return n;
}

Test(opcode, each_revision_adds_its_own) {
    cr_expect_eq(defined_ops(EVM_CANCUN), defined_ops(EVM_SHANGHAI) + 5);
    cr_expect_eq(defined_ops(EVM_PRAGUE), defined_ops(EVM_CANCUN));
    cr_expect_eq(defined_ops(EVM_OSAKA), defined_ops(EVM_PRAGUE) + 1);
    cr_expect(!op_table(EVM_SHANGHAI)[OP_TLOAD].defined);
    cr_expect(op_table(EVM_CANCUN)[OP_MCOPY].defined);
    cr_expect(!op_table(EVM_PRAGUE)[OP_CLZ].defined);
    cr_expect(op_table(EVM_OSAKA)[OP_CLZ].defined);
}

Test(opcode, rows_are_consistent) {
    for (unsigned op = 0; op < 256; op++) {
        const struct op_info *i = &op_table(EVM_OSAKA)[op];
        cr_expect_eq(i->defined, op_name((uint8_t)op) != NULL, "%02x", op);
        if (op >= OP_PUSH0 && op <= OP_PUSH32)
            cr_expect_eq(i->immediate, op - OP_PUSH0, "%02x", op);
        else
            cr_expect_eq(i->immediate, 0, "%02x", op);
        if (op >= OP_DUP1 && op <= OP_DUP16)
            cr_expect(i->pops == op - OP_DUP1 + 1 && i->pushes == i->pops + 1, "%02x", op);
        if (op >= OP_SWAP1 && op <= OP_SWAP16)
            cr_expect(i->pops == op - OP_SWAP1 + 2 && i->pushes == i->pops, "%02x", op);
    }
    cr_expect_str_eq(op_name(0x20), "KECCAK256");
    cr_expect_null(op_name(0x0c));
}

Test(opcode, revisions_by_name) {
    for (unsigned i = 0; i < EVM_REVISION_COUNT; i++) {
        enum evm_revision rev;
        cr_assert(evm_revision_parse(&rev, evm_revision_name((enum evm_revision)i)));
        cr_expect_eq(rev, i);
    }
    enum evm_revision rev;
    cr_expect(evm_revision_parse(&rev, "osaka") && rev == EVM_OSAKA);
    cr_expect_not(evm_revision_parse(&rev, "London"));
}
