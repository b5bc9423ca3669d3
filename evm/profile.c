/* SPDX-License-Identifier: Apache-2.0 */
/* The counting loop and its table. Triples are counted; pairs and singles are sums of them. */
#include "evm/profile.h"

#include "base/check.h"
#include "evm/interp_common.h"
#include "evm/kinds.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    TRIPLES = 1 << 16, /* places; programs have some thousand different triples */
    PROBES_MAX = 64,   /* a triple that finds no place in so many counts in `lost` */
    KIND_BITS = 10,
    KIND_MASK = (1 << KIND_BITS) - 1,
};
_Static_assert((int)FAST_OP_COUNT < (int)KIND_MASK, "a kind and the key 0, which is no triple");

struct triple {
    uint32_t key; /* three kinds, each plus 1, the newest lowest; 0: free place */
    uint64_t count;
};
struct evm_profile {
    uint32_t last; /* the newest key */
    uint64_t total, lost;
    struct triple triples[TRIPLES];
};

struct evm_profile *evm_profile_new(void) {
    return calloc(1, sizeof(struct evm_profile));
}
void evm_profile_free(struct evm_profile *p) {
    free(p);
}
uint64_t evm_profile_total(const struct evm_profile *p) {
    return p->total;
}

/* The place of a key, or a free one; NULL when there is neither near by. */
static struct triple *place_of(struct triple *t, uint32_t key) {
    uint32_t at = (uint32_t)(key * UINT32_C(0x9e3779b1)) >> 16;
    for (unsigned i = 0; i < PROBES_MAX; i++, at = (at + 1) % TRIPLES)
        if (t[at].key == key || t[at].key == 0)
            return &t[at];
    return NULL;
}

static void add(struct triple *t, uint64_t *lost, uint32_t key, uint64_t count) {
    struct triple *at = place_of(t, key);
    if (at == NULL) {
        *lost += count;
        return;
    }
    at->key = key;
    at->count += count;
}

static void count_slot(struct evm_profile *p, uint32_t kind) {
    p->last = (p->last << KIND_BITS | (kind + 1)) & ((UINT32_C(1) << 3 * KIND_BITS) - 1);
    p->total++;
    add(p->triples, &p->lost, p->last, 1);
}

/* --- the loop
 * ---------------------------------------------------------------------------------------- */
#define LOOP_NAME interp_profiled
#define COUNT_SLOT(kind) count_slot(vm->profile, (kind))
static const void *const *label_table;
#include "evm/interp_fast_loop.inc"

static pthread_once_t labels_once = PTHREAD_ONCE_INIT;
static void publish_labels(void) {
    (void)interp_profiled(NULL, NULL);
}

const void *const *profiled_labels(void) {
    CHECK(pthread_once(&labels_once, publish_labels) == 0);
    return label_table;
}

/* --- what was counted
 * -------------------------------------------------------------------------------- */
static const char *const extra_names[] = {
#define FUSED(name) [FAST_##name - FAST_FIRST_EXTRA] = #name,
#include "evm/fused.def"
#undef FUSED
};

static const char *kind_name(uint32_t kind) {
    return kind > FAST_FIRST_EXTRA ? extra_names[kind - FAST_FIRST_EXTRA] : op_name((uint8_t)kind);
}

static int by_count(const void *a, const void *b) {
    const struct triple *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return x->key < y->key ? -1 : x->key > y->key;
}

size_t evm_profile_rows(const struct evm_profile *p, struct evm_profile_row *out, size_t cap,
                        unsigned length) {
    CHECK(length >= 1 && length <= EVM_PROFILE_LENGTH_MAX);
    struct triple *sums = calloc(TRIPLES, sizeof *sums);
    CHECK(sums != NULL);
    uint64_t lost = 0;
    uint32_t mask = (UINT32_C(1) << length * KIND_BITS) - 1;
    for (size_t i = 0; i < TRIPLES; i++)
        /* The first slots of all have none before them. */
        if ((p->triples[i].key & mask) >> (length - 1) * KIND_BITS != 0)
            add(sums, &lost, p->triples[i].key & mask, p->triples[i].count);
    qsort(sums, TRIPLES, sizeof *sums, by_count);
    size_t n = 0;
    for (; n < cap && n < TRIPLES && sums[n].count != 0; n++) {
        out[n] = (struct evm_profile_row){.count = sums[n].count};
        for (unsigned i = 0; i < length; i++)
            out[n].name[i] =
                kind_name((sums[n].key >> (length - 1 - i) * KIND_BITS & KIND_MASK) - 1);
    }
    free(sums);
    return n;
}
