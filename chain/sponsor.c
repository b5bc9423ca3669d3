/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "chain/system_state.h"
#include "chain/universe.h"

const char *sponsor_rule_name(enum sponsor_rule r) {
    static const char *const names[] = {
#define SPONSOR_RULE(id, name) name,
#include "chain/sponsor_rules.def"
#undef SPONSOR_RULE
    };
    CHECK(r < ARRAY_LEN(names));
    return names[r];
}

/* One match: counts the slots that it looks at. */
struct match {
    struct world *w;
    const struct tx *tx;
    u256 id, sender;
    u256 cost; /* gas limit x P */
    uint64_t gas, now_s;
    unsigned reads;
    u256 policy[5]; /* the words of the record */
};

enum { POLICY_WORDS = ARRAY_LEN(((struct match *)0)->policy) };

static u256 look(struct match *m, const u256 *slot) {
    m->reads++;
    CHECK(m->reads <= UNIVERSE_MATCH_READS_MAX);
    addr20 registry = system_address(SYSTEM_REGISTRY);
    return world_storage(m->w, &registry, slot);
}

/* A field that the match reads on its own. */
static u256 look_field(struct match *m, enum system_field f, const u256 *key) {
    u256 slot = system_slot(f, key), word = look(m, &slot);
    return system_part(f, &word);
}

static bool look_flag(struct match *m, enum system_field f, const u256 *key) {
    u256 v = look_field(m, f, key);
    return !u256_is_zero(&v);
}

static void read_policy(struct match *m) {
    u256 slot = system_slot(SYS_POLICY_ACTIVE, &m->id);
    for (size_t i = 0; i < POLICY_WORDS; i++) {
        m->policy[i] = look(m, &slot);
        slot = u256_add(&slot, &U256_ONE);
    }
}

static u256 policy_part(const struct match *m, enum system_field f) {
    const struct system_field_info *i = system_field_info(f);
    CHECK(i->map == SYSTEM_MAP_POLICIES && i->word < POLICY_WORDS);
    return system_part(f, &m->policy[i->word]);
}

static uint64_t policy_u64(const struct match *m, enum system_field f) {
    u256 v = policy_part(m, f);
    return v.w[0];
}

/* --- the rules --------------------------------------------------------------------------- */

static bool type_may(const struct match *m) {
    switch (m->tx->type) {
    case TX_LEGACY:
    case TX_ACCESS_LIST:
    case TX_DYNAMIC_FEE:
    case TX_UNSIGNED:
    case TX_CONTRACT:
        return true;
    case TX_SET_CODE:
        return policy_u64(m, SYS_POLICY_ALLOW_SET_CODE) != 0;
    case TX_BLOB:
    case TX_DEPOSIT:
    case TX_RETRY:
    case TX_SUBMIT_RETRYABLE:
    case TX_INTERNAL:
        return false;
    }
    return false;
}

/* What one look at policy and transaction decides. */
static enum sponsor_rule check_form(const struct match *m) {
    const struct tx *tx = m->tx;
    if (!type_may(m))
        return SPONSOR_TYPE;
    if (tx->access_count != 0)
        return SPONSOR_ACCESS_LIST;
    if (policy_u64(m, SYS_POLICY_ACTIVE) == 0)
        return SPONSOR_INACTIVE;
    if (m->now_s >= policy_u64(m, SYS_POLICY_EXPIRY))
        return SPONSOR_EXPIRED;
    if (tx->is_create && policy_u64(m, SYS_POLICY_ALLOW_CREATE) == 0)
        return SPONSOR_CREATION;
    if (!u256_is_zero(&tx->value) && policy_u64(m, SYS_POLICY_ALLOW_VALUE) == 0)
        return SPONSOR_VALUE;
    if (tx->data.len > policy_u64(m, SYS_POLICY_MAX_DATA))
        return SPONSOR_DATA;
    if (m->gas > policy_u64(m, SYS_POLICY_MAX_GAS))
        return SPONSOR_GAS;
    u256 max_cost = policy_part(m, SYS_POLICY_MAX_COST);
    return u256_lt(&max_cost, &m->cost) ? SPONSOR_COST : SPONSOR_OK;
}

