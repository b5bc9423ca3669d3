/* SPDX-License-Identifier: Apache-2.0 */
/* Op bodies: arithmetic, comparison, bits and shifts (Yellow Paper, appendix H, 0x01-0x1e). Included in the
 * middle of each tier's loop, which defines OP_BODY, NEXT, HALT, CHARGE, TRY_GAS and CHARGED, and has the locals
 * vm, f, sp (one past the top) and gas. No include guard: one expansion per tier. */
OP_BODY(ADD) {
    alu_add(&sp[-2], &sp[-1], &sp[-2]);
    sp--;
    NEXT();
}
OP_BODY(MUL) {
    alu_mul(&sp[-2], &sp[-1], &sp[-2]);
    sp--;
    NEXT();
}
OP_BODY(SUB) {
    alu_sub(&sp[-2], &sp[-1], &sp[-2]);
    sp--;
    NEXT();
}
OP_BODY(DIV) {
    alu_div(&sp[-2], &sp[-1], &sp[-2]);
    sp--;
    NEXT();
}
OP_BODY(SDIV) {
    alu_sdiv(&sp[-2], &sp[-1], &sp[-2]);
    sp--;
    NEXT();
}
OP_BODY(MOD) {
    alu_mod(&sp[-2], &sp[-1], &sp[-2]);
    sp--;
    NEXT();
}
OP_BODY(SMOD) {
    alu_smod(&sp[-2], &sp[-1], &sp[-2]);
    sp--;
    NEXT();
}
OP_BODY(ADDMOD) {
    alu_addmod(&sp[-3], &sp[-1], &sp[-2], &sp[-3]);
    sp -= 2;
    NEXT();
}
OP_BODY(MULMOD) {
    sp[-3] = u256_mulmod(&sp[-1], &sp[-2], &sp[-3]);
    sp -= 2;
    NEXT();
}
OP_BODY(EXP) {
    CHARGE(op_exp_cost(&sp[-2]));
    CHARGED();
    sp[-2] = u256_exp(&sp[-1], &sp[-2]);
    sp--;
    NEXT();
}
OP_BODY(SIGNEXTEND) {
    alu_signextend(&sp[-2], &sp[-1], &sp[-2]);
    sp--;
    NEXT();
}
OP_BODY(LT) {
    alu_set_bool(&sp[-2], alu_lt(&sp[-1], &sp[-2]));
    sp--;
    NEXT();
}
OP_BODY(GT) {
    alu_set_bool(&sp[-2], alu_lt(&sp[-2], &sp[-1]));
    sp--;
    NEXT();
}
OP_BODY(SLT) {
    alu_set_bool(&sp[-2], alu_slt(&sp[-1], &sp[-2]));
    sp--;
    NEXT();
}
OP_BODY(SGT) {
    alu_set_bool(&sp[-2], alu_slt(&sp[-2], &sp[-1]));
    sp--;
    NEXT();
}
OP_BODY(EQ) {
    alu_set_bool(&sp[-2], u256_eq(&sp[-1], &sp[-2]));
    sp--;
    NEXT();
}
OP_BODY(ISZERO) {
    alu_set_bool(&sp[-1], u256_is_zero(&sp[-1]));
    NEXT();
}
OP_BODY(AND) {
    sp[-2] = u256_and(&sp[-1], &sp[-2]);
    sp--;
    NEXT();
}
OP_BODY(OR) {
    sp[-2] = u256_or(&sp[-1], &sp[-2]);
    sp--;
    NEXT();
}
OP_BODY(XOR) {
    sp[-2] = u256_xor(&sp[-1], &sp[-2]);
    sp--;
    NEXT();
}
OP_BODY(NOT) {
    sp[-1] = u256_not(&sp[-1]);
    NEXT();
}
OP_BODY(BYTE) {
    alu_byte(&sp[-2], &sp[-1], &sp[-2]);
    sp--;
    NEXT();
}
OP_BODY(SHL) {
    alu_shl(&sp[-2], &sp[-1], &sp[-2]);
    sp--;
    NEXT();
}
OP_BODY(SHR) {
    alu_shr(&sp[-2], &sp[-1], &sp[-2]);
    sp--;
    NEXT();
}
OP_BODY(SAR) {
    alu_sar(&sp[-2], &sp[-1], &sp[-2]);
    sp--;
    NEXT();
}
OP_BODY(CLZ) {
    sp[-1] = u256_from_u64(u256_clz(&sp[-1]));
    NEXT();
}
