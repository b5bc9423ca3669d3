/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "chain/system_registry_internal.h"

enum { GAS_TRANSIENT = 100 /* EIP-1153 */ };

/* --- deployers --------------------------------------------------------------------------- */

static enum evm_status error_account(struct call *c, const char *signature, const addr20 *a) {
    enum evm_status s = registry_error(c, signature);
    put_addr(c, a);
    return s;
}

static enum evm_status error_account_id(struct call *c, const char *signature, const addr20 *a,
                                        uint64_t id) {
    enum evm_status s = error_account(c, signature, a);
    put_u64(c, id);
    return s;
}

enum evm_status registry_offer_deployer(struct call *c) {
    u256 id;
    addr20 account;
    bool offered;
    enum evm_status s = registry_enter(c, ROLE_NONE, &id);
    if (s != EVM_SUCCESS)
        return s;
    if (!arg_addr(c, 1, &account) || !arg_bool(c, 2, &offered))
        return EVM_REVERT;
    if (addr20_is_zero(&account))
        return registry_error(c, "ZeroAddress()");
    u256 key[2] = {id, u256_from_addr(&account)};
    call_set_u64(c, SYS_DEPLOYER_OFFERED, key, offered);
    struct event e = event_of("DeployerOffered(uint64,address,bool)", &id);
    event_topic_addr(&e, &account);
    event_u64(&e, offered);
    event_emit(&e, c);
    return EVM_SUCCESS;
}

static void put_deployer(struct call *c, const u256 *id, const addr20 *account, bool is_deployer) {
    u256 key = u256_from_addr(account);
    call_set(c, SYS_DEPLOYER_UNIVERSE, &key, is_deployer ? id : &U256_ZERO);
    struct event e = event_of("DeployerSet(uint64,address,bool)", id);
    event_topic_addr(&e, account);
    event_u64(&e, is_deployer);
    event_emit(&e, c);
}

/* Code of its own, or about to get some: a constructor has none yet. */
static bool has_code(struct call *c, const addr20 *a) {
    struct world *w = c->x->world;
    charge_account(c, a);
    bytes code = world_code(w, a);
    addr20 ignored;
    return world_created_in_tx(w, a) || (code.len != 0 && !evm_parse_delegation(&ignored, code));
}

enum evm_status registry_accept_deployer(struct call *c) {
    u256 id;
    const addr20 *caller = &c->msg->sender;
    enum evm_status s = registry_enter_any(c, &id);
    if (s != EVM_SUCCESS)
        return s;
    u256 account = u256_from_addr(caller), key[2] = {id, account};
    if (call_get_u64(c, SYS_DEPLOYER_OFFERED, key) == 0) {
        s = registry_error(c, "NotOffered(uint64,address)");
        put_word(c, &id);
        put_addr(c, caller);
        return s;
    }
    uint64_t already = call_get_u64(c, SYS_DEPLOYER_UNIVERSE, &account);
    if (already != 0)
        return error_account_id(c, "AlreadyDeployer(address,uint64)", caller, already);
    (void)call_get_u64(c, SYS_UNATTRIBUTABLE_FLAG, &account); /* charged here, read there */
    if (universe_unattributable(c->x->world, caller))
        return error_account(c, "Unattributable(address)", caller);
    if (has_code(c, caller))
        return error_account(c, "HasCode(address)", caller);
    call_set_u64(c, SYS_DEPLOYER_OFFERED, key, 0);
    put_deployer(c, &id, caller, true);
    return EVM_SUCCESS;
}

enum evm_status registry_resign_deployer(struct call *c) {
    u256 key = u256_from_addr(&c->msg->sender);
    u256 id = call_get(c, SYS_DEPLOYER_UNIVERSE, &key);
    if (u256_is_zero(&id))
        return error_account(c, "NotDeployer(address)", &c->msg->sender);
    put_deployer(c, &id, &c->msg->sender, false);
    return EVM_SUCCESS;
}

enum evm_status registry_dismiss_deployer(struct call *c) {
    u256 id;
    addr20 account;
    enum evm_status s = registry_enter(c, ROLE_NONE, &id);
    if (s != EVM_SUCCESS)
        return s;
    if (!arg_addr(c, 1, &account))
        return EVM_REVERT;
    u256 key[2] = {id, u256_from_addr(&account)};
    bool offered = call_get_u64(c, SYS_DEPLOYER_OFFERED, key) != 0;
    u256 of = call_get(c, SYS_DEPLOYER_UNIVERSE, &key[1]);
    bool is_deployer = u256_eq(&of, &id);
    if (!offered && !is_deployer)
        return error_account(c, "NotDeployer(address)", &account);
    if (offered) {
        call_set_u64(c, SYS_DEPLOYER_OFFERED, key, 0);
        struct event e = event_of("DeployerOffered(uint64,address,bool)", &id);
        event_topic_addr(&e, &account);
        event_u64(&e, false);
        event_emit(&e, c);
    }
    if (is_deployer)
        put_deployer(c, &id, &account, false);
    return EVM_SUCCESS;
}

