/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/tx_errors.h"

#include "base/hex.h"
#include "base/limits.h"

#include <inttypes.h>
#include <stdio.h>

static const char *addr_text(char out[43], const addr20 *a) {
    out[0] = '0';
    out[1] = 'x';
    hex_encode(out + 2, a->b, 20);
    out[42] = '\0';
    return out;
}

/* The most the transaction may cost its sender; saturates. */
static u256 cost_of(const struct tx *tx) {
    u256 gas = u256_from_u64(tx->gas_limit), fee, sum;
    if (u256_mul_overflow(&fee, &gas, &tx->max_fee) || u256_add_overflow(&sum, &fee, &tx->value))
        return U256_MAX;
    return sum;
}

/* Name and two amounts: "<text>: address 0x.., a: X, b: Y". */
static void with_fees(char *out, const char *text, const struct tx *tx, const char *a_name,
                      const u256 *a, const char *b_name, const u256 *b) {
    char addr[43], ad[79], bd[79];
    snprintf(out, TX_ERROR_TEXT_MAX, "%s: address %s, %s: %s, %s: %s", text,
             addr_text(addr, &tx->sender), a_name, u256_to_dec(ad, a), b_name, u256_to_dec(bd, b));
}

static void funds(char *out, const char *text, const struct tx *tx,
                  const struct tx_error_facts *f) {
    char addr[43], have[79], want[79];
    u256 cost = cost_of(tx);
    snprintf(out, TX_ERROR_TEXT_MAX, "%s: address %s have %s want %s", text,
             addr_text(addr, &tx->sender), u256_to_dec(have, &f->balance),
             u256_to_dec(want, &cost));
}

void tx_error_text(char out[TX_ERROR_TEXT_MAX], enum tx_verdict v, const struct tx *tx,
                   const struct tx_error_facts *f) {
    const char *text = tx_verdict_text(v);
    struct tx_intrinsic gas = tx_intrinsic_gas(tx, EVM_OSAKA);
    char addr[43];
    if (v == TX_TYPE_UNSUPPORTED)
        snprintf(out, TX_ERROR_TEXT_MAX, "%s: transaction type not valid", text);
    else if (v == TX_CHAIN_ID)
        snprintf(out, TX_ERROR_TEXT_MAX, "%s: have %" PRIu64 " want %" PRIu64, text, tx->chain_id,
                 f->chain_id);
    else if (v == TX_NONCE_TOO_LOW || v == TX_NONCE_TOO_HIGH)
        snprintf(out, TX_ERROR_TEXT_MAX, "%s: next nonce %" PRIu64 ", tx nonce %" PRIu64, text,
                 f->nonce, tx->nonce);
    else if (v == TX_SENDER_NOT_EOA)
        snprintf(out, TX_ERROR_TEXT_MAX, "%s: address %s", text, addr_text(addr, &tx->sender));
    else if (v == TX_GAS_LIMIT_BLOCK)
        snprintf(out, TX_ERROR_TEXT_MAX, "exceeds block gas limit");
    else if (v == TX_GAS_LIMIT_CAP)
        snprintf(out, TX_ERROR_TEXT_MAX, "%s (cap: %d, tx: %" PRIu64 ")", text, LIMIT_TX_GAS,
                 tx->gas_limit);
    else if (v == TX_TIP_ABOVE_FEE_CAP)
        with_fees(out, text, tx, "maxPriorityFeePerGas", &tx->max_priority_fee, "maxFeePerGas",
                  &tx->max_fee);
    else if (v == TX_FEE_CAP_TOO_LOW)
        with_fees(out, text, tx, "maxFeePerGas", &tx->max_fee, "baseFee", &f->base_fee);
    else if (v == TX_INSUFFICIENT_FUNDS)
        funds(out, text, tx, f);
    else if (v == TX_INTRINSIC_GAS)
        snprintf(out, TX_ERROR_TEXT_MAX, "%s: gas %" PRIu64 ", minimum needed %" PRIu64, text,
                 tx->gas_limit, gas.gas);
    else if (v == TX_FLOOR_GAS)
        snprintf(out, TX_ERROR_TEXT_MAX, "%s: gas %" PRIu64 ", minimum needed %" PRIu64, text,
                 tx->gas_limit, gas.floor_gas);
    else if (v == TX_INITCODE_TOO_LARGE)
        snprintf(out, TX_ERROR_TEXT_MAX, "%s: code size %zu, limit %d", text, tx->data.len,
                 EVM_INITCODE_BYTES_MAX);
    else
        snprintf(out, TX_ERROR_TEXT_MAX, "%s", text);
}

/* --- revert data --------------------------------------------------------------------------- */
static const struct {
    uint8_t code;
    const char *text;
} panics[] = {
    {0x00, "generic panic"},
    {0x01, "assert(false)"},
    {0x11, "arithmetic underflow or overflow"},
    {0x12, "division or modulo by zero"},
    {0x21, "enum overflow"},
    {0x22, "invalid encoded storage byte array accessed"},
    {0x31, "out-of-bounds array access; popping on an empty array"},
    {0x32, "out-of-bounds access of an array or bytesN"},
    {0x41, "out of memory"},
    {0x51, "uninitialized function"},
};

static void panic_text(struct buf *out, const u256 *code) {
    for (size_t i = 0; i < ARRAY_LEN(panics); i++) {
        if (u256_fits_u64(code) && code->w[0] == panics[i].code) {
            buf_append_str(out, panics[i].text);
            return;
        }
    }
    buf_append_str(out, "unknown panic code: ");
    hex_put_u256(out, code);
}

bool tx_revert_reason(struct buf *out, bytes data) {
    static const uint8_t error_selector[4] = {0x08, 0xc3, 0x79, 0xa0}; /* Error(string) */
    static const uint8_t panic_selector[4] = {0x4e, 0x48, 0x7b, 0x71}; /* Panic(uint256) */
    enum { WORD = 32, SELECTOR = 4, STRING_AT = SELECTOR + 2 * WORD };
    if (data.len >= SELECTOR + WORD && memcmp(data.ptr, panic_selector, SELECTOR) == 0) {
        u256 code = u256_from_be32(data.ptr + SELECTOR);
        panic_text(out, &code);
        return true;
    }
    if (data.len < STRING_AT || memcmp(data.ptr, error_selector, SELECTOR) != 0)
        return false;
    u256 offset = u256_from_be32(data.ptr + SELECTOR),
         len = u256_from_be32(data.ptr + SELECTOR + WORD);
    if (!u256_fits_u64(&offset) || offset.w[0] != WORD || !u256_fits_u64(&len) ||
        len.w[0] > data.len - STRING_AT)
        return false;
    buf_append(out, data.ptr + STRING_AT, (size_t)len.w[0]);
    return true;
}
