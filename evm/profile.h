/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of what the fast tier dispatches: each slot of decoded code together with the two that ran
 * before it in the same machine. By them the rules of fused.def are chosen (evm/README.md). A tool:
 * the loop that counts is another one, about half as fast; who does not ask for it pays nothing.
 *
 * One profile serves one thread. It is about 1 MiB. */
#ifndef EVM_PROFILE_H
#define EVM_PROFILE_H

#include "evm/evm.h"

struct evm_profile;
/* NULL when out of memory. */
struct evm_profile *evm_profile_new(void) MUST_USE;
void evm_profile_free(struct evm_profile *p);
/* From here on machines of this cache count, and decode code before it runs the first time: nothing
 * may have been decoded yet. Borrowed until the cache is freed. */
void evm_code_cache_set_profile(struct evm_code_cache *c, struct evm_profile *p);

enum { EVM_PROFILE_LENGTH_MAX = 3 };
/* A sequence of slots: the first `length` names, oldest first, as in opcodes.def and fused.def.
 * BLOCK is the header that begins each basic block; no slot of its own is dispatched for it after a
 * jump, but it is counted there too. */
struct evm_profile_row {
    const char *name[EVM_PROFILE_LENGTH_MAX];
    uint64_t count;
};
/* The most frequent sequences of `length` slots, at most `cap`, most frequent first; how many there
 * are. Slow. */
size_t evm_profile_rows(const struct evm_profile *p, struct evm_profile_row *out, size_t cap,
                        unsigned length) MUST_USE;
uint64_t evm_profile_total(const struct evm_profile *p);

#endif
