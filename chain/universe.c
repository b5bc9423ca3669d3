/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/universe.h"

#include "base/check.h"
#include "chain/system_state.h"

/* --- whose ------------------------------------------------------------------------------- */

static bool has_universes(struct world *w) {
    return sys_get_u64(w, SYS_UNIVERSE_COUNT, NULL) != 0;
}

uint64_t universe_of(struct world *w, const addr20 *contract) {
    if (!has_universes(w)) /* spares chains without universes a hash for every recipient */
        return 0;
    u256 key = u256_from_addr(contract);
    return sys_get_u64(w, SYS_ATTRIBUTED_UNIVERSE, &key);
}

static uint64_t deployer_universe(struct world *w, const addr20 *a) {
    if (!has_universes(w))
        return 0;
    u256 key = u256_from_addr(a);
    return sys_get_u64(w, SYS_DEPLOYER_UNIVERSE, &key);
}

uint64_t universe_of_tx(struct world *w, const struct tx *tx) {
    return tx->is_create ? deployer_universe(w, &tx->sender) : universe_of(w, &tx->to);
}

uint64_t universe_by_slug(struct world *w, const char *slug) {
    uint8_t be[UNIVERSE_SLUG_BYTES] = {0};
    size_t len = strlen(slug);
    if (len == 0 || len > sizeof be)
        return 0;
    memcpy(be, slug, len);
    u256 key = u256_from_be(be, sizeof be);
    return sys_get_u64(w, SYS_SLUG_UNIVERSE, &key);
}

static bool is_stopped(struct world *w, uint64_t id) {
    u256 key = u256_from_u64(id);
    return sys_get_u64(w, SYS_UNIVERSE_STATUS, &key) != UNIVERSE_ACTIVE;
}

bool universe_is_paused(struct world *w, const addr20 *to) {
    uint64_t id = universe_of(w, to);
    return id != 0 && is_stopped(w, id);
}

bool universe_unattributable(struct world *w, const addr20 *a) {
    if (addr20_is_zero(a) || system_address_find(a) >= 0)
        return true;
    u256 key = u256_from_addr(a);
    return sys_get_u64(w, SYS_UNATTRIBUTABLE_FLAG, &key) != 0;
}

/* --- the toll ---------------------------------------------------------------------------- */

const enum system_field UNIVERSE_TOLL_IN_FORCE[] = {
    SYS_SURCHARGE_SPEED_LIMIT, SYS_SURCHARGE_TOLERANCE, SYS_SURCHARGE_INERTIA,
    SYS_SURCHARGE_UNIT,        SYS_SURCHARGE_BASE,      SYS_SURCHARGE_MAX,
    SYS_UNIVERSE_UPGRADE_DELAY};
const enum system_field UNIVERSE_TOLL_SCHEDULED[] = {
    SYS_PENDING_SPEED_LIMIT, SYS_PENDING_TOLERANCE, SYS_PENDING_INERTIA,      SYS_PENDING_UNIT,
    SYS_PENDING_BASE,        SYS_PENDING_MAX,       SYS_PENDING_UPGRADE_DELAY};

static bool toll_is_due(struct world *w, const u256 *key, uint64_t now_s) {
    uint64_t at_s = sys_get_u64(w, SYS_PENDING_AT, key);
    return at_s != 0 && now_s >= at_s;
}

