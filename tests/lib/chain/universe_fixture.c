/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/chain/universe_fixture.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/keccak.h"

#include <stdio.h>

const addr20 FIXTURE_FACTORY = {{[18] = 0x75, [19] = 0x01}};

/* The factory's code as block 0 has it; tests run from the top folder. */
static size_t factory_code(uint8_t *out, size_t cap) {
    char text[8192];
    FILE *file = fopen("genesis/predeploys/universe_factory.hex", "r");
    CHECK(file != NULL);
    size_t len = fread(text, 1, sizeof text, file), code_len = 0;
    (void)fclose(file);
    while (len > 0 && text[len - 1] == '\n')
        len--;
    enum err e = hex_decode(out, cap, &code_len, text, len);
    CHECK(e == ERR_OK);
    return code_len;
}

static void setup(struct world *w) {
    uint8_t code[4096], key[32] = {[31] = 1};
    world_set_nonce(w, &FIXTURE_FACTORY, 1);
    world_set_code(w, &FIXTURE_FACTORY, bytes_of(code, factory_code(code, sizeof code)));
    sys_set_addr(w, SYS_REGISTRY_FACTORY, NULL, &FIXTURE_FACTORY);
    u256 factory = A(FIXTURE_FACTORY);
    sys_set_u64(w, SYS_UNATTRIBUTABLE_FLAG, &factory, 1);
    sys_set_u64(w, SYS_UNIVERSE_CREATION_OPEN, NULL, 1);
    sys_set_u64(w, SYS_SURCHARGE_CAP, NULL, 1000000000);
    addr20 first;
    enum err e = secp_address_of_key(&first, key);
    CHECK(e == ERR_OK);
    u256 owner = A(first);
    sys_set_u64(w, SYS_OWNER_COUNT, NULL, 1);
    u256 zero = W(0);
    sys_set_addr(w, SYS_OWNER_AT, &zero, &first);
    sys_set_u64(w, SYS_OWNER_INDEX_PLUS_1, &owner, 1);
}

const struct fixture_options universe_options = {.setup = setup};

/* --- calls ------------------------------------------------------------------------------- */

bytes abi_call(struct fixture *f, const char *signature, const u256 *words, size_t count) {
    uint8_t *p = arena_alloc(&f->arena, 4 + 32 * count);
    hash32 h;
    keccak256(&h, signature, strlen(signature));
    memcpy(p, h.b, 4);
    for (size_t i = 0; i < count; i++)
        u256_to_be32(p + 4 + 32 * i, &words[i]);
    return bytes_of(p, 4 + 32 * count);
}

struct derived_tx registry_run(struct fixture *f, int from, uint64_t value, const char *signature,
                               const u256 *words, size_t count) {
    addr20 registry = system_address(SYSTEM_REGISTRY);
    bytes data = abi_call(f, signature, words, count);
    return fixture_run(f, fixture_tx(f, from, &registry, value, data, 2000000));
}

void registry_ok(struct fixture *f, int from, uint64_t value, const char *signature,
                 const u256 *words, size_t count) {
    struct derived_tx d = registry_run(f, from, value, signature, words, count);
    CHECK(d.receipt.success);
}

struct call_result registry_ask(struct fixture *f, int from, uint64_t value, const char *signature,
                                const u256 *words, size_t count) {
    struct call_request req = {.pending = true, .timestamp = f->head.timestamp};
    req.tx.type = TX_DYNAMIC_FEE;
    req.tx.sender = f->addrs[from];
    req.tx.has_sender = true;
    req.tx.to = system_address(SYSTEM_REGISTRY);
    req.tx.value = W(value);
    req.tx.data = abi_call(f, signature, words, count);
    req.tx.gas_limit = 2000000;
    struct call_result r;
    enum err e = chain_call(&r, f->main.chain, &f->arena, &f->head, &req, NULL);
    CHECK(e == ERR_OK);
    CHECK(r.verdict == TX_OK);
    return r;
}

u256 registry_view(struct fixture *f, size_t i, const char *signature, const u256 *words,
                   size_t count) {
    struct call_result r = registry_ask(f, 0, 0, signature, words, count);
    CHECK(r.status == EVM_SUCCESS);
    CHECK(r.output.len >= 32 * (i + 1));
    return u256_from_be32(r.output.ptr + 32 * i);
}

uint64_t registry_view_u64(struct fixture *f, const char *signature, const u256 *words,
                           size_t count) {
    u256 v = registry_view(f, 0, signature, words, count);
    CHECK(u256_fits_u64(&v));
    return v.w[0];
}

bool reverts_with(const struct call_result *r, const char *signature) {
    hash32 h;
    keccak256(&h, signature, strlen(signature));
    return r->status == EVM_REVERT && r->output.len >= 4 && memcmp(r->output.ptr, h.b, 4) == 0;
}

/* --- universes --------------------------------------------------------------------------- */

u256 slug_word(const char *slug) {
    uint8_t be[32] = {0};
    CHECK(strlen(slug) <= sizeof be);
    memcpy(be, slug, strlen(slug));
    return u256_from_be32(be);
}

