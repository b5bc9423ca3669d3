/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the world's reads, changes, journal and logs, one rule at a time. The random comparison
 * with a plain model is in test_world_block.c. */
#include "state/world.h"
#include "base/keccak.h"

#include <criterion/criterion.h>

static const addr20 A = {{0xaa, 1}};
static const addr20 B = {{0xbb, 2}};
static const u256 S1 = {{1, 0, 0, 0}};
static const u256 S2 = {{0, 0, 0, 7}};

static struct world *fresh_world(void) {
    struct world *w = world_new((struct state_reader){NULL, NULL});
    world_block_begin(w, 5);
    world_tx_begin(w);
    return w;
}

static u256 num(uint64_t v) {
    return u256_from_u64(v);
}

Test(world, balances_and_existence) {
    struct world *w = fresh_world();
    cr_assert(!world_exists(w, &A));
    cr_assert(world_is_empty(w, &A));
    u256 ten = num(10), four = num(4), eleven = num(11);
    world_add_balance(w, &A, &ten);
    cr_assert(world_exists(w, &A));
    cr_assert(!world_sub_balance(w, &A, &eleven));
    cr_assert(world_sub_balance(w, &A, &four));
    u256 six = world_balance(w, &A);
    cr_assert_eq(six.w[0], 6);
    uint32_t snap = world_snapshot(w);
    world_add_balance(w, &B, &four);
    world_set_nonce(w, &A, 9);
    world_revert(w, snap);
    cr_assert(!world_exists(w, &B));
    cr_assert_eq(world_nonce(w, &A), 0);
    world_free(w);
}

Test(world, storage_originals_and_warmth) {
    struct world *w = fresh_world();
    u256 v = num(5), v2 = num(6), orig, cur;
    cr_assert(world_sload(w, &cur, &A, &S1));
    cr_assert(!world_sload(w, &cur, &A, &S1));
    cr_assert(!world_warm_storage(w, &A, &S1));
    cr_assert(world_warm_storage(w, &A, &S2));
    world_set_storage(w, &A, &S1, &v);
    world_set_balance(w, &A, &v);
    cr_assert(!world_sstore_peek(w, &orig, &cur, &A, &S1));
    cr_assert(u256_is_zero(&orig));
    cr_assert(u256_eq(&cur, &v));
    world_tx_end(w);
    world_tx_begin(w);
    cr_assert(world_sstore_peek(w, &orig, &cur, &A, &S1));
    cr_assert(u256_eq(&orig, &v));
    uint32_t snap = world_snapshot(w);
    world_set_storage(w, &A, &S1, &v2);
    cr_assert(world_warm_account(w, &B));
    world_revert(w, snap);
    cr_assert(world_warm_account(w, &B));
    cur = world_storage(w, &A, &S1);
    cr_assert(u256_eq(&cur, &v));
    world_set_storage(w, &A, &S1, &v2);
    (void)world_sstore_peek(w, &orig, &cur, &A, &S1);
    cr_assert(u256_eq(&orig, &v));
    cr_assert(u256_eq(&cur, &v2));
    world_free(w);
}

Test(world, transient_storage_is_per_transaction) {
    struct world *w = fresh_world();
    u256 v = num(5);
    for (uint64_t i = 0; i < 5000; i++) {
        u256 slot = num(i), val = num(i * 3 + 1);
        world_set_transient(w, &A, &slot, &val);
    }
    uint32_t snap = world_snapshot(w);
    world_set_transient(w, &A, &S1, &v);
    u256 got = world_transient(w, &A, &S1);
    cr_assert(u256_eq(&got, &v));
    got = world_transient(w, &B, &S1);
    cr_assert(u256_is_zero(&got));
    world_revert(w, snap);
    for (uint64_t i = 0; i < 5000; i++) {
        u256 slot = num(i);
        got = world_transient(w, &A, &slot);
        cr_assert_eq(got.w[0], i * 3 + 1);
    }
    world_tx_end(w);
    world_tx_begin(w);
    for (uint64_t i = 0; i < 5000; i += 7) {
        u256 slot = num(i);
        got = world_transient(w, &A, &slot);
        cr_assert(u256_is_zero(&got));
        world_set_transient(w, &B, &slot, &v);
        got = world_transient(w, &A, &slot);
        cr_assert(u256_is_zero(&got));
    }
    world_free(w);
}

