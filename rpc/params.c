/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/params.h"

#include "base/hex.h"
#include "rpc/scan.h"

json_t *param_at(const struct rpc_call *c, size_t idx) {
    if (c->scan != NULL) {
        c->scan->unfit = true;
        return NULL;
    }
    json_t *v = c->params == NULL ? NULL : json_array_get(c->params, idx);
    return json_is_null(v) ? NULL : v;
}

size_t param_count(const struct rpc_call *c) {
    return c->scan != NULL ? c->scan->arg_count : json_array_size(c->params);
}

bool param_is_null(const struct rpc_call *c, size_t idx) {
    return idx >= param_count(c) || (c->scan == NULL && param_at(c, idx) == NULL);
}

/* A JSON string; s NULL: something else, or nothing. */
struct text {
    const char *s; /* ended by a NUL only where it comes from a parsed value */
    size_t len;
};

static struct text text_of(const json_t *v) {
    return (struct text){json_string_value(v), json_string_length(v)};
}

static struct text text_at(const struct rpc_call *c, size_t idx) {
    if (c->scan == NULL)
        return text_of(param_at(c, idx));
    if (idx >= c->scan->arg_count)
        return (struct text){0};
    return (struct text){(const char *)c->scan->args[idx].ptr, c->scan->args[idx].len};
}

static bool text_is(struct text t, const char *s) {
    return t.s != NULL && t.len == strlen(s) && memcmp(t.s, s, t.len) == 0;
}

bool param_text_is(const struct rpc_call *c, size_t idx, const char *text) {
    return text_is(text_at(c, idx), text);
}

/* The text of a JSON string that begins with 0x; NULL after an error. */
static const char *hex_text(struct rpc_call *c, size_t idx, struct text t, const char *type,
                            size_t *out_len) {
    if (t.s == NULL) {
        rpc_fail_arg(c, idx, "json: cannot unmarshal non-string into Go value of type %s", type);
        return NULL;
    }
    const char *s = t.s;
    *out_len = t.len;
    if (*out_len == 0) {
        rpc_fail_arg(c, idx, "empty hex string");
        return NULL;
    }
    if (*out_len < 2 || s[0] != '0' || (s[1] != 'x' && s[1] != 'X')) {
        rpc_fail_arg(c, idx, "hex string without 0x prefix");
        return NULL;
    }
    return s;
}

static bool fixed_text(struct rpc_call *c, size_t idx, struct text t, const char *type,
                       uint8_t *out, size_t want) {
    size_t len = 0, got = 0;
    const char *s = hex_text(c, idx, t, type, &len);
    if (s == NULL)
        return false;
    if (len - 2 != want * 2) {
        rpc_fail_arg(c, idx, "hex string has length %zu, want %zu for %s", len - 2, want * 2, type);
        return false;
    }
    if (hex_decode(out, want, &got, s, len) != ERR_OK || got != want) {
        rpc_fail_arg(c, idx, "invalid hex string");
        return false;
    }
    return true;
}

static bool fixed_of(struct rpc_call *c, size_t idx, const json_t *v, const char *type,
                     uint8_t *out, size_t want) {
    return fixed_text(c, idx, text_of(v), type, out, want);
}

static bool u64_text(struct rpc_call *c, size_t idx, struct text t, uint64_t *out) {
    size_t len = 0;
    const char *s = hex_text(c, idx, t, "hexutil.Uint64", &len);
    if (s == NULL)
        return false;
    enum err e = hex_parse_u64(out, s, len, true);
    if (e != ERR_OK)
        rpc_fail_arg(c, idx, "%s",
                     e == ERR_TOO_LARGE ? "hex number > 64 bits" : "invalid hex string");
    return e == ERR_OK;
}

static bool u64_of(struct rpc_call *c, size_t idx, const json_t *v, uint64_t *out) {
    if (json_is_integer(v) && json_integer_value(v) >= 0) {
        *out = (uint64_t)json_integer_value(v);
        return true;
    }
    return u64_text(c, idx, text_of(v), out);
}

