/* SPDX-License-Identifier: Apache-2.0 */
#include "node/memory.h"

#define MIB ((size_t)1 << 20)

/* More pages in one transaction save nothing: by then each page has one changed row, or all have.
 * More rows only make a restart longer. What these leave goes to the caches. */
#define PAGES_MAX (64 * MIB)
#define ROWS_MAX (128 * MIB)
#define CACHE_MIN (32 * MIB) /* less would be gone with the first block */

static size_t at_most(size_t a, size_t max) {
    return a < max ? a : max;
}

void memory_share(struct memory_shares *out, size_t cache_bytes) {
    if (cache_bytes < CACHE_MIN)
        cache_bytes = CACHE_MIN;
    size_t pages = at_most(cache_bytes / 8, PAGES_MAX);
    size_t rows = at_most(cache_bytes / 16 * 3, ROWS_MAX);
    size_t code = cache_bytes / 16;
    size_t rest = cache_bytes - pages - rows - code;
    *out = (struct memory_shares){
        .world = rest / 2, .trie = rest - rest / 2, .code = code, .rows = rows, .pages = pages};
}
