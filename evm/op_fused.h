/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies that only decoded code has: fused.def. Included by interp_fast.c after the ordinary ones. */
OP_BODY(BLOCK) {
    ENTER_BLOCK();
}
OP_BODY(BAD_JUMP) {
    HALT(EVM_BAD_JUMP);
}
OP_BODY(UNDEFINED) {
    HALT(EVM_INVALID_OPCODE);
}
OP_BODY(PUSH_SMALL) {
    *sp++ = u256_from_u64(ip->imm);
    NEXT();
}
OP_BODY(PUSH_WORD) {
    *sp++ = *ip->word;
    NEXT();
}
OP_BODY(JUMP_TO) {
    JUMP_SLOT(ip->target);
}
OP_BODY(JUMPI_TO) {
    sp--;
    if (u256_is_zero(sp))
        SKIP_JUMP();
    JUMP_SLOT(ip->target);
}

/* Never in decoded code: JUMPDEST is a block header there, and PUSH has the forms above. */
OP_BODY(JUMPDEST)
#define PUSH_BODY(n) OP_BODY(PUSH##n)
PUSH_BODY(1)
PUSH_BODY(2)
PUSH_BODY(3)
PUSH_BODY(4)
PUSH_BODY(5)
PUSH_BODY(6)
PUSH_BODY(7)
PUSH_BODY(8)
PUSH_BODY(9)
PUSH_BODY(10)
PUSH_BODY(11)
PUSH_BODY(12)
PUSH_BODY(13)
PUSH_BODY(14)
PUSH_BODY(15)
PUSH_BODY(16)
PUSH_BODY(17)
PUSH_BODY(18)
PUSH_BODY(19)
PUSH_BODY(20)
PUSH_BODY(21)
PUSH_BODY(22)
PUSH_BODY(23)
PUSH_BODY(24)
PUSH_BODY(25)
PUSH_BODY(26)
PUSH_BODY(27)
PUSH_BODY(28)
PUSH_BODY(29)
PUSH_BODY(30)
PUSH_BODY(31)
PUSH_BODY(32)
#undef PUSH_BODY
{
    HALT(EVM_INTERNAL_ERROR);
}
