/* SPDX-License-Identifier: Apache-2.0 */
#include "evm/machine.h"

/* A memory grows in place: it is the last one in the mapping while its frame runs. Bytes that an
 * ended frame left there lie below mem_dirty and are zeroed when they come back into use; above it
 * the mapping is fresh. */
static int64_t grow(struct evm *vm, struct frame *f, uint64_t new_size, int64_t gas) {
    uint64_t cost = memory_cost(new_size / 32) - memory_cost(f->mem_size / 32);
    if (cost > (uint64_t)gas)
        return gas_fail(EVM_OUT_OF_GAS);
    if (new_size > (uint64_t)(vm->mem_end - f->mem))
        return gas_fail(EVM_INTERNAL_ERROR);
    uint8_t *from = f->mem + f->mem_size;
    uint8_t *to = f->mem + new_size;
    if (from < vm->mem_dirty) {
        size_t stale = (size_t)((to < vm->mem_dirty ? to : vm->mem_dirty) - from);
        memset(from, 0, stale);
    }
    if (to > vm->mem_dirty)
        vm->mem_dirty = to;
    f->mem_size = new_size;
    f->mem_word_end = new_size - 31;
    return gas - (int64_t)cost;
}

__attribute__((noinline)) int64_t mem_expand(struct evm *vm, struct frame *f, const u256 *off,
                                             const u256 *len, int64_t gas) {
    if (u256_is_zero(len))
        return gas;
    uint64_t o = u256_sat_u64(off), l = u256_sat_u64(len);
    if (o > EVM_MEMORY_BYTES_MAX || l > EVM_MEMORY_BYTES_MAX - o)
        return gas_fail(EVM_OUT_OF_GAS);
    if (o + l <= f->mem_size)
        return gas;
    return grow(vm, f, words_of(o + l) * 32, gas);
}

int64_t mem_charge_words(struct evm *vm, struct frame *f, const u256 *off, const u256 *len,
                         int64_t per_word, int64_t gas) {
    uint64_t l = u256_sat_u64(len);
    if (l > EVM_MEMORY_BYTES_MAX)
        return gas_fail(EVM_OUT_OF_GAS);
    int64_t cost = (int64_t)words_of(l) * per_word;
    if (cost > gas)
        return gas_fail(EVM_OUT_OF_GAS);
    return mem_charge(vm, f, off, len, gas - cost);
}

void copy_padded(struct frame *f, const u256 *dst_off, bytes src, const u256 *src_off,
                 const u256 *len) {
    size_t n = len->w[0];
    if (n == 0)
        return;
    uint8_t *dst = f->mem + dst_off->w[0];
    uint64_t from = u256_sat_u64(src_off);
    size_t have = 0;
    if (from < src.len) {
        have = src.len - from < n ? src.len - from : n;
        memcpy(dst, src.ptr + from, have);
    }
    memset(dst + have, 0, n - have);
}
