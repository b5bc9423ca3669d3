/* SPDX-License-Identifier: Apache-2.0 */
#include "state/crc32c.h"

#include <pthread.h>
#include <stdlib.h>

/* Eight tables: table[k][b] is the effect of byte b followed by k zero bytes, so that eight bytes
 * are folded per step. */
static uint32_t table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint32_t (*chosen)(uint32_t, const void *, size_t);

bool crc32c_has_sse42(void) {
#if defined(__x86_64__)
    return __builtin_cpu_supports("sse4.2") != 0;
#else
    return false;
#endif
}

static void prepare(void) {
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t c = b;
        for (int i = 0; i < 8; i++)
            c = (c >> 1) ^ ((c & 1) != 0 ? 0x82F63B78U : 0); /* the polynomial, bits reflected */
        table[0][b] = c;
    }
    for (uint32_t b = 0; b < 256; b++)
        for (int k = 1; k < 8; k++)
            table[k][b] = (table[k - 1][b] >> 8) ^ table[0][table[k - 1][b] & 0xff];
    const char *force = getenv("CALLIPTER_CPU");
    bool portable = force != NULL && strcmp(force, "portable") == 0;
    chosen = !portable && crc32c_has_sse42() ? crc32c_sse42 : crc32c_portable;
}

uint32_t crc32c_portable(uint32_t crc, const void *data, size_t len) {
    pthread_once(&once, prepare);
    const uint8_t *p = data;
    crc = ~crc;
    for (; len >= 8; len -= 8, p += 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        v ^= crc;
        crc = table[7][v & 0xff] ^ table[6][(v >> 8) & 0xff] ^ table[5][(v >> 16) & 0xff] ^
              table[4][(v >> 24) & 0xff] ^ table[3][(v >> 32) & 0xff] ^ table[2][(v >> 40) & 0xff] ^
              table[1][(v >> 48) & 0xff] ^ table[0][v >> 56];
    }
    for (; len > 0; len--, p++)
        crc = (crc >> 8) ^ table[0][(crc ^ *p) & 0xff];
    return ~crc;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t len) {
    pthread_once(&once, prepare);
    return chosen(crc, data, len);
}
