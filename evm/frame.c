/* SPDX-License-Identifier: Apache-2.0 */
/* How messages become frames and frames become results. Nothing here recurses: enter_* push at most
 * one frame, and frame_finish pops one. */
#include "base/check.h"
#include "evm/machine.h"
#include "evm/precompile.h"

/* Frames with more gas than this are not worth measuring: they are decoded at once. */
#define HEAT_GAS_MAX ((int64_t)1 << 40)

/* What a message came to. */
struct outcome {
    enum evm_status status;
    int64_t gas_left;
    int64_t refund; /* counter afterwards; used on success only */
    bytes output;
    int64_t gas_given;
};

static void trace_enter(const struct evm *vm, const struct call *c) {
    const struct evm_tracer *t = vm->tracer;
    if (t == NULL || t->on_enter == NULL)
        return;
    /* Who executes the DELEGATECALL, not the caller that it passes on. */
    const addr20 *from = c->kind == EVM_DELEGATECALL ? &c->recipient : &c->sender;
    t->on_enter(t->ctx, c->kind, from, &c->code_addr, c->input, c->gas, &c->value, c->depth);
}

static void trace_exit(const struct evm *vm, const struct outcome *o, uint32_t depth) {
    const struct evm_tracer *t = vm->tracer;
    if (t != NULL && t->on_exit != NULL)
        t->on_exit(t->ctx, o->status, o->output, o->gas_given - o->gas_left, depth);
}

/* Keeps output beyond the life of the memory it lies in. False when the mapping is too small. */
static bool keep_return_data(struct evm *vm, bytes data) {
    if (data.len > vm->ret_cap)
        return false;
    if (data.len != 0)
        memcpy(vm->ret_base, data.ptr, data.len);
    if (data.len > vm->ret_dirty)
        vm->ret_dirty = data.len;
    vm->return_data = bytes_of(vm->ret_base, data.len);
    return true;
}

static bool is_create(enum evm_call_kind kind) {
    return kind == EVM_CREATE || kind == EVM_CREATE2;
}

/* Hands an outcome to the frame below, or to the run's caller when there is none. */
static void deliver(struct evm *vm, struct frame *to, enum evm_call_kind kind,
                    const addr20 *created, const struct outcome *o) {
    bool ok = o->status == EVM_SUCCESS;
    /* A successful creation answers with an address, not with data; the run's caller gets the code.
     */
    bytes data = to != NULL && ok && is_create(kind) ? bytes_of(NULL, 0) : o->output;
    bool kept = keep_return_data(vm, data);
    CHECK(kept); /* the mapping is as large as that of all memories */
    if (to == NULL) {
        *vm->out = (struct evm_result){
            .status = o->status,
            .gas_left = o->gas_left,
            .gas_refund = ok ? o->refund : 0,
            .output = vm->return_data,
        };
        if (ok && is_create(kind))
            vm->out->created = *created;
        return;
    }
    to->gas += o->gas_left;
    if (to->heats)
        to->switch_gas -= o->gas_given - o->gas_left;
    if (ok)
        to->refund = o->refund;
    uint64_t n = data.len < to->ret_len ? data.len : to->ret_len;
    if (n != 0)
        memcpy(to->mem + to->ret_off, vm->return_data.ptr, n);
    *to->sp++ = !ok ? U256_ZERO : is_create(kind) ? u256_from_addr(created) : U256_ONE;
}

/* The answer to a message for which no frame was pushed. */
static void answer(struct evm *vm, struct outcome o) {
    const struct call *c = &vm->call;
    o.gas_given = c->gas;
    trace_exit(vm, &o, c->depth);
    deliver(vm, vm->top, c->kind, &c->recipient, &o);
}

/* A call that fails before it begins: the caller keeps the gas. */
static void answer_soft(struct evm *vm, enum evm_status status) {
    answer(vm, (struct outcome){.status = status, .gas_left = vm->call.gas});
}

