/* SPDX-License-Identifier: Apache-2.0 */
/* ArbRetryableTx, 0x6e: what accounts may do with tickets (chain/retryable.h). */
#include "base/arena.h"
#include "base/saturate.h"
#include "chain/retryable.h"
#include "chain/system_call_internal.h"

#define ERROR_NO_TICKET UINT32_C(0x80698456)        /* NoTicketWithID() */
#define ERROR_NOT_CALLABLE UINT32_C(0x902824c1)     /* NotCallable() */
#define ERROR_SPONSORED_REDEEM UINT32_C(0x30c11256) /* SponsoredRedeem() */

enum {
    REDEEM_GAS_MIN = 21000, /* less would not start a transaction */
    REDEEM_LOG_GAS = GAS_LOG + GAS_LOG_TOPIC * RETRYABLE_SCHEDULE_TOPICS +
                     GAS_LOG_BYTE * RETRYABLE_SCHEDULE_DATA_BYTES,
    /* A ticket's calldata, as long as a message, and its envelope, with room to round up. */
    RETRY_TX_ARENA_BYTES = 16 * LIMIT_MESSAGE_BYTES,
};

/* LifetimeExtended(bytes32 indexed ticketId, uint256 newTimeout) */
static const hash32 LIFETIME_EXTENDED = {{0xf4, 0xc4, 0x0a, 0x5f, 0x93, 0x0e, 0x14, 0x69,
                                          0xfc, 0xc0, 0x53, 0xbf, 0x25, 0xf0, 0x45, 0x25,
                                          0x3a, 0x7b, 0xad, 0x2f, 0xcc, 0x9b, 0x88, 0xc0,
                                          0x5e, 0xc1, 0xfc, 0xa8, 0xe2, 0x06, 0x6b, 0x83}};
/* Canceled(bytes32 indexed ticketId) */
static const hash32 CANCELED = {{0x13, 0x4f, 0xdd, 0x64, 0x8f, 0xee, 0xaf, 0x30, 0x25, 0x1f, 0x01,
                                 0x57, 0xf9, 0x62, 0x4e, 0xf8, 0x60, 0x8f, 0xf9, 0xa0, 0x42, 0xaa,
                                 0xd6, 0xd1, 0x3e, 0x73, 0xf3, 0x5d, 0x21, 0xd3, 0xf8, 0x8d}};

/* The ticket that the first argument names; false, charged, if it cannot be used now. */
static bool open_ticket(struct call *c, hash32 *out_id, u256 *out_key) {
    *out_id = arg_hash(c, 0);
    *out_key = arg(c, 0);
    (void)call_get_u64(c, SYS_TICKET_TIMEOUT, out_key);
    return retryable_exists(c->x->world, out_id, c->x->block.timestamp);
}

/* During its own retry a ticket can be neither redeemed nor cancelled. */
static bool is_own_retry(const struct call *c, const hash32 *id) {
    const struct tx *tx = c->x->tx;
    return tx != NULL && tx->type == TX_RETRY && hash32_eq(&tx->parent.ticket, id);
}

/* Charges a look at each slot of the ticket but the first, which open_ticket charged. What its
 * calldata occupies was paid for with the submission. */
static void charge_ticket(struct call *c, const u256 *key) {
    (void)call_get_addr(c, SYS_TICKET_TO, key);
    (void)call_get_addr(c, SYS_TICKET_BENEFICIARY, key);
    (void)call_get(c, SYS_TICKET_VALUE, key);
    uint64_t words = (call_get_u64(c, SYS_TICKET_DATA_LEN, key) + 31) / 32;
    addr20 a = system_address(SYSTEM_RETRYABLE);
    for (uint64_t i = 0; i < words && !call_is_spent(c); i++) {
        const u256 word_key[2] = {*key, u256_from_u64(i)};
        u256 slot = system_slot(SYS_TICKET_DATA_WORD, word_key);
        charge_slot(c, &a, &slot);
    }
}

/* Seconds until which the ticket lives, bought lifetimes included. */
static uint64_t timeout_of(struct call *c, const u256 *key) {
    uint64_t timeout = sys_get_u64(c->x->world, SYS_TICKET_TIMEOUT, key);
    return timeout + call_get_u64(c, SYS_TICKET_WINDOWS_LEFT, key) * RETRYABLE_LIFETIME_S;
}

enum evm_status retry_get_timeout(struct call *c) {
    hash32 id;
    u256 key;
    if (!open_ticket(c, &id, &key))
        return custom_error(c, ERROR_NO_TICKET);
    return answer_u64(c, timeout_of(c, &key));
}

enum evm_status retry_get_beneficiary(struct call *c) {
    hash32 id;
    u256 key;
    if (!open_ticket(c, &id, &key))
        return custom_error(c, ERROR_NO_TICKET);
    addr20 a = call_get_addr(c, SYS_TICKET_BENEFICIARY, &key);
    return answer_addr(c, &a);
}

enum evm_status retry_get_lifetime(struct call *c) {
    return answer_u64(c, RETRYABLE_LIFETIME_S);
}

