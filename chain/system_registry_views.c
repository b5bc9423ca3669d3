/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "chain/system_registry_internal.h"

/* Views answer zeros about what does not exist. */

static enum evm_status answer_field(struct call *c, enum system_field f, const u256 *key) {
    u256 v = call_get(c, f, key);
    return answer_word(c, &v);
}

/* Universe id, then address: the key of many maps. */
static bool id_and_address(struct call *c, u256 out_key[2]) {
    return registry_arg(c, 0, 64, &out_key[0]) && registry_arg(c, 1, 160, &out_key[1]);
}

/* --- universes --------------------------------------------------------------------------- */

enum evm_status registry_universe_count(struct call *c) {
    return answer_field(c, SYS_UNIVERSE_COUNT, NULL);
}

enum evm_status registry_universe_by_slug(struct call *c) {
    u256 word = arg(c, 0), shift = u256_from_u64(256 - 8 * REGISTRY_SLUG_BYTES);
    u256 slug = u256_shr(&shift, &word), back = u256_shl(&shift, &slug);
    return u256_eq(&back, &word) ? answer_field(c, SYS_SLUG_UNIVERSE, &slug) : EVM_REVERT;
}

enum evm_status registry_universe(struct call *c) {
    static const enum system_field fields[] = {
        SYS_UNIVERSE_OWNER,      SYS_UNIVERSE_PENDING_OWNER, SYS_UNIVERSE_STATUS,
        SYS_UNIVERSE_CREATED_AT, SYS_UNIVERSE_UPGRADE_DELAY, SYS_UNIVERSE_GAS_ACCOUNT,
        SYS_UNIVERSE_BOND_PAID,
    };
    u256 id;
    if (!registry_arg(c, 0, 64, &id))
        return EVM_REVERT;
    u256 slug = call_get(c, SYS_UNIVERSE_SLUG, &id);
    u256 shift = u256_from_u64(256 - 8 * REGISTRY_SLUG_BYTES);
    slug = u256_shl(&shift, &slug);
    put_word(c, &slug);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        u256 v = call_get(c, fields[i], &id);
        put_word(c, &v);
    }
    return EVM_SUCCESS;
}

enum evm_status registry_is_paused(struct call *c) {
    u256 id;
    if (!registry_arg(c, 0, 64, &id))
        return EVM_REVERT;
    uint64_t status = call_get_u64(c, SYS_UNIVERSE_STATUS, &id);
    return answer_u64(c, status == UNIVERSE_PAUSED || status == UNIVERSE_ARCHIVED);
}

enum evm_status registry_metadata_uri(struct call *c) {
    u256 id;
    if (!registry_arg(c, 0, 64, &id))
        return EVM_REVERT;
    uint64_t len = call_get_u64(c, SYS_UNIVERSE_META_LEN, &id);
    if (len > REGISTRY_META_MAX_BYTES) /* in a state that a call pretends */
        return EVM_REVERT;
    uint8_t text[REGISTRY_META_MAX_BYTES];
    for (size_t at = 0; at < len; at += 32) {
        u256 key[2] = {id, u256_from_u64(at / 32)}, v = call_get(c, SYS_META_WORD, key);
        u256_to_be32(text + at, &v);
    }
    put_u64(c, 32);
    put_bytes(c, bytes_of(text, (size_t)len));
    return EVM_SUCCESS;
}

/* --- roles ------------------------------------------------------------------------------- */

enum evm_status registry_role_of(struct call *c) {
    u256 key[2];
    if (!id_and_address(c, key))
        return EVM_REVERT;
    put_u64(c, call_get_u64(c, SYS_ROLE_BITS, key));
    put_u64(c, call_get_u64(c, SYS_ROLE_EXPIRY, key));
    return EVM_SUCCESS;
}

enum evm_status registry_has_role(struct call *c) {
    u256 key[2];
    uint64_t bits;
    if (!id_and_address(c, key) || !arg_u64(c, 2, &bits))
        return EVM_REVERT;
    addr20 account = u256_to_addr(&key[1]);
    bool exists = call_get_u64(c, SYS_UNIVERSE_STATUS, key) != UNIVERSE_NONE;
    return answer_u64(c, exists && registry_is_allowed(c, &key[0], &account, bits));
}

