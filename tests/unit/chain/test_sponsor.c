/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: each static rule alone decides at its exact edge, and what a universe would be made to pay
 * for is not among it: authorization lists, fat calldata, contracts of others, retries.
 * Covers: sponsor.c system_registry_policy.c */
#include "tests/lib/chain/universe_fixture.h"

#include <criterion/criterion.h>

#define PRICE UINT64_C(10000000)
#define SET_POLICY "setPolicy(uint64,(bool,bool,bool,bool,uint32,uint64,uint64,uint256))"

struct rig {
    struct fixture f;
    uint64_t id;
    addr20 target;
    struct tx tx; /* matches; tests break one thing */
};

static void rig_init(struct rig *r) {
    static const uint8_t stop[] = {0};
    fixture_init(&r->f, &universe_options);
    r->id = make_universe(&r->f, 1, "u");
    r->target = factory_deploy(&r->f, 1, r->id, 1, init_code(&r->f, bytes_of(stop, 1)));
    make_sponsor(&r->f, 1, r->id, &r->target, ETHER);
    r->tx = (struct tx){.type = TX_DYNAMIC_FEE,
                        .gas_limit = 50000,
                        .to = r->target,
                        .sender = r->f.addrs[2],
                        .has_sender = true};
}

static enum sponsor_rule rule_at(struct rig *r, uint64_t gas, uint64_t price, uint64_t now_s) {
    u256 p = W(price);
    struct world *w = chain_world(r->f.main.chain);
    return universe_sponsor_rule(w, universe_of_tx(w, &r->tx), &r->tx, gas, &p, now_s);
}

static enum sponsor_rule rule(struct rig *r) {
    return rule_at(r, r->tx.gas_limit, PRICE, r->f.head.timestamp);
}

/* flags: active, value, set code, create, as bits from the lowest. */
static void set_policy(struct rig *r, unsigned flags, uint64_t data, uint64_t expiry, uint64_t gas,
                       uint64_t cost) {
    registry_ok(&r->f, 1, 0, SET_POLICY,
                WORDS(W(r->id), W(flags & 1), W(flags >> 1 & 1), W(flags >> 2 & 1),
                      W(flags >> 3 & 1), W(data), W(expiry), W(gas), W(cost)));
}

Test(sponsor, names) {
    for (int i = 1; i < SPONSOR_RULE_COUNT; i++)
        for (int k = 0; k < i; k++)
            cr_expect_str_neq(sponsor_rule_name((enum sponsor_rule)i),
                              sponsor_rule_name((enum sponsor_rule)k));
}