/* --- the factory ------------------------------------------------------------------------- */

static bool is_factory(struct call *c) {
    addr20 factory = call_get_addr(c, SYS_REGISTRY_FACTORY, NULL);
    return !addr20_is_zero(&factory) && addr20_eq(&factory, &c->msg->sender);
}

enum evm_status registry_begin_deployment(struct call *c) {
    u256 id;
    addr20 account;
    struct world *w = c->x->world;
    if (!is_factory(c))
        return error_account(c, "NotFactory(address)", &c->msg->sender);
    enum evm_status s = registry_enter_any(c, &id);
    if (s != EVM_SUCCESS)
        return s;
    if (!arg_addr(c, 1, &account))
        return EVM_REVERT;
    c->gas -= 2 * GAS_TRANSIENT;
    uint64_t busy_for = universe_deploying(w);
    if (busy_for != 0) {
        s = registry_error(c, "DeploymentInProgress(uint64)");
        put_u64(c, busy_for);
        return s;
    }
    if (!registry_is_allowed(c, &id, &account, ROLE_DEPLOY))
        return registry_refuse(c, &id, &account, ROLE_DEPLOY);
    universe_set_deploying(w, id.w[0]);
    return EVM_SUCCESS;
}

enum evm_status registry_end_deployment(struct call *c) {
    struct world *w = c->x->world;
    if (!is_factory(c))
        return error_account(c, "NotFactory(address)", &c->msg->sender);
    c->gas -= 2 * GAS_TRANSIENT;
    if (universe_deploying(w) == 0)
        return registry_error(c, "NoDeployment()");
    universe_set_deploying(w, 0);
    return EVM_SUCCESS;
}

/* --- the toll ---------------------------------------------------------------------------- */

enum { TOLL_WORDS = UNIVERSE_TOLL_FIELDS };

/* Writes scheduled parameters over those that they replace, if their time has come. Until somebody
 * changes them again, they are in force where they are. */
static void settle_toll(struct call *c, const u256 *id) {
    uint64_t at_s = call_get_u64(c, SYS_PENDING_AT, id);
    if (at_s == 0 || registry_now(c) < at_s)
        return;
    for (size_t i = 0; i < TOLL_WORDS; i++) {
        u256 v = call_get(c, UNIVERSE_TOLL_SCHEDULED[i], id);
        call_set(c, UNIVERSE_TOLL_IN_FORCE[i], id, &v);
        call_set(c, UNIVERSE_TOLL_SCHEDULED[i], id, &U256_ZERO);
    }
    call_set_u64(c, SYS_PENDING_AT, id, 0);
}

static enum evm_status check_toll(struct call *c, const u256 toll[TOLL_WORDS]) {
    enum evm_status s = EVM_SUCCESS;
    u256 cap = call_get(c, SYS_SURCHARGE_CAP, NULL);
    uint64_t delay_s = toll[UNIVERSE_TOLL_DELAY].w[0];
    if (!u256_is_zero(&toll[0]) && u256_is_zero(&toll[2])) {
        s = registry_error(c, "InvalidSurcharge()");
    } else if (u256_lt(&cap, &toll[5])) {
        s = registry_error(c, "SurchargeAboveCap(uint256,uint256)");
        put_word(c, &toll[5]);
        put_word(c, &cap);
    } else if (delay_s < UNIVERSE_UPGRADE_DELAY_MIN_S || delay_s > UNIVERSE_UPGRADE_DELAY_MAX_S) {
        s = registry_error(c, "InvalidUpgradeDelay(uint64)");
        put_u64(c, delay_s);
    }
    return s;
}

enum evm_status registry_schedule_surcharge(struct call *c) {
    u256 id, toll[TOLL_WORDS];
    enum evm_status s = registry_enter(c, ROLE_NONE, &id);
    if (s != EVM_SUCCESS)
        return s;
    for (size_t i = 0; i < ARRAY_LEN(toll); i++)
        if (!registry_arg(c, 1 + i, system_field_info(UNIVERSE_TOLL_SCHEDULED[i])->bits, &toll[i]))
            return EVM_REVERT;
    s = check_toll(c, toll);
    if (s != EVM_SUCCESS)
        return s;
    settle_toll(c, &id);
    uint64_t delay_s = call_get_u64(c, SYS_UNIVERSE_UPGRADE_DELAY, &id), at_s;
    if (__builtin_add_overflow(registry_now(c), delay_s, &at_s))
        at_s = UINT64_MAX;
    struct event e = event_of("SurchargeScheduled(uint64,(uint64,uint64,uint64,uint128,uint128,"
                              "uint128),uint64,uint64)",
                              &id);
    for (size_t i = 0; i < ARRAY_LEN(toll); i++) {
        call_set(c, UNIVERSE_TOLL_SCHEDULED[i], &id, &toll[i]);
        event_word(&e, &toll[i]);
    }
    call_set_u64(c, SYS_PENDING_AT, &id, at_s);
    event_u64(&e, at_s);
    event_emit(&e, c);
    return EVM_SUCCESS;
}

