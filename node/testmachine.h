/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker of `callipter statetest` or `callipter blocktest` runs its cases on: one for all of
 * them, brought back to a case's state before each. */
#ifndef NODE_TESTMACHINE_H
#define NODE_TESTMACHINE_H

#include "evm/evm.h"
#include "state/trie.h"
#include "state/world.h"

struct test_machine {
    struct world *world;
    struct evm_code_cache *code_cache;
    struct evm *vm;
    struct state_trie *trie;
};

/* Start-up only; out of memory is a CHECK. */
void test_machine_init(struct test_machine *out);
void test_machine_clear(struct test_machine *m);

#endif