enum evm_status registry_role_holder_count(struct call *c) {
    u256 id;
    return registry_arg(c, 0, 64, &id) ? answer_field(c, SYS_UNIVERSE_ROLE_COUNT, &id) : EVM_REVERT;
}

enum evm_status registry_role_holder_at(struct call *c) {
    u256 key[2];
    bool ok = registry_arg(c, 0, 64, &key[0]) && registry_arg(c, 1, 64, &key[1]);
    return ok ? answer_field(c, SYS_ROLE_AT, key) : EVM_REVERT;
}

/* --- attribution ------------------------------------------------------------------------- */

/* A field of a map whose key is the address in argument 0. */
static enum evm_status answer_of_address(struct call *c, enum system_field f) {
    u256 key;
    return registry_arg(c, 0, 160, &key) ? answer_field(c, f, &key) : EVM_REVERT;
}

enum evm_status registry_universe_of(struct call *c) {
    return answer_of_address(c, SYS_ATTRIBUTED_UNIVERSE);
}

enum evm_status registry_deployer_of(struct call *c) {
    return answer_of_address(c, SYS_DEPLOYER_UNIVERSE);
}

enum evm_status registry_is_deployer_offered(struct call *c) {
    u256 key[2];
    return id_and_address(c, key) ? answer_field(c, SYS_DEPLOYER_OFFERED, key) : EVM_REVERT;
}

enum evm_status registry_is_unattributable(struct call *c) {
    u256 key;
    if (!registry_arg(c, 0, 160, &key))
        return EVM_REVERT;
    bool flagged = call_get_u64(c, SYS_UNATTRIBUTABLE_FLAG, &key) != 0;
    addr20 a = u256_to_addr(&key);
    return answer_u64(c, flagged || universe_unattributable(c->x->world, &a));
}

/* --- who is paid for --------------------------------------------------------------------- */

enum evm_status registry_budget(struct call *c) {
    u256 id;
    if (!registry_arg(c, 0, 64, &id))
        return EVM_REVERT;
    u256 limit = call_get(c, SYS_BUDGET_LIMIT, &id), spent = call_get(c, SYS_BUDGET_SPENT, &id);
    uint64_t seconds = call_get_u64(c, SYS_BUDGET_SECONDS, &id);
    uint64_t window = call_get_u64(c, SYS_BUDGET_WINDOW, &id);
    spent = universe_budget_spent(&spent, window, seconds, registry_now(c));
    put_word(c, &limit);
    put_u64(c, seconds);
    put_word(c, &spent);
    return EVM_SUCCESS;
}

enum evm_status registry_user_budget(struct call *c) {
    u256 id;
    if (!registry_arg(c, 0, 64, &id))
        return EVM_REVERT;
    u256 limit = call_get(c, SYS_USER_BUDGET_LIMIT, &id);
    put_word(c, &limit);
    put_u64(c, call_get_u64(c, SYS_USER_BUDGET_SECONDS, &id));
    return EVM_SUCCESS;
}

enum evm_status registry_user_spent(struct call *c) {
    u256 key[2];
    if (!id_and_address(c, key))
        return EVM_REVERT;
    u256 spent = call_get(c, SYS_USER_BUDGET_SPENT, key);
    uint64_t window = call_get_u64(c, SYS_USER_BUDGET_WINDOW, key);
    uint64_t seconds = call_get_u64(c, SYS_USER_BUDGET_SECONDS, key);
    spent = universe_budget_spent(&spent, window, seconds, registry_now(c));
    return answer_word(c, &spent);
}

enum evm_status registry_caller_count(struct call *c) {
    u256 id;
    return registry_arg(c, 0, 64, &id) ? answer_field(c, SYS_POLICY_CALLER_COUNT, &id) : EVM_REVERT;
}

enum evm_status registry_is_caller(struct call *c) {
    u256 two[2];
    if (!id_and_address(c, two))
        return EVM_REVERT;
    u256 key[3] = {two[0], call_get(c, SYS_POLICY_LISTS, two), two[1]};
    return answer_field(c, SYS_POLICY_CALLER, key);
}

/* Whether (target, first bytes of calldata) is listed. */
static enum evm_status answer_target(struct call *c, const u256 two[2], bytes data) {
    addr20 target = u256_to_addr(&two[1]);
    u256 key[3] = {two[0], call_get(c, SYS_POLICY_LISTS, two), sponsor_target_key(&target, data)};
    return answer_field(c, SYS_POLICY_TARGET, key);
}