u256 sponsor_target_key(const addr20 *contract, bytes data) {
    bool is_short = data.len < 4;
    uint64_t low = is_short ? UINT64_C(1) << 32 : be32_load(data.ptr);
    u256 key = u256_from_addr(contract), shift = u256_from_u64(40), part = u256_from_u64(low);
    key = u256_shl(&shift, &key);
    return u256_or(&key, &part);
}

static enum sponsor_rule check_lists(struct match *m) {
    u256 key[3] = {m->id, policy_part(m, SYS_POLICY_LISTS), m->sender};
    bool listed_only = policy_u64(m, SYS_POLICY_CALLER_COUNT) != 0;
    if (listed_only && !look_flag(m, SYS_POLICY_CALLER, key))
        return SPONSOR_CALLER;
    if (m->tx->is_create)
        return SPONSOR_OK;
    key[2] = sponsor_target_key(&m->tx->to, m->tx->data);
    return look_flag(m, SYS_POLICY_TARGET, key) ? SPONSOR_OK : SPONSOR_TARGET;
}

/* Whether a window of `seconds` has `cost` left. */
static bool has_left(const struct match *m, const u256 *limit, uint64_t seconds, const u256 *spent,
                     uint64_t window) {
    u256 sum = universe_budget_spent(spent, window, seconds, m->now_s);
    if (seconds == 0 || u256_add_overflow(&sum, &sum, &m->cost))
        return false;
    return !u256_lt(limit, &sum);
}

static enum sponsor_rule check_money(struct match *m) {
    u256 account = look_field(m, SYS_UNIVERSE_GAS_ACCOUNT, &m->id);
    if (u256_lt(&account, &m->cost))
        return SPONSOR_GAS_ACCOUNT;
    u256 limit = policy_part(m, SYS_BUDGET_LIMIT), spent = policy_part(m, SYS_BUDGET_SPENT);
    if (!has_left(m, &limit, policy_u64(m, SYS_BUDGET_SECONDS), &spent,
                  policy_u64(m, SYS_BUDGET_WINDOW)))
        return SPONSOR_BUDGET;
    if (policy_u64(m, SYS_POLICY_HAS_USER_LIMIT) == 0)
        return SPONSOR_OK;
    u256 key[2] = {m->id, m->sender};
    u256 slot = system_slot(SYS_USER_BUDGET_SPENT, key), word = look(m, &slot);
    limit = policy_part(m, SYS_USER_BUDGET_LIMIT);
    spent = system_part(SYS_USER_BUDGET_SPENT, &word);
    u256 window = system_part(SYS_USER_BUDGET_WINDOW, &word);
    return has_left(m, &limit, policy_u64(m, SYS_USER_BUDGET_SECONDS), &spent, window.w[0])
               ? SPONSOR_OK
               : SPONSOR_USER_BUDGET;
}

/* Last, since it costs a recovery. */
static enum sponsor_rule check_authorization(const struct match *m) {
    const struct tx *tx = m->tx;
    if (tx->type != TX_SET_CODE)
        return SPONSOR_OK;
    if (tx->auth_count != 1)
        return SPONSOR_AUTHORIZATION;
    tx_recover_authority(&tx->auths[0]);
    bool own = tx->auths[0].authority_ok && addr20_eq(&tx->auths[0].authority, &tx->sender);
    return own ? SPONSOR_OK : SPONSOR_AUTHORIZATION;
}

enum sponsor_rule universe_sponsor_rule(struct world *w, uint64_t id, const struct tx *tx,
                                        uint64_t gas, const u256 *price, uint64_t now_s) {
    CHECK(tx->has_sender);
    if (id == 0)
        return SPONSOR_NO_UNIVERSE;
    struct match m = {.w = w,
                      .tx = tx,
                      .id = u256_from_u64(id),
                      .sender = u256_from_addr(&tx->sender),
                      .gas = gas,
                      .now_s = now_s};
    u256 wide = u256_from_u64(gas);
    if (u256_mul_overflow(&m.cost, &wide, price))
        return SPONSOR_COST;
    u256 status = look_field(&m, SYS_UNIVERSE_STATUS, &m.id);
    if (status.w[0] != UNIVERSE_ACTIVE)
        return SPONSOR_STATUS;
    read_policy(&m);
    enum sponsor_rule r = check_form(&m);
    if (r == SPONSOR_OK)
        r = check_lists(&m);
    if (r == SPONSOR_OK)
        r = check_money(&m);
    if (r == SPONSOR_OK)
        r = check_authorization(&m);
    return r;
}
