/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: universes are created, owned, given away, staffed, paused and archived by those who may,
 * and by nobody else; gas accounts are exactly backed; every refusal has its custom error. */
#include "tests/lib/chain/universe_fixture.h"

#include "base/keccak.h"

#include <criterion/criterion.h>

#define CREATE "createUniverse(bytes14,address,string)"
#define SET_ROLE "setRole(uint64,address,uint64,uint64)"

static bool has_event(const struct derived_tx *d, const char *signature) {
    hash32 h;
    keccak256(&h, signature, strlen(signature));
    for (size_t i = 0; i < d->receipt.log_count; i++)
        if (hash32_eq(&d->receipt.logs[i].topics[0], &h))
            return true;
    return false;
}

static u256 universe_word(struct fixture *f, uint64_t id, size_t i) {
    return registry_view(f, i, "universe(uint64)", WORDS(W(id)));
}

Test(system_registry, creation) {
    struct fixture f;
    fixture_init(&f, &universe_options);
    u256 text = slug_word("https://example.org/u");
    struct derived_tx d = registry_run(
        &f, 1, 0, CREATE, WORDS(slug_word("arena-7"), A(f.addrs[2]), W(96), W(21), text));
    cr_assert(d.receipt.success && d.receipt.log_count == 2);
    cr_assert(has_event(&d, "UniverseCreated(uint64,bytes14,address,uint256)"));
    cr_assert(has_event(&d, "MetadataChanged(uint64,string)"));
    cr_assert_eq(registry_view_u64(&f, "universeCount()", NO_WORDS), 1);
    cr_assert_eq(registry_view_u64(&f, "universeBySlug(bytes14)", WORDS(slug_word("arena-7"))), 1);
    cr_assert_eq(registry_view_u64(&f, "universeBySlug(bytes14)", WORDS(slug_word("arena-8"))), 0);
    u256 want = slug_word("arena-7"), got = universe_word(&f, 1, 0);
    cr_assert(u256_eq(&got, &want));
    want = A(f.addrs[2]);
    got = universe_word(&f, 1, 1);
    cr_assert(u256_eq(&got, &want));
    cr_assert_eq(universe_word(&f, 1, 3).w[0], UNIVERSE_ACTIVE);
    cr_assert_eq(universe_word(&f, 1, 4).w[0], f.head.timestamp);
    cr_assert_eq(universe_word(&f, 1, 5).w[0], 3600);
    cr_assert_eq(registry_view(&f, 1, "metadataURI(uint64)", WORDS(W(1))).w[0], 21);
    got = registry_view(&f, 2, "metadataURI(uint64)", WORDS(W(1)));
    cr_assert(u256_eq(&got, &text));
    cr_assert_eq(make_universe(&f, 1, "b"), 2);
    fixture_clear(&f);
}

