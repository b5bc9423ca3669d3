/* SPDX-License-Identifier: Apache-2.0 */
/* The struct log. Entries are written as they happen: nothing else is kept but the slots that each
 * contract has met, which every SLOAD and SSTORE shows whole. */
#include "rpc/trace_internal.h"

#include "base/hex.h"
#include "evm/opcode.h"

static void word_text(struct json_writer *w, const uint8_t *ptr, size_t len) {
    uint8_t word[32] = {0};
    memcpy(word, ptr, len < 32 ? len : 32);
    jw_data(w, word, 32);
}

static void write_memory(struct json_writer *w, bytes memory) {
    if (memory.len == 0)
        return;
    jw_key(w, "memory");
    jw_array(w);
    for (size_t at = 0; at < memory.len && !w->buf->overflow; at += 32)
        word_text(w, memory.ptr + at, memory.len - at);
    jw_array_end(w);
}

static void write_stack(struct json_writer *w, const struct evm_step *s) {
    jw_key(w, "stack");
    jw_array(w);
    for (uint32_t i = 0; i < s->stack_len; i++)
        jw_u256(w, &s->stack[i]);
    jw_array_end(w);
}

/* --- storage ------------------------------------------------------------------------------- */
static struct struct_storage *storage_of(struct trace *t, const addr20 *a) {
    struct trace_key key = trace_key_account(a);
    struct struct_storage *s = trace_find(t, &key);
    if (s != NULL)
        return s;
    s = trace_alloc(t, sizeof(*s));
    if (s == NULL)
        return NULL;
    *s = (struct struct_storage){0};
    trace_put(t, &key, s);
    return s;
}

/* Where the slot is, or belongs. */
static size_t slot_place(const struct struct_storage *s, const hash32 *slot) {
    size_t lo = 0, hi = s->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (memcmp(s->slots[mid].slot.b, slot->b, 32) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void slot_put(struct trace *t, struct struct_storage *s, const hash32 *slot,
                     const hash32 *value) {
    size_t at = slot_place(s, slot);
    if (at < s->count && hash32_eq(&s->slots[at].slot, slot)) {
        s->slots[at].value = *value;
        return;
    }
    if (s->count == s->cap) {
        size_t cap = s->cap == 0 ? 8 : 2 * s->cap;
        struct struct_slot *grown = trace_alloc(t, cap * sizeof(*grown));
        if (grown == NULL)
            return;
        if (s->count != 0)
            memcpy(grown, s->slots, s->count * sizeof(*grown));
        s->slots = grown;
        s->cap = cap;
    }
    memmove(&s->slots[at + 1], &s->slots[at], (s->count - at) * sizeof(*s->slots));
    s->slots[at] = (struct struct_slot){*slot, *value};
    s->count++;
}

static void write_storage(struct trace *t, const struct evm_step *s) {
    bool load = s->op == OP_SLOAD, store = s->op == OP_SSTORE;
    if ((!load && !store) || s->stack_len < (load ? 1 : 2))
        return;
    const u256 *top = &s->stack[s->stack_len - 1];
    struct struct_storage *of = storage_of(t, s->address);
    if (of == NULL)
        return;
    hash32 slot, value;
    u256 v = load ? world_storage(t->x->world, s->address, top) : top[-1];
    u256_to_be32(slot.b, top);
    u256_to_be32(value.b, &v);
    slot_put(t, of, &slot, &value);
    struct json_writer *w = &t->state.log.w;
    jw_key(w, "storage");
    jw_object(w);
    for (size_t i = 0; i < of->count && !w->buf->overflow; i++) {
        char key[67] = "0x";
        hex_encode(key + 2, of->slots[i].slot.b, 32);
        key[66] = '\0';
        jw_m_hash(w, key, &of->slots[i].value);
    }
    jw_object_end(w);
}

/* --- entries ------------------------------------------------------------------------------- */
static void on_step(void *ctx, const struct evm_step *s) {
    struct trace *t = ctx;
    struct struct_trace *log = &t->state.log;
    struct json_writer *w = &log->w;
    if (!trace_live(t) || t->text.overflow || (t->opt.limit != 0 && log->entries == t->opt.limit))
        return;
    log->entries++;
    char op[OP_TEXT_MAX];
    op_text(op, s->op);
    jw_object(w);
    jw_key(w, "pc");
    jw_int(w, s->pc);
    jw_m_text(w, "op", op);
    jw_key(w, "gas");
    jw_int(w, s->gas);
    jw_key(w, "gasCost");
    jw_int(w, s->gas_cost);
    jw_key(w, "depth");
    jw_int(w, (int64_t)s->depth + 1);
    /* An undefined byte counts as an instruction that runs, and fails: the error is the frame's. */
    if (s->error != EVM_SUCCESS && s->error != EVM_INVALID_OPCODE) {
        char error[FAULT_TEXT_MAX];
        const struct fault_step at = {.op = s->op, .stack_len = s->stack_len};
        fault_text(error, s->error, &at);
        jw_m_text(w, "error", error);
    }
    if (!t->opt.disable_stack)
        write_stack(w, s);
    if (t->opt.enable_return_data && s->return_data.len != 0)
        jw_m_data(w, "returnData", s->return_data);
    if (t->opt.enable_memory)
        write_memory(w, s->memory);
    if (!t->opt.disable_storage)
        write_storage(t, s);
    if (s->refund != 0) {
        jw_key(w, "refund");
        jw_int(w, s->refund);
    }
    jw_object_end(w);
}

static void begin(struct trace *t, const struct tx *tx) {
    (void)tx;
    t->hooks.on_step = on_step;
    jw_init(&t->state.log.w, &t->text);
    jw_array(&t->state.log.w);
}

static void end(struct trace *t, const struct tx *tx, const struct tx_result *r) {
    struct struct_trace *log = &t->state.log;
    (void)tx;
    jw_array_end(&log->w);
    log->status = r->status;
    log->gas_used = r->gas_used;
    if (r->status == EVM_SUCCESS || r->status == EVM_REVERT)
        log->output = trace_copy(t, r->output);
}

static void write(struct trace *t, struct json_writer *w) {
    const struct struct_trace *log = &t->state.log;
    jw_object(w);
    jw_key(w, "gas");
    jw_int(w, (int64_t)log->gas_used);
    jw_key(w, "failed");
    jw_bool(w, log->status != EVM_SUCCESS);
    jw_m_data(w, "returnValue", log->output);
    jw_key(w, "structLogs");
    jw_raw(w, buf_bytes(&t->text));
    jw_object_end(w);
}

const struct trace_ops trace_struct_ops = {begin, end, write};
