/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/system_call.h"

#include "base/check.h"
#include "chain/system_call_internal.h"

enum { SELECTOR_BYTES = 4, WORD_BYTES = 32 };

/* --- arguments --------------------------------------------------------------------------- */

u256 arg(const struct call *c, size_t i) {
    CHECK((i + 1) * WORD_BYTES <= c->args.len);
    return u256_from_be32(c->args.ptr + i * WORD_BYTES);
}

hash32 arg_hash(const struct call *c, size_t i) {
    hash32 h;
    u256 v = arg(c, i);
    u256_to_be32(h.b, &v);
    return h;
}

bool arg_addr(const struct call *c, size_t i, addr20 *out) {
    u256 v = arg(c, i);
    *out = u256_to_addr(&v);
    return u256_bit_len(&v) <= 160;
}

bool arg_u64(const struct call *c, size_t i, uint64_t *out) {
    u256 v = arg(c, i);
    *out = v.w[0];
    return u256_fits_u64(&v);
}

bool arg_bool(const struct call *c, size_t i, bool *out) {
    u256 v = arg(c, i);
    *out = v.w[0] == 1;
    return u256_fits_u64(&v) && v.w[0] <= 1;
}

/* What follows the length word that word `i` points at, and that length. */
static bool dynamic_arg(const struct call *c, size_t i, bytes *out_tail, uint64_t *out_len) {
    uint64_t at;
    if (!arg_u64(c, i, &at) || at > c->args.len || c->args.len - at < WORD_BYTES)
        return false;
    u256 len = u256_from_be32(c->args.ptr + at);
    *out_len = len.w[0];
    *out_tail = bytes_of(c->args.ptr + at + WORD_BYTES, c->args.len - (size_t)at - WORD_BYTES);
    return u256_fits_u64(&len);
}

bool arg_bytes(const struct call *c, size_t i, bytes *out) {
    bytes tail;
    uint64_t len;
    if (!dynamic_arg(c, i, &tail, &len) || len > tail.len)
        return false;
    *out = bytes_of(tail.ptr, (size_t)len);
    return true;
}

bool arg_array(const struct call *c, size_t i, bytes *out_words, size_t *out_count) {
    bytes tail;
    uint64_t count;
    if (!dynamic_arg(c, i, &tail, &count) || count > tail.len / WORD_BYTES)
        return false;
    *out_words = bytes_of(tail.ptr, (size_t)count * WORD_BYTES);
    *out_count = (size_t)count;
    return true;
}

/* --- answers ----------------------------------------------------------------------------- */

void put_word(struct call *c, const u256 *v) {
    uint8_t be[WORD_BYTES];
    u256_to_be32(be, v);
    buf_append(c->out, be, sizeof be);
}

void put_u64(struct call *c, uint64_t v) {
    u256 wide = u256_from_u64(v);
    put_word(c, &wide);
}

void put_addr(struct call *c, const addr20 *a) {
    u256 wide = u256_from_addr(a);
    put_word(c, &wide);
}

void put_hash(struct call *c, const hash32 *h) {
    buf_append(c->out, h->b, sizeof h->b);
}

void put_bytes(struct call *c, bytes data) {
    static const uint8_t zeros[WORD_BYTES];
    put_u64(c, data.len);
    buf_append(c->out, data.ptr, data.len);
    buf_append(c->out, zeros, (WORD_BYTES - data.len % WORD_BYTES) % WORD_BYTES);
}

enum evm_status answer_u64(struct call *c, uint64_t v) {
    put_u64(c, v);
    return EVM_SUCCESS;
}

enum evm_status answer_word(struct call *c, const u256 *v) {
    put_word(c, v);
    return EVM_SUCCESS;
}

enum evm_status answer_addr(struct call *c, const addr20 *a) {
    put_addr(c, a);
    return EVM_SUCCESS;
}

enum evm_status answer_hash(struct call *c, const hash32 *h) {
    put_hash(c, h);
    return EVM_SUCCESS;
}

enum evm_status custom_error(struct call *c, uint32_t selector) {
    uint8_t be[SELECTOR_BYTES];
    be32_store(be, selector);
    buf_reset(c->out);
    buf_append(c->out, be, sizeof be);
    return EVM_REVERT;
}

/* --- gas and state ----------------------------------------------------------------------- */

void charge_slot(struct call *c, const addr20 *a, const u256 *slot) {
    c->gas -= world_warm_storage(c->x->world, a, slot) ? GAS_COLD_SLOAD : GAS_WARM_READ;
}

void charge_account(struct call *c, const addr20 *a) {
    c->gas -= exec_access_account(c->x, a) ? GAS_COLD_ACCOUNT : GAS_WARM_READ;
}