struct universe_toll universe_toll(struct world *w, uint64_t id, uint64_t now_s) {
    u256 key = u256_from_u64(id);
    const enum system_field *f =
        toll_is_due(w, &key, now_s) ? UNIVERSE_TOLL_SCHEDULED : UNIVERSE_TOLL_IN_FORCE;
    u256 cap = sys_get(w, SYS_SURCHARGE_CAP, NULL);
    struct universe_toll t = {
        .fees.meter = {.speed_limit = sys_get_u64(w, f[0], &key),
                       .tolerance_s = sys_get_u64(w, f[1], &key),
                       .inertia_s = sys_get_u64(w, f[2], &key)},
        .fees.unit_wei = sys_get(w, f[3], &key),
        .fees.base_wei = sys_get(w, f[4], &key),
        .fees.cap_wei = sys_get(w, f[5], &key),
        .upgrade_delay_s = sys_get_u64(w, f[UNIVERSE_TOLL_DELAY], &key),
    };
    if (u256_lt(&cap, &t.fees.cap_wei))
        t.fees.cap_wei = cap;
    if (t.fees.meter.inertia_s == 0) /* the registry takes none such; a call may pretend some */
        t.fees.meter.speed_limit = 0;
    return t;
}

/* The backlog, drained to `now_s`. */
static uint64_t toll_backlog(struct world *w, const u256 *key, const struct fee_meter *m,
                             uint64_t now_s) {
    uint64_t backlog = sys_get_u64(w, SYS_SURCHARGE_BACKLOG, key);
    uint64_t since_s = sys_get_u64(w, SYS_SURCHARGE_BACKLOG_TIME, key);
    return fee_backlog_after(backlog, m, now_s > since_s ? now_s - since_s : 0);
}

u256 universe_surcharge(struct world *w, uint64_t id, uint64_t now_s) {
    if (id == 0)
        return U256_ZERO;
    struct universe_toll t = universe_toll(w, id, now_s);
    if (t.fees.meter.speed_limit == 0)
        return U256_ZERO;
    u256 key = u256_from_u64(id);
    return fee_surcharge_price(&t.fees, toll_backlog(w, &key, &t.fees.meter, now_s));
}

static void toll_feed(struct world *w, uint64_t id, uint64_t now_s, uint64_t gas_used) {
    struct universe_toll t = universe_toll(w, id, now_s);
    if (t.fees.meter.speed_limit == 0)
        return;
    u256 key = u256_from_u64(id);
    uint64_t backlog = toll_backlog(w, &key, &t.fees.meter, now_s);
    sys_set_u64(w, SYS_SURCHARGE_BACKLOG, &key, fee_backlog_add(backlog, gas_used));
    sys_set_u64(w, SYS_SURCHARGE_BACKLOG_TIME, &key, now_s);
}

/* --- money ------------------------------------------------------------------------------- */

bool universe_gas_add(struct world *w, uint64_t id, const u256 *wei) {
    addr20 registry = system_address(SYSTEM_REGISTRY);
    u256 key = u256_from_u64(id), account = sys_get(w, SYS_UNIVERSE_GAS_ACCOUNT, &key);
    u256 total = sys_get(w, SYS_GAS_ACCOUNTS_TOTAL, NULL);
    if (u256_add_overflow(&account, &account, wei) || u256_add_overflow(&total, &total, wei))
        return false;
    sys_set(w, SYS_UNIVERSE_GAS_ACCOUNT, &key, &account);
    sys_set(w, SYS_GAS_ACCOUNTS_TOTAL, NULL, &total);
    world_add_balance(w, &registry, wei);
    return true;
}

bool universe_gas_take(struct world *w, uint64_t id, const u256 *wei) {
    addr20 registry = system_address(SYSTEM_REGISTRY);
    u256 key = u256_from_u64(id), account = sys_get(w, SYS_UNIVERSE_GAS_ACCOUNT, &key);
    u256 total = sys_get(w, SYS_GAS_ACCOUNTS_TOTAL, NULL);
    if (u256_lt(&account, wei) || u256_lt(&total, wei) || !world_sub_balance(w, &registry, wei))
        return false;
    account = u256_sub(&account, wei);
    total = u256_sub(&total, wei);
    sys_set(w, SYS_UNIVERSE_GAS_ACCOUNT, &key, &account);
    sys_set(w, SYS_GAS_ACCOUNTS_TOTAL, NULL, &total);
    return true;
}

