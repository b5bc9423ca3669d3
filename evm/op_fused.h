/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies that only decoded code has: fused.def. Included by interp_fast.c after the ordinary ones. */
#define TOUCH_WORD_AT(off)                                                                         \
    do {                                                                                           \
        if (UNLIKELY((off) >= f->mem_word_end)) {                                                  \
            const u256 off_ = u256_from_u64(off), word_len_ = {{32, 0, 0, 0}};                     \
            TRY_GAS(mem_expand(vm, f, &off_, &word_len_, gas));                                    \
        }                                                                                          \
    } while (0)

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

/* --- one slot: the operand of the first is in ip ------------------------------------------------------- */
OP_BODY(ADD_SMALL) {
    alu_add64(&sp[-1], &sp[-1], ip->imm);
    NEXT();
}
OP_BODY(SUB_SMALL) {
    u256 v = u256_from_u64(ip->imm);
    alu_sub(&sp[-1], &v, &sp[-1]);
    NEXT();
}
OP_BODY(MUL_SMALL) {
    alu_mul64(&sp[-1], &sp[-1], ip->imm);
    NEXT();
}
OP_BODY(AND_SMALL) {
    sp[-1] = u256_from_u64(sp[-1].w[0] & ip->imm);
    NEXT();
}
OP_BODY(OR_SMALL) {
    sp[-1].w[0] |= ip->imm;
    NEXT();
}
OP_BODY(SHL_SMALL) {
    alu_shl_n(&sp[-1], &sp[-1], ip->imm);
    NEXT();
}
OP_BODY(SHR_SMALL) {
    alu_shr_n(&sp[-1], &sp[-1], ip->imm);
    NEXT();
}
OP_BODY(LT_SMALL) { /* imm < top */
    alu_set_bool(&sp[-1], !u256_fits_u64(&sp[-1]) || ip->imm < sp[-1].w[0]);
    NEXT();
}
OP_BODY(GT_SMALL) {
    alu_set_bool(&sp[-1], u256_fits_u64(&sp[-1]) && ip->imm > sp[-1].w[0]);
    NEXT();
}
OP_BODY(EQ_SMALL) {
    alu_set_bool(&sp[-1], u256_fits_u64(&sp[-1]) && ip->imm == sp[-1].w[0]);
    NEXT();
}
OP_BODY(MLOAD_SMALL) {
    TOUCH_WORD_AT(ip->imm);
    *sp++ = u256_from_be32(f->mem + ip->imm);
    NEXT();
}
OP_BODY(MSTORE_SMALL) {
    TOUCH_WORD_AT(ip->imm);
    u256_to_be32(f->mem + ip->imm, --sp);
    NEXT();
}
OP_BODY(AND_WORD) {
    sp[-1] = u256_and(&sp[-1], ip->word);
    NEXT();
}

#define DUPPED (&sp[-(ptrdiff_t)ip->imm])
OP_BODY(DUP_ADD) {
    alu_add(&sp[-1], &sp[-1], DUPPED);
    NEXT();
}
OP_BODY(DUP_SUB) {
    alu_sub(&sp[-1], DUPPED, &sp[-1]);
    NEXT();
}
OP_BODY(DUP_MUL) {
    alu_mul(&sp[-1], DUPPED, &sp[-1]);
    NEXT();
}
OP_BODY(DUP_DIV) {
    alu_div(&sp[-1], DUPPED, &sp[-1]);
    NEXT();
}
OP_BODY(DUP_AND) {
    sp[-1] = u256_and(DUPPED, &sp[-1]);
    NEXT();
}
OP_BODY(DUP_OR) {
    sp[-1] = u256_or(DUPPED, &sp[-1]);
    NEXT();
}
OP_BODY(DUP_XOR) {
    sp[-1] = u256_xor(DUPPED, &sp[-1]);
    NEXT();
}
OP_BODY(DUP_LT) {
    alu_set_bool(&sp[-1], alu_lt(DUPPED, &sp[-1]));
    NEXT();
}
OP_BODY(DUP_GT) {
    alu_set_bool(&sp[-1], alu_lt(&sp[-1], DUPPED));
    NEXT();
}
OP_BODY(DUP_EQ) {
    alu_set_bool(&sp[-1], u256_eq(DUPPED, &sp[-1]));
    NEXT();
}
OP_BODY(DUP_MLOAD) {
    const u256 *off = DUPPED;
    TOUCH_WORD(off);
    *sp = u256_from_be32(f->mem + off->w[0]);
    sp++;
    NEXT();
}
OP_BODY(DUP_MSTORE) {
    const u256 *off = DUPPED;
    TOUCH_WORD(off);
    u256_to_be32(f->mem + off->w[0], --sp);
    NEXT();
}
OP_BODY(SWAP_POP) {
    sp--;
    sp[-(ptrdiff_t)ip->imm] = sp[0];
    NEXT();
}
OP_BODY(SWAP_ADD) {
    alu_add(&sp[-2], &sp[-1], &sp[-2]);
    sp--;
    NEXT();
}
OP_BODY(SWAP_SUB) {
    alu_sub(&sp[-2], &sp[-2], &sp[-1]);
    sp--;
    NEXT();
}
OP_BODY(SWAP_DIV) {
    alu_div(&sp[-2], &sp[-2], &sp[-1]);
    sp--;
    NEXT();
}
OP_BODY(SWAP_MSTORE) {
    TOUCH_WORD(&sp[-2]);
    u256_to_be32(f->mem + sp[-2].w[0], &sp[-1]);
    sp -= 2;
    NEXT();
}
OP_BODY(POP_POP) {
    sp -= 2;
    NEXT();
}
OP_BODY(ISZERO_ISZERO) {
    alu_set_bool(&sp[-1], !u256_is_zero(&sp[-1]));
    NEXT();
}

