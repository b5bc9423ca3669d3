/* SPDX-License-Identifier: Apache-2.0 */
/* scrypt (RFC 7914) over OpenSSL's PBKDF2. OpenSSL has scrypt itself, but refuses n >= 2^(16 r), as
 * the RFC demands, and keystore files with n = 2^18 and r = 1 exist. */
#ifndef NODE_SCRYPT_H
#define NODE_SCRYPT_H

#include "base/err.h"
#include "base/types.h"

struct scrypt_params {
    uint64_t n; /* a power of two above 1 */
    uint64_t r, p;
};

/* Takes 128 x r x (n + p) bytes while it runs, wiped before return. ERR_INVALID: n is no power of
 * two, or a length of 0 or beyond 2^30; ERR_NOMEM. The caller bounds the memory. */
enum err scrypt(uint8_t *out, size_t out_len, bytes password, bytes salt,
                const struct scrypt_params *params) MUST_USE;

#endif
