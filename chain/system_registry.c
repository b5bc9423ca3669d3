/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "base/keccak.h"
#include "chain/system_registry_internal.h"

/* --- shared ------------------------------------------------------------------------------ */

static hash32 signature_hash(const char *signature) {
    hash32 h;
    keccak256(&h, signature, strlen(signature));
    return h;
}

enum evm_status registry_error(struct call *c, const char *signature) {
    return custom_error(c, be32_load(signature_hash(signature).b));
}

uint64_t registry_now(const struct call *c) {
    return c->x->block.timestamp;
}

bool registry_arg(const struct call *c, size_t i, unsigned bits, u256 *out) {
    *out = arg(c, i);
    return u256_bit_len(out) <= bits;
}

bool registry_add(struct call *c, enum system_field f, const u256 *key, const u256 *d) {
    u256 v = call_get(c, f, key);
    if (u256_add_overflow(&v, &v, d) || u256_bit_len(&v) > system_field_info(f)->bits)
        return false;
    call_set(c, f, key, &v);
    return true;
}

bool registry_is_allowed(struct call *c, const u256 *id, const addr20 *a, uint64_t roles) {
    addr20 owner = call_get_addr(c, SYS_UNIVERSE_OWNER, id);
    if (addr20_eq(&owner, a))
        return true;
    if (roles == ROLE_NONE)
        return false;
    u256 key[2] = {*id, u256_from_addr(a)};
    uint64_t bits = call_get_u64(c, SYS_ROLE_BITS, key);
    uint64_t expiry = sys_get_u64(c->x->world, SYS_ROLE_EXPIRY, key); /* the same slot */
    return (bits & roles) == roles && (expiry == 0 || registry_now(c) < expiry);
}

enum evm_status registry_refuse(struct call *c, const u256 *id, const addr20 *a, uint64_t role) {
    enum evm_status s = registry_error(c, "NotAuthorized(uint64,address,uint64)");
    put_word(c, id);
    put_addr(c, a);
    put_u64(c, role);
    return s;
}

static enum evm_status enter_existing(struct call *c, u256 *out_id, uint64_t *out_status) {
    if (!registry_arg(c, 0, 64, out_id))
        return EVM_REVERT;
    *out_status = call_get_u64(c, SYS_UNIVERSE_STATUS, out_id);
    if (*out_status != UNIVERSE_NONE)
        return EVM_SUCCESS;
    enum evm_status s = registry_error(c, "UnknownUniverse(uint64)");
    put_word(c, out_id);
    return s;
}

enum evm_status registry_enter_any(struct call *c, u256 *out_id) {
    uint64_t status;
    enum evm_status s = enter_existing(c, out_id, &status);
    if (s != EVM_SUCCESS || status != UNIVERSE_ARCHIVED)
        return s;
    s = registry_error(c, "UniverseArchived(uint64)");
    put_word(c, out_id);
    return s;
}

enum evm_status registry_enter(struct call *c, uint64_t role, u256 *out_id) {
    enum evm_status s = registry_enter_any(c, out_id);
    if (s == EVM_SUCCESS && !registry_is_allowed(c, out_id, &c->msg->sender, role))
        s = registry_refuse(c, out_id, &c->msg->sender, role);
    return s;
}

/* --- events ------------------------------------------------------------------------------ */

struct event event_of(const char *signature, const u256 *first) {
    struct event e = {.topic_count = 1, .len = 0};
    e.topics[0] = signature_hash(signature);
    if (first != NULL)
        event_topic(&e, first);
    return e;
}

void event_topic(struct event *e, const u256 *v) {
    CHECK(e->topic_count < ARRAY_LEN(e->topics));
    u256_to_be32(e->topics[e->topic_count++].b, v);
}

void event_topic_addr(struct event *e, const addr20 *a) {
    u256 v = u256_from_addr(a);
    event_topic(e, &v);
}

void event_word(struct event *e, const u256 *v) {
    CHECK(e->len + 32 <= sizeof e->data);
    u256_to_be32(e->data + e->len, v);
    e->len += 32;
}

