/* SPDX-License-Identifier: Apache-2.0 */
/* The value types that every floor shares. They behave like numbers: passed and copied by value. */
#ifndef BASE_TYPES_H
#define BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A Keccak-256 digest, a storage key or any 32-byte word in the order it has on the wire. */
typedef struct {
    uint8_t b[32];
} hash32;

/* An account address: the last 20 bytes of a Keccak-256 digest (Yellow Paper, appendix F). */
typedef struct {
    uint8_t b[20];
} addr20;

/* Borrowed bytes. The function that hands one out says who owns them and what ends their life. */
typedef struct {
    const uint8_t *ptr;
    size_t len;
} bytes;

/* Result must be looked at: every function that returns an error, a verdict or an allocation. */
#define MUST_USE __attribute__((warn_unused_result))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static inline bytes bytes_of(const void *ptr, size_t len) {
    return (bytes){.ptr = ptr, .len = len};
}

static inline bool hash32_eq(const hash32 *a, const hash32 *b) {
    return memcmp(a->b, b->b, 32) == 0;
}

static inline bool hash32_is_zero(const hash32 *a) {
    static const hash32 zero;
    return memcmp(a->b, zero.b, 32) == 0;
}

static inline bool addr20_eq(const addr20 *a, const addr20 *b) {
    return memcmp(a->b, b->b, 20) == 0;
}

static inline bool addr20_is_zero(const addr20 *a) {
    static const addr20 zero;
    return memcmp(a->b, zero.b, 20) == 0;
}

/* Big-endian integers, as all of Ethereum's wire formats and this project's keys have them. */
static inline uint64_t be64_load(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return __builtin_bswap64(v);
}

static inline void be64_store(uint8_t *p, uint64_t v) {
    v = __builtin_bswap64(v);
    memcpy(p, &v, 8);
}

static inline uint32_t be32_load(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return __builtin_bswap32(v);
}

static inline void be32_store(uint8_t *p, uint32_t v) {
    v = __builtin_bswap32(v);
    memcpy(p, &v, 4);
}

#endif
