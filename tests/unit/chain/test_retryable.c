/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the timeout queue ends tickets, uses up bought lifetimes and skips dead entries as
 * chain/retryable.h says, leaves no storage behind, and moves the escrow exactly once. */
#include "chain/retryable.h"

#include "base/hex.h"
#include "base/keccak.h"
#include "chain/system_state.h"

#include <criterion/criterion.h>

static const addr20 BENEFICIARY = {{0xbe, 0xef}};

static struct world *fresh(void) {
    struct world *w = world_new((struct state_reader){NULL, NULL});
    world_block_begin(w, 1);
    world_tx_begin(w);
    system_accounts_create(w);
    return w;
}

static hash32 ticket_id(uint8_t n) {
    hash32 t = {{0x71, n}};
    return t;
}

static void put_ticket(struct world *w, uint8_t n, uint64_t timeout, uint64_t windows,
                       uint64_t value) {
    hash32 id = ticket_id(n);
    u256 key = u256_from_be32(id.b), v = u256_from_u64(value);
    sys_set_u64(w, SYS_TICKET_TIMEOUT, &key, timeout);
    sys_set_u64(w, SYS_TICKET_WINDOWS_LEFT, &key, windows);
    sys_set_addr(w, SYS_TICKET_BENEFICIARY, &key, &BENEFICIARY);
    sys_set_addr(w, SYS_TICKET_FROM, &key, &BENEFICIARY);
    sys_set_u64(w, SYS_TICKET_HAS_TO, &key, 1);
    sys_set(w, SYS_TICKET_VALUE, &key, &v);
    sys_set_u64(w, SYS_TICKET_DATA_LEN, &key, 33);
    for (uint64_t i = 0; i < 2; i++) {
        const u256 word_key[2] = {key, u256_from_u64(i)};
        u256 word = U256_MAX;
        sys_set(w, SYS_TICKET_DATA_WORD, word_key, &word);
    }
    addr20 escrow = retryable_escrow(&id);
    world_set_balance(w, &escrow, &v);
    retryable_enqueue(w, &id);
}

static uint64_t timeout_of(struct world *w, uint8_t n) {
    hash32 id = ticket_id(n);
    u256 key = u256_from_be32(id.b);
    return sys_get_u64(w, SYS_TICKET_TIMEOUT, &key);
}

static uint64_t queued(struct world *w) {
    return sys_get_u64(w, SYS_RETRY_QUEUE_TAIL, NULL) - sys_get_u64(w, SYS_RETRY_QUEUE_HEAD, NULL);
}

Test(retryable, escrow_address) {
    hash32 id = ticket_id(9), h;
    uint8_t pre[48];
    memcpy(pre, "retryable escrow", 16);
    memcpy(pre + 16, id.b, 32);
    keccak256(&h, pre, sizeof pre);
    addr20 a = retryable_escrow(&id);
    cr_assert_eq(memcmp(a.b, h.b + 12, 20), 0);
}

Test(retryable, empty_queue) {
    struct world *w = fresh();
    retryable_reap_head(w, 1000);
    cr_assert_eq(queued(w), 0);
    world_free(w);
}

Test(retryable, life_of_tickets) {
    struct world *w = fresh();
    put_ticket(w, 1, 100, 0, 7);
    put_ticket(w, 2, 200, 1, 8);
    retryable_reap_head(w, 100); /* the last second still counts */
    cr_assert_eq(queued(w), 2);
    retryable_reap_head(w, 101);
    cr_assert_eq(queued(w), 1);
    cr_assert_eq(timeout_of(w, 1), 0);
    cr_assert_eq(world_balance(w, &BENEFICIARY).w[0], 7);
    /* The second has a lifetime left: the entry goes, the ticket stays (its keepalive queued
     * another entry). */
    hash32 two = ticket_id(2);
    retryable_enqueue(w, &two);
    retryable_reap_head(w, 201);
    cr_assert_eq(queued(w), 1);
    cr_assert_eq(timeout_of(w, 2), 200 + RETRYABLE_LIFETIME_S);
    cr_assert_eq(world_balance(w, &BENEFICIARY).w[0], 7);
    retryable_reap_head(w, 200 + RETRYABLE_LIFETIME_S + 1);
    cr_assert_eq(queued(w), 0);
    cr_assert_eq(world_balance(w, &BENEFICIARY).w[0], 15);
    /* Redeemed meanwhile: the entry alone goes. */
    put_ticket(w, 3, 500, 0, 9);
    hash32 three = ticket_id(3);
    retryable_delete(w, &three);
    cr_assert_eq(world_balance(w, &BENEFICIARY).w[0], 24);
    retryable_reap_head(w, 1);
    cr_assert_eq(queued(w), 0);
    /* Nothing but the queue's two counters is left. */
    world_tx_end(w);
    struct arena a;
    arena_init(&a, 1 << 16, 1 << 24);
    struct world_diff d;
    world_block_end(w, &a, &d);
    addr20 at = system_address(SYSTEM_RETRYABLE);
    for (size_t i = 0; i < d.count; i++)
        if (addr20_eq(&d.accounts[i].addr, &at))
            cr_assert_eq(d.accounts[i].slot_count, 1);
    arena_clear(&a);
    world_free(w);
}