void event_u64(struct event *e, uint64_t v) {
    u256 wide = u256_from_u64(v);
    event_word(e, &wide);
}

void event_bytes(struct event *e, bytes data) {
    event_u64(e, e->len + 32);
    event_u64(e, data.len);
    size_t padded = (data.len + 31) / 32 * 32;
    CHECK(e->len + padded <= sizeof e->data);
    memset(e->data + e->len, 0, padded);
    if (data.len != 0)
        memcpy(e->data + e->len, data.ptr, data.len);
    e->len += padded;
}

void event_emit(const struct event *e, struct call *c) {
    emit_log(c, e->topics, e->topic_count, bytes_of(e->data, e->len));
}

/* --- creation ---------------------------------------------------------------------------- */

/* 1 to 14 of a-z 0-9 -, not - at an end, then zeros. */
static bool slug_is_valid(const u256 *word) {
    uint8_t be[32];
    u256_to_be32(be, word);
    size_t len = 0;
    while (len < REGISTRY_SLUG_BYTES && be[len] != 0)
        len++;
    for (size_t i = len; i < sizeof be; i++)
        if (be[i] != 0)
            return false;
    for (size_t i = 0; i < len; i++) {
        bool is_end = i == 0 || i == len - 1;
        bool is_alnum = (be[i] >= 'a' && be[i] <= 'z') || (be[i] >= '0' && be[i] <= '9');
        if (!is_alnum && (be[i] != '-' || is_end))
            return false;
    }
    return len > 0;
}

static bool may_create(struct call *c) {
    if (call_get_u64(c, SYS_UNIVERSE_CREATION_OPEN, NULL) != 0)
        return true;
    u256 key = u256_from_addr(&c->msg->sender);
    return call_get_u64(c, SYS_CREATOR_FLAG, &key) != 0 || call_is_owner(c, &c->msg->sender);
}

static void write_meta(struct call *c, const u256 *id, bytes text) {
    uint64_t old_len = call_get_u64(c, SYS_UNIVERSE_META_LEN, id);
    call_set_u64(c, SYS_UNIVERSE_META_LEN, id, text.len);
    for (size_t at = 0; (at < text.len || at < old_len) && !call_is_spent(c); at += 32) {
        uint8_t word[32] = {0};
        if (at < text.len)
            memcpy(word, text.ptr + at, text.len - at < 32 ? text.len - at : 32);
        u256 key[2] = {*id, u256_from_u64(at / 32)}, v = u256_from_be32(word);
        call_set(c, SYS_META_WORD, key, &v);
    }
}

static enum evm_status meta_too_long(struct call *c, bytes text) {
    enum evm_status s = registry_error(c, "MetadataTooLong(uint256)");
    put_u64(c, text.len);
    return s;
}

/* The slug as a number, if all is as creation wants it. */
static enum evm_status check_creation(struct call *c, const addr20 *owner, bytes meta,
                                      u256 *out_slug) {
    u256 word = arg(c, 0), shift = u256_from_u64(256 - 8 * REGISTRY_SLUG_BYTES);
    *out_slug = u256_shr(&shift, &word);
    enum evm_status s = EVM_REVERT;
    uint64_t taken_by;
    u256 bond = call_get(c, SYS_UNIVERSE_BOND, NULL);
    if (!may_create(c)) {
        s = registry_error(c, "CreationClosed(address)");
        put_addr(c, &c->msg->sender);
    } else if (!slug_is_valid(&word)) {
        s = registry_error(c, "InvalidSlug(bytes14)");
        put_word(c, &word);
    } else if ((taken_by = call_get_u64(c, SYS_SLUG_UNIVERSE, out_slug)) != 0) {
        s = registry_error(c, "SlugTaken(bytes14,uint64)");
        put_word(c, &word);
        put_u64(c, taken_by);
    } else if (addr20_is_zero(owner)) {
        s = registry_error(c, "ZeroAddress()");
    } else if (meta.len > REGISTRY_META_MAX_BYTES) {
        s = meta_too_long(c, meta);
    } else if (!u256_eq(&bond, &c->msg->value)) {
        s = registry_error(c, "WrongBond(uint256)");
        put_word(c, &bond);
    } else {
        s = EVM_SUCCESS;
    }
    return s;
}