static bool u256_text(struct rpc_call *c, size_t idx, struct text t, u256 *out) {
    size_t len = 0;
    const char *s = hex_text(c, idx, t, "*hexutil.Big", &len);
    if (s == NULL)
        return false;
    enum err e = hex_parse_u256(out, s, len, true);
    if (e != ERR_OK)
        rpc_fail_arg(c, idx, "%s",
                     e == ERR_TOO_LARGE ? "hex number > 256 bits" : "invalid hex string");
    return e == ERR_OK;
}

static bool u256_of(struct rpc_call *c, size_t idx, const json_t *v, u256 *out) {
    if (json_is_integer(v) && json_integer_value(v) >= 0) {
        *out = u256_from_u64((uint64_t)json_integer_value(v));
        return true;
    }
    return u256_text(c, idx, text_of(v), out);
}

/* Data into memory of the arena. */
static bool data_text(struct rpc_call *c, size_t idx, struct text t, struct arena *a, bytes *out) {
    size_t len = 0, got = 0;
    const char *s = hex_text(c, idx, t, "hexutil.Bytes", &len);
    if (s == NULL)
        return false;
    uint8_t *p = arena_try_alloc(a, len / 2 + 1);
    if (p == NULL) {
        rpc_fail_err(c, ERR_TOO_LARGE, NULL);
        return false;
    }
    if (hex_decode(p, len / 2, &got, s, len) != ERR_OK) {
        rpc_fail_arg(c, idx, "%s",
                     len % 2 != 0 ? "hex string of odd length" : "invalid hex string");
        return false;
    }
    *out = bytes_of(p, got);
    return true;
}

static bool data_of(struct rpc_call *c, size_t idx, const json_t *v, struct arena *a, bytes *out) {
    return data_text(c, idx, text_of(v), a, out);
}

bool param_value_addr(struct rpc_call *c, size_t idx, const json_t *v, addr20 *out) {
    return fixed_of(c, idx, v, "common.Address", out->b, 20);
}

bool param_value_hash(struct rpc_call *c, size_t idx, const json_t *v, hash32 *out) {
    return fixed_of(c, idx, v, "common.Hash", out->b, 32);
}

bool param_value_u64(struct rpc_call *c, size_t idx, const json_t *v, uint64_t *out) {
    return u64_of(c, idx, v, out);
}

bool param_value_u256(struct rpc_call *c, size_t idx, const json_t *v, u256 *out) {
    return u256_of(c, idx, v, out);
}

bool param_value_data(struct rpc_call *c, size_t idx, const json_t *v, struct arena *a,
                      bytes *out) {
    return data_of(c, idx, v, a, out);
}

bool param_addr(struct rpc_call *c, size_t idx, addr20 *out) {
    return fixed_text(c, idx, text_at(c, idx), "common.Address", out->b, 20);
}

bool param_hash(struct rpc_call *c, size_t idx, hash32 *out) {
    return fixed_text(c, idx, text_at(c, idx), "common.Hash", out->b, 32);
}

bool param_bool(struct rpc_call *c, size_t idx, bool *out) {
    json_t *v = param_at(c, idx);
    if (v == NULL)
        return true;
    if (!json_is_boolean(v)) {
        rpc_fail_arg(c, idx, "json: cannot unmarshal value into Go value of type bool");
        return false;
    }
    *out = json_is_true(v);
    return true;
}

bool param_u64(struct rpc_call *c, size_t idx, uint64_t *out) {
    if (c->scan != NULL)
        return param_is_null(c, idx) || u64_text(c, idx, text_at(c, idx), out);
    json_t *v = param_at(c, idx);
    return v == NULL || u64_of(c, idx, v, out);
}

