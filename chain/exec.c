/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/exec.h"

#include "base/check.h"
#include "base/keccak.h"
#include "evm/precompile.h"

enum {
    BLOB_GAS = 1 << 17,           /* EIP-4844 GAS_PER_BLOB */
    BLOB_HASH_VERSION = 0x01,     /* VERSIONED_HASH_VERSION_KZG */
    REFUND_QUOTIENT = 5,          /* EIP-3529 */
    AUTH_EXISTING_REFUND = 12500, /* EIP-7702: PER_EMPTY_ACCOUNT_COST - PER_AUTH_BASE_COST */
    DELEGATION_BYTES = 23,
};

const char *tx_verdict_text(enum tx_verdict v) {
    static const char *const texts[] = {
#define VERDICT(name, text) text,
#include "chain/verdicts.def"
#undef VERDICT
    };
    CHECK(v < ARRAY_LEN(texts));
    return texts[v];
}

const char *tx_verdict_name(enum tx_verdict v) {
    static const char *const names[] = {
#define VERDICT(name, text) #name,
#include "chain/verdicts.def"
#undef VERDICT
    };
    CHECK(v < ARRAY_LEN(names));
    return names[v];
}

/* --- checks ----------------------------------------------------------------------------------- */

static enum tx_verdict check_type(const struct exec *x, const struct tx *tx) {
    if (tx->type == TX_BLOB && x->blob_max_per_tx == 0)
        return TX_TYPE_UNSUPPORTED;
    if (tx->type == TX_SET_CODE && x->revision < EVM_PRAGUE)
        return TX_TYPE_UNSUPPORTED;
    return TX_OK;
}

static enum tx_verdict check_gas(const struct exec *x, const struct tx *tx) {
    struct tx_intrinsic intrinsic = tx_intrinsic_gas(tx, x->revision);
    if (intrinsic.gas > tx->gas_limit)
        return TX_INTRINSIC_GAS;
    if (intrinsic.floor_gas > tx->gas_limit)
        return TX_FLOOR_GAS;
    if (tx->nonce == UINT64_MAX)
        return TX_NONCE_MAX; /* EIP-2681 */
    if (tx->is_create && tx->data.len > EVM_INITCODE_BYTES_MAX)
        return TX_INITCODE_TOO_LARGE;
    if (tx->gas_limit > x->tx_gas_cap)
        return TX_GAS_LIMIT_CAP;
    if (tx->gas_limit > x->gas_left || tx->gas_limit > INT64_MAX)
        return TX_GAS_LIMIT_BLOCK;
    return TX_OK;
}

static enum tx_verdict check_blobs(const struct exec *x, const struct tx *tx) {
    if (tx->type != TX_BLOB)
        return TX_OK;
    if (tx->is_create)
        return TX_BLOB_CREATE;
    if (tx->blob_hash_count == 0)
        return TX_BLOB_COUNT_ZERO;
    if (tx->blob_hash_count > x->blob_max_per_tx)
        return TX_BLOB_COUNT_TOO_HIGH;
    if (tx->blob_hash_count * (uint64_t)BLOB_GAS > x->blob_gas_left)
        return TX_BLOB_GAS_BLOCK;
    for (size_t i = 0; i < tx->blob_hash_count; i++)
        if (tx->blob_hashes[i].b[0] != BLOB_HASH_VERSION)
            return TX_BLOB_HASH_VERSION;
    return TX_OK;
}

static enum tx_verdict check_form(const struct exec *x, const struct tx *tx) {
    enum tx_verdict v = TX_OK;
    if (tx->has_chain_id && tx->chain_id != x->chain_id)
        v = TX_CHAIN_ID;
    if (v == TX_OK)
        v = check_gas(x, tx);
    if (v == TX_OK)
        v = check_blobs(x, tx);
    if (v == TX_OK && tx->type == TX_SET_CODE) {
        if (tx->is_create)
            v = TX_SET_CODE_CREATE;
        else if (tx->auth_count == 0)
            v = TX_AUTH_LIST_EMPTY;
    }
    return v;
}

