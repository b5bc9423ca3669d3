/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: contracts belong to whom PROTOCOL says and to nobody else, and never move; a sponsor pays
 * exactly the gas used, the sender nothing; the toll is charged, credited and changed on time;
 * paused universes refuse. Each block is derived again on a twin (fixture).
 * Covers: universe.c system_registry_deploy.c */
#include "tests/lib/chain/universe_fixture.h"

#include "chain/l3_rules.h"

#include <criterion/criterion.h>

static const uint8_t maker[] = {0x5f, 0x5f, 0x5f, 0xf0, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3};
static const uint8_t make_and_revert[] = {0x5f, 0x5f, 0x5f, 0xf0, 0x5f, 0x5f, 0xfd};
static const uint8_t stop[] = {0x00};
#define CODE(x) bytes_of(x, sizeof(x))
#define NO_DATA bytes_of(NULL, 0)

static struct fixture f;

static void setup(void) {
    fixture_init(&f, &universe_options);
}

static void teardown(void) {
    fixture_clear(&f);
}

TestSuite(universe, .init = setup, .fini = teardown);

/* What `a` creates next. */
static addr20 created_by(const addr20 *a) {
    addr20 out;
    evm_create_address(&out, a, world_nonce(chain_world(f.main.chain), a));
    return out;
}

static void become_deployer(int owner, uint64_t id, int account) {
    registry_ok(&f, owner, 0, "offerDeployer(uint64,address,bool)",
                WORDS(W(id), A(f.addrs[account]), W(1)));
    registry_ok(&f, account, 0, "acceptDeployer(uint64)", WORDS(W(id)));
}

#define SCHEDULE "scheduleSurcharge(uint64,(uint64,uint64,uint64,uint128,uint128,uint128),uint64)"

static void wait(uint64_t seconds) {
    struct derived_block b;
    struct tx *t = fixture_tx(&f, 0, &f.addrs[0], 0, NO_DATA, 21000);
    cr_assert_eq(fixture_block(&f, &b, &t, 1, seconds, NULL), ERR_OK);
}

/* --- attribution ------------------------------------------------------------------------- */

Test(universe, factory_and_descendants) {
    uint64_t one = make_universe(&f, 1, "one"), two = make_universe(&f, 2, "two");
    addr20 a = factory_deploy(&f, 1, one, 7, init_code(&f, CODE(maker)));
    addr20 b = factory_deploy(&f, 2, two, 7, init_code(&f, CODE(maker)));
    cr_assert(!addr20_eq(&a, &b)); /* the same salt and code */
    cr_assert_eq(attribution_of(&f, &a), one);
    cr_assert_eq(attribution_of(&f, &b), two);
    cr_assert_eq(registry_view_u64(&f, "universeOf(address)", WORDS(A(b))), two);
    /* Whoever calls it: what a contract of `one` makes is one's. */
    addr20 child = created_by(&a);
    struct tx *t = fixture_tx(&f, 2, &a, 0, NO_DATA, 200000);
    struct derived_block blk;
    cr_assert_eq(fixture_block(&f, &blk, &t, 1, 1, NULL), ERR_OK);
    cr_assert(blk.txs[0].receipt.success);
    cr_assert_eq(attribution_of(&f, &child), one);
    cr_assert(blk.attribution_count == 1 && blk.attributions[0].universe == one);
    cr_assert(addr20_eq(&blk.attributions[0].contract, &child));
    cr_assert_eq(blk.attributions[0].tx_idx, 0);
    /* Roles, not owners alone; strangers not. */
    u256 words[] = {W(one), W(8), W(96), W(0)};
    bytes data = abi_call(&f, "deploy(uint64,bytes32,bytes)", words, ARRAY_LEN(words));
    struct derived_tx d = fixture_run(&f, fixture_tx(&f, 3, &FIXTURE_FACTORY, 0, data, 1000000));
    cr_assert(!d.receipt.success);
    registry_ok(&f, 1, 0, "setRole(uint64,address,uint64,uint64)",
                WORDS(W(one), A(f.addrs[3]), W(1), W(0)));
    d = fixture_run(&f, fixture_tx(&f, 3, &FIXTURE_FACTORY, 0, data, 1000000));
    cr_assert(d.receipt.success);
}

Test(universe, constructors_children_belong_too) {
    uint64_t id = make_universe(&f, 1, "u");
    /* CREATE of nothing in the constructor, then the code. */
    static const uint8_t init[] = {0x5f, 0x5f, 0x5f, 0xf0, 0x50, 0x5f, 0x5f, 0xf3};
    addr20 a = factory_deploy(&f, 1, id, 1, CODE(init));
    addr20 child;
    evm_create_address(&child, &a, 1);
    cr_assert_eq(attribution_of(&f, &a), id);
    cr_assert_eq(attribution_of(&f, &child), id);
}