bool param_data(struct rpc_call *c, size_t idx, struct buf *out) {
    size_t len = 0;
    const char *s = hex_text(c, idx, text_at(c, idx), "hexutil.Bytes", &len);
    if (s == NULL)
        return false;
    if (hex_decode_buf(out, s, len) != ERR_OK || out->overflow) {
        rpc_fail_arg(c, idx, "%s",
                     len % 2 != 0 ? "hex string of odd length" : "invalid hex string");
        return false;
    }
    return true;
}

static bool storage_key(struct rpc_call *c, struct text t, u256 *out) {
    if (t.s == NULL) {
        rpc_fail(c, RPC_INVALID_PARAMS, "invalid hex in storage key: \"\"");
        return false;
    }
    size_t digits = strnlen(t.s, t.len);
    const char *d = t.s;
    int shown = digits < 80 ? (int)digits : 80;
    if (digits >= 2 && d[0] == '0' && (d[1] == 'x' || d[1] == 'X')) {
        d += 2;
        digits -= 2;
    }
    if (digits > 64) {
        rpc_fail(c, RPC_INVALID_PARAMS, "storage key too long (want at most 32 bytes): \"%.*s\"",
                 shown, t.s);
        return false;
    }
    char padded[65];
    uint8_t word[32];
    memset(padded, '0', sizeof(padded) - 1);
    padded[64] = '\0';
    memcpy(padded + 64 - digits, d, digits);
    if (hex_decode_fixed(word, sizeof(word), padded) != ERR_OK) {
        rpc_fail(c, RPC_INVALID_PARAMS, "invalid hex in storage key: \"%.*s\"", shown, t.s);
        return false;
    }
    *out = u256_from_be32(word);
    return true;
}

bool param_storage_key(struct rpc_call *c, size_t idx, u256 *out) {
    return storage_key(c, text_at(c, idx), out);
}

bool param_value_storage_key(struct rpc_call *c, const json_t *v, u256 *out) {
    return storage_key(c, text_of(v), out);
}

/* --- blocks -------------------------------------------------------------------------------- */
static bool block_text(struct rpc_call *c, size_t idx, struct text t, struct block_ref *out) {
    *out = (struct block_ref){.kind = BLOCK_REF_LATEST};
    if (text_is(t, "latest"))
        return true;
    if (text_is(t, "pending")) {
        out->kind = BLOCK_REF_PENDING;
        return true;
    }
    if (text_is(t, "safe") || text_is(t, "finalized")) {
        out->kind = t.s[0] == 's' ? BLOCK_REF_SAFE : BLOCK_REF_FINALIZED;
        return true;
    }
    out->kind = BLOCK_REF_NUMBER;
    return text_is(t, "earliest") || u64_text(c, idx, t, &out->number);
}

bool param_block_tag(struct rpc_call *c, size_t idx, json_t *v, struct block_ref *out) {
    *out = (struct block_ref){.kind = BLOCK_REF_LATEST};
    if (v == NULL || json_is_null(v))
        return true;
    if (json_is_string(v))
        return block_text(c, idx, text_of(v), out);
    out->kind = BLOCK_REF_NUMBER;
    return u64_of(c, idx, v, &out->number);
}

/* NULL: absent, or null, which says the same. */
static json_t *member(json_t *o, const char *key) {
    json_t *v = json_object_get(o, key);
    return json_is_null(v) ? NULL : v;
}

static bool block_object(struct rpc_call *c, size_t idx, json_t *v, struct block_ref *out) {
    json_t *number = member(v, "blockNumber"), *hash = member(v, "blockHash");
    if (number != NULL && hash != NULL) {
        rpc_fail_arg(c, idx,
                     "cannot specify both BlockHash and BlockNumber, choose one or the other");
        return false;
    }
    if (hash != NULL) {
        out->kind = BLOCK_REF_HASH;
        return fixed_of(c, idx, hash, "common.Hash", out->hash.b, 32);
    }
    if (number == NULL) {
        rpc_fail_arg(c, idx, "invalid arguments; neither block nor hash specified");
        return false;
    }
    return param_block_tag(c, idx, number, out);
}

