/* SPDX-License-Identifier: Apache-2.0 */
/* Which universe an address belongs to, as far as it was asked lately: so that a submission finds
 * its lane without a look at the state. Any thread reads and writes, without a lock.
 *
 * A guess, for policy only: LANE_MAP_ENTRIES places of one word, a place for many addresses, told
 * apart by 40 bits of a keyed hash. One without a universe never takes the place of one with it. */
#ifndef NODE_LANE_MAP_H
#define NODE_LANE_MAP_H

#include "base/map.h"

#include <stdatomic.h>

enum { LANE_MAP_ENTRIES = 1 << 15 };

struct lane_map {
    struct map_seed seed;
    _Atomic uint64_t words[LANE_MAP_ENTRIES]; /* tag << 24 | universe + 1; 0: empty */
};
void lane_map_init(struct lane_map *m);
/* False: not known. */
bool lane_map_get(const struct lane_map *m, const addr20 *a, uint64_t *out_universe);
void lane_map_put(struct lane_map *m, const addr20 *a, uint64_t universe);
/* Forgets all: attributions were undone. */
void lane_map_reset(struct lane_map *m);

#endif
