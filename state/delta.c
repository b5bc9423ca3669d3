/* SPDX-License-Identifier: Apache-2.0 */
#include "state/delta.h"

#include "base/array.h"
#include "base/check.h"
#include "state/slab.h"

#include <stdlib.h>

enum {
    INDEX_FIRST_SLOTS = 1 << 10,
    PREFIX_BYTES = 16,
    EXPECTED_KEYS = 16,    /* searched for side by side: more misses than a core can have open */
    EXPECT_NODES = 1 << 12 /* in fewer nothing is far away */
};

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
    struct slabs mem;
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
    atomic_store_explicit(&d->bytes, sizeof *d + d->mem.bytes + lists, memory_order_relaxed);
}

struct delta *delta_new(uint64_t seed, struct slab_pool *pool) {
    struct delta *d = calloc(1, sizeof *d);
    CHECK(d != NULL);
    atomic_init(&d->refs, 1);
    d->seed = seed;
    d->random = seed | 1;
    d->mem.pool = pool;
    size_t head = sizeof *d->head + DELTA_LEVELS * sizeof d->head->next[0];
    d->head = memset(slabs_take(&d->mem, head, SLAB_LINE), 0, head);
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
    slabs_clear(&d->mem);
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

/* `slot` is what `hash` and its node make. */
static void index_insert(struct delta_index *x, uint32_t hash, uint64_t slot) {
    size_t i = hash & x->mask;
    while (atomic_load_explicit(&x->slots[i], memory_order_relaxed) != 0)
        i = (i + 1) & x->mask;
    atomic_store_explicit(&x->slots[i], slot, memory_order_release);
}

static void index_add(struct delta *d, uint64_t hash, struct delta_node *n) {
    struct delta_index *x = atomic_load_explicit(&d->index, memory_order_relaxed);
    if (d->indexed * 2 > x->mask) {
        struct delta_index *big = index_new(d, (x->mask + 1) * 4, x);
        CHECK(big->mask <= UINT32_MAX); /* nodes keep as much of their hashes */
        for (size_t i = 0; i <= x->mask; i++) {
            uint64_t slot = atomic_load_explicit(&x->slots[i], memory_order_relaxed);
            if (slot != 0)
                index_insert(big, slot_node(slot)->hash, slot);
        }
        atomic_store_explicit(&d->index, big, memory_order_release);
        x = big;
    }
    CHECK(((uint64_t)n >> 48) == 0);
    index_insert(x, (uint32_t)hash, (uint64_t)n | hash >> 48 << 48);
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

/* A key that is searched for, with the prefix that nodes have. */
struct sought {
    bytes key;
    uint64_t prefix[2];
};

static struct sought sought(bytes key) {
    uint8_t b[PREFIX_BYTES] = {0};
    const uint8_t *p = key.ptr;
    if (key.len < PREFIX_BYTES) {
        if (key.len > 0)
            memcpy(b, key.ptr, key.len);
        p = b;
    }
    return (struct sought){key, {be64_load(p), be64_load(p + 8)}};
}

/* Whether the node's key is below the one sought. */
static bool below(const struct delta_node *n, const struct sought *k) {
    if (n->prefix[0] != k->prefix[0])
        return n->prefix[0] < k->prefix[0];
    if (n->prefix[1] != k->prefix[1])
        return n->prefix[1] < k->prefix[1];
    return bytes_cmp(delta_key(n), k->key) < 0;
}

static bool is_key(const struct delta_node *n, const struct sought *k) {
    return n->prefix[0] == k->prefix[0] && n->prefix[1] == k->prefix[1] &&
           bytes_cmp(delta_key(n), k->key) == 0;
}

/* Last node at the level with a key below the one sought, from `n` on, which is such a node or the
 * head. */
static struct delta_node *last_below(const struct delta_node *n, int level,
                                     const struct sought *k) {
    for (struct delta_node *m = next_at(n, level); m != NULL && below(m, k); m = next_at(n, level))
        n = m;
    return (struct delta_node *)n;
}

/* Last node with key < `key`; the head if none. */
static const struct delta_node *search(const struct delta *d, const struct sought *k) {
    const struct delta_node *n = d->head;
    for (int l = atomic_load_explicit(&d->levels, memory_order_acquire) - 1; l >= 0; l--)
        n = last_below(n, l, k);
    return n;
}

const struct delta_node *delta_seek(const struct delta *d, bytes key) {
    struct sought k = sought(key);
    return next_at(search(d, &k), 0);
}

const struct delta_node *delta_seek_lt(const struct delta *d, bytes key) {
    struct sought k = sought(key);
    const struct delta_node *n = search(d, &k);
    return n == d->head ? NULL : n;
}

const struct delta_node *delta_find(const struct delta *d, bytes key, bool indexed) {
    if (indexed)
        return index_find(d, hash_key(d, key), key);
    struct sought k = sought(key);
    const struct delta_node *n = next_at(search(d, &k), 0);
    return n != NULL && is_key(n, &k) ? n : NULL;
}

/* --- fetching ahead ------------------------------------------------------------------------- */

/* A search that goes on by one node whenever the one it asked for is there. */
struct walk {
    struct sought k;
    uint64_t hash;
    const struct delta_node *at, *next; /* `next` was asked for */
    int level;                          /* -1: done */
};

static void walk_on(struct walk *w) {
    if (w->next != NULL && below(w->next, &w->k)) {
        w->at = w->next;
        w->next = next_at(w->at, w->level);
    } else {
        const struct delta_node *m = w->next;
        while (--w->level >= 0 && next_at(w->at, w->level) == m)
            ; /* known not to be below */
        w->next = w->level >= 0 ? next_at(w->at, w->level) : NULL;
    }
    __builtin_prefetch(w->next);
}

/* The node that the index most likely has for the key, NULL if it has none. */
static const struct delta_node *index_guess(const struct delta_index *x, uint64_t hash) {
    for (size_t i = hash & x->mask;; i = (i + 1) & x->mask) {
        uint64_t slot = atomic_load_explicit(&x->slots[i], memory_order_acquire);
        if (slot == 0 || slot >> 48 == hash >> 48)
            return slot_node(slot);
    }
}

static void expect_some(const struct delta *d, const bytes *keys, size_t count, bool indexed) {
    const struct delta_index *x = atomic_load_explicit(&d->index, memory_order_acquire);
    int top = atomic_load_explicit(&d->levels, memory_order_acquire) - 1;
    struct walk walks[EXPECTED_KEYS];
    const struct delta_node *found[EXPECTED_KEYS];
    size_t live = 0, found_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct walk *w = &walks[i];
        *w = (struct walk){.k = sought(keys[i]), .at = d->head, .level = top};
        w->next = next_at(d->head, top);
        if (indexed) {
            w->hash = hash_key(d, keys[i]);
            __builtin_prefetch(&x->slots[w->hash & x->mask]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        const struct delta_node *n = indexed ? index_guess(x, walks[i].hash) : NULL;
        if (n == NULL) {
            walks[live++] = walks[i];
            continue;
        }
        found[found_count++] = n;
        __builtin_prefetch(n);
        __builtin_prefetch((const uint8_t *)n + SLAB_LINE); /* the rest of the key, a value */
    }
    for (size_t i = 0; i < found_count; i++)
        __builtin_prefetch(atomic_load_explicit(&found[i]->newest, memory_order_relaxed));
    while (live > 0) {
        size_t left = 0;
        for (size_t i = 0; i < live; i++) {
            walk_on(&walks[i]);
            if (walks[i].level < 0)
                continue;
            if (left != i)
                walks[left] = walks[i];
            left++;
        }
        live = left;
    }
}

void delta_expect(const struct delta *d, const bytes *keys, size_t count, bool indexed) {
    if (delta_nodes(d) < EXPECT_NODES)
        return;
    for (size_t i = 0; i < count; i += EXPECTED_KEYS)
        expect_some(d, keys + i, count - i < EXPECTED_KEYS ? count - i : EXPECTED_KEYS, indexed);
}

/* --- insertion ------------------------------------------------------------------------------ */

/* Brings the finger to the key: climbs while the key is outside of what the finger spans at a
 * level, then searches down. */
static void finger_move(struct delta *d, struct finger *f, const struct sought *k) {
    int levels = atomic_load_explicit(&d->levels, memory_order_relaxed);
    int l = 0;
    for (; l < levels; l++) {
        const struct delta_node *p = f->prev[l];
        if (p != d->head && !below(p, k))
            continue;
        const struct delta_node *m = next_at(p, l);
        if (m == NULL || !below(m, k))
            break;
    }
    struct delta_node *n = l == levels ? d->head : f->prev[l];
    for (l--; l >= 0; l--)
        f->prev[l] = n = last_below(n, l, k);
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

/* A version's bytes with those that keep what is behind it aligned. */
static size_t version_bytes(size_t value_len) {
    size_t align = _Alignof(struct delta_version);
    return (sizeof(struct delta_version) + value_len + align - 1) / align * align;
}

/* A node with room for its first version behind the key: most keys never get another. It begins a
 * line of the cache, of which a search reads no more on its way. Where the finger is. */
static struct delta_node *node_insert(struct delta *d, struct finger *f, const struct sought *k,
                                      size_t value_len, struct delta_version **out) {
    int height = random_height(d);
    size_t align = _Alignof(struct delta_version),
           at = sizeof(struct delta_node) + (size_t)height * sizeof f->prev[0] + k->key.len;
    at = (at + align - 1) / align * align;
    struct delta_node *n = slabs_take(&d->mem, at + version_bytes(value_len), SLAB_LINE);
    *out = (struct delta_version *)(void *)((uint8_t *)n + at);
    atomic_init(&n->newest, NULL);
    n->prefix[0] = k->prefix[0];
    n->prefix[1] = k->prefix[1];
    n->hash = 0;
    n->key_len = (uint16_t)k->key.len;
    n->height = (uint8_t)height;
    memcpy(&n->next[height], k->key.ptr, k->key.len);
    for (int l = 0; l < height; l++) {
        /* At upper levels other fingers may have put nodes in between since. */
        struct delta_node *p = last_below(f->prev[l], l, k);
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
    if (d->touched_count == d->touched_cap)
        d->touched =
            array_grow(d->touched, &d->touched_cap, sizeof *d->touched, d->touched_count + 1);
    d->touched[d->touched_count++] = (struct touched){tick, n};
}

/* `v` is memory for it. */
static void add_version(struct delta *d, struct delta_node *n, struct delta_version *v,
                        uint64_t tick, bool absent, bytes value) {
    CHECK(tick >= delta_last_tick(d));
    const struct delta_version *newest = atomic_load_explicit(&n->newest, memory_order_relaxed);
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

static struct finger *finger_of(struct delta *d, bytes key) {
    return &d->fingers[key.ptr[0] % DELTA_FINGERS];
}

struct delta_spot delta_spot(const struct delta *d, bytes key) {
    uint64_t hash = hash_key(d, key);
    return (struct delta_spot){hash, (struct delta_node *)index_find(d, hash, key)};
}

/* Room for a version of a node, which is made if it is NULL, where the finger is or its key would
 * be. */
static struct delta_version *version_new(struct delta *d, struct delta_node **n, struct finger *f,
                                         const struct sought *k, size_t value_len) {
    struct delta_version *v;
    CHECK(value_len < UINT32_MAX);
    CHECK(d->mem.bytes < DELTA_MAX_BYTES);
    if (*n == NULL)
        *n = node_insert(d, f, k, value_len, &v);
    else
        v = slabs_take(&d->mem, version_bytes(value_len), _Alignof(struct delta_version));
    return v;
}

void delta_put_at(struct delta *d, struct delta_spot at, bytes key, uint64_t tick, bool absent,
                  bytes value) {
    CHECK(key.len > 0 && key.len <= DELTA_KEY_MAX);
    struct finger *f = finger_of(d, key);
    struct sought k = sought(key);
    bool is_new = at.node == NULL;
    if (is_new)
        finger_move(d, f, &k);
    struct delta_version *v = version_new(d, &at.node, f, &k, value.len);
    if (is_new) {
        at.node->hash = (uint32_t)at.hash;
        index_add(d, at.hash, at.node);
    }
    add_version(d, at.node, v, tick, absent, value);
}

void delta_put(struct delta *d, bytes key, bool indexed, uint64_t tick, bool absent, bytes value) {
    CHECK(key.len > 0 && key.len <= DELTA_KEY_MAX);
    if (indexed) {
        delta_put_at(d, delta_spot(d, key), key, tick, absent, value);
        return;
    }
    struct finger *f = finger_of(d, key);
    struct sought k = sought(key);
    finger_move(d, f, &k);
    struct delta_node *n = next_at(f->prev[0], 0);
    if (n != NULL && !is_key(n, &k))
        n = NULL;
    struct delta_version *v = version_new(d, &n, f, &k, value.len);
    add_version(d, n, v, tick, absent, value);
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
