/* SPDX-License-Identifier: Apache-2.0 */
#include "node/memory.h"

#include <criterion/criterion.h>

TestSuite(memory, .timeout = 10);

/* Goal: the shares are the cache, whatever its size; none is too small to work with, and what waits
 * for a checkpoint stops growing. */
Test(memory, shares_are_the_cache) {
    static const size_t mib = (size_t)1 << 20;
    static const size_t caches[] = {64, 128, 512, 1000, 4096, 1 << 20};
    struct memory_shares s, before = {0};
    for (size_t i = 0; i < ARRAY_LEN(caches); i++) {
        memory_share(&s, caches[i] * mib);
        cr_assert_eq(s.world + s.trie + s.code + s.rows + s.pages, caches[i] * mib);
        cr_assert(s.world >= before.world && s.trie >= before.trie && s.code >= before.code);
        cr_assert(s.rows >= before.rows && s.pages >= before.pages);
        cr_assert(s.rows >= 12 * mib && s.rows <= 128 * mib);
        cr_assert(s.pages >= 8 * mib && s.pages <= 64 * mib);
        before = s;
    }
    memory_share(&s, 0);
    cr_assert(s.rows >= 6 * mib && s.pages >= 4 * mib && s.world >= 8 * mib);
}
