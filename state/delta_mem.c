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

void dmem_pool_init(struct dmem_pool *p) {
    *p = (struct dmem_pool){.slabs = NULL};
    pthread_mutex_init(&p->lock, NULL);
}

void dmem_pool_clear(struct dmem_pool *p) {
    while (p->slabs != NULL) {
        struct dmem_slab *s = p->slabs;
        p->slabs = s->next;
        huge_page_unmap(s);
    }
    pthread_mutex_destroy(&p->lock);
}

static struct dmem_slab *pool_take(struct dmem_pool *p) {
    if (p == NULL)
        return NULL;
    pthread_mutex_lock(&p->lock);
    struct dmem_slab *s = p->slabs;
    if (s != NULL) {
        p->slabs = s->next;
        p->count--;
    }
    pthread_mutex_unlock(&p->lock);
    return s;
}

static bool pool_give(struct dmem_pool *p, struct dmem_slab *s) {
    if (p == NULL)
        return false;
    pthread_mutex_lock(&p->lock);
    bool room = p->count < DMEM_POOL_SLABS;
    if (room) {
        s->next = p->slabs;
        p->slabs = s;
        p->count++;
    }
    pthread_mutex_unlock(&p->lock);
    return room;
}

static void add_slab(struct dmem *m, struct dmem_slab *s, bool huge, size_t bytes) {
    CHECK(s != NULL);
    s->huge = huge;
    s->next = m->slabs;
    m->slabs = s;
    m->bytes += bytes;
}

/* A slab of its own, beside the one in use. */
static void *take_large(struct dmem *m, size_t len) {
    CHECK(len < SIZE_MAX / 2);
    size_t bytes = offsetof(struct dmem_slab, data) + len;
    bytes = (bytes + DMEM_LINE - 1) / DMEM_LINE * DMEM_LINE;
    struct dmem_slab *s = aligned_alloc(DMEM_LINE, bytes);
    add_slab(m, s, false, bytes);
    return s->data;
}

static void next_slab(struct dmem *m) {
    struct dmem_slab *s = pool_take(m->pool);
    bool huge = s != NULL || m->small_slabs == SMALL_SLABS;
    size_t bytes = huge ? HUGE_PAGE_BYTES : SMALL_SLAB_BYTES;
    if (s == NULL)
        s = huge ? huge_page_map() : aligned_alloc(DMEM_LINE, bytes);
    add_slab(m, s, huge, bytes);
    m->small_slabs += huge ? 0 : 1;
    m->bump = s->data;
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
        if (!s->huge)
            free(s);
        else if (!pool_give(m->pool, s))
            huge_page_unmap(s);
    }
    *m = (struct dmem){.pool = m->pool};
}
