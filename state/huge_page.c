/* SPDX-License-Identifier: Apache-2.0 */
#include "state/huge_page.h"

#include "base/check.h"

#include <stdint.h>
#include <sys/mman.h>

/* Twice as much is reserved, and what is before and behind given back. */
void *huge_page_map(void) {
    size_t len = (size_t)2 * HUGE_PAGE_BYTES;
    uint8_t *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    size_t before = -(uintptr_t)p % HUGE_PAGE_BYTES, behind = HUGE_PAGE_BYTES - before;
    if (before > 0)
        CHECK(munmap(p, before) == 0);
    CHECK(munmap(p + before + HUGE_PAGE_BYTES, behind) == 0);
    (void)madvise(p + before, HUGE_PAGE_BYTES, MADV_HUGEPAGE);
    return p + before;
}

void huge_page_unmap(void *p) {
    CHECK(munmap(p, HUGE_PAGE_BYTES) == 0);
}