bool param_block(struct rpc_call *c, size_t idx, struct block_ref *out, bool allow_object) {
    struct text t = text_at(c, idx);
    *out = (struct block_ref){.kind = BLOCK_REF_LATEST};
    if (param_is_null(c, idx))
        return true;
    if (t.s != NULL && allow_object && t.len == 66) {
        out->kind = BLOCK_REF_HASH;
        return fixed_text(c, idx, t, "common.Hash", out->hash.b, 32);
    }
    if (t.s != NULL)
        return block_text(c, idx, t, out);
    json_t *v = param_at(c, idx);
    if (allow_object && json_is_object(v))
        return block_object(c, idx, v, out);
    return param_block_tag(c, idx, v, out);
}

/* --- transactions -------------------------------------------------------------------------- */
static bool opt_u64(struct rpc_call *c, size_t idx, json_t *o, const char *key, uint64_t *out,
                    bool *out_has) {
    json_t *v = member(o, key);
    *out_has = v != NULL;
    return v == NULL || u64_of(c, idx, v, out);
}

static bool opt_u256(struct rpc_call *c, size_t idx, json_t *o, const char *key, u256 *out,
                     bool *out_has) {
    json_t *v = member(o, key);
    *out_has = v != NULL;
    return v == NULL || u256_of(c, idx, v, out);
}

static bool opt_addr(struct rpc_call *c, size_t idx, json_t *o, const char *key, addr20 *out,
                     bool *out_has) {
    json_t *v = member(o, key);
    *out_has = v != NULL;
    return v == NULL || fixed_of(c, idx, v, "common.Address", out->b, 20);
}

static bool tx_data(struct rpc_call *c, size_t idx, json_t *o, struct arena *a, bytes *out) {
    json_t *data = member(o, "data"), *input = member(o, "input");
    bytes d = {0}, i = {0};
    if (data != NULL && !data_of(c, idx, data, a, &d))
        return false;
    if (input != NULL && !data_of(c, idx, input, a, &i))
        return false;
    if (data != NULL && input != NULL && (d.len != i.len || memcmp(d.ptr, i.ptr, d.len) != 0)) {
        rpc_fail(c, RPC_SERVER_ERROR,
                 "both \"data\" and \"input\" are set and not equal. Please use \"input\" to pass "
                 "transaction call data");
        return false;
    }
    *out = input != NULL ? i : d;
    return true;
}

/* Memory for `count` elements; sets the error when there is none. */
static void *list_alloc(struct rpc_call *c, struct arena *a, size_t count, size_t size) {
    void *p = arena_try_alloc(a, count * size + 1);
    if (p == NULL)
        rpc_fail_err(c, ERR_TOO_LARGE, NULL);
    else
        memset(p, 0, count * size);
    return p;
}

static bool access_entry(struct rpc_call *c, size_t idx, json_t *e, struct tx_access *out,
                         struct arena *a) {
    json_t *keys = member(e, "storageKeys");
    if (!json_is_object(e) || (keys != NULL && !json_is_array(keys))) {
        rpc_fail_arg(c, idx, "invalid access list");
        return false;
    }
    if (!fixed_of(c, idx, member(e, "address"), "common.Address", out->addr.b, 20))
        return false;
    out->key_count = json_array_size(keys);
    out->keys = list_alloc(c, a, out->key_count, sizeof(hash32));
    if (out->keys == NULL)
        return false;
    for (size_t i = 0; i < out->key_count; i++)
        if (!fixed_of(c, idx, json_array_get(keys, i), "common.Hash", out->keys[i].b, 32))
            return false;
    return true;
}

static bool tx_access_list(struct rpc_call *c, size_t idx, json_t *o, struct tx_args *out,
                           struct arena *a) {
    json_t *list = member(o, "accessList");
    if (list == NULL)
        return true;
    if (!json_is_array(list)) {
        rpc_fail_arg(c, idx, "invalid access list");
        return false;
    }
    out->has_access_list = true;
    out->tx.access_count = json_array_size(list);
    out->tx.access = list_alloc(c, a, out->tx.access_count, sizeof(struct tx_access));
    if (out->tx.access == NULL)
        return false;
    for (size_t i = 0; i < out->tx.access_count; i++)
        if (!access_entry(c, idx, json_array_get(list, i), &out->tx.access[i], a))
            return false;
    return true;
}