/* The most a transaction may take from its sender: value, and unless a universe pays gas at the fee
 * caps. False when that exceeds 256 bits, which no balance covers. */
static bool most_spent(const struct tx *tx, const struct tx_charge *c, u256 *out) {
    u256 sum = tx->value;
    if (!c->sponsored) {
        u256 gas = u256_from_u64(tx->gas_limit),
             blob_gas = u256_from_u64(tx->blob_hash_count * (uint64_t)BLOB_GAS);
        u256 fee, blob_fee;
        if (u256_mul_overflow(&fee, &gas, &tx->max_fee) ||
            u256_mul_overflow(&blob_fee, &blob_gas, &tx->max_fee_per_blob_gas) ||
            u256_add_overflow(&sum, &sum, &fee) || u256_add_overflow(&sum, &sum, &blob_fee))
            return false;
    }
    *out = sum;
    return true;
}

static bool is_delegation(bytes code) {
    addr20 ignored;
    return evm_parse_delegation(&ignored, code);
}

static enum tx_verdict check_sender(struct exec *x, const struct tx *tx,
                                    const struct tx_charge *c) {
    uint64_t nonce = world_nonce(x->world, &tx->sender);
    if (!c->skip_nonce && tx->nonce < nonce)
        return TX_NONCE_TOO_LOW;
    if (!c->skip_nonce && tx->nonce > nonce)
        return TX_NONCE_TOO_HIGH;
    if (nonce == UINT64_MAX) /* a call may say so of the state */
        return TX_NONCE_MAX;
    u256 balance = world_balance(x->world, &tx->sender), needed;
    if (!most_spent(tx, c, &needed) || u256_lt(&balance, &needed))
        return TX_INSUFFICIENT_FUNDS;
    if (!c->skip_eoa_check) {
        /* EIP-3607, and EIP-7702's exception. */
        bytes code = world_code(x->world, &tx->sender);
        if (code.len != 0 && !(x->revision >= EVM_PRAGUE && is_delegation(code)))
            return TX_SENDER_NOT_EOA;
    }
    return TX_OK;
}

enum tx_verdict tx_check(struct exec *x, const struct tx *tx, struct tx_charge *out) {
    CHECK(tx->has_sender);
    struct tx_charge charge;
    memset(&charge, 0, sizeof charge);
    enum tx_verdict v = check_type(x, tx);
    if (v == TX_OK)
        v = x->rules->charge(x, tx, &charge);
    if (v == TX_OK)
        v = check_form(x, tx);
    if (v == TX_OK)
        v = check_sender(x, tx, &charge);
    if (v == TX_OK)
        *out = charge;
    return v;
}

/* --- execution -------------------------------------------------------------------------------- */

static void run_message(struct exec *x, const struct evm_message *msg,
                        const struct evm_tx_ctx *tx_ctx) {
    const struct evm_config cfg = {
        .revision = x->revision,
        .tier = x->tier,
        .tracer = x->tracer,
        .block = &x->block,
        .tx = tx_ctx,
        .host = exec_host(x),
        .expired = x->expired,
        .expired_ctx = x->expired_ctx,
        .budget = x->budget,
    };
    evm_run(x->vm, &cfg, msg, &x->last);
    /* A node that cannot execute must not go on: what it would write is not the chain's state. */
    CHECK(x->last.status >= EVM_SUCCESS);
    CHECK(x->last.gas_left >= 0 && x->last.gas_left <= msg->gas);
}

void exec_call(struct exec *x, const struct evm_message *msg, const u256 *gas_price,
               struct evm_result *out) {
    const struct evm_tx_ctx tx_ctx = {.origin = msg->sender, .gas_price = *gas_price};
    run_message(x, msg, &tx_ctx);
    *out = x->last;
}

bool exec_access_account(struct exec *x, const addr20 *a) {
    return precompile_find(x->revision, a) < 0 && world_warm_account(x->world, a);
}

