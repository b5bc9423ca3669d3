/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal text, with or without 0x. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/buf.h"
#include "base/err.h"
#include "base/u256.h"

/* Decodes `len` characters (an optional "0x" first, then an even number of digits) into out, which
 * has room for out_cap bytes; *out_len is the count. ERR_HEX on a bad digit or odd count,
 * ERR_TOO_LARGE. */
enum err hex_decode(uint8_t *out, size_t out_cap, size_t *out_len, const char *s,
                    size_t len) MUST_USE;
/* Exactly out_len bytes from a NUL-terminated string. */
enum err hex_decode_fixed(uint8_t *out, size_t out_len, const char *s) MUST_USE;
/* Appends the bytes of s to b. */
enum err hex_decode_buf(struct buf *b, const char *s, size_t len) MUST_USE;
/* Writes 2*len digits, lower case, no prefix, no NUL. */
void hex_encode(char *out, const void *ptr, size_t len);
/* Writes a JSON-RPC quantity, 0x and 1 to 16 digits, and returns its length, which
 * hex_quantity_len tells beforehand; all of `out` is written, what is behind the length is of no
 * use. */
enum { HEX_QUANTITY_MAX = 18 };
size_t hex_quantity(char out[HEX_QUANTITY_MAX], uint64_t v);
size_t hex_quantity_len(uint64_t v);
/* Appends 0x and digits. */
void hex_put(struct buf *b, const void *ptr, size_t len);
/* Appends a JSON-RPC quantity: 0x and no leading zeros ("0x0" for zero). */
void hex_put_u64(struct buf *b, uint64_t v);
void hex_put_u256(struct buf *b, const u256 *v);
/* A quantity: 0x then 1..64 digits; leading zeros only when `lax`. ERR_HEX, ERR_TOO_LARGE. */
enum err hex_parse_u256(u256 *out, const char *s, size_t len, bool lax) MUST_USE;
enum err hex_parse_u64(uint64_t *out, const char *s, size_t len, bool lax) MUST_USE;

#endif
