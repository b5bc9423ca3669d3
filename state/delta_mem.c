/* SPDX-License-Identifier: Apache-2.0 */
#include "state/delta_mem.h"

#include "base/check.h"
#include "state/huge_page.h"

#include <stdbool.h>
#include <stdlib.h>

enum { SMALL_SLAB_BYTES = 256 << 10, SMALL_SLABS = 8 };

struct dmem_slab {
    struct dmem_slab *next;
    bool huge;
    _Alignas(DMEM_LINE) uint8_t data[];
};

static struct dmem_slab *add_slab(struct dmem *m, bool huge, size_t bytes) {
    struct dmem_slab *s = huge ? huge_page_map() : aligned_alloc(DMEM_LINE, bytes);
    CHECK(s != NULL);
    s->huge = huge;
    s->next = m->slabs;
    m->slabs = s;
    m->bytes += bytes;
    return s;
}

/* A slab of its own, beside the one in use. */
static void *take_large(struct dmem *m, size_t len) {
    CHECK(len < SIZE_MAX / 2);
    size_t bytes = offsetof(struct dmem_slab, data) + len;
    return add_slab(m, false, (bytes + DMEM_LINE - 1) / DMEM_LINE * DMEM_LINE)->data;
}

static void next_slab(struct dmem *m) {
    bool huge = m->small_slabs == SMALL_SLABS;
    size_t bytes = huge ? HUGE_PAGE_BYTES : SMALL_SLAB_BYTES;
    m->small_slabs += huge ? 0 : 1;
    m->bump = add_slab(m, huge, bytes)->data;
    m->left = bytes - offsetof(struct dmem_slab, data);
}

void *dmem_take(struct dmem *m, size_t len, size_t align) {
    if (len > SMALL_SLAB_BYTES / 4)
        return take_large(m, len);
    size_t skip = -(uintptr_t)m->bump & (align - 1);
    if (skip + len > m->left) {
        next_slab(m);
        skip = 0;
    }
    uint8_t *p = m->bump + skip;
    m->bump = p + len;
    m->left -= skip + len;
    return p;
}

void dmem_clear(struct dmem *m) {
    while (m->slabs != NULL) {
        struct dmem_slab *s = m->slabs;
        m->slabs = s->next;
        if (s->huge)
            huge_page_unmap(s);
        else
            free(s);
    }
    *m = (struct dmem){.slabs = NULL};
}
