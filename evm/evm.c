/* SPDX-License-Identifier: Apache-2.0 */
#include "evm/evm.h"

#include "base/check.h"
#include "evm/machine.h"
#include "evm/precompile.h"

#include <stdlib.h>
#include <sys/mman.h>

enum {
    FRAMES = EVM_CALL_DEPTH_MAX + 1, /* depth 0 to 1024, YP §9.4.2 */
    SCRATCH_CHUNK = 64 << 10,
};
/* Address space for all memories of a run, and as much for return data. Nothing is touched before
 * use: a block's gas bounds what is. Machines with a limit on address space get less, down to the
 * smallest. */
#define MEMORY_RESERVE_MAX ((size_t)256 << 30)
#define MEMORY_RESERVE_MIN ((size_t)1 << 30)
/* What one run leaves resident for the next. */
#define MEMORY_KEEP ((size_t)16 << 20)
/* Precompiles work in a fraction of this: their input is bounded by gas, their output by their
 * input. */
#define SCRATCH_MAX ((size_t)1 << 30)

static void *reserve(size_t len) {
    void *p =
        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static bool reserve_memories(struct evm *vm) {
    for (size_t len = MEMORY_RESERVE_MAX; len >= MEMORY_RESERVE_MIN; len /= 2) {
        vm->mem_base = reserve(len);
        vm->ret_base = vm->mem_base == NULL ? NULL : reserve(len);
        if (vm->ret_base != NULL) {
            vm->mem_end = vm->mem_base + len;
            vm->mem_dirty = vm->mem_base;
            vm->ret_cap = len;
            return true;
        }
        if (vm->mem_base != NULL)
            munmap(vm->mem_base, len);
        vm->mem_base = NULL;
    }
    return false;
}

struct evm *evm_new(struct evm_code_cache *cache) {
    struct evm *vm = calloc(1, sizeof *vm);
    if (vm == NULL)
        return NULL;
    vm->cache = cache;
    arena_init(&vm->scratch, SCRATCH_CHUNK, SCRATCH_MAX);
    vm->frames = calloc(FRAMES, sizeof *vm->frames);
    vm->stacks = reserve(sizeof(u256) * FRAMES * EVM_STACK_MAX);
    if (vm->frames == NULL || vm->stacks == NULL || !reserve_memories(vm)) {
        evm_free(vm);
        return NULL;
    }
    return vm;
}

void evm_free(struct evm *vm) {
    if (vm == NULL)
        return;
    if (vm->ret_base != NULL) {
        munmap(vm->mem_base, (size_t)(vm->mem_end - vm->mem_base));
        munmap(vm->ret_base, vm->ret_cap);
    }
    if (vm->stacks != NULL)
        munmap(vm->stacks, sizeof(u256) * FRAMES * EVM_STACK_MAX);
    free(vm->frames);
    arena_clear(&vm->scratch);
    free(vm);
}

/* Gives back what an unusually large run has touched, before the next one. */
static void release_excess(struct evm *vm) {
    if ((size_t)(vm->mem_dirty - vm->mem_base) > MEMORY_KEEP) {
        uint8_t *keep = vm->mem_base + MEMORY_KEEP;
        /* Anonymous pages read as zero afterwards, so they are clean again; should the advice fail,
         * they stay marked dirty. */
        if (madvise(keep, (size_t)(vm->mem_dirty - keep), MADV_DONTNEED) == 0)
            vm->mem_dirty = keep;
    }
    if (vm->ret_dirty > MEMORY_KEEP &&
        madvise(vm->ret_base + MEMORY_KEEP, vm->ret_dirty - MEMORY_KEEP, MADV_DONTNEED) == 0)
        vm->ret_dirty = MEMORY_KEEP;
}

/* The top-level call's code: as op_call_charge finds it, but EIP-7702 charges nothing for a
 * delegation that the transaction itself goes to; its target is warm. */
static void resolve_top_code(struct evm *vm, struct call *c) {
    c->precompile = precompile_find(vm->cfg->revision, &c->recipient);
    if (c->precompile >= 0)
        return;
    vm->ops->get_code(vm->ctx, &c->code, &c->recipient);
    addr20 target;
    if (vm->cfg->revision >= EVM_PRAGUE && evm_parse_delegation(&target, c->code.code)) {
        vm->ops->access_account(vm->ctx, &target);
        c->delegated = true;
        vm->ops->get_code(vm->ctx, &c->code, &target);
    }
}

static void run_frames(struct evm *vm) {
    while (vm->top != NULL) {
        struct frame *f = vm->top;
        enum loop_exit e;
        if (f->decoded != NULL)
            e = vm->profile == NULL ? interp_fast(vm, f) : interp_profiled(vm, f);
        else if (vm->tracer != NULL)
            e = interp_traced(vm, f);
        else
            e = interp_reference(vm, f);
        if (e == EXIT_HALT)
            frame_finish(vm);
        else if (e == EXIT_HOT)
            frame_heat_up(vm);
    }
}

void evm_run(struct evm *vm, const struct evm_config *cfg, const struct evm_message *msg,
             struct evm_result *out) {
    CHECK(cfg->tracer == NULL || cfg->tier == EVM_TIER_REFERENCE);
    CHECK(cfg->budget == 0 || cfg->tracer == NULL);
    CHECK(msg->kind == EVM_CALL || msg->kind == EVM_CREATE || msg->kind == EVM_STATICCALL);
    CHECK(msg->gas >= 0);
    CHECK(vm->top ==
          NULL); /* a host that calls evm_run from a callback needs a machine of its own */
    release_excess(vm);
    vm->cfg = cfg;
    vm->ops = cfg->host.ops;
    vm->ctx = cfg->host.ctx;
    vm->tracer = cfg->tracer;
    vm->profile = code_cache_profile(vm->cache);
    vm->table = op_table(cfg->revision);
    vm->return_data = bytes_of(NULL, 0);
    vm->out = out;
    *out = (struct evm_result){.status = EVM_INTERNAL_ERROR};
    vm->call = (struct call){
        .kind = msg->kind,
        .is_static = msg->kind == EVM_STATICCALL,
        .gas = msg->gas,
        .sender = msg->sender,
        .recipient = msg->recipient,
        .code_addr = msg->recipient,
        .value = msg->value,
        .input = msg->input,
        .precompile = -1,
    };
    if (msg->kind == EVM_CREATE) {
        enter_create(vm);
    } else {
        resolve_top_code(vm, &vm->call);
        enter_call(vm);
    }
    run_frames(vm);
    vm->cfg = NULL;
    vm->out = NULL;
}

bool evm_parse_delegation(addr20 *out, bytes code) {
    static const uint8_t prefix[3] = {0xef, 0x01, 0x00};
    if (code.len != 23 || memcmp(code.ptr, prefix, 3) != 0)
        return false;
    memcpy(out->b, code.ptr + 3, 20);
    return true;
}

const char *evm_status_text(enum evm_status s) {
    switch (s) {
    case EVM_INTERNAL_ERROR:
        return "internal error";
    case EVM_SUCCESS:
        return "";
    case EVM_REVERT:
        return "execution reverted";
    case EVM_OUT_OF_GAS:
        return "out of gas";
    case EVM_INVALID_OPCODE:
        return "invalid opcode";
    case EVM_STACK_UNDERFLOW:
        return "stack underflow";
    case EVM_STACK_OVERFLOW:
        return "stack limit reached";
    case EVM_BAD_JUMP:
        return "invalid jump destination";
    case EVM_RETURNDATA_OUT_OF_BOUNDS:
        return "return data out of bounds";
    case EVM_STATIC_VIOLATION:
        return "write protection";
    case EVM_PRECOMPILE_FAILURE:
        return "precompile failed";
    case EVM_CONTRACT_COLLISION:
        return "contract address collision";
    case EVM_CODE_DEPOSIT_GAS:
        return "contract creation code storage out of gas";
    case EVM_CODE_TOO_LARGE:
        return "max code size exceeded";
    case EVM_INITCODE_TOO_LARGE:
        return "max initcode size exceeded";
    case EVM_INVALID_CODE_PREFIX:
        return "invalid code: must not begin with 0xef";
    case EVM_DEPTH_EXCEEDED:
        return "max call depth exceeded";
    case EVM_INSUFFICIENT_BALANCE:
        return "insufficient balance for transfer";
    case EVM_NONCE_OVERFLOW:
        return "nonce uint64 overflow";
    }
    return "unknown status";
}

const addr20 *evm_running_sender(const struct evm *vm) {
    return vm->top != NULL ? &vm->top->caller : NULL;
}
