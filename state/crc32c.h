/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli, polynomial 0x1EDC6F41, reflected; RFC 3720 appendix B.4): the check over log
 * records. Finds torn and damaged records, is no protection against forgery. Not consensus. */
#ifndef STATE_CRC32C_H
#define STATE_CRC32C_H

#include "base/types.h"

/* Continues `crc` (0 at first) over `len` bytes: crc32c(crc32c(0, a), b) == crc32c(0, a | b).
 * Thread-safe. Takes the variant for this machine; CALLIPTER_CPU=portable forces the portable one.
 */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

/* The variants, for tests. The second may be called only if crc32c_has_sse42(). */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t len);
uint32_t crc32c_sse42(uint32_t crc, const void *data, size_t len);
bool crc32c_has_sse42(void);

#endif