Test(system_registry, creation_refused) {
    struct fixture f;
    fixture_init(&f, &universe_options);
    make_universe(&f, 1, "taken");
    struct call_result r;
#define ASK(from, value, slug, owner, ...)                                                         \
    r = registry_ask(&f, from, value, CREATE, WORDS(slug, owner, __VA_ARGS__))
    u256 me = A(f.addrs[1]), nobody = W(0);
    ASK(1, 0, slug_word("taken"), me, W(96), W(0));
    cr_expect(reverts_with(&r, "SlugTaken(bytes14,uint64)"));
    static const char *const bad[] = {"", "-a", "a-", "-", "A", "a_b", "a b", "123456789012345"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        ASK(1, 0, slug_word(bad[i]), me, W(96), W(0));
        cr_expect(reverts_with(&r, "InvalidSlug(bytes14)"), "%s", bad[i]);
    }
    uint8_t gap[32] = {'a', 0, 'b'};
    ASK(1, 0, u256_from_be32(gap), me, W(96), W(0));
    cr_expect(reverts_with(&r, "InvalidSlug(bytes14)"));
    ASK(1, 0, slug_word("12345678901234"), me, W(96), W(0));
    cr_expect(r.status == EVM_SUCCESS && r.output.len == 32);
    ASK(1, 0, slug_word("ok"), nobody, W(96), W(0));
    cr_expect(reverts_with(&r, "ZeroAddress()"));
    ASK(1, 5, slug_word("ok"), me, W(96), W(0));
    cr_expect(reverts_with(&r, "WrongBond(uint256)"));
    ASK(1, 0, slug_word("ok"), me, W(96), W(33), W(0)); /* text longer than the input */
    cr_expect(r.status == EVM_REVERT && r.output.len == 0);
    ASK(1, 0, slug_word("ok"), me, W(UINT64_MAX), W(0));
    cr_expect(r.status == EVM_REVERT && r.output.len == 0);
    u256 wide = W(1), shift = W(160), dirty = u256_shl(&shift, &wide);
    ASK(1, 0, slug_word("ok"), dirty, W(96), W(0));
    cr_expect(r.status == EVM_REVERT && r.output.len == 0);
    /* A bond, which stays. */
    registry_ok(&f, 0, 0, "setUniverseBond(uint256)", WORDS(W(1000)));
    ASK(1, 0, slug_word("ok"), me, W(96), W(0));
    cr_expect(reverts_with(&r, "WrongBond(uint256)"));
    registry_ok(&f, 1, 1000, CREATE, WORDS(slug_word("ok"), me, W(96), W(0)));
    addr20 registry = system_address(SYSTEM_REGISTRY);
    cr_expect_eq(fixture_balance(&f, &registry).w[0], 1000);
    cr_expect_eq(universe_word(&f, 2, 7).w[0], 1000);
    /* Not everybody's. */
    registry_ok(&f, 0, 0, "setCreationOpen(bool)", WORDS(W(0)));
    ASK(1, 1000, slug_word("no"), me, W(96), W(0));
    cr_expect(reverts_with(&r, "CreationClosed(address)"));
    ASK(0, 1000, slug_word("no"), me, W(96), W(0)); /* the chain's owner */
    cr_expect(r.status == EVM_SUCCESS);
    registry_ok(&f, 0, 0, "setCreator(address,bool)", WORDS(A(f.addrs[1]), W(1)));
    ASK(1, 1000, slug_word("no"), me, W(96), W(0));
    cr_expect(r.status == EVM_SUCCESS);
    fixture_clear(&f);
}

Test(system_registry, metadata) {
    struct fixture f;
    fixture_init(&f, &universe_options);
    uint64_t id = make_universe(&f, 1, "m");
#define SET_META "setMetadataURI(uint64,string)"
    u256 w[3 + 33] = {W(id), W(64), W(1024)};
    for (size_t i = 0; i < 32; i++)
        w[3 + i] = slug_word("0123456789abcdef0123456789abcdef");
    registry_ok(&f, 1, 0, SET_META, w, 35);
    cr_assert_eq(registry_view(&f, 1, "metadataURI(uint64)", WORDS(W(id))).w[0], 1024);
    u256 got = registry_view(&f, 33, "metadataURI(uint64)", WORDS(W(id)));
    cr_assert(u256_eq(&got, &w[3]));
    w[2] = W(1025);
    struct call_result r = registry_ask(&f, 1, 0, SET_META, w, 36);
    cr_assert(reverts_with(&r, "MetadataTooLong(uint256)"));
    /* A shorter one leaves nothing of the longer one. */
    registry_ok(&f, 1, 0, SET_META, WORDS(W(id), W(64), W(1), slug_word("x")));
    struct world *world = chain_world(f.main.chain);
    u256 key[2] = {W(id), W(31)}, word = sys_get(world, SYS_META_WORD, key);
    cr_assert(u256_is_zero(&word));
    r = registry_ask(&f, 2, 0, SET_META, WORDS(W(id), W(64), W(0)));
    cr_assert(reverts_with(&r, "NotAuthorized(uint64,address,uint64)"));
    fixture_clear(&f);
}