Test(universe, reverted_creations_leave_nothing) {
    uint64_t id;
    addr20 a = make_contract(&f, 1, &id, CODE(make_and_revert));
    addr20 child = created_by(&a);
    struct tx *t = fixture_tx(&f, 2, &a, 0, NO_DATA, 200000);
    struct derived_block b;
    cr_assert_eq(fixture_block(&f, &b, &t, 1, 1, NULL), ERR_OK);
    cr_assert(!b.txs[0].receipt.success);
    cr_assert_eq(b.attribution_count, 0);
    cr_assert_eq(attribution_of(&f, &child), 0);
}

Test(universe, destroyed_in_its_transaction) {
    uint64_t id = make_universe(&f, 1, "u");
    become_deployer(1, id, 2);
    static const uint8_t dies[] = {0x33, 0xff}; /* SELFDESTRUCT(CALLER) */
    addr20 at = created_by(&f.addrs[2]);
    struct tx *t = fixture_tx(&f, 2, NULL, 5, CODE(dies), 200000);
    struct derived_block b;
    cr_assert_eq(fixture_block(&f, &b, &t, 1, 1, NULL), ERR_OK);
    cr_assert(b.txs[0].receipt.success);
    cr_assert_eq(attribution_of(&f, &at), 0);
    cr_assert_eq(b.attribution_count, 0);
    /* One that destroys itself later stays what it is (EIP-6780). */
    at = factory_deploy(&f, 1, id, 1, init_code(&f, CODE(dies)));
    (void)fixture_run(&f, fixture_tx(&f, 3, &at, 0, NO_DATA, 100000));
    cr_assert_eq(attribution_of(&f, &at), id);
}

Test(universe, deployers) {
    uint64_t one = make_universe(&f, 1, "one"), two = make_universe(&f, 3, "two");
    addr20 before = created_by(&f.addrs[2]);
    (void)fixture_run(&f, fixture_tx(&f, 2, NULL, 0, init_code(&f, CODE(stop)), 200000));
    become_deployer(1, one, 2);
    struct call_result r;
    registry_ok(&f, 3, 0, "offerDeployer(uint64,address,bool)", WORDS(W(two), A(f.addrs[2]), W(1)));
    r = registry_ask(&f, 2, 0, "acceptDeployer(uint64)", WORDS(W(two)));
    cr_assert(reverts_with(&r, "AlreadyDeployer(address,uint64)"));
    addr20 at = created_by(&f.addrs[2]);
    struct derived_tx d =
        fixture_run(&f, fixture_tx(&f, 2, NULL, 0, init_code(&f, CODE(maker)), 200000));
    cr_assert(d.receipt.success && d.result.charge.universe == one);
    cr_assert_eq(attribution_of(&f, &at), one);
    cr_assert_eq(attribution_of(&f, &before), 0); /* what it made before stays nobody's */
    registry_ok(&f, 2, 0, "resignDeployer()", NO_WORDS);
    r = registry_ask(&f, 2, 0, "resignDeployer()", NO_WORDS);
    cr_assert(reverts_with(&r, "NotDeployer(address)"));
    addr20 after = created_by(&f.addrs[2]);
    d = fixture_run(&f, fixture_tx(&f, 2, NULL, 0, init_code(&f, CODE(stop)), 200000));
    cr_assert_eq(d.result.charge.universe, 0);
    cr_assert_eq(attribution_of(&f, &after), 0);
    cr_assert_eq(attribution_of(&f, &at), one);                          /* never moves */
    r = registry_ask(&f, 2, 0, "acceptDeployer(uint64)", WORDS(W(one))); /* an offer counts once */
    cr_assert(reverts_with(&r, "NotOffered(uint64,address)"));
}

/* A stranger that a universe names as its deployer is none: its contracts stay its own. */
Test(universe, strangers_named_as_deployers) {
    uint64_t id = make_universe(&f, 1, "thief");
    registry_ok(&f, 1, 0, "offerDeployer(uint64,address,bool)", WORDS(W(id), A(f.addrs[2]), W(1)));
    addr20 at = created_by(&f.addrs[2]);
    struct derived_tx d =
        fixture_run(&f, fixture_tx(&f, 2, NULL, 0, init_code(&f, CODE(stop)), 200000));
    cr_assert(d.receipt.success && d.result.charge.universe == 0);
    cr_assert_eq(attribution_of(&f, &at), 0);
    /* Nor can the owner put contracts of others into the universe, by any call. */
    struct call_result r =
        registry_ask(&f, 1, 0, "beginDeployment(uint64,address)", WORDS(W(id), A(f.addrs[1])));
    cr_assert(reverts_with(&r, "NotFactory(address)"));
    r = registry_ask(&f, 1, 0, "endDeployment()", NO_WORDS);
    cr_assert(reverts_with(&r, "NotFactory(address)"));
}

