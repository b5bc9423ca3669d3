/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: whatever accounts do in whatever order, money and attribution keep their invariants. Seeded
 * (SEED=); every block is derived again on a twin (fixture). After each block:
 *   - the gas accounts sum up to the total, which with the bonds the registry's balance covers;
 *   - what a universe spent in its window is within the limit that was in force;
 *   - no contract's attribution ever changed. */
#include "tests/lib/chain/universe_fixture.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>

enum { UNIVERSES = 3, CONTRACTS_MAX = 512, STEPS = 400, BLOCK_TXS = 6 };

static const uint8_t maker[] = {0x5f, 0x5f, 0x5f, 0xf0, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3};
static const uint8_t burner[] = {0xfe};
static const uint8_t reverter[] = {0x5f, 0x5f, 0x5f, 0xf0, 0x5f, 0x5f, 0xfd};
static const uint8_t dies[] = {0x33, 0xff};

struct play {
    struct fixture f;
    struct rng rng;
    addr20 contracts[CONTRACTS_MAX];
    uint64_t owners[CONTRACTS_MAX];
    size_t contract_count;
    uint64_t sponsored, refused, reverted, created;
};

static uint64_t pick(struct play *p, uint64_t n) {
    return rng_below(&p->rng, n);
}

static addr20 any_contract(struct play *p) {
    return p->contracts[pick(p, p->contract_count)];
}

static bytes any_runtime(struct play *p) {
    switch (pick(p, 4)) {
    case 0:
        return bytes_of(burner, sizeof burner);
    case 1:
        return bytes_of(reverter, sizeof reverter);
    default:
        return bytes_of(maker, sizeof maker);
    }
}

/* A call of the registry with plausible arguments, by whoever. */
static struct tx *any_setting(struct play *p, int from) {
    struct fixture *f = &p->f;
    addr20 registry = system_address(SYSTEM_REGISTRY), c = any_contract(p);
    addr20 who = f->addrs[pick(p, FIXTURE_ACCOUNTS)];
    u256 id = W(1 + pick(p, UNIVERSES + 1));
    uint64_t value = 0;
    bytes data;
    switch (pick(p, 14)) {
    case 0:
        value = pick(p, ETHER / 1000);
        data = abi_call(f, "depositGas(uint64)", WORDS(id));
        break;
    case 1:
        data = abi_call(f, "withdrawGas(uint64,address,uint256)",
                        WORDS(id, A(who), W(pick(p, ETHER / 1000))));
        break;
    case 2:
        data = abi_call(f, "setBudget(uint64,uint192,uint64)",
                        WORDS(id, W(pick(p, ETHER / 1000)), W(1 + pick(p, 3) * 30)));
        break;
    case 3:
        data = abi_call(f, "setUserBudget(uint64,uint192,uint64)",
                        WORDS(id, W(pick(p, ETHER / 2000)), W(1 + pick(p, 3) * 30)));
        break;
    case 4:
        data = abi_call(f, "setPolicy(uint64,(bool,bool,bool,bool,uint32,uint64,uint64,uint256))",
                        WORDS(id, W(pick(p, 8) != 0), W(pick(p, 2)), W(pick(p, 2)), W(pick(p, 2)),
                              W(4096), W(UINT64_MAX), W(pick(p, 1 << 20)), W(ETHER)));
        break;
    case 5:
        data = abi_call(f, "addShortTargets(uint64,address[])", WORDS(id, W(64), W(1), A(c)));
        break;
    case 6:
        data = abi_call(f, "removeShortTargets(uint64,address[])", WORDS(id, W(64), W(1), A(c)));
        break;
    case 7:
        data = abi_call(
            f, pick(p, 2) != 0 ? "addCallers(uint64,address[])" : "removeCallers(uint64,address[])",
            WORDS(id, W(64), W(1), A(who)));
        break;
    case 8:
        data = abi_call(f, "offerDeployer(uint64,address,bool)", WORDS(id, A(who), W(1)));
        break;
    case 9:
        data = abi_call(f, "acceptDeployer(uint64)", WORDS(id));
        break;
    case 10:
        data = abi_call(f, "resignDeployer()", NO_WORDS);
        break;
    case 11:
        data = abi_call(f, "setPaused(uint64,bool)", WORDS(id, W(pick(p, 4) == 0)));
        break;
    case 12:
        data = abi_call(f,
                        "scheduleSurcharge(uint64,(uint64,uint64,uint64,uint128,uint128,uint128),"
                        "uint64)",
                        WORDS(id, W(pick(p, 100000)), W(pick(p, 3)), W(pick(p, 9)), W(1000000),
                              W(pick(p, 1000)), W(1000000000), W(3600)));
        break;
    default:
        data = abi_call(f, "setRole(uint64,address,uint64,uint64)",
                        WORDS(id, A(who), W(pick(p, 16)), W(0)));
        break;
    }
    return fixture_tx(f, from, &registry, value, data, 400000);
}

