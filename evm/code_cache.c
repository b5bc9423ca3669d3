/* SPDX-License-Identifier: Apache-2.0 */
/* Hash table from code hash to what the machine derived from the code. Grows without a look at the
 * budget while transactions run (their gas bounds it); trim evicts between them. */
#include "base/check.h"
#include "evm/machine.h"
#include "evm/profile.h"

#include <stdlib.h>

struct evm_code_cache {
    struct code_entry **buckets;
    size_t bucket_count; /* a power of two */
    size_t entry_count;
    size_t used_bytes;
    size_t budget_bytes;
    uint64_t epoch; /* from 1, so that a zeroed handle is not valid */
    uint64_t round; /* trims so far */
    uint32_t heat;
    struct decode_scratch scratch;
    struct evm_profile *profile;
};

enum { BUCKETS_MIN = 1024 };

struct evm_code_cache *evm_code_cache_new(size_t budget_bytes) {
    struct evm_code_cache *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->bucket_count = BUCKETS_MIN;
    c->buckets = calloc(c->bucket_count, sizeof *c->buckets);
    if (c->buckets == NULL) {
        free(c);
        return NULL;
    }
    c->budget_bytes = budget_bytes;
    c->epoch = 1;
    c->heat = EVM_CODE_HEAT_DEFAULT;
    return c;
}

size_t evm_code_cache_bytes(const struct evm_code_cache *c) {
    return c->used_bytes;
}

static void entry_free(struct evm_code_cache *c, struct code_entry *e) {
    c->used_bytes -= e->size_bytes;
    c->entry_count--;
    free((void *)(uintptr_t)e->jumpdests);
    for (unsigned i = 0; i < EVM_REVISION_COUNT; i++)
        free(e->decoded[i]);
    free(e);
}

void evm_code_cache_free(struct evm_code_cache *c) {
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->bucket_count; i++) {
        for (struct code_entry *e = c->buckets[i], *next; e != NULL; e = next) {
            next = e->next;
            entry_free(c, e);
        }
    }
    CHECK(c->entry_count == 0);
    CHECK(c->used_bytes == 0);
    free(c->buckets);
    free(c->scratch.ptr);
    free(c);
}

/* Drops what was not used since round `before`, while over `target` bytes. */
static void evict(struct evm_code_cache *c, uint64_t before, size_t target) {
    for (size_t i = 0; i < c->bucket_count && c->used_bytes > target; i++) {
        struct code_entry **at = &c->buckets[i];
        while (*at != NULL && c->used_bytes > target) {
            struct code_entry *e = *at;
            if (e->last_used >= before) {
                at = &e->next;
                continue;
            }
            *at = e->next;
            entry_free(c, e);
        }
    }
}

void evm_code_cache_trim(struct evm_code_cache *c) {
    c->round++;
    if (c->used_bytes <= c->budget_bytes)
        return;
    /* A quarter below the budget, so that a full cache is not walked after each transaction. Last
     * used longest ago first, in steps that bound the number of walks. */
    size_t target = c->budget_bytes - c->budget_bytes / 4;
    for (uint64_t age = c->round; age > 0 && c->used_bytes > target; age /= 4)
        evict(c, c->round - age, target);
    evict(c, c->round + 1, target);
    c->epoch++;
}

void evm_code_cache_set_heat(struct evm_code_cache *c, uint32_t gas_per_byte) {
    c->heat = gas_per_byte;
}
void evm_code_cache_set_profile(struct evm_code_cache *c, struct evm_profile *p) {
    for (size_t i = 0; i < c->bucket_count; i++)
        CHECK(c->buckets[i] == NULL);
    c->profile = p;
    c->scratch.labels = profiled_labels();
    c->heat = 0;
}
struct evm_profile *code_cache_profile(const struct evm_code_cache *c) {
    return c->profile;
}
uint64_t code_cache_heat(const struct evm_code_cache *c) {
    return c->heat;
}

static size_t bucket_of(const struct evm_code_cache *c, const hash32 *h) {
    return (size_t)be64_load(h->b) & (c->bucket_count - 1);
}

/* Doubles the table; stays as it is when memory runs out. */
static void rehash(struct evm_code_cache *c) {
    size_t old_count = c->bucket_count;
    struct code_entry **old = c->buckets;
    struct code_entry **fresh = calloc(old_count * 2, sizeof(struct code_entry *));
    if (fresh == NULL)
        return;
    c->buckets = fresh;
    c->bucket_count = old_count * 2;
    for (size_t i = 0; i < old_count; i++) {
        for (struct code_entry *e = old[i], *next; e != NULL; e = next) {
            next = e->next;
            size_t b = bucket_of(c, &e->hash);
            e->next = fresh[b];
            fresh[b] = e;
        }
    }
    free(old);
}

static struct code_entry *find_or_add(struct evm_code_cache *c, const hash32 *hash) {
    for (struct code_entry *e = c->buckets[bucket_of(c, hash)]; e != NULL; e = e->next)
        if (hash32_eq(&e->hash, hash))
            return e;
    if (c->entry_count >= c->bucket_count)
        rehash(c);
    struct code_entry *e = calloc(1, sizeof *e);
    if (e == NULL)
        return NULL;
    e->hash = *hash;
    e->size_bytes = sizeof *e;
    size_t b = bucket_of(c, hash);
    e->next = c->buckets[b];
    c->buckets[b] = e;
    c->entry_count++;
    c->used_bytes += e->size_bytes;
    return e;
}

struct code_entry *code_cache_get(struct evm_code_cache *c, const struct evm_code_ref *ref) {
    struct evm_code_handle *h = ref->handle;
    struct code_entry *e = NULL;
    if (h != NULL && h->epoch == c->epoch && h->decoded != NULL) {
        e = (struct code_entry *)(uintptr_t)h->decoded;
        /* A host that forgot to clear the handle when code changed must not run other code. */
        if (!hash32_eq(&e->hash, &ref->code_hash))
            e = NULL;
    }
    if (e == NULL) {
        e = find_or_add(c, &ref->code_hash);
        if (e == NULL)
            return NULL;
        if (h != NULL)
            *h = (struct evm_code_handle){.decoded = e, .epoch = c->epoch};
    }
    e->last_used = c->round;
    return e;
}

static void grown(struct evm_code_cache *c, struct code_entry *e, size_t by) {
    e->size_bytes += by;
    c->used_bytes += by;
}

const uint8_t *code_entry_jumpdests(struct evm_code_cache *c, struct code_entry *e, bytes code) {
    if (e->jumpdests == NULL) {
        size_t len = (code.len + 7) / 8;
        uint8_t *map = malloc(len);
        if (map == NULL)
            return NULL;
        mark_jumpdests(map, code);
        e->jumpdests = map;
        grown(c, e, len);
    }
    return e->jumpdests;
}

const struct decoded *code_entry_decoded(struct evm_code_cache *c, struct code_entry *e,
                                         enum evm_revision rev, bytes code) {
    if (e->decoded[rev] == NULL) {
        e->decoded[rev] = decode(&c->scratch, rev, code);
        if (e->decoded[rev] != NULL)
            grown(c, e, e->decoded[rev]->size_bytes);
    }
    return e->decoded[rev];
}
