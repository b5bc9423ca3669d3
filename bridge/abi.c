/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/abi.h"

#include "base/check.h"
#include "base/hex.h"

struct function_row {
    uint32_t selector;
    const char *signature;
};
static const struct function_row functions[] = {
#define FUNCTION(name, selector, signature) {selector, signature},
#define EVENT(name, topic, signature)
#include "bridge/contracts.def"
#undef FUNCTION
#undef EVENT
};
struct event_row {
    const char *topic;
    const char *signature;
};
static const struct event_row events[] = {
#define FUNCTION(name, selector, signature)
#define EVENT(name, topic, signature) {topic, signature},
#include "bridge/contracts.def"
#undef FUNCTION
#undef EVENT
};

uint32_t abi_selector(enum abi_function f) {
    CHECK(f < ABI_FUNCTION_COUNT);
    return functions[f].selector;
}

const char *abi_function_signature(enum abi_function f) {
    CHECK(f < ABI_FUNCTION_COUNT);
    return functions[f].signature;
}

hash32 abi_topic(enum abi_event e) {
    CHECK(e < ABI_EVENT_COUNT);
    hash32 h;
    CHECK(hex_decode_fixed(h.b, sizeof h.b, events[e].topic) == ERR_OK);
    return h;
}

const char *abi_event_signature(enum abi_event e) {
    CHECK(e < ABI_EVENT_COUNT);
    return events[e].signature;
}

/* --- writing ----------------------------------------------------------------------------- */

void abi_put_selector(struct buf *b, enum abi_function f) {
    uint8_t be[ABI_SELECTOR_BYTES];
    be32_store(be, abi_selector(f));
    buf_append(b, be, sizeof be);
}

void abi_put_u64(struct buf *b, uint64_t v) {
    uint8_t word[ABI_WORD_BYTES] = {0};
    be64_store(word + 24, v);
    buf_append(b, word, sizeof word);
}

void abi_put_u256(struct buf *b, const u256 *v) {
    uint8_t word[ABI_WORD_BYTES];
    u256_to_be32(word, v);
    buf_append(b, word, sizeof word);
}

void abi_put_addr(struct buf *b, const addr20 *a) {
    uint8_t word[ABI_WORD_BYTES] = {0};
    memcpy(word + 12, a->b, sizeof a->b);
    buf_append(b, word, sizeof word);
}

void abi_put_hash(struct buf *b, const hash32 *h) {
    buf_append(b, h->b, sizeof h->b);
}

static size_t padding(size_t len) {
    return (ABI_WORD_BYTES - len % ABI_WORD_BYTES) % ABI_WORD_BYTES;
}

void abi_put_bytes(struct buf *b, bytes v) {
    static const uint8_t zeros[ABI_WORD_BYTES];
    abi_put_u64(b, v.len);
    buf_append(b, v.ptr, v.len);
    buf_append(b, zeros, padding(v.len));
}

size_t abi_bytes_len(size_t len) {
    return ABI_WORD_BYTES + len + padding(len);
}

/* --- reading ----------------------------------------------------------------------------- */

/* Word idx, or NULL. */
static const uint8_t *word_at(bytes in, size_t idx) {
    return idx < in.len / ABI_WORD_BYTES ? in.ptr + idx * ABI_WORD_BYTES : NULL;
}

/* Word idx if its first `zeros` bytes are zero. */
static const uint8_t *short_word_at(bytes in, size_t idx, size_t zeros) {
    static const uint8_t zero[ABI_WORD_BYTES];
    const uint8_t *w = word_at(in, idx);
    return w != NULL && memcmp(w, zero, zeros) == 0 ? w : NULL;
}

enum err abi_get_hash(hash32 *out, bytes in, size_t idx) {
    const uint8_t *w = word_at(in, idx);
    if (w == NULL)
        return ERR_PARSE;
    memcpy(out->b, w, sizeof out->b);
    return ERR_OK;
}

enum err abi_get_u256(u256 *out, bytes in, size_t idx) {
    const uint8_t *w = word_at(in, idx);
    if (w == NULL)
        return ERR_PARSE;
    *out = u256_from_be32(w);
    return ERR_OK;
}

enum err abi_get_u64(uint64_t *out, bytes in, size_t idx) {
    const uint8_t *w = short_word_at(in, idx, 24);
    if (w == NULL)
        return ERR_PARSE;
    *out = be64_load(w + 24);
    return ERR_OK;
}

enum err abi_get_u8(uint8_t *out, bytes in, size_t idx) {
    const uint8_t *w = short_word_at(in, idx, 31);
    if (w == NULL)
        return ERR_PARSE;
    *out = w[31];
    return ERR_OK;
}

enum err abi_get_bool(bool *out, bytes in, size_t idx) {
    uint8_t v;
    TRY(abi_get_u8(&v, in, idx));
    if (v > 1)
        return ERR_PARSE;
    *out = v == 1;
    return ERR_OK;
}

enum err abi_get_addr(addr20 *out, bytes in, size_t idx) {
    const uint8_t *w = short_word_at(in, idx, 12);
    if (w == NULL)
        return ERR_PARSE;
    memcpy(out->b, w + 12, sizeof out->b);
    return ERR_OK;
}

enum err abi_get_bytes(bytes *out, bytes in, size_t idx) {
    uint64_t offset, len;
    TRY(abi_get_u64(&offset, in, idx));
    if (offset > in.len)
        return ERR_PARSE;
    bytes tail = bytes_of(in.ptr + offset, in.len - (size_t)offset);
    TRY(abi_get_u64(&len, tail, 0));
    if (len > tail.len - ABI_WORD_BYTES)
        return ERR_PARSE;
    *out = bytes_of(tail.ptr + ABI_WORD_BYTES, (size_t)len);
    return ERR_OK;
}

enum err abi_get_call(bytes *out_args, bytes calldata, enum abi_function f) {
    if (calldata.len < ABI_SELECTOR_BYTES || be32_load(calldata.ptr) != abi_selector(f))
        return ERR_PARSE;
    *out_args = bytes_of(calldata.ptr + ABI_SELECTOR_BYTES, calldata.len - ABI_SELECTOR_BYTES);
    return ERR_OK;
}

/* --- reverts ------------------------------------------------------------------------------- */

enum { SELECTOR_ERROR_STRING = 0x08c379a0, SELECTOR_PANIC = 0x4e487b71 };

static void copy_printable(char *out, size_t cap, bytes text) {
    size_t n = text.len < cap - 1 ? text.len : cap - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = text.ptr[i] >= 0x20 && text.ptr[i] < 0x7f ? (char)text.ptr[i] : '?';
    out[n] = '\0';
}

void abi_revert_text(char *out, size_t cap, bytes revert_data) {
    CHECK(cap > 0);
    if (revert_data.len < ABI_SELECTOR_BYTES) {
        snprintf(out, cap, "no reason");
        return;
    }
    uint32_t selector = be32_load(revert_data.ptr);
    bytes args =
        bytes_of(revert_data.ptr + ABI_SELECTOR_BYTES, revert_data.len - ABI_SELECTOR_BYTES);
    bytes text;
    uint64_t code;
    if (selector == SELECTOR_ERROR_STRING && abi_get_bytes(&text, args, 0) == ERR_OK)
        copy_printable(out, cap, text);
    else if (selector == SELECTOR_PANIC && abi_get_u64(&code, args, 0) == ERR_OK)
        snprintf(out, cap, "panic 0x%02llx", (unsigned long long)code);
    else
        snprintf(out, cap, "custom error 0x%08x", selector);
}
