/* SPDX-License-Identifier: Apache-2.0 */
/* Contract calls and events in Solidity's ABI (Contract ABI Specification, "Formal Specification of
 * the Encoding"): words of 32 bytes, big-endian; a dynamic `bytes` is an offset in its head, then
 * length and content padded with zeros in the tail.
 *
 * Reading is for what contracts of the parent emitted and for calldata of strangers: every offset
 * and length is checked, nothing is allocated, results are borrowed from the input. */
#ifndef BRIDGE_ABI_H
#define BRIDGE_ABI_H

#include "base/buf.h"
#include "base/err.h"
#include "base/types.h"
#include "base/u256.h"

enum { ABI_WORD_BYTES = 32, ABI_SELECTOR_BYTES = 4 };

enum abi_function {
#define FUNCTION(name, selector, signature) ABI_##name,
#define EVENT(name, topic, signature)
#include "bridge/contracts.def"
#undef FUNCTION
#undef EVENT
    ABI_FUNCTION_COUNT
};
enum abi_event {
#define FUNCTION(name, selector, signature)
#define EVENT(name, topic, signature) ABI_EVENT_##name,
#include "bridge/contracts.def"
#undef FUNCTION
#undef EVENT
    ABI_EVENT_COUNT
};

/* The four bytes as a big-endian number; the text that they are the hash of. */
uint32_t abi_selector(enum abi_function f);
const char *abi_function_signature(enum abi_function f);
/* Topic 0; the text that it is the hash of. */
hash32 abi_topic(enum abi_event e);
const char *abi_event_signature(enum abi_event e);

/* --- writing: words one after the other --- */
void abi_put_selector(struct buf *b, enum abi_function f);
void abi_put_u64(struct buf *b, uint64_t v);
void abi_put_u256(struct buf *b, const u256 *v);
void abi_put_addr(struct buf *b, const addr20 *a);
void abi_put_hash(struct buf *b, const hash32 *h);
/* The tail of a dynamic `bytes`: length, content, zeros up to a whole word. */
void abi_put_bytes(struct buf *b, bytes v);
/* Bytes that abi_put_bytes appends for content of `len`. */
size_t abi_bytes_len(size_t len);

/* --- reading: `in` begins at word 0 of a tuple (after a selector); idx counts words --- */
/* ERR_PARSE: `in` ends before the word does, or the value does not fit the type. */
enum err abi_get_hash(hash32 *out, bytes in, size_t idx) MUST_USE;
enum err abi_get_u256(u256 *out, bytes in, size_t idx) MUST_USE;
enum err abi_get_u64(uint64_t *out, bytes in, size_t idx) MUST_USE;
enum err abi_get_u8(uint8_t *out, bytes in, size_t idx) MUST_USE;
enum err abi_get_bool(bool *out, bytes in, size_t idx) MUST_USE;
enum err abi_get_addr(addr20 *out, bytes in, size_t idx) MUST_USE;
/* A dynamic `bytes` whose offset, from the start of `in`, stands in word idx. Borrowed from `in`.
 * The padding is not looked at, as contracts do not either. */
enum err abi_get_bytes(bytes *out, bytes in, size_t idx) MUST_USE;
/* Takes the selector off calldata: ERR_PARSE when it is another one. */
enum err abi_get_call(bytes *out_args, bytes calldata, enum abi_function f) MUST_USE;

/* The sentence inside a revert: the argument of Error(string), "panic 0x11", or the custom error's
 * selector in hexadecimal; "no reason" when empty. Printable ASCII only, cut at cap - 1. */
void abi_revert_text(char *out, size_t cap, bytes revert_data);

#endif