/* Who gets the refunds of the retry in execution; zero outside of one. */
enum evm_status retry_get_current_redeemer(struct call *c) {
    const struct tx *tx = c->x->tx;
    addr20 nobody = {{0}};
    return answer_addr(c, tx != NULL && tx->type == TX_RETRY ? &tx->parent.refund_to : &nobody);
}

enum evm_status retry_submit(struct call *c) {
    return custom_error(c, ERROR_NOT_CALLABLE);
}

/* Only messages from the parent make tickets; this gives one's hash. */
static hash32 retry_hash(struct call *c, const hash32 *id, const struct retry_terms *t) {
    struct arena a;
    struct tx tx;
    arena_init(&a, 4096, RETRY_TX_ARENA_BYTES);
    retryable_tx(&tx, &a, c->x->world, c->x->chain_id, id, t);
    hash32 h = tx.hash;
    arena_clear(&a);
    return h;
}

/* The try runs after this transaction, with all the gas that the caller has left. */
/* All that is left but for the log, as far as the transaction still pays its floor itself: else
 * calldata would be sold below it, by a retry that gives the gas back. */
static int64_t donation(const struct call *c) {
    const struct exec *x = c->x;
    int64_t left = c->gas - REDEEM_LOG_GAS;
    if (x->tx == NULL || left < 0)
        return left;
    uint64_t kept = u64_add_sat(x->floor_gas, retryable_donated_gas(x->world));
    uint64_t most = kept < x->tx->gas_limit ? x->tx->gas_limit - kept : 0;
    return (uint64_t)left < most ? left : (int64_t)most;
}

enum evm_status retry_redeem(struct call *c) {
    hash32 id = arg_hash(c, 0);
    u256 key;
    if (c->block->run.sponsored)
        return custom_error(c, ERROR_SPONSORED_REDEEM);
    if (is_own_retry(c, &id))
        return EVM_REVERT;
    if (!open_ticket(c, &id, &key))
        return custom_error(c, ERROR_NO_TICKET);
    charge_ticket(c, &key);
    uint64_t tries = call_get_u64(c, SYS_TICKET_TRIES, &key);
    call_set_u64(c, SYS_TICKET_TRIES, &key, tries + 1);
    int64_t donated = donation(c);
    if (donated < REDEEM_GAS_MIN)
        return EVM_REVERT;
    struct retry_schedule s = {.ticket = id,
                               .terms = {.nonce = tries,
                                         .gas = (uint64_t)donated,
                                         .price = c->block->price,
                                         .refund_to = c->msg->sender,
                                         .max_refund = U256_MAX}};
    s.tx_hash = retry_hash(c, &id, &s.terms);
    hash32 topics[RETRYABLE_SCHEDULE_TOPICS];
    uint8_t data[RETRYABLE_SCHEDULE_DATA_BYTES];
    retryable_schedule_pack(topics, data, &s);
    emit_log(c, topics, RETRYABLE_SCHEDULE_TOPICS, bytes_of(data, sizeof data));
    c->gas -= donated;
    return answer_hash(c, &s.tx_hash);
}

enum evm_status retry_keepalive(struct call *c) {
    hash32 id;
    u256 key;
    if (!open_ticket(c, &id, &key))
        return custom_error(c, ERROR_NO_TICKET);
    uint64_t timeout = timeout_of(c, &key);
    if (timeout > c->x->block.timestamp + RETRYABLE_LIFETIME_S)
        return EVM_REVERT; /* far enough in the future */
    uint64_t windows = sys_get_u64(c->x->world, SYS_TICKET_WINDOWS_LEFT, &key);
    call_set_u64(c, SYS_TICKET_WINDOWS_LEFT, &key, windows + 1);
    uint64_t tail = call_get_u64(c, SYS_RETRY_QUEUE_TAIL, NULL);
    u256 position = u256_from_u64(tail);
    call_set(c, SYS_RETRY_QUEUE_TICKET, &position, &key);
    call_set_u64(c, SYS_RETRY_QUEUE_TAIL, NULL, tail + 1);

    const hash32 topics[2] = {LIFETIME_EXTENDED, id};
    u256 wide = u256_from_u64(timeout + RETRYABLE_LIFETIME_S);
    uint8_t data[32];
    u256_to_be32(data, &wide);
    emit_log(c, topics, 2, bytes_of(data, sizeof data));
    return answer_word(c, &wide);
}

enum evm_status retry_cancel(struct call *c) {
    hash32 id;
    u256 key;
    if (!open_ticket(c, &id, &key))
        return custom_error(c, ERROR_NO_TICKET);
    addr20 beneficiary = sys_get_addr(c->x->world, SYS_TICKET_BENEFICIARY, &key);
    charge_ticket(c, &key);
    if (is_own_retry(c, &id) || !addr20_eq(&beneficiary, &c->msg->sender))
        return EVM_REVERT;
    addr20 escrow = retryable_escrow(&id);
    charge_account(c, &escrow);
    u256 held = world_balance(c->x->world, &escrow);
    charge_credit(c, &beneficiary, &held);
    if (call_is_spent(c))
        return EVM_OUT_OF_GAS;
    retryable_delete(c->x->world, &id);
    const hash32 topics[2] = {CANCELED, id};
    emit_log(c, topics, 2, bytes_of(NULL, 0));
    return EVM_SUCCESS;
}
