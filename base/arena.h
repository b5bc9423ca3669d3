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
    struct arena_chunk *spare; /* emptied ordinary chunks kept for reuse, a list */
    size_t spares, spares_max; /* how many they are, and at most */
    size_t chunk_bytes;        /* size of an ordinary chunk */
    size_t max_bytes;          /* sum over chunks never exceeds this */
    size_t total_bytes;        /* sum over chunks now, the spare ones included */
};

struct arena_mark {
    struct arena_chunk *chunk;
    size_t used;
};

/* chunk_bytes: size of each chunk (larger requests get their own); max_bytes: limit of the sum. */
void arena_init(struct arena *a, size_t chunk_bytes, size_t max_bytes);
/* From now on up to so many emptied chunks are kept for reuse; 1 at first. For an arena that is
 * filled and reset again and again: memory that goes back to the system comes back page by page. */
void arena_keep(struct arena *a, size_t chunks);
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
/* Drops all that was allocated since the mark; memory of emptied chunks is kept for reuse (as
 * many as arena_keep says). */
void arena_reset_to(struct arena *a, struct arena_mark m);
void arena_reset(struct arena *a);

#endif
