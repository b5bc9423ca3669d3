/* SPDX-License-Identifier: Apache-2.0 */
#include "index/log_cache.h"

#include "base/check.h"

#include <stdlib.h>

enum {
    WAYS = 4,
    BYTES_PER_BUCKET = 512, /* room for twice the logs that fit */
    ALIGN = 8,
};

/* Positions count all bytes that were ever written, so that what has been written over is known by
 * its position alone. */
struct slot {
    uint64_t number, at;
    uint32_t place;
    uint32_t group_count; /* 0: free */
};

struct index_cache {
    struct slot (*slots)[WAYS];
    size_t bucket_count;
    struct index_stamp stamps[INDEX_CACHE_STAMPS]; /* by number; 0: free, as block 0 has no logs */
    uint64_t head;                                 /* where the next entry begins */
    uint8_t *ring;                                 /* an entry lies in one piece */
    size_t ring_bytes;
};

struct index_cache *index_cache_new(size_t ring_bytes) {
    struct index_cache *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    c->ring_bytes = ring_bytes / ALIGN * ALIGN;
    c->bucket_count = ring_bytes / BYTES_PER_BUCKET;
    CHECK(c->bucket_count > 0);
    c->ring = malloc(c->ring_bytes);
    c->slots = calloc(c->bucket_count, sizeof(c->slots[0]));
    if (c->ring == NULL || c->slots == NULL) {
        index_cache_free(c);
        return NULL;
    }
    return c;
}

void index_cache_free(struct index_cache *c) {
    if (c == NULL)
        return;
    free(c->ring);
    free(c->slots);
    free(c);
}

void index_cache_clear(struct index_cache *c) {
    memset(c->slots, 0, c->bucket_count * sizeof(c->slots[0]));
    memset(c->stamps, 0, sizeof(c->stamps));
    c->head = 0;
}

enum err log_cache_stamp(struct index_stamp *out, struct index_cache *c, struct store_view *v,
                         uint64_t number) {
    struct index_stamp *s = c == NULL ? NULL : &c->stamps[number % INDEX_CACHE_STAMPS];
    if (s != NULL && s->number == number && number != 0) {
        *out = *s;
        return ERR_OK;
    }
    TRY(index_stamp(out, v, number));
    if (s != NULL)
        *s = *out;
    return ERR_OK;
}

static struct slot *bucket_of(struct index_cache *c, uint64_t number, uint32_t place) {
    uint64_t h = (number ^ (uint64_t)place << 40) * UINT64_C(0x9e3779b97f4a7c15);
    return c->slots[(h >> 32) % c->bucket_count];
}

static bool stands(const struct index_cache *c, const struct slot *s) {
    return s->group_count > 0 && c->head <= s->at + c->ring_bytes;
}

bool log_cache_get(struct log_groups *out, struct index_cache *c, uint64_t number, uint32_t place) {
    struct slot *b = c == NULL ? NULL : bucket_of(c, number, place);
    for (size_t i = 0; b != NULL && i < WAYS; i++) {
        if (b[i].number != number || b[i].place != place || !stands(c, &b[i]))
            continue;
        const void *entry = c->ring + b[i].at % c->ring_bytes;
        *out = (struct log_groups){.at = entry, .count = b[i].group_count};
        return true;
    }
    return false;
}

static size_t aligned(size_t len) {
    return (len + ALIGN - 1) / ALIGN * ALIGN;
}

/* SIZE_MAX: too long. */
static size_t bytes_for(struct log_groups g, size_t most) {
    size_t len = g.count <= most ? g.count * sizeof(struct log_group) : SIZE_MAX;
    for (size_t i = 0; i < g.count && len <= most; i++) {
        const struct log_group *from = &g.at[i];
        for (size_t j = 0; j < from->log_count && len <= most; j++)
            len += sizeof(struct log_entry) + aligned(from->logs[j].data.len);
    }
    return len <= most ? len : SIZE_MAX;
}

static void copy_groups(uint8_t *to, struct log_groups g) {
    struct log_group *groups = (struct log_group *)(void *)to;
    uint8_t *at = to + g.count * sizeof(struct log_group);
    for (size_t i = 0; i < g.count; i++) {
        struct log_entry *logs = (struct log_entry *)(void *)at;
        groups[i] = g.at[i];
        groups[i].logs = logs;
        at += g.at[i].log_count * sizeof(struct log_entry);
        for (size_t j = 0; j < g.at[i].log_count; j++) {
            bytes data = g.at[i].logs[j].data;
            logs[j] = g.at[i].logs[j];
            if (data.len > 0)
                memcpy(at, data.ptr, data.len);
            logs[j].data.ptr = at;
            at += aligned(data.len);
        }
    }
}

void log_cache_put(struct index_cache *c, uint64_t number, uint32_t place, struct log_groups g) {
    _Static_assert(_Alignof(struct log_group) <= ALIGN && _Alignof(struct log_entry) <= ALIGN, "");
    _Static_assert(sizeof(struct log_group) % ALIGN == 0 && sizeof(struct log_entry) % ALIGN == 0,
                   "");
    size_t len =
        c == NULL || g.count == 0 ? SIZE_MAX : bytes_for(g, c->ring_bytes / INDEX_CACHE_PARTS);
    if (len == SIZE_MAX)
        return;
    struct slot *b = bucket_of(c, number, place), *oldest = b;
    for (size_t i = 0; i < WAYS; i++) {
        if (!stands(c, &b[i])) {
            oldest = &b[i];
            break;
        }
        if (b[i].at < oldest->at)
            oldest = &b[i];
    }
    size_t left = c->ring_bytes - c->head % c->ring_bytes;
    if (left < len)
        c->head += left;
    *oldest = (struct slot){
        .number = number, .place = place, .at = c->head, .group_count = (uint32_t)g.count};
    copy_groups(c->ring + c->head % c->ring_bytes, g);
    c->head += len;
}
