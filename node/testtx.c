/* SPDX-License-Identifier: Apache-2.0 */
#include "node/testtx.h"

#include "base/hex.h"
#include "node/testfile.h"

static size_t index_of(const json_t *indexes, const char *key) {
    return (size_t)json_integer_value(json_object_get(indexes, key));
}

/* --- against bytes ---------------------------------------------------------------------------- */

static bool same_u256(const json_t *o, const char *key, const u256 *v) {
    u256 w;
    enum err e = testfile_u256(&w, o, key);
    return e == ERR_NOT_FOUND || (e == ERR_OK && u256_eq(&w, v));
}

static bool same_item(const json_t *o, const char *key, size_t idx, const u256 *v) {
    u256 w;
    return testfile_value_u256(&w, json_array_get(json_object_get(o, key), idx)) == ERR_OK &&
           u256_eq(&w, v);
}

static bool same_to(const json_t *o, const struct tx *tx) {
    const char *to = json_string_value(json_object_get(o, "to"));
    addr20 a;
    if (to == NULL || to[0] == '\0')
        return tx->is_create;
    return !tx->is_create && hex_decode_fixed(a.b, sizeof a.b, to) == ERR_OK &&
           addr20_eq(&a, &tx->to);
}

static bool same_data(struct arena *a, const json_t *o, size_t idx, const struct tx *tx) {
    bytes data;
    return testfile_value_bytes(&data, a, json_array_get(json_object_get(o, "data"), idx)) ==
               ERR_OK &&
           data.len == tx->data.len &&
           (data.len == 0 || memcmp(data.ptr, tx->data.ptr, data.len) == 0);
}

static bool same_access(const json_t *o, size_t idx, const struct tx *tx) {
    const json_t *list = json_array_get(json_object_get(o, "accessLists"), idx);
    if (list == NULL)
        return true;
    if (json_is_null(list))
        return tx->access_count == 0;
    if (json_array_size(list) != tx->access_count)
        return false;
    for (size_t i = 0; i < tx->access_count; i++) {
        const json_t *entry = json_array_get(list, i),
                     *keys = json_object_get(entry, "storageKeys");
        const struct tx_access *acc = &tx->access[i];
        addr20 a;
        if (testfile_fixed(a.b, sizeof a.b, entry, "address") != ERR_OK ||
            !addr20_eq(&a, &acc->addr) || json_array_size(keys) != acc->key_count)
            return false;
        for (size_t k = 0; k < acc->key_count; k++) {
            u256 want, got = u256_from_be32(acc->keys[k].b);
            if (testfile_value_u256(&want, json_array_get(keys, k)) != ERR_OK ||
                !u256_eq(&want, &got))
                return false;
        }
    }
    return true;
}

static bool same_auths(const json_t *o, const struct tx *tx) {
    const json_t *list = json_object_get(o, "authorizationList");
    if (json_array_size(list) != tx->auth_count)
        return false;
    for (size_t i = 0; i < tx->auth_count; i++) {
        const json_t *entry = json_array_get(list, i);
        const struct tx_authorization *u = &tx->auths[i];
        u256 nonce = u256_from_u64(u->nonce);
        addr20 a;
        if (!same_u256(entry, "chainId", &u->chain_id) || !same_u256(entry, "nonce", &nonce) ||
            !same_u256(entry, "r", &u->sig.r) || !same_u256(entry, "s", &u->sig.s) ||
            !same_u256(entry, "yParity", &u->y_parity) ||
            testfile_fixed(a.b, sizeof a.b, entry, "address") != ERR_OK ||
            !addr20_eq(&a, &u->address))
            return false;
        /* Some tests name a signer who did not sign; only a name beside a good signature says
         * something. */
    }
    return true;
}

