/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4) and RIPEMD-160, by OpenSSL; the algorithms are fetched once. Thread-safe,
 * each thread keeps one digest context. */
#ifndef BASE_SHA_H
#define BASE_SHA_H

#include "base/types.h"

void sha256(uint8_t out[32], const void *data, size_t len);
void ripemd160(uint8_t out[20], const void *data, size_t len);

#endif
