/* SPDX-License-Identifier: Apache-2.0 */
/* Prices that are not a whole instruction's static gas (those stand in opcodes.def), and how a
 * dynamic charge reports failure. */
#ifndef EVM_GAS_H
#define EVM_GAS_H

#include "evm/evm.h"

enum {
    GAS_MEMORY_WORD = 3,            /* YP H.1 */
    GAS_COPY_WORD = 3,              /* YP G_copy */
    GAS_KECCAK_WORD = 6,            /* YP G_keccak256word */
    GAS_LOG = 375,                  /* YP G_log */
    GAS_LOG_TOPIC = 375,            /* YP G_logtopic */
    GAS_LOG_BYTE = 8,               /* YP G_logdata */
    GAS_EXP_BYTE = 50,              /* EIP-160 */
    GAS_INITCODE_WORD = 2,          /* EIP-3860 */
    GAS_CODE_DEPOSIT = 200,         /* YP G_codedeposit, per byte */
    GAS_COLD_ACCOUNT = 2600,        /* EIP-2929 */
    GAS_COLD_SLOAD = 2100,          /* EIP-2929 */
    GAS_WARM_READ = 100,            /* EIP-2929 */
    GAS_SSTORE_SET = 20000,         /* EIP-2200 */
    GAS_SSTORE_RESET = 2900,        /* EIP-2929: 5000 - 2100 */
    GAS_SSTORE_SENTRY = 2300,       /* EIP-2200: SSTORE needs more than this */
    GAS_SSTORE_CLEAR_REFUND = 4800, /* EIP-3529 */
    GAS_CALL_VALUE = 9000,
    GAS_CALL_STIPEND = 2300,
    GAS_NEW_ACCOUNT = 25000,
};

/* What EIP-2929 adds to a warm price that was charged already. */
enum {
    GAS_COLD_ACCOUNT_EXTRA = GAS_COLD_ACCOUNT - GAS_WARM_READ,
    GAS_COLD_SLOAD_EXTRA = GAS_COLD_SLOAD - GAS_WARM_READ,
};

/* Memory of a frame ends here: no offset above it is payable with any gas that a block can hold,
 * and the square of its word count still fits 64 bits. */
#define EVM_MEMORY_BYTES_MAX ((uint64_t)0x1fffffffe0)

/* A function that charges gas returns what is left, or a negative number that holds the reason why
 * it could not. */
static inline int64_t gas_fail(enum evm_status s) {
    return -2 - (int64_t)s;
}
static inline enum evm_status gas_fail_status(int64_t g) {
    return (enum evm_status)(-2 - g);
}

/* Price and refund by {original, current, new} value: EIP-2200 with the constants of EIP-2929 and
 * EIP-3529. */
static inline int64_t gas_sstore(int64_t *refund, const u256 *original, const u256 *current,
                                 const u256 *value) {
    if (u256_eq(current, value))
        return GAS_WARM_READ;
    if (u256_eq(original, current)) {
        if (u256_is_zero(original))
            return GAS_SSTORE_SET;
        if (u256_is_zero(value))
            *refund += GAS_SSTORE_CLEAR_REFUND;
        return GAS_SSTORE_RESET;
    }
    if (!u256_is_zero(original)) {
        if (u256_is_zero(current))
            *refund -= GAS_SSTORE_CLEAR_REFUND;
        else if (u256_is_zero(value))
            *refund += GAS_SSTORE_CLEAR_REFUND;
    }
    if (u256_eq(original, value))
        *refund += (u256_is_zero(original) ? GAS_SSTORE_SET : GAS_SSTORE_RESET) - GAS_WARM_READ;
    return GAS_WARM_READ;
}

/* Words of 32 bytes that hold len bytes; len <= 2^64 - 32. */
static inline uint64_t words_of(uint64_t len) {
    return (len + 31) / 32;
}

/* Total price of a memory of this many words, at most 2^32 - 1 (YP H.1, eq. 328). */
static inline uint64_t memory_cost(uint64_t words) {
    return words * GAS_MEMORY_WORD + words * words / 512;
}

#endif
