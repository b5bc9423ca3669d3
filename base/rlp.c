/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rlp.h"

#include "base/check.h"

/* First bytes: below 0x80 a byte that is its own string; then short string (+ length), long string
 * (+ length of the length), short list, long list. */
enum { SHORT_STR = 0x80, LONG_STR = 0xb7, SHORT_LIST = 0xc0, LONG_LIST = 0xf7, SHORT_MAX = 55 };

struct header {
    bool is_list;
    size_t header_len;
    size_t payload_len; /* header and payload lie within the input */
};

/* The big-endian length of n in [1, 8] bytes at p: no leading zero, over 55. */
static enum err read_long_len(size_t *out, const uint8_t *p, size_t n) {
    if (p[0] == 0)
        return ERR_RLP;
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    if (v <= SHORT_MAX)
        return ERR_RLP;
    *out = v;
    return ERR_OK;
}

static enum err read_header(struct header *h, bytes in) {
    if (in.len == 0)
        return ERR_RLP;
    uint8_t first = in.ptr[0];
    h->is_list = first >= SHORT_LIST;
    if (first < SHORT_STR) {
        h->header_len = 0;
        h->payload_len = 1;
        return ERR_OK;
    }
    uint8_t short_base = h->is_list ? SHORT_LIST : SHORT_STR;
    uint8_t long_base = h->is_list ? LONG_LIST : LONG_STR;
    if (first <= long_base) {
        h->header_len = 1;
        h->payload_len = (size_t)(first - short_base);
    } else {
        size_t n = (size_t)(first - long_base);
        if (in.len - 1 < n)
            return ERR_RLP;
        TRY(read_long_len(&h->payload_len, in.ptr + 1, n));
        h->header_len = 1 + n;
    }
    if (h->payload_len > in.len - h->header_len)
        return ERR_RLP;
    if (first == SHORT_STR + 1 && in.ptr[1] < SHORT_STR)
        return ERR_RLP; /* a single byte that should stand for itself */
    return ERR_OK;
}

enum err rlp_next(bytes *in, struct rlp_item *out) {
    struct header h;
    TRY(read_header(&h, *in));
    size_t len = h.header_len + h.payload_len;
    out->is_list = h.is_list;
    out->payload = bytes_of(in->ptr + h.header_len, h.payload_len);
    out->raw = bytes_of(in->ptr, len);
    *in = bytes_of(in->ptr + len, in->len - len);
    return ERR_OK;
}

/* As rlp_next, for one kind; *in stays where it was on an error. */
static enum err next_of_kind(bytes *in, bytes *out, bool is_list) {
    bytes rest = *in;
    struct rlp_item item;
    TRY(rlp_next(&rest, &item));
    if (item.is_list != is_list)
        return ERR_RLP;
    *out = item.payload;
    *in = rest;
    return ERR_OK;
}

enum err rlp_next_list(bytes *in, bytes *out_list) {
    return next_of_kind(in, out_list, true);
}

enum err rlp_next_bytes(bytes *in, bytes *out) {
    return next_of_kind(in, out, false);
}

enum err rlp_next_fixed(bytes *in, void *out, size_t len) {
    bytes rest = *in;
    bytes payload;
    TRY(rlp_next_bytes(&rest, &payload));
    if (payload.len != len)
        return ERR_RLP;
    if (len > 0)
        memcpy(out, payload.ptr, len);
    *in = rest;
    return ERR_OK;
}

/* An integer of at most max_len bytes. */
static enum err next_integer(bytes *in, bytes *out, size_t max_len) {
    bytes rest = *in;
    TRY(rlp_next_bytes(&rest, out));
    if (out->len > max_len || (out->len > 0 && out->ptr[0] == 0))
        return ERR_RLP;
    *in = rest;
    return ERR_OK;
}

enum err rlp_next_u64(bytes *in, uint64_t *out) {
    bytes payload;
    TRY(next_integer(in, &payload, 8));
    uint64_t v = 0;
    for (size_t i = 0; i < payload.len; i++)
        v = v << 8 | payload.ptr[i];
    *out = v;
    return ERR_OK;
}

enum err rlp_next_u256(bytes *in, u256 *out) {
    bytes payload;
    TRY(next_integer(in, &payload, 32));
    *out = u256_from_be(payload.ptr, payload.len);
    return ERR_OK;
}

