/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/chain/call_rig.h"

#include "base/check.h"

void call_rig_init(struct call_rig *r) {
    memset(r, 0, sizeof *r);
    arena_init(&r->arena, 4096, 1 << 26);
    r->w = world_new((struct state_reader){NULL, NULL});
    world_block_begin(r->w, 500);
    world_tx_begin(r->w);
    system_accounts_create(r->w);
    buf_init(&r->out, L3_CALL_OUTPUT_MAX_BYTES);
    r->block = (struct l3_block){.config = &r->config,
                                 .number = 500,
                                 .l1_block = 70,
                                 .version = 1,
                                 .price = u256_from_u64(1000000000),
                                 .call_output = &r->out};
    r->x = (struct exec){
        .world = r->w, .rules = &l3_tx_rules, .rules_ctx = &r->block, .chain_id = 41337};
    r->x.block.timestamp = 1000000;
    r->sender = (addr20){{0xca, 0x11}};
}

void call_rig_clear(struct call_rig *r) {
    buf_clear(&r->out);
    world_free(r->w);
    arena_clear(&r->arena);
}

struct evm_result call_rig_call(struct call_rig *r, enum system_address at, uint32_t selector,
                                const u256 *words, size_t count, bytes tail) {
    size_t len = 4 + 32 * count + tail.len;
    uint8_t *input = arena_alloc(&r->arena, len);
    be32_store(input, selector);
    for (size_t i = 0; i < count; i++)
        u256_to_be32(input + 4 + 32 * i, &words[i]);
    if (tail.len != 0)
        memcpy(input + 4 + 32 * count, tail.ptr, tail.len);
    r->gas = 10000000;
    struct evm_message m = {
        .kind = r->is_static ? EVM_STATICCALL : EVM_CALL,
        .sender = r->sender,
        .recipient = system_address(at),
        .value = u256_from_u64(r->value),
        .input = bytes_of(input, len),
        .gas = r->gas,
    };
    uint32_t snapshot = world_snapshot(r->w);
    world_add_balance(r->w, &m.recipient, &m.value);
    struct evm_result out;
    bool answered = system_call(&r->x, &out, &m, &m.recipient, r->is_static, r->depth);
    CHECK(answered);
    if (out.status != EVM_SUCCESS)
        world_revert(r->w, snapshot);
    r->gas = out.gas_left;
    return out;
}

u256 call_rig_word(struct call_rig *r, enum system_address at, uint32_t selector, uint64_t arg) {
    u256 word = u256_from_u64(arg);
    struct evm_result o = call_rig_call(r, at, selector, &word, 1, bytes_of(NULL, 0));
    CHECK(o.status == EVM_SUCCESS);
    CHECK(o.output.len == 32);
    return u256_from_be32(o.output.ptr);
}