/* An inner CREATE is never a creation transaction: not that of a deployer whose account runs code
 * by EIP-7702. */
Test(universe, delegated_deployer_creates_for_nobody) {
    uint64_t id = make_universe(&f, 1, "u");
    become_deployer(1, id, 2);
    struct derived_tx d =
        fixture_run(&f, fixture_tx(&f, 3, NULL, 0, init_code(&f, CODE(maker)), 200000));
    addr20 code_at = d.receipt.contract_addr;
    struct tx_authorization u = {
        .chain_id = W(FIXTURE_CHAIN_ID), .address = code_at, .nonce = f.nonces[2]};
    cr_assert_eq(tx_sign_authorization(&u, f.keys[2]), ERR_OK);
    struct tx t = {.type = TX_SET_CODE,
                   .nonce = f.nonces[3]++,
                   .gas_limit = 300000,
                   .to = f.addrs[2],
                   .auths = &u,
                   .auth_count = 1,
                   .max_fee = W(1000000000000)};
    addr20 inner;
    evm_create_address(&inner, &f.addrs[2], f.nonces[2] + 1); /* after the authorization */
    fixture_sign(&f, &t, 3);
    d = fixture_run(&f, &t);
    cr_assert(d.receipt.success);
    f.nonces[2] += 2;
    cr_assert_eq(world_nonce(chain_world(f.main.chain), &inner), 1); /* it was created */
    cr_assert_eq(attribution_of(&f, &inner), 0);
}

Test(universe, who_is_never_attributed) {
    uint64_t id = make_universe(&f, 1, "u");
    struct world *w = chain_world(f.main.chain);
    cr_expect(universe_unattributable(w, &FIXTURE_FACTORY));
    static const addr20 zero = {{0}};
    cr_expect(universe_unattributable(w, &zero));
    for (int i = 0; i < SYSTEM_ADDRESS_COUNT; i++) {
        addr20 a = system_address((enum system_address)i);
        cr_expect(universe_unattributable(w, &a));
    }
    /* A shared factory: flagged before it exists, deployed by a universe, and nobody's. */
    become_deployer(1, id, 2);
    addr20 shared = created_by(&f.addrs[2]);
    registry_ok(&f, 0, 0, "setUnattributable(address,bool)", WORDS(A(shared), W(1)));
    (void)fixture_run(&f, fixture_tx(&f, 2, NULL, 0, init_code(&f, CODE(maker)), 200000));
    cr_expect_eq(attribution_of(&f, &shared), 0);
    addr20 child = created_by(&shared);
    (void)fixture_run(&f, fixture_tx(&f, 2, &shared, 0, NO_DATA, 200000));
    cr_expect_eq(attribution_of(&f, &child), 0);
    /* What belongs to somebody cannot be flagged. */
    addr20 own = factory_deploy(&f, 1, id, 1, init_code(&f, CODE(stop)));
    struct call_result r =
        registry_ask(&f, 0, 0, "setUnattributable(address,bool)", WORDS(A(own), W(1)));
    cr_expect(reverts_with(&r, "AlreadyAttributed(address,uint64)"));
    r = registry_ask(&f, 1, 0, "setUnattributable(address,bool)", WORDS(A(f.addrs[3]), W(1)));
    cr_expect(reverts_with(&r, "NotChainOwner(address)"));
}

/* --- who pays ---------------------------------------------------------------------------- */

#define PRICE UINT64_C(10000000) /* the fixture's P */

