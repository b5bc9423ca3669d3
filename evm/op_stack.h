/* SPDX-License-Identifier: Apache-2.0 */
/* Op bodies: the stack (0x50, 0x5f, 0x80-0x9f). PUSH1-32 differ between the tiers and stand in their loops. See
 * op_arith.h for what the including loop provides. */
OP_BODY(POP) {
    sp--;
    NEXT();
}
OP_BODY(PUSH0) {
    *sp++ = U256_ZERO;
    NEXT();
}

#define DUP_BODY(n)                                                                                \
    OP_BODY(DUP##n) {                                                                              \
        sp[0] = sp[-(n)];                                                                          \
        sp++;                                                                                      \
        NEXT();                                                                                    \
    }
DUP_BODY(1)
DUP_BODY(2)
DUP_BODY(3)
DUP_BODY(4)
DUP_BODY(5)
DUP_BODY(6)
DUP_BODY(7)
DUP_BODY(8)
DUP_BODY(9)
DUP_BODY(10)
DUP_BODY(11)
DUP_BODY(12)
DUP_BODY(13)
DUP_BODY(14)
DUP_BODY(15)
DUP_BODY(16)
#undef DUP_BODY

#define SWAP_BODY(n)                                                                               \
    OP_BODY(SWAP##n) {                                                                             \
        u256 top = sp[-1];                                                                         \
        sp[-1] = sp[-1 - (n)];                                                                     \
        sp[-1 - (n)] = top;                                                                        \
        NEXT();                                                                                    \
    }
SWAP_BODY(1)
SWAP_BODY(2)
SWAP_BODY(3)
SWAP_BODY(4)
SWAP_BODY(5)
SWAP_BODY(6)
SWAP_BODY(7)
SWAP_BODY(8)
SWAP_BODY(9)
SWAP_BODY(10)
SWAP_BODY(11)
SWAP_BODY(12)
SWAP_BODY(13)
SWAP_BODY(14)
SWAP_BODY(15)
SWAP_BODY(16)
#undef SWAP_BODY