Test(system_registry, ownership) {
    struct fixture f;
    fixture_init(&f, &universe_options);
    uint64_t id = make_universe(&f, 1, "own");
    struct call_result r = registry_ask(&f, 2, 0, "acceptOwnership(uint64)", WORDS(W(id)));
    cr_assert(reverts_with(&r, "NotPendingOwner(uint64,address)"));
    r = registry_ask(&f, 2, 0, "transferOwnership(uint64,address)", WORDS(W(id), A(f.addrs[2])));
    cr_assert(reverts_with(&r, "NotAuthorized(uint64,address,uint64)"));
    registry_ok(&f, 1, 0, "transferOwnership(uint64,address)", WORDS(W(id), A(f.addrs[2])));
    cr_assert_eq(
        registry_view_u64(&f, "hasRole(uint64,address,uint64)", WORDS(W(id), A(f.addrs[1]), W(15))),
        1);
    registry_ok(&f, 2, 0, "acceptOwnership(uint64)", WORDS(W(id)));
    cr_assert_eq(
        registry_view_u64(&f, "hasRole(uint64,address,uint64)", WORDS(W(id), A(f.addrs[1]), W(1))),
        0);
    r = registry_ask(&f, 1, 0, "archive(uint64)", WORDS(W(id)));
    cr_assert(reverts_with(&r, "NotAuthorized(uint64,address,uint64)"));
    r = registry_ask(&f, 2, 0, "acceptOwnership(uint64)", WORDS(W(id))); /* not twice */
    cr_assert(reverts_with(&r, "NotPendingOwner(uint64,address)"));
    r = registry_ask(&f, 2, 0, "archive(uint64)", WORDS(W(id + 1)));
    cr_assert(reverts_with(&r, "UnknownUniverse(uint64)"));
    fixture_clear(&f);
}

Test(system_registry, roles) {
    struct fixture f;
    fixture_init(&f, &universe_options);
    uint64_t id = make_universe(&f, 1, "roles");
    uint64_t until = f.head.timestamp + 100;
    registry_ok(&f, 1, 0, SET_ROLE, WORDS(W(id), A(f.addrs[2]), W(8), W(until)));
    registry_ok(&f, 1, 0, SET_ROLE, WORDS(W(id), A(f.addrs[3]), W(6), W(0)));
    cr_assert_eq(registry_view_u64(&f, "roleHolderCount(uint64)", WORDS(W(id))), 2);
    registry_ok(&f, 2, 0, "setPaused(uint64,bool)", WORDS(W(id), W(1)));
    struct call_result r = registry_ask(&f, 3, 0, "setPaused(uint64,bool)", WORDS(W(id), W(0)));
    cr_assert(reverts_with(&r, "NotAuthorized(uint64,address,uint64)"));
    cr_assert_eq(
        registry_view_u64(&f, "hasRole(uint64,address,uint64)", WORDS(W(id), A(f.addrs[3]), W(6))),
        1);
    cr_assert_eq(
        registry_view_u64(&f, "hasRole(uint64,address,uint64)", WORDS(W(id), A(f.addrs[3]), W(7))),
        0);
    /* Expired, though still listed. */
    struct derived_block b;
    struct tx *t = fixture_tx(&f, 0, &f.addrs[0], 0, bytes_of(NULL, 0), 21000);
    cr_assert_eq(fixture_block(&f, &b, &t, 1, 200, NULL), ERR_OK);
    r = registry_ask(&f, 2, 0, "setPaused(uint64,bool)", WORDS(W(id), W(0)));
    cr_assert(reverts_with(&r, "NotAuthorized(uint64,address,uint64)"));
    cr_assert_eq(registry_view_u64(&f, "roleOf(uint64,address)", WORDS(W(id), A(f.addrs[2]))), 8);
    /* The first goes, the last takes its place. */
    registry_ok(&f, 1, 0, SET_ROLE, WORDS(W(id), A(f.addrs[2]), W(0), W(9)));
    cr_assert_eq(registry_view_u64(&f, "roleHolderCount(uint64)", WORDS(W(id))), 1);
    u256 got = registry_view(&f, 0, "roleHolderAt(uint64,uint64)", WORDS(W(id), W(0)));
    u256 want = A(f.addrs[3]);
    cr_assert(u256_eq(&got, &want));
    registry_ok(&f, 3, 0, "renounceRole(uint64)", WORDS(W(id)));
    cr_assert_eq(registry_view_u64(&f, "roleHolderCount(uint64)", WORDS(W(id))), 0);
    r = registry_ask(&f, 1, 0, SET_ROLE, WORDS(W(id), A(f.addrs[2]), W(16), W(0)));
    cr_assert(reverts_with(&r, "InvalidRole(uint64)"));
    r = registry_ask(&f, 1, 0, SET_ROLE, WORDS(W(id), W(0), W(1), W(0)));
    cr_assert(reverts_with(&r, "ZeroAddress()"));
    r = registry_ask(&f, 2, 0, SET_ROLE, WORDS(W(id), A(f.addrs[2]), W(1), W(0)));
    cr_assert(reverts_with(&r, "NotAuthorized(uint64,address,uint64)"));
    fixture_clear(&f);
}

