/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the store that is in RAM: an ordered map from keys to versions, each a value or
 * "absent", tagged by tick (block number + 1, so that 0 is before block 0).
 *
 * A skip list keeps the order, an open-addressing index of the same nodes answers point reads. One
 * writer; readers on any thread without locks: nodes are linked in with release stores and never
 * unlinked, a version's memory lives as long as the delta, which is counted by reference. A reader
 * at tick t ignores versions above t, so what the writer adds meanwhile is invisible to it. Heights
 * of nodes come from a seeded generator and change no result.
 *
 * Keys: table byte and key, together at most DELTA_KEY_MAX bytes. */
#ifndef STATE_DELTA_H
#define STATE_DELTA_H

#include "base/types.h"

#include <stdatomic.h>

enum {
    DELTA_KEY_MAX = 512,
    DELTA_LEVELS = 14,  /* with one node in four going up a level: good for 4^14 nodes */
    DELTA_FINGERS = 64, /* places of recent insertions, one per table */
};
/* Memory of a delta's slabs, about, above which it takes no more (CHECKed): the checkpoint bounds
 * it long before. */
#define DELTA_MAX_BYTES (16ULL << 30)

struct delta_version {
    uint64_t tick;
    const struct delta_version *older;
    uint32_t len;
    bool absent;
    uint8_t data[];
};

struct delta_node {
    _Atomic(const struct delta_version *) newest; /* NULL: none left after a cut */
    uint64_t prefix[2]; /* the key's first sixteen bytes as numbers, zeros behind a shorter key:
                           decide most comparisons, also of keys behind one store id or block */
    uint32_t hash;      /* its lower bits, of an indexed key */
    uint16_t key_len;
    uint8_t height;
    _Atomic(struct delta_node *) next[]; /* `height` pointers, then the key */
};
_Static_assert(sizeof(struct delta_node) == 32, "with four pointers in one line of the cache");

struct delta;
struct slab_pool;

/* `seed` randomises heights and the index. `pool` (state/slab.h) outlives it; NULL is allowed.
 * One reference. */
struct delta *delta_new(uint64_t seed, struct slab_pool *pool) MUST_USE;
struct delta *delta_ref(struct delta *d);
void delta_unref(struct delta *d);

/* --- writer --------------------------------------------------------------------------------- */
/* Adds a version at `tick`, which is at least every tick added before; one of the same tick is
 * replaced. `indexed` must be the same for all keys of a table: false leaves the index out, for
 * keys that are rarely read by themselves. */
void delta_put(struct delta *d, bytes key, bool indexed, uint64_t tick, bool absent, bytes value);
/* Where a key of an indexed table is or would be: for who reads before it puts, so that the key is
 * searched for once. Good until the same key is put. */
struct delta_spot {
    uint64_t hash;
    struct delta_node *node; /* NULL: not there */
};
struct delta_spot delta_spot(const struct delta *d, bytes key);
/* As delta_put, indexed. */
void delta_put_at(struct delta *d, struct delta_spot at, bytes key, uint64_t tick, bool absent,
                  bytes value);
/* Keys that will be put, or read, soon: asks for the memory that this will read, for all of them at
 * once, so that their misses of the cache overlap instead of following one another. Changes
 * nothing. */
void delta_expect(const struct delta *d, const bytes *keys, size_t count, bool indexed);
/* Puts another value, no longer than the one there, in the place of a version: for a delta that
 * nobody reads yet. */
void delta_rewrite(const struct delta_version *v, bool absent, bytes value);
/* Takes back the newest version of the key if it is of this tick. */
void delta_pop(struct delta *d, bytes key, bool indexed, uint64_t tick);
/* Takes back all versions above `tick`. */
void delta_cut(struct delta *d, uint64_t tick);
/* Highest tick added and not cut; 0 if none. */
uint64_t delta_last_tick(const struct delta *d);
/* The first tick ever added; 0 if none. */
uint64_t delta_first_tick(const struct delta *d);

/* --- readers -------------------------------------------------------------------------------- */
size_t delta_nodes(const struct delta *d); /* keys ever added */
size_t delta_bytes(const struct delta *d); /* of memory that it has */
const struct delta_node *delta_find(const struct delta *d, bytes key, bool indexed);
/* First node with key >= `key`; last with key < `key`; NULL if none. */
const struct delta_node *delta_seek(const struct delta *d, bytes key);
const struct delta_node *delta_seek_lt(const struct delta *d, bytes key);

static inline const struct delta_node *delta_next(const struct delta_node *n) {
    return atomic_load_explicit(&n->next[0], memory_order_acquire);
}
static inline bytes delta_key(const struct delta_node *n) {
    return bytes_of(&n->next[n->height], n->key_len);
}
/* Newest version at or below `tick`, NULL if none. */
static inline const struct delta_version *delta_at(const struct delta_node *n, uint64_t tick) {
    const struct delta_version *v = atomic_load_explicit(&n->newest, memory_order_acquire);
    while (v != NULL && v->tick > tick)
        v = v->older;
    return v;
}

static inline int bytes_cmp(bytes a, bytes b) {
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);
    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

#endif
