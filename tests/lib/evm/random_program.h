/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytecode that gets far: the stack is kept filled, memory offsets are small, jumps mostly
 * hit, calls go to the other contracts of the same small world. And the comparison of both tiers on
 * it. */
#ifndef TESTS_LIB_EVM_RANDOM_PROGRAM_H
#define TESTS_LIB_EVM_RANDOM_PROGRAM_H

#include "tests/lib/evm/fake_world.h"
#include "tests/lib/rng.h"

enum { PROGRAM_CONTRACTS = 4, PROGRAM_BYTES_MAX = 1200 };

/* The i-th contract of a world of random programs. */
addr20 program_addr(unsigned i);

/* One program of at most PROGRAM_BYTES_MAX bytes; returns its length. */
size_t random_program(struct rng *r, uint8_t out[PROGRAM_BYTES_MAX]);

/* What consensus sees of a run, as one digest; and a line of text for a failing test. */
struct program_verdict {
    hash32 digest;
    size_t output_len;
    int64_t gas_used;
    bool over_budget;
    bool stopped; /* the run that was given a budget was over it */
    char text[256];
};

struct program_case {
    enum evm_revision revision;
    bytes code[PROGRAM_CONTRACTS];
    bytes input;
    int64_t gas;
    bool create; /* code[0] is init code */
};

struct tier_pair;
struct tier_pair *tier_pair_new(void);
void tier_pair_free(struct tier_pair *p);
/* Runs the case in both tiers, each over a fresh world. The fast tier decodes at `heat` gas per
 * byte. True if they agree, and if each does the same within a budget of gas or is stopped by it;
 * else what differs is in the verdicts. */
bool tier_pair_agree(struct tier_pair *p, const struct program_case *c, uint32_t heat,
                     struct program_verdict *fast, struct program_verdict *reference);

#endif
