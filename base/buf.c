/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUF_CAP_MIN = 64 };

void buf_init(struct buf *b, size_t max) {
    *b = (struct buf){.max = max};
}

void buf_clear(struct buf *b) {
    free(b->ptr);
    buf_init(b, b->max);
}

void buf_reset(struct buf *b) {
    b->len = 0;
    b->overflow = false;
}

/* Makes cap - len >= extra, or sets overflow. */
static bool buf_reserve(struct buf *b, size_t extra) {
    if (b->overflow)
        return false;
    DCHECK(b->len <= b->cap);
    if (extra <= b->cap - b->len && extra <= b->max - b->len)
        return true;
    if (extra > b->max - b->len) {
        b->overflow = true;
        return false;
    }
    size_t need = b->len + extra;
    size_t cap = b->cap > BUF_CAP_MIN / 2 ? b->cap : BUF_CAP_MIN / 2;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? SIZE_MAX : cap * 2;
    if (cap > b->max)
        cap = b->max;
    uint8_t *ptr = realloc(b->ptr, cap);
    if (ptr == NULL) {
        b->overflow = true;
        return false;
    }
    b->ptr = ptr;
    b->cap = cap;
    return true;
}

uint8_t *buf_extend(struct buf *b, size_t len) {
    /* At least one byte of room even for len 0, so that the answer is NULL on overflow only. */
    if (len == 0 && b->ptr == NULL && b->max > 0 && !b->overflow) {
        if (!buf_reserve(b, 1))
            return NULL;
    }
    if (!buf_reserve(b, len))
        return NULL;
    uint8_t *p = b->ptr + b->len;
    b->len += len;
    return p;
}

void buf_append(struct buf *b, const void *ptr, size_t len) {
    if (len == 0 || !buf_reserve(b, len))
        return;
    memcpy(b->ptr + b->len, ptr, len);
    b->len += len;
}

void buf_append_byte(struct buf *b, uint8_t v) {
    if (!buf_reserve(b, 1))
        return;
    b->ptr[b->len++] = v;
}

void buf_append_str(struct buf *b, const char *s) {
    buf_append(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...) {
    if (b->overflow)
        return;
    char small[256];
    va_list ap;
    va_list again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->overflow = true;
    } else if ((size_t)n < sizeof(small)) {
        buf_append(b, small, (size_t)n);
    } else {
        /* vsnprintf wants a byte more for its NUL, which is not part of the contents: it goes to a
         * scratch of its own so that a text which exactly fills `max` still fits. */
        char *text = malloc((size_t)n + 1);
        if (text == NULL) {
            b->overflow = true;
        } else {
            (void)vsnprintf(text, (size_t)n + 1, fmt, again);
            buf_append(b, text, (size_t)n);
            free(text);
        }
    }
    va_end(again);
}
