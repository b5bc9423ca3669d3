/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: caching never shows: many accounts and slots through a reader, with trims to small budgets
 * and resets between, always read as the reader has them; trimming keeps to its budget and frees
 * code. */
#include "state/world_internal.h"

#include <criterion/criterion.h>

/* A reader whose state is a function of the hash asked for. */
static uint64_t reads;

static bool read_account(void *ctx, struct account *out, const hash32 *addr_hash) {
    (void)ctx;
    reads++;
    if (addr_hash->b[0] % 4 == 0)
        return false;
    *out = (struct account){.nonce = addr_hash->b[1],
                            .balance = u256_from_u64(addr_hash->b[2]),
                            .code_hash = KECCAK_EMPTY,
                            .storage_root = KECCAK_EMPTY_TRIE,
                            .store_id = addr_hash->b[3]};
    if (addr_hash->b[0] % 4 == 1) {
        out->code_hash = *addr_hash;
        memset(out->code_hash.b + 1, 7, 31); /* 64 different codes */
    }
    return true;
}
static void read_storage(void *ctx, u256 *out, uint64_t store_id, const hash32 *slot_hash) {
    (void)ctx;
    *out = u256_from_u64(store_id << 8 | slot_hash->b[0]);
}
static bool read_code(void *ctx, bytes *out, const hash32 *code_hash) {
    (void)ctx;
    static uint8_t code[1000];
    memset(code, code_hash->b[0], sizeof code);
    *out = bytes_of(code, sizeof code);
    return true;
}
static const struct state_reader_ops READER_OPS = {read_account, read_storage, read_code};
static const struct state_reader READER = {&READER_OPS, NULL};

static addr20 addr_of(uint64_t i) {
    addr20 a = {{0}};
    be64_store(a.b + 12, i);
    return a;
}

static void check_one(struct world *w, uint64_t i) {
    addr20 a = addr_of(i);
    hash32 h = keccak256_bytes(bytes_of(a.b, 20));
    struct account want;
    bool exists = read_account(NULL, &want, &h);
    cr_assert_eq(world_exists(w, &a), exists);
    if (!exists)
        return;
    cr_assert_eq(world_nonce(w, &a), want.nonce);
    hash32 ch = world_code_hash(w, &a);
    cr_assert(hash32_eq(&ch, &want.code_hash));
    if (h.b[0] % 4 == 1)
        cr_assert_eq(world_code(w, &a).ptr[999], h.b[0]);
    u256 slot = u256_from_u64(i % 10);
    uint8_t be[32];
    u256_to_be32(be, &slot);
    hash32 sh = keccak256_bytes(bytes_of(be, 32));
    u256 got = world_storage(w, &a, &slot);
    cr_assert_eq(got.w[0], want.store_id == 0 ? 0 : (want.store_id << 8 | sh.b[0]));
}

Test(world_cache, trims_and_resets_do_not_show) {
    struct world *w = world_new(READER);
    for (uint64_t round = 0; round < 40; round++) {
        world_block_begin(w, round);
        for (uint64_t i = 0; i < 1000; i++)
            check_one(w, (i * 7 + round * 131) % 5000);
        struct arena a;
        arena_init(&a, 4096, SIZE_MAX);
        struct world_diff diff;
        world_block_end(w, &a, &diff);
        cr_assert_eq(diff.count, 0);
        arena_clear(&a);
        if (round % 3 == 0)
            world_trim(w, 100000);
        if (round % 11 == 10)
            world_reset(w, READER);
    }
    world_free(w);
}

Test(world_cache, trim_keeps_to_the_budget) {
    struct world *w = world_new(READER);
    for (uint64_t i = 0; i < 20000; i++)
        check_one(w, i);
    size_t live = w->slots.used + w->accounts.used;
    cr_assert_gt(live, 30000);
    world_trim(w, SIZE_MAX);
    cr_assert_eq(w->slots.free_count + w->accounts.free_count, 0);
    world_trim(w, 1 << 20);
    size_t left = w->slots.used - w->slots.free_count + w->accounts.used - w->accounts.free_count;
    cr_assert_lt(left, (1 << 20) / 200);
    cr_assert_gt(left, (1 << 20) / 1200, "half, as far more than the budget is held");
    world_trim(w, 0);
    cr_assert_eq(w->slots.free_count, w->slots.used);
    cr_assert_eq(w->accounts.free_count, w->accounts.used);
    for (uint64_t i = 0; i < 5000; i++)
        check_one(w, i);
    world_free(w);
}

/* Goal: memory is what the budget says, and a little of what a block adds; then it stays. */
Test(world_cache, memory_stays) {
    static const size_t budget = 4 << 20, block = 2 << 20;
    struct world *w = world_new(READER);
    size_t before = 0;
    for (uint64_t round = 0; round < 120; round++) {
        for (uint64_t i = 0; i < 1000; i++)
            check_one(w, round * 1000 + i);
        world_trim(w, budget);
        cr_assert_leq(world_bytes(w), budget + block, "%zu in round %lu", world_bytes(w), round);
        if (round == 60)
            before = world_bytes(w);
    }
    cr_assert_gt(before, budget * 3 / 4);
    cr_assert_leq(world_bytes(w), before + before / 100);
    world_free(w);
}

Test(world_cache, used_entries_stay) {
    struct world *w = world_new(READER);
    for (uint64_t i = 0; i < 5000; i++)
        check_one(w, i);
    world_trim(w, 1 << 20);
    for (int round = 0; round < 50; round++) {
        for (uint64_t i = 0; i < 300; i++)
            check_one(w, i); /* reads counts one per check_one besides the world's own */
        for (uint64_t i = 0; i < 200; i++)
            check_one(w, 10000 + (uint64_t)round * 200 + i);
        world_trim(w, 1 << 20);
    }
    reads = 0;
    for (uint64_t i = 0; i < 300; i++)
        check_one(w, i);
    cr_assert_lt(reads, 300 + 60, "most of the hot accounts are still cached: %lu", reads - 300);
    world_free(w);
}

Test(world_cache, code_goes_with_its_accounts) {
    struct world *w = world_new(READER);
    for (uint64_t i = 0; i < 3000; i++)
        check_one(w, i);
    cr_assert_geq(w->code_count, 60);
    world_trim(w, 0);
    cr_assert_geq(w->code_count, 60, "little code waits for a sweep");
    w->code_bytes += 3 << 20; /* as if there were much */
    w->code_swept_bytes = 0;
    world_trim(w, SIZE_MAX);
    cr_assert_eq(w->code_count, 0);
    w->code_bytes -= 3 << 20;
    cr_assert_eq(w->code_bytes, 0);
    world_free(w);
}