static void warm_delegation(struct exec *x, const addr20 *a) {
    addr20 target;
    if (x->revision >= EVM_PRAGUE && evm_parse_delegation(&target, world_code(x->world, a)))
        (void)world_warm_account(x->world, &target);
}

void exec_warm(struct exec *x, const struct tx *tx) {
    struct world *w = x->world;
    (void)world_warm_account(w, &tx->sender);
    if (!tx->is_create)
        (void)world_warm_account(w, &tx->to);
    (void)world_warm_account(w, &x->block.coinbase);
    for (size_t i = 0; i < tx->access_count; i++) {
        const struct tx_access *acc = &tx->access[i];
        (void)world_warm_account(w, &acc->addr);
        for (size_t k = 0; k < acc->key_count; k++) {
            u256 slot = u256_from_be32(acc->keys[k].b);
            (void)world_warm_storage(w, &acc->addr, &slot);
        }
    }
    if (!tx->is_create)
        warm_delegation(x, &tx->to);
}

/* One authorization of EIP-7702; returns its refund. Entries that do not hold are skipped. */
static uint64_t apply_authorization(struct exec *x, struct tx_authorization *u) {
    struct world *w = x->world;
    const u256 chain_id = u256_from_u64(x->chain_id);
    if (!u256_is_zero(&u->chain_id) && !u256_eq(&u->chain_id, &chain_id))
        return 0;
    if (u->nonce == UINT64_MAX)
        return 0;
    tx_recover_authority(u);
    if (!u->authority_ok)
        return 0;
    (void)world_warm_account(w, &u->authority);
    bytes code = world_code(w, &u->authority);
    if (code.len != 0 && !is_delegation(code))
        return 0;
    if (world_nonce(w, &u->authority) != u->nonce)
        return 0;
    uint64_t refund = world_exists(w, &u->authority) ? AUTH_EXISTING_REFUND : 0;
    uint8_t delegation[DELEGATION_BYTES] = {0xef, 0x01, 0x00};
    memcpy(delegation + 3, u->address.b, sizeof u->address.b);
    bool clears = addr20_is_zero(&u->address);
    world_set_code(w, &u->authority, bytes_of(delegation, clears ? 0 : sizeof delegation));
    world_set_nonce(w, &u->authority, u->nonce + 1);
    return refund;
}

void exec_fill_receipt(const struct exec *x, const struct tx *tx, const struct tx_result *r,
                       struct arena *a, struct receipt *out) {
    memset(out, 0, sizeof *out);
    out->type = tx->type;
    out->success = r->status == EVM_SUCCESS;
    out->cumulative_gas_used = x->gas_used;
    out->gas_used = r->gas_used;
    out->effective_gas_price = r->charge.price;
    out->universe = r->charge.universe;
    out->sponsored = r->charge.sponsored;
    out->gas_price_charged = r->charge.sponsored ? r->charge.sponsor_price : r->charge.price;
    out->surcharge = r->charge.surcharge;
    out->has_contract_addr = tx->is_create && tx->type != TX_SUBMIT_RETRYABLE;
    if (out->has_contract_addr)
        out->contract_addr = r->created;
    const struct world_log *logs = world_logs(x->world, &out->log_count);
    CHECK(out->success || out->log_count == 0);
    out->logs = arena_alloc(a, out->log_count == 0 ? 1 : out->log_count * sizeof *out->logs);
    for (size_t i = 0; i < out->log_count; i++) {
        struct log_entry *e = &out->logs[i];
        memset(e, 0, sizeof *e);
        e->address = logs[i].address;
        e->topic_count = logs[i].topic_count;
        memcpy(e->topics, logs[i].topics, sizeof e->topics);
        e->data = arena_copy(a, logs[i].data);
        bloom_add_log(out->bloom, &e->address, e->topics, e->topic_count);
    }
}

