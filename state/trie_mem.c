/* SPDX-License-Identifier: Apache-2.0 */
#include "state/trie_mem.h"

#include "base/check.h"
#include "state/huge_page.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    SMALL_SLAB_BYTES = 256 << 10,
    SMALL_SLABS = 8,
};

struct tmem_slab {
    struct tmem_slab *next;
    bool huge;
    _Alignas(TMEM_STEP) uint8_t data[];
};

static void add_slab(struct tmem *m) {
    bool huge = m->small_slabs == SMALL_SLABS;
    struct tmem_slab *s = huge ? huge_page_map() : aligned_alloc(TMEM_STEP, SMALL_SLAB_BYTES);
    CHECK(s != NULL);
    s->huge = huge;
    s->next = m->slabs;
    m->slabs = s;
    m->small_slabs += huge ? 0 : 1;
    m->slab_bytes += huge ? HUGE_PAGE_BYTES : SMALL_SLAB_BYTES;
    m->bump = s->data;
    m->bump_left = (huge ? HUGE_PAGE_BYTES : SMALL_SLAB_BYTES) - offsetof(struct tmem_slab, data);
}

void tmem_clear(struct tmem *m) {
    while (m->slabs != NULL) {
        struct tmem_slab *s = m->slabs;
        m->slabs = s->next;
        if (s->huge)
            huge_page_unmap(s);
        else
            free(s);
    }
    *m = (struct tmem){.slabs = NULL};
}

static void put_free(struct tmem *m, void *p, unsigned size_class) {
    memcpy(p, &m->free_list[size_class], sizeof(void *));
    m->free_list[size_class] = p;
}

void *tmem_take(struct tmem *m, unsigned size_class) {
    CHECK(size_class > 0);
    CHECK(size_class < TMEM_CLASSES);
    size_t len = (size_t)size_class * TMEM_STEP;
    m->live_bytes += len;
    void *p = m->free_list[size_class];
    if (p != NULL) {
        memcpy(&m->free_list[size_class], p, sizeof(void *));
        return p;
    }
    if (m->bump_left < len) {
        /* What is left goes to the free list of its own class. */
        unsigned rest = (unsigned)(m->bump_left / TMEM_STEP);
        if (rest > 0)
            put_free(m, m->bump, rest);
        add_slab(m);
    }
    p = m->bump;
    m->bump += len;
    m->bump_left -= len;
    return p;
}

void tmem_give(struct tmem *m, void *p, unsigned size_class) {
    m->live_bytes -= (size_t)size_class * TMEM_STEP;
    put_free(m, p, size_class);
}
