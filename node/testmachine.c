/* SPDX-License-Identifier: Apache-2.0 */
#include "node/testmachine.h"

#include "base/check.h"

enum { CODE_CACHE_BYTES = 64 << 20 };

void test_machine_init(struct test_machine *out) {
    struct test_machine m = {.world = world_new((struct state_reader){0}),
                             .code_cache = evm_code_cache_new(CODE_CACHE_BYTES),
                             .trie = state_trie_new((struct trie_source){0}, SIZE_MAX)};
    CHECK(m.world != NULL);
    CHECK(m.code_cache != NULL);
    CHECK(m.trie != NULL);
    m.vm = evm_new(m.code_cache);
    CHECK(m.vm != NULL);
    *out = m;
}

void test_machine_clear(struct test_machine *m) {
    state_trie_free(m->trie);
    evm_free(m->vm);
    evm_code_cache_free(m->code_cache);
    world_free(m->world);
}