/* Runs the top-level message. The sender's nonce has been raised from `nonce`. */
static void run_tx(struct exec *x, const struct tx *tx, const struct tx_charge *charge,
                   uint64_t nonce, uint64_t gas, addr20 *out_created) {
    const struct evm_tx_ctx tx_ctx = {
        .origin = tx->sender,
        .gas_price = charge->price,
        .blob_hashes = tx->blob_hashes,
        .blob_hash_count = tx->blob_hash_count,
    };
    struct evm_message msg = {
        .kind = tx->is_create ? EVM_CREATE : EVM_CALL,
        .sender = tx->sender,
        .recipient = tx->to,
        .value = tx->value,
        .input = tx->data,
        .gas = (int64_t)gas,
    };
    if (tx->is_create) {
        evm_create_address(&msg.recipient, &tx->sender, nonce);
        (void)world_warm_account(x->world, &msg.recipient);
        *out_created = msg.recipient;
    }
    run_message(x, &msg, &tx_ctx);
}

void tx_execute(struct exec *x, const struct tx *tx, const struct tx_charge *charge,
                struct arena *a, struct tx_result *out, struct receipt *out_receipt) {
    struct world *w = x->world;
    struct tx_intrinsic intrinsic = tx_intrinsic_gas(tx, x->revision);
    CHECK(intrinsic.gas <= tx->gas_limit && tx->gas_limit <= INT64_MAX);
    memset(out, 0, sizeof *out);
    out->charge = *charge;

    x->tx = tx;
    x->charge = charge;
    x->floor_gas = intrinsic.floor_gas;
    world_tx_begin(w);
    x->rules->buy_gas(x, tx, charge);
    uint64_t nonce = world_nonce(w, &tx->sender);
    CHECK(nonce != UINT64_MAX);
    world_set_nonce(w, &tx->sender, nonce + 1);
    uint64_t refund = 0;
    for (size_t i = 0; i < tx->auth_count; i++)
        refund += apply_authorization(x, &tx->auths[i]);
    exec_warm(x, tx);
    run_tx(x, tx, charge, nonce, tx->gas_limit - intrinsic.gas, &out->created);

    out->status = x->last.status;
    out->has_created = tx->is_create && out->status == EVM_SUCCESS;
    out->output = x->last.output;
    uint64_t used = tx->gas_limit - (uint64_t)x->last.gas_left;
    if (out->status == EVM_SUCCESS) {
        /* Below zero only where the chain's own books emptied a slot, which nobody was refunded
         * for, and a call filled it again. */
        CHECK(x->last.gas_refund >= 0 || x->rules->system_call != NULL);
        if (x->last.gas_refund > 0)
            refund += (uint64_t)x->last.gas_refund;
    }
    uint64_t donated = x->rules->donated_gas == NULL ? 0 : x->rules->donated_gas(x);
    CHECK(donated <= used);
    used -= donated;
    out->gas_refund = refund < used / REFUND_QUOTIENT ? refund : used / REFUND_QUOTIENT;
    used -= out->gas_refund;
    uint64_t counted = used > intrinsic.floor_gas ? used : intrinsic.floor_gas;
    out->gas_used = counted + donated;
    CHECK(out->gas_used <= tx->gas_limit);
    x->rules->settle(x, tx, charge, out->gas_used);
    /* What no check admitted may use more than the block has left. */
    x->gas_left -= counted < x->gas_left ? counted : x->gas_left;
    x->gas_used += counted;
    uint64_t blob_gas = tx->blob_hash_count * (uint64_t)BLOB_GAS;
    x->blob_gas_left -= blob_gas < x->blob_gas_left ? blob_gas : x->blob_gas_left;
    x->blob_gas_used += blob_gas;
    exec_fill_receipt(x, tx, out, a, out_receipt);
    world_tx_end(w);
    x->tx = NULL;
    x->charge = NULL;
}

enum tx_verdict apply_tx(struct exec *x, const struct tx *tx, struct arena *a,
                         struct tx_result *out, struct receipt *out_receipt) {
    struct tx_charge charge;
    enum tx_verdict v = tx_check(x, tx, &charge);
    if (v == TX_OK)
        tx_execute(x, tx, &charge, a, out, out_receipt);
    return v;
}