static struct tx *any_tx(struct play *p) {
    struct fixture *f = &p->f;
    int from = (int)pick(p, FIXTURE_ACCOUNTS);
    addr20 c = any_contract(p);
    bytes none = {NULL, 0}, init;
    switch (pick(p, 8)) {
    case 0:
    case 1:
        return any_setting(p, from);
    case 2:
        init = pick(p, 4) == 0 ? bytes_of(dies, sizeof dies) : init_code(f, any_runtime(p));
        return pick(p, 2) != 0 ? fixture_tx(f, from, NULL, 0, init, 300000)
                               : free_tx(f, from, NULL, init, 300000);
    case 3:
        return fixture_tx(f, from, &c, 0, none, 21000 + pick(p, 100000));
    default:
        return free_tx(f, from, &c, none, 21000 + pick(p, 100000));
    }
}

static void remember(struct play *p, const addr20 *a, uint64_t universe) {
    cr_assert_lt(p->contract_count, CONTRACTS_MAX);
    p->contracts[p->contract_count] = *a;
    p->owners[p->contract_count++] = universe;
}

static void check_money(struct play *p) {
    struct world *w = chain_world(p->f.main.chain);
    uint64_t n = sys_get_u64(w, SYS_UNIVERSE_COUNT, NULL);
    u256 sum = U256_ZERO, total = sys_get(w, SYS_GAS_ACCOUNTS_TOTAL, NULL);
    for (uint64_t id = 1; id <= n; id++) {
        u256 account = gas_account(&p->f, id);
        sum = u256_add(&sum, &account);
    }
    cr_assert(u256_eq(&sum, &total));
    addr20 registry = system_address(SYSTEM_REGISTRY);
    u256 balance = fixture_balance(&p->f, &registry);
    cr_assert(!u256_lt(&balance, &total));
}

static void check_attributions(struct play *p) {
    for (size_t i = 0; i < p->contract_count; i++)
        cr_assert_eq(attribution_of(&p->f, &p->contracts[i]), p->owners[i]);
}

/* The limits in force, and what was spent, per universe: by all, and by each user. */
struct spending {
    u256 limit, spent;
    u256 user_limit, user_spent[FIXTURE_ACCOUNTS];
};

static struct spending spending_of(struct play *p, uint64_t id) {
    struct spending s = {.limit = registry_view(&p->f, 0, "budget(uint64)", WORDS(W(id))),
                         .spent = registry_view(&p->f, 2, "budget(uint64)", WORDS(W(id)))};
    s.user_limit = registry_view(&p->f, 0, "userBudget(uint64)", WORDS(W(id)));
    for (int i = 0; i < FIXTURE_ACCOUNTS; i++)
        s.user_spent[i] =
            registry_view(&p->f, 0, "userSpent(uint64,address)", WORDS(W(id), A(p->f.addrs[i])));
    return s;
}

