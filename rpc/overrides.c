/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/overrides.h"

#include "base/hex.h"
#include "base/keccak.h"
#include "chain/system_state.h"
#include "evm/precompile.h"

const char *addr_text_eip55(char out[ADDR_TEXT_MAX], const addr20 *a) {
    hash32 h;
    out[0] = '0';
    out[1] = 'x';
    hex_encode(out + 2, a->b, 20);
    keccak256(&h, out + 2, 40);
    for (size_t i = 0; i < 40; i++) {
        unsigned nibble = h.b[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15;
        if (nibble >= 8 && out[2 + i] >= 'a')
            out[2 + i] = (char)(out[2 + i] - 'a' + 'A');
    }
    out[42] = '\0';
    return out;
}

static json_t *member(json_t *o, const char *key) {
    json_t *v = json_object_get(o, key);
    return json_is_null(v) ? NULL : v;
}

static bool need_object(struct rpc_call *c, size_t idx, json_t *v, const char *type) {
    if (v == NULL || json_is_object(v))
        return true;
    rpc_fail_arg(c, idx, "json: cannot unmarshal value into Go value of type %s", type);
    return false;
}

/* An object's key, which is text but no JSON value of its own. */
static bool key_of(struct rpc_call *c, size_t idx, const char *key, uint8_t *out, size_t len,
                   const char *type) {
    if (strlen(key) != 2 + 2 * len || key[0] != '0' || (key[1] != 'x' && key[1] != 'X') ||
        hex_decode_fixed(out, len, key) != ERR_OK) {
        rpc_fail_arg(c, idx, "%.80s is not a %s", key, type);
        return false;
    }
    return true;
}

/* --- state --------------------------------------------------------------------------------- */
static bool slots(struct rpc_call *c, size_t idx, json_t *o, struct account_override *acc,
                  struct arena *a) {
    struct slot_override *list = arena_try_alloc(a, json_object_size(o) * sizeof(*list) + 1);
    if (list == NULL) {
        rpc_fail_err(c, ERR_TOO_LARGE, NULL);
        return false;
    }
    acc->slots = list;
    const char *key;
    json_t *v;
    json_object_foreach(o, key, v) {
        hash32 slot, value;
        if (!key_of(c, idx, key, slot.b, 32, "common.Hash") || !param_value_hash(c, idx, v, &value))
            return false;
        list[acc->slot_count++] = (struct slot_override){.slot = u256_from_be32(slot.b),
                                                         .value = u256_from_be32(value.b)};
    }
    return true;
}

static bool storage(struct rpc_call *c, size_t idx, json_t *o, struct account_override *acc,
                    struct arena *a) {
    json_t *all = member(o, "state"), *diff = member(o, "stateDiff");
    if (!need_object(c, idx, all, "map[common.Hash]common.Hash") ||
        !need_object(c, idx, diff, "map[common.Hash]common.Hash"))
        return false;
    if (all != NULL && diff != NULL) {
        char text[ADDR_TEXT_MAX];
        rpc_fail(c, RPC_SERVER_ERROR, "account %s has both 'state' and 'stateDiff'",
                 addr_text_eip55(text, &acc->addr));
        return false;
    }
    if (all == NULL && diff == NULL)
        return true;
    acc->storage = all != NULL ? STORAGE_REPLACED : STORAGE_PATCHED;
    return slots(c, idx, all != NULL ? all : diff, acc, a);
}

static bool may_override(struct rpc_call *c, json_t *o, const struct account_override *acc) {
    char text[ADDR_TEXT_MAX];
    if (member(o, "movePrecompileToAddress") != NULL) {
        rpc_fail(c, RPC_SERVER_ERROR, "account %s: movePrecompileToAddress is not supported",
                 addr_text_eip55(text, &acc->addr));
        return false;
    }
    if (acc->has_code && precompile_find(EVM_OSAKA, &acc->addr) >= 0) {
        rpc_fail(c, RPC_SERVER_ERROR,
                 "account %s is a precompile: overriding its code is not supported",
                 addr_text_eip55(text, &acc->addr));
        return false;
    }
    /* Their storage has invariants that the chain relies on, and the chain answers for their code.
     */
    bool deep = acc->has_code || member(o, "state") != NULL || member(o, "stateDiff") != NULL;
    if (deep && system_address_find(&acc->addr) >= 0) {
        rpc_fail(c, RPC_SERVER_ERROR,
                 "account %s is the chain's own: overriding its code and storage is not supported",
                 addr_text_eip55(text, &acc->addr));
        return false;
    }
    return true;
}

static bool account(struct rpc_call *c, size_t idx, json_t *o, struct account_override *acc,
                    struct arena *a) {
    if (!need_object(c, idx, o, "override.OverrideAccount"))
        return false;
    json_t *balance = member(o, "balance"), *nonce = member(o, "nonce"), *code = member(o, "code");
    acc->has_balance = balance != NULL;
    acc->has_nonce = nonce != NULL;
    acc->has_code = code != NULL;
    return (balance == NULL || param_value_u256(c, idx, balance, &acc->balance)) &&
           (nonce == NULL || param_value_u64(c, idx, nonce, &acc->nonce)) &&
           (code == NULL || param_value_data(c, idx, code, a, &acc->code)) &&
           may_override(c, o, acc) && storage(c, idx, o, acc, a);
}

static bool accounts(struct rpc_call *c, size_t idx, json_t *o, struct call_overrides *out,
                     struct arena *a) {
    if (!need_object(c, idx, o, "override.StateOverride"))
        return false;
    size_t n = json_object_size(o);
    struct account_override *list = arena_try_alloc(a, n * sizeof(*list) + 1);
    if (list == NULL) {
        rpc_fail_err(c, ERR_TOO_LARGE, NULL);
        return false;
    }
    memset(list, 0, n * sizeof(*list));
    out->accounts = list;
    const char *key;
    json_t *v;
    json_object_foreach(o, key, v) {
        struct account_override *acc = &list[out->account_count];
        if (!key_of(c, idx, key, acc->addr.b, 20, "common.Address") ||
            (!json_is_null(v) && !account(c, idx, v, acc, a)))
            return false;
        out->account_count++;
    }
    return true;
}

/* --- block --------------------------------------------------------------------------------- */
static bool opt_u64(struct rpc_call *c, size_t idx, json_t *o, const char *key, bool *out_has,
                    uint64_t *out) {
    json_t *v = member(o, key);
    *out_has = v != NULL;
    return v == NULL || param_value_u64(c, idx, v, out);
}

static bool opt_u256(struct rpc_call *c, size_t idx, json_t *o, const char *key, bool *out_has,
                     u256 *out) {
    json_t *v = member(o, key);
    *out_has = v != NULL;
    return v == NULL || param_value_u256(c, idx, v, out);
}

static bool block(struct rpc_call *c, size_t idx, json_t *o, struct block_override *b) {
    static const char *const refused[] = {"beaconRoot", "withdrawals"};
    if (!need_object(c, idx, o, "override.BlockOverrides"))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (member(o, refused[i]) != NULL) {
            rpc_fail(c, RPC_SERVER_ERROR,
                     "block override \"%s\" is not supported for this RPC method", refused[i]);
            return false;
        }
    }
    json_t *coinbase = member(o, "feeRecipient"), *prevrandao = member(o, "prevRandao");
    bool has_difficulty;
    u256 difficulty;
    b->has_coinbase = coinbase != NULL;
    b->has_prevrandao = prevrandao != NULL;
    return opt_u64(c, idx, o, "number", &b->has_number, &b->number) &&
           opt_u64(c, idx, o, "time", &b->has_time, &b->time) &&
           opt_u64(c, idx, o, "gasLimit", &b->has_gas_limit, &b->gas_limit) &&
           opt_u256(c, idx, o, "baseFeePerGas", &b->has_base_fee, &b->base_fee) &&
           opt_u256(c, idx, o, "blobBaseFee", &b->has_blob_base_fee, &b->blob_base_fee) &&
           opt_u256(c, idx, o, "difficulty", &has_difficulty, &difficulty) &&
           (coinbase == NULL || param_value_addr(c, idx, coinbase, &b->coinbase)) &&
           (prevrandao == NULL || param_value_hash(c, idx, prevrandao, &b->prevrandao));
}

bool overrides_parse(struct rpc_call *c, size_t state_idx, json_t *state, size_t block_idx,
                     json_t *block_json, struct call_overrides *out, struct arena *a) {
    struct call_overrides o = {0};
    if (!json_is_null(state) && state != NULL && !accounts(c, state_idx, state, &o, a))
        return false;
    if (!json_is_null(block_json) && block_json != NULL &&
        !block(c, block_idx, block_json, &o.block))
        return false;
    *out = o;
    return true;
}

bool param_overrides(struct rpc_call *c, size_t state_idx, size_t block_idx,
                     struct call_overrides *out, struct arena *a) {
    return overrides_parse(c, state_idx, param_at(c, state_idx), block_idx, param_at(c, block_idx),
                           out, a);
}
