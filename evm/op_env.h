/* SPDX-License-Identifier: Apache-2.0 */
/* Op bodies: the message, the accounts and the block around the code (0x30-0x4a), and KECCAK256. See
 * op_arith.h for what the including loop provides. */
OP_BODY(KECCAK256) {
    TRY_GAS(mem_charge_words(vm, f, &sp[-1], &sp[-2], GAS_KECCAK_WORD, gas));
    CHARGED();
    op_keccak(f, sp);
    sp--;
    NEXT();
}
OP_BODY(ADDRESS) {
    *sp++ = u256_from_addr(&f->self);
    NEXT();
}
OP_BODY(BALANCE) {
    addr20 a = u256_to_addr(&sp[-1]);
    if (vm->ops->access_account(vm->ctx, &a))
        CHARGE(GAS_COLD_ACCOUNT_EXTRA);
    CHARGED();
    vm->ops->get_balance(vm->ctx, &sp[-1], &a);
    NEXT();
}
OP_BODY(ORIGIN) {
    *sp++ = u256_from_addr(&vm->cfg->tx->origin);
    NEXT();
}
OP_BODY(CALLER) {
    *sp++ = u256_from_addr(&f->caller);
    NEXT();
}
OP_BODY(CALLVALUE) {
    *sp++ = f->value;
    NEXT();
}
OP_BODY(CALLDATALOAD) {
    op_calldataload(f, &sp[-1]);
    NEXT();
}
OP_BODY(CALLDATASIZE) {
    *sp++ = u256_from_u64(f->input.len);
    NEXT();
}
OP_BODY(CALLDATACOPY) {
    TRY_GAS(mem_charge_words(vm, f, &sp[-1], &sp[-3], GAS_COPY_WORD, gas));
    CHARGED();
    copy_padded(f, &sp[-1], f->input, &sp[-2], &sp[-3]);
    sp -= 3;
    NEXT();
}
OP_BODY(CODESIZE) {
    *sp++ = u256_from_u64(f->code.len);
    NEXT();
}
OP_BODY(CODECOPY) {
    TRY_GAS(mem_charge_words(vm, f, &sp[-1], &sp[-3], GAS_COPY_WORD, gas));
    CHARGED();
    copy_padded(f, &sp[-1], f->code, &sp[-2], &sp[-3]);
    sp -= 3;
    NEXT();
}
OP_BODY(GASPRICE) {
    *sp++ = vm->cfg->tx->gas_price;
    NEXT();
}
OP_BODY(EXTCODESIZE) {
    addr20 a = u256_to_addr(&sp[-1]);
    if (vm->ops->access_account(vm->ctx, &a))
        CHARGE(GAS_COLD_ACCOUNT_EXTRA);
    CHARGED();
    struct evm_code_ref ref;
    vm->ops->get_code(vm->ctx, &ref, &a);
    sp[-1] = u256_from_u64(ref.code.len);
    NEXT();
}
OP_BODY(EXTCODECOPY) {
    TRY_GAS(mem_charge_words(vm, f, &sp[-2], &sp[-4], GAS_COPY_WORD, gas));
    addr20 a = u256_to_addr(&sp[-1]);
    if (vm->ops->access_account(vm->ctx, &a))
        CHARGE(GAS_COLD_ACCOUNT_EXTRA);
    CHARGED();
    op_extcodecopy(vm, f, sp);
    sp -= 4;
    NEXT();
}
OP_BODY(RETURNDATASIZE) {
    *sp++ = u256_from_u64(vm->return_data.len);
    NEXT();
}
OP_BODY(RETURNDATACOPY) {
    TRY_GAS(mem_charge_words(vm, f, &sp[-1], &sp[-3], GAS_COPY_WORD, gas));
    CHARGED();
    /* EIP-211: reading past the end fails, unlike with the other copies, even for a length of zero. */
    uint64_t from = u256_sat_u64(&sp[-2]), len = u256_sat_u64(&sp[-3]);
    if (from > vm->return_data.len || len > vm->return_data.len - from)
        HALT(EVM_RETURNDATA_OUT_OF_BOUNDS);
    if (len != 0)
        memcpy(f->mem + sp[-1].w[0], vm->return_data.ptr + from, len);
    sp -= 3;
    NEXT();
}
OP_BODY(EXTCODEHASH) {
    addr20 a = u256_to_addr(&sp[-1]);
    if (vm->ops->access_account(vm->ctx, &a))
        CHARGE(GAS_COLD_ACCOUNT_EXTRA);
    CHARGED();
    hash32 h;
    vm->ops->get_code_hash(vm->ctx, &h, &a);
    sp[-1] = u256_from_be32(h.b);
    NEXT();
}
OP_BODY(BLOCKHASH) {
    op_blockhash(vm, &sp[-1]);
    NEXT();
}
OP_BODY(COINBASE) {
    *sp++ = u256_from_addr(&vm->cfg->block->coinbase);
    NEXT();
}
OP_BODY(TIMESTAMP) {
    *sp++ = u256_from_u64(vm->cfg->block->timestamp);
    NEXT();
}
OP_BODY(NUMBER) {
    const struct evm_block_ctx *b = vm->cfg->block;
    *sp++ = u256_from_u64(b->number_is_parent ? b->parent_number : b->number);
    NEXT();
}
OP_BODY(PREVRANDAO) {
    *sp++ = u256_from_be32(vm->cfg->block->prevrandao.b);
    NEXT();
}
OP_BODY(GASLIMIT) {
    *sp++ = u256_from_u64(vm->cfg->block->gas_limit);
    NEXT();
}
OP_BODY(CHAINID) {
    *sp++ = u256_from_u64(vm->cfg->block->chain_id);
    NEXT();
}
OP_BODY(SELFBALANCE) {
    vm->ops->get_balance(vm->ctx, sp, &f->self);
    sp++;
    NEXT();
}
OP_BODY(BASEFEE) {
    *sp++ = vm->cfg->block->base_fee;
    NEXT();
}
OP_BODY(BLOBHASH) {
    op_blobhash(vm, &sp[-1]);
    NEXT();
}
OP_BODY(BLOBBASEFEE) {
    *sp++ = vm->cfg->block->blob_base_fee;
    NEXT();
}