enum evm_status registry_create_universe(struct call *c) {
    addr20 owner;
    bytes meta;
    u256 slug;
    if (!arg_addr(c, 1, &owner) || !arg_bytes(c, 2, &meta))
        return EVM_REVERT;
    enum evm_status s = check_creation(c, &owner, meta, &slug);
    if (s != EVM_SUCCESS)
        return s;
    uint64_t count = call_get_u64(c, SYS_UNIVERSE_COUNT, NULL);
    if (count == UINT64_MAX || !registry_add(c, SYS_BONDS_TOTAL, NULL, &c->msg->value))
        return EVM_REVERT;
    u256 id = u256_from_u64(count + 1);
    call_set(c, SYS_UNIVERSE_COUNT, NULL, &id);
    call_set(c, SYS_SLUG_UNIVERSE, &slug, &id);
    call_set_addr(c, SYS_UNIVERSE_OWNER, &id, &owner);
    call_set_u64(c, SYS_UNIVERSE_STATUS, &id, UNIVERSE_ACTIVE);
    call_set_u64(c, SYS_UNIVERSE_UPGRADE_DELAY, &id, UNIVERSE_UPGRADE_DELAY_MIN_S);
    call_set(c, SYS_UNIVERSE_SLUG, &id, &slug);
    call_set_u64(c, SYS_UNIVERSE_CREATED_AT, &id, registry_now(c));
    call_set(c, SYS_UNIVERSE_BOND_PAID, &id, &c->msg->value);
    call_set_u64(c, SYS_POLICY_MAX_DATA, &id, UNIVERSE_MAX_DATA_DEFAULT);
    write_meta(c, &id, meta);

    struct event e = event_of("UniverseCreated(uint64,bytes14,address,uint256)", &id);
    u256 slug_word = arg(c, 0);
    event_topic(&e, &slug_word);
    event_topic_addr(&e, &owner);
    event_word(&e, &c->msg->value);
    event_emit(&e, c);
    if (meta.len != 0) {
        e = event_of("MetadataChanged(uint64,string)", &id);
        event_bytes(&e, meta);
        event_emit(&e, c);
    }
    return answer_word(c, &id);
}

/* --- ownership and roles ----------------------------------------------------------------- */

enum evm_status registry_transfer_ownership(struct call *c) {
    u256 id;
    addr20 to;
    enum evm_status s = registry_enter(c, ROLE_NONE, &id);
    if (s != EVM_SUCCESS)
        return s;
    if (!arg_addr(c, 1, &to))
        return EVM_REVERT;
    call_set_addr(c, SYS_UNIVERSE_PENDING_OWNER, &id, &to);
    struct event e = event_of("OwnershipOffered(uint64,address,address)", &id);
    event_topic_addr(&e, &c->msg->sender);
    event_topic_addr(&e, &to);
    event_emit(&e, c);
    return EVM_SUCCESS;
}

enum evm_status registry_accept_ownership(struct call *c) {
    u256 id;
    enum evm_status s = registry_enter_any(c, &id);
    if (s != EVM_SUCCESS)
        return s;
    addr20 pending = call_get_addr(c, SYS_UNIVERSE_PENDING_OWNER, &id);
    if (addr20_is_zero(&pending) || !addr20_eq(&pending, &c->msg->sender)) {
        s = registry_error(c, "NotPendingOwner(uint64,address)");
        put_word(c, &id);
        put_addr(c, &c->msg->sender);
        return s;
    }
    addr20 old = call_get_addr(c, SYS_UNIVERSE_OWNER, &id);
    call_set_addr(c, SYS_UNIVERSE_OWNER, &id, &pending);
    call_set(c, SYS_UNIVERSE_PENDING_OWNER, &id, &U256_ZERO);
    struct event e = event_of("OwnershipTransferred(uint64,address,address)", &id);
    event_topic_addr(&e, &old);
    event_topic_addr(&e, &pending);
    event_emit(&e, c);
    return EVM_SUCCESS;
}

