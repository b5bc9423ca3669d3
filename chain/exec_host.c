/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/exec.h"

#include "base/check.h"
#include "base/keccak.h"

_Static_assert(sizeof(struct evm_code_handle) <= 16, "world_code_slot has room for a code handle");

static struct world *world_of(void *h) {
    return ((struct exec *)h)->world;
}

static bool host_access_account(void *h, const addr20 *a) {
    return exec_access_account(h, a);
}

static bool host_access_storage(void *h, const addr20 *a, const u256 *slot) {
    return world_warm_storage(world_of(h), a, slot);
}

static bool host_is_empty(void *h, const addr20 *a) {
    return world_is_empty(world_of(h), a);
}

static void host_get_balance(void *h, u256 *out, const addr20 *a) {
    *out = world_balance(world_of(h), a);
}

static uint64_t host_get_nonce(void *h, const addr20 *a) {
    return world_nonce(world_of(h), a);
}

static void host_get_code_hash(void *h, hash32 *out, const addr20 *a) {
    if (world_is_empty(world_of(h), a))
        memset(out, 0, sizeof *out);
    else
        *out = world_code_hash(world_of(h), a);
}

static void host_get_code(void *h, struct evm_code_ref *out, const addr20 *a) {
    struct world *w = world_of(h);
    out->code = world_code(w, a);
    out->code_hash = world_code_hash(w, a);
    out->handle = world_code_slot(w, a);
}

static bool host_sload(void *h, u256 *out, const addr20 *a, const u256 *slot) {
    return world_sload(world_of(h), out, a, slot);
}

static bool host_sstore_peek(void *h, u256 *out_original, u256 *out_current, const addr20 *a,
                             const u256 *slot) {
    return world_sstore_peek(world_of(h), out_original, out_current, a, slot);
}

static void host_sstore(void *h, const addr20 *a, const u256 *slot, const u256 *value) {
    world_set_storage(world_of(h), a, slot, value);
}

static void host_tload(void *h, u256 *out, const addr20 *a, const u256 *slot) {
    *out = world_transient(world_of(h), a, slot);
}

static void host_tstore(void *h, const addr20 *a, const u256 *slot, const u256 *value) {
    world_set_transient(world_of(h), a, slot, value);
}

static void host_get_block_hash(void *h, hash32 *out, uint64_t number) {
    const struct exec *x = h;
    if (x->block_hash == NULL)
        memset(out, 0, sizeof *out);
    else
        *out = x->block_hash(x->block_hash_ctx, number);
}

static uint32_t host_snapshot(void *h) {
    return world_snapshot(world_of(h));
}

static void host_revert(void *h, uint32_t snapshot) {
    world_revert(world_of(h), snapshot);
}

static void credit(struct exec *x, const addr20 *a, const u256 *value) {
    if (!x->rules->made_up_balances) {
        world_add_balance(x->world, a, value);
        return;
    }
    u256 balance = world_balance(x->world, a);
    balance = u256_add(&balance, value);
    world_touch(x->world, a);
    world_set_balance(x->world, a, &balance);
}

static bool host_transfer(void *h, const addr20 *from, const addr20 *to, const u256 *value) {
    struct world *w = world_of(h);
    if (u256_is_zero(value)) {
        world_touch(w, to);
        return true;
    }
    if (!world_sub_balance(w, from, value))
        return false;
    credit(h, to, value);
    return true;
}

static bool host_inc_nonce(void *h, const addr20 *a) {
    struct world *w = world_of(h);
    uint64_t nonce = world_nonce(w, a);
    if (nonce == UINT64_MAX)
        return false; /* EIP-2681 */
    world_set_nonce(w, a, nonce + 1);
    return true;
}

static bool host_create_account(void *h, const addr20 *a, const addr20 *creator) {
    struct exec *x = h;
    struct world *w = x->world;
    hash32 code_hash = world_code_hash(w, a);
    if (world_nonce(w, a) != 0 || !hash32_eq(&code_hash, &KECCAK_EMPTY) || world_has_storage(w, a))
        return false;
    world_create(w, a);
    if (x->rules->on_create != NULL)
        x->rules->on_create(x, a, creator);
    return true;
}

static void host_set_code(void *h, const addr20 *a, bytes code) {
    world_set_code(world_of(h), a, code);
}

static void host_selfdestruct(void *h, const addr20 *a, const addr20 *beneficiary) {
    struct exec *x = h;
    struct world *w = x->world;
    bool destroyed = x->revision < EVM_CANCUN || world_created_in_tx(w, a);
    u256 balance = world_balance(w, a);
    bool to_itself = addr20_eq(a, beneficiary);
    if (!to_itself) {
        bool covered = world_sub_balance(w, a, &balance);
        CHECK(covered);
        credit(x, beneficiary, &balance);
    } else if (destroyed) {
        world_set_balance(w, a, &U256_ZERO);
        if (x->rules->on_burn != NULL && !u256_is_zero(&balance))
            x->rules->on_burn(x, &balance);
    }
    if (destroyed)
        world_destroy(w, a);
}

static void host_emit_log(void *h, const struct evm_log *log) {
    world_add_log(world_of(h), &log->address, log->topics, log->topic_count, log->data);
}

static bool host_system_call(void *h, struct evm_result *out, const struct evm_message *msg,
                             const addr20 *code_addr, bool is_static, uint32_t depth) {
    struct exec *x = h;
    return x->rules->system_call(x, out, msg, code_addr, is_static, depth);
}

/* Two tables: the machine asks for system addresses only where the profile has some. */
#define HOST_OPS(system)                                                                           \
    {                                                                                              \
        .access_account = host_access_account, .access_storage = host_access_storage,              \
        .is_empty = host_is_empty, .get_balance = host_get_balance, .get_nonce = host_get_nonce,   \
        .get_code_hash = host_get_code_hash, .get_code = host_get_code, .sload = host_sload,       \
        .sstore_peek = host_sstore_peek, .sstore = host_sstore, .tload = host_tload,               \
        .tstore = host_tstore, .get_block_hash = host_get_block_hash, .snapshot = host_snapshot,   \
        .revert = host_revert, .transfer = host_transfer, .inc_nonce = host_inc_nonce,             \
        .create_account = host_create_account, .set_code = host_set_code,                          \
        .selfdestruct = host_selfdestruct, .emit_log = host_emit_log, .system_call = (system),     \
    }
static const struct evm_host_ops plain_ops = HOST_OPS(NULL);
static const struct evm_host_ops system_ops = HOST_OPS(host_system_call);

struct evm_host exec_host(struct exec *x) {
    return (struct evm_host){.ops = x->rules->system_call != NULL ? &system_ops : &plain_ops,
                             .ctx = x};
}
