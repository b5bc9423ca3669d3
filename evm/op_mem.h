/* SPDX-License-Identifier: Apache-2.0 */
/* Op bodies: memory, storage, transient storage and logs (0x50-0x55, 0x59, 0x5c-0x5e, 0xa0-0xa4). See
 * op_arith.h for what the including loop provides. */
OP_BODY(MLOAD) {
    TOUCH_WORD(&sp[-1]);
    CHARGED();
    sp[-1] = u256_from_be32(f->mem + sp[-1].w[0]);
    NEXT();
}
OP_BODY(MSTORE) {
    TOUCH_WORD(&sp[-1]);
    CHARGED();
    u256_to_be32(f->mem + sp[-1].w[0], &sp[-2]);
    sp -= 2;
    NEXT();
}
OP_BODY(MSTORE8) {
    u256 one = U256_ONE;
    TRY_GAS(mem_charge(vm, f, &sp[-1], &one, gas));
    CHARGED();
    f->mem[sp[-1].w[0]] = (uint8_t)sp[-2].w[0];
    sp -= 2;
    NEXT();
}
OP_BODY(MSIZE) {
    *sp++ = u256_from_u64(f->mem_size);
    NEXT();
}
OP_BODY(MCOPY) {
    /* One charge for the farther of the two ends covers both. */
    const u256 *far = alu_lt(&sp[-1], &sp[-2]) ? &sp[-2] : &sp[-1];
    TRY_GAS(mem_charge_words(vm, f, far, &sp[-3], GAS_COPY_WORD, gas));
    CHARGED();
    if (sp[-3].w[0] != 0)
        memmove(f->mem + sp[-1].w[0], f->mem + sp[-2].w[0], sp[-3].w[0]);
    sp -= 3;
    NEXT();
}
OP_BODY(SLOAD) {
    u256 v;
    if (vm->ops->sload(vm->ctx, &v, &f->self, &sp[-1]))
        CHARGE(GAS_COLD_SLOAD_EXTRA);
    CHARGED();
    sp[-1] = v;
    NEXT();
}
OP_BODY(SSTORE) {
    TRY_GAS(op_sstore_charge(vm, f, sp, gas));
    CHARGED();
    vm->ops->sstore(vm->ctx, &f->self, &sp[-1], &sp[-2]);
    sp -= 2;
    NEXT();
}
OP_BODY(TLOAD) {
    u256 v;
    vm->ops->tload(vm->ctx, &v, &f->self, &sp[-1]);
    sp[-1] = v;
    NEXT();
}
OP_BODY(TSTORE) {
    if (f->is_static)
        HALT(EVM_STATIC_VIOLATION);
    vm->ops->tstore(vm->ctx, &f->self, &sp[-1], &sp[-2]);
    sp -= 2;
    NEXT();
}

#define LOG_BODY(n)                                                                                \
    OP_BODY(LOG##n) {                                                                              \
        TRY_GAS(op_log_charge(vm, f, sp, gas));                                                    \
        CHARGED();                                                                                 \
        op_log(vm, f, sp, n);                                                                      \
        sp -= 2 + (n);                                                                             \
        NEXT();                                                                                    \
    }
LOG_BODY(0)
LOG_BODY(1)
LOG_BODY(2)
LOG_BODY(3)
LOG_BODY(4)
#undef LOG_BODY
