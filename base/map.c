/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include "base/check.h"

#include <stdlib.h>
#include <sys/random.h>

enum { MAP_CAP_MIN = 8 };
/* A stored hash has this bit, so that 0 can mean "empty"; the rest places the entry. */
#define HASH_USED 0x80000000u
#define MAP_ENTRIES_MAX ((size_t)1 << 30)

struct map_seed map_seed_random(void) {
    struct map_seed s;
    size_t done = 0;
    while (done < sizeof(s)) {
        ssize_t n = getrandom((uint8_t *)&s + done, sizeof(s) - done, 0);
        if (n > 0)
            done += (size_t)n;
    }
    return s;
}

static inline uint64_t rotl64(uint64_t v, int n) {
    return v << n | v >> (64 - n);
}

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline void sip_round(struct sip *s) {
    s->v0 += s->v1;
    s->v1 = rotl64(s->v1, 13) ^ s->v0;
    s->v0 = rotl64(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotl64(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotl64(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotl64(s->v1, 17) ^ s->v2;
    s->v2 = rotl64(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word) {
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

uint64_t map_hash(struct map_seed seed, const void *ptr, size_t len) {
    /* The initial state is ASCII text, as the algorithm's authors chose it. */
    struct sip s = {seed.k0 ^ 0x736f6d6570736575, seed.k1 ^ 0x646f72616e646f6d,
                    seed.k0 ^ 0x6c7967656e657261, seed.k1 ^ 0x7465646279746573};
    const uint8_t *p = ptr;
    size_t left = len;
    for (; left >= 8; p += 8, left -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        sip_word(&s, word);
    }
    uint64_t last = 0;
    if (left > 0)
        memcpy(&last, p, left);
    sip_word(&s, last | (uint64_t)len << 56);
    s.v2 ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

static uint32_t round8(uint32_t n) {
    return (n + 7) & ~(uint32_t)7;
}

void map_init(struct map *m, uint32_t key_len, uint32_t value_len, size_t max_entries,
              struct map_seed seed) {
    CHECK(key_len >= 1 && key_len <= MAP_KEY_BYTES_MAX);
    CHECK(value_len <= 1u << 20);
    CHECK(max_entries >= 1 && max_entries <= MAP_ENTRIES_MAX);
    *m = (struct map){
        .key_len = key_len,
        .value_len = value_len,
        .value_at = round8(key_len),
        .slot_len = round8(key_len) + round8(value_len),
        .max_entries = max_entries,
        .seed = seed,
    };
    if (value_len == 0) /* a set needs no padding after its keys */
        m->slot_len = key_len;
}

void map_clear(struct map *m) {
    free(m->hashes);
    free(m->slots);
    m->hashes = NULL;
    m->slots = NULL;
    m->cap = 0;
    m->count = 0;
}

void map_reset(struct map *m) {
    if (m->cap > 0)
        memset(m->hashes, 0, m->cap * sizeof(*m->hashes));
    m->count = 0;
}

static inline uint8_t *slot_at(const struct map *m, size_t i) {
    return m->slots + i * m->slot_len;
}

static inline uint32_t hash_of(const struct map *m, const void *key) {
    return (uint32_t)map_hash(m->seed, key, m->key_len) | HASH_USED;
}

/* The slot that holds the key, or the empty one where it belongs. cap > 0. */
static size_t find(const struct map *m, const void *key, uint32_t hash) {
    size_t mask = m->cap - 1;
    size_t i = hash & mask;
    while (m->hashes[i] != 0) {
        if (m->hashes[i] == hash && memcmp(slot_at(m, i), key, m->key_len) == 0)
            break;
        i = (i + 1) & mask;
    }
    return i;
}

static enum err rehash(struct map *m, size_t cap) {
    uint32_t *hashes = calloc(cap, sizeof(*hashes));
    uint8_t *slots = NULL;
    if (cap <= SIZE_MAX / m->slot_len)
        slots = malloc(cap * m->slot_len);
    if (hashes == NULL || slots == NULL) {
        free(hashes);
        free(slots);
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < m->cap; i++) {
        if (m->hashes[i] == 0)
            continue;
        size_t to = m->hashes[i] & (cap - 1);
        while (hashes[to] != 0)
            to = (to + 1) & (cap - 1);
        hashes[to] = m->hashes[i];
        memcpy(slots + to * m->slot_len, slot_at(m, i), m->slot_len);
    }
    free(m->hashes);
    free(m->slots);
    m->hashes = hashes;
    m->slots = slots;
    m->cap = cap;
    return ERR_OK;
}

/* Makes room for `count` entries at once. */
static enum err reserve(struct map *m, size_t count) {
    if (count > m->max_entries)
        return ERR_TOO_LARGE;
    size_t cap = m->cap > 0 ? m->cap : MAP_CAP_MIN;
    while (count > cap / 4 * 3)
        cap *= 2;
    return cap == m->cap ? ERR_OK : rehash(m, cap);
}

void *map_get(const struct map *m, const void *key) {
    if (m->count == 0)
        return NULL;
    size_t i = find(m, key, hash_of(m, key));
    if (m->hashes[i] == 0)
        return NULL;
    return m->value_len == 0 ? slot_at(m, i) : slot_at(m, i) + m->value_at;
}

enum err map_ensure(struct map *m, const void *key, void **out_value, bool *out_new) {
    uint32_t hash = hash_of(m, key);
    size_t i = m->cap > 0 ? find(m, key, hash) : 0;
    bool is_new = m->cap == 0 || m->hashes[i] == 0;
    if (is_new) {
        size_t cap = m->cap;
        TRY(reserve(m, m->count + 1));
        if (m->cap != cap)
            i = find(m, key, hash);
        m->hashes[i] = hash;
        memcpy(slot_at(m, i), key, m->key_len);
        if (m->value_len > 0)
            memset(slot_at(m, i) + m->value_at, 0, m->value_len);
        m->count++;
    }
    if (out_value != NULL)
        *out_value = m->value_len == 0 ? slot_at(m, i) : slot_at(m, i) + m->value_at;
    if (out_new != NULL)
        *out_new = is_new;
    return ERR_OK;
}

enum err map_put(struct map *m, const void *key, const void *value) {
    void *at;
    TRY(map_ensure(m, key, &at, NULL));
    if (m->value_len > 0)
        memcpy(at, value, m->value_len);
    return ERR_OK;
}

bool map_del(struct map *m, const void *key) {
    if (m->count == 0)
        return false;
    size_t mask = m->cap - 1;
    size_t hole = find(m, key, hash_of(m, key));
    if (m->hashes[hole] == 0)
        return false;
    /* Each later entry of the run moves into the hole unless that would put it before its home. */
    for (size_t i = (hole + 1) & mask; m->hashes[i] != 0; i = (i + 1) & mask) {
        size_t home = m->hashes[i] & mask;
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        m->hashes[hole] = m->hashes[i];
        memcpy(slot_at(m, hole), slot_at(m, i), m->slot_len);
        hole = i;
    }
    m->hashes[hole] = 0;
    m->count--;
    return true;
}

bool map_next(const struct map *m, size_t *it, const void **out_key, void **out_value) {
    size_t i = *it;
    while (i < m->cap && m->hashes[i] == 0)
        i++;
    if (i >= m->cap)
        return false;
    *it = i + 1;
    if (out_key != NULL)
        *out_key = slot_at(m, i);
    if (out_value != NULL)
        *out_value = m->value_len == 0 ? slot_at(m, i) : slot_at(m, i) + m->value_at;
    return true;
}