u256 universe_budget_spent(const u256 *spent, uint64_t window, uint64_t seconds, uint64_t now_s) {
    return seconds != 0 && window == now_s / seconds ? *spent : U256_ZERO;
}

/* Which budget, and where it counts. */
struct meter_fields {
    enum system_field spent, window;
};
static const struct meter_fields universe_meter = {SYS_BUDGET_SPENT, SYS_BUDGET_WINDOW};
static const struct meter_fields user_meter = {SYS_USER_BUDGET_SPENT, SYS_USER_BUDGET_WINDOW};

static void budget_debit(struct world *w, const struct meter_fields *m, const u256 *key,
                         uint64_t seconds, uint64_t now_s, const u256 *cost) {
    u256 spent = sys_get(w, m->spent, key);
    spent = universe_budget_spent(&spent, sys_get_u64(w, m->window, key), seconds, now_s);
    spent = u256_add(&spent, cost);
    sys_set(w, m->spent, key, &spent); /* the match saw that limit, of as many bits, covers it */
    sys_set_u64(w, m->window, key, now_s / seconds);
}

/* The transaction itself may have changed the budget: a window that is not the debited one any more
 * has nothing to give back to. */
static void budget_return(struct world *w, const struct meter_fields *m, const u256 *key,
                          uint64_t seconds, uint64_t now_s, const u256 *unused) {
    if (seconds == 0 || sys_get_u64(w, m->window, key) != now_s / seconds)
        return;
    u256 spent = sys_get(w, m->spent, key);
    spent = u256_lt(&spent, unused) ? U256_ZERO : u256_sub(&spent, unused);
    sys_set(w, m->spent, key, &spent);
}

static u256 gas_cost(uint64_t gas, const u256 *price) {
    u256 wide = u256_from_u64(gas), cost;
    bool overflow = u256_mul_overflow(&cost, &wide, price);
    CHECK(!overflow);
    return cost;
}

static void sponsor_debit(struct world *w, struct universe_run *r, const struct tx *tx,
                          const struct tx_charge *c) {
    u256 cost = gas_cost(tx->gas_limit, &c->sponsor_price);
    bool covered = universe_gas_take(w, c->universe, &cost);
    CHECK(covered);
    u256 key[2] = {u256_from_u64(c->universe), u256_from_addr(&tx->sender)};
    r->budget_seconds = sys_get_u64(w, SYS_BUDGET_SECONDS, key);
    CHECK(r->budget_seconds != 0);
    budget_debit(w, &universe_meter, key, r->budget_seconds, r->now_s, &cost);
    bool has_user = sys_get_u64(w, SYS_POLICY_HAS_USER_LIMIT, key) != 0;
    r->user_seconds = has_user ? sys_get_u64(w, SYS_USER_BUDGET_SECONDS, key) : 0;
    if (r->user_seconds != 0)
        budget_debit(w, &user_meter, key, r->user_seconds, r->now_s, &cost);
}

static void sponsor_return(struct world *w, const struct universe_run *r, const struct tx *tx,
                           const struct tx_charge *c, uint64_t gas_used) {
    u256 unused = gas_cost(tx->gas_limit - gas_used, &c->sponsor_price);
    bool held = universe_gas_add(w, c->universe, &unused);
    CHECK(held); /* no sum exceeds the supply */
    u256 key[2] = {u256_from_u64(c->universe), u256_from_addr(&tx->sender)};
    budget_return(w, &universe_meter, key, r->budget_seconds, r->now_s, &unused);
    budget_return(w, &user_meter, key, r->user_seconds, r->now_s, &unused);
}

/* --- around a transaction ---------------------------------------------------------------- */

void universe_run_init(struct universe_run *r) {
    memset(r, 0, sizeof *r);
    buf_init(&r->created, UNIVERSE_CREATED_MAX_BYTES);
}

void universe_run_clear(struct universe_run *r) {
    buf_clear(&r->created);
}