const char *testtx_differs(struct arena *a, const json_t *o, const json_t *indexes,
                           const struct tx *tx) {
    size_t data = index_of(indexes, "data"), gas = index_of(indexes, "gas"),
           value = index_of(indexes, "value");
    u256 nonce = u256_from_u64(tx->nonce), gas_limit = u256_from_u64(tx->gas_limit);
    addr20 sender;
    if (!same_u256(o, "nonce", &nonce))
        return "nonce";
    if (!same_u256(o, "gasPrice", &tx->max_fee))
        return "gasPrice";
    if (!same_u256(o, "maxFeePerGas", &tx->max_fee))
        return "maxFeePerGas";
    if (!same_u256(o, "maxPriorityFeePerGas", &tx->max_priority_fee))
        return "maxPriorityFeePerGas";
    if (!same_u256(o, "maxFeePerBlobGas", &tx->max_fee_per_blob_gas))
        return "maxFeePerBlobGas";
    if (!same_item(o, "gasLimit", gas, &gas_limit))
        return "gasLimit";
    if (!same_item(o, "value", value, &tx->value))
        return "value";
    if (!same_to(o, tx))
        return "to";
    if (!same_data(a, o, data, tx))
        return "data";
    if (!same_access(o, data, tx))
        return "accessLists";
    if (!same_auths(o, tx))
        return "authorizationList";
    if (json_array_size(json_object_get(o, "blobVersionedHashes")) != tx->blob_hash_count)
        return "blobVersionedHashes";
    if (testfile_fixed(sender.b, sizeof sender.b, o, "sender") == ERR_OK &&
        !addr20_eq(&sender, &tx->sender))
        return "sender";
    return NULL;
}

/* --- made from the object ------------------------------------------------------------------------
 */

static enum err build_access(struct tx *tx, struct arena *a, const json_t *list) {
    tx->access_count = json_array_size(list);
    tx->access = arena_zalloc(a, (tx->access_count + 1) * sizeof *tx->access);
    for (size_t i = 0; i < tx->access_count; i++) {
        const json_t *entry = json_array_get(list, i),
                     *keys = json_object_get(entry, "storageKeys");
        struct tx_access *acc = &tx->access[i];
        TRY(testfile_fixed(acc->addr.b, sizeof acc->addr.b, entry, "address"));
        acc->key_count = json_array_size(keys);
        acc->keys = arena_zalloc(a, (acc->key_count + 1) * sizeof *acc->keys);
        for (size_t k = 0; k < acc->key_count; k++) {
            u256 key;
            TRY(testfile_value_u256(&key, json_array_get(keys, k)));
            u256_to_be32(acc->keys[k].b, &key);
        }
    }
    return ERR_OK;
}

static enum err build_auths(struct tx *tx, struct arena *a, const json_t *list) {
    tx->auth_count = json_array_size(list);
    tx->auths = arena_zalloc(a, (tx->auth_count + 1) * sizeof *tx->auths);
    for (size_t i = 0; i < tx->auth_count; i++) {
        const json_t *entry = json_array_get(list, i);
        struct tx_authorization *u = &tx->auths[i];
        TRY(testfile_u256(&u->chain_id, entry, "chainId"));
        TRY(testfile_fixed(u->address.b, sizeof u->address.b, entry, "address"));
        TRY(testfile_u64(&u->nonce, entry, "nonce"));
        TRY(testfile_u256(&u->y_parity, entry, "yParity"));
        TRY(testfile_u256(&u->sig.r, entry, "r"));
        TRY(testfile_u256(&u->sig.s, entry, "s"));
    }
    return ERR_OK;
}

static enum err build_hashes(struct tx *tx, struct arena *a, const json_t *list) {
    tx->blob_hash_count = json_array_size(list);
    tx->blob_hashes = arena_zalloc(a, (tx->blob_hash_count + 1) * sizeof *tx->blob_hashes);
    for (size_t i = 0; i < tx->blob_hash_count; i++)
        TRY(testfile_value_fixed(tx->blob_hashes[i].b, sizeof(hash32), json_array_get(list, i)));
    return ERR_OK;
}

static enum err build_fees(struct tx *tx, const json_t *o) {
    if (tx->type >= TX_DYNAMIC_FEE) {
        TRY(testfile_u256(&tx->max_fee, o, "maxFeePerGas"));
        TRY(testfile_u256(&tx->max_priority_fee, o, "maxPriorityFeePerGas"));
        return tx->type == TX_BLOB ? testfile_u256(&tx->max_fee_per_blob_gas, o, "maxFeePerBlobGas")
                                   : ERR_OK;
    }
    TRY(testfile_u256(&tx->gas_price, o, "gasPrice"));
    tx->max_fee = tx->max_priority_fee = tx->gas_price;
    return ERR_OK;
}

