/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "chain/system_registry_internal.h"

enum { CALLERS_MAX = (1 << 24) - 1, SELECTOR_BYTES = 4 };
enum { ENTRY_GAS = 200 /* of a list: its key is hashed twice, listed already or not */ };

/* --- rules and budgets ------------------------------------------------------------------- */

/* struct Policy's members, in order. */
static const enum system_field policy_fields[] = {
    SYS_POLICY_ACTIVE,   SYS_POLICY_ALLOW_VALUE, SYS_POLICY_ALLOW_SET_CODE, SYS_POLICY_ALLOW_CREATE,
    SYS_POLICY_MAX_DATA, SYS_POLICY_EXPIRY,      SYS_POLICY_MAX_GAS,        SYS_POLICY_MAX_COST,
};

enum evm_status registry_set_policy(struct call *c) {
    u256 id, v;
    enum evm_status s = registry_enter(c, ROLE_POLICY, &id);
    if (s != EVM_SUCCESS)
        return s;
    struct event e =
        event_of("PolicySet(uint64,(bool,bool,bool,bool,uint32,uint64,uint64,uint256))", &id);
    for (size_t i = 0; i < ARRAY_LEN(policy_fields); i++) {
        if (!registry_arg(c, 1 + i, system_field_info(policy_fields[i])->bits, &v))
            return EVM_REVERT;
        call_set(c, policy_fields[i], &id, &v);
        event_word(&e, &v);
    }
    event_emit(&e, c);
    return EVM_SUCCESS;
}

enum evm_status registry_policy(struct call *c) {
    u256 id;
    if (!registry_arg(c, 0, 64, &id))
        return EVM_REVERT;
    for (size_t i = 0; i < ARRAY_LEN(policy_fields); i++) {
        u256 v = call_get(c, policy_fields[i], &id);
        put_word(c, &v);
    }
    return EVM_SUCCESS;
}

/* Who may, and the arguments of the two budget functions: universe, limit and window. */
static enum evm_status budget_args(struct call *c, u256 *out_id, u256 *out_limit,
                                   uint64_t *out_seconds) {
    enum evm_status s = registry_enter(c, ROLE_POLICY, out_id);
    if (s != EVM_SUCCESS)
        return s;
    if (!registry_arg(c, 1, 192, out_limit) || !arg_u64(c, 2, out_seconds))
        return EVM_REVERT;
    if (*out_seconds != 0 || u256_is_zero(out_limit))
        return EVM_SUCCESS;
    s = registry_error(c, "InvalidBudget(uint192,uint64)");
    put_word(c, out_limit);
    put_u64(c, *out_seconds);
    return s;
}

static void emit_budget(struct call *c, const char *signature, const u256 *id, const u256 *limit,
                        uint64_t seconds) {
    struct event e = event_of(signature, id);
    event_word(&e, limit);
    event_u64(&e, seconds);
    event_emit(&e, c);
}

enum evm_status registry_set_budget(struct call *c) {
    u256 id, limit;
    uint64_t seconds;
    enum evm_status s = budget_args(c, &id, &limit, &seconds);
    if (s != EVM_SUCCESS)
        return s;
    call_set(c, SYS_BUDGET_LIMIT, &id, &limit);
    if (call_get_u64(c, SYS_BUDGET_SECONDS, &id) != seconds) {
        call_set_u64(c, SYS_BUDGET_SECONDS, &id, seconds);
        call_set(c, SYS_BUDGET_SPENT, &id, &U256_ZERO);
        call_set_u64(c, SYS_BUDGET_WINDOW, &id, 0);
    }
    emit_budget(c, "BudgetSet(uint64,uint192,uint64)", &id, &limit, seconds);
    return EVM_SUCCESS;
}

enum evm_status registry_set_user_budget(struct call *c) {
    u256 id, limit;
    uint64_t seconds;
    enum evm_status s = budget_args(c, &id, &limit, &seconds);
    if (s != EVM_SUCCESS)
        return s;
    call_set(c, SYS_USER_BUDGET_LIMIT, &id, &limit);
    call_set_u64(c, SYS_USER_BUDGET_SECONDS, &id, seconds);
    call_set_u64(c, SYS_POLICY_HAS_USER_LIMIT, &id, seconds != 0);
    emit_budget(c, "UserBudgetSet(uint64,uint192,uint64)", &id, &limit, seconds);
    return EVM_SUCCESS;
}

/* --- lists ------------------------------------------------------------------------------- */

static bool word_addr(const uint8_t *word, addr20 *out) {
    u256 v = u256_from_be32(word);
    *out = u256_to_addr(&v);
    return u256_bit_len(&v) <= 160;
}

static void emit_listed(struct call *c, const char *signature, const u256 *id, const addr20 *a,
                        const u256 *selector, bool listed) {
    struct event e = event_of(signature, id);
    event_topic_addr(&e, a);
    if (selector != NULL)
        event_topic(&e, selector);
    event_u64(&e, listed);
    event_emit(&e, c);
}