uint64_t make_universe(struct fixture *f, int owner, const char *slug) {
    u256 words[] = {slug_word(slug), A(f->addrs[owner]), W(96), W(0)};
    registry_ok(f, owner, 0, "createUniverse(bytes14,address,string)", words, ARRAY_LEN(words));
    return sys_get_u64(chain_world(f->main.chain), SYS_UNIVERSE_COUNT, NULL);
}

bytes init_code(struct fixture *f, bytes runtime) {
    /* PUSH2 len, DUP1, PUSH1 10, PUSH0, CODECOPY, PUSH0, RETURN */
    const uint8_t head[] = {
        0x61, (uint8_t)(runtime.len >> 8), (uint8_t)runtime.len, 0x80, 0x60, 0x0a, 0x5f, 0x39, 0x5f,
        0xf3};
    uint8_t *p = arena_alloc(&f->arena, sizeof head + runtime.len);
    memcpy(p, head, sizeof head);
    memcpy(p + sizeof head, runtime.ptr, runtime.len);
    return bytes_of(p, sizeof head + runtime.len);
}

addr20 factory_deploy(struct fixture *f, int from, uint64_t id, uint64_t salt, bytes init) {
    size_t words = (init.len + 31) / 32;
    u256 *w = arena_zalloc(&f->arena, (4 + words) * sizeof *w);
    w[0] = W(id);
    w[1] = W(salt);
    w[2] = W(96);
    w[3] = W(init.len);
    uint8_t *padded = arena_zalloc(&f->arena, 32 * words + 1);
    memcpy(padded, init.ptr, init.len);
    for (size_t i = 0; i < words; i++)
        w[4 + i] = u256_from_be32(padded + 32 * i);
    bytes data = abi_call(f, "deploy(uint64,bytes32,bytes)", w, 4 + words);
    struct derived_tx d = fixture_run(f, fixture_tx(f, from, &FIXTURE_FACTORY, 0, data, 5000000));
    CHECK(d.receipt.success);
    /* Deployed(id, deployed, by, salt) comes last. */
    CHECK(d.receipt.log_count > 0);
    u256 at = u256_from_be32(d.receipt.logs[d.receipt.log_count - 1].topics[2].b);
    return u256_to_addr(&at);
}

void make_sponsor(struct fixture *f, int owner, uint64_t id, const addr20 *target, uint64_t limit) {
    registry_ok(f, owner, ETHER, "depositGas(uint64)", WORDS(W(id)));
    registry_ok(
        f, owner, 0, "setPolicy(uint64,(bool,bool,bool,bool,uint32,uint64,uint64,uint256))",
        WORDS(W(id), W(1), W(0), W(0), W(0), W(4096), W(UINT64_MAX), W(1 << 24), W(UINT64_MAX)));
    registry_ok(f, owner, 0, "setBudget(uint64,uint192,uint64)", WORDS(W(id), W(limit), W(3600)));
    if (target != NULL)
        registry_ok(f, owner, 0, "addShortTargets(uint64,address[])",
                    WORDS(W(id), W(64), W(1), A(*target)));
}

void add_target(struct fixture *f, int owner, uint64_t id, const addr20 *target, bytes call) {
    uint8_t selector[32] = {0};
    CHECK(call.len >= 4);
    memcpy(selector, call.ptr, 4);
    registry_ok(f, owner, 0, "addTargets(uint64,address[],bytes4[])",
                WORDS(W(id), W(96), W(160), W(1), A(*target), W(1), u256_from_be32(selector)));
}

addr20 make_contract(struct fixture *f, int owner, uint64_t *out_id, bytes runtime) {
    *out_id = make_universe(f, owner, "u");
    return factory_deploy(f, owner, *out_id, 1, init_code(f, runtime));
}

addr20 make_sponsored(struct fixture *f, int owner, uint64_t *out_id, bytes runtime,
                      uint64_t limit) {
    addr20 a = make_contract(f, owner, out_id, runtime);
    make_sponsor(f, owner, *out_id, &a, limit);
    return a;
}

struct tx *free_tx(struct fixture *f, int from, const addr20 *to, bytes data, uint64_t gas) {
    struct tx *tx = arena_zalloc(&f->arena, sizeof *tx);
    tx->type = TX_DYNAMIC_FEE;
    tx->nonce = f->nonces[from]++;
    tx->gas_limit = gas;
    tx->is_create = to == NULL;
    if (to != NULL)
        tx->to = *to;
    tx->data = arena_copy(&f->arena, data);
    fixture_sign(f, tx, from);
    return tx;
}

enum tx_verdict verdict_of(struct fixture *f, struct tx *tx) {
    struct derived_block b;
    enum tx_verdict v = TX_OK;
    enum err e = fixture_block(f, &b, &tx, 1, 1, &v);
    CHECK(e == ERR_OK || e == ERR_NOT_FOUND);
    CHECK((e == ERR_OK) == (v == TX_OK));
    return v;
}

uint64_t attribution_of(struct fixture *f, const addr20 *a) {
    return universe_of(chain_world(f->main.chain), a);
}

u256 gas_account(struct fixture *f, uint64_t id) {
    u256 key = W(id);
    return sys_get(chain_world(f->main.chain), SYS_UNIVERSE_GAS_ACCOUNT, &key);
}