/* --- branches: the target is in ip; the next slot is a block header ------------------------------------- */
#define BRANCH_BODY(name, pops, condition)                                                         \
    OP_BODY(name) {                                                                                \
        sp -= (pops);                                                                              \
        if (condition)                                                                             \
            JUMP_SLOT(ip->target);                                                                 \
        SKIP_JUMP();                                                                               \
    }
BRANCH_BODY(JUMP_ZERO, 1, u256_is_zero(&sp[0]))
BRANCH_BODY(JUMP_NONZERO, 1, !u256_is_zero(&sp[0]))
BRANCH_BODY(JUMP_LT, 2, alu_lt(&sp[1], &sp[0]))
BRANCH_BODY(JUMP_GT, 2, alu_lt(&sp[0], &sp[1]))
BRANCH_BODY(JUMP_EQ, 2, u256_eq(&sp[0], &sp[1]))
BRANCH_BODY(JUMP_SLT, 2, alu_slt(&sp[1], &sp[0]))
BRANCH_BODY(JUMP_SGT, 2, alu_slt(&sp[0], &sp[1]))
BRANCH_BODY(JUMP_NOT_LT, 2, !alu_lt(&sp[1], &sp[0]))
BRANCH_BODY(JUMP_NOT_GT, 2, !alu_lt(&sp[0], &sp[1]))
BRANCH_BODY(JUMP_NOT_EQ, 2, !u256_eq(&sp[0], &sp[1]))
BRANCH_BODY(JUMP_NOT_SLT, 2, !alu_slt(&sp[1], &sp[0]))
BRANCH_BODY(JUMP_NOT_SGT, 2, !alu_slt(&sp[0], &sp[1]))
#undef BRANCH_BODY

/* --- two slots: ip moves to the second in between -------------------------------------------------------- */
#define DO_DUP()                                                                                   \
    do {                                                                                           \
        *sp = *DUPPED;                                                                             \
        sp++;                                                                                      \
    } while (0)
#define DO_PUSH() (*sp++ = u256_from_u64(ip->imm))
#define DO_SWAP()                                                                                  \
    do {                                                                                           \
        u256 *deep_ = &sp[-1 - (ptrdiff_t)ip->imm];                                                \
        u256 top_ = sp[-1];                                                                        \
        sp[-1] = *deep_;                                                                           \
        *deep_ = top_;                                                                             \
    } while (0)
#define DO_SWAP_POP()                                                                              \
    do {                                                                                           \
        sp--;                                                                                      \
        sp[-(ptrdiff_t)ip->imm] = sp[0];                                                           \
    } while (0)
#define DO_ADD_SMALL() alu_add64(&sp[-1], &sp[-1], ip->imm)
#define DO_MLOAD()                                                                                 \
    do {                                                                                           \
        TOUCH_WORD(&sp[-1]);                                                                       \
        sp[-1] = u256_from_be32(f->mem + sp[-1].w[0]);                                             \
    } while (0)
#define DO_MLOAD_SMALL()                                                                           \
    do {                                                                                           \
        TOUCH_WORD_AT(ip->imm);                                                                    \
        *sp++ = u256_from_be32(f->mem + ip->imm);                                                  \
    } while (0)
