/* SPDX-License-Identifier: Apache-2.0 */
/* Recursive Length Prefix, Yellow Paper appendix B. Neither side recurses by input depth.
 *
 * Decoding is strict: minimal lengths, single bytes below 0x80 as themselves, nothing past the end;
 * integers without leading zeros. Encoding appends to a struct buf. */
#ifndef BASE_RLP_H
#define BASE_RLP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/types.h"
#include "base/u256.h"

struct rlp_item {
    bool is_list;
    bytes payload; /* content, borrowed from the input */
    bytes raw;     /* header and content, borrowed from the input */
};

/* Takes the first item off *in. ERR_RLP when malformed, or *in is empty. */
enum err rlp_next(bytes *in, struct rlp_item *out) MUST_USE;
/* As rlp_next, and the item must be a list (its payload goes to *out_list) or a byte string. */
enum err rlp_next_list(bytes *in, bytes *out_list) MUST_USE;
enum err rlp_next_bytes(bytes *in, bytes *out) MUST_USE;
/* Byte string of exactly `len` bytes, copied to out. */
enum err rlp_next_fixed(bytes *in, void *out, size_t len) MUST_USE;
/* Integers: no leading zero; at most 8 or 32 bytes. */
enum err rlp_next_u64(bytes *in, uint64_t *out) MUST_USE;
enum err rlp_next_u256(bytes *in, u256 *out) MUST_USE;
/* An address or the empty string (contract creation): *out_present false then. */
enum err rlp_next_opt_addr(bytes *in, addr20 *out, bool *out_present) MUST_USE;
/* Whether `in` is exactly one well-formed item, nested items included. O(n), explicit stack of
 * RLP_DEPTH_MAX; deeper input is ERR_RLP. */
enum { RLP_DEPTH_MAX = 1024 };
enum err rlp_validate(bytes in) MUST_USE;
/* Number of items in a list payload; ERR_RLP when malformed. */
enum err rlp_count(bytes list, size_t *out) MUST_USE;

void rlp_put_bytes(struct buf *b, const void *ptr, size_t len);
void rlp_put_u64(struct buf *b, uint64_t v);
void rlp_put_u256(struct buf *b, const u256 *v);
void rlp_put_hash(struct buf *b, const hash32 *h);
void rlp_put_addr(struct buf *b, const addr20 *a);
/* A list: mark = rlp_list_begin(b); put items; rlp_list_end(b, mark). Lists nest. */
size_t rlp_list_begin(struct buf *b);
void rlp_list_end(struct buf *b, size_t mark);
/* Length of the header that a payload of `len` bytes gets: 1..9, or 0 for a one-byte string
 * below 0x80. `first` is the payload's first byte and matters for one-byte strings only. */
size_t rlp_header_len(bool is_list, size_t len, uint8_t first);

#endif
