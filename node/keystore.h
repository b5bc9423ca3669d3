/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys under a password, in the JSON form that Ethereum wallets exchange (Web3 Secret
 * Storage, version 3): key derivation by scrypt or PBKDF2-HMAC-SHA256, AES-128-CTR, and a Keccak
 * checksum that tells a wrong password. Version 1 (AES-128-CBC under the Keccak of the derived key)
 * is read too, never written.
 *
 * Derivation is slow by intent (about a second) and takes the memory that the file asks for, up to
 * KEYSTORE_SCRYPT_MAX_BYTES: never on a thread that serves. Decrypted keys and derived keys are
 * wiped before return. */
#ifndef NODE_KEYSTORE_H
#define NODE_KEYSTORE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/types.h"
#include "node/scrypt.h"

enum {
    KEYSTORE_FILE_MAX_BYTES = 1 << 16,
    KEYSTORE_SECRET_MAX_BYTES = 64, /* ordinary keys have 32; some old files hold other secrets */
    KEYSTORE_SCRYPT_MAX_BYTES = 512 << 20, /* 128 x n x r; the usual files need 256 MiB */
    KEYSTORE_PBKDF2_MAX_ROUNDS = 10 * 1000 * 1000,
};

/* The secret in `json`, its length to *out_len. ERR_PARSE, ERR_UNSUPPORTED (version, cipher or
 * derivation), ERR_TOO_LARGE (more memory or rounds than the limits above), ERR_INVALID: the
 * password is wrong or the file damaged. */
enum err keystore_decrypt(uint8_t out[KEYSTORE_SECRET_MAX_BYTES], size_t *out_len, bytes json,
                          const char *password, struct err_ctx *ec) MUST_USE;

extern const struct scrypt_params KEYSTORE_STANDARD; /* geth's: n = 2^18, r = 8, p = 1 */
extern const struct scrypt_params KEYSTORE_LIGHT;    /* geth's: n = 2^12, r = 8, p = 6 */

/* Appends a version 3 file with the key and its address. `random`: 64 bytes that were never used
 * before (salt 32, iv 16, id 16). */
enum err keystore_encrypt(struct buf *out, const uint8_t key[32], const char *password,
                          const struct scrypt_params *params, const uint8_t random[64],
                          struct err_ctx *ec) MUST_USE;

#endif
