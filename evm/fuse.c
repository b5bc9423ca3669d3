/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups over fused.def. The tables are small matrices over the few kinds that occur in it, so
 * that decoding pays two loads per instruction. */
#include "base/check.h"
#include "evm/kinds.h"

#include <pthread.h>

struct rule {
    uint16_t first, second, result;
};
static const struct rule fuse_rules[] = {
#define FUSE(name, a, b) {KIND_##a, KIND_##b, KIND_##name},
#include "evm/fused.def"
#undef FUSE
};
static const struct rule branch_rules[] = {
#define BRANCH(name, a, b) {KIND_##a, KIND_##b, KIND_##name},
#include "evm/fused.def"
#undef BRANCH
};
static const struct rule pair_rules[] = {
#define PAIR(name, a, b) {KIND_##a, KIND_##b, KIND_##name},
#include "evm/fused.def"
#undef PAIR
};

/* Kinds that occur in a set of rules have a small number, from 1; 0 has no rules. */
enum { CLASSES_MAX = 64 };
struct matrix {
    uint8_t first[FAST_OP_COUNT];
    uint8_t second[FAST_OP_COUNT];
    uint8_t first_count, second_count;
    uint16_t result[CLASSES_MAX][CLASSES_MAX];
};
static struct matrix fuses, branches, pairs;
static pthread_once_t matrices_once = PTHREAD_ONCE_INIT;

/* The number of a kind, given to all that the kind stands for. SWAP1 has rules of its own besides
 * ANY_SWAP's. */
static uint8_t number_of(uint8_t numbers[FAST_OP_COUNT], uint8_t *count, uint32_t kind) {
    if (numbers[kind] != 0)
        return numbers[kind];
    uint8_t number = ++*count;
    CHECK(number < CLASSES_MAX);
    numbers[kind] = number;
    for (uint32_t op = OP_DUP1; kind == FAST_ANY_DUP && op <= OP_DUP16; op++)
        numbers[op] = number;
    for (uint32_t op = OP_SWAP2; kind == FAST_ANY_SWAP && op <= OP_SWAP16; op++)
        numbers[op] = number;
    return number;
}

static void add_rule(struct matrix *m, uint32_t first, uint32_t second, uint16_t result) {
    uint8_t a = number_of(m->first, &m->first_count, first);
    uint8_t b = number_of(m->second, &m->second_count, second);
    m->result[a][b] = result;
}

static void fill(struct matrix *m, const struct rule *rules, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct rule *r = &rules[i];
        bool any_first = r->first == FAST_ANY_SWAP, any_second = r->second == FAST_ANY_SWAP;
        add_rule(m, r->first, r->second, r->result);
        if (any_first)
            add_rule(m, OP_SWAP1, r->second, r->result);
        if (any_second)
            add_rule(m, r->first, OP_SWAP1, r->result);
        if (any_first && any_second)
            add_rule(m, OP_SWAP1, OP_SWAP1, r->result);
    }
}

static void fill_matrices(void) {
    fill(&fuses, fuse_rules, ARRAY_LEN(fuse_rules));
    fill(&branches, branch_rules, ARRAY_LEN(branch_rules));
    fill(&pairs, pair_rules, ARRAY_LEN(pair_rules));
}

void fuse_init(void) {
    CHECK(pthread_once(&matrices_once, fill_matrices) == 0);
}

static uint32_t look_up(const struct matrix *m, uint32_t first, uint32_t second) {
    return m->result[m->first[first]][m->second[second]];
}

uint32_t fuse(uint32_t first, uint32_t second) {
    return look_up(&fuses, first, second);
}
uint32_t fuse_branch(uint32_t first, uint32_t second) {
    return look_up(&branches, first, second);
}
uint32_t pair_up(uint32_t first, uint32_t second) {
    return look_up(&pairs, first, second);
}
