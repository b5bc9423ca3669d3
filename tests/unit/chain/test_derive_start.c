/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what happens before the first transaction of a block: parent hashes in the ring, at most
 * two entries of the ticket queue. (The price is in test_derive.c.) */
#include "chain/derive_internal.h"
#include "chain/retryable.h"
#include "chain/system_state.h"
#include "tests/lib/chain/l3_fixture.h"

#include <criterion/criterion.h>

static const addr20 BOB = {{0xb0, 0xb0}};
static const bytes nothing = {NULL, 0};

Test(derive_start, block_hashes) {
    static const struct fixture_options plain = {0};
    struct fixture f;
    fixture_init(&f, &plain);
    hash32 hashes[301];
    hashes[0] = f.head_hash;
    for (int i = 1; i <= 300; i++) {
        struct message m = fixture_l2_message(&f, nothing);
        struct derived_block b;
        cr_assert_eq(fixture_message(&f, &b, &m, NULL), ERR_OK);
        hashes[i] = b.hash;
    }
    struct world *w = chain_world(f.main.chain);
    for (uint64_t n = 0; n < 300; n++) {
        u256 slot = u256_from_u64(n), v = world_storage(w, &L3_HISTORY_ADDRESS, &slot);
        u256 want = u256_from_be32(hashes[n].b);
        cr_assert(u256_eq(&v, &want), "%llu", (unsigned long long)n);
        hash32 h = l3_block_hash(w, 300, n);
        cr_assert_eq(hash32_eq(&h, &hashes[n]), n >= 44);
        cr_assert_eq(hash32_is_zero(&h), n < 44);
    }
    hash32 h = l3_block_hash(w, 300, 300);
    cr_assert(hash32_is_zero(&h));
    fixture_clear(&f);
}

static void three_tickets(struct world *w) {
    for (uint8_t i = 0; i < 3; i++) {
        hash32 id = {{0x71, i}};
        u256 key = u256_from_be32(id.b);
        sys_set_u64(w, SYS_TICKET_TIMEOUT, &key, FIXTURE_START_S + 10);
        sys_set_addr(w, SYS_TICKET_BENEFICIARY, &key, &BOB);
        addr20 escrow = retryable_escrow(&id);
        u256 v = u256_from_u64(100);
        world_set_balance(w, &escrow, &v);
        retryable_enqueue(w, &id);
    }
}

Test(derive_start, two_tickets_a_block) {
    static const struct fixture_options o = {.setup = three_tickets};
    static const uint64_t gaps[] = {10, 1, 0}, wants[] = {0, 200, 300};
    struct fixture f;
    fixture_init(&f, &o);
    for (size_t i = 0; i < ARRAY_LEN(gaps); i++) {
        struct message m = fixture_l2_message(&f, nothing);
        m.timestamp += gaps[i];
        struct derived_block b;
        cr_assert_eq(fixture_message(&f, &b, &m, NULL), ERR_OK);
        cr_assert_eq(fixture_balance(&f, &BOB).w[0], wants[i]);
    }
    fixture_clear(&f);
}

Test(derive_start, fee_params_are_read_back) {
    static const struct fixture_options o = {.fees = {.min_base_fee_wei = {{1}},
                                                      .congestion_unit_wei = {{2, 3}},
                                                      .gas = {4, 5, 6},
                                                      .da = {7, 8, 9},
                                                      .k_num = 10,
                                                      .k_den = 11,
                                                      .parent_wei_per_byte = {{12, 13}}}};
    struct fixture f;
    fixture_init(&f, &o);
    struct fee_params p = fee_params_read(chain_world(f.main.chain));
    cr_assert(u256_eq(&p.min_base_fee_wei, &o.fees.min_base_fee_wei));
    cr_assert(u256_eq(&p.congestion_unit_wei, &o.fees.congestion_unit_wei));
    cr_assert(p.gas.speed_limit == 4 && p.gas.tolerance_s == 5 && p.gas.inertia_s == 6);
    cr_assert(p.da.speed_limit == 7 && p.da.tolerance_s == 8 && p.da.inertia_s == 9);
    cr_assert(p.k_num == 10 && p.k_den == 11);
    cr_assert(u256_eq(&p.parent_wei_per_byte, &o.fees.parent_wei_per_byte));
    fixture_clear(&f);
}
