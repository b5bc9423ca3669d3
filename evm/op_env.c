/* SPDX-License-Identifier: Apache-2.0 */
#include "base/keccak.h"
#include "evm/machine.h"

void op_keccak(struct evm *vm, const struct frame *f, u256 *sp) {
    bytes in = mem_bytes(f, &sp[-1], &sp[-2]);
    if (in.len == SLOT_DIGEST_INPUT) {
        sp[-2] = u256_from_be32(slot_digest(&vm->slot_digests, in.ptr)->b);
        return;
    }
    hash32 h = keccak256_bytes(in);
    sp[-2] = u256_from_be32(h.b);
}

void op_calldataload(const struct frame *f, u256 *top) {
    uint64_t off = u256_sat_u64(top);
    if (off < f->input.len && f->input.len - off >= 32) {
        *top = u256_from_be32(f->input.ptr + off);
        return;
    }
    uint8_t word[32] = {0};
    if (off < f->input.len)
        memcpy(word, f->input.ptr + off, f->input.len - off);
    *top = u256_from_be32(word);
}

void op_blockhash(struct evm *vm, u256 *top) {
    uint64_t now = vm->cfg->block->number;
    uint64_t n = top->w[0];
    bool in_window = u256_fits_u64(top) && n < now && now - n <= 256;
    *top = U256_ZERO;
    if (!in_window)
        return;
    hash32 h;
    vm->ops->get_block_hash(vm->ctx, &h, n);
    *top = u256_from_be32(h.b);
}

void op_blobhash(struct evm *vm, u256 *top) {
    uint64_t i = u256_sat_u64(top);
    const struct evm_tx_ctx *tx = vm->cfg->tx;
    *top = i < tx->blob_hash_count ? u256_from_be32(tx->blob_hashes[i].b) : U256_ZERO;
}

int64_t op_exp_cost(const u256 *exponent) {
    return (int64_t)u256_byte_len(exponent) * GAS_EXP_BYTE;
}

void op_extcodecopy(struct evm *vm, struct frame *f, const u256 *sp) {
    if (u256_is_zero(&sp[-4]))
        return;
    addr20 a = u256_to_addr(&sp[-1]);
    struct evm_code_ref ref;
    vm->ops->get_code(vm->ctx, &ref, &a);
    copy_padded(f, &sp[-2], ref.code, &sp[-3], &sp[-4]);
}
