/* SPDX-License-Identifier: Apache-2.0 */
/* A machine over a fake world with sane contexts, and a small assembler: what most tests of evm/
 * begin with. */
#ifndef TESTS_LIB_EVM_TRIAL_H
#define TESTS_LIB_EVM_TRIAL_H

#include "evm/evm.h"
#include "tests/lib/evm/fake_world.h"

struct trial {
    struct fake_world *world;
    struct evm_code_cache *cache; /* decodes at once */
    struct evm *vm;
    struct evm_block_ctx block;
    struct evm_tx_ctx tx;
    struct evm_config cfg; /* Osaka, fast tier; tests change it between runs */
    addr20 caller;         /* 10^18 wei */
    addr20 contract;       /* where trial_code puts code */
};

void trial_open(struct trial *t);
void trial_close(struct trial *t);

/* Assembles words separated by blanks: mnemonics, or hexadecimal bytes (push data and the like).
 * Returns the length; fails the test on an unknown word. */
size_t assemble(uint8_t *out, size_t cap, const char *text);

/* Puts code at an address, from text. */
void trial_code_at(struct trial *t, const addr20 *at, const char *text);
void trial_code(struct trial *t, const char *text);

/* A new transaction that calls the contract. */
struct evm_result trial_call(struct trial *t, const char *input_hex, int64_t gas);
/* Sets the code, then calls with 10,000,000 gas and no input. */
struct evm_result trial_run(struct trial *t, const char *text);
/* A new transaction that runs init code. */
struct evm_result trial_create(struct trial *t, const char *text, int64_t gas);

/* The n-th 32-byte word of the output. */
u256 output_word(const struct evm_result *r, size_t n);

/* Runs the statement in both tiers. */
#define BOTH_TIERS(t)                                                                              \
    for (int tier_ = 0; tier_ < 2 && ((t)->cfg.tier = (enum evm_tier)tier_, true); tier_++)

#endif