Test(system_registry, at_most_256_roles) {
    struct fixture f;
    fixture_init(&f, &universe_options);
    uint64_t id = make_universe(&f, 1, "many");
    addr20 registry = system_address(SYSTEM_REGISTRY);
    struct tx *txs[256];
    for (uint64_t i = 0; i < 256; i++)
        txs[i] =
            fixture_tx(&f, 1, &registry, 0,
                       abi_call(&f, SET_ROLE, WORDS(W(id), W(0xabc000 + i), W(1), W(0))), 200000);
    struct derived_block b;
    cr_assert_eq(fixture_block(&f, &b, txs, 256, 1, NULL), ERR_OK);
    cr_assert_eq(b.tx_count, 256);
    cr_assert(b.txs[255].receipt.success);
    struct call_result r = registry_ask(&f, 1, 0, SET_ROLE, WORDS(W(id), W(5), W(1), W(0)));
    cr_assert(reverts_with(&r, "TooManyRoles(uint64)"));
    r = registry_ask(&f, 1, 0, SET_ROLE, WORDS(W(id), W(0xabc000), W(2), W(0))); /* one of them */
    cr_assert_eq(r.status, EVM_SUCCESS);
    fixture_clear(&f);
}

Test(system_registry, status) {
    struct fixture f;
    fixture_init(&f, &universe_options);
    uint64_t id = make_universe(&f, 1, "st");
    struct derived_tx d =
        registry_run(&f, 1, 0, "setPaused(uint64,bool)", WORDS(W(id), W(0))); /* it is not */
    cr_assert(d.receipt.success && d.receipt.log_count == 0);
    cr_assert_eq(registry_view_u64(&f, "isPaused(uint64)", WORDS(W(id))), 0);
    cr_assert_eq(registry_view_u64(&f, "isPaused(uint64)", WORDS(W(id + 1))), 0);
    d = registry_run(&f, 1, 0, "setPaused(uint64,bool)", WORDS(W(id), W(1)));
    cr_assert(has_event(&d, "StatusChanged(uint64,uint8,address)"));
    cr_assert_eq(universe_word(&f, id, 3).w[0], UNIVERSE_PAUSED);
    cr_assert_eq(registry_view_u64(&f, "isPaused(uint64)", WORDS(W(id))), 1);
    registry_ok(&f, 1, ETHER, "depositGas(uint64)", WORDS(W(id)));
    registry_ok(&f, 1, 0, "archive(uint64)", WORDS(W(id)));
    cr_assert_eq(registry_view_u64(&f, "isPaused(uint64)", WORDS(W(id))), 1);
    struct call_result r = registry_ask(&f, 1, 0, "setPaused(uint64,bool)", WORDS(W(id), W(0)));
    cr_assert(reverts_with(&r, "UniverseArchived(uint64)"));
    r = registry_ask(&f, 1, 1, "depositGas(uint64)", WORDS(W(id)));
    cr_assert(reverts_with(&r, "UniverseArchived(uint64)"));
    registry_ok(&f, 1, 0, "withdrawGas(uint64,address,uint256)",
                WORDS(W(id), A(f.addrs[1]), W(ETHER)));
    fixture_clear(&f);
}