enum evm_status registry_is_target(struct call *c) {
    u256 two[2], word = arg(c, 2), shift = u256_from_u64(32), rest = u256_shl(&shift, &word);
    if (!id_and_address(c, two) || !u256_is_zero(&rest))
        return EVM_REVERT;
    uint8_t be[32];
    u256_to_be32(be, &word);
    return answer_target(c, two, bytes_of(be, 4));
}

enum evm_status registry_is_short_target(struct call *c) {
    u256 two[2];
    return id_and_address(c, two) ? answer_target(c, two, bytes_of(NULL, 0)) : EVM_REVERT;
}

/* --- the toll ---------------------------------------------------------------------------- */

/* The slots that universe_toll reads: charged by name, read there. */
static void charge_toll(struct call *c, const u256 *id) {
    static const enum system_field one_of_each[] = {
        SYS_PENDING_AT,          SYS_UNIVERSE_UPGRADE_DELAY, SYS_SURCHARGE_SPEED_LIMIT,
        SYS_SURCHARGE_UNIT,      SYS_SURCHARGE_MAX,          SYS_SURCHARGE_BACKLOG,
        SYS_PENDING_SPEED_LIMIT, SYS_PENDING_UNIT,           SYS_PENDING_MAX,
    };
    for (size_t i = 0; i < ARRAY_LEN(one_of_each); i++)
        (void)call_get(c, one_of_each[i], id);
    (void)call_get(c, SYS_SURCHARGE_CAP, NULL);
}

static void put_toll(struct call *c, const struct fee_surcharge *s) {
    put_u64(c, s->meter.speed_limit);
    put_u64(c, s->meter.tolerance_s);
    put_u64(c, s->meter.inertia_s);
    put_word(c, &s->unit_wei);
    put_word(c, &s->base_wei);
    put_word(c, &s->cap_wei);
}

enum evm_status registry_surcharge(struct call *c) {
    u256 id;
    if (!registry_arg(c, 0, 64, &id))
        return EVM_REVERT;
    charge_toll(c, &id);
    struct universe_toll t = universe_toll(c->x->world, id.w[0], registry_now(c));
    put_toll(c, &t.fees);
    return EVM_SUCCESS;
}

enum evm_status registry_pending_surcharge(struct call *c) {
    static const enum system_field fields[] = {
        SYS_PENDING_SPEED_LIMIT, SYS_PENDING_TOLERANCE, SYS_PENDING_INERTIA,       SYS_PENDING_UNIT,
        SYS_PENDING_BASE,        SYS_PENDING_MAX,       SYS_PENDING_UPGRADE_DELAY, SYS_PENDING_AT,
    };
    u256 id;
    if (!registry_arg(c, 0, 64, &id))
        return EVM_REVERT;
    uint64_t at_s = call_get_u64(c, SYS_PENDING_AT, &id);
    bool pending = at_s != 0 && registry_now(c) < at_s;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        u256 v = call_get(c, fields[i], &id);
        put_word(c, pending ? &v : &U256_ZERO);
    }
    return EVM_SUCCESS;
}

enum evm_status registry_surcharge_price(struct call *c) {
    u256 id;
    if (!registry_arg(c, 0, 64, &id))
        return EVM_REVERT;
    charge_toll(c, &id);
    u256 s = universe_surcharge(c->x->world, id.w[0], registry_now(c));
    return answer_word(c, &s);
}

/* --- the chain's settings ---------------------------------------------------------------- */

enum evm_status registry_gas_accounts_total(struct call *c) {
    return answer_field(c, SYS_GAS_ACCOUNTS_TOTAL, NULL);
}

enum evm_status registry_universe_bond(struct call *c) {
    return answer_field(c, SYS_UNIVERSE_BOND, NULL);
}

enum evm_status registry_is_creation_open(struct call *c) {
    return answer_field(c, SYS_UNIVERSE_CREATION_OPEN, NULL);
}

enum evm_status registry_is_creator(struct call *c) {
    return answer_of_address(c, SYS_CREATOR_FLAG);
}

enum evm_status registry_surcharge_cap(struct call *c) {
    return answer_field(c, SYS_SURCHARGE_CAP, NULL);
}

enum evm_status registry_factory(struct call *c) {
    return answer_field(c, SYS_REGISTRY_FACTORY, NULL);
}
