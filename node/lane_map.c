/* SPDX-License-Identifier: Apache-2.0 */
#include "node/lane_map.h"

enum { UNIVERSE_BITS = 24 };

#define UNIVERSE_MASK ((UINT64_C(1) << UNIVERSE_BITS) - 1)

void lane_map_init(struct lane_map *m) {
    m->seed = map_seed_random();
    lane_map_reset(m);
}

void lane_map_reset(struct lane_map *m) {
    for (size_t i = 0; i < LANE_MAP_ENTRIES; i++)
        atomic_store_explicit(&m->words[i], 0, memory_order_relaxed);
}

bool lane_map_get(const struct lane_map *m, const addr20 *a, uint64_t *out_universe) {
    uint64_t h = map_hash(m->seed, a->b, sizeof(a->b));
    uint64_t w = atomic_load_explicit(&m->words[h % LANE_MAP_ENTRIES], memory_order_relaxed);
    if (w == 0 || w >> UNIVERSE_BITS != h >> UNIVERSE_BITS)
        return false;
    *out_universe = (w & UNIVERSE_MASK) - 1;
    return true;
}

void lane_map_put(struct lane_map *m, const addr20 *a, uint64_t universe) {
    uint64_t h = map_hash(m->seed, a->b, sizeof(a->b));
    _Atomic uint64_t *place = &m->words[h % LANE_MAP_ENTRIES];
    if (universe >= UNIVERSE_MASK)
        return; /* no room for its number: it is looked up each time */
    if (universe == 0) {
        uint64_t w = atomic_load_explicit(place, memory_order_relaxed);
        if (w != 0 && (w & UNIVERSE_MASK) != 1)
            return;
    }
    uint64_t word = (h >> UNIVERSE_BITS) << UNIVERSE_BITS | (universe + 1);
    atomic_store_explicit(place, word, memory_order_relaxed);
}
