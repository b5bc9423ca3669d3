/* SPDX-License-Identifier: Apache-2.0 */
#include "state/delta.h"

#include "base/arena.h"
#include "base/check.h"

#include <stdlib.h>

enum { INDEX_FIRST_SLOTS = 1 << 10, CHUNK_BYTES = 1 << 18 };

/* Slots hold a node's address with 16 bits of its hash above it, so that most misses touch no node.
 */
struct delta_index {
    size_t mask;
    struct delta_index *smaller; /* what readers may still be using; freed with the delta */
    _Atomic uint64_t slots[];
};

/* Predecessors of the last insertion at each level: a search for a key nearby starts there. */
struct finger {
    struct delta_node *prev[DELTA_LEVELS];
};

/* A node got a version at this tick. In order of ticks: what a cut has to look at. */
struct touched {
    uint64_t tick;
    struct delta_node *node;
};

struct delta {
    _Atomic uint64_t refs;
    uint64_t seed, random;
    struct arena arena;
    struct delta_node *head; /* full height, no key */
    _Atomic int levels;
    _Atomic(struct delta_index *) index;
    size_t indexed, index_bytes;
    _Atomic size_t nodes, bytes;
    struct finger fingers[DELTA_FINGERS];
    struct touched *touched;
    size_t touched_count, touched_cap;
    _Atomic uint64_t first_tick, last_tick;
};

static uint64_t mix(uint64_t a, uint64_t b) {
    unsigned __int128 p = (unsigned __int128)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* Keyed: who chooses keys must not be able to choose slots. */
static uint64_t hash_key(const struct delta *d, bytes key) {
    uint64_t h = d->seed ^ key.len;
    const uint8_t *p = key.ptr;
    size_t n = key.len;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        h = mix(h ^ w, 0x9E3779B97F4A7C15ULL ^ d->seed);
    }
    uint64_t w = 0;
    if (n > 0)
        memcpy(&w, p, n);
    h = mix(h ^ w, 0xD6E8FEB86659FD93ULL);
    return mix(h ^ d->seed, 0xA0761D6478BD642FULL);
}

static struct delta_index *index_new(struct delta *d, size_t slots, struct delta_index *smaller) {
    size_t len = sizeof(struct delta_index) + slots * sizeof smaller->slots[0];
    struct delta_index *x = calloc(1, len);
    CHECK(x != NULL);
    x->mask = slots - 1;
    x->smaller = smaller;
    d->index_bytes += len;
    return x;
}

static void count_bytes(struct delta *d) {
    size_t lists = d->index_bytes + d->touched_cap * sizeof *d->touched;
    atomic_store_explicit(&d->bytes, sizeof *d + d->arena.total_bytes + lists,
                          memory_order_relaxed);
}

struct delta *delta_new(uint64_t seed) {
    struct delta *d = calloc(1, sizeof *d);
    CHECK(d != NULL);
    atomic_init(&d->refs, 1);
    d->seed = seed;
    d->random = seed | 1;
    arena_init(&d->arena, CHUNK_BYTES, DELTA_MAX_BYTES);
    d->head = arena_zalloc(&d->arena, sizeof *d->head + DELTA_LEVELS * sizeof d->head->next[0]);
    d->head->height = DELTA_LEVELS;
    atomic_init(&d->levels, 1);
    atomic_init(&d->index, index_new(d, INDEX_FIRST_SLOTS, NULL));
    for (size_t i = 0; i < DELTA_FINGERS; i++)
        for (size_t l = 0; l < DELTA_LEVELS; l++)
            d->fingers[i].prev[l] = d->head;
    count_bytes(d);
    return d;
}

struct delta *delta_ref(struct delta *d) {
    atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
    return d;
}

