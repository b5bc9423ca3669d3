/* SPDX-License-Identifier: Apache-2.0 */
#include "state/huge_page.h"

#include "base/check.h"

#include <stdint.h>
#include <sys/mman.h>

/* Twice as much is reserved, and what is before and behind given back. Of two places the upper one
 * is kept: the system maps downwards, so the next piece lies right below this one and becomes one
 * mapping with it. A process may have 65,530 (vm.max_map_count), which single pieces would exhaust
 * at 128 GiB. */
void *huge_page_map(void) {
    size_t len = (size_t)2 * HUGE_PAGE_BYTES;
    uint8_t *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    size_t behind = ((uintptr_t)p + len) % HUGE_PAGE_BYTES, before = HUGE_PAGE_BYTES - behind;
    if (behind > 0)
        CHECK(munmap(p + before + HUGE_PAGE_BYTES, behind) == 0);
    CHECK(munmap(p, before) == 0);
    (void)madvise(p + before, HUGE_PAGE_BYTES, MADV_HUGEPAGE);
    return p + before;
}

void huge_page_unmap(void *p) {
    CHECK(munmap(p, HUGE_PAGE_BYTES) == 0);
}