/* Puts the account into the list of role holders. */
static bool list_role(struct call *c, const u256 key[2]) {
    uint64_t count = call_get_u64(c, SYS_UNIVERSE_ROLE_COUNT, &key[0]);
    if (count >= REGISTRY_ROLES_MAX)
        return false;
    u256 at[2] = {key[0], u256_from_u64(count)};
    call_set(c, SYS_ROLE_AT, at, &key[1]);
    call_set_u64(c, SYS_ROLE_INDEX_PLUS_1, key, count + 1);
    call_set_u64(c, SYS_UNIVERSE_ROLE_COUNT, &key[0], count + 1);
    return true;
}

/* Takes it out; the last one takes its place. */
static void unlist_role(struct call *c, const u256 key[2], uint64_t index_plus_1) {
    uint64_t count = call_get_u64(c, SYS_UNIVERSE_ROLE_COUNT, &key[0]);
    u256 last[2] = {key[0], u256_from_u64(count - 1)};
    u256 moved[2] = {key[0], call_get(c, SYS_ROLE_AT, last)};
    u256 hole[2] = {key[0], u256_from_u64(index_plus_1 - 1)};
    call_set(c, SYS_ROLE_AT, hole, &moved[1]);
    call_set_u64(c, SYS_ROLE_INDEX_PLUS_1, moved, index_plus_1);
    call_set(c, SYS_ROLE_AT, last, &U256_ZERO);
    call_set_u64(c, SYS_ROLE_INDEX_PLUS_1, key, 0);
    call_set_u64(c, SYS_UNIVERSE_ROLE_COUNT, &key[0], count - 1);
}

static enum evm_status put_role(struct call *c, const u256 *id, const addr20 *account,
                                uint64_t bits, uint64_t expiry) {
    u256 key[2] = {*id, u256_from_addr(account)};
    uint64_t index_plus_1 = call_get_u64(c, SYS_ROLE_INDEX_PLUS_1, key);
    if (bits != 0 && index_plus_1 == 0 && !list_role(c, key)) {
        enum evm_status s = registry_error(c, "TooManyRoles(uint64)");
        put_word(c, id);
        return s;
    }
    if (bits == 0 && index_plus_1 != 0)
        unlist_role(c, key, index_plus_1);
    call_set_u64(c, SYS_ROLE_BITS, key, bits);
    call_set_u64(c, SYS_ROLE_EXPIRY, key, expiry);
    struct event e = event_of("RoleSet(uint64,address,uint64,uint64)", id);
    event_topic_addr(&e, account);
    event_u64(&e, bits);
    event_u64(&e, expiry);
    event_emit(&e, c);
    return EVM_SUCCESS;
}

enum evm_status registry_set_role(struct call *c) {
    u256 id;
    addr20 account;
    uint64_t bits, expiry;
    enum evm_status s = registry_enter(c, ROLE_NONE, &id);
    if (s != EVM_SUCCESS)
        return s;
    if (!arg_addr(c, 1, &account) || !arg_u64(c, 2, &bits) || !arg_u64(c, 3, &expiry))
        return EVM_REVERT;
    if (addr20_is_zero(&account))
        return registry_error(c, "ZeroAddress()");
    if ((bits & ~(uint64_t)ROLES_ALL) != 0) {
        s = registry_error(c, "InvalidRole(uint64)");
        put_u64(c, bits);
        return s;
    }
    return put_role(c, &id, &account, bits, bits == 0 ? 0 : expiry);
}

enum evm_status registry_renounce_role(struct call *c) {
    u256 id;
    enum evm_status s = registry_enter_any(c, &id);
    return s != EVM_SUCCESS ? s : put_role(c, &id, &c->msg->sender, 0, 0);
}

/* --- status and metadata ----------------------------------------------------------------- */

static enum evm_status put_status(struct call *c, const u256 *id, uint64_t status) {
    if (call_get_u64(c, SYS_UNIVERSE_STATUS, id) == status)
        return EVM_SUCCESS;
    call_set_u64(c, SYS_UNIVERSE_STATUS, id, status);
    struct event e = event_of("StatusChanged(uint64,uint8,address)", id);
    event_topic_addr(&e, &c->msg->sender);
    event_u64(&e, status);
    event_emit(&e, c);
    return EVM_SUCCESS;
}