static enum tx_type type_of(const json_t *o, const json_t *access) {
    if (json_object_get(o, "authorizationList") != NULL)
        return TX_SET_CODE;
    if (json_object_get(o, "blobVersionedHashes") != NULL)
        return TX_BLOB;
    if (json_object_get(o, "maxFeePerGas") != NULL)
        return TX_DYNAMIC_FEE;
    return json_is_array(access) ? TX_ACCESS_LIST : TX_LEGACY;
}

static enum err build_fields(struct tx *tx, struct arena *a, const json_t *o, const json_t *indexes,
                             uint64_t chain_id) {
    size_t data = index_of(indexes, "data");
    const json_t *access = json_array_get(json_object_get(o, "accessLists"), data);
    const char *to = json_string_value(json_object_get(o, "to"));
    u256 gas_limit;
    tx->type = type_of(o, access);
    tx->has_chain_id = tx->type != TX_LEGACY || !json_is_false(json_object_get(o, "protected"));
    tx->chain_id = tx->has_chain_id ? chain_id : 0;
    TRY(testfile_u64(&tx->nonce, o, "nonce"));
    TRY(build_fees(tx, o));
    TRY(testfile_value_u256(
        &gas_limit, json_array_get(json_object_get(o, "gasLimit"), index_of(indexes, "gas"))));
    if (!u256_fits_u64(&gas_limit))
        return ERR_TOO_LARGE;
    tx->gas_limit = gas_limit.w[0];
    TRY(testfile_value_u256(
        &tx->value, json_array_get(json_object_get(o, "value"), index_of(indexes, "value"))));
    TRY(testfile_value_bytes(&tx->data, a, json_array_get(json_object_get(o, "data"), data)));
    tx->is_create = to == NULL || to[0] == '\0';
    if (!tx->is_create)
        TRY(testfile_fixed(tx->to.b, sizeof tx->to.b, o, "to"));
    TRY(build_access(tx, a, access));
    TRY(build_auths(tx, a, json_object_get(o, "authorizationList")));
    return build_hashes(tx, a, json_object_get(o, "blobVersionedHashes"));
}

enum err testtx_build(struct tx *out, struct arena *a, const json_t *transaction,
                      const json_t *indexes, uint64_t chain_id, struct err_ctx *ec) {
    struct tx tx;
    uint8_t key[32];
    memset(&tx, 0, sizeof tx);
    enum err e = build_fields(&tx, a, transaction, indexes, chain_id);
    if (e == ERR_OK)
        e = testfile_fixed(key, sizeof key, transaction, "secretKey");
    if (e == ERR_OK)
        e = tx_sign(&tx, a, key);
    if (e != ERR_OK)
        FAIL(ec, e, "the transaction cannot be built: %s", err_text(e));
    *out = tx;
    return ERR_OK;
}

static bool set_u256(json_t *o, const char *key, const u256 *v) {
    struct buf b;
    buf_init(&b, 128);
    hex_put_u256(&b, v);
    bool ok =
        !b.overflow && json_object_set_new(o, key, json_stringn((const char *)b.ptr, b.len)) == 0;
    buf_clear(&b);
    return ok;
}

static enum err sign_authorization(json_t *entry) {
    struct tx_authorization u;
    uint8_t key[32];
    memset(&u, 0, sizeof u);
    TRY(testfile_fixed(key, sizeof key, entry, "secretKey"));
    TRY(testfile_u256(&u.chain_id, entry, "chainId"));
    TRY(testfile_fixed(u.address.b, sizeof u.address.b, entry, "address"));
    TRY(testfile_u64(&u.nonce, entry, "nonce"));
    TRY(tx_sign_authorization(&u, key));
    bool ok = set_u256(entry, "r", &u.sig.r) && set_u256(entry, "s", &u.sig.s) &&
              set_u256(entry, "yParity", &u.y_parity) && set_u256(entry, "v", &u.y_parity) &&
              json_object_del(entry, "secretKey") == 0;
    return ok ? ERR_OK : ERR_NOMEM;
}

enum err testtx_sign_authorizations(json_t *transaction, struct err_ctx *ec) {
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(transaction, "authorizationList"), i, entry) {
        if (json_object_get(entry, "secretKey") == NULL)
            continue;
        enum err e = sign_authorization(entry);
        if (e != ERR_OK)
            FAIL(ec, e, "authorization %zu cannot be signed: %s", i, err_text(e));
    }
    return ERR_OK;
}
