/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/retryable.h"

#include "base/check.h"
#include "base/keccak.h"
#include "chain/system_state.h"

addr20 retryable_escrow(const hash32 *ticket) {
    static const char prefix[] = "retryable escrow";
    uint8_t preimage[sizeof prefix - 1 + 32];
    memcpy(preimage, prefix, sizeof prefix - 1);
    memcpy(preimage + sizeof prefix - 1, ticket->b, 32);
    hash32 h;
    keccak256(&h, preimage, sizeof preimage);
    addr20 a;
    memcpy(a.b, h.b + 12, 20);
    return a;
}

void retryable_enqueue(struct world *w, const hash32 *ticket) {
    uint64_t tail = sys_get_u64(w, SYS_RETRY_QUEUE_TAIL, NULL);
    u256 key = u256_from_u64(tail), id = u256_from_be32(ticket->b);
    sys_set(w, SYS_RETRY_QUEUE_TICKET, &key, &id);
    sys_set_u64(w, SYS_RETRY_QUEUE_TAIL, NULL, tail + 1);
}

static void drop_head(struct world *w, uint64_t head) {
    u256 key = u256_from_u64(head);
    sys_set(w, SYS_RETRY_QUEUE_TICKET, &key, &U256_ZERO);
    sys_set_u64(w, SYS_RETRY_QUEUE_HEAD, NULL, head + 1);
}

void retryable_delete(struct world *w, const hash32 *ticket) {
    u256 key = u256_from_be32(ticket->b);
    addr20 escrow = retryable_escrow(ticket);
    addr20 beneficiary = sys_get_addr(w, SYS_TICKET_BENEFICIARY, &key);
    u256 held = world_balance(w, &escrow);
    if (!u256_is_zero(&held)) {
        bool covered = world_sub_balance(w, &escrow, &held);
        CHECK(covered);
        world_add_balance(w, &beneficiary, &held);
    }
    uint64_t words = (sys_get_u64(w, SYS_TICKET_DATA_LEN, &key) + 31) / 32;
    for (uint64_t i = 0; i < words; i++) {
        const u256 word_key[2] = {key, u256_from_u64(i)};
        sys_set(w, SYS_TICKET_DATA_WORD, word_key, &U256_ZERO);
    }
    static const enum system_field fields[] = {
        SYS_TICKET_FROM,  SYS_TICKET_TIMEOUT,      SYS_TICKET_HAS_TO,
        SYS_TICKET_TO,    SYS_TICKET_WINDOWS_LEFT, SYS_TICKET_BENEFICIARY,
        SYS_TICKET_TRIES, SYS_TICKET_VALUE,        SYS_TICKET_DATA_LEN,
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        sys_set(w, fields[i], &key, &U256_ZERO);
}

void retryable_reap_head(struct world *w, uint64_t now_s) {
    uint64_t head = sys_get_u64(w, SYS_RETRY_QUEUE_HEAD, NULL);
    uint64_t tail = sys_get_u64(w, SYS_RETRY_QUEUE_TAIL, NULL);
    CHECK(head <= tail);
    if (head == tail)
        return;
    u256 pos = u256_from_u64(head);
    u256 key = sys_get(w, SYS_RETRY_QUEUE_TICKET, &pos);
    uint64_t timeout = sys_get_u64(w, SYS_TICKET_TIMEOUT, &key);
    if (timeout == 0) {
        drop_head(w, head);
        return;
    }
    if (timeout >= now_s)
        return;
    drop_head(w, head);
    uint64_t windows = sys_get_u64(w, SYS_TICKET_WINDOWS_LEFT, &key);
    if (windows == 0) {
        hash32 ticket;
        u256_to_be32(ticket.b, &key);
        retryable_delete(w, &ticket);
        return;
    }
    sys_set_u64(w, SYS_TICKET_TIMEOUT, &key, timeout + RETRYABLE_LIFETIME_S);
    sys_set_u64(w, SYS_TICKET_WINDOWS_LEFT, &key, windows - 1);
}
