/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/chain/exec_fixture.h"

#include "base/check.h"
#include "base/hex.h"

void fixture_key(uint8_t out[32], unsigned i) {
    memset(out, 0x46, 32);
    out[31] = (uint8_t)(out[31] + i);
}

addr20 fixture_addr(unsigned i) {
    uint8_t key[32];
    addr20 a;
    fixture_key(key, i);
    CHECK(secp_address_of_key(&a, key) == ERR_OK);
    return a;
}

bytes fixture_hex(struct arena *a, const char *digits) {
    size_t cap = strlen(digits) / 2 + 1, len;
    uint8_t *p = arena_alloc(a, cap);
    CHECK(hex_decode(p, cap, &len, digits, strlen(digits)) == ERR_OK);
    return bytes_of(p, len);
}

void exec_fixture_init(struct exec_fixture *f, enum evm_revision rev, enum evm_tier tier) {
    memset(f, 0, sizeof *f);
    arena_init(&f->arena, 1 << 16, 1 << 26);
    f->world = world_new((struct state_reader){0});
    f->cache = evm_code_cache_new(1 << 20);
    f->vm = evm_new(f->cache);
    CHECK(f->world != NULL);
    CHECK(f->cache != NULL);
    CHECK(f->vm != NULL);
    f->fork = (struct eth_fork){rev, {3, 6, 3338477}};
    if (rev >= EVM_PRAGUE)
        f->fork.blob = (struct eth_blob_params){6, 9, 5007716};
    if (rev < EVM_CANCUN)
        f->fork.blob = (struct eth_blob_params){0, 0, 0};
    f->header.number = 1;
    f->header.timestamp = 1000;
    f->header.gas_limit = 100000000;
    f->header.base_fee = u256_from_u64(FIXTURE_BASE_FEE);
    memset(f->header.coinbase.b, 0xcb, sizeof f->header.coinbase.b);
    f->x = (struct exec){.world = f->world,
                         .vm = f->vm,
                         .code_cache = f->cache,
                         .tier = tier,
                         .chain_id = FIXTURE_CHAIN_ID};
    eth_exec_begin(&f->x, &f->fork, &f->header);
    world_block_begin(f->world, f->header.number);
    for (unsigned i = 0; i < 4; i++) {
        addr20 a = fixture_addr(i);
        exec_fixture_put_balance(f, &a, 1000000000000000000ull);
    }
}

void exec_fixture_clear(struct exec_fixture *f) {
    evm_free(f->vm);
    evm_code_cache_free(f->cache);
    world_free(f->world);
    arena_clear(&f->arena);
}

void exec_fixture_put_code(struct exec_fixture *f, const addr20 *a, const char *hex) {
    world_tx_begin(f->world);
    world_set_code(f->world, a, fixture_hex(&f->arena, hex));
    world_set_nonce(f->world, a, 1);
    world_tx_end(f->world);
}

void exec_fixture_put_balance(struct exec_fixture *f, const addr20 *a, uint64_t wei) {
    u256 v = u256_from_u64(wei);
    world_tx_begin(f->world);
    world_set_balance(f->world, a, &v);
    world_tx_end(f->world);
}

struct tx exec_fixture_tx(struct exec_fixture *f, unsigned from, const addr20 *to,
                          uint64_t gas_limit) {
    struct tx tx;
    memset(&tx, 0, sizeof tx);
    addr20 sender = fixture_addr(from);
    tx.type = TX_DYNAMIC_FEE;
    tx.has_chain_id = true;
    tx.chain_id = FIXTURE_CHAIN_ID;
    tx.nonce = world_nonce(f->world, &sender);
    tx.max_fee = u256_from_u64(100);
    tx.gas_limit = gas_limit;
    tx.is_create = to == NULL;
    if (to != NULL)
        tx.to = *to;
    return tx;
}

enum tx_verdict exec_fixture_send(struct exec_fixture *f, struct tx *tx, unsigned from) {
    uint8_t key[32];
    fixture_key(key, from);
    CHECK(tx_sign(tx, &f->arena, key) == ERR_OK);
    return apply_tx(&f->x, tx, &f->arena, &f->result, &f->receipt);
}
