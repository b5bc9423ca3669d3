/* SPDX-License-Identifier: Apache-2.0 */
/* ECDSA over secp256k1 as Ethereum uses it (Yellow Paper, appendix F), a wrapper of libsecp256k1's
 * recovery module. Thread-safe after secp_init, which the first call runs. */
#ifndef BASE_SECP_H
#define BASE_SECP_H

#include "base/err.h"
#include "base/types.h"
#include "base/u256.h"

struct secp_sig {
    u256 r, s;
    uint8_t recid; /* 0..3; the y parity is bit 0 */
};

/* The order of the group, and half of it (EIP-2's limit on s). */
extern const u256 SECP_N;
extern const u256 SECP_N_HALF;

/* Address that signed `digest`. ERR_SIGNATURE when r or s is 0 or not below the order, or no key
 * fits. s above half the order is accepted: callers apply EIP-2. */
enum err secp_recover(addr20 *out, const hash32 *digest, const struct secp_sig *sig) MUST_USE;
/* The uncompressed public key (64 bytes, x | y) instead of the address. */
enum err secp_recover_pubkey(uint8_t out[64], const hash32 *digest,
                             const struct secp_sig *sig) MUST_USE;

/* n recoveries; out_ok[i] tells which succeeded. */
void secp_recover_batch(addr20 *out, bool *out_ok, const hash32 *digests,
                        const struct secp_sig *sigs, size_t n);

/* Deterministic signature (RFC 6979) with low s. ERR_INVALID: key 0 or not below the order. */
enum err secp_sign(struct secp_sig *out, const hash32 *digest, const uint8_t key[32]) MUST_USE;
enum err secp_address_of_key(addr20 *out, const uint8_t key[32]) MUST_USE;

/* For key derivation (BIP-32): the public key as 02 or 03 | x, and key + tweak modulo the order.
 * ERR_INVALID: bad key, a tweak not below the order, or a sum of 0; `key` is unchanged then. */
enum err secp_pubkey_compressed(uint8_t out[33], const uint8_t key[32]) MUST_USE;
enum err secp_key_tweak_add(uint8_t key[32], const uint8_t tweak[32]) MUST_USE;

#endif
