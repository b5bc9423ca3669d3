/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "base/check.h"

#include <stdlib.h>

/* Under AddressSanitizer, memory that is not handed out is poisoned: use after a reset is reported.
 */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define ARENA_HIDE(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define ARENA_SHOW(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
#define ARENA_HIDE(p, n) ((void)(p), (void)(n))
#define ARENA_SHOW(p, n) ((void)(p), (void)(n))
#endif

enum { ARENA_ALIGN = 32 };

struct arena_chunk {
    struct arena_chunk *prev; /* older chunk */
    size_t cap;               /* bytes of data */
    size_t used;
    _Alignas(ARENA_ALIGN) uint8_t data[];
};
_Static_assert(sizeof(struct arena_chunk) % ARENA_ALIGN == 0, "data starts aligned");

static size_t align_up(size_t n) {
    return (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
}

static size_t chunk_total(size_t cap) {
    return cap + sizeof(struct arena_chunk);
}

void arena_init(struct arena *a, size_t chunk_bytes, size_t max_bytes) {
    CHECK(chunk_bytes > 0 && chunk_bytes <= SIZE_MAX / 4);
    *a = (struct arena){
        .chunk_bytes = align_up(chunk_bytes), .max_bytes = max_bytes, .spares_max = 1};
}

void arena_keep(struct arena *a, size_t chunks) {
    a->spares_max = chunks;
}

static void chunk_free(struct arena *a, struct arena_chunk *c) {
    a->total_bytes -= chunk_total(c->cap);
    ARENA_SHOW(c->data, c->cap);
    free(c);
}

static struct arena_chunk *spare_take(struct arena *a) {
    struct arena_chunk *c = a->spare;
    a->spare = c->prev;
    a->spares--;
    return c;
}

static void spares_free(struct arena *a) {
    while (a->spare != NULL)
        chunk_free(a, spare_take(a));
}

void arena_clear(struct arena *a) {
    while (a->head != NULL) {
        struct arena_chunk *prev = a->head->prev;
        chunk_free(a, a->head);
        a->head = prev;
    }
    spares_free(a);
    DCHECK(a->total_bytes == 0);
}

/* A new head with room for `len` (aligned) bytes, or NULL. */
static struct arena_chunk *chunk_push(struct arena *a, size_t len) {
    struct arena_chunk *c = a->spare;
    if (c != NULL && c->cap >= len) {
        c = spare_take(a);
    } else {
        size_t cap = len > a->chunk_bytes ? len : a->chunk_bytes;
        size_t total = chunk_total(cap);
        if (total > a->max_bytes - a->total_bytes)
            spares_free(a);
        if (total > a->max_bytes - a->total_bytes) {
            /* The limit is about bytes asked for: the last chunk may be smaller than usual. */
            cap = len;
            total = chunk_total(cap);
            if (total > a->max_bytes - a->total_bytes)
                return NULL;
        }
        c = aligned_alloc(ARENA_ALIGN, total);
        if (c == NULL)
            return NULL;
        c->cap = cap;
        ARENA_HIDE(c->data, cap);
        a->total_bytes += total;
    }
    c->used = 0;
    c->prev = a->head;
    a->head = c;
    return c;
}

void *arena_try_alloc(struct arena *a, size_t len) {
    struct arena_chunk *c = a->head;
    if (len > SIZE_MAX / 4)
        return NULL;
    size_t need = align_up(len);
    if (c == NULL || need > c->cap - c->used) {
        if (need > a->max_bytes)
            return NULL;
        c = chunk_push(a, need);
        if (c == NULL)
            return NULL;
    }
    uint8_t *p = c->data + c->used;
    c->used += need;
    ARENA_SHOW(p, len);
    return p;
}

void *arena_alloc(struct arena *a, size_t len) {
    void *p = arena_try_alloc(a, len);
    CHECK(p != NULL);
    return p;
}

void *arena_zalloc(struct arena *a, size_t len) {
    return memset(arena_alloc(a, len), 0, len);
}

bytes arena_copy(struct arena *a, bytes b) {
    uint8_t *p = arena_alloc(a, b.len);
    if (b.len > 0)
        memcpy(p, b.ptr, b.len);
    return bytes_of(p, b.len);
}

struct arena_mark arena_mark(const struct arena *a) {
    return (struct arena_mark){.chunk = a->head, .used = a->head != NULL ? a->head->used : 0};
}

void arena_reset_to(struct arena *a, struct arena_mark m) {
    while (a->head != m.chunk) {
        struct arena_chunk *c = a->head;
        CHECK(c != NULL); /* a mark of another arena, or one that was dropped already */
        a->head = c->prev;
        if (a->spares < a->spares_max && c->cap == a->chunk_bytes) {
            ARENA_HIDE(c->data, c->cap);
            c->prev = a->spare;
            a->spare = c;
            a->spares++;
        } else {
            chunk_free(a, c);
        }
    }
    if (a->head == NULL)
        return;
    CHECK(m.used <= a->head->used);
    ARENA_HIDE(a->head->data + m.used, a->head->used - m.used);
    a->head->used = m.used;
}

void arena_reset(struct arena *a) {
    arena_reset_to(a, (struct arena_mark){.chunk = NULL});
}
