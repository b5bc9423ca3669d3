/* SPDX-License-Identifier: Apache-2.0 */
/* Op bodies: control flow, calls and creations (0x00, 0x56-0x5b, 0xf0-0xff). Beside what op_arith.h lists, the
 * including loop provides JUMP(dst), SKIP_JUMP, PC_VALUE, and SUSPEND/RESUME to hand over to another frame. */
OP_BODY(STOP) {
    f->output = bytes_of(NULL, 0);
    HALT(EVM_SUCCESS);
}
OP_BODY(JUMP) {
    sp--;
    JUMP(sp);
}
OP_BODY(JUMPI) {
    sp -= 2;
    if (u256_is_zero(&sp[0]))
        SKIP_JUMP();
    JUMP(&sp[1]);
}
OP_BODY(PC) {
    *sp++ = u256_from_u64(PC_VALUE());
    NEXT();
}
OP_BODY(GAS) {
    *sp++ = u256_from_u64((uint64_t)gas);
    NEXT();
}

#define CALL_BODY(name)                                                                            \
    OP_BODY(name) {                                                                                \
        TRY_GAS(op_call_charge(vm, f, EVM_##name, sp, gas));                                       \
        CHARGED();                                                                                 \
        SUSPEND();                                                                                 \
        if (op_call_enter(vm, f))                                                                  \
            return EXIT_CALL;                                                                      \
        RESUME();                                                                                  \
    }
CALL_BODY(CALL)
CALL_BODY(CALLCODE)
CALL_BODY(DELEGATECALL)
CALL_BODY(STATICCALL)
#undef CALL_BODY

#define CREATE_BODY(name)                                                                          \
    OP_BODY(name) {                                                                                \
        TRY_GAS(op_create_charge(vm, f, EVM_##name, sp, gas));                                     \
        CHARGED();                                                                                 \
        SUSPEND();                                                                                 \
        if (op_create_enter(vm, f))                                                                \
            return EXIT_CALL;                                                                      \
        RESUME();                                                                                  \
    }
CREATE_BODY(CREATE)
CREATE_BODY(CREATE2)
#undef CREATE_BODY

OP_BODY(RETURN) {
    TRY_GAS(mem_charge(vm, f, &sp[-1], &sp[-2], gas));
    CHARGED();
    f->output = mem_bytes(f, &sp[-1], &sp[-2]);
    HALT(EVM_SUCCESS);
}
OP_BODY(REVERT) {
    TRY_GAS(mem_charge(vm, f, &sp[-1], &sp[-2], gas));
    CHARGED();
    f->output = mem_bytes(f, &sp[-1], &sp[-2]);
    HALT(EVM_REVERT);
}
OP_BODY(INVALID) {
    HALT(EVM_INVALID_OPCODE);
}
OP_BODY(SELFDESTRUCT) {
    TRY_GAS(op_selfdestruct_charge(vm, f, sp, gas));
    CHARGED();
    op_selfdestruct(vm, f, sp);
    f->output = bytes_of(NULL, 0);
    HALT(EVM_SUCCESS);
}