static bool authorization(struct rpc_call *c, size_t idx, json_t *e, struct tx_authorization *out) {
    bool has = false, has_nonce = false, has_parity = false;
    u256 r = U256_ZERO, s = U256_ZERO;
    if (!json_is_object(e)) {
        rpc_fail_arg(c, idx, "invalid authorization list");
        return false;
    }
    if (!opt_u256(c, idx, e, "chainId", &out->chain_id, &has) ||
        !opt_addr(c, idx, e, "address", &out->address, &has) ||
        !opt_u64(c, idx, e, "nonce", &out->nonce, &has_nonce) ||
        !opt_u256(c, idx, e, "yParity", &out->y_parity, &has_parity) ||
        !opt_u256(c, idx, e, "r", &r, &has) || !opt_u256(c, idx, e, "s", &s, &has))
        return false;
    if (!has_nonce || !has_parity) {
        rpc_fail_arg(c, idx, "missing required field in authorization list");
        return false;
    }
    out->sig = (struct secp_sig){.r = r, .s = s, .recid = (uint8_t)(out->y_parity.w[0] & 1)};
    return true;
}

static bool tx_auth_list(struct rpc_call *c, size_t idx, json_t *o, struct tx_args *out,
                         struct arena *a) {
    json_t *list = member(o, "authorizationList");
    if (list == NULL)
        return true;
    if (!json_is_array(list)) {
        rpc_fail_arg(c, idx, "invalid authorization list");
        return false;
    }
    out->has_auths = true;
    out->tx.auth_count = json_array_size(list);
    out->tx.auths = list_alloc(c, a, out->tx.auth_count, sizeof(struct tx_authorization));
    if (out->tx.auths == NULL)
        return false;
    for (size_t i = 0; i < out->tx.auth_count; i++)
        if (!authorization(c, idx, json_array_get(list, i), &out->tx.auths[i]))
            return false;
    return true;
}

static bool tx_fees(struct rpc_call *c, size_t idx, json_t *o, struct tx_args *out) {
    struct tx *tx = &out->tx;
    if (!opt_u256(c, idx, o, "gasPrice", &tx->gas_price, &out->has_gas_price) ||
        !opt_u256(c, idx, o, "maxFeePerGas", &tx->max_fee, &out->has_max_fee) ||
        !opt_u256(c, idx, o, "maxPriorityFeePerGas", &tx->max_priority_fee,
                  &out->has_max_priority_fee))
        return false;
    if (out->has_gas_price && (out->has_max_fee || out->has_max_priority_fee)) {
        rpc_fail(c, RPC_SERVER_ERROR,
                 "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified");
        return false;
    }
    if (out->has_gas_price)
        tx->max_fee = tx->max_priority_fee = tx->gas_price;
    if (out->has_max_fee && u256_lt(&tx->max_fee, &tx->max_priority_fee)) {
        char fee[79], tip[79];
        rpc_fail(c, RPC_SERVER_ERROR, "maxFeePerGas (%s) < maxPriorityFeePerGas (%s)",
                 u256_to_dec(fee, &tx->max_fee), u256_to_dec(tip, &tx->max_priority_fee));
        return false;
    }
    return true;
}

static enum tx_type tx_type_of(const struct tx_args *t, uint64_t asked) {
    if (t->has_type && asked <= TX_SET_CODE)
        return (enum tx_type)asked;
    if (t->has_auths)
        return TX_SET_CODE;
    if (t->has_gas_price)
        return t->has_access_list ? TX_ACCESS_LIST : TX_LEGACY;
    return TX_DYNAMIC_FEE;
}