enum evm_status registry_cancel_surcharge(struct call *c) {
    u256 id;
    enum evm_status s = registry_enter(c, ROLE_NONE, &id);
    if (s != EVM_SUCCESS)
        return s;
    settle_toll(c, &id);
    if (call_get_u64(c, SYS_PENDING_AT, &id) == 0) {
        s = registry_error(c, "NothingPending(uint64)");
        put_word(c, &id);
        return s;
    }
    for (size_t i = 0; i < TOLL_WORDS; i++)
        call_set(c, UNIVERSE_TOLL_SCHEDULED[i], &id, &U256_ZERO);
    call_set_u64(c, SYS_PENDING_AT, &id, 0);
    struct event e = event_of("SurchargeCancelled(uint64)", &id);
    event_emit(&e, c);
    return EVM_SUCCESS;
}

/* --- chain owners ------------------------------------------------------------------------ */

static enum evm_status enter_owner(struct call *c) {
    if (call_is_owner(c, &c->msg->sender))
        return EVM_SUCCESS;
    return error_account(c, "NotChainOwner(address)", &c->msg->sender);
}

/* A setting of one word: its field and its event, which carries it. */
static enum evm_status put_setting(struct call *c, enum system_field f, const char *signature) {
    u256 v;
    enum evm_status s = enter_owner(c);
    if (s != EVM_SUCCESS)
        return s;
    if (!registry_arg(c, 0, system_field_info(f)->bits, &v))
        return EVM_REVERT;
    call_set(c, f, NULL, &v);
    struct event e = event_of(signature, NULL);
    event_word(&e, &v);
    event_emit(&e, c);
    return EVM_SUCCESS;
}

enum evm_status registry_set_universe_bond(struct call *c) {
    return put_setting(c, SYS_UNIVERSE_BOND, "BondSet(uint256)");
}

enum evm_status registry_set_creation_open(struct call *c) {
    return put_setting(c, SYS_UNIVERSE_CREATION_OPEN, "CreationOpenSet(bool)");
}

enum evm_status registry_set_surcharge_cap(struct call *c) {
    return put_setting(c, SYS_SURCHARGE_CAP, "SurchargeCapSet(uint256)");
}

/* Address and flag of the two lists that owners keep. */
static enum evm_status flag_args(struct call *c, addr20 *out_account, bool *out_flag) {
    enum evm_status s = enter_owner(c);
    if (s == EVM_SUCCESS && (!arg_addr(c, 0, out_account) || !arg_bool(c, 1, out_flag)))
        s = EVM_REVERT;
    return s;
}

static void emit_flag(struct call *c, const char *signature, const addr20 *account, bool flag) {
    u256 topic = u256_from_addr(account);
    struct event e = event_of(signature, &topic);
    event_u64(&e, flag);
    event_emit(&e, c);
}

enum evm_status registry_set_creator(struct call *c) {
    addr20 account;
    bool listed;
    enum evm_status s = flag_args(c, &account, &listed);
    if (s != EVM_SUCCESS)
        return s;
    u256 key = u256_from_addr(&account);
    if ((call_get_u64(c, SYS_CREATOR_FLAG, &key) != 0) == listed)
        return EVM_SUCCESS;
    uint64_t count = call_get_u64(c, SYS_CREATOR_COUNT, NULL);
    call_set_u64(c, SYS_CREATOR_FLAG, &key, listed);
    call_set_u64(c, SYS_CREATOR_COUNT, NULL, listed ? count + 1 : count - 1);
    emit_flag(c, "CreatorSet(address,bool)", &account, listed);
    return EVM_SUCCESS;
}

enum evm_status registry_set_unattributable(struct call *c) {
    addr20 account;
    bool flag;
    enum evm_status s = flag_args(c, &account, &flag);
    if (s != EVM_SUCCESS)
        return s;
    u256 key = u256_from_addr(&account);
    uint64_t id = call_get_u64(c, SYS_ATTRIBUTED_UNIVERSE, &key);
    if (id != 0)
        return error_account_id(c, "AlreadyAttributed(address,uint64)", &account, id);
    id = call_get_u64(c, SYS_DEPLOYER_UNIVERSE, &key);
    if (id != 0)
        return error_account_id(c, "AlreadyDeployer(address,uint64)", &account, id);
    call_set_u64(c, SYS_UNATTRIBUTABLE_FLAG, &key, flag);
    emit_flag(c, "UnattributableSet(address,bool)", &account, flag);
    return EVM_SUCCESS;
}