enum err rlp_next_opt_addr(bytes *in, addr20 *out, bool *out_present) {
    bytes rest = *in;
    bytes payload;
    TRY(rlp_next_bytes(&rest, &payload));
    if (payload.len != 0 && payload.len != sizeof(out->b))
        return ERR_RLP;
    *out_present = payload.len != 0;
    memset(out->b, 0, sizeof(out->b));
    if (payload.len != 0)
        memcpy(out->b, payload.ptr, sizeof(out->b));
    *in = rest;
    return ERR_OK;
}

enum err rlp_validate(bytes in) {
    size_t ends[RLP_DEPTH_MAX]; /* where each open list ends */
    size_t depth = 0;
    size_t at = 0;
    size_t end = in.len; /* of the innermost open list */
    if (in.len == 0)
        return ERR_RLP;
    do {
        struct header h;
        TRY(read_header(&h, bytes_of(in.ptr + at, end - at)));
        at += h.header_len;
        if (h.is_list) {
            if (depth == RLP_DEPTH_MAX)
                return ERR_RLP;
            ends[depth++] = end;
            end = at + h.payload_len;
        } else {
            at += h.payload_len;
        }
        while (depth > 0 && at == end)
            end = ends[--depth];
    } while (depth > 0);
    return at == in.len ? ERR_OK : ERR_RLP;
}

enum err rlp_count(bytes list, size_t *out) {
    size_t n = 0;
    while (list.len > 0) {
        struct rlp_item item;
        TRY(rlp_next(&list, &item));
        n++;
    }
    *out = n;
    return ERR_OK;
}

/* Bytes of the minimal big-endian form of v. */
static size_t be_len(uint64_t v) {
    return v == 0 ? 0 : 8 - (size_t)__builtin_clzll(v) / 8;
}

size_t rlp_header_len(bool is_list, size_t len, uint8_t first) {
    if (!is_list && len == 1 && first < SHORT_STR)
        return 0;
    return len <= SHORT_MAX ? 1 : 1 + be_len(len);
}

/* Writes a header of header_len >= 1 bytes. */
static void write_header(uint8_t *p, size_t header_len, bool is_list, size_t len) {
    if (header_len == 1) {
        p[0] = (uint8_t)((is_list ? SHORT_LIST : SHORT_STR) + len);
        return;
    }
    size_t n = header_len - 1;
    p[0] = (uint8_t)((is_list ? LONG_LIST : LONG_STR) + n);
    for (size_t i = 0; i < n; i++)
        p[1 + i] = (uint8_t)(len >> (8 * (n - 1 - i)));
}

void rlp_put_bytes(struct buf *b, const void *ptr, size_t len) {
    const uint8_t *src = ptr;
    size_t header_len = rlp_header_len(false, len, len == 1 ? src[0] : 0);
    if (len > SIZE_MAX - header_len) {
        b->overflow = true;
        return;
    }
    uint8_t *p = buf_extend(b, header_len + len);
    if (p == NULL)
        return;
    if (header_len > 0)
        write_header(p, header_len, false, len);
    if (len > 0)
        memcpy(p + header_len, src, len);
}

void rlp_put_u64(struct buf *b, uint64_t v) {
    uint8_t be[8];
    be64_store(be, v);
    size_t len = be_len(v);
    rlp_put_bytes(b, be + 8 - len, len);
}

void rlp_put_u256(struct buf *b, const u256 *v) {
    uint8_t be[32];
    size_t len = u256_to_be_min(be, v);
    rlp_put_bytes(b, be, len);
}

void rlp_put_hash(struct buf *b, const hash32 *h) {
    rlp_put_bytes(b, h->b, sizeof(h->b));
}

void rlp_put_addr(struct buf *b, const addr20 *a) {
    rlp_put_bytes(b, a->b, sizeof(a->b));
}

size_t rlp_list_begin(struct buf *b) {
    return b->len;
}

void rlp_list_end(struct buf *b, size_t mark) {
    if (b->overflow)
        return;
    CHECK(mark <= b->len);
    size_t len = b->len - mark;
    size_t header_len = rlp_header_len(true, len, 0);
    if (buf_extend(b, header_len) == NULL)
        return;
    /* The payload's length was not known when it began: make room in front of it. */
    memmove(b->ptr + mark + header_len, b->ptr + mark, len);
    write_header(b->ptr + mark, header_len, true, len);
}
