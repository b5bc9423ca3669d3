/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions: types 0 (legacy), 1 (EIP-2930), 2 (EIP-1559), 3 (EIP-4844, Ethereum profile only)
 * and 4 (EIP-7702) in their EIP-2718 envelope. Types 0x64-0x6a come from the parent chain and are
 * not signed (PROTOCOL §1). */
#ifndef CHAIN_TX_H
#define CHAIN_TX_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/secp.h"
#include "base/types.h"
#include "base/u256.h"
#include "evm/evm.h"

enum tx_type {
    TX_LEGACY = 0x00,
    TX_ACCESS_LIST = 0x01,
    TX_DYNAMIC_FEE = 0x02,
    TX_BLOB = 0x03,
    TX_SET_CODE = 0x04,
    TX_DEPOSIT = 0x64,
    TX_UNSIGNED = 0x65,
    TX_CONTRACT = 0x66,
    TX_RETRY = 0x68,
    TX_SUBMIT_RETRYABLE = 0x69,
    TX_INTERNAL = 0x6a,
};

struct tx_access {
    addr20 addr;
    hash32 *keys;
    size_t key_count;
};

/* EIP-7702 authorization. `authority` is recovered when the transaction executes, or before by
 * tx_recover_authorities: never for a transaction that fails its checks, which anyone may send for
 * nothing with thousands of them. authority_ok false when the signature is bad (such an entry is
 * skipped at execution, it does not make the transaction invalid). */
struct tx_authorization {
    u256 chain_id;
    addr20 address;
    uint64_t nonce;
    struct secp_sig sig;
    u256 y_parity; /* as on the wire; valid only below 2 */
    addr20 authority;
    bool authority_ok;
    bool recovered; /* authority and authority_ok are known */
};

/* What only transactions from the parent chain have. Their `to`, `value` and `data` in struct tx
 * are the retry's in types 0x68 and 0x69. */
struct tx_parent {
    /* The gas field as encoded and hashed; gas_limit is min(this, TX_PARENT_GAS_MAX), which counts
     * everywhere else (PROTOCOL §1). */
    uint64_t gas;
    hash32 request_id;      /* 0x64, 0x66, 0x69 */
    hash32 ticket;          /* 0x68 */
    addr20 refund_to;       /* 0x68 refundTo, 0x69 feeRefundAddr */
    addr20 beneficiary;     /* 0x69 */
    u256 max_refund;        /* 0x68 */
    u256 submission_refund; /* 0x68: what of the submission fee a success gives back */
    u256 l1_base_fee;       /* 0x69 */
    u256 deposit;           /* 0x69 */
    u256 max_submission;    /* 0x69 */
};
enum { TX_PARENT_GAS_MAX = LIMIT_TX_GAS };
/* Sender and recipient of 0x6a. */
extern const addr20 TX_INTERNAL_ADDRESS;

struct tx {
    enum tx_type type;
    bool has_chain_id; /* false: unprotected legacy (before EIP-155) */
    uint64_t chain_id;
    uint64_t nonce;
    u256 gas_price; /* types 0, 1; equals max_fee and max_priority_fee there */
    u256 max_fee;   /* maxFeePerGas */
    u256 max_priority_fee;
    uint64_t gas_limit;
    bool is_create; /* no `to` */
    addr20 to;
    u256 value;
    bytes data;
    struct tx_access *access;
    size_t access_count;
    u256 max_fee_per_blob_gas; /* type 3 */
    hash32 *blob_hashes;
    size_t blob_hash_count;
    struct tx_authorization *auths; /* type 4 */
    size_t auth_count;
    struct tx_parent parent; /* types 0x64-0x6a */
    struct secp_sig sig;
    hash32 hash;    /* keccak of the envelope */
    hash32 sighash; /* what the sender signed */
    addr20 sender;  /* after tx_recover_sender, or given (types >= 0x64) */
    bool has_sender;
    bytes raw; /* the envelope, borrowed from the input of tx_decode */
};

/* Decodes an envelope exactly. All arrays live in `a`; data and raw are borrowed from `in`. Checks
 * form only: well-formed strict RLP, field sizes, signature ranges (r, s in [1, n), low s: EIP-2),
 * parity 0 or 1, type 0's v. The sender is not recovered. ERR_RLP, ERR_UNSUPPORTED (unknown type; 3
 * unless allow_blob), ERR_SIGNATURE, ERR_TOO_LARGE (a u64 field over 64 bits). */
enum err tx_decode(struct tx *out, struct arena *a, bytes in, bool allow_blob,
                   struct err_ctx *ec) MUST_USE;
/* The same for an envelope that a block holds: all types but 3. Those from the parent are not
 * signed; their sender is known afterwards. `hash` is the transaction's where it is known, else
 * NULL and it is computed. sighash stays zero: nobody recovers the sender again. */
enum err tx_decode_stored(struct tx *out, struct arena *a, bytes in, const hash32 *hash,
                          struct err_ctx *ec) MUST_USE;
/* Whether transactions of this type come from the parent chain and bear no signature. */
static inline bool tx_is_unsigned(enum tx_type t) {
    return t >= TX_DEPOSIT;
}
/* Completes one whose other fields are known: raw, in `a`, and hash. */
void tx_finish(struct tx *tx, struct arena *a);
/* The same for one of those from the parent. */
void tx_finish_unsigned(struct tx *tx, struct arena *a);
/* Recovers the sender, not the authorizations' authorities. ERR_SIGNATURE. About 45 us. */
enum err tx_recover_sender(struct tx *tx) MUST_USE;
/* Recovers the authorities, about 45 us each; those that are known already stay. */
void tx_recover_authorities(const struct tx *tx);
/* One of them. */
void tx_recover_authority(struct tx_authorization *u);
/* The envelope of a transaction (for tests, signing clients and the dev accounts). */
void tx_encode(struct buf *b, const struct tx *tx);
/* Keccak of the signing payload. */
hash32 tx_signing_hash(const struct tx *tx);
/* Signs with a key: fills sig, hash, sender, authorities; raw lives in `a`. */
enum err tx_sign(struct tx *tx, struct arena *a, const uint8_t key[32]) MUST_USE;
/* Signs an authorization (EIP-7702): fills sig, y_parity and authority. */
enum err tx_sign_authorization(struct tx_authorization *u, const uint8_t key[32]) MUST_USE;

/* Gas before execution: intrinsic (EIP-2, 2028, 2930, 3860, 7702) and the calldata floor (EIP-7623,
 * 0 before Prague). UINT64_MAX on overflow. */
struct tx_intrinsic {
    uint64_t gas;
    uint64_t floor_gas;
};
struct tx_intrinsic tx_intrinsic_gas(const struct tx *tx, enum evm_revision rev);

#endif
