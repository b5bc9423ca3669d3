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

/* n recoveries; out_ok[i] tells which succeeded, with the verdicts and bytes of secp_recover.
 * Faster than one by one from some 2 signatures on where the machine has AVX-512 IFMA; best from 32
 * on. The first call makes a table (1 ms, 256 KiB); later ones do not allocate. Thread-safe. */
void secp_recover_batch(addr20 *out, bool *out_ok, const hash32 *digests,
                        const struct secp_sig *sigs, size_t n);

/* What secp_recover_batch runs on. cpu_choose decides at start, by cpuid;
 * CALLIPTER_RECOVER=libsecp256k1 in the environment or a call of secp_recover_use keeps to the
 * library. */
enum secp_recovery {
    SECP_RECOVERY_LIBRARY,    /* libsecp256k1, one after the other */
    SECP_RECOVERY_VECTORISED, /* eight at a time; libsecp256k1 for the exceptional ones */
};
/* Returns what is in force: asking for what the machine cannot run gives the library. Other threads
 * must not be recovering meanwhile. */
enum secp_recovery secp_recover_use(enum secp_recovery how);
enum secp_recovery secp_recovery_in_use(void);

/* Deterministic signature (RFC 6979) with low s. ERR_INVALID: key 0 or not below the order. */
enum err secp_sign(struct secp_sig *out, const hash32 *digest, const uint8_t key[32]) MUST_USE;
enum err secp_address_of_key(addr20 *out, const uint8_t key[32]) MUST_USE;

/* For key derivation (BIP-32): the public key as 02 or 03 | x, and key + tweak modulo the order.
 * ERR_INVALID: bad key, a tweak not below the order, or a sum of 0; `key` is unchanged then. */
enum err secp_pubkey_compressed(uint8_t out[33], const uint8_t key[32]) MUST_USE;
enum err secp_key_tweak_add(uint8_t key[32], const uint8_t tweak[32]) MUST_USE;

#endif
