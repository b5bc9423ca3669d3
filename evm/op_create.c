/* SPDX-License-Identifier: Apache-2.0 */
#include "base/keccak.h"
#include "evm/machine.h"

int64_t op_create_charge(struct evm *vm, struct frame *f, enum evm_call_kind kind, const u256 *sp,
                         int64_t gas) {
    struct call *c = &vm->call;
    if (vm->cfg->expired != NULL && vm->cfg->expired(vm->cfg->expired_ctx))
        return gas_fail(EVM_OUT_OF_GAS);
    if (f->is_static)
        return gas_fail(EVM_STATIC_VIOLATION);
    /* EIP-3860: the limit comes before any price. */
    if (!vm->cfg->no_code_size_limit && u256_sat_u64(&sp[-3]) > EVM_INITCODE_BYTES_MAX)
        return gas_fail(EVM_INITCODE_TOO_LARGE);
    int64_t per_word = GAS_INITCODE_WORD + (kind == EVM_CREATE2 ? GAS_KECCAK_WORD : 0);
    gas = mem_charge_words(vm, f, &sp[-2], &sp[-3], per_word, gas);
    if (gas < 0)
        return gas;
    *c = (struct call){
        .kind = kind,
        .depth = f->depth + 1,
        .sender = f->self,
        .value = sp[-1],
        .input = mem_bytes(f, &sp[-2], &sp[-3]),
        .precompile = -1,
    };
    return gas;
}

bool op_create_enter(struct evm *vm, struct frame *f) {
    struct call *c = &vm->call;
    if (c->kind == EVM_CREATE2) {
        hash32 salt;
        u256_to_be32(salt.b, &f->sp[-4]);
        hash32 init_hash = keccak256_bytes(c->input);
        evm_create2_address(&c->recipient, &f->self, &salt, &init_hash);
        f->sp -= 4;
    } else {
        evm_create_address(&c->recipient, &f->self, vm->ops->get_nonce(vm->ctx, &f->self));
        f->sp -= 3;
    }
    c->code_addr = c->recipient;
    int64_t all = f->gas + f->held;
    c->gas = all - all / 64;
    f->gas -= c->gas;
    f->ret_len = 0;
    return enter_create(vm);
}

int64_t op_selfdestruct_charge(struct evm *vm, struct frame *f, const u256 *sp, int64_t gas) {
    if (f->is_static)
        return gas_fail(EVM_STATIC_VIOLATION);
    addr20 heir = u256_to_addr(&sp[-1]);
    if (vm->ops->access_account(vm->ctx, &heir))
        gas -= GAS_COLD_ACCOUNT;
    if (gas < 0)
        return gas_fail(EVM_OUT_OF_GAS);
    if (vm->ops->is_empty(vm->ctx, &heir)) {
        u256 balance;
        vm->ops->get_balance(vm->ctx, &balance, &f->self);
        if (!u256_is_zero(&balance))
            gas -= GAS_NEW_ACCOUNT;
    }
    return gas < 0 ? gas_fail(EVM_OUT_OF_GAS) : gas;
}

void op_selfdestruct(struct evm *vm, struct frame *f, const u256 *sp) {
    addr20 heir = u256_to_addr(&sp[-1]);
    const struct evm_tracer *t = vm->tracer;
    if (t != NULL && t->on_enter != NULL) {
        u256 balance;
        vm->ops->get_balance(vm->ctx, &balance, &f->self);
        t->on_enter(t->ctx, EVM_SELFDESTRUCT, &f->self, &heir, bytes_of(NULL, 0), 0, &balance,
                    f->depth + 1);
    }
    vm->ops->selfdestruct(vm->ctx, &f->self, &heir);
    if (t != NULL && t->on_exit != NULL)
        t->on_exit(t->ctx, EVM_SUCCESS, bytes_of(NULL, 0), 0, f->depth + 1);
}

/* RLP of [address, nonce] is at most 1 + 21 + 9 bytes: put together here, so that a creation
 * allocates nothing. */
void evm_create_address(addr20 *out, const addr20 *sender, uint64_t nonce) {
    uint8_t rlp[31];
    size_t n = 1;
    rlp[n++] = 0x80 + 20;
    memcpy(rlp + n, sender->b, 20);
    n += 20;
    if (nonce == 0) {
        rlp[n++] = 0x80;
    } else if (nonce < 0x80) {
        rlp[n++] = (uint8_t)nonce;
    } else {
        uint8_t be[8];
        be64_store(be, nonce);
        size_t skip = (size_t)__builtin_clzll(nonce) / 8;
        rlp[n++] = (uint8_t)(0x80 + 8 - skip);
        memcpy(rlp + n, be + skip, 8 - skip);
        n += 8 - skip;
    }
    rlp[0] = (uint8_t)(0xc0 + n - 1);
    hash32 h;
    keccak256(&h, rlp, n);
    memcpy(out->b, h.b + 12, 20);
}

void evm_create2_address(addr20 *out, const addr20 *sender, const hash32 *salt,
                         const hash32 *init_code_hash) {
    uint8_t text[1 + 20 + 32 + 32];
    text[0] = 0xff;
    memcpy(text + 1, sender->b, 20);
    memcpy(text + 21, salt->b, 32);
    memcpy(text + 53, init_code_hash->b, 32);
    hash32 h;
    keccak256(&h, text, sizeof text);
    memcpy(out->b, h.b + 12, 20);
}