static int64_t refund_so_far(const struct evm *vm) {
    return vm->top != NULL ? vm->top->refund : 0;
}

/* How much of the gas of the message in vm->call the run's budget does not cover. A caller that has
 * given more than it could show is below 0 by that. */
static int64_t beyond_budget(const struct evm *vm) {
    int64_t budget = vm->cfg->budget, gas = vm->call.gas;
    if (vm->top != NULL)
        return vm->top->gas < 0 ? -vm->top->gas : 0;
    return budget > 0 && gas > budget ? gas - budget : 0;
}

static struct frame *push_frame(struct evm *vm, uint32_t snapshot) {
    const struct call *c = &vm->call;
    struct frame *below = vm->top;
    struct frame *f = below == NULL ? vm->frames : below + 1;
    CHECK(c->depth <= EVM_CALL_DEPTH_MAX);
    f->held = beyond_budget(vm);
    f->gas_start = c->gas;
    f->gas = c->gas - f->held;
    f->ip = NULL;
    f->pc = 0;
    f->stack = below == NULL ? vm->stacks : below->sp;
    f->sp = f->stack;
    f->mem = below == NULL ? vm->mem_base : below->mem + below->mem_size;
    f->mem_size = 0;
    f->mem_word_end = 0;
    f->refund = refund_so_far(vm);
    f->decoded = NULL;
    f->jumpdests = NULL;
    f->entry = NULL;
    f->heats = false;
    f->input = c->input;
    f->self = c->recipient;
    f->caller = c->sender;
    f->value = c->value;
    f->kind = c->kind;
    f->is_static = c->is_static;
    f->depth = c->depth;
    f->snapshot = snapshot;
    f->status = EVM_SUCCESS;
    f->output = bytes_of(NULL, 0);
    f->ret_off = f->ret_len = 0;
    vm->return_data = bytes_of(NULL, 0);
    vm->top = f;
    return f;
}

static bool frame_decode(struct evm *vm, struct frame *f, uint32_t start) {
    f->decoded = code_entry_decoded(vm->cache, f->entry, vm->cfg->revision, f->code);
    if (f->decoded == NULL)
        return false;
    f->heats = false;
    f->ip = f->decoded->insns + start;
    return true;
}

/* Looks the code up in the cache and chooses how to run it. False when memory ran out. */
static bool load_code(struct evm *vm, struct frame *f, const struct evm_code_ref *ref) {
    f->code = ref->code;
    f->entry = code_cache_get(vm->cache, ref);
    if (f->entry == NULL)
        return false;
    if (vm->cfg->tier != EVM_TIER_FAST)
        return true;
    uint64_t hot = code_cache_heat(vm->cache) * f->code.len;
    bool decoded = f->entry->decoded[vm->cfg->revision] != NULL;
    if (!decoded && f->entry->heat < hot && f->gas < HEAT_GAS_MAX) {
        f->heats = true;
        f->heat_needed = (int64_t)(hot - f->entry->heat);
        f->switch_gas = f->gas - f->heat_needed;
        return true;
    }
    return frame_decode(vm, f, DECODED_START);
}

/* Answers what needs no frame: the chain's own addresses and precompiles. A precompile that the
 * budget does not cover sets over_budget instead. */
