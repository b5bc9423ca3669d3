/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no two fields share a bit, keys are where system_slots.def says they are, narrow fields
 * keep their neighbours, and writes revert with the world's journal. */
#include "chain/system_state.h"

#include "base/keccak.h"

#include <criterion/criterion.h>
#include <signal.h>

Test(system_state, no_overlap) {
    for (int a = 0; a < SYSTEM_FIELD_COUNT; a++) {
        const struct system_field_info *x = system_field_info((enum system_field)a);
        for (int b = a + 1; b < SYSTEM_FIELD_COUNT; b++) {
            const struct system_field_info *y = system_field_info((enum system_field)b);
            if (x->address != y->address || x->map != y->map || x->word != y->word)
                continue;
            cr_expect(x->shift + x->bits <= y->shift || y->shift + y->bits <= x->shift, "%s, %s",
                      x->name, y->name);
        }
    }
    for (int a = 0; a < SYSTEM_MAP_COUNT; a++)
        for (int b = a + 1; b < SYSTEM_MAP_COUNT; b++) {
            const struct system_map_info *x = system_map_info((enum system_map)a);
            const struct system_map_info *y = system_map_info((enum system_map)b);
            cr_expect(x->address != y->address || x->number != y->number, "%s, %s", x->name,
                      y->name);
        }
}

Test(system_state, addresses) {
    addr20 a = system_address(SYSTEM_ARBSYS);
    addr20 want = {{0}};
    want.b[19] = 0x64;
    cr_assert(addr20_eq(&a, &want));
    for (int i = 0; i < SYSTEM_ADDRESS_COUNT; i++) {
        a = system_address((enum system_address)i);
        cr_assert_eq(system_address_find(&a), i);
        a.b[0] = 1;
        cr_assert_eq(system_address_find(&a), -1);
        a.b[0] = 0;
        a.b[15] = 1;
        cr_assert_eq(system_address_find(&a), -1);
    }
    addr20 other = {{0}};
    cr_assert_eq(system_address_find(&other), -1);
}

Test(system_state, slots) {
    u256 s = system_slot(SYS_GAS_BACKLOG, NULL);
    cr_assert(u256_fits_u64(&s) && s.w[0] == 5);
    /* keccak256(number | key words) + word, spelled out. */
    u256 key[2] = {u256_from_u64(0x1122), u256_from_u64(3)};
    uint8_t pre[96] = {0};
    pre[29] = 1; /* 0x10002 */
    pre[31] = 2;
    pre[62] = 0x11;
    pre[63] = 0x22;
    pre[95] = 3;
    hash32 h;
    keccak256(&h, pre, 96);
    u256 want = u256_from_be32(h.b);
    s = system_slot(SYS_TICKET_DATA_WORD, key);
    cr_assert(u256_eq(&s, &want));
    pre[31] = 1; /* 0x10001, one key word, fourth word of the record */
    keccak256(&h, pre, 64);
    u256 three = u256_from_u64(3);
    want = u256_from_be32(h.b);
    want = u256_add(&want, &three);
    s = system_slot(SYS_TICKET_VALUE, key);
    cr_assert(u256_eq(&s, &want));
}

Test(system_state, packing_and_journal) {
    struct world *w = world_new((struct state_reader){NULL, NULL});
    world_block_begin(w, 1);
    world_tx_begin(w);
    system_accounts_create(w);
    addr20 at = system_address(SYSTEM_PRICING);
    cr_assert_eq(world_nonce(w, &at), 1);
    cr_assert(world_code(w, &at).len == 1 && world_code(w, &at).ptr[0] == 0xfe);
    sys_set_u64(w, SYS_SPEED_LIMIT, NULL, UINT64_MAX);
    sys_set_u64(w, SYS_INERTIA, NULL, 102);
    sys_set_u64(w, SYS_TOLERANCE, NULL, 10);
    u256 slot = u256_from_u64(3), word = world_storage(w, &at, &slot);
    cr_assert(word.w[0] == UINT64_MAX && word.w[1] == 10 && word.w[2] == 102 && word.w[3] == 0);
    uint32_t snap = world_snapshot(w);
    sys_set_u64(w, SYS_SPEED_LIMIT, NULL, 0);
    cr_assert_eq(sys_get_u64(w, SYS_SPEED_LIMIT, NULL), 0);
    cr_assert_eq(sys_get_u64(w, SYS_TOLERANCE, NULL), 10);
    world_revert(w, snap);
    cr_assert_eq(sys_get_u64(w, SYS_SPEED_LIMIT, NULL), UINT64_MAX);
    u256 key = u256_from_u64(42), big = U256_MAX;
    addr20 who = {{0xaa, 0xbb}};
    sys_set_addr(w, SYS_TICKET_FROM, &key, &who);
    sys_set_u64(w, SYS_TICKET_HAS_TO, &key, 1);
    sys_set(w, SYS_TICKET_VALUE, &key, &big);
    addr20 back = sys_get_addr(w, SYS_TICKET_FROM, &key);
    cr_assert(addr20_eq(&back, &who));
    u256 v = sys_get(w, SYS_TICKET_VALUE, &key);
    cr_assert(u256_eq(&v, &big));
    u256 one = U256_ONE;
    sys_add(w, SYS_SUPPLY_MINTED, NULL, &one);
    sys_add(w, SYS_SUPPLY_MINTED, NULL, &one);
    v = sys_get(w, SYS_SUPPLY_MINTED, NULL);
    cr_assert(v.w[0] == 2);
    world_tx_end(w);
    world_free(w);
}

Test(system_state, too_wide, .signal = SIGABRT) {
    struct world *w = world_new((struct state_reader){NULL, NULL});
    world_block_begin(w, 1);
    world_tx_begin(w);
    u256 key = u256_from_u64(1);
    sys_set_u64(w, SYS_TICKET_HAS_TO, &key, 2);
}