/* One caller in or out, if it is not already. */
static enum evm_status put_caller(struct call *c, const u256 key[3], const addr20 *a, bool listed) {
    if ((call_get_u64(c, SYS_POLICY_CALLER, key) != 0) == listed)
        return EVM_SUCCESS;
    uint64_t count = call_get_u64(c, SYS_POLICY_CALLER_COUNT, &key[0]);
    if (listed && count == CALLERS_MAX) {
        enum evm_status s = registry_error(c, "TooManyCallers(uint64)");
        put_word(c, &key[0]);
        return s;
    }
    if (!listed && count == 0) /* in a state that a call pretends */
        return EVM_REVERT;
    call_set_u64(c, SYS_POLICY_CALLER, key, listed);
    call_set_u64(c, SYS_POLICY_CALLER_COUNT, &key[0], listed ? count + 1 : count - 1);
    emit_listed(c, "CallerSet(uint64,address,bool)", &key[0], a, NULL, listed);
    return EVM_SUCCESS;
}

static enum evm_status put_callers(struct call *c, bool listed) {
    u256 id;
    bytes list;
    size_t count;
    enum evm_status s = registry_enter(c, ROLE_POLICY, &id);
    if (s != EVM_SUCCESS)
        return s;
    if (!arg_array(c, 1, &list, &count))
        return EVM_REVERT;
    u256 key[3] = {id, call_get(c, SYS_POLICY_LISTS, &id), U256_ZERO};
    for (size_t i = 0; i < count && s == EVM_SUCCESS && !call_is_spent(c); i++) {
        addr20 a;
        c->gas -= ENTRY_GAS;
        if (!word_addr(list.ptr + 32 * i, &a))
            return EVM_REVERT;
        key[2] = u256_from_addr(&a);
        s = put_caller(c, key, &a, listed);
    }
    return s;
}

enum evm_status registry_add_callers(struct call *c) {
    return put_callers(c, true);
}

enum evm_status registry_remove_callers(struct call *c) {
    return put_callers(c, false);
}

/* `selector` is 32 bytes with zeros on the right, or NULL for short calldata. */
static enum evm_status put_target(struct call *c, const u256 *id, const u256 *lists,
                                  const addr20 *a, const uint8_t *selector, bool listed) {
    u256 word = selector != NULL ? u256_from_be32(selector) : U256_ZERO;
    u256 shift = u256_from_u64(8 * SELECTOR_BYTES), rest = u256_shl(&shift, &word);
    if (!u256_is_zero(&rest))
        return EVM_REVERT;
    bytes data = bytes_of(selector, selector != NULL ? SELECTOR_BYTES : 0);
    u256 key[3] = {*id, *lists, sponsor_target_key(a, data)};
    if ((call_get_u64(c, SYS_POLICY_TARGET, key) != 0) == listed)
        return EVM_SUCCESS;
    call_set_u64(c, SYS_POLICY_TARGET, key, listed);
    if (selector != NULL)
        emit_listed(c, "TargetSet(uint64,address,bytes4,bool)", id, a, &word, listed);
    else
        emit_listed(c, "ShortTargetSet(uint64,address,bool)", id, a, NULL, listed);
    return EVM_SUCCESS;
}

static enum evm_status put_targets(struct call *c, bool is_short, bool listed) {
    u256 id;
    bytes list, selectors = {NULL, 0};
    size_t count, selector_count;
    enum evm_status s = registry_enter(c, ROLE_POLICY, &id);
    if (s != EVM_SUCCESS)
        return s;
    if (!arg_array(c, 1, &list, &count))
        return EVM_REVERT;
    if (!is_short) {
        if (!arg_array(c, 2, &selectors, &selector_count))
            return EVM_REVERT;
        if (count != selector_count) {
            s = registry_error(c, "LengthMismatch(uint256,uint256)");
            put_u64(c, count);
            put_u64(c, selector_count);
            return s;
        }
    }
    u256 lists = call_get(c, SYS_POLICY_LISTS, &id);
    for (size_t i = 0; i < count && s == EVM_SUCCESS && !call_is_spent(c); i++) {
        addr20 a;
        c->gas -= ENTRY_GAS;
        if (!word_addr(list.ptr + 32 * i, &a))
            return EVM_REVERT;
        const uint8_t *selector = is_short ? NULL : selectors.ptr + 32 * i;
        s = put_target(c, &id, &lists, &a, selector, listed);
    }
    return s;
}

enum evm_status registry_add_targets(struct call *c) {
    return put_targets(c, false, true);
}

enum evm_status registry_remove_targets(struct call *c) {
    return put_targets(c, false, false);
}

enum evm_status registry_add_short_targets(struct call *c) {
    return put_targets(c, true, true);
}

enum evm_status registry_remove_short_targets(struct call *c) {
    return put_targets(c, true, false);
}

enum evm_status registry_clear_lists(struct call *c) {
    u256 id;
    enum evm_status s = registry_enter(c, ROLE_POLICY, &id);
    if (s != EVM_SUCCESS)
        return s;
    if (!registry_add(c, SYS_POLICY_LISTS, &id, &U256_ONE))
        return EVM_REVERT;
    call_set_u64(c, SYS_POLICY_CALLER_COUNT, &id, 0);
    struct event e = event_of("ListsCleared(uint64)", &id);
    event_emit(&e, c);
    return EVM_SUCCESS;
}
