/* SPDX-License-Identifier: Apache-2.0 */
#include "node/memory.h"

#include "node/sequencer.h"
#include "rpc/reader.h"
#include "state/store.h"

#include <stdio.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* The more rows are moved at a time, the more of them share a page (node/bench/README.md says what
 * that brings). Beyond these bounds it is little, and a restart takes longer; so it does with more
 * rows that wait, of which each page then gets many.
 * What these leave goes to the caches. */
#define PAGES_MAX (512 * MIB)
#define WRITTEN_MAX (64 * MIB)
#define ROWS_MAX (384 * MIB)
#define HISTORY_MAX ((size_t)STORE_HISTORY_ROWS * STORE_HISTORY_ROW_BYTES_MOST)
#define CACHE_MIN (32 * MIB) /* less would be gone with the first block */

_Static_assert(WRITTEN_MAX + POOL_MEMORY_MAX + SEQUENCER_INGRESS_BYTES_MAX + RPC_READERS_BYTES +
                       48 * MIB <=
                   MEMORY_BESIDE_BYTES,
               "enough is left for the rest");

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

void memory_share(struct memory_shares *out, size_t cache_bytes) {
    size_t *most = out->most;
    if (cache_bytes < CACHE_MIN)
        cache_bytes = CACHE_MIN;
    most[MEMORY_PAGES] = least(cache_bytes / 4, PAGES_MAX);
    most[MEMORY_ROWS] = least(cache_bytes / 16 * 3, ROWS_MAX);
    most[MEMORY_HISTORY] = least(cache_bytes / 16, HISTORY_MAX);
    most[MEMORY_CODE] = cache_bytes / 16;
    size_t caches = cache_bytes;
    for (size_t p = 0; p < MEMORY_OF_CACHE; p++)
        caches -= p == MEMORY_WORLD || p == MEMORY_TRIE ? 0 : most[p];
    most[MEMORY_WORLD] = caches / 2;
    most[MEMORY_TRIE] = caches - caches / 2;

    most[MEMORY_WRITTEN] = least(most[MEMORY_PAGES], WRITTEN_MAX);
    most[MEMORY_POOL] = POOL_MEMORY_MAX;
    most[MEMORY_INGRESS] = SEQUENCER_INGRESS_BYTES_MAX;
    most[MEMORY_READERS] = RPC_READERS_BYTES;
    most[MEMORY_REST] = MEMORY_BESIDE_BYTES;
    for (size_t p = MEMORY_OF_CACHE; p < MEMORY_REST; p++)
        most[MEMORY_REST] -= most[p];
}

const char *memory_part_name(size_t part) {
    static const char *const names[MEMORY_PARTS] = {
#define MEMORY_PART(id, name, what) name,
#include "node/memory.def"
#undef MEMORY_PART
    };
    return names[part];
}

size_t memory_anonymous(void) {
    char line[128];
    unsigned long long kib = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f != NULL && kib == 0 && fgets(line, sizeof(line), f) != NULL)
        if (sscanf(line, "RssAnon: %llu kB", &kib) != 1)
            kib = 0;
    if (f != NULL)
        (void)fclose(f);
    return (size_t)kib * KIB;
}