Test(universe, sponsor_pays_exactly) {
    uint64_t id;
    addr20 a = make_sponsored(&f, 1, &id, CODE(maker), ETHER);
    registry_ok(&f, 1, 0, "setUserBudget(uint64,uint192,uint64)", WORDS(W(id), W(ETHER), W(86400)));
    u256 account = gas_account(&f, id), sender = fixture_balance(&f, &f.addrs[2]);
    u256 network = fixture_balance(&f, &FIXTURE_FEE_ACCOUNT);
    struct derived_tx d = fixture_run(&f, free_tx(&f, 2, &a, NO_DATA, 300000));
    cr_assert(d.receipt.success && d.result.charge.sponsored);
    cr_assert_eq(d.result.charge.universe, id);
    cr_assert(u256_is_zero(&d.receipt.effective_gas_price));
    cr_assert_eq(d.result.charge.sponsor_price.w[0], PRICE);
    uint64_t cost = d.receipt.gas_used * PRICE;
    u256 left = gas_account(&f, id), now = fixture_balance(&f, &f.addrs[2]);
    cr_assert_eq(account.w[0] - left.w[0], cost);
    cr_assert(u256_eq(&now, &sender));
    u256 earned = fixture_balance(&f, &FIXTURE_FEE_ACCOUNT);
    cr_assert_eq(earned.w[0] - network.w[0], cost);
    cr_assert_eq(registry_view(&f, 2, "budget(uint64)", WORDS(W(id))).w[0], cost);
    cr_assert_eq(registry_view_u64(&f, "userSpent(uint64,address)", WORDS(W(id), A(f.addrs[2]))),
                 cost);
    cr_assert_eq(registry_view_u64(&f, "userSpent(uint64,address)", WORDS(W(id), A(f.addrs[3]))),
                 0);
}

/* GASPRICE and BASEFEE as the code sees them: P + S and P for who pays, 0 and P for who does not.
 */
Test(universe, what_the_code_sees) {
    static const uint8_t store[] = {0x3a, 0x5f, 0x55, 0x48, 0x60, 0x01, 0x55, 0x00};
    uint64_t id;
    addr20 a = make_contract(&f, 1, &id, CODE(store));
    struct world *w = chain_world(f.main.chain);
    registry_ok(&f, 1, 0, SCHEDULE,
                WORDS(W(id), W(1 << 30), W(0), W(10), W(1), W(77), W(1000), W(3600)));
    wait(3600);
    (void)fixture_run(&f, fixture_tx(&f, 2, &a, 0, NO_DATA, 100000));
    u256 one = W(1);
    cr_assert_eq(world_storage(w, &a, &U256_ZERO).w[0], PRICE + 77);
    cr_assert_eq(world_storage(w, &a, &one).w[0], PRICE);
    make_sponsor(&f, 1, id, &a, ETHER);
    (void)fixture_run(&f, fixture_tx(&f, 2, &a, 0, NO_DATA, 100000)); /* it offers a price */
    cr_assert_eq(world_storage(w, &a, &U256_ZERO).w[0], 0);
    cr_assert_eq(world_storage(w, &a, &one).w[0], PRICE);
}

/* Failing calls empty the caller's own budget, and the universe's, as others do. */
Test(universe, failing_calls_count) {
    static const uint8_t burn[] = {0xfe};
    uint64_t id;
    addr20 a = make_sponsored(&f, 1, &id, CODE(burn), ETHER);
    uint64_t each = 100000 * PRICE;
    registry_ok(&f, 1, 0, "setUserBudget(uint64,uint192,uint64)",
                WORDS(W(id), W(each + each / 2), W(86400)));
    struct derived_tx d = fixture_run(&f, free_tx(&f, 2, &a, NO_DATA, 100000));
    cr_assert(!d.receipt.success && d.result.charge.sponsored);
    cr_assert_eq(registry_view_u64(&f, "userSpent(uint64,address)", WORDS(W(id), A(f.addrs[2]))),
                 each);
    struct tx *t = free_tx(&f, 2, &a, NO_DATA, 100000);
    cr_assert_eq(verdict_of(&f, t), TX_FEE_CAP_TOO_LOW); /* its own budget is empty */
    d = fixture_run(&f, free_tx(&f, 3, &a, NO_DATA, 100000));
    cr_assert(d.result.charge.sponsored); /* others' are not */
    /* A new window. */
    struct derived_block b;
    cr_assert_eq(fixture_block(&f, &b, &t, 1, 86400, NULL), ERR_OK);
    cr_assert(b.txs[0].result.charge.sponsored);
}

/* Several transactions of one block share what is left, in their order. */
Test(universe, budget_within_a_block) {
    uint64_t id;
    addr20 a = make_sponsored(&f, 1, &id, CODE(stop), 100000 * PRICE + 21000 * PRICE);
    struct tx *txs[4];
    for (int i = 0; i < 4; i++)
        txs[i] = free_tx(&f, i, &a, NO_DATA, 100000); /* use 21,000 each */
    struct derived_block b;
    enum tx_verdict v[4];
    cr_assert_eq(fixture_block(&f, &b, txs, 4, 1, v), ERR_OK);
    cr_assert(v[0] == TX_OK && v[1] == TX_OK);
    cr_assert(v[2] == TX_FEE_CAP_TOO_LOW && v[3] == TX_FEE_CAP_TOO_LOW);
    uint64_t spent = registry_view(&f, 2, "budget(uint64)", WORDS(W(id))).w[0];
    cr_assert_eq(spent, b.header.gas_used * PRICE);
}

