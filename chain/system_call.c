/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/system_call.h"

#include "base/check.h"
#include "chain/l3_rules.h"
#include "chain/system_state.h"

enum { SELECTOR_BYTES = 4, WORD_BYTES = 32 };
enum { GAS_SLOT_COLD = 2100, GAS_SLOT_WARM = 100 }; /* EIP-2929 */

/* One call being answered. */
struct call {
    struct exec *x;
    const struct l3_block *block;
    bytes args;  /* after the selector */
    int64_t gas; /* left; negative: spent more than there was */
    struct buf *out;
};

/* --- what handlers use ------------------------------------------------------------------- */

static u256 arg(const struct call *c, size_t i) {
    CHECK((i + 1) * WORD_BYTES <= c->args.len);
    return u256_from_be32(c->args.ptr + i * WORD_BYTES);
}

static void put_word(struct call *c, const u256 *v) {
    uint8_t be[WORD_BYTES];
    u256_to_be32(be, v);
    buf_append(c->out, be, sizeof be);
}

static enum evm_status answer_u64(struct call *c, uint64_t v) {
    u256 wide = u256_from_u64(v);
    put_word(c, &wide);
    return EVM_SUCCESS;
}

/* Charges a read of a slot and marks it warm. */
static void charge_slot(struct call *c, const addr20 *a, const u256 *slot) {
    c->gas -= world_warm_storage(c->x->world, a, slot) ? GAS_SLOT_COLD : GAS_SLOT_WARM;
}

/* A custom error's selector, its arguments follow by put_word. */
static enum evm_status custom_error(struct call *c, uint32_t selector) {
    uint8_t be[SELECTOR_BYTES];
    be32_store(be, selector);
    buf_append(c->out, be, sizeof be);
    return EVM_REVERT;
}

/* --- ArbSys ------------------------------------------------------------------------------ */

static enum evm_status arb_block_number(struct call *c) {
    return answer_u64(c, c->block->number);
}

static enum evm_status arb_block_hash(struct call *c) {
    u256 wanted = arg(c, 0);
    uint64_t current = c->block->number;
    if (!u256_fits_u64(&wanted) || wanted.w[0] >= current || current - wanted.w[0] > 256) {
        enum evm_status s = custom_error(
            c, 0xd5dc642d); /* InvalidBlockNumber(uint256 requested, uint256 current) */
        put_word(c, &wanted);
        u256 now = u256_from_u64(current);
        put_word(c, &now);
        return s;
    }
    u256 slot = u256_from_u64(wanted.w[0] % L3_HISTORY_RING);
    charge_slot(c, &L3_HISTORY_ADDRESS, &slot);
    hash32 h = l3_block_hash(c->x->world, current, wanted.w[0]);
    buf_append(c->out, h.b, sizeof h.b);
    return EVM_SUCCESS;
}

static enum evm_status arb_chain_id(struct call *c) {
    return answer_u64(c, c->x->chain_id);
}

static enum evm_status arb_os_version(struct call *c) {
    return answer_u64(c, c->block->version + SYSTEM_ARB_OS_VERSION_OFFSET);
}

/* --- dispatch ---------------------------------------------------------------------------- */

typedef enum evm_status (*call_handler)(struct call *c);

static const struct system_call_info rows[] = {
#define SYSTEM_CALL(address, selector, handler, signature, args, base, in, out, mutability)        \
    {SYSTEM_##address, selector, signature, args, base, in, out, SYSTEM_##mutability},
#include "chain/system_calls.def"
#undef SYSTEM_CALL
};
static const call_handler handlers[] = {
#define SYSTEM_CALL(address, selector, handler, signature, args, base, in, out, mutability) handler,
#include "chain/system_calls.def"
#undef SYSTEM_CALL
};

const struct system_call_info *system_call_info(size_t idx) {
    return idx < ARRAY_LEN(rows) ? &rows[idx] : NULL;
}

/* Row of the selector; -1 if there is none. */
static int find_row(int address, bytes input) {
    if (input.len < SELECTOR_BYTES)
        return -1;
    uint32_t selector = be32_load(input.ptr);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].address == address && rows[i].selector == selector)
            return (int)i;
    return -1;
}

static bool may_answer(const struct system_call_info *row, const struct evm_message *msg,
                       bytes args, const addr20 *code_addr, bool is_static) {
    if (args.len < (size_t)row->arg_words * WORD_BYTES)
        return false;
    bool is_self = msg->kind != EVM_DELEGATECALL && msg->kind != EVM_CALLCODE &&
                   addr20_eq(&msg->recipient, code_addr);
    if (row->mutability != SYSTEM_PURE && !is_self)
        return false;
    if ((row->mutability == SYSTEM_WRITE || row->mutability == SYSTEM_PAYABLE) && is_static)
        return false;
    /* A DELEGATECALL carries its caller's value along without moving it. */
    return row->mutability == SYSTEM_PAYABLE || msg->kind == EVM_DELEGATECALL ||
           u256_is_zero(&msg->value);
}

static int64_t words(size_t len) {
    return (int64_t)((len + WORD_BYTES - 1) / WORD_BYTES);
}

static void finish(struct evm_result *out, const struct call *c, enum evm_status status) {
    memset(out, 0, sizeof *out);
    out->status = c->gas < 0 ? EVM_OUT_OF_GAS : status;
    out->gas_left = c->gas < 0 ? 0 : c->gas;
    if (c->gas >= 0)
        out->output = buf_bytes(c->out);
}

bool system_call(struct exec *x, struct evm_result *out, const struct evm_message *msg,
                 const addr20 *code_addr, bool is_static, uint32_t depth) {
    (void)depth;
    int address = system_address_find(code_addr);
    if (address < 0)
        return false;
    const struct l3_block *block = x->rules_ctx;
    struct call c = {.x = x, .block = block, .gas = msg->gas, .out = block->call_output};
    buf_reset(c.out);
    int idx = find_row(address, msg->input);
    if (idx < 0) {
        c.gas -= SYSTEM_CALL_UNKNOWN_GAS;
        finish(out, &c, EVM_REVERT);
        return true;
    }
    const struct system_call_info *row = &rows[idx];
    c.args = bytes_of(msg->input.ptr + SELECTOR_BYTES, msg->input.len - SELECTOR_BYTES);
    c.gas -= row->base_gas;
    enum evm_status status = EVM_REVERT;
    if (c.gas >= 0 && may_answer(row, msg, c.args, code_addr, is_static)) {
        c.gas -= row->in_word_gas * words(c.args.len);
        if (c.gas >= 0)
            status = handlers[idx](&c);
        c.gas -= row->out_word_gas * words(c.out->len);
        CHECK(!c.out->overflow);
    }
    finish(out, &c, status);
    return true;
}
