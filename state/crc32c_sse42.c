/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled with -msse4.2 alone; called only where cpuid reports it. */
#include "state/crc32c.h"

#if defined(__x86_64__)
#include <nmmintrin.h>

uint32_t crc32c_sse42(uint32_t crc, const void *data, size_t len) {
    const uint8_t *p = data;
    uint64_t c = (uint32_t)~crc;
    for (; len >= 8; len -= 8, p += 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        c = _mm_crc32_u64(c, v);
    }
    uint32_t r = (uint32_t)c;
    for (; len > 0; len--, p++)
        r = _mm_crc32_u8(r, *p);
    return ~r;
}
#else
uint32_t crc32c_sse42(uint32_t crc, const void *data, size_t len) {
    return crc32c_portable(crc, data, len);
}
#endif