/* The sponsored transaction itself changes the budgets, or withdraws the gas account. */
Test(universe, own_transaction_changes_what_pays_it) {
    /* Calls the registry with its calldata: CALLDATACOPY all, CALL(gas, 0x7500, 0, 0, size, 0, 0)
     */
    static const uint8_t relay[] = {0x36, 0x5f, 0x5f, 0x37, 0x5f, 0x5f, 0x36, 0x5f,
                                    0x5f, 0x61, 0x75, 0x00, 0x5a, 0xf1, 0x00};
    uint64_t id;
    addr20 a = make_sponsored(&f, 1, &id, CODE(relay), ETHER);
    static const char *const setters[] = {"setBudget(uint64,uint192,uint64)",
                                          "withdrawGas(uint64,address,uint256)"};
    bytes budget = abi_call(&f, setters[0], WORDS(W(id), W(ETHER), W(60)));
    bytes drain = abi_call(&f, setters[1], WORDS(W(id), A(f.addrs[3]), W(ETHER / 2)));
    add_target(&f, 1, id, &a, budget);
    add_target(&f, 1, id, &a, drain);
    /* The contract becomes the owner. */
    registry_ok(&f, 1, 0, "setUserBudget(uint64,uint192,uint64)", WORDS(W(id), W(ETHER), W(60)));
    registry_ok(&f, 1, 0, "transferOwnership(uint64,address)", WORDS(W(id), A(a)));
    bytes accept = abi_call(&f, "acceptOwnership(uint64)", WORDS(W(id)));
    (void)fixture_run(&f, fixture_tx(&f, 1, &a, 0, accept, 300000));
    u256 before = gas_account(&f, id);
    struct derived_tx d = fixture_run(&f, free_tx(&f, 2, &a, budget, 500000));
    cr_assert(d.result.charge.sponsored && d.receipt.success);
    cr_assert_eq(registry_view(&f, 1, "budget(uint64)", WORDS(W(id))).w[0], 60);
    cr_assert_eq(registry_view(&f, 2, "budget(uint64)", WORDS(W(id))).w[0], 0);
    u256 after = gas_account(&f, id);
    cr_assert_eq(before.w[0] - after.w[0], d.receipt.gas_used * PRICE);
    d = fixture_run(&f, free_tx(&f, 2, &a, drain, 500000));
    cr_assert(d.result.charge.sponsored && d.receipt.success);
    u256 last = gas_account(&f, id);
    cr_assert_eq(after.w[0] - last.w[0], ETHER / 2 + d.receipt.gas_used * PRICE);
}

/* The sponsor's debit empties a slot, which the transaction fills again: no refund is taken back
 * that nobody got. */
Test(universe, last_wei_then_a_deposit) {
    /* As the relay above, with a wei. */
    static const uint8_t relay[] = {0x36, 0x5f, 0x5f, 0x37, 0x5f, 0x5f, 0x36, 0x5f,
                                    0x60, 0x01, 0x61, 0x75, 0x00, 0x5a, 0xf1, 0x00};
    uint64_t id;
    addr20 a = make_sponsored(&f, 1, &id, CODE(relay), ETHER);
    uint64_t gas = 200000;
    registry_ok(&f, 1, 0, "withdrawGas(uint64,address,uint256)",
                WORDS(W(id), A(f.addrs[1]), W(ETHER - gas * PRICE)));
    bytes deposit = abi_call(&f, "depositGas(uint64)", WORDS(W(id)));
    add_target(&f, 1, id, &a, deposit);
    (void)fixture_run(&f, fixture_tx(&f, 3, &a, 1, NO_DATA, 100000)); /* the wei */
    struct derived_tx d = fixture_run(&f, free_tx(&f, 2, &a, deposit, gas));
    cr_assert(d.result.charge.sponsored && d.receipt.success);
    cr_assert_eq(d.receipt.log_count, 1);
    u256 left = gas_account(&f, id);
    cr_assert_eq(left.w[0], (gas - d.receipt.gas_used) * PRICE + 1);
}