Test(world, code_and_its_slot) {
    struct world *w = fresh_world();
    cr_assert_null(world_code_slot(w, &A));
    cr_assert_eq(world_code(w, &A).len, 0);
    world_set_code(w, &A, bytes_of("abc", 3));
    world_set_code(w, &B, bytes_of("abc", 3));
    bytes c = world_code(w, &A);
    cr_assert_eq(c.len, 3);
    cr_assert_eq(memcmp(c.ptr, "abc", 3), 0);
    uint64_t *slot = world_code_slot(w, &A);
    cr_assert_eq(slot[0], 0);
    cr_assert_eq(slot[1], 0);
    cr_assert_eq(world_code_slot(w, &B), (void *)slot);
    uint32_t snap = world_snapshot(w);
    world_set_code(w, &A, bytes_of("defg", 4));
    cr_assert_eq(world_code(w, &A).len, 4);
    world_revert(w, snap);
    cr_assert_eq(world_code(w, &A).len, 3);
    world_set_code(w, &A, bytes_of(NULL, 0));
    hash32 h = world_code_hash(w, &A);
    cr_assert(hash32_eq(&h, &KECCAK_EMPTY));
    world_free(w);
}

Test(world, creation) {
    struct world *w = fresh_world();
    u256 v = num(5);
    world_set_balance(w, &A, &v);
    uint32_t snap = world_snapshot(w);
    world_create(w, &A);
    cr_assert(world_created_in_tx(w, &A));
    cr_assert_eq(world_nonce(w, &A), 1);
    u256 b = world_balance(w, &A);
    cr_assert(u256_eq(&b, &v));
    cr_assert(!world_has_storage(w, &A));
    world_set_storage(w, &A, &S1, &v);
    cr_assert(world_has_storage(w, &A));
    world_revert(w, snap);
    cr_assert(!world_created_in_tx(w, &A));
    cr_assert_eq(world_nonce(w, &A), 0);
    cr_assert(!world_has_storage(w, &A));
    world_create(w, &A);
    world_tx_end(w);
    world_tx_begin(w);
    cr_assert(!world_created_in_tx(w, &A));
    world_free(w);
}

Test(world, destroyed_and_empty_accounts_go_at_the_end) {
    struct world *w = fresh_world();
    u256 v = num(5), zero = U256_ZERO;
    world_set_balance(w, &A, &v);
    world_set_storage(w, &A, &S1, &v);
    world_set_balance(w, &B, &zero); /* exists, empty, not touched */
    world_tx_end(w);
    world_tx_begin(w);
    cr_assert(world_exists(w, &B));
    uint32_t snap = world_snapshot(w);
    world_touch(w, &B);
    world_revert(w, snap);
    world_destroy(w, &A);
    world_add_balance(w, &A, &v);
    cr_assert(world_exists(w, &A));
    u256 doomed = world_doomed_balance(w);
    cr_assert_eq(doomed.w[0], 10);
    world_tx_end(w);
    world_tx_begin(w);
    cr_assert(!world_exists(w, &A));
    u256 got = world_storage(w, &A, &S1);
    cr_assert(u256_is_zero(&got));
    cr_assert(world_exists(w, &B), "touched in a reverted frame only");
    world_add_balance(w, &B, &zero);
    world_tx_end(w);
    cr_assert(!world_exists(w, &B));
    world_free(w);
}

Test(world, logs_follow_the_journal) {
    struct world *w = fresh_world();
    hash32 topics[2] = {{{1}}, {{2}}};
    world_add_log(w, &A, topics, 2, bytes_of("xyz", 3));
    uint32_t snap = world_snapshot(w);
    for (int i = 0; i < 300; i++)
        world_add_log(w, &B, NULL, 0, bytes_of(topics, sizeof topics));
    world_revert(w, snap);
    world_add_log(w, &B, topics, 1, bytes_of(NULL, 0));
    world_tx_end(w);
    size_t n;
    const struct world_log *l = world_logs(w, &n);
    cr_assert_eq(n, 2);
    cr_assert_eq(l[0].data.len, 3);
    cr_assert_eq(memcmp(l[0].data.ptr, "xyz", 3), 0);
    cr_assert_eq(l[0].topic_count, 2);
    cr_assert(hash32_eq(&l[0].topics[1], &topics[1]));
    cr_assert(addr20_eq(&l[1].address, &B));
    world_tx_begin(w);
    (void)world_logs(w, &n);
    cr_assert_eq(n, 0);
    world_free(w);
}