enum evm_status registry_set_paused(struct call *c) {
    u256 id;
    bool paused;
    enum evm_status s = registry_enter(c, ROLE_PAUSE, &id);
    if (s != EVM_SUCCESS)
        return s;
    if (!arg_bool(c, 1, &paused))
        return EVM_REVERT;
    return put_status(c, &id, paused ? UNIVERSE_PAUSED : UNIVERSE_ACTIVE);
}

enum evm_status registry_archive(struct call *c) {
    u256 id;
    enum evm_status s = registry_enter(c, ROLE_NONE, &id);
    return s != EVM_SUCCESS ? s : put_status(c, &id, UNIVERSE_ARCHIVED);
}

enum evm_status registry_set_metadata_uri(struct call *c) {
    u256 id;
    bytes text;
    enum evm_status s = registry_enter(c, ROLE_OPERATE, &id);
    if (s != EVM_SUCCESS)
        return s;
    if (!arg_bytes(c, 1, &text))
        return EVM_REVERT;
    if (text.len > REGISTRY_META_MAX_BYTES)
        return meta_too_long(c, text);
    write_meta(c, &id, text);
    struct event e = event_of("MetadataChanged(uint64,string)", &id);
    event_bytes(&e, text);
    event_emit(&e, c);
    return EVM_SUCCESS;
}

/* --- the gas account --------------------------------------------------------------------- */

enum evm_status registry_deposit_gas(struct call *c) {
    u256 id;
    enum evm_status s = registry_enter_any(c, &id);
    if (s != EVM_SUCCESS)
        return s;
    /* The value has arrived at the registry with the call. */
    if (!registry_add(c, SYS_UNIVERSE_GAS_ACCOUNT, &id, &c->msg->value) ||
        !registry_add(c, SYS_GAS_ACCOUNTS_TOTAL, NULL, &c->msg->value))
        return EVM_REVERT;
    struct event e = event_of("GasDeposited(uint64,address,uint256)", &id);
    event_topic_addr(&e, &c->msg->sender);
    event_word(&e, &c->msg->value);
    event_emit(&e, c);
    return EVM_SUCCESS;
}

enum evm_status registry_withdraw_gas(struct call *c) {
    u256 id, amount = arg(c, 2);
    addr20 to;
    uint64_t status;
    enum evm_status s = enter_existing(c, &id, &status);
    if (s != EVM_SUCCESS)
        return s;
    if (!registry_is_allowed(c, &id, &c->msg->sender, ROLE_NONE))
        return registry_refuse(c, &id, &c->msg->sender, ROLE_NONE);
    if (!arg_addr(c, 1, &to))
        return EVM_REVERT;
    if (addr20_is_zero(&to))
        return registry_error(c, "ZeroAddress()");
    u256 account = call_get(c, SYS_UNIVERSE_GAS_ACCOUNT, &id);
    if (u256_lt(&account, &amount)) {
        s = registry_error(c, "GasAccountTooLow(uint64,uint256)");
        put_word(c, &id);
        put_word(c, &account);
        return s;
    }
    u256 total = call_get(c, SYS_GAS_ACCOUNTS_TOTAL, NULL);
    if (u256_lt(&total, &amount)) /* in a state that a call pretends */
        return EVM_REVERT;
    account = u256_sub(&account, &amount);
    total = u256_sub(&total, &amount);
    call_set(c, SYS_UNIVERSE_GAS_ACCOUNT, &id, &account);
    call_set(c, SYS_GAS_ACCOUNTS_TOTAL, NULL, &total);
    charge_credit(c, &to, &amount);
    if (!call_transfer(c, &c->self, &to, &amount))
        return EVM_REVERT;
    struct event e = event_of("GasWithdrawn(uint64,address,uint256)", &id);
    event_topic_addr(&e, &to);
    event_word(&e, &amount);
    event_emit(&e, c);
    return EVM_SUCCESS;
}