Test(sponsor, form) {
    struct rig r;
    rig_init(&r);
    uint64_t now = r.f.head.timestamp + 1000;
    cr_assert_eq(rule(&r), SPONSOR_OK);
    static const enum tx_type yes[] = {TX_LEGACY, TX_ACCESS_LIST, TX_UNSIGNED, TX_CONTRACT};
    static const enum tx_type no[] = {TX_BLOB,  TX_SET_CODE,         TX_DEPOSIT,
                                      TX_RETRY, TX_SUBMIT_RETRYABLE, TX_INTERNAL};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        r.tx.type = yes[i];
        cr_expect_eq(rule(&r), SPONSOR_OK, "type %d", yes[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(no); i++) {
        r.tx.type = no[i];
        cr_expect_eq(rule(&r), SPONSOR_TYPE, "type %d", no[i]);
    }
    r.tx.type = TX_ACCESS_LIST;
    struct tx_access one = {.addr = {{1}}};
    r.tx.access = &one;
    r.tx.access_count = 1;
    cr_expect_eq(rule(&r), SPONSOR_ACCESS_LIST);
    r.tx.access_count = 0;
    r.tx.value = W(1);
    cr_expect_eq(rule(&r), SPONSOR_VALUE);
    set_policy(&r, 3, 4096, now, 60000, 60000 * PRICE);
    cr_expect_eq(rule(&r), SPONSOR_OK);
    r.tx.value = W(0);
    /* Edges. */
    cr_expect_eq(rule_at(&r, 60000, PRICE, now - 1), SPONSOR_OK);
    cr_expect_eq(rule_at(&r, 60000, PRICE, now), SPONSOR_EXPIRED);
    cr_expect_eq(rule_at(&r, 60001, PRICE, now - 1), SPONSOR_GAS);
    cr_expect_eq(rule_at(&r, 60000, PRICE + 1, now - 1), SPONSOR_COST);
    u256 huge = U256_MAX;
    struct world *w = chain_world(r.f.main.chain);
    cr_expect_eq(universe_sponsor_rule(w, r.id, &r.tx, 2, &huge, now - 1), SPONSOR_COST);
    set_policy(&r, 0, 4096, now, 60000, ETHER);
    cr_expect_eq(rule(&r), SPONSOR_INACTIVE);
    set_policy(&r, 1, 4096, now, 60000, ETHER);
    registry_ok(&r.f, 1, 0, "setPaused(uint64,bool)", WORDS(W(r.id), W(1)));
    cr_expect_eq(rule(&r), SPONSOR_STATUS);
    fixture_clear(&r.f);
}

/* Fat calldata: bounded by the policy, 4,096 bytes for one that nobody set. */
Test(sponsor, data) {
    struct rig r;
    rig_init(&r);
    static uint8_t fat[4097];
    u256 word = u256_from_be32(fat);
    registry_ok(&r.f, 1, 0, "addTargets(uint64,address[],bytes4[])",
                WORDS(W(r.id), W(96), W(160), W(1), A(r.target), W(1), word));
    r.tx.data = bytes_of(fat, 4096);
    cr_expect_eq(rule(&r), SPONSOR_OK);
    r.tx.data = bytes_of(fat, 4097);
    cr_expect_eq(rule(&r), SPONSOR_DATA);
    uint64_t other = make_universe(&r.f, 1, "fresh");
    u256 fresh = registry_view(&r.f, 4, "policy(uint64)", WORDS(W(other)));
    cr_expect_eq(fresh.w[0], 4096);
    cr_expect_eq(registry_view_u64(&r.f, "policy(uint64)", WORDS(W(other))), 0); /* not active */
    fixture_clear(&r.f);
}

Test(sponsor, lists) {
    struct rig r;
    rig_init(&r);
    uint8_t data[5] = {1, 2, 3, 4, 5};
    cr_expect_eq(rule(&r), SPONSOR_OK);
    r.tx.data = bytes_of(data, 3); /* also short */
    cr_expect_eq(rule(&r), SPONSOR_OK);
    r.tx.data = bytes_of(data, 4);
    cr_expect_eq(rule(&r), SPONSOR_TARGET);
    uint8_t be[32] = {1, 2, 3, 4};
#define PAIR WORDS(W(r.id), W(96), W(160), W(1), A(r.target), W(1), u256_from_be32(be))
    registry_ok(&r.f, 1, 0, "addTargets(uint64,address[],bytes4[])", PAIR);
    cr_expect_eq(rule(&r), SPONSOR_OK);
    r.tx.data = bytes_of(data, 5);
    cr_expect_eq(rule(&r), SPONSOR_OK);
    data[3] = 9;
    cr_expect_eq(rule(&r), SPONSOR_TARGET);
    data[3] = 4;
    cr_expect_eq(registry_view_u64(&r.f, "isTarget(uint64,address,bytes4)",
                                   WORDS(W(r.id), A(r.target), u256_from_be32(be))),
                 1);
    registry_ok(&r.f, 1, 0, "removeTargets(uint64,address[],bytes4[])", PAIR);
    cr_expect_eq(rule(&r), SPONSOR_TARGET);
    struct call_result bad = registry_ask(&r.f, 1, 0, "addTargets(uint64,address[],bytes4[])",
                                          WORDS(W(r.id), W(96), W(160), W(1), A(r.target), W(0)));
    cr_expect(reverts_with(&bad, "LengthMismatch(uint256,uint256)"));
    /* Callers: everyone until somebody is listed. */
    r.tx.data = bytes_of(NULL, 0);
    registry_ok(&r.f, 1, 0, "addCallers(uint64,address[])",
                WORDS(W(r.id), W(64), W(2), A(r.f.addrs[3]), A(r.f.addrs[3])));
    cr_expect_eq(registry_view_u64(&r.f, "callerCount(uint64)", WORDS(W(r.id))), 1);
    cr_expect_eq(rule(&r), SPONSOR_CALLER);
    r.tx.sender = r.f.addrs[3];
    cr_expect_eq(rule(&r), SPONSOR_OK);
    r.tx.sender = r.f.addrs[2];
    registry_ok(&r.f, 1, 0, "removeCallers(uint64,address[])",
                WORDS(W(r.id), W(64), W(1), A(r.f.addrs[3])));
    cr_expect_eq(rule(&r), SPONSOR_OK);
    registry_ok(&r.f, 1, 0, "clearLists(uint64)", WORDS(W(r.id)));
    cr_expect_eq(rule(&r), SPONSOR_TARGET);
    fixture_clear(&r.f);
}

/* Naming another's contract as a target buys nothing and costs nothing: its own universe counts. */
Test(sponsor, strangers_named_as_targets) {
    struct rig r;
    rig_init(&r);
    static const uint8_t stop[] = {0};
    uint64_t thief = make_universe(&r.f, 3, "thief");
    struct derived_tx d =
        fixture_run(&r.f, fixture_tx(&r.f, 3, NULL, 0, init_code(&r.f, bytes_of(stop, 1)), 200000));
    addr20 nobodys = d.receipt.contract_addr;
    make_sponsor(&r.f, 3, thief, &r.target, ETHER);
    registry_ok(&r.f, 3, 0, "addShortTargets(uint64,address[])",
                WORDS(W(thief), W(64), W(1), A(nobodys)));
    u256 before = gas_account(&r.f, thief);
    d = fixture_run(&r.f, free_tx(&r.f, 2, &r.target, bytes_of(NULL, 0), 50000));
    cr_assert_eq(d.result.charge.universe, r.id); /* the contract's own universe pays */
    u256 after = gas_account(&r.f, thief);
    cr_assert(u256_eq(&before, &after));
    cr_assert_eq(verdict_of(&r.f, free_tx(&r.f, 0, &nobodys, bytes_of(NULL, 0), 50000)),
                 TX_FEE_CAP_TOO_LOW);
    fixture_clear(&r.f);
}

Test(sponsor, creations) {
    struct rig r;
    rig_init(&r);
    registry_ok(&r.f, 1, 0, "offerDeployer(uint64,address,bool)",
                WORDS(W(r.id), A(r.f.addrs[2]), W(1)));
    registry_ok(&r.f, 2, 0, "acceptDeployer(uint64)", WORDS(W(r.id)));
    r.tx.is_create = true;
    cr_expect_eq(rule(&r), SPONSOR_CREATION);
    set_policy(&r, 1 | 8, 100, UINT64_MAX, 1 << 20, ETHER);
    cr_expect_eq(rule(&r), SPONSOR_OK); /* no target is asked */
    uint8_t init[101] = {0};
    r.tx.data = bytes_of(init, sizeof init);
    cr_expect_eq(rule(&r), SPONSOR_DATA);
    r.tx.data = bytes_of(NULL, 0);
    r.tx.sender = r.f.addrs[3]; /* no deployer */
    cr_expect_eq(rule(&r), SPONSOR_NO_UNIVERSE);
    struct tx *t = free_tx(&r.f, 2, NULL, bytes_of(init, 3), 200000);
    struct derived_tx d = fixture_run(&r.f, t);
    cr_expect(d.result.charge.sponsored && d.receipt.success);
    cr_expect_eq(attribution_of(&r.f, &d.receipt.contract_addr), r.id);
    fixture_clear(&r.f);
}

/* An authorization list is bought for nobody but the sender. */
Test(sponsor, authorizations) {
    struct rig r;
    rig_init(&r);
    struct tx_authorization u[2];
    memset(u, 0, sizeof u);
    for (int i = 0; i < 2; i++) {
        u[i].chain_id = W(FIXTURE_CHAIN_ID);
        u[i].nonce = 1;
        cr_assert_eq(tx_sign_authorization(&u[i], r.f.keys[2 + i]), ERR_OK);
    }
    r.tx.type = TX_SET_CODE;
    r.tx.auths = u;
    r.tx.auth_count = 1;
    cr_expect_eq(rule(&r), SPONSOR_TYPE);
    set_policy(&r, 1 | 4, 4096, UINT64_MAX, 1 << 20, ETHER);
    cr_expect_eq(rule(&r), SPONSOR_OK); /* the sender's own */
    r.tx.auth_count = 2;
    cr_expect_eq(rule(&r), SPONSOR_AUTHORIZATION);
    r.tx.auths = u + 1;
    r.tx.auth_count = 1;
    cr_expect_eq(rule(&r), SPONSOR_AUTHORIZATION); /* another's */
    r.tx.auth_count = 0;
    cr_expect_eq(rule(&r), SPONSOR_AUTHORIZATION);
    fixture_clear(&r.f);
}

Test(sponsor, money) {
    struct rig r;
    rig_init(&r);
    uint64_t cost = 50000 * PRICE;
    u256 key[2] = {W(r.id), A(r.f.addrs[2])};
    registry_ok(&r.f, 1, 0, "setBudget(uint64,uint192,uint64)", WORDS(W(r.id), W(cost), W(60)));
    cr_expect_eq(rule(&r), SPONSOR_OK);
    registry_ok(&r.f, 1, 0, "setBudget(uint64,uint192,uint64)", WORDS(W(r.id), W(cost - 1), W(60)));
    cr_expect_eq(rule(&r), SPONSOR_BUDGET);
    registry_ok(&r.f, 1, 0, "setBudget(uint64,uint192,uint64)", WORDS(W(r.id), W(0), W(0)));
    cr_expect_eq(rule(&r), SPONSOR_BUDGET); /* none is no budget, not no bound */
    struct call_result bad =
        registry_ask(&r.f, 1, 0, "setBudget(uint64,uint192,uint64)", WORDS(W(r.id), W(1), W(0)));
    cr_expect(reverts_with(&bad, "InvalidBudget(uint192,uint64)"));
    registry_ok(&r.f, 1, 0, "setBudget(uint64,uint192,uint64)", WORDS(W(r.id), W(ETHER), W(60)));
    registry_ok(&r.f, 1, 0, "setUserBudget(uint64,uint192,uint64)",
                WORDS(W(r.id), W(cost - 1), W(60)));
    cr_expect_eq(rule(&r), SPONSOR_USER_BUDGET);
    registry_ok(&r.f, 1, 0, "setUserBudget(uint64,uint192,uint64)", WORDS(W(r.id), W(cost), W(60)));
    cr_expect_eq(rule(&r), SPONSOR_OK);
    /* What was spent counts in its window alone. */
    struct world *w = chain_world(r.f.main.chain);
    uint64_t now = r.f.head.timestamp;
    world_block_begin(w, r.f.head.number + 1);
    world_tx_begin(w);
    sys_set_u64(w, SYS_USER_BUDGET_SPENT, key, 1);
    sys_set_u64(w, SYS_USER_BUDGET_WINDOW, key, now / 60);
    cr_expect_eq(rule_at(&r, 50000, PRICE, now), SPONSOR_USER_BUDGET);
    cr_expect_eq(rule_at(&r, 50000, PRICE, (now / 60 + 1) * 60), SPONSOR_OK);
    world_block_abandon(w);
    u256 all = gas_account(&r.f, r.id), keep = W(cost - 1), out = u256_sub(&all, &keep);
    registry_ok(&r.f, 1, 0, "withdrawGas(uint64,address,uint256)",
                WORDS(W(r.id), A(r.f.addrs[1]), out));
    cr_expect_eq(rule(&r), SPONSOR_GAS_ACCOUNT);
    registry_ok(&r.f, 3, 1, "depositGas(uint64)", WORDS(W(r.id)));
    cr_expect_eq(rule(&r), SPONSOR_OK);
    /* A free chain: nothing is needed. */
    cr_expect_eq(rule_at(&r, 50000, 0, now), SPONSOR_OK);
    fixture_clear(&r.f);
}