Test(system_registry, gas_account) {
    struct fixture f;
    fixture_init(&f, &universe_options);
    static const addr20 to = {{0x77, 0x01}};
    addr20 registry = system_address(SYSTEM_REGISTRY);
    uint64_t id = make_universe(&f, 1, "gas");
    registry_ok(&f, 2, 700, "depositGas(uint64)", WORDS(W(id)));
    registry_ok(&f, 3, 300, "depositGas(uint64)", WORDS(W(id)));
    cr_assert_eq(gas_account(&f, id).w[0], 1000);
    cr_assert_eq(registry_view_u64(&f, "gasAccountsTotal()", NO_WORDS), 1000);
#define WITHDRAW "withdrawGas(uint64,address,uint256)"
    struct call_result r = registry_ask(&f, 2, 0, WITHDRAW, WORDS(W(id), A(to), W(1)));
    cr_assert(reverts_with(&r, "NotAuthorized(uint64,address,uint64)"));
    r = registry_ask(&f, 1, 0, WITHDRAW, WORDS(W(id), A(to), W(1001)));
    cr_assert(reverts_with(&r, "GasAccountTooLow(uint64,uint256)"));
    r = registry_ask(&f, 1, 0, WITHDRAW, WORDS(W(id), W(0), W(1)));
    cr_assert(reverts_with(&r, "ZeroAddress()"));
    struct derived_tx d = registry_run(&f, 1, 0, WITHDRAW, WORDS(W(id), A(to), W(400)));
    cr_assert(d.receipt.success && has_event(&d, "GasWithdrawn(uint64,address,uint256)"));
    cr_assert(d.receipt.gas_used > 21000 + 25000 + 9000); /* a new account, and value */
    cr_assert_eq(fixture_balance(&f, &to).w[0], 400);
    cr_assert_eq(fixture_balance(&f, &registry).w[0], 600);
    cr_assert_eq(gas_account(&f, id).w[0], 600);
    r = registry_ask(&f, 1, 7, "depositGas(uint64)", WORDS(W(9)));
    cr_assert(reverts_with(&r, "UnknownUniverse(uint64)"));
    /* A plain transfer is refused, so the registry holds nothing by mistake. */
    struct derived_tx p =
        fixture_run(&f, fixture_tx(&f, 1, &registry, 5, bytes_of(NULL, 0), 100000));
    cr_assert(!p.receipt.success);
    fixture_clear(&f);
}

/* A state that a call pretends must not stop the node. */
Test(system_registry, pretended_state) {
    struct fixture f;
    fixture_init(&f, &universe_options);
    uint64_t id = make_universe(&f, 1, "lie");
    registry_ok(&f, 1, 0, SET_ROLE, WORDS(W(id), A(f.addrs[2]), W(1), W(0)));
    u256 key = W(id);
    struct account_override o = {.addr = system_address(SYSTEM_REGISTRY),
                                 .storage = STORAGE_PATCHED};
    struct slot_override slots[] = {
        {.slot = system_slot(SYS_UNIVERSE_GAS_ACCOUNT, &key), .value = U256_MAX},
        {.slot = system_slot(SYS_GAS_ACCOUNTS_TOTAL, NULL), .value = U256_ZERO},
        {.slot = system_slot(SYS_UNIVERSE_META_LEN, &key), .value = U256_MAX},
        {.slot = system_slot(SYS_UNIVERSE_ROLE_COUNT, &key), .value = U256_ZERO},
        {.slot = system_slot(SYS_SURCHARGE_SPEED_LIMIT, &key), .value = W(5)},
    };
    o.slots = slots;
    o.slot_count = ARRAY_LEN(slots);
    struct call_overrides all = {.accounts = &o, .account_count = 1};
    struct call_request req = {.pending = true, .timestamp = f.head.timestamp, .overrides = &all};
    req.tx.type = TX_DYNAMIC_FEE;
    req.tx.sender = f.addrs[1];
    req.tx.has_sender = true;
    req.tx.to = system_address(SYSTEM_REGISTRY);
    req.tx.gas_limit = 3000000;
    bytes calls[] = {
        abi_call(&f, "depositGas(uint64)", WORDS(W(id))),
        abi_call(&f, "withdrawGas(uint64,address,uint256)", WORDS(W(id), W(5), W(5))),
        abi_call(&f, "metadataURI(uint64)", WORDS(W(id))),
        abi_call(&f, "setMetadataURI(uint64,string)", WORDS(W(id), W(64), W(0))),
        abi_call(&f, SET_ROLE, WORDS(W(id), A(f.addrs[2]), W(0), W(0))),
        abi_call(&f, "surchargePrice(uint64)", WORDS(W(id))),
        abi_call(&f, "universe(uint64)", WORDS(W(id))),
    };
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        req.tx.data = calls[i];
        req.tx.value = i == 0 ? W(7) : U256_ZERO;
        struct call_result r;
        cr_assert_eq(chain_call(&r, f.main.chain, &f.arena, &f.head, &req, NULL), ERR_OK);
        cr_assert_eq(r.verdict, TX_OK, "%zu", i);
    }
    fixture_clear(&f);
}