void delta_unref(struct delta *d) {
    if (d == NULL || atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (struct delta_index *x = atomic_load(&d->index); x != NULL;) {
        struct delta_index *smaller = x->smaller;
        free(x);
        x = smaller;
    }
    arena_clear(&d->arena);
    free(d->touched);
    free(d);
}

size_t delta_nodes(const struct delta *d) {
    return atomic_load_explicit(&d->nodes, memory_order_relaxed);
}
size_t delta_bytes(const struct delta *d) {
    return atomic_load_explicit(&d->bytes, memory_order_relaxed);
}
uint64_t delta_first_tick(const struct delta *d) {
    return atomic_load_explicit(&d->first_tick, memory_order_acquire);
}

uint64_t delta_last_tick(const struct delta *d) {
    return atomic_load_explicit(&d->last_tick, memory_order_acquire);
}

/* --- index ---------------------------------------------------------------------------------- */

static struct delta_node *slot_node(uint64_t slot) {
    return (struct delta_node *)(slot & 0xffffffffffffULL);
}

static void index_insert(struct delta_index *x, uint64_t hash, const struct delta_node *n) {
    CHECK(((uint64_t)n >> 48) == 0);
    size_t i = hash & x->mask;
    while (atomic_load_explicit(&x->slots[i], memory_order_relaxed) != 0)
        i = (i + 1) & x->mask;
    atomic_store_explicit(&x->slots[i], (uint64_t)n | hash >> 48 << 48, memory_order_release);
}

static void index_add(struct delta *d, uint64_t hash, const struct delta_node *n) {
    struct delta_index *x = atomic_load_explicit(&d->index, memory_order_relaxed);
    if (d->indexed * 2 > x->mask) {
        struct delta_index *big = index_new(d, (x->mask + 1) * 4, x);
        for (size_t i = 0; i <= x->mask; i++) {
            const struct delta_node *old =
                slot_node(atomic_load_explicit(&x->slots[i], memory_order_relaxed));
            if (old != NULL)
                index_insert(big, hash_key(d, delta_key(old)), old);
        }
        atomic_store_explicit(&d->index, big, memory_order_release);
        x = big;
    }
    index_insert(x, hash, n);
    d->indexed++;
}

static const struct delta_node *index_find(const struct delta *d, uint64_t hash, bytes key) {
    const struct delta_index *x = atomic_load_explicit(&d->index, memory_order_acquire);
    for (size_t i = hash & x->mask;; i = (i + 1) & x->mask) {
        uint64_t slot = atomic_load_explicit(&x->slots[i], memory_order_acquire);
        if (slot == 0)
            return NULL;
        if (slot >> 48 != hash >> 48)
            continue;
        const struct delta_node *n = slot_node(slot);
        if (n->key_len == key.len && memcmp(delta_key(n).ptr, key.ptr, key.len) == 0)
            return n;
    }
}

/* --- order ---------------------------------------------------------------------------------- */

static struct delta_node *next_at(const struct delta_node *n, int level) {
    return atomic_load_explicit(&n->next[level], memory_order_acquire);
}

static uint64_t key_prefix(bytes key) {
    if (key.len >= 8)
        return be64_load(key.ptr);
    uint8_t b[8] = {0};
    if (key.len > 0)
        memcpy(b, key.ptr, key.len);
    return be64_load(b);
}

/* Whether the node's key is below `key`, whose prefix is given. */
static bool below(const struct delta_node *n, bytes key, uint64_t prefix) {
    return n->prefix != prefix ? n->prefix < prefix : bytes_cmp(delta_key(n), key) < 0;
}

/* Last node with key < `key`; the head if none. */
static const struct delta_node *search(const struct delta *d, bytes key) {
    const struct delta_node *n = d->head;
    uint64_t prefix = key_prefix(key);
    for (int l = atomic_load_explicit(&d->levels, memory_order_acquire) - 1; l >= 0; l--)
        for (const struct delta_node *m = next_at(n, l); m != NULL && below(m, key, prefix);
             m = next_at(n, l))
            n = m;
    return n;
}

const struct delta_node *delta_seek(const struct delta *d, bytes key) {
    return next_at(search(d, key), 0);
}

const struct delta_node *delta_seek_lt(const struct delta *d, bytes key) {
    const struct delta_node *n = search(d, key);
    return n == d->head ? NULL : n;
}

const struct delta_node *delta_find(const struct delta *d, bytes key, bool indexed) {
    if (indexed)
        return index_find(d, hash_key(d, key), key);
    const struct delta_node *n = delta_seek(d, key);
    return n != NULL && bytes_cmp(delta_key(n), key) == 0 ? n : NULL;
}

/* Brings the finger to `key`: climbs while the key is outside of what the finger spans at a level,
 * then searches down. */
static void finger_move(struct delta *d, struct finger *f, bytes key) {
    int levels = atomic_load_explicit(&d->levels, memory_order_relaxed);
    uint64_t prefix = key_prefix(key);
    int l = 0;
    for (; l < levels; l++) {
        const struct delta_node *p = f->prev[l];
        if (p != d->head && !below(p, key, prefix))
            continue;
        const struct delta_node *m = next_at(p, l);
        if (m == NULL || !below(m, key, prefix))
            break;
    }
    struct delta_node *n = l == levels ? d->head : f->prev[l];
    for (l--; l >= 0; l--) {
        for (struct delta_node *m = next_at(n, l); m != NULL && below(m, key, prefix);
             m = next_at(n, l))
            n = m;
        f->prev[l] = n;
    }
}

static int random_height(struct delta *d) {
    d->random ^= d->random << 13;
    d->random ^= d->random >> 7;
    d->random ^= d->random << 17;
    int h = 1;
    for (uint64_t r = d->random; h < DELTA_LEVELS && (r & 3) == 0; r >>= 2)
        h++;
    return h;
}

static struct delta_node *node_insert(struct delta *d, bytes key) {
    struct finger *f = &d->fingers[key.ptr[0] % DELTA_FINGERS];
    uint64_t prefix = key_prefix(key);
    finger_move(d, f, key);
    int height = random_height(d);
    struct delta_node *n =
        arena_alloc(&d->arena, sizeof *n + (size_t)height * sizeof n->next[0] + key.len);
    atomic_init(&n->newest, NULL);
    n->prefix = prefix;
    n->key_len = (uint16_t)key.len;
    n->height = (uint8_t)height;
    memcpy(&n->next[height], key.ptr, key.len);
    for (int l = 0; l < height; l++) {
        /* At upper levels other fingers may have put nodes in between since. */
        struct delta_node *p = f->prev[l];
        for (struct delta_node *m = next_at(p, l); m != NULL && below(m, key, prefix);
             m = next_at(p, l))
            p = m;
        atomic_init(&n->next[l], next_at(p, l));
        atomic_store_explicit(&p->next[l], n, memory_order_release);
        f->prev[l] = n;
    }
    if (height > atomic_load_explicit(&d->levels, memory_order_relaxed))
        atomic_store_explicit(&d->levels, height, memory_order_release);
    atomic_fetch_add_explicit(&d->nodes, 1, memory_order_relaxed);
    return n;
}

/* --- writer --------------------------------------------------------------------------------- */

static void touch(struct delta *d, struct delta_node *n, uint64_t tick) {
    if (d->touched_count == d->touched_cap) {
        d->touched_cap = d->touched_cap == 0 ? 1024 : 2 * d->touched_cap;
        d->touched = realloc(d->touched, d->touched_cap * sizeof *d->touched);
        CHECK(d->touched != NULL);
    }
    d->touched[d->touched_count++] = (struct touched){tick, n};
}

static void add_version(struct delta *d, struct delta_node *n, uint64_t tick, bool absent,
                        bytes value) {
    CHECK(value.len < UINT32_MAX);
    CHECK(tick >= delta_last_tick(d));
    const struct delta_version *newest = atomic_load_explicit(&n->newest, memory_order_relaxed);
    struct delta_version *v = arena_alloc(&d->arena, sizeof *v + value.len);
    v->tick = tick;
    v->older = newest;
    if (newest != NULL && newest->tick == tick)
        v->older = newest->older;
    else
        touch(d, n, tick);
    v->len = (uint32_t)value.len;
    v->absent = absent;
    if (value.len > 0)
        memcpy(v->data, value.ptr, value.len);
    if (delta_first_tick(d) == 0)
        atomic_store_explicit(&d->first_tick, tick, memory_order_release);
    atomic_store_explicit(&n->newest, v, memory_order_release);
    atomic_store_explicit(&d->last_tick, tick, memory_order_release);
    count_bytes(d);
}

struct delta_spot delta_spot(const struct delta *d, bytes key) {
    uint64_t hash = hash_key(d, key);
    return (struct delta_spot){hash, (struct delta_node *)index_find(d, hash, key)};
}

void delta_put_at(struct delta *d, struct delta_spot at, bytes key, uint64_t tick, bool absent,
                  bytes value) {
    CHECK(key.len > 0 && key.len <= DELTA_KEY_MAX);
    if (at.node == NULL) {
        at.node = node_insert(d, key);
        index_add(d, at.hash, at.node);
    }
    add_version(d, at.node, tick, absent, value);
}

void delta_put(struct delta *d, bytes key, bool indexed, uint64_t tick, bool absent, bytes value) {
    CHECK(key.len > 0 && key.len <= DELTA_KEY_MAX);
    if (indexed) {
        delta_put_at(d, delta_spot(d, key), key, tick, absent, value);
        return;
    }
    struct finger *f = &d->fingers[key.ptr[0] % DELTA_FINGERS];
    finger_move(d, f, key);
    struct delta_node *n = next_at(f->prev[0], 0);
    if (n == NULL || bytes_cmp(delta_key(n), key) != 0)
        n = node_insert(d, key);
    add_version(d, n, tick, absent, value);
}

void delta_rewrite(const struct delta_version *v, bool absent, bytes value) {
    struct delta_version *own = (struct delta_version *)v;
    CHECK(value.len <= v->len);
    own->absent = absent;
    own->len = (uint32_t)value.len;
    if (value.len > 0)
        memmove(own->data, value.ptr, value.len);
}

void delta_pop(struct delta *d, bytes key, bool indexed, uint64_t tick) {
    struct delta_node *n = (struct delta_node *)delta_find(d, key, indexed);
    const struct delta_version *v =
        n == NULL ? NULL : atomic_load_explicit(&n->newest, memory_order_relaxed);
    if (v != NULL && v->tick == tick)
        atomic_store_explicit(&n->newest, v->older, memory_order_release);
}

void delta_cut(struct delta *d, uint64_t tick) {
    if (delta_last_tick(d) <= tick)
        return;
    while (d->touched_count > 0 && d->touched[d->touched_count - 1].tick > tick) {
        struct delta_node *n = d->touched[--d->touched_count].node;
        atomic_store_explicit(&n->newest, delta_at(n, tick), memory_order_release);
    }
    atomic_store_explicit(&d->last_tick, tick, memory_order_release);
}