/* Blocks that changed no limit may not pass it. */
static void check_budgets(struct play *p, const struct spending before[UNIVERSES + 1]) {
    for (uint64_t id = 1; id <= UNIVERSES; id++) {
        struct spending now = spending_of(p, id);
        bool changed = !u256_eq(&now.limit, &before[id].limit);
        cr_assert(changed || !u256_lt(&now.limit, &now.spent) ||
                  !u256_lt(&before[id].spent, &now.spent));
        changed = !u256_eq(&now.user_limit, &before[id].user_limit);
        for (int i = 0; i < FIXTURE_ACCOUNTS; i++)
            cr_assert(changed || u256_is_zero(&now.user_limit) ||
                      !u256_lt(&now.user_limit, &now.user_spent[i]) ||
                      !u256_lt(&before[id].user_spent[i], &now.user_spent[i]));
    }
}

static void step(struct play *p) {
    struct fixture *f = &p->f;
    struct tx *txs[BLOCK_TXS];
    enum tx_verdict v[BLOCK_TXS];
    struct spending before[UNIVERSES + 1];
    size_t n = 1 + pick(p, BLOCK_TXS);
    for (uint64_t id = 1; id <= UNIVERSES; id++)
        before[id] = spending_of(p, id);
    for (size_t i = 0; i < n; i++)
        txs[i] = any_tx(p);
    struct derived_block b;
    enum err e = fixture_block(f, &b, txs, n, pick(p, 8) == 0 ? 4000 : pick(p, 20), v);
    for (int i = 0; i < FIXTURE_ACCOUNTS; i++) /* refused ones leave their nonces */
        f->nonces[i] = world_nonce(chain_world(f->main.chain), &f->addrs[i]);
    for (size_t i = 0; i < n; i++)
        p->refused += v[i] != TX_OK;
    if (e == ERR_NOT_FOUND)
        return;
    cr_assert_eq(e, ERR_OK);
    for (size_t i = 0; i < b.tx_count; i++) {
        p->sponsored += b.txs[i].result.charge.sponsored;
        p->reverted += !b.txs[i].receipt.success;
    }
    for (size_t i = 0; i < b.attribution_count && p->contract_count < CONTRACTS_MAX / 2; i++) {
        remember(p, &b.attributions[i].contract, b.attributions[i].universe);
        p->created++;
    }
    check_money(p);
    check_attributions(p);
    check_budgets(p, before);
}

static void play(uint64_t seed) {
    static struct play p;
    memset(&p, 0, sizeof p);
    p.rng.state = seed;
    fixture_init(&p.f, &universe_options);
    static const char *const slugs[UNIVERSES] = {"one", "two", "three"};
    for (int i = 0; i < UNIVERSES; i++) {
        uint64_t id = make_universe(&p.f, i, slugs[i]);
        addr20 a = factory_deploy(&p.f, i, id, 1, init_code(&p.f, bytes_of(maker, sizeof maker)));
        addr20 b = factory_deploy(&p.f, i, id, 2, init_code(&p.f, bytes_of(burner, 1)));
        make_sponsor(&p.f, i, id, &a, ETHER / 1000);
        remember(&p, &a, id);
        remember(&p, &b, id);
    }
    for (int i = 0; i < STEPS; i++)
        step(&p);
    fixture_clear(&p.f);
    cr_log_info("seed %llu: %llu sponsored, %llu refused, %llu failed, %llu attributed",
                (unsigned long long)seed, (unsigned long long)p.sponsored,
                (unsigned long long)p.refused, (unsigned long long)p.reverted,
                (unsigned long long)p.created);
    cr_assert(p.sponsored > 20 && p.refused > 20 && p.reverted > 20 && p.created > 5,
              "seed %llu says little: %llu %llu %llu %llu", (unsigned long long)seed,
              (unsigned long long)p.sponsored, (unsigned long long)p.refused,
              (unsigned long long)p.reverted, (unsigned long long)p.created);
}

Test(universe_random, invariants, .timeout = 120) {
    play(rng_seed(1));
}

Test(universe_random, more_seeds, .timeout = 240) {
    for (uint64_t seed = 2; seed < 6; seed++)
        play(seed);
}