static bool run_native(struct evm *vm, struct outcome *o) {
    const struct call *c = &vm->call;
    if (!c->delegated && vm->ops->system_call != NULL) {
        struct evm_message msg = {.kind = c->kind,
                                  .sender = c->sender,
                                  .recipient = c->recipient,
                                  .value = c->value,
                                  .input = c->input,
                                  .gas = c->gas};
        struct evm_result r = {.status = EVM_SUCCESS};
        if (vm->ops->system_call(vm->ctx, &r, &msg, &c->code_addr, c->is_static, c->depth)) {
            *o = (struct outcome){.status = r.status,
                                  .gas_left = r.gas_left,
                                  .refund = refund_so_far(vm) + r.gas_refund,
                                  .output = r.output};
            return true;
        }
    }
    if (c->precompile < 0)
        return false;
    enum precompile_id id = (enum precompile_id)c->precompile;
    o->refund = refund_so_far(vm);
    uint64_t price = precompile_gas(vm->cfg->revision, id, c->input);
    if (price > (uint64_t)c->gas) {
        o->status = EVM_OUT_OF_GAS;
        return true;
    }
    o->gas_left = c->gas - (int64_t)price;
    if (o->gas_left < beyond_budget(vm)) {
        vm->out->over_budget = true;
        return true;
    }
    arena_reset(&vm->scratch);
    o->status = precompile_run(vm->cfg->revision, id, &vm->scratch, c->input, &o->output);
    return true;
}

/* Failure takes the gas and the output; anything but success undoes the changes. */
static void settle(struct evm *vm, struct outcome *o, uint32_t snapshot) {
    if (o->status == EVM_SUCCESS)
        return;
    vm->ops->revert(vm->ctx, snapshot);
    if (o->status != EVM_REVERT) {
        o->gas_left = 0;
        o->output = bytes_of(NULL, 0);
    }
}

/* The node failed: nothing of the run may stay, whatever frames there are. */
static void give_up(struct evm *vm, uint32_t snapshot) {
    vm->ops->revert(vm->ctx, vm->top != NULL ? vm->frames[0].snapshot : snapshot);
    vm->top = NULL;
    vm->return_data = bytes_of(vm->ret_base, 0);
    *vm->out = (struct evm_result){.status = EVM_INTERNAL_ERROR, .output = vm->return_data};
}

/* The budget is used up: nothing of the run stays. */
static void stop_over_budget(struct evm *vm, uint32_t snapshot) {
    give_up(vm, snapshot);
    vm->out->status = EVM_OUT_OF_GAS;
    vm->out->over_budget = true;
}

/* Only a running frame checks this: the sender of a transaction has paid before. */
static enum evm_status check_soft(struct evm *vm, const struct call *c) {
    if (c->depth > EVM_CALL_DEPTH_MAX)
        return EVM_DEPTH_EXCEEDED;
    bool pays = c->kind != EVM_DELEGATECALL && !u256_is_zero(&c->value);
    if (pays) {
        u256 balance;
        vm->ops->get_balance(vm->ctx, &balance, &c->sender);
        if (u256_lt(&balance, &c->value))
            return EVM_INSUFFICIENT_BALANCE;
    }
    return EVM_SUCCESS;
}

/* A frame that began in its bytes goes on, at a jump's target, in decoded form. */
void frame_heat_up(struct evm *vm) {
    struct frame *f = vm->top;
    if (!frame_decode(vm, f, 0)) {
        give_up(vm, f->snapshot);
        return;
    }
    f->ip += f->decoded->jumps[f->pc];
}

bool enter_call(struct evm *vm) {
    const struct call *c = &vm->call;
    trace_enter(vm, c);
    enum evm_status soft = check_soft(vm, c);
    if (soft != EVM_SUCCESS) {
        answer_soft(vm, soft);
        return false;
    }
    uint32_t snapshot = vm->ops->snapshot(vm->ctx);
    /* A zero value touches the recipient (EIP-161), that of a STATICCALL too. */
    if (c->kind == EVM_CALL || c->kind == EVM_STATICCALL) {
        bool moved = vm->ops->transfer(vm->ctx, &c->sender, &c->recipient, &c->value);
        CHECK(moved); /* check_soft looked */
    }
    struct outcome o = {.status = EVM_SUCCESS, .gas_left = c->gas, .refund = refund_so_far(vm)};
    bool native = run_native(vm, &o);
    if (native || c->code.code.len == 0) {
        if (vm->out->over_budget) {
            stop_over_budget(vm, snapshot);
            return true;
        }
        if (o.status == EVM_INTERNAL_ERROR) {
            give_up(vm, snapshot);
            return true;
        }
        settle(vm, &o, snapshot);
        answer(vm, o);
        return false;
    }
    struct frame *f = push_frame(vm, snapshot);
    if (!load_code(vm, f, &c->code))
        give_up(vm, snapshot);
    return true;
}

