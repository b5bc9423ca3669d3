/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer with a declared maximum. Appending past the maximum (or out of memory) sets
 * `overflow` and changes nothing more; callers test it once at the end, so encoders need no error
 * path. Zero-initialised storage plus buf_init is a usable, empty buffer. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/types.h"

struct buf {
    uint8_t *ptr; /* owned; NULL while empty */
    size_t len;
    size_t cap;
    size_t max;    /* no append makes len exceed this */
    bool overflow; /* sticky until buf_reset */
};

void buf_init(struct buf *b, size_t max);
/* Frees the storage; `b` is again as after buf_init. */
void buf_clear(struct buf *b);
/* Empties but keeps the storage. */
void buf_reset(struct buf *b);

void buf_append(struct buf *b, const void *ptr, size_t len);
void buf_append_byte(struct buf *b, uint8_t v);
void buf_append_str(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Makes room for `len` more bytes and returns where they start (len grows), or NULL on overflow. */
uint8_t *buf_extend(struct buf *b, size_t len);

static inline bytes buf_bytes(const struct buf *b) {
    return bytes_of(b->ptr, b->len);
}

#endif
