/* SPDX-License-Identifier: Apache-2.0 */
/* An open-addressing hash map from keys to values of fixed sizes, with a declared maximum of
 * entries.
 *
 * Keys are often an outsider's choice, so they are hashed with SipHash-1-3 under a seed: use
 * map_seed_random in a running node, and a fixed seed where a run must repeat itself. The order of
 * iteration depends on the seed and the history: nothing that is hashed, stored or answered may
 * follow it.
 *
 * Linear probing at a load of at most 3/4; deletion shifts entries back, so there are no tombstones
 * and a long-lived map stays as fast as a fresh one. Not thread-safe. Zero-initialised storage plus
 * map_init is a usable, empty map; nothing is allocated before the first put. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/err.h"
#include "base/types.h"

struct map_seed {
    uint64_t k0, k1;
};

struct map {
    uint32_t key_len;   /* bytes, 1 .. MAP_KEY_BYTES_MAX */
    uint32_t value_len; /* bytes, 0 for a set */
    uint32_t value_at;  /* offset of the value in a slot; 8-byte aligned */
    uint32_t slot_len;
    size_t max_entries;
    size_t count;
    size_t cap;       /* slots: 0 or a power of two */
    uint32_t *hashes; /* one a slot, 0 = empty; owned */
    uint8_t *slots;   /* owned */
    struct map_seed seed;
};

enum { MAP_KEY_BYTES_MAX = 1024 };

/* From the operating system. */
struct map_seed map_seed_random(void);

/* max_entries: 1 .. 2^30. */
void map_init(struct map *m, uint32_t key_len, uint32_t value_len, size_t max_entries,
              struct map_seed seed);
/* Frees the storage; `m` is again as after map_init. */
void map_clear(struct map *m);
/* Empties but keeps the storage. */
void map_reset(struct map *m);

/* The value, 8-byte aligned, or NULL. Valid until the next change of the map; may be written
 * through. In a set (value_len 0), any pointer but NULL means "present". */
void *map_get(const struct map *m, const void *key) MUST_USE;
static inline bool map_has(const struct map *m, const void *key) {
    return map_get(m, key) != NULL;
}

/* Inserts or replaces. `value` may be NULL in a set. ERR_TOO_LARGE when a new key would exceed
 * max_entries, ERR_NOMEM; the map is unchanged then. */
enum err map_put(struct map *m, const void *key, const void *value) MUST_USE;
/* As above, but hands out the entry's value for the caller to fill: zeroed when *out_new. Either
 * output may be NULL. */
enum err map_ensure(struct map *m, const void *key, void **out_value, bool *out_new) MUST_USE;
/* Whether the key was there. */
bool map_del(struct map *m, const void *key);

/* Visits each entry once, in no meaningful order; values may be written, keys not, and the map must
 * not change meanwhile:  for (size_t it = 0; map_next(m, &it, &key, &value);) ...  */
bool map_next(const struct map *m, size_t *it, const void **out_key, void **out_value);

/* SipHash-1-3, for other tables with outsiders' keys. */
uint64_t map_hash(struct map_seed seed, const void *ptr, size_t len);

#endif
