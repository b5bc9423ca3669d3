/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/access_tracer.h"

#include "base/check.h"
#include "evm/opcode.h"

#include <stdlib.h>

enum { SLOT_KEY_BYTES = 52 };

static void add_account(struct access_tracer *t, const addr20 *a) {
    if (map_put(&t->accounts, a->b, NULL) != ERR_OK)
        t->full = true;
}

static void add_slot(struct access_tracer *t, const addr20 *a, const u256 *slot) {
    uint8_t key[SLOT_KEY_BYTES];
    memcpy(key, a->b, 20);
    u256_to_be32(key + 20, slot);
    add_account(t, a);
    if (map_put(&t->slots, key, NULL) != ERR_OK)
        t->full = true;
}

static void touch(struct access_tracer *t, const u256 *word) {
    addr20 a = u256_to_addr(word);
    if (!map_has(&t->excluded, a.b))
        add_account(t, &a);
}

static void on_step(void *ctx, const struct evm_step *s) {
    struct access_tracer *t = ctx;
    if (s->error != EVM_SUCCESS)
        return;
    const u256 *top = s->stack + s->stack_len; /* one past; what is used has been checked */
    switch (s->op) {
    case OP_SLOAD:
    case OP_SSTORE:
        add_slot(t, s->address, &top[-1]);
        break;
    case OP_EXTCODECOPY:
    case OP_EXTCODEHASH:
    case OP_EXTCODESIZE:
    case OP_BALANCE:
    case OP_SELFDESTRUCT:
        touch(t, &top[-1]);
        break;
    case OP_CALL:
    case OP_CALLCODE:
    case OP_DELEGATECALL:
    case OP_STATICCALL:
        touch(t, &top[-2]);
        break;
    default:
        break;
    }
}

void access_tracer_init(struct access_tracer *t) {
    *t = (struct access_tracer){
        .watch = exec_watch_through(&t->hooks),
        .hooks = {.ctx = t, .on_step = on_step},
    };
    struct map_seed seed = map_seed_random();
    map_init(&t->excluded, 20, 0, ACCESS_ENTRIES_MAX, seed);
    map_init(&t->accounts, 20, 0, ACCESS_ENTRIES_MAX, seed);
    map_init(&t->slots, SLOT_KEY_BYTES, 0, ACCESS_ENTRIES_MAX, seed);
}

void access_tracer_clear(struct access_tracer *t) {
    map_clear(&t->excluded);
    map_clear(&t->accounts);
    map_clear(&t->slots);
}

void access_tracer_exclude(struct access_tracer *t, const addr20 *a) {
    if (map_put(&t->excluded, a->b, NULL) != ERR_OK)
        t->full = true;
}

size_t access_tracer_count(const struct access_tracer *t) {
    return t->accounts.count + t->slots.count;
}

void access_tracer_add(struct access_tracer *t, const struct tx_access *list, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!map_has(&t->excluded, list[i].addr.b))
            add_account(t, &list[i].addr);
        for (size_t k = 0; k < list[i].key_count; k++) {
            u256 slot = u256_from_be32(list[i].keys[k].b);
            add_slot(t, &list[i].addr, &slot);
        }
    }
}

static int compare_access(const void *a, const void *b) {
    const struct tx_access *x = a, *y = b;
    return memcmp(x->addr.b, y->addr.b, 20);
}

static int compare_slot_keys(const void *a, const void *b) {
    return memcmp(a, b, SLOT_KEY_BYTES);
}

/* All slot keys in order, so that those of one account lie together. */
static uint8_t *sorted_slots(const struct access_tracer *t, struct arena *a) {
    uint8_t *keys = arena_try_alloc(a, t->slots.count * SLOT_KEY_BYTES + 1);
    if (keys == NULL)
        return NULL;
    const void *key;
    size_t n = 0;
    for (size_t it = 0; map_next(&t->slots, &it, &key, NULL);)
        memcpy(keys + SLOT_KEY_BYTES * n++, key, SLOT_KEY_BYTES);
    qsort(keys, n, SLOT_KEY_BYTES, compare_slot_keys);
    return keys;
}

bool access_tracer_list(const struct access_tracer *t, struct arena *a, struct tx_access **out,
                        size_t *out_count) {
    size_t n = 0, at = 0;
    struct tx_access *list = arena_try_alloc(a, t->accounts.count * sizeof(*list) + 1);
    hash32 *values = arena_try_alloc(a, t->slots.count * sizeof(*values) + 1);
    const uint8_t *keys = sorted_slots(t, a);
    if (list == NULL || values == NULL || keys == NULL)
        return false;
    const void *key;
    for (size_t it = 0; map_next(&t->accounts, &it, &key, NULL);) {
        list[n] = (struct tx_access){.keys = NULL};
        memcpy(list[n++].addr.b, key, 20);
    }
    qsort(list, n, sizeof(*list), compare_access);
    for (size_t i = 0; i < n; i++) {
        list[i].keys = values + at;
        while (at < t->slots.count && memcmp(keys + at * SLOT_KEY_BYTES, list[i].addr.b, 20) == 0) {
            memcpy(values[at].b, keys + at * SLOT_KEY_BYTES + 20, 32);
            at++;
            list[i].key_count++;
        }
    }
    CHECK(at == t->slots.count); /* add_slot adds its account too */
    *out = list;
    *out_count = n;
    return true;
}