/* Who has nothing and offers nothing is served; who names value must have it. */
Test(universe, sender_without_money) {
    uint64_t id;
    addr20 a = make_sponsored(&f, 1, &id, CODE(stop), ETHER);
    uint8_t key[32] = {[31] = 99};
    struct tx t = {.type = TX_LEGACY, .gas_limit = 50000, .to = a, .has_chain_id = true};
    t.chain_id = FIXTURE_CHAIN_ID;
    cr_assert_eq(tx_sign(&t, &f.arena, key), ERR_OK);
    struct derived_tx d = fixture_run(&f, &t);
    cr_assert(d.result.charge.sponsored && d.receipt.success);
    cr_assert_eq(world_nonce(chain_world(f.main.chain), &t.sender), 1);
    /* A fee cap is waived, not charged. */
    struct tx *rich = fixture_tx(&f, 2, &a, 0, NO_DATA, 50000);
    u256 before = fixture_balance(&f, &f.addrs[2]);
    d = fixture_run(&f, rich);
    u256 after = fixture_balance(&f, &f.addrs[2]);
    cr_assert(d.result.charge.sponsored && u256_eq(&before, &after));
    registry_ok(&f, 1, 0, "setPolicy(uint64,(bool,bool,bool,bool,uint32,uint64,uint64,uint256))",
                WORDS(W(id), W(1), W(1), W(0), W(0), W(4096), W(UINT64_MAX), W(1 << 24), W(ETHER)));
    t.nonce = 1;
    t.value = W(1);
    cr_assert_eq(tx_sign(&t, &f.arena, key), ERR_OK);
    cr_assert_eq(verdict_of(&f, &t), TX_INSUFFICIENT_FUNDS);
}

/* --- the same everywhere ----------------------------------------------------------------- */

struct outcome {
    struct derived_tx tx;
    hash32 state_root;
};

/* A prepared chain, one transaction in a message of this kind, its block. */
static struct outcome run_by_route(struct fixture *at, bool delayed, int variant) {
    fixture_init(at, &universe_options);
    uint64_t id;
    addr20 a = make_sponsored(at, 1, &id, CODE(maker), variant == 1 ? 1 : ETHER);
    struct tx *t = variant == 0 ? free_tx(at, 2, &a, NO_DATA, 300000)
                                : fixture_tx(at, 2, &a, 0, NO_DATA, 300000);
    struct buf data;
    buf_init(&data, 1 << 16);
    buf_append_byte(&data, L2_SIGNED_TX);
    buf_append(&data, t->raw.ptr, t->raw.len);
    struct message m = delayed ? fixture_delayed_message(at, MESSAGE_L2, buf_bytes(&data))
                               : fixture_l2_message(at, buf_bytes(&data));
    struct derived_block b;
    cr_assert_eq(fixture_message(at, &b, &m, NULL), ERR_OK);
    buf_clear(&data);
    cr_assert_eq(b.tx_count, 1);
    u256 zero = U256_ZERO; /* what differs by law: the sequencer's data backlog */
    struct world *w = chain_world(at->main.chain);
    world_block_begin(w, b.header.number + 1);
    world_tx_begin(w);
    sys_set(w, SYS_DA_BACKLOG, NULL, &zero);
    world_tx_end(w);
    struct world_diff diff;
    world_block_end(w, &at->arena, &diff);
    struct outcome o = {.tx = b.txs[0]};
    state_trie_apply(at->main.trie, &diff, &o.state_root);
    return o;
}

Test(universe, route_changes_nothing) {
    for (int variant = 0; variant < 2; variant++) {
        struct fixture one, other;
        struct outcome s = run_by_route(&one, false, variant),
                       d = run_by_route(&other, true, variant);
        cr_assert_eq(s.tx.result.charge.sponsored, variant == 0);
        cr_assert_eq(s.tx.result.charge.sponsored, d.tx.result.charge.sponsored);
        cr_assert(u256_eq(&s.tx.result.charge.price, &d.tx.result.charge.price));
        cr_assert(u256_eq(&s.tx.result.charge.surcharge, &d.tx.result.charge.surcharge));
        cr_assert(u256_eq(&s.tx.result.charge.sponsor_price, &d.tx.result.charge.sponsor_price));
        cr_assert_eq(s.tx.receipt.gas_used, d.tx.receipt.gas_used);
        cr_assert_eq(s.tx.receipt.success, d.tx.receipt.success);
        cr_assert(hash32_eq(&s.tx.tx.hash, &d.tx.tx.hash));
        cr_assert(hash32_eq(&s.state_root, &d.state_root));
        fixture_clear(&one);
        fixture_clear(&other);
    }
}

/* --- paused ------------------------------------------------------------------------------ */

