/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every predeploy's code is what its hash says, and both contracts do what tools expect of
 * them. */
#include "genesis/predeploys.h"

#include "base/keccak.h"
#include "chain/l3_rules.h"
#include "evm/evm.h"
#include "genesis/genesis.h"

#include <criterion/criterion.h>

Test(predeploys, table) {
    struct arena a;
    arena_init(&a, 1 << 16, 1 << 24);
    for (int i = 0; i < PREDEPLOY_COUNT; i++) {
        cr_expect(predeploy_code((enum predeploy_id)i, &a).len > 0); /* checks the hash */
        cr_expect_eq(predeploy_nonce((enum predeploy_id)i), 1);
    }
    addr20 history = predeploy_address(PREDEPLOY_HISTORY);
    cr_assert(addr20_eq(&history, &L3_HISTORY_ADDRESS));
    cr_assert(!predeploy_optional(PREDEPLOY_HISTORY) &&
              predeploy_optional(PREDEPLOY_CREATE2_DEPLOYER));
    arena_clear(&a);
}

struct rig {
    struct genesis g;
    struct genesis_block b;
    struct chain *c;
    struct state_trie *t;
    struct arena a;
    struct header head;
    hash32 hashes[300];
};

static void rig_init(struct rig *r, int blocks) {
    genesis_dev(&r->g);
    arena_init(&r->a, 1 << 20, 1 << 28);
    const struct chain_options o = {
        .config = r->g.config, .code_cache_bytes = 1 << 20, .world_cache_bytes = SIZE_MAX};
    r->c = chain_new(&o);
    r->t = state_trie_new((struct trie_source){NULL, NULL}, SIZE_MAX);
    genesis_build(&r->b, &r->g, chain_world(r->c), r->t, &r->a);
    r->head = r->b.header;
    r->hashes[0] = r->b.hash;
    for (int i = 1; i <= blocks; i++) {
        const struct message m = {.kind = MESSAGE_L2,
                                  .sender = SEQUENCER_ADDRESS,
                                  .timestamp = 1700000000,
                                  .delayed_read = 1};
        struct derived_block b;
        cr_assert_eq(chain_derive_block(&b, r->c, &r->a, &r->head, &m, NULL), ERR_OK);
        chain_seal_block(&b, r->c, r->t);
        r->head = b.header;
        r->hashes[i] = b.hash;
    }
}

static void rig_clear(struct rig *r) {
    chain_free(r->c);
    state_trie_free(r->t);
    genesis_clear(&r->g);
    arena_clear(&r->a);
}

static struct call_result call(struct rig *r, enum predeploy_id id, bytes data) {
    struct call_request q = {.tx = {.type = TX_LEGACY,
                                    .has_sender = true,
                                    .sender = {{1}},
                                    .to = predeploy_address(id),
                                    .data = data,
                                    .gas_limit = 1000000}};
    struct call_result out;
    cr_assert_eq(chain_call(&out, r->c, &r->a, &r->head, &q, NULL), ERR_OK);
    cr_assert_eq(out.verdict, TX_OK);
    return out;
}

Test(predeploys, block_hashes) {
    static struct rig r;
    rig_init(&r, 280);
    uint8_t n[33] = {0};
    static const uint64_t known[] = {0, 1, 20, 278, 279}, unknown[] = {280, 281, 1 << 20};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        be64_store(n + 24, known[i]);
        struct call_result o = call(&r, PREDEPLOY_HISTORY, bytes_of(n, 32));
        cr_assert(o.status == EVM_SUCCESS && o.output.len == 32);
        cr_assert_arr_eq(o.output.ptr, r.hashes[known[i]].b, 32);
    }
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
        be64_store(n + 24, unknown[i]);
        struct call_result o = call(&r, PREDEPLOY_HISTORY, bytes_of(n, 32));
        cr_assert(o.status == EVM_REVERT && o.output.len == 0);
    }
    be64_store(n + 24, 1);
    cr_assert_eq(call(&r, PREDEPLOY_HISTORY, bytes_of(n, 31)).status, EVM_REVERT);
    cr_assert_eq(call(&r, PREDEPLOY_HISTORY, bytes_of(n, 33)).status, EVM_REVERT);
    n[0] = 0x80; /* far beyond any number */
    cr_assert_eq(call(&r, PREDEPLOY_HISTORY, bytes_of(n, 32)).status, EVM_REVERT);
    rig_clear(&r);
}

Test(predeploys, create2_deployer) {
    static struct rig r;
    rig_init(&r, 1);
    /* salt 7 | init code that returns nothing */
    uint8_t data[35] = {[31] = 7, [32] = 0x5f, [33] = 0x5f, [34] = 0xf3};
    struct call_result o = call(&r, PREDEPLOY_CREATE2_DEPLOYER, bytes_of(data, sizeof data));
    cr_assert(o.status == EVM_SUCCESS && o.output.len == 20);
    addr20 at = predeploy_address(PREDEPLOY_CREATE2_DEPLOYER), want;
    hash32 salt = {{[31] = 7}}, code;
    keccak256(&code, data + 32, 3);
    evm_create2_address(&want, &at, &salt, &code);
    cr_assert_arr_eq(o.output.ptr, want.b, 20);
    rig_clear(&r);
}