/* Init code runs once and is not cached: its map of JUMPDESTs, an eighth of it, lies before the
 * frame's memory. */
static bool reserve_jumpdest_room(struct evm *vm, struct frame *f) {
    uint64_t room = words_of((f->code.len + 7) / 8) * 32;
    if (room > (uint64_t)(vm->mem_end - f->mem))
        return false;
    f->jumpdest_room = f->mem;
    f->mem += room;
    if (f->mem > vm->mem_dirty)
        vm->mem_dirty = f->mem;
    return true;
}

bool enter_create(struct evm *vm) {
    const struct call *c = &vm->call;
    trace_enter(vm, c);
    enum evm_status soft = check_soft(vm, c);
    /* At the top level the transaction has raised the nonce. */
    if (soft == EVM_SUCCESS && vm->top != NULL && !vm->ops->inc_nonce(vm->ctx, &c->sender))
        soft = EVM_NONCE_OVERFLOW;
    if (soft != EVM_SUCCESS) {
        answer_soft(vm, soft);
        return false;
    }
    /* EIP-2929: stays warm even if the creation fails, hence before the snapshot. */
    vm->ops->access_account(vm->ctx, &c->recipient);
    uint32_t snapshot = vm->ops->snapshot(vm->ctx);
    if (!vm->ops->create_account(vm->ctx, &c->recipient, &c->sender)) {
        vm->ops->revert(vm->ctx, snapshot);
        answer(vm, (struct outcome){.status = EVM_CONTRACT_COLLISION});
        return false;
    }
    bool moved = vm->ops->transfer(vm->ctx, &c->sender, &c->recipient, &c->value);
    CHECK(moved); /* check_soft looked */
    struct frame *f = push_frame(vm, snapshot);
    f->code = c->input;
    f->input = bytes_of(NULL, 0);
    if (!reserve_jumpdest_room(vm, f))
        give_up(vm, snapshot);
    return true;
}

/* Code deposit of a creation that returned: EIP-170, EIP-3541 and 200 gas per byte. */
static void deposit_code(struct evm *vm, struct frame *f) {
    bytes code = f->output;
    int64_t cost = (int64_t)code.len * GAS_CODE_DEPOSIT;
    if (code.len > EVM_CODE_BYTES_MAX && !vm->cfg->no_code_size_limit) {
        f->status = EVM_CODE_TOO_LARGE;
    } else if (code.len > 0 && code.ptr[0] == 0xef) {
        f->status = EVM_INVALID_CODE_PREFIX;
    } else if (cost > f->gas + f->held) {
        f->status = EVM_CODE_DEPOSIT_GAS;
    } else {
        f->gas -= cost;
        vm->ops->set_code(vm->ctx, &f->self, code);
    }
}

void frame_finish(struct evm *vm) {
    struct frame *f = vm->top;
    if (f->status == EVM_SUCCESS && is_create(f->kind))
        deposit_code(vm, f);
    if (f->status == EVM_INTERNAL_ERROR) {
        give_up(vm, f->snapshot);
        return;
    }
    if (f->status == EVM_OUT_OF_GAS && f->held > 0) {
        stop_over_budget(vm, f->snapshot);
        return;
    }
    struct outcome o = {f->status, f->gas + f->held, f->refund, f->output, f->gas_start};
    settle(vm, &o, f->snapshot);
    trace_exit(vm, &o, f->depth);
    if (f->heats)
        f->entry->heat += (uint64_t)(f->switch_gas + f->heat_needed - f->gas);
    vm->top = f == vm->frames ? NULL : f - 1;
    deliver(vm, vm->top, f->kind, &f->self, &o);
}