/* A scanned transaction: the members that nearly all calls have. False for anything else, errors
 * included: the call is done again with parsed arguments. */
static bool scanned_tx(struct rpc_call *c, struct tx_args *out, struct arena *a) {
    struct rpc_scan *s = c->scan;
    struct tx *tx = &out->tx;
    bool has_data = false, ok = s->has_object;
    for (size_t i = 0; ok && i < s->member_count; i++) {
        bytes key = s->members[i].key, value = s->members[i].value;
        struct text k = {(const char *)key.ptr, key.len}, v = {(const char *)value.ptr, value.len};
        if (s->members[i].is_list) {
            ok = false;
        } else if (text_is(k, "to")) {
            ok = out->has_to = fixed_text(c, 0, v, "common.Address", tx->to.b, 20);
        } else if (text_is(k, "from")) {
            ok = out->has_from = fixed_text(c, 0, v, "common.Address", tx->sender.b, 20);
        } else if ((text_is(k, "data") || text_is(k, "input")) && !has_data) {
            ok = has_data = data_text(c, 0, v, a, &tx->data);
        } else if (text_is(k, "gas")) {
            ok = out->has_gas = u64_text(c, 0, v, &tx->gas_limit);
        } else if (text_is(k, "value")) {
            ok = out->has_value = u256_text(c, 0, v, &tx->value);
        } else {
            ok = false;
        }
    }
    ok = ok && out->has_to;
    s->unfit = s->unfit || !ok;
    return ok;
}

/* What follows from the members. */
static void complete_tx(struct tx_args *t, uint64_t chain_id, uint64_t type) {
    t->tx.is_create = !t->has_to;
    t->tx.has_chain_id = true;
    t->tx.chain_id = chain_id;
    t->tx.has_sender = true;
    t->tx.type = tx_type_of(t, type);
    tx_recover_authorities(&t->tx);
}

bool param_tx(struct rpc_call *c, size_t idx, struct tx_args *out, struct arena *a) {
    if (c->scan != NULL && idx == 0) {
        *out = (struct tx_args){0};
        if (!scanned_tx(c, out, a))
            return false;
        complete_tx(out, c->cx->chain.chain_id, 0);
        return true;
    }
    json_t *o = param_at(c, idx);
    struct tx_args t = {0};
    uint64_t type = 0;
    if (!json_is_object(o)) {
        rpc_fail_arg(c, idx,
                     "json: cannot unmarshal value into Go value of type ethapi.TransactionArgs");
        return false;
    }
    if (!opt_addr(c, idx, o, "from", &t.tx.sender, &t.has_from) ||
        !opt_addr(c, idx, o, "to", &t.tx.to, &t.has_to) ||
        !opt_u64(c, idx, o, "gas", &t.tx.gas_limit, &t.has_gas) ||
        !opt_u256(c, idx, o, "value", &t.tx.value, &t.has_value) ||
        !opt_u64(c, idx, o, "nonce", &t.tx.nonce, &t.has_nonce) ||
        !opt_u64(c, idx, o, "chainId", &t.tx.chain_id, &t.has_chain_id) ||
        !opt_u64(c, idx, o, "type", &type, &t.has_type) || !tx_fees(c, idx, o, &t) ||
        !tx_data(c, idx, o, a, &t.tx.data) || !tx_access_list(c, idx, o, &t, a) ||
        !tx_auth_list(c, idx, o, &t, a))
        return false;
    if (member(o, "blobVersionedHashes") != NULL || member(o, "blobs") != NULL || type == TX_BLOB) {
        rpc_fail(c, RPC_SERVER_ERROR, "transaction type not supported: transaction type not valid");
        return false;
    }
    if (t.has_chain_id && t.tx.chain_id != c->cx->chain.chain_id) {
        rpc_fail(c, RPC_SERVER_ERROR, "chainId does not match node's (have=%llu, want=%llu)",
                 (unsigned long long)t.tx.chain_id, (unsigned long long)c->cx->chain.chain_id);
        return false;
    }
    complete_tx(&t, c->cx->chain.chain_id, type);
    *out = t;
    return true;
}

