/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what the machine sees of the world through exec_host, where it is more than passing on:
 * code hashes of empty accounts, collisions, selfdestruct by revision, transfers. */
#include "tests/lib/chain/exec_fixture.h"

#include "base/keccak.h"

#include <criterion/criterion.h>

static struct exec_fixture f;
static const addr20 A = {{0xaa}}, B = {{0xbb}};

static void set_up(void) {
    exec_fixture_init(&f, EVM_CANCUN, EVM_TIER_FAST);
}
static void tear_down(void) {
    exec_fixture_clear(&f);
}
TestSuite(exec_host, .init = set_up, .fini = tear_down);

static uint64_t balance(const addr20 *a) {
    u256 v = world_balance(f.world, a);
    return u256_sat_u64(&v);
}

Test(exec_host, code_hash_of_empty_and_codeless_accounts) {
    struct evm_host h = exec_host(&f.x);
    hash32 hash;
    world_tx_begin(f.world);
    h.ops->get_code_hash(h.ctx, &hash, &A);
    cr_assert(hash32_is_zero(&hash));
    u256 one = U256_ONE;
    world_add_balance(f.world, &A, &one);
    h.ops->get_code_hash(h.ctx, &hash, &A);
    cr_assert(hash32_eq(&hash, &KECCAK_EMPTY));
    world_tx_end(f.world);
}

Test(exec_host, creation_collides_with_nonce_code_or_storage) {
    struct evm_host h = exec_host(&f.x);
    addr20 with_nonce = {{1}}, with_code = {{2}}, with_storage = {{3}}, with_balance = {{4}};
    exec_fixture_put_code(&f, &with_code, "00");
    u256 one = U256_ONE;
    world_tx_begin(f.world);
    world_set_nonce(f.world, &with_nonce, 1);
    world_set_nonce(f.world, &with_code, 0);
    world_set_balance(f.world, &with_balance, &one);
    world_set_balance(f.world, &with_storage, &one);
    world_set_storage(f.world, &with_storage, &one, &one);
    cr_assert(!h.ops->create_account(h.ctx, &with_nonce, &A));
    cr_assert(!h.ops->create_account(h.ctx, &with_code, &A));
    cr_assert(!h.ops->create_account(h.ctx, &with_storage, &A));
    cr_assert(h.ops->create_account(h.ctx, &with_balance, &A));
    cr_assert_eq(world_nonce(f.world, &with_balance), 1);
    cr_assert_eq(balance(&with_balance), 1);
    world_tx_end(f.world);
}

Test(exec_host, transfer_moves_all_or_nothing) {
    struct evm_host h = exec_host(&f.x);
    u256 ten = u256_from_u64(10), eleven = u256_from_u64(11);
    world_tx_begin(f.world);
    world_set_balance(f.world, &A, &ten);
    cr_assert(!h.ops->transfer(h.ctx, &A, &B, &eleven));
    cr_assert_eq(balance(&A), 10);
    cr_assert_eq(balance(&B), 0);
    cr_assert(h.ops->transfer(h.ctx, &A, &A, &ten));
    cr_assert_eq(balance(&A), 10);
    cr_assert(h.ops->transfer(h.ctx, &A, &B, &ten));
    cr_assert_eq(balance(&B), 10);
    world_tx_end(f.world);
}

/* One SELFDESTRUCT in a transaction of its own; whether the contract is left. */
static bool destruct(enum evm_revision rev, bool created_now, const addr20 *to) {
    f.x.revision = rev;
    struct evm_host h = exec_host(&f.x);
    u256 ten = u256_from_u64(10);
    if (!created_now)
        exec_fixture_put_code(&f, &A, "00");
    world_tx_begin(f.world);
    if (created_now)
        cr_assert(h.ops->create_account(h.ctx, &A, &B));
    world_set_balance(f.world, &A, &ten);
    h.ops->selfdestruct(h.ctx, &A, to);
    world_tx_end(f.world);
    return world_exists(f.world, &A);
}

Test(exec_host, selfdestruct_before_cancun_always_destroys) {
    cr_assert(!destruct(EVM_SHANGHAI, false, &B));
    cr_assert_eq(balance(&B), 10);
}

Test(exec_host, selfdestruct_of_an_old_contract_only_moves_the_balance) {
    cr_assert(destruct(EVM_CANCUN, false, &B));
    cr_assert_eq(balance(&B), 10);
    cr_assert_eq(balance(&A), 0);
    cr_assert(destruct(EVM_CANCUN, false, &A)); /* to itself: nothing happens */
    cr_assert_eq(balance(&A), 10);
}

Test(exec_host, selfdestruct_in_the_creating_transaction_destroys) {
    cr_assert(!destruct(EVM_CANCUN, true, &A)); /* to itself: burnt */
    cr_assert_eq(balance(&A), 0);
    cr_assert(!destruct(EVM_CANCUN, true, &B));
    cr_assert_eq(balance(&B), 10);
}

static hash32 numbered(void *ctx, uint64_t number) {
    hash32 h = {{0}};
    h.b[0] = (uint8_t)(number + *(uint8_t *)ctx);
    return h;
}

Test(exec_host, block_hashes_come_from_the_callback) {
    struct evm_host h = exec_host(&f.x);
    uint8_t base = 5;
    hash32 out;
    h.ops->get_block_hash(h.ctx, &out, 3);
    cr_assert(hash32_is_zero(&out));
    f.x.block_hash = numbered;
    f.x.block_hash_ctx = &base;
    h.ops->get_block_hash(h.ctx, &out, 3);
    cr_assert_eq(out.b[0], 8);
    cr_assert_null(h.ops->system_call); /* Ethereum has no system addresses */
}
