/* SPDX-License-Identifier: Apache-2.0 */
#include "state/slab.h"

#include "base/check.h"
#include "state/huge_page.h"

#include <stdbool.h>
#include <stdlib.h>

enum {
    SMALL_BYTES = 256 << 10,
    SMALL_MAX = 8,
    PIECE_MAX = 64 << 10, /* of a slab in use, of which longer ones would waste much */
};

struct slab {
    struct slab *next;
    bool huge;
    _Alignas(SLAB_LINE) uint8_t data[];
};

void slab_pool_init(struct slab_pool *p) {
    *p = (struct slab_pool){.slabs = NULL};
    pthread_mutex_init(&p->lock, NULL);
}

void slab_pool_clear(struct slab_pool *p) {
    while (p->slabs != NULL) {
        struct slab *one = p->slabs;
        p->slabs = one->next;
        huge_page_unmap(one);
    }
    pthread_mutex_destroy(&p->lock);
}

size_t slab_pool_bytes(struct slab_pool *p) {
    pthread_mutex_lock(&p->lock);
    size_t count = p->count;
    pthread_mutex_unlock(&p->lock);
    return count * HUGE_PAGE_BYTES;
}

static struct slab *pool_take(struct slab_pool *p) {
    if (p == NULL)
        return NULL;
    pthread_mutex_lock(&p->lock);
    struct slab *one = p->slabs;
    if (one != NULL) {
        p->slabs = one->next;
        p->count--;
    }
    pthread_mutex_unlock(&p->lock);
    return one;
}

static bool pool_give(struct slab_pool *p, struct slab *one) {
    if (p == NULL)
        return false;
    pthread_mutex_lock(&p->lock);
    bool room = p->count < SLAB_POOL_MAX;
    if (room) {
        one->next = p->slabs;
        p->slabs = one;
        p->count++;
    }
    pthread_mutex_unlock(&p->lock);
    return room;
}

static void add(struct slabs *s, struct slab *one, bool huge, size_t bytes) {
    CHECK(one != NULL);
    one->huge = huge;
    one->next = s->list;
    s->list = one;
    s->bytes += bytes;
}

/* A slab of its own, beside the one in use. */
static void *take_large(struct slabs *s, size_t len) {
    CHECK(len < SIZE_MAX / 2);
    size_t bytes = offsetof(struct slab, data) + len;
    bytes = (bytes + SLAB_LINE - 1) / SLAB_LINE * SLAB_LINE;
    struct slab *one = aligned_alloc(SLAB_LINE, bytes);
    add(s, one, false, bytes);
    return one->data;
}

static void next_slab(struct slabs *s) {
    struct slab *one = pool_take(s->pool);
    bool huge = one != NULL || s->small == SMALL_MAX;
    size_t bytes = huge ? HUGE_PAGE_BYTES : SMALL_BYTES;
    if (one == NULL)
        one = huge ? huge_page_map() : aligned_alloc(SLAB_LINE, bytes);
    add(s, one, huge, bytes);
    s->small += huge ? 0 : 1;
    s->bump = one->data;
    s->left = bytes - offsetof(struct slab, data);
}

void *slabs_take(struct slabs *s, size_t len, size_t align) {
    if (len > PIECE_MAX)
        return take_large(s, len);
    size_t skip = -(uintptr_t)s->bump & (align - 1);
    if (skip + len > s->left) {
        next_slab(s);
        skip = 0;
    }
    uint8_t *p = s->bump + skip;
    s->bump = p + len;
    s->left -= skip + len;
    return p;
}

void slabs_clear(struct slabs *s) {
    while (s->list != NULL) {
        struct slab *one = s->list;
        s->list = one->next;
        if (!one->huge)
            free(one);
        else if (!pool_give(s->pool, one))
            huge_page_unmap(one);
    }
    *s = (struct slabs){.pool = s->pool};
}