/* --- filters ------------------------------------------------------------------------------- */
static bool filter_addresses(struct rpc_call *c, size_t idx, json_t *v, struct index_filter *f,
                             struct arena *a) {
    if (v == NULL)
        return true;
    size_t n = json_is_array(v) ? json_array_size(v) : 1;
    if (n > INDEX_FILTER_ALTERNATIVES_MAX) {
        rpc_fail(c, RPC_INVALID_PARAMS, "exceed max addresses or topics per search position");
        return false;
    }
    addr20 *list = list_alloc(c, a, n, sizeof(*list));
    if (list == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!fixed_of(c, idx, json_is_array(v) ? json_array_get(v, i) : v, "common.Address",
                      list[i].b, 20))
            return false;
    f->addresses = list;
    f->address_count = n;
    return true;
}

/* One position: null (any), a topic, or a list of topics, in which a null again means any. */
static bool filter_topic(struct rpc_call *c, size_t idx, json_t *v, struct index_alternatives *out,
                         struct arena *a) {
    *out = (struct index_alternatives){0};
    if (json_is_null(v))
        return true;
    size_t n = json_is_array(v) ? json_array_size(v) : 1;
    if (n > INDEX_FILTER_ALTERNATIVES_MAX) {
        rpc_fail(c, RPC_INVALID_PARAMS, "exceed max addresses or topics per search position");
        return false;
    }
    hash32 *list = list_alloc(c, a, n, sizeof(*list));
    if (list == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        json_t *e = json_is_array(v) ? json_array_get(v, i) : v;
        if (json_is_null(e))
            return true;
        if (!fixed_of(c, idx, e, "common.Hash", list[i].b, 32))
            return false;
    }
    *out = (struct index_alternatives){.values = list, .count = n};
    return true;
}

static bool filter_range(struct rpc_call *c, size_t idx, json_t *o, struct filter_args *f) {
    json_t *hash = member(o, "blockHash"), *from = member(o, "fromBlock"),
           *to = member(o, "toBlock");
    if (hash == NULL)
        return param_block_tag(c, idx, from, &f->from) && param_block_tag(c, idx, to, &f->to);
    if (from != NULL || to != NULL) {
        rpc_fail_arg(
            c, idx, "cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other");
        return false;
    }
    f->has_block_hash = true;
    return fixed_of(c, idx, hash, "common.Hash", f->block_hash.b, 32);
}

/* --- scanned filters ----------------------------------------------------------------------- */
static struct text text_of_bytes(bytes b) {
    return (struct text){(const char *)b.ptr, b.len};
}

/* The texts of a list, or the one text that stands in its place, each as `size` bytes. A null ends
 * it with *out_null: it is for the caller to say what that means. */
static bool scanned_fixed(struct rpc_call *c, struct arena *a, struct rpc_scan_item value,
                          const char *type, size_t size, void **out, size_t *out_count,
                          bool *out_null) {
    struct rpc_scan_item item = value;
    bytes rest = value.text;
    bool is_list = value.kind == RPC_SCAN_LIST;
    size_t count = 0;
    while (is_list && rpc_scan_item(&item, &rest))
        count++;
    count = is_list ? count : 1;
    uint8_t *list = count <= INDEX_FILTER_ALTERNATIVES_MAX ? list_alloc(c, a, count, size) : NULL;
    if (list == NULL)
        return false;
    rest = value.text;
    *out_null = false;
    for (size_t i = 0; i < count && !*out_null; i++) {
        if (is_list)
            (void)rpc_scan_item(&item, &rest);
        *out_null = item.kind == RPC_SCAN_NULL;
        if (!*out_null && (item.kind != RPC_SCAN_TEXT || !fixed_text(c, 0, text_of_bytes(item.text),
                                                                     type, list + i * size, size)))
            return false;
    }
    *out = list;
    *out_count = count;
    return true;
}

