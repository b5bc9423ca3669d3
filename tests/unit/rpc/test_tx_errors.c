/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the sentences that wallets match on, and the reasons in revert data. */
#include "rpc/tx_errors.h"

#include <criterion/criterion.h>

static void expect(enum tx_verdict v, const struct tx *tx, const char *want) {
    char text[TX_ERROR_TEXT_MAX];
    struct tx_error_facts f = {
        .balance = u256_from_u64(5), .nonce = 7, .base_fee = u256_from_u64(100), .chain_id = 4242};
    tx_error_text(text, v, tx, &f);
    cr_expect_str_eq(text, want);
}

Test(tx_errors, sentences) {
    struct tx tx = {.type = TX_DYNAMIC_FEE, .nonce = 5, .gas_limit = 100, .chain_id = 1};
    memset(tx.sender.b, 0xab, 20);
    tx.max_fee = u256_from_u64(9);
    tx.max_priority_fee = u256_from_u64(10);
    tx.value = u256_from_u64(1);
#define WHO "address 0xabababababababababababababababababababab"
    expect(TX_NONCE_TOO_LOW, &tx, "nonce too low: next nonce 7, tx nonce 5");
    expect(TX_CHAIN_ID, &tx, "invalid chain id for signer: have 1 want 4242");
    expect(TX_INSUFFICIENT_FUNDS, &tx,
           "insufficient funds for gas * price + value: " WHO " have 5 want 901");
    expect(TX_FEE_CAP_TOO_LOW, &tx,
           "max fee per gas less than block base fee: " WHO ", maxFeePerGas: 9, baseFee: 100");
    expect(TX_TIP_ABOVE_FEE_CAP, &tx,
           "max priority fee per gas higher than max fee per gas: " WHO
           ", maxPriorityFeePerGas: 10, maxFeePerGas: 9");
    expect(TX_INTRINSIC_GAS, &tx, "intrinsic gas too low: gas 100, minimum needed 21000");
    expect(TX_GAS_LIMIT_BLOCK, &tx, "exceeds block gas limit");
    expect(TX_TYPE_UNSUPPORTED, &tx, "transaction type not supported: transaction type not valid");
    expect(TX_NONCE_MAX, &tx, "nonce has max value");
    expect(TX_SIGNATURE, &tx, "invalid sender");
    tx.max_fee = U256_MAX; /* the cost does not fit: it is shown as the highest number */
    char text[TX_ERROR_TEXT_MAX];
    struct tx_error_facts f = {0};
    tx_error_text(text, TX_INSUFFICIENT_FUNDS, &tx, &f);
    cr_expect_not_null(strstr(
        text,
        "want 11579208923731619542357098500868790785326998466564056403945758400791312963993"));
    for (int v = 0; v < TX_VERDICT_COUNT; v++) {
        tx_error_text(text, (enum tx_verdict)v, &tx, &f);
        cr_expect_lt(strlen(text), TX_ERROR_TEXT_MAX - 1);
    }
}

static void expect_reason(const char *hex, const char *want) {
    uint8_t raw[256];
    size_t len = 0;
    for (; hex[2 * len] != '\0'; len++) {
        unsigned v = 0;
        sscanf(hex + 2 * len, "%2x", &v);
        raw[len] = (uint8_t)v;
    }
    struct buf b;
    buf_init(&b, 1000);
    bool has = tx_revert_reason(&b, bytes_of(raw, len));
    cr_expect_eq(has, want != NULL, "%s", hex);
    buf_append_byte(&b, 0);
    if (want != NULL)
        cr_expect_str_eq((const char *)b.ptr, want);
    buf_clear(&b);
}

#define ZEROS "00000000000000000000000000000000000000000000000000000000000000"
Test(tx_errors, reasons) {
    expect_reason("08c379a0" ZEROS "20" ZEROS "02"
                  "6f6b000000000000000000000000000000000000000000000000000000000000",
                  "ok");
    expect_reason("08c379a0" ZEROS "20" ZEROS "00", "");
    expect_reason("4e487b71" ZEROS "11", "arithmetic underflow or overflow");
    expect_reason("4e487b71" ZEROS "77", "unknown panic code: 0x77");
    expect_reason("", NULL);
    expect_reason("08c379a0", NULL);
    expect_reason("4e487b71" ZEROS, NULL);
    expect_reason("08c379a0" ZEROS "20" ZEROS "03"
                  "6f6b",
                  NULL); /* longer than what is there */
    expect_reason("08c379a0" ZEROS "40" ZEROS "00", NULL);
    expect_reason("12345678" ZEROS "20" ZEROS "00", NULL);
}
