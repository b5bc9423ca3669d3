/* SPDX-License-Identifier: Apache-2.0 */
/* Memory with one owner and one end: process, block, transaction, request. Allocation is a pointer
 * bump; everything since a mark, or all of it, is dropped at once. Not thread-safe: one arena per
 * owner. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/types.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *head;  /* newest chunk */
    struct arena_chunk *spare; /* an emptied ordinary chunk kept for reuse, or NULL */
    size_t chunk_bytes;        /* size of an ordinary chunk */
    size_t max_bytes;          /* sum over chunks never exceeds this */
    size_t total_bytes;        /* sum over chunks now, the spare included */
};

struct arena_mark {
    struct arena_chunk *chunk;
    size_t used;
};

/* chunk_bytes: size of each chunk (larger requests get their own); max_bytes: limit of the sum. */
void arena_init(struct arena *a, size_t chunk_bytes, size_t max_bytes);
/* Frees everything. */
void arena_clear(struct arena *a);

/* `len` bytes, 32-byte aligned, uninitialised; NULL when the limit would be passed. */
void *arena_try_alloc(struct arena *a, size_t len) MUST_USE;
/* As above but CHECKs success: for sizes that limits elsewhere bound already. */
void *arena_alloc(struct arena *a, size_t len) MUST_USE;
void *arena_zalloc(struct arena *a, size_t len) MUST_USE;
/* A copy of b that lives in `a`. */
bytes arena_copy(struct arena *a, bytes b);

struct arena_mark arena_mark(const struct arena *a);
/* Drops all that was allocated since the mark; memory of emptied chunks is kept for reuse (one
 * chunk). */
void arena_reset_to(struct arena *a, struct arena_mark m);
void arena_reset(struct arena *a);

#endif