Test(universe, paused) {
    uint64_t id;
    addr20 a = make_contract(&f, 1, &id, CODE(stop));
    static const uint8_t forward[] = {0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x73, [26] = 0x5a, 0xf1, 0x00};
    uint8_t code[sizeof forward];
    memcpy(code, forward, sizeof code);
    memcpy(code + 6, a.b, 20);
    struct derived_tx d =
        fixture_run(&f, fixture_tx(&f, 3, NULL, 0, init_code(&f, CODE(code)), 200000));
    addr20 outside = d.receipt.contract_addr;
    registry_ok(&f, 1, 0, "setPaused(uint64,bool)", WORDS(W(id), W(1)));
    cr_assert(universe_is_paused(chain_world(f.main.chain), &a));
    cr_assert(!universe_is_paused(chain_world(f.main.chain), &outside));
    for (int type = 0; type <= 4; type++) {
        if (type == TX_BLOB)
            continue;
        struct tx_authorization u = {.chain_id = W(FIXTURE_CHAIN_ID), .nonce = 77};
        cr_assert_eq(tx_sign_authorization(&u, f.keys[3]), ERR_OK);
        struct tx t = {.type = (enum tx_type)type, .gas_limit = 100000, .to = a};
        t.nonce = f.nonces[2];
        t.gas_price = t.max_fee = W(1000000000);
        if (type <= 1)
            t.max_priority_fee = t.max_fee;
        if (type == TX_SET_CODE) {
            t.auths = &u;
            t.auth_count = 1;
        }
        fixture_sign(&f, &t, 2);
        cr_expect_eq(verdict_of(&f, &t), TX_UNIVERSE_PAUSED, "type %d", type);
    }
    /* Forced by the parent: not in the block either. */
    struct tx *t = fixture_tx(&f, 2, &a, 0, NO_DATA, 100000);
    struct buf data;
    buf_init(&data, 1 << 12);
    buf_append_byte(&data, L2_SIGNED_TX);
    buf_append(&data, t->raw.ptr, t->raw.len);
    struct message m = fixture_delayed_message(&f, MESSAGE_L2, buf_bytes(&data));
    struct derived_block b;
    cr_assert_eq(fixture_message(&f, &b, &m, NULL), ERR_OK);
    cr_assert_eq(b.tx_count, 0);
    buf_clear(&data);
    /* Inner calls are not asked. */
    d = fixture_run(&f, fixture_tx(&f, 3, &outside, 0, NO_DATA, 100000));
    cr_assert(d.receipt.success);
    registry_ok(&f, 1, 0, "setPaused(uint64,bool)", WORDS(W(id), W(0)));
    cr_assert_eq(verdict_of(&f, t), TX_OK);
    registry_ok(&f, 1, 0, "archive(uint64)", WORDS(W(id)));
    f.nonces[2] = t->nonce + 1;
    cr_assert_eq(verdict_of(&f, fixture_tx(&f, 2, &a, 0, NO_DATA, 100000)), TX_UNIVERSE_PAUSED);
}

/* --- the toll ---------------------------------------------------------------------------- */

Test(universe, toll) {
    uint64_t id;
    addr20 a = make_contract(&f, 1, &id, CODE(stop));
    /* 1,000 gas a second, none of it free, e-fold at 10,000 gas. */
    registry_ok(&f, 1, 0, SCHEDULE,
                WORDS(W(id), W(1000), W(0), W(10), W(1000000), W(500), W(900000000), W(7200)));
    struct derived_tx d = fixture_run(&f, fixture_tx(&f, 2, &a, 0, NO_DATA, 21000));
    cr_assert(u256_is_zero(&d.result.charge.surcharge)); /* not yet */
    wait(3600);
    u256 account = gas_account(&f, id), before = fixture_balance(&f, &f.addrs[2]);
    u256 network = fixture_balance(&f, &FIXTURE_FEE_ACCOUNT);
    d = fixture_run(&f, fixture_tx(&f, 2, &a, 0, NO_DATA, 21000));
    cr_assert_eq(d.result.charge.surcharge.w[0], 500); /* the base */
    cr_assert_eq(d.receipt.effective_gas_price.w[0], PRICE + 500);
    u256 after = fixture_balance(&f, &f.addrs[2]), now = gas_account(&f, id);
    cr_assert_eq(before.w[0] - after.w[0], 21000 * (PRICE + 500));
    cr_assert_eq(now.w[0] - account.w[0], 21000 * 500);
    u256 earned = fixture_balance(&f, &FIXTURE_FEE_ACCOUNT);
    cr_assert_eq(earned.w[0] - network.w[0], 21000 * PRICE);
    /* The backlog of 21,000 gas, drained for one second: e^2 - 1 of a unit more. */
    uint64_t e2 = fee_exp_bps(20000) - FEE_BPS;
    cr_assert_eq(registry_view_u64(&f, "surchargePrice(uint64)", WORDS(W(id))),
                 1000000 * (fee_exp_bps(21000) - FEE_BPS) / FEE_BPS + 500);
    struct tx *cheap = fixture_tx(&f, 3, &a, 0, NO_DATA, 21000);
    cheap->max_fee = W(PRICE + 1000000 * e2 / FEE_BPS + 499);
    fixture_sign(&f, cheap, 3);
    cr_assert_eq(verdict_of(&f, cheap), TX_FEE_CAP_TOO_LOW);
    cheap->max_fee = W(PRICE + 1000000 * e2 / FEE_BPS + 500);
    fixture_sign(&f, cheap, 3);
    d = fixture_run(&f, cheap);
    cr_assert_eq(d.result.charge.surcharge.w[0], 1000000 * e2 / FEE_BPS + 500);
    /* A sponsor pays P alone, and its gas counts. */
    make_sponsor(&f, 1, id, &a, ETHER);
    uint64_t backlog = 1000000;
    wait(backlog);
    d = fixture_run(&f, free_tx(&f, 3, &a, NO_DATA, 21000));
    cr_assert(d.result.charge.sponsored && u256_is_zero(&d.result.charge.surcharge));
    u256 key = W(id);
    cr_assert_eq(sys_get_u64(chain_world(f.main.chain), SYS_SURCHARGE_BACKLOG, &key), 21000);
}