static bool scanned_topics(struct rpc_call *c, struct arena *a, bytes list,
                           struct index_filter *f) {
    struct rpc_scan_item item;
    while (rpc_scan_item(&item, &list)) {
        void *values = NULL;
        size_t count = 0;
        bool any = item.kind == RPC_SCAN_NULL;
        if (f->topic_count == INDEX_FILTER_TOPICS_MAX ||
            (!any && !scanned_fixed(c, a, item, "common.Hash", 32, &values, &count, &any)))
            return false;
        f->topics[f->topic_count++] =
            any ? (struct index_alternatives){0}
                : (struct index_alternatives){.values = values, .count = count};
    }
    return true;
}

static bool scanned_addresses(struct rpc_call *c, struct arena *a, const struct rpc_scan_member *m,
                              struct index_filter *f) {
    struct rpc_scan_item value = {.kind = m->is_list ? RPC_SCAN_LIST : RPC_SCAN_TEXT,
                                  .text = m->value};
    void *list = NULL;
    bool has_null = false;
    if (!scanned_fixed(c, a, value, "common.Address", 20, &list, &f->address_count, &has_null))
        return false;
    f->addresses = list;
    return !has_null;
}

/* A filter as scanned; as with scanned_tx what is not in order comes again as JSON. */
static bool scanned_filter(struct rpc_call *c, struct filter_args *f, struct arena *a) {
    struct rpc_scan *s = c->scan;
    bool ok = s->has_object, has_range = false;
    for (size_t i = 0; ok && i < s->member_count; i++) {
        const struct rpc_scan_member *m = &s->members[i];
        struct text k = text_of_bytes(m->key), v = text_of_bytes(m->value);
        if (text_is(k, "topics")) {
            ok = m->is_list && scanned_topics(c, a, m->value, &f->filter);
        } else if (text_is(k, "address")) {
            ok = scanned_addresses(c, a, m, &f->filter);
        } else if (m->is_list) {
            ok = false;
        } else if (text_is(k, "fromBlock")) {
            has_range = true;
            ok = block_text(c, 0, v, &f->from);
        } else if (text_is(k, "toBlock")) {
            has_range = true;
            ok = block_text(c, 0, v, &f->to);
        } else if (text_is(k, "blockHash")) {
            f->has_block_hash = true;
            ok = fixed_text(c, 0, v, "common.Hash", f->block_hash.b, 32);
        } else {
            ok = false;
        }
    }
    ok = ok && !(has_range && f->has_block_hash);
    s->unfit = s->unfit || !ok;
    return ok;
}

bool param_filter(struct rpc_call *c, size_t idx, struct filter_args *out, struct arena *a) {
    if (c->scan != NULL && idx == 0) {
        struct block_ref latest = {.kind = BLOCK_REF_LATEST};
        *out = (struct filter_args){.from = latest, .to = latest};
        return scanned_filter(c, out, a);
    }
    json_t *o = param_at(c, idx);
    struct filter_args f = {0};
    if (!json_is_object(o)) {
        rpc_fail_arg(c, idx,
                     "json: cannot unmarshal value into Go value of type filters.FilterCriteria");
        return false;
    }
    if (!filter_range(c, idx, o, &f) ||
        !filter_addresses(c, idx, member(o, "address"), &f.filter, a))
        return false;
    json_t *topics = member(o, "topics");
    if (topics != NULL && !json_is_array(topics)) {
        rpc_fail_arg(c, idx, "invalid topics");
        return false;
    }
    if (json_array_size(topics) > INDEX_FILTER_TOPICS_MAX) {
        rpc_fail(c, RPC_INVALID_PARAMS, "exceed max topics");
        return false;
    }
    f.filter.topic_count = json_array_size(topics);
    for (size_t t = 0; t < f.filter.topic_count; t++)
        if (!filter_topic(c, idx, json_array_get(topics, t), &f.filter.topics[t], a))
            return false;
    *out = f;
    return true;
}
