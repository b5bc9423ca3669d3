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

bool retryable_submission_fee(u256 *out, const u256 *l1_base_fee, size_t data_len) {
    u256 gas = u256_from_u64(RETRYABLE_SUBMISSION_GAS +
                             RETRYABLE_SUBMISSION_GAS_BYTE * (uint64_t)data_len);
    return !u256_mul_overflow(out, l1_base_fee, &gas);
}

/* --- tickets ------------------------------------------------------------------------------- */

bool retryable_exists(struct world *w, const hash32 *ticket, uint64_t now_s) {
    u256 key = u256_from_be32(ticket->b);
    uint64_t timeout = sys_get_u64(w, SYS_TICKET_TIMEOUT, &key);
    return timeout != 0 && timeout >= now_s;
}

static void store_data(struct world *w, const u256 *key, bytes data) {
    sys_set_u64(w, SYS_TICKET_DATA_LEN, key, data.len);
    for (size_t at = 0; at < data.len; at += 32) {
        uint8_t padded[32] = {0};
        memcpy(padded, data.ptr + at, data.len - at < 32 ? data.len - at : 32);
        const u256 word_key[2] = {*key, u256_from_u64(at / 32)};
        u256 word = u256_from_be32(padded);
        sys_set(w, SYS_TICKET_DATA_WORD, word_key, &word);
    }
}

static bytes load_data(struct arena *a, struct world *w, const u256 *key) {
    size_t len = (size_t)sys_get_u64(w, SYS_TICKET_DATA_LEN, key);
    size_t words = (len + 31) / 32;
    uint8_t *p = arena_alloc(a, words == 0 ? 1 : words * 32);
    for (size_t i = 0; i < words; i++) {
        const u256 word_key[2] = {*key, u256_from_u64(i)};
        u256 word = sys_get(w, SYS_TICKET_DATA_WORD, word_key);
        u256_to_be32(p + 32 * i, &word);
    }
    return bytes_of(p, len);
}

void retryable_create(struct world *w, const hash32 *ticket, const struct tx *submit,
                      uint64_t now_s) {
    u256 key = u256_from_be32(ticket->b);
    sys_set_addr(w, SYS_TICKET_FROM, &key, &submit->sender);
    sys_set_u64(w, SYS_TICKET_TIMEOUT, &key, now_s + RETRYABLE_LIFETIME_S);
    sys_set_u64(w, SYS_TICKET_HAS_TO, &key, submit->is_create ? 0 : 1);
    if (!submit->is_create)
        sys_set_addr(w, SYS_TICKET_TO, &key, &submit->to);
    sys_set_u64(w, SYS_TICKET_WINDOWS_LEFT, &key, 0);
    sys_set_addr(w, SYS_TICKET_BENEFICIARY, &key, &submit->parent.beneficiary);
    sys_set_u64(w, SYS_TICKET_TRIES, &key, 0);
    sys_set(w, SYS_TICKET_VALUE, &key, &submit->value);
    store_data(w, &key, submit->data);
    retryable_enqueue(w, ticket);
}

void retryable_tx(struct tx *out, struct arena *a, struct world *w, uint64_t chain_id,
                  const hash32 *ticket, const struct retry_terms *t) {
    u256 key = u256_from_be32(ticket->b);
    struct tx tx;
    memset(&tx, 0, sizeof tx);
    tx.type = TX_RETRY;
    tx.has_chain_id = true;
    tx.chain_id = chain_id;
    tx.nonce = t->nonce;
    tx.sender = sys_get_addr(w, SYS_TICKET_FROM, &key);
    tx.has_sender = true;
    tx.max_fee = t->price;
    tx.parent.gas = tx.gas_limit = t->gas;
    tx.is_create = sys_get_u64(w, SYS_TICKET_HAS_TO, &key) == 0;
    tx.to = sys_get_addr(w, SYS_TICKET_TO, &key);
    tx.value = sys_get(w, SYS_TICKET_VALUE, &key);
    tx.data = load_data(a, w, &key);
    tx.parent.ticket = *ticket;
    tx.parent.refund_to = t->refund_to;
    tx.parent.max_refund = t->max_refund;
    tx.parent.submission_refund = t->submission_refund;
    tx_finish_unsigned(&tx, a);
    *out = tx;
}

/* --- schedules ----------------------------------------------------------------------------- */

/* RedeemScheduled(bytes32 indexed ticketId, bytes32 indexed retryTxHash, uint64 indexed
 * sequenceNum, uint64 donatedGas, address gasDonor, uint256 maxRefund, uint256
 * submissionFeeRefund) */
const hash32 RETRYABLE_REDEEM_SCHEDULED = {{0x5c, 0xcd, 0x00, 0x95, 0x02, 0x50, 0x9c, 0xf2,
                                            0x87, 0x62, 0xc6, 0x78, 0x58, 0x99, 0x4d, 0x85,
                                            0xb1, 0x63, 0xbb, 0x6e, 0x45, 0x1f, 0x5e, 0x9d,
                                            0xf7, 0xc5, 0xe1, 0x8c, 0x9c, 0x2e, 0x12, 0x3e}};

void retryable_schedule_pack(hash32 topics[RETRYABLE_SCHEDULE_TOPICS],
                             uint8_t data[RETRYABLE_SCHEDULE_DATA_BYTES],
                             const struct retry_schedule *s) {
    u256 nonce = u256_from_u64(s->terms.nonce), gas = u256_from_u64(s->terms.gas);
    u256 donor = u256_from_addr(&s->terms.refund_to);
    topics[0] = RETRYABLE_REDEEM_SCHEDULED;
    topics[1] = s->ticket;
    topics[2] = s->tx_hash;
    u256_to_be32(topics[3].b, &nonce);
    u256_to_be32(data, &gas);
    u256_to_be32(data + 32, &donor);
    u256_to_be32(data + 64, &s->terms.max_refund);
    u256_to_be32(data + 96, &s->terms.submission_refund);
}

bool retryable_schedule_of(struct retry_schedule *out, const addr20 *address, uint8_t topic_count,
                           const hash32 *topics, bytes data) {
    const addr20 self = system_address(SYSTEM_RETRYABLE);
    if (topic_count != RETRYABLE_SCHEDULE_TOPICS || !addr20_eq(address, &self) ||
        !hash32_eq(&topics[0], &RETRYABLE_REDEEM_SCHEDULED))
        return false;
    CHECK(data.len == RETRYABLE_SCHEDULE_DATA_BYTES); /* nobody else logs from there */
    u256 donor = u256_from_be32(data.ptr + 32);
    *out = (struct retry_schedule){
        .ticket = topics[1],
        .tx_hash = topics[2],
        .terms = {.nonce = be64_load(topics[3].b + 24),
                  .gas = be64_load(data.ptr + 24),
                  .refund_to = u256_to_addr(&donor),
                  .max_refund = u256_from_be32(data.ptr + 64),
                  .submission_refund = u256_from_be32(data.ptr + 96)},
    };
    return true;
}

uint64_t retryable_donated_gas(const struct world *w) {
    size_t count;
    const struct world_log *logs = world_logs(w, &count);
    uint64_t sum = 0;
    struct retry_schedule s;
    for (size_t i = 0; i < count; i++)
        if (retryable_schedule_of(&s, &logs[i].address, logs[i].topic_count, logs[i].topics,
                                  logs[i].data))
            sum += s.terms.gas;
    return sum;
}

/* --- the queue ----------------------------------------------------------------------------- */

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