#define DO_DUP_MSTORE()                                                                            \
    do {                                                                                           \
        const u256 *off_ = DUPPED;                                                                 \
        TOUCH_WORD(off_);                                                                          \
        u256_to_be32(f->mem + off_->w[0], --sp);                                                   \
    } while (0)
#define DO_POP() sp--
#define DO_ADD()                                                                                   \
    do {                                                                                           \
        alu_add(&sp[-2], &sp[-1], &sp[-2]);                                                        \
        sp--;                                                                                      \
    } while (0)
#define DO_OR()                                                                                    \
    do {                                                                                           \
        sp[-2] = u256_or(&sp[-1], &sp[-2]);                                                        \
        sp--;                                                                                      \
    } while (0)
#define DO_DUP_ADD() alu_add(&sp[-1], &sp[-1], DUPPED)
#define DO_DUP_AND() (sp[-1] = u256_and(DUPPED, &sp[-1]))
#define DO_DUP_MUL() alu_mul(&sp[-1], DUPPED, &sp[-1])
#define DO_DUP_LT() alu_set_bool(&sp[-1], alu_lt(DUPPED, &sp[-1]))
#define DO_SHR_SMALL() alu_shr_n(&sp[-1], &sp[-1], ip->imm)
#define DO_AND_SMALL() (sp[-1] = u256_from_u64(sp[-1].w[0] & ip->imm))
#define DO_EQ_SMALL()                                                                              \
    alu_set_bool(&sp[-1], u256_fits_u64(&sp[-1]) && ip->imm == sp[-1].w[0])

#define PAIR_BODY(name, first, second)                                                             \
    OP_BODY(name) {                                                                                \
        DO_##first();                                                                              \
        ip++;                                                                                      \
        DO_##second();                                                                             \
        NEXT();                                                                                    \
    }
PAIR_BODY(DUP_DUP, DUP, DUP)
PAIR_BODY(DUP_PUSH, DUP, PUSH)
PAIR_BODY(PUSH_DUP, PUSH, DUP)
PAIR_BODY(PUSH_PUSH, PUSH, PUSH)
PAIR_BODY(PUSH_MLOAD, PUSH, MLOAD_SMALL)
PAIR_BODY(PUSH_DUP_MSTORE, PUSH, DUP_MSTORE)
PAIR_BODY(SWAP_POP_POP, SWAP_POP, POP)
PAIR_BODY(POP_PUSH, POP, PUSH)
PAIR_BODY(POP_DUP, POP, DUP)
PAIR_BODY(SWAP_POP_DUP, SWAP_POP, DUP)
PAIR_BODY(ADD_SWAP_POP, ADD, SWAP_POP)
PAIR_BODY(ADD_SMALL_PUSH, ADD_SMALL, PUSH)
PAIR_BODY(ADD_SMALL_DUP, ADD_SMALL, DUP)
PAIR_BODY(ADD_SMALL_MLOAD, ADD_SMALL, MLOAD)
PAIR_BODY(ADD_SMALL_SWAP_POP, ADD_SMALL, SWAP_POP)
PAIR_BODY(DUP_ADD_SMALL, DUP, ADD_SMALL)
PAIR_BODY(DUP_DUP_ADD, DUP, DUP_ADD)
PAIR_BODY(DUP_DUP_AND, DUP, DUP_AND)
PAIR_BODY(DUP_DUP_MUL, DUP, DUP_MUL)
PAIR_BODY(DUP_DUP_LT, DUP, DUP_LT)
PAIR_BODY(DUP_SHR_SMALL, DUP, SHR_SMALL)
PAIR_BODY(DUP_EQ_SMALL, DUP, EQ_SMALL)
PAIR_BODY(AND_SMALL_OR, AND_SMALL, OR)
PAIR_BODY(DUP_SWAP, DUP, SWAP)
PAIR_BODY(SWAP_DUP, SWAP, DUP)
#undef PAIR_BODY
OP_BODY(EQ_SMALL_JUMPI) {
    sp--;
    bool equal = u256_fits_u64(sp) && ip->imm == sp->w[0];
    ip++;
    if (equal)
        JUMP_SLOT(ip->target);
    SKIP_JUMP();
}

/* Never in decoded code: JUMPDEST is a block header there, PUSH has the forms above, and the rest only
 * stands for other opcodes in fused.def. */
OP_BODY(ANY_DUP)
OP_BODY(ANY_SWAP)
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