void charge_credit(struct call *c, const addr20 *to, const u256 *value) {
    charge_account(c, to);
    if (u256_is_zero(value))
        return;
    c->gas -= GAS_CALL_VALUE;
    if (world_is_empty(c->x->world, to))
        c->gas -= GAS_NEW_ACCOUNT;
}

static void charge_field(struct call *c, enum system_field f, const u256 *key) {
    addr20 a = system_address(system_field_info(f)->address);
    u256 slot = system_slot(f, key);
    charge_slot(c, &a, &slot);
}

u256 call_get(struct call *c, enum system_field f, const u256 *key) {
    charge_field(c, f, key);
    return sys_get(c->x->world, f, key);
}

uint64_t call_get_u64(struct call *c, enum system_field f, const u256 *key) {
    charge_field(c, f, key);
    return sys_get_u64(c->x->world, f, key);
}

addr20 call_get_addr(struct call *c, enum system_field f, const u256 *key) {
    charge_field(c, f, key);
    return sys_get_addr(c->x->world, f, key);
}

void call_set(struct call *c, enum system_field f, const u256 *key, const u256 *v) {
    struct world *w = c->x->world;
    addr20 a = system_address(system_field_info(f)->address);
    u256 slot = system_slot(f, key), original, before;
    if (world_sstore_peek(w, &original, &before, &a, &slot))
        c->gas -= GAS_COLD_SLOAD;
    sys_set(w, f, key, v);
    u256 after = world_storage(w, &a, &slot);
    c->gas -= gas_sstore(&c->refund, &original, &before, &after);
}

void call_set_u64(struct call *c, enum system_field f, const u256 *key, uint64_t v) {
    u256 wide = u256_from_u64(v);
    call_set(c, f, key, &wide);
}

void call_set_addr(struct call *c, enum system_field f, const u256 *key, const addr20 *v) {
    u256 wide = u256_from_addr(v);
    call_set(c, f, key, &wide);
}

void emit_log(struct call *c, const hash32 *topics, uint8_t topic_count, bytes data) {
    c->gas -= GAS_LOG + GAS_LOG_TOPIC * topic_count + GAS_LOG_BYTE * (int64_t)data.len;
    if (c->out->overflow) /* data that was built there is cut short */
        c->gas = -1;
    if (c->gas < 0)
        return; /* nothing may grow that nobody paid for */
    const struct evm_host host = exec_host(c->x);
    struct evm_log log = {.address = c->self, .topic_count = topic_count, .data = data};
    memcpy(log.topics, topics, topic_count * sizeof *topics);
    host.ops->emit_log(host.ctx, &log);
    const struct evm_tracer *t = c->x->tracer;
    if (t != NULL && t->on_log != NULL)
        t->on_log(t->ctx, &log, c->depth);
}

bool call_transfer(struct call *c, const addr20 *from, const addr20 *to, const u256 *value) {
    const struct evm_host host = exec_host(c->x);
    return u256_is_zero(value) || host.ops->transfer(host.ctx, from, to, value);
}

bool call_is_owner(struct call *c, const addr20 *a) {
    u256 key = u256_from_addr(a);
    return call_get_u64(c, SYS_OWNER_INDEX_PLUS_1, &key) != 0;
}

/* --- dispatch ---------------------------------------------------------------------------- */

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
    if (out->status == EVM_SUCCESS)
        out->gas_refund = c->refund;
    if (c->gas >= 0)
        out->output = buf_bytes(c->out);
}

bool system_call(struct exec *x, struct evm_result *out, const struct evm_message *msg,
                 const addr20 *code_addr, bool is_static, uint32_t depth) {
    int address = system_address_find(code_addr);
    if (address < 0)
        return false;
    const struct l3_block *block = x->rules_ctx;
    struct call c = {.x = x,
                     .block = block,
                     .msg = msg,
                     .self = *code_addr,
                     .is_static = is_static,
                     .depth = depth,
                     .gas = msg->gas,
                     .out = block->call_output};
    buf_reset(c.out);
    int idx = find_row(address, msg->input);
    if (idx < 0) {
        c.gas -= SYSTEM_CALL_UNKNOWN_GAS;
        finish(out, &c, EVM_REVERT);
        return true;
    }
    const struct system_call_info *row = &rows[idx];
    c.selector = row->selector;
    c.args = bytes_of(msg->input.ptr + SELECTOR_BYTES, msg->input.len - SELECTOR_BYTES);
    c.gas -= row->base_gas;
    enum evm_status status = EVM_REVERT;
    if (c.gas >= 0 && may_answer(row, msg, c.args, code_addr, is_static)) {
        c.gas -= row->in_word_gas * words(c.args.len);
        if (c.gas >= 0)
            status = handlers[idx](&c);
        c.gas -= row->out_word_gas * words(c.out->len);
        if (c.out->overflow)
            c.gas = -1;
    }
    finish(out, &c, status);
    return true;
}