void universe_tx_begin(struct world *w, struct universe_run *r, const struct tx *tx,
                       const struct tx_charge *c, uint64_t now_s) {
    r->now_s = now_s;
    r->sponsored = c->sponsored;
    r->creates_for = 0;
    r->budget_seconds = r->user_seconds = 0;
    buf_reset(&r->created);
    if (tx->is_create) {
        r->creates_for = deployer_universe(w, &tx->sender);
        evm_create_address(&r->creates, &tx->sender, world_nonce(w, &tx->sender));
    }
    if (c->sponsored)
        sponsor_debit(w, r, tx, c);
}

void universe_tx_end(struct world *w, struct universe_run *r, const struct tx *tx,
                     const struct tx_charge *c, uint64_t gas_used) {
    if (c->sponsored)
        sponsor_return(w, r, tx, c, gas_used);
    if (!u256_is_zero(&c->surcharge)) {
        u256 toll = gas_cost(gas_used, &c->surcharge);
        bool held = universe_gas_add(w, c->universe, &toll);
        CHECK(held);
    }
    if (c->universe != 0)
        toll_feed(w, c->universe, r->now_s, gas_used);
    if (r->created.len == 0) /* only a contract of this transaction can be destroyed by it */
        return;
    for (size_t i = 0; i < world_doomed_count(w); i++) {
        addr20 a = world_doomed_at(w, i);
        u256 key = u256_from_addr(&a);
        sys_set_u64(w, SYS_ATTRIBUTED_UNIVERSE, &key, 0);
    }
}

/* --- attribution ------------------------------------------------------------------------- */

uint64_t universe_deploying(struct world *w) {
    addr20 registry = system_address(SYSTEM_REGISTRY);
    return world_transient(w, &registry, &U256_ZERO).w[0];
}

void universe_set_deploying(struct world *w, uint64_t id) {
    addr20 registry = system_address(SYSTEM_REGISTRY);
    u256 v = u256_from_u64(id);
    world_set_transient(w, &registry, &U256_ZERO, &v);
}

static uint64_t universe_by_creator(struct world *w, const struct universe_run *r,
                                    const addr20 *created, const addr20 *creator) {
    if (r->creates_for != 0 && addr20_eq(created, &r->creates))
        return r->creates_for;
    addr20 factory = sys_get_addr(w, SYS_REGISTRY_FACTORY, NULL);
    if (addr20_eq(creator, &factory))
        return universe_deploying(w);
    return universe_of(w, creator);
}

void universe_on_create(struct world *w, struct universe_run *r, const addr20 *created,
                        const addr20 *creator) {
    if (!has_universes(w))
        return;
    uint64_t id = universe_by_creator(w, r, created, creator);
    if (id == 0 || universe_unattributable(w, created) || universe_of(w, created) != 0)
        return;
    u256 key = u256_from_addr(created);
    sys_set_u64(w, SYS_ATTRIBUTED_UNIVERSE, &key, id);
    buf_append(&r->created, created->b, sizeof created->b);
}

static bool seen_before(const struct buf *b, size_t at) {
    for (size_t i = 0; i < at; i += sizeof(addr20))
        if (memcmp(b->ptr + i, b->ptr + at, sizeof(addr20)) == 0)
            return true;
    return false;
}

void universe_each_created(struct world *w, const struct universe_run *r, void *ctx,
                           void (*fn)(void *ctx, const addr20 *contract, uint64_t universe)) {
    CHECK(!r->created.overflow);
    for (size_t at = 0; at < r->created.len; at += sizeof(addr20)) {
        if (seen_before(&r->created, at)) /* its first creation reverted */
            continue;
        addr20 a;
        memcpy(a.b, r->created.ptr + at, sizeof a.b);
        uint64_t id = universe_of(w, &a);
        if (id != 0)
            fn(ctx, &a, id);
    }
}