Test(universe, toll_parameters) {
    uint64_t id = make_universe(&f, 1, "u");
    struct call_result r;
#define TRY_TOLL(speed, inertia, max, delay)                                                       \
    r = registry_ask(&f, 1, 0, SCHEDULE,                                                           \
                     WORDS(W(id), W(speed), W(0), W(inertia), W(1), W(1), W(max), W(delay)))
    TRY_TOLL(1, 0, 5, 3600);
    cr_expect(reverts_with(&r, "InvalidSurcharge()"));
    TRY_TOLL(1, 1, 1000000001, 3600);
    cr_expect(reverts_with(&r, "SurchargeAboveCap(uint256,uint256)"));
    TRY_TOLL(1, 1, 5, 3599);
    cr_expect(reverts_with(&r, "InvalidUpgradeDelay(uint64)"));
    TRY_TOLL(1, 1, 5, (UINT64_C(1) << 32) + 1);
    cr_expect(reverts_with(&r, "InvalidUpgradeDelay(uint64)"));
    r = registry_ask(&f, 2, 0, SCHEDULE, WORDS(W(id), W(1), W(0), W(1), W(1), W(1), W(1), W(3600)));
    cr_expect(reverts_with(&r, "NotAuthorized(uint64,address,uint64)"));
    r = registry_ask(&f, 1, 0, "cancelSurcharge(uint64)", WORDS(W(id)));
    cr_expect(reverts_with(&r, "NothingPending(uint64)"));
    /* Scheduled, seen, cancelled. */
    registry_ok(&f, 1, 0, SCHEDULE, WORDS(W(id), W(7), W(0), W(1), W(1), W(40), W(5000), W(10000)));
    uint64_t at = f.head.timestamp + 3600;
    cr_expect_eq(registry_view(&f, 7, "pendingSurcharge(uint64)", WORDS(W(id))).w[0], at);
    cr_expect_eq(registry_view(&f, 0, "pendingSurcharge(uint64)", WORDS(W(id))).w[0], 7);
    registry_ok(&f, 1, 0, "cancelSurcharge(uint64)", WORDS(W(id)));
    wait(4000);
    cr_expect_eq(registry_view_u64(&f, "surcharge(uint64)", WORDS(W(id))), 0);
    /* Once in force, so is the new delay; and the chain's cap bounds what is in force. */
    registry_ok(&f, 1, 0, SCHEDULE, WORDS(W(id), W(7), W(0), W(1), W(1), W(40), W(5000), W(10000)));
    wait(3600);
    cr_expect_eq(registry_view_u64(&f, "surchargePrice(uint64)", WORDS(W(id))), 40);
    registry_ok(&f, 1, 0, SCHEDULE, WORDS(W(id), W(9), W(0), W(1), W(1), W(50), W(60), W(3600)));
    cr_expect_eq(registry_view(&f, 7, "pendingSurcharge(uint64)", WORDS(W(id))).w[0],
                 f.head.timestamp + 10000);
    cr_expect_eq(registry_view_u64(&f, "surcharge(uint64)", WORDS(W(id))), 7);
    registry_ok(&f, 0, 0, "setSurchargeCap(uint256)", WORDS(W(30)));
    cr_expect_eq(registry_view_u64(&f, "surchargePrice(uint64)", WORDS(W(id))), 30);
    wait(10000);
    cr_expect_eq(registry_view_u64(&f, "surcharge(uint64)", WORDS(W(id))), 9);
    cr_expect_eq(registry_view(&f, 7, "pendingSurcharge(uint64)", WORDS(W(id))).w[0], 0);
}
